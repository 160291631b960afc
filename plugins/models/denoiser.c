/* A denoiser e(x, t), a function of data and of the time, or step, of the noise (Ho, Jain, Abbeel
 * 2020): fully connected layers on x beside an embedding of t, the sines and cosines of t at
 * several frequencies (Vaswani et al. 2017, section 3.5). */
#include "trunk.h"

struct denoiser {
  int64_t size, frequencies;
  double period, scale;
  struct trunk trunk;
};

static const tier_slot slots[] = {
    {.name = "layers",
     .doc = "the data's size and those of the hidden layers, e.g. [2, 128, 128, 128]; the output "
            "has the data's size again",
     .unit = "",
     .type = TIER_SLOT_INTEGERS,
     .flags = TIER_SLOT_REQUIRED,
     .minimum = 1,
     .maximum = 1e9},
    {.name = "frequencies",
     .doc = "of the embedding of t, which has a sine and a cosine for each; 0: t is not used",
     .fallback = "8",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 0,
     .maximum = 1e6},
    {.name = "period",
     .doc = "frequency k of n is period^(-k/n)",
     .fallback = "10000",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 1,
     .maximum = 1e12},
    {.name = "scale",
     .doc = "t is multiplied by this first: 1 where it is a step's number, 1000 where it is in "
            "[0, 1]",
     .fallback = "1.0",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e9},
    ACTIVATION_SLOT("silu"),
    INIT_SLOT};

static const tier_slot denoiser_slots[] = {
    {.name = "x",
     .doc = "rows of as many numbers as the first of layers",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "t",
     .doc = "one number a row: the time, or the step; not given: 0",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION}};
static const tier_entry denoiser_entries[] = {
    {.name = "forward",
     .doc = "of x's shape as rows: noise, score or data, as it is trained",
     TIER_SLOTS(denoiser_slots)}};

static int32_t variables(void *self, tier_variables *v) {
  const struct denoiser *m = self;
  TIER_TRY(trunk_declare(v, &m->trunk));
  return head_declare(v, "head", trunk_width(&m->trunk), m->size, m->trunk.init);
}

/* t (n, 1) -> (n, 2 frequencies): the sines, then the cosines. */
static tier_value embed(const struct denoiser *m, tier_graph *g, tier_value t) {
  const int64_t dims[2] = {1, m->frequencies};
  const int64_t wide[2] = {tier_dim(g, t, 0), m->frequencies};
  tier_value k = tier_cast(g, tier_iota(g, 1, dims, 2), TIER_REAL);
  double step = log(m->period) / (double)m->frequencies;
  tier_value frequency = tier_scale(g, tier_exp(g, tier_scale(g, k, -step)), m->scale);
  tier_value angle =
      tier_multiply(g, tier_broadcast(g, t, wide, 2), tier_broadcast(g, frequency, wide, 2));
  tier_value both[2] = {tier_sin(g, angle), tier_cos(g, angle)};
  return tier_concat(g, both, 2, 1);
}

/* x (n, size), t (n) -> (n, size). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct denoiser *m = self;
  tier_graph *g = b->graph;
  (void)entry;
  tier_value x = rows_of(g, tier_input(b, "x"), m->size, "x", "the first of layers");
  if (m->frequencies > 0) {
    const int64_t dims[2] = {tier_dim(g, x, 0), 1};
    tier_value t = tier_input(b, "t");
    t = t != 0 ? rows_of(g, t, 1, "t", "one time a row") : tier_fill(g, 0.0, dims, 2);
    tier_value both[2] = {x, embed(m, g, t)};
    x = tier_concat(g, both, 2, 1);
  }
  return tier_output(b, head_build(b, "head", trunk_build(b, &m->trunk, x)));
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

static void destroy(void *object) {
  struct denoiser *m = object;
  free(m->trunk.sizes);
  free(m);
}

static int32_t open(struct denoiser *m, const tier_host *host, const tier_params *params) {
  m->frequencies = tier_integer(params, "frequencies");
  m->period = tier_number(params, "period");
  m->scale = tier_number(params, "scale");
  m->trunk = (struct trunk){.part = "layer",
                            .f = activation_named(tier_text(params, "activation")),
                            .init = tier_text(params, "init")};
  m->trunk.sizes = layers_read(host, params, 1, "the first of the data", &m->trunk.count);
  if (m->trunk.sizes == NULL) {
    return TIER_E_INVALID;
  }
  m->size = m->trunk.sizes[0];
  m->trunk.sizes[0] += 2 * m->frequencies;
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct denoiser *m = calloc(1, sizeof *m);
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  int32_t status = open(m, host, params);
  if (status < 0) {
    destroy(m);
    return status;
  }
  *object = m;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "model",
     .id = "denoiser",
     .summary = "a function of data and of the noise's time, of the data's shape",
     TIER_SLOTS(slots),
     TIER_ENTRIES(denoiser_entries),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("denoiser", "1.0", "MIT", components);

/* Random features: a fixed layer relu(x W / sqrt(in)) with W from N(0, 1), and a learned linear
 * layer on it (Rahimi, Recht 2008; with relu, Cho, Saul 2009). W follows from the run's seed and
 * from where the model stands in the manifest; it is no variable. */
#include <tier/random.h>

#include "trunk.h"

struct features {
  int64_t in, count, out;
  double *w; /* (in, count), with the 1 / sqrt(in) */
  int bias;
  const char *init;
};

static const tier_slot slots[] = {
    {.name = "layers",
     .doc = "numbers of inputs, features and outputs: [in, features, out]",
     .unit = "",
     .type = TIER_SLOT_INTEGERS,
     .flags = TIER_SLOT_REQUIRED,
     .minimum = 1,
     .maximum = 1e9},
    {.name = "bias",
     .doc = "whether the learned layer has a bias",
     .fallback = "true",
     .unit = "",
     .type = TIER_SLOT_BOOLEAN},
    INIT_SLOT};

static const tier_entry feature_entries[] = {
    {.name = "forward", .doc = "the learned layer's outputs", TIER_SLOTS(forward_slots)},
    {.name = "features", .doc = "the random features themselves", TIER_SLOTS(forward_slots)}};

static int32_t variables(void *self, tier_variables *v) {
  const struct features *m = self;
  return layer_declare(v, "weight", m->bias ? "bias" : NULL, m->count, m->out, m->init);
}

/* x (n, in) -> (n, count). */
static tier_value features(const struct features *m, tier_build *b) {
  tier_graph *g = b->graph;
  const int64_t dims[2] = {m->in, m->count};
  tier_value x = rows_of(g, tier_input(b, "x"), m->in, "x", "the first of layers");
  tier_attributes attributes = tier_make_attributes(dims, 2, m->w, (uint32_t)(m->in * m->count));
  tier_value w = g->api->emit(g, TIER_OP_CONSTANT, NULL, 0, &attributes);
  return tier_relu(g, tier_matmul(g, x, w));
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct features *m = self;
  tier_value phi = features(m, b);
  if (strcmp(entry, "features") == 0) {
    return tier_output(b, phi);
  }
  tier_value y = tier_matmul(b->graph, phi, tier_variable(b, "weight"));
  return tier_output(b, m->bias ? tier_add_bias(b->graph, y, tier_variable(b, "bias")) : y);
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

static void destroy(void *object) {
  struct features *m = object;
  free(m->w);
  free(m);
}

static int32_t open(struct features *m, const tier_host *host, const tier_params *params) {
  const tier_random_1 *random = host->get(host, "tier.random/1");
  if (params->api->count(params, "layers") != 3) {
    return tier_failf(host, TIER_E_INVALID, "layers must be three sizes, [in, features, out]");
  }
  m->in = params->api->integer_at(params, "layers", 0);
  m->count = params->api->integer_at(params, "layers", 1);
  m->out = params->api->integer_at(params, "layers", 2);
  m->bias = tier_boolean(params, "bias");
  m->init = tier_text(params, "init");
  if (m->count > INT32_MAX / m->in) {
    return tier_failf(host, TIER_E_INVALID, "%lld x %lld random numbers are too many",
                      (long long)m->in, (long long)m->count);
  }
  m->w = malloc((size_t)(m->in * m->count) * sizeof *m->w);
  if (m->w == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  random->normal(params->api->stream(params), 0, 0, m->in * m->count, m->w);
  for (int64_t i = 0; i < m->in * m->count; i++) {
    m->w[i] /= sqrt((double)m->in);
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct features *m = calloc(1, sizeof *m);
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
     .flags = TIER_RANDOM,
     .kind = "model",
     .id = "random-features",
     .summary = "a learned linear layer on fixed random ReLU features",
     TIER_SLOTS(slots),
     TIER_ENTRIES(feature_entries),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("random-features", "1.0", "MIT", components);

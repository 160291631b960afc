/* A critic, one number for each row: convolutions where "channels" are given, fully connected
 * layers, and a last one with a single output. As a discriminator that number is the logit of
 * "real". */
#include "images.h"

struct critic {
  int64_t size;
  struct pyramid images; /* no layers: fully connected only */
  struct trunk trunk;
};

static const tier_slot slots[] = {
    {.name = "layers",
     .doc = "sizes from the data over the hidden layers, e.g. [784, 256, 128]; the last layer's 1 "
            "is not written",
     .unit = "",
     .type = TIER_SLOT_INTEGERS,
     .flags = TIER_SLOT_REQUIRED,
     .minimum = 1,
     .maximum = 1e9},
    IMAGE_SLOTS_OF(
        "channels after each convolution before the hidden layers; not given: no convolutions",
        NULL),
    ACTIVATION_SLOT("leaky-relu"),
    INIT_SLOT};

static int32_t variables(void *self, tier_variables *v) {
  const struct critic *m = self;
  TIER_TRY(pyramid_declare(v, &m->images));
  TIER_TRY(trunk_declare(v, &m->trunk));
  return head_declare(v, "head", trunk_width(&m->trunk), 1, m->trunk.init);
}

/* x (n, size) -> (n, 1). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct critic *m = self;
  (void)entry;
  tier_value x = rows_of(b->graph, tier_input(b, "x"), m->size, "x", "the first of layers");
  x = trunk_build(b, &m->trunk, pyramid_build(b, &m->images, x));
  return tier_output(b, head_build(b, "head", x));
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

static void destroy(void *object) {
  struct critic *m = object;
  pyramid_close(&m->images);
  free(m->trunk.sizes);
  free(m);
}

static int32_t open(struct critic *m, const tier_host *host, const tier_params *params) {
  activation f = activation_named(tier_text(params, "activation"));
  const char *init = tier_text(params, "init");
  m->images = (struct pyramid){.part = "convolution", .f = f, .init = init};
  m->trunk = (struct trunk){.part = "layer", .f = f, .init = init};
  if (tier_given(params, "channels")) {
    TIER_TRY(pyramid_open(&m->images, host, params, 1));
  }
  m->trunk.sizes = layers_read(host, params, 1, "the first of the data", &m->trunk.count);
  if (m->trunk.sizes == NULL) {
    return TIER_E_INVALID;
  }
  m->size = m->trunk.sizes[0];
  if (m->images.count > 0 && pyramid_pixels(&m->images) != m->size) {
    return tier_failf(host, TIER_E_INVALID,
                      "layers have %lld numbers for the data, the image has %lld",
                      (long long)m->size, (long long)pyramid_pixels(&m->images));
  }
  if (m->images.count > 0) {
    m->trunk.sizes[0] = pyramid_features(&m->images);
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct critic *m = calloc(1, sizeof *m);
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
     .id = "critic",
     .summary = "one number for each row, without bound",
     TIER_SLOTS(slots),
     TIER_ENTRIES(entries),
     .create = create,
     .destroy = destroy,
     .get = get},
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "model",
     .id = "discriminator",
     .summary = "the logit of each row's being real: a critic by another name",
     TIER_SLOTS(slots),
     TIER_ENTRIES(entries),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("critic", "1.0", "MIT", components);

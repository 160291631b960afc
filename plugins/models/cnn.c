/* A convolutional network: convolutions with an activation and pooling after each, then fully
 * connected layers (LeCun, Bottou, Bengio, Haffner 1998, section II); LeNet's sizes if not said. */
#include "images.h"

struct cnn {
  struct pyramid images;
  struct trunk trunk;
  int64_t out;
};

static const tier_slot slots[] = {
    {.name = "layers",
     .doc = "sizes of the fully connected layers after the convolutions, to the output, e.g. [120, "
            "84, 10]",
     .unit = "",
     .type = TIER_SLOT_INTEGERS,
     .flags = TIER_SLOT_REQUIRED,
     .minimum = 1,
     .maximum = 1e9},
    IMAGE_SLOTS_OF("channels after each convolution", "[6, 16]"),
    {.name = "pool",
     .doc = "side and step of the pools after each convolution; 1: no pools",
     .fallback = "2",
     .unit = "pixels",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e4},
    {.name = "pooling",
     .doc = "what a pool gives: the greatest or the mean",
     .fallback = "\"max\"",
     .unit = "",
     .choices = "max|average",
     .type = TIER_SLOT_TEXT},
    ACTIVATION_SLOT("relu"),
    INIT_SLOT};

static int32_t variables(void *self, tier_variables *v) {
  const struct cnn *m = self;
  TIER_TRY(pyramid_declare(v, &m->images));
  TIER_TRY(trunk_declare(v, &m->trunk));
  return head_declare(v, "head", trunk_width(&m->trunk), m->out, m->trunk.init);
}

/* x (n, pixels) -> (n, out). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct cnn *m = self;
  (void)entry;
  tier_value x = rows_of(b->graph, tier_input(b, "x"), pyramid_pixels(&m->images), "x",
                         "height, width and channels of image");
  x = trunk_build(b, &m->trunk, pyramid_build(b, &m->images, x));
  return tier_output(b, head_build(b, "head", x));
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

static void destroy(void *object) {
  struct cnn *m = object;
  pyramid_close(&m->images);
  free(m->trunk.sizes);
  free(m);
}

static int32_t open(struct cnn *m, const tier_host *host, const tier_params *params) {
  activation f = activation_named(tier_text(params, "activation"));
  const char *init = tier_text(params, "init");
  int64_t count = params->api->count(params, "layers");
  m->images = (struct pyramid){.part = "convolution",
                               .average = strcmp(tier_text(params, "pooling"), "average") == 0,
                               .f = f,
                               .init = init};
  m->trunk = (struct trunk){.part = "layer", .f = f, .init = init};
  if (count < 1) {
    return tier_failf(host, TIER_E_INVALID, "layers must end with the number of outputs");
  }
  TIER_TRY(pyramid_open(&m->images, host, params, tier_integer(params, "pool")));
  m->trunk.sizes = malloc((size_t)count * sizeof *m->trunk.sizes);
  if (m->trunk.sizes == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  m->trunk.count = count;
  m->trunk.sizes[0] = pyramid_features(&m->images);
  for (int64_t i = 0; i < count - 1; i++) {
    m->trunk.sizes[i + 1] = params->api->integer_at(params, "layers", i);
  }
  m->out = params->api->integer_at(params, "layers", count - 1);
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct cnn *m = calloc(1, sizeof *m);
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
     .id = "cnn",
     .summary = "a convolutional network: convolutions, pools, fully connected layers",
     TIER_SLOTS(slots),
     TIER_ENTRIES(entries),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("cnn", "1.0", "MIT", components);

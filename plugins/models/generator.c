/* A generator: fully connected layers from a code to data, then transposed convolutions where
 * "channels" are given; alone it is the decoder of an autoencoder. */
#include "coder.h"

struct generator {
  struct coder coder; /* its decoder only */
  activation output;  /* NULL: none */
};

static const tier_slot slots[] = {
    {.name = "layers",
     .doc = "sizes from the code to the data, e.g. [64, 256, 784]",
     .unit = "",
     .type = TIER_SLOT_INTEGERS,
     .flags = TIER_SLOT_REQUIRED,
     .minimum = 1,
     .maximum = 1e9},
    IMAGE_SLOTS_OF("channels, from the image inwards; not given: no transposed convolutions", NULL),
    {.name = "output",
     .doc = "the function after the last layer",
     .fallback = "\"linear\"",
     .unit = "",
     .choices = "linear|sigmoid|tanh",
     .type = TIER_SLOT_TEXT},
    ACTIVATION_SLOT("relu"),
    INIT_SLOT};

static const tier_slot forward_z_slots[] = {{.name = "z",
                                             .doc = "codes: rows of as many numbers as the first "
                                                    "of layers",
                                             .unit = "",
                                             .type = TIER_SLOT_EXPRESSION,
                                             .flags = TIER_SLOT_REQUIRED}};
static const tier_slot rows_slots[] = {{.name = "rows",
                                        .doc = "as many samples as it has rows; its numbers do "
                                               "not matter",
                                        .unit = "",
                                        .type = TIER_SLOT_EXPRESSION,
                                        .flags = TIER_SLOT_REQUIRED}};
static const tier_entry generator_entries[] = {
    {.name = "forward", .doc = "data from codes", TIER_SLOTS(forward_z_slots)},
    {.name = "sample", .doc = "data from codes drawn from N(0, 1)", TIER_SLOTS(rows_slots)}};

static int32_t variables(void *self, tier_variables *v) {
  const struct generator *m = self;
  TIER_TRY(coder_declare_decoder(v, &m->coder));
  return coder_declare_output(v, &m->coder, "head");
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct generator *m = self;
  tier_graph *g = b->graph;
  tier_value z = 0;
  if (strcmp(entry, "sample") == 0) {
    const int64_t dims[2] = {tier_dim(g, tier_input(b, "rows"), 0), m->coder.latent};
    z = tier_random(g, b->api->key(b), TIER_NORMAL, 0, dims, 2);
  } else {
    z = tier_input(b, "z");
  }
  tier_value x = coder_decode(&m->coder, b, "head", z);
  return tier_output(b, m->output != NULL ? m->output(g, x) : x);
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

static void destroy(void *object) {
  struct generator *m = object;
  coder_close(&m->coder);
  free(m);
}

static int32_t open(struct generator *m, const tier_host *host, const tier_params *params) {
  const char *output = tier_text(params, "output");
  m->output = strcmp(output, "linear") == 0 ? NULL : activation_named(output);
  TIER_TRY(coder_open(&m->coder, host, params, 1));
  m->coder.decoder.part = "layer";
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct generator *m = calloc(1, sizeof *m);
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
     .id = "generator",
     .summary = "data from codes, fully connected or by transposed convolutions",
     TIER_SLOTS(slots),
     TIER_ENTRIES(generator_entries),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("generator", "1.0", "MIT", components);

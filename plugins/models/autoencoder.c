/* An autoencoder: an encoder to a code and a decoder back, fully connected, or convolutional where
 * "channels" are given. With no hidden layers it is linear, and its least squares are PCA's
 * (Baldi, Hornik 1989). */
#include "coder.h"

struct autoencoder {
  struct coder coder;
  int sigmoid; /* what reconstruct puts on the decoder's output */
};

static const tier_slot slots[] = {
    CODER_SLOTS,
    {.name = "output",
     .doc = "what reconstruct puts on decode's output; sigmoid: decode gives logits",
     .fallback = "\"linear\"",
     .unit = "",
     .choices = "linear|sigmoid",
     .type = TIER_SLOT_TEXT},
    ACTIVATION_SLOT("relu"),
    INIT_SLOT};

static const tier_entry coder_entries[] = {
    {.name = "reconstruct", .doc = "x through the code and back", TIER_SLOTS(x_slots)},
    {.name = "encode", .doc = "the code of x", TIER_SLOTS(x_slots)},
    {.name = "decode", .doc = "codes to data, before output's function", TIER_SLOTS(z_slots)}};

static int32_t variables(void *self, tier_variables *v) {
  const struct autoencoder *m = self;
  TIER_TRY(coder_declare_encoder(v, &m->coder));
  TIER_TRY(coder_declare_head(v, &m->coder, "code"));
  TIER_TRY(coder_declare_decoder(v, &m->coder));
  return coder_declare_output(v, &m->coder, "output");
}

static tier_value encode(const struct autoencoder *m, tier_build *b) {
  return head_build(b, "code", coder_hidden(&m->coder, b, tier_input(b, "x")));
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct autoencoder *m = self;
  if (strcmp(entry, "encode") == 0) {
    return tier_output(b, encode(m, b));
  }
  if (strcmp(entry, "decode") == 0) {
    return tier_output(b, coder_decode(&m->coder, b, "output", tier_input(b, "z")));
  }
  tier_value x = coder_decode(&m->coder, b, "output", encode(m, b));
  return tier_output(b, m->sigmoid ? tier_sigmoid(b->graph, x) : x);
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

static void destroy(void *object) {
  struct autoencoder *m = object;
  coder_close(&m->coder);
  free(m);
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct autoencoder *m = calloc(1, sizeof *m);
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  m->sigmoid = strcmp(tier_text(params, "output"), "sigmoid") == 0;
  int32_t status = coder_open(&m->coder, host, params, 0);
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

static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component),
                                             .kind = "model",
                                             .id = "autoencoder",
                                             .summary = "an encoder to a code and a decoder back",
                                             TIER_SLOTS(slots),
                                             TIER_ENTRIES(coder_entries),
                                             .create = create,
                                             .destroy = destroy,
                                             .get = get}};
TIER_PLUGIN("autoencoder", "1.0", "MIT", components);

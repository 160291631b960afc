/* A variational autoencoder (Kingma, Welling 2014, section 3 and appendix C): the encoder gives
 * q(z | x) = N(mean, exp(log_variance)), the decoder p(x | z), Bernoulli (logits) or Gaussian
 * (mean, and a variance that is fixed, learned for all elements together, or learned for each).
 * Both are fully connected, or convolutional where "channels" are given. */
#include "coder.h"

enum variance { VARIANCE_FIXED, VARIANCE_SHARED, VARIANCE_EACH };

struct vae {
  struct coder coder;
  int gaussian;
  enum variance variance; /* of the Gaussian decoder */
  double deviation;       /* where it is fixed; where it is shared, the start */
};

static const tier_slot slots[] = {
    CODER_SLOTS,
    {.name = "decoder",
     .doc = "p(x | z): bernoulli, decode gives its logits; or gaussian, decode gives its mean",
     .fallback = "\"bernoulli\"",
     .unit = "",
     .choices = "bernoulli|gaussian",
     .type = TIER_SLOT_TEXT},
    {.name = "variance",
     .doc = "of a gaussian decoder: fixed; shared, one learned number; each, learned for each "
            "element as a function of z",
     .fallback = "\"fixed\"",
     .unit = "",
     .choices = "fixed|shared|each",
     .type = TIER_SLOT_TEXT},
    {.name = "deviation",
     .doc = "standard deviation of a gaussian decoder: the fixed one, or where the shared one "
            "starts",
     .fallback = "1.0",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e9},
    ACTIVATION_SLOT("relu"),
    INIT_SLOT};

static const tier_slot rows_slots[] = {{.name = "rows",
                                        .doc = "as many samples as it has rows; its numbers do "
                                               "not matter",
                                        .unit = "",
                                        .type = TIER_SLOT_EXPRESSION,
                                        .flags = TIER_SLOT_REQUIRED}};
static const tier_entry vae_entries[] = {
    {.name = "encode",
     .doc = "mean and log variance of q(z | x)",
     .outputs = "mean log_variance",
     TIER_SLOTS(x_slots)},
    {.name = "decode",
     .doc = "p(x | z): logits of a bernoulli decoder, mean of a gaussian one",
     TIER_SLOTS(z_slots)},
    {.name = "decode_log_variance",
     .doc = "log variance of p(x | z) for each element, of a gaussian decoder",
     TIER_SLOTS(z_slots)},
    {.name = "reconstruct",
     .doc = "the mean of p(x | z) at z = the mean of q(z | x)",
     TIER_SLOTS(x_slots)},
    {.name = "generate",
     .doc = "the mean of p(x | z) at a draw of z from N(0, 1)",
     TIER_SLOTS(rows_slots)},
    {.name = "sample",
     .doc = "an ancestral draw: z from N(0, 1), then x from p(x | z)",
     TIER_SLOTS(rows_slots)}};

/* ---- variables ------------------------------------------------------------------------------ */

static int32_t variables(void *self, tier_variables *v) {
  const struct vae *m = self;
  TIER_TRY(coder_declare_encoder(v, &m->coder));
  TIER_TRY(coder_declare_head(v, &m->coder, "mean"));
  TIER_TRY(coder_declare_head(v, &m->coder, "log_variance"));
  TIER_TRY(coder_declare_decoder(v, &m->coder));
  TIER_TRY(coder_declare_output(v, &m->coder, "output"));
  if (m->gaussian && m->variance == VARIANCE_EACH) {
    return coder_declare_output(v, &m->coder, "spread");
  }
  if (m->gaussian && m->variance == VARIANCE_SHARED) {
    const int64_t one = 1;
    return v->api->declare(v, "spread.log_variance", &one, 1, TIER_INIT_CONSTANT,
                           2.0 * log(m->deviation), 0.0);
  }
  return TIER_OK;
}

/* ---- entries -------------------------------------------------------------------------------- */

struct code {
  tier_value mean, log_variance; /* (n, latent) */
};
static struct code encode(const struct vae *m, tier_build *b, tier_value x) {
  tier_value h = coder_hidden(&m->coder, b, x);
  struct code code = {head_build(b, "mean", h), head_build(b, "log_variance", h)};
  return code;
}

/* z (n, latent) -> (n, size): logits or mean. */
static tier_value decode(const struct vae *m, tier_build *b, tier_value z) {
  return coder_decode(&m->coder, b, "output", z);
}

/* (n, size), for the Gaussian decoder. */
static tier_value decode_log_variance(const struct vae *m, tier_build *b, tier_value z) {
  tier_graph *g = b->graph;
  tier_value rows = rows_of(g, z, m->coder.latent, "z", "the code's size in layers");
  const int64_t dims[2] = {tier_dim(g, rows, 0), m->coder.size};
  const int64_t ones[2] = {1, 1};
  if (!m->gaussian) {
    return g->api->fail(g, "a bernoulli decoder has no variance: set \"decoder\": \"gaussian\"");
  }
  switch (m->variance) {
    case VARIANCE_EACH:
      return coder_decode(&m->coder, b, "spread", rows);
    case VARIANCE_SHARED: {
      tier_value shared = tier_variable(b, "spread.log_variance");
      return tier_broadcast(g, tier_reshape(g, shared, ones, 2), dims, 2);
    }
    case VARIANCE_FIXED:
      break;
  }
  return tier_fill(g, 2.0 * log(m->deviation), dims, 2);
}

/* The mean of p(x | z). */
static tier_value decoded_mean(const struct vae *m, tier_build *b, tier_value z) {
  tier_value x = decode(m, b, z);
  return m->gaussian ? x : tier_sigmoid(b->graph, x);
}

/* z ~ N(0, 1), as many rows as the input "rows" has. */
static tier_value draw_code(const struct vae *m, tier_build *b) {
  const int64_t dims[2] = {tier_dim(b->graph, tier_input(b, "rows"), 0), m->coder.latent};
  return tier_random(b->graph, b->api->key(b), TIER_NORMAL, 0, dims, 2);
}

/* x ~ p(x | z), z (n, latent). */
static tier_value draw_data(const struct vae *m, tier_build *b, tier_value z) {
  tier_graph *g = b->graph;
  const int64_t dims[2] = {tier_dim(g, z, 0), m->coder.size};
  tier_value mean = decoded_mean(m, b, z);
  tier_value key = b->api->key(b);
  if (!m->gaussian) {
    return tier_less(g, tier_random(g, key, TIER_UNIFORM, 1, dims, 2), mean);
  }
  tier_value deviation = tier_exp(g, tier_scale(g, decode_log_variance(m, b, z), 0.5));
  tier_value e = tier_random(g, key, TIER_NORMAL, 1, dims, 2);
  return tier_add(g, mean, tier_multiply(g, deviation, e));
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct vae *m = self;
  if (strcmp(entry, "encode") == 0) {
    struct code code = encode(m, b, tier_input(b, "x"));
    TIER_TRY(b->api->output(b, "mean", code.mean));
    return b->api->output(b, "log_variance", code.log_variance);
  }
  if (strcmp(entry, "decode") == 0) {
    return tier_output(b, decode(m, b, tier_input(b, "z")));
  }
  if (strcmp(entry, "decode_log_variance") == 0) {
    return tier_output(b, decode_log_variance(m, b, tier_input(b, "z")));
  }
  if (strcmp(entry, "reconstruct") == 0) {
    return tier_output(b, decoded_mean(m, b, encode(m, b, tier_input(b, "x")).mean));
  }
  tier_value z = draw_code(m, b);
  return tier_output(b, strcmp(entry, "sample") == 0 ? draw_data(m, b, z) : decoded_mean(m, b, z));
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

/* ---- making one ----------------------------------------------------------------------------- */

static void destroy(void *object) {
  struct vae *m = object;
  coder_close(&m->coder);
  free(m);
}

static int32_t read_arguments(struct vae *m, const tier_host *host, const tier_params *params) {
  const char *variance = tier_text(params, "variance");
  m->gaussian = strcmp(tier_text(params, "decoder"), "gaussian") == 0;
  m->variance = strcmp(variance, "each") == 0     ? VARIANCE_EACH
                : strcmp(variance, "shared") == 0 ? VARIANCE_SHARED
                                                  : VARIANCE_FIXED;
  m->deviation = tier_number(params, "deviation");
  if (!m->gaussian && m->variance != VARIANCE_FIXED) {
    return tier_failf(host, TIER_E_INVALID,
                      "variance \"%s\" is of a gaussian decoder: set \"decoder\": \"gaussian\"",
                      variance);
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct vae *m = calloc(1, sizeof *m);
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  int32_t status = coder_open(&m->coder, host, params, 0);
  if (status == TIER_OK) {
    status = read_arguments(m, host, params);
  }
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
     .id = "vae",
     .summary = "a variational autoencoder with a Bernoulli or Gaussian decoder",
     TIER_SLOTS(slots),
     TIER_ENTRIES(vae_entries),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("vae", "1.0", "MIT", components);

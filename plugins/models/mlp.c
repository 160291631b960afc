/* A multilayer perceptron: fully connected layers with an activation after each but the last. */
#include "layer.h"

#include <stdlib.h>

/* Hidden layers are the parts layer1, layer2, ...; the last layer is the part head. */
struct mlp {
  int64_t *sizes; /* count of them */
  int64_t count;
  tier_value (*activation)(tier_graph *g, tier_value x);
  const char *init; /* one of INIT_CHOICES */
};

static const tier_slot slots[] = {{.name = "layers",
                                   .doc = "sizes from input to output, e.g. [784, 64, 10]",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGERS,
                                   .flags = TIER_SLOT_REQUIRED,
                                   .minimum = 1,
                                   .maximum = 1e9},
                                  {.name = "activation",
                                   .doc = "the function after each layer but the last",
                                   .fallback = "\"relu\"",
                                   .unit = "",
                                   .choices = "relu|tanh|sigmoid|softplus|silu",
                                   .type = TIER_SLOT_TEXT},
                                  INIT_SLOT};

#define NAME_SIZE 40
static void name_of(const struct mlp *m, int64_t layer, const char *what, char *out) {
  if (layer == m->count - 1) {
    (void)snprintf(out, NAME_SIZE, "head.%s", what);
  } else {
    (void)snprintf(out, NAME_SIZE, "layer%lld.%s", (long long)layer, what);
  }
}

static int32_t variables(void *self, tier_variables *v) {
  const struct mlp *m = self;
  for (int64_t i = 1; i < m->count; i++) {
    char weight[NAME_SIZE];
    char bias[NAME_SIZE];
    name_of(m, i, "weight", weight);
    name_of(m, i, "bias", bias);
    TIER_TRY(layer_declare(v, weight, bias, m->sizes[i - 1], m->sizes[i], m->init));
  }
  return TIER_OK;
}

/* x (n, first) -> (n, last). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct mlp *m = self;
  (void)entry;
  tier_value x = layer_rows(b->graph, tier_input(b, "x"), m->sizes[0]);
  for (int64_t i = 1; i < m->count; i++) {
    char weight[NAME_SIZE];
    char bias[NAME_SIZE];
    name_of(m, i, "weight", weight);
    name_of(m, i, "bias", bias);
    x = tier_linear(b->graph, x, tier_variable(b, weight), tier_variable(b, bias));
    if (i < m->count - 1) {
      x = m->activation(b->graph, x);
    }
  }
  return tier_output(b, x);
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

static void destroy(void *object) {
  struct mlp *m = object;
  free(m->sizes);
  free(m);
}

static void choose_activation(struct mlp *m, const char *name) {
  m->activation = strcmp(name, "tanh") == 0       ? tier_tanh
                  : strcmp(name, "sigmoid") == 0  ? tier_sigmoid
                  : strcmp(name, "softplus") == 0 ? tier_softplus
                  : strcmp(name, "silu") == 0     ? tier_silu
                                                  : tier_relu;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  int64_t count = params->api->count(params, "layers");
  if (count < 2) {
    return tier_failf(host, TIER_E_INVALID,
                      "layers must be at least two sizes, of the input and the output");
  }
  struct mlp *m = calloc(1, sizeof *m);
  int64_t *sizes = calloc((size_t)count, sizeof *sizes);
  if (m == NULL || sizes == NULL) {
    free(m);
    free(sizes);
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  for (int64_t i = 0; i < count; i++) {
    sizes[i] = params->api->integer_at(params, "layers", i);
  }
  m->sizes = sizes;
  m->count = count;
  m->init = tier_text(params, "init");
  choose_activation(m, tier_text(params, "activation"));
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
     .id = "mlp",
     .summary = "fully connected layers with an activation between them",
     TIER_SLOTS(slots),
     TIER_ENTRIES(entries),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("mlp", "1.0", "MIT", components);

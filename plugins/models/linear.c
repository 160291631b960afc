/* x weight + bias: the model of linear, logistic and softmax regression. */
#include "layer.h"

#include <stdlib.h>

struct linear {
  int64_t in, out;
  const char *init; /* one of INIT_CHOICES */
};

static const tier_slot slots[] = {{.name = "layers",
                                   .doc = "numbers of inputs and outputs: [in, out]",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGERS,
                                   .flags = TIER_SLOT_REQUIRED,
                                   .minimum = 1,
                                   .maximum = 1e9},
                                  INIT_SLOT};

static int32_t variables(void *self, tier_variables *v) {
  const struct linear *l = self;
  return layer_declare(v, "weight", "bias", l->in, l->out, l->init);
}

/* x (n, in) -> (n, out). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct linear *l = self;
  (void)entry;
  tier_value x = layer_rows(b->graph, tier_input(b, "x"), l->in);
  return tier_output(
      b, tier_linear(b->graph, x, tier_variable(b, "weight"), tier_variable(b, "bias")));
}

static const tier_function_1 function = {
    .struct_size = (uint32_t)sizeof function, .variables = variables, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  int64_t count = params->api->count(params, "layers");
  if (count != 2) {
    return tier_failf(host, TIER_E_INVALID,
                      "layers must be two sizes, [in, out], not %lld; mlp has hidden layers",
                      (long long)count);
  }
  struct linear *l = malloc(sizeof *l);
  if (l == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  l->in = params->api->integer_at(params, "layers", 0);
  l->out = params->api->integer_at(params, "layers", 1);
  l->init = tier_text(params, "init");
  *object = l;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component),
                                             .kind = "model",
                                             .id = "linear",
                                             .summary = "x weight + bias",
                                             TIER_SLOTS(slots),
                                             TIER_ENTRIES(entries),
                                             .create = create,
                                             .destroy = free,
                                             .get = get}};
TIER_PLUGIN("linear", "1.0", "MIT", components);

#include <stdlib.h>
#include <string.h>
#include <tier/function.h>
#include <tier/nn.h>

/* The value that an evaluator gives to a row: the sum of v = relu(scores), or of log(1 + v) (the
 * sum of log v, as the source has it, is -infinity as soon as one unit is 0). */
struct value {
  int32_t logarithm;
};

static const tier_slot slots[] = {{.name = "scores",
                                   .doc = "v (n, k): an evaluator's outputs, before any relu",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "form",
                                   .doc = "sum: of v; log: of log(1 + v)",
                                   .fallback = "\"sum\"",
                                   .unit = "",
                                   .choices = "sum|log",
                                   .type = TIER_SLOT_TEXT}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct value *s = self;
  tier_graph *g = b->graph;
  (void)entry;
  tier_value v = tier_relu(g, tier_input(b, "scores"));
  return tier_output(b, tier_row_sum(g, s->logarithm ? tier_log1p(g, v) : v));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct value *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->logarithm = strcmp(tier_text(params, "form"), "log") == 0;
  *object = s;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "evaluator",
     .id = "evaluator-value",
     .summary =
         "what an evaluator thinks a row is worth: the sum of relu(v), or of log(1 + relu(v))",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("evaluator-value", "1.0", "MIT", components);

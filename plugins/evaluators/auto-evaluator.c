#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "scores",
                                   .doc = "v (n, k): an evaluator's outputs, before any relu",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

/* g(v) = sum_k exp(-relu(v_k)), in (0, k]. A unit that is <= 0 on all samples contributes exactly 1
 * with gradient 0: it is dead. */
static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value v = tier_relu(g, tier_input(b, "scores"));
  return tier_output(b, tier_row_sum(g, tier_exp(g, tier_negate(g, v))));
}

FUNCTION_PLUGIN("evaluator", "auto-evaluator",
                "exp(-relu(v)) summed over each row's elements: an unsupervised loss", 0);

/* log-power: log(x^y) = y log x, for the combination h(x, y) = x^y of two losses. x^y itself leaves
 * f32 for ordinary losses (105^20 = 3e40); its logarithm has the same minimisers. For x < 1 the
 * derivative x^y log x in y is negative, so that descent would raise y, and for x <= 0 there is no
 * power: the result is NaN unless x > 1, and the guard against non-finite numbers stops the run. */
#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "base",
                                   .doc = "x, above 1: 1 + loss / scale, say",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "exponent",
                                   .doc = "y",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value x = tier_input(b, "base");
  tier_value above = tier_less(g, tier_fill_like(g, x, 1.0), x);
  tier_value checked = tier_select(g, above, x, tier_fill_like(g, x, -1.0)); /* log(-1) is NaN */
  return tier_output(b, tier_multiply(g, tier_input(b, "exponent"), tier_log(g, checked)));
}

FUNCTION_PLUGIN("map", "log-power",
                "log(base^exponent) = exponent log base; NaN unless the base is above 1",
                TIER_ELEMENTWISE);

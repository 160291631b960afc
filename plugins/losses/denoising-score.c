/* denoising-score: |s(y) - (x - y) / sigma^2|^2 / 2 for a score model s at y = x + sigma e (Vincent
 * 2011, equation 10), summed over the row's elements. Its minimiser is the score of the smoothed
 * density, which a denoiser r gives as (r(y) - y) / sigma^2; the sigma^2 belongs there. */
#include "../function_plugin.h"

#define EXPRESSION(slot_name, slot_doc)                                               \
  {                                                                                   \
    .name = (slot_name), .doc = (slot_doc), .unit = "", .type = TIER_SLOT_EXPRESSION, \
    .flags = TIER_SLOT_REQUIRED                                                       \
  }

static const tier_slot slots[] = {EXPRESSION("of", "s (n, ...): the score model's values at noisy"),
                                  EXPRESSION("noisy", "y, matches s"),
                                  EXPRESSION("clean", "x, matches s"),
                                  EXPRESSION("deviation", "sigma, matches s")};

static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value s = tier_input(b, "of");
  tier_value y = tier_match(g, tier_input(b, "noisy"), s);
  tier_value x = tier_match(g, tier_input(b, "clean"), s);
  tier_value variance = tier_square(g, tier_match(g, tier_input(b, "deviation"), s));
  tier_value target = tier_divide(g, tier_subtract(g, x, y), variance);
  return tier_output(b, tier_l2(g, tier_subtract(g, s, target)));
}

FUNCTION_PLUGIN("loss", "denoising-score",
                "half the squared distance of a score from (clean - noisy) / deviation^2", 0);

#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "mean",
                                   .doc = "m (n, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "log_variance",
                                   .doc = "log s^2, of the same shape",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

/* KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1 - log s^2) / 2, summed over the row's elements; Kingma,
 * Welling 2014, appendix B. */
static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value log_variance = tier_input(b, "log_variance");
  tier_value squares =
      tier_add(g, tier_square(g, tier_input(b, "mean")), tier_exp(g, log_variance));
  tier_value terms = tier_subtract(g, tier_shift(g, squares, -1.0), log_variance);
  return tier_output(b, tier_scale(g, tier_row_sum(g, terms), 0.5));
}

FUNCTION_PLUGIN("loss", "normal-kl",
                "KL divergence of N(mean, variance) from N(0, 1), summed over each row's elements",
                0);

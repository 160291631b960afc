/* normal-likelihood: -log N(x; mean, s^2), summed over the row's elements. With s constant it is
 * half the squared error divided by s^2, and a constant: the decoder for which alone the mean
 * squared error is the reconstruction term of a VAE. */
#include "normal.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "x (n, ...), what was observed",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "mean",
                                   .doc = "of the distribution, matches x",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  DEVIATION_SLOT,
                                  LOG_VARIANCE_SLOT};

/* ((x - m)^2 / s^2 + log s^2 + log 2 pi) / 2 */
static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value x = tier_input(b, "of");
  tier_value log_variance = tier_match(g, log_variance_input(b), x);
  tier_value square = tier_square(g, tier_subtract(g, x, tier_match(g, tier_input(b, "mean"), x)));
  tier_value scaled = tier_multiply(g, square, tier_exp(g, tier_negate(g, log_variance)));
  tier_value terms = tier_shift(g, tier_add(g, scaled, log_variance), LOG_TWO_PI);
  return tier_output(b, tier_scale(g, tier_row_sum(g, terms), 0.5));
}

FUNCTION_PLUGIN("loss", "normal-likelihood",
                "minus the log density of a normal distribution, summed over each row's elements",
                0);

#include "../function_plugin.h"

#define EXPRESSION(slot_name, slot_doc, slot_flags)                                   \
  {                                                                                   \
    .name = (slot_name), .doc = (slot_doc), .unit = "", .type = TIER_SLOT_EXPRESSION, \
    .flags = (slot_flags)                                                             \
  }

static const tier_slot slots[] = {
    EXPRESSION("mean", "m (n, ...)", TIER_SLOT_REQUIRED),
    EXPRESSION("log_variance", "log s^2, of the same shape", TIER_SLOT_REQUIRED),
    EXPRESSION("prior_mean", "of the second distribution, matches m; left out: 0", 0),
    EXPRESSION("prior_log_variance", "likewise; left out: 0", 0)};

/* KL(N(m, s^2) || N(p, r^2)) = (((m - p)^2 + s^2) / r^2 - 1 - log s^2 + log r^2) / 2, summed over
 * the row's elements; with p = 0 and r = 1 Kingma, Welling 2014, appendix B. */
static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value m = tier_input(b, "mean");
  tier_value log_s2 = tier_input(b, "log_variance");
  tier_value prior = tier_input(b, "prior_mean");
  tier_value log_r2 = tier_input(b, "prior_log_variance");
  tier_value distance = prior != 0 ? tier_subtract(g, m, tier_match(g, prior, m)) : m;
  tier_value moment = tier_add(g, tier_square(g, distance), tier_exp(g, log_s2));
  tier_value log_ratio = log_s2;
  if (log_r2 != 0) {
    log_r2 = tier_match(g, log_r2, m);
    moment = tier_multiply(g, moment, tier_exp(g, tier_negate(g, log_r2)));
    log_ratio = tier_subtract(g, log_s2, log_r2);
  }
  tier_value terms = tier_subtract(g, tier_shift(g, moment, -1.0), log_ratio);
  return tier_output(b, tier_scale(g, tier_row_sum(g, terms), 0.5));
}

FUNCTION_PLUGIN(
    "loss", "normal-kl",
    "KL divergence of N(mean, variance) from N(0, 1) or another, summed over each row's elements",
    0);

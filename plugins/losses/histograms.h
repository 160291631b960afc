/* Divergences between histograms p and q (n, k), rows of k shares >= 0 that sum to 1. */
#ifndef PLUGINS_LOSSES_HISTOGRAMS_H
#define PLUGINS_LOSSES_HISTOGRAMS_H

#include "../function_plugin.h"

#define FIRST_HISTOGRAM_SLOT                                                           \
  {                                                                                    \
    .name = "first", .doc = "p (n, k): rows of shares >= 0 that sum to 1", .unit = "", \
    .type = TIER_SLOT_EXPRESSION, .flags = TIER_SLOT_REQUIRED                          \
  }
#define SECOND_HISTOGRAM_SLOT                                                                  \
  {                                                                                            \
    .name = "second", .doc = "q, of the same shape", .unit = "", .type = TIER_SLOT_EXPRESSION, \
    .flags = TIER_SLOT_REQUIRED                                                                \
  }

/* p, q (n, k) -> (n): sum_i p_i log(p_i / q_i), where 0 log 0 = 0; +infinity where q_i = 0 < p_i.
 * The derivative in a p_i that is 0 (it is -infinity) counts as 0. */
static inline tier_value histogram_kl(tier_graph *g, tier_value p, tier_value q) {
  tier_value one = tier_fill_like(g, p, 1.0);
  tier_value there = tier_less(g, tier_fill_like(g, p, 0.0), p);
  tier_value log_p = tier_log(g, tier_select(g, there, p, one));
  tier_value log_q = tier_log(g, tier_select(g, there, q, one));
  return tier_row_sum(g, tier_multiply(g, p, tier_subtract(g, log_p, log_q)));
}

/* The build function of a divergence `(graph, p, q) -> (n)`, and its plugin. */
#define HISTOGRAM_DIVERGENCE(id_text, summary_text, divergence)                     \
  static const tier_slot slots[] = {FIRST_HISTOGRAM_SLOT, SECOND_HISTOGRAM_SLOT};   \
  static int32_t build(void *self, const char *entry, tier_build *b) {              \
    tier_graph *g = b->graph;                                                       \
    (void)self;                                                                     \
    (void)entry;                                                                    \
    tier_value p = tier_flatten_rows(g, tier_input(b, "first"));                    \
    tier_value q = tier_match(g, tier_flatten_rows(g, tier_input(b, "second")), p); \
    return tier_output(b, divergence(g, p, q));                                     \
  }                                                                                 \
  FUNCTION_PLUGIN("loss", id_text, summary_text, 0)

#endif

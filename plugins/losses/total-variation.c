#include "histograms.h"

static tier_value total_variation(tier_graph *g, tier_value p, tier_value q) {
  return tier_scale(g, tier_row_sum(g, tier_abs(g, tier_subtract(g, p, q))), 0.5);
}

HISTOGRAM_DIVERGENCE("total-variation", "half the sum of |p - q| over the bins, at most 1",
                     total_variation);

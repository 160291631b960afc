#include "histograms.h"

static tier_value jeffreys(tier_graph *g, tier_value p, tier_value q) {
  return tier_add(g, histogram_kl(g, p, q), histogram_kl(g, q, p));
}

HISTOGRAM_DIVERGENCE("jeffreys", "KL(p, q) + KL(q, p) of histograms (Jeffreys 1946)", jeffreys);

/* jensen-shannon: KL(p, m) / 2 + KL(q, m) / 2 with the mixture m = (p + q) / 2 (Lin 1991), from 0
 * to log 2. It is not a mean of KL(p, q) and KL(q, p): that is half of `jeffreys`, without bound.
 */
#include "histograms.h"

static tier_value jensen_shannon(tier_graph *g, tier_value p, tier_value q) {
  tier_value m = tier_scale(g, tier_add(g, p, q), 0.5);
  return tier_scale(g, tier_add(g, histogram_kl(g, p, m), histogram_kl(g, q, m)), 0.5);
}

HISTOGRAM_DIVERGENCE("jensen-shannon", "Jensen-Shannon divergence of histograms, at most log 2",
                     jensen_shannon);

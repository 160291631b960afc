#include "normal.h"

static const tier_slot slots[] = {DEVIATION_SLOT, LOG_VARIANCE_SLOT};

/* log s + (1 + log 2 pi) / 2 nats for each element, summed over the row's elements. */
static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value log_deviation = tier_scale(g, log_variance_input(b), 0.5);
  return tier_output(b, tier_row_sum(g, tier_shift(g, log_deviation, 0.5 * (1.0 + LOG_TWO_PI))));
}

FUNCTION_PLUGIN("loss", "normal-entropy",
                "entropy of independent normal numbers in nats, summed over each row's elements",
                0);

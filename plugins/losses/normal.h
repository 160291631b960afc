/* The spread of a normal distribution as losses are given it: a deviation or a log variance. */
#ifndef PLUGINS_LOSSES_NORMAL_H
#define PLUGINS_LOSSES_NORMAL_H

#include "../function_plugin.h"

#define DEVIATION_SLOT                                                                  \
  {                                                                                     \
    .name = "deviation", .doc = "standard deviation; this or log_variance", .unit = "", \
    .type = TIER_SLOT_EXPRESSION                                                        \
  }
#define LOG_VARIANCE_SLOT                                                             \
  {                                                                                   \
    .name = "log_variance", .doc = "logarithm of the deviation's square", .unit = "", \
    .type = TIER_SLOT_EXPRESSION                                                      \
  }

#define LOG_TWO_PI 1.83787706640934548

/* log s^2 from the one of the two slots that was given. */
static inline tier_value log_variance_input(tier_build *b) {
  tier_graph *g = b->graph;
  tier_value deviation = tier_input(b, "deviation");
  tier_value log_variance = tier_input(b, "log_variance");
  if ((deviation != 0) == (log_variance != 0)) {
    return g->api->fail(g, "give either \"deviation\" or \"log_variance\"");
  }
  return log_variance != 0 ? log_variance : tier_scale(g, tier_log(g, deviation), 2.0);
}

#endif

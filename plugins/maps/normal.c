/* normal: a reparameterised draw z = mean + deviation * e, e ~ N(0, 1) (Kingma, Welling 2014,
 * section 2.4). The draw is kept through all evaluations of one step; z is differentiable in the
 * mean and the deviation. */
#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "mean",
                                   .doc = "of any shape",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "deviation",
                                   .doc = "standard deviation; this or log_variance",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION},
                                  {.name = "log_variance",
                                   .doc = "logarithm of the deviation's square",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  int64_t dims[TIER_MAX_RANK];
  (void)self;
  (void)entry;
  tier_value mean = tier_input(b, "mean");
  tier_value deviation = tier_input(b, "deviation");
  tier_value log_variance = tier_input(b, "log_variance");
  if ((deviation != 0) == (log_variance != 0)) {
    return tier_output(b, g->api->fail(g, "give either \"deviation\" or \"log_variance\""));
  }
  if (deviation == 0) {
    deviation = tier_exp(g, tier_scale(g, log_variance, 0.5));
  }
  int32_t rank = g->api->shape(g, mean, dims);
  tier_value e = tier_random(g, b->api->key(b), TIER_NORMAL, 0, dims, rank);
  return tier_output(b, tier_add(g, mean, tier_multiply(g, deviation, e)));
}

FUNCTION_PLUGIN("map", "normal", "a normal random draw, differentiable in mean and deviation",
                TIER_RANDOM | TIER_ELEMENTWISE);

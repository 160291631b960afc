#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "of any shape",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "by",
                                   .doc = "the most that is added or taken away",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

/* of + by u, u uniform in [-1, 1). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  int64_t dims[TIER_MAX_RANK];
  (void)self;
  (void)entry;
  tier_value x = tier_input(b, "of");
  int32_t rank = g->api->shape(g, x, dims);
  tier_value unit = tier_random(g, b->api->key(b), TIER_UNIFORM, 0, dims, rank);
  tier_value signed_unit = tier_shift(g, tier_scale(g, unit, 2.0), -1.0);
  return tier_output(b, tier_add(g, x, tier_multiply(g, tier_input(b, "by"), signed_unit)));
}

FUNCTION_PLUGIN("map", "jitter", "each element moved by a uniform draw in [-by, by)",
                TIER_RANDOM | TIER_ELEMENTWISE);

#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "a model (all its weights and biases), or rows",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  (void)self;
  (void)entry;
  return tier_output(b, tier_l2(b->graph, tier_input(b, "of")));
}

FUNCTION_PLUGIN("loss", "l2", "half the sum of the squares of each row's elements", 0);

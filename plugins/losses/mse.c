#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "predictions (n, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "target",
                                   .doc = "what they should be",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  (void)self;
  (void)entry;
  return tier_output(b, tier_mse(b->graph, tier_input(b, "of"), tier_input(b, "target")));
}

FUNCTION_PLUGIN("loss", "mse", "the mean of (of - target)^2 over each row's elements", 0);

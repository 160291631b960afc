#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "min",
                                   .doc = "the lowest value of each number; default: none",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION},
                                  {.name = "max",
                                   .doc = "the highest value of each number; default: none",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION}};

/* The nearest point of the box: each number by itself is clipped. */
static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value x = tier_input(b, "x");
  tier_value low = tier_input(b, "min");
  tier_value high = tier_input(b, "max");
  if (low != 0) {
    x = tier_maximum(g, x, low);
  }
  if (high != 0) {
    x = tier_minimum(g, x, high);
  }
  return tier_output(b, x);
}

FUNCTION_PLUGIN("set", "box", "every number between min and max", TIER_ELEMENTWISE);

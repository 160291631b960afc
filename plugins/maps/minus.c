#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "two operands: what is left of the first without the "
                                          "second",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSIONS,
                                   .flags = TIER_SLOT_REQUIRED}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  (void)self;
  (void)entry;
  if (b->api->count(b, "of") != 2) {
    return tier_output(b, b->graph->api->fail(b->graph, "needs two operands: write [a, b]"));
  }
  return tier_output(
      b, tier_subtract(b->graph, b->api->input_at(b, "of", 0), b->api->input_at(b, "of", 1)));
}

FUNCTION_PLUGIN("map", "minus", "the first operand minus the second, element by element",
                TIER_ELEMENTWISE);

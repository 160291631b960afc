/* A map that combines a list of operands of one shape, from the left. */
#ifndef PLUGINS_MAPS_FOLD_H
#define PLUGINS_MAPS_FOLD_H

#include "../function_plugin.h"

static inline tier_value fold(tier_build *b, tier_value (*combine)(tier_graph *g, tier_value left,
                                                                   tier_value right)) {
  int64_t count = b->api->count(b, "of");
  tier_value result = count > 0 ? b->api->input_at(b, "of", 0)
                                : b->graph->api->fail(b->graph, "needs at least one operand");
  for (int64_t i = 1; i < count; i++) {
    result = combine(b->graph, result, b->api->input_at(b, "of", i));
  }
  return result;
}

#define FOLD_MAP(id_text, summary_text, slot_doc, operation)           \
  static const tier_slot slots[] = {{.name = "of",                     \
                                     .doc = (slot_doc),                \
                                     .unit = "",                       \
                                     .type = TIER_SLOT_EXPRESSIONS,    \
                                     .flags = TIER_SLOT_REQUIRED}};    \
  static int32_t build(void *self, const char *entry, tier_build *b) { \
    (void)self;                                                        \
    (void)entry;                                                       \
    return tier_output(b, fold(b, operation));                         \
  }                                                                    \
  FUNCTION_PLUGIN("map", id_text, summary_text, TIER_ELEMENTWISE)

#endif

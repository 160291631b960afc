/* A map of each element by itself: ELEMENTWISE_MAP("exp", "...", tier_exp). */
#ifndef PLUGINS_MAPS_ELEMENTWISE_H
#define PLUGINS_MAPS_ELEMENTWISE_H

#include "../function_plugin.h"

#define ELEMENTWISE_MAP(id_text, summary_text, operation)                   \
  static const tier_slot slots[] = {{.name = "of",                          \
                                     .doc = "what is mapped, of any shape", \
                                     .unit = "",                            \
                                     .type = TIER_SLOT_EXPRESSION,          \
                                     .flags = TIER_SLOT_REQUIRED}};         \
  static int32_t build(void *self, const char *entry, tier_build *b) {      \
    (void)self;                                                             \
    (void)entry;                                                            \
    return tier_output(b, operation(b->graph, tier_input(b, "of")));        \
  }                                                                         \
  FUNCTION_PLUGIN("map", id_text, summary_text, TIER_ELEMENTWISE)

#endif

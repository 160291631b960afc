/* A map of each row by itself. `operation` is a function of (graph, rows (n, ...)). */
#ifndef PLUGINS_MAPS_ROWWISE_H
#define PLUGINS_MAPS_ROWWISE_H

#include "../function_plugin.h"

#define ROWWISE_MAP(id_text, summary_text, operation)                     \
  static const tier_slot slots[] = {{.name = "of",                        \
                                     .doc = "what is mapped, row by row", \
                                     .unit = "",                          \
                                     .type = TIER_SLOT_EXPRESSION,        \
                                     .flags = TIER_SLOT_REQUIRED}};       \
  static int32_t build(void *self, const char *entry, tier_build *b) {    \
    (void)self;                                                           \
    (void)entry;                                                          \
    return tier_output(b, operation(b->graph, tier_input(b, "of")));      \
  }                                                                       \
  FUNCTION_PLUGIN("map", id_text, summary_text, 0)

#endif

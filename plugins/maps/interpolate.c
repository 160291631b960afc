/* interpolate: a random point on the line between two rows, u first + (1 - u) second with one
 * uniform u a row: where the gradient penalty of a critic is taken (Gulrajani et al. 2017,
 * algorithm 1, line 7). Rows of two data are paired by position. */
#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "first",
                                   .doc = "(n, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "second",
                                   .doc = "(n, ...), as many rows of the same shape",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value first = tier_input(b, "first");
  tier_value second = tier_input(b, "second");
  int64_t rows = tier_dim(g, first, 0);
  tier_value u = tier_random(g, b->api->key(b), TIER_UNIFORM, 0, &rows, 1);
  tier_value way = tier_multiply(g, tier_match(g, u, first), tier_subtract(g, first, second));
  return tier_output(b, tier_add(g, second, way));
}

FUNCTION_PLUGIN("map", "interpolate",
                "a random point between each two rows, u first + (1 - u) second",
                TIER_RANDOM | TIER_PAIRS_ROWS);

#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "what is joined: rows of numbers, or one number a row",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSIONS,
                                   .flags = TIER_SLOT_REQUIRED}};

/* One operand: (n) becomes (n, 1). */
static tier_value operand(tier_build *b, int64_t index) {
  tier_value x = b->api->input_at(b, "of", index);
  return tier_rank(b->graph, x) == 1 ? tier_flatten_rows(b->graph, x) : x;
}

/* (n, k1, ...), (n, k2, ...), ... -> (n, k1 + k2 + ..., ...). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  int64_t count = b->api->count(b, "of");
  if (count == 0) {
    return tier_output(b, g->api->fail(g, "needs at least one operand"));
  }
  tier_value joined = operand(b, 0);
  for (int64_t i = 1; i < count; i++) {
    tier_value pair[2] = {joined, operand(b, i)};
    joined = tier_concat(g, pair, 2, 1);
  }
  return tier_output(b, joined);
}

FUNCTION_PLUGIN("map", "concat", "the operands' rows, one behind the other", 0);

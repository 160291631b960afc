#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "logits",
                                   .doc = "scores (n, k) of k classes, before any softmax",
                                   .unit = "nats",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "labels",
                                   .doc = "the right class of each row, 0 to k - 1",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED | TIER_SLOT_LABELS}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  (void)self;
  (void)entry;
  tier_value logits = tier_flatten_rows(b->graph, tier_input(b, "logits"));
  return tier_output(b, tier_cross_entropy(b->graph, logits, tier_input(b, "labels")));
}

FUNCTION_PLUGIN("loss", "cross-entropy", "-log softmax(logits) at the label: one number a row", 0);

#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "logits",
                                   .doc = "scores (n, k) of k classes, before any softmax",
                                   .unit = "nats",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "target",
                                   .doc = "probabilities (n, k) of the classes",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  (void)self;
  (void)entry;
  tier_value logits = tier_flatten_rows(b->graph, tier_input(b, "logits"));
  tier_value target = tier_flatten_rows(b->graph, tier_input(b, "target"));
  return tier_output(b, tier_soft_cross_entropy(b->graph, logits, target));
}

FUNCTION_PLUGIN("loss", "soft-cross-entropy",
                "-sum_j target_j log softmax(logits)_j: one number a row", 0);

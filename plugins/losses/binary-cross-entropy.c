#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "logits",
                                   .doc = "scores, before any sigmoid",
                                   .unit = "nats",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "target",
                                   .doc = "probabilities in [0, 1], e.g. pixels, or 0 and 1",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  (void)self;
  (void)entry;
  tier_value target = tier_input(b, "target");
  return tier_output(b, tier_binary_cross_entropy(b->graph, tier_input(b, "logits"), target));
}

FUNCTION_PLUGIN("loss", "binary-cross-entropy",
                "-t log s(z) - (1 - t) log(1 - s(z)), s the sigmoid, summed over each row's "
                "elements",
                0);

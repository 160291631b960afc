/* The mean of (of - target)^2 over each row, right or with rows mixed: -DID, -DFAULT. */
#include <string.h>
#include <tier/function.h>
#include <tier/nn.h>

#include "faults.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "predictions",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "target",
                                   .doc = "what they should be",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value of = tier_input(b, "of");
  tier_value d = tier_subtract(g, of, tier_match(g, tier_input(b, "target"), of));
  tier_value each = tier_row_mean(g, tier_multiply(g, d, d));
  if (FAULT == ROWS_MIXED) { /* every row gets the mean of all */
    const int64_t one = 1;
    each = tier_broadcast_like(g, tier_reshape(g, tier_mean_all(g, each), &one, 1), each);
  }
  return tier_output(b, each);
}
static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  (void)host;
  (void)params;
  *object = NULL;
  return TIER_OK;
}
static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component),
                                             .kind = "loss",
                                             .id = ID,
                                             .summary = "planted",
                                             TIER_SLOTS(slots),
                                             .create = create,
                                             .get = get}};
TIER_PLUGIN(ID, "1.0", "MIT", components);

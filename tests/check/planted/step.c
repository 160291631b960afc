/* w - lr g / max(|g|, ...): right, or without a guard at |g| = 0: -DID, -DFAULT. */
#include <string.h>
#include <tier/nn.h>
#include <tier/step.h>

#include "faults.h"

static const tier_slot slots[] = {{.name = "lr",
                                   .doc = "how far to step",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .flags = TIER_SLOT_REQUIRED | TIER_SLOT_DIFFERENTIABLE,
                                   .minimum = 0,
                                   .maximum = 1e300}};

static int32_t build(void *self, tier_step_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  tier_value slope = b->api->gradient(b);
  const int64_t one = 1;
  tier_value squares = tier_sum_all(g, tier_multiply(g, slope, slope));
  tier_value length =
      FAULT == NAN_AT_REST ? tier_sqrt(g, squares) : tier_sqrt(g, tier_shift(g, squares, 1e-12));
  length = tier_reshape(g, length, &one, 1);
  tier_value direction = tier_divide(g, slope, tier_broadcast_like(g, length, slope));
  return b->api->set_w(
      b, tier_subtract(g, b->api->w(b), tier_multiply(g, b->api->hyper(b, "lr"), direction)));
}
static const tier_step_1 step = {.struct_size = (uint32_t)sizeof step, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  (void)host;
  (void)params;
  *object = NULL;
  return TIER_OK;
}
static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.step/1") == 0 ? &step : NULL;
}

static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component),
                                             .kind = "optimizer",
                                             .id = ID,
                                             .summary = "planted",
                                             TIER_SLOTS(slots),
                                             .create = create,
                                             .get = get}};
TIER_PLUGIN(ID, "1.0", "MIT", components);

/* w <- w - lr g */
#include "step_plugin.h"

static const tier_slot slots[] = {RATE_SLOT(NULL, TIER_SLOT_REQUIRED)};

static int32_t build(void *self, tier_step_build *b) {
  (void)self;
  tier_value change = tier_multiply(b->graph, b->api->hyper(b, "lr"), b->api->gradient(b));
  return b->api->set_w(b, tier_subtract(b->graph, b->api->w(b), change));
}

STEP_PLUGIN("sgd", "gradient descent: w - lr g", TIER_FIXED_POINT, NULL);

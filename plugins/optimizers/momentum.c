/* Heavy ball (Polyak 1964): d <- beta d - lr g; w <- w + d. */
#include "step_plugin.h"

static const tier_slot slots[] = {RATE_SLOT(NULL, TIER_SLOT_REQUIRED),
                                  DECAY_SLOT("beta", "how much of the last change is kept", "0.9")};

static int32_t states(void *self, tier_step_states *s) {
  (void)self;
  return s->api->declare(s, "change", TIER_STATE_LIKE_W);
}

static int32_t build(void *self, tier_step_build *b) {
  (void)self;
  tier_graph *g = b->graph;
  tier_value kept = tier_multiply(g, b->api->hyper(b, "beta"), b->api->state(b, "change"));
  tier_value pull = tier_multiply(g, b->api->hyper(b, "lr"), b->api->gradient(b));
  tier_value change = tier_subtract(g, kept, pull);
  TIER_TRY(b->api->set_state(b, "change", change));
  return b->api->set_w(b, tier_add(g, b->api->w(b), change));
}

STEP_PLUGIN("momentum", "heavy ball: d = beta d - lr g, w + d", TIER_FIXED_POINT, states);

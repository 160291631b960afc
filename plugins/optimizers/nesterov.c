/* Nesterov's accelerated gradient: d <- beta d - lr g(w + beta d); w <- w + d.
 *
 * The variable that the level holds, and at which the gradient g is taken, is y = w + beta d. In
 * terms of it (Sutskever, Martens, Dahl, Hinton 2013, rewritten as Bengio et al. 2013 do):
 * d' = beta d - lr g(y); y' = y + beta d' - lr g(y). */
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
  tier_value beta = b->api->hyper(b, "beta");
  tier_value pull = tier_multiply(g, b->api->hyper(b, "lr"), b->api->gradient(b));
  tier_value kept = tier_multiply(g, beta, b->api->state(b, "change"));
  tier_value change = tier_subtract(g, kept, pull);
  tier_value ahead = tier_subtract(g, tier_multiply(g, beta, change), pull);
  TIER_TRY(b->api->set_state(b, "change", change));
  return b->api->set_w(b, tier_add(g, b->api->w(b), ahead));
}

STEP_PLUGIN("nesterov", "accelerated gradient: d = beta d - lr g, w + beta d - lr g",
            TIER_FIXED_POINT, states);

/* RMSprop (Tieleman, Hinton 2012): E <- gamma E + (1 - gamma) g^2; w <- w - lr g / sqrt(E + eps).
 *
 * eps stands inside the root, so the step is smooth where g = 0 (reference.md row 2.43). */
#include "step_plugin.h"

static const tier_slot slots[] = {
    RATE_SLOT("0.001", 0), DECAY_SLOT("gamma", "decay of the mean square of the gradient", "0.99"),
    EPSILON_SLOT("added to the mean square, inside the root")};

static int32_t states(void *self, tier_step_states *s) {
  (void)self;
  return s->api->declare(s, "mean_square", TIER_STATE_LIKE_W);
}

static int32_t build(void *self, tier_step_build *b) {
  (void)self;
  tier_graph *g = b->graph;
  tier_value gradient = b->api->gradient(b);
  tier_value mean = running_mean(g, b->api->hyper(b, "gamma"), b->api->state(b, "mean_square"),
                                 tier_square(g, gradient));
  tier_value root = tier_sqrt(g, tier_add(g, mean, b->api->hyper(b, "eps")));
  tier_value change = tier_multiply(g, b->api->hyper(b, "lr"), tier_divide(g, gradient, root));
  TIER_TRY(b->api->set_state(b, "mean_square", mean));
  return b->api->set_w(b, tier_subtract(g, b->api->w(b), change));
}

STEP_PLUGIN("rmsprop", "gradient over the root of its mean square: w - lr g / sqrt(E + eps)", 0,
            states);

/* Adam (Kingma, Ba 2015, algorithm 1): m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2)
 * g^2, w <- w - lr m^ / (sqrt(v^) + eps) with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t).
 *
 * The corrections c = 1 - beta^t follow the same recurrence as the means: c <- beta c + (1 - beta),
 * from 0; so they need no power and no count. The root is the safe one: where a gradient has always
 * been zero, its derivatives of every order are 0, not 0/0. */
#include "step_plugin.h"

static const tier_slot slots[] = {RATE_SLOT("0.001", 0),
                                  DECAY_SLOT("beta1", "decay of the mean gradient", "0.9"),
                                  DECAY_SLOT("beta2", "decay of the mean square", "0.999"),
                                  EPSILON_SLOT("added to the root of the mean square")};

static int32_t states(void *self, tier_step_states *s) {
  (void)self;
  TIER_TRY(s->api->declare(s, "mean", TIER_STATE_LIKE_W));
  TIER_TRY(s->api->declare(s, "mean_square", TIER_STATE_LIKE_W));
  TIER_TRY(s->api->declare(s, "mean_correction", TIER_STATE_SCALAR));
  return s->api->declare(s, "square_correction", TIER_STATE_SCALAR);
}

/* Updates the running mean of x in state `name`, and its correction; returns the corrected mean. */
static tier_value corrected_mean(tier_step_build *b, const char *name, const char *correction_name,
                                 const char *decay_slot, tier_value x) {
  tier_graph *g = b->graph;
  tier_value decay = b->api->hyper_scalar(b, decay_slot);
  tier_value mean = running_mean(g, tier_match(g, decay, x), b->api->state(b, name), x);
  tier_value correction =
      running_mean(g, decay, b->api->state(b, correction_name), tier_scalar(g, 1.0));
  (void)b->api->set_state(b, name, mean); /* errors are sticky in the graph */
  (void)b->api->set_state(b, correction_name, correction);
  return tier_divide(g, mean, tier_match(g, correction, mean));
}

static int32_t build(void *self, tier_step_build *b) {
  (void)self;
  tier_graph *g = b->graph;
  tier_value gradient = b->api->gradient(b);
  tier_value mean = corrected_mean(b, "mean", "mean_correction", "beta1", gradient);
  tier_value square =
      corrected_mean(b, "mean_square", "square_correction", "beta2", tier_square(g, gradient));
  tier_value size = tier_add(g, tier_safe_sqrt(g, square), b->api->hyper(b, "eps"));
  tier_value change = tier_multiply(g, b->api->hyper(b, "lr"), tier_divide(g, mean, size));
  return b->api->set_w(b, tier_subtract(g, b->api->w(b), change));
}

STEP_PLUGIN("adam", "running means of gradient and square, corrected: w - lr m / (sqrt(v) + eps)",
            0, states);

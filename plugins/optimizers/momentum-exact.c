/* Momentum that can be run backwards to the last bit (Maclaurin, Duvenaud, Adams 2015, "Gradient-
 * based hyperparameter optimization through reversible learning", algorithms 2 and 3):
 *
 *   v <- beta v - (1 - beta) g,   w <- w + lr v.
 *
 * w and v are whole numbers of 2^-bits. Adding a rounded product can be undone; the product with
 * beta = p / q <= 1 cannot, as it drops log2(q / p) bits of v. These go to an information buffer,
 * one whole number i for each weight, and the room that they leave in v takes bits of i, so that
 *
 *   i <- q i + (v mod q),  v <- p (v div q) + (i mod p),  i <- i div p
 *
 * loses nothing. i grows by those bits in each step; before it could exceed 2^47 the host takes it,
 * for all weights at once. When that is follows from the betas: `bound` is the largest i that there
 * can be, and `steps` counts those since the host took it last.
 *
 * All of these are whole numbers below 2^53 in size, so f64 holds them exactly. The derivatives are
 * those of the first two lines, without rounding. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/nn.h>
#include <tier/step.h>

#include "step_plugin.h"

struct momentum {
  const tier_host *host;
  double scale; /* 2^bits */
};

static const tier_slot slots[] = {
    RATE_SLOT(NULL, TIER_SLOT_REQUIRED),
    {.name = "beta",
     .doc = "how much of the velocity is kept; a near fraction p / q with q up to 1000 is used",
     .fallback = "0.9",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_DIFFERENTIABLE | TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1},
    {.name = "bits",
     .doc = "bits after the binary point of weights and velocities; they stay below 2^(52 - bits)",
     .fallback = "40",
     .unit = "bits",
     .type = TIER_SLOT_INTEGER,
     .minimum = 10,
     .maximum = 50}};

/* ---- the graph, for derivatives ---- */

enum { VELOCITY, INFORMATION, BOUND, STEPS }; /* states, in the order of their declaration */
enum { LR, BETA };                            /* hyperparameters, in the order of the slots */

static int32_t states(void *self, tier_step_states *s) {
  (void)self;
  TIER_TRY(s->api->declare(s, "velocity", TIER_STATE_LIKE_W));
  TIER_TRY(s->api->declare(s, "information", TIER_STATE_LIKE_W));
  TIER_TRY(s->api->declare(s, "bound", TIER_STATE_SCALAR));
  return s->api->declare(s, "steps", TIER_STATE_SCALAR);
}

static int32_t build(void *self, tier_step_build *b) {
  (void)self;
  tier_graph *g = b->graph;
  tier_value velocity = b->api->state(b, "velocity");
  tier_value beta = tier_match(g, b->api->hyper_scalar(b, "beta"), velocity);
  tier_value lr = tier_match(g, b->api->hyper_scalar(b, "lr"), velocity);
  tier_value pull = tier_multiply(g, tier_complement(g, beta), b->api->gradient(b));
  velocity = tier_subtract(g, tier_multiply(g, beta, velocity), pull);
  TIER_TRY(b->api->set_state(b, "velocity", velocity));
  return b->api->set_w(b, tier_add(g, b->api->w(b), tier_multiply(g, lr, velocity)));
}

/* ---- exact arithmetic ---- */

#define MOST_DENOMINATOR 1000
#define MOST_INFORMATION (INT64_C(1) << 47)
#define MOST_SIZE 0x1p52

struct fraction {
  int64_t p, q;
};

/* The last continued fraction of beta whose denominator is small enough. */
static struct fraction near_fraction(double beta) {
  struct fraction before = {0, 1};
  struct fraction now = {1, 0};
  double rest = beta;
  for (int i = 0; i < 40; i++) {
    double whole = floor(rest);
    double q = whole * (double)now.q + (double)before.q;
    if (q > MOST_DENOMINATOR) {
      break;
    }
    struct fraction next = {(int64_t)whole * now.p + before.p, (int64_t)q};
    before = now;
    now = next;
    if (rest == whole) {
      break;
    }
    rest = 1.0 / (rest - whole);
  }
  return now.p > 0 ? now : (struct fraction){1, MOST_DENOMINATOR};
}

/* What one step needs beside its arrays. */
struct exact {
  struct fraction beta;
  double lr, scale, pull; /* scale: 2^bits; pull: (1 - beta) 2^bits */
};

static int32_t exact_make(const struct momentum *self, const double *hypers, struct exact *x) {
  double beta = hypers[BETA];
  if (!(beta > 0.0 && beta <= 1.0)) {
    return tier_failf(self->host, TIER_E_INVALID, "momentum-exact: beta is %g, not in (0, 1]",
                      beta);
  }
  x->beta = near_fraction(beta);
  x->lr = hypers[LR];
  x->scale = self->scale;
  x->pull = (1.0 - (double)x->beta.p / (double)x->beta.q) * self->scale;
  return TIER_OK;
}

/* a div b and a mod b, with 0 <= a mod b < b for any sign of a. */
static int64_t divide(int64_t a, int64_t b, int64_t *rest) {
  int64_t quotient = a / b;
  *rest = a % b;
  if (*rest < 0) {
    *rest += b;
    quotient--;
  }
  return quotient;
}

/* v <- beta v in whole numbers, what it drops into i. */
static void shrink(struct fraction beta, int64_t *v, int64_t *i) {
  int64_t dropped = 0;
  int64_t taken = 0;
  int64_t d = divide(*v, beta.q, &dropped);
  *i = divide(*i * beta.q + dropped, beta.p, &taken);
  *v = beta.p * d + taken;
}

static void grow(struct fraction beta, int64_t *v, int64_t *i) {
  int64_t dropped = 0;
  int64_t taken = 0;
  int64_t d = divide(*v, beta.p, &taken);
  *i = divide(*i * beta.p + taken, beta.q, &dropped);
  *v = beta.q * d + dropped;
}

/* The largest i after a step, given the largest before it; and back. */
static int64_t bound_after(struct fraction beta, int64_t bound) {
  return (beta.q * bound + beta.q - 1) / beta.p;
}
static int64_t bound_before(struct fraction beta, int64_t after) {
  int64_t rest = 0; /* the least bound with q bound + q - 1 >= p after */
  return divide(beta.p * after, beta.q, &rest);
}

/* The host takes the information buffer, if this step could make it too large. */
static int32_t make_room(const struct momentum *self, const struct exact *x, int64_t n,
                         double *const *states, tier_information *i) {
  int64_t bound = (int64_t)states[BOUND][0];
  int64_t steps = (int64_t)states[STEPS][0];
  int64_t counters[] = {bound, steps};
  if (steps > 0 && bound_after(x->beta, bound) <= MOST_INFORMATION) {
    return TIER_OK;
  }
  if (i != NULL && steps > 0) {
    int64_t *words = malloc((size_t)n * sizeof *words);
    if (words == NULL) {
      return tier_failf(self->host, TIER_E_MEMORY, "no memory for an information buffer");
    }
    for (int64_t k = 0; k < n; k++) {
      words[k] = (int64_t)states[INFORMATION][k];
    }
    int32_t status = i->api->push(i, n, words);
    free(words);
    TIER_TRY(status);
  }
  if (i != NULL) {
    TIER_TRY(i->api->push(i, 2, counters));
  }
  memset(states[INFORMATION], 0, (size_t)n * sizeof(double));
  states[BOUND][0] = 0.0;
  states[STEPS][0] = 0.0;
  return TIER_OK;
}

static int32_t give_back(const struct momentum *self, int64_t n, double *const *states,
                         tier_information *i) {
  int64_t counters[2];
  TIER_TRY(i->api->pop(i, 2, counters));
  states[BOUND][0] = (double)counters[0];
  states[STEPS][0] = (double)counters[1];
  if (counters[1] == 0) { /* the buffer was empty */
    return TIER_OK;
  }
  int64_t *words = malloc((size_t)n * sizeof *words);
  if (words == NULL) {
    return tier_failf(self->host, TIER_E_MEMORY, "no memory for an information buffer");
  }
  int32_t status = i->api->pop(i, n, words);
  for (int64_t k = 0; k < n && status == TIER_OK; k++) {
    states[INFORMATION][k] = (double)words[k];
  }
  free(words);
  return status;
}

static int32_t too_large(const struct momentum *self) {
  return tier_failf(self->host, TIER_E_DIVERGED,
                    "momentum-exact: a weight or its velocity is not below %g, the largest that it "
                    "counts; a smaller learning rate or fewer \"bits\" may help",
                    MOST_SIZE / self->scale);
}

static int32_t run(void *object, int64_t n, double *w, double *const *states, const double *g,
                   const double *hypers, tier_information *information) {
  const struct momentum *self = object;
  struct exact x;
  int within = 1;
  TIER_TRY(exact_make(self, hypers, &x));
  TIER_TRY(make_room(self, &x, n, states, information));
  for (int64_t k = 0; k < n && within; k++) {
    double pull = rint(x.pull * g[k]);
    double v = states[VELOCITY][k] * x.scale;
    double at = rint(w[k] * x.scale);
    within = fabs(v) < MOST_SIZE && fabs(pull) < MOST_SIZE;
    if (within) {
      int64_t whole = (int64_t)v;
      int64_t i = (int64_t)states[INFORMATION][k];
      shrink(x.beta, &whole, &i);
      v = (double)(whole - (int64_t)pull);
      at += rint(x.lr * v);
      within = fabs(v) < MOST_SIZE && fabs(at) < MOST_SIZE;
      states[INFORMATION][k] = (double)i;
      states[VELOCITY][k] = v / x.scale;
      w[k] = at / x.scale;
    }
  }
  states[BOUND][0] = (double)bound_after(x.beta, (int64_t)states[BOUND][0]);
  states[STEPS][0] += 1.0;
  return within ? TIER_OK : too_large(self);
}

static int32_t undo_w(void *object, int64_t n, double *w, double *const *states,
                      const double *hypers) {
  struct exact x;
  TIER_TRY(exact_make(object, hypers, &x));
  for (int64_t k = 0; k < n; k++) {
    w[k] = (w[k] * x.scale - rint(x.lr * (states[VELOCITY][k] * x.scale))) / x.scale;
  }
  return TIER_OK;
}

static int32_t undo_states(void *object, int64_t n, double *const *states, const double *g,
                           const double *hypers, tier_information *information) {
  struct exact x;
  TIER_TRY(exact_make(object, hypers, &x));
  for (int64_t k = 0; k < n; k++) {
    int64_t v = (int64_t)(states[VELOCITY][k] * x.scale) + (int64_t)rint(x.pull * g[k]);
    int64_t i = (int64_t)states[INFORMATION][k];
    grow(x.beta, &v, &i);
    states[VELOCITY][k] = (double)v / x.scale;
    states[INFORMATION][k] = (double)i;
  }
  states[BOUND][0] = (double)bound_before(x.beta, (int64_t)states[BOUND][0]);
  states[STEPS][0] -= 1.0;
  return states[STEPS][0] == 0.0 ? give_back(object, n, states, information) : TIER_OK;
}

/* ---- the component ---- */

static const tier_step_1 step = {
    .struct_size = (uint32_t)sizeof step, .states = states, .build = build};
static const tier_reversible_step_1 reversible = {.struct_size = (uint32_t)sizeof reversible,
                                                  .run = run,
                                                  .undo_w = undo_w,
                                                  .undo_states = undo_states};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct momentum *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  self->host = host;
  self->scale = ldexp(1.0, (int)tier_integer(params, "bits"));
  *object = self;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  if (strcmp(interface_id, "tier.reversible_step/1") == 0) {
    return &reversible;
  }
  return strcmp(interface_id, "tier.step/1") == 0 ? &step : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "optimizer",
     .id = "momentum-exact",
     .summary = "momentum in whole numbers, which can be run backwards: v = beta v - (1 - beta) g, "
                "w + lr v",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("momentum-exact", "1.0", "MIT", components);

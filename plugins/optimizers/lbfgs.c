/* L-BFGS (Nocedal 1980; Liu, Nocedal 1989) with the line search of Hager and Zhang.
 *
 * Directions come from the two-loop recursion over the last `memory` pairs s = w' - w, y = g' - g,
 * scaled by <s, y> / <y, y>. The step length satisfies Wolfe's conditions, or the approximate ones
 * of Hager, Zhang, "A new conjugate gradient method with guaranteed descent and an efficient line
 * search", SIAM J. Optim. 16 (2005), section 4: those compare slopes instead of values, so they can
 * still be met where the decrease of the value is below its rounding error. That is what lets f32
 * reach a gradient norm of 1e-7.
 *
 * The pairs survive from one run to the next. The objective may have changed meanwhile (an outer
 * step): the gradient is always taken anew, pairs are made within one run only, and where a
 * direction made of old pairs leads nowhere they are dropped and the gradient is followed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/loop.h>
#include <tier/params.h>

#include "../host_interface.h"

/* Hager, Zhang 2005, section 5: their delta, sigma, epsilon, rho, theta, gamma. */
#define DECREASE 0.1       /* of Wolfe's first condition */
#define CURVATURE 0.9      /* of Wolfe's second */
#define VALUE_NOISE 1e-6   /* a value may rise by this much of |f| ... */
#define NOISE_SPACINGS 8.0 /* ... or by as many spacings of real, if that is more */
#define EXPANSION 5.0      /* while looking for an upper end */
#define SHRINK 0.66        /* what two secant steps must achieve, else the interval is halved */

#define MOST_TRIALS 60 /* gradients in one line search */
#define PATIENCE 40    /* iterations without a smaller value or gradient that it bears */

struct lbfgs {
  const tier_host *host;
  const tier_vector_1 *v;
  int64_t memory;
};

static const tier_slot slots[] = {{.name = "memory",
                                   .doc = "how many pairs of steps and gradient changes are kept",
                                   .fallback = "10",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1000}};

/* ---- the pairs: a ring in the state ---- */

#define NAME_SIZE 32
static void name_of(char letter, int64_t index, char *out) {
  (void)snprintf(out, NAME_SIZE, "%c%lld", letter, (long long)index);
}

static int32_t declare(void *self, int64_t n, tier_state *state) {
  const struct lbfgs *l = self;
  for (int64_t i = 0; i < l->memory; i++) {
    char name[NAME_SIZE];
    name_of('s', i, name);
    TIER_TRY(state->api->vector(state, name, n));
    name_of('y', i, name);
    TIER_TRY(state->api->vector(state, name, n));
  }
  TIER_TRY(state->api->doubles(state, "curvature", l->memory)); /* <s, y> of each pair */
  TIER_TRY(state->api->integers(state, "count", 1));
  return state->api->integers(state, "next", 1); /* where the next pair goes */
}

static const tier_state_1 lbfgs_state = {.struct_size = (uint32_t)sizeof lbfgs_state,
                                         .declare = declare};

/* ---- one run ---- */

struct point {
  double a;     /* along the direction */
  double value; /* INFINITY if value or slope is not finite */
  double slope; /* <gradient, direction> */
};

struct run {
  const struct lbfgs *l;
  const tier_vector_1 *v;
  tier_objective *f;
  tier_vector **s, **y; /* `memory` of them each, in the state */
  double *curvature;
  int64_t *count, *next;
  double *weight;              /* (memory): scratch of the two-loop recursion */
  tier_vector *w;              /* where it stands: the caller's */
  tier_vector *gradient;       /* there */
  tier_vector *direction;      /* downhill */
  tier_vector *trial_w;        /* w + a direction, at the last trial */
  tier_vector *trial_gradient; /* there */
  double value, norm;          /* at w */
  double slope;                /* <gradient, direction> at w */
  double noise;                /* what a value may rise by; Hager and Zhang's epsilon_k */
  struct point trial;          /* the last trial */
  int trials;                  /* of this line search */
};

/* What a file brought back may be of other numbers than this optimizer would leave. */
static int32_t check_ring(const struct run *r) {
  int64_t memory = r->l->memory;
  if (*r->count < 0 || *r->count > memory || *r->next < 0 || *r->next >= memory) {
    return tier_failf(r->l->host, TIER_E_DATA,
                      "lbfgs: its state is damaged: %lld pairs, the next at %lld, with a memory of "
                      "%lld",
                      (long long)*r->count, (long long)*r->next, (long long)memory);
  }
  return TIER_OK;
}

static int32_t run_open(struct run *r, const struct lbfgs *l, tier_objective *f, tier_state *state,
                        tier_vector *w) {
  int64_t n = f->api->size(f);
  size_t memory = (size_t)l->memory;
  *r = (struct run){.l = l, .v = l->v, .f = f, .w = w};
  r->s = calloc(memory, sizeof(tier_vector *));
  r->y = calloc(memory, sizeof(tier_vector *));
  r->weight = calloc(memory, sizeof(double));
  r->gradient = l->v->create(n);
  r->direction = l->v->create(n);
  r->trial_w = l->v->create(n);
  r->trial_gradient = l->v->create(n);
  if (!r->s || !r->y || !r->weight || !r->gradient || !r->direction || !r->trial_w ||
      !r->trial_gradient) {
    return tier_failf(l->host, TIER_E_MEMORY, "no memory for 4 vectors of %lld numbers",
                      (long long)n);
  }
  r->curvature = state->api->get_doubles(state, "curvature");
  r->count = state->api->get_integers(state, "count");
  r->next = state->api->get_integers(state, "next");
  for (int64_t i = 0; i < l->memory; i++) {
    char name[NAME_SIZE];
    name_of('s', i, name);
    r->s[i] = state->api->get_vector(state, name);
    name_of('y', i, name);
    r->y[i] = state->api->get_vector(state, name);
  }
  return check_ring(r);
}

static void run_close(struct run *r) {
  free(r->s);
  free(r->y);
  free(r->weight);
  r->v->destroy(r->gradient);
  r->v->destroy(r->direction);
  r->v->destroy(r->trial_w);
  r->v->destroy(r->trial_gradient);
}

static void forget_pairs(struct run *r) {
  *r->count = 0;
  *r->next = 0;
}

/* Value, gradient and its norm at w. */
static int32_t look(struct run *r) {
  TIER_TRY(r->f->api->gradient(r->f, r->w, &r->value, r->gradient));
  r->norm = r->v->norm(r->gradient);
  if (!isfinite(r->value) || !isfinite(r->norm)) {
    return tier_failf(r->l->host, TIER_E_NONFINITE,
                      "lbfgs: the objective or its gradient is not finite at the start (value %g, "
                      "gradient norm %g)",
                      r->value, r->norm);
  }
  return TIER_OK;
}

/* ---- the direction ---- */

/* Slot of the pair made `age` steps ago (0: the last). */
static int64_t pair_at(const struct run *r, int64_t age) {
  return (*r->next - 1 - age + 2 * r->l->memory) % r->l->memory;
}

/* direction <- -B gradient, with B the inverse Hessian that the pairs make (Nocedal, Wright,
 * "Numerical Optimization", algorithm 7.4). */
static void choose_direction(struct run *r) {
  const tier_vector_1 *v = r->v;
  v->copy(r->gradient, r->direction);
  v->scale(-1.0, r->direction);
  for (int64_t age = 0; age < *r->count; age++) {
    int64_t i = pair_at(r, age);
    r->weight[i] = v->dot(r->s[i], r->direction) / r->curvature[i];
    v->axpy(-r->weight[i], r->y[i], r->direction);
  }
  if (*r->count > 0) {
    int64_t last = pair_at(r, 0);
    v->scale(r->curvature[last] / v->dot(r->y[last], r->y[last]), r->direction);
  }
  for (int64_t age = *r->count - 1; age >= 0; age--) {
    int64_t i = pair_at(r, age);
    double change = r->weight[i] - v->dot(r->y[i], r->direction) / r->curvature[i];
    v->axpy(change, r->s[i], r->direction);
  }
}

/* Keeps the pair of the step from w to trial_w, unless its curvature is not safely positive. Leaves
 * the pair's s and y in the ring's next place either way. */
static void keep_pair(struct run *r) {
  const tier_vector_1 *v = r->v;
  int64_t i = *r->next;
  v->copy(r->trial_w, r->s[i]);
  v->axpy(-1.0, r->w, r->s[i]);
  v->copy(r->trial_gradient, r->y[i]);
  v->axpy(-1.0, r->gradient, r->y[i]);
  double sy = v->dot(r->s[i], r->y[i]);
  if (sy > v->epsilon() * v->norm(r->s[i]) * v->norm(r->y[i])) {
    r->curvature[i] = sy;
    *r->next = (i + 1) % r->l->memory;
    *r->count = *r->count < r->l->memory ? *r->count + 1 : r->l->memory;
  } else if (*r->count == r->l->memory) {
    *r->count = r->l->memory - 1; /* the oldest pair has been written over */
  }
}

/* ---- the line search ---- */

/* Functions below return FOUND as soon as the last trial is acceptable; 0: not yet. */
#define FOUND 1

/* Wolfe's conditions (Hager, Zhang: T1), or the approximate ones (T2). */
static int acceptable(const struct run *r, const struct point *p) {
  if (!isfinite(p->value) || p->slope < CURVATURE * r->slope) {
    return 0;
  }
  int decreased = p->value - r->value <= DECREASE * p->a * r->slope;
  int flat = p->slope <= (2.0 * DECREASE - 1.0) * r->slope && p->value <= r->value + r->noise;
  return decreased || flat;
}

static int32_t try_at(struct run *r, double a) {
  double value = 0.0;
  r->v->copy(r->w, r->trial_w);
  r->v->axpy(a, r->direction, r->trial_w);
  TIER_TRY(r->f->api->gradient(r->f, r->trial_w, &value, r->trial_gradient));
  double slope = r->v->dot(r->trial_gradient, r->direction);
  int finite = isfinite(value) && isfinite(slope);
  r->trial = (struct point){a, finite ? value : INFINITY, finite ? slope : INFINITY};
  r->trials++;
  return acceptable(r, &r->trial) ? FOUND : 0;
}

static int too_high(const struct run *r, const struct point *p) {
  return !(p->value <= r->value + r->noise);
}
static int rising(const struct point *p) {
  return isfinite(p->value) && p->slope >= 0.0;
}

/* Holds an acceptable point: at `low` the slope is negative and the value not too high, at `high`
 * the slope is not negative. high.a = 0: not found yet. */
struct interval {
  struct point low, high;
};

/* Hager, Zhang's U3: between low and a point at `a` that is too high, finds the upper end. */
static int32_t halve(struct run *r, struct interval *i, double a) {
  while (r->trials < MOST_TRIALS) {
    int32_t status = try_at(r, 0.5 * (i->low.a + a));
    if (status != 0) {
      return status;
    }
    if (rising(&r->trial)) {
      i->high = r->trial;
      return 0;
    }
    if (too_high(r, &r->trial)) {
      a = r->trial.a;
    } else {
      i->low = r->trial;
    }
  }
  return 0;
}

/* Hager, Zhang's update: tries `a` if it lies inside, and narrows the interval to one side. */
static int32_t update(struct run *r, struct interval *i, double a) {
  if (!(a > i->low.a && a < i->high.a)) {
    return 0;
  }
  int32_t status = try_at(r, a);
  if (status != 0) {
    return status;
  }
  if (rising(&r->trial)) {
    i->high = r->trial;
  } else if (too_high(r, &r->trial)) {
    return halve(r, i, a);
  } else {
    i->low = r->trial;
  }
  return 0;
}

static double secant(const struct point *a, const struct point *b) {
  return (a->a * b->slope - b->a * a->slope) / (b->slope - a->slope);
}

/* Hager, Zhang's secant^2. */
static int32_t secant_twice(struct run *r, struct interval *i) {
  struct interval old = *i;
  double c = secant(&i->low, &i->high);
  int32_t status = update(r, i, c);
  if (status != 0) {
    return status;
  }
  if (i->high.a == c) {
    return update(r, i, secant(&old.high, &i->high));
  }
  return i->low.a == c ? update(r, i, secant(&old.low, &i->low)) : 0;
}

/* Narrows the interval until a trial is acceptable, or nothing is left between its ends. */
static int32_t narrow(struct run *r, struct interval *i) {
  double width = i->high.a - i->low.a;
  while (r->trials < MOST_TRIALS && width > 1e-15 * i->high.a) {
    int32_t status = secant_twice(r, i);
    if (status == 0 && i->high.a - i->low.a > SHRINK * width) {
      status = update(r, i, 0.5 * (i->low.a + i->high.a));
    }
    if (status != 0) {
      return status;
    }
    width = i->high.a - i->low.a;
  }
  return 0;
}

/* Along the direction, from step length `a`: FOUND, or 0 if no trial was acceptable. */
static int32_t search(struct run *r, double a) {
  struct interval i = {.low = {0.0, r->value, r->slope}};
  r->trials = 0;
  while (r->trials < MOST_TRIALS && i.high.a == 0.0) { /* Hager, Zhang's bracket */
    int32_t status = try_at(r, a);
    if (status == 0 && rising(&r->trial)) {
      i.high = r->trial;
    } else if (status == 0 && too_high(r, &r->trial)) {
      status = halve(r, &i, a);
    } else if (status == 0) {
      i.low = r->trial;
      a *= EXPANSION;
    }
    if (status != 0) {
      return status;
    }
  }
  return narrow(r, &i);
}

/* ---- the iteration ---- */

/* Takes the trial as the new w. */
static void move(struct run *r) {
  tier_vector *gradient = r->gradient;
  keep_pair(r);
  r->v->copy(r->trial_w, r->w);
  r->gradient = r->trial_gradient;
  r->trial_gradient = gradient;
  r->value = r->trial.value;
  r->norm = r->v->norm(r->gradient);
}

/* One iteration; FOUND, or 0 if even along the gradient there is no better point. */
static int32_t advance(struct run *r) {
  double noise = fmax(VALUE_NOISE, NOISE_SPACINGS * r->v->epsilon());
  r->noise = noise * fabs(r->value);
  for (;;) {
    int64_t pairs = *r->count;
    choose_direction(r);
    r->slope = r->v->dot(r->gradient, r->direction);
    if (isfinite(r->slope) && r->slope < 0.0) {
      int32_t status = search(r, pairs > 0 ? 1.0 : fmin(1.0, 1.0 / r->norm));
      if (status != 0) {
        return status;
      }
    }
    if (pairs == 0) {
      return 0;
    }
    forget_pairs(r);
  }
}

/* Whether an iteration got anywhere: a value or a gradient norm below all before. Within the
 * rounding error such records become rare, which is how the end of what can be reached shows. */
struct progress {
  double least_value, least_norm;
  int stale; /* iterations since the last record */
};

static int stalled(struct progress *p, const struct run *r) {
  int record = r->value < p->least_value || r->norm < p->least_norm;
  p->least_value = fmin(p->least_value, r->value);
  p->least_norm = fmin(p->least_norm, r->norm);
  p->stale = record ? 0 : p->stale + 1;
  return p->stale >= PATIENCE;
}

/* Iterates until there is a reason to stop, and returns it. `*status`: a failure. */
static const char *iterate(struct run *r, int64_t steps, double tolerance, int64_t *done,
                           int32_t *status) {
  struct progress progress = {r->value, r->norm, 0};
  for (*done = 0;; ++*done) {
    if (tolerance > 0.0 && r->norm < tolerance) {
      return "tolerance";
    }
    if (*done >= steps) {
      return "steps";
    }
    if (r->norm == 0.0 || stalled(&progress, r)) {
      return "no progress";
    }
    *status = advance(r);
    if (*status != FOUND) {
      return "no progress";
    }
    move(r);
  }
}

static int32_t run_from(struct run *r, int64_t steps, double tolerance, tier_loop_report *report) {
  int32_t status = 0;
  TIER_TRY(look(r));
  report->stop = iterate(r, steps, tolerance, &report->iterations, &status);
  report->gradient_norm = r->norm;
  report->value = r->value;
  return status < 0 ? status : TIER_OK;
}

static int32_t run(void *self, tier_objective *f, tier_state *state, int64_t steps,
                   double tolerance, tier_vector *w, tier_loop_report *report) {
  struct run r;
  int32_t status = run_open(&r, self, f, state, w);
  if (status == TIER_OK) {
    status = run_from(&r, steps, tolerance, report);
  }
  run_close(&r);
  return status;
}

static const tier_loop_1 loop = {.struct_size = (uint32_t)sizeof loop, .run = run};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct lbfgs *l = calloc(1, sizeof *l);
  if (l == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  l->host = host;
  l->v = host_interface(host, "tier.vector/1");
  l->memory = tier_integer(params, "memory");
  if (l->v == NULL) {
    free(l);
    return TIER_E_PLUGIN;
  }
  *object = l;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.loop/1") == 0    ? (const void *)&loop
         : strcmp(interface_id, "tier.state/1") == 0 ? (const void *)&lbfgs_state
                                                     : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "optimizer",
     .id = "lbfgs",
     .summary = "limited-memory BFGS with a line search, for deterministic objectives",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("lbfgs", "1.0", "MIT", components);

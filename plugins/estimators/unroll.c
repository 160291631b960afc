/* Unrolling: the solution is what T optimizer steps made of the start, so differentiate them.
 *
 * One step is (w', s') = step(w, s, g, theta) with g = dF/dw (w, theta). With cotangents (u, 0) of
 * the last (w, s), each step from the last to the first pulls them back:
 *
 *   v_w, v_s, v_g = step_vjp(u_w, u_s)   (and the step's hyperparameters get theirs),
 *   inputs += (d2F/dtheta dw) v_g,   u_w = v_w + H v_g,   u_s = v_s.
 *
 * With `truncate` K only the last K steps are pulled back, and the iterate before them is taken as
 * a constant: K cross products and K - 1 Hessian products. At a stationary point, with sgd, that
 * equals neumann's first K terms.
 *
 * With `lookahead` K the level is judged K steps beyond those that it keeps, and these are pulled
 * back (Metz, Poole, Pfau, Sohl-Dickstein 2017, unrolled generative adversarial networks).
 *
 * What the sweep reads of each step is on the host's tape. Whether all of it is stored, or made
 * again from checkpoints or by running backwards, changes its cost only: the result is the same to
 * the bit. */
#include <stdlib.h>
#include <string.h>

#include "../declared_cost.h"
#include "../host_interface.h"
#include "stepping.h"
#include "tangents.h"

struct unroll {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_problem_1 *problem;
  const tier_instance *step; /* or NULL: the level's own */
  int64_t truncate;          /* 0: all steps */
  tier_tape tape;            /* how its steps are kept */
  int64_t lookahead;         /* steps beyond the level's own that are not kept; 0: none */
  int32_t first_order;       /* drop H v_g */
};

static const tier_slot slots[] = {
    {.name = "truncate",
     .doc = "how many of the last steps are differentiated; default: all",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e15},
    STEP_SLOT,
    {.name = "first_order",
     .doc = "leaves out the Hessian products (first-order MAML)",
     .fallback = "false",
     .unit = "",
     .type = TIER_SLOT_BOOLEAN},
    {.name = "checkpoint",
     .doc = "keeps this many steps at most, and makes the others again when they are needed",
     .unit = "steps",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e15},
    {.name = "memory",
     .doc = "likewise as many steps as fit in so many bytes",
     .unit = "bytes",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e15},
    {.name = "reversible",
     .doc = "keeps no step, and runs the optimizer (momentum-exact) backwards",
     .fallback = "false",
     .unit = "",
     .type = TIER_SLOT_BOOLEAN},
    {.name = "lookahead",
     .doc = "steps ahead that are differentiated but not kept",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e15},
    {.name = "products",
     .doc = "where the lower level's own gradient has a response: its products, exact (the default "
            "where they can be) or difference",
     .unit = "",
     .choices = "exact|difference",
     .type = TIER_SLOT_TEXT}};

static int32_t solve(void *object, tier_edge *e, tier_state *state, tier_record *r) {
  const struct unroll *self = object;
  int64_t count = self->truncate > 0 ? self->truncate : self->problem->steps(e);
  (void)state;
  TIER_TRY(self->problem->keep(e, r, &self->tape));
  if (self->lookahead > 0) {
    TIER_TRY(self->problem->run(e, r, 0));
    return self->problem->look_ahead(e, r, self->lookahead);
  }
  return stepping_solve(self->host, self->problem, "unroll", e, r, self->step, count);
}

/* ---- reverse ---- */

/* One pullback: cotangents of (w, s), and what one step makes of them. */
struct sweep {
  const struct unroll *self;
  tier_edge *e;
  tier_record *r;
  tier_vector *w, *g, *h; /* (n): cotangent of w; of the gradient; a Hessian product */
  tier_vector *s;         /* (m) */
};

static int32_t sweep_open(struct sweep *p, const struct unroll *self, tier_edge *e,
                          tier_record *r) {
  int64_t n = self->problem->size(e);
  *p = (struct sweep){.self = self, .e = e, .r = r};
  p->w = self->v->create(n);
  p->g = self->v->create(n);
  p->h = self->v->create(n);
  p->s = self->v->create(self->problem->state_size(r));
  if (p->w == NULL || p->g == NULL || p->h == NULL || p->s == NULL) {
    return tier_failf(self->host, TIER_E_MEMORY, "no memory for 4 vectors of %lld numbers",
                      (long long)n);
  }
  return TIER_OK;
}

static void sweep_close(struct sweep *p) {
  p->self->v->destroy(p->w);
  p->self->v->destroy(p->g);
  p->self->v->destroy(p->h);
  p->self->v->destroy(p->s);
}

/* The part through the gradient: inputs += cross(g), and w += H g if `onward`. */
static int32_t pull_gradient(struct sweep *p, int64_t t, int onward, tier_vector *inputs) {
  const tier_problem_1 *problem = p->self->problem;
  tier_oracle *o = NULL;
  TIER_TRY(problem->at_step(p->e, p->r, t, &o));
  int32_t status =
      onward ? problem->products(o, p->g, p->h, 1.0, inputs) : problem->cross(o, p->g, 1.0, inputs);
  problem->release(o);
  if (status == TIER_OK && onward) {
    p->self->v->axpy(1.0, p->h, p->w);
  }
  return status;
}

/* `last`: nothing reads the cotangent of the w before this step. */
static int32_t pull_step(struct sweep *p, int64_t t, int last, tier_vector *inputs) {
  TIER_TRY(p->self->problem->step_vjp(p->e, p->r, t, p->w, p->s, p->w, p->s, p->g, inputs));
  if (p->self->v->max_abs(p->g) == 0.0) {
    return TIER_OK;
  }
  return pull_gradient(p, t, !last && !p->self->first_order, inputs);
}

static int32_t pull_tape(struct sweep *p, const tier_vector *cotangent, tier_vector *inputs) {
  const struct unroll *self = p->self;
  int64_t length = self->problem->tape_length(p->r);
  int64_t count = self->truncate > 0 && self->truncate < length ? self->truncate : length;
  int whole = count == length && self->step == NULL; /* back to where the level started */
  TIER_TRY(stepping_report_gradient(self->problem, self->v, p->e, p->r, p->g));
  self->v->copy(cotangent, p->w);
  for (int64_t t = length - 1; t >= length - count; t--) {
    TIER_TRY(pull_step(p, t, !whole && t == length - count, inputs));
  }
  if (!self->v->finite(p->w)) {
    return tier_failf(
        self->host, TIER_E_NONFINITE,
        "the cotangent overflows within %lld steps back: the steps are too long (lr), "
        "or set \"truncate\"",
        (long long)count);
  }
  TIER_TRY(self->problem->report_number(p->r, "iterations", (double)count));
  TIER_TRY(
      self->problem->report_number(p->r, "tape_bytes", (double)self->problem->tape_bytes(p->r)));
  TIER_TRY(self->problem->report_text(p->r, "stop", whole ? "start" : "truncated"));
  return whole ? self->problem->start_vjp(p->e, p->r, p->w, inputs) : TIER_OK;
}

static int32_t pullback(void *object, tier_edge *e, tier_state *state, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  const struct unroll *self = object;
  struct sweep p;
  (void)state;
  if (self->v->max_abs(cotangent) == 0.0) {
    return self->problem->report_text(r, "stop", "zero");
  }
  int32_t status = sweep_open(&p, self, e, r);
  if (status == TIER_OK) {
    status = pull_tape(&p, cotangent, inputs);
  }
  sweep_close(&p);
  return status;
}

/* ---- forward ---- */

static int32_t pushforward(void *object, tier_edge *e, tier_state *state, tier_record *r,
                           const tier_vector *tangent, tier_vector *out) {
  const struct unroll *self = object;
  int64_t length = self->problem->tape_length(r);
  int64_t count = self->truncate > 0 && self->truncate < length ? self->truncate : length;
  struct tangents z = {
      .host = self->host, .v = self->v, .problem = self->problem, .e = e, .r = r, .count = 1};
  (void)state;
  if (count == length && self->step == NULL) {
    TIER_TRY(tangents_check_start(self->host, self->v, self->problem, e, r));
  }
  int32_t status = tangents_open(&z);
  if (status == TIER_OK) {
    self->v->copy(tangent, z.inputs[0]);
    status = tangents_push(&z, length - count, self->first_order);
  }
  if (status == TIER_OK) {
    self->v->copy(z.w[0], out);
  }
  tangents_close(&z);
  return status;
}

static const tier_estimator_1 estimator = {.struct_size = (uint32_t)sizeof estimator,
                                           .solve = solve,
                                           .pullback = pullback,
                                           .pushforward = pushforward};

/* ---- what it costs ---- */

/* Checkpoints that fit in the memory beside two steps to work in, or as many as were asked for. */
static int64_t checkpoints_of(const struct unroll *self, const tier_cost_problem *problem,
                              int64_t length) {
  int64_t line = 64 / cost_real(self->v); /* arrays are kept in whole lines of 64 bytes */
  int64_t frame = 2 * ((problem->n + line - 1) / line) + (problem->state + line - 1) / line;
  int64_t kept = self->tape.count > 0 ? self->tape.count : length;
  if (self->tape.bytes > 0) {
    int64_t fit = self->tape.bytes / (64 * frame) - 2;
    kept = fit < kept ? fit : kept;
  }
  kept = kept < length ? kept : length;
  return kept > 0 ? kept : 1;
}

/* Steps taken again in going back over `length` from s checkpoints, beyond the first sweep
 * (Griewank, Walther 2000, theorem 1: t(l, s) = r l - C(s + r, s + 1) with C(s + r - 1, s) < l <=
 * C(s + r, s), the first sweep's l - 1 among them). C(s + r, s + 1) is a sum over the r before. */
static int64_t steps_again(int64_t length, int64_t s) {
  int64_t longest = 1; /* C(s + r, s) */
  int64_t sum = 0;     /* C(s + r, s + 1) */
  int64_t r = 0;
  while (longest < length) {
    r++;
    sum += longest;
    /* C(s + r, s) = C(s + r - 1, s) (s + r) / r; above 2^62 only its being large matters */
    longest = longest > INT64_MAX / 2 / (s + r) ? length : longest * (s + r) / r;
  }
  return length > 0 ? r * length - sum + 1 - length : 0;
}

/* Steps on the tape at once, and gradients that making the others again takes. */
static int64_t kept_steps(const struct unroll *self, const tier_cost_problem *problem,
                          int64_t length, int64_t *gradients) {
  if (self->tape.schedule == TIER_TAPE_CHECKPOINTS) {
    int64_t kept = checkpoints_of(self, problem, length);
    *gradients += steps_again(length, kept);
    return kept + 2;
  }
  if (self->tape.schedule == TIER_TAPE_REVERSIBLE) {
    *gradients += length;
    return 2;
  }
  int last = self->tape.schedule == TIER_TAPE_LAST && self->tape.count < length;
  return last ? self->tape.count : length;
}

static int32_t cost(void *object, const tier_cost_problem *problem, tier_cost *out) {
  const struct unroll *self = object;
  int64_t length = self->lookahead > 0
                       ? self->lookahead
                       : stepping_length(self->host, self->step, self->truncate, problem);
  TIER_TRY(length < 0 ? (int32_t)length : TIER_OK);
  int64_t count = self->truncate > 0 && self->truncate < length ? self->truncate : length;
  int whole = count == length && self->step == NULL;
  out->gradients = 1;
  out->cross = count;
  out->hvps = self->first_order ? 0 : whole || count == 0 ? count : count - 1;
  out->reals = stepping_reals(problem, kept_steps(self, problem, length, &out->gradients));
  out->reals += 3 * problem->n + problem->state;
  int fixed = self->step != NULL || self->lookahead > 0;
  out->flags = fixed ? 0 : problem->flags & TIER_COST_MAY_STOP;
  out->flags |= !whole || self->first_order ? TIER_COST_BIASED : 0;
  out->right = self->step != NULL  ? "the steps from the solution"
               : self->first_order ? "the steps, without second derivatives"
               : whole             ? "the steps that were taken"
                                   : "the last steps alone";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

/* The schedule that the arguments ask for; they exclude each other. */
static int32_t choose_tape(const tier_host *host, const tier_params *params, struct unroll *self) {
  int checkpoints = tier_given(params, "checkpoint") || tier_given(params, "memory");
  int reversible = tier_boolean(params, "reversible");
  int last = self->truncate > 0 && self->step == NULL;
  if (checkpoints + reversible + last > 1) {
    return tier_failf(host, TIER_E_INVALID,
                      "\"truncate\", \"checkpoint\" (or \"memory\") and \"reversible\" are ways to "
                      "need less memory that exclude each other: give one of them");
  }
  if (self->lookahead > 0 && self->step != NULL) {
    return tier_failf(host, TIER_E_INVALID,
                      "\"lookahead\" takes steps of the level's own optimizer: leave out \"step\"");
  }
  self->tape = (tier_tape){.struct_size = (uint32_t)sizeof self->tape};
  if (last) {
    self->tape.schedule = TIER_TAPE_LAST;
    self->tape.count = self->truncate;
  } else if (checkpoints) {
    self->tape.schedule = TIER_TAPE_CHECKPOINTS;
    self->tape.count = tier_given(params, "checkpoint") ? tier_integer(params, "checkpoint") : 0;
    self->tape.bytes = tier_given(params, "memory") ? tier_integer(params, "memory") : 0;
  } else if (reversible) {
    self->tape.schedule = TIER_TAPE_REVERSIBLE;
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct unroll *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  self->host = host;
  self->v = host_interface(host, "tier.vector/1");
  self->problem = host_interface(host, "tier.problem/1");
  self->step = tier_given(params, "step") ? params->api->instance(params, "step") : NULL;
  self->truncate = tier_given(params, "truncate") ? tier_integer(params, "truncate") : 0;
  self->lookahead = tier_given(params, "lookahead") ? tier_integer(params, "lookahead") : 0;
  self->first_order = tier_boolean(params, "first_order");
  int32_t status =
      self->v == NULL || self->problem == NULL ? TIER_E_PLUGIN : choose_tape(host, params, self);
  if (status < 0) {
    free(self);
    return status;
  }
  *object = self;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.estimator/1") == 0 ? (const void *)&estimator
         : strcmp(interface_id, "tier.cost/1") == 0    ? (const void *)&costs
                                                       : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_NEEDS_STEP,
     .kind = "estimator",
     .id = "unroll",
     .summary = "differentiates through the optimizer's steps, in reverse",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("unroll", "1.0", "MIT", components);

/* One step: the solution as a function of the inputs is taken to be the last optimizer step alone,
 * w' = step(w, s, g(w, theta)), with w a constant. Its cross product is taken by central
 * differences (Liu, Simonyan, Yang 2019, equation 8):
 *
 *   (d2F/dtheta dw) v ~ (dF/dtheta(w + a v) - dF/dtheta(w - a v)) / (2 a),  a = radius / |v|.
 *
 * Two gradients and no second derivative. The exact form is unroll with "truncate": 1.
 *
 * Through several levels, each takes the difference along the cotangent that the one above it has
 * formed. nested-fd forms none: it follows each of the two gradients through the rest of the path,
 * and takes the difference of what they become there, as the first of these methods do. That
 * subtracts nearly equal numbers once more. */
#include <stdlib.h>
#include <string.h>

#include "../declared_cost.h"
#include "../host_interface.h"
#include "stepping.h"

struct one_step {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_problem_1 *problem;
  const tier_instance *step; /* or NULL: the level's own */
  double radius;
  int32_t nested;
  const char *id;
};

static const tier_slot slots[] = {STEP_SLOT,
                                  {.name = "radius",
                                   .doc = "length of the displacement in the central difference",
                                   .fallback = "0.01",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .flags = TIER_SLOT_OPEN_MINIMUM,
                                   .minimum = 0,
                                   .maximum = 1e300}};

static int32_t solve(void *object, tier_edge *e, tier_state *state, tier_record *r) {
  const struct one_step *self = object;
  const tier_tape last = {
      .struct_size = (uint32_t)sizeof last, .schedule = TIER_TAPE_LAST, .count = 1};
  (void)state;
  TIER_TRY(self->problem->keep(e, r, &last));
  return stepping_solve(self->host, self->problem, self->id, e, r, self->step, 1);
}

/* The vectors of one pullback. */
struct work {
  tier_vector *w, *g; /* (n): cotangents of w and of the gradient; w then is scratch */
  tier_vector *s;     /* (m) */
  tier_vector *d;     /* (p): the difference of the two gradients in the inputs */
};

static int32_t work_open(struct work *k, const struct one_step *self, tier_edge *e,
                         tier_record *r) {
  k->w = self->v->create(self->problem->size(e));
  k->g = self->v->create(self->problem->size(e));
  k->s = self->v->create(self->problem->state_size(r));
  k->d = self->v->create(self->problem->input_size(e));
  if (k->w == NULL || k->g == NULL || k->s == NULL || k->d == NULL) {
    return tier_failf(self->host, TIER_E_MEMORY, "no memory for 4 vectors");
  }
  return TIER_OK;
}

static void work_close(struct work *k, const struct one_step *self) {
  self->v->destroy(k->w);
  self->v->destroy(k->g);
  self->v->destroy(k->s);
  self->v->destroy(k->d);
}

/* inputs += the central difference along g, at the oracle's point; or what it becomes further on.
 */
static int32_t difference(const struct one_step *self, tier_edge *e, tier_record *r, tier_oracle *o,
                          struct work *k, tier_vector *inputs) {
  const tier_vector *point = self->problem->point(o);
  double a = self->radius / self->v->norm(k->g);
  for (int side = 0; side < 2; side++) {
    double sign = side == 0 ? 1.0 : -1.0;
    self->v->copy(point, k->w);
    self->v->axpy(sign * a, k->g, k->w);
    if (self->nested) {
      self->v->fill(k->d, 0.0);
      TIER_TRY(self->problem->input_gradient_at(o, k->w, 1.0, k->d));
      TIER_TRY(self->problem->rest(e, r, sign / (2.0 * a), k->d));
    } else {
      TIER_TRY(self->problem->input_gradient_at(o, k->w, sign, k->d));
    }
  }
  if (!self->nested) {
    self->v->axpy(1.0 / (2.0 * a), k->d, inputs);
  }
  return TIER_OK;
}

static int32_t pull(const struct one_step *self, tier_edge *e, tier_record *r,
                    const tier_vector *cotangent, struct work *k, tier_vector *inputs) {
  const tier_problem_1 *problem = self->problem;
  tier_oracle *o = NULL;
  int64_t t = problem->tape_length(r) - 1;
  TIER_TRY(stepping_report_gradient(problem, self->v, e, r, k->g));
  TIER_TRY(problem->report_number(r, "iterations", 1.0));
  TIER_TRY(problem->report_text(r, "stop", "truncated"));
  if (t < 0) { /* the level took no step: nothing depends on the inputs */
    return TIER_OK;
  }
  self->v->copy(cotangent, k->w);
  TIER_TRY(problem->step_vjp(e, r, t, k->w, k->s, k->w, k->s, k->g, inputs));
  if (self->v->norm(k->g) == 0.0) {
    return TIER_OK;
  }
  TIER_TRY(problem->at_step(e, r, t, &o));
  int32_t status = difference(self, e, r, o, k, inputs);
  problem->release(o);
  return status;
}

static int32_t pullback(void *object, tier_edge *e, tier_state *state, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  const struct one_step *self = object;
  struct work k;
  (void)state;
  if (self->v->max_abs(cotangent) == 0.0) {
    return self->problem->report_text(r, "stop", "zero");
  }
  int32_t status = work_open(&k, self, e, r);
  if (status == TIER_OK) {
    status = pull(self, e, r, cotangent, &k, inputs);
  }
  work_close(&k, self);
  return status;
}

static const tier_estimator_1 estimator = {
    .struct_size = (uint32_t)sizeof estimator, .solve = solve, .pullback = pullback};

/* One gradient for the report, two for the difference. What nested-fd's two go through further on,
 * in levels above, is not among them. */
static int32_t cost(void *object, const tier_cost_problem *problem, tier_cost *out) {
  (void)object;
  out->gradients = 3;
  out->reals = stepping_reals(problem, 1) + 2 * problem->n + problem->state + problem->p;
  out->flags = TIER_COST_BIASED | (problem->stochastic ? TIER_COST_RANDOM : 0);
  out->right = "the last step alone";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static int32_t create(const tier_host *host, const tier_params *params, const char *id,
                      int32_t nested, void **object) {
  struct one_step *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  self->host = host;
  self->v = host_interface(host, "tier.vector/1");
  self->problem = host_interface(host, "tier.problem/1");
  self->step = tier_given(params, "step") ? params->api->instance(params, "step") : NULL;
  self->radius = tier_number(params, "radius");
  self->id = id;
  self->nested = nested;
  if (self->v == NULL || self->problem == NULL) {
    free(self);
    return TIER_E_PLUGIN;
  }
  *object = self;
  return TIER_OK;
}

static int32_t create_one_step(const tier_host *host, const tier_params *params, void **object) {
  return create(host, params, "one-step", 0, object);
}
static int32_t create_nested(const tier_host *host, const tier_params *params, void **object) {
  return create(host, params, "nested-fd", 1, object);
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
     .id = "one-step",
     .summary = "the last optimizer step alone, its cross product by central differences",
     TIER_SLOTS(slots),
     .create = create_one_step,
     .destroy = free,
     .get = get},
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_NEEDS_STEP,
     .kind = "estimator",
     .id = "nested-fd",
     .summary = "one-step, with the rest of the path inside its central differences",
     TIER_SLOTS(slots),
     .create = create_nested,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("one-step", "1.0", "MIT", components);

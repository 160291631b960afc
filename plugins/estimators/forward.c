/* Forward mode: the tangents dw/dtheta are carried along with the steps, a block of inputs at a
 * time, so memory does not depend on the number of steps (Franceschi, Donini, Frasconi, Pontil
 * 2017, section 3.2). For few inputs: p of them take p Hessian products a step, where a reverse
 * sweep takes one. The result is unroll's, to rounding. Only the start is kept; each block takes
 * the steps again. */
#include <stdlib.h>
#include <string.h>

#include "../declared_cost.h"
#include "../host_interface.h"
#include "stepping.h"
#include "tangents.h"

struct forward {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_problem_1 *problem;
  const tier_instance *step; /* or NULL: the level's own */
  int64_t truncate;          /* 0: all steps */
  int64_t block;
  int64_t most;
};

static const tier_slot slots[] = {
    {.name = "block",
     .doc = "how many inputs are followed at a time",
     .fallback = "16",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e6},
    {.name = "most",
     .doc = "more inputs than this are refused: each costs a Hessian product a step",
     .fallback = "1000",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e15},
    STEP_SLOT,
    {.name = "truncate",
     .doc = "with \"step\": how many steps are taken with it; default: the level's \"steps\"",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e15}};

static int32_t solve(void *object, tier_edge *e, tier_state *state, tier_record *r) {
  const struct forward *self = object;
  const tier_tape tape = {
      .struct_size = (uint32_t)sizeof tape, .schedule = TIER_TAPE_CHECKPOINTS, .count = 1};
  int64_t count = self->truncate > 0 ? self->truncate : self->problem->steps(e);
  int64_t p = self->problem->input_size(e);
  (void)state;
  if (p > self->most) {
    return tier_failf(self->host, TIER_E_REFUSED,
                      "forward follows each input of the lower level, and there are %lld: use "
                      "unroll, or raise \"most\" (%lld)",
                      (long long)p, (long long)self->most);
  }
  TIER_TRY(self->problem->keep(e, r, &tape));
  return stepping_solve(self->host, self->problem, "forward", e, r, self->step, count);
}

static struct tangents tangents_of(const struct forward *self, tier_edge *e, tier_record *r,
                                   int64_t count) {
  return (struct tangents){
      .host = self->host, .v = self->v, .problem = self->problem, .e = e, .r = r, .count = count};
}

/* inputs[j] += <dw/dtheta_j, cotangent> for the block's j, from `first` on. */
static int32_t pull_block(const struct forward *self, struct tangents *z, int64_t first,
                          const tier_vector *cotangent, tier_vector *inputs) {
  const double one = 1.0;
  for (int64_t i = 0; i < z->count; i++) {
    self->v->fill(z->inputs[i], 0.0);
    self->v->write(z->inputs[i], first + i, 1, &one);
  }
  TIER_TRY(tangents_push(z, 0, 0));
  for (int64_t i = 0; i < z->count; i++) {
    double sum = 0.0;
    self->v->read(inputs, first + i, 1, &sum);
    sum += self->v->dot(z->w[i], cotangent);
    self->v->write(inputs, first + i, 1, &sum);
  }
  return TIER_OK;
}

static int32_t pull_all(const struct forward *self, tier_edge *e, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  int64_t p = self->problem->input_size(e);
  int32_t status = TIER_OK;
  for (int64_t first = 0; first < p && status == TIER_OK; first += self->block) {
    int64_t left = p - first;
    struct tangents z = tangents_of(self, e, r, left < self->block ? left : self->block);
    status = tangents_open(&z);
    if (status == TIER_OK) {
      status = pull_block(self, &z, first, cotangent, inputs);
    }
    tangents_close(&z);
  }
  return status;
}

static int32_t report(const struct forward *self, tier_edge *e, tier_record *r) {
  const tier_problem_1 *problem = self->problem;
  tier_vector *scratch = self->v->create(problem->size(e));
  if (scratch == NULL) {
    return tier_failf(self->host, TIER_E_MEMORY, "no memory for a vector");
  }
  int32_t status = stepping_report_gradient(problem, self->v, e, r, scratch);
  self->v->destroy(scratch);
  TIER_TRY(status);
  TIER_TRY(problem->report_number(r, "iterations", (double)problem->tape_length(r)));
  TIER_TRY(problem->report_number(r, "tape_bytes", (double)problem->tape_bytes(r)));
  return problem->report_text(r, "stop", self->step == NULL ? "start" : "truncated");
}

static int32_t check_start(const struct forward *self, tier_edge *e, tier_record *r) {
  return self->step != NULL ? TIER_OK
                            : tangents_check_start(self->host, self->v, self->problem, e, r);
}

static int32_t pullback(void *object, tier_edge *e, tier_state *state, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  const struct forward *self = object;
  (void)state;
  if (self->v->max_abs(cotangent) == 0.0) {
    return self->problem->report_text(r, "stop", "zero");
  }
  TIER_TRY(check_start(self, e, r));
  TIER_TRY(report(self, e, r));
  return pull_all(self, e, r, cotangent, inputs);
}

static int32_t pushforward(void *object, tier_edge *e, tier_state *state, tier_record *r,
                           const tier_vector *tangent, tier_vector *out) {
  const struct forward *self = object;
  struct tangents z = tangents_of(self, e, r, 1);
  (void)state;
  TIER_TRY(check_start(self, e, r));
  int32_t status = tangents_open(&z);
  if (status == TIER_OK) {
    self->v->copy(tangent, z.inputs[0]);
    status = tangents_push(&z, 0, 0);
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

/* One gradient for the report; each block of inputs takes the steps again. The start and two frames
 * are on the tape. */
static int32_t cost(void *object, const tier_cost_problem *problem, tier_cost *out) {
  const struct forward *self = object;
  int64_t length = stepping_length(self->host, self->step, self->truncate, problem);
  int64_t block = self->block < problem->p ? self->block : problem->p;
  TIER_TRY(length < 0 ? (int32_t)length : TIER_OK);
  int64_t again = length > 0 ? length - 1 : 0;
  out->gradients = 1 + (problem->p + block - 1) / block * again;
  out->hvps = problem->p * again;
  out->cross = problem->p * length;
  out->reals = stepping_reals(problem, 3) + block * (3 * problem->n + problem->state + problem->p);
  out->flags = self->step != NULL ? TIER_COST_BIASED : problem->flags & TIER_COST_MAY_STOP;
  out->right = self->step != NULL ? "the steps from the solution" : "the steps that were taken";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct forward *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  self->host = host;
  self->v = host_interface(host, "tier.vector/1");
  self->problem = host_interface(host, "tier.problem/1");
  self->step = tier_given(params, "step") ? params->api->instance(params, "step") : NULL;
  self->truncate = tier_given(params, "truncate") ? tier_integer(params, "truncate") : 0;
  self->block = tier_integer(params, "block");
  self->most = tier_integer(params, "most");
  int32_t status = self->v == NULL || self->problem == NULL ? TIER_E_PLUGIN : TIER_OK;
  if (status == TIER_OK && self->truncate > 0 && self->step == NULL) {
    status = tier_failf(host, TIER_E_INVALID,
                        "forward: \"truncate\" says how many steps of \"step\" are taken; without "
                        "a \"step\" all of the level's are followed");
  }
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
     .id = "forward",
     .summary = "differentiates through the optimizer's steps, forwards; for few inputs",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("forward", "1.0", "MIT", components);

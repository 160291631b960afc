/* Implicit differentiation: at a minimum w* of F(w, theta) the gradient in w stays zero, so
 *
 *   dw* / dtheta = -H^-1 d2F/dw dtheta,  H = d2F/dw2,
 *
 * and the pullback of a cotangent u is -(d2F/dtheta dw) q with (H + damping I) q = u: one linear
 * solve, by the linear solver of slot "solver", then one cross product. It is right to first order
 * in the norm of the gradient that is left, which the report states. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/estimator.h>
#include <tier/linear_solver.h>

#include "../host_interface.h"

struct implicit {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_problem_1 *problem;
  const tier_instance *solver;
  const tier_instance *preconditioner; /* or NULL */
  const tier_instance *step;           /* or NULL */
  double damping;
  int64_t batch; /* rows a data; 0: the level's own */
};

static const tier_slot slots[] = {
    {.name = "solver",
     .doc = "what solves with the lower level's Hessian",
     .unit = "",
     .choices = "linear-solver",
     .type = TIER_SLOT_APPLICATION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "damping",
     .doc = "added to the Hessian's diagonal",
     .fallback = "0",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "batch",
     .doc = "rows of each data in the Hessian; default: the lower level's batch",
     .unit = "rows",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e15},
    {.name = "step",
     .doc = "an optimizer whose lr is the step size for solvers that need one (neumann)",
     .unit = "",
     .choices = "optimizer",
     .type = TIER_SLOT_APPLICATION},
    {.name = "preconditioner",
     .doc = "a linear solver whose rough solution guides the solver (cg)",
     .unit = "",
     .choices = "linear-solver",
     .type = TIER_SLOT_APPLICATION},
    {.name = "via",
     .doc = "what is differentiated: the objective's gradient, or the step map at its fixed point",
     .fallback = "\"objective\"",
     .unit = "",
     .choices = "objective|step",
     .type = TIER_SLOT_TEXT}};

/* ---- the system (H + damping I) x = b, at one oracle ---- */

struct system {
  tier_linear_system face; /* context points to this */
  const struct implicit *self;
  tier_edge *e;
  tier_oracle *o;
};

static int32_t apply(void *context, const tier_vector *v, tier_vector *out) {
  const struct system *s = context;
  TIER_TRY(s->self->problem->hvp(s->o, v, out));
  if (s->self->damping > 0.0) {
    s->self->v->axpy(s->self->damping, v, out);
  }
  return TIER_OK;
}

static int32_t apply_block(void *context, int64_t k, const tier_vector *const *vs,
                           tier_vector *const *outs) {
  const struct system *s = context;
  TIER_TRY(s->self->problem->hvp_block(s->o, k, vs, outs));
  for (int64_t i = 0; i < k && s->self->damping > 0.0; i++) {
    s->self->v->axpy(s->self->damping, vs[i], outs[i]);
  }
  return TIER_OK;
}

static int32_t step_size(void *context, double *step) {
  const struct system *s = context;
  return s->self->problem->step_size(s->e, s->self->step, step);
}

static int32_t run_solver(const struct implicit *self, const tier_instance *i,
                          const tier_linear_system *system, const tier_vector *b, tier_vector *x,
                          tier_linear_report *report) {
  void *object = NULL;
  const tier_linear_solver_1 *solver = i->api->get(i, "tier.linear_solver/1", &object);
  if (solver == NULL) {
    return tier_failf(self->host, TIER_E_PLUGIN, "\"%s\" is no linear solver",
                      i->api->component(i)->id);
  }
  return solver->solve(object, system, i->api->state(i), b, x, report);
}

/* out <- the preconditioner's solution of the same system, itself without a preconditioner. */
static int32_t precondition(void *context, const tier_vector *v, tier_vector *out) {
  const struct system *s = context;
  tier_linear_system plain = s->face;
  tier_linear_report report = {.struct_size = (uint32_t)sizeof report};
  plain.precondition = NULL;
  return run_solver(s->self, s->self->preconditioner, &plain, v, out, &report);
}

static struct system system_at(const struct implicit *self, tier_edge *e, tier_oracle *o) {
  return (struct system){.face = {.struct_size = (uint32_t)sizeof(tier_linear_system),
                                  .flags = TIER_SYSTEM_SYMMETRIC | TIER_SYSTEM_POSITIVE,
                                  .size = self->problem->size(e),
                                  .apply = apply,
                                  .apply_block = apply_block,
                                  .precondition = self->preconditioner ? precondition : NULL,
                                  .step_size = step_size},
                         .self = self,
                         .e = e,
                         .o = o};
}

static int32_t report_solve(const struct implicit *self, tier_record *r,
                            const tier_linear_report *report) {
  TIER_TRY(self->problem->report_number(r, "iterations", (double)report->iterations));
  if (!isnan(report->residual)) {
    TIER_TRY(self->problem->report_number(r, "residual", report->residual));
  }
  return self->problem->report_text(r, "stop", report->stop != NULL ? report->stop : "");
}

/* x <- (H + damping I)^-1 b at the oracle. */
static int32_t solve_system(const struct implicit *self, tier_edge *e, tier_record *r,
                            tier_oracle *o, const tier_vector *b, tier_vector *x) {
  struct system s = system_at(self, e, o);
  tier_linear_report report = {.struct_size = (uint32_t)sizeof report, .residual = NAN};
  s.face.context = &s;
  TIER_TRY(run_solver(self, self->solver, &s.face, b, x, &report));
  TIER_TRY(report_solve(self, r, &report));
  if (!self->v->finite(x)) {
    return tier_failf(self->host, TIER_E_NONFINITE,
                      "%s's solution of the linear system is not finite: add \"damping\", or solve "
                      "the lower level further",
                      self->solver->api->component(self->solver)->id);
  }
  return TIER_OK;
}

/* ---- the estimator ---- */

static int32_t solve(void *object, tier_edge *e, tier_state *state, tier_record *r) {
  const struct implicit *self = object;
  (void)state;
  return self->problem->run(e, r, 0);
}

/* The norm of the gradient that the lower level has left; `g` is scratch. */
static int32_t report_gradient(const struct implicit *self, tier_record *r, tier_oracle *o,
                               tier_vector *g) {
  double value = 0.0;
  TIER_TRY(self->problem->gradient(o, &value, g));
  return self->problem->report_number(r, "gradient_norm", self->v->norm(g));
}

static int32_t pull(const struct implicit *self, tier_edge *e, tier_record *r, tier_oracle *o,
                    const tier_vector *cotangent, tier_vector *q, tier_vector *inputs) {
  TIER_TRY(report_gradient(self, r, o, q));
  TIER_TRY(solve_system(self, e, r, o, cotangent, q));
  return self->problem->cross(o, q, -1.0, inputs);
}

static int32_t push(const struct implicit *self, tier_edge *e, tier_record *r, tier_oracle *o,
                    const tier_vector *tangent, tier_vector *b, tier_vector *out) {
  TIER_TRY(self->problem->cross_forward(o, tangent, b));
  self->v->scale(-1.0, b);
  return solve_system(self, e, r, o, b, out);
}

static int32_t report_zero(const struct implicit *self, tier_record *r) {
  const tier_linear_report report = {.struct_size = (uint32_t)sizeof report, .stop = "zero"};
  return report_solve(self, r, &report);
}

static int32_t pullback(void *object, tier_edge *e, tier_state *state, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  const struct implicit *self = object;
  tier_oracle *o = NULL;
  (void)state;
  if (self->v->max_abs(cotangent) == 0.0) {
    return report_zero(self, r);
  }
  tier_vector *q = self->v->create(self->problem->size(e));
  int32_t status = q != NULL ? self->problem->at_solution(e, r, 0, self->batch, &o)
                             : tier_failf(self->host, TIER_E_MEMORY, "no memory for a vector");
  if (status == TIER_OK) {
    status = pull(self, e, r, o, cotangent, q, inputs);
    self->problem->release(o);
  }
  self->v->destroy(q);
  return status;
}

static int32_t pushforward(void *object, tier_edge *e, tier_state *state, tier_record *r,
                           const tier_vector *tangent, tier_vector *out) {
  const struct implicit *self = object;
  tier_oracle *o = NULL;
  (void)state;
  tier_vector *b = self->v->create(self->problem->size(e));
  int32_t status = b != NULL ? self->problem->at_solution(e, r, 0, self->batch, &o)
                             : tier_failf(self->host, TIER_E_MEMORY, "no memory for a vector");
  if (status == TIER_OK) {
    status = push(self, e, r, o, tangent, b, out);
    self->problem->release(o);
  }
  self->v->destroy(b);
  return status;
}

static const tier_estimator_1 estimator = {.struct_size = (uint32_t)sizeof estimator,
                                           .solve = solve,
                                           .pullback = pullback,
                                           .pushforward = pushforward};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  if (strcmp(tier_text(params, "via"), "step") == 0) {
    return tier_failf(host, TIER_E_UNSUPPORTED,
                      "\"via\": \"step\" is not supported yet; leave it out, or use unroll");
  }
  struct implicit *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  self->host = host;
  self->v = host_interface(host, "tier.vector/1");
  self->problem = host_interface(host, "tier.problem/1");
  self->solver = params->api->instance(params, "solver");
  self->damping = tier_number(params, "damping");
  self->batch = tier_given(params, "batch") ? tier_integer(params, "batch") : 0;
  self->step = tier_given(params, "step") ? params->api->instance(params, "step") : NULL;
  self->preconditioner =
      tier_given(params, "preconditioner") ? params->api->instance(params, "preconditioner") : NULL;
  if (self->v == NULL || self->problem == NULL) {
    free(self);
    return TIER_E_PLUGIN;
  }
  *object = self;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.estimator/1") == 0 ? &estimator : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_IMPLICIT,
     .kind = "estimator",
     .id = "implicit",
     .summary = "implicit differentiation at the solution, with any linear solver",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("implicit", "1.0", "MIT", components);

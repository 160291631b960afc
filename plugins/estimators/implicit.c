/* Implicit differentiation: at a minimum w* of F(w, theta) the gradient in w stays zero, so
 *
 *   dw* / dtheta = -H^-1 d2F/dw dtheta,  H = d2F/dw2,
 *
 * and the pullback of a cotangent u is -(d2F/dtheta dw) q with (H + damping I) q = u: one linear
 * solve, by the linear solver of slot "solver", then one cross product. It is right to first order
 * in the norm of the gradient that is left, which the report states.
 *
 * With `via` "step" it differentiates the fixed point z* = (w*, s*) of an optimizer's step map
 * Phi(z, theta) instead (Christianson 1994; Grazzi, Franceschi, Pontil, Salzo 2020, section 2):
 *
 *   dz* / dtheta = (I - J)^-1 dPhi/dtheta,  J = dPhi/dz,
 *
 * so (I - J^T + damping I) q = (u, 0), and the pullback is (dPhi/dtheta)^T q. With the cotangents
 * (v_w, v_s, v_g) that the step's own vjp makes of q = (q_w, q_s), where g = dF/dw,
 *
 *   J^T q = (v_w + H v_g, v_s),  (dPhi/dtheta)^T q = (d2F/dtheta dw) v_g.
 *
 * What the step reads itself (a learning rate) has no effect where g = 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/estimator.h>
#include <tier/linear_solver.h>

#include "../declared_cost.h"
#include "../host_interface.h"

struct implicit {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_problem_1 *problem;
  const tier_instance *solver;
  const tier_instance *preconditioner; /* or NULL */
  const tier_instance *step;           /* or NULL */
  double damping;
  int64_t batch; /* rows a data of the Hessian; 0: the level's own */
  int32_t via_step;
};

static const tier_slot slots[] = {
    {.name = "solver",
     .doc = "what solves with the lower level's Hessian",
     .unit = "",
     .choices = "linear-solver",
     .type = TIER_SLOT_APPLICATION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "damping",
     .doc = "added to the diagonal of the system: the Hessian's, or via step that of I - J",
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
     .doc = "an optimizer: its lr is the step size of solvers that need one (neumann), and via "
            "step it is the map; default: the level's own",
     .unit = "",
     .choices = "optimizer",
     .type = TIER_SLOT_APPLICATION},
    {.name = "preconditioner",
     .doc = "a linear solver whose rough solution guides the solver: nystrom, dense, identity or "
            "neumann, for cg, minres, gmres or bicgstab",
     .unit = "",
     .choices = "linear-solver",
     .type = TIER_SLOT_APPLICATION},
    {.name = "via",
     .doc = "what is differentiated: the objective's gradient, or the step map at its fixed point",
     .fallback = "\"objective\"",
     .unit = "",
     .choices = "objective|step",
     .type = TIER_SLOT_TEXT},
    {.name = "products",
     .doc = "where the lower level's own gradient has a response: its products, exact (the default "
            "where they can be) or difference",
     .unit = "",
     .choices = "exact|difference",
     .type = TIER_SLOT_TEXT}};

/* Draws of one hypergradient: the host keeps as many apart from the next one's. */
#define MOST_DRAWS 1048575

/* ---- one pullback or pushforward ---- */

/* What a preconditioner has made for one system. */
struct prepared {
  const tier_linear_solver_1 *solver; /* NULL: nothing was asked of it yet */
  void *object;
  void *made; /* or NULL: it prepares nothing */
};

struct work {
  tier_linear_system face; /* context points to this */
  const struct implicit *self;
  tier_edge *e;
  tier_record *r;
  tier_oracle *o;     /* the level's own batch: gradient and cross products */
  tier_oracle *drawn; /* the Hessian's: o itself, or one of its own */
  int64_t draw;       /* of `drawn` */
  struct prepared prepared;
  int64_t n, m, p;       /* of w, of the step's state (via step), of the inputs */
  tier_vector *w, *h;    /* (n): a part of z; a Hessian product */
  tier_vector *g;        /* (n): the cotangent or tangent of the gradient */
  tier_vector *s, *s_to; /* (m): the other part of z; what the step makes of it */
  tier_vector *inputs;   /* (p): zeros, or what nobody reads */
};

/* ---- the system (H + damping I) x = b ---- */

static int32_t apply(void *context, const tier_vector *v, tier_vector *out) {
  const struct work *k = context;
  TIER_TRY(k->self->problem->hvp(k->drawn, v, out));
  if (k->self->damping > 0.0) {
    k->self->v->axpy(k->self->damping, v, out);
  }
  return TIER_OK;
}

static int32_t apply_block(void *context, int64_t count, const tier_vector *const *vs,
                           tier_vector *const *outs) {
  const struct work *k = context;
  TIER_TRY(k->self->problem->hvp_block(k->drawn, count, vs, outs));
  for (int64_t i = 0; i < count && k->self->damping > 0.0; i++) {
    k->self->v->axpy(k->self->damping, vs[i], outs[i]);
  }
  return TIER_OK;
}

static int32_t step_size(void *context, double *step) {
  const struct work *k = context;
  return k->self->problem->step_size(k->e, k->self->step, step);
}

/* ---- the system (I - J^T + damping I) q = b of the step map, or its adjoint ---- */

/* to[at ...] <- x[from ...], `count` elements. */
static void copy_part(const struct work *k, const tier_vector *x, int64_t from, int64_t count,
                      tier_vector *to, int64_t at) {
  double part[512];
  for (int64_t i = 0; i < count; i += 512) {
    int64_t some = count - i < 512 ? count - i : 512;
    k->self->v->read(x, from + i, some, part);
    k->self->v->write(to, at + i, some, part);
  }
}

static void split(const struct work *k, const tier_vector *z, tier_vector *w, tier_vector *s) {
  copy_part(k, z, 0, k->n, w, 0);
  copy_part(k, z, k->n, k->m, s, 0);
}

/* out <- z - (w, s) + damping z. */
static void subtract(const struct work *k, const tier_vector *z, const tier_vector *w,
                     const tier_vector *s, tier_vector *out) {
  copy_part(k, w, 0, k->n, out, 0);
  copy_part(k, s, 0, k->m, out, k->n);
  k->self->v->axpby(1.0 + k->self->damping, z, -1.0, out);
}

/* w, s <- J^T (w, s) without the part through the gradient, whose cotangent goes to g. */
static int32_t pull_step(struct work *k) {
  k->self->v->fill(k->inputs, 0.0);
  return k->self->problem->step_vjp(k->e, k->r, 0, k->w, k->s, k->w, k->s, k->g, k->inputs);
}

static int32_t apply_transposed(void *context, const tier_vector *z, tier_vector *out) {
  struct work *k = context;
  split(k, z, k->w, k->s);
  TIER_TRY(pull_step(k));
  TIER_TRY(k->self->problem->hvp(k->drawn, k->g, k->h));
  k->self->v->axpy(1.0, k->h, k->w);
  subtract(k, z, k->w, k->s, out);
  return TIER_OK;
}

static int32_t apply_forward(void *context, const tier_vector *z, tier_vector *out) {
  struct work *k = context;
  split(k, z, k->w, k->s);
  k->self->v->fill(k->inputs, 0.0);
  TIER_TRY(k->self->problem->hvp(k->drawn, k->w, k->g));
  TIER_TRY(k->self->problem->step_jvp(k->e, k->r, 0, k->w, k->s, k->g, k->inputs, k->h, k->s_to));
  subtract(k, z, k->h, k->s_to, out);
  return TIER_OK;
}

static int32_t each(struct work *k, int32_t (*one)(void *, const tier_vector *, tier_vector *),
                    int64_t count, const tier_vector *const *vs, tier_vector *const *outs) {
  for (int64_t i = 0; i < count; i++) {
    TIER_TRY(one(k, vs[i], outs[i]));
  }
  return TIER_OK;
}

static int32_t block_transposed(void *context, int64_t count, const tier_vector *const *vs,
                                tier_vector *const *outs) {
  return each(context, apply_transposed, count, vs, outs);
}

static int32_t block_forward(void *context, int64_t count, const tier_vector *const *vs,
                             tier_vector *const *outs) {
  return each(context, apply_forward, count, vs, outs);
}

/* ---- fresh rows ---- */

static int32_t redraw(void *context) {
  struct work *k = context;
  tier_oracle *next = NULL;
  if (k->draw == MOST_DRAWS) {
    return tier_failf(k->self->host, TIER_E_REFUSED,
                      "more than %d draws of rows in one hypergradient: reduce \"depth\" or "
                      "\"repeats\"",
                      MOST_DRAWS);
  }
  TIER_TRY(k->self->problem->at_solution(k->e, k->r, k->draw + 1, k->self->batch, &next));
  if (k->drawn != k->o) {
    k->self->problem->release(k->drawn);
  }
  k->drawn = next;
  k->draw++;
  return TIER_OK;
}

/* ---- solvers ---- */

static int32_t find_solver(const struct implicit *self, const tier_instance *i, void **object,
                           const tier_linear_solver_1 **solver) {
  *solver = i->api->get(i, "tier.linear_solver/1", object);
  return *solver != NULL ? TIER_OK
                         : tier_failf(self->host, TIER_E_PLUGIN, "\"%s\" is no linear solver",
                                      i->api->component(i)->id);
}

static struct tier_linear_report no_report(void) {
  return (tier_linear_report){
      .struct_size = (uint32_t)sizeof(tier_linear_report), .residual = NAN, .contraction = NAN};
}

static int can_prepare(const tier_linear_solver_1 *solver) {
  return solver->struct_size >= offsetof(tier_linear_solver_1, discard) + sizeof solver->discard &&
         solver->prepare != NULL && solver->precondition != NULL && solver->discard != NULL;
}

/* The system as its preconditioner sees it. */
static tier_linear_system plain_system(const struct work *k) {
  tier_linear_system plain = k->face;
  plain.precondition = NULL;
  return plain;
}

/* out <- the preconditioner's solution of the same system, itself without a preconditioner. */
static int32_t precondition(void *context, const tier_vector *v, tier_vector *out) {
  struct work *k = context;
  struct prepared *p = &k->prepared;
  const tier_instance *i = k->self->preconditioner;
  tier_linear_system plain = plain_system(k);
  if (p->solver == NULL) {
    TIER_TRY(find_solver(k->self, i, &p->object, &p->solver));
    if (can_prepare(p->solver)) {
      TIER_TRY(p->solver->prepare(p->object, &plain, i->api->state(i), &p->made));
    }
  }
  if (p->made != NULL) {
    return p->solver->precondition(p->object, p->made, v, out);
  }
  tier_linear_report report = no_report();
  return p->solver->solve(p->object, &plain, i->api->state(i), v, out, &report);
}

static int32_t report_solve(const struct implicit *self, tier_record *r,
                            const tier_linear_report *report) {
  TIER_TRY(self->problem->report_number(r, "iterations", (double)report->iterations));
  if (!isnan(report->residual)) {
    TIER_TRY(self->problem->report_number(r, "residual", report->residual));
  }
  if (!isnan(report->contraction)) {
    TIER_TRY(self->problem->report_number(r, "contraction", report->contraction));
  }
  return self->problem->report_text(r, "stop", report->stop != NULL ? report->stop : "");
}

/* x <- the system's solution. */
static int32_t solve_system(struct work *k, const tier_vector *b, tier_vector *x) {
  const struct implicit *self = k->self;
  const tier_instance *i = self->solver;
  const tier_linear_solver_1 *solver = NULL;
  void *object = NULL;
  tier_linear_report report = no_report();
  TIER_TRY(find_solver(self, i, &object, &solver));
  TIER_TRY(solver->solve(object, &k->face, i->api->state(i), b, x, &report));
  TIER_TRY(report_solve(self, k->r, &report));
  if (!self->v->finite(x)) {
    return tier_failf(self->host, TIER_E_NONFINITE,
                      "%s's solution of the linear system is not finite: add \"damping\", or solve "
                      "the lower level further",
                      i->api->component(i)->id);
  }
  return TIER_OK;
}

/* ---- opening and closing ---- */

/* Refuses a step map without a fixed point. */
static int32_t check_step_map(const struct implicit *self, const tier_edge *e) {
  if (!self->via_step || self->problem->fixed_point(e, self->step)) {
    return TIER_OK;
  }
  return tier_failf(
      self->host, TIER_E_REFUSED,
      "\"via\": \"step\" needs a step map that rests where the gradient is zero and can "
      "be differentiated there: sgd, momentum or nesterov; %s has no such fixed point "
      "(adam and rmsprop divide by the gradient's size). Name another at \"step\", or "
      "leave \"via\" out",
      self->step != NULL ? self->step->api->component(self->step)->id : "the level's optimizer");
}

static void close_work(struct work *k) {
  tier_vector *vectors[] = {k->w, k->h, k->g, k->s, k->s_to, k->inputs};
  if (k->prepared.made != NULL) {
    k->prepared.solver->discard(k->prepared.object, k->prepared.made);
  }
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    k->self->v->destroy(vectors[i]);
  }
  if (k->drawn != NULL && k->drawn != k->o) {
    k->self->problem->release(k->drawn);
  }
  if (k->o != NULL) {
    k->self->problem->release(k->o);
  }
}

static int32_t open_oracles(struct work *k) {
  const struct implicit *self = k->self;
  TIER_TRY(self->problem->at_solution(k->e, k->r, 0, 0, &k->o));
  k->drawn = k->o;
  if (self->batch > 0) {
    k->drawn = NULL;
    TIER_TRY(self->problem->at_solution(k->e, k->r, 0, self->batch, &k->drawn));
  }
  return TIER_OK;
}

static int32_t open_step(struct work *k, int forward) {
  const struct implicit *self = k->self;
  TIER_TRY(check_step_map(self, k->e));
  TIER_TRY(self->problem->pin(k->e, k->r, self->step));
  k->m = self->problem->state_size(k->r);
  k->p = self->problem->input_size(k->e);
  k->w = self->v->create(k->n);
  k->h = self->v->create(k->n);
  k->s = self->v->create(k->m);
  k->s_to = self->v->create(k->m);
  k->inputs = self->v->create(k->p);
  if (k->w == NULL || k->h == NULL || k->s == NULL || k->s_to == NULL || k->inputs == NULL) {
    return tier_failf(self->host, TIER_E_MEMORY, "no memory for 5 vectors of %lld numbers",
                      (long long)k->n);
  }
  k->face.flags = TIER_SYSTEM_STOCHASTIC;
  k->face.size = k->n + k->m;
  k->face.apply = forward ? apply_forward : apply_transposed;
  k->face.apply_adjoint = forward ? apply_transposed : apply_forward;
  k->face.apply_block = forward ? block_forward : block_transposed;
  k->face.step = 1.0; /* so that neumann sums the powers of J themselves */
  k->face.step_size = NULL;
  return TIER_OK;
}

/* forward: for a pushforward. Close it whatever happens. */
static int32_t open_work(struct work *k, const struct implicit *self, tier_edge *e, tier_record *r,
                         int forward) {
  *k = (struct work){.self = self, .e = e, .r = r, .n = self->problem->size(e), .g = NULL};
  k->face = (tier_linear_system){
      .struct_size = (uint32_t)sizeof(tier_linear_system),
      .flags = TIER_SYSTEM_SYMMETRIC | TIER_SYSTEM_POSITIVE | TIER_SYSTEM_STOCHASTIC,
      .size = k->n,
      .context = k,
      .apply = apply,
      .apply_block = apply_block,
      .precondition = self->preconditioner != NULL ? precondition : NULL,
      .redraw = redraw,
      .step_size = step_size,
      .damping = self->damping};
  k->g = self->v->create(k->n);
  if (k->g == NULL) {
    return tier_failf(self->host, TIER_E_MEMORY, "no memory for a vector");
  }
  TIER_TRY(open_oracles(k));
  return self->via_step ? open_step(k, forward) : TIER_OK;
}

/* ---- the estimator ---- */

static int32_t solve(void *object, tier_edge *e, tier_state *state, tier_record *r) {
  const struct implicit *self = object;
  (void)state;
  return self->problem->run(e, r, 0);
}

/* The norm of the gradient that the lower level has left. */
static int32_t report_gradient(struct work *k) {
  double value = 0.0;
  TIER_TRY(k->self->problem->gradient(k->o, &value, k->g));
  return k->self->problem->report_number(k->r, "gradient_norm", k->self->v->norm(k->g));
}

/* `b` and `x`, of the size of (w, s), are scratch. */
static int32_t pull_via_step(struct work *k, const tier_vector *cotangent, tier_vector *b,
                             tier_vector *x, tier_vector *inputs) {
  copy_part(k, cotangent, 0, k->n, b, 0); /* and none on s */
  TIER_TRY(solve_system(k, b, x));
  split(k, x, k->w, k->s);
  TIER_TRY(pull_step(k));
  k->self->v->axpy(1.0, k->inputs, inputs);
  return k->self->problem->cross(k->o, k->g, 1.0, inputs);
}

static int32_t pull(struct work *k, const tier_vector *cotangent, tier_vector *b, tier_vector *x,
                    tier_vector *inputs) {
  TIER_TRY(report_gradient(k));
  if (k->self->via_step) {
    return pull_via_step(k, cotangent, b, x, inputs);
  }
  TIER_TRY(solve_system(k, cotangent, x));
  return k->self->problem->cross(k->o, x, -1.0, inputs);
}

static int32_t push_via_step(struct work *k, const tier_vector *tangent, tier_vector *b,
                             tier_vector *x, tier_vector *out) {
  k->self->v->fill(k->w, 0.0);
  k->self->v->fill(k->s, 0.0);
  TIER_TRY(k->self->problem->cross_forward(k->o, tangent, k->g));
  TIER_TRY(k->self->problem->step_jvp(k->e, k->r, 0, k->w, k->s, k->g, tangent, k->h, k->s_to));
  copy_part(k, k->h, 0, k->n, b, 0);
  copy_part(k, k->s_to, 0, k->m, b, k->n);
  TIER_TRY(solve_system(k, b, x));
  copy_part(k, x, 0, k->n, out, 0);
  return TIER_OK;
}

static int32_t push(struct work *k, const tier_vector *tangent, tier_vector *b, tier_vector *x,
                    tier_vector *out) {
  if (k->self->via_step) {
    return push_via_step(k, tangent, b, x, out);
  }
  TIER_TRY(k->self->problem->cross_forward(k->o, tangent, b));
  k->self->v->scale(-1.0, b);
  return solve_system(k, b, out);
}

/* A pullback of v to `out`, or (forward) a pushforward. */
static int32_t differentiate(const struct implicit *self, tier_edge *e, tier_record *r, int forward,
                             const tier_vector *v, tier_vector *out) {
  struct work k;
  tier_vector *b = NULL;
  tier_vector *x = NULL;
  int32_t status = open_work(&k, self, e, r, forward);
  if (status == TIER_OK) {
    b = self->v->create(k.face.size);
    x = self->v->create(k.face.size);
    status = b == NULL || x == NULL
                 ? tier_failf(self->host, TIER_E_MEMORY, "no memory for 2 vectors of %lld numbers",
                              (long long)k.face.size)
             : forward ? push(&k, v, b, x, out)
                       : pull(&k, v, b, x, out);
  }
  self->v->destroy(b);
  self->v->destroy(x);
  close_work(&k);
  return status;
}

static int32_t pullback(void *object, tier_edge *e, tier_state *state, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  const struct implicit *self = object;
  (void)state;
  if (self->v->max_abs(cotangent) == 0.0) {
    tier_linear_report report = no_report();
    report.stop = "zero";
    return report_solve(self, r, &report);
  }
  return differentiate(self, e, r, 0, cotangent, inputs);
}

static int32_t pushforward(void *object, tier_edge *e, tier_state *state, tier_record *r,
                           const tier_vector *tangent, tier_vector *out) {
  (void)state;
  return differentiate(object, e, r, 1, tangent, out);
}

static int32_t check(void *object, tier_edge *e) {
  return check_step_map(object, e);
}

static const tier_estimator_1 estimator = {.struct_size = (uint32_t)sizeof estimator,
                                           .solve = solve,
                                           .pullback = pullback,
                                           .pushforward = pushforward,
                                           .check = check};

/* ---- what it costs ---- */

static int32_t cost_of(const struct implicit *self, const tier_instance *i,
                       const tier_cost_problem *system, tier_cost *out) {
  void *object = NULL;
  const tier_cost_1 *api = i->api->get(i, "tier.cost/1", &object);
  *out = (tier_cost){.struct_size = (uint32_t)sizeof *out, .right = ""};
  return api != NULL ? api->cost(object, system, out)
                     : tier_failf(self->host, TIER_E_UNSUPPORTED, "%s does not say what it costs",
                                  i->api->component(i)->id);
}

/* Adds a preconditioner, which is applied at most as often as the solver takes a product: what it
 * prepares costs no more than one solution of its own, and otherwise every time is one. */
static int32_t add_preconditioner(const struct implicit *self, const tier_cost_problem *system,
                                  tier_cost *total) {
  const tier_linear_solver_1 *solver = NULL;
  void *object = NULL;
  tier_cost own;
  if (self->preconditioner == NULL) {
    return TIER_OK;
  }
  TIER_TRY(find_solver(self, self->preconditioner, &object, &solver));
  TIER_TRY(cost_of(self, self->preconditioner, system, &own));
  total->hvps += can_prepare(solver) ? own.hvps : own.hvps * total->hvps;
  total->reals += own.reals;
  return TIER_OK;
}

/* One gradient (for the report), the solver's products, one cross product. On batches the matrix is
 * one batch's, and its inverse is not that of the mean. */
static int32_t cost(void *object, const tier_cost_problem *problem, tier_cost *out) {
  const struct implicit *self = object;
  tier_cost_problem system = *problem;
  system.struct_size = (uint32_t)sizeof system;
  system.n += self->via_step ? problem->state : 0;
  system.stochastic = problem->stochastic || self->batch > 0;
  TIER_TRY(cost_of(self, self->solver, &system, out));
  TIER_TRY(add_preconditioner(self, &system, out));
  out->gradients += 1;
  out->cross += 1;
  out->reals += problem->n + 2 * system.n; /* the gradient; b and x */
  out->reals += self->via_step ? 2 * (problem->n + problem->state) + problem->p : 0;
  out->flags |= self->damping > 0.0 ? TIER_COST_BIASED : 0;
  out->flags |= system.stochastic ? TIER_COST_BIASED | TIER_COST_RANDOM : 0;
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

/* ---- making it ---- */

static const char *id_of(const tier_instance *i) {
  return i->api->component(i)->id;
}

static uint32_t flags_of(const tier_instance *i) {
  return i->api->component(i)->flags;
}

/* What can be said of solver and preconditioner before there is a problem. */
static int32_t check_solvers(const struct implicit *self) {
  const tier_instance *all[2] = {self->solver, self->preconditioner};
  for (int i = 0; i < 2 && self->via_step; i++) {
    if (all[i] != NULL && (flags_of(all[i]) & TIER_SYMMETRIC) != 0) {
      return tier_failf(self->host, TIER_E_REFUSED,
                        "%s needs a symmetric matrix, and that of \"via\": \"step\", I minus the "
                        "step's derivative, is not: use gmres, bicgstab, dense or neumann",
                        id_of(all[i]));
    }
  }
  if (self->preconditioner != NULL && (flags_of(self->solver) & TIER_NO_PRECONDITIONER) != 0) {
    return tier_failf(self->host, TIER_E_INVALID,
                      "%s has no use for a \"preconditioner\": leave it out, or use cg, minres, "
                      "gmres or bicgstab",
                      id_of(self->solver));
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
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
  self->via_step = strcmp(tier_text(params, "via"), "step") == 0;
  int32_t status = self->v == NULL || self->problem == NULL ? TIER_E_PLUGIN : check_solvers(self);
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
     .flags = TIER_IMPLICIT,
     .kind = "estimator",
     .id = "implicit",
     .summary = "implicit differentiation at the solution, with any linear solver",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("implicit", "1.0", "MIT", components);

/* The truncated Neumann series (Lorraine, Vicol, Duvenaud 2020, algorithm 3):
 *
 *   x = lr sum_{j < terms} (I - lr A)^j b,
 *
 * exactly `terms` terms. It tends to the solution of A x = b as the terms grow if all eigenvalues
 * of A lie in (0, 2 / lr). Since b - A x = (I - lr A)^terms b, one product more than the sum needs,
 * as many as there are terms, gives the residual: so a diverging series shows in the report. So
 * does the contraction, |p_terms| / |p_{terms - 1}| with p_j = (I - lr A)^j b: it tends to the
 * largest |1 - lr eigenvalue| that b has a part in, and above 1 the series diverges (for a
 * symmetric A; for others it may yet turn). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>
#include <tier/log.h>
#include <tier/params.h>

#include "../declared_cost.h"
#include "../host_interface.h"

struct neumann {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_log_1 *log;
  int32_t warned;
  int64_t terms;
  double lr; /* 0: the system's */
};

static const tier_slot slots[] = {
    {.name = "terms",
     .doc = "how many terms are summed",
     .fallback = "20",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e12},
    {.name = "lr",
     .doc = "the step size; default: the learning rate of the level's optimizer (sgd, momentum, "
            "nesterov)",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e300}};

static int32_t find_step(const struct neumann *n, const tier_linear_system *system, double *lr) {
  *lr = n->lr > 0.0 ? n->lr : system->step;
  if (*lr > 0.0) {
    return TIER_OK;
  }
  size_t needed = offsetof(tier_linear_system, step_size) + sizeof system->step_size;
  if (system->struct_size >= needed && system->step_size != NULL) {
    TIER_TRY(system->step_size(system->context, lr));
  }
  if (!(*lr > 0.0)) {
    return tier_failf(n->host, TIER_E_REFUSED,
                      "neumann needs a step size and the level has none to give: write "
                      "{\"neumann\": {\"lr\": ...}}, below 2 / the largest eigenvalue");
  }
  return TIER_OK;
}

/* x <- the sum; p, which starts as b, <- (I - lr A)^terms b. `before` <- the norm of the last p but
 * one. */
static int32_t add_terms(const struct neumann *n, const tier_linear_system *system, double lr,
                         tier_vector *p, tier_vector *ap, tier_vector *x, double *before) {
  n->v->axpby(lr, p, 0.0, x);
  for (int64_t j = 1; j < n->terms; j++) {
    TIER_TRY(system->apply(system->context, p, ap));
    n->v->axpy_chain(-lr, ap, p, lr, x);
  }
  TIER_TRY(system->apply(system->context, p, ap));
  *before = n->v->norm(p);
  n->v->axpy(-lr, ap, p);
  return TIER_OK;
}

/* Says once that the terms grow. The growth is 1 - lr e for an eigenvalue e < 0, or lr e - 1. */
static void warn(struct neumann *n, double lr, double contraction) {
  char text[512];
  if (n->warned) {
    return;
  }
  n->warned = 1;
  (void)snprintf(text, sizeof text,
                 "neumann: the series diverges: its last term is %.4g times the one before, so the "
                 "step size %.4g is above 2 / the largest curvature (about %.4g; then \"lr\" must "
                 "be below %.4g), or there is negative curvature (about %.4g; then use damping) "
                 "(said once)",
                 contraction, lr, (1.0 + contraction) / lr, 2.0 * lr / (1.0 + contraction),
                 (1.0 - contraction) / lr);
  n->log->message(TIER_LOG_WARNING, text);
}

/* From the norms of b and of the last two p: residual, contraction, and what they mean. */
static int32_t judge(struct neumann *n, int symmetric, double lr, double b_norm, double before,
                     double last, tier_linear_report *report) {
  double contraction = before > 0.0 ? last / before : 0.0;
  report->residual = last / b_norm;
  if (!isfinite(report->residual) || !isfinite(contraction)) {
    return tier_failf(n->host, TIER_E_NONFINITE,
                      "the Neumann series diverges: the step size %g is above 2 / the largest "
                      "eigenvalue; give a smaller \"lr\"",
                      lr);
  }
  tier_report_contraction(report, contraction);
  int grows = symmetric && contraction > 1.0; /* else it may be passing */
  report->stop = report->residual > 1.0 || grows ? "terms, diverging" : "terms";
  if (grows) {
    warn(n, lr, contraction);
  }
  return TIER_OK;
}

static int32_t sum(struct neumann *n, const tier_linear_system *system, const tier_vector *b,
                   tier_vector *x, tier_linear_report *report) {
  double lr = 0.0;
  double before = 0.0;
  TIER_TRY(find_step(n, system, &lr));
  tier_vector *p = n->v->create(system->size);
  tier_vector *ap = n->v->create(system->size);
  int32_t status = p != NULL && ap != NULL
                       ? TIER_OK
                       : tier_failf(n->host, TIER_E_MEMORY, "no memory for 2 vectors");
  if (status == TIER_OK) {
    n->v->copy(b, p);
    status = add_terms(n, system, lr, p, ap, x, &before);
  }
  if (status == TIER_OK) {
    status = judge(n, (system->flags & TIER_SYSTEM_SYMMETRIC) != 0, lr, n->v->norm(b), before,
                   n->v->norm(p), report);
  }
  n->v->destroy(p);
  n->v->destroy(ap);
  return status;
}

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  struct neumann *n = self;
  (void)state;
  report->iterations = 0;
  report->residual = 0.0;
  report->stop = "zero";
  if (n->v->max_abs(b) == 0.0) {
    n->v->fill(x, 0.0);
    return TIER_OK;
  }
  report->iterations = n->terms;
  return sum(n, system, b, x, report);
}

static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver, .solve = solve};

/* terms - 1 products for the sum, and one for the residual. */
static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  const struct neumann *n = self;
  out->hvps = n->terms;
  out->reals = 2 * problem->n;
  out->flags = TIER_COST_BIASED;
  out->right = "nearly, curvatures c with |1 - lr c|^terms << 1";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct neumann *n = calloc(1, sizeof *n);
  if (n == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  n->host = host;
  n->v = host_joined_vectors(host);
  n->log = host_interface(host, "tier.log/1");
  n->terms = tier_integer(params, "terms");
  n->lr = tier_given(params, "lr") ? tier_number(params, "lr") : 0.0;
  if (n->v == NULL || n->log == NULL) {
    free(n);
    return TIER_E_PLUGIN;
  }
  *object = n;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.linear_solver/1") == 0 ? (const void *)&solver
         : strcmp(interface_id, "tier.cost/1") == 0        ? (const void *)&costs
                                                           : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_NEEDS_STEP /* or "lr" */ | TIER_NO_PRECONDITIONER,
     .kind = "linear-solver",
     .id = "neumann",
     .summary = "the first terms of the Neumann series lr sum (I - lr A)^j b",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("neumann", "1.0", "MIT", components);

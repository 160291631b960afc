/* Conjugate gradients (Hestenes, Stiefel 1952), with an optional preconditioner M:
 *
 *   r = b - A x, z = M r, p = z; then repeat
 *   a = <r, z> / <p, A p>, x += a p, r -= a A p; stop if |r| <= tolerance |b|;
 *   z = M r, p = z + (<r, z> / its value before) p.
 *
 * x is the latest iterate, the one that the reported residual |r| / |b| (of this recurrence)
 * belongs to. A direction of negative curvature ends it before x moves along it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>
#include <tier/params.h>

#include "../declared_cost.h"
#include "../host_interface.h"

struct cg {
  const tier_host *host;
  const tier_vector_1 *v;
  int64_t iterations;
  double tolerance;
  int32_t previous; /* start from the last solution */
};

static const tier_slot slots[] = {
    {.name = "iterations",
     .doc = "the most products with the matrix",
     .fallback = "1000",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e12},
    {.name = "tolerance",
     .doc = "stops where the residual is below this times the right-hand side; 0: never for that",
     .fallback = "1e-12",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_OPEN_MAXIMUM,
     .minimum = 0,
     .maximum = 1},
    {.name = "start",
     .doc = "where it starts: zero, or the solution of the previous system",
     .fallback = "\"zero\"",
     .unit = "",
     .choices = "zero|previous",
     .type = TIER_SLOT_TEXT}};

/* One solve: its vectors, all of the system's size. */
struct work {
  const struct cg *cg;
  const tier_linear_system *system;
  tier_vector *r, *p, *ap;
  tier_vector *z; /* r itself where there is no preconditioner */
};

static int32_t work_open(struct work *w, const struct cg *cg, const tier_linear_system *system) {
  *w = (struct work){.cg = cg, .system = system};
  w->r = cg->v->create(system->size);
  w->p = cg->v->create(system->size);
  w->ap = cg->v->create(system->size);
  w->z = system->precondition != NULL ? cg->v->create(system->size) : w->r;
  if (w->r == NULL || w->p == NULL || w->ap == NULL || w->z == NULL) {
    return tier_failf(cg->host, TIER_E_MEMORY, "no memory for 4 vectors of %lld numbers",
                      (long long)system->size);
  }
  return TIER_OK;
}

static void work_close(struct work *w) {
  if (w->z != w->r) {
    w->cg->v->destroy(w->z);
  }
  w->cg->v->destroy(w->r);
  w->cg->v->destroy(w->p);
  w->cg->v->destroy(w->ap);
}

static int32_t precondition(struct work *w) {
  return w->z == w->r ? TIER_OK : w->system->precondition(w->system->context, w->r, w->z);
}

/* x, and r = b - A x. */
static int32_t start(struct work *w, const tier_vector *previous, const tier_vector *b,
                     tier_vector *x) {
  const tier_vector_1 *v = w->cg->v;
  v->copy(b, w->r);
  if (previous == NULL || v->max_abs(previous) == 0.0) {
    v->fill(x, 0.0);
    return TIER_OK;
  }
  v->copy(previous, x);
  TIER_TRY(w->system->apply(w->system->context, x, w->ap));
  v->axpy(-1.0, w->ap, w->r);
  return TIER_OK;
}

static int32_t not_finite(const struct work *w, int64_t iteration) {
  return tier_failf(w->cg->host, TIER_E_NONFINITE,
                    "a product with the matrix is not finite at iteration %lld: the objective's "
                    "second derivative overflows or is undefined at this point",
                    (long long)iteration);
}

/* |r|, with rr = <r, r> where that is neither too large nor too small for f64. */
static double norm_of(const struct work *w, double rr) {
  return rr > 1e-280 && rr < 1e280 ? sqrt(rr) : w->cg->v->norm(w->r);
}

/* Iterates from x and r. */
static int32_t iterate(struct work *w, double b_norm, tier_vector *x, tier_linear_report *report) {
  const tier_vector_1 *v = w->cg->v;
  double goal = w->cg->tolerance * b_norm;
  double rr = v->dot(w->r, w->r);
  double r_norm = norm_of(w, rr);
  double rz_before = 1.0;
  report->stop = "iterations";
  while (r_norm > goal && report->iterations < w->cg->iterations) {
    TIER_TRY(precondition(w));
    double rz = w->z == w->r ? rr : v->dot(w->r, w->z);
    double beta = report->iterations > 0 ? rz / rz_before : 0.0;
    v->axpby(1.0, w->z, beta, w->p);
    TIER_TRY(w->system->apply(w->system->context, w->p, w->ap));
    double curvature = v->dot(w->p, w->ap);
    if (!isfinite(curvature) || !isfinite(rz)) {
      return not_finite(w, report->iterations + 1);
    }
    if (curvature <= 0.0 || rz <= 0.0) {
      report->stop = "negative curvature";
      break;
    }
    rr = v->axpy_pair(rz / curvature, w->p, x, -rz / curvature, w->ap, w->r);
    r_norm = norm_of(w, rr);
    rz_before = rz;
    report->iterations++;
  }
  report->residual = r_norm / b_norm;
  if (r_norm <= goal) {
    report->stop = "tolerance";
  }
  return TIER_OK;
}

static int32_t solve_from(const struct cg *cg, const tier_linear_system *system,
                          const tier_vector *previous, const tier_vector *b, tier_vector *x,
                          tier_linear_report *report) {
  struct work w;
  double b_norm = cg->v->norm(b);
  if (!isfinite(b_norm)) {
    return tier_failf(cg->host, TIER_E_NONFINITE, "the right-hand side for cg is not finite");
  }
  int32_t status = work_open(&w, cg, system);
  if (status == TIER_OK) {
    status = start(&w, previous, b, x);
  }
  if (status == TIER_OK) {
    status = iterate(&w, b_norm, x, report);
  }
  work_close(&w);
  return status;
}

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct cg *cg = self;
  report->iterations = 0;
  report->residual = 0.0;
  report->stop = "zero";
  if ((system->flags & TIER_SYSTEM_SYMMETRIC) == 0) {
    return tier_failf(
        cg->host, TIER_E_REFUSED,
        "cg needs a symmetric matrix, and this one is not: use gmres, bicgstab, dense "
        "or neumann");
  }
  tier_vector *previous = cg->previous ? state->api->get_vector(state, "solution") : NULL;
  if (cg->v->max_abs(b) == 0.0) {
    cg->v->fill(x, 0.0);
  } else {
    TIER_TRY(solve_from(cg, system, previous, b, x, report));
  }
  if (previous != NULL) {
    cg->v->copy(x, previous);
  }
  return TIER_OK;
}

static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver, .solve = solve};

static int32_t declare(void *self, int64_t n, tier_state *s) {
  const struct cg *cg = self;
  return cg->previous ? s->api->vector(s, "solution", n) : TIER_OK;
}

static const tier_state_1 cg_state = {.struct_size = (uint32_t)sizeof cg_state, .declare = declare};

/* The fourth vector is for a preconditioner. */
static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  const struct cg *cg = self;
  out->hvps = cg->iterations + cg->previous;
  out->reals = (4 + cg->previous) * problem->n;
  out->flags = TIER_COST_AT_MOST;
  out->right = "a positive definite matrix";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct cg *cg = calloc(1, sizeof *cg);
  if (cg == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  cg->host = host;
  cg->v = host_joined_vectors(host);
  cg->iterations = tier_integer(params, "iterations");
  cg->tolerance = tier_number(params, "tolerance");
  cg->previous = strcmp(tier_text(params, "start"), "previous") == 0;
  if (cg->v == NULL) {
    free(cg);
    return TIER_E_PLUGIN;
  }
  *object = cg;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.linear_solver/1") == 0 ? (const void *)&solver
         : strcmp(interface_id, "tier.state/1") == 0       ? (const void *)&cg_state
         : strcmp(interface_id, "tier.cost/1") == 0        ? (const void *)&costs
                                                           : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_SYMMETRIC,
     .kind = "linear-solver",
     .id = "cg",
     .summary = "conjugate gradients, for symmetric positive matrices",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("cg", "1.0", "MIT", components);

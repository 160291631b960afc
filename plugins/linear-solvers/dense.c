/* The exact solver for small systems: builds the matrix by products with unit vectors, then
 * factorizes it in f64. Cholesky where the system is said to be symmetric and positive, LU
 * otherwise. n + 1 products, of which the last gives the residual; n^2 numbers of memory. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/dense.h>
#include <tier/linear_solver.h>
#include <tier/params.h>

#include "../declared_cost.h"
#include "../host_interface.h"

#define BLOCK 32 /* products at once */

struct dense {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_dense_1 *algebra;
  int64_t limit;
  char method; /* 'a'uto, 'c'holesky, 'l'u */
};

static const tier_slot slots[] = {
    {.name = "method",
     .doc = "auto: cholesky where the matrix should be symmetric and positive, else lu",
     .fallback = "\"auto\"",
     .unit = "",
     .choices = "auto|cholesky|lu",
     .type = TIER_SLOT_TEXT},
    {.name = "limit",
     .doc = "the largest system it takes on; memory grows with its square, time with its cube",
     .fallback = "10000",
     .unit = "numbers",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e6}};

/* One matrix. */
struct work {
  const struct dense *d;
  const tier_linear_system *system;
  int64_t n;
  double *matrix;  /* (n, n): row j holds A e_j, so it is A^T stored by rows */
  double *b;       /* (n): a right-hand side, then its solution */
  int64_t *pivots; /* (n) */
  int cholesky;    /* how it is factorized */
  tier_vector *units[BLOCK], *columns[BLOCK];
};

static int32_t work_open(struct work *w) {
  const tier_vector_1 *v = w->d->v;
  size_t n = (size_t)w->n;
  int complete = 1;
  w->matrix = calloc(n * n, sizeof(double));
  w->b = calloc(n, sizeof(double));
  w->pivots = calloc(n, sizeof(int64_t));
  for (int i = 0; i < BLOCK && i < w->n; i++) {
    w->units[i] = v->create(w->n);
    w->columns[i] = v->create(w->n);
    complete = complete && w->units[i] != NULL && w->columns[i] != NULL;
  }
  if (w->matrix == NULL || w->b == NULL || w->pivots == NULL || !complete) {
    return tier_failf(w->d->host, TIER_E_MEMORY, "no memory for a matrix of %lld x %lld numbers",
                      (long long)w->n, (long long)w->n);
  }
  return TIER_OK;
}

static void work_close(struct work *w) {
  for (int i = 0; i < BLOCK; i++) {
    w->d->v->destroy(w->units[i]);
    w->d->v->destroy(w->columns[i]);
  }
  free(w->matrix);
  free(w->b);
  free(w->pivots);
}

/* Rows first .. first + count - 1 of `matrix`. */
static int32_t build_rows(struct work *w, int64_t first, int64_t count) {
  const tier_vector_1 *v = w->d->v;
  const tier_vector *in[BLOCK];
  const double one = 1.0;
  const double zero = 0.0;
  for (int64_t i = 0; i < count; i++) {
    v->write(w->units[i], first + i, 1, &one);
    in[i] = w->units[i];
  }
  TIER_TRY(w->system->apply_block(w->system->context, count, in, w->columns));
  for (int64_t i = 0; i < count; i++) {
    v->write(w->units[i], first + i, 1, &zero);
    v->read(w->columns[i], 0, w->n, w->matrix + (first + i) * w->n);
  }
  return TIER_OK;
}

/* a <- (a + a^T) / 2: rounding in the products leaves a slight asymmetry. */
static void symmetrize(int64_t n, double *a) {
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < i; j++) {
      double mean = 0.5 * (a[i * n + j] + a[j * n + i]);
      a[i * n + j] = mean;
      a[j * n + i] = mean;
    }
  }
}

static int32_t build_matrix(struct work *w) {
  for (int64_t first = 0; first < w->n; first += BLOCK) {
    int64_t count = w->n - first < BLOCK ? w->n - first : BLOCK;
    TIER_TRY(build_rows(w, first, count));
  }
  for (int64_t i = 0; i < w->n * w->n; i++) {
    if (!isfinite(w->matrix[i])) {
      return tier_failf(w->d->host, TIER_E_NONFINITE,
                        "element (%lld, %lld) of the matrix is not finite: the objective's second "
                        "derivative overflows or is undefined at this point",
                        (long long)(i % w->n), (long long)(i / w->n));
    }
  }
  if ((w->system->flags & TIER_SYSTEM_SYMMETRIC) != 0) {
    symmetrize(w->n, w->matrix);
  }
  return TIER_OK;
}

/* The first pivot so small beside the largest one that only rounding has kept it from zero, counted
 * from 1; 0 if there is none. `power`: the diagonal holds the pivots, or (2) their square roots. */
static int32_t negligible_pivot(const struct work *w, double power) {
  double most = 0.0;
  for (int64_t i = 0; i < w->n; i++) {
    most = fmax(most, pow(fabs(w->matrix[i * (w->n + 1)]), power));
  }
  for (int64_t i = 0; i < w->n; i++) {
    if (pow(fabs(w->matrix[i * (w->n + 1)]), power) <= (double)w->n * DBL_EPSILON * most) {
      return (int32_t)(i + 1);
    }
  }
  return 0;
}

static int32_t refuse_singular(const struct work *w, int32_t pivot) {
  return tier_failf(w->d->host, TIER_E_REFUSED,
                    "the matrix is singular to working precision: pivot %d of %lld is zero or "
                    "nearly so beside the largest; add \"damping\"",
                    pivot, (long long)w->n);
}

static int32_t factor_by_cholesky(struct work *w) {
  int32_t pivot = w->d->algebra->cholesky(w->n, w->matrix);
  if (pivot > 0) {
    return tier_failf(w->d->host, TIER_E_REFUSED,
                      "the matrix is not positive definite: pivot %d of %lld is not positive, so "
                      "this is no minimum, or a flat one; add \"damping\", solve the lower level "
                      "further, or write {\"dense\": {\"method\": \"lu\"}}",
                      pivot, (long long)w->n);
  }
  TIER_TRY(pivot);
  pivot = negligible_pivot(w, 2.0);
  return pivot > 0 ? refuse_singular(w, pivot) : TIER_OK;
}

static int32_t factor_by_lu(struct work *w) {
  int32_t pivot = w->d->algebra->lu(w->n, w->matrix, w->pivots);
  TIER_TRY(pivot);
  pivot = pivot > 0 ? pivot : negligible_pivot(w, 1.0);
  return pivot > 0 ? refuse_singular(w, pivot) : TIER_OK;
}

static int32_t factor(struct work *w) {
  const uint32_t good = TIER_SYSTEM_SYMMETRIC | TIER_SYSTEM_POSITIVE;
  char method = w->d->method;
  if (method == 'a') {
    method = (w->system->flags & good) == good ? 'c' : 'l';
  }
  w->cholesky = method == 'c';
  return w->cholesky ? factor_by_cholesky(w) : factor_by_lu(w);
}

/* x <- the solution for b. */
static int32_t substitute(struct work *w, const tier_vector *b, tier_vector *x) {
  w->d->v->read(b, 0, w->n, w->b);
  TIER_TRY(w->cholesky ? w->d->algebra->cholesky_solve(w->n, w->matrix, w->b)
                       : w->d->algebra->lu_solve(w->n, w->matrix, w->pivots, 1, /* it is A^T */
                                                 w->b));
  w->d->v->write(x, 0, w->n, w->b);
  return TIER_OK;
}

/* |b - A x| / |b|, by one product with A. */
static int32_t measure_residual(struct work *w, const tier_vector *b, const tier_vector *x,
                                double *residual) {
  const tier_vector_1 *v = w->d->v;
  tier_vector *r = w->columns[0];
  TIER_TRY(w->system->apply(w->system->context, x, r));
  v->axpby(1.0, b, -1.0, r);
  *residual = v->norm(r) / v->norm(b);
  return TIER_OK;
}

/* Builds and factorizes; the caller closes it. */
static int32_t work_make(struct work *w, const struct dense *d, const tier_linear_system *system) {
  *w = (struct work){.d = d, .system = system, .n = system->size};
  if (system->size > d->limit) {
    return tier_failf(d->host, TIER_E_REFUSED,
                      "dense would build a matrix of %lld x %lld numbers, above its \"limit\" of "
                      "%lld: use cg, or raise the limit",
                      (long long)system->size, (long long)system->size, (long long)d->limit);
  }
  TIER_TRY(work_open(w));
  TIER_TRY(build_matrix(w));
  return factor(w);
}

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct dense *d = self;
  struct work w;
  (void)state;
  report->iterations = 0;
  report->residual = 0.0;
  report->stop = "zero";
  if (d->v->max_abs(b) == 0.0) {
    d->v->fill(x, 0.0);
    return TIER_OK;
  }
  int32_t status = work_make(&w, d, system);
  if (status == TIER_OK) {
    status = substitute(&w, b, x);
  }
  if (status == TIER_OK) {
    report->iterations = w.n;
    report->stop = "exact";
    status = measure_residual(&w, b, x, &report->residual);
  }
  work_close(&w);
  return status;
}

/* ---- as a preconditioner ---- */

static void discard(void *self, void *made) {
  (void)self;
  work_close(made);
  free(made);
}

static int32_t prepare(void *self, const tier_linear_system *system, tier_state *state,
                       void **made) {
  const struct dense *d = self;
  struct work *w = malloc(sizeof *w);
  (void)state;
  if (w == NULL) {
    return tier_failf(d->host, TIER_E_MEMORY, "no memory");
  }
  int32_t status = work_make(w, d, system);
  if (status < 0) {
    discard(self, w);
    return status;
  }
  *made = w;
  return TIER_OK;
}

static int32_t precondition(void *self, void *made, const tier_vector *v, tier_vector *out) {
  (void)self;
  return substitute(made, v, out);
}

static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver,
                                            .solve = solve,
                                            .prepare = prepare,
                                            .precondition = precondition,
                                            .discard = discard};

/* n + 1 products; the matrix, and two blocks of vectors. */
static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  const struct dense *d = self;
  int64_t n = problem->n;
  out->hvps = n + 1;
  out->reals = cost_doubles(d->v, n * n + 2 * n) + 2 * (n < BLOCK ? n : BLOCK) * n;
  out->right = "a matrix that is not singular";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct dense *d = calloc(1, sizeof *d);
  if (d == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  d->host = host;
  d->v = host_interface(host, "tier.vector/1");
  d->algebra = host_interface(host, "tier.dense/1");
  d->limit = tier_integer(params, "limit");
  d->method = tier_text(params, "method")[0];
  if (d->v == NULL || d->algebra == NULL) {
    free(d);
    return TIER_E_PLUGIN;
  }
  *object = d;
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
     .flags = TIER_NO_PRECONDITIONER,
     .kind = "linear-solver",
     .id = "dense",
     .summary = "builds the matrix and factorizes it: exact, for small systems",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("dense", "1.0", "MIT", components);

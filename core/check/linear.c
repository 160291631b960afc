/* Linear solvers on explicit systems in f64. */
#include <math.h>
#include <string.h>
#include <tier/cost.h>
#include <tier/linear_solver.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "check/instances.h"
#include "check/judge.h"
#include "check/kinds.h"
#include "check/matrix.h"
#include "problem/vector.h"

#define V (&vector_interface)
#define N 12
#define TERMS 17
#define DEPTH 40
#define RHO 0.01

enum spectrum { EVEN, EQUAL, DEFICIENT, INDEFINITE, UNSYMMETRIC };

struct row {
  const char *name;
  enum spectrum spectrum;
  double condition, damping, bound;
  int64_t n;
};
static const struct row rows[] = {
    {"spd-10", EVEN, 10, 0, 1e-8, N},
    {"spd-1e3", EVEN, 1e3, 0, 1e-8, N},
    {"spd-1e6", EVEN, 1e6, 0, 1e-7, N},
    {"multiple-of-identity", EQUAL, 1, 0, 1e-8, N},
    {"rank-deficient-damped", DEFICIENT, 10, 0.1, 1e-8, N},
    {"indefinite", INDEFINITE, 10, 0, 1e-8, N},
    {"unsymmetric", UNSYMMETRIC, 10, 0, 1e-8, N},
    {"size-1", EVEN, 1, 0, 1e-8, 1},
};

/* A system with its matrix, and a count of its products. */
struct system {
  tier_linear_system face;
  double a[N * N]; /* without damping */
  double b[N];
  double largest; /* eigenvalue, in modulus, damping included */
  int64_t n, products;
  int broken; /* every product is NaN */
};

/* ---- the system ---- */

static int32_t product(struct system *s, const tier_vector *v, tier_vector *out, int adjoint) {
  double x[N];
  double y[N];
  V->read(v, 0, s->n, x);
  if (adjoint) {
    matrix_apply_adjoint(s->n, s->n, s->a, x, y);
  } else {
    matrix_apply(s->n, s->n, s->a, x, y);
  }
  for (int64_t i = 0; i < s->n; i++) {
    y[i] = s->broken ? NAN : y[i] + s->face.damping * x[i];
  }
  V->write(out, 0, s->n, y);
  s->products++;
  return TIER_OK;
}

static int32_t apply(void *context, const tier_vector *v, tier_vector *out) {
  return product(context, v, out, 0);
}
static int32_t apply_adjoint(void *context, const tier_vector *v, tier_vector *out) {
  return product(context, v, out, 1);
}
static int32_t apply_block(void *context, int64_t k, const tier_vector *const *vs,
                           tier_vector *const *outs) {
  for (int64_t i = 0; i < k; i++) {
    TIER_TRY(product(context, vs[i], outs[i], 0));
  }
  return TIER_OK;
}

static void unsymmetric(struct system *s) {
  matrix_normal(s->n * s->n, 6, s->a);
  for (int64_t i = 0; i < s->n * s->n; i++) {
    s->a[i] = 0.4 * s->a[i] / sqrt((double)s->n) + (i % (s->n + 1) == 0 ? 1.0 : 0.0);
  }
}

static void fill(struct system *s, const struct row *row) {
  double eigenvalues[N];
  matrix_spectrum(s->n, row->condition, eigenvalues);
  for (int64_t k = 0; k < s->n; k++) {
    eigenvalues[k] *= row->spectrum == EQUAL                      ? 3.0
                      : row->spectrum == DEFICIENT && k % 2 == 0  ? 0.0
                      : row->spectrum == INDEFINITE && k % 2 == 0 ? -1.0
                                                                  : 1.0;
    s->largest = fmax(s->largest, fabs(eigenvalues[k]) + row->damping);
  }
  matrix_spectral(s->n, eigenvalues, 9, s->a);
  if (row->spectrum == UNSYMMETRIC) {
    unsymmetric(s);
    s->largest = 2.0;
  }
  matrix_normal(s->n, 5, s->b);
}

static void open_system(struct system *s, const struct row *row) {
  int symmetric = row->spectrum != UNSYMMETRIC;
  int positive = symmetric && row->spectrum != INDEFINITE;
  *s = (struct system){.n = row->n,
                       .face = {.struct_size = (uint32_t)sizeof s->face,
                                .flags = (symmetric ? TIER_SYSTEM_SYMMETRIC : 0u) |
                                         (positive ? TIER_SYSTEM_POSITIVE : 0u),
                                .size = row->n,
                                .apply = apply,
                                .apply_adjoint = symmetric ? NULL : apply_adjoint,
                                .apply_block = apply_block,
                                .damping = row->damping}};
  s->face.context = s;
  fill(s, row);
  s->face.step = 1.0 / s->largest;
}

/* ---- the solver ---- */

static struct params *linear_arguments(const struct check *c, int64_t n, double largest) {
  const struct component *k = c->component;
  struct params *p = check_params(k);
  enum claim claim = method_of(c).claim;
  check_number(k, p, "iterations", (double)(n > 0 ? 10 * n : 1));
  check_number(k, p, "tolerance", 1e-14);
  check_number(k, p, "terms", TERMS);
  check_number(k, p, "depth", DEPTH);
  check_number(k, p, "rank", (double)(n > 0 ? n : 1));
  if (claim == CLAIM_LISSA || claim == CLAIM_SCALE) {
    check_number(k, p, "scale", claim == CLAIM_LISSA ? 1.25 * largest : 0.5);
  }
  if (claim == CLAIM_SHIFTED) {
    check_number(k, p, "rho", RHO);
  }
  return p;
}

/* One solve of `b` by a fresh object; x (n) held NaN before. */
static int32_t solve(const struct check *c, struct system *s, const double *b, double *x,
                     tier_linear_report *report) {
  struct instance *i = NULL;
  *report = (tier_linear_report){
      .struct_size = (uint32_t)sizeof *report, .residual = NAN, .contraction = NAN};
  int32_t status = check_create(linear_arguments(c, s->n, s->largest), s->n, &i);
  tier_vector *rhs = vector_new(s->n);
  tier_vector *out = vector_new(s->n);
  V->write(rhs, 0, s->n, b);
  V->fill(out, NAN);
  s->products = 0;
  if (status == TIER_OK) {
    const tier_linear_solver_1 *solver = instance_get(i, "tier.linear_solver/1");
    status = solver->solve(i->object, &s->face, i->state, rhs, out, report);
  }
  V->read(out, 0, s->n, x);
  vector_free(rhs);
  vector_free(out);
  check_instance_free(i);
  return status;
}

/* What the method claims to compute; 0 if that is not defined here. */
static int expected_solution(enum claim claim, const struct system *s, const struct row *row,
                             double *x) {
  double damping = s->face.damping;
  switch (claim) {
    case CLAIM_EXACT:
      matrix_solve(s->n, s->a, damping, s->b, x);
      return 1;
    case CLAIM_SERIES:
      matrix_series(s->n, s->a, damping, s->face.step, TERMS, s->b, x);
      return 1;
    case CLAIM_LISSA:
      matrix_series(s->n, s->a, damping, 0.8 / s->largest, DEPTH + 1, s->b, x);
      return 1;
    case CLAIM_SCALE:
      for (int64_t i = 0; i < s->n; i++) {
        x[i] = s->b[i] / (2.0 + damping);
      }
      return 1;
    case CLAIM_SHIFTED:
      matrix_solve(s->n, s->a, RHO, s->b, x);
      return row->spectrum != INDEFINITE && row->spectrum != UNSYMMETRIC;
    default:
      return 0;
  }
}

/* The residual that it reports is the residual. NaN says that it does not know. */
static void check_report(struct check *c, struct system *s, const double *x,
                         const tier_linear_report *report) {
  double ax[N];
  double square = 0;
  double norm = 0;
  matrix_apply(s->n, s->n, s->a, x, ax);
  for (int64_t i = 0; i < s->n; i++) {
    double r = s->b[i] - ax[i] - s->face.damping * x[i];
    square += r * r;
    norm += s->b[i] * s->b[i];
  }
  double residual = sqrt(square / norm);
  double slack = 1e-3 * residual + 1e-9;
  if (!isnan(report->residual) && !(fabs(report->residual - residual) <= slack)) {
    check_fail(c, "it reports a residual of %.3g, but |b - A x| / |b| is %.3g", report->residual,
               residual);
  }
  if (report->stop == NULL || report->stop[0] == '\0') {
    check_fail(c, "its report has no \"stop\"");
  }
}

static void check_cost(struct check *c, const struct system *s) {
  const tier_cost_problem problem = {
      .struct_size = (uint32_t)sizeof problem, .n = s->n, .p = s->n, .steps = -1};
  tier_cost cost = {.struct_size = (uint32_t)sizeof cost};
  struct instance *i = NULL;
  const tier_cost_1 *api = NULL;
  if (check_create(linear_arguments(c, s->n, s->largest), s->n, &i) == TIER_OK) {
    api = instance_get(i, "tier.cost/1");
  }
  if (api == NULL) {
    check_note(c, "declares no cost");
  } else if (api->cost(i->object, &problem, &cost) == TIER_OK) {
    int most = (cost.flags & TIER_COST_AT_MOST) != 0;
    if (most ? s->products > cost.hvps : s->products != cost.hvps) {
      check_fail(c, "it made %lld products, and declares %s%lld", (long long)s->products,
                 most ? "at most " : "", (long long)cost.hvps);
    }
  }
  error_clear();
  check_instance_free(i);
}

/* It says that it found no solution; check_report has held its residual to the truth. */
static int gave_up(const tier_linear_report *report) {
  static const char *const words[] = {"negative curvature", "breakdown", "singular"};
  for (size_t i = 0; i < CHECK_COUNT(words); i++) {
    if (report->stop != NULL && strcmp(report->stop, words[i]) == 0) {
      return 1;
    }
  }
  return 0;
}

/* ---- tests ---- */

static void system_test(struct check *c, int index) {
  const struct row *row = &rows[index];
  const struct method method = method_of(c);
  struct system s;
  double x[N];
  double exact[N];
  tier_linear_report report;
  open_system(&s, row);
  if (row->condition > method.most_condition) {
    check_skip(c, "it is held to condition %g", method.most_condition);
    return;
  }
  if (row->spectrum == UNSYMMETRIC && (c->component->c.flags & TIER_SYMMETRIC)) {
    check_skip(c, "it is for symmetric systems only, and says so");
    return;
  }
  if (!check_ok(c, solve(c, &s, s.b, x, &report), "solve")) {
    return;
  }
  check_report(c, &s, x, &report);
  check_cost(c, &s);
  if (row->spectrum == INDEFINITE && gave_up(&report)) {
    check_skip(c, "it stops, saying \"%s\"", report.stop);
    return;
  }
  if (!expected_solution(method.claim, &s, row, exact)) {
    if (method.claim != CLAIM_NONE) {
      check_skip(c, "what it claims is not defined here");
    }
    return;
  }
  double bound = method.claim == CLAIM_SERIES || method.claim == CLAIM_LISSA ? 1e-12 : row->bound;
  double error = matrix_error(s.n, x, exact);
  if (!(error <= bound)) {
    check_fail(c, "%.3g from %s after %lld products (bound %g; stop: %s)", error,
               method.claim == CLAIM_EXACT ? "the solution" : "what it claims to compute",
               (long long)s.products, bound, report.stop);
  }
  if (method.claim == CLAIM_EXACT && s.products > 12 * s.n + 8) {
    check_fail(c, "%lld products for size %lld", (long long)s.products, (long long)s.n);
  }
  check_note(c, "error %.2g, %lld products", error, (long long)s.products);
}

static void nothing(struct check *c, int index) {
  static const double none[1];
  struct system s;
  double x[N] = {0};
  tier_linear_report report;
  (void)index;
  open_system(&s, &rows[0]);
  s.n = 0;
  s.face.size = 0;
  if (check_ok(c, solve(c, &s, none, x, &report), "solve of size 0") && isnan(s.face.step)) {
    check_fail(c, "size 0 changed the system");
  }
}

static void zero_right_hand_side(struct check *c, int index) {
  const double zero[N] = {0};
  struct system s;
  double x[N];
  tier_linear_report report;
  (void)index;
  open_system(&s, &rows[0]);
  if (check_ok(c, solve(c, &s, zero, x, &report), "solve of b = 0") &&
      !(matrix_error(s.n, x, zero) == 0)) {
    check_fail(c, "b = 0 gives x of size %.3g instead of 0", matrix_error(s.n, x, zero));
  }
}

/* Never hidden: an error, or an x that is not finite. */
static void nan_in_the_operator(struct check *c, int index) {
  struct system s;
  double x[N];
  tier_linear_report report;
  int finite = 1;
  (void)index;
  open_system(&s, &rows[0]);
  s.broken = 1;
  int32_t status = solve(c, &s, s.b, x, &report);
  for (int64_t i = 0; i < s.n; i++) {
    finite = finite && isfinite(x[i]);
  }
  if (status < 0) {
    check_note(c, "reported: %s", error_text());
    error_clear();
  } else if (s.products == 0) {
    check_skip(c, "it makes no product");
  } else if (finite) {
    check_fail(c, "every product is NaN, and it returns a finite x without an error (stop: %s)",
               report.stop);
  }
}

static void same_again(struct check *c, int index) {
  struct system s;
  double x[2][N];
  tier_linear_report report;
  (void)index;
  open_system(&s, &rows[1]);
  for (int k = 0; k < 2; k++) {
    if (!check_ok(c, solve(c, &s, s.b, x[k], &report), "solve")) {
      return;
    }
  }
  if (memcmp(x[0], x[1], sizeof x[0]) != 0) {
    check_fail(c, "two solves of one system differ by %.3g", matrix_error(s.n, x[0], x[1]));
  }
}

static const struct check_test tests[] = {
    {"spd-10", system_test, 0},
    {"spd-1e3", system_test, 1},
    {"spd-1e6", system_test, 2},
    {"multiple-of-identity", system_test, 3},
    {"rank-deficient-damped", system_test, 4},
    {"indefinite", system_test, 5},
    {"unsymmetric", system_test, 6},
    {"size-1", system_test, 7},
    {"size-0", nothing, 0},
    {"zero-right-hand-side", zero_right_hand_side, 0},
    {"nan", nan_in_the_operator, 0},
    {"same-again", same_again, 0},
};
const struct check_group check_linear_solvers = {tests, CHECK_COUNT(tests)};

/* lissa and nystrom on explicit matrices, in f64: closed forms, stated variances over fixed keys,
 * and preconditioning. */
#include <math.h>
#include <stdlib.h>
#include <tier/dense.h>

#include "backend/dense.h"
#include "base/memory.h"
#include "base/random.h"
#include "matrix_system.h"
#include "plugin/log.h"

static char warning[2048];
static int warnings;

static void remember(void *context, int32_t level, const char *text) {
  (void)context;
  if (level >= TIER_LOG_WARNING) {
    warnings++;
    (void)snprintf(warning, sizeof warning, "%s", text);
  }
}

/* ---- lissa ----------------------------------------------------------------------------------- */

/* A is the mean of ROWS terms r r^T + ridge I; a draw picks one of them at random. */
#define N 6
#define ROWS 40
struct sampled {
  tier_linear_system face;
  double rows[ROWS * N];
  double ridge;
  uint64_t draw;
  int64_t row; /* -1: the mean */
  int redraws, products;
};

static void add_row(const struct sampled *s, int64_t row, double scale, const double *x,
                    double *out) {
  const double *r = s->rows + row * N;
  double product = 0.0;
  for (int64_t i = 0; i < N; i++) {
    product += r[i] * x[i];
  }
  for (int64_t i = 0; i < N; i++) {
    out[i] += scale * product * r[i];
  }
}

static int32_t sampled_apply(void *context, const tier_vector *v, tier_vector *out) {
  struct sampled *s = context;
  double x[N];
  double sum[N];
  V->read(v, 0, N, x);
  for (int64_t i = 0; i < N; i++) {
    sum[i] = s->ridge * x[i];
  }
  for (int64_t row = 0; row < ROWS; row++) {
    if (s->row < 0 || s->row == row) {
      add_row(s, row, s->row < 0 ? 1.0 / ROWS : 1.0, x, sum);
    }
  }
  V->write(out, 0, N, sum);
  s->products++;
  return TIER_OK;
}

static int32_t sampled_redraw(void *context) {
  struct sampled *s = context;
  s->row = (int64_t)(ROWS * random_uniform(77, 1, s->draw++));
  s->redraws++;
  return TIER_OK;
}

static void sampled_init(struct sampled *s, double ridge) {
  double unit[N];
  *s = (struct sampled){.face = {.struct_size = (uint32_t)sizeof(tier_linear_system),
                                 .flags = GOOD | TIER_SYSTEM_STOCHASTIC,
                                 .size = N,
                                 .apply = sampled_apply,
                                 .redraw = sampled_redraw},
                        .ridge = ridge,
                        .row = -1};
  s->face.context = s;
  for (uint64_t i = 0; i < ROWS * N; i++) {
    s->rows[i] = 0.8 * random_normal(78, 0, i);
  }
  memset(a, 0, N * N * sizeof(double));
  for (int64_t j = 0; j < N; j++) {
    memset(unit, 0, sizeof unit);
    unit[j] = 1.0;
    for (int64_t row = 0; row < ROWS; row++) {
      add_row(s, row, 1.0 / ROWS, unit, a + j * N);
    }
    a[j * N + j] += ridge;
    b[j] = random_normal(5, 0, (uint64_t)j);
  }
  solve_exactly(N, a, b, x_exact);
}

/* sum_{j <= depth} (I - A / scale)^j b / scale: the expectation. */
static void lissa_expectation(double scale, int64_t depth, double *x) {
  double p[N];
  double ap[N];
  memcpy(p, b, sizeof p);
  memset(x, 0, sizeof p);
  for (int64_t j = 0; j <= depth; j++) {
    multiply(N, N, a, 0, p, ap);
    for (int64_t i = 0; i < N; i++) {
      x[i] += p[i] / scale;
      p[i] -= ap[i] / scale;
    }
  }
}

static struct params *lissa_params(double scale, int64_t depth, int64_t repeats) {
  struct params *p = solver_params("lissa");
  set_number(p, "scale", scale);
  set_number(p, "depth", (double)depth);
  set_number(p, "repeats", (double)repeats);
  return p;
}

static void solve_sampled(struct params *p, struct sampled *s, double *x,
                          tier_linear_report *report) {
  struct instance *i = make(p, N);
  const tier_linear_solver_1 *solver = instance_get(i, "tier.linear_solver/1");
  tier_vector *rhs = vector_of(b, N);
  tier_vector *out = vector_new(N);
  V->fill(out, NAN);
  *report = (tier_linear_report){.struct_size = (uint32_t)sizeof *report, .contraction = NAN};
  assert_ok(solver->solve(i->object, &s->face, i->state, rhs, out, report));
  V->read(out, 0, N, x);
  vector_free(rhs);
  vector_free(out);
  free_instance(i);
}

/* Without fresh rows it is the partial sum itself. */
static void lissa_on_one_matrix_is_neumann(void **state) {
  (void)state;
  struct sampled s;
  double x[N];
  double expected[N];
  tier_linear_report report;
  sampled_init(&s, 0.2);
  s.face.redraw = NULL;
  for (int64_t depth = 1; depth <= 50; depth++) {
    s.products = 0;
    solve_sampled(lissa_params(4.0, depth, 1), &s, x, &report);
    lissa_expectation(4.0, depth, expected);
    for (int64_t i = 0; i < N; i++) {
      assert_near(x[i], expected[i], 1e-13);
    }
    assert_int_equal(s.products, depth);
    assert_int_equal(report.iterations, depth);
    assert_true(isnan(report.residual));
  }
}

/* Unbiased for its partial sum: the mean of 400 solves lies within 4 standard errors, and the mean
 * square error of `repeats` runs is that of one over `repeats`. */
static void lissa_has_the_stated_mean_and_variance(void **state) {
  (void)state;
  struct sampled s;
  double squares[2] = {0.0, 0.0};
  sampled_init(&s, 0.2);
  for (int k = 0; k < 2; k++) {
    enum { SOLVES = 400 };
    const int64_t repeats = k == 0 ? 1 : 8;
    double mean[N] = {0};
    double square[N] = {0};
    double expected[N];
    lissa_expectation(25.0, 300, expected);
    for (int n = 0; n < SOLVES; n++) {
      double x[N];
      tier_linear_report report;
      solve_sampled(lissa_params(25.0, 300, repeats), &s, x, &report);
      for (int64_t i = 0; i < N; i++) {
        mean[i] += x[i] / SOLVES;
        square[i] += (x[i] - expected[i]) * (x[i] - expected[i]) / SOLVES;
      }
    }
    for (int64_t i = 0; i < N; i++) {
      assert_near(mean[i], expected[i], 4.0 * sqrt(square[i] / SOLVES));
      squares[k] += square[i];
    }
  }
  assert_near(squares[0] / squares[1] / 8.0, 1.0, 0.25); /* each of the two is known to about 7 % */
  assert_int_equal(s.redraws, 300 * 400 * 9);
  assert_int_equal(s.products, s.redraws);
}

/* From depth x curvature / scale < 3 it warns, by the curvature given, or by that which it saw. */
static void lissa_warns_of_a_small_depth(void **state) {
  (void)state;
  const int64_t depths[2] = {700, 800}; /* 3 x 25 / 0.1 = 750 */
  double x[N];
  struct sampled s;
  tier_linear_report report;
  for (int k = 0; k < 2; k++) {
    struct params *p = lissa_params(25.0, depths[k], 1);
    sampled_init(&s, 0.1);
    set_number(p, "curvature", 0.1);
    warnings = 0;
    solve_sampled(p, &s, x, &report);
    assert_string_equal(report.stop, k == 0 ? "depth too small" : "depth");
    assert_int_equal(warnings, 1 - k);
  }
  warnings = 0;
  s.face.damping = 0.05; /* counts, too */
  struct params *p = lissa_params(25.0, 700, 1);
  set_number(p, "curvature", 0.1);
  solve_sampled(p, &s, x, &report);
  assert_string_equal(report.stop, "depth");
  s.face.damping = 0.0;
  solve_sampled(lissa_params(25.0, 40, 1), &s, x, &report); /* found out */
  assert_string_equal(report.stop, "depth too small");
  assert_int_equal(warnings, 1);
  assert_non_null(strstr(warning, "lissa has not converged"));
  assert_non_null(strstr(warning, "\"depth\" should be at least"));
}

static void lissa_says_that_it_diverges(void **state) {
  (void)state;
  double x[N];
  struct sampled s;
  tier_linear_report report;
  sampled_init(&s, 0.1);
  s.face.redraw = NULL;
  warnings = 0;
  solve_sampled(lissa_params(0.4, 60, 1), &s, x, &report);
  assert_string_equal(report.stop, "depth, diverging");
  assert_non_null(strstr(warning, "lissa diverges"));
  struct instance *i = make(lissa_params(0.01, 5000, 1), N);
  const tier_linear_solver_1 *solver = instance_get(i, "tier.linear_solver/1");
  tier_vector *rhs = vector_of(b, N);
  tier_vector *out = vector_new(N);
  assert_fails(solver->solve(i->object, &s.face, i->state, rhs, out, &report), TIER_E_NONFINITE,
               "lissa diverges");
  vector_free(rhs);
  vector_free(out);
  free_instance(i);
}

/* ---- nystrom --------------------------------------------------------------------------------- */

static struct params *nystrom_params(double rank, double rho, const char *columns) {
  struct params *p = solver_params("nystrom");
  set_number(p, "rank", rank);
  if (rho > 0.0) {
    set_number(p, "rho", rho);
  }
  set_text(p, "columns", columns);
  return p;
}

static const char *const columns[2] = {"random", "coordinates"};

/* Solves the damped system a + damping I; returns the products. */
static int solve_damped(struct params *p, int64_t n, double damping, double tolerance,
                        tier_linear_report *report) {
  struct instance *i = make(p, n);
  struct matrix m;
  double *damped = memory_alloc((size_t)(n * n), sizeof *damped);
  tier_vector *rhs = vector_of(b, n);
  tier_vector *x = vector_new(n);
  for (int64_t j = 0; j < n * n; j++) {
    damped[j] = a[j] + (j % (n + 1) == 0 ? damping : 0.0);
  }
  solve_exactly(n, damped, b, x_exact);
  matrix_init(&m, n, damped, GOOD);
  m.face.damping = damping;
  assert_ok(matrix_solve(i, &m, rhs, x, report));
  assert_vector_near(x, x_exact, tolerance);
  assert_near(matrix_residual(&m, rhs, x), report->residual, 1e-12);
  vector_free(rhs);
  vector_free(x);
  free(damped);
  free_instance(i);
  return m.products;
}

/* At full rank, and at the rank of the matrix, it is exact, whatever the sketch. */
static void nystrom_of_full_rank_is_exact(void **state) {
  (void)state;
  double eigenvalues[MOST];
  tier_linear_report report;
  for (int k = 0; k < 2; k++) {
    random_system(30, 1e3);
    assert_int_equal(solve_damped(nystrom_params(99, 0, columns[k]), 30, 1e-3, 1e-9, &report), 31);
    assert_string_equal(report.stop, "low rank");
    assert_int_equal(report.iterations, 30);
    for (int64_t i = 0; i < MOST; i++) {
      eigenvalues[i] = i < 8 ? 1.0 + (double)i : 0.0;
    }
    spectral_system(MOST, eigenvalues);
    assert_int_equal(solve_damped(nystrom_params(8, 0, columns[k]), MOST, 0.05, 1e-8, &report), 9);
    assert_true(report.residual < 1e-8);
  }
}

/* Without damping rho takes its place: the solution is that of B^ + rho I, and so not of A. */
static void nystrom_adds_rho(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    double shifted[20 * 20];
    double x[20];
    double rho = k == 0 ? 0.25 : 0.01; /* the default */
    random_system(20, 100.0);
    for (int64_t i = 0; i < 400; i++) {
      shifted[i] = a[i] + (i % 21 == 0 ? rho : 0.0);
    }
    solve_exactly(20, shifted, b, x);
    tier_linear_report report =
        check_solution(nystrom_params(20, k == 0 ? rho : 0.0, columns[k]), 20, x, 1e-10, NULL);
    assert_true(report.residual > 1e-4);
  }
}

/* The residual falls with the rank: with eigenvalues 4^-i the expected error of the sketch does
 * (Frangella, Tropp, Udell 2023, proposition 2.2); the mean over 20 sketches is below 3 of it. */
static void nystrom_improves_with_its_rank(void **state) {
  (void)state;
  enum { SIZE = 40 };
  double eigenvalues[SIZE];
  double before = INFINITY;
  for (int64_t i = 0; i < SIZE; i++) {
    eigenvalues[i] = pow(4.0, -(double)i);
  }
  spectral_system(SIZE, eigenvalues);
  for (int rank = 4; rank <= 10; rank += 2) {
    struct instance *i = make(nystrom_params(rank, 1e-3, "random"), SIZE);
    struct matrix m;
    double mean = 0.0;
    double last = 0.0;
    int differ = 0;
    tier_vector *rhs = vector_of(b, SIZE);
    tier_vector *x = vector_new(SIZE);
    for (int64_t j = 0; j < SIZE; j++) {
      a[j * (SIZE + 1)] += 1e-3;
    }
    matrix_init(&m, SIZE, a, GOOD);
    m.face.damping = 1e-3;
    for (int k = 0; k < 20; k++) { /* each solve draws a sketch of its own */
      tier_linear_report report;
      assert_ok(matrix_solve(i, &m, rhs, x, &report));
      mean += report.residual / 20.0;
      differ += report.residual != last;
      last = report.residual;
    }
    for (int64_t j = 0; j < SIZE; j++) {
      a[j * (SIZE + 1)] -= 1e-3;
    }
    assert_int_equal(differ, 20);
    assert_true(mean < 0.5 * before);
    before = mean;
    vector_free(rhs);
    vector_free(x);
    free_instance(i);
  }
  assert_true(before < 0.05);
}

/* Negative curvature is left out, and told. */
static void nystrom_tells_of_negative_curvature(void **state) {
  (void)state;
  double eigenvalues[10] = {5, 4, 3, 2, 1, -1, -2, -3, -4, -5};
  struct matrix m;
  tier_linear_report report;
  spectral_system(10, eigenvalues);
  struct instance *i = make(nystrom_params(10, 0.1, "random"), 10);
  tier_vector *rhs = vector_of(b, 10);
  tier_vector *x = vector_new(10);
  matrix_init(&m, 10, a, TIER_SYSTEM_SYMMETRIC);
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_string_equal(report.stop, "low rank, negative curvature");
  assert_true(V->finite(x));
  matrix_init(&m, 10, a, 0);
  assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_REFUSED, "needs a symmetric matrix");
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

/* ---- as a preconditioner --------------------------------------------------------------------- */

struct prepared {
  const tier_linear_solver_1 *api;
  void *object, *made;
};

static struct prepared preconditioner;

static int32_t by_prepared(void *context, const tier_vector *v, tier_vector *out) {
  (void)context;
  return preconditioner.api->precondition(preconditioner.object, preconditioner.made, v, out);
}

static int64_t iterations_with(const char *id, struct params *p, int64_t n, double damping,
                               int *products) {
  struct params *own = solver_params(id);
  set_number(own, "tolerance", 1e-10); /* rounding leaves 1e-11 of b here */
  struct instance *i = make(own, n);
  struct instance *other = p != NULL ? make(p, n) : NULL;
  struct matrix m;
  tier_linear_report report;
  tier_vector *rhs = vector_of(b, n);
  tier_vector *x = vector_new(n);
  matrix_init(&m, n, a, GOOD);
  m.face.damping = damping;
  if (other != NULL) {
    preconditioner.api = instance_get(other, "tier.linear_solver/1");
    preconditioner.object = other->object;
    assert_ok(
        preconditioner.api->prepare(other->object, &m.face, other->state, &preconditioner.made));
    *products = m.products;
    m.face.precondition = by_prepared;
  }
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_string_equal(report.stop, "tolerance");
  assert_vector_near(x, x_exact, 1e-6);
  if (other != NULL) {
    preconditioner.api->discard(other->object, preconditioner.made);
  }
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
  free_instance(other);
  return report.iterations;
}

/* 12 large eigenvalues over a flat tail of 1e-2 (all damping): a rank of 15 removes them, so that
 * the condition number is near 1. dense leaves one iteration. */
static void preconditioners_shorten_the_way(void **state) {
  (void)state;
  const char *ids[4] = {"cg", "minres", "gmres", "bicgstab"};
  double eigenvalues[MOST];
  int products = 0;
  for (int64_t i = 0; i < MOST; i++) {
    eigenvalues[i] = (i < 12 ? pow(2.0, (double)i) : 0.0) + 1e-2 * (1.0 + 0.1 * (double)(i % 7));
  }
  spectral_system(MOST, eigenvalues);
  for (int k = 0; k < 4; k++) {
    int64_t without = iterations_with(ids[k], NULL, MOST, 1e-2, &products);
    int64_t with = iterations_with(ids[k], nystrom_params(15, 0, "random"), MOST, 1e-2, &products);
    assert_int_equal(products, 15);
    assert_true(with <= 12 && 3 * with <= 2 * without);
    assert_true(iterations_with(ids[k], solver_params("dense"), MOST, 1e-2, &products) <= 2);
    assert_int_equal(products, MOST);
  }
}

static int open_all(void **state) {
  host_offer("tier.dense/1", &dense_interface);
  log_set_sink(remember, NULL);
  return open_plugins(state);
}

static int close_all(void **state) {
  log_set_sink(NULL, NULL);
  return close_plugins(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lissa_on_one_matrix_is_neumann),
      cmocka_unit_test(lissa_has_the_stated_mean_and_variance),
      cmocka_unit_test(lissa_warns_of_a_small_depth),
      cmocka_unit_test(lissa_says_that_it_diverges),
      cmocka_unit_test(nystrom_of_full_rank_is_exact),
      cmocka_unit_test(nystrom_adds_rho),
      cmocka_unit_test(nystrom_improves_with_its_rank),
      cmocka_unit_test(nystrom_tells_of_negative_curvature),
      cmocka_unit_test(preconditioners_shorten_the_way),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}

/* Linear solvers on explicit matrices, against closed forms: cg, neumann, dense. */
#include <math.h>
#include <stdlib.h>
#include <tier/dense.h>

#include "backend/dense.h"
#include "matrix_system.h"

/* ---- cg ------------------------------------------------------------------------------------- */

static void cg_solves_well_conditioned_in_n_iterations(void **state) {
  (void)state;
  int products = 0;
  struct params *p = solver_params("cg");
  random_system(20, 10.0);
  tier_linear_report report = check_solution(p, 20, x_exact, 1e-10, &products);
  assert_true(report.iterations <= 22);
  assert_int_equal(products, report.iterations);
  assert_string_equal(report.stop, "tolerance");
  assert_true(report.residual <= 1e-12);
}

static void cg_solves_ill_conditioned(void **state) {
  (void)state;
  random_system(60, 1e4);
  tier_linear_report report = check_solution(solver_params("cg"), 60, x_exact, 1e-9, NULL);
  assert_string_equal(report.stop, "tolerance");
  assert_true(report.iterations <= 600);
}

/* Several public libraries return zero here. */
static void cg_solves_a_multiple_of_the_identity_at_once(void **state) {
  (void)state;
  const double scale = 3.5;
  for (int64_t i = 0; i < 25; i++) {
    a[i] = i % 6 == 0 ? scale : 0.0;
  }
  for (int64_t i = 0; i < 5; i++) {
    b[i] = (double)(i + 1);
    x_exact[i] = b[i] / scale;
  }
  struct params *p = solver_params("cg");
  set_number(p, "iterations", 1);
  tier_linear_report report = check_solution(p, 5, x_exact, 1e-15, NULL);
  assert_int_equal(report.iterations, 1);
}

/* After k iterations x is the latest iterate: the residual reported is that of the x returned. */
static void cg_returns_the_iterate_that_its_residual_belongs_to(void **state) {
  (void)state;
  random_system(30, 100.0);
  for (int k = 1; k <= 12; k++) {
    struct params *p = solver_params("cg");
    set_number(p, "iterations", k);
    struct instance *i = make(p, 30);
    struct matrix m;
    tier_linear_report report;
    tier_vector *rhs = vector_of(b, 30);
    tier_vector *x = vector_new(30);
    tier_vector *r = vector_new(30);
    matrix_init(&m, 30, a, GOOD);
    assert_ok(matrix_solve(i, &m, rhs, x, &report));
    assert_int_equal(report.iterations, k);
    assert_string_equal(report.stop, "iterations");
    assert_ok(m.face.apply(&m, x, r));
    V->axpby(1.0, rhs, -1.0, r);
    assert_near(V->norm(r) / V->norm(rhs), report.residual, 1e-12);
    vector_free(rhs);
    vector_free(x);
    vector_free(r);
    free_instance(i);
  }
}

/* The k-th iterate minimizes 1/2 x'Ax - b'x over span{b, Ab, ..., A^(k-1) b}: so its residual is
 * orthogonal to all of them. A direction built from an old residual breaks this. */
static void cg_residual_is_orthogonal_to_the_krylov_space(void **state) {
  (void)state;
  enum { N = 25, K = 6 };
  struct params *p = solver_params("cg");
  struct matrix m;
  tier_linear_report report;
  random_system(N, 50.0);
  set_number(p, "iterations", K);
  struct instance *i = make(p, N);
  tier_vector *rhs = vector_of(b, N);
  tier_vector *x = vector_new(N);
  tier_vector *r = vector_new(N);
  matrix_init(&m, N, a, GOOD);
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_ok(m.face.apply(&m, x, r));
  V->axpby(1.0, rhs, -1.0, r);
  V->copy(rhs, x); /* now x runs through the Krylov vectors */
  for (int k = 0; k < K; k++) {
    assert_near(V->dot(r, x) / (V->norm(r) * V->norm(x)), 0.0, 1e-10);
    assert_ok(m.face.apply(&m, x, x));
  }
  assert_true(fabs(V->dot(r, x)) > 1e-6 * V->norm(r) * V->norm(x)); /* not to the next one */
  vector_free(rhs);
  vector_free(x);
  vector_free(r);
  free_instance(i);
}

static void cg_stops_at_negative_curvature(void **state) {
  (void)state;
  double eigenvalues[4] = {2.0, 1.0, 0.5, -1.0};
  struct instance *i = make(solver_params("cg"), 4);
  struct matrix m;
  tier_linear_report report;
  double rhs_values[4] = {1, 2, 3, 4};
  random_symmetric(4, eigenvalues, 3, a);
  tier_vector *rhs = vector_of(rhs_values, 4);
  tier_vector *x = vector_new(4);
  matrix_init(&m, 4, a, GOOD);
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_string_equal(report.stop, "negative curvature");
  assert_true(V->finite(x));
  assert_true(isfinite(report.residual));
  for (int64_t j = 0; j < 16; j++) {
    a[j] = j % 5 == 0 ? -1.0 : 0.0; /* negative definite: stops before the first step */
  }
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_string_equal(report.stop, "negative curvature");
  assert_true(V->max_abs(x) == 0.0);
  assert_near(report.residual, 1.0, 0.0);
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

static void cg_starts_from_the_previous_solution(void **state) {
  (void)state;
  struct params *p = solver_params("cg");
  struct matrix m;
  tier_linear_report report;
  random_system(20, 30.0);
  set_text(p, "start", "previous");
  struct instance *i = make(p, 20);
  tier_vector *rhs = vector_of(b, 20);
  tier_vector *x = vector_new(20);
  matrix_init(&m, 20, a, GOOD);
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  int first = (int)report.iterations;
  assert_true(first > 5);
  V->fill(x, 3.0);
  assert_ok(matrix_solve(i, &m, rhs, x, &report)); /* the same again: nothing left to do */
  assert_true(report.iterations <= 1);
  assert_vector_near(x, x_exact, 1e-10);
  V->scale(1.0001, rhs);
  assert_ok(matrix_solve(i, &m, rhs, x, &report)); /* a near one: fewer iterations */
  assert_true(report.iterations > 0 && report.iterations < first);
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

/* A diagonal matrix of condition 1e8, preconditioned by its inverse, takes one iteration. */
static void cg_uses_the_preconditioner(void **state) {
  (void)state;
  enum { N = 30 };
  double inverse[N];
  struct matrix m;
  tier_linear_report report;
  for (int64_t i = 0; i < N; i++) {
    double d = pow(1e8, (double)i / (N - 1));
    for (int64_t j = 0; j < N; j++) {
      a[i * N + j] = i == j ? d : 0.0;
    }
    inverse[i] = 1.0 / d;
    b[i] = 1.0 + (double)i;
    x_exact[i] = b[i] / d;
  }
  struct instance *i = make(solver_params("cg"), N);
  tier_vector *rhs = vector_of(b, N);
  tier_vector *x = vector_new(N);
  matrix_init(&m, N, a, GOOD);
  matrix_precondition(&m, inverse);
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_true(report.iterations <= 2);
  assert_vector_near(x, x_exact, 1e-12);
  m.face.precondition = NULL;
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_true(report.iterations > 20);
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

static void cg_works_in_f32(void **state) {
  (void)state;
  struct params *p = solver_params("cg");
  use_dtype(DTYPE_F32);
  set_number(p, "tolerance", 1e-6);
  random_system(20, 10.0);
  tier_linear_report report = check_solution(p, 20, x_exact, 2e-5, NULL);
  assert_string_equal(report.stop, "tolerance");
  use_dtype(DTYPE_F64);
}

/* ---- neumann -------------------------------------------------------------------------------- */

/* lr sum_{j < terms} (I - lr A)^j b, as the formula stands. */
static void neumann_formula(int64_t n, double lr, int terms, double *x) {
  double p[MOST];
  double ap[MOST];
  memcpy(p, b, (size_t)n * sizeof(double));
  memset(x, 0, (size_t)n * sizeof(double));
  for (int j = 0; j < terms; j++) {
    multiply(n, n, a, 0, p, ap);
    for (int64_t i = 0; i < n; i++) {
      x[i] += lr * p[i];
      p[i] -= lr * ap[i];
    }
  }
}

static void neumann_sums_exactly_its_terms(void **state) {
  (void)state;
  const double lr = 0.15;
  double x[MOST];
  random_system(12, 10.0);
  for (int terms = 1; terms <= 30; terms++) {
    struct params *p = solver_params("neumann");
    int products = 0;
    set_number(p, "terms", terms);
    set_number(p, "lr", lr);
    neumann_formula(12, lr, terms, x);
    tier_linear_report report = check_solution(p, 12, x, 1e-12, &products);
    assert_int_equal(report.iterations, terms);
    assert_int_equal(products, terms); /* one more than the sum needs: the residual */
    assert_string_equal(report.stop, "terms");
    double r[MOST];
    multiply(12, 12, a, 0, x, r);
    double square = 0.0;
    double total = 0.0;
    for (int64_t i = 0; i < 12; i++) {
      square += (b[i] - r[i]) * (b[i] - r[i]);
      total += b[i] * b[i];
    }
    assert_near(report.residual, sqrt(square / total), 1e-12);
  }
}

static void neumann_with_one_term_is_a_multiple(void **state) {
  (void)state;
  struct params *p = solver_params("neumann");
  double x[MOST];
  random_system(8, 10.0);
  for (int64_t i = 0; i < 8; i++) {
    x[i] = 0.1 * b[i];
  }
  set_number(p, "terms", 1);
  set_number(p, "lr", 0.1);
  (void)check_solution(p, 8, x, 1e-15, NULL);
}

/* Scaled by any lr below 2 / the largest eigenvalue it tends to the same solution. */
static void neumann_tends_to_the_solution(void **state) {
  (void)state;
  const double rates[2] = {0.05, 0.18};
  random_system(12, 10.0);
  for (int k = 0; k < 2; k++) {
    struct params *p = solver_params("neumann");
    set_number(p, "terms", 800);
    set_number(p, "lr", rates[k]);
    tier_linear_report report = check_solution(p, 12, x_exact, 1e-12, NULL);
    assert_true(report.residual < 1e-13);
  }
}

static void neumann_takes_the_levels_step_or_refuses(void **state) {
  (void)state;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "neumann", 8);
  struct matrix m;
  tier_linear_report report;
  double x_formula[MOST];
  random_system(8, 10.0);
  tier_vector *rhs = vector_of(b, 8);
  tier_vector *x = vector_new(8);
  matrix_init(&m, 8, a, GOOD);
  assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_REFUSED,
               "this optimizer has no step size");
  m.step = 0.12;
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  neumann_formula(8, 0.12, 20, x_formula);
  assert_vector_near(x, x_formula, 1e-13);
  m.face.step = 0.05; /* known at once */
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  neumann_formula(8, 0.05, 20, x_formula);
  assert_vector_near(x, x_formula, 1e-13);
  m.face.step = 0.0;
  m.face.step_size = NULL;
  assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_REFUSED, "needs a step size");
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

static void neumann_says_that_it_diverges(void **state) {
  (void)state;
  struct matrix m;
  tier_linear_report report;
  random_system(8, 10.0);
  tier_vector *rhs = vector_of(b, 8);
  tier_vector *x = vector_new(8);
  matrix_init(&m, 8, a, GOOD);
  m.step = 0.3; /* 2 / 10 is the bound */
  struct instance *i = make_plain(POSITION_ESTIMATOR, "neumann", 8);
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_string_equal(report.stop, "terms, diverging");
  assert_true(report.residual > 1.0);
  free_instance(i);
  struct params *p = solver_params("neumann");
  set_number(p, "terms", 5000);
  i = make(p, 8);
  assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_NONFINITE, "diverges");
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

/* ---- dense ---------------------------------------------------------------------------------- */

static void dense_solves_by_cholesky_and_lu(void **state) {
  (void)state;
  const char *methods[3] = {"auto", "cholesky", "lu"};
  const double kappas[2] = {10.0, 1e4};
  for (int k = 0; k < 6; k++) {
    struct params *p = solver_params("dense");
    int products = 0;
    random_system(40, kappas[k / 3]);
    set_text(p, "method", methods[k % 3]);
    tier_linear_report report = check_solution(p, 40, x_exact, 1e-11, &products);
    assert_string_equal(report.stop, "exact");
    assert_true(report.residual < 1e-11);
    assert_int_equal(products, 41); /* one for each column, one for the residual */
  }
}

static void dense_solves_an_unsymmetric_system(void **state) {
  (void)state;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "dense", 3);
  const double unsymmetric[9] = {2, 1, 0, -1, 3, 4, 0, 0, 5};
  const double rhs_values[3] = {3, 6, 5}; /* x = (1, 1, 1) */
  const double ones[3] = {1, 1, 1};
  struct matrix m;
  tier_linear_report report;
  tier_vector *rhs = vector_of(rhs_values, 3);
  tier_vector *x = vector_new(3);
  matrix_init(&m, 3, unsymmetric, 0);
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_vector_near(x, ones, 1e-14);
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

static void dense_names_the_bad_pivot(void **state) {
  (void)state;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "dense", 3);
  const double saddle[9] = {1, 0, 0, 0, -2, 0, 0, 0, 3};
  const double singular[9] = {1, 0, 0, 0, 0, 0, 0, 0, 3};
  const double rhs_values[3] = {1, 1, 1};
  struct matrix m;
  tier_linear_report report;
  tier_vector *rhs = vector_of(rhs_values, 3);
  tier_vector *x = vector_new(3);
  matrix_init(&m, 3, saddle, GOOD);
  assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_REFUSED,
               "pivot 2 of 3 is not positive");
  assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_REFUSED, "damping");
  matrix_init(&m, 3, singular, TIER_SYSTEM_SYMMETRIC);
  assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_REFUSED, "pivot 2 of 3 is zero");
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

static void dense_refuses_what_is_too_large(void **state) {
  (void)state;
  struct params *p = solver_params("dense");
  struct matrix m;
  tier_linear_report report;
  random_system(20, 10.0);
  set_number(p, "limit", 19);
  struct instance *i = make(p, 20);
  tier_vector *rhs = vector_of(b, 20);
  tier_vector *x = vector_new(20);
  matrix_init(&m, 20, a, GOOD);
  assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_REFUSED, "limit");
  assert_int_equal(m.products, 0);
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
}

/* ---- all ------------------------------------------------------------------------------------ */

static void zero_gives_zero_without_a_product(void **state) {
  (void)state;
  const char *ids[3] = {"cg", "neumann", "dense"};
  random_system(6, 10.0);
  for (int k = 0; k < 3; k++) {
    struct instance *i = make_plain(POSITION_ESTIMATOR, ids[k], 6);
    struct matrix m;
    tier_linear_report report;
    tier_vector *rhs = vector_new(6);
    tier_vector *x = vector_of(b, 6);
    matrix_init(&m, 6, a, GOOD);
    assert_ok(matrix_solve(i, &m, rhs, x, &report));
    assert_true(V->max_abs(x) == 0.0);
    assert_int_equal(m.products, 0);
    assert_string_equal(report.stop, "zero");
    vector_free(rhs);
    vector_free(x);
    free_instance(i);
  }
}

static void a_product_that_is_not_finite_is_an_error(void **state) {
  (void)state;
  const char *ids[3] = {"cg", "neumann", "dense"};
  const double bad[4] = {1.0, 0.0, 0.0, NAN};
  const double rhs_values[2] = {1.0, 1.0};
  for (int k = 0; k < 3; k++) {
    struct instance *i = make_plain(POSITION_ESTIMATOR, ids[k], 2);
    struct matrix m;
    tier_linear_report report;
    tier_vector *rhs = vector_of(rhs_values, 2);
    tier_vector *x = vector_new(2);
    matrix_init(&m, 2, bad, GOOD);
    m.step = 0.1;
    assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_NONFINITE, "");
    vector_free(rhs);
    vector_free(x);
    free_instance(i);
  }
}

/* Comparisons with NaN are false: an iteration that never begins leaves zeros. */
static void a_right_hand_side_that_is_not_finite_is_an_error(void **state) {
  (void)state;
  const double identity[4] = {1.0, 0.0, 0.0, 1.0};
  const double bad[2] = {NAN, INFINITY};
  for (int k = 0; k < 2; k++) {
    struct instance *i = make_plain(POSITION_ESTIMATOR, "cg", 2);
    struct matrix m;
    tier_linear_report report;
    tier_vector *rhs = vector_of((const double[2]){1.0, bad[k]}, 2);
    tier_vector *x = vector_new(2);
    matrix_init(&m, 2, identity, GOOD);
    assert_fails(matrix_solve(i, &m, rhs, x, &report), TIER_E_NONFINITE, "right-hand side");
    vector_free(rhs);
    vector_free(x);
    free_instance(i);
  }
}

static int open_with_dense(void **state) {
  host_offer("tier.dense/1", &dense_interface);
  return open_plugins(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cg_solves_well_conditioned_in_n_iterations),
      cmocka_unit_test(cg_solves_ill_conditioned),
      cmocka_unit_test(cg_solves_a_multiple_of_the_identity_at_once),
      cmocka_unit_test(cg_returns_the_iterate_that_its_residual_belongs_to),
      cmocka_unit_test(cg_residual_is_orthogonal_to_the_krylov_space),
      cmocka_unit_test(cg_stops_at_negative_curvature),
      cmocka_unit_test(cg_starts_from_the_previous_solution),
      cmocka_unit_test(cg_uses_the_preconditioner),
      cmocka_unit_test(cg_works_in_f32),
      cmocka_unit_test(neumann_sums_exactly_its_terms),
      cmocka_unit_test(neumann_with_one_term_is_a_multiple),
      cmocka_unit_test(neumann_tends_to_the_solution),
      cmocka_unit_test(neumann_takes_the_levels_step_or_refuses),
      cmocka_unit_test(neumann_says_that_it_diverges),
      cmocka_unit_test(dense_solves_by_cholesky_and_lu),
      cmocka_unit_test(dense_solves_an_unsymmetric_system),
      cmocka_unit_test(dense_names_the_bad_pivot),
      cmocka_unit_test(dense_refuses_what_is_too_large),
      cmocka_unit_test(zero_gives_zero_without_a_product),
      cmocka_unit_test(a_product_that_is_not_finite_is_an_error),
      cmocka_unit_test(a_right_hand_side_that_is_not_finite_is_an_error),
  };
  return cmocka_run_group_tests(tests, open_with_dense, close_plugins);
}

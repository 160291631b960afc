/* minres, gmres, bicgstab and identity (and cg beside them) on explicit matrices, in f64. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "matrix_system.h"

#define KINDS 3
static const char *const krylov[KINDS + 1] = {"minres", "gmres", "bicgstab", "cg"};

static int is(const char *id, const char *other) {
  return strcmp(id, other) == 0;
}

/* A right-hand side, a solution, a system and a solver. */
struct setup {
  struct instance *solver;
  struct matrix m;
  tier_vector *rhs, *x;
  tier_linear_report report;
};

static void open_setup(struct setup *s, struct params *p, int64_t n, uint32_t flags) {
  s->solver = make(p, n);
  s->rhs = vector_of(b, n);
  s->x = vector_new(n);
  matrix_init(&s->m, n, a, flags);
}

static void close_setup(struct setup *s) {
  vector_free(s->rhs);
  vector_free(s->x);
  free_instance(s->solver);
}

static void solve_setup(struct setup *s) {
  assert_ok(matrix_solve(s->solver, &s->m, s->rhs, s->x, &s->report));
}

/* ---- accuracy -------------------------------------------------------------------------------- */

/* Condition 1e3 to 1e-8, 1e6 to 1e-7, within 10 n iterations; one product more than iterations in
 * each round (bicgstab: two an iteration, and cg none more). bicgstab's short recurrences lose too
 * much at 1e6: test below. */
static void solve_positive_systems(void **state) {
  (void)state;
  const double kappas[3] = {10.0, 1e3, 1e6};
  const double bounds[3] = {1e-11, 1e-8, 1e-7};
  for (int i = 0; i < 12; i++) {
    const char *id = krylov[i % 4];
    int products = 0;
    if (i / 4 == 2 && is(id, "bicgstab")) {
      continue;
    }
    struct params *p = solver_params(id);
    set_number(p, "iterations", 10.0 * MOST);
    random_system(MOST, kappas[i / 4]);
    tier_linear_report r = check_solution(p, MOST, x_exact, bounds[i / 4], &products);
    assert_true(r.iterations <= 10L * MOST);
    assert_true(r.residual <= 2e-12);
    assert_true(i / 4 == 2 || is(r.stop, "tolerance"));
    if (is(id, "bicgstab")) {
      assert_true(products <= 2 * r.iterations + 2);
    } else {
      assert_true(products >= r.iterations && products <= r.iterations + 3);
    }
  }
}

/* Where it cannot reach its tolerance it says so, and its residual is the true one. */
static void bicgstab_is_honest_at_condition_1e6(void **state) {
  (void)state;
  struct setup s;
  random_system(MOST, 1e6);
  open_setup(&s, solver_params("bicgstab"), MOST, GOOD);
  solve_setup(&s);
  assert_true(is(s.report.stop, "iterations") || is(s.report.stop, "stagnation"));
  assert_true(s.report.residual > 1e-12 && s.report.residual < 1.0);
  assert_near(matrix_residual(&s.m, s.rhs, s.x) / s.report.residual, 1.0, 1e-6);
  close_setup(&s);
}

/* In exact arithmetic they end after as many iterations as there are distinct eigenvalues. */
static void end_after_as_many_iterations_as_eigenvalues(void **state) {
  (void)state;
  double eigenvalues[MOST];
  for (int distinct = 1; distinct <= 5; distinct++) {
    for (int64_t i = 0; i < MOST; i++) {
      eigenvalues[i] = 1.0 + 9.0 * (double)(i % distinct) / 4.0; /* condition at most 10 */
    }
    spectral_system(MOST, eigenvalues);
    for (int k = 0; k < 4; k++) {
      tier_linear_report r = check_solution(solver_params(krylov[k]), MOST, x_exact, 1e-11, NULL);
      assert_true(r.iterations <= distinct);
      assert_string_equal(r.stop, "tolerance");
    }
  }
}

/* Several public libraries return zero, or a wrong multiple, here. */
static void solve_a_multiple_of_the_identity_at_once(void **state) {
  (void)state;
  for (int64_t i = 0; i < 25; i++) {
    a[i] = i % 6 == 0 ? 3.5 : 0.0;
  }
  for (int64_t i = 0; i < 5; i++) {
    b[i] = (double)(i + 1);
    x_exact[i] = b[i] / 3.5;
  }
  for (int k = 0; k < KINDS; k++) {
    struct params *p = solver_params(krylov[k]);
    set_number(p, "iterations", 1);
    tier_linear_report r = check_solution(p, 5, x_exact, 1e-14, NULL);
    assert_int_equal(r.iterations, 1);
    assert_string_equal(r.stop, "tolerance");
  }
}

static void minres_solves_indefinite_systems(void **state) {
  (void)state;
  double eigenvalues[MOST];
  for (int i = 0; i < 2; i++) {
    for (int64_t j = 0; j < MOST; j++) {
      eigenvalues[j] = pow(i == 0 ? 10.0 : 1e3, (double)j / (MOST - 1.0)) * (j % 3 == 0 ? -1 : 1);
    }
    spectral_system(MOST, eigenvalues);
    tier_linear_report r =
        check_system(solver_params("minres"), MOST, TIER_SYSTEM_SYMMETRIC, x_exact, 1e-8, NULL);
    assert_string_equal(r.stop, "tolerance");
    assert_true(r.iterations <= 10L * MOST);
  }
}

static void gmres_and_bicgstab_solve_unsymmetric_systems(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    unsymmetric_system(MOST, 0.6);
    tier_linear_report r =
        check_system(solver_params(k == 0 ? "gmres" : "bicgstab"), MOST, 0, x_exact, 1e-10, NULL);
    assert_string_equal(r.stop, "tolerance");
    assert_true(r.iterations <= MOST);
  }
}

/* A cyclic shift: no progress at all before the last iteration, then exact (for gmres). bicgstab
 * breaks down at once, and says so. */
static void shifts_are_hard(void **state) {
  (void)state;
  enum { N = 12 };
  struct setup s;
  for (int64_t i = 0; i < N * N; i++) {
    a[i] = (i / N + 1) % N == i % N ? 1.0 : 0.0;
  }
  for (int64_t i = 0; i < N; i++) {
    b[i] = i == 0 ? 1.0 : 0.0;
    x_exact[i] = i == 1 ? 1.0 : 0.0;
  }
  tier_linear_report r = check_system(solver_params("gmres"), N, 0, x_exact, 1e-14, NULL);
  assert_int_equal(r.iterations, N);
  struct params *p = solver_params("gmres");
  set_number(p, "restart", 5);
  open_setup(&s, p, N, 0);
  solve_setup(&s); /* each cycle returns the zero it began with */
  assert_string_equal(s.report.stop, "stagnation");
  assert_near(s.report.residual, 1.0, 1e-15);
  close_setup(&s);
  open_setup(&s, solver_params("bicgstab"), N, 0);
  solve_setup(&s);
  assert_string_equal(s.report.stop, "breakdown");
  assert_true(V->finite(s.x));
  assert_near(s.report.residual, matrix_residual(&s.m, s.rhs, s.x), 1e-12);
  close_setup(&s);
}

static void gmres_restarts(void **state) {
  (void)state;
  int products = 0;
  struct params *p = solver_params("gmres");
  set_number(p, "restart", 8);
  unsymmetric_system(MOST, 0.5);
  tier_linear_report r = check_system(p, MOST, 0, x_exact, 1e-10, &products);
  assert_string_equal(r.stop, "tolerance");
  assert_true(r.iterations > 16);
  assert_int_equal(products, r.iterations + (r.iterations + 7) / 8); /* one more in each cycle */
}

/* After k iterations minres and gmres have the least residual in the Krylov space: A r is
 * orthogonal to it, so r is orthogonal to A b, ..., A^k b, and not to the next. */
static void residuals_are_minimal(void **state) {
  (void)state;
  enum { N = 25, K = 6 };
  double eigenvalues[N];
  for (int64_t i = 0; i < N; i++) {
    eigenvalues[i] = i % 2 == 0 ? 1.0 + (double)i : -2.0 - (double)i;
  }
  spectral_system(N, eigenvalues);
  for (int k = 0; k < 2; k++) {
    struct setup s;
    struct params *p = solver_params(krylov[k]);
    tier_vector *r = vector_new(N);
    tier_vector *next = vector_new(N);
    set_number(p, "iterations", K);
    open_setup(&s, p, N, TIER_SYSTEM_SYMMETRIC);
    solve_setup(&s);
    assert_string_equal(s.report.stop, "iterations");
    assert_ok(s.m.face.apply(&s.m, s.x, r));
    V->axpby(1.0, s.rhs, -1.0, r);
    assert_near(V->norm(r) / V->norm(s.rhs), s.report.residual, 1e-14);
    for (int j = 0; j <= K; j++) {
      assert_ok(s.m.face.apply(&s.m, s.rhs, next));
      V->copy(next, s.rhs);
      double cosine = V->dot(r, next) / (V->norm(r) * V->norm(next));
      assert_true(j < K ? fabs(cosine) < 1e-10 : fabs(cosine) > 1e-6);
    }
    vector_free(r);
    vector_free(next);
    close_setup(&s);
  }
}

static void work_in_f32(void **state) {
  (void)state;
  use_dtype(DTYPE_F32);
  for (int k = 0; k < KINDS; k++) {
    random_system(20, 10.0);
    tier_linear_report r = check_solution(solver_params(krylov[k]), 20, x_exact, 2e-5, NULL);
    assert_true(is(r.stop, "stagnation") || is(r.stop, "tolerance"));
    assert_true(r.residual < 5e-6);
    assert_true(r.iterations < 100);
  }
  use_dtype(DTYPE_F64);
}

/* ---- singular matrices ----------------------------------------------------------------------- */

/* diag(1, 2, 0, 0, 3): with b in its range a solution; otherwise least squares, and "singular". */
static void singular_systems_end_with_a_reason(void **state) {
  (void)state;
  const double diagonal[5] = {1.0, 2.0, 0.0, 0.0, 3.0};
  for (int k = 0; k < 6; k++) {
    struct setup s;
    int in_range = k % 2 == 0;
    for (int64_t i = 0; i < 25; i++) {
      a[i] = i % 6 == 0 ? diagonal[i / 6] : 0.0;
    }
    for (int64_t i = 0; i < 5; i++) {
      b[i] = diagonal[i] == 0.0 && in_range ? 0.0 : 1.0;
    }
    open_setup(&s, solver_params(krylov[k / 2]), 5, GOOD);
    solve_setup(&s);
    assert_true(V->finite(s.x));
    assert_near(s.report.residual, matrix_residual(&s.m, s.rhs, s.x), 1e-12);
    if (in_range) {
      assert_string_equal(s.report.stop, "tolerance");
      close_setup(&s);
      continue;
    }
    assert_string_equal(s.report.stop, "singular");
    if (!is(krylov[k / 2], "bicgstab")) {
      assert_near(s.report.residual, sqrt(2.0 / 5.0), 1e-12); /* the part outside the range */
    } else {
      assert_true(s.report.residual >= sqrt(2.0 / 5.0) - 1e-12);
    }
    close_setup(&s);
  }
}

/* Rank-deficient with damping is an ordinary system. */
static void damping_makes_them_regular(void **state) {
  (void)state;
  double eigenvalues[MOST];
  for (int64_t i = 0; i < MOST; i++) {
    eigenvalues[i] = (i < 20 ? 0.0 : (double)(i - 19)) + 0.05;
  }
  spectral_system(MOST, eigenvalues);
  for (int k = 0; k < 4; k++) {
    tier_linear_report r = check_solution(solver_params(krylov[k]), MOST, x_exact, 1e-8, NULL);
    assert_string_equal(r.stop, "tolerance");
  }
}

/* ---- starts, preconditioners, refusals ------------------------------------------------------- */

static void start_from_the_previous_solution(void **state) {
  (void)state;
  for (int k = 0; k < KINDS; k++) {
    struct setup s;
    struct params *p = solver_params(krylov[k]);
    set_text(p, "start", "previous");
    random_system(20, 30.0);
    open_setup(&s, p, 20, GOOD);
    solve_setup(&s);
    int64_t first = s.report.iterations;
    assert_true(first > 5);
    V->fill(s.x, 3.0);
    solve_setup(&s); /* the same again: nothing left to do */
    assert_true(s.report.iterations <= 2);
    assert_vector_near(s.x, x_exact, 1e-10);
    V->scale(1.0 + 1e-8, s.rhs);
    solve_setup(&s); /* a near one: fewer iterations */
    assert_true(s.report.iterations > 0 && s.report.iterations < first);
    assert_string_equal(s.report.stop, "tolerance");
    assert_near(matrix_residual(&s.m, s.rhs, s.x), s.report.residual, 1e-14);
    s.m.face.size = 19;
    assert_fails(matrix_solve(s.solver, &s.m, s.rhs, s.x, &s.report), TIER_E_REFUSED,
                 "keeps 20 numbers");
    close_setup(&s);
  }
}

/* A matrix D (tridiagonal) D of condition above 1e6, preconditioned by its diagonal's inverse. */
static void use_the_preconditioner(void **state) {
  (void)state;
  enum { N = 40 };
  double inverse[N];
  for (int64_t i = 0; i < N * N; i++) {
    double scale = pow(1e3, (double)(i / N) / (N - 1)) * pow(1e3, (double)(i % N) / (N - 1));
    int64_t apart = llabs(i / N - i % N);
    a[i] = scale * (apart == 0 ? 2.0 : apart == 1 ? -0.8 : 0.0);
  }
  for (int64_t i = 0; i < N; i++) {
    inverse[i] = 1.0 / a[i * (N + 1)];
    b[i] = random_normal(5, 0, (uint64_t)i);
  }
  solve_exactly(N, a, b, x_exact);
  for (int k = 0; k < 4; k++) {
    struct setup s;
    open_setup(&s, solver_params(krylov[k]), N, GOOD);
    solve_setup(&s);
    int64_t without = s.report.iterations;
    matrix_precondition(&s.m, inverse);
    solve_setup(&s);
    assert_string_equal(s.report.stop, "tolerance");
    assert_true(s.report.iterations <= N + N / 5 && 3 * s.report.iterations <= without + 2 * N);
    assert_vector_near(s.x, x_exact, 1e-9);
    close_setup(&s);
  }
}

static void minres_refuses_a_negative_preconditioner(void **state) {
  (void)state;
  double inverse[4] = {-1.0, -1.0, -1.0, -1.0};
  struct setup s;
  random_system(4, 10.0);
  open_setup(&s, solver_params("minres"), 4, GOOD);
  matrix_precondition(&s.m, inverse);
  assert_fails(matrix_solve(s.solver, &s.m, s.rhs, s.x, &s.report), TIER_E_REFUSED,
               "positive preconditioner");
  close_setup(&s);
}

static void symmetric_solvers_refuse_others(void **state) {
  (void)state;
  const char *ids[2] = {"minres", "cg"};
  for (int k = 0; k < 2; k++) {
    struct setup s;
    unsymmetric_system(6, 0.5);
    open_setup(&s, solver_params(ids[k]), 6, 0);
    assert_fails(matrix_solve(s.solver, &s.m, s.rhs, s.x, &s.report), TIER_E_REFUSED,
                 "needs a symmetric matrix");
    assert_int_equal(s.m.products, 0);
    close_setup(&s);
  }
}

/* ---- identity, and what holds for all -------------------------------------------------------- */

static void identity_is_a_multiple(void **state) {
  (void)state;
  struct setup s;
  struct params *p = solver_params("identity");
  random_system(8, 10.0);
  set_number(p, "scale", 0.25);
  open_setup(&s, p, 8, 0);
  for (int k = 0; k < 2; k++) {
    s.m.face.damping = k == 0 ? 0.0 : 1.0; /* (1 / 0.25 + 1) I */
    for (int64_t i = 0; i < 8; i++) {
      x_exact[i] = b[i] / (4.0 + s.m.face.damping);
    }
    solve_setup(&s);
    assert_vector_near(s.x, x_exact, 1e-15);
    assert_string_equal(s.report.stop, "identity");
    assert_true(isnan(s.report.residual));
    assert_int_equal(s.m.products, 0);
  }
  close_setup(&s);
}

static void zero_gives_zero_without_a_product(void **state) {
  (void)state;
  const char *ids[4] = {"minres", "gmres", "bicgstab", "identity"};
  for (int k = 0; k < 8; k++) {
    struct setup s;
    int64_t n = k < 4 ? 6 : 0; /* nothing at all to solve for is a zero, too */
    memset(b, 0, sizeof b);
    open_setup(&s, solver_params(ids[k % 4]), n, GOOD);
    V->fill(s.x, 5.0);
    solve_setup(&s);
    assert_true(V->max_abs(s.x) == 0.0);
    assert_int_equal(s.m.products, 0);
    assert_string_equal(s.report.stop, "zero");
    assert_near(s.report.residual, 0.0, 0.0);
    close_setup(&s);
  }
}

static void size_one(void **state) {
  (void)state;
  for (int k = 0; k < 2 * KINDS; k++) {
    struct setup s;
    a[0] = k < KINDS ? -0.25 : 1e-200; /* only minres and gmres care for neither sign nor size */
    b[0] = 3.0;
    x_exact[0] = b[0] / a[0];
    open_setup(&s, solver_params(krylov[k % KINDS]), 1, TIER_SYSTEM_SYMMETRIC);
    solve_setup(&s);
    assert_vector_near(s.x, x_exact, 1e-14);
    assert_string_equal(s.report.stop, "tolerance");
    close_setup(&s);
  }
}

static void a_product_that_is_not_finite_is_an_error(void **state) {
  (void)state;
  for (int k = 0; k < 2 * KINDS; k++) {
    struct setup s;
    memset(a, 0, sizeof a);
    a[0] = 1.0;
    a[3] = k < KINDS ? (double)NAN : (double)INFINITY;
    b[0] = b[1] = 1.0;
    open_setup(&s, solver_params(krylov[k % KINDS]), 2, GOOD);
    assert_fails(matrix_solve(s.solver, &s.m, s.rhs, s.x, &s.report), TIER_E_NONFINITE,
                 "not finite");
    close_setup(&s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(solve_positive_systems),
      cmocka_unit_test(bicgstab_is_honest_at_condition_1e6),
      cmocka_unit_test(end_after_as_many_iterations_as_eigenvalues),
      cmocka_unit_test(solve_a_multiple_of_the_identity_at_once),
      cmocka_unit_test(minres_solves_indefinite_systems),
      cmocka_unit_test(gmres_and_bicgstab_solve_unsymmetric_systems),
      cmocka_unit_test(shifts_are_hard),
      cmocka_unit_test(gmres_restarts),
      cmocka_unit_test(residuals_are_minimal),
      cmocka_unit_test(work_in_f32),
      cmocka_unit_test(singular_systems_end_with_a_reason),
      cmocka_unit_test(damping_makes_them_regular),
      cmocka_unit_test(start_from_the_previous_solution),
      cmocka_unit_test(use_the_preconditioner),
      cmocka_unit_test(minres_refuses_a_negative_preconditioner),
      cmocka_unit_test(symmetric_solvers_refuse_others),
      cmocka_unit_test(identity_is_a_multiple),
      cmocka_unit_test(zero_gives_zero_without_a_product),
      cmocka_unit_test(size_one),
      cmocka_unit_test(a_product_that_is_not_finite_is_an_error),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

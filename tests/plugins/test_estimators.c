/* Estimators on a quadratic lower level, where all is known in closed form. With u the cotangent of
 * w* = A^-1 B theta, the pullback is B' A^-1 u. */
#include <math.h>
#include <stdlib.h>
#include <tier/estimator.h>

#include "backend/dense.h"
#include "base/random.h"
#include "quadratic_problem.h"
#include "support.h"

#define V (&vector_interface)
#define N 8
#define P 5
#define MOST QUADRATIC_MOST

static struct quadratic_problem q;
static double u[N];        /* the cotangent */
static double expected[P]; /* B' A^-1 u */

static void reset(void) {
  double eigenvalues[N];
  double x[N];
  q = (struct quadratic_problem){.n = N, .p = P, .lr = 0.1, .steps = 40, .extension_lr = 0.1};
  for (int64_t i = 0; i < N; i++) {
    eigenvalues[i] = 0.5 + (double)i; /* 0.5 to 7.5 */
    u[i] = random_normal(11, 0, (uint64_t)i);
    q.start[i] = random_normal(11, 1, (uint64_t)i);
  }
  random_symmetric(N, eigenvalues, 12, q.a);
  for (int64_t i = 0; i < N * P; i++) {
    q.b[i] = random_normal(11, 2, (uint64_t)i);
  }
  for (int64_t i = 0; i < P; i++) {
    q.theta[i] = random_normal(11, 3, (uint64_t)i);
  }
  solve_exactly(N, q.a, u, x);
  multiply(N, P, q.b, 1, x, expected);
}

static void count_from_zero(void) {
  q.runs = q.gradients = q.hvps = q.crosses = q.input_gradients = q.vjps = q.jvps = 0;
}

static struct params *estimator_params(const char *id) {
  return arguments(POSITION_ESTIMATOR, id);
}

static struct instance *implicit_with(struct instance *solver) {
  struct params *p = estimator_params("implicit");
  params_set_instance(p, "solver", solver);
  return make(p, N);
}

/* solve, then pullback of u; inputs (P). */
static int32_t estimate(struct instance *i, tier_record *r, double *inputs) {
  const tier_estimator_1 *estimator = instance_get(i, "tier.estimator/1");
  tier_vector *cotangent = vector_of(u, N);
  tier_vector *out = vector_new(P);
  int32_t status = estimator->solve(i->object, quadratic_edge(&q), i->state, r);
  count_from_zero();
  if (status == TIER_OK) {
    status = estimator->pullback(i->object, quadratic_edge(&q), i->state, r, cotangent, out);
  }
  V->read(out, 0, P, inputs);
  vector_free(cotangent);
  vector_free(out);
  assert_int_equal(q.oracles_open, 0);
  return status;
}

static void check_close(const double *values, const double *wanted, int64_t count,
                        double tolerance) {
  double most = 0.0;
  for (int64_t i = 0; i < count; i++) {
    most = fmax(most, fabs(wanted[i]));
  }
  for (int64_t i = 0; i < count; i++) {
    assert_near(values[i], wanted[i], tolerance * most);
  }
}

/* ---- implicit -------------------------------------------------------------------------------- */

static void implicit_equals_the_closed_form(void **state) {
  (void)state;
  const char *solvers[2] = {"dense", "cg"};
  for (int k = 0; k < 2; k++) {
    tier_record r = {0};
    double inputs[P];
    reset();
    q.procedural = 1;
    struct instance *solver = make_plain(POSITION_ESTIMATOR, solvers[k], N);
    struct instance *i = implicit_with(solver);
    assert_ok(estimate(i, &r, inputs));
    check_close(inputs, expected, P, 1e-11);
    assert_int_equal(q.gradients, 1); /* for the report */
    assert_int_equal(q.crosses, 1);
    assert_true(k == 0 ? q.hvps == N + 1 : q.hvps <= N + 2);
    assert_true(record_number(&r, "gradient_norm") < 1e-13);
    assert_true(record_number(&r, "residual") < 1e-11);
    assert_near(record_number(&r, "iterations"), k == 0 ? N : q.hvps, 0.0);
    assert_string_equal(r.stop, k == 0 ? "exact" : "tolerance");
    assert_int_equal(q.last_batch, 0);
    record_clear(&r);
    free_instance(i);
    free_instance(solver);
  }
}

/* A damped solver solves (A + damping I) q = u, no other system. */
static void implicit_damping_is_added_to_the_hessian(void **state) {
  (void)state;
  const char *solvers[3] = {"dense", "cg", "neumann"};
  for (int k = 0; k < 3; k++) {
    tier_record r = {0};
    double damped[N * N];
    double x[N];
    double wanted[P];
    double inputs[P];
    reset();
    q.procedural = 1;
    struct params *solver_arguments = estimator_params(solvers[k]);
    if (k == 2) {
      set_number(solver_arguments, "lr", 0.15);
      set_number(solver_arguments, "terms", 500);
    }
    struct instance *solver = make(solver_arguments, N);
    struct params *p = estimator_params("implicit");
    params_set_instance(p, "solver", solver);
    set_number(p, "damping", 0.75);
    set_number(p, "batch", 17);
    struct instance *i = make(p, N);
    for (int64_t j = 0; j < N * N; j++) {
      damped[j] = q.a[j] + (j % (N + 1) == 0 ? 0.75 : 0.0);
    }
    solve_exactly(N, damped, u, x);
    multiply(N, P, q.b, 1, x, wanted);
    assert_ok(estimate(i, &r, inputs));
    check_close(inputs, wanted, P, 1e-11);
    assert_int_equal(q.last_batch, 17);
    record_clear(&r);
    free_instance(i);
    free_instance(solver);
  }
}

/* neumann's step: its own, the level's, that of slot "step"; else a refusal with the reason. */
static void implicit_finds_neumanns_step(void **state) {
  (void)state;
  tier_record r = {0};
  double by_level[P];
  double inputs[P];
  reset();
  struct instance *solver = make_plain(POSITION_ESTIMATOR, "neumann", N);
  struct instance *i = implicit_with(solver);
  assert_ok(estimate(i, &r, by_level));
  record_clear(&r);
  q.procedural = 1;
  assert_fails(estimate(i, &r, inputs), TIER_E_REFUSED, "no step size");
  record_clear(&r);
  free_instance(i);
  struct params *step = arguments(POSITION_OPTIMIZER, "sgd");
  set_number(step, "lr", 0.1);
  struct instance *sgd = make(step, N);
  struct params *p = estimator_params("implicit");
  params_set_instance(p, "solver", solver);
  params_set_instance(p, "step", sgd);
  i = make(p, N);
  assert_ok(estimate(i, &r, inputs));
  check_close(inputs, by_level, P, 1e-15);
  assert_string_equal(r.stop, "terms");
  record_clear(&r);
  free_instance(i);
  free_instance(sgd);
  free_instance(solver);
}

static void implicit_preconditions(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  reset();
  q.procedural = 1;
  struct instance *solver = make_plain(POSITION_ESTIMATOR, "cg", N);
  struct instance *exact = make_plain(POSITION_ESTIMATOR, "dense", N);
  struct params *p = estimator_params("implicit");
  params_set_instance(p, "solver", solver);
  params_set_instance(p, "preconditioner", exact);
  struct instance *i = make(p, N);
  assert_ok(estimate(i, &r, inputs));
  check_close(inputs, expected, P, 1e-11);
  assert_true(record_number(&r, "iterations") <= 2.0); /* an exact preconditioner */
  record_clear(&r);
  free_instance(i);
  free_instance(exact);
  free_instance(solver);
}

static struct instance *via_step(struct instance *solver, struct instance *step, double damping) {
  struct params *p = estimator_params("implicit");
  params_set_instance(p, "solver", solver);
  set_text(p, "via", "step");
  set_number(p, "damping", damping);
  if (step != NULL) {
    params_set_instance(p, "step", step);
  }
  return make(p, N);
}

/* Through the fixed point of gradient descent and of momentum, each solver that can, both ways. */
static void implicit_via_step_equals_the_closed_form(void **state) {
  (void)state;
  const char *solvers[4] = {"dense", "gmres", "bicgstab", "neumann"};
  for (int k = 0; k < 8; k++) {
    tier_record r = {0};
    double inputs[P];
    reset();
    q.steps = 3000;
    q.beta = k < 4 ? 0.0 : 0.6;
    struct params *arguments_of_solver = estimator_params(solvers[k % 4]);
    if (k % 4 == 3) {
      set_number(arguments_of_solver, "terms", 2000);
    }
    struct instance *solver = make(arguments_of_solver, 2 * N);
    struct instance *i = via_step(solver, NULL, 0.0);
    assert_ok(estimate(i, &r, inputs));
    check_close(inputs, expected, P, 1e-9);
    assert_int_equal(q.crosses, 1);
    assert_int_equal(q.vjps, q.hvps + 1);
    assert_true(record_number(&r, "residual") < 1e-9);
    const tier_estimator_1 *api = instance_get(i, "tier.estimator/1");
    double tangent_values[P] = {1.0, -2.0, 0.5, 0.0, 3.0};
    tier_vector *tangent = vector_of(tangent_values, P);
    tier_vector *out = vector_new(N);
    tier_vector *cotangent = vector_of(u, N);
    assert_ok(api->pushforward(i->object, quadratic_edge(&q), NULL, &r, tangent, out));
    double both = 0.0;
    for (int j = 0; j < P; j++) {
      both += expected[j] * tangent_values[j];
    }
    assert_near(V->dot(out, cotangent), both, 1e-8 * fabs(both));
    vector_free(tangent);
    vector_free(out);
    vector_free(cotangent);
    record_clear(&r);
    free_instance(i);
    free_instance(solver);
  }
}

/* neumann sums the first powers of J^T themselves: what unrolling as many steps does at a fixed
 * point, with momentum, too. */
static void neumann_via_step_equals_truncated_unroll(void **state) {
  (void)state;
  for (int k = 0; k < 40; k++) {
    tier_record r = {0};
    double summed[P];
    double unrolled[P];
    int terms = k % 20 + 1;
    reset();
    q.beta = k < 20 ? 0.0 : 0.7;
    q.steps = 3000;
    struct params *p = estimator_params("unroll");
    set_number(p, "truncate", terms);
    struct instance *i = make(p, N);
    assert_ok(estimate(i, &r, unrolled));
    record_clear(&r);
    free_instance(i);
    p = estimator_params("neumann");
    set_number(p, "terms", terms);
    struct instance *solver = make(p, 2 * N);
    i = via_step(solver, NULL, 0.0);
    assert_ok(estimate(i, &r, summed));
    check_close(summed, unrolled, P, 1e-12);
    assert_int_equal(q.hvps, terms);
    record_clear(&r);
    free_instance(i);
    free_instance(solver);
  }
}

/* With gradient descent I - J = lr A, so damping d there is damping d / lr of A. */
static void implicit_via_step_is_damped_in_the_step(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  double wanted[P];
  double damped[N * N];
  double x[N];
  reset();
  q.procedural = 1;
  q.extension_lr = 0.08;
  for (int64_t j = 0; j < N * N; j++) {
    damped[j] = q.a[j] + (j % (N + 1) == 0 ? 0.02 / 0.08 : 0.0);
  }
  solve_exactly(N, damped, u, x);
  multiply(N, P, q.b, 1, x, wanted);
  struct params *p = arguments(POSITION_OPTIMIZER, "sgd");
  set_number(p, "lr", 0.08);
  struct instance *step = make(p, N);
  struct instance *solver = make_plain(POSITION_ESTIMATOR, "gmres", 2 * N);
  struct instance *i = via_step(solver, step, 0.02);
  assert_ok(estimate(i, &r, inputs));
  check_close(inputs, wanted, P, 1e-10);
  record_clear(&r);
  free_instance(i);
  i = via_step(solver, NULL, 0.0); /* the level's own optimizer is none */
  const tier_estimator_1 *api = instance_get(i, "tier.estimator/1");
  assert_fails(api->check(i->object, quadratic_edge(&q)), TIER_E_REFUSED, "no such fixed point");
  assert_fails(estimate(i, &r, inputs), TIER_E_REFUSED, "no such fixed point");
  record_clear(&r);
  free_instance(i);
  free_instance(step);
  free_instance(solver);
}

static void implicit_refuses_what_cannot_work(void **state) {
  (void)state;
  const char *symmetric[3] = {"cg", "minres", "nystrom"};
  const char *alone[5] = {"dense", "neumann", "lissa", "nystrom", "identity"};
  struct instance *i = NULL;
  for (int k = 0; k < 3; k++) {
    struct instance *solver = make_plain(POSITION_ESTIMATOR, symmetric[k], N);
    struct instance *dense = make_plain(POSITION_ESTIMATOR, "dense", N);
    struct params *p = estimator_params("implicit");
    params_set_instance(p, "solver", solver);
    set_text(p, "via", "step");
    assert_fails(instance_new(p, &i), TIER_E_REFUSED, "needs a symmetric matrix");
    struct instance *gmres = make_plain(POSITION_ESTIMATOR, "gmres", N);
    p = estimator_params("implicit");
    params_set_instance(p, "solver", gmres);
    params_set_instance(p, "preconditioner", solver);
    set_text(p, "via", "step");
    assert_fails(instance_new(p, &i), TIER_E_REFUSED, "needs a symmetric matrix");
    free_instance(gmres);
    free_instance(dense);
    free_instance(solver);
  }
  for (int k = 0; k < 5; k++) {
    struct instance *solver = make_plain(POSITION_ESTIMATOR, alone[k], N);
    struct instance *other = make_plain(POSITION_ESTIMATOR, "identity", N);
    struct params *p = estimator_params("implicit");
    params_set_instance(p, "solver", solver);
    params_set_instance(p, "preconditioner", other);
    assert_fails(instance_new(p, &i), TIER_E_INVALID, "no use for a \"preconditioner\"");
    free_instance(solver);
    free_instance(other);
  }
}

/* Every exact solver, and cg and the others with every preconditioner that is a fixed matrix. */
static void implicit_takes_any_solver_and_preconditioner(void **state) {
  (void)state;
  const char *solvers[4] = {"cg", "minres", "gmres", "bicgstab"};
  const char *preconditioners[5] = {NULL, "dense", "nystrom", "identity", "neumann"};
  for (int k = 0; k < 20; k++) {
    tier_record r = {0};
    double inputs[P];
    const char *id = preconditioners[k / 4];
    reset();
    struct instance *solver = make_plain(POSITION_ESTIMATOR, solvers[k % 4], N);
    struct instance *other = id != NULL ? make_plain(POSITION_ESTIMATOR, id, N) : NULL;
    struct params *p = estimator_params("implicit");
    params_set_instance(p, "solver", solver);
    if (other != NULL) {
      params_set_instance(p, "preconditioner", other);
    }
    q.procedural = k / 4 != 4; /* neumann takes the level's step size */
    q.steps = 3000;
    struct instance *i = make(p, N);
    assert_ok(estimate(i, &r, inputs));
    check_close(inputs, expected, P, 1e-10);
    if (k / 4 == 1) { /* n products for the factor, once */
      assert_true(record_number(&r, "iterations") <= 2.0);
      assert_true(q.hvps <= N + 5);
    }
    record_clear(&r);
    free_instance(i);
    free_instance(other);
    free_instance(solver);
  }
}

/* lissa asks for a draw a term; on a quadratic all draws are alike, so it is a Neumann series. */
static void lissa_draws_rows(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  reset();
  q.procedural = 1;
  struct params *p = estimator_params("lissa");
  set_number(p, "scale", 8.0);
  set_number(p, "depth", 400);
  set_number(p, "repeats", 2);
  struct instance *solver = make(p, N);
  struct params *outer = estimator_params("implicit");
  params_set_instance(outer, "solver", solver);
  set_number(outer, "batch", 1);
  struct instance *i = make(outer, N);
  assert_ok(estimate(i, &r, inputs));
  check_close(inputs, expected, P, 1e-9);
  assert_int_equal(q.hvps, 800);
  assert_int_equal(q.last_draw, 800);
  assert_int_equal(q.last_batch, 1);
  assert_string_equal(r.stop, "depth");
  record_clear(&r);
  free_instance(i);
  free_instance(solver);
}

/* ---- unroll ---------------------------------------------------------------------------------- */

/* lr sum_{j < terms} (I - lr A)^j u, then B'. */
static void series(double lr, int64_t terms, double *out) {
  double p[N];
  double ap[N];
  double x[N] = {0};
  memcpy(p, u, sizeof p);
  for (int64_t j = 0; j < terms; j++) {
    multiply(N, N, q.a, 0, p, ap);
    for (int64_t i = 0; i < N; i++) {
      x[i] += lr * p[i];
      p[i] -= lr * ap[i];
    }
  }
  multiply(N, P, q.b, 1, x, out);
}

static void unroll_to_convergence_equals_the_closed_form(void **state) {
  (void)state;
  const double betas[2] = {0.0, 0.6};
  for (int k = 0; k < 2; k++) {
    tier_record r = {0};
    double inputs[P];
    reset();
    q.steps = 900;
    q.beta = betas[k];
    struct instance *i = make_plain(POSITION_ESTIMATOR, "unroll", N);
    assert_ok(estimate(i, &r, inputs));
    check_close(inputs, expected, P, 1e-12);
    assert_int_equal(q.vjps, 900);
    assert_int_equal(q.hvps, 900);
    assert_int_equal(q.crosses, 900);
    assert_string_equal(r.stop, "start");
    assert_near(record_number(&r, "iterations"), 900, 0.0);
    record_clear(&r);
    free_instance(i);
  }
}

static void truncated_unroll_equals_neumann(void **state) {
  (void)state;
  for (int terms = 1; terms <= 40; terms++) {
    tier_record r = {0};
    double wanted[P];
    double unrolled[P];
    double summed[P];
    reset();
    struct params *p = estimator_params("unroll");
    set_number(p, "truncate", terms);
    struct instance *i = make(p, N);
    assert_ok(estimate(i, &r, unrolled));
    assert_int_equal(q.vjps, terms);
    assert_int_equal(q.crosses, terms);
    assert_int_equal(q.hvps, terms < 40 ? terms - 1 : terms); /* 40: back to the start */
    assert_string_equal(r.stop, terms < 40 ? "truncated" : "start");
    record_clear(&r);
    free_instance(i);
    p = estimator_params("neumann");
    set_number(p, "terms", terms);
    struct instance *solver = make(p, N);
    i = implicit_with(solver);
    assert_ok(estimate(i, &r, summed));
    series(q.lr, terms, wanted);
    check_close(unrolled, wanted, P, 1e-12);
    check_close(summed, wanted, P, 1e-12);
    check_close(unrolled, summed, P, 1e-12);
    record_clear(&r);
    free_instance(i);
    free_instance(solver);
  }
}

static void unroll_steps_on_from_a_procedural_solution(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  double wanted[P];
  reset();
  q.procedural = 1;
  q.extension_lr = 0.07;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "unroll", N);
  assert_fails(estimate(i, &r, inputs), TIER_E_REFUSED, "\"step\"");
  record_clear(&r);
  free_instance(i);
  struct params *step = arguments(POSITION_OPTIMIZER, "sgd");
  set_number(step, "lr", 0.07);
  struct instance *sgd = make(step, N);
  for (int truncate = 0; truncate <= 6; truncate += 6) { /* 0: the level's steps */
    struct params *p = estimator_params("unroll");
    params_set_instance(p, "step", sgd);
    if (truncate > 0) {
      set_number(p, "truncate", truncate);
    }
    i = make(p, N);
    assert_ok(estimate(i, &r, inputs));
    int64_t count = truncate > 0 ? truncate : q.steps;
    series(0.07, count, wanted);
    check_close(inputs, wanted, P, 1e-12);
    assert_int_equal(q.vjps, count);
    assert_int_equal(q.hvps, count - 1);
    assert_string_equal(r.stop, "truncated");
    record_clear(&r);
    free_instance(i);
  }
  free_instance(sgd);
}

/* The cotangents of a learning rate and of the start, against central differences of the solution.
 */
static void unroll_reaches_the_rate_and_the_start(void **state) {
  (void)state;
  const double betas[2] = {0.0, 0.5};
  const double h = 1e-6;
  for (int k = 0; k < 2; k++) {
    tier_record r = {0};
    double inputs[P];
    double wanted[P];
    reset();
    q.beta = betas[k];
    q.steps = 12;
    q.rate_is_input = 1;
    q.start_is_input = 1;
    q.theta[P - 1] = 0.08;
    for (int64_t j = 0; j < N; j++) {
      q.b[j * P + P - 1] = 0.0;
    }
    for (int64_t j = 0; j < P; j++) {
      double value[2];
      for (int side = 0; side < 2; side++) {
        double kept = q.theta[j];
        q.theta[j] += side ? h : -h;
        assert_ok(quadratic_interface.run(quadratic_edge(&q), &r, 0));
        value[side] = 0.0;
        for (int64_t m = 0; m < N; m++) {
          value[side] += u[m] * element(r.solution, m);
        }
        q.theta[j] = kept;
        record_clear(&r);
      }
      wanted[j] = (value[1] - value[0]) / (2.0 * h);
    }
    struct instance *i = make_plain(POSITION_ESTIMATOR, "unroll", N);
    assert_ok(estimate(i, &r, inputs));
    check_close(inputs, wanted, P, 1e-8);
    record_clear(&r);
    free_instance(i);
  }
}

/* Without Hessian products every step passes the cotangent on as it is: steps * lr * B'u. */
static void unroll_first_order_drops_the_hessian(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  double wanted[P];
  reset();
  struct params *p = estimator_params("unroll");
  set_number(p, "first_order", 1);
  struct instance *i = make(p, N);
  assert_ok(estimate(i, &r, inputs));
  multiply(N, P, q.b, 1, u, wanted);
  for (int64_t j = 0; j < P; j++) {
    wanted[j] *= 40 * 0.1;
  }
  check_close(inputs, wanted, P, 1e-13);
  assert_int_equal(q.hvps, 0);
  record_clear(&r);
  free_instance(i);
}

/* What it asks the host to keep of the steps. */
static void unroll_asks_for_a_schedule(void **state) {
  (void)state;
  static const struct {
    const char *slot;
    uint32_t schedule;
    int64_t count, bytes;
  } cases[] = {{NULL, TIER_TAPE_STORED, 0, 0},
               {"truncate", TIER_TAPE_LAST, 7, 0},
               {"checkpoint", TIER_TAPE_CHECKPOINTS, 7, 0},
               {"memory", TIER_TAPE_CHECKPOINTS, 0, 7},
               {"reversible", TIER_TAPE_REVERSIBLE, 0, 0}};
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    tier_record r = {0};
    double inputs[P];
    reset();
    struct params *p = estimator_params("unroll");
    if (cases[k].slot != NULL) {
      set_number(p, cases[k].slot, k == 4 ? 1 : 7);
    }
    struct instance *i = make(p, N);
    assert_ok(estimate(i, &r, inputs));
    assert_int_equal(q.kept.struct_size, sizeof(tier_tape));
    assert_int_equal(q.kept.schedule, cases[k].schedule);
    assert_int_equal(q.kept.count, cases[k].count);
    assert_int_equal(q.kept.bytes, cases[k].bytes);
    record_clear(&r);
    free_instance(i);
  }
}

static void unroll_takes_one_schedule(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"truncate", "checkpoint"}, {"memory", "reversible"}, {"reversible", "truncate"}};
  for (int k = 0; k < 3; k++) {
    struct params *p = estimator_params("unroll");
    struct instance *i = NULL;
    set_number(p, pairs[k][0], 1);
    set_number(p, pairs[k][1], 1);
    assert_fails(instance_new(p, &i), TIER_E_INVALID, "exclude each other");
  }
}

/* ---- forward --------------------------------------------------------------------------------- */

/* Blocks of 5 inputs: 3 and 2; each step a Hessian product and a cross product for each, but for
 * the first step, where nothing has moved yet. */
static void forward_equals_the_closed_form(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  reset();
  q.beta = 0.5;
  q.steps = 400;
  struct params *p = estimator_params("forward");
  set_number(p, "block", 3);
  struct instance *i = make(p, N);
  assert_ok(estimate(i, &r, inputs));
  check_close(inputs, expected, P, 1e-12);
  assert_int_equal(q.hvps, P * 399);
  assert_int_equal(q.crosses, P * 400);
  assert_int_equal(q.jvps, P * 400);
  assert_int_equal(q.vjps, 0);
  assert_int_equal(q.kept.schedule, TIER_TAPE_CHECKPOINTS);
  assert_int_equal(q.kept.count, 1);
  record_clear(&r);
  free_instance(i);
}

static void forward_refuses_a_start_that_moves(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  reset();
  q.start_is_input = 1;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "forward", N);
  assert_fails(estimate(i, &r, inputs), TIER_E_UNSUPPORTED, "start");
  record_clear(&r);
  free_instance(i);
}

static void unroll_reports_an_overflow(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  reset();
  q.lr = 3.0; /* above 2 / 7.5 */
  q.steps = 400;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "unroll", N);
  assert_fails(estimate(i, &r, inputs), TIER_E_NONFINITE, "overflows");
  record_clear(&r);
  free_instance(i);
}

/* ---- one-step -------------------------------------------------------------------------------- */

static void one_step_equals_one_term(void **state) {
  (void)state;
  const double radii[2] = {0.01, 1.0}; /* bilinear in w and theta: exact for any radius */
  for (int k = 0; k < 2; k++) {
    tier_record r = {0};
    double inputs[P];
    double wanted[P];
    reset();
    struct params *p = estimator_params("one-step");
    set_number(p, "radius", radii[k]);
    struct instance *i = make(p, N);
    assert_ok(estimate(i, &r, inputs));
    series(q.lr, 1, wanted);
    check_close(inputs, wanted, P, k == 0 ? 1e-9 : 1e-11);
    assert_int_equal(q.hvps, 0);
    assert_int_equal(q.crosses, 0);
    assert_int_equal(q.input_gradients, 2);
    assert_int_equal(q.vjps, 1);
    record_clear(&r);
    free_instance(i);
  }
}

static void one_step_takes_a_step_of_its_own(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  double wanted[P];
  reset();
  q.procedural = 1;
  q.extension_lr = 0.3;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "one-step", N);
  assert_fails(estimate(i, &r, inputs), TIER_E_REFUSED, "one-step differentiates");
  record_clear(&r);
  free_instance(i);
  struct params *step = arguments(POSITION_OPTIMIZER, "sgd");
  set_number(step, "lr", 0.3);
  struct instance *sgd = make(step, N);
  struct params *p = estimator_params("one-step");
  params_set_instance(p, "step", sgd);
  i = make(p, N);
  assert_ok(estimate(i, &r, inputs));
  series(0.3, 1, wanted);
  check_close(inputs, wanted, P, 1e-9);
  record_clear(&r);
  free_instance(i);
  free_instance(sgd);
}

static void one_step_reaches_the_rate(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  double g[N];
  double wanted = 0.0;
  reset();
  q.rate_is_input = 1;
  q.theta[P - 1] = 0.08;
  for (int64_t j = 0; j < N; j++) {
    q.b[j * P + P - 1] = 0.0;
  }
  q.steps = 3;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "one-step", N);
  assert_ok(estimate(i, &r, inputs));
  double pull[N];
  multiply(N, N, q.a, 0, r.tape + 2 * (2 * N), g); /* the gradient before the last step */
  multiply(N, P, q.b, 0, q.theta, pull);
  for (int64_t j = 0; j < N; j++) {
    wanted -= u[j] * (g[j] - pull[j]);
  }
  assert_near(inputs[P - 1], wanted, 1e-10);
  record_clear(&r);
  free_instance(i);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void a_zero_cotangent_gives_zero_without_products(void **state) {
  (void)state;
  struct instance *solver = make_plain(POSITION_ESTIMATOR, "cg", N);
  for (int k = 0; k < 3; k++) {
    tier_record r = {0};
    double inputs[P];
    const double zero[P] = {0};
    reset();
    memset(u, 0, sizeof u);
    struct instance *i = k == 0 ? implicit_with(solver)
                                : make_plain(POSITION_ESTIMATOR, k == 1 ? "unroll" : "one-step", N);
    assert_ok(estimate(i, &r, inputs));
    assert_memory_equal(inputs, zero, sizeof zero);
    assert_int_equal(q.hvps + q.crosses + q.input_gradients + q.vjps, 0);
    assert_string_equal(r.stop, "zero");
    record_clear(&r);
    free_instance(i);
  }
  free_instance(solver);
}

/* <u, push(t)> = <pull(u), t>. */
static void pushforward_is_the_adjoint_of_pullback(void **state) {
  (void)state;
  struct instance *solver = make_plain(POSITION_ESTIMATOR, "dense", N);
  for (int k = 0; k < 3; k++) {
    tier_record r = {0};
    double inputs[P];
    double left = 0.0;
    double right = 0.0;
    reset();
    q.beta = 0.5;
    q.rate_is_input = k > 0;
    q.theta[P - 1] = 0.06;
    struct params *p = estimator_params(k == 0 ? "implicit" : "unroll");
    if (k == 0) {
      params_set_instance(p, "solver", solver);
    } else if (k == 2) {
      set_number(p, "truncate", 7);
    }
    struct instance *i = make(p, N);
    assert_ok(estimate(i, &r, inputs));
    const tier_estimator_1 *estimator = instance_get(i, "tier.estimator/1");
    double direction[P];
    for (int64_t j = 0; j < P; j++) {
      direction[j] = random_normal(13, 0, (uint64_t)j);
      right += inputs[j] * direction[j];
    }
    tier_vector *tangent = vector_of(direction, P);
    tier_vector *out = vector_new(N);
    assert_ok(estimator->pushforward(i->object, quadratic_edge(&q), i->state, &r, tangent, out));
    for (int64_t j = 0; j < N; j++) {
      left += u[j] * element(out, j);
    }
    assert_near(left, right, 1e-11 * fabs(right));
    assert_int_equal(q.oracles_open, 0);
    vector_free(tangent);
    vector_free(out);
    record_clear(&r);
    free_instance(i);
  }
  free_instance(solver);
}

static void pushforward_refuses_a_start_that_depends_on_the_inputs(void **state) {
  (void)state;
  tier_record r = {0};
  double inputs[P];
  reset();
  q.start_is_input = 1;
  struct instance *i = make_plain(POSITION_ESTIMATOR, "unroll", N);
  assert_ok(estimate(i, &r, inputs));
  const tier_estimator_1 *estimator = instance_get(i, "tier.estimator/1");
  tier_vector *tangent = vector_of(inputs, P);
  tier_vector *out = vector_new(N);
  assert_fails(estimator->pushforward(i->object, quadratic_edge(&q), i->state, &r, tangent, out),
               TIER_E_UNSUPPORTED, "start");
  vector_free(tangent);
  vector_free(out);
  record_clear(&r);
  free_instance(i);
}

static int open_with_problem(void **state) {
  host_offer("tier.dense/1", &dense_interface);
  host_offer("tier.problem/1", &quadratic_interface);
  return open_plugins(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(implicit_equals_the_closed_form),
      cmocka_unit_test(implicit_damping_is_added_to_the_hessian),
      cmocka_unit_test(implicit_finds_neumanns_step),
      cmocka_unit_test(implicit_preconditions),
      cmocka_unit_test(implicit_via_step_equals_the_closed_form),
      cmocka_unit_test(neumann_via_step_equals_truncated_unroll),
      cmocka_unit_test(implicit_via_step_is_damped_in_the_step),
      cmocka_unit_test(implicit_refuses_what_cannot_work),
      cmocka_unit_test(implicit_takes_any_solver_and_preconditioner),
      cmocka_unit_test(lissa_draws_rows),
      cmocka_unit_test(unroll_to_convergence_equals_the_closed_form),
      cmocka_unit_test(truncated_unroll_equals_neumann),
      cmocka_unit_test(unroll_steps_on_from_a_procedural_solution),
      cmocka_unit_test(unroll_reaches_the_rate_and_the_start),
      cmocka_unit_test(unroll_first_order_drops_the_hessian),
      cmocka_unit_test(unroll_asks_for_a_schedule),
      cmocka_unit_test(unroll_takes_one_schedule),
      cmocka_unit_test(forward_equals_the_closed_form),
      cmocka_unit_test(forward_refuses_a_start_that_moves),
      cmocka_unit_test(unroll_reports_an_overflow),
      cmocka_unit_test(one_step_equals_one_term),
      cmocka_unit_test(one_step_takes_a_step_of_its_own),
      cmocka_unit_test(one_step_reaches_the_rate),
      cmocka_unit_test(a_zero_cotangent_gives_zero_without_products),
      cmocka_unit_test(pushforward_is_the_adjoint_of_pullback),
      cmocka_unit_test(pushforward_refuses_a_start_that_depends_on_the_inputs),
  };
  return cmocka_run_group_tests(tests, open_with_problem, close_plugins);
}

/* lbfgs on functions with known minima, and on a softmax regression in f32. */
#include <math.h>
#include <stdlib.h>
#include <tier/loop.h>

#include "base/memory.h"
#include "base/random.h"
#include "support.h"

#define V (&vector_interface)

/* An objective in double: value(context, w, gradient). */
struct objective {
  tier_objective face; /* first */
  int64_t n;
  double (*value)(const struct objective *f, const double *w, double *gradient);
  int64_t gradients;
  double *w, *g; /* (n) scratch */
  const void *data;
};

static int64_t size(const tier_objective *f) {
  return ((const struct objective *)(const void *)f)->n;
}

static int32_t gradient(tier_objective *face, const tier_vector *w, double *value,
                        tier_vector *out) {
  struct objective *f = (struct objective *)(void *)face;
  V->read(w, 0, f->n, f->w);
  *value = f->value(f, f->w, f->g);
  V->write(out, 0, f->n, f->g);
  f->gradients++;
  return TIER_OK;
}

static int32_t value_only(tier_objective *face, const tier_vector *w, double *value) {
  struct objective *f = (struct objective *)(void *)face;
  V->read(w, 0, f->n, f->w);
  *value = f->value(f, f->w, f->g);
  return TIER_OK;
}

static const tier_objective_1 objective_api = {.struct_size = (uint32_t)sizeof objective_api,
                                               .size = size,
                                               .gradient = gradient,
                                               .value = value_only};

static void objective_open(struct objective *f, int64_t n,
                           double (*value)(const struct objective *, const double *, double *)) {
  *f = (struct objective){.face = {&objective_api}, .n = n, .value = value};
  f->w = memory_alloc((size_t)n, sizeof(double));
  f->g = memory_alloc((size_t)n, sizeof(double));
}

static void objective_close(struct objective *f) {
  free(f->w);
  free(f->g);
}

static int32_t run(struct instance *i, struct objective *f, int64_t steps, double tolerance,
                   tier_vector *w, tier_loop_report *report) {
  const tier_loop_1 *loop = instance_get(i, "tier.loop/1");
  *report = (tier_loop_report){.struct_size = (uint32_t)sizeof *report};
  return loop->run(i->object, &f->face, i->state, steps, tolerance, w, report);
}

/* ---- objectives ------------------------------------------------------------------------------ */

struct quadratic {
  int64_t n;
  double a[40 * 40], b[40];
};

/* 1/2 w'Aw - b'w */
static double quadratic_value(const struct objective *f, const double *w, double *g) {
  const struct quadratic *q = f->data;
  double value = 0.0;
  multiply(q->n, q->n, q->a, 0, w, g);
  for (int64_t i = 0; i < q->n; i++) {
    value += w[i] * (0.5 * g[i] - q->b[i]);
    g[i] -= q->b[i];
  }
  return value;
}

static double rosenbrock_value(const struct objective *f, const double *w, double *g) {
  double value = 0.0;
  memset(g, 0, (size_t)f->n * sizeof(double));
  for (int64_t i = 0; i + 1 < f->n; i++) {
    double s = 1.0 - w[i];
    double t = w[i + 1] - w[i] * w[i];
    value += s * s + 100.0 * t * t;
    g[i] += -2.0 * s - 400.0 * t * w[i];
    g[i + 1] += 200.0 * t;
  }
  return value;
}

/* Logarithmic barrier: sum of w_i - log w_i; not defined for w_i <= 0; minimum at 1. */
static double barrier_value(const struct objective *f, const double *w, double *g) {
  double value = 0.0;
  for (int64_t i = 0; i < f->n; i++) {
    value += w[i] - log(w[i]);
    g[i] = 1.0 - 1.0 / w[i];
  }
  return value;
}

/* Softmax regression with all arithmetic in float, as on the machine in f32: rows x (R, D), labels,
 * w (D, K), mean cross-entropy + l2 / 2 |w|^2. The value is summed in double. */
#define R 600
#define D 50
#define K 10
struct softmax {
  float x[R * D];
  int label[R];
  float l2;
};

static void softmax_fill(struct softmax *s, float l2) {
  s->l2 = l2;
  for (int i = 0; i < R; i++) {
    s->label[i] = (int)(random_uniform(1, 1, (uint64_t)i) * K);
    for (int j = 0; j < D; j++) { /* like pixels: many zeros, the rest in [0, 1], labels visible */
      double u = random_normal(1, 2, (uint64_t)(i * D + j)) + (j % K == s->label[i] ? 1.0 : 0.0);
      s->x[i * D + j] = (float)(u < 0.5 ? 0.0 : u / 4.0);
    }
  }
}

static double row_value(const struct softmax *s, int i, const float *w, float *g) {
  float z[K] = {0};
  float most = -INFINITY;
  float sum = 0;
  for (int j = 0; j < D; j++) {
    for (int k = 0; k < K; k++) {
      z[k] += s->x[i * D + j] * w[j * K + k];
    }
  }
  for (int k = 0; k < K; k++) {
    most = z[k] > most ? z[k] : most;
  }
  float chosen = z[s->label[i]] - most;
  for (int k = 0; k < K; k++) {
    z[k] = expf(z[k] - most);
    sum += z[k];
  }
  for (int k = 0; k < K; k++) {
    z[k] = (z[k] / sum - (k == s->label[i] ? 1.0f : 0.0f)) / (float)R;
  }
  for (int j = 0; j < D; j++) {
    for (int k = 0; k < K; k++) {
      g[j * K + k] += s->x[i * D + j] * z[k];
    }
  }
  return (double)(logf(sum) - chosen);
}

static double softmax_value(const struct objective *f, const double *w, double *g) {
  const struct softmax *s = f->data;
  static float wf[D * K];
  static float gf[D * K];
  double value = 0.0;
  double square = 0.0;
  for (int j = 0; j < D * K; j++) {
    wf[j] = (float)w[j];
    gf[j] = s->l2 * wf[j];
    square += (double)wf[j] * (double)wf[j];
  }
  for (int i = 0; i < R; i++) {
    value += row_value(s, i, wf, gf) / R;
  }
  for (int j = 0; j < D * K; j++) {
    g[j] = (double)gf[j];
  }
  return (double)(float)value + 0.5 * (double)s->l2 * square;
}

/* Logistic regression in double, 1-dimensional labels +-1, l2 0.01. */
#define LR 200
#define LD 10
static double logistic_value(const struct objective *f, const double *w, double *g) {
  double value = 0.0;
  for (int j = 0; j < LD; j++) {
    g[j] = 0.01 * w[j];
    value += 0.005 * w[j] * w[j];
  }
  for (int i = 0; i < LR; i++) {
    double z = 0.0;
    double y = i % 2 ? 1.0 : -1.0;
    for (int j = 0; j < LD; j++) {
      z += w[j] * (random_normal(3, 0, (uint64_t)(i * LD + j)) + (j == 0 ? y : 0.0));
    }
    value += log1p(exp(-y * z)) / LR;
    for (int j = 0; j < LD; j++) {
      g[j] -= y / (1.0 + exp(y * z)) / LR *
              (random_normal(3, 0, (uint64_t)(i * LD + j)) + (j == 0 ? y : 0.0));
    }
  }
  (void)f;
  return value;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void quadratic_fill(struct quadratic *q, int64_t n, double kappa) {
  double eigenvalues[40];
  q->n = n;
  for (int64_t i = 0; i < n; i++) {
    eigenvalues[i] = pow(kappa, (double)i / (double)(n - 1));
    q->b[i] = random_normal(8, 0, (uint64_t)i);
  }
  random_symmetric(n, eigenvalues, 4, q->a);
}

static void a_quadratic_is_minimized(void **state) {
  (void)state;
  const double kappas[2] = {10.0, 1e4};
  for (int k = 0; k < 2; k++) {
    struct quadratic q;
    struct objective f;
    tier_loop_report report;
    double expected[40];
    quadratic_fill(&q, 30, kappas[k]);
    solve_exactly(30, q.a, q.b, expected);
    objective_open(&f, 30, quadratic_value);
    f.data = &q;
    struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", 30);
    tier_vector *w = vector_new(30);
    assert_ok(run(i, &f, 3000, 1e-10, w, &report));
    assert_string_equal(report.stop, "tolerance");
    assert_true(report.gradient_norm < 1e-10);
    assert_vector_near(w, expected, 1e-8);
    assert_true(f.gradients <= 2 * report.iterations + 5);
    vector_free(w);
    free_instance(i);
    objective_close(&f);
  }
}

static void rosenbrocks_valley_is_followed(void **state) {
  (void)state;
  const int64_t sizes[2] = {2, 20};
  for (int k = 0; k < 2; k++) {
    int64_t n = sizes[k];
    double ones[20];
    double start[20];
    struct objective f;
    tier_loop_report report;
    for (int64_t i = 0; i < n; i++) {
      ones[i] = 1.0;
      start[i] = i % 2 ? 1.0 : -1.2;
    }
    objective_open(&f, n, rosenbrock_value);
    struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", n);
    tier_vector *w = vector_of(start, n);
    assert_ok(run(i, &f, 500, 1e-10, w, &report));
    assert_string_equal(report.stop, "tolerance");
    assert_vector_near(w, ones, 1e-9);
    assert_true(f.gradients <= 2 * report.iterations + 5);
    vector_free(w);
    free_instance(i);
    objective_close(&f);
  }
}

static void logistic_regression_reaches_1e_12_in_f64(void **state) {
  (void)state;
  struct objective f;
  tier_loop_report report;
  objective_open(&f, LD, logistic_value);
  struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", LD);
  tier_vector *w = vector_new(LD);
  assert_ok(run(i, &f, 200, 1e-12, w, &report));
  assert_string_equal(report.stop, "tolerance");
  assert_true(f.gradients <= 2 * report.iterations + 5);
  vector_free(w);
  free_instance(i);
  objective_close(&f);
}

static void softmax_regression_reaches_1e_7_in_f32(void **state) {
  (void)state;
  const float l2s[2] = {1e-3f, 1e-2f};
  use_dtype(DTYPE_F32);
  for (int k = 0; k < 2; k++) {
    struct softmax *s = memory_alloc(1, sizeof *s);
    struct objective f;
    tier_loop_report report;
    softmax_fill(s, l2s[k]);
    objective_open(&f, D * K, softmax_value);
    f.data = s;
    struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", D * K);
    tier_vector *w = vector_new(D * K);
    assert_ok(run(i, &f, 1000, 1e-7, w, &report));
    if (strcmp(report.stop, "tolerance") != 0) {
      fail_test("stopped at |g| = %g after %lld iterations: %s", report.gradient_norm,
                (long long)report.iterations, report.stop);
    }
    assert_true(f.gradients <= 2 * report.iterations + 10);
    vector_free(w);
    free_instance(i);
    objective_close(&f);
    free(s);
  }
  use_dtype(DTYPE_F64);
}

/* A tolerance that f32 cannot reach ends with "no progress" near the rounding error. */
static void an_unreachable_tolerance_ends_without_progress(void **state) {
  (void)state;
  struct softmax *s = memory_alloc(1, sizeof *s);
  struct objective f;
  tier_loop_report report;
  use_dtype(DTYPE_F32);
  softmax_fill(s, 1e-2f);
  objective_open(&f, D * K, softmax_value);
  f.data = s;
  struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", D * K);
  tier_vector *w = vector_new(D * K);
  assert_ok(run(i, &f, 100000, 1e-30, w, &report));
  assert_string_equal(report.stop, "no progress");
  assert_true(report.gradient_norm < 1e-6);
  assert_true(report.iterations < 1000);
  vector_free(w);
  free_instance(i);
  objective_close(&f);
  free(s);
  use_dtype(DTYPE_F64);
}

static void steps_end_a_run_and_state_goes_on(void **state) {
  (void)state;
  struct objective f;
  tier_loop_report report;
  double start[2] = {-1.2, 1.0};
  objective_open(&f, 2, rosenbrock_value);
  struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", 2);
  tier_vector *w = vector_of(start, 2);
  assert_ok(run(i, &f, 3, 1e-10, w, &report));
  assert_string_equal(report.stop, "steps");
  assert_int_equal(report.iterations, 3);
  assert_near(element(w, 0), 0.0, 1.3);
  int64_t before = f.gradients;
  while (strcmp(report.stop, "steps") == 0 && f.gradients < 500) {
    assert_ok(run(i, &f, 3, 1e-10, w, &report));
  }
  assert_string_equal(report.stop, "tolerance");
  assert_true(f.gradients - before < 150);
  assert_ok(run(i, &f, 3, 1e-10, w, &report)); /* nothing left to do */
  assert_int_equal(report.iterations, 0);
  assert_string_equal(report.stop, "tolerance");
  vector_free(w);
  free_instance(i);
  objective_close(&f);
}

/* The objective changes between two runs: old pairs must not mislead it. */
static void a_changed_objective_is_followed(void **state) {
  (void)state;
  struct quadratic q;
  struct objective f;
  tier_loop_report report;
  double expected[40];
  quadratic_fill(&q, 20, 100.0);
  objective_open(&f, 20, quadratic_value);
  f.data = &q;
  struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", 20);
  tier_vector *w = vector_new(20);
  assert_ok(run(i, &f, 500, 1e-9, w, &report));
  for (int round = 0; round < 5; round++) {
    for (int64_t j = 0; j < 400; j++) {
      q.a[j] *= round % 2 ? 1e-3 : 900.0;
    }
    q.b[round] += 3.0;
    solve_exactly(20, q.a, q.b, expected);
    assert_ok(run(i, &f, 500, 1e-9, w, &report));
    assert_string_equal(report.stop, "tolerance");
    assert_vector_near(w, expected, 1e-5);
  }
  vector_free(w);
  free_instance(i);
  objective_close(&f);
}

/* A pair that makes an uphill direction is dropped, and the gradient followed. */
static void a_pair_that_misleads_is_dropped(void **state) {
  (void)state;
  struct objective f;
  tier_loop_report report;
  double start[2] = {-1.2, 1.0};
  double ones[2] = {1.0, 1.0};
  objective_open(&f, 2, rosenbrock_value);
  struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", 2);
  tier_vector *w = vector_of(start, 2);
  V->fill(i->state->api->get_vector(i->state, "s0"), 1.0);
  V->fill(i->state->api->get_vector(i->state, "y0"), 1.0);
  i->state->api->get_doubles(i->state, "curvature")[0] = -2.0;
  i->state->api->get_integers(i->state, "count")[0] = 1;
  i->state->api->get_integers(i->state, "next")[0] = 1;
  assert_ok(run(i, &f, 500, 1e-10, w, &report));
  assert_string_equal(report.stop, "tolerance");
  assert_vector_near(w, ones, 1e-9);
  vector_free(w);
  free_instance(i);
  objective_close(&f);
}

/* Trials outside the domain give NaN: the search comes back from them. */
static void trials_that_are_not_finite_are_left(void **state) {
  (void)state;
  struct objective f;
  tier_loop_report report;
  const double start[3] = {8.0, 30.0, 1e-3};
  const double ones[3] = {1.0, 1.0, 1.0};
  objective_open(&f, 3, barrier_value);
  struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", 3);
  tier_vector *w = vector_of(start, 3);
  assert_ok(run(i, &f, 200, 1e-9, w, &report));
  assert_string_equal(report.stop, "tolerance");
  assert_vector_near(w, ones, 1e-8);
  vector_free(w);
  free_instance(i);
  objective_close(&f);
}

static void a_start_that_is_not_finite_is_an_error(void **state) {
  (void)state;
  struct objective f;
  tier_loop_report report;
  const double start[1] = {-1.0};
  objective_open(&f, 1, barrier_value);
  struct instance *i = make_plain(POSITION_OPTIMIZER, "lbfgs", 1);
  tier_vector *w = vector_of(start, 1);
  assert_fails(run(i, &f, 10, 1e-9, w, &report), TIER_E_NONFINITE, "not finite at the start");
  assert_true(element(w, 0) == -1.0);
  vector_free(w);
  free_instance(i);
  objective_close(&f);
}

/* The state is all its memory: a run broken in two, the state copied through, equals one run. */
static void two_half_runs_are_deterministic(void **state) {
  (void)state;
  double results[2][20];
  for (int k = 0; k < 2; k++) {
    struct objective f;
    tier_loop_report report;
    struct params *p = arguments(POSITION_OPTIMIZER, "lbfgs");
    set_number(p, "memory", 3);
    objective_open(&f, 20, rosenbrock_value);
    struct instance *i = make(p, 20);
    tier_vector *w = vector_new(20);
    assert_ok(run(i, &f, 15, 0.0, w, &report));
    assert_ok(run(i, &f, 15, 0.0, w, &report));
    V->read(w, 0, 20, results[k]);
    vector_free(w);
    free_instance(i);
    objective_close(&f);
  }
  assert_memory_equal(results[0], results[1], sizeof results[0]);
}

/* A state file can be whole and still say what this optimizer never would. */
static void a_damaged_state_is_refused(void **state) {
  (void)state;
  const char *const names[] = {"count", "next"};
  const int64_t wrong[] = {-1, 11, INT64_MAX, INT64_MIN};
  struct objective f;
  tier_loop_report report;
  objective_open(&f, 20, rosenbrock_value);
  struct params *p = arguments(POSITION_OPTIMIZER, "lbfgs");
  set_number(p, "memory", 3);
  struct instance *i = make(p, 20);
  tier_vector *w = vector_new(20);
  assert_ok(run(i, &f, 15, 0.0, w, &report));
  for (size_t k = 0; k < 8; k++) {
    int64_t *integer = i->state->api->get_integers(i->state, names[k / 4]);
    int64_t right = *integer;
    *integer = wrong[k % 4];
    assert_fails(run(i, &f, 1, 0.0, w, &report), TIER_E_DATA, "lbfgs: its state is damaged");
    *integer = right;
  }
  assert_ok(run(i, &f, 1, 0.0, w, &report));
  vector_free(w);
  free_instance(i);
  objective_close(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_quadratic_is_minimized),
      cmocka_unit_test(rosenbrocks_valley_is_followed),
      cmocka_unit_test(logistic_regression_reaches_1e_12_in_f64),
      cmocka_unit_test(softmax_regression_reaches_1e_7_in_f32),
      cmocka_unit_test(an_unreachable_tolerance_ends_without_progress),
      cmocka_unit_test(steps_end_a_run_and_state_goes_on),
      cmocka_unit_test(a_changed_objective_is_followed),
      cmocka_unit_test(a_pair_that_misleads_is_dropped),
      cmocka_unit_test(trials_that_are_not_finite_are_left),
      cmocka_unit_test(a_start_that_is_not_finite_is_an_error),
      cmocka_unit_test(two_half_runs_are_deterministic),
      cmocka_unit_test(a_damaged_state_is_refused),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

/* Losses and maps of generative models and games: values and derivatives against closed forms. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "bench.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})
#define NUMBERS(...) ((const double[]){__VA_ARGS__})
#define PI 3.14159265358979323846

static const int32_t key[4] = {17, 0, 3, 0};

static struct instance *function(const char *id) {
  return make_plain(POSITION_FUNCTION, id, 0);
}

/* ---- normal distributions ---------------------------------------------------------------------
 */

/* KL(N(m, s^2) || N(0, 1)) summed over the row; 0 for the standard normal itself. */
static void normal_kl_from_the_standard_normal(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("normal-kl"));
  (void)bench_input(&b, 'i', "mean", DIMS(2, 2), 2, NUMBERS(0.0, 0.0, 1.5, -2.0));
  (void)bench_input(&b, 'i', "log_variance", DIMS(2, 2), 2, NUMBERS(0.0, 0.0, log(4.0), log(0.25)));
  assert_ok(bench_build(&b, NULL));
  double second = 0.5 * (2.25 + 4.0 - 1.0 - log(4.0)) + 0.5 * (4.0 + 0.25 - 1.0 - log(0.25));
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1, NUMBERS(0.0, second), 1e-14);
  bench_close(&b);
}

static void normal_kl_between_two(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("normal-kl"));
  (void)bench_input(&b, 'i', "mean", DIMS(1, 2), 2, NUMBERS(1.0, 3.0));
  (void)bench_input(&b, 'i', "log_variance", DIMS(1, 2), 2, NUMBERS(log(4.0), log(9.0)));
  (void)bench_input(&b, 'i', "prior_mean", DIMS(1, 2), 2, NUMBERS(-1.0, 3.0));
  (void)bench_input(&b, 'i', "prior_log_variance", DIMS(1, 2), 2, NUMBERS(log(16.0), log(9.0)));
  assert_ok(bench_build(&b, NULL));
  /* log(s2 / s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1/2 */
  double expected = log(2.0) + (4.0 + 4.0) / 32.0 - 0.5;
  bench_check(&b, bench_output(&b, ""), DIMS(1), 1, &expected, 1e-14);
  bench_close(&b);
}

static void normal_entropy_of_deviations_and_variances(void **state) {
  (void)state;
  const char *slots[2] = {"deviation", "log_variance"};
  const double given[2][2] = {{2.0, 0.5}, {log(4.0), log(0.25)}};
  for (int k = 0; k < 2; k++) {
    struct bench b;
    bench_open(&b, function("normal-entropy"));
    (void)bench_input(&b, 'i', slots[k], DIMS(1, 2), 2, given[k]);
    assert_ok(bench_build(&b, NULL));
    bench_check(&b, bench_output(&b, ""), DIMS(1), 1, NUMBERS(log(2.0 * PI) + 1.0), 1e-14);
    bench_close(&b);
  }
}

static void normal_likelihood_is_minus_log_density(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("normal-likelihood"));
  (void)bench_input(&b, 'i', "of", DIMS(2, 2), 2, NUMBERS(1.0, 2.0, 0.0, -1.0));
  (void)bench_input(&b, 'i', "mean", DIMS(2, 2), 2, NUMBERS(0.0, 2.0, 3.0, -1.0));
  (void)bench_input(&b, 'i', "deviation", DIMS(2), 1, NUMBERS(1.0, 2.0)); /* one a row */
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1,
              NUMBERS(0.5 + log(2.0 * PI), 9.0 / 8.0 + 2.0 * log(2.0) + log(2.0 * PI)), 1e-14);
  bench_close(&b);
}

static void spread_is_given_once(void **state) {
  (void)state;
  struct bench b;
  const double one = 1.0;
  bench_open(&b, function("normal-entropy"));
  (void)bench_input(&b, 'i', "deviation", DIMS(1), 1, &one);
  (void)bench_input(&b, 'i', "log_variance", DIMS(1), 1, &one);
  assert_fails(bench_build(&b, NULL), TIER_E_INVALID, "either \"deviation\" or \"log_variance\"");
  bench_close(&b);
}

/* z = m + s e: dz/dm = 1, dz/ds = e = (z - m) / s, element by element. */
static void normal_draw_is_reparameterised(void **state) {
  (void)state;
  struct bench b;
  double z[3];
  double slope[3];
  bench_open(&b, function("normal"));
  tier_value m = bench_input(&b, 'i', "mean", DIMS(3), 1, NUMBERS(1.0, -2.0, 0.5));
  tier_value s = bench_input(&b, 'i', "deviation", DIMS(3), 1, NUMBERS(0.5, 2.0, 0.0));
  (void)bench_key(&b, key);
  assert_ok(bench_build(&b, NULL));
  tier_value draw = bench_output(&b, "");
  tier_value inputs[2] = {m, s};
  tier_value d[2];
  assert_ok(diff_gradient(b.g, draw, 0, inputs, 2, d));
  bench_check(&b, d[0], DIMS(3), 1, NUMBERS(1.0, 1.0, 1.0), 0.0);
  (void)bench_evaluate(&b, draw, z);
  (void)bench_evaluate(&b, d[1], slope);
  assert_near(slope[0], (z[0] - 1.0) / 0.5, 1e-14);
  assert_near(slope[1], (z[1] + 2.0) / 2.0, 1e-14);
  assert_true(z[2] == 0.5 && slope[2] != 0.0);
  bench_close(&b);
}

/* Mean and variance of 20,000 draws within 5 standard errors; a log variance means the same. */
static void normal_draws_have_their_moments(void **state) {
  (void)state;
  enum { N = 20000 };
  static double mean[N];
  static double spread[N];
  static double z[N];
  for (int k = 0; k < 2; k++) {
    struct bench b;
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < N; i++) {
      mean[i] = 3.0;
      spread[i] = k == 0 ? 2.0 : log(4.0);
    }
    bench_open(&b, function("normal"));
    (void)bench_input(&b, 'i', "mean", DIMS(N), 1, mean);
    (void)bench_input(&b, 'i', k == 0 ? "deviation" : "log_variance", DIMS(N), 1, spread);
    (void)bench_key(&b, key);
    assert_ok(bench_build(&b, NULL));
    (void)bench_evaluate(&b, bench_output(&b, ""), z);
    for (int i = 0; i < N; i++) {
      sum += z[i] - 3.0;
      squares += (z[i] - 3.0) * (z[i] - 3.0);
    }
    assert_near(sum / N, 0.0, 5.0 * 2.0 / sqrt(N));
    assert_near(squares / N, 4.0, 5.0 * 4.0 * sqrt(2.0 / N));
    bench_close(&b);
  }
}

/* ---- evaluators -------------------------------------------------------------------------------
 */

/* g = sum exp(-relu(v)); a dead unit gives 1 and no gradient. */
static void auto_evaluator_and_its_dead_units(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("auto-evaluator"));
  tier_value v =
      bench_input(&b, 'i', "scores", DIMS(2, 3), 2, NUMBERS(-1.0, 0.0, 2.0, 5.0, 1.0, -9.0));
  assert_ok(bench_build(&b, NULL));
  tier_value d = 0;
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1,
              NUMBERS(2.0 + exp(-2.0), exp(-5.0) + exp(-1.0) + 1.0), 1e-15);
  assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, &v, 1, &d));
  bench_check(&b, d, DIMS(2, 3), 2, NUMBERS(0.0, 0.0, -exp(-2.0), -exp(-5.0), -exp(-1.0), 0.0),
              1e-15);
  bench_close(&b);
}

/* Scalar gradient descent on exp(-relu(z)) follows z_t = log(1 + eta t) (reference 0.8). */
static void auto_evaluator_descends_as_its_closed_form(void **state) {
  (void)state;
  double z = 1e-9;
  struct bench b;
  tier_value d = 0;
  bench_open(&b, function("auto-evaluator"));
  tier_value v = bench_input(&b, 'i', "scores", DIMS(1, 1), 2, &z);
  assert_ok(bench_build(&b, NULL));
  assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, &v, 1, &d));
  for (int t = 0; t < 100; t++) {
    double slope = 0;
    (void)bench_evaluate(&b, d, &slope);
    z -= 0.1 * slope;
  }
  assert_near(z, 2.409, 5e-4); /* measured; log(11) = 2.398 is the flow's */
  bench_close(&b);
}

static void evaluator_value_as_sum_and_as_logarithms(void **state) {
  (void)state;
  const char *forms[2] = {"sum", "log"};
  const double expected[2] = {5.0, log(3.0) + log(4.0)};
  for (int k = 0; k < 2; k++) {
    struct bench b;
    struct params *p = arguments(POSITION_FUNCTION, "evaluator-value");
    set_text(p, "form", forms[k]);
    bench_open(&b, make(p, 0));
    (void)bench_input(&b, 'i', "scores", DIMS(1, 3), 2, NUMBERS(2.0, -4.0, 3.0));
    assert_ok(bench_build(&b, NULL));
    bench_check(&b, bench_output(&b, ""), DIMS(1), 1, &expected[k], 1e-15);
    bench_close(&b);
  }
}

/* ---- log-power --------------------------------------------------------------------------------
 */

static void log_power_and_its_partial_derivatives(void **state) {
  (void)state;
  struct bench b;
  tier_value d[2];
  bench_open(&b, function("log-power"));
  tier_value xy[2] = {bench_input(&b, 'i', "base", NULL, 0, NUMBERS(105.0)),
                      bench_input(&b, 'i', "exponent", NULL, 0, NUMBERS(20.0))};
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), NULL, 0, NUMBERS(20.0 * log(105.0)), 1e-13);
  assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, xy, 2, d));
  bench_check(&b, d[0], NULL, 0, NUMBERS(20.0 / 105.0), 1e-15);
  bench_check(&b, d[1], NULL, 0, NUMBERS(log(105.0)), 1e-15);
  bench_close(&b);
}

static void log_power_is_nan_outside_its_domain(void **state) {
  (void)state;
  double out[4];
  struct bench b;
  bench_open(&b, function("log-power"));
  (void)bench_input(&b, 'i', "base", DIMS(4), 1, NUMBERS(1.0, 0.5, -2.0, 1.5));
  (void)bench_input(&b, 'i', "exponent", DIMS(4), 1, NUMBERS(2.0, 2.0, 2.0, 2.0));
  assert_ok(bench_build(&b, NULL));
  (void)bench_evaluate(&b, bench_output(&b, ""), out);
  assert_true(isnan(out[0]) && isnan(out[1]) && isnan(out[2]));
  assert_near(out[3], 2.0 * log(1.5), 1e-15);
  bench_close(&b);
}

/* ---- slice, concat, jitter, interpolate -------------------------------------------------------
 */

static void slice_takes_elements_of_each_row(void **state) {
  (void)state;
  struct bench b;
  const double x[6] = {1, 2, 3, 4, 5, 6};
  struct params *p = arguments(POSITION_FUNCTION, "slice");
  set_number(p, "at", 1);
  bench_open(&b, make(p, 0));
  (void)bench_input(&b, 'i', "of", DIMS(2, 3), 2, x);
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1, NUMBERS(2, 5), 0.0);
  bench_close(&b);
  p = arguments(POSITION_FUNCTION, "slice");
  set_number(p, "at", 1);
  set_number(p, "count", 2);
  bench_open(&b, make(p, 0));
  (void)bench_input(&b, 'i', "of", DIMS(2, 3), 2, x);
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2, 2), 2, NUMBERS(2, 3, 5, 6), 0.0);
  bench_close(&b);
  p = arguments(POSITION_FUNCTION, "slice");
  set_number(p, "at", 3);
  bench_open(&b, make(p, 0));
  (void)bench_input(&b, 'i', "of", DIMS(2, 3), 2, x);
  assert_fails(bench_build(&b, NULL), TIER_E_INVALID, "elements 3 to 3 of a row of 3");
  bench_close(&b);
}

static void concat_joins_rows_and_single_numbers(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("concat"));
  bench_operand(&b, bench_input(&b, 'i', "a", DIMS(2), 1, NUMBERS(1, 2)));
  bench_operand(&b, bench_input(&b, 'i', "b", DIMS(2, 2), 2, NUMBERS(3, 4, 5, 6)));
  bench_operand(&b, bench_input(&b, 'i', "c", DIMS(2), 1, NUMBERS(7, 8)));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2, 4), 2, NUMBERS(1, 3, 4, 7, 2, 5, 6, 8), 0.0);
  bench_close(&b);
}

/* Uniform in [-by, by): mean 0 and variance by^2 / 3 within 5 standard errors, and the bounds. */
static void jitter_moves_by_at_most_so_much(void **state) {
  (void)state;
  enum { N = 20000 };
  static double x[N];
  static double by[N];
  static double y[N];
  double sum = 0;
  double squares = 0;
  struct bench b;
  for (int i = 0; i < N; i++) {
    x[i] = i;
    by[i] = 0.25;
  }
  bench_open(&b, function("jitter"));
  (void)bench_input(&b, 'i', "of", DIMS(N), 1, x);
  (void)bench_input(&b, 'i', "by", DIMS(N), 1, by);
  (void)bench_key(&b, key);
  assert_ok(bench_build(&b, NULL));
  (void)bench_evaluate(&b, bench_output(&b, ""), y);
  for (int i = 0; i < N; i++) {
    assert_true(fabs(y[i] - x[i]) <= 0.25);
    sum += y[i] - x[i];
    squares += (y[i] - x[i]) * (y[i] - x[i]);
  }
  assert_near(sum / N, 0.0, 5.0 * 0.25 / sqrt(3.0 * N));
  assert_near(squares / N, 0.0625 / 3.0, 5.0 * 0.0625 * sqrt(4.0 / 45.0 / N));
  bench_close(&b);
}

/* One u in [0, 1) a row, the same for all of its elements, not the same for all rows. */
static void interpolate_lies_between_the_rows(void **state) {
  (void)state;
  double y[6];
  double u[3];
  struct bench b;
  bench_open(&b, function("interpolate"));
  (void)bench_input(&b, 'i', "first", DIMS(3, 2), 2, NUMBERS(1, 10, 1, 10, 1, 10));
  (void)bench_input(&b, 'i', "second", DIMS(3, 2), 2, NUMBERS(0, 20, 0, 20, 0, 20));
  (void)bench_key(&b, key);
  assert_ok(bench_build(&b, NULL));
  (void)bench_evaluate(&b, bench_output(&b, ""), y);
  for (int i = 0; i < 3; i++) {
    u[i] = y[2 * i];
    assert_true(u[i] >= 0.0 && u[i] < 1.0);
    assert_near(y[2 * i + 1], 20.0 - 10.0 * u[i], 1e-13);
  }
  assert_true(u[0] != u[1] && u[1] != u[2]);
  bench_close(&b);
}

/* ---- quadratic --------------------------------------------------------------------------------
 */

static void quadratic_penalty_of_several_centers(void **state) {
  (void)state;
  struct bench b;
  tier_value d = 0;
  bench_open(&b, function("quadratic"));
  tier_value w = bench_input(&b, 'i', "of", DIMS(1, 2), 2, NUMBERS(1.0, -2.0));
  (void)bench_input(&b, 'i', "center", DIMS(1, 3, 2), 3, NUMBERS(0, 0, 1, 1, 2, -4));
  (void)bench_input(&b, 'i', "diagonal", DIMS(1, 3, 2), 3, NUMBERS(1, 2, 3, 4, 5, 6));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(1), 1,
              NUMBERS(0.5 * (1 + 2 * 4 + 0 + 4 * 9 + 5 * 1 + 6 * 4)), 1e-14);
  assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, &w, 1, &d));
  bench_check(&b, d, DIMS(1, 2), 2, NUMBERS(1.0 - 5.0, -4.0 - 12.0 + 12.0), 1e-14);
  bench_close(&b);
}

static void quadratic_alone_is_l2(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("quadratic"));
  (void)bench_input(&b, 'i', "of", DIMS(2, 2), 2, NUMBERS(1, 2, 3, 4));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1, NUMBERS(2.5, 12.5), 0.0);
  bench_close(&b);
  bench_open(&b, function("quadratic")); /* one diagonal for all centers, and one center */
  (void)bench_input(&b, 'i', "of", DIMS(1, 2), 2, NUMBERS(1, 2));
  (void)bench_input(&b, 'i', "center", DIMS(1, 2), 2, NUMBERS(0, 1));
  (void)bench_input(&b, 'i', "diagonal", DIMS(1, 2, 2), 3, NUMBERS(1, 1, 2, 4));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(1), 1, NUMBERS(0.5 * (1 + 1 + 2 + 4)), 0.0);
  bench_close(&b);
  bench_open(&b, function("quadratic"));
  (void)bench_input(&b, 'i', "of", DIMS(1, 2), 2, NUMBERS(1, 2));
  (void)bench_input(&b, 'i', "center", DIMS(1, 3), 2, NUMBERS(0, 1, 2));
  assert_fails(bench_build(&b, NULL), TIER_E_INVALID, "the shape of \"of\"");
  bench_close(&b);
}

/* ---- gradient penalty -------------------------------------------------------------------------
 */

/* A critic f(x) = v . tanh(x W), x (n, 2), W (2, 3), v (3, 1). */
static tier_value critic(struct bench *b, tier_value x, tier_value w, tier_value v) {
  tier_graph *g = &b->g->face;
  return tier_matmul(g, tier_tanh(g, tier_matmul(g, x, w)), v);
}

static const double points[6] = {0.3, -0.7, 1.2, 0.4, -0.5, 0.9};
static const double readout[3] = {1.5, -0.8, 0.6};

/* The penalty's mean over the rows by hand: df/dx_i = sum_k W_ik (1 - tanh^2) v_k. */
static double penalty_by_hand(const double *w) {
  double mean = 0;
  for (int n = 0; n < 3; n++) {
    double gradient[2] = {0, 0};
    for (int k = 0; k < 3; k++) {
      double t = tanh(points[2 * n] * w[k] + points[2 * n + 1] * w[3 + k]);
      gradient[0] += w[k] * (1 - t * t) * readout[k];
      gradient[1] += w[3 + k] * (1 - t * t) * readout[k];
    }
    mean += pow(hypot(gradient[0], gradient[1]) - 1.0, 2) / 3.0;
  }
  return mean;
}

static void gradient_penalty_and_its_gradient(void **state) {
  (void)state;
  double w[6] = {0.9, -0.4, 0.2, 0.3, 0.8, -1.1};
  double rows[3];
  double slope[6];
  tier_value d = 0;
  struct bench b;
  bench_open(&b, function("gradient-penalty"));
  tier_value x = bench_input(&b, 'i', "at", DIMS(3, 2), 2, points);
  tier_value weight = bench_input(&b, 'v', "w", DIMS(2, 3), 2, w);
  tier_value v = bench_input(&b, 'v', "v", DIMS(3, 1), 2, readout);
  b.inputs[b.input_count] =
      (struct bench_value){"of", 'i', critic(&b, x, weight, v), NULL, 0, 0, {0}, 0, 0};
  b.input_count++;
  assert_ok(bench_build(&b, NULL));
  b.input_count--; /* it is no input of the program */
  (void)bench_evaluate(&b, bench_output(&b, ""), rows);
  assert_near((rows[0] + rows[1] + rows[2]) / 3.0, penalty_by_hand(w), 1e-13);
  assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, &weight, 1, &d));
  (void)bench_evaluate(&b, d, slope);
  for (int i = 0; i < 6; i++) { /* central differences, error about h^2 */
    double h = 1e-5;
    double kept = w[i];
    w[i] = kept + h;
    double up = penalty_by_hand(w);
    w[i] = kept - h;
    double down = penalty_by_hand(w);
    w[i] = kept;
    assert_near(slope[i] / 3.0, (up - down) / (2 * h), 1e-8);
  }
  bench_close(&b);
}

/* f = a x: slope |a|; one-sided counts above the slope only; no gradient at all is no NaN. */
static void gradient_penalty_of_a_line(void **state) {
  (void)state;
  const double slopes[3] = {3.0, 0.5, 0.0};
  const double both[3] = {4.0, 0.25, 1.0};
  const double above[3] = {4.0, 0.0, 0.0};
  for (int k = 0; k < 6; k++) {
    struct bench b;
    tier_value d = 0;
    struct params *p = arguments(POSITION_FUNCTION, "gradient-penalty");
    set_text(p, "sides", k < 3 ? "two" : "one");
    bench_open(&b, make(p, 0));
    tier_value x = bench_input(&b, 'i', "at", DIMS(2, 1), 2, NUMBERS(0.5, -2.0));
    tier_value a = bench_input(&b, 'v', "a", DIMS(1, 1), 2, &slopes[k % 3]);
    tier_value f = tier_matmul(&b.g->face, x, a);
    b.inputs[b.input_count++] = (struct bench_value){"of", 'i', f, NULL, 0, 0, {0}, 0, 0};
    assert_ok(bench_build(&b, NULL));
    b.input_count--;
    double expected = k < 3 ? both[k] : above[k - 3];
    bench_check(&b, bench_output(&b, ""), DIMS(2), 1, NUMBERS(expected, expected), 1e-14);
    assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, &a, 1, &d));
    double total = k % 3 == 2 ? 0.0 : k == 4 ? 0.0 : 4.0 * (slopes[k % 3] - 1.0);
    bench_check(&b, d, DIMS(1, 1), 2, &total, 1e-13);
    bench_close(&b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(normal_kl_from_the_standard_normal),
      cmocka_unit_test(normal_kl_between_two),
      cmocka_unit_test(normal_entropy_of_deviations_and_variances),
      cmocka_unit_test(normal_likelihood_is_minus_log_density),
      cmocka_unit_test(spread_is_given_once),
      cmocka_unit_test(normal_draw_is_reparameterised),
      cmocka_unit_test(normal_draws_have_their_moments),
      cmocka_unit_test(auto_evaluator_and_its_dead_units),
      cmocka_unit_test(auto_evaluator_descends_as_its_closed_form),
      cmocka_unit_test(evaluator_value_as_sum_and_as_logarithms),
      cmocka_unit_test(log_power_and_its_partial_derivatives),
      cmocka_unit_test(log_power_is_nan_outside_its_domain),
      cmocka_unit_test(slice_takes_elements_of_each_row),
      cmocka_unit_test(concat_joins_rows_and_single_numbers),
      cmocka_unit_test(jitter_moves_by_at_most_so_much),
      cmocka_unit_test(interpolate_lies_between_the_rows),
      cmocka_unit_test(quadratic_penalty_of_several_centers),
      cmocka_unit_test(quadratic_alone_is_l2),
      cmocka_unit_test(gradient_penalty_and_its_gradient),
      cmocka_unit_test(gradient_penalty_of_a_line),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

/* Divergences of histograms and samples against closed forms and plain loops. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "bench.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})
#define NUMBERS(...) ((const double[]){__VA_ARGS__})

static const int32_t key[4] = {5, 0, 9, 0};

static struct instance *function(const char *id) {
  return make_plain(POSITION_FUNCTION, id, 0);
}

/* ---- histograms -------------------------------------------------------------------------------
 */

/* out (n): the divergence `id` of p and q (n, k). */
static void divergence(const char *id, int64_t n, int64_t k, const double *p, const double *q,
                       double *out) {
  struct bench b;
  bench_open(&b, function(id));
  (void)bench_input(&b, 'i', "first", DIMS(n, k), 2, p);
  (void)bench_input(&b, 'i', "second", DIMS(n, k), 2, q);
  assert_ok(bench_build(&b, NULL));
  assert_int_equal(bench_evaluate(&b, bench_output(&b, ""), out), n);
  bench_close(&b);
}

static double divergence_of(const char *id, int64_t k, const double *p, const double *q) {
  double value = NAN;
  divergence(id, 1, k, p, q, &value);
  return value;
}

static void divergences_of_two_coins(void **state) {
  (void)state;
  const double p[2] = {0.25, 0.75};
  const double q[2] = {0.5, 0.5};
  double there = 0.25 * log(0.5) + 0.75 * log(1.5);
  double back = 0.5 * log(2.0) + 0.5 * log(2.0 / 3.0);
  double mixed = 0.5 * (0.25 * log(0.25 / 0.375) + 0.75 * log(0.75 / 0.625)) +
                 0.5 * (0.5 * log(0.5 / 0.375) + 0.5 * log(0.5 / 0.625));
  assert_near(divergence_of("kl", 2, p, q), there, 1e-15);
  assert_near(divergence_of("kl", 2, q, p), back, 1e-15);
  assert_near(divergence_of("jeffreys", 2, p, q), there + back, 1e-15);
  assert_near(divergence_of("jensen-shannon", 2, p, q), mixed, 1e-15);
  assert_near(divergence_of("total-variation", 2, p, q), 0.25, 1e-15);
  assert_near(divergence_of("histogram-w1", 2, p, q), 0.25, 1e-15);
}

/* Two parallel lines theta apart have all mass in two columns of the plane: total variation 1, KL
 * infinite, JS log 2 wherever the second line stands, so that its slope in theta is 0; W1 =
 * |theta|, with slope +-1 (Arjovsky, Chintala, Bottou 2017, example 1). */
static void parallel_lines(void **state) {
  (void)state;
  double before = 0;
  for (int64_t theta = -3; theta <= 3; theta++) {
    double p[7] = {0};
    double q[7] = {0};
    p[3] = 1.0;
    q[3 + theta] = 1.0;
    double w1 = divergence_of("histogram-w1", 7, p, q);
    double js = divergence_of("jensen-shannon", 7, p, q);
    assert_near(w1, (double)llabs(theta), 1e-15);
    assert_near(divergence_of("total-variation", 7, p, q), theta != 0 ? 1.0 : 0.0, 1e-15);
    assert_near(js, theta != 0 ? log(2.0) : 0.0, 1e-15);
    if (theta != 0) {
      assert_true(divergence_of("kl", 7, p, q) == INFINITY);
      assert_true(divergence_of("jeffreys", 7, p, q) == INFINITY);
    } else {
      assert_true(divergence_of("kl", 7, p, q) == 0.0);
    }
    if (theta > -3) {
      assert_near(w1 - before, theta <= 0 ? -1.0 : 1.0, 1e-15);
    }
    before = w1;
  }
}

/* 0 <= JS <= log 2, TV <= 1, Pinsker: 2 TV^2 <= KL, and 2 JS <= J / 2, on random histograms. */
static void inequalities_hold(void **state) {
  (void)state;
  enum { N = 40, K = 6 };
  double p[N * K];
  double q[N * K];
  double kl[N];
  double js[N];
  double j[N];
  double tv[N];
  for (uint64_t i = 0; i < N; i++) {
    double sums[2] = {0, 0};
    for (uint64_t k = 0; k < K; k++) {
      sums[0] += p[i * K + k] = pow(random_uniform(3, i, k), 4.0) + 1e-9;
      sums[1] += q[i * K + k] = pow(random_uniform(4, i, k), 4.0) + 1e-9;
    }
    for (uint64_t k = 0; k < K; k++) {
      p[i * K + k] /= sums[0];
      q[i * K + k] /= sums[1];
    }
  }
  divergence("kl", N, K, p, q, kl);
  divergence("jensen-shannon", N, K, p, q, js);
  divergence("jeffreys", N, K, p, q, j);
  divergence("total-variation", N, K, p, q, tv);
  for (int i = 0; i < N; i++) {
    assert_true(js[i] >= 0.0 && js[i] <= log(2.0) && js[i] <= j[i] / 4.0);
    assert_true(tv[i] <= 1.0 && 2.0 * tv[i] * tv[i] <= kl[i] + 1e-15);
  }
}

static void kl_has_its_gradient(void **state) {
  (void)state;
  struct bench b;
  tier_value d[2];
  bench_open(&b, function("kl"));
  tier_value pq[2] = {bench_input(&b, 'i', "first", DIMS(1, 3), 2, NUMBERS(0.25, 0.75, 0.0)),
                      bench_input(&b, 'i', "second", DIMS(1, 3), 2, NUMBERS(0.5, 0.5, 0.0))};
  assert_ok(bench_build(&b, NULL));
  assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, pq, 2, d));
  bench_check(&b, d[0], DIMS(1, 3), 2, NUMBERS(log(0.5) + 1.0, log(1.5) + 1.0, 0.0), 1e-15);
  bench_check(&b, d[1], DIMS(1, 3), 2, NUMBERS(-0.5, -1.5, 0.0), 1e-15);
  bench_close(&b);
}

/* ---- sliced-w1 --------------------------------------------------------------------------------
 */

static void samples(struct bench *b, int64_t n, int64_t m, int64_t d, const double *x,
                    const double *y) {
  (void)bench_input(b, 'i', "first", DIMS(n, d), 2, x);
  (void)bench_input(b, 'i', "second", DIMS(m, d), 2, y);
  (void)bench_key(b, key);
  assert_ok(bench_build(b, NULL));
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* In one dimension: the mean of the sorted samples' distances, whatever their order. */
static void sliced_w1_of_numbers_is_the_sorted_formula(void **state) {
  (void)state;
  enum { N = 50 };
  double x[N];
  double y[N];
  double out[N];
  double expected = 0;
  for (uint64_t i = 0; i < N; i++) {
    x[i] = random_normal(1, 0, i);
    y[i] = 3.0 + 2.0 * random_normal(2, 0, i);
  }
  struct bench b;
  bench_open(&b, function("sliced-w1"));
  samples(&b, N, N, 1, x, y);
  assert_int_equal(bench_evaluate(&b, bench_output(&b, ""), out), N);
  bench_close(&b);
  qsort(x, N, sizeof *x, ascending);
  qsort(y, N, sizeof *y, ascending);
  for (int i = 0; i < N; i++) {
    expected += fabs(x[i] - y[i]) / N;
  }
  assert_near(out[0], expected, 1e-14);
  assert_true(out[N - 1] == out[0]);
}

/* Samples of 4 and of 6 against the same ones repeated to 12 each. */
static void sliced_w1_of_samples_of_different_sizes(void **state) {
  (void)state;
  const double x[4] = {0.3, -1.0, 2.5, 0.9};
  const double y[6] = {1.0, 1.0, -2.0, 0.4, 3.5, 0.1};
  double repeated_x[12];
  double repeated_y[12];
  double out[2][12];
  for (int i = 0; i < 12; i++) {
    repeated_x[i] = x[i / 3];
    repeated_y[i] = y[i / 2];
  }
  for (int k = 0; k < 2; k++) {
    struct bench b;
    bench_open(&b, function("sliced-w1"));
    samples(&b, k ? 12 : 4, k ? 12 : 6, 1, k ? repeated_x : x, k ? repeated_y : y);
    (void)bench_evaluate(&b, bench_output(&b, ""), out[k]);
    bench_close(&b);
  }
  assert_near(out[0][0], out[1][0], 1e-14);
  assert_true(out[0][0] > 0.1);
}

/* x = theta + u against u: W1 = |theta|, and the slopes in x sum to +-1. */
static void sliced_w1_of_a_shift_has_slope_one(void **state) {
  (void)state;
  for (int sign = -1; sign <= 1; sign += 2) {
    double u[5] = {0.1, 0.7, 0.3, 0.5, 0.9};
    double x[5];
    double out[5];
    double slopes[5];
    struct bench b;
    tier_value d = 0;
    for (int i = 0; i < 5; i++) {
      x[i] = u[i] + 2.0 * sign;
    }
    bench_open(&b, function("sliced-w1"));
    samples(&b, 5, 5, 1, x, u);
    (void)bench_evaluate(&b, bench_output(&b, ""), out);
    assert_near(out[0], 2.0, 1e-14);
    tier_value first = bench_find(&b, "first");
    assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, &first, 1, &d));
    (void)bench_evaluate(&b, d, slopes); /* of the sum over 5 equal rows */
    for (int i = 0; i < 5; i++) {
      assert_near(slopes[i], (double)sign, 1e-14);
    }
    bench_close(&b);
  }
}

/* A shift by v in the plane: the mean of |v . u| over the circle is 2 |v| / pi; with 2000
 * directions the standard error is 0.31 |v| / sqrt(2000). */
static void sliced_w1_in_the_plane(void **state) {
  (void)state;
  const double x[6] = {0, 0, 1, 2, -1, 0.5};
  double y[6];
  double out[3];
  for (int i = 0; i < 6; i++) {
    y[i] = x[i] + (i % 2 == 0 ? 3.0 : 4.0);
  }
  struct bench b;
  struct params *p = arguments(POSITION_FUNCTION, "sliced-w1");
  set_number(p, "directions", 2000);
  bench_open(&b, make(p, 0));
  samples(&b, 3, 3, 2, x, y);
  (void)bench_evaluate(&b, bench_output(&b, ""), out);
  assert_near(out[0], 2.0 * 5.0 / acos(-1.0), 5.0 * 0.31 * 5.0 / sqrt(2000.0));
  bench_close(&b);
}

/* ---- mmd --------------------------------------------------------------------------------------
 */

static double kernel_sum(int gaussian, const double *x, int64_t n, const double *y, int64_t m,
                         int skip) {
  const double scales[2] = {0.5, 2.0};
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < m; j++) {
      double r2 = pow(x[2 * i] - y[2 * j], 2) + pow(x[2 * i + 1] - y[2 * j + 1], 2);
      for (int k = 0; k < 2 && !(skip && i == j); k++) {
        double s2 = scales[k] * scales[k];
        sum += gaussian ? exp(-0.5 * r2 / s2) : s2 / (s2 + r2);
      }
    }
  }
  return sum;
}

static void mmd_equals_its_double_sums(void **state) {
  (void)state;
  enum { N = 7, M = 5 };
  double x[2 * N];
  double y[2 * M];
  for (uint64_t i = 0; i < 2 * N; i++) {
    x[i] = random_normal(1, 0, i);
    y[i % (2 * M)] = 1.0 + random_normal(2, 0, i);
  }
  for (int k = 0; k < 4; k++) {
    int gaussian = k % 2;
    int unbiased = k / 2;
    double out[N];
    struct bench b;
    struct params *p = arguments(POSITION_FUNCTION, "mmd");
    set_text(p, "kernel", gaussian ? "gaussian" : "inverse-multiquadratic");
    set_text(p, "estimate", unbiased ? "unbiased" : "biased");
    params_set_numbers(p, "scales", NUMBERS(0.5, 2.0), 2);
    bench_open(&b, make(p, 0));
    samples(&b, N, M, 2, x, y);
    (void)bench_evaluate(&b, bench_output(&b, ""), out);
    double expected = kernel_sum(gaussian, x, N, x, N, unbiased) / (N * (unbiased ? N - 1 : N)) +
                      kernel_sum(gaussian, y, M, y, M, unbiased) / (M * (unbiased ? M - 1 : M)) -
                      2.0 * kernel_sum(gaussian, x, N, y, M, 0) / (N * M);
    assert_near(out[0], expected, 1e-13);
    assert_true(out[N - 1] == out[0]);
    bench_close(&b);
  }
}

static void mmd_of_a_sample_with_itself_is_0(void **state) {
  (void)state;
  const double x[6] = {0, 1, 2, 5, -3, 0.5};
  double out[3];
  struct bench b;
  struct params *p = arguments(POSITION_FUNCTION, "mmd");
  set_text(p, "estimate", "biased");
  bench_open(&b, make(p, 0));
  samples(&b, 3, 3, 2, x, x);
  (void)bench_evaluate(&b, bench_output(&b, ""), out);
  assert_near(out[0], 0.0, 1e-15);
  bench_close(&b);
  bench_open(&b, function("mmd"));
  (void)bench_input(&b, 'i', "first", DIMS(1, 2), 2, x);
  (void)bench_input(&b, 'i', "second", DIMS(3, 2), 2, x);
  assert_fails(bench_build(&b, NULL), TIER_E_INVALID, "at least two rows");
  bench_close(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(divergences_of_two_coins),
      cmocka_unit_test(parallel_lines),
      cmocka_unit_test(inequalities_hold),
      cmocka_unit_test(kl_has_its_gradient),
      cmocka_unit_test(sliced_w1_of_numbers_is_the_sorted_formula),
      cmocka_unit_test(sliced_w1_of_samples_of_different_sizes),
      cmocka_unit_test(sliced_w1_of_a_shift_has_slope_one),
      cmocka_unit_test(sliced_w1_in_the_plane),
      cmocka_unit_test(mmd_equals_its_double_sums),
      cmocka_unit_test(mmd_of_a_sample_with_itself_is_0),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

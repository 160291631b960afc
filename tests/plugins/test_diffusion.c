/* Denoising diffusion, Langevin steps and denoising scores against plain references. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "bench.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})
#define NUMBERS(...) ((const double[]){__VA_ARGS__})

static struct instance *function(const char *id) {
  return make_plain(POSITION_FUNCTION, id, 0);
}

static void set_key(int32_t *key, int32_t draw) {
  key[0] = 3;
  key[1] = 0;
  key[2] = draw;
  key[3] = 0;
}

/* ---- the schedule, by its definition ----------------------------------------------------------
 */

#define STEPS 100
static double beta_of(int64_t t) {
  return 1e-4 + (0.1 - 1e-4) * (double)(t - 1) / (STEPS - 1);
}
static double abar_of(int64_t t) {
  double product = 1;
  for (int64_t s = 1; s <= t; s++) {
    product *= 1 - beta_of(s);
  }
  return product;
}

static void ddpm_noise_mixes_as_the_schedule_says(void **state) {
  (void)state;
  const double times[4] = {1, 2, 50, 100};
  const double x[8] = {1, -2, 1, -2, 1, -2, 1, -2};
  const double e[8] = {0.5, 3, 0.5, 3, 0.5, 3, 0.5, 3};
  double expected[8];
  struct bench b;
  for (int i = 0; i < 8; i++) {
    double abar = abar_of((int64_t)times[i / 2]);
    expected[i] = sqrt(abar) * x[i] + sqrt(1 - abar) * e[i];
  }
  bench_open(&b, function("ddpm-noise"));
  (void)bench_input(&b, 'i', "of", DIMS(4, 2), 2, x);
  (void)bench_input(&b, 'i', "noise", DIMS(4, 2), 2, e);
  (void)bench_input(&b, 'i', "time", DIMS(4), 1, times);
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(4, 2), 2, expected, 1e-13);
  bench_close(&b);
}

/* Whole numbers from 1 to steps, each drawn about equally often (within 6 standard errors). */
static void ddpm_times_are_uniform(void **state) {
  (void)state;
  enum { N = 5000, T = 10 };
  static double x[N];
  static double t[N];
  int32_t key[4];
  int counts[T + 1] = {0};
  struct bench b;
  struct params *p = arguments(POSITION_FUNCTION, "ddpm-time");
  set_number(p, "steps", T);
  set_key(key, 1);
  bench_open(&b, make(p, 0));
  (void)bench_input(&b, 'i', "of", DIMS(N), 1, x);
  (void)bench_key(&b, key);
  assert_ok(bench_build(&b, NULL));
  assert_int_equal(bench_evaluate(&b, bench_output(&b, ""), t), N);
  for (int i = 0; i < N; i++) {
    assert_true(t[i] == floor(t[i]) && t[i] >= 1 && t[i] <= T);
    counts[(int)t[i]]++;
  }
  for (int k = 1; k <= T; k++) {
    assert_near(counts[k], N / T, 6 * sqrt(N * 0.1 * 0.9));
  }
  bench_close(&b);
}

static void time_embedding_is_sines_and_cosines(void **state) {
  (void)state;
  struct bench b;
  struct params *p = arguments(POSITION_FUNCTION, "time-embedding");
  set_number(p, "frequencies", 2);
  set_number(p, "longest", 100);
  bench_open(&b, make(p, 0));
  (void)bench_input(&b, 'i', "of", DIMS(2), 1, NUMBERS(1, 7));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2, 4), 2,
              NUMBERS(sin(1), sin(0.1), cos(1), cos(0.1), sin(7), sin(0.7), cos(7), cos(0.7)),
              1e-14);
  bench_close(&b);
}

/* At t = 1 no noise is added: the step is its mean, in closed form. */
static void ddpm_last_step_is_its_mean(void **state) {
  (void)state;
  int32_t key[4];
  struct bench b;
  set_key(key, 1);
  bench_open(&b, function("ddpm-step"));
  (void)bench_input(&b, 'i', "of", DIMS(1, 2), 2, NUMBERS(0.5, -1));
  (void)bench_input(&b, 'i', "noise", DIMS(1, 2), 2, NUMBERS(2, 3));
  (void)bench_input(&b, 'i', "time", DIMS(1), 1, NUMBERS(1));
  (void)bench_key(&b, key);
  assert_ok(bench_build(&b, NULL));
  double scale = 1 / sqrt(1 - 1e-4);
  bench_check(&b, bench_output(&b, ""), DIMS(1, 2), 2,
              NUMBERS((0.5 - 1e-2 * 2) * scale, (-1 - 1e-2 * 3) * scale), 1e-13);
  bench_close(&b);
}

/* The noise that the best model predicts for data N(mean, deviation^2). */
static double best_noise(double x, int64_t t, double mean, double deviation) {
  double abar = abar_of(t);
  return sqrt(1 - abar) * (x - sqrt(abar) * mean) / (abar * deviation * deviation + 1 - abar);
}

/* One step back of all samples x (n). */
static void step_back(double *x, int64_t n, int64_t t, double mean, double deviation) {
  double *noise = malloc((size_t)n * 2 * sizeof *noise);
  double *times = noise + n;
  int32_t key[4];
  struct bench b;
  set_key(key, (int32_t)t);
  for (int64_t i = 0; i < n; i++) {
    noise[i] = best_noise(x[i], t, mean, deviation);
    times[i] = (double)t;
  }
  bench_open(&b, function("ddpm-step"));
  (void)bench_input(&b, 'i', "of", DIMS(n), 1, x);
  (void)bench_input(&b, 'i', "noise", DIMS(n), 1, noise);
  (void)bench_input(&b, 'i', "time", DIMS(n), 1, times);
  (void)bench_key(&b, key);
  assert_ok(bench_build(&b, NULL));
  (void)bench_evaluate(&b, bench_output(&b, ""), x);
  bench_close(&b);
  free(noise);
}

/* Ancestral sampling with the exact noise of N(2, 0.5^2) ends there: 3,000 samples, mean and
 * deviation within 5 standard errors and the 3 % that 100 steps leave. */
static void ddpm_samples_gaussian_data(void **state) {
  (void)state;
  enum { N = 3000 };
  static double x[N];
  double mean = 0;
  double variance = 0;
  for (uint64_t i = 0; i < N; i++) {
    x[i] = random_normal(8, 0, i);
  }
  for (int64_t t = STEPS; t >= 1; t--) {
    step_back(x, N, t, 2.0, 0.5);
  }
  for (int i = 0; i < N; i++) {
    mean += x[i] / N;
  }
  for (int i = 0; i < N; i++) {
    variance += (x[i] - mean) * (x[i] - mean) / (N - 1);
  }
  assert_near(mean, 2.0, 5 * 0.5 / sqrt(N) + 0.03 * 0.5);
  assert_near(sqrt(variance), 0.5, 5 * 0.5 / sqrt(2.0 * N) + 0.03 * 0.5);
}

/* ---- Langevin ---------------------------------------------------------------------------------
 */

/* On N(0, 1) with step h the stationary variance is 1 / (1 - h / 2), not 1. */
static void langevin_has_its_stationary_variance(void **state) {
  (void)state;
  enum { N = 8000 };
  static double x[N];
  static double score[N];
  static double h[N];
  double squares = 0;
  for (int t = 0; t < 30; t++) { /* (1 - h)^60 of the start is left: 1e-18 */
    int32_t key[4];
    struct bench b;
    set_key(key, t);
    for (int i = 0; i < N; i++) {
      score[i] = -x[i];
      h[i] = 0.5;
    }
    bench_open(&b, function("langevin-step"));
    (void)bench_input(&b, 'i', "of", DIMS(N), 1, x);
    (void)bench_input(&b, 'i', "score", DIMS(N), 1, score);
    (void)bench_input(&b, 'i', "step", DIMS(N), 1, h);
    (void)bench_key(&b, key);
    assert_ok(bench_build(&b, NULL));
    (void)bench_evaluate(&b, bench_output(&b, ""), x);
    bench_close(&b);
  }
  for (int i = 0; i < N; i++) {
    squares += x[i] * x[i] / N;
  }
  assert_near(squares, 4.0 / 3.0, 5 * (4.0 / 3.0) * sqrt(2.0 / N));
}

/* ---- denoising score --------------------------------------------------------------------------
 */

/* 0 at the target (x - y) / sigma^2; the derivative in s is s - target. */
static void denoising_score_has_its_minimum_at_the_target(void **state) {
  (void)state;
  struct bench b;
  tier_value d = 0;
  bench_open(&b, function("denoising-score"));
  tier_value s = bench_input(&b, 'i', "of", DIMS(2, 2), 2, NUMBERS(2, -4, 0, 0));
  (void)bench_input(&b, 'i', "noisy", DIMS(2, 2), 2, NUMBERS(0.5, 2, 0.5, 2));
  (void)bench_input(&b, 'i', "clean", DIMS(2, 2), 2, NUMBERS(1, 1, 1, 1));
  (void)bench_input(&b, 'i', "deviation", DIMS(2), 1, NUMBERS(0.5, 0.5));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1, NUMBERS(0.0, 10.0), 1e-14);
  assert_ok(diff_gradient(b.g, bench_output(&b, ""), 0, &s, 1, &d));
  bench_check(&b, d, DIMS(2, 2), 2, NUMBERS(0, 0, -2, 4), 1e-14);
  bench_close(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ddpm_noise_mixes_as_the_schedule_says),
      cmocka_unit_test(ddpm_times_are_uniform),
      cmocka_unit_test(time_embedding_is_sines_and_cosines),
      cmocka_unit_test(ddpm_last_step_is_its_mean),
      cmocka_unit_test(ddpm_samples_gaussian_data),
      cmocka_unit_test(langevin_has_its_stationary_variance),
      cmocka_unit_test(denoising_score_has_its_minimum_at_the_target),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

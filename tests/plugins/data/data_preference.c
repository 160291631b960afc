/* preference: each statistic against hand-computed values or brute force. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "harness.h"

static int32_t compute(const char *statistic, const char *form, const double *first,
                       const double *second, int64_t rows, int64_t width, double *value) {
  struct params *p = measure_args(POSITION_FUNCTION, "preference");
  struct instance *i = NULL;
  int32_t rank = width > 1 ? 2 : 1;
  struct fake_array items[2] = {{"first", TIER_REAL, rank, {rows, width}, first},
                                {"second", TIER_REAL, rank, {rows, width}, second}};
  struct fake_arrays arrays = arrays_of(items, 2);
  set_text(p, "statistic", statistic);
  set_text(p, "form", form);
  assert_ok(instance_new(p, &i));
  const tier_metric_1 *metric = instance_get(i, "tier.metric/1");
  int32_t status = metric->compute(i->object, &arrays.face, value);
  instance_free(i);
  return status;
}

static double statistic(const char *name, const double *first, const double *second, int64_t rows) {
  double value = NAN;
  assert_ok(compute(name, "sum", first, second, rows, 1, &value));
  return value;
}

static void near(double value, double expected) {
  if (!(fabs(value - expected) <= 1e-12)) {
    fail_test("%.17g is not %.17g", value, expected);
  }
}

/* d = 1, -2, 3, 0, 4. */
static const double first[5] = {2, 1, 5, 7, -4};
static const double second[5] = {1, 3, 2, 7, -8};

static void statistics_by_hand(void **state) {
  (void)state;
  double s = sqrt((0.04 + 10.24 + 3.24 + 1.44 + 7.84) / 4); /* about the mean 1.2 */
  double z = 1.959963984540054;
  near(statistic("share", first, second, 5), 0.6);
  near(statistic("mean", first, second, 5), 1.2);
  near(statistic("mean-low", first, second, 5), 1.2 - z * s / sqrt(5));
  near(statistic("mean-high", first, second, 5), 1.2 + z * s / sqrt(5));
  near(statistic("effect", first, second, 5), 1.2 / s);
  near(statistic("sign", first, second, 5), 2 / sqrt(4));
  /* ranks of |d|: 1, 2, 3, -, 4; signs + - + + */
  near(statistic("wilcoxon", first, second, 5), (1 - 2 + 3 + 4) / sqrt(1 + 4 + 9 + 16));
}

/* Wilson's ends are the p with (p_hat - p)^2 = z^2 p (1 - p) / n. */
static void wilson_solves_its_equation(void **state) {
  (void)state;
  double z2 = 1.959963984540054 * 1.959963984540054;
  double low = statistic("share-low", first, second, 5);
  double high = statistic("share-high", first, second, 5);
  near((0.6 - low) * (0.6 - low), z2 * low * (1 - low) / 5);
  near((0.6 - high) * (0.6 - high), z2 * high * (1 - high) / 5);
  assert_true(0 < low && low < 0.6 && 0.6 < high && high < 1);
}

/* Two |d| of equal size share the ranks 1 and 2. */
static void wilcoxon_takes_middle_ranks(void **state) {
  (void)state;
  const double a[3] = {1, 0, 3};
  const double b[3] = {0, 1, 0};
  near(statistic("wilcoxon", a, b, 3), 3 / sqrt(2.25 + 2.25 + 9));
}

static void auc_equals_brute_force(void **state) {
  (void)state;
  enum { N = 30 };
  double a[N];
  double b[N];
  double wins = 0;
  for (uint64_t i = 0; i < N; i++) {
    a[i] = floor(8 * random_uniform(1, 0, i));
    b[i] = floor(6 * random_uniform(2, 0, i));
  }
  for (int i = 0; i < N; i++) {
    for (int j = 0; j < N; j++) {
      wins += a[i] > b[j] ? 1 : a[i] == b[j] ? 0.5 : 0;
    }
  }
  near(statistic("auc", a, b, N), wins / (N * N));
}

/* Rows of scores are worth sum relu(v), or sum log(1 + relu(v)). */
static void scores_are_summed(void **state) {
  (void)state;
  const double a[6] = {3, -5, 1, 2, 0, -1};
  const double b[6] = {1, 1, 1, -1, -1, 4};
  double value = NAN;
  assert_ok(compute("mean", "sum", a, b, 2, 3, &value));
  near(value, ((4 - 3) + (2 - 4)) / 2.0);
  assert_ok(compute("mean", "log", a, b, 2, 3, &value));
  near(value, ((log(4) + log(2) - 3 * log(2)) + (log(3) - log(5))) / 2);
}

static void equal_rows_prefer_nothing(void **state) {
  (void)state;
  const char *const names[5] = {"share", "mean", "effect", "wilcoxon", "sign"};
  for (int k = 0; k < 5; k++) {
    assert_true(statistic(names[k], first, first, 5) == 0);
  }
  near(statistic("auc", first, first, 5), 0.5);
}

static void what_is_no_pair_is_refused(void **state) {
  (void)state;
  double value = 0;
  const double bad[5] = {0, 1, INFINITY, 0, 0};
  assert_fails(compute("share", "sum", bad, second, 5, 1, &value), TIER_E_NONFINITE,
               "row 2 of first is not finite");
  assert_fails(compute("share", "sum", bad, second, 0, 1, &value), TIER_E_INVALID,
               "it takes pairs");
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(statistics_by_hand),          UNIT(wilson_solves_its_equation),
      UNIT(wilcoxon_takes_middle_ranks), UNIT(auc_equals_brute_force),
      UNIT(scores_are_summed),           UNIT(equal_rows_prefer_nothing),
      UNIT(what_is_no_pair_is_refused),
  };
  return cmocka_run_group_tests_name("preference", tests, harness_start, harness_end);
}

/* ring, gaussian and ring-modes: what is drawn, and how samples cover a ring. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "harness.h"

#define PI 3.14159265358979323846

/* `count` rows of an endless data, shuffled order, by its field. */
static void rows_of(struct data *d, const char *field, int64_t count, void *out) {
  int64_t *rows = malloc((size_t)count * sizeof *rows);
  for (int64_t i = 0; i < count; i++) {
    rows[i] = i;
  }
  assert_ok(data_read(d, field, rows, count, out));
  free(rows);
}

static struct data *ring(double modes, double radius, double deviation, uint64_t stream) {
  struct params *p = data_args("ring", stream);
  set_number(p, "modes", modes);
  set_number(p, "radius", radius);
  set_number(p, "deviation", deviation);
  return open_data(p, NULL);
}

/* Without deviation every point is its mode's mean; modes come about equally often. */
static void ring_points_stand_at_their_modes(void **state) {
  (void)state;
  enum { N = 4000 };
  static double x[2 * N];
  static int32_t mode[N];
  int counts[5] = {0};
  struct data *d = ring(5, 3, 0, 1);
  assert_int_equal(data_find_field(d, "mode")->classes, 5);
  rows_of(d, "x", N, x);
  rows_of(d, "mode", N, mode);
  for (int i = 0; i < N; i++) {
    assert_true(mode[i] >= 0 && mode[i] < 5);
    double angle = 2 * PI * mode[i] / 5;
    assert_true(hypot(x[2 * i] - 3 * cos(angle), x[2 * i + 1] - 3 * sin(angle)) < 1e-12);
    counts[mode[i]]++;
  }
  for (int k = 0; k < 5; k++) {
    assert_true(fabs(counts[k] - N / 5.0) < 5 * sqrt(N * 0.2 * 0.8));
  }
}

/* Both coordinates deviate by `deviation`, within 5 standard errors of the variance. */
static void ring_points_deviate(void **state) {
  (void)state;
  enum { N = 4000 };
  static double x[2 * N];
  static int32_t mode[N];
  struct data *d = ring(8, 2, 0.1, 2);
  double squares = 0;
  rows_of(d, "x", N, x);
  rows_of(d, "mode", N, mode);
  for (int i = 0; i < N; i++) {
    double angle = 2 * PI * mode[i] / 8;
    squares += pow(x[2 * i] - 2 * cos(angle), 2) + pow(x[2 * i + 1] - 2 * sin(angle), 2);
  }
  assert_true(fabs(squares / (2 * N) - 0.01) < 5 * 0.01 * sqrt(2.0 / (2 * N)));
}

static void gaussian_rows_have_mean_and_deviation(void **state) {
  (void)state;
  enum { N = 3000 };
  static double x[3 * N];
  struct params *p = data_args("gaussian", 4);
  set_number(p, "size", 3);
  set_number(p, "mean", -1);
  set_number(p, "deviation", 2);
  struct data *d = open_data(p, NULL);
  double sum = 0;
  double squares = 0;
  rows_of(d, "x", N, x);
  for (int i = 0; i < 3 * N; i++) {
    sum += x[i] + 1;
    squares += (x[i] + 1) * (x[i] + 1);
  }
  assert_true(fabs(sum / (3 * N)) < 5 * 2 / sqrt(3.0 * N));
  assert_true(fabs(squares / (3 * N) - 4) < 5 * 4 * sqrt(2.0 / (3 * N)));
}

/* A row depends on the stream and its number only. */
static void endless_rows_are_random_access(void **state) {
  (void)state;
  static const int64_t some[3] = {1000000007, 4, 4};
  double together[6];
  double alone[2];
  for (int k = 0; k < 2; k++) {
    struct params *p = data_args("gaussian", 7);
    set_number(p, "size", 2);
    struct data *d = k == 0 ? ring(8, 2, 0.1, 7) : open_data(p, NULL);
    if (k == 0) {
      params_free(p);
    }
    assert_ok(data_read(d, "x", some, 3, together));
    assert_ok(data_read(d, "x", some + 1, 1, alone));
    assert_memory_equal(together + 2, together + 4, sizeof alone);
    assert_memory_equal(together + 2, alone, sizeof alone);
    assert_true(together[0] != together[2]);
  }
}

/* ---- ring-modes -------------------------------------------------------------------------------
 */

static int32_t ring_modes(const char *statistic, double share, const double *x, int64_t n,
                          double *value) {
  struct params *p = measure_args(POSITION_FUNCTION, "ring-modes");
  struct instance *i = NULL;
  struct fake_array points = {"of", TIER_REAL, 2, {n, 2}, x};
  struct fake_arrays arrays = arrays_of(&points, 1);
  set_number(p, "modes", 4);
  set_number(p, "radius", 1);
  set_number(p, "within", 0.25);
  set_number(p, "share", share);
  set_text(p, "statistic", statistic);
  assert_ok(instance_new(p, &i));
  const tier_metric_1 *metric = instance_get(i, "tier.metric/1");
  int32_t status = metric->compute(i->object, &arrays.face, value);
  instance_free(i);
  return status;
}

/* Modes at (1, 0), (0, 1), (-1, 0), (0, -1): 5, 2, 1 and no points, two points far from all. */
static const double cover[20] = {1, 0, 1.2, 0,   0.9, 0.1, 1, 0, 1,   -0.2,
                                 0, 1, 0.1, 1.1, -1,  0.1, 3, 3, 0.5, 0.5};

static void ring_modes_counts_by_hand(void **state) {
  (void)state;
  double value = NAN;
  assert_ok(ring_modes("modes", 0.05, cover, 10, &value));
  assert_true(value == 3);
  assert_ok(ring_modes("modes", 0.15, cover, 10, &value));
  assert_true(value == 2);
  assert_ok(ring_modes("modes", 0, cover, 10, &value)); /* a mode without samples never counts */
  assert_true(value == 3);
  assert_ok(ring_modes("quality", 0.01, cover, 10, &value));
  assert_true(value == 0.8);
  assert_ok(ring_modes("least", 0.01, cover, 10, &value));
  assert_true(value == 0);
  assert_ok(ring_modes("least", 0.01, (const double[]){1, 0, 0, 1, -1, 0, 0, -1}, 4, &value));
  assert_true(value == 0.25);
}

static void ring_modes_refuses_what_is_no_point(void **state) {
  (void)state;
  double value = 0;
  const double bad[4] = {0, 1, NAN, 0};
  assert_fails(ring_modes("modes", 0.01, bad, 2, &value), TIER_E_NONFINITE, "row 1 is not finite");
  assert_fails(ring_modes("modes", 0.01, bad, 0, &value), TIER_E_INVALID, "points of the plane");
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(ring_points_stand_at_their_modes),
      UNIT(ring_points_deviate),
      UNIT(gaussian_rows_have_mean_and_deviation),
      UNIT(endless_rows_are_random_access),
      UNIT(ring_modes_counts_by_hand),
      UNIT(ring_modes_refuses_what_is_no_point),
  };
  return cmocka_run_group_tests_name("samples", tests, harness_start, harness_end);
}

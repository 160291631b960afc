/* linear-problem. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "harness.h"

static struct data *problem(double rows, double features, double noise, double outputs,
                            uint64_t stream) {
  struct params *p = data_args("linear-problem", stream);
  set_number(p, "rows", rows);
  set_number(p, "features", features);
  set_number(p, "noise", noise);
  set_number(p, "outputs", outputs);
  return open_data(p, NULL);
}

static void shapes(void **state) {
  (void)state;
  struct data *one = problem(7, 3, 0.5, 1, 1);
  struct data *two = problem(7, 3, 0.5, 2, 1);
  assert_int_equal(one->rows, 7);
  assert_int_equal(data_find_field(one, "x")->rank, 1);
  assert_int_equal(data_find_field(one, "x")->dims[0], 3);
  assert_int_equal(data_find_field(one, "y")->rank, 0);
  assert_int_equal(data_find_field(two, "y")->rank, 1);
  assert_int_equal(data_find_field(two, "y")->dims[0], 2);
}

static void it_follows_its_formula(void **state) {
  (void)state;
  struct data *d = problem(20, 3, 0.5, 2, 42);
  double *x = all_reals(d, "x");
  double *y = all_reals(d, "y");
  uint64_t weights = random_derive(42, "weights");
  uint64_t noise = random_derive(42, "noise");
  for (uint64_t i = 0; i < 20; i++) {
    for (uint64_t k = 0; k < 2; k++) {
      double sum = 0.5 * random_normal(noise, i, k);
      for (uint64_t j = 0; j < 3; j++) {
        sum += x[3 * i + j] * random_normal(weights, 0, 2 * j + k) / sqrt(3.0);
      }
      assert_true(fabs(y[2 * i + k] - sum) < 1e-14);
    }
  }
  free(x);
  free(y);
}

/* Mean 0 and variance 1 of 20,000 numbers, within 5 standard deviations. */
static void x_is_standard_normal(void **state) {
  (void)state;
  double *x = all_reals(problem(2000, 10, 0, 1, 3), "x");
  double sum = 0;
  double squares = 0;
  for (int64_t i = 0; i < 20000; i++) {
    sum += x[i];
    squares += x[i] * x[i];
  }
  assert_true(fabs(sum / 20000) < 5 / sqrt(20000.0));
  assert_true(fabs(squares / 20000 - 1) < 5 * sqrt(2 / 20000.0));
  free(x);
}

static void rows_depend_on_stream_and_index_only(void **state) {
  (void)state;
  check_random_access(problem(30, 4, 0.1, 1, 5), "x");
  check_random_access(problem(30, 4, 0.1, 1, 5), "y");
  double *few = all_reals(problem(5, 4, 0.1, 1, 5), "y");
  double *many = all_reals(problem(30, 4, 0.1, 1, 5), "y");
  double *other = all_reals(problem(5, 4, 0.1, 1, 6), "y");
  assert_memory_equal(few, many, 5 * sizeof *few);
  assert_memory_not_equal(few, other, 5 * sizeof *few);
  free(few);
  free(many);
  free(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(shapes, harness_clean),
      cmocka_unit_test_teardown(it_follows_its_formula, harness_clean),
      cmocka_unit_test_teardown(x_is_standard_normal, harness_clean),
      cmocka_unit_test_teardown(rows_depend_on_stream_and_index_only, harness_clean),
  };
  return cmocka_run_group_tests_name("generated", tests, harness_start, harness_end);
}

/* accuracy, f1, auc: against hand-computed values and brute force. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "harness.h"

static int32_t compute(const char *id, const struct fake_array *items, double *value) {
  struct instance *i = new_instance(POSITION_FUNCTION, id, NULL, 0);
  const tier_metric_1 *metric = instance_get(i, "tier.metric/1");
  struct fake_arrays arrays = arrays_of(items, 2);
  assert_non_null(metric);
  int32_t status = metric->compute(i->object, &arrays.face, value);
  instance_free(i);
  return status;
}

static struct fake_array real_array(const char *slot, const double *values, int32_t rank,
                                    int64_t rows, int64_t columns) {
  return (struct fake_array){slot, TIER_REAL, rank, {rows, columns}, values};
}

static struct fake_array integer_array(const char *slot, const int32_t *values, int64_t rows) {
  return (struct fake_array){slot, TIER_I32, 1, {rows}, values};
}

static double metric_of(const char *id, struct fake_array a, struct fake_array b) {
  double value = NAN;
  assert_ok(compute(id, (struct fake_array[]){a, b}, &value));
  return value;
}

/* ---- accuracy -------------------------------------------------------------------------------- */

static void accuracy_by_argmax(void **state) {
  (void)state;
  /* The third row is a tie, which goes to class 0. */
  static const double logits[] = {1, 2, 0, 3, -1, -2, 5, 5, 1, -3, -2, -1};
  static const int32_t labels[] = {1, 0, 0, 1};
  double value = metric_of("accuracy", real_array("logits", logits, 2, 4, 3),
                           integer_array("labels", labels, 4));
  assert_true(value == 0.75);
}

static void accuracy_of_one_column(void **state) {
  (void)state;
  static const double logits[] = {0.1, -0.1, 0, 2};
  static const int32_t labels[] = {1, 0, 0, 0};
  for (int32_t rank = 1; rank <= 2; rank++) {
    double value = metric_of("accuracy", real_array("logits", logits, rank, 4, 1),
                             integer_array("labels", labels, 4));
    assert_true(value == 0.75);
  }
}

static void accuracy_refuses_nan_and_wrong_shapes(void **state) {
  (void)state;
  static const double logits[] = {0.1, NAN, 0, 2};
  static const int32_t labels[] = {1, 0, 0, 0};
  double value = 0;
  struct fake_array items[] = {real_array("logits", logits, 2, 2, 2),
                               integer_array("labels", labels, 2)};
  assert_fails(compute("accuracy", items, &value), TIER_E_NONFINITE, "logit 1 of row 0 is NaN");
  items[1].dims[0] = 3;
  assert_fails(compute("accuracy", items, &value), TIER_E_INVALID, "each of the 2 rows");
  items[0].rank = 0;
  assert_fails(compute("accuracy", items, &value), TIER_E_INVALID, "logits must be real");
}

static void without_rows_accuracy_is_0(void **state) {
  (void)state;
  static const double none[] = {0};
  static const int32_t labels[] = {0};
  assert_true(metric_of("accuracy", real_array("logits", none, 2, 0, 3),
                        integer_array("labels", labels, 0)) == 0);
}

/* ---- f1 -------------------------------------------------------------------------------------- */

static void f1_by_hand(void **state) {
  (void)state;
  /* Predicted 1 1 0 0 1 (one half is not above); true 1 0 1 0 1: TP 2, FP 1, FN 1. */
  static const double score[] = {0.9, 0.6, 0.5, 0.1, 0.7};
  static const int32_t truth[] = {1, 0, 1, 0, 1};
  static const double real_truth[] = {1, 0, 1, 0, 1};
  double value =
      metric_of("f1", real_array("score", score, 1, 5, 0), integer_array("truth", truth, 5));
  assert_true(fabs(value - 4.0 / 6.0) < 1e-15);
  value = metric_of("f1", real_array("score", score, 2, 5, 1),
                    real_array("truth", real_truth, 1, 5, 0));
  assert_true(fabs(value - 4.0 / 6.0) < 1e-15);
}

static void f1_without_positives_is_0(void **state) {
  (void)state;
  static const double score[] = {0.1, 0.2};
  static const int32_t truth[] = {0, 0};
  assert_true(
      metric_of("f1", real_array("score", score, 1, 2, 0), integer_array("truth", truth, 2)) == 0);
}

/* ---- auc ------------------------------------------------------------------------------------- */

static void auc_by_hand(void **state) {
  (void)state;
  /* Positives 0.8, 0.4; negatives 0.6, 0.4: pairs 1, 1, 0, 1/2 of 4. */
  static const double score[] = {0.8, 0.6, 0.4, 0.4};
  static const int32_t truth[] = {1, 0, 1, 0};
  double value =
      metric_of("auc", real_array("score", score, 1, 4, 0), integer_array("truth", truth, 4));
  assert_true(value == 0.625);
}

static void auc_of_equal_scores_is_one_half(void **state) {
  (void)state;
  static const double score[] = {0.5, 0.5, 0.5};
  static const int32_t truth[] = {1, 0, 0};
  assert_true(metric_of("auc", real_array("score", score, 1, 3, 0),
                        integer_array("truth", truth, 3)) == 0.5);
}

/* All pairs compared; scores on a grid of 12, so that there are many ties. */
static void auc_equals_brute_force(void **state) {
  (void)state;
  for (uint64_t draw = 0; draw < 40; draw++) {
    double score[60];
    int32_t truth[60];
    double wins = 0;
    double pairs = 0;
    for (uint64_t i = 0; i < 60; i++) {
      score[i] = floor(12 * random_uniform(1, draw, 2 * i)) - 6;
      truth[i] = random_uniform(1, draw, 2 * i + 1) < 0.3;
    }
    truth[0] = 1;
    truth[1] = 0;
    for (int i = 0; i < 60; i++) {
      for (int j = 0; j < 60; j++) {
        if (truth[i] && !truth[j]) {
          wins += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
          pairs++;
        }
      }
    }
    double value =
        metric_of("auc", real_array("score", score, 1, 60, 0), integer_array("truth", truth, 60));
    assert_true(fabs(value - wins / pairs) < 1e-14);
  }
}

static void auc_of_one_class_is_an_error(void **state) {
  (void)state;
  static const double score[] = {0.5, 0.7, NAN};
  static const int32_t ones[] = {1, 1, 1};
  double value = 0;
  struct fake_array items[] = {real_array("score", score, 1, 2, 0),
                               integer_array("truth", ones, 2)};
  assert_fails(compute("auc", items, &value), TIER_E_INVALID, "truth is not zero in all 2 rows");
  items[0].dims[0] = items[1].dims[0] = 3;
  assert_fails(compute("auc", items, &value), TIER_E_NONFINITE, "row 2 is NaN");
  items[1].dims[0] = 2;
  assert_fails(compute("auc", items, &value), TIER_E_INVALID, "each of the 3 rows");
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(accuracy_by_argmax),
      UNIT(accuracy_of_one_column),
      UNIT(accuracy_refuses_nan_and_wrong_shapes),
      UNIT(without_rows_accuracy_is_0),
      UNIT(f1_by_hand),
      UNIT(f1_without_positives_is_0),
      UNIT(auc_by_hand),
      UNIT(auc_of_equal_scores_is_one_half),
      UNIT(auc_equals_brute_force),
      UNIT(auc_of_one_class_is_an_error),
  };
  return cmocka_run_group_tests_name("metrics", tests, harness_start, harness_end);
}

/* take, skip, shuffle, scale, where, concat, label-noise. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "harness.h"

static struct data *problem(int64_t rows) {
  struct params *p = data_args("linear-problem", 9);
  set_number(p, "rows", (double)rows);
  set_number(p, "features", 1);
  return open_data(p, NULL);
}

static struct data *noisy(double rate, uint64_t stream, struct data *source) {
  struct params *p = data_args("label-noise", stream);
  set_number(p, "rate", rate);
  return open_data(p, source);
}

static struct params *joined(struct data **parts, size_t count) {
  tier_data *faces[4];
  struct params *p = data_args("concat", 0);
  for (size_t i = 0; i < count; i++) {
    faces[i] = &parts[i]->face;
  }
  params_set_data(p, "of", faces, count);
  return p;
}

/* ---- take and skip --------------------------------------------------------------------------- */

static void take_and_skip_split_the_rows(void **state) {
  (void)state;
  struct data *whole = problem(10);
  struct data *first = one_number("take", "count", 4, whole);
  struct data *rest = one_number("skip", "count", 4, whole);
  assert_int_equal(first->rows, 4);
  assert_int_equal(rest->rows, 6);
  for (int64_t i = 0; i < 10; i++) {
    double value = i < 4 ? real_of(first, "y", i) : real_of(rest, "y", i - 4);
    assert_true(value == real_of(whole, "y", i));
  }
  check_random_access(first, "x");
  check_random_access(rest, "x");
}

static void they_keep_fields_and_pictures(void **state) {
  (void)state;
  struct data *d = one_number("skip", "count", 1, one_number("take", "count", 3, digits(5, 1)));
  assert_int_equal(data_find_field(d, "x")->height, 28);
  assert_int_equal(data_find_field(d, "y")->classes, 10);
}

static void more_rows_than_there_are_is_an_error(void **state) {
  (void)state;
  struct params *take = data_args("take", 0);
  struct params *skip = data_args("skip", 0);
  set_number(take, "count", 11);
  set_number(skip, "count", 12);
  assert_fails(try_data(take, problem(10)), TIER_E_INVALID,
               "data some: take: cannot take 11 rows of the 10 that there are");
  assert_fails(try_data(skip, problem(10)), TIER_E_INVALID, "cannot skip 12 rows of the 10");
  assert_int_equal(one_number("take", "count", 10, problem(10))->rows, 10);
  assert_int_equal(one_number("skip", "count", 10, problem(10))->rows, 0);
}

/* ---- shuffle --------------------------------------------------------------------------------- */

/* Row numbers of the shuffled rows, by their y. */
static void shuffle_is_a_bijection(void **state) {
  (void)state;
  struct data *whole = problem(100);
  struct data *d = open_data(data_args("shuffle", 3), whole);
  double *y = all_reals(whole, "y");
  double *z = all_reals(d, "y");
  int moved = 0;
  for (int64_t i = 0; i < 100; i++) {
    int found = 0;
    for (int64_t j = 0; j < 100; j++) {
      found += z[j] == y[i];
    }
    assert_int_equal(found, 1);
    moved += z[i] != y[i];
  }
  assert_true(moved > 80);
  check_random_access(d, "x");
  free(y);
  free(z);
}

static void shuffle_depends_on_its_stream_only(void **state) {
  (void)state;
  struct data *whole = problem(50);
  double *a = all_reals(open_data(data_args("shuffle", 3), whole), "y");
  double *b = all_reals(open_data(data_args("shuffle", 3), whole), "y");
  double *c = all_reals(open_data(data_args("shuffle", 4), whole), "y");
  assert_memory_equal(a, b, 50 * sizeof *a);
  assert_memory_not_equal(a, c, 50 * sizeof *a);
  free(a);
  free(b);
  free(c);
}

/* ---- scale ----------------------------------------------------------------------------------- */

static void scale_multiplies_and_adds(void **state) {
  (void)state;
  struct data *whole = digits(6, 1);
  struct params *p = data_args("scale", 0);
  set_number(p, "factor", 2);
  set_number(p, "add", -1);
  struct data *d = open_data(p, whole);
  double *x = all_reals(whole, "x");
  double *z = all_reals(d, "x");
  for (int64_t i = 0; i < 6 * 784; i++) {
    assert_true(z[i] == 2 * x[i] - 1);
  }
  assert_int_equal(integer_of(d, "y", 5), integer_of(whole, "y", 5));
  assert_int_equal(data_find_field(d, "x")->height, 28);
  check_random_access(d, "x");
  free(x);
  free(z);
}

static void scale_takes_another_field_but_no_integers(void **state) {
  (void)state;
  struct data *whole = problem(4);
  struct params *p = data_args("scale", 0);
  set_number(p, "factor", 3);
  set_text(p, "field", "y");
  struct data *d = open_data(p, whole);
  assert_true(real_of(d, "y", 2) == 3 * real_of(whole, "y", 2));
  assert_true(real_of(d, "x", 2) == real_of(whole, "x", 2));
  p = data_args("scale", 0);
  set_text(p, "field", "y");
  assert_fails(try_data(p, digits(3, 1)), TIER_E_INVALID, "\"y\" holds integers");
  p = data_args("scale", 0);
  set_text(p, "field", "z");
  assert_fails(try_data(p, problem(3)), TIER_E_INVALID, "no field \"z\"");
}

/* ---- where ----------------------------------------------------------------------------------- */

static void where_keeps_the_right_rows_in_order(void **state) {
  (void)state;
  struct data *train = noisy(0.5, 1, digits(1200, 1));
  struct params *p = data_args("where", 0);
  set_text(p, "field", "clean");
  struct data *d = describe_data(p, train);
  assert_int_equal(d->rows, TIER_ROWS_UNKNOWN);
  assert_ok(data_open(d));
  int32_t *clean = all_integers(train, "clean");
  int32_t *y = all_integers(train, "y");
  int32_t *kept = all_integers(d, "y");
  int64_t n = 0;
  for (int64_t i = 0; i < 1200; i++) {
    if (clean[i]) {
      assert_int_equal(kept[n], y[i]);
      n++;
    }
  }
  assert_int_equal(d->rows, n);
  assert_true(n > 500 && n < 700);
  free(clean);
  free(y);
  free(kept);
  check_random_access(d, "y_true");
}

static void where_takes_real_fields_and_may_keep_nothing(void **state) {
  (void)state;
  struct params *scale = data_args("scale", 0);
  set_number(scale, "factor", 0);
  set_text(scale, "field", "y");
  struct data *zero = open_data(scale, problem(600));
  struct params *p = data_args("where", 0);
  set_text(p, "field", "y");
  assert_int_equal(open_data(p, problem(600))->rows, 600);
  p = data_args("where", 0);
  set_text(p, "field", "y");
  assert_int_equal(open_data(p, zero)->rows, 0);
}

static void where_needs_a_field_of_one_number(void **state) {
  (void)state;
  struct params *p = data_args("where", 0);
  set_text(p, "field", "x");
  assert_fails(try_data(p, digits(3, 1)), TIER_E_INVALID, "more than one number a row");
  p = data_args("where", 0);
  set_text(p, "field", "claen");
  assert_fails(try_data(p, noisy(0.5, 1, digits(3, 1))), TIER_E_INVALID,
               "no field \"claen\"; did you mean \"clean\"?");
}

/* After `where`, sizes are known when it is open: take then checks its count, skip subtracts. */
static void unknown_rows_pass_through_other_transforms(void **state) {
  (void)state;
  struct params *p = data_args("where", 0);
  set_text(p, "field", "wrong");
  struct data *wrong = describe_data(p, noisy(0.5, 1, digits(100, 1)));
  struct params *q = data_args("skip", 0);
  set_number(q, "count", 3);
  struct data *rest = describe_data(q, wrong);
  struct data *mixed = describe_data(data_args("shuffle", 5), rest);
  assert_int_equal(mixed->rows, TIER_ROWS_UNKNOWN);
  assert_ok(data_open(mixed));
  assert_int_equal(mixed->rows, wrong->rows - 3);
  check_random_access(mixed, "y");
  q = data_args("take", 0);
  set_number(q, "count", 99);
  assert_fails(try_data(q, wrong), TIER_E_INVALID, "cannot take 99 rows of the");
}

/* ---- concat ---------------------------------------------------------------------------------- */

static void concat_joins_rows_and_common_fields(void **state) {
  (void)state;
  struct data *pool = digits(30, 1);
  struct data *train = noisy(0.5, 1, one_number("take", "count", 10, pool));
  struct data *val = one_number("skip", "count", 10, pool);
  struct data *d = open_data(joined((struct data *[]){train, val}, 2), NULL);
  assert_int_equal(d->rows, 30);
  assert_int_equal(d->field_count, 2);
  assert_int_equal(data_find_field(d, "x")->width, 28);
  assert_int_equal(data_find_field(d, "y")->classes, 10);
  for (int64_t i = 0; i < 30; i++) {
    int32_t y = i < 10 ? integer_of(train, "y", i) : integer_of(val, "y", i - 10);
    assert_int_equal(integer_of(d, "y", i), y);
  }
  double *x = all_reals(pool, "x");
  double *z = all_reals(d, "x");
  assert_memory_equal(x, z, 30 * 784 * sizeof *x);
  free(x);
  free(z);
  check_random_access(d, "x");
  check_random_access(d, "y");
}

static void concat_opens_what_it_joins(void **state) {
  (void)state;
  struct data *train = noisy(0.5, 1, digits(20, 1));
  struct params *p = data_args("where", 0);
  set_text(p, "field", "clean");
  struct data *clean = describe_data(p, train);
  struct data *d = describe_data(joined((struct data *[]){clean, train}, 2), NULL);
  assert_int_equal(d->rows, TIER_ROWS_UNKNOWN);
  assert_int_equal(d->field_count, 5);
  assert_ok(data_open(d));
  assert_int_equal(d->rows, clean->rows + 20);
  check_random_access(d, "wrong");
}

static void concat_refuses_what_has_nothing_in_common(void **state) {
  (void)state;
  struct data *parts[] = {digits(3, 1), problem(3)};
  assert_fails(try_data(joined(parts, 2), NULL), TIER_E_INVALID, "no field in common");
  assert_true(try_data(joined(parts, 0), NULL) < 0);
}

/* ---- label-noise ----------------------------------------------------------------------------- */

static void label_noise_replaces_the_given_fraction(void **state) {
  (void)state;
  int64_t n = 4000;
  struct data *pool = digits(n, 1);
  struct data *d = noisy(0.3, 2, pool);
  int32_t *truth = all_integers(pool, "y");
  int32_t *y = all_integers(d, "y");
  int32_t *y_true = all_integers(d, "y_true");
  int32_t *clean = all_integers(d, "clean");
  int32_t *wrong = all_integers(d, "wrong");
  int64_t changed = 0;
  int64_t shifts[10] = {0};
  int64_t drawn[10] = {0};
  for (int64_t i = 0; i < n; i++) {
    assert_int_equal(y_true[i], truth[i]);
    assert_int_equal(wrong[i], y[i] != y_true[i]);
    assert_int_equal(clean[i], 1 - wrong[i]);
    assert_in_range(y[i], 0, 9);
    changed += wrong[i];
    shifts[(y[i] - y_true[i] + 10) % 10]++;
    drawn[y[i]] += wrong[i];
  }
  assert_true(fabs((double)changed - 0.3 * (double)n) < 5 * sqrt(0.3 * 0.7 * (double)n));
  for (int k = 1; k < 10; k++) { /* any other class is equally likely */
    double expected = (double)changed / 9;
    assert_true(fabs((double)shifts[k] - expected) < 5 * sqrt(expected));
  }
  for (int c = 0; c < 10; c++) {
    double expected = (double)changed / 10;
    assert_true(fabs((double)drawn[c] - expected) < 5 * sqrt(expected));
  }
  free(truth);
  free(y);
  free(y_true);
  free(clean);
  free(wrong);
}

static void label_noise_at_its_ends(void **state) {
  (void)state;
  struct data *none = noisy(0, 2, digits(200, 1));
  struct data *all = noisy(1, 2, digits(200, 1));
  for (int64_t i = 0; i < 200; i++) {
    assert_int_equal(integer_of(none, "wrong", i), 0);
    assert_int_equal(integer_of(all, "wrong", i), 1);
  }
}

static void label_noise_depends_on_stream_and_row_only(void **state) {
  (void)state;
  struct data *pool = digits(60, 1);
  struct data *d = noisy(0.5, 2, pool);
  check_random_access(d, "y");
  check_random_access(d, "clean");
  int32_t *many = all_integers(d, "y");
  int32_t *few = all_integers(noisy(0.5, 2, one_number("take", "count", 20, pool)), "y");
  int32_t *other = all_integers(noisy(0.5, 3, pool), "y");
  assert_memory_equal(few, many, 20 * sizeof *few);
  assert_memory_not_equal(many, other, 60 * sizeof *few);
  free(many);
  free(few);
  free(other);
}

static void twice_the_truth_stays_the_first(void **state) {
  (void)state;
  struct data *pool = digits(300, 1);
  struct data *d = noisy(0.5, 3, noisy(0.5, 2, pool));
  for (int64_t i = 0; i < 300; i++) {
    assert_int_equal(integer_of(d, "y_true", i), integer_of(pool, "y", i));
    assert_int_equal(integer_of(d, "wrong", i), integer_of(d, "y", i) != integer_of(pool, "y", i));
  }
}

static void label_noise_needs_labels(void **state) {
  (void)state;
  struct params *p = data_args("label-noise", 0);
  set_number(p, "rate", 0.5);
  assert_fails(try_data(p, problem(3)), TIER_E_INVALID, "holds no class labels");
  p = data_args("label-noise", 0);
  set_number(p, "rate", 1.5);
  assert_fails(try_data(p, digits(3, 1)), TIER_E_INVALID, "rate");
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(take_and_skip_split_the_rows),
      UNIT(they_keep_fields_and_pictures),
      UNIT(more_rows_than_there_are_is_an_error),
      UNIT(shuffle_is_a_bijection),
      UNIT(shuffle_depends_on_its_stream_only),
      UNIT(scale_multiplies_and_adds),
      UNIT(scale_takes_another_field_but_no_integers),
      UNIT(where_keeps_the_right_rows_in_order),
      UNIT(where_takes_real_fields_and_may_keep_nothing),
      UNIT(where_needs_a_field_of_one_number),
      UNIT(unknown_rows_pass_through_other_transforms),
      UNIT(concat_joins_rows_and_common_fields),
      UNIT(concat_opens_what_it_joins),
      UNIT(concat_refuses_what_has_nothing_in_common),
      UNIT(label_noise_replaces_the_given_fraction),
      UNIT(label_noise_at_its_ends),
      UNIT(label_noise_depends_on_stream_and_row_only),
      UNIT(twice_the_truth_stays_the_first),
      UNIT(label_noise_needs_labels),
  };
  return cmocka_run_group_tests_name("transforms", tests, harness_start, harness_end);
}

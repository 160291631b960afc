/* The small parts of the command line: items of --estimators, points of measures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "cli/items.h"
#include "run/run.h"

#include <cmocka.h> /* last: it defines a macro `fail` */

/* ---- items ---- */

static void check_item(const struct item *item, const char *application) {
  struct text written = {0};
  json_write(item->application, 0, 0, &written);
  assert_string_equal(text_get(&written), application);
  text_free(&written);
}

static void items_are_split_outside_brackets(void **state) {
  struct item *items = NULL;
  size_t count = 0;
  struct arena *a = arena_new();
  (void)state;
  assert_int_equal(
      items_parse(a,
                  "dense,cg:tolerance=1e-3:iterations=5,unroll:step={\"sgd\":{\"lr\":[1,2]}},"
                  "one-step:name=\"a,b:\\\"c\"",
                  &items, &count),
      TIER_OK);
  assert_int_equal(count, 4);
  check_item(&items[0], "\"dense\"");
  check_item(&items[1], "{\"cg\": {\"tolerance\": 0.001, \"iterations\": 5}}");
  check_item(&items[2], "{\"unroll\": {\"step\": {\"sgd\": {\"lr\": [1, 2]}}}}");
  check_item(&items[3], "{\"one-step\": {\"name\": \"a,b:\\\"c\"}}");
  assert_string_equal(items[1].id, "cg");
  assert_string_equal(items[1].text, "cg:tolerance=1e-3:iterations=5");
  arena_free(a);
}

static void a_value_that_is_no_json_is_text(void **state) {
  struct item *items = NULL;
  size_t count = 0;
  struct arena *a = arena_new();
  (void)state;
  assert_int_equal(items_parse(a, "implicit:solver=cg", &items, &count), TIER_OK);
  check_item(&items[0], "{\"implicit\": {\"solver\": \"cg\"}}");
  arena_free(a);
}

static void bad_items_are_named(void **state) {
  static const char *const bad[] = {"", "cg,", "cg,,dense", "CG", "cg:iterations", "cg:=3", "c g"};
  struct item *items = NULL;
  size_t count = 0;
  struct arena *a = arena_new();
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(items_parse(a, bad[i], &items, &count), TIER_E_INVALID);
    assert_non_null(strstr(error_text(), "--estimators"));
    error_clear();
  }
  arena_free(a);
}

static void a_parameter_is_added(void **state) {
  struct item *items = NULL;
  size_t count = 0;
  struct text written = {0};
  struct arena *a = arena_new();
  (void)state;
  assert_int_equal(items_parse(a, "neumann:terms=3", &items, &count), TIER_OK);
  json_write(item_with(a, &items[0], "step", json_make_text(a, "sgd")), 0, 0, &written);
  assert_string_equal(text_get(&written), "{\"neumann\": {\"terms\": 3, \"step\": \"sgd\"}}");
  check_item(&items[0], "{\"neumann\": {\"terms\": 3}}");
  text_free(&written);
  arena_free(a);
}

/* ---- points ---- */

static int64_t points(int64_t every, int64_t steps, int64_t total) {
  int64_t count = 0;
  for (int64_t step = 1; step <= steps; step++) {
    count += run_is_due(every, step, total);
  }
  return count;
}

static void default_is_a_hundred_points(void **state) {
  (void)state;
  assert_int_equal(points(0, 50, 50), 50);
  assert_int_equal(points(0, 100, 100), 100);
  assert_int_equal(points(0, 1000, 1000), 100);
  assert_int_equal(points(0, 250, 250), 83);
}

static void every_is_as_written(void **state) {
  (void)state;
  assert_int_equal(points(7, 50, 50), 7);
  assert_true(run_is_due(7, 14, 50));
  assert_false(run_is_due(7, 15, 50));
}

static void unknown_length_thins_out(void **state) {
  (void)state;
  assert_int_equal(points(0, 100, -1), 100);
  assert_int_equal(points(0, 200, -1), 150);
  assert_true(points(0, 100000, -1) < 1000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(items_are_split_outside_brackets),
      cmocka_unit_test(a_value_that_is_no_json_is_text),
      cmocka_unit_test(bad_items_are_named),
      cmocka_unit_test(a_parameter_is_added),
      cmocka_unit_test(default_is_a_hundred_points),
      cmocka_unit_test(every_is_as_written),
      cmocka_unit_test(unknown_length_thins_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

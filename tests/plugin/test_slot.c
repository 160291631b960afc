/* The JSON text of fallbacks. */
#include "check.h"

#include "base/memory.h"
#include "plugin/slot.h"

static struct arena *arena;

static int make_arena(void **state) {
  (void)state;
  arena = arena_new();
  return 0;
}

static int drop_arena(void **state) {
  (void)state;
  arena_free(arena);
  return 0;
}

static struct value value_of(const char *json) {
  struct value v;
  assert_ok(slot_read_json(arena, json, &v));
  return v;
}

static void bare_elements(void **state) {
  (void)state;
  struct value v = value_of(" -1.5e-3 ");
  assert_int_equal(v.kind, VALUE_NUMBERS);
  assert_int_equal(v.list, 0);
  assert_true(v.count == 1 && v.numbers[0] == -1.5e-3);
  v = value_of("\"a \\\"b\\\" \\\\ \xc3\xa4\"");
  assert_int_equal(v.kind, VALUE_TEXTS);
  assert_string_equal(v.texts[0], "a \"b\" \\ \xc3\xa4");
  v = value_of("false");
  assert_true(v.kind == VALUE_BOOLEANS && v.numbers[0] == 0);
}

static void lists(void **state) {
  (void)state;
  struct value v = value_of("[1, 2.5 ,3]");
  assert_true(v.kind == VALUE_NUMBERS && v.list && v.count == 3 && v.numbers[1] == 2.5);
  v = value_of("[\"x\",\"y\"]");
  assert_true(v.kind == VALUE_TEXTS && v.count == 2);
  assert_string_equal(v.texts[1], "y");
  v = value_of("[]");
  assert_true(v.kind == VALUE_NONE && v.list && v.count == 0);
}

static void the_rest_of_json_is_nested(void **state) {
  (void)state;
  const char *const nested[] = {
      "{\"cg\": {\"iterations\": 30}}", "[[1], [2]]", "null", "[1, \"a\"]", "{}",
      "[true, {\"a\": [null, false]}]"};
  for (size_t i = 0; i < TIER_COUNT(nested); i++) {
    assert_int_equal(value_of(nested[i]).kind, VALUE_NESTED);
  }
}

static void what_is_not_json_is_refused(void **state) {
  (void)state;
  const char *const wrong[] = {"",
                               "relu",
                               "01",
                               "1.",
                               ".5",
                               "+1",
                               "1e",
                               "[1,",
                               "[1,]",
                               "{\"a\"}",
                               "\"open",
                               "1 2",
                               "{\"a\":1,}",
                               "nan",
                               "'x'",
                               "[1 2]",
                               "\"\\n\"",
                               "\"a\nb\"",
                               "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]"};
  struct value v;
  for (size_t i = 0; i < TIER_COUNT(wrong); i++) {
    assert_fails(slot_read_json(arena, wrong[i], &v), TIER_E_INVALID, "is not JSON");
  }
}

static void every_prefix_of_json_is_read_or_refused(void **state) {
  (void)state;
  const char *json = "{\"a\": [1.5e+2, \"b\\\"c\", true, {\"d\": null}], \"e\": [\"f\", \"g\"]}";
  for (size_t length = 0; length < strlen(json); length++) {
    struct value v;
    char *prefix = arena_text_n(arena, json, length);
    assert_fails(slot_read_json(arena, prefix, &v), TIER_E_INVALID, "is not JSON");
  }
  assert_int_equal(value_of(json).kind, VALUE_NESTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bare_elements),
      cmocka_unit_test(lists),
      cmocka_unit_test(the_rest_of_json_is_nested),
      cmocka_unit_test(what_is_not_json_is_refused),
      cmocka_unit_test(every_prefix_of_json_is_read_or_refused),
  };
  return cmocka_run_group_tests(tests, make_arena, drop_arena);
}

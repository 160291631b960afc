/* The strict JSON reader: every kind of malformed text with its place and message, and round trips
 * through the writer. */
#include "manifest/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#include <cmocka.h> /* last: it defines a macro named fail */

struct malformed {
  const char *text;
  const char *message; /* how it starts */
};

static const struct malformed malformed[] = {
    {"", "1:1: expected a value, found the end of the text"},
    {"   \n ", "2:2: expected a value, found the end of the text"},
    {"{", "1:2: expected a key in quotes, found the end of the text"},
    {"[", "1:2: expected a value, found the end of the text"},
    {"[1", "1:3: expected ',' or ']' in a list, found the end of the text"},
    {"[1 2]", "1:4: expected ',' or ']' in a list, found '2'"},
    {"[1,]", "1:4: a comma before ']' is not allowed"},
    {"[,1]", "1:2: expected a value, found ','"},
    {"{\"a\": 1,}", "1:9: a comma before '}' is not allowed"},
    {"{\"a\": 1 \"b\": 2}", "1:9: expected ',' or '}' in an object, found '\"'"},
    {"{\"a\" 1}", "1:6: expected ':' after the key \"a\", found '1'"},
    {"{\"a\"", "1:5: expected ':' after the key \"a\", found the end of the text"},
    {"{a: 1}", "1:2: expected a key in quotes, found 'a'"},
    {"{1: 1}", "1:2: expected a key in quotes, found '1'"},
    {"{\"a\": 1}\n{", "2:1: text after the end of the JSON value: '{'"},
    {"1 1", "1:3: text after the end of the JSON value: '1'"},
    {"{\"a\": 1, \"b\": 2,\n \"a\": 3}", "2:2: duplicate key \"a\" (first in line 1)"},
    {"{\"\\u0061\": 1, \"a\": 3}", "1:15: duplicate key \"a\" (first in line 1)"},
    {"{\"x\": {\"b\": 1, \"a\": 1, \"b\": 2, \"a\": 2}}", "1:24: duplicate key \"b\""},
    {"NaN", "1:1: NaN is not a JSON value; a text needs quotes"},
    {"[Infinity]", "1:2: Infinity is not a JSON value"},
    {"-Infinity", "1:1: a number needs a digit before 'I'"},
    {"True", "1:1: True is not a JSON value"},
    {"nul", "1:1: nul is not a JSON value"},
    {"nulls", "1:1: nulls is not a JSON value"},
    {"// hello\n1", "1:1: comments are not allowed"},
    {"[1, /* two */ 2]", "1:5: comments are not allowed"},
    {"# hello", "1:1: comments are not allowed"},
    {"'a'", "1:1: expected a value, found '''"},
    {"01", "1:1: a number must not start with 0"},
    {"-01", "1:1: a number must not start with 0"},
    {"+1", "1:1: expected a value, found '+'"},
    {".5", "1:1: expected a value, found '.'"},
    {"1.", "1:1: a number needs a digit after its point"},
    {"[1.e3]", "1:2: a number needs a digit after its point"},
    {"1e", "1:1: a number needs a digit in its exponent"},
    {"1e+", "1:1: a number needs a digit in its exponent"},
    {"-", "1:1: a number needs a digit before the end of the text"},
    {"0x10", "1:2: text after the end of the JSON value: 'x'"},
    {"1e999", "1:1: the number is too large for a double"},
    {"\"abc", "1:1: a text that never ends"},
    {"[\"abc\n\"]", "1:6: a text ends before its line does"},
    {"\"a\tb\"", "1:3: a control character in a text"},
    {"\"\\x\"", "1:2: unknown escape"},
    {"\"\\", "1:2: unknown escape"},
    {"\"\\u12\"", "1:2: \\u needs four hexadecimal digits"},
    {"\"\\u12g4\"", "1:2: \\u needs four hexadecimal digits"},
    {"\"\\u0000\"", "1:2: a NUL character is not allowed in a text"},
    {"\"\\ud800\"", "1:2: half of a surrogate pair"},
    {"\"\\udc00\"", "1:2: half of a surrogate pair"},
    {"\"\\ud800\\u0041\"", "1:2: half of a surrogate pair"},
    {"\"\xff\"", "1:2: invalid UTF-8 (byte 0xFF)"},
    {"\"\xc0\xaf\"", "1:2: invalid UTF-8 (byte 0xC0)"},
    {"\"\xe0\x80\xaf\"", "1:2: invalid UTF-8 (byte 0xE0)"},
    {"\"\xed\xa0\x80\"", "1:2: invalid UTF-8 (byte 0xED)"},
    {"\"\xf4\x90\x80\x80\"", "1:2: invalid UTF-8 (byte 0xF4)"},
    {"\"\xe2\x82\"", "1:2: invalid UTF-8 (byte 0xE2)"},
    {"\"\x80\"", "1:2: invalid UTF-8 (byte 0x80)"},
    {"\xEF\xBB\xBF{}", "1:1: a byte order mark is not allowed"},
    {"[\"\xc3\xa9\xc3\xa9\", x]", "1:8: x is not a JSON value"},
    {"[1,\n\n  ?]", "3:3: expected a value, found '?'"},
    {"\x01", "1:1: expected a value, found byte 0x01"},
    {"[]]", "1:3: text after the end of the JSON value: ']'"},
    {"[}", "1:2: expected a value, found '}'"},
    {"[1}", "1:3: expected ',' or ']' in a list, found '}'"},
};

static void refuses(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    struct arena *a = arena_new();
    struct json *j = NULL;
    const struct malformed *m = &malformed[i];
    error_clear();
    assert_int_equal(json_parse(a, "m.json", m->text, strlen(m->text), &j), TIER_E_INVALID);
    if (strncmp(error_text(), m->message, strlen(m->message)) != 0) {
      print_message("text: %s\n", m->text);
      assert_string_equal(error_text(), m->message);
    }
    arena_free(a);
  }
  error_clear();
}

static struct json *parse(struct arena *a, const char *text) {
  struct json *j = NULL;
  error_clear();
  int32_t status = json_parse(a, "m.json", text, strlen(text), &j);
  assert_string_equal(error_text(), "");
  assert_int_equal(status, 0);
  return j;
}

static void refuses_what_is_too_deep_or_large(void **state) {
  (void)state;
  struct arena *a = arena_new();
  struct json *j = NULL;
  char text[80];
  memset(text, '[', 33);
  memset(text + 33, ']', 33);
  error_clear();
  assert_int_equal(json_parse(a, "m", text, 66, &j), TIER_E_INVALID);
  assert_string_equal(error_text(), "1:33: nested deeper than 32");
  error_clear();
  assert_int_equal(json_parse(a, "m", text + 1, 64, &j), 0);
  size_t size = ((size_t)16 << 20) + 1;
  char *big = memory_alloc(size, 1);
  memset(big, ' ', size);
  big[0] = '1';
  assert_int_equal(json_parse(a, "m", big, size, &j), TIER_E_INVALID);
  assert_string_equal(error_text(), "1:1: larger than 16 MiB");
  error_clear();
  assert_int_equal(json_parse(a, "m", big, size - 1, &j), 0);
  free(big);
  arena_free(a);
}

/* Every prefix of a valid text is refused or valid, but never read past its end: under a
 * sanitizer or Valgrind this shows overruns, since each prefix is a block of its own. */
static void survives_every_prefix(void **state) {
  (void)state;
  static const char text[] =
      "{\"a\": [1, -2.5e-3, true, null, \"\\ud83d\\ude00\\n\xe2\x82\xac\"], \"b\": {\"c\": false}}";
  for (size_t n = 0; n < strlen(text); n++) {
    struct arena *a = arena_new();
    struct json *j = NULL;
    char *prefix = memory_alloc(n, 1);
    memcpy(prefix, text, n);
    error_clear();
    assert_int_equal(json_parse(a, "m", prefix, n, &j), TIER_E_INVALID);
    assert_string_not_equal(error_text(), "");
    free(prefix);
    arena_free(a);
  }
  error_clear();
}

static void keeps_places(void **state) {
  (void)state;
  struct arena *a = arena_new();
  struct json *j = parse(a, "{\n  \"a\": [10,\n 20],\t\"\xc3\xa9\": \"x\", \"b\": {}}");
  const struct json *list = json_member(j, "a");
  assert_int_equal(list->key_line, 2);
  assert_int_equal(list->key_column, 3);
  assert_int_equal(list->column, 8);
  assert_int_equal(list->items[1]->line, 3);
  assert_int_equal(list->items[1]->column, 2);
  assert_int_equal(json_member(j, "\xc3\xa9")->column, 12);
  assert_int_equal(json_member(j, "b")->key_column, 17);
  assert_null(json_member(j, "c"));
  arena_free(a);
}

static void decodes(void **state) {
  (void)state;
  struct arena *a = arena_new();
  struct json *j =
      parse(a, "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u20ac\\ud83d\\ude00\", -0.5e1, 1E2, 0, -0]");
  assert_string_equal(j->items[0]->text, "\"\\/\b\f\n\r\t\xe2\x82\xac\xf0\x9f\x98\x80");
  assert_true(j->items[1]->number == -5.0);
  assert_true(j->items[2]->number == 100.0);
  assert_string_equal(j->items[2]->text, "1E2");
  arena_free(a);
}

static const char *const same[] = {
    "null",
    "[]",
    "{}",
    "[1, 2.5, -3, 1e-05, 0.1, 2000, 123456789012345, 1e+300]",
    "{\"a\": [true, false], \"b\": {\"c\": \"x\\\"y\\\\z\\n\\t\\u0001\"}}",
};

static void writes_what_it_reads(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    struct arena *a = arena_new();
    struct text out = {0};
    struct text pretty = {0};
    struct json *j = parse(a, same[i]);
    json_write(j, 0, 0, &out);
    assert_string_equal(text_get(&out), same[i]);
    json_write(j, 2, 0, &pretty);
    assert_true(json_equal(parse(a, text_get(&pretty)), j));
    text_free(&out);
    text_free(&pretty);
    arena_free(a);
  }
}

static void sorts_keys(void **state) {
  (void)state;
  struct arena *a = arena_new();
  struct text out = {0};
  json_write(parse(a, "{\"b\": 1, \"a\": {\"d\": 1, \"c\": [2, {\"f\": 1, \"e\": 0}]}, \"B\": 0}"),
             0, 1, &out);
  assert_string_equal(text_get(&out),
                      "{\"B\": 0, \"a\": {\"c\": [2, {\"e\": 0, \"f\": 1}], \"d\": 1}, \"b\": 1}");
  text_free(&out);
  arena_free(a);
}

static void changes_objects(void **state) {
  (void)state;
  struct arena *a = arena_new();
  struct json *j = parse(a, "{\"a\": 1, \"b\": 2}");
  struct json *copy = json_copy(a, j);
  json_set(a, j, "b", json_make_text(a, "two"));
  json_set(a, j, "c", json_make_number(a, 0.25));
  json_remove(j, "a");
  json_remove(j, "nothing");
  assert_true(json_equal(j, parse(a, "{\"c\": 0.25, \"b\": \"two\"}")));
  assert_true(json_equal(copy, parse(a, "{\"a\": 1, \"b\": 2}")));
  assert_false(json_equal(copy, j));
  assert_false(json_equal(parse(a, "[1, 2]"), parse(a, "[2, 1]")));
  struct json *list = json_make(a, JSON_LIST);
  json_append(a, list, json_make_number(a, 1));
  json_append(a, list, json_make_number(a, 2));
  assert_true(json_equal(list, parse(a, "[1, 2]")));
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses),
      cmocka_unit_test(refuses_what_is_too_deep_or_large),
      cmocka_unit_test(survives_every_prefix),
      cmocka_unit_test(keeps_places),
      cmocka_unit_test(decodes),
      cmocka_unit_test(writes_what_it_reads),
      cmocka_unit_test(sorts_keys),
      cmocka_unit_test(changes_objects),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

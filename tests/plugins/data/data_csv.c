/* csv: headers, targets, quotes, separators; errors with file:line:column. */
#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "harness.h"

static const char *file_of(const char *text) {
  const char *path = temporary("t.csv");
  write_bytes(path, text, strlen(text));
  return path;
}

static struct params *csv(const char *text) {
  struct params *p = data_args("csv", 0);
  set_text(p, "path", file_of(text));
  return p;
}

static struct params *with_target(struct params *p, const char *target, int labels) {
  set_text(p, "target", target);
  set_number(p, "labels", labels);
  return p;
}

static void expect_reals(struct data *d, const char *field, const double *expected, size_t count) {
  double *values = all_reals(d, field);
  assert_int_equal((size_t)(d->rows * row_size(data_find_field(d, field))), count);
  assert_memory_equal(values, expected, count * sizeof *values);
  free(values);
}

static void without_header_or_target_all_is_x(void **state) {
  (void)state;
  struct data *d = open_data(csv("1,2\n-3.5,4e2\n .5 ,+6\n"), NULL);
  assert_int_equal(d->field_count, 1);
  expect_reals(d, "x", (double[]){1, 2, -3.5, 400, 0.5, 6}, 6);
  check_random_access(d, "x");
}

static void the_header_names_the_target(void **state) {
  (void)state;
  struct data *d = open_data(with_target(csv("a,y,b\n1,2,3\n4,5,6\n"), "y", 0), NULL);
  expect_reals(d, "x", (double[]){1, 3, 4, 6}, 4);
  expect_reals(d, "y", (double[]){2, 5}, 2);
  assert_int_equal(data_find_field(d, "y")->rank, 0);
}

static void without_a_header_columns_have_numbers(void **state) {
  (void)state;
  struct params *p = csv("1,2,3\n4,5,6\n");
  params_set_texts(p, "target", (const char *[]){"3", "1"}, 2);
  struct data *d = open_data(p, NULL);
  expect_reals(d, "x", (double[]){2, 5}, 2);
  expect_reals(d, "y", (double[]){3, 1, 6, 4}, 4);
  assert_int_equal(data_find_field(d, "y")->rank, 1);
}

static void labels_are_integers(void **state) {
  (void)state;
  struct data *d = describe_data(with_target(csv("x,c\n.1,2\n.2,0\n.3,1\n"), "c", 1), NULL);
  assert_int_equal(d->rows, 3);
  assert_int_equal(data_find_field(d, "y")->classes, TIER_CLASSES_UNKNOWN);
  assert_ok(data_open(d));
  assert_int_equal(data_find_field(d, "y")->classes, 3);
  assert_int_equal(integer_of(d, "y", 0), 2);
  check_random_access(d, "y");
}

static void columns_may_be_ignored(void **state) {
  (void)state;
  struct params *p = csv("id,x\nr1,7\nr2,8\n");
  set_text(p, "ignore", "id");
  expect_reals(open_data(p, NULL), "x", (double[]){7, 8}, 2);
}

static void header_yes_and_no(void **state) {
  (void)state;
  struct params *p = csv("1,2\n3,4\n");
  set_text(p, "header", "yes");
  set_text(p, "target", "2");
  struct data *d = open_data(p, NULL);
  assert_int_equal(d->rows, 1);
  expect_reals(d, "y", (double[]){4}, 1);
  p = csv("a,2\n3,4\n");
  set_text(p, "header", "no");
  assert_fails(try_data(p, NULL), TIER_E_DATA, "t.csv:1:1: \"a\" is not a number");
}

static void quotes_bytes_marks_and_line_ends(void **state) {
  (void)state;
  struct params *p = csv("\xef\xbb\xbf\"a,\"\"b\"\"\",\"y\"\r\n\"1\",2\r\n\r\n3,\"4\"\n   \n5,6");
  set_text(p, "target", "a,\"b\"");
  struct data *d = open_data(p, NULL);
  expect_reals(d, "y", (double[]){1, 3, 5}, 3);
  expect_reals(d, "x", (double[]){2, 4, 6}, 3);
}

static void other_separators(void **state) {
  (void)state;
  static const char *const names[] = {"semicolon", "tab", "space"};
  static const char *const texts[] = {"1;2\n3;4\n", "1\t2\n3\t4\n", "1 2\n3 4\n"};
  for (int i = 0; i < 3; i++) {
    struct params *p = csv(texts[i]);
    set_text(p, "separator", names[i]);
    expect_reals(open_data(p, NULL), "x", (double[]){1, 2, 3, 4}, 4);
  }
}

/* Decimal points stay points where the user's locale has commas. */
static void numbers_are_read_in_the_c_locale(void **state) {
  (void)state;
  static const char *const some[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"};
  for (size_t i = 0; i < 4 && setlocale(LC_ALL, some[i]) == NULL; i++) {
  }
  expect_reals(open_data(csv("1.5,2.25\n"), NULL), "x", (double[]){1.5, 2.25}, 2);
  assert_non_null(setlocale(LC_ALL, "C"));
}

static void errors_name_file_line_and_column(void **state) {
  (void)state;
  static const struct {
    const char *text;
    const char *reason;
  } cases[] = {
      {"a,b\n1,2\n3,four\n", "t.csv:3:3: \"four\" is not a number"},
      {"a,b\n1,2\n\n3\n", "t.csv:4:1: 1 cells, but the first line has 2"},
      {"a,b\n1,2,3\n", "t.csv:2:1: 3 cells, but the first line has 2"},
      {"a,b\n1,\n", "t.csv:2:3: \"\" is not a number"},
      {"1,2\nnan,2\n", "t.csv:2:1: \"nan\" is not a number"},
      {"1,2\n2,0x10\n", "t.csv:2:3: \"0x10\" is not a number"},
      {"1,2\n2,1e999\n", "t.csv:2:3: 1e999 is too large"},
      {"1,2\n2,1-2\n", "t.csv:2:3: \"1-2\" is not a number"},
      {"1,2\n2,\"3\n", "t.csv:2:3: this quote is not closed"},
      {"1,2\n\"3\"4,1\n", "t.csv:2:4: text after a closing quote"},
      {"", "t.csv: the file is empty"},
      {"\n \n", "t.csv: the file is empty"},
      {"a,b\n", "t.csv: no rows after the header"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_fails(try_data(csv(cases[i].text), NULL), TIER_E_DATA, cases[i].reason);
  }
}

static void wrong_columns_are_explained(void **state) {
  (void)state;
  struct params *p = csv("a,b\n1,2\n");
  params_set_texts(p, "target", (const char *[]){"a", "b"}, 2);
  assert_fails(try_data(p, NULL), TIER_E_INVALID, "no column is left for x");
  assert_fails(try_data(with_target(csv("a,b\n1,2\n"), "c", 0), NULL), TIER_E_INVALID,
               "no column \"c\" among its 2");
  assert_fails(try_data(with_target(csv("a,a\n1,2\n"), "a", 0), NULL), TIER_E_DATA,
               "columns 1 and 2 are both named \"a\"");
  p = with_target(csv("a,b\n1,2\n"), "a", 0);
  set_text(p, "ignore", "a");
  assert_fails(try_data(p, NULL), TIER_E_INVALID, "named twice");
  p = csv("a,b\n1,2\n");
  set_number(p, "labels", 1);
  assert_fails(try_data(p, NULL), TIER_E_INVALID, "\"target\" must name one column, not 0");
  assert_fails(try_data(with_target(csv("a,b\n1,.5\n"), "b", 1), NULL), TIER_E_DATA,
               "t.csv:2:3: .5 is not a class");
  assert_fails(try_data(with_target(csv("a,b\n1,-1\n"), "b", 1), NULL), TIER_E_DATA,
               "t.csv:2:3: -1 is not a class");
}

static void files_that_are_no_text(void **state) {
  (void)state;
  const char *path = temporary("t.csv");
  struct params *p = data_args("csv", 0);
  write_bytes(path, "1,2\n3\0,4\n", 9);
  set_text(p, "path", path);
  assert_fails(try_data(p, NULL), TIER_E_DATA, "t.csv:2:2: a NUL byte");
  p = data_args("csv", 0);
  set_text(p, "path", temporary("none"));
  assert_fails(try_data(p, NULL), TIER_E_MISSING, "/none: No such file");
  p = data_args("csv", 0);
  set_text(p, "path", "/tmp");
  assert_fails(try_data(p, NULL), TIER_E_IO, "/tmp is a folder");
}

/* Reading a pipe would wait for a writer, and /dev/zero is a line that never ends. */
static void only_regular_files_are_read(void **state) {
  (void)state;
  const char *const ids[] = {"csv", "npy", "idx"};
  const char *const slots[] = {"path", "x", "images"};
  const char *pipe = temporary("pipe");
  assert_int_equal(mkfifo(pipe, 0600), 0);
  for (size_t i = 0; i < 3; i++) {
    struct params *p = data_args(ids[i], 0);
    set_text(p, slots[i], pipe);
    assert_fails(try_data(p, NULL), TIER_E_IO, "pipe is a folder, a pipe or a device");
    p = data_args(ids[i], 0);
    set_text(p, slots[i], "/dev/zero");
    assert_fails(try_data(p, NULL), TIER_E_IO, "/dev/zero is a folder, a pipe or a device");
  }
}

static void a_file_cut_off_anywhere_never_crashes(void **state) {
  (void)state;
  const char *text = "a,\"b\"\"\",c\r\n1,\"2.5\",3\r\n4,5,6e1\n";
  for (size_t size = 0; size < strlen(text); size++) {
    const char *path = temporary("t.csv");
    struct params *p = data_args("csv", 0);
    write_bytes(path, text, size);
    set_text(p, "path", path);
    int32_t status = try_data(p, NULL);
    assert_true(status == TIER_OK || status == TIER_E_DATA);
    error_clear();
  }
}

/* A file that changes between describe and open is refused. */
static void a_changing_file_is_refused(void **state) {
  (void)state;
  struct data *d = describe_data(csv("1,2\n3,4\n"), NULL);
  (void)file_of("1,2\n3,4\n5,6\n");
  assert_fails(data_open(d), TIER_E_DATA, "changed while it was being read");
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(without_header_or_target_all_is_x),
      UNIT(the_header_names_the_target),
      UNIT(without_a_header_columns_have_numbers),
      UNIT(labels_are_integers),
      UNIT(columns_may_be_ignored),
      UNIT(header_yes_and_no),
      UNIT(quotes_bytes_marks_and_line_ends),
      UNIT(other_separators),
      UNIT(numbers_are_read_in_the_c_locale),
      UNIT(errors_name_file_line_and_column),
      UNIT(wrong_columns_are_explained),
      UNIT(files_that_are_no_text),
      UNIT(only_regular_files_are_read),
      UNIT(a_file_cut_off_anywhere_never_crashes),
      UNIT(a_changing_file_is_refused),
  };
  return cmocka_run_group_tests_name("csv", tests, harness_start, harness_end);
}

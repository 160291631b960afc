/* npy: types, versions, shapes, and every way to be malformed. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "harness.h"

#define HEADER(descr, shape) "{'descr': '" descr "', 'fortran_order': False, 'shape': " shape ", }"

/* Writes an npy file of that version with this header and these elements. */
static const char *npy_file(const char *name, unsigned char version, const char *header,
                            const void *elements, size_t size) {
  const char *path = temporary(name);
  struct text t = {0};
  size_t length = strlen(header) + 1;
  char sizes[] = {(char)version, 0, (char)(length & 0xff), (char)(length >> 8), 0, 0};
  text_add_n(&t, "\x93NUMPY", 6);
  text_add_n(&t, sizes, version == 1 ? 4 : 6);
  text_format(&t, "%s\n", header);
  text_add_n(&t, elements, size);
  write_bytes(path, t.data, t.length);
  text_free(&t);
  return path;
}

static struct params *npy(const char *x, const char *y) {
  struct params *p = data_args("npy", 0);
  set_text(p, "x", x);
  if (y != NULL) {
    set_text(p, "y", y);
  }
  return p;
}

static const double reals[6] = {0.5, -1, 2, 1e-300, 3.25, 7};

static void doubles_of_all_versions(void **state) {
  (void)state;
  for (unsigned char version = 1; version <= 3; version++) {
    const char *x = npy_file("x", version, HEADER("<f8", "(3, 2)"), reals, sizeof reals);
    struct data *d = open_data(npy(x, NULL), NULL);
    assert_int_equal(d->rows, 3);
    assert_int_equal(d->field_count, 1);
    assert_int_equal(data_find_field(d, "x")->rank, 1);
    assert_int_equal(data_find_field(d, "x")->dims[0], 2);
    double *values = all_reals(d, "x");
    assert_memory_equal(values, reals, sizeof reals);
    free(values);
    check_random_access(d, "x");
  }
}

static void other_types_become_real(void **state) {
  (void)state;
  static const float f4[] = {0.5F, -2, 3};
  static const unsigned char u1[] = {0, 128, 255};
  static const int32_t i4[] = {-1, 5, INT32_MIN};
  static const int64_t i8[] = {-1, 5, INT64_C(1) << 40};
  struct data *d = open_data(npy(npy_file("x", 1, HEADER("<f4", "(3,)"), f4, 12), NULL), NULL);
  assert_true(real_of(d, "x", 1) == -2);
  d = open_data(npy(npy_file("x", 1, HEADER("|u1", "(3,)"), u1, 3), NULL), NULL);
  assert_true(real_of(d, "x", 2) == 255);
  d = open_data(npy(npy_file("x", 1, HEADER("<i4", "(3,)"), i4, 12), NULL), NULL);
  assert_true(real_of(d, "x", 0) == -1);
  assert_true(real_of(d, "x", 2) == INT32_MIN);
  d = open_data(npy(npy_file("x", 1, HEADER("<i8", "(3,)"), i8, 24), NULL), NULL);
  assert_true(real_of(d, "x", 0) == -1);
  assert_true(real_of(d, "x", 2) == 0x1p40);
}

static void integers_in_y_are_labels(void **state) {
  (void)state;
  static const int64_t i8[] = {2, 0, 4};
  static const int64_t bad[] = {2, -1, 4};
  const char *x = npy_file("x", 1, HEADER("<f8", "(3, 2)"), reals, sizeof reals);
  const char *y = npy_file("y", 1, HEADER("<i8", "(3,)"), i8, 24);
  struct data *d = describe_data(npy(x, y), NULL);
  assert_int_equal(data_find_field(d, "y")->classes, TIER_CLASSES_UNKNOWN);
  assert_ok(data_open(d));
  assert_int_equal(data_find_field(d, "y")->classes, 5);
  assert_int_equal(integer_of(d, "y", 2), 4);
  y = npy_file("y", 1, HEADER("<i8", "(3,)"), bad, 24);
  assert_fails(try_data(npy(x, y), NULL), TIER_E_DATA, "/y: row 1 holds -1; classes count from 0");
}

static void reals_in_y_stay_real(void **state) {
  (void)state;
  const char *x = npy_file("x", 1, HEADER("<f8", "(2, 3, 1)"), reals, sizeof reals);
  const char *y = npy_file("y", 1, HEADER("<f8", "(2,)"), reals, 16);
  struct data *d = open_data(npy(x, y), NULL);
  assert_int_equal(data_find_field(d, "x")->rank, 2);
  assert_int_equal(data_find_field(d, "x")->dims[0], 3);
  assert_int_equal(data_find_field(d, "y")->type, TIER_REAL);
  assert_int_equal(data_find_field(d, "y")->rank, 0);
  assert_true(real_of(d, "y", 1) == -1);
}

static void matrices_of_integers_in_y(void **state) {
  (void)state;
  static const int32_t i4[] = {-7, 1, 2, 3, 4, 5};
  const char *x = npy_file("x", 1, HEADER("<f8", "(3, 2)"), reals, sizeof reals);
  const char *y = npy_file("y", 1, HEADER("<i4", "(3, 2)"), i4, sizeof i4);
  struct data *d = open_data(npy(x, y), NULL);
  int32_t *values = all_integers(d, "y");
  assert_int_equal(data_find_field(d, "y")->classes, TIER_CLASSES_NONE);
  assert_memory_equal(values, i4, sizeof i4);
  free(values);
}

static void not_a_number_is_found_when_read(void **state) {
  (void)state;
  double values[6];
  memcpy(values, reals, sizeof reals);
  memset(&values[3], 0xff, 8);
  const char *x = npy_file("x", 1, HEADER("<f8", "(3, 2)"), values, sizeof values);
  struct data *d = open_data(npy(x, NULL), NULL);
  double row[2];
  assert_ok(data_read(d, "x", &(int64_t){0}, 1, row));
  assert_fails(data_read(d, "x", &(int64_t){1}, 1, row), TIER_E_DATA,
               "data some: field x, row 1: NaN or infinity");
}

/* ---- malformed ------------------------------------------------------------------------------- */

static void a_file_cut_off_anywhere_is_refused(void **state) {
  (void)state;
  for (unsigned char version = 1; version <= 2; version++) {
    size_t whole = 0;
    char *bytes =
        read_bytes(npy_file("x", version, HEADER("<f8", "(3, 2)"), reals, sizeof reals), &whole);
    for (size_t size = 0; size < whole; size++) {
      const char *x = temporary("x");
      write_bytes(x, bytes, size);
      assert_fails(try_data(npy(x, NULL), NULL), TIER_E_DATA, "/x: ");
    }
    free(bytes);
  }
}

/* Any byte of the file set to any of a few values: never a crash, never an unexplained refusal. */
static void a_damaged_file_never_crashes(void **state) {
  (void)state;
  static const char wrong[] = {0, ' ', '\'', ',', '(', ')', '}', '9', (char)0xff};
  size_t size = 0;
  char *bytes = read_bytes(npy_file("x", 1, HEADER("<f8", "(3, 2)"), reals, 48), &size);
  size_t header = size - 48;
  for (size_t i = 0; i < header; i++) {
    for (size_t k = 0; k < sizeof wrong; k++) {
      char kept = bytes[i];
      const char *x = temporary("x");
      bytes[i] = wrong[k];
      write_bytes(x, bytes, size);
      bytes[i] = kept;
      struct instance *instance = NULL;
      struct data *d = NULL;
      assert_ok(instance_new(npy(x, NULL), &instance));
      int32_t status = data_new(instance, "some", NULL, &d);
      status = status < 0 ? status : data_open(d);
      assert_true(status == TIER_OK || status == TIER_E_DATA);
      assert_true(status == TIER_OK || strstr(error_text(), "/x: ") != NULL);
      error_clear();
      data_free(d);
    }
  }
  free(bytes);
}

static void headers_that_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *header;
    const char *reason;
  } cases[] = {
      {HEADER("|O", "(3, 2)"), "elements of type |O cannot be read"},
      {HEADER(">f8", "(3, 2)"), "elements of type >f8 cannot be read"},
      {HEADER("<c16", "(3, 2)"), "astype"},
      {"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,), }", "records"},
      {"{'descr': '<f8', 'fortran_order': True, 'shape': (3, 2), }", "Fortran order"},
      {HEADER("<f8", "()"), "it is one number"},
      {HEADER("<f8", "(0, 2)"), "it has no rows"},
      {HEADER("<f8", "(3, 0)"), "empty or a too large axis"},
      {HEADER("<f8", "(3, 4294967296)"), "empty or a too large axis"},
      {HEADER("<f8", "(99999999999999999999, 2)"), "shape is damaged"},
      {HEADER("<f8", "(9007199254740992, 2147483647)"), "its shape needs"},
      {HEADER("<f8", "(3, 2, 1, 1, 1, 1, 1)"), "more than 6 axes"},
      {HEADER("<f8", "(-3, 2)"), "shape is damaged"},
      {HEADER("<f8", "(3 2)"), "shape is damaged"},
      {HEADER("<f8", "(4, 2)"), "48 bytes follow its header, but its shape needs 4 rows of 16"},
      {"{'descr': '<f8', 'shape': (3, 2), }", "header is damaged"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), 'more': 1}", "header is damaged"},
      {HEADER("<f8", "(3, 2)") " x", "header is damaged"},
      {"", "header is damaged"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *x = npy_file("x", 1, cases[i].header, reals, sizeof reals);
    assert_fails(try_data(npy(x, NULL), NULL), TIER_E_DATA, cases[i].reason);
  }
}

static void other_refusals(void **state) {
  (void)state;
  const char *x = npy_file("x", 4, HEADER("<f8", "(3, 2)"), reals, sizeof reals);
  assert_fails(try_data(npy(x, NULL), NULL), TIER_E_DATA, "npy version not known");
  x = npy_file("x", 1, HEADER("<f8", "(3, 2)"), reals, sizeof reals);
  const char *y = npy_file("y", 1, HEADER("<f8", "(6,)"), reals, sizeof reals);
  assert_fails(try_data(npy(x, y), NULL), TIER_E_DATA, "/y has 6 rows, but ");
  assert_fails(try_data(npy(temporary("none"), NULL), NULL), TIER_E_MISSING, "/none: No such");
  assert_fails(try_data(npy("/dev/null", NULL), NULL), TIER_E_IO, "a device");
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(doubles_of_all_versions),
      UNIT(other_types_become_real),
      UNIT(integers_in_y_are_labels),
      UNIT(reals_in_y_stay_real),
      UNIT(matrices_of_integers_in_y),
      UNIT(not_a_number_is_found_when_read),
      UNIT(a_file_cut_off_anywhere_is_refused),
      UNIT(a_damaged_file_never_crashes),
      UNIT(headers_that_are_refused),
      UNIT(other_refusals),
  };
  return cmocka_run_group_tests_name("npy", tests, harness_start, harness_end);
}

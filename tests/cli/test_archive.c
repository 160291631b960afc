/* Archives: what is written is read again; anything less than the whole file is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/archive.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#include <cmocka.h> /* last: it defines a macro `fail` */

static char path[64];

static int make_path(void **state) {
  (void)state;
  (void)snprintf(path, sizeof path, "/tmp/tier-archive-%d", (int)getpid());
  return 0;
}

static int remove_path(void **state) {
  (void)state;
  (void)unlink(path);
  return 0;
}

static void write_example(void) {
  struct archive a = {0};
  const double reals[] = {1.5, -0.0, 1e300};
  const float floats[] = {0.25f};
  const int64_t integers[] = {-1, INT64_MAX};
  archive_add(&a, "reals", ARCHIVE_F64, 3, reals);
  archive_add(&a, "floats", ARCHIVE_F32, 1, floats);
  archive_add(&a, "integers", ARCHIVE_I64, 2, integers);
  archive_add(&a, "text", ARCHIVE_TEXT, 5, "hello");
  archive_add(&a, "empty", ARCHIVE_F64, 0, NULL);
  assert_int_equal(archive_write(&a, path), TIER_OK);
  archive_free(&a);
}

static void round_trip(void **state) {
  struct archive a = {0};
  const double reals[] = {1.5, -0.0, 1e300};
  (void)state;
  write_example();
  assert_int_equal(archive_read(path, &a), TIER_OK);
  assert_int_equal(a.count, 5);
  const struct archive_array *found = archive_find(&a, "reals");
  assert_non_null(found);
  assert_int_equal(found->type, ARCHIVE_F64);
  assert_int_equal(found->count, 3);
  assert_memory_equal(found->data, reals, sizeof reals);
  assert_memory_equal(archive_find(&a, "text")->data, "hello", 5);
  assert_int_equal(archive_find(&a, "empty")->count, 0);
  assert_null(archive_find(&a, "absent"));
  archive_free(&a);
}

static void refuse(const char *data, size_t size) {
  struct archive a = {0};
  assert_int_equal(file_write(path, data, size), TIER_OK);
  assert_int_equal(archive_read(path, &a), TIER_E_DATA);
  assert_non_null(strstr(error_text(), path));
  assert_int_equal(a.count, 0);
  error_clear();
}

static void truncated_anywhere_is_refused(void **state) {
  char *data = NULL;
  size_t size = 0;
  (void)state;
  write_example();
  assert_int_equal(file_read(path, 1 << 20, &data, &size), TIER_OK);
  for (size_t n = 0; n < size; n++) {
    refuse(data, n);
  }
  free(data);
}

static void altered_anywhere_is_refused(void **state) {
  char *data = NULL;
  size_t size = 0;
  (void)state;
  write_example();
  assert_int_equal(file_read(path, 1 << 20, &data, &size), TIER_OK);
  for (size_t i = 0; i < size; i++) {
    data[i] = (char)(data[i] ^ 0x10);
    refuse(data, size);
    data[i] = (char)(data[i] ^ 0x10);
  }
  free(data);
}

/* A well-signed file whose counts promise more than it holds. */
static void lying_counts_are_refused(void **state) {
  static const uint64_t counts[] = {4, UINT64_MAX, UINT64_MAX / 8 + 1};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    struct archive a = {0};
    double value = 1;
    archive_add(&a, "x", ARCHIVE_F64, 1, &value);
    assert_int_equal(archive_write(&a, path), TIER_OK);
    archive_free(&a);
    char *data = NULL;
    size_t size = 0;
    assert_int_equal(file_read(path, 1 << 20, &data, &size), TIER_OK);
    memcpy(data + 8 + 4 + 4 + 4 + 1 + 4 + 4, &counts[i], 8);
    char hex[65];
    sha256_hex(data, size - 32, hex);
    for (size_t j = 0; j < 32; j++) {
      unsigned byte = 0;
      assert_int_equal(sscanf(hex + 2 * j, "%2x", &byte), 1);
      data[size - 32 + j] = (char)byte;
    }
    refuse(data, size);
    free(data);
  }
}

static void missing_file(void **state) {
  struct archive a = {0};
  (void)state;
  assert_int_equal(archive_read("/nonexistent/state", &a), TIER_E_MISSING);
  error_clear();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_trip),
      cmocka_unit_test(truncated_anywhere_is_refused),
      cmocka_unit_test(altered_anywhere_is_refused),
      cmocka_unit_test(lying_counts_are_refused),
      cmocka_unit_test(missing_file),
  };
  return cmocka_run_group_tests(tests, make_path, remove_path);
}

/* The base layer: errors, memory, texts, files, random numbers. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"

/* ---- errors ------------------------------------------------------------------------------------
 */

static void the_first_failure_is_kept(void **state) {
  (void)state;
  assert_int_equal(fail(TIER_E_IO, "first %d", 1), TIER_E_IO);
  assert_int_equal(fail(TIER_E_DATA, "second"), TIER_E_DATA);
  assert_string_equal(error_text(), "first 1");
  assert_int_equal(error_context(TIER_E_IO, "place %d", 7), TIER_E_IO);
  assert_string_equal(error_text(), "place 7: first 1");
  error_clear();
  assert_string_equal(error_text(), "");
}

static void codes_have_documented_exits(void **state) {
  (void)state;
  const int32_t codes[] = {TIER_OK,        TIER_E_INVALID,   TIER_E_DATA,       TIER_E_MISSING,
                           TIER_E_PLUGIN,  TIER_E_INTERNAL,  TIER_E_IO,         TIER_E_MEMORY,
                           TIER_E_REFUSED, TIER_E_NONFINITE, TIER_E_UNSUPPORTED};
  const int exits[] = {0, 65, 65, 66, 69, 70, 74, 1, 1, 1, 65};
  for (size_t i = 0; i < TIER_COUNT(codes); i++) {
    assert_int_equal(error_exit_code(codes[i]), exits[i]);
  }
}

/* ---- memory
 * -------------------------------------------------------------------------------------- */

static void arenas_hold_many_objects(void **state) {
  (void)state;
  struct arena *a = arena_new();
  char *small[100];
  for (int i = 0; i < 100; i++) {
    small[i] = arena_format(a, "object %d", i);
  }
  char *large = arena_alloc(a, 1000000);
  memset(large, 1, 1000000);
  for (int i = 0; i < 100; i++) {
    char expected[32];
    (void)snprintf(expected, sizeof expected, "object %d", i);
    assert_string_equal(small[i], expected);
    assert_int_equal((uintptr_t)small[i] % 16, 0);
  }
  assert_string_equal(arena_text_n(a, "abcdef", 3), "abc");
  assert_null(arena_copy(a, NULL, 0));
  arena_free(a);
}

static void large_arrays_are_counted(void **state) {
  (void)state;
  void *p = NULL;
  void *q = NULL;
  int64_t before = large_bytes();
  large_reset_peak();
  assert_ok(large_alloc(1000, "a test", &p));
  assert_int_equal((uintptr_t)p % 64, 0);
  assert_int_equal(((char *)p)[999], 0);
  assert_int_equal(large_bytes() - before, 1000);
  assert_ok(large_alloc(0, "nothing", &q));
  large_free(q);
  large_free(p);
  large_free(NULL);
  assert_int_equal(large_bytes(), before);
  assert_int_equal(large_peak() - before, 1000);
  assert_fails(large_alloc(SIZE_MAX - 7, "the impossible", &p), TIER_E_MEMORY, "the impossible");
  assert_null(p);
}

static void arrays_grow(void **state) {
  (void)state;
  int *items = NULL;
  size_t count = 0;
  size_t capacity = 0;
  for (int i = 0; i < 100; i++) {
    array_push(items, count, capacity, i);
  }
  assert_int_equal(count, 100);
  assert_int_equal(items[99], 99);
  free(items);
}

/* ---- texts
 * ----------------------------------------------------------------------------------------- */

static void texts_grow(void **state) {
  (void)state;
  struct text t = {0};
  assert_string_equal(text_get(&t), "");
  text_add(&t, "a");
  text_format(&t, "%s-%d", "b", 3);
  text_add_n(&t, "cdef", 2);
  assert_string_equal(text_get(&t), "ab-3cd");
  assert_int_equal(t.length, 6);
  text_free(&t);
}

static void the_nearest_name_is_near_enough(void **state) {
  (void)state;
  const char *const names[] = {"beta1", "beta2", "cross-entropy", "lr"};
  assert_int_equal(text_nearest("bta1", names, 4), 0);
  assert_int_equal(text_nearest("cross-etropy", names, 4), 2);
  assert_int_equal(text_nearest("ler", names, 4), 3);
  assert_int_equal(text_nearest("rl", names, 4), 3); /* two letters swapped */
  assert_int_equal(text_nearest("optimizer", names, 4), -1);
  assert_int_equal(text_nearest("x", names, 0), -1);
}

static void numbers_read_back(void **state) {
  (void)state;
  const double values[] = {0.1, 1e-5, 3, -2.5e300, 1.0 / 3, 5e-324, 123456789};
  char out[32];
  for (size_t i = 0; i < TIER_COUNT(values); i++) {
    text_number(values[i], out);
    assert_true(strtod(out, NULL) == values[i]);
  }
  text_number(0.1, out);
  assert_string_equal(out, "0.1");
}

/* ---- files
 * ------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/tier-test-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) == NULL;
}

static int drop_folder(void **state) {
  (void)state;
  return directory_remove(folder);
}

static void files_are_replaced_whole(void **state) {
  (void)state;
  char *data = NULL;
  size_t size = 0;
  char *path = path_join(folder, "a");
  char *temporary = memory_format("%s.tmp", path);
  assert_ok(file_write(path, "old text", 8));
  assert_ok(file_write(path, "new", 3));
  assert_ok(file_read(path, 100, &data, &size));
  assert_string_equal(data, "new");
  assert_int_equal(size, 3);
  assert_false(file_exists(temporary));
  free(data);
  assert_fails(file_read(path, 2, &data, &size), TIER_E_INVALID, "larger than 2 bytes");
  assert_fails(file_read(folder, 100, &data, &size), TIER_E_IO, "is a directory");
  free(path);
  free(temporary);
}

static void missing_files_are_told_apart(void **state) {
  (void)state;
  char *data = NULL;
  size_t size = 0;
  char hex[65];
  char *path = path_join(folder, "none/none");
  assert_fails(file_read(path, 9, &data, &size), TIER_E_MISSING, path);
  assert_fails(sha256_file(path, hex), TIER_E_MISSING, path);
  assert_fails(file_write(path, "x", 1), TIER_E_IO, path);
  assert_ok(directory_remove(path));
  free(path);
}

static void directories_are_made_and_removed_with_their_content(void **state) {
  (void)state;
  char *top = path_join(folder, "x");
  char *deep = path_join(top, "y/z");
  char *file = path_join(deep, "f");
  assert_ok(directory_make(deep));
  assert_ok(directory_make(deep));
  assert_ok(file_write(file, "", 0));
  assert_ok(directory_remove(top));
  assert_false(file_exists(top));
  free(top);
  free(deep);
  free(file);
}

static void paths_are_joined(void **state) {
  (void)state;
  const char *const cases[][3] = {
      {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"a", "/b", "/b"}};
  for (size_t i = 0; i < TIER_COUNT(cases); i++) {
    char *path = path_join(cases[i][0], cases[i][1]);
    assert_string_equal(path, cases[i][2]);
    free(path);
  }
}

/* FIPS 180-4, the example "abc". */
static void sha256_is_the_known_one(void **state) {
  (void)state;
  char hex[65];
  sha256_hex("abc", 3, hex);
  assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* ---- random numbers
 * ------------------------------------------------------------------------------------ */

/* Known answers of Philox4x32-10, from Random123's kat_vectors. */
static void philox_is_the_known_one(void **state) {
  (void)state;
  uint32_t out[4];
  const uint32_t zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  const uint32_t ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  random_block(0, 0, 0, out);
  assert_memory_equal(out, zeros, sizeof out);
  random_block(UINT64_MAX, UINT64_MAX, UINT64_MAX, out);
  assert_memory_equal(out, ones, sizeof out);
}

static void numbers_depend_on_their_index_only(void **state) {
  (void)state;
  double all[10];
  double part[3];
  uint64_t s = random_stream("levels.inner.batch", 1);
  random_interface.normal(s, 4, 0, 10, all);
  random_interface.normal(s, 4, 5, 3, part);
  assert_memory_equal(part, all + 5, sizeof part);
  random_interface.uniform(s, 4, 0, 10, all);
  random_interface.uniform(s, 4, 5, 3, part);
  assert_memory_equal(part, all + 5, sizeof part);
  assert_true(random_stream("levels.inner.batch", 2) != s);
  assert_true(random_derive(s, "a") != random_derive(s, "b"));
}

#define SAMPLES 200000

static void moments_are_right(void **state) {
  (void)state;
  double *x = memory_alloc(SAMPLES, sizeof *x);
  double u = 0;
  double sum = 0;
  double squares = 0;
  random_interface.uniform(9, 0, 0, SAMPLES, x);
  for (int i = 0; i < SAMPLES; i++) {
    assert_true(x[i] >= 0 && x[i] < 1);
    u += x[i];
  }
  random_interface.normal(9, 0, 0, SAMPLES, x);
  for (int i = 0; i < SAMPLES; i++) {
    sum += x[i];
    squares += x[i] * x[i];
  }
  /* five standard deviations of the means */
  assert_true(fabs(u / SAMPLES - 0.5) < 5 * sqrt(1.0 / 12 / SAMPLES));
  assert_true(fabs(sum / SAMPLES) < 5 * sqrt(1.0 / SAMPLES));
  assert_true(fabs(squares / SAMPLES - 1) < 5 * sqrt(2.0 / SAMPLES));
  free(x);
}

static void permutations_are_bijections(void **state) {
  (void)state;
  int64_t order[257];
  int seen[257] = {0};
  int moved = 0;
  random_permutation(5, 0, 257, order);
  for (int i = 0; i < 257; i++) {
    assert_in_range(order[i], 0, 256);
    seen[order[i]]++;
    moved += order[i] != i;
  }
  for (int i = 0; i < 257; i++) {
    assert_int_equal(seen[i], 1);
  }
  assert_true(moved > 200);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_failure_is_kept),
      cmocka_unit_test(codes_have_documented_exits),
      cmocka_unit_test(arenas_hold_many_objects),
      cmocka_unit_test(large_arrays_are_counted),
      cmocka_unit_test(arrays_grow),
      cmocka_unit_test(texts_grow),
      cmocka_unit_test(the_nearest_name_is_near_enough),
      cmocka_unit_test(numbers_read_back),
      cmocka_unit_test(files_are_replaced_whole),
      cmocka_unit_test(missing_files_are_told_apart),
      cmocka_unit_test(directories_are_made_and_removed_with_their_content),
      cmocka_unit_test(paths_are_joined),
      cmocka_unit_test(sha256_is_the_known_one),
      cmocka_unit_test(philox_is_the_known_one),
      cmocka_unit_test(numbers_depend_on_their_index_only),
      cmocka_unit_test(moments_are_right),
      cmocka_unit_test(permutations_are_bijections),
  };
  return cmocka_run_group_tests(tests, make_folder, drop_folder);
}

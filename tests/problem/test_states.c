/* Saving and loading, draws, determinism over threads, and the errors of a check. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/archive.h"
#include "base/file.h"
#include "harness.h"
#include "problem/levels.h"

/* Hyper-cleaning with a batch, Adam inside, momentum outside: every kind of state that steps have.
 */
#define CLEANING                                                                                  \
  "{ \"tier\": 1, \"seeds\": 5, \"compute\": { \"threads\": %d, \"dtype\": \"%s\" },"             \
  "  \"data\": { \"pool\": { \"digits\": { \"rows\": 240 } },"                                    \
  "    \"train\": [\"pool\", { \"take\": 120 }, { \"label-noise\": 0.5 }],"                       \
  "    \"val\": [\"pool\", { \"skip\": 120 }] },"                                                 \
  "  \"variables\": { \"net\": { \"mlp\": [784, 16, 10] }, \"belief\": { \"per\": \"train\", "    \
  "\"init\": 0 } },"                                                                              \
  "  \"objectives\": {"                                                                           \
  "    \"training\": [ { \"times\": [{ \"sigmoid\": \"belief\" }, { \"cross-entropy\": { "        \
  "\"logits\": { \"net\": \"train.x\" }, \"labels\": \"train.y\" } }] },"                         \
  "      { \"times\": [0.001, { \"l2\": \"net\" }] }],"                                           \
  "    \"validation\": { \"cross-entropy\": { \"logits\": { \"net\": \"val.x\" }, \"labels\": "   \
  "\"val.y\" } } },"                                                                              \
  "  \"levels\": ["                                                                               \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"net\", \"batch\": 50,"      \
  "      \"optimizer\": { \"adam\": { \"lr\": 0.01 } }, \"steps\": 7 },"                          \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": \"belief\", \"batch\": 40," \
  "      \"through\": { \"inner\": %s },"                                                         \
  "      \"optimizer\": { \"momentum\": { \"lr\": 10, \"beta\": 0.9 } }, \"steps\": 6 }],"        \
  "  \"outputs\": { \"belief\": \"belief\" } }"

static void step(struct harness *h, int count) {
  for (int i = 0; i < count; i++) {
    assert_ok(problem_step(h->problem));
  }
}

/* Bytes of the state after `count` steps. */
static char *state_after(const char *dtype, int threads, const char *estimator, int count,
                         size_t *size) {
  struct harness h;
  char path[] = "/tmp/tier-state-XXXXXX";
  int fd = mkstemp(path);
  char *data = NULL;
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&h, CLEANING, threads, dtype, estimator);
  step(&h, count);
  assert_ok(problem_save(h.problem, path));
  assert_ok(file_read(path, (size_t)1 << 30, &data, size));
  (void)unlink(path);
  harness_close(&h);
  return data;
}

static void identical_for_any_threads(void **state) {
  (void)state;
  static const char *const estimators[] = {"{\"cg\": {\"iterations\": 5}}", "\"unroll\""};
  static const char *const dtypes[] = {"f32", "f64"};
  for (size_t i = 0; i < 4; i++) {
    size_t size = 0;
    char *one = state_after(dtypes[i % 2], 1, estimators[i / 2], 3, &size);
    for (int threads = 1; threads <= 4; threads++) {
      size_t other_size = 0;
      char *other = state_after(dtypes[i % 2], threads, estimators[i / 2], 3, &other_size);
      assert_int_equal(size, other_size);
      assert_memory_equal(one, other, size);
      free(other);
    }
    free(one);
  }
}

/* Three steps, saved, loaded elsewhere, three more: the same bytes as six. */
static void saved_and_loaded(void **state) {
  (void)state;
  struct harness h;
  char path[] = "/tmp/tier-state-XXXXXX";
  int fd = mkstemp(path);
  size_t size = 0;
  size_t unbroken_size = 0;
  char *data = NULL;
  char *unbroken = state_after("f32", 2, "\"unroll\"", 6, &unbroken_size);
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&h, CLEANING, 2, "f32", "\"unroll\"");
  step(&h, 3);
  assert_ok(problem_save(h.problem, path));
  harness_close(&h);
  harness_open(&h, CLEANING, 2, "f32", "\"unroll\"");
  step(&h, 1); /* loading must replace whatever was there */
  assert_ok(problem_load(h.problem, path, 0));
  step(&h, 3);
  assert_ok(problem_save(h.problem, path));
  assert_ok(file_read(path, (size_t)1 << 30, &data, &size));
  assert_int_equal(size, unbroken_size);
  assert_memory_equal(data, unbroken, size);
  harness_close(&h);
  (void)unlink(path);
  free(data);
  free(unbroken);
}

/* A state saved in f32 widens to f64 exactly; without `convert` it is refused by name. */
static void widened(void **state) {
  (void)state;
  struct harness narrow, wide;
  char path[] = "/tmp/tier-state-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&narrow, CLEANING, 1, "f32", "\"unroll\"");
  step(&narrow, 2);
  assert_ok(problem_save(narrow.problem, path));
  double belief = harness_read(&narrow, "belief", 3);
  double weight = harness_read(&narrow, "net", 5000);
  harness_close(&narrow);
  harness_open(&wide, CLEANING, 1, "f64", "{\"cg\": {\"iterations\": 5}}");
  assert_fails(problem_load(wide.problem, path, 0), TIER_E_DATA, "f32");
  assert_ok(problem_load(wide.problem, path, 1));
  assert_true(belief != 0 && harness_read(&wide, "belief", 3) == belief);
  assert_true(harness_read(&wide, "net", 5000) == weight);
  assert_int_equal(problem_done(wide.problem), 2);
  harness_close(&wide);
  (void)unlink(path);
}

/* A state whose checksum is right but whose counters cannot be. */
static void impossible_counters(void **state) {
  (void)state;
  static const int64_t wrong[] = {-1, INT64_MAX};
  struct harness h;
  char path[] = "/tmp/tier-state-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&h, CLEANING, 1, "f32", "\"unroll\"");
  for (size_t i = 0; i < 2; i++) {
    struct archive a = {0};
    assert_ok(problem_save(h.problem, path));
    assert_ok(archive_read(path, &a));
    memcpy(archive_find(&a, "done")->data, &wrong[i], sizeof wrong[i]);
    assert_ok(archive_write(&a, path));
    archive_free(&a);
    assert_fails(problem_load(h.problem, path, 0), TIER_E_DATA, "impossible number");
  }
  harness_close(&h);
  (void)unlink(path);
}

/* A file cut off at any byte, or with any byte changed, is refused whole. */
static void damaged_archives(void **state) {
  (void)state;
  struct archive a = {0};
  char path[] = "/tmp/tier-state-XXXXXX";
  int fd = mkstemp(path);
  char *data = NULL;
  size_t size = 0;
  const double numbers[] = {1, 2, 3};
  assert_true(fd >= 0);
  (void)close(fd);
  archive_add(&a, "numbers", ARCHIVE_F64, 3, numbers);
  assert_ok(archive_write(&a, path));
  archive_free(&a);
  assert_ok(file_read(path, 4096, &data, &size));
  for (size_t i = 0; i < 2 * size; i++) {
    if (i >= size) {
      data[i - size] ^= 1;
    }
    assert_ok(file_write(path, data, i < size ? i : size));
    assert_true(archive_read(path, &a) == TIER_E_DATA);
    error_clear();
    archive_free(&a);
    if (i >= size) {
      data[i - size] ^= 1;
    }
  }
  (void)unlink(path);
  free(data);
}

/* Every row exactly once an epoch, in another order each epoch. */
static void batches_cover_an_epoch(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, CLEANING, 1, "f32", "\"unroll\"");
  struct level *inner = &h.problem->levels[0];
  int first_of_epoch[2] = {0, 0};
  for (int epoch = 0; epoch < 2; epoch++) {
    int seen[120] = {0};
    for (int batch = 0; batch < 2; batch++) { /* 120 / 50 whole ones */
      assert_ok(level_draw(inner));
      for (int i = 0; i < 50; i++) {
        int row = inner->binding.data[1].index[i];
        assert_in_range(row, 0, 119);
        assert_int_equal(seen[row]++, 0);
        first_of_epoch[epoch] = batch == 0 && i == 0 ? row : first_of_epoch[epoch];
      }
    }
  }
  assert_int_not_equal(first_of_epoch[0], first_of_epoch[1]);
  harness_close(&h);
}

/* The oracle calls of one outer step, counted by hand. */
static void ledger_counts(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, CLEANING, 1, "f32", "\"unroll\"");
  struct problem_estimate e = harness_estimate(&h);
  assert_int_equal(e.solve.gradients, 7);
  assert_int_equal(e.solve.samples, 7 * 50);
  assert_int_equal(e.pullback.hvps, 7);
  assert_int_equal(e.pullback.cross, 7);
  assert_int_equal(e.pullback.gradients, 2); /* the outer one, and the report's inner one */
  free(e.hypergradient);
  harness_close(&h);
}

/* ---- errors of a check ---- */

#define BAD(objectives)                                                                            \
  "{ \"tier\": 1,\n"                                                                               \
  "  \"data\": { \"train\": { \"digits\": { \"rows\": 50 } }, \"val\": { \"digits\": { "           \
  "\"rows\": 60 } } },\n"                                                                          \
  "  \"variables\": { \"net\": { \"linear\": [700, 10] }, \"fit\": { \"linear\": [784, 10] } },\n" \
  "  \"objectives\": { \"training\": [\n" objectives                                               \
  "  ] },\n"                                                                                       \
  "  \"levels\": [ { \"name\": \"inner\", \"minimize\": \"training\", \"over\": [\"net\", "        \
  "\"fit\"], \"optimizer\": { \"sgd\": { \"lr\": 1 } }, \"steps\": 1 } ] }"

static void expect(const char *text, const char *const *parts, size_t count) {
  struct harness h;
  int32_t status = harness_check(&h, text);
  assert_true(status < 0);
  if (h.diagnostics.count < count) {
    diagnostics_print(&h.diagnostics, stderr);
    fail_test("%zu diagnostics, expected %zu; pending: %s", h.diagnostics.count, count,
              error_text());
  }
  for (size_t i = 0; i < count; i++) {
    int found = 0;
    for (size_t k = 0; k < h.diagnostics.count; k++) {
      found |= strstr(h.diagnostics.items[k].message, parts[i]) != NULL &&
               h.diagnostics.items[k].line > 4;
    }
    if (!found) {
      diagnostics_print(&h.diagnostics, stderr);
      fail_test("no diagnostic says \"%s\"", parts[i]);
    }
  }
  harness_close(&h);
}

static void shapes_all_at_once(void **state) {
  (void)state;
  static const char *const parts[] = {"takes rows of 700", "mixes rows of", "one number a row"};
  expect(BAD("{ \"cross-entropy\": { \"logits\": { \"net\": \"train.x\" }, \"labels\": \"train.y\" "
             "} },\n"
             "{ \"cross-entropy\": { \"logits\": { \"fit\": \"train.x\" }, \"labels\": \"val.y\" } "
             "},\n"
             "{ \"fit\": \"train.x\" }, { \"l2\": \"net\" }, { \"l2\": \"fit\" }\n"),
         parts, 3);
}

static void labels_where_reals_belong(void **state) {
  (void)state;
  static const char *const parts[] = {"takes real values", "takes labels"};
  expect(BAD("{ \"mse\": { \"of\": { \"fit\": \"train.x\" }, \"target\": \"train.y\" } },\n"
             "{ \"cross-entropy\": { \"logits\": { \"fit\": \"train.x\" }, \"labels\": \"train.x\" "
             "} }, { \"l2\": \"net\" }, { \"l2\": \"fit\" }\n"),
         parts, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(identical_for_any_threads),
      cmocka_unit_test(saved_and_loaded),
      cmocka_unit_test(widened),
      cmocka_unit_test(impossible_counters),
      cmocka_unit_test(damaged_archives),
      cmocka_unit_test(batches_cover_an_epoch),
      cmocka_unit_test(ledger_counts),
      cmocka_unit_test(shapes_all_at_once),
      cmocka_unit_test(labels_where_reals_belong),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The parts of compare: --at-steps, --vary, and the bias of a stochastic estimator. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "cli/compare.h"

#include <cmocka.h>

struct fixture {
  struct arena *arena;
  struct options options;
  struct plan plan;
};

static int32_t make(struct fixture *f, const char *own) {
  struct json *j = NULL;
  if (own != NULL) {
    assert_int_equal(json_parse(f->arena, "own", own, strlen(own), &j), TIER_OK);
  }
  return plan_make(f->arena, &f->options, j, &f->plan);
}

static void vary(struct fixture *f, const char *text) {
  array_push(f->options.varies.items, f->options.varies.count, f->options.varies.capacity, text);
}

static struct fixture start(const char *estimators) {
  return (struct fixture){.arena = arena_new(), .options = {.estimators = estimators}};
}

static void finish(struct fixture *f) {
  error_clear();
  free(f->options.varies.items);
  arena_free(f->arena);
}

static void test_steps(void **state) {
  (void)state;
  static const int64_t expected[] = {0, 3, 10, 13, 16, 20, 21};
  struct fixture f = start("cg");
  f.options.at_steps = "0,3,10..18..3,20..21";
  assert_int_equal(make(&f, NULL), TIER_OK);
  assert_int_equal(f.plan.step_count, 7);
  assert_memory_equal(f.plan.steps, expected, sizeof expected);
  assert_int_equal(f.plan.repeat, 1);
  finish(&f);
}

static void test_wrong_steps(void **state) {
  (void)state;
  static const char *const wrong[] = {"5,3", "3,3", "-1", "", "1..", "2..1", "1..5..0", "1;2", "x"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct fixture f = start("cg");
    f.options.at_steps = wrong[i];
    assert_int_equal(make(&f, NULL), TIER_E_INVALID);
    finish(&f);
  }
}

static void test_varies_cross(void **state) {
  (void)state;
  static const char *const texts[] = {"neumann:terms=1:lr=0.1", "neumann:terms=1:lr=0.2",
                                      "neumann:terms=3:lr=0.1", "neumann:terms=3:lr=0.2", "cg"};
  struct fixture f = start("neumann,cg");
  vary(&f, "neumann.terms=1,3");
  vary(&f, "neumann.lr=0.1,0.2");
  vary(&f, "levels.inner.steps=10,20,30");
  assert_int_equal(make(&f, NULL), TIER_OK);
  assert_int_equal(f.plan.item_count, 5);
  for (size_t i = 0; i < 5; i++) {
    assert_string_equal(f.plan.items[i].item.text, texts[i]);
    assert_string_equal(f.plan.items[i].label, texts[i]);
    assert_string_equal(f.plan.items[i].series, i < 4 ? "neumann" : "cg");
  }
  assert_int_equal(f.plan.setting_count, 3);
  assert_string_equal(f.plan.settings[2].label, "levels.inner.steps=30");
  finish(&f);
}

static void test_a_bare_item_starts_from_the_manifests_own(void **state) {
  (void)state;
  struct fixture f = start("cg,cg:start=\"zero\",gmres");
  vary(&f, "cg.iterations=7");
  assert_int_equal(
      make(&f, "{\"implicit\": {\"solver\": {\"cg\": {\"tolerance\": 0.5}}, \"damping\": 2}}"),
      TIER_OK);
  assert_string_equal(
      f.plan.items[0].item.text,
      "implicit:solver={\"cg\": {\"tolerance\": 0.5, \"iterations\": 7}}:damping=2");
  assert_string_equal(f.plan.items[0].item.id, "implicit");
  assert_string_equal(f.plan.items[0].label, "cg:iterations=7");
  assert_string_equal(f.plan.items[1].item.text, "cg:start=\"zero\":iterations=7");
  assert_string_equal(f.plan.items[2].item.text, "gmres");
  finish(&f);
}

static void test_paths_go_into_applications(void **state) {
  (void)state;
  struct fixture f = start("cg:preconditioner=nystrom");
  vary(&f, "cg.preconditioner.nystrom.rank=[1,2],4");
  assert_int_equal(make(&f, NULL), TIER_OK);
  assert_int_equal(f.plan.item_count, 2);
  assert_string_equal(f.plan.items[1].item.text, "cg:preconditioner={\"nystrom\": {\"rank\": 4}}");
  finish(&f);
}

static void test_a_vary_of_no_item_is_told(void **state) {
  (void)state;
  static const char *const wrong[] = {"neumann.terms=1", "cg=1", "cgs.iterations=2",
                                      "cg.iterations", "cg.iterations="};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    struct fixture f = start("cg");
    vary(&f, wrong[i]);
    assert_int_equal(make(&f, NULL), TIER_E_INVALID);
    assert_non_null(strstr(error_text(), "--vary"));
    finish(&f);
  }
}

/* ---- the bias ---- */

#define SIZE 3
#define COUNT 8
#define TRIALS 400

/* x_i = r + b + noise * normal. */
static struct bias trial(uint64_t key, double b, double noise) {
  static const double r[SIZE] = {3, 0, 4}; /* |r| = 5 */
  double numbers[COUNT][SIZE];
  const double *x[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    for (size_t k = 0; k < SIZE; k++) {
      numbers[i][k] = r[k] + (k == 1 ? b : 0) + noise * random_normal(key, i, k);
    }
    x[i] = numbers[i];
  }
  return bias_of(x, COUNT, r, SIZE);
}

static void test_bias_without_noise_is_exact(void **state) {
  (void)state;
  struct bias b = trial(1, 0.5, 0);
  assert_true(fabs(b.estimate - 0.1) <= 1e-12);
  assert_true(fabs(b.low - 0.1) <= 1e-9);
  assert_true(fabs(b.high - 0.1) <= 1e-9);
}

/* Two estimates r + d and r - d, and d' and -d' about it: pairs i != j sum to -|d|^2 - |d'|^2. */
static void test_bias_of_opposite_estimates_is_none(void **state) {
  (void)state;
  const double r[] = {1, 1};
  const double x[4][2] = {{2, 1}, {0, 1}, {1, 3}, {1, -1}};
  const double *const all[] = {x[0], x[1], x[2], x[3]};
  struct bias b = bias_of(all, 4, r, 2);
  assert_true(b.estimate == 0);
  assert_true(b.low == 0);
}

static size_t covered(double b, double noise) {
  size_t count = 0;
  for (uint64_t key = 0; key < TRIALS; key++) {
    struct bias found = trial(1000 + key, b, noise);
    assert_true(found.low <= found.estimate && found.estimate <= found.high);
    count += found.low <= b / 5 && b / 5 <= found.high;
  }
  return count;
}

/* The interval is approximate: between 90 and 99 % of those trials, whose draws are fixed. */
static void test_the_interval_covers_the_bias(void **state) {
  (void)state;
  size_t count = covered(2, 1);
  assert_in_range(count, TRIALS * 90 / 100, TRIALS * 99 / 100);
  assert_true(covered(0, 1) >= TRIALS * 90 / 100);
}

static void test_costs(void **state) {
  (void)state;
  assert_true(hvp_equivalents(4, 6, 5) == 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps),
      cmocka_unit_test(test_wrong_steps),
      cmocka_unit_test(test_varies_cross),
      cmocka_unit_test(test_a_bare_item_starts_from_the_manifests_own),
      cmocka_unit_test(test_paths_go_into_applications),
      cmocka_unit_test(test_a_vary_of_no_item_is_told),
      cmocka_unit_test(test_bias_without_noise_is_exact),
      cmocka_unit_test(test_bias_of_opposite_estimates_is_none),
      cmocka_unit_test(test_the_interval_covers_the_bias),
      cmocka_unit_test(test_costs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

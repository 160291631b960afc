/* Storage schedules of the tape, and forward mode: the same hypergradients as from a stored tape,
 * to the bit where steps are made again; gradients and bytes as predicted; f64. */
#include <math.h>
#include <stdlib.h>

#include "harness.h"
#include "problem/edges.h"
#include "problem/tape.h"

/* ---- where checkpoints stand ---- */

/* The recurrence itself: the first checkpoint's steps to the second one, then both parts. */
static int64_t fewest(int64_t length, int64_t slots, int64_t *best) {
  static int64_t known[64][12];
  int64_t *memo = &known[length][slots];
  int64_t fewest_steps = length * (length - 1) / 2; /* with one: from the start each time */
  *best = 0;
  if (length < 2 || slots < 2) {
    return fewest_steps;
  }
  if (*memo > 0) {
    return *memo;
  }
  for (int64_t k = 1; k < length; k++) {
    int64_t ignored = 0;
    int64_t steps = k + fewest(length - k, slots - 1, &ignored) + fewest(k, slots, &ignored);
    if (steps < fewest_steps) {
      fewest_steps = steps;
      *best = k;
    }
  }
  *memo = fewest_steps;
  return fewest_steps;
}

static void binomial_counts(void **state) {
  (void)state;
  int64_t best = 0;
  int64_t ignored = 0;
  for (int64_t length = 1; length < 60; length++) {
    for (int64_t slots = 1; slots < 12; slots++) {
      assert_int_equal(checkpoint_steps(length, slots), fewest(length, slots, &best));
      if (length >= 2 && slots >= 2) {
        int64_t k = checkpoint_distance(length, slots);
        assert_true(k >= 1 && k < length);
        assert_int_equal(k + fewest(length - k, slots - 1, &ignored) + fewest(k, slots, &ignored),
                         checkpoint_steps(length, slots));
      }
    }
  }
  assert_int_equal(checkpoint_steps(1000, 48), 2 * 1000 - 50);
  assert_int_equal(checkpoint_steps(10000, 3), 38 * 10000 - 41 * 40 * 39 * 38 / 24);
}

/* ---- hypergradients ---- */

#define PROBLEM                                                                                    \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"%s\"},"                                               \
  "  \"data\": { \"pool\": { \"linear-problem\": { \"rows\": 60, \"features\": 4, \"noise\": "     \
  "0.5 } }, \"train\": [\"pool\", { \"take\": 40 }], \"val\": [\"pool\", { \"skip\": 40 }] },"     \
  "  \"variables\": { \"net\": { \"mlp\": { \"layers\": [4, 5, 1], \"activation\": \"tanh\" } },"  \
  "    \"log_l2\": { \"shape\": \"net\", \"init\": -3 }, \"log_lr\": { \"per\": \"inner\", "       \
  "\"init\": -3 } },"                                                                              \
  "  \"objectives\": { \"training\": ["                                                            \
  "      { \"mse\": { \"of\": { \"net\": \"train.x\" }, \"target\": \"train.y\" } },"              \
  "      { \"total\": { \"times\": [{ \"exp\": \"log_l2\" }, { \"square\": \"net\" }] } }],"       \
  "    \"validation\": { \"mse\": { \"of\": { \"net\": \"val.x\" }, \"target\": \"val.y\" } } },"  \
  "  \"levels\": ["                                                                                \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"net\", \"batch\": 12, %s }," \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": [\"log_l2\", \"log_lr\"], "  \
  "\"through\": { \"inner\": %s },"                                                                \
  "      \"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, \"steps\": 5 }] }"

#define LR "\"lr\": { \"exp\": \"log_lr\" }"
#define STEPS 13

static const char *const optimizers[] = {
    "\"steps\": 13, \"optimizer\": { \"sgd\": { " LR " } }",
    "\"steps\": 13, \"warm_start\": false, \"optimizer\": { \"momentum\": { " LR " } }",
    "\"steps\": 13, \"optimizer\": { \"adam\": { " LR " } }",
    "\"steps\": 13, \"warm_start\": \"variables\", \"optimizer\": { \"momentum-exact\": { " LR
    " } }"};

static double report(struct harness *h, const char *name) {
  const struct report_entry *entry = record_report(&h->problem->top->edges[0]->record, name);
  assert_non_null(entry);
  return entry->number;
}

struct result {
  struct problem_estimate estimate;
  double bytes;
  double first, last; /* a weight and the top level's first variable after further steps */
};

/* One hypergradient, and where three more steps lead. */
static struct result estimate(const char *dtype, const char *inner, const char *estimator) {
  struct harness h;
  struct result r;
  harness_open(&h, PROBLEM, dtype, inner, estimator);
  assert_ok(problem_step(h.problem));
  r.estimate = harness_estimate(&h);
  r.bytes = report(&h, "tape_bytes");
  for (int i = 0; i < 3; i++) {
    assert_ok(problem_step(h.problem));
  }
  r.first = harness_read(&h, "net", 0);
  r.last = harness_read(&h, "log_l2", 0);
  harness_close(&h);
  return r;
}

static int64_t all_gradients(const struct result *r) {
  return r->estimate.solve.gradients + r->estimate.pullback.gradients;
}

static void assert_same_bits(const struct result *a, const struct result *b) {
  assert_int_equal(a->estimate.size, b->estimate.size);
  assert_memory_equal(a->estimate.hypergradient, b->estimate.hypergradient,
                      (size_t)a->estimate.size * sizeof(double));
  assert_true(a->first == b->first && a->last == b->last);
}

static void checkpoints_give_the_stored_bits(void **state) {
  (void)state;
  static const int slots[] = {1, 2, 3, 5, STEPS, 100};
  for (size_t i = 0; i < sizeof optimizers / sizeof optimizers[0]; i++) {
    struct result stored = estimate("f64", optimizers[i], "\"unroll\"");
    assert_true(stored.bytes > 0);
    for (size_t k = 0; k < sizeof slots / sizeof slots[0]; k++) {
      char estimator[64];
      (void)snprintf(estimator, sizeof estimator, "{ \"unroll\": { \"checkpoint\": %d } }",
                     slots[k]);
      struct result r = estimate("f64", optimizers[i], estimator);
      assert_same_bits(&r, &stored);
      int64_t more = checkpoint_steps(STEPS, slots[k] < STEPS ? slots[k] : STEPS) + 1 - STEPS;
      assert_int_equal(all_gradients(&r), all_gradients(&stored) + more);
      assert_int_equal(r.estimate.pullback.hvps, stored.estimate.pullback.hvps);
      free(r.estimate.hypergradient);
    }
    free(stored.estimate.hypergradient);
  }
}

static void f32_checkpoints_give_the_stored_bits(void **state) {
  (void)state;
  struct result stored = estimate("f32", optimizers[2], "\"unroll\"");
  struct result r = estimate("f32", optimizers[2], "{ \"unroll\": { \"checkpoint\": 3 } }");
  assert_same_bits(&r, &stored);
  free(r.estimate.hypergradient);
  free(stored.estimate.hypergradient);
}

/* A limit in bytes is kept, and one that is too small is refused with the size of a step. */
static void checkpoints_in_bytes(void **state) {
  (void)state;
  struct harness h;
  struct result stored = estimate("f64", optimizers[2], "\"unroll\"");
  char estimator[64];
  long long each = (long long)(stored.bytes / STEPS);
  (void)snprintf(estimator, sizeof estimator, "{ \"unroll\": { \"memory\": %lld } }",
                 5 * each + each / 2);
  struct result r = estimate("f64", optimizers[2], estimator);
  assert_same_bits(&r, &stored);
  assert_true(r.bytes == (double)(5 * each)); /* three checkpoints, and two to work in */
  assert_int_equal(all_gradients(&r),
                   all_gradients(&stored) + checkpoint_steps(STEPS, 3) + 1 - STEPS);
  free(r.estimate.hypergradient);
  free(stored.estimate.hypergradient);
  harness_open(&h, PROBLEM, "f64", optimizers[2], "{ \"unroll\": { \"memory\": 1000 } }");
  assert_fails(problem_step(h.problem), TIER_E_INVALID, "at least three must fit");
  harness_close(&h);
}

/* ---- a thousand steps ---- */

#define LONG(optimizer)                            \
  "\"steps\": 1000, \"optimizer\": { \"" optimizer \
  "\": { \"lr\": { \"times\": [0.1, { \"exp\": "   \
  "\"log_lr\" }] }, \"beta\": 0.9 } }"

static void a_thousand_steps(void **state) {
  (void)state;
  struct result stored = estimate("f64", LONG("momentum"), "\"unroll\"");
  struct result r = estimate("f64", LONG("momentum"), "{ \"unroll\": { \"checkpoint\": 47 } }");
  assert_same_bits(&r, &stored);
  assert_true(20 * r.bytes < stored.bytes);
  assert_int_equal(all_gradients(&r), all_gradients(&stored) + 2 * 1000 - 49 + 1 - 1000);
  free(r.estimate.hypergradient);
  free(stored.estimate.hypergradient);
}

/* Two runs of 1000 steps, warm: beta = 9/10 drops 0.152 bits a step and weight, so 47 bits last for
 * about 309 steps. */
static void running_backwards(void **state) {
  (void)state;
  struct result stored = estimate("f64", LONG("momentum-exact"), "\"unroll\"");
  struct result r =
      estimate("f64", LONG("momentum-exact"), "{ \"unroll\": { \"reversible\": true } }");
  assert_same_bits(&r, &stored);
  assert_int_equal(all_gradients(&r), all_gradients(&stored) + 1000);
  assert_true(100 * r.bytes < stored.bytes);
  free(r.estimate.hypergradient);
  free(stored.estimate.hypergradient);
}

/* Betas that differ from step to step, down to ones that drop almost all of v. */
static void running_backwards_with_any_beta(void **state) {
  (void)state;
  static const char *const betas[] = {"1",           "0.5",  "0.0001",
                                      "0.123456789", "0.99", "{ \"sigmoid\": \"log_lr\" }"};
  for (size_t i = 0; i < sizeof betas / sizeof betas[0]; i++) {
    char inner[256];
    (void)snprintf(inner, sizeof inner,
                   "\"steps\": 60, \"optimizer\": { \"momentum-exact\": { " LR ", \"beta\": %s } }",
                   betas[i]);
    struct result stored = estimate("f64", inner, "\"unroll\"");
    struct result r = estimate("f64", inner, "{ \"unroll\": { \"reversible\": true } }");
    assert_same_bits(&r, &stored);
    free(r.estimate.hypergradient);
    free(stored.estimate.hypergradient);
  }
}

/* The exact arithmetic is momentum's, to the width of its grid: the state against the plain
 * recurrence, by the hypergradient against central differences. */
static void exact_momentum_is_momentum(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, PROBLEM, "f64",
               "\"steps\": 20, \"warm_start\": false, \"optimizer\": { \"momentum-exact\": { " LR
               ", \"beta\": 0.8 } }",
               "{ \"unroll\": { \"reversible\": true } }");
  struct problem_estimate e = harness_estimate(&h);
  harness_close(&h);
  for (int i = 0; i < 3; i++) {
    int64_t at = 31 + 7 * i; /* log_l2 has 31 elements, then come the rates */
    double value[2];
    for (int side = 0; side < 2; side++) {
      harness_open(&h, PROBLEM, "f64",
                   "\"steps\": 20, \"warm_start\": false, \"optimizer\": { \"momentum-exact\": "
                   "{ " LR ", \"beta\": 0.8 } }",
                   "{ \"unroll\": { \"reversible\": true } }");
      value[side] = harness_shifted_value(&h, "log_lr", 7 * i, side == 0 ? 1e-4 : -1e-4);
      harness_close(&h);
    }
    double difference = (value[0] - value[1]) / 2e-4;
    assert_true(fabs(difference) > 1e-6);
    assert_true(fabs(e.hypergradient[at] - difference) < 1e-5 * fabs(difference) + 1e-7);
  }
  free(e.hypergradient);
}

static void what_cannot_run_backwards(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, PROBLEM, "f64", optimizers[2], "{ \"unroll\": { \"reversible\": true } }");
  assert_fails(problem_step(h.problem), TIER_E_REFUSED, "momentum-exact");
  harness_close(&h);
  char text[4096];
  (void)snprintf(text, sizeof text, PROBLEM, "f32", optimizers[3], "\"unroll\"");
  assert_fails(harness_try(&h, text), TIER_E_UNSUPPORTED, "f64");
  harness_close(&h);
  (void)snprintf(text, sizeof text, PROBLEM, "f64", optimizers[3],
                 "{ \"unroll\": { \"reversible\": true, \"truncate\": 3 } }");
  assert_fails(harness_try(&h, text), TIER_E_INVALID, "exclude each other");
  harness_close(&h);
}

/* ---- the last steps ---- */

/* w_T = a + (1 - lr)^T (w_0 - a): K steps back, dw/da = 1 - (1 - lr)^K; the level stops by itself,
 * after a number of steps that is not known when the tape begins. */
static void last_steps_of_a_run_that_stops(void **state) {
  (void)state;
  static const struct {
    const char *estimator;
    int steps;
    double frames;
  } cases[] = {{"{ \"unroll\": { \"truncate\": 3 } }", 3, 3},
               {"{ \"unroll\": { \"truncate\": 1 } }", 1, 1},
               {"{ \"unroll\": { \"truncate\": 5000 } }", -1, 200},
               {"{ \"unroll\": { \"checkpoint\": 4 } }", -1, 6},
               {"\"unroll\"", -1, 200}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct harness h;
    harness_open(&h,
                 "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"
                 "  \"variables\": { \"w\": { \"init\": [3, 1] }, \"a\": 1 },"
                 "  \"objectives\": { \"f\": { \"l2\": { \"minus\": [\"w\", \"a\"] } },"
                 "    \"g\": { \"l2\": { \"minus\": [\"w\", [2, 5]] } } },"
                 "  \"levels\": [ { \"name\": \"inner\", \"minimize\": \"f\", \"over\": \"w\", "
                 "\"optimizer\": { \"sgd\": { \"lr\": 0.5 } }, \"warm_start\": false, \"steps\": "
                 "200, \"tolerance\": 0.01 },"
                 "    { \"name\": \"outer\", \"minimize\": \"g\", \"over\": \"a\", \"steps\": 1, "
                 "\"optimizer\": { \"sgd\": { \"lr\": 1 } }, \"through\": { \"inner\": %s } } ] }",
                 cases[i].estimator);
    struct problem_estimate e = harness_estimate(&h);
    int taken = (int)h.problem->levels[0].taken;
    assert_true(taken > 5 && taken < 20);
    int steps = cases[i].steps > 0 ? cases[i].steps : taken;
    double slope = harness_read(&h, "w", 0) - 2 + harness_read(&h, "w", 1) - 5;
    double expected = slope * (1 - pow(0.5, steps));
    assert_true(fabs(e.hypergradient[0] - expected) < 1e-13 * fabs(expected));
    assert_true(report(&h, "tape_bytes") == cases[i].frames * 2 * 64); /* w and g, in lines of 64 */
    free(e.hypergradient);
    harness_close(&h);
  }
}

/* Said, not died of. */
static void more_checkpoints_than_memory_holds(void **state) {
  (void)state;
  struct harness h;
  harness_open(
      &h,
      "{ \"tier\": 1, \"data\": {}, \"variables\": { \"w\": { \"shape\": [5000], \"init\": 1 }, "
      "\"a\": 0 }, \"objectives\": { \"f\": { \"l2\": { \"minus\": [\"w\", \"a\"] } }, \"g\": { "
      "\"l2\": \"w\" } }, \"levels\": [{ \"name\": \"in\", \"minimize\": \"f\", \"over\": \"w\", "
      "\"steps\": 1000000000000000, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }, { \"name\": "
      "\"out\", \"minimize\": \"g\", \"over\": \"a\", \"steps\": 1, \"optimizer\": { \"sgd\": { "
      "\"lr\": 0.1 } }, \"through\": { \"in\": { \"unroll\": { \"checkpoint\": "
      "1000000000000000 } } } }] }");
  assert_fails(problem_step(h.problem), TIER_E_MEMORY, "the tape of steps");
  harness_close(&h);
}

/* ---- forward ---- */

static void forward_is_reverse(void **state) {
  (void)state;
  static const char *const estimators[] = {"\"forward\"", "{ \"forward\": { \"block\": 5 } }",
                                           "{ \"forward\": { \"block\": 1000 } }"};
  for (size_t i = 0; i < sizeof optimizers / sizeof optimizers[0]; i++) {
    struct result stored = estimate("f64", optimizers[i], "\"unroll\"");
    for (int k = 0; k < 3; k++) {
      struct result r = estimate("f64", optimizers[i], estimators[k]);
      int64_t p = r.estimate.size;
      int64_t block = k == 0 ? 16 : k == 1 ? 5 : p;
      assert_true(relative_error(r.estimate.hypergradient, stored.estimate.hypergradient, p) <
                  1e-12);
      assert_int_equal(r.estimate.pullback.hvps, p * (STEPS - 1));
      assert_int_equal(r.estimate.pullback.cross, p * STEPS);
      assert_int_equal(all_gradients(&r),
                       all_gradients(&stored) + (p + block - 1) / block * (STEPS - 1));
      assert_true(r.bytes == 3 * stored.bytes / STEPS);
      free(r.estimate.hypergradient);
    }
    free(stored.estimate.hypergradient);
  }
}

static void forward_with_a_step_of_its_own(void **state) {
  (void)state;
  static const char *const step = "\"truncate\": 4, \"step\": { \"momentum\": { " LR " } }";
  char estimator[2][128];
  (void)snprintf(estimator[0], sizeof estimator[0], "{ \"unroll\": { %s } }", step);
  (void)snprintf(estimator[1], sizeof estimator[1], "{ \"forward\": { %s } }", step);
  struct result reverse = estimate("f64", optimizers[0], estimator[0]);
  struct result r = estimate("f64", optimizers[0], estimator[1]);
  assert_true(relative_error(r.estimate.hypergradient, reverse.estimate.hypergradient,
                             r.estimate.size) < 1e-12);
  free(r.estimate.hypergradient);
  free(reverse.estimate.hypergradient);
}

static void forward_refuses_many_inputs(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, PROBLEM, "f64", optimizers[0], "{ \"forward\": { \"most\": 30 } }");
  assert_fails(problem_step(h.problem), TIER_E_REFUSED, "use unroll");
  harness_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(binomial_counts),
      cmocka_unit_test(checkpoints_give_the_stored_bits),
      cmocka_unit_test(f32_checkpoints_give_the_stored_bits),
      cmocka_unit_test(checkpoints_in_bytes),
      cmocka_unit_test(a_thousand_steps),
      cmocka_unit_test(running_backwards),
      cmocka_unit_test(running_backwards_with_any_beta),
      cmocka_unit_test(exact_momentum_is_momentum),
      cmocka_unit_test(what_cannot_run_backwards),
      cmocka_unit_test(last_steps_of_a_run_that_stops),
      cmocka_unit_test(more_checkpoints_than_memory_holds),
      cmocka_unit_test(forward_is_reverse),
      cmocka_unit_test(forward_with_a_step_of_its_own),
      cmocka_unit_test(forward_refuses_many_inputs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Evolution strategies against exact gradients, within the errors that they state: their random
 * keys are fixed, so nothing flickers; and trial runs, of which nothing may stay. f64. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"
#include "problem/edges.h"

/* Everything is quadratic: w_T is linear in a, so evolution strategies have no bias at all. */
#define QUADRATIC                                                                                \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"                              \
  "  \"variables\": { \"w\": { \"init\": [3, 1, -2] }, \"a\": { \"init\": [0.3, -0.2, 1] } },"   \
  "  \"objectives\": { \"f\": [{ \"l2\": { \"minus\": [\"w\", \"a\"] } }, { \"times\": [0.2, { " \
  "\"l2\": { \"total\": \"w\" } }] }],"                                                          \
  "    \"g\": [{ \"l2\": { \"minus\": [\"w\", [1, 2, 3]] } }, { \"l2\": \"a\" }] },"             \
  "  \"levels\": [ { \"name\": \"inner\", \"minimize\": \"f\", \"over\": \"w\", %s },"           \
  "    { \"name\": \"outer\", \"minimize\": \"g\", \"over\": \"a\", \"steps\": 9, "              \
  "\"optimizer\": { \"sgd\": { \"lr\": 0 } }, \"through\": { \"inner\": %s } } ] }"

#define MOMENTUM "\"steps\": 3, \"optimizer\": { \"momentum\": { \"lr\": 0.1, \"beta\": 0.5 } }"

static double report(struct harness *h, const char *name) {
  const struct report_entry *entry = record_report(&h->problem->top->edges[0]->record, name);
  assert_non_null(entry);
  return entry->number;
}

static double distance(const double *a, const double *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return sqrt(sum);
}

static void es_is_unbiased(void **state) {
  (void)state;
  static const char *const starts[] = {MOMENTUM ", \"warm_start\": false", MOMENTUM};
  static const char *const judges[] = {"objective", "cotangent"};
  for (int i = 0; i < 4; i++) {
    struct harness h;
    char estimator[128];
    harness_open(&h, QUADRATIC, starts[i / 2], "\"unroll\"");
    struct problem_estimate exact = harness_estimate(&h);
    harness_close(&h);
    (void)snprintf(estimator, sizeof estimator,
                   "{ \"es\": { \"pairs\": 1000, \"sigma\": 0.5, \"judge\": \"%s\" } }",
                   judges[i % 2]);
    harness_open(&h, QUADRATIC, starts[i / 2], estimator);
    struct problem_estimate e = harness_estimate(&h);
    double error = distance(e.hypergradient, exact.hypergradient, 3);
    double stated = report(&h, "standard_error");
    assert_true(stated < 0.12 && error < 3 * stated);
    assert_int_equal(e.pullback.gradients, exact.pullback.gradients + 2000 * 3 - 1);
    assert_int_equal(e.pullback.values, i % 2 == 0 ? 2000 : 0);
    assert_int_equal(e.pullback.hvps + e.pullback.cross, 0);
    free(e.hypergradient);
    free(exact.hypergradient);
    harness_close(&h);
  }
}

/* Over many pullbacks, each with draws of its own: the mean, and that the error that each states is
 * the spread that they have. */
static void es_states_its_spread(void **state) {
  (void)state;
  enum { REPEATS = 300 };
  struct harness h;
  double mean[3] = {0};
  double squares = 0;
  double stated = 0;
  harness_open(&h, QUADRATIC, MOMENTUM ", \"warm_start\": false", "\"unroll\"");
  struct problem_estimate exact = harness_estimate(&h);
  harness_close(&h);
  harness_open(&h, QUADRATIC, MOMENTUM ", \"warm_start\": false", "{ \"es\": { \"pairs\": 6 } }");
  for (int i = 0; i < REPEATS; i++) {
    struct problem_estimate e = harness_estimate(&h);
    double error = distance(e.hypergradient, exact.hypergradient, 3);
    squares += error * error / REPEATS;
    stated += report(&h, "standard_error") * report(&h, "standard_error") / REPEATS;
    for (int k = 0; k < 3; k++) {
      mean[k] += e.hypergradient[k] / REPEATS;
    }
    free(e.hypergradient);
  }
  assert_true(fabs(stated / squares - 1) < 0.2);
  assert_true(distance(mean, exact.hypergradient, 3) < 3 * sqrt(squares / REPEATS));
  free(exact.hypergradient);
  harness_close(&h);
}

/* ---- persistent ---- */

enum { PIECES = 4 };

/* The sum of the top objective after each of the pieces, without its own dependence on a. */
static double sum_of_pieces(int element, double shift) {
  struct harness h;
  double sum = 0;
  harness_open(&h, QUADRATIC, MOMENTUM, "\"unroll\"");
  harness_write(&h, "a", element, harness_read(&h, "a", element) + shift);
  for (int t = 0; t < PIECES; t++) {
    tier_levels *levels = (tier_levels *)(void *)h.problem->facade;
    double value = 0;
    assert_ok(levels->api->solve_lower(levels));
    assert_ok(levels->api->value(levels, &value));
    sum += value;
  }
  harness_close(&h);
  return sum;
}

/* The sum of the hypergradients of the pieces. */
static void sum_of_estimates(const char *estimator, double *sum, double *error) {
  struct harness h;
  harness_open(&h, QUADRATIC, MOMENTUM, estimator);
  for (int k = 0; k < 3; k++) {
    sum[k] = 0;
  }
  *error = 0;
  for (int t = 0; t < PIECES; t++) {
    struct problem_estimate e = harness_estimate(&h);
    for (int k = 0; k < 3; k++) {
      sum[k] += e.hypergradient[k];
    }
    if (record_report(&h.problem->top->edges[0]->record, "standard_error") != NULL) {
      *error += report(&h, "standard_error"); /* the pieces are not independent */
    }
    free(e.hypergradient);
  }
  harness_close(&h);
}

static void pes_is_unbiased_over_the_whole_run(void **state) {
  (void)state;
  double exact[3];
  double sum[3];
  double error = 0;
  for (int k = 0; k < 3; k++) {
    exact[k] = (sum_of_pieces(k, 0.5) - sum_of_pieces(k, -0.5)); /* quadratic: no error */
  }
  sum_of_estimates("{ \"pes\": { \"pairs\": 2000, \"sigma\": 0.3 } }", sum, &error);
  assert_true(error < 1 && distance(sum, exact, 3) < 2 * error);
  double persistent = distance(sum, exact, 3);
  sum_of_estimates("{ \"es\": { \"pairs\": 2000, \"sigma\": 0.3 } }", sum, &error);
  assert_true(distance(sum, exact, 3) > 3 * (persistent + error)); /* each piece alone: biased */
  sum_of_estimates("{ \"pes\": { \"pairs\": 2000, \"sigma\": 0.3, \"horizon\": 1 } }", sum, &error);
  assert_true(distance(sum, exact, 3) > 3 * (persistent + error)); /* forgets at once */
}

/* The particles are state: a run that is saved and loaded ends with the same bits. */
static void pes_resumes(void **state) {
  (void)state;
  char path[] = "/tmp/tier-evolution-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  (void)close(fd);
  struct harness h;
  double ends[2];
  static const char *const estimator = "{ \"pes\": { \"pairs\": 3, \"horizon\": 5 } }";
  for (int broken = 0; broken < 2; broken++) {
    harness_open(&h, QUADRATIC, MOMENTUM, estimator);
    for (int t = 0; t < 7; t++) {
      if (broken && t == 3) {
        assert_ok(problem_save(h.problem, path));
        harness_close(&h);
        harness_open(&h, QUADRATIC, MOMENTUM, estimator);
        assert_ok(problem_load(h.problem, path, 0));
      }
      assert_ok(problem_step(h.problem));
    }
    ends[broken] = vector_interface.norm(h.problem->top->gradient);
    harness_close(&h);
  }
  assert_true(ends[0] == ends[1] && ends[0] > 0);
  (void)unlink(path);
}

/* ---- trials ---- */

#define BATCHES                                                                                   \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"                                             \
  "  \"data\": { \"pool\": { \"linear-problem\": { \"rows\": 60, \"features\": 4, \"noise\": "    \
  "0.5 } }, \"train\": [\"pool\", { \"take\": 40 }], \"val\": [\"pool\", { \"skip\": 40 }] },"    \
  "  \"variables\": { \"net\": { \"mlp\": { \"layers\": [4, 5, 1], \"activation\": \"tanh\" } }," \
  "    \"bias\": { \"init\": { \"exp\": \"log_l2\" } }, \"log_l2\": -3 },"                        \
  "  \"objectives\": { \"training\": ["                                                           \
  "      { \"mse\": { \"of\": { \"sum\": [{ \"net\": \"train.x\" }, \"bias\"] }, \"target\": "    \
  "\"train.y\" } },"                                                                              \
  "      { \"times\": [{ \"exp\": \"log_l2\" }, { \"l2\": \"net\" }] }],"                         \
  "    \"validation\": { \"mse\": { \"of\": { \"sum\": [{ \"net\": \"val.x\" }, \"bias\"] }, "    \
  "\"target\": \"val.y\" } } },"                                                                  \
  "  \"levels\": ["                                                                               \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": [\"net\", \"bias\"], %s },"   \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": \"log_l2\","                \
  "      \"through\": { \"inner\": %s }, \"optimizer\": { \"sgd\": { \"lr\": %s } }, \"steps\": " \
  "5 }] }"

static const char *const inners[] = {
    "\"steps\": 5, \"batch\": 7, \"optimizer\": { \"adam\": { \"lr\": 0.05 } }",
    "\"steps\": 5, \"batch\": 7, \"optimizer\": { \"momentum\": { \"lr\": 0.05 } }, "
    "\"warm_start\": \"variables\"",
    "\"steps\": 5, \"batch\": 7, \"optimizer\": { \"sgd\": { \"lr\": 0.05 } }, \"warm_start\": "
    "false",
    "\"steps\": 9, \"optimizer\": \"lbfgs\", \"tolerance\": 1e-3"};

/* A trial at the same inputs ends where the run did; at others elsewhere, and then, at the same
 * ones, again there. */
static void a_trial_repeats_the_run(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof inners / sizeof inners[0]; i++) {
    struct harness h;
    harness_open(&h, BATCHES, inners[i], "\"es\"", "0.1");
    assert_ok(problem_step(h.problem));
    tier_levels *levels = (tier_levels *)(void *)h.problem->facade;
    assert_ok(levels->api->solve_lower(levels));
    tier_edge *e = h.problem->top->edges[0];
    int64_t n = problem_interface.size(e);
    tier_vector *shift = vector_new(1);
    tier_vector *w = vector_new(n);
    tier_vector *s = vector_new(problem_interface.optimizer_state(e));
    for (int k = 0; k < 3; k++) {
      vector_interface.fill(shift, k == 1 ? 0.5 : 0);
      assert_ok(problem_interface.trial(e, &e->record, shift, 0, w, s));
      const tier_vector *solution = problem_interface.solution(&e->record);
      int same = memcmp(w->data, solution->data, (size_t)n * sizeof(double)) == 0;
      assert_true(same == (k != 1));
    }
    vector_free(shift);
    vector_free(w);
    vector_free(s);
    harness_close(&h);
  }
}

/* The saved states of runs with and without trials differ in the counts of calls, and in what the
 * estimators found (the top level does not move). */
static void nothing_stays_of_a_trial(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof inners / sizeof inners[0]; i++) {
    double ends[2][3];
    for (int with = 0; with < 2; with++) {
      struct harness h;
      harness_open(&h, BATCHES, inners[i], with ? "{ \"es\": { \"pairs\": 2 } }" : "\"cg\"", "0");
      for (int t = 0; t < 4; t++) {
        assert_ok(problem_step(h.problem));
      }
      struct level *inner = &h.problem->levels[0];
      ends[with][0] = vector_interface.norm(inner->w);
      ends[with][1] = (double)inner->draws;
      ends[with][2] = inner->state != NULL ? vector_interface.norm(inner->state) : inner->value;
      assert_true(harness_read(&h, "log_l2", 0) == -3);
      harness_close(&h);
    }
    assert_memory_equal(ends[0], ends[1], sizeof ends[0]);
  }
}

static void what_has_no_trials(void **state) {
  (void)state;
  struct harness h;
  for (int i = 2; i < 4; i++) { /* a fresh start; a procedural optimizer */
    harness_open(&h, BATCHES, inners[i], "\"pes\"", "0.1");
    assert_ok(problem_step(h.problem));
    assert_fails(problem_step(h.problem), TIER_E_REFUSED, "does not go on");
    harness_close(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(es_is_unbiased),
      cmocka_unit_test(es_states_its_spread),
      cmocka_unit_test(pes_is_unbiased_over_the_whole_run),
      cmocka_unit_test(pes_resumes),
      cmocka_unit_test(a_trial_repeats_the_run),
      cmocka_unit_test(nothing_stays_of_a_trial),
      cmocka_unit_test(what_has_no_trials),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

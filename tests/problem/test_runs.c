/* How runs go on and end: solvers without gradients, budgets, guards, tolerances, warm starts,
 * measures; and that a saved state goes on to the same bytes. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "harness.h"
#include "problem/levels.h"

static char *saved(struct harness *h, size_t *size) {
  char path[] = "/tmp/tier-runs-XXXXXX";
  int fd = mkstemp(path);
  char *data = NULL;
  assert_true(fd >= 0);
  (void)close(fd);
  assert_ok(problem_save(h->problem, path));
  assert_ok(file_read(path, (size_t)1 << 30, &data, size));
  (void)unlink(path);
  return data;
}

struct wanted {
  const char *name;
  double value;
};

static void on_number(void *context, const char *name, double value) {
  struct wanted *w = context;
  w->value = strcmp(name, w->name) == 0 ? value : w->value;
}

/* A number of the last step; NaN if it says none of that name. */
static double number(struct harness *h, const char *name) {
  struct wanted w = {name, NAN};
  problem_numbers(h->problem, on_number, &w);
  return w.value;
}

/* ---- two quadratics: w* = t, the upper optimum at t = 2 ---- */

#define QUADRATICS                                                                           \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"                          \
  "  \"variables\": { \"w\": { \"init\": [0.5, -1] }, \"t\": 5 },"                           \
  "  \"objectives\": { \"near\": { \"l2\": { \"minus\": [\"w\", \"t\"] } },"                 \
  "    \"far\": { \"l2\": { \"minus\": [\"w\", 2] } } },"                                    \
  "  \"levels\": ["                                                                          \
  "    { \"name\": \"inner\", \"minimize\": \"near\", \"over\": \"w\", %s },"                \
  "    { \"name\": \"outer\", \"minimize\": \"far\", \"over\": \"t\", %s, \"optimizer\": { " \
  "\"sgd\": { \"lr\": 0.3 } } }] %s }"

#define SOLVED "\"optimizer\": \"lbfgs\", \"steps\": 100, \"tolerance\": 1e-12"
#define STEPS "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, \"steps\": 4"

static int64_t run_to_end(struct harness *h) {
  while (problem_end(h->problem) == NULL) {
    assert_ok(problem_step(h->problem));
    assert_true(problem_done(h->problem) < 1000);
  }
  return problem_done(h->problem);
}

/* ---- solvers without gradients ---- */

/* The best of the points tried is left behind, with the lower solution that belongs to it. */
static void check_search(const char *solver, int64_t points) {
  struct harness h;
  char more[256];
  double best = INFINITY;
  double t = 0;
  double w = 0;
  (void)snprintf(more, sizeof more, ", \"solver\": %s", solver);
  harness_open(&h, QUADRATICS, STEPS, "\"steps\": 3", more);
  assert_int_equal(problem_steps(h.problem), points);
  for (int64_t i = 0; i < points; i++) {
    assert_true(problem_end(h.problem) == NULL);
    assert_ok(problem_step(h.problem));
    double value = number(&h, "outer.loss");
    /* each point starts afresh: w = t + 0.9^4 (start - t) */
    double now = harness_read(&h, "t", 0);
    double expected = now + pow(0.9, 4) * (0.5 - now);
    assert_true(fabs(harness_read(&h, "w", 0) - expected) < 1e-12);
    if (value < best) {
      best = value;
      t = now;
      w = harness_read(&h, "w", 0);
    }
  }
  assert_string_equal(problem_end(h.problem), "steps");
  assert_true(harness_read(&h, "t", 0) != t); /* the last point is not the best */
  assert_ok(problem_finish(h.problem));
  assert_true(harness_read(&h, "t", 0) == t);
  assert_true(harness_read(&h, "w", 0) == w);
  assert_true(number(&h, "outer.loss") == best);
  assert_true(isnan(number(&h, "outer.gradient_norm"))); /* none was computed */
  assert_int_equal(problem_ledger(h.problem).values, points + 1);
  harness_close(&h);
}

static void searches_find_their_best(void **state) {
  (void)state;
  check_search("{ \"grid\": { \"from\": -1, \"to\": 8, \"points\": 10 } }", 10);
  check_search("{ \"random-search\": { \"from\": -1, \"to\": 8, \"points\": 12 } }", 12);
}

/* A restart gives every lower variable its initial value again, in order of what they read. */
static void restart_follows_what_init_reads(void **state) {
  (void)state;
  struct harness h;
  harness_open(
      &h,
      "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"
      "  \"variables\": { \"w\": { \"init\": { \"times\": [2, \"v\"] } }, \"v\": { \"init\": { "
      "\"sum\": [\"net\", \"t\"] } }, \"net\": { \"linear\": [2, 1] }, \"t\": 5 },"
      "  \"objectives\": { \"near\": [{ \"l2\": \"w\" }, { \"l2\": \"v\" }, { \"l2\": \"net\" }],"
      "    \"far\": [{ \"l2\": { \"minus\": [\"w\", 2] } }, { \"l2\": \"t\" }] },"
      "  \"levels\": ["
      "    { \"name\": \"inner\", \"minimize\": \"near\", \"over\": [\"w\", \"v\", \"net\"], " STEPS
      " }, { \"name\": \"outer\", \"minimize\": \"far\", \"over\": \"t\", \"steps\": 1 }],"
      "  \"solver\": { \"grid\": { \"from\": 5, \"to\": 7, \"points\": 2 } } }");
  double net = harness_read(&h, "net", 1);
  assert_true(net != 0);
  for (int i = 0; i < 2; i++) {
    assert_true(harness_read(&h, "v", 1) == net + 5);
    assert_true(harness_read(&h, "w", 1) == 2 * (net + 5));
    assert_ok(problem_step(h.problem));
    assert_true(harness_read(&h, "net", 1) != net);
    harness_write(&h, "t", 0, 5);
    tier_levels *levels = (tier_levels *)(void *)h.problem->facade;
    assert_ok(levels->api->restart(levels));
    assert_true(harness_read(&h, "net", 1) == net);
  }
  harness_close(&h);
}

/* ---- ends ---- */

static void budgets_end_a_run(void **state) {
  (void)state;
  static const struct {
    const char *budget, *end;
    int64_t steps;
  } cases[] = {{"\"gradients\": 11", "budget: gradients", 2}, /* 4 + 1 + 1 a step */
               {"\"hvps\": 9", "budget: hvps", 3},            /* 4 a step */
               {"\"cross\": 4", "budget: cross", 1},          /* 4 a step */
               {"\"values\": 1", NULL, 20},                   /* none */
               {"\"seconds\": 0", "budget: seconds", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct harness h;
    char more[128];
    (void)snprintf(more, sizeof more, ", \"budget\": { %s }", cases[i].budget);
    harness_open(&h, QUADRATICS, STEPS, "\"through\": { \"inner\": \"unroll\" }, \"steps\": 20",
                 more);
    int64_t done = run_to_end(&h);
    if (done != cases[i].steps ||
        strcmp(problem_end(h.problem), cases[i].end ? cases[i].end : "steps") != 0) {
      fail_test("%s: %d steps, \"%s\"", cases[i].budget, (int)done, problem_end(h.problem));
    }
    harness_close(&h);
  }
}

static void budget_of_samples(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h,
               "{ \"tier\": 1, \"data\": { \"d\": { \"linear-problem\": { \"rows\": 30, "
               "\"features\": 2 } } }, \"variables\": { \"net\": { \"linear\": [2, 1] } },"
               "  \"objectives\": { \"f\": { \"mse\": { \"of\": { \"net\": \"d.x\" }, "
               "\"target\": \"d.y\" } } },"
               "  \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", "
               "\"batch\": 7, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }],"
               "  \"budget\": { \"samples\": 50 } }");
  assert_int_equal(problem_steps(h.problem), -1);
  assert_int_equal(run_to_end(&h), 8); /* 7 a step */
  assert_string_equal(problem_end(h.problem), "budget: samples");
  harness_close(&h);
}

/* The lower level stops early, the top level ends; a state saved after that has ended, too. */
static void tolerances(void **state) {
  (void)state;
  struct harness h;
  char path[] = "/tmp/tier-runs-XXXXXX";
  int fd = mkstemp(path);
  const char *inner =
      "\"optimizer\": { \"sgd\": { \"lr\": 0.5 } }, \"steps\": 90, \"tolerance\": 1e-3";
  const char *outer = "\"through\": { \"inner\": \"cg\" }, \"steps\": 500, \"tolerance\": 1e-2";
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&h, QUADRATICS, inner, outer, "");
  assert_ok(problem_step(h.problem));
  assert_true(number(&h, "inner.steps") > 3 && number(&h, "inner.steps") < 20);
  assert_true(number(&h, "inner.gradient_norm") < 1e-3);
  assert_int_equal(problem_level_ledger(h.problem, 0).gradients,
                   (int64_t)number(&h, "inner.steps") + 2); /* one that stops, one that reports */
  int64_t done = run_to_end(&h);
  assert_string_equal(problem_end(h.problem), "tolerance");
  assert_true(done < 50 && fabs(harness_read(&h, "t", 0) - 2) < 0.02);
  assert_ok(problem_save(h.problem, path));
  harness_close(&h);
  harness_open(&h, QUADRATICS, inner, outer, "");
  assert_ok(problem_load(h.problem, path, 0));
  assert_string_equal(problem_end(h.problem), "tolerance");
  harness_close(&h);
  (void)unlink(path);
}

/* ---- guards ---- */

/* The step fails with these words, and nothing that it was to move has moved. */
static void check_guard(const char *objective, const char *optimizer, int32_t code,
                        const char *const *words) {
  struct harness h;
  harness_open(&h,
               "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"
               "  \"variables\": { \"calm\": 1, \"wild\": { \"init\": [2, 3] } },"
               "  \"objectives\": { \"f\": [{ \"l2\": \"calm\" }, %s] },"
               "  \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": [\"calm\", "
               "\"wild\"], \"optimizer\": %s, \"steps\": 9 }], \"guards\": { \"divergence\": 1e6 } "
               "}",
               objective, optimizer);
  int32_t status = TIER_OK;
  double before = 0;
  for (int i = 0; i < 9 && status == TIER_OK; i++) {
    before = harness_read(&h, "wild", 0);
    status = problem_step(h.problem);
  }
  assert_int_equal(status, code);
  for (size_t i = 0; words[i] != NULL; i++) {
    if (strstr(error_text(), words[i]) == NULL) {
      fail_test("\"%s\" does not say \"%s\"", error_text(), words[i]);
    }
  }
  assert_true(harness_read(&h, "wild", 0) == before);
  harness_close(&h);
}

static void guards_stop_before_the_update(void **state) {
  (void)state;
  const char *sgd = "{ \"sgd\": { \"lr\": 1 } }";
  /* log 0; then -9 wild^2, where each step multiplies wild by 19: -117 * 361^k; then long steps */
  check_guard("{ \"total\": { \"log\": { \"minus\": [\"wild\", 2] } } }", sgd, TIER_E_NONFINITE,
              (const char *const[]){"level \"fit\"", "\"f\"", "\"wild\"", "step 0", NULL});
  check_guard("{ \"minus\": [0, { \"total\": { \"times\": [9, \"wild\", \"wild\"] } }] }", sgd,
              TIER_E_DIVERGED,
              (const char *const[]){"level \"fit\"", "objective is", "step 2", NULL});
  check_guard("{ \"times\": [1e-3, { \"total\": \"wild\" }] }", "{ \"sgd\": { \"lr\": 1e10 } }",
              TIER_E_DIVERGED, (const char *const[]){"level \"fit\"", "update", "step 0", NULL});
  check_guard("{ \"times\": [1e10, { \"minus\": [{ \"total\": \"wild\" }, 5] }] }",
              "{ \"sgd\": { \"lr\": 1e300 } }", TIER_E_NONFINITE,
              (const char *const[]){"level \"fit\"", "\"wild\"", "step 0", NULL});
  check_guard("{ \"total\": { \"log\": { \"minus\": [\"wild\", 9] } } }", "\"lbfgs\"",
              TIER_E_NONFINITE, (const char *const[]){"level \"fit\"", NULL});
  check_guard("{ \"sum\": [2e6, { \"l2\": \"wild\" }] }", "\"lbfgs\"", TIER_E_DIVERGED,
              (const char *const[]){"level \"fit\"", "objective is", NULL});
}

/* ---- stationarity ---- */

static void open_stationarity(struct harness *h, const char *mode, const char *inner) {
  char more[64];
  (void)snprintf(more, sizeof more, ", \"guards\": { \"stationarity\": \"%s\" }", mode);
  harness_open(h, QUADRATICS, inner, "\"through\": { \"inner\": \"cg\" }, \"steps\": 5", more);
}

static void stationarity_modes(void **state) {
  (void)state;
  struct harness h;
  const char *with_tolerance = STEPS ", \"tolerance\": 1e-3";
  open_stationarity(&h, "off", STEPS);
  assert_ok(problem_step(h.problem));
  assert_null(problem_warnings(h.problem));
  harness_close(&h);

  open_stationarity(&h, "warn", STEPS);
  assert_ok(problem_step(h.problem));
  char *warning = problem_warnings(h.problem);
  assert_non_null(strstr(warning, "level \"inner\" is not solved"));
  free(warning);
  assert_ok(problem_step(h.problem));
  assert_null(problem_warnings(h.problem)); /* said once */
  harness_close(&h);

  open_stationarity(&h, "warn", SOLVED);
  assert_ok(problem_step(h.problem));
  assert_null(problem_warnings(h.problem));
  harness_close(&h);

  open_stationarity(&h, "stop", STEPS);
  double before = harness_read(&h, "t", 0);
  assert_fails(problem_step(h.problem), TIER_E_REFUSED, "is not solved");
  assert_true(harness_read(&h, "t", 0) == before);
  harness_close(&h);

  /* ten times as many steps are too few here ... */
  open_stationarity(&h, "solve", with_tolerance);
  assert_ok(problem_step(h.problem));
  warning = problem_warnings(h.problem);
  assert_non_null(strstr(warning, "is not solved"));
  assert_int_equal((int)number(&h, "inner.steps"), 44);
  free(warning);
  harness_close(&h);

  /* ... and enough here */
  open_stationarity(
      &h, "solve",
      "\"optimizer\": { \"sgd\": { \"lr\": 0.3 } }, \"steps\": 4, \"tolerance\": 1e-3");
  assert_ok(problem_step(h.problem));
  assert_null(problem_warnings(h.problem));
  assert_true(number(&h, "inner.gradient_norm") < 1e-3);
  assert_true(number(&h, "inner.steps") > 4);
  harness_close(&h);
}

/* ---- warm starts ---- */

/* w after two steps of the parent, which moves nothing, each 3 steps of momentum (velocity d). */
static void check_warm_start(const char *warm, int keep_w, int keep_d) {
  struct harness h;
  char inner[256];
  double w = 0.5;
  double d = 0;
  (void)snprintf(inner, sizeof inner,
                 "\"optimizer\": { \"momentum\": { \"lr\": 0.1, \"beta\": 0.5 } }, \"steps\": 3, "
                 "\"warm_start\": %s",
                 warm);
  harness_open(&h,
               "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"
               "  \"variables\": { \"w\": 0.5, \"t\": 5 },"
               "  \"objectives\": { \"near\": { \"l2\": { \"minus\": [\"w\", \"t\"] } }, \"far\": "
               "[{ \"l2\": \"w\" }, { \"l2\": \"t\" }] },"
               "  \"levels\": [{ \"name\": \"inner\", \"minimize\": \"near\", \"over\": \"w\", %s "
               "}, { \"name\": \"outer\", \"minimize\": \"far\", \"over\": \"t\", \"optimizer\": "
               "\"none\", \"steps\": 2 }] }",
               inner);
  for (int run = 0; run < 2; run++) {
    w = keep_w ? w : 0.5;
    d = keep_d ? d : 0;
    for (int k = 0; k < 3; k++) {
      d = 0.5 * d - 0.1 * (w - 5);
      w += d;
    }
    assert_ok(problem_step(h.problem));
    assert_true(fabs(harness_read(&h, "w", 0) - w) < 1e-13);
  }
  harness_close(&h);
}

static void warm_starts(void **state) {
  (void)state;
  check_warm_start("true", 1, 1);
  check_warm_start("\"variables\"", 1, 0);
  check_warm_start("false", 0, 0);
}

/* Drawn anew: another start each time, and the same ones in every run. */
static void random_restarts(void **state) {
  (void)state;
  double starts[2][2];
  for (int run = 0; run < 2; run++) {
    struct harness h;
    harness_open(&h,
                 "{ \"tier\": 1, \"data\": {}, \"variables\": { \"net\": { \"linear\": [2, 1] "
                 "}, \"t\": 5 },"
                 "  \"objectives\": { \"near\": { \"l2\": \"net\" }, \"far\": { \"l2\": "
                 "\"t\" } },"
                 "  \"levels\": [{ \"name\": \"inner\", \"minimize\": \"near\", \"over\": "
                 "\"net\", \"warm_start\": false, \"optimizer\": \"none\" },"
                 "    { \"name\": \"outer\", \"minimize\": \"far\", \"over\": \"t\", "
                 "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, \"steps\": 2 }] }");
    for (int k = 0; k < 2; k++) {
      assert_ok(problem_step(h.problem));
      starts[run][k] = harness_read(&h, "net", 0);
    }
    harness_close(&h);
  }
  assert_true(starts[0][0] != starts[0][1]);
  assert_true(starts[0][0] == starts[1][0] && starts[0][1] == starts[1][1]);
}

/* ---- no rows ---- */

#define NO_ROWS                                                                                  \
  "{ \"tier\": 1, \"data\": { \"pool\": { \"digits\": { \"rows\": 20 } },"                       \
  "    \"none\": [\"pool\", { \"label-noise\": 0 }, { \"where\": \"wrong\" }] },"                \
  "  \"variables\": { \"net\": { \"linear\": [784, 10] }, \"belief\": { \"per\": \"none\", "     \
  "\"init\": 1 }, \"a\": 1 },"                                                                   \
  "  \"objectives\": { \"f\": [{ \"times\": [\"a\", { \"l2\": \"net\" }] }, { \"times\": "       \
  "[\"belief\", { \"cross-entropy\": { \"logits\": { \"net\": \"none.x\" }, \"labels\": "        \
  "\"none.y\" } }] }], \"g\": [{ \"l2\": \"net\" }, { \"l2\": \"belief\" }] },"                  \
  "  \"levels\": [{ \"name\": \"inner\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 5, " \
  "%s \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }, { \"name\": \"outer\", \"minimize\": "      \
  "\"g\", \"over\": [\"a\", \"belief\"], \"steps\": 3, \"through\": { \"inner\": \"unroll\" }, " \
  "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }],"                                              \
  "  \"metrics\": { \"m\": { \"cross-entropy\": { \"logits\": { \"net\": \"none.x\" }, "         \
  "\"labels\": \"none.y\" } } } }"

/* Their mean is 0; a batch of them is refused. */
static void data_without_rows(void **state) {
  (void)state;
  struct harness h;
  double value = 1;
  harness_open(&h, NO_ROWS, "");
  assert_int_equal(run_to_end(&h), 3);
  assert_ok(problem_metric(h.problem, 0, &value));
  assert_true(value == 0);
  assert_true(number(&h, "inner.loss.1") == 0 && number(&h, "inner.loss.0") > 0);
  harness_close(&h);
  char *text = memory_format(NO_ROWS, "\"batch\": 3,");
  assert_fails(harness_try(&h, text), TIER_E_INVALID, "batch of 3 rows from data \"none\"");
  free(text);
  harness_close(&h);
}

/* ---- saved states ---- */

#define SAVED                                                                                    \
  "{ \"tier\": 1, \"seeds\": 2, \"data\": { \"pool\": { \"linear-problem\": { \"rows\": 60, "    \
  "\"features\": 4, \"noise\": 0.5 } }, \"train\": [\"pool\", { \"take\": 40 }], \"val\": "      \
  "[\"pool\", { \"skip\": 40 }] },"                                                              \
  "  \"variables\": { \"net\": { \"linear\": [4, 1] }, \"log_l2\": { \"init\": [-2, -2] } },"    \
  "  \"objectives\": { \"training\": [{ \"mse\": { \"of\": { \"net\": \"train.x\" }, "           \
  "\"target\": \"train.y\" } }, { \"times\": [{ \"exp\": { \"total\": \"log_l2\" } }, { "        \
  "\"l2\": \"net\" }] }], \"validation\": { \"mse\": { \"of\": { \"net\": \"val.x\" }, "         \
  "\"target\": \"val.y\" } } },"                                                                 \
  "  \"levels\": [{ \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"net\", %s },"   \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": \"log_l2\", \"batch\": 9," \
  "      \"through\": { \"inner\": %s }, \"optimizer\": { \"adam\": { \"lr\": 0.1 } }, "         \
  "\"steps\": 6 }] %s }"

/* Bytes of the state after 6 steps; with `broken`, saved and loaded elsewhere after 3. */
static char *six_steps(const char *const *c, int broken, size_t *size) {
  struct harness h;
  char path[] = "/tmp/tier-runs-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&h, SAVED, c[0], c[1], c[2]);
  for (int i = 0; i < 6; i++) {
    if (broken && i == 3) {
      assert_ok(problem_save(h.problem, path));
      harness_close(&h);
      harness_open(&h, SAVED, c[0], c[1], c[2]);
      assert_ok(problem_step(h.problem));
      assert_ok(problem_load(h.problem, path, 0));
    }
    assert_ok(problem_step(h.problem));
  }
  char *data = saved(&h, size);
  harness_close(&h);
  (void)unlink(path);
  return data;
}

static void saved_states_go_on_alike(void **state) {
  (void)state;
  static const char *const cases[][3] = {
      {SOLVED, "{ \"cg\": { \"iterations\": 2, \"start\": \"previous\" } }", ""},
      {SOLVED ", \"warm_start\": \"variables\"", "\"dense\"", ""},
      {STEPS ", \"batch\": 10", "{ \"neumann\": { \"terms\": 3 } }", ""},
      {STEPS ", \"batch\": 10, \"warm_start\": false", "\"one-step\"", ""},
      {"\"optimizer\": { \"adam\": { \"lr\": 0.1 } }, \"steps\": 3, \"batch\": 10",
       "{ \"unroll\": { \"truncate\": 2 } }", ""},
      {"\"optimizer\": { \"nesterov\": { \"lr\": 0.1 } }, \"steps\": 3, \"batch\": 10", "\"cg\"",
       ", \"solver\": { \"random-search\": { \"from\": -3, \"to\": 0 } }"},
      {STEPS, "\"cg\"", ", \"solver\": { \"grid\": { \"from\": -3, \"to\": 0, \"points\": 3 } }"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t sizes[2];
    char *unbroken = six_steps(cases[i], 0, &sizes[0]);
    char *broken = six_steps(cases[i], 1, &sizes[1]);
    if (sizes[0] != sizes[1] || memcmp(unbroken, broken, sizes[0]) != 0) {
      fail_test("%s, %s%s: another state", cases[i][0], cases[i][1], cases[i][2]);
    }
    free(unbroken);
    free(broken);
  }
}

/* ---- measures ---- */

/* A metric on all rows, the same on other data, a gradient; none of them leaves a trace. */
static void measures_leave_no_trace(void **state) {
  (void)state;
  struct harness h;
  double numbers[3];
  size_t sizes[2];
  harness_open(&h, SAVED, STEPS ", \"batch\": 10", "\"unroll\"",
               ", \"metrics\": { \"train\": { \"mse\": { \"of\": { \"net\": \"train.x\" }, "
               "\"target\": \"train.y\" } },"
               "    \"val\": { \"value\": { \"mse\": { \"of\": { \"net\": \"train.x\" }, "
               "\"target\": \"train.y\" } }, \"on\": { \"train\": \"val\" } },"
               "    \"slope\": { \"total\": \"log_l2.gradient\" } }");
  assert_ok(problem_step(h.problem));
  char *before = saved(&h, &sizes[0]);
  for (size_t i = 0; i < 3; i++) {
    assert_ok(problem_metric(h.problem, i, &numbers[i]));
  }
  char *after = saved(&h, &sizes[1]);
  assert_int_equal(sizes[0], sizes[1]);
  assert_memory_equal(before, after, sizes[0]);
  for (size_t i = 0; i < 2; i++) {
    const struct held_data *d = &h.problem->data[i + 1];
    const float *x = d->fields[0].values;
    const float *y = d->fields[1].values;
    double sum = 0;
    for (int64_t r = 0; r < d->rows; r++) {
      double fit = harness_read(&h, "net", 4);
      for (int64_t k = 0; k < 4; k++) {
        fit += (double)x[r * 4 + k] * harness_read(&h, "net", k);
      }
      sum += (fit - (double)y[r]) * (fit - (double)y[r]);
    }
    assert_true(fabs(numbers[i] - sum / (double)d->rows) < 1e-5 * numbers[i]);
  }
  double slope[2];
  vector_interface.read(h.problem->top->gradient, 0, 2, slope);
  assert_true(slope[0] != 0 && fabs(numbers[2] - (slope[0] + slope[1])) < 1e-6 * fabs(numbers[2]));
  free(before);
  free(after);
  harness_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(searches_find_their_best),
      cmocka_unit_test(restart_follows_what_init_reads),
      cmocka_unit_test(budgets_end_a_run),
      cmocka_unit_test(budget_of_samples),
      cmocka_unit_test(tolerances),
      cmocka_unit_test(guards_stop_before_the_update),
      cmocka_unit_test(stationarity_modes),
      cmocka_unit_test(warm_starts),
      cmocka_unit_test(random_restarts),
      cmocka_unit_test(data_without_rows),
      cmocka_unit_test(saved_states_go_on_alike),
      cmocka_unit_test(measures_leave_no_trace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Implicit differentiation with every linear solver and both ways, in whole problems; f64. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "harness.h"

/* Ridge: the lower level's Hessian is 2/n X^T X + exp(log_l2) I, 21 weights. */
#define RIDGE                                                                                      \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"                                              \
  "  \"data\": { \"pool\": { \"linear-problem\": { \"rows\": 200, \"features\": 20, "              \
  "\"noise\": 0.5 } },"                                                                            \
  "    \"train\": [\"pool\", { \"take\": 100 }], \"val\": [\"pool\", { \"skip\": 100 }] },"        \
  "  \"variables\": { \"ridge\": { \"linear\": [20, 1] }, \"log_l2\": 0 },"                        \
  "  \"objectives\": {"                                                                            \
  "    \"training\": [{ \"mse\": { \"of\": { \"ridge\": \"train.x\" }, \"target\": \"train.y\" } " \
  "},"                                                                                             \
  "      { \"times\": [{ \"exp\": \"log_l2\" }, { \"l2\": \"ridge\" }] }],"                        \
  "    \"validation\": { \"mse\": { \"of\": { \"ridge\": \"val.x\" }, \"target\": \"val.y\" } } "  \
  "},"                                                                                             \
  "  \"levels\": ["                                                                                \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"ridge\", %s },"              \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": \"log_l2\", "                \
  "\"through\": { \"inner\": %s },"                                                                \
  "      \"optimizer\": { \"adam\": { \"lr\": 0.1 } }, \"steps\": 5 }] }"

/* Softmax regression with a trust for each row: the digits, 7850 weights are too many for dense, so
 * features are drawn: 24 of them, 10 classes, 250 weights. */
#define SOFTMAX                                                                                  \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"                                            \
  "  \"data\": { \"pool\": { \"digits\": { \"rows\": 160 } },"                                   \
  "    \"train\": [\"pool\", { \"take\": 80 }], \"val\": [\"pool\", { \"skip\": 80 }] },"        \
  "  \"variables\": { \"features\": { \"linear\": [784, 24] }, \"net\": { \"linear\": [24, 10] " \
  "}, \"trust\": { \"per\": \"train\", \"init\": 0.3 }, \"log_l2\": -3 },"                       \
  "  \"objectives\": {"                                                                          \
  "    \"training\": [{ \"times\": [{ \"sigmoid\": \"trust\" }, { \"cross-entropy\": { "         \
  "\"logits\": { \"net\": { \"tanh\": { \"features\": \"train.x\" } } }, \"labels\": "           \
  "\"train.y\" } }] },"                                                                          \
  "      { \"times\": [{ \"exp\": \"log_l2\" }, { \"l2\": \"net\" }] }],"                        \
  "    \"validation\": { \"cross-entropy\": { \"logits\": { \"net\": { \"tanh\": { "             \
  "\"features\": \"val.x\" } } }, \"labels\": \"val.y\" } } },"                                  \
  "  \"levels\": ["                                                                              \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"net\", %s },"              \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": [\"trust\", \"log_l2\"], " \
  "\"through\": { \"inner\": %s },"                                                              \
  "      \"optimizer\": { \"adam\": { \"lr\": 0.1 } }, \"steps\": 2 }] }"

#define LBFGS "\"optimizer\": \"lbfgs\", \"steps\": 3000, \"tolerance\": 1e-13"
#define SOLVED_BY(optimizer) "\"optimizer\": " optimizer ", \"steps\": 6000, \"tolerance\": 1e-13"

enum task { ON_RIDGE, ON_SOFTMAX };

/* The hypergradient; free() it. */
static double *hypergradient(enum task task, const char *inner, const char *estimator, int64_t *n) {
  struct harness h;
  harness_open(&h, task == ON_RIDGE ? RIDGE : SOFTMAX, inner, estimator);
  struct problem_estimate e = harness_estimate(&h);
  *n = e.size;
  harness_close(&h);
  return e.hypergradient;
}

static void check_against(enum task task, const char *inner, const char *estimator,
                          const char *reference_inner, const char *reference, double bound) {
  int64_t n = 0;
  double *expected = hypergradient(task, reference_inner, reference, &n);
  double *found = hypergradient(task, inner, estimator, &n);
  double error = relative_error(found, expected, n);
  if (!(error <= bound)) {
    fail_test("%s: relative error %g, bound %g", estimator, error, bound);
  }
  free(expected);
  free(found);
}

/* dense is held to the closed form in test_hypergradients.c. */
static void every_solver_agrees_with_dense(void **state) {
  (void)state;
  static const struct {
    const char *estimator;
    double bound;
  } rows[] = {
      {"{\"minres\": {\"tolerance\": 1e-13}}", 1e-9},
      {"{\"gmres\": {\"tolerance\": 1e-13}}", 1e-9},
      {"{\"bicgstab\": {\"tolerance\": 1e-13}}", 1e-9},
      {"{\"cg\": {\"preconditioner\": {\"nystrom\": {\"rank\": 10}}}}", 1e-9},
      {"{\"minres\": {\"preconditioner\": {\"nystrom\": {\"rank\": 10, \"columns\": "
       "\"coordinates\"}}}}",
       1e-9},
      {"{\"gmres\": {\"preconditioner\": \"identity\"}}", 1e-9},
      {"{\"bicgstab\": {\"preconditioner\": \"dense\"}}", 1e-9},
      {"{\"cg\": {\"preconditioner\": {\"neumann\": {\"terms\": 3, \"lr\": 0.05}}}}", 1e-9},
      {"{\"lissa\": {\"scale\": 12, \"depth\": 1500}}", 1e-8}, /* all rows: no noise */
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    check_against(ON_RIDGE, LBFGS, rows[i].estimator, LBFGS, "\"dense\"", rows[i].bound);
  }
  for (size_t i = 0; i < 5; i++) {
    check_against(ON_SOFTMAX, LBFGS, rows[i].estimator, LBFGS, "\"dense\"", 1e-8);
  }
}

static void damping_is_the_same_for_all(void **state) {
  (void)state;
  const char *estimators[] = {"{\"minres\": {\"damping\": 0.7}}", "{\"gmres\": {\"damping\": 0.7}}",
                              "{\"bicgstab\": {\"damping\": 0.7}}",
                              "{\"lissa\": {\"damping\": 0.7, \"scale\": 12}}",
                              "{\"nystrom\": {\"damping\": 0.7, \"rank\": 21}}"};
  for (size_t i = 0; i < sizeof estimators / sizeof estimators[0]; i++) {
    check_against(ON_RIDGE, LBFGS, estimators[i], LBFGS,
                  "{\"implicit\": {\"solver\": \"dense\", \"damping\": 0.7}}", 1e-8);
  }
}

/* Through the fixed point of a step map: the same derivative. */
static void via_step_agrees_with_via_objective(void **state) {
  (void)state;
  static const struct {
    const char *inner, *estimator;
  } rows[] = {
      {SOLVED_BY("{\"sgd\": {\"lr\": 0.1}}"), "{\"gmres\": {\"via\": \"step\"}}"},
      {SOLVED_BY("{\"momentum\": {\"lr\": 0.05, \"beta\": 0.5}}"),
       "{\"gmres\": {\"via\": \"step\"}}"},
      {SOLVED_BY("{\"nesterov\": {\"lr\": 0.05, \"beta\": 0.5}}"),
       "{\"bicgstab\": {\"via\": \"step\"}}"},
      {SOLVED_BY("{\"momentum\": {\"lr\": 0.05, \"beta\": 0.5}}"),
       "{\"dense\": {\"via\": \"step\"}}"},
      {SOLVED_BY("{\"momentum\": {\"lr\": 0.05, \"beta\": 0.5}}"),
       "{\"neumann\": {\"via\": \"step\", \"terms\": 2000}}"},
      {LBFGS, "{\"gmres\": {\"via\": \"step\", \"step\": {\"nesterov\": {\"lr\": 0.05}}}}"},
      {LBFGS, "{\"dense\": {\"via\": \"step\", \"step\": {\"sgd\": {\"lr\": 0.1}}}}"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    check_against(ON_RIDGE, rows[i].inner, rows[i].estimator, LBFGS, "\"dense\"", 1e-8);
  }
  check_against(ON_SOFTMAX, LBFGS,
                "{\"gmres\": {\"via\": \"step\", \"step\": {\"momentum\": {\"lr\": 0.3}}}}", LBFGS,
                "\"dense\"", 1e-8);
}

/* K terms via step are the first K powers of J^T: unrolling K steps from the solution. */
static void neumann_via_step_is_a_truncated_unroll(void **state) {
  (void)state;
  const char *steps[2] = {"{\"sgd\": {\"lr\": 0.1}}", "{\"momentum\": {\"lr\": 0.04}}"};
  for (int k = 0; k < 12; k++) {
    int64_t n = 0;
    char *series = memory_format("{\"neumann\": {\"via\": \"step\", \"terms\": %d, \"step\": %s}}",
                                 k / 2 + 1, steps[k % 2]);
    char *unrolled =
        memory_format("{\"unroll\": {\"truncate\": %d, \"step\": %s}}", k / 2 + 1, steps[k % 2]);
    double *a = hypergradient(ON_RIDGE, LBFGS, series, &n);
    double *b = hypergradient(ON_RIDGE, LBFGS, unrolled, &n);
    assert_true(fabs(a[0] - b[0]) <= 1e-12);
    free(a);
    free(b);
    free(series);
    free(unrolled);
  }
}

/* Minibatches of its own: over repeated hypergradients at one state its mean is right. */
static void lissa_on_minibatches(void **state) {
  (void)state;
  enum { TIMES = 60 };
  struct harness h;
  int64_t n = 0;
  double *exact = hypergradient(ON_RIDGE, LBFGS, "\"dense\"", &n);
  double mean = 0.0;
  double square = 0.0;
  harness_open(&h, RIDGE, LBFGS,
               "{\"lissa\": {\"scale\": 60, \"depth\": 600, \"batch\": 5, \"curvature\": 1}}");
  for (int k = 0; k < TIMES; k++) { /* each with draws of its own */
    struct problem_estimate e = harness_estimate(&h);
    assert_int_equal(e.pullback.hvps, 600);
    assert_int_equal(e.pullback.cross, 1);
    mean += e.hypergradient[0] / TIMES;
    square += e.hypergradient[0] * e.hypergradient[0] / TIMES;
    free(e.hypergradient);
  }
  double deviation = sqrt((square - mean * mean) / TIMES);
  assert_true(deviation > 0.0);
  assert_true(deviation < 0.05 * fabs(exact[0]));
  /* the series is short of the solution by exp(-600 / 60) of it at most */
  assert_true(fabs(mean - exact[0]) <= 4.0 * deviation + 1e-3 * fabs(exact[0]));
  free(exact);
  harness_close(&h);
}

static void refused(const char *inner, const char *estimator, const char *reason) {
  struct harness h;
  char *text = memory_format(RIDGE, inner, estimator);
  assert_true(harness_check(&h, text) < 0);
  int found = 0;
  for (size_t i = 0; i < h.diagnostics.count; i++) {
    found |= strstr(h.diagnostics.items[i].message, reason) != NULL;
  }
  if (!found) {
    diagnostics_print(&h.diagnostics, stderr);
    fail_test("%s: expected a refusal that says \"%s\"", estimator, reason);
  }
  free(text);
  harness_close(&h);
}

static void what_cannot_work_is_refused_before_the_run(void **state) {
  (void)state;
  refused("\"optimizer\": {\"adam\": {}}, \"steps\": 10", "{\"gmres\": {\"via\": \"step\"}}",
          "no such fixed point");
  refused(LBFGS, "{\"gmres\": {\"via\": \"step\"}}", "no such fixed point");
  refused(LBFGS, "{\"gmres\": {\"via\": \"step\", \"step\": {\"rmsprop\": {}}}}",
          "rmsprop has no such fixed point");
  refused("\"optimizer\": {\"sgd\": {\"lr\": 0.1}}, \"steps\": 10", "{\"cg\": {\"via\": \"step\"}}",
          "needs a symmetric matrix");
  refused(LBFGS, "{\"neumann\": {\"lr\": 0.1, \"preconditioner\": \"identity\"}}",
          "no use for a \"preconditioner\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_solver_agrees_with_dense),
      cmocka_unit_test(damping_is_the_same_for_all),
      cmocka_unit_test(via_step_agrees_with_via_objective),
      cmocka_unit_test(neumann_via_step_is_a_truncated_unroll),
      cmocka_unit_test(lissa_on_minibatches),
      cmocka_unit_test(what_cannot_work_is_refused_before_the_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

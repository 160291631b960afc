/* soba and f2sa: with the top level held still, the hypergradient they arrive at is that of exact
 * implicit differentiation; and left to move, they arrive where nested does. f64. */
#include <math.h>
#include <stdlib.h>

#include "harness.h"

/* Ridge with two hyperparameters, one on the weights and one that the top objective reads, too. */
#define RIDGE                                                                                      \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"solver\": %s,"                              \
  "  \"data\": { \"pool\": { \"linear-problem\": { \"rows\": 200, \"features\": 8, "               \
  "\"noise\": 0.5 } },"                                                                            \
  "    \"train\": [\"pool\", { \"take\": 100 }], \"val\": [\"pool\", { \"skip\": 100 }] },"        \
  "  \"variables\": { \"ridge\": { \"linear\": [8, 1] }, \"log_l2\": -1 },"                        \
  "  \"objectives\": {"                                                                            \
  "    \"training\": [{ \"mse\": { \"of\": { \"ridge\": \"train.x\" }, \"target\": \"train.y\" } " \
  "},"                                                                                             \
  "      { \"times\": [{ \"exp\": \"log_l2\" }, { \"l2\": \"ridge\" }] }],"                        \
  "    \"validation\": [{ \"mse\": { \"of\": { \"ridge\": \"val.x\" }, \"target\": \"val.y\" } }," \
  "      { \"times\": [0.01, { \"square\": \"log_l2\" }] }] },"                                    \
  "  \"levels\": ["                                                                                \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"ridge\", %s "                \
  "\"optimizer\": \"lbfgs\", \"steps\": 500, \"tolerance\": 1e-12 },"                              \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": \"log_l2\", "                \
  "\"through\": { \"inner\": \"dense\" }, \"optimizer\": %s, \"steps\": %d }] }"

static double exact(void) {
  struct harness h;
  harness_open(&h, RIDGE, "\"nested\"", "", "\"none\"", 1);
  struct problem_estimate e = harness_estimate(&h);
  double value = e.hypergradient[0];
  free(e.hypergradient);
  harness_close(&h);
  return value;
}

static double run(struct harness *h, int64_t steps) {
  for (int64_t k = 0; k < steps; k++) {
    if (problem_step(h->problem) < 0) {
      fail_test("step %lld: %s", (long long)k, error_text());
    }
  }
  double g = 0.0;
  vector_interface.read(h->problem->top->gradient, 0, 1, &g);
  return g;
}

static void soba_arrives_at_the_exact_hypergradient(void **state) {
  struct harness h;
  (void)state;
  harness_open(&h, RIDGE, "{\"soba\": 0.1}", "", "\"none\"", 4000);
  double g = run(&h, 3000);
  double reference = exact();
  if (!(fabs(g - reference) <= 1e-9 * fabs(reference))) {
    fail_test("soba: %.15g, exact %.15g", g, reference);
  }
  struct ledger spent = problem_ledger(h.problem);
  assert_int_equal(spent.gradients, 2 * 3000); /* of both objectives */
  assert_int_equal(spent.hvps, 3000);
  assert_int_equal(spent.cross, 3000);
  harness_close(&h);
}

/* The bias of a fixed penalty c is proportional to 1 / c. */
static double f2sa_error(double penalty) {
  struct harness h;
  char *solver =
      memory_format("{\"f2sa\": {\"lr\": 0.1, \"penalty\": %g, \"growth\": 0}}", penalty);
  harness_open(&h, RIDGE, solver, "", "\"none\"", 9000);
  double g = run(&h, 6000);
  free(solver);
  harness_close(&h);
  return fabs(g - exact());
}

static void f2sa_has_a_bias_of_one_over_the_penalty(void **state) {
  (void)state;
  double low = f2sa_error(1e3);
  double high = f2sa_error(1e4);
  assert_true(low < 1e-2 * fabs(exact()));
  if (!(low / high > 9.0 && low / high < 11.0)) {
    fail_test("errors %g, %g at penalties 1e3, 1e4", low, high);
  }
}

static void f2sa_counts_first_derivatives_only(void **state) {
  struct harness h;
  (void)state;
  harness_open(&h, RIDGE, "{\"f2sa\": {\"lr\": 0.1, \"inner\": 3}}", "", "\"none\"", 10);
  (void)run(&h, 10);
  struct ledger spent = problem_ledger(h.problem);
  /* a step: 3 of (G at y, F at y, F at z), then G at y and F by x at y and at z */
  assert_int_equal(spent.gradients, 10 * (3 * 3 + 3));
  assert_int_equal(spent.hvps, 0);
  assert_int_equal(spent.cross, 0);
  harness_close(&h);
}

static double where_it_ends(const char *solver, const char *optimizer, int steps) {
  struct harness h;
  harness_open(&h, RIDGE, solver, "", optimizer, steps);
  (void)run(&h, steps);
  double value = harness_read(&h, "log_l2", 0);
  harness_close(&h);
  return value;
}

static void both_end_where_nested_ends(void **state) {
  (void)state;
  double nested = where_it_ends("\"nested\"", "{\"adam\": {\"lr\": 0.05}}", 600);
  double soba = where_it_ends("{\"soba\": 0.1}", "{\"sgd\": {\"lr\": 0.5}}", 8000);
  double f2sa = where_it_ends("{\"f2sa\": {\"lr\": 0.1, \"penalty\": 1000, \"growth\": 0}}",
                              "{\"sgd\": {\"lr\": 0.2}}", 8000);
  if (!(fabs(soba - nested) < 1e-5)) {
    fail_test("soba ends at %.10g, nested at %.10g", soba, nested);
  }
  if (!(fabs(f2sa - nested) < 1e-2 * fabs(nested))) {
    fail_test("f2sa ends at %.10g, nested at %.10g", f2sa, nested);
  }
}

/* With batches, a step sees one draw; two runs see the same, to the bit. */
static void draws_repeat(void **state) {
  (void)state;
  double last = 0.0;
  for (int i = 0; i < 2; i++) {
    struct harness h;
    harness_open(&h, RIDGE, "{\"soba\": 0.05}", "\"batch\": 10,", "{\"sgd\": {\"lr\": 0.1}}", 50);
    (void)run(&h, 50);
    double value = harness_read(&h, "log_l2", 0);
    assert_true(i == 0 || memcmp(&value, &last, sizeof value) == 0);
    last = value;
    harness_close(&h);
  }
}

static void other_shapes_of_problems_are_refused(void **state) {
  struct harness h;
  (void)state;
  static const char text[] =
      "{ \"tier\": 1, \"solver\": {\"soba\": 0.1}, \"data\": {\"d\": {\"linear-problem\": "
      "{\"rows\": 10, \"features\": 2}}}, \"variables\": {\"w\": {\"linear\": [2, 1]}},"
      " \"objectives\": {\"o\": {\"mse\": {\"of\": {\"w\": \"d.x\"}, \"target\": \"d.y\"}}},"
      " \"levels\": [{\"name\": \"only\", \"minimize\": \"o\", \"over\": \"w\", \"steps\": 3,"
      " \"optimizer\": {\"sgd\": 0.1}}]}";
  assert_true(harness_check(&h, text) < 0);
  assert_true(h.diagnostics.count > 0);
  assert_non_null(strstr(h.diagnostics.items[0].message, "needs exactly one level"));
  harness_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(soba_arrives_at_the_exact_hypergradient),
                                     cmocka_unit_test(f2sa_has_a_bias_of_one_over_the_penalty),
                                     cmocka_unit_test(f2sa_counts_first_derivatives_only),
                                     cmocka_unit_test(both_end_where_nested_ends),
                                     cmocka_unit_test(draws_repeat),
                                     cmocka_unit_test(other_shapes_of_problems_are_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

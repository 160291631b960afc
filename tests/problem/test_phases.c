/* Phases: what goes from one to the next, and what starts anew. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define HEAD                                                                                 \
  "{ \"tier\": 1, \"compute\": { \"dtype\": \"f64\" }, \"data\": {}, \"variables\": {"       \
  " \"w\": { \"init\": [0.3, -0.4] }, \"v\": { \"init\": [2, 3] }, \"frozen\": { \"init\": " \
  "[0.1, 0.7] } }, \"objectives\": {"                                                        \
  " \"pull\": { \"l2\": { \"minus\": [\"w\", [5, -5]] } },"                                  \
  " \"follow\": { \"l2\": { \"minus\": [\"v\", { \"sum\": [\"w\", \"frozen\"] }] } } },"
#define ADAM(name, objective, over, more)                                                     \
  "\"levels\": [{ \"name\": \"" name "\", \"minimize\": \"" objective "\", \"over\": \"" over \
  "\", \"optimizer\": { \"adam\": { \"lr\": 0.125, \"eps\": 1e-300 } }" more " }]"
#define FIRST(more) "{ \"name\": \"first\", " ADAM("fit", "pull", "w", ", \"steps\": 4") more " }"
#define AGAIN(more) "{ \"name\": \"again\", " ADAM("fit", "pull", "w", ", \"steps\": 1") more " }"
#define OTHER "{ \"name\": \"other\", " ADAM("copy", "follow", "v", ", \"steps\": 3") " }"

static void take_all(struct problem *p) {
  while (problem_end(p) == NULL) {
    assert_ok(problem_step(p));
  }
  assert_ok(problem_finish(p));
  assert_ok(problem_store(p));
}

/* The next phase's problem in place of this one. */
static void next(struct harness *h, size_t phase) {
  struct problem_carried *carried = NULL;
  assert_ok(problem_carry(h->problem, &carried));
  problem_free(h->problem);
  h->problem = NULL;
  struct problem_options options = {.registry = h->registry, .carried = carried};
  assert_ok(problem_new(h->manifest->phases[phase], &options, &h->problem));
  problem_carried_free(carried);
}

static void read_both(struct harness *h, const char *name, double *out) {
  vector_interface.read(harness_variable(h, name)->value, 0, 2, out);
}

static void optimizers_start_fresh(void **state) {
  (void)state;
  struct harness h;
  double before[2];
  double after[2];
  harness_open(&h, HEAD "\"phases\": [" FIRST("") ", " AGAIN("") "] }");
  assert_int_equal(h.manifest->phase_count, 2);
  take_all(h.problem);
  read_both(&h, "w", before);
  assert_true(fabs(before[0] - 0.3) > 0.3);
  next(&h, 1);
  read_both(&h, "w", after);
  assert_memory_equal(before, after, sizeof before);
  take_all(h.problem);
  read_both(&h, "w", after);
  /* The first step of Adam is its learning rate, whatever the gradient. */
  assert_true(fabs(after[0] - before[0] - 0.125) < 1e-14);
  assert_true(fabs(after[1] - before[1] + 0.125) < 1e-14);
  assert_int_equal(problem_done(h.problem), 1);
  assert_int_equal(problem_ledger(h.problem).gradients, 5);
  harness_close(&h);
}

static void what_no_level_moves_stays(void **state) {
  (void)state;
  struct harness h;
  double w[2];
  double later[2];
  const double frozen[2] = {0.1, 0.7};
  harness_open(&h, HEAD "\"phases\": [" FIRST("") ", " OTHER "] }");
  take_all(h.problem);
  read_both(&h, "w", w);
  next(&h, 1);
  take_all(h.problem);
  read_both(&h, "w", later);
  assert_memory_equal(w, later, sizeof w);
  read_both(&h, "frozen", later);
  assert_memory_equal(frozen, later, sizeof frozen);
  assert_true(harness_read(&h, "v", 0) != 2);
  harness_close(&h);
}

/* v and frozen change places: everything is evaluated before anything is stored. */
static void then_evaluates_first(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, HEAD "\"phases\": [" FIRST(", \"then\": { \"v\": \"frozen\", \"frozen\": { "
                                              "\"times\": [2, \"v\"] }, \"w\": 0.25 }") "] }");
  take_all(h.problem);
  assert_true(harness_read(&h, "v", 0) == 0.1 && harness_read(&h, "v", 1) == 0.7);
  assert_true(harness_read(&h, "frozen", 0) == 4 && harness_read(&h, "frozen", 1) == 6);
  assert_true(harness_read(&h, "w", 0) == 0.25 && harness_read(&h, "w", 1) == 0.25);
  harness_close(&h);
}

static void budgets_of_phases_and_runs(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, HEAD "\"budget\": { \"gradients\": 4 }, \"phases\": [" FIRST(
                       ", \"budget\": { \"gradients\": 3 }") ", " OTHER "] }");
  take_all(h.problem);
  assert_string_equal(problem_end(h.problem), "phase budget: gradients");
  assert_int_equal(problem_done(h.problem), 3);
  assert_false(problem_run_is_over(h.problem));
  next(&h, 1);
  take_all(h.problem);
  assert_string_equal(problem_end(h.problem), "budget: gradients");
  assert_int_equal(problem_done(h.problem), 1);
  assert_true(problem_run_is_over(h.problem));
  harness_close(&h);
}

static void a_state_knows_its_phase(void **state) {
  (void)state;
  struct harness h;
  char path[] = "/tmp/tier-phases-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&h, HEAD "\"phases\": [" FIRST("") ", " AGAIN("") "] }");
  take_all(h.problem);
  next(&h, 1);
  assert_ok(problem_step(h.problem));
  assert_ok(problem_save(h.problem, path));
  double w = harness_read(&h, "w", 0);
  harness_write(&h, "w", 0, 9);
  assert_ok(problem_load(h.problem, path, 0));
  assert_true(harness_read(&h, "w", 0) == w);
  assert_int_equal(problem_ledger(h.problem).gradients, 5);
  next(&h, 0);
  assert_fails(problem_load(h.problem, path, 0), TIER_E_DATA, "phase.first");
  (void)unlink(path);
  harness_close(&h);
}

static void refuses(const char *text, const char *reason) {
  struct harness h;
  int found = 0;
  assert_true(harness_check(&h, text) < 0);
  for (size_t i = 0; i < h.diagnostics.count; i++) {
    found += strstr(h.diagnostics.items[i].message, reason) != NULL;
  }
  if (found != 1) {
    diagnostics_print(&h.diagnostics, stderr);
    fail_test("said %d times: %s", found, reason);
  }
  harness_close(&h);
}

static void wrong_phases(void **state) {
  (void)state;
  refuses(HEAD "\"phases\": [" FIRST("") ", " FIRST("") "] }", "already a phase \"first\"");
  refuses(HEAD "\"phases\": [" FIRST(", \"then\": { \"u\": 1 }") "] }", "no variable \"u\"");
  refuses(HEAD "\"phases\": [" FIRST(", \"then\": { \"w\": [1, 2, 3] }") "] }",
          "would store 3 numbers in \"w\", which has 2");
  refuses(HEAD "\"phases\": [{ \"name\": \"a\", " ADAM("x", "pull", "w", "") " }, " AGAIN("") "] }",
          "nothing ends it");
  refuses(HEAD "\"phases\": [" FIRST("") ", " AGAIN(", \"budget\": { \"hours\": 1 }") "] }",
          "no key \"hours\"");
  refuses(HEAD "\"metrics\": { \"m\": \"pul\" }, \"phases\": [" FIRST("") ", " AGAIN("") "] }",
          "\"pul\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(optimizers_start_fresh),  cmocka_unit_test(what_no_level_moves_stays),
      cmocka_unit_test(then_evaluates_first),    cmocka_unit_test(budgets_of_phases_and_runs),
      cmocka_unit_test(a_state_knows_its_phase), cmocka_unit_test(wrong_phases),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

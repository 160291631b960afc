/* The conformance kit: for each kind of component, tests with a bound each. One idea a file:
 *
 *   check.c       what is tested of a component, and one test run
 *   judge.c       which methods are held to what
 *   matrix.c      small dense matrices in f64: the references
 *   instances.c   components with their state, arguments by slot
 *   linear.c      linear solvers on explicit systems
 *   built.c       a function as a graph, with its derivatives
 *   functions.c   models, losses, maps: identities
 *   optimizers.c  steps as graphs, and loops
 *   nested.c      nested problems as manifests, with their exact hypergradients
 *   estimators.c  estimators, and linear solvers as estimators, on them
 *
 * A test runs in a process of its own: a plugin may crash it or never return. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "base/text.h"
#include "plugin/registry.h"

enum verdict {
  CHECK_PASSED,
  CHECK_FAILED,
  CHECK_SKIPPED /* the method refuses the problem, or the test says nothing about it */
};

struct check {
  const struct registry *registry;
  const struct component *component;
  const char *as;   /* judge it as this one of ours, or NULL */
  const char *with; /* its application as JSON, or NULL */
  const char *data; /* a folder for files, which the caller removes; or NULL */
  enum verdict verdict;
  struct text reason; /* why it failed or was skipped; of one that passed: what was measured */
};

struct check_test {
  const char *name; /* "spd-1e3" */
  void (*run)(struct check *c, int row);
  int row;
};

/* The component's test number `index`; NULL after the last. */
const struct check_test *check_test_of(const struct component *c, size_t index);
/* Runs the test of that name; the verdict and the reason are then in *c (free the reason).
 * TIER_E_INVALID if there is none of that name. */
int32_t check_run(struct check *c, const char *test);

/* ---- what tests say: the first verdict that is not "passed" stays ---- */

void check_fail(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_skip(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A remark on what passes so far. */
void check_note(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Fails (0: refusals skip) with the pending error's text, and clears it; returns 1 if `status` is
 * no failure. */
int check_ok(struct check *c, int32_t status, const char *what);

#endif

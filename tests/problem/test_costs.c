/* What estimators and linear solvers say they cost, held to the ledger of a pullback; f64. */
#include <stdlib.h>

#include "harness.h"

/* Solved by lbfgs or stepped, on all rows or on batches; p = 2 inputs, and n = 4 or more. */
#define PROBLEM                                                                                    \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"                                              \
  "  \"data\": { \"pool\": { \"linear-problem\": { \"rows\": 60, \"features\": 4, \"noise\": 0.5 " \
  "} }, \"train\": [\"pool\", { \"take\": 40 }], \"val\": [\"pool\", { \"skip\": 40 }] },"         \
  "  \"variables\": { \"w\": { \"mlp\": { \"layers\": [4, 3, 1], \"activation\": \"tanh\" } },"    \
  "    \"a\": { \"init\": [0.2, 0.1] } },"                                                         \
  "  \"objectives\": { \"training\": [{ \"mse\": { \"of\": { \"w\": \"train.x\" }, \"target\": "   \
  "\"train.y\" } }, { \"times\": [{ \"total\": { \"exp\": \"a\" } }, { \"l2\": \"w\" }] }],"       \
  "    \"validation\": { \"mse\": { \"of\": { \"w\": \"val.x\" }, \"target\": \"val.y\" } } },"    \
  "  \"levels\": [ { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"w\", %s },"      \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": \"a\", \"steps\": 5,"        \
  "      \"through\": { \"inner\": %s }, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } } ] }"

#define SOLVED "\"optimizer\": \"lbfgs\", \"steps\": 3000, \"tolerance\": 1e-11"
#define STEPS "\"optimizer\": { \"momentum\": { \"lr\": 0.01, \"beta\": 0.9 } }, \"steps\": 13"
#define BATCHES STEPS ", \"batch\": 8"
#define EARLY STEPS "0000, \"tolerance\": 0.01, \"warm_start\": false"
#define EXACT_STEPS \
  "\"optimizer\": { \"momentum-exact\": { \"lr\": 0.01, \"beta\": 0.9 } }, \"steps\": 13"

struct asked {
  const char *inner, *estimator;
  uint32_t flags; /* that it must have */
};

#define MOST TIER_COST_AT_MOST
#define OFF TIER_COST_BIASED
#define LUCK TIER_COST_RANDOM

static const struct asked implicit_ones[] = {
    {SOLVED, "\"dense\"", 0},
    {SOLVED, "{ \"cg\": { \"iterations\": 60 } }", MOST},
    {SOLVED, "{ \"cg\": { \"iterations\": 2 } }", MOST},
    {SOLVED, "{ \"cg\": { \"start\": \"previous\" } }", MOST},
    {SOLVED, "\"minres\"", MOST},
    {SOLVED, "{ \"minres\": { \"iterations\": 1 } }", MOST},
    {SOLVED, "\"gmres\"", MOST},
    {SOLVED, "{ \"gmres\": { \"iterations\": 3 } }", MOST},
    {SOLVED, "{ \"gmres\": { \"iterations\": 40, \"restart\": 4, \"start\": \"previous\" } }",
     MOST},
    {SOLVED, "\"bicgstab\"", MOST},
    {SOLVED, "{ \"bicgstab\": { \"iterations\": 3, \"tolerance\": 0 } }", MOST},
    {SOLVED, "{ \"neumann\": { \"terms\": 7, \"lr\": 0.01 } }", OFF},
    {SOLVED, "{ \"neumann\": { \"terms\": 1, \"lr\": 0.01 } }", OFF},
    {SOLVED, "{ \"lissa\": { \"depth\": 9, \"repeats\": 3, \"scale\": 50 } }", OFF},
    {BATCHES, "{ \"lissa\": { \"depth\": 9, \"repeats\": 3, \"scale\": 50 } }", OFF | LUCK},
    {SOLVED, "{ \"nystrom\": { \"rank\": 5 } }", OFF | LUCK},
    {SOLVED, "{ \"nystrom\": { \"rank\": 500 } }", OFF},
    {SOLVED, "\"identity\"", OFF},
    {BATCHES, "\"dense\"", OFF | LUCK},
    {SOLVED, "{ \"implicit\": { \"solver\": \"dense\", \"batch\": 8 } }", OFF | LUCK},
    {SOLVED, "{ \"implicit\": { \"solver\": \"dense\", \"damping\": 0.1 } }", OFF},
    {STEPS, "{ \"implicit\": { \"solver\": \"dense\", \"via\": \"step\" } }", 0},
    {STEPS, "{ \"implicit\": { \"solver\": \"gmres\", \"via\": \"step\" } }", MOST},
    {SOLVED, "{ \"implicit\": { \"solver\": \"cg\", \"preconditioner\": { \"nystrom\": {} } } }",
     MOST},
    {SOLVED, "{ \"implicit\": { \"solver\": \"minres\", \"preconditioner\": \"dense\" } }", MOST},
    {SOLVED,
     "{ \"implicit\": { \"solver\": { \"gmres\": { \"restart\": 6 } }, \"preconditioner\": { "
     "\"neumann\": { \"lr\": 0.01, \"terms\": 4 } } } }",
     MOST},
};

static const struct asked stepped_ones[] = {
    {STEPS, "\"unroll\"", 0},
    {STEPS ", \"warm_start\": false", "\"unroll\"", 0},
    {BATCHES, "\"unroll\"", 0},
    {EARLY, "\"unroll\"", MOST},
    {EARLY, "{ \"unroll\": { \"checkpoint\": 5 } }", MOST},
    {STEPS, "{ \"unroll\": { \"truncate\": 4 } }", OFF},
    {STEPS, "{ \"unroll\": { \"truncate\": 400 } }", 0},
    {STEPS, "{ \"unroll\": { \"first_order\": true } }", OFF},
    {STEPS, "{ \"unroll\": { \"lookahead\": 5 } }", 0},
    {STEPS, "{ \"unroll\": { \"checkpoint\": 1 } }", 0},
    {STEPS, "{ \"unroll\": { \"checkpoint\": 3 } }", 0},
    {STEPS, "{ \"unroll\": { \"checkpoint\": 50 } }", 0},
    {STEPS, "{ \"unroll\": { \"memory\": 3200 } }", 0},
    {STEPS, "{ \"unroll\": { \"memory\": 3200, \"checkpoint\": 2 } }", 0},
    {EXACT_STEPS, "{ \"unroll\": { \"reversible\": true } }", 0},
    {SOLVED, "{ \"unroll\": { \"truncate\": 6, \"step\": { \"sgd\": { \"lr\": 0.01 } } } }", OFF},
    {STEPS, "\"forward\"", 0},
    {STEPS, "{ \"forward\": { \"block\": 1 } }", 0},
    {EARLY, "\"forward\"", MOST},
    {SOLVED, "{ \"forward\": { \"truncate\": 6, \"step\": { \"sgd\": { \"lr\": 0.01 } } } }", OFF},
    {STEPS, "\"one-step\"", OFF},
    {STEPS, "\"nested-fd\"", OFF},
    {BATCHES, "\"one-step\"", OFF | LUCK},
    {STEPS, "{ \"es\": { \"pairs\": 3 } }", OFF | LUCK},
    {STEPS, "{ \"es\": { \"pairs\": 3, \"judge\": \"cotangent\" } }", OFF | LUCK},
    {STEPS, "{ \"pes\": { \"pairs\": 3 } }", OFF | LUCK},
    {EARLY, "{ \"es\": { \"pairs\": 1 } }", MOST | OFF | LUCK},
};

static void hold(const struct asked *a, const char *what, int64_t declared, int64_t counted,
                 int limit) {
  if (limit ? counted > declared : counted != declared) {
    fail_test("%s at %s: %lld %s, declared %lld", a->estimator, a->inner, (long long)counted, what,
              (long long)declared);
  }
}

/* A second hypergradient, so that what starts from the previous solution does. */
static void hold_to_ledger(const struct asked *a) {
  struct harness h;
  struct problem_edge edge;
  harness_open(&h, PROBLEM, a->inner, a->estimator);
  assert_ok(problem_edge_facts(h.problem, 1, 0, &edge));
  assert_true(edge.has_cost && edge.cost.right[0] != '\0' && edge.cost.reals > 0);
  if (edge.cost.flags != a->flags) {
    fail_test("%s at %s: flags %u", a->estimator, a->inner, edge.cost.flags);
  }
  assert_ok(problem_step(h.problem));
  struct ledger before = problem_level_ledger(h.problem, 1);
  struct problem_estimate e = harness_estimate(&h);
  struct ledger after = problem_level_ledger(h.problem, 1);
  int limit = (edge.cost.flags & TIER_COST_AT_MOST) != 0;
  int64_t own = after.gradients - before.gradients; /* the upper level's */
  hold(a, "gradients", edge.cost.gradients, e.pullback.gradients - own, limit);
  hold(a, "values", edge.cost.values, e.pullback.values, limit);
  hold(a, "HVPs", edge.cost.hvps, e.pullback.hvps, limit);
  hold(a, "cross products", edge.cost.cross, e.pullback.cross, limit);
  if (own != 1 || !(e.response_norm > 0)) {
    fail_test("%s at %s: %lld upper gradients, response %g", a->estimator, a->inner, (long long)own,
              e.response_norm);
  }
  free(e.hypergradient);
  harness_close(&h);
}

static void implicit_costs(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof implicit_ones / sizeof implicit_ones[0]; i++) {
    hold_to_ledger(&implicit_ones[i]);
  }
}

static void stepped_costs(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof stepped_ones / sizeof stepped_ones[0]; i++) {
    hold_to_ledger(&stepped_ones[i]);
  }
}

/* Where the number of steps, or what they call, is not known, nothing is said. */
static void unknown_costs(void **state) {
  (void)state;
  struct harness h;
  struct problem_edge edge;
  harness_open(&h, PROBLEM, SOLVED, "\"es\"");
  assert_ok(problem_edge_facts(h.problem, 1, 0, &edge));
  assert_true(!edge.has_cost);
  harness_close(&h);
}

/* The tape is most of what a stored unrolling holds; checkpoints hold less. */
static void tapes_in_bytes(void **state) {
  (void)state;
  static const char *const forms[] = {"\"unroll\"", "{ \"unroll\": { \"truncate\": 4 } }",
                                      "{ \"unroll\": { \"checkpoint\": 2 } }"};
  static const int64_t frames[] = {13, 4, 4};
  for (int i = 0; i < 3; i++) {
    struct harness h;
    struct problem_edge edge;
    harness_open(&h, PROBLEM, STEPS, forms[i]);
    assert_ok(problem_edge_facts(h.problem, 1, 0, &edge));
    assert_true(edge.n == 19 && edge.state == 19);
    assert_int_equal(edge.cost.reals, (frames[i] * 3 + 4) * 19);
    harness_close(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(implicit_costs), cmocka_unit_test(stepped_costs),
      cmocka_unit_test(unknown_costs), cmocka_unit_test(tapes_in_bytes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

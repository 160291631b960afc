/* Hypergradients of every optimizer and kind of variable against finite differences, and the facade
 * "tier.problem/1" against its own promises; f64. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"
#include "problem/edges.h"
#include "problem/tape.h"

static double uniform(uint64_t *s) {
  *s = *s * 6364136223846793005u + 1442695040888963407u;
  return (double)(*s >> 11) * 0x1p-53 - 0.5;
}

static tier_vector *random_vector(int64_t size, uint64_t seed) {
  tier_vector *v = vector_new(size);
  assert_non_null(v);
  for (int64_t i = 0; i < size; i++) {
    double x = uniform(&seed);
    vector_interface.write(v, i, 1, &x);
  }
  return v;
}

static double dot(const tier_vector *x, const tier_vector *y) {
  return vector_interface.dot(x, y);
}

static void assert_near(double a, double b, double bound, const char *what) {
  if (!(fabs(a - b) <= bound * (fabs(a) + fabs(b)) / 2 + 1e-300)) {
    fail_test("%s: %.17g and %.17g", what, a, b);
  }
}

/* ---- against finite differences ---- */

/* Every `stride`-th element of what the top level is over. The state is put back before each solve,
 * so that all of them see the same draws. */
static void check_differences(struct harness *h, int64_t stride, double step, double bound) {
  char path[] = "/tmp/tier-differences-XXXXXX";
  int fd = mkstemp(path);
  int checked = 0;
  assert_true(fd >= 0);
  (void)close(fd);
  assert_ok(problem_save(h->problem, path));
  struct problem_estimate e = harness_estimate(h);
  assert_ok(problem_load(h->problem, path, 0));
  const struct span *over = &h->problem->top->over;
  for (size_t k = 0; k < over->count; k++) {
    const struct variable *v = &h->problem->variables[over->variables[k]];
    for (int64_t i = 0; i < v->size; i += stride) {
      double up = harness_shifted_value(h, v->declared->name, i, step);
      double down = harness_shifted_value(h, v->declared->name, i, -step);
      double difference = (up - down) / (2 * step);
      double exact = e.hypergradient[over->offsets[k] + i];
      if (!(fabs(exact - difference) <= bound * fabs(difference) + 1e-10)) {
        fail_test("%s[%d]: %.12g, differences %.12g", v->declared->name, (int)i, exact, difference);
      }
      checked += fabs(exact) > 1e-8;
    }
  }
  assert_true(checked > 0); /* not all of it is nothing */
  (void)unlink(path);
  free(e.hypergradient);
}

/* Two variables on each level; one weight a row; a batch; a whole model; an own optimizer. */
#define TWO_AND_TWO                                                                               \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"                                             \
  "  \"data\": { \"pool\": { \"linear-problem\": { \"rows\": 60, \"features\": 4, \"noise\": "    \
  "0.5 } }, \"train\": [\"pool\", { \"take\": 40 }], \"val\": [\"pool\", { \"skip\": 40 }] },"    \
  "  \"variables\": { \"net\": { \"mlp\": { \"layers\": [4, 5, 1], \"activation\": \"tanh\" } }," \
  "    \"shift\": { \"init\": [0.5] }, \"belief\": { \"per\": \"train\", \"init\": 0.3 },"        \
  "    \"log_l2\": { \"shape\": \"net\", \"init\": -2 } },"                                       \
  "  \"values\": { \"fit\": { \"sum\": [{ \"net\": \"train.x\" }, \"shift\"] } },"                \
  "  \"objectives\": { \"training\": ["                                                           \
  "      { \"times\": [{ \"sigmoid\": \"belief\" }, { \"mse\": { \"of\": \"fit\", \"target\": "   \
  "\"train.y\" } }] },"                                                                           \
  "      { \"total\": { \"times\": [{ \"exp\": \"log_l2\" }, { \"square\": \"net\" }] } },"       \
  "      { \"times\": [0.05, { \"l2\": \"shift\" }] } ],"                                         \
  "    \"validation\": [{ \"mse\": { \"of\": { \"sum\": [{ \"net\": \"val.x\" }, \"shift\"] }, "  \
  "\"target\": \"val.y\" } }, { \"times\": [0.001, { \"l2\": \"log_l2\" }] }] },"                 \
  "  \"levels\": ["                                                                               \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": [\"net\", \"shift\"], %s },"  \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": [\"log_l2\", "              \
  "\"belief\"], \"through\": { \"inner\": %s },"                                                  \
  "      \"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, \"steps\": 5 }] }"

#define SOLVED "\"optimizer\": \"lbfgs\", \"steps\": 5000, \"tolerance\": 1e-12"

static void check_two_and_two(const char *inner, const char *estimator, double step, double bound) {
  struct harness h;
  harness_open(&h, TWO_AND_TWO, inner, estimator);
  check_differences(&h, 9, step, bound);
  harness_close(&h);
}

static void unrolled_optimizers(void **state) {
  (void)state;
  static const char *const optimizers[] = {
      "{ \"sgd\": { \"lr\": 0.05 } }", "{ \"momentum\": { \"lr\": 0.03, \"beta\": 0.7 } }",
      "{ \"nesterov\": { \"lr\": 0.03, \"beta\": 0.7 } }", "{ \"rmsprop\": { \"lr\": 0.01 } }",
      "{ \"adam\": { \"lr\": 0.02 } }"};
  for (size_t i = 0; i < sizeof optimizers / sizeof optimizers[0]; i++) {
    char inner[256];
    (void)snprintf(inner, sizeof inner,
                   "\"optimizer\": %s, \"steps\": 7, \"batch\": 12, \"warm_start\": false",
                   optimizers[i]);
    check_two_and_two(inner, "\"unroll\"", 1e-4, 1e-6);
  }
}

static void implicit_with_two_and_two(void **state) {
  (void)state;
  check_two_and_two(SOLVED, "\"dense\"", 1e-3, 1e-5);
  check_two_and_two(SOLVED, "{ \"cg\": { \"iterations\": 400, \"tolerance\": 1e-12 } }", 1e-3,
                    1e-5);
}

/* A step that the estimator brings, from a solution that is a constant: its own hyperparameter,
 * which the upper objective reads as well. */
static void learning_rate_of_the_estimators_step(void **state) {
  (void)state;
  struct harness h;
  harness_open(
      &h,
      "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"
      "  \"variables\": { \"w\": { \"init\": [3, 1] }, \"a\": 1, \"log_lr\": -1 },"
      "  \"objectives\": { \"f\": { \"l2\": { \"minus\": [\"w\", \"a\"] } },"
      "    \"g\": [{ \"l2\": { \"minus\": [\"w\", [2, 5]] } }, { \"l2\": \"log_lr\" }] },"
      "  \"levels\": [ { \"name\": \"inner\", \"minimize\": \"f\", \"over\": \"w\", \"optimizer\": "
      "{ \"sgd\": { \"lr\": 0.5 } }, \"warm_start\": false },"
      "    { \"name\": \"outer\", \"minimize\": \"g\", \"over\": [\"log_lr\", \"a\"], \"steps\": "
      "1, \"optimizer\": { \"sgd\": { \"lr\": 1 } },"
      "      \"through\": { \"inner\": { \"unroll\": { \"truncate\": 3, \"step\": { \"sgd\": { "
      "\"lr\": { \"exp\": \"log_lr\" } } } } } } } ] }");
  struct problem_estimate e = harness_estimate(&h);
  /* inner: w0 = a + (start - a) / 2; then three steps, r = (1 - lr)^3: w = a + r (w0 - a) */
  double lr = exp(-1);
  double r = pow(1 - lr, 3);
  double start[] = {2, 1};
  double goal[] = {2, 5};
  double by_lr = -1;
  double by_a = 0;
  for (int i = 0; i < 2; i++) {
    double slope = 1 + r * (start[i] - 1) - goal[i];
    by_lr += slope * -3 * pow(1 - lr, 2) * lr * (start[i] - 1);
    by_a += slope * (1 - r);
  }
  assert_near(e.hypergradient[0], by_lr, 1e-12, "by log_lr");
  assert_near(e.hypergradient[1], by_a, 1e-12, "by a");
  free(e.hypergradient);
  harness_close(&h);
}

/* Two lower levels beside each other, the second reading the first: cotangents pass through both.
 */
static void through_two_levels(void **state) {
  (void)state;
  static const char *const pairs[][2] = {{"\"dense\"", "\"dense\""}, {"\"cg\"", "\"dense\""}};
  for (size_t i = 0; i < 2; i++) {
    struct harness h;
    harness_open(
        &h,
        "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"
        "  \"variables\": { \"w\": { \"init\": [3, 1] }, \"u\": { \"init\": [1, 1] }, \"a\": { "
        "\"init\": [0.3, -0.2] } },"
        "  \"objectives\": { \"f\": [{ \"l2\": { \"minus\": [\"w\", { \"exp\": \"a\" }] } }, { "
        "\"times\": [0.1, { \"total\": { \"exp\": \"w\" } }] }],"
        "    \"g\": [{ \"l2\": { \"minus\": [\"u\", { \"times\": [\"w\", \"w\", \"a\"] }] } }, { "
        "\"total\": { \"softplus\": \"u\" } }],"
        "    \"h\": [{ \"l2\": { \"minus\": [\"u\", 4] } }, { \"total\": { \"tanh\": \"w\" } }] },"
        "  \"levels\": [ { \"name\": \"teach\", \"minimize\": \"f\", \"over\": \"w\", \"parent\": "
        "\"judge\", " SOLVED
        " },"
        "    { \"name\": \"learn\", \"minimize\": \"g\", \"over\": \"u\", " SOLVED
        " },"
        "    { \"name\": \"judge\", \"minimize\": \"h\", \"over\": \"a\", \"steps\": 1, "
        "\"optimizer\": { \"sgd\": { \"lr\": 1 } },"
        "      \"through\": { \"teach\": %s, \"learn\": %s } } ] }",
        pairs[i][0], pairs[i][1]);
    check_differences(&h, 1, 1e-4, 1e-6);
    harness_close(&h);
  }
}

/* A variable per step of the lower level that the upper objective reads, too: there it is the copy
 * of the last step taken, also when the upper level has taken more steps than there are copies. */
static void copies_read_by_the_upper_level(void **state) {
  (void)state;
  struct harness h;
  harness_open(
      &h,
      "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"
      "  \"variables\": { \"w\": { \"init\": [3, 1] }, \"log_lr\": { \"per\": \"inner\", \"init\": "
      "-1 } },"
      "  \"objectives\": { \"f\": { \"total\": { \"softplus\": { \"minus\": [\"w\", 1] } } },"
      "    \"g\": [{ \"l2\": { \"minus\": [\"w\", [2, 5]] } }, { \"l2\": \"log_lr\" }] },"
      "  \"levels\": [ { \"name\": \"inner\", \"minimize\": \"f\", \"over\": \"w\", \"steps\": 3, "
      "\"warm_start\": false, \"optimizer\": { \"sgd\": { \"lr\": { \"exp\": \"log_lr\" } } } },"
      "    { \"name\": \"outer\", \"minimize\": \"g\", \"over\": \"log_lr\", \"steps\": 9, "
      "\"optimizer\": { \"sgd\": { \"lr\": 0.01 } }, \"through\": { \"inner\": \"unroll\" } } ],"
      "  \"metrics\": { \"last\": \"log_lr\" },"
      "  \"outputs\": { \"rates\": \"log_lr.all\" } }");
  check_differences(&h, 1, 1e-5, 1e-7);
  for (int i = 0; i < 8; i++) {
    assert_ok(problem_step(h.problem));
  }
  check_differences(&h, 1, 1e-5, 1e-7);
  double last = 0;
  assert_ok(problem_metric(h.problem, 0, &last));
  assert_true(last == harness_read(&h, "log_lr", 2));
  assert_true(last != harness_read(&h, "log_lr", 1));
  harness_close(&h);
}

/* Starts that read upper variables: an adapted copy of a whole model (Finn, Abbeel, Levine 2017), a
 * number spread over an array, and an expression; by the steps and without any. */
static void starts_that_read_variables(void **state) {
  (void)state;
  static const int steps[] = {0, 1, 4};
  for (int i = 0; i < 3; i++) {
    struct harness h;
    harness_open(
        &h,
        "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"
        "  \"data\": { \"pool\": { \"linear-problem\": { \"rows\": 30, \"features\": 3, "
        "\"noise\": 0.5 } }, \"support\": [\"pool\", { \"take\": 20 }], \"query\": "
        "[\"pool\", { \"skip\": 20 }] },"
        "  \"variables\": { \"net\": { \"mlp\": { \"layers\": [3, 4, 1], \"activation\": "
        "\"tanh\" } }, \"log_lr\": -2, \"adapted\": { \"init\": \"net\" },"
        "    \"shift\": { \"shape\": [3], \"init\": { \"exp\": \"log_lr\" } },"
        "    \"scale\": { \"init\": { \"times\": [\"slope\", \"slope\"] } }, \"slope\": { "
        "\"init\": [0.5, -0.2] } },"
        "  \"values\": { \"more\": { \"times\": [0.1, { \"sum\": [{ \"total\": { \"square\": "
        "\"shift\" } }, { \"total\": { \"exp\": \"scale\" } }] }] } },"
        "  \"objectives\": { \"learn\": [{ \"mse\": { \"of\": { \"net\": { \"x\": "
        "\"support.x\", \"with\": \"adapted\" } }, \"target\": \"support.y\" } }, "
        "\"more\"], \"judge\": [{ \"mse\": { \"of\": { \"net\": { \"x\": \"query.x\", "
        "\"with\": \"adapted\" } }, \"target\": \"query.y\" } }, \"more\"] },"
        "  \"levels\": [ { \"name\": \"adapt\", \"minimize\": \"learn\", \"over\": "
        "[\"adapted\", \"shift\", \"scale\"], \"warm_start\": false, \"steps\": %d, "
        "\"optimizer\": { \"momentum\": { \"lr\": { \"exp\": \"log_lr\" } } } },"
        "    { \"name\": \"meta\", \"minimize\": \"judge\", \"over\": [\"net\", \"log_lr\", "
        "\"slope\"], \"steps\": 3, \"through\": { \"adapt\": \"unroll\" }, \"optimizer\": { "
        "\"sgd\": { \"lr\": 0.1 } } } ] }",
        steps[i]);
    check_differences(&h, 2, 1e-4, 1e-6);
    assert_ok(problem_step(h.problem));
    check_differences(&h, 5, 1e-4, 1e-6);
    harness_close(&h);
  }
}

/* ---- the rest of the path ---- */

/* Three levels, each with one step (reference: a weights two points for W, V learns from W; the
 * value by hand is (-0.003775, 0.0151)); `more` is added to the objective of W and of V. */
#define CHAIN                                                                                 \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"                           \
  "  \"variables\": { \"W\": 0.5, \"V\": %s, \"a\": { \"init\": [1, 0.5] } },"                \
  "  \"objectives\": { \"teaching\": { \"total\": { \"times\": [0.5, \"a\", { \"square\": { " \
  "\"minus\": [%s, [1, 0]] } }] } },"                                                         \
  "    \"learning\": [{ \"times\": [0.5, { \"square\": { \"minus\": [%s, \"W\"] } }] },"      \
  "      { \"times\": [0.5, { \"square\": { \"minus\": [\"V\", 2] } }] }],"                   \
  "    \"judging\": { \"times\": [0.5, { \"square\": { \"minus\": [\"V\", 1] } }] } },"       \
  "  \"levels\": [ { \"name\": \"teach\", \"minimize\": \"teaching\", \"over\": \"W\", "      \
  "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } },"                                            \
  "    { \"name\": \"learn\", \"minimize\": \"learning\", \"over\": \"V\", \"optimizer\": { " \
  "\"sgd\": { \"lr\": 0.1 } } },"                                                             \
  "    { \"name\": \"judge\", \"minimize\": \"judging\", \"over\": \"a\", \"steps\": 1,"      \
  "      \"through\": { \"learn\": \"%s\", \"teach\": \"%s\" }, \"optimizer\": { \"sgd\": { " \
  "\"lr\": 1 } } }] }"

#define LINE "{ \"times\": [\"W\", [1, 2]] }"

static void estimate_chain(const char *start, const char *fit, const char *copy, const char *learn,
                           const char *teach, double *out, struct ledger *calls) {
  struct harness h;
  harness_open(&h, CHAIN, start, fit, copy, learn, teach);
  struct problem_estimate e = harness_estimate(&h);
  memcpy(out, e.hypergradient, 2 * sizeof *out);
  *calls = e.pullback;
  free(e.hypergradient);
  harness_close(&h);
}

/* Where all is quadratic, differences are exact: the nested ones, too. Elsewhere both are near the
 * exact derivative; a cotangent that is zero gives zero. */
static void differences_through_the_rest_of_the_path(void **state) {
  (void)state;
  static const char *const ways[][2] = {
      {"one-step", "one-step"}, {"nested-fd", "one-step"}, {"nested-fd", "nested-fd"}};
  static const double by_hand[] = {-0.003775, 0.0151};
  static const int gradients[] = {2 + 2, 2 + 4, 2 + 4}; /* beside the upper one and the reports */
  struct ledger calls;
  double exact[2];
  double g[2];
  for (int i = 0; i < 3; i++) {
    estimate_chain("0", LINE, "\"V\"", ways[i][0], ways[i][1], g, &calls);
    assert_true(relative_error(g, by_hand, 2) < 1e-9);
    assert_int_equal(calls.gradients - 1, gradients[i] + 2 + (i > 0)); /* two sides, two reports */
    assert_int_equal(calls.hvps + calls.cross, 0);
    estimate_chain("0.3", "{ \"tanh\": " LINE " }", "{ \"tanh\": \"V\" }", "unroll", "unroll",
                   exact, &calls);
    estimate_chain("0.3", "{ \"tanh\": " LINE " }", "{ \"tanh\": \"V\" }", ways[i][0], ways[i][1],
                   g, &calls);
    assert_true(relative_error(g, exact, 2) < 1e-3);
    /* V is 1 after its step, where the judge is content */
    estimate_chain("0.94375", LINE, "\"V\"", ways[i][0], ways[i][1], g, &calls);
    assert_true(fabs(g[0]) < 1e-12 && fabs(g[1]) < 1e-12);
    /* W does not move: its gradient is zero, and so is the derivative by the first weight */
    estimate_chain("0", "{ \"times\": [\"W\", [2, 0]] }", "\"V\"", ways[i][0], ways[i][1], g,
                   &calls);
    assert_true(fabs(g[0]) < 1e-12 && fabs(g[1]) < 1e-12);
  }
}

/* ---- looking ahead ---- */

#define GAME                                                                                     \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"                              \
  "  \"variables\": { \"d\": { \"init\": [3, 1] }, \"g\": { \"init\": [0.3, -0.2] } },"          \
  "  \"objectives\": { \"f\": [{ \"l2\": { \"minus\": [\"d\", { \"exp\": \"g\" }] } }, { "       \
  "\"times\": [0.1, { \"total\": { \"exp\": \"d\" } }] }] },"                                    \
  "  \"levels\": [ { \"name\": \"inner\", \"minimize\": \"f\", \"over\": \"d\", \"steps\": %d, " \
  "\"optimizer\": { \"adam\": { \"lr\": 0.1 } } },"                                              \
  "    { \"name\": \"outer\", \"maximize\": \"f\", \"over\": \"g\", \"steps\": 9, "              \
  "\"optimizer\": { \"sgd\": { \"lr\": %s } } %s } ] }"

#define AHEAD ", \"through\": { \"inner\": { \"unroll\": { \"lookahead\": 5%s } } }"

/* The upper level is judged five steps ahead, where central differences of that value in g agree
 * with its hypergradient; the lower level goes on from where it was, as without any look ahead. */
static void looking_ahead(void **state) {
  (void)state;
  static const char *const more[] = {"", ", \"checkpoint\": 2", ", \"truncate\": 5"};
  double plain[3];
  for (int i = -1; i < 3; i++) {
    struct harness h;
    char through[128] = "";
    if (i >= 0) {
      (void)snprintf(through, sizeof through, AHEAD, more[i]);
    }
    harness_open(&h, GAME, 2, "0", through);
    for (int t = 0; t < 3; t++) {
      assert_ok(problem_step(h.problem));
    }
    const struct level *inner = &h.problem->levels[0];
    double now[] = {harness_read(&h, "d", 0), vector_interface.norm(inner->state),
                    (double)inner->draws};
    if (i < 0) {
      memcpy(plain, now, sizeof now);
    } else {
      assert_memory_equal(plain, now, sizeof now);
      struct ledger before = problem_ledger(h.problem);
      struct problem_estimate e = harness_estimate(&h);
      free(e.hypergradient);
      int64_t again = i == 1 ? checkpoint_steps(5, 2) + 1 - 5 : 0;
      /* two steps kept, five ahead, the report, the upper level's own */
      assert_int_equal(problem_ledger(h.problem).gradients - before.gradients, 2 + 5 + 2 + again);
    }
    harness_close(&h);
  }
  struct harness h;
  harness_open(&h, GAME, 0, "0.1", /* no steps of its own, which would move with g as well */
               ", \"through\": { \"inner\": { \"unroll\": { \"lookahead\": 5 } } }");
  check_differences(&h, 1, 1e-4, 1e-6);
  assert_ok(problem_step(h.problem));
  check_differences(&h, 1, 1e-4, 1e-6);
  assert_true(harness_read(&h, "d", 0) == 3);
  harness_close(&h);
}

/* ---- maximize ---- */

#define SIGNS                                                                                    \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {},"                              \
  "  \"variables\": { \"w\": { \"init\": [3, 1] }, \"a\": { \"init\": [0.3, -0.2] } },"          \
  "  \"objectives\": { \"f\": [{ \"times\": [%s, { \"l2\": { \"minus\": [\"w\", { \"exp\": "     \
  "\"a\" }] } }] }, { \"times\": [%s, 0.1, { \"total\": { \"exp\": \"w\" } }] }],"               \
  "    \"g\": [{ \"times\": [%s, { \"l2\": { \"minus\": [\"w\", 4] } }] }, { \"times\": [%s, { " \
  "\"l2\": \"a\" }] }] },"                                                                       \
  "  \"levels\": [ { \"name\": \"inner\", \"%s\": \"f\", \"over\": \"w\", %s },"                 \
  "    { \"name\": \"outer\", \"%s\": \"g\", \"over\": \"a\", \"steps\": 1, "                    \
  "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, \"through\": { \"inner\": %s } } ] }"

struct seen {
  double loss, first, second, inner;
};

static void on_number(void *context, const char *name, double value) {
  struct seen *s = context;
  s->loss = strcmp(name, "outer.loss") == 0 ? value : s->loss;
  s->first = strcmp(name, "outer.loss.0") == 0 ? value : s->first;
  s->second = strcmp(name, "outer.loss.1") == 0 ? value : s->second;
  s->inner = strcmp(name, "inner.loss") == 0 ? value : s->inner;
}

/* One step; numbers are reported with the objective's own sign, and a[0] afterwards. */
static double one_step(int below, int above, const char *inner, const char *estimator,
                       struct seen *seen) {
  struct harness h;
  const char *f = below ? "-1" : "1";
  const char *g = above ? "-1" : "1";
  harness_open(&h, SIGNS, f, f, g, g, below ? "maximize" : "minimize", inner,
               above ? "maximize" : "minimize", estimator);
  assert_ok(problem_step(h.problem));
  problem_numbers(h.problem, on_number, seen);
  double moved = harness_read(&h, "a", 0);
  harness_close(&h);
  return moved;
}

static void maximize_is_minimize_negated(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {SOLVED, "\"dense\""},
      {"\"steps\": 6, \"optimizer\": { \"momentum\": { \"lr\": 0.1, \"beta\": 0.5 } }",
       "\"unroll\""}};
  for (int i = 0; i < 8; i++) {
    const char *const *c = cases[i / 4];
    struct seen plain = {0};
    struct seen negated = {0};
    int below = i & 1;
    int above = (i >> 1) & 1;
    double a = one_step(0, 0, c[0], c[1], &plain);
    double b = one_step(below, above, c[0], c[1], &negated);
    assert_true(a != 0.3);
    assert_near(a, b, 1e-12, "the variable");
    assert_near(negated.loss, above ? -plain.loss : plain.loss, 1e-12, "the objective");
    assert_near(negated.first, above ? -plain.first : plain.first, 1e-12, "its first term");
    assert_near(negated.second, above ? -plain.second : plain.second, 1e-12, "its second term");
    assert_near(negated.inner, below ? -plain.inner : plain.inner, 1e-12, "the lower objective");
  }
}

/* ---- pushforward against pullback ---- */

/* <u, J t> = <J^T u, t> */
static void check_adjoint(const char *inner, const char *estimator) {
  struct harness h;
  harness_open(&h, TWO_AND_TWO, inner, estimator);
  tier_levels *levels = (tier_levels *)(void *)h.problem->facade;
  assert_ok(levels->api->solve_lower(levels));
  tier_edge *e = h.problem->top->edges[0];
  int64_t n = problem_interface.size(e);
  int64_t p = problem_interface.input_size(e);
  tier_vector *u = random_vector(n, 1);
  tier_vector *t = random_vector(p, 2);
  tier_vector *pulled = vector_new(p);
  tier_vector *pushed = vector_new(n);
  void *object = e->estimator->object;
  assert_ok(e->api->pullback(object, e, e->estimator->state, &e->record, u, pulled));
  assert_ok(e->api->pushforward(object, e, e->estimator->state, &e->record, t, pushed));
  assert_true(fabs(dot(u, pushed)) > 1e-6);
  assert_near(dot(u, pushed), dot(pulled, t), 1e-10, estimator);
  vector_free(u);
  vector_free(t);
  vector_free(pulled);
  vector_free(pushed);
  harness_close(&h);
}

static void pushforward_is_adjoint(void **state) {
  (void)state;
  check_adjoint(SOLVED, "\"dense\"");
  check_adjoint(SOLVED, "{ \"cg\": { \"iterations\": 400, \"tolerance\": 1e-13 } }");
  check_adjoint("\"steps\": 30, \"optimizer\": { \"sgd\": { \"lr\": 0.05 } }",
                "{ \"neumann\": { \"terms\": 7 } }");
  check_adjoint("\"steps\": 8, \"batch\": 10, \"optimizer\": { \"sgd\": { \"lr\": 0.05 } }",
                "\"unroll\"");
  check_adjoint("\"steps\": 8, \"batch\": 10, \"optimizer\": { \"adam\": { \"lr\": 0.05 } }",
                "\"unroll\"");
  check_adjoint("\"steps\": 8, \"optimizer\": { \"nesterov\": { \"lr\": 0.05 } }",
                "{ \"unroll\": { \"truncate\": 3 } }");
}

/* ---- the facade ---- */

struct facade {
  struct harness h;
  tier_edge *e;
  int64_t n, p;
  tier_vector *v, *u, *t, *a, *b, *inputs, *more;
};

static void facade_open(struct facade *f, const char *inner) {
  harness_open(&f->h, TWO_AND_TWO, inner, "\"unroll\"");
  tier_levels *levels = (tier_levels *)(void *)f->h.problem->facade;
  assert_ok(levels->api->solve_lower(levels));
  f->e = f->h.problem->top->edges[0];
  f->n = problem_interface.size(f->e);
  f->p = problem_interface.input_size(f->e);
  f->v = random_vector(f->n, 1);
  f->u = random_vector(f->n, 2);
  f->t = random_vector(f->p, 3);
  f->a = vector_new(f->n);
  f->b = vector_new(f->n);
  f->inputs = vector_new(f->p);
  f->more = vector_new(f->p);
}

static void facade_close(struct facade *f) {
  tier_vector *all[] = {f->v, f->u, f->t, f->a, f->b, f->inputs, f->more};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    vector_free(all[i]);
  }
  harness_close(&f->h);
}

#define STEPS "\"steps\": 5, \"batch\": 10, \"optimizer\": { \"adam\": { \"lr\": 0.05 } }"

static void check_second_order(struct facade *f, tier_oracle *o) {
  const tier_problem_1 *api = &problem_interface;
  assert_ok(api->hvp(o, f->v, f->a));
  assert_ok(api->hvp(o, f->u, f->b));
  assert_near(dot(f->u, f->a), dot(f->v, f->b), 1e-12, "<u, Hv> and <v, Hu>");
  /* products is both of them, and adds with its scale */
  vector_interface.fill(f->inputs, 1);
  vector_interface.fill(f->more, 1);
  assert_ok(api->products(o, f->v, f->b, -2.0, f->inputs));
  assert_near(dot(f->u, f->a), dot(f->u, f->b), 1e-12, "hvp and products");
  assert_ok(api->cross(o, f->v, -2.0, f->more));
  assert_near(dot(f->t, f->inputs), dot(f->t, f->more), 1e-12, "cross and products");
  /* <t, cross(v)> = <cross_forward(t), v> */
  vector_interface.fill(f->inputs, 0);
  assert_ok(api->cross(o, f->v, 1.0, f->inputs));
  assert_ok(api->cross_forward(o, f->t, f->b));
  assert_near(dot(f->t, f->inputs), dot(f->v, f->b), 1e-11, "cross and cross_forward");
  assert_true(fabs(dot(f->v, f->b)) > 1e-6);
}

/* Central differences of the gradients in w and in the inputs, along v. */
static void check_by_differences(struct facade *f, tier_oracle *o) {
  const tier_problem_1 *api = &problem_interface;
  const double step = 1e-5;
  tier_vector *w = vector_new(f->n);
  double value[2];
  vector_interface.fill(f->inputs, 0);
  for (int side = 0; side < 2; side++) {
    double sign = side == 0 ? 1 : -1;
    vector_interface.copy(api->point(o), w);
    vector_interface.axpy(sign * step, f->v, w);
    assert_ok(api->gradient_at(o, w, &value[side], side == 0 ? f->a : f->b));
    assert_ok(api->input_gradient_at(o, w, sign / (2 * step), f->inputs));
  }
  vector_interface.axpy(-1.0, f->b, f->a);
  double slope = dot(f->u, f->a) / (2 * step);
  assert_ok(api->hvp(o, f->v, f->b));
  assert_near(dot(f->u, f->b), slope, 1e-6, "hvp and differences of the gradient");
  vector_interface.fill(f->more, 0);
  assert_ok(api->cross(o, f->v, 1.0, f->more));
  assert_near(dot(f->t, f->more), dot(f->t, f->inputs), 1e-6, "cross and differences");
  double ignored = 0;
  assert_ok(api->gradient(o, &ignored, f->a));
  assert_near(dot(f->v, f->a), (value[0] - value[1]) / (2 * step), 1e-6, "gradient and value");
  vector_free(w);
}

static void facade_products(void **state) {
  (void)state;
  struct facade f;
  tier_oracle *o = NULL;
  facade_open(&f, STEPS);
  for (int64_t t = -2; t < 5; t += 2) {
    if (t < 0) {
      assert_ok(problem_interface.at_solution(f.e, &f.e->record, 0, 17, &o));
    } else {
      assert_ok(problem_interface.at_step(f.e, &f.e->record, t, &o));
    }
    check_second_order(&f, o);
    check_by_differences(&f, o);
    problem_interface.release(o);
  }
  assert_fails(problem_interface.at_step(f.e, &f.e->record, 5, &o), TIER_E_PLUGIN, "step 5");
  facade_close(&f);
}

/* Several oracles at once keep their own rows, iterates and copies. */
static void oracles_side_by_side(void **state) {
  (void)state;
  struct facade f;
  tier_oracle *o[4];
  double alone[4];
  const tier_problem_1 *api = &problem_interface;
  facade_open(&f, STEPS);
  for (int round = 0; round < 3; round++) { /* 0: one after the other; then all of them */
    for (int i = 0; i < 4; i++) {
      if (round < 2) {
        assert_ok(i < 2 ? api->at_step(f.e, &f.e->record, i, &o[i])
                        : api->at_solution(f.e, &f.e->record, i, 0, &o[i]));
      }
    }
    for (int i = 0; i < 4; i++) {
      assert_ok(api->hvp(o[i], f.v, f.a));
      double value = dot(f.u, f.a);
      if (round == 0) {
        alone[i] = value;
        assert_true(i == 0 || value != alone[i - 1]);
      }
      assert_true(value == alone[i]);
    }
    for (int i = 0; i < 4 && round != 1; i++) {
      api->release(o[i]);
    }
  }
  facade_close(&f);
}

/* A step's products may be written over the vectors that they are of: the same numbers. */
static void check_step_in_place(const char *inner) {
  struct facade f;
  const tier_problem_1 *api = &problem_interface;
  facade_open(&f, inner);
  tier_record *r = &f.e->record;
  int64_t m = api->state_size(r);
  tier_vector *v_w = vector_new(f.n);
  tier_vector *v_g = vector_new(f.n);
  tier_vector *state = random_vector(m, 6);
  tier_vector *v_s = vector_new(m);
  size_t n_bytes = (size_t)f.n * sizeof(double);
  size_t m_bytes = (size_t)m * sizeof(double);
  assert_ok(api->step_vjp(f.e, r, 2, f.u, state, v_w, v_s, v_g, f.inputs));
  assert_ok(api->step_vjp(f.e, r, 2, f.u, state, f.u, state, f.a, f.more));
  assert_memory_equal(f.u->data, v_w->data, n_bytes);
  assert_memory_equal(f.a->data, v_g->data, n_bytes);
  assert_memory_equal(state->data, v_s->data, m_bytes);
  assert_memory_equal(f.inputs->data, f.more->data, (size_t)f.p * sizeof(double));
  assert_true(vector_interface.norm(v_g) > 0);
  assert_ok(api->step_jvp(f.e, r, 2, f.v, state, f.b, f.t, v_w, v_s));
  assert_ok(api->step_jvp(f.e, r, 2, f.v, state, f.b, f.t, f.v, state));
  assert_memory_equal(f.v->data, v_w->data, n_bytes);
  assert_memory_equal(state->data, v_s->data, m_bytes);
  vector_free(v_w);
  vector_free(v_g);
  vector_free(v_s);
  vector_free(state);
  facade_close(&f);
}

static void steps_in_place(void **state) {
  (void)state;
  check_step_in_place("\"steps\": 5, \"batch\": 10, \"optimizer\": { \"sgd\": { \"lr\": 0.05 } }");
  check_step_in_place(
      "\"steps\": 5, \"batch\": 10, \"optimizer\": { \"momentum\": { \"lr\": 0.05 } }");
  check_step_in_place(STEPS);
}

static void block_counts_its_vectors(void **state) {
  (void)state;
  struct facade f;
  tier_oracle *o = NULL;
  const tier_problem_1 *api = &problem_interface;
  facade_open(&f, STEPS);
  tier_vector *outs[] = {f.a, f.b};
  const tier_vector *vs[] = {f.v, f.u};
  assert_ok(api->at_solution(f.e, &f.e->record, 0, 0, &o));
  struct ledger before = problem_ledger(f.h.problem);
  assert_ok(api->hvp_block(o, 2, vs, outs));
  struct ledger after = problem_ledger(f.h.problem);
  assert_int_equal(after.hvps - before.hvps, 2);
  assert_int_equal(after.samples - before.samples, 2 * 10);
  assert_near(dot(f.u, f.a), dot(f.v, f.b), 1e-12, "<u, Hv> and <v, Hu>");
  assert_ok(api->products(o, f.v, f.a, 1.0, f.inputs)); /* two inputs, one sweep */
  before = problem_ledger(f.h.problem);
  assert_int_equal(before.cross - after.cross, 1);
  assert_int_equal(before.hvps - after.hvps, 1);
  assert_int_equal(before.samples - after.samples, 10);
  api->release(o);
  facade_close(&f);
}

/* first_order drops the Hessian products: for sgd the response is -lr sum_t cross_t(u). */
static void first_order(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, TWO_AND_TWO,
               "\"steps\": 5, \"batch\": 10, \"optimizer\": { \"sgd\": { \"lr\": 0.05 } }",
               "{ \"unroll\": { \"first_order\": true } }");
  tier_levels *levels = (tier_levels *)(void *)h.problem->facade;
  assert_ok(levels->api->solve_lower(levels));
  tier_edge *e = h.problem->top->edges[0];
  const tier_problem_1 *api = &problem_interface;
  tier_vector *u = random_vector(api->size(e), 5);
  tier_vector *pulled = vector_new(api->input_size(e));
  tier_vector *sum = vector_new(api->input_size(e));
  struct ledger before = problem_ledger(h.problem);
  assert_ok(e->api->pullback(e->estimator->object, e, NULL, &e->record, u, pulled));
  assert_int_equal(problem_ledger(h.problem).hvps, before.hvps);
  for (int64_t t = 0; t < 5; t++) {
    tier_oracle *o = NULL;
    assert_ok(api->at_step(e, &e->record, t, &o));
    assert_ok(api->cross(o, u, -0.05, sum));
    api->release(o);
  }
  double size = vector_interface.norm(sum);
  vector_interface.axpy(-1.0, pulled, sum);
  assert_true(size > 1e-6 && vector_interface.norm(sum) <= 1e-12 * size);
  vector_free(u);
  vector_free(pulled);
  vector_free(sum);
  harness_close(&h);
}

/* The top objective is exp(-exp(800 w)) = 0 at w = 1, and its gradient 0 times infinity. */
static void a_cotangent_that_is_not_finite(void **state) {
  (void)state;
  static const char *const estimators[] = {"\"cg\"",     "\"dense\"",   "\"minres\"",
                                           "\"unroll\"", "\"forward\"", "\"one-step\""};
  for (size_t i = 0; i < sizeof estimators / sizeof estimators[0]; i++) {
    struct harness h;
    harness_open(
        &h,
        "{ \"tier\": 1, \"compute\": { \"dtype\": \"f64\" }, \"data\": {}, \"variables\": { "
        "\"w\": 1, \"a\": 1 }, \"objectives\": { \"f\": { \"l2\": { \"minus\": [\"w\", \"a\"] } }, "
        "\"g\": { \"exp\": { \"minus\": [0, { \"exp\": { \"times\": [800, \"w\"] } }] } } }, "
        "\"levels\": [{ \"name\": \"in\", \"minimize\": \"f\", \"over\": \"w\", \"optimizer\": { "
        "\"sgd\": { \"lr\": 0.1 } } }, { \"name\": \"out\", \"minimize\": \"g\", \"over\": \"a\", "
        "\"steps\": 1, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, \"through\": { \"in\": %s } }] "
        "}",
        estimators[i]);
    assert_fails(problem_step(h.problem), TIER_E_NONFINITE,
                 "the gradient of level \"out\" by \"w\" of level \"in\"");
    harness_close(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_cotangent_that_is_not_finite),
      cmocka_unit_test(unrolled_optimizers),
      cmocka_unit_test(implicit_with_two_and_two),
      cmocka_unit_test(learning_rate_of_the_estimators_step),
      cmocka_unit_test(through_two_levels),
      cmocka_unit_test(copies_read_by_the_upper_level),
      cmocka_unit_test(starts_that_read_variables),
      cmocka_unit_test(differences_through_the_rest_of_the_path),
      cmocka_unit_test(looking_ahead),
      cmocka_unit_test(maximize_is_minimize_negated),
      cmocka_unit_test(pushforward_is_adjoint),
      cmocka_unit_test(facade_products),
      cmocka_unit_test(oracles_side_by_side),
      cmocka_unit_test(steps_in_place),
      cmocka_unit_test(block_counts_its_vectors),
      cmocka_unit_test(first_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

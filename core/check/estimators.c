/* Estimators, and linear solvers as estimators, on nested problems. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "check/instances.h"
#include "check/judge.h"
#include "check/kinds.h"
#include "check/matrix.h"
#include "check/nested.h"

#define TERMS 20
#define DEPTH 60
#define SCALE 0.5
#define RHO 0.01
#define MEANS 100 /* estimates of a random method */

/* ---- what stands in the manifest ---- */

static void argument(const struct check *c, struct text *t, const char *slot, double value) {
  char digits[32];
  if (check_slot(c->component, slot) != NULL) {
    text_number(value, digits);
    text_format(t, "\"%s\": %s, ", slot, digits);
  }
}

/* An application of the component: --with, its row's arguments, or by its slots. `more` are further
 * arguments. */
static void application(const struct check *c, double largest, const char *more, struct text *t) {
  const struct method method = method_of(c);
  int solver = strcmp(c->component->c.kind, "linear-solver") == 0;
  if (c->with != NULL || (!solver && c->as == NULL && method.arguments != NULL)) {
    text_add(t, c->with != NULL ? c->with : method.arguments);
    return;
  }
  text_format(t, "{\"%s\": {", c->component->c.id);
  if (solver) {
    argument(c, t, "iterations", 10 * NESTED_N);
    argument(c, t, "tolerance", 1e-14);
    argument(c, t, "terms", TERMS);
    argument(c, t, "depth", DEPTH);
    argument(c, t, "rank", NESTED_N);
    argument(c, t, "rho", RHO);
    argument(c, t, "scale", method.claim == CLAIM_LISSA ? 1.25 * largest : SCALE);
  }
  text_add(t, more);
  if (t->length > 2 && strcmp(t->data + t->length - 2, ", ") == 0) {
    t->data[t->length -= 2] = '\0';
  }
  text_add(t, "}}");
}

static void rate_text(const struct quadratic *q, char out[64]) {
  char digits[32];
  text_number(quadratic_rate(q), digits);
  (void)snprintf(out, 64, "{\"sgd\": {\"lr\": %s}}", digits);
}

/* ---- what it should be ---- */

/* y, where the hypergradient is theta + B'y; 0 if that is not defined. */
static int expected_adjoint(enum claim claim, const struct quadratic *q, double damping,
                            int64_t steps, double *y) {
  double lr = quadratic_rate(q);
  switch (claim) {
    case CLAIM_EXACT:
      matrix_solve(q->n, q->a, damping, q->c, y);
      return 1;
    case CLAIM_SERIES:
      matrix_series(q->n, q->a, damping, lr, TERMS, q->c, y);
      return 1;
    case CLAIM_LISSA:
      matrix_series(q->n, q->a, damping, 0.8 / (q->largest + damping), DEPTH + 1, q->c, y);
      return 1;
    case CLAIM_SCALE:
      for (int64_t i = 0; i < q->n; i++) {
        y[i] = q->c[i] / (1 / SCALE + damping);
      }
      return 1;
    case CLAIM_SHIFTED:
      matrix_solve(q->n, q->a, RHO, q->c, y);
      return 1;
    case CLAIM_FOLLOWS:
    case CLAIM_LAST:
    case CLAIM_MEAN:
      matrix_series(q->n, q->a, damping, lr, steps, q->c, y);
      return damping == 0;
    default:
      return 0;
  }
}

/* The response's share of the hypergradient is what is compared: without theta, which every
 * estimator gets for nothing. */
static void response_of(const struct quadratic *q, const double *hypergradient, double *out) {
  for (int64_t j = 0; j < NESTED_P; j++) {
    out[j] = hypergradient[j] - q->theta[j];
  }
}

/* ---- the ledger ---- */

static void count(struct check *c, int at_most, const char *what, int64_t made, int64_t declared) {
  if (at_most ? made > declared : made != declared) {
    check_fail(c, "the ledger shows %lld %s, and it declares %s%lld", (long long)made, what,
               at_most ? "at most " : "", (long long)declared);
  }
}

/* One of the gradients is the top level's own. */
static void check_ledger(struct check *c, const struct ledger *l,
                         const struct problem_edge *facts) {
  int most = (facts->cost.flags & TIER_COST_AT_MOST) != 0;
  if (!facts->has_cost) {
    check_note(c, "declares no cost");
    return;
  }
  count(c, most, "values", l->values, facts->cost.values);
  count(c, most, "gradients", l->gradients - 1, facts->cost.gradients);
  count(c, most, "hvps", l->hvps, facts->cost.hvps);
  count(c, most, "cross products", l->cross, facts->cost.cross);
}

/* ---- quadratics ---- */

enum spectrum { EVEN, EQUAL, DEFICIENT };
struct row {
  enum spectrum spectrum;
  double condition, damping, bound;
  int64_t steps; /* of followed levels; 0: until they are solved */
  int fixed_point;
};
static const struct row rows[] = {
    {EVEN, 10, 0, 1e-8, 0, 0},  {EVEN, 1e3, 0, 1e-8, 0, 0},       {EVEN, 1e6, 0, 1e-7, 0, 0},
    {EQUAL, 1, 0, 1e-8, 0, 0},  {DEFICIENT, 10, 0.1, 1e-8, 1, 0}, {EVEN, 10, 0, 1e-8, 1, 1},
    {EVEN, 10, 0, 1e-12, 7, 0},
};

static void row_problem(struct quadratic *q, const struct row *row) {
  double eigenvalues[NESTED_N];
  matrix_spectrum(NESTED_N, row->condition, eigenvalues);
  for (int64_t k = 0; k < NESTED_N; k++) {
    eigenvalues[k] *= row->spectrum == EQUAL ? 3 : row->spectrum == DEFICIENT && k % 2 == 0 ? 0 : 1;
  }
  quadratic_make(q, NESTED_N, eigenvalues);
}

static int is_solver(const struct check *c) {
  return strcmp(c->component->c.kind, "linear-solver") == 0;
}

/* Why the row says nothing about the method; NULL: it does. */
static const char *not_for(const struct check *c, const struct row *row, enum claim claim) {
  if ((row->damping > 0 || row->fixed_point) && !is_solver(c)) {
    return "for linear solvers";
  }
  if (row->fixed_point && claim != CLAIM_EXACT) {
    return "for methods that claim the solution";
  }
  if (row->fixed_point && (c->component->c.flags & TIER_SYMMETRIC)) {
    return "it is for symmetric systems only, and says so";
  }
  if (claim == CLAIM_MEAN) {
    return "random: the test \"mean\" holds it to its mean";
  }
  return NULL;
}

static int64_t row_steps(enum claim claim, const struct row *row, const struct quadratic *q) {
  if (claim == CLAIM_FOLLOWS) {
    return row->steps > 0 ? row->steps : quadratic_steps(q);
  }
  return 1;
}

/* A sum of powers is right to rounding, which grows with the matrix. */
static double claimed_bound(enum claim claim, const struct row *row, int to_solution) {
  if (to_solution) {
    return fmax(row->bound, 1e-8);
  }
  switch (claim) {
    case CLAIM_LAST:
      return 1e-9; /* differences of gradients */
    case CLAIM_SCALE:
    case CLAIM_SHIFTED:
      return 1e-8;
    default:
      return row->condition > 1e3 ? 1e-11 : 1e-12;
  }
}

static void judge_row(struct check *c, const struct row *row, const struct quadratic *q,
                      int64_t steps, const double *hypergradient) {
  enum claim claim = method_of(c).claim;
  double y[NESTED_N];
  double exact[NESTED_P];
  double response[NESTED_P];
  int to_solution = claim == CLAIM_EXACT || (claim == CLAIM_FOLLOWS && row->steps == 0);
  if (!expected_adjoint(to_solution ? CLAIM_EXACT : claim, q, row->damping, steps, y)) {
    check_note(c, "nothing is claimed here");
    return;
  }
  matrix_apply_adjoint(q->n, NESTED_P, q->b, y, exact);
  response_of(q, hypergradient, response);
  double error = matrix_error(NESTED_P, response, exact);
  double bound = claimed_bound(claim, row, to_solution);
  if (!(error <= bound)) {
    check_fail(c, "%.3g from %s (bound %g; first element %.10g instead of %.10g)", error,
               to_solution ? "the exact hypergradient" : "what it claims to compute", bound,
               response[0], exact[0]);
  }
  check_note(c, "error %.2g", error);
}

static void quadratic_test(struct check *c, int index) {
  const struct row *row = &rows[index];
  const struct method method = method_of(c);
  struct quadratic q;
  struct text text = {0};
  struct text estimator = {0};
  struct problem_estimate e;
  struct problem_edge facts;
  char sgd[64];
  char more[128];
  char damping[32];
  if (row->condition > method.most_condition || not_for(c, row, method.claim) != NULL) {
    check_skip(c, "%s",
               row->condition > method.most_condition ? "beyond the condition that it is held to"
                                                      : not_for(c, row, method.claim));
    return;
  }
  row_problem(&q, row);
  rate_text(&q, sgd);
  text_number(row->damping, damping);
  (void)snprintf(more, sizeof more, "%s%s%s%s", row->damping > 0 ? "\"damping\": " : "",
                 row->damping > 0 ? damping : "", row->damping > 0 && row->fixed_point ? ", " : "",
                 row->fixed_point ? "\"via\": \"step\"" : "");
  application(c, q.largest + row->damping, more, &estimator);
  const struct quadratic_task task = {
      .optimizer = row->fixed_point ? "{\"momentum\": {\"lr\": 0.1, \"beta\": 0.5}}" : sgd,
      .steps = row_steps(method.claim, row, &q),
      .estimator = text_get(&estimator)};
  quadratic_manifest(&q, &task, &text);
  if (check_ok(c, nested_estimate(c, text_get(&text), 0, &e, &facts), "hypergradient")) {
    judge_row(c, row, &q, task.steps, e.hypergradient);
    check_ledger(c, &e.pullback, &facts);
  }
  free(e.hypergradient);
  text_free(&text);
  text_free(&estimator);
}

/* The estimate on a variant of the condition 10 problem; 0 if it failed, which is judged. */
static int32_t variant(struct check *c, const struct quadratic_task *form, uint64_t seed,
                       struct problem_estimate *e) {
  struct quadratic q;
  struct text text = {0};
  struct text estimator = {0};
  struct problem_edge facts;
  char sgd[64];
  row_problem(&q, &rows[0]);
  rate_text(&q, sgd);
  application(c, q.largest, "", &estimator);
  struct quadratic_task task = *form;
  task.optimizer = sgd;
  task.estimator = text_get(&estimator);
  quadratic_manifest(&q, &task, &text);
  int32_t status = nested_estimate(c, text_get(&text), seed, e, &facts);
  text_free(&text);
  text_free(&estimator);
  return status;
}

static void zero_cotangent(struct check *c, int index) {
  const struct quadratic_task task = {.steps = 3, .at_rest = 1};
  struct problem_estimate e;
  (void)index;
  if (method_of(c).claim == CLAIM_MEAN) {
    check_skip(c, "it moves what it differentiates");
  } else if (check_ok(c, variant(c, &task, 0, &e), "hypergradient with a zero cotangent")) {
    for (int64_t j = 0; j < e.size; j++) {
      if (!(e.hypergradient[j] == 0)) {
        check_fail(c, "a zero cotangent gives %g", e.hypergradient[j]);
      }
    }
    free(e.hypergradient);
  }
}

static void nan_is_an_error(struct check *c, int index) {
  const struct quadratic_task task = {.steps = 3, .overflowing = 1};
  struct problem_estimate e;
  int finite = 1;
  (void)index;
  if (variant(c, &task, 0, &e) < 0) {
    check_note(c, "reported: %s", error_text());
    error_clear();
    return;
  }
  for (int64_t j = 0; j < e.size; j++) {
    finite = finite && isfinite(e.hypergradient[j]);
  }
  if (!finite) {
    check_fail(c, "the Hessian is not finite, and neither is the hypergradient, without an error");
  } else if (e.pullback.hvps == 0) {
    check_skip(c, "it uses no Hessian");
  } else {
    check_fail(c, "the Hessian is not finite, and it gives a finite hypergradient (%g)",
               e.hypergradient[0]);
  }
  free(e.hypergradient);
}

/* ---- regressions and the chain ---- */

/* 1 if the method should give the exact hypergradient where the level is solved. */
static int is_exact(struct check *c) {
  enum claim claim = method_of(c).claim;
  if (claim != CLAIM_EXACT && claim != CLAIM_FOLLOWS) {
    check_skip(c, "for methods that claim the exact hypergradient");
    return 0;
  }
  return 1;
}

static void against(struct check *c, const char *manifest, int64_t size, const double *exact) {
  struct problem_estimate e;
  struct problem_edge facts;
  if (check_ok(c, nested_estimate(c, manifest, 0, &e, &facts), "hypergradient")) {
    double error = matrix_error(size, e.hypergradient, exact);
    if (!(error <= 1e-8)) {
      check_fail(
          c,
          "%.3g from the exact hypergradient (bound 1e-08; first element %.10g instead of %.10g)",
          error, e.hypergradient[0], exact[0]);
    }
    check_note(c, "error %.2g", error);
  }
  free(e.hypergradient);
}

static void regression_test(struct check *c, int logistic) {
  struct regression r;
  struct text text = {0};
  struct text estimator = {0};
  if (is_exact(c)) {
    regression_make(&r, logistic);
    double exact = regression_exact(&r);
    application(c, r.largest, "", &estimator);
    regression_manifest(&r, text_get(&estimator), &text);
    against(c, text_get(&text), 1, &exact);
  }
  text_free(&text);
  text_free(&estimator);
}

static void chain_test(struct check *c, int index) {
  struct chain h;
  struct text text = {0};
  struct text estimator = {0};
  double exact[NESTED_P];
  (void)index;
  if (is_exact(c)) {
    chain_make(&h);
    chain_exact(&h, exact);
    application(c, h.first.largest, "", &estimator);
    chain_manifest(&h, text_get(&estimator), &text);
    against(c, text_get(&text), NESTED_P, exact);
  }
  text_free(&text);
  text_free(&estimator);
}

/* ---- random methods ---- */

/* The mean over seeds within 4.5 standard errors, which must be small beside what is estimated. */
static void judge_mean(struct check *c, const double *sum, const double *squares,
                       const double *exact) {
  double largest = 0;
  for (int64_t j = 0; j < NESTED_P; j++) {
    largest = fmax(largest, fabs(exact[j]));
  }
  for (int64_t j = 0; j < NESTED_P; j++) {
    double mean = sum[j] / MEANS;
    double error = sqrt(fmax(squares[j] / MEANS - mean * mean, 0) / (MEANS - 1));
    if (!(error < 0.4 * largest)) {
      check_fail(c,
                 "the mean of %d estimates has a standard error of %.3g; the hypergradient is %.3g",
                 MEANS, error, largest);
    }
    if (!(fabs(mean - exact[j]) <= 4.5 * error + 1e-9 * largest)) {
      check_fail(c, "the mean of %d estimates is %.5g, %.3g standard errors from %.5g (bound 4.5)",
                 MEANS, mean, fabs(mean - exact[j]) / error, exact[j]);
    }
  }
}

static void mean_test(struct check *c, int index) {
  const struct quadratic_task task = {.steps = 7};
  struct quadratic q;
  struct problem_estimate e;
  double y[NESTED_N];
  double exact[NESTED_P];
  double sum[NESTED_P] = {0};
  double squares[NESTED_P] = {0};
  (void)index;
  if (method_of(c).claim != CLAIM_MEAN) {
    check_skip(c, "for random methods");
    return;
  }
  row_problem(&q, &rows[0]);
  (void)expected_adjoint(CLAIM_FOLLOWS, &q, 0, task.steps, y);
  matrix_apply_adjoint(q.n, NESTED_P, q.b, y, exact);
  for (uint64_t seed = 0; seed < MEANS; seed++) {
    if (!check_ok(c, variant(c, &task, seed, &e), "hypergradient")) {
      return;
    }
    for (int64_t j = 0; j < NESTED_P; j++) {
      double response = e.hypergradient[j] - q.theta[j];
      sum[j] += response;
      squares[j] += response * response;
    }
    free(e.hypergradient);
  }
  judge_mean(c, sum, squares, exact);
}

static void same_seed(struct check *c, int index) {
  const struct quadratic_task task = {.steps = 5};
  struct problem_estimate e[2] = {{0}, {0}};
  (void)index;
  for (int k = 0; k < 2; k++) {
    if (!check_ok(c, variant(c, &task, 3, &e[k]), "hypergradient")) {
      free(e[0].hypergradient);
      return;
    }
  }
  if (memcmp(e[0].hypergradient, e[1].hypergradient, NESTED_P * sizeof(double)) != 0) {
    check_fail(c, "two estimates with one seed differ: %.17g and %.17g", e[0].hypergradient[0],
               e[1].hypergradient[0]);
  }
  free(e[0].hypergradient);
  free(e[1].hypergradient);
}

static const struct check_test tests[] = {
    {"quadratic-10", quadratic_test, 0},
    {"quadratic-1e3", quadratic_test, 1},
    {"quadratic-1e6", quadratic_test, 2},
    {"quadratic-multiple-of-identity", quadratic_test, 3},
    {"quadratic-rank-deficient-damped", quadratic_test, 4},
    {"fixed-point-of-momentum", quadratic_test, 5},
    {"partial-sum", quadratic_test, 6},
    {"ridge", regression_test, 0},
    {"logistic", regression_test, 1},
    {"three-levels", chain_test, 0},
    {"zero-cotangent", zero_cotangent, 0},
    {"nan-in-the-hessian", nan_is_an_error, 0},
    {"mean", mean_test, 0},
    {"same-seed", same_seed, 0},
};
const struct check_group check_estimators = {tests, CHECK_COUNT(tests)};

/* Hypergradients against closed forms, against each other, and against finite differences; f64. */
#include <math.h>
#include <stdlib.h>

#include <unistd.h>

#include "harness.h"
#include "problem/edges.h"

/* ---- ridge: manifest 01's problem ---- */

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

#define SOLVED "\"optimizer\": \"lbfgs\", \"steps\": 2000, \"tolerance\": 1e-13"

#define RIDGE_N 21

/* Solves a (n, n) x = b in place by elimination with partial pivots. */
static void eliminate(int n, double *a, double *b) {
  for (int k = 0; k < n; k++) {
    int pivot = k;
    for (int i = k + 1; i < n; i++) {
      pivot = fabs(a[i * n + k]) > fabs(a[pivot * n + k]) ? i : pivot;
    }
    for (int j = 0; j < n; j++) {
      double swapped = a[k * n + j];
      a[k * n + j] = a[pivot * n + j];
      a[pivot * n + j] = swapped;
    }
    double swapped = b[k];
    b[k] = b[pivot];
    b[pivot] = swapped;
    for (int i = k + 1; i < n; i++) {
      double factor = a[i * n + k] / a[k * n + k];
      for (int j = k; j < n; j++) {
        a[i * n + j] -= factor * a[k * n + j];
      }
      b[i] -= factor * b[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int j = k + 1; j < n; j++) {
      b[k] -= a[k * n + j] * b[j];
    }
    b[k] /= a[k * n + k];
  }
}

static const double *held(struct harness *h, const char *data, const char *field, int64_t *rows) {
  for (size_t i = 0; i < h->manifest->data_count; i++) {
    struct held_data *d = &h->problem->data[i];
    if (strcmp(h->manifest->data[i].name, data) == 0) {
      for (size_t f = 0; f < d->field_count; f++) {
        if (strcmp(d->fields[f].field->name, field) == 0) {
          *rows = d->rows;
          return d->fields[f].values;
        }
      }
    }
  }
  fail_test("no field %s.%s", data, field);
  return NULL;
}

/* 2/n X^T X and 2/n X^T y with a column of ones for the bias, which comes last. */
static void normal_equations(struct harness *h, const char *data, double *gram, double *moment) {
  int64_t n = 0;
  const double *x = held(h, data, "x", &n);
  const double *y = held(h, data, "y", &n);
  memset(gram, 0, RIDGE_N * RIDGE_N * sizeof *gram);
  memset(moment, 0, RIDGE_N * sizeof *moment);
  for (int64_t r = 0; r < n; r++) {
    double row[RIDGE_N];
    memcpy(row, x + r * (RIDGE_N - 1), (RIDGE_N - 1) * sizeof *row);
    row[RIDGE_N - 1] = 1;
    for (int i = 0; i < RIDGE_N; i++) {
      moment[i] += 2 * row[i] * y[r] / (double)n;
      for (int j = 0; j < RIDGE_N; j++) {
        gram[i * RIDGE_N + j] += 2 * row[i] * row[j] / (double)n;
      }
    }
  }
}

/* With l = exp(log_l2): w* = (G + l I)^-1 m, dw/dlog_l2 = -(G + l I)^-1 l w*, and the validation
 * gradient is Gv w* - mv. */
static double ridge_closed_form(struct harness *h, double damping) {
  static double gram[RIDGE_N * RIDGE_N], system[RIDGE_N * RIDGE_N];
  double moment[RIDGE_N], w[RIDGE_N], response[RIDGE_N];
  double l = exp(harness_read(h, "log_l2", 0));
  normal_equations(h, "train", gram, moment);
  memcpy(system, gram, sizeof gram);
  for (int i = 0; i < RIDGE_N; i++) {
    system[i * RIDGE_N + i] += l;
  }
  memcpy(w, moment, sizeof w);
  eliminate(RIDGE_N, system, w);
  memcpy(system, gram, sizeof gram);
  for (int i = 0; i < RIDGE_N; i++) {
    system[i * RIDGE_N + i] += l + damping;
    response[i] = -l * w[i];
  }
  eliminate(RIDGE_N, system, response);
  normal_equations(h, "val", gram, moment);
  double total = 0;
  for (int i = 0; i < RIDGE_N; i++) {
    double slope = -moment[i];
    for (int j = 0; j < RIDGE_N; j++) {
      slope += gram[i * RIDGE_N + j] * w[j];
    }
    total += slope * response[i];
  }
  return total;
}

static void check_ridge(const char *inner, const char *estimator, double damping, double bound) {
  struct harness h;
  harness_open(&h, RIDGE, inner, estimator);
  struct problem_estimate e = harness_estimate(&h);
  double exact = ridge_closed_form(&h, damping);
  assert_int_equal(e.size, 1);
  if (!(fabs(e.hypergradient[0] - exact) <= bound * fabs(exact))) {
    fail_test("%s: %.17g, closed form %.17g", estimator, e.hypergradient[0], exact);
  }
  free(e.hypergradient);
  harness_close(&h);
}

static void ridge_dense(void **state) {
  (void)state;
  check_ridge(SOLVED, "\"dense\"", 0, 1e-10);
}

static void ridge_cg(void **state) {
  (void)state;
  check_ridge(SOLVED, "{\"cg\": {\"iterations\": 200, \"tolerance\": 1e-13}}", 0, 1e-10);
}

static void ridge_unroll_to_convergence(void **state) {
  (void)state;
  check_ridge("\"optimizer\": {\"sgd\": {\"lr\": 0.1}}, \"steps\": 600", "\"unroll\"", 0, 1e-10);
}

static void ridge_momentum_unrolled(void **state) {
  (void)state;
  check_ridge("\"optimizer\": {\"momentum\": {\"lr\": 0.05, \"beta\": 0.5}}, \"steps\": 800",
              "\"unroll\"", 0, 1e-10);
}

static void ridge_neumann_to_convergence(void **state) {
  (void)state;
  check_ridge(SOLVED, "{\"neumann\": {\"terms\": 1000, \"lr\": 0.1}}", 0, 1e-10);
}

/* A damped CG solves exactly the damped system. */
static void ridge_damped(void **state) {
  (void)state;
  check_ridge(SOLVED, "{\"cg\": {\"iterations\": 200, \"tolerance\": 1e-13, \"damping\": 0.7}}",
              0.7, 1e-10);
  check_ridge(SOLVED, "{\"implicit\": {\"solver\": \"dense\", \"damping\": 0.7}}", 0.7, 1e-10);
}

/* ---- unroll truncated at K equals neumann with K terms, at a converged point ---- */

static double one_hypergradient(const char *inner, const char *estimator) {
  struct harness h;
  harness_open(&h, RIDGE, inner, estimator);
  struct problem_estimate e = harness_estimate(&h);
  double value = e.hypergradient[0];
  free(e.hypergradient);
  harness_close(&h);
  return value;
}

static void truncated_unroll_is_neumann(void **state) {
  (void)state;
  for (int k = 1; k <= 100; k = k < 10 ? k + 1 : k + 45) {
    char estimator[256];
    (void)snprintf(estimator, sizeof estimator,
                   "{\"unroll\": {\"truncate\": %d, \"step\": {\"sgd\": {\"lr\": 0.1}}}}", k);
    double unrolled = one_hypergradient(SOLVED, estimator);
    (void)snprintf(estimator, sizeof estimator, "{\"neumann\": {\"terms\": %d, \"lr\": 0.1}}", k);
    double neumann = one_hypergradient(SOLVED, estimator);
    if (!(fabs(unrolled - neumann) <= 1e-12)) {
      fail_test("K = %d: unroll %.17g, neumann %.17g", k, unrolled, neumann);
    }
  }
}

/* The exact form of one-step is unroll with truncate 1. */
static void one_step_is_unroll_of_one(void **state) {
  (void)state;
  double exact = one_hypergradient(
      SOLVED, "{\"unroll\": {\"truncate\": 1, \"step\": {\"sgd\": {\"lr\": 0.1}}}}");
  double difference =
      one_hypergradient(SOLVED, "{\"one-step\": {\"step\": {\"sgd\": {\"lr\": 0.1}}}}");
  assert_true(fabs(exact - difference) <= 1e-8 * fabs(exact));
}

/* ---- a Hessian that is a multiple of the identity: one CG iteration ---- */

static void multiple_of_identity(void **state) {
  (void)state;
  struct harness h;
  harness_open(
      &h,
      "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"
      "  \"data\": { \"d\": { \"linear-problem\": { \"rows\": 4, \"features\": 2 } } },"
      "  \"variables\": { \"w\": { \"init\": [0, 0, 0] }, \"t\": { \"init\": [1, 2, -3] } },"
      "  \"objectives\": { \"near\": { \"times\": [3, { \"l2\": { \"minus\": [\"w\", \"t\"] "
      "} }] },"
      "    \"far\": { \"l2\": { \"minus\": [\"w\", [5, 5, 5]] } } },"
      "  \"levels\": ["
      "    { \"name\": \"inner\", \"minimize\": \"near\", \"over\": \"w\", \"optimizer\": "
      "\"lbfgs\","
      "      \"steps\": 100, \"tolerance\": 1e-14 },"
      "    { \"name\": \"outer\", \"minimize\": \"far\", \"over\": \"t\", \"through\": { "
      "\"inner\": \"cg\" },"
      "      \"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, \"steps\": 1 }] }");
  struct problem_estimate e = harness_estimate(&h);
  double expected[] = {1 - 5, 2 - 5, -3 - 5}; /* w* = t */
  assert_true(relative_error(e.hypergradient, expected, 3) < 1e-12);
  assert_int_equal(e.pullback.hvps, 1);
  assert_int_equal(e.pullback.cross, 1);
  free(e.hypergradient);
  harness_close(&h);
}

/* ---- classification ---- */

#define SOFTMAX                                                                                   \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"seeds\": 3,"                               \
  "  \"data\": { \"pool\": { \"csv\": { \"path\": \"%s\", \"target\": \"label\", \"labels\": "    \
  "true } },"                                                                                     \
  "    \"train\": [\"pool\", { \"take\": 200 }], \"val\": [\"pool\", { \"skip\": 200 }] },"       \
  "  \"variables\": { \"net\": { \"linear\": [64, 10] }, \"belief\": { \"per\": \"train\", "      \
  "\"init\": 0.3 }, \"log_l2\": -3 },"                                                            \
  "  \"objectives\": {"                                                                           \
  "    \"training\": [{ \"times\": [{ \"sigmoid\": \"belief\" }, { \"cross-entropy\": { "         \
  "\"logits\": { \"net\": \"train.x\" }, \"labels\": \"train.y\" } }] },"                         \
  "      { \"times\": [{ \"exp\": \"log_l2\" }, { \"l2\": \"net\" }] }],"                         \
  "    \"validation\": { \"cross-entropy\": { \"logits\": { \"net\": \"val.x\" }, \"labels\": "   \
  "\"val.y\" } } },"                                                                              \
  "  \"levels\": ["                                                                               \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"net\", \"optimizer\": "     \
  "\"lbfgs\", \"steps\": 3000, \"tolerance\": %s },"                                              \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": [\"belief\", \"log_l2\"], " \
  "\"through\": { \"inner\": %s },"                                                               \
  "      \"optimizer\": { \"adam\": { \"lr\": 0.1 } }, \"steps\": 2 }] }"

/* 300 rows of 64 features around ten random centres, as a CSV file. */
static const char *blobs(void) {
  static char path[64];
  static double centres[10][64];
  (void)snprintf(path, sizeof path, "/tmp/tier-blobs-%d.csv", (int)getpid());
  FILE *file = fopen(path, "w");
  uint64_t s = 12345;
  assert_non_null(file);
  for (int c = 0; c < 64; c++) {
    (void)fprintf(file, "f%d,", c);
  }
  (void)fprintf(file, "label\n");
  for (int r = -10; r < 300; r++) {
    int label = ((r + 10) * 7) % 10;
    for (int c = 0; c < 64; c++) {
      s = s * 6364136223846793005u + 1442695040888963407u;
      double u = (double)(s >> 11) * 0x1p-53 - 0.5;
      if (r < 0) {
        centres[label][c] = u;
      } else {
        (void)fprintf(file, "%.6f,", centres[label][c] + 2 * u);
      }
    }
    if (r >= 0) {
      (void)fprintf(file, "%d\n", label);
    }
  }
  (void)fclose(file);
  return path;
}

static double *softmax_hypergradient(const char *tolerance, const char *estimator, int64_t *n) {
  struct harness h;
  harness_open(&h, SOFTMAX, blobs(), tolerance, estimator);
  struct problem_estimate e = harness_estimate(&h);
  *n = e.size;
  harness_close(&h);
  return e.hypergradient;
}

/* 650 weights: cg at tolerance 1e-12 agrees with dense. */
static void cg_agrees_with_dense(void **state) {
  (void)state;
  int64_t n = 0;
  double *dense = softmax_hypergradient("1e-12", "\"dense\"", &n);
  double *cg =
      softmax_hypergradient("1e-12", "{\"cg\": {\"iterations\": 6500, \"tolerance\": 1e-12}}", &n);
  assert_int_equal(n, 201);
  assert_true(relative_error(cg, dense, n) <= 1e-8);
  free(dense);
  free(cg);
}

/* At a point solved to |grad| the truncated unroll and neumann differ by at most 10 |grad|. */
static void logistic_unroll_near_neumann(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double value;
  } tolerances[] = {{"1e-4", 1e-4}, {"1e-6", 1e-6}};
  for (size_t i = 0; i < 2; i++) {
    int64_t n = 0;
    double *unrolled = softmax_hypergradient(
        tolerances[i].text, "{\"unroll\": {\"truncate\": 20, \"step\": {\"sgd\": {\"lr\": 0.5}}}}",
        &n);
    double *neumann = softmax_hypergradient(tolerances[i].text,
                                            "{\"neumann\": {\"terms\": 20, \"lr\": 0.5}}", &n);
    double difference = 0;
    for (int64_t k = 0; k < n; k++) {
      difference += (unrolled[k] - neumann[k]) * (unrolled[k] - neumann[k]);
    }
    assert_true(sqrt(difference) <= 10 * tolerances[i].value);
    assert_true(sqrt(difference) > 0); /* they are not one computation */
    free(unrolled);
    free(neumann);
  }
}

/* Hypergradients by trust and by l2 against retraining. */
static void softmax_against_differences(void **state) {
  (void)state;
  struct harness h;
  const double step = 3e-3; /* the inner tolerance leaves about 4e-12 in the values */
  static const struct {
    const char *name;
    int64_t index, place;
  } probes[] = {{"belief", 0, 0}, {"belief", 77, 77}, {"belief", 199, 199}, {"log_l2", 0, 200}};
  harness_open(&h, SOFTMAX, blobs(), "1e-11",
               "{\"cg\": {\"iterations\": 6500, \"tolerance\": 1e-12}}");
  struct problem_estimate e = harness_estimate(&h);
  for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
    double up = harness_shifted_value(&h, probes[i].name, probes[i].index, step);
    double down = harness_shifted_value(&h, probes[i].name, probes[i].index, -step);
    double difference = (up - down) / (2 * step);
    double exact = e.hypergradient[probes[i].place];
    if (!(fabs(exact - difference) <= 1e-5 * fabs(exact) + 1e-10)) {
      fail_test("%s[%d]: %.12g, differences %.12g", probes[i].name, (int)probes[i].index, exact,
                difference);
    }
  }
  free(e.hypergradient);
  harness_close(&h);
}

/* ---- a learning rate per step: manifest 05, smaller ---- */

#define LEARNING_RATE                                                                              \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"                                              \
  "  \"data\": { \"pool\": { \"digits\": { \"rows\": 160 } },"                                     \
  "    \"train\": [\"pool\", { \"take\": 80 }], \"val\": [\"pool\", { \"skip\": 80 }] },"          \
  "  \"variables\": { \"net\": { \"mlp\": { \"layers\": [784, 8, 10], \"activation\": \"tanh\" } " \
  "}, \"log_lr\": { \"per\": \"inner\", \"init\": -1.5 } },"                                       \
  "  \"objectives\": {"                                                                            \
  "    \"training\": { \"cross-entropy\": { \"logits\": { \"net\": \"train.x\" }, \"labels\": "    \
  "\"train.y\" } },"                                                                               \
  "    \"validation\": { \"cross-entropy\": { \"logits\": { \"net\": \"val.x\" }, \"labels\": "    \
  "\"val.y\" } } },"                                                                               \
  "  \"levels\": ["                                                                                \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"net\", \"batch\": 20, "      \
  "\"warm_start\": false,"                                                                         \
  "      \"optimizer\": { \"%s\": { \"lr\": { \"exp\": \"log_lr\" } } }, \"steps\": 12 },"         \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": \"log_lr\", \"through\": { " \
  "\"inner\": \"%s\" },"                                                                           \
  "      \"optimizer\": { \"adam\": { \"lr\": 0.04 } }, \"steps\": 2 }] }"

static void check_learning_rate(const char *optimizer) {
  struct harness h;
  char path[] = "/tmp/tier-lr-XXXXXX";
  const double step = 1e-5;
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&h, LEARNING_RATE, optimizer, "unroll");
  assert_ok(problem_save(h.problem, path));
  struct problem_estimate e = harness_estimate(&h);
  assert_int_equal(e.size, 12);
  assert_ok(problem_load(h.problem, path, 0));
  for (int64_t i = 0; i < 12; i += 3) {
    double up = harness_shifted_value(&h, "log_lr", i, step);
    double down = harness_shifted_value(&h, "log_lr", i, -step);
    double difference = (up - down) / (2 * step);
    if (!(fabs(e.hypergradient[i] - difference) <= 1e-6 * fabs(difference) + 1e-10)) {
      fail_test("%s, step %d: %.12g, differences %.12g", optimizer, (int)i, e.hypergradient[i],
                difference);
    }
  }
  (void)unlink(path);
  free(e.hypergradient);
  harness_close(&h);
}

static void learning_rate_of_sgd(void **state) {
  (void)state;
  check_learning_rate("sgd");
}

static void learning_rate_of_momentum(void **state) {
  (void)state;
  check_learning_rate("momentum");
}

static void learning_rate_is_refused_by_implicit(void **state) {
  (void)state;
  struct harness h;
  char *text = memory_format(LEARNING_RATE, "sgd", "cg");
  int32_t status = harness_check(&h, text);
  assert_true(status < 0);
  assert_true(diagnostics_errors(&h.diagnostics) > 0);
  assert_non_null(strstr(h.diagnostics.items[0].message, "optimizer"));
  free(text);
  harness_close(&h);
}

/* What is only added to the lower objective has no effect on its solution. */
static void zero_cross_derivative_is_refused(void **state) {
  (void)state;
  struct harness h;
  int32_t status = harness_check(
      &h,
      "{ \"tier\": 1, \"data\": { \"d\": { \"linear-problem\": { \"rows\": 4 } } },"
      "  \"variables\": { \"w\": { \"init\": [0, 0] }, \"t\": { \"init\": [1, 2] } },"
      "  \"objectives\": { \"near\": [{ \"l2\": \"w\" }, { \"l2\": \"t\" }],"
      "    \"far\": { \"l2\": { \"minus\": [\"w\", [5, 5]] } } },"
      "  \"levels\": ["
      "    { \"name\": \"inner\", \"minimize\": \"near\", \"over\": \"w\", \"optimizer\": "
      "\"lbfgs\" },"
      "    { \"name\": \"outer\", \"minimize\": \"far\", \"over\": \"t\", \"steps\": 1,"
      "      \"through\": { \"inner\": \"cg\" }, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }");
  assert_int_equal(status, TIER_E_INVALID);
  assert_non_null(strstr(h.diagnostics.items[0].message, "simplifies to zero"));
  harness_close(&h);
}

/* A block of products equals one after the other; a product into its own vector is refused. */
static void block_of_products(void **state) {
  (void)state;
  struct harness h;
  harness_open(&h, RIDGE, SOLVED, "\"cg\"");
  struct problem_estimate e = harness_estimate(&h);
  tier_edge *edge = h.problem->top->edges[0];
  tier_oracle *o = NULL;
  tier_vector *v[3], *one[3], *block[3];
  const tier_vector *vs[3];
  assert_ok(problem_interface.at_solution(edge, &edge->record, 0, 0, &o));
  int64_t hvps = h.problem->levels[0].ledger.hvps;
  for (int i = 0; i < 3; i++) {
    vs[i] = v[i] = vector_new(RIDGE_N);
    one[i] = vector_new(RIDGE_N);
    block[i] = vector_new(RIDGE_N);
    vector_interface.normal(v[i], 7, (uint64_t)i);
    assert_ok(problem_interface.hvp(o, v[i], one[i]));
  }
  assert_ok(problem_interface.hvp_block(o, 3, vs, block));
  assert_int_equal(h.problem->levels[0].ledger.hvps - hvps, 6);
  assert_fails(problem_interface.hvp(o, v[0], v[0]), TIER_E_PLUGIN, "other than");
  for (int i = 0; i < 3; i++) {
    assert_true(vector_interface.norm(one[i]) > 0);
    assert_true(relative_error(block[i]->data, one[i]->data, RIDGE_N) <= 1e-13);
    vector_free(v[i]);
    vector_free(one[i]);
    vector_free(block[i]);
  }
  problem_interface.release(o);
  free(e.hypergradient);
  harness_close(&h);
}

/* ---- three levels: the one-step unit test of reference.md, section 4 ---- */

static const char *rows_file(const char *name, const char *text) {
  static char paths[3][64];
  static int next;
  char *path = paths[next++ % 3];
  (void)snprintf(path, 64, "/tmp/tier-%d-%s.csv", (int)getpid(), name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  (void)fputs(text, file);
  (void)fclose(file);
  return path;
}

/* Sums of the reference are means here: two rows, so xi_W is doubled. */
static void three_levels_one_step(void **state) {
  (void)state;
  struct harness h;
  const char *pairs = rows_file("pairs", "x,y\n1,1\n2,0\n");
  harness_open(
      &h,
      "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"},"
      "  \"data\": { \"train\": { \"csv\": { \"path\": \"%s\", \"target\": \"y\" } } },"
      "  \"variables\": { \"W\": 0.5, \"V\": 0, \"a\": { \"per\": \"train\", \"init\": 1 } },"
      "  \"objectives\": {"
      "    \"teaching\": { \"times\": [0.5, \"a\", { \"mse\": { \"of\": { \"times\": [\"W\", "
      "\"train.x\"] }, \"target\": \"train.y\" } }] },"
      "    \"learning\": [{ \"times\": [0.5, { \"square\": { \"minus\": [\"V\", \"W\"] } }] },"
      "      { \"times\": [0.5, { \"square\": { \"minus\": [\"V\", 2] } }] }],"
      "    \"judging\": { \"times\": [0.5, { \"square\": { \"minus\": [\"V\", 1] } }] } },"
      "  \"levels\": ["
      "    { \"name\": \"teach\", \"minimize\": \"teaching\", \"over\": \"W\", \"optimizer\": { "
      "\"sgd\": { \"lr\": 0.2 } } },"
      "    { \"name\": \"learn\", \"minimize\": \"learning\", \"over\": \"V\", \"optimizer\": { "
      "\"sgd\": { \"lr\": 0.1 } } },"
      "    { \"name\": \"judge\", \"minimize\": \"judging\", \"over\": \"a\", \"steps\": 1,"
      "      \"through\": { \"learn\": \"unroll\", \"teach\": \"unroll\" }, \"optimizer\": { "
      "\"sgd\": { \"lr\": 1 } } }] }",
      pairs);
  harness_write(&h, "a", 1, 0.5);
  struct problem_estimate e = harness_estimate(&h);
  double expected[] = {-0.003775, 0.0151};
  if (!(relative_error(e.hypergradient, expected, 2) < 1e-9)) {
    fail_test("%.12g, %.12g", e.hypergradient[0], e.hypergradient[1]);
  }
  free(e.hypergradient);
  harness_close(&h);
  (void)unlink(pairs);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ridge_dense),
      cmocka_unit_test(ridge_cg),
      cmocka_unit_test(ridge_unroll_to_convergence),
      cmocka_unit_test(ridge_momentum_unrolled),
      cmocka_unit_test(ridge_neumann_to_convergence),
      cmocka_unit_test(ridge_damped),
      cmocka_unit_test(truncated_unroll_is_neumann),
      cmocka_unit_test(one_step_is_unroll_of_one),
      cmocka_unit_test(multiple_of_identity),
      cmocka_unit_test(cg_agrees_with_dense),
      cmocka_unit_test(logistic_unroll_near_neumann),
      cmocka_unit_test(softmax_against_differences),
      cmocka_unit_test(learning_rate_of_sgd),
      cmocka_unit_test(learning_rate_of_momentum),
      cmocka_unit_test(learning_rate_is_refused_by_implicit),
      cmocka_unit_test(zero_cross_derivative_is_refused),
      cmocka_unit_test(block_of_products),
      cmocka_unit_test(three_levels_one_step),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  (void)unlink(blobs());
  return failed;
}

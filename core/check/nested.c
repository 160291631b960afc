#include "check/nested.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "check/matrix.h"

#define N NESTED_N
#define P NESTED_P

/* ---- texts ---- */

static void number(struct text *t, double value) {
  char digits[32];
  text_number(value, digits);
  text_add(t, digits);
}

static void vector(struct text *t, int64_t n, const double *x, int64_t stride) {
  for (int64_t i = 0; i < n; i++) {
    text_add(t, i == 0 ? "[" : ", ");
    number(t, x[i * stride]);
  }
  text_add(t, "]");
}

/* x'NAME as one number. */
static void product(struct text *t, int64_t n, const double *x, int64_t stride, const char *name) {
  text_add(t, "{\"total\": {\"times\": [");
  vector(t, n, x, stride);
  text_format(t, ", \"%s\"]}}", name);
}

static void head(struct text *t) {
  text_add(t,
           "{\"tier\": 1, \"compute\": {\"dtype\": \"f64\", \"threads\": 1}, \"data\": {}, "
           "\"guards\": {\"stationarity\": \"off\"}, \"variables\": {");
}

static void variable(struct text *t, const char *name, int64_t n, const double *x) {
  text_format(t, "\"%s\": {\"init\": ", name);
  vector(t, n, x, 1);
  text_add(t, "}");
}

/* 1/2 sum_k (v_k'NAME)^2 */
static void form(struct text *t, const struct quadratic *q, const char *name) {
  for (int64_t k = 0; k < q->n; k++) {
    text_add(t, k == 0 ? "{\"times\": [0.5, {\"square\": " : ", {\"times\": [0.5, {\"square\": ");
    product(t, q->n, q->v + k * q->n, 1, name);
    text_add(t, "}]}");
  }
}

static void level(struct text *t, const char *name, const char *objective, const char *over,
                  const char *optimizer, int64_t steps) {
  text_format(t,
              "{\"name\": \"%s\", \"minimize\": \"%s\", \"over\": \"%s\", \"optimizer\": %s, "
              "\"steps\": %lld",
              name, objective, over, optimizer, (long long)steps);
}

static void top(struct text *t, const char *through) {
  level(t, "outer", "judging", "theta", "{\"sgd\": 0.1}", 1);
  text_format(t, ", \"through\": {%s}}]}", through);
}

/* ---- the quadratic ---- */

void quadratic_make(struct quadratic *q, int64_t n, const double *eigenvalues) {
  *q = (struct quadratic){.n = n, .largest = 0, .smallest = INFINITY};
  matrix_orthonormal(n, 21, q->v);
  for (int64_t k = 0; k < n; k++) {
    for (int64_t i = 0; i < n; i++) {
      q->v[k * n + i] *= sqrt(eigenvalues[k]);
    }
    q->largest = fmax(q->largest, eigenvalues[k]);
    q->smallest = fmin(q->smallest, eigenvalues[k]);
  }
  for (int64_t i = 0; i < n * n; i++) {
    for (int64_t k = 0; k < n; k++) {
      q->a[i] += q->v[k * n + i / n] * q->v[k * n + i % n];
    }
  }
  matrix_normal(n * P, 22, q->b);
  matrix_normal(n, 23, q->c);
  matrix_normal(P, 24, q->theta);
}

double quadratic_rate(const struct quadratic *q) {
  return 2 / (q->largest + q->smallest);
}

int64_t quadratic_steps(const struct quadratic *q) {
  double contraction = (q->largest - q->smallest) / (q->largest + q->smallest);
  return contraction > 0 ? 1 + (int64_t)(log(1e-11) / log(contraction)) : 1;
}

/* - w'B theta */
static void coupling(struct text *t, const struct quadratic *q) {
  for (int64_t j = 0; j < P; j++) {
    double unit[P] = {0};
    unit[j] = 1;
    text_add(t, ", {\"times\": [-1, ");
    product(t, q->n, q->b + j, P, "w");
    text_add(t, ", ");
    product(t, P, unit, 1, "theta");
    text_add(t, "]}");
  }
}

void quadratic_manifest(const struct quadratic *q, const struct quadratic_task *task,
                        struct text *out) {
  const double zeros[N] = {0};
  const double unit[N] = {1};
  char through[1024];
  (void)snprintf(through, sizeof through, "\"inner\": %s", task->estimator);
  head(out);
  variable(out, "w", q->n, zeros);
  text_add(out, ", ");
  variable(out, "theta", P, task->at_rest || task->overflowing ? zeros : q->theta);
  text_add(out, task->overflowing ? ", \"steep\": 1e180" : "");
  text_add(out, "}, \"objectives\": {\"training\": [");
  form(out, q, "w");
  coupling(out, q);
  if (task->overflowing) {
    text_add(out, ", {\"square\": {\"times\": [\"steep\", ");
    product(out, q->n, unit, 1, "w");
    text_add(out, "]}}");
  }
  text_add(out, "], \"judging\": [");
  if (task->at_rest) {
    form(out, q, "w");
  } else {
    product(out, q->n, q->c, 1, "w");
    text_add(out, ", {\"l2\": \"theta\"}");
  }
  text_add(out, "]}, \"levels\": [");
  level(out, "inner", "training", "w", task->optimizer, task->steps);
  text_add(out, "}, ");
  top(out, through);
}

/* ---- regressions ---- */

void regression_make(struct regression *r, int logistic) {
  *r = (struct regression){.logistic = logistic, .theta = 0.3};
  matrix_normal(N * N, 31, r->x);
  matrix_normal(N * N, 32, r->z);
  r->largest = exp(r->theta);
  for (int64_t i = 0; i < N * N; i++) {
    r->x[i] *= 0.5;
    r->largest += r->x[i] * r->x[i] * (logistic ? 0.25 : 1.0);
  }
}

/* A sum of phi over rows, as terms. */
static void fit(struct text *t, const struct regression *r, const double *rows) {
  for (int64_t k = 0; k < N; k++) {
    text_add(t, k == 0 ? "" : ", ");
    text_add(t, r->logistic ? "{\"softplus\": {\"times\": [-1, "
                            : "{\"times\": [0.5, {\"square\": {\"minus\": [");
    product(t, N, rows + k * N, 1, "w");
    text_add(t, r->logistic ? "]}}" : ", 1]}}]}");
  }
}

void regression_manifest(const struct regression *r, const char *estimator, struct text *out) {
  const double zeros[N] = {0};
  char through[1024];
  char optimizer[64];
  char rate[32];
  text_number(1 / r->largest, rate);
  (void)snprintf(optimizer, sizeof optimizer, "{\"sgd\": {\"lr\": %s}}", rate);
  (void)snprintf(through, sizeof through, "\"inner\": %s", estimator);
  head(out);
  variable(out, "w", N, zeros);
  text_add(out, ", \"theta\": {\"init\": ");
  number(out, r->theta);
  text_add(out, "}}, \"objectives\": {\"training\": [");
  fit(out, r, r->x);
  text_add(out, ", {\"times\": [{\"exp\": \"theta\"}, {\"l2\": \"w\"}]}], \"judging\": [");
  fit(out, r, r->z);
  text_add(out, "]}, \"levels\": [");
  level(out, "inner", "training", "w", optimizer, (int64_t)(30 * r->largest));
  text_add(out, "}, ");
  top(out, through);
}

/* phi' and phi'' at u. */
static void slopes(int logistic, double u, double *first, double *second) {
  double s = 1 / (1 + exp(u));
  *first = logistic ? -s : u - 1;
  *second = logistic ? s * (1 - s) : 1;
}

/* gradient (N) and Hessian (N, N) of sum_k phi(rows_k'w) + l 1/2 |w|^2. */
static void derivatives(const struct regression *r, const double *rows, double l, const double *w,
                        double *gradient, double *hessian) {
  double u[N];
  matrix_apply(N, N, rows, w, u);
  for (int64_t i = 0; i < N; i++) {
    gradient[i] = l * w[i];
    for (int64_t j = 0; j < N; j++) {
      hessian[i * N + j] = i == j ? l : 0;
    }
  }
  for (int64_t k = 0; k < N; k++) {
    double first = 0;
    double second = 0;
    slopes(r->logistic, u[k], &first, &second);
    for (int64_t i = 0; i < N * N; i++) {
      hessian[i] += second * rows[k * N + i / N] * rows[k * N + i % N];
    }
    for (int64_t i = 0; i < N; i++) {
      gradient[i] += first * rows[k * N + i];
    }
  }
}

/* -(dG/dw)' H^-1 d2F/dw dtheta, where d2F/dw dtheta = exp(theta) w. */
double regression_exact(const struct regression *r) {
  double w[N] = {0};
  double gradient[N];
  double step[N];
  double hessian[N * N];
  double unused[N * N];
  double l = exp(r->theta);
  double total = 0;
  for (int newton = 0; newton < 30; newton++) {
    derivatives(r, r->x, l, w, gradient, hessian);
    matrix_solve(N, hessian, 0, gradient, step);
    for (int64_t i = 0; i < N; i++) {
      w[i] -= step[i];
    }
  }
  derivatives(r, r->x, l, w, gradient, hessian);
  matrix_solve(N, hessian, 0, w, step);
  derivatives(r, r->z, 0, w, gradient, unused);
  for (int64_t i = 0; i < N; i++) {
    total -= gradient[i] * l * step[i];
  }
  return total;
}

/* ---- the chain ---- */

void chain_make(struct chain *h) {
  const double first[P] = {1, 2, 3};
  const double second[P] = {0.5, 1, 2};
  quadratic_make(&h->first, P, first);
  quadratic_make(&h->second, P, second);
  for (int64_t k = 0; k < P; k++) { /* another rotation than the first */
    double kept = h->second.v[k * P];
    h->second.v[k * P] = -h->second.v[k * P + 1];
    h->second.v[k * P + 1] = kept;
  }
  memset(h->second.a, 0, sizeof h->second.a);
  for (int64_t i = 0; i < P * P; i++) {
    for (int64_t k = 0; k < P; k++) {
      h->second.a[i] += h->second.v[k * P + i / P] * h->second.v[k * P + i % P];
    }
  }
}

static void chain_level(struct text *t, const struct quadratic *q, const char *name,
                        const char *objective, const char *over, const char *more) {
  char optimizer[64];
  char rate[32];
  text_number(quadratic_rate(q), rate);
  (void)snprintf(optimizer, sizeof optimizer, "{\"sgd\": {\"lr\": %s}}", rate);
  level(t, name, objective, over, optimizer, quadratic_steps(q));
  text_format(t, "%s}, ", more);
}

void chain_manifest(const struct chain *h, const char *estimator, struct text *out) {
  const double zeros[P] = {0};
  char through[2048];
  (void)snprintf(through, sizeof through, "\"one\": %s, \"two\": %s", estimator, estimator);
  head(out);
  variable(out, "w", P, zeros);
  text_add(out, ", ");
  variable(out, "v", P, zeros);
  text_add(out, ", ");
  variable(out, "theta", P, h->first.theta);
  text_add(out, "}, \"objectives\": {\"f\": [");
  form(out, &h->first, "w");
  text_add(out, ", {\"times\": [-1, {\"total\": {\"times\": [\"w\", \"theta\"]}}]}], \"g\": [");
  form(out, &h->second, "v");
  text_add(out, ", {\"times\": [-1, {\"total\": {\"times\": [\"v\", \"w\"]}}]}], \"judging\": ");
  product(out, P, h->first.c, 1, "v");
  text_add(out, "}, \"levels\": [");
  chain_level(out, &h->first, "one", "f", "w", ", \"parent\": \"outer\"");
  chain_level(out, &h->second, "two", "g", "v", "");
  top(out, through);
}

void chain_exact(const struct chain *h, double *out) {
  matrix_solve(P, h->second.a, 0, h->first.c, out);
  matrix_solve(P, h->first.a, 0, out, out);
}

/* ---- estimates ---- */

/* The first error of the diagnostics as the pending failure. */
static int32_t told(int32_t status, const struct diagnostics *d) {
  for (size_t i = 0; i < d->count && error_text()[0] == '\0'; i++) {
    if (d->items[i].severity != SEVERITY_WARNING) {
      (void)fail(status, "%s%s%s", d->items[i].message, d->items[i].hint[0] != '\0' ? "; " : "",
                 d->items[i].hint);
    }
  }
  return status;
}

static int32_t estimate(const struct manifest *m, const struct check *c, uint64_t seed,
                        struct problem_estimate *e, struct problem_edge *facts) {
  struct problem *p = NULL;
  const struct problem_options options = {.registry = c->registry, .seed = seed};
  TIER_TRY(problem_new(m, &options, &p));
  int32_t status = problem_edge_facts(p, m->level_count - 1, m->level_count - 2, facts);
  status = status == TIER_OK ? problem_estimate(p, e) : status;
  problem_free(p);
  return status;
}

int32_t nested_estimate(const struct check *c, const char *manifest, uint64_t seed,
                        struct problem_estimate *e, struct problem_edge *facts) {
  struct diagnostics d = {0};
  struct manifest_file *file = NULL;
  struct manifest *m = NULL;
  *e = (struct problem_estimate){0};
  int32_t status = manifest_open_text("check.json", ".", manifest, strlen(manifest), &d, &file);
  if (status == TIER_OK) {
    status = manifest_bind(file, c->registry, 0, NULL, &d, NULL, &m);
  }
  if (status == TIER_OK) {
    status = estimate(m, c, seed, e, facts);
  }
  (void)told(status, &d);
  manifest_free(m);
  manifest_close(file);
  diagnostics_free(&d);
  return status;
}

/* A low-rank approximation of the matrix, inverted: with B the matrix without its damping and a
 * sketch Omega (n, rank),
 *
 *   Y = B Omega, W = Omega^T Y,   B^ = Y W^+ Y^T = U Lambda U^T  (Nystrom),
 *   x = (B^ + rho I)^-1 b = U (Lambda + rho I)^-1 U^T b + (b - U U^T b) / rho
 *
 * (Hataya, Yamada 2023, equations 6 and 7). Columns "coordinates" takes random columns of B, as
 * they do; "random" orthonormal Gaussian directions (Frangella, Tropp, Udell 2023, algorithm 2.1).
 * rank + 1 products, of which the last gives the residual of A x = b itself; at full rank, and with
 * rho the damping, the solution is exact.
 *
 * As a preconditioner (Frangella, Tropp, Udell 2023, equation 5.3, over lambda_rank + rho):
 *
 *   P^-1 v = U (Lambda + rho I)^-1 U^T v + (v - U U^T v) / (lambda_rank + rho).
 *
 * The pseudo-inverse of W drops what is negative or lost in rounding. All of it runs in f64. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/dense.h>
#include <tier/linear_solver.h>
#include <tier/params.h>
#include <tier/random.h>

#include "../declared_cost.h"
#include "../host_interface.h"

struct nystrom {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_dense_1 *algebra;
  const tier_random_1 *random;
  uint64_t stream;
  int64_t rank;
  double rho; /* 0: the damping, or RHO without any */
  int32_t coordinates;
};

#define RHO 0.01
#define RHO_TEXT "0.01"

static const tier_slot slots[] = {
    {.name = "rank",
     .doc = "columns of the sketch: products, and vectors kept",
     .fallback = "10",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e5},
    {.name = "rho",
     .doc = "added to the low-rank matrix's diagonal; default: the damping, or " RHO_TEXT
            " without any",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "columns",
     .doc = "random: Gaussian directions; coordinates: columns of the matrix, drawn at random",
     .fallback = "\"random\"",
     .unit = "",
     .choices = "random|coordinates",
     .type = TIER_SLOT_TEXT}};

/* One sketch; matrices are row-major. */
struct sketch {
  const struct nystrom *s;
  const tier_linear_system *system;
  int64_t n, rank; /* rank <= n: what was asked for */
  int64_t kept;    /* <= rank: columns of u */
  double rho;
  double rest;      /* the factor of what is orthogonal to u; 0: nothing is */
  int32_t negative; /* W has a negative eigenvalue */
  double *omega;    /* (rank, n): the sketch; then scratch */
  double *y;        /* (rank, n): B omega; then u, (kept, n) */
  double *w;        /* (rank, rank) */
  double *vectors;  /* (rank, rank): eigenvectors, one a row */
  double *values;   /* (rank) */
  double *in;       /* (n) */
  double *parts;    /* (rank) */
};

/* ---- eigenvalues of a small symmetric matrix ---- */

/* Rotates rows and columns p, q of a (n, n), and rows p, q of v, so that a_pq becomes zero (Golub,
 * Van Loan, Matrix Computations, section 8.5.2). */
static void rotate(int64_t n, double *a, double *v, int64_t p, int64_t q) {
  double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
  double t = (theta >= 0.0 ? 1.0 : -1.0) / (fabs(theta) + hypot(theta, 1.0));
  double c = 1.0 / hypot(t, 1.0);
  double s = t * c;
  for (int64_t k = 0; k < n; k++) {
    double x = a[k * n + p];
    double y = a[k * n + q];
    a[k * n + p] = c * x - s * y;
    a[k * n + q] = s * x + c * y;
  }
  for (int64_t k = 0; k < n; k++) {
    double x = a[p * n + k];
    double y = a[q * n + k];
    a[p * n + k] = c * x - s * y;
    a[q * n + k] = s * x + c * y;
    x = v[p * n + k];
    y = v[q * n + k];
    v[p * n + k] = c * x - s * y;
    v[q * n + k] = s * x + c * y;
  }
}

/* Cyclic Jacobi: values (n) and, one a row of vectors (n, n), the eigenvectors of a (n, n), which
 * is used up. */
static void eigen(int64_t n, double *a, double *vectors, double *values) {
  int rotated = 1;
  for (int64_t i = 0; i < n * n; i++) {
    vectors[i] = i % (n + 1) == 0 ? 1.0 : 0.0;
  }
  for (int sweep = 0; sweep < 60 && rotated; sweep++) {
    rotated = 0;
    for (int64_t p = 0; p < n; p++) {
      for (int64_t q = p + 1; q < n; q++) {
        double size = sqrt(fabs(a[p * n + p])) * sqrt(fabs(a[q * n + q]));
        if (fabs(a[p * n + q]) > 0.25 * DBL_EPSILON * size && fabs(a[p * n + q]) > DBL_MIN) {
          rotate(n, a, vectors, p, q);
          rotated = 1;
        }
      }
    }
  }
  for (int64_t i = 0; i < n; i++) {
    values[i] = a[i * n + i];
  }
}

/* ---- the sketch ---- */

static double dot(int64_t n, const double *x, const double *y) {
  double sum = 0.0;
  for (int64_t i = 0; i < n; i++) {
    sum += x[i] * y[i];
  }
  return sum;
}

/* Row i of omega made orthogonal to those before it, twice, and of length 1. */
static void orthonormalize(struct sketch *k, int64_t i) {
  double *row = k->omega + i * k->n;
  for (int pass = 0; pass < 2; pass++) {
    for (int64_t j = 0; j < i; j++) {
      const double *other = k->omega + j * k->n;
      double part = dot(k->n, row, other);
      for (int64_t l = 0; l < k->n; l++) {
        row[l] -= part * other[l];
      }
    }
    double length = sqrt(dot(k->n, row, row));
    for (int64_t l = 0; l < k->n; l++) {
      row[l] /= length;
    }
  }
}

/* omega: the rows of sketch number `draw`. */
static int32_t draw_columns(struct sketch *k, uint64_t draw) {
  const struct nystrom *s = k->s;
  if (!s->coordinates) {
    s->random->normal(s->stream, draw, 0, k->rank * k->n, k->omega);
    for (int64_t i = 0; i < k->rank; i++) {
      orthonormalize(k, i);
    }
    return TIER_OK;
  }
  int64_t *order = malloc((size_t)k->n * sizeof *order);
  if (order == NULL) {
    return tier_failf(s->host, TIER_E_MEMORY, "no memory for %lld numbers", (long long)k->n);
  }
  s->random->permutation(s->stream, draw, k->n, order);
  for (int64_t i = 0; i < k->rank; i++) {
    k->omega[i * k->n + order[i]] = 1.0;
  }
  free(order);
  return TIER_OK;
}

/* y <- B omega. Where real is f32, omega becomes what the products really saw. */
static int32_t multiply_columns(struct sketch *k, tier_vector *in, tier_vector *out) {
  const tier_vector_1 *v = k->s->v;
  double damping = tier_system_damping(k->system);
  for (int64_t i = 0; i < k->rank; i++) {
    v->write(in, 0, k->n, k->omega + i * k->n);
    v->read(in, 0, k->n, k->omega + i * k->n);
    TIER_TRY(k->system->apply(k->system->context, in, out));
    v->read(out, 0, k->n, k->y + i * k->n);
    for (int64_t j = 0; j < k->n; j++) {
      k->y[i * k->n + j] -= damping * k->omega[i * k->n + j];
    }
  }
  return TIER_OK;
}

/* y <- W^{-1/2} y, with the parts of W that count: now B^ = y^T y with `kept` rows. */
static int32_t halve(struct sketch *k) {
  int64_t r = k->rank;
  double most = 0.0;
  TIER_TRY(k->s->algebra->multiply(r, r, k->n, 0, k->omega, 1, k->y, k->w));
  for (int64_t i = 0; i < r; i++) {
    for (int64_t j = 0; j < i; j++) {
      double mean = 0.5 * (k->w[i * r + j] + k->w[j * r + i]);
      k->w[i * r + j] = k->w[j * r + i] = mean;
    }
  }
  eigen(r, k->w, k->vectors, k->values);
  for (int64_t i = 0; i < r; i++) {
    most = fmax(most, fabs(k->values[i]));
  }
  double tiny = (double)r * k->s->v->epsilon() * most;
  for (int64_t i = 0; i < r; i++) {
    k->negative |= k->values[i] < -tiny;
    if (k->values[i] > tiny) {
      for (int64_t j = 0; j < r; j++) {
        k->w[k->kept * r + j] = k->vectors[i * r + j] / sqrt(k->values[i]);
      }
      k->kept++;
    }
  }
  TIER_TRY(k->s->algebra->multiply(k->kept, k->n, r, 0, k->w, 0, k->y, k->omega));
  memcpy(k->y, k->omega, (size_t)(k->kept * k->n) * sizeof(double));
  return TIER_OK;
}

/* From B^ = y^T y: y <- U^T, its orthonormal eigenvectors, one a row, and values <- Lambda. */
static int32_t diagonalize(struct sketch *k) {
  int64_t r = k->kept;
  double most = 0.0;
  int64_t count = 0;
  TIER_TRY(k->s->algebra->multiply(r, r, k->n, 0, k->y, 1, k->y, k->w));
  eigen(r, k->w, k->vectors, k->values);
  for (int64_t i = 0; i < r; i++) {
    most = fmax(most, k->values[i]);
  }
  for (int64_t i = 0; i < r; i++) {
    double value = k->values[i];
    if (value > (double)k->n * DBL_EPSILON * most) {
      for (int64_t j = 0; j < r; j++) {
        k->w[count * r + j] = k->vectors[i * r + j] / sqrt(value);
      }
      k->values[count++] = value;
    }
  }
  k->kept = count;
  TIER_TRY(k->s->algebra->multiply(count, k->n, r, 0, k->w, 0, k->y, k->omega));
  memcpy(k->y, k->omega, (size_t)(count * k->n) * sizeof(double));
  return TIER_OK;
}

static int32_t check_finite(const struct sketch *k) {
  for (int64_t i = 0; i < k->rank * k->n; i++) {
    if (!isfinite(k->y[i])) {
      return tier_failf(k->s->host, TIER_E_NONFINITE,
                        "a product with the matrix is not finite: the objective's second "
                        "derivative overflows or is undefined at this point");
    }
  }
  return TIER_OK;
}

static void sketch_close(struct sketch *k) {
  free(k->omega);
  free(k->y);
  free(k->w);
  free(k->vectors);
  free(k->values);
  free(k->in);
  free(k->parts);
}

static int32_t sketch_open(struct sketch *k, const struct nystrom *s,
                           const tier_linear_system *system) {
  double damping = tier_system_damping(system);
  int64_t rank = s->rank < system->size ? s->rank : system->size;
  size_t n = (size_t)system->size;
  size_t r = (size_t)rank;
  *k = (struct sketch){.s = s, .system = system, .n = system->size, .rank = rank};
  k->rho = s->rho > 0.0 ? s->rho : damping > 0.0 ? damping : RHO;
  k->omega = calloc(r * n, sizeof(double));
  k->y = calloc(r * n, sizeof(double));
  k->w = calloc(r * r, sizeof(double));
  k->vectors = calloc(r * r, sizeof(double));
  k->values = calloc(r, sizeof(double));
  k->in = calloc(n, sizeof(double));
  k->parts = calloc(r, sizeof(double));
  if (k->omega == NULL || k->y == NULL || k->w == NULL || k->vectors == NULL || k->values == NULL ||
      k->in == NULL || k->parts == NULL) {
    return tier_failf(s->host, TIER_E_MEMORY, "no memory for a sketch of %lld x %lld numbers",
                      (long long)rank, (long long)system->size);
  }
  return TIER_OK;
}

/* The number of this sketch: they differ from one solve to the next. */
static uint64_t next_draw(tier_state *state) {
  return (uint64_t)state->api->get_integers(state, "sketches")[0]++;
}

static int32_t sketch_make(struct sketch *k, tier_state *state) {
  const tier_vector_1 *v = k->s->v;
  tier_vector *in = v->create(k->n);
  tier_vector *out = v->create(k->n);
  int32_t status = in != NULL && out != NULL
                       ? draw_columns(k, next_draw(state))
                       : tier_failf(k->s->host, TIER_E_MEMORY, "no memory for 2 vectors");
  if (status == TIER_OK) {
    status = multiply_columns(k, in, out);
  }
  v->destroy(in);
  v->destroy(out);
  TIER_TRY(status);
  TIER_TRY(check_finite(k));
  TIER_TRY(halve(k));
  return diagonalize(k);
}

/* ---- solving with it ---- */

/* x <- U (Lambda + rho)^-1 U^T v + rest (v - U U^T v). */
static int32_t apply_inverse(struct sketch *k, const tier_vector *v, tier_vector *x) {
  const tier_dense_1 *algebra = k->s->algebra;
  double rest = k->kept < k->n ? k->rest : 0.0;
  k->s->v->read(v, 0, k->n, k->in);
  TIER_TRY(algebra->multiply(k->kept, 1, k->n, 0, k->y, 0, k->in, k->parts));
  for (int64_t i = 0; i < k->kept; i++) {
    k->parts[i] *= 1.0 / (k->values[i] + k->rho) - rest;
  }
  TIER_TRY(algebra->multiply(k->n, 1, k->kept, 1, k->y, 0, k->parts, k->omega));
  for (int64_t i = 0; i < k->n; i++) {
    k->omega[i] += rest * k->in[i];
  }
  k->s->v->write(x, 0, k->n, k->omega);
  return TIER_OK;
}

static int32_t measure_residual(const struct sketch *k, const tier_vector *b, const tier_vector *x,
                                double *residual) {
  const tier_vector_1 *v = k->s->v;
  tier_vector *r = v->create(k->n);
  if (r == NULL) {
    return tier_failf(k->s->host, TIER_E_MEMORY, "no memory for a vector");
  }
  int32_t status = k->system->apply(k->system->context, x, r);
  v->axpby(1.0, b, -1.0, r);
  *residual = v->norm(r) / v->norm(b);
  v->destroy(r);
  return status;
}

static int32_t check_symmetry(const struct nystrom *s, const tier_linear_system *system) {
  return (system->flags & TIER_SYSTEM_SYMMETRIC) != 0
             ? TIER_OK
             : tier_failf(s->host, TIER_E_REFUSED,
                          "nystrom needs a symmetric matrix, and this one is not: use gmres, "
                          "bicgstab, dense or neumann");
}

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct nystrom *s = self;
  struct sketch k;
  report->iterations = 0;
  report->residual = 0.0;
  report->stop = "zero";
  TIER_TRY(check_symmetry(s, system));
  if (s->v->max_abs(b) == 0.0) {
    s->v->fill(x, 0.0);
    return TIER_OK;
  }
  int32_t status = sketch_open(&k, s, system);
  if (status == TIER_OK) {
    status = sketch_make(&k, state);
  }
  if (status == TIER_OK) {
    k.rest = 1.0 / k.rho;
    status = apply_inverse(&k, b, x);
  }
  if (status == TIER_OK) {
    report->iterations = k.rank;
    report->stop = k.negative ? "low rank, negative curvature" : "low rank";
    status = measure_residual(&k, b, x, &report->residual);
  }
  sketch_close(&k);
  return status;
}

/* ---- as a preconditioner ---- */

static void discard(void *self, void *made) {
  (void)self;
  sketch_close(made);
  free(made);
}

static int32_t prepare(void *self, const tier_linear_system *system, tier_state *state,
                       void **made) {
  const struct nystrom *s = self;
  TIER_TRY(check_symmetry(s, system));
  struct sketch *k = malloc(sizeof *k);
  if (k == NULL) {
    return tier_failf(s->host, TIER_E_MEMORY, "no memory");
  }
  int32_t status = sketch_open(k, s, system);
  if (status == TIER_OK) {
    status = sketch_make(k, state);
  }
  if (status < 0) {
    discard(self, k);
    return status;
  }
  double least = k->kept == k->rank ? INFINITY : 0.0;
  for (int64_t i = 0; i < k->kept; i++) {
    least = fmin(least, k->values[i]);
  }
  k->rest = 1.0 / (least + k->rho);
  *made = k;
  return TIER_OK;
}

static int32_t precondition(void *self, void *made, const tier_vector *v, tier_vector *out) {
  (void)self;
  return apply_inverse(made, v, out);
}

static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver,
                                            .solve = solve,
                                            .prepare = prepare,
                                            .precondition = precondition,
                                            .discard = discard};

static int32_t declare(void *self, int64_t n, tier_state *s) {
  (void)self;
  (void)n;
  return s->api->integers(s, "sketches", 1);
}

static const tier_state_1 counter = {.struct_size = (uint32_t)sizeof counter, .declare = declare};

/* rank products and one for the residual; the sketch, its products, and two vectors. */
static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  const struct nystrom *s = self;
  int64_t n = problem->n;
  int64_t rank = s->rank < n ? s->rank : n;
  out->hvps = rank + 1;
  out->reals = cost_doubles(s->v, 2 * rank * n + 2 * rank * rank + 2 * rank + n) + 2 * n;
  out->flags = TIER_COST_BIASED | (rank < n ? TIER_COST_RANDOM : 0);
  out->right = "nearly, rho times the identity plus low rank";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct nystrom *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->host = host;
  s->v = host_interface(host, "tier.vector/1");
  s->algebra = host_interface(host, "tier.dense/1");
  s->random = host_interface(host, "tier.random/1");
  s->stream = params->api->stream(params);
  s->rank = tier_integer(params, "rank");
  s->rho = tier_given(params, "rho") ? tier_number(params, "rho") : 0.0;
  s->coordinates = strcmp(tier_text(params, "columns"), "coordinates") == 0;
  if (s->v == NULL || s->algebra == NULL || s->random == NULL) {
    free(s);
    return TIER_E_PLUGIN;
  }
  *object = s;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.linear_solver/1") == 0 ? (const void *)&solver
         : strcmp(interface_id, "tier.state/1") == 0       ? (const void *)&counter
         : strcmp(interface_id, "tier.cost/1") == 0        ? (const void *)&costs
                                                           : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_SYMMETRIC | TIER_NO_PRECONDITIONER,
     .kind = "linear-solver",
     .id = "nystrom",
     .summary = "a low-rank approximation of the matrix, inverted; also as a preconditioner",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("nystrom", "1.0", "MIT", components);

/* GMRES with restarts (Saad, Schultz 1986, algorithms 3 and 4): any matrix. Each cycle builds an
 * orthonormal basis v_1, v_2, ... of the Krylov space of r = b - A x by the Arnoldi process with
 * modified Gram-Schmidt,
 *
 *   h_ij = <w, v_i>, w -= h_ij v_i for i <= j, w = A M v_j;  h_{j+1,j} = |w|, v_{j+1} = w / |w|,
 *
 * and x += M V y with y the minimizer of | |r| e_1 - H y |, by plane rotations. The preconditioner
 * M stands at the right, so the residual is that of A x = b itself. A second sweep of Gram-Schmidt
 * follows where the first has cancelled most of w ("twice is enough", Giraud, Langou 2003). */
#include "krylov.h"

struct gmres {
  struct krylov k;
  int64_t restart;
};

static const tier_slot slots[] = {
    KRYLOV_SLOTS("the most products with the matrix in all cycles together"),
    {.name = "restart",
     .doc = "products in one cycle, each of which keeps one vector",
     .fallback = "100",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e4}};

/* One solve; made for the longest cycle, vectors where they are first needed. */
struct arnoldi {
  int64_t most;                /* products in a cycle */
  tier_vector **basis;         /* (most + 1) */
  tier_vector *w, *z;          /* A M v_j; M v */
  double *h;                   /* (most, most): column j holds its j + 1 rows after the rotations */
  double *column;              /* (most + 1): column j before them */
  double *cosines, *sines, *g; /* (most), (most), (most + 1): g is |r| e_1 after them */
};

static int32_t arnoldi_open(const struct krylov *k, const tier_linear_system *system, int64_t most,
                            struct arnoldi *a) {
  tier_vector *pair[2] = {NULL, NULL};
  size_t m = (size_t)most;
  *a = (struct arnoldi){.most = most};
  int32_t status = krylov_vectors(k, system->size, 2, pair);
  a->w = pair[0];
  a->z = pair[1];
  a->basis = calloc(m + 1, sizeof(tier_vector *));
  a->h = calloc(m * m, sizeof(double));
  a->column = calloc(m + 1, sizeof(double));
  a->cosines = calloc(m, sizeof(double));
  a->sines = calloc(m, sizeof(double));
  a->g = calloc(m + 1, sizeof(double));
  if (status == TIER_OK && (a->basis == NULL || a->h == NULL || a->column == NULL ||
                            a->cosines == NULL || a->sines == NULL || a->g == NULL)) {
    status = tier_failf(k->host, TIER_E_MEMORY, "no memory for a cycle of %lld products",
                        (long long)most);
  }
  return status;
}

static void arnoldi_close(const struct krylov *k, struct arnoldi *a) {
  for (int64_t i = 0; a->basis != NULL && i <= a->most; i++) {
    k->v->destroy(a->basis[i]);
  }
  k->v->destroy(a->w);
  k->v->destroy(a->z);
  free(a->basis);
  free(a->h);
  free(a->column);
  free(a->cosines);
  free(a->sines);
  free(a->g);
}

/* basis[j] <- w / norm. */
static int32_t keep(struct krylov_run *run, struct arnoldi *a, int64_t j, const tier_vector *w,
                    double norm) {
  const tier_vector_1 *v = run->k->v;
  if (a->basis[j] == NULL) {
    TIER_TRY(krylov_vectors(run->k, run->system->size, 1, &a->basis[j]));
  }
  v->axpby(1.0 / norm, w, 0.0, a->basis[j]);
  return TIER_OK;
}

/* w -= its parts along v_1 .. v_{j+1}, which are added to the column. */
static void orthogonalize(const struct krylov_run *run, struct arnoldi *a, int64_t j) {
  const tier_vector_1 *v = run->k->v;
  for (int64_t i = 0; i <= j; i++) {
    double part = v->dot(a->w, a->basis[i]);
    a->column[i] += part;
    v->axpy(-part, a->basis[i], a->w);
  }
}

/* Column j of H, and the next vector of the basis; `closed`: there is none, the space is invariant.
 */
static int32_t arnoldi_step(struct krylov_run *run, struct arnoldi *a, int64_t j, int *closed) {
  const tier_vector_1 *v = run->k->v;
  tier_vector *z = NULL;
  TIER_TRY(krylov_precondition(run, a->basis[j], a->z, &z));
  TIER_TRY(krylov_apply(run, z, a->w));
  double before = v->norm(a->w);
  TIER_TRY(krylov_check(run, before));
  memset(a->column, 0, (size_t)(j + 2) * sizeof(double));
  orthogonalize(run, a, j);
  double after = v->norm(a->w);
  if (after < 0.5 * before) {
    orthogonalize(run, a, j);
    after = v->norm(a->w);
  }
  *closed = after <= 10.0 * v->epsilon() * before;
  a->column[j + 1] = *closed ? 0.0 : after;
  return *closed || j + 1 == a->most ? TIER_OK : keep(run, a, j + 1, a->w, after);
}

/* The rotations so far on the column, then the one that makes its last element zero. Returns 0
 * where nothing is left of it: H is singular. */
static int rotate(struct arnoldi *a, int64_t j, double tiny) {
  double *c = a->column;
  for (int64_t i = 0; i < j; i++) {
    double upper = a->cosines[i] * c[i] + a->sines[i] * c[i + 1];
    c[i + 1] = a->cosines[i] * c[i + 1] - a->sines[i] * c[i];
    c[i] = upper;
  }
  double length = hypot(c[j], c[j + 1]);
  if (length <= tiny) {
    return 0;
  }
  a->cosines[j] = c[j] / length;
  a->sines[j] = c[j + 1] / length;
  c[j] = length;
  a->g[j + 1] = -a->sines[j] * a->g[j];
  a->g[j] *= a->cosines[j];
  memcpy(a->h + j * a->most, c, (size_t)(j + 1) * sizeof(double));
  return 1;
}

/* x += M V y, with R y = g from the first `count` columns. */
static int32_t move(struct krylov_run *run, struct arnoldi *a, int64_t count) {
  const tier_vector_1 *v = run->k->v;
  tier_vector *z = NULL;
  v->fill(a->w, 0.0);
  for (int64_t i = count; i-- > 0;) {
    for (int64_t j = i + 1; j < count; j++) {
      a->g[i] -= a->h[j * a->most + i] * a->g[j];
    }
    a->g[i] /= a->h[i * a->most + i];
    v->axpy(a->g[i], a->basis[i], a->w);
  }
  TIER_TRY(krylov_precondition(run, a->w, a->z, &z));
  v->axpy(1.0, z, run->x);
  return TIER_OK;
}

static int32_t cycle(struct krylov_run *run) {
  struct arnoldi *a = run->work;
  int64_t count = 0;
  TIER_TRY(keep(run, a, 0, run->r, run->r_norm));
  a->g[0] = run->r_norm;
  while (!run->claims && run->broke == NULL && count < a->most &&
         run->iterations < run->k->iterations) {
    int closed = 0;
    TIER_TRY(arnoldi_step(run, a, count, &closed));
    run->scale = fmax(run->scale, run->system->precondition == NULL ? fabs(a->column[0]) : 0.0);
    run->iterations++;
    double tiny = 10.0 * run->k->v->epsilon() * fmax(run->scale, fabs(a->h[0]));
    if (!rotate(a, count, tiny)) {
      run->broke = "singular";
    } else {
      count++;
      run->claims = closed || fabs(a->g[count]) <= run->goal;
    }
  }
  return move(run, a, count);
}

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct gmres *s = self;
  const struct krylov *k = &s->k;
  tier_vector *previous = NULL;
  struct arnoldi a;
  struct krylov_run run = {.k = k, .system = system, .b = b, .x = x, .work = &a};
  int64_t most = s->restart < system->size ? s->restart : system->size;
  TIER_TRY(krylov_previous(k, system, state, &previous));
  if (krylov_zero(k, b, previous, x, report)) {
    return TIER_OK;
  }
  int32_t status = arnoldi_open(k, system, most < k->iterations ? most : k->iterations, &a);
  if (status == TIER_OK) {
    status = krylov_iterate(&run, previous, cycle, report);
  }
  arnoldi_close(k, &a);
  if (status == TIER_OK && previous != NULL) {
    k->v->copy(x, previous);
  }
  return status;
}

/* `iterations` are reached in so many cycles, and early ones beside them. */
static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  const struct gmres *s = self;
  int64_t most = s->restart < problem->n ? s->restart : problem->n;
  most = most < s->k.iterations ? most : s->k.iterations;
  int64_t cycles = (s->k.iterations + most - 1) / most;
  krylov_cost(&s->k, problem->n, most + 4, 1, 0, cycles, "a matrix that is not singular", out);
  out->reals += cost_doubles(s->k.v, most * most + 4 * most + 2);
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct gmres *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  int32_t status = krylov_init(&s->k, "gmres", host, params);
  if (status < 0) {
    free(s);
    return status;
  }
  s->restart = tier_integer(params, "restart");
  *object = s;
  return TIER_OK;
}

KRYLOV_PLUGIN("gmres", 0, "generalized minimal residual iteration with restarts, for any matrix");

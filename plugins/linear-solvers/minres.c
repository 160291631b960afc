/* MINRES (Paige, Saunders 1975, "Solution of sparse indefinite systems of linear equations",
 * section 6): symmetric matrices, definite or not. The k-th iterate minimizes |b - A x| over the
 * Krylov space of dimension k.
 *
 * Lanczos with a preconditioner M (symmetric positive; the identity if there is none) builds, with
 * v_k = M p_k / beta_k and p_1 = r,
 *
 *   p_{k+1} = A v_k - (alpha_k / beta_k) p_k - (beta_k / beta_{k-1}) p_{k-1},
 *   alpha_k = <v_k, A v_k>,  beta_k = sqrt(<p_k, M p_k>),
 *
 * so the columns (beta_k, alpha_k, beta_{k+1}) of a tridiagonal matrix T. Plane rotations make T
 * upper triangular, with columns (epsilon_k, delta_k, gamma_k) for the three rows that end at k;
 * the directions are d_k = (v_k - delta_k d_{k-1} - epsilon_k d_{k-2}) / gamma_k, and x += phi_k
 * d_k. The norm of the residual, in M, is the product of the sines so far times the first. */
#include "krylov.h"

struct minres {
  struct krylov k;
};

static const tier_slot slots[] = {KRYLOV_SLOTS("the most products with the matrix")};

enum { P_OLD, P, MP, V, D, D1, D2, VECTORS };

/* The state of one round. */
struct lanczos {
  tier_vector *vectors[VECTORS];
  tier_vector *mp;           /* M p: of slot MP, or p itself */
  double beta, beta_old;     /* of p, of the one before */
  double cosine, sine;       /* of the last rotation */
  double delta_bar, epsilon; /* what it leaves in the next two columns */
  double residual;           /* the norm of the residual */
};

static void swap(tier_vector **x, tier_vector **y) {
  tier_vector *kept = *x;
  *x = *y;
  *y = kept;
}

/* mp <- M p, beta <- its norm. Only rounding makes the square of that norm negative. */
static int32_t measure(struct krylov_run *run, struct lanczos *l) {
  const tier_vector_1 *v = run->k->v;
  TIER_TRY(krylov_precondition(run, l->vectors[P], l->vectors[MP], &l->mp));
  double square = v->dot(l->vectors[P], l->mp);
  TIER_TRY(krylov_check(run, square));
  if (square < 0.0 && square < -1e-6 * v->norm(l->vectors[P]) * v->norm(l->mp)) {
    return tier_failf(run->k->host, TIER_E_REFUSED,
                      "minres needs a positive preconditioner, and this one is not: <r, M r> is %g",
                      square);
  }
  l->beta_old = l->beta;
  l->beta = sqrt(fmax(square, 0.0));
  return TIER_OK;
}

/* v, the next p, and alpha. */
static int32_t extend(struct krylov_run *run, struct lanczos *l, double *alpha) {
  const tier_vector_1 *v = run->k->v;
  tier_vector **w = l->vectors;
  v->axpby(1.0 / l->beta, l->mp, 0.0, w[V]);
  swap(&w[P_OLD], &w[P]);  /* now P_OLD is p_k, and P still p_{k-1} */
  tier_vector *av = w[MP]; /* M p_k is used up */
  TIER_TRY(krylov_apply(run, w[V], av));
  if (l->beta_old > 0.0) {
    v->axpy(-l->beta / l->beta_old, w[P], av);
  }
  *alpha = v->dot(w[V], av);
  TIER_TRY(krylov_check(run, *alpha));
  v->axpy(-*alpha / l->beta, w[P_OLD], av);
  swap(&w[P], &w[MP]);
  return measure(run, l);
}

/* One column of T through the rotations; x moves unless the column is numerically zero. */
static void advance(struct krylov_run *run, struct lanczos *l, double alpha) {
  const tier_vector_1 *v = run->k->v;
  tier_vector **w = l->vectors;
  double epsilon = l->epsilon;
  double delta = l->cosine * l->delta_bar + l->sine * alpha;
  double gamma_bar = l->sine * l->delta_bar - l->cosine * alpha;
  l->epsilon = l->sine * l->beta;
  l->delta_bar = -l->cosine * l->beta;
  run->scale = fmax(run->scale, hypot(alpha, l->beta));
  double tiny = 10.0 * v->epsilon() * run->scale;
  if (hypot(gamma_bar, l->delta_bar) <= tiny && l->beta > tiny) {
    run->broke = "singular"; /* A r is zero: r is orthogonal to the range of A */
    return;
  }
  double gamma = hypot(gamma_bar, l->beta);
  if (gamma <= tiny) {
    run->broke = "singular";
    return;
  }
  l->cosine = gamma_bar / gamma;
  l->sine = l->beta / gamma;
  swap(&w[D2], &w[D1]);
  swap(&w[D1], &w[D]); /* d_{k-1} is D1, d_{k-2} is D2 */
  v->axpby(1.0, w[V], 0.0, w[D]);
  v->axpy(-delta, w[D1], w[D]);
  v->axpy(-epsilon, w[D2], w[D]);
  v->scale(1.0 / gamma, w[D]);
  v->axpy(l->cosine * l->residual, w[D], run->x);
  l->residual *= l->sine;
  run->iterations++;
  run->claims = l->beta <= tiny; /* the space is closed: this is exact */
}

static int32_t minimize(struct krylov_run *run) {
  struct lanczos *l = run->work;
  const tier_vector_1 *v = run->k->v;
  l->cosine = -1.0;
  l->beta = l->sine = l->delta_bar = l->epsilon = 0.0;
  v->copy(run->r, l->vectors[P]);
  v->fill(l->vectors[D], 0.0);
  v->fill(l->vectors[D1], 0.0);
  TIER_TRY(measure(run, l));
  if (!(l->beta > 0.0)) {
    run->broke = "preconditioner not positive";
    return TIER_OK;
  }
  l->residual = l->beta;
  double goal = run->goal * (l->beta / run->r_norm); /* in the norm of M */
  while (!run->claims && run->broke == NULL && run->iterations < run->k->iterations) {
    double alpha = 0.0;
    TIER_TRY(extend(run, l, &alpha));
    advance(run, l, alpha);
    run->claims = run->claims || l->residual <= goal;
  }
  return TIER_OK;
}

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct minres *m = self;
  const struct krylov *k = &m->k;
  tier_vector *previous = NULL;
  struct lanczos l = {.beta = 0.0};
  struct krylov_run run = {.k = k, .system = system, .b = b, .x = x, .work = &l};
  TIER_TRY(krylov_needs_symmetry(k, system));
  TIER_TRY(krylov_previous(k, system, state, &previous));
  if (krylov_zero(k, b, previous, x, report)) {
    return TIER_OK;
  }
  int32_t status = krylov_vectors(k, system->size, VECTORS, l.vectors);
  if (status == TIER_OK) {
    status = krylov_iterate(&run, previous, minimize, report);
  }
  for (int i = 0; i < VECTORS; i++) {
    k->v->destroy(l.vectors[i]);
  }
  if (status == TIER_OK && previous != NULL) {
    k->v->copy(x, previous);
  }
  return status;
}

static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  const struct minres *m = self;
  krylov_cost(&m->k, problem->n, VECTORS + 1, 1, 1, 1, "a symmetric matrix", out);
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct minres *m = calloc(1, sizeof *m);
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  int32_t status = krylov_init(&m->k, "minres", host, params);
  if (status < 0) {
    free(m);
    return status;
  }
  *object = m;
  return TIER_OK;
}

KRYLOV_PLUGIN("minres", TIER_SYMMETRIC,
              "minimal residual iteration, for symmetric matrices, indefinite ones too");

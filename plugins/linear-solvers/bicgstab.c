/* BiCGSTAB (van der Vorst 1992): any matrix, in constant memory; two products an iteration.
 *
 * With r^ = r fixed and rho = <r^, r>, the preconditioner M at the right:
 *
 *   p = r + beta (p - omega v), v = A M p, alpha = rho / <r^, v>, s = r - alpha v,
 *   t = A M s, omega = <t, s> / <t, t>, x += alpha M p + omega M s, r = s - omega t,
 *   beta = (rho' / rho) (alpha / omega).
 *
 * It breaks down where <r^, r>, <r^, v> or omega vanish; it then starts anew with r^ = r, and says
 * "breakdown" if that does not get it further. The residual goes up and down on its way; where it
 * goes up without end that is a breakdown, too. Where A M p vanishes the matrix is singular. */
#include "krylov.h"

struct bicgstab {
  struct krylov k;
};

static const tier_slot slots[] = {KRYLOV_SLOTS("the most iterations, of two products each")};

enum { SHADOW, P, V, T, MP, MS, START, VECTORS };

/* One round. */
struct sweep {
  tier_vector *vectors[VECTORS];
  double shadow_norm;
  double rho, alpha, omega; /* of the iteration before */
};

/* Are two vectors orthogonal, as far as rounding lets one see? */
static int vanishes(const struct krylov_run *run, double product, double norms) {
  return fabs(product) <= 10.0 * run->k->v->epsilon() * norms;
}

/* p and v; alpha; x and r half way. */
static int32_t first_half(struct krylov_run *run, struct sweep *s) {
  const tier_vector_1 *v = run->k->v;
  tier_vector **w = s->vectors;
  tier_vector *mp = NULL;
  double rho = v->dot(w[SHADOW], run->r);
  TIER_TRY(krylov_check(run, rho));
  if (vanishes(run, rho, s->shadow_norm * v->norm(run->r))) {
    run->broke = "breakdown";
    return TIER_OK;
  }
  double beta = s->rho != 0.0 ? (rho / s->rho) * (s->alpha / s->omega) : 0.0;
  v->axpy(-s->omega, w[V], w[P]);
  v->axpby(1.0, run->r, beta, w[P]);
  TIER_TRY(krylov_precondition(run, w[P], w[MP], &mp));
  TIER_TRY(krylov_apply(run, mp, w[V]));
  double slope = v->dot(w[SHADOW], w[V]);
  double v_norm = v->norm(w[V]);
  double p_norm = v->norm(mp);
  TIER_TRY(krylov_check(run, slope));
  run->scale = fmax(run->scale, v_norm / p_norm);
  if (v_norm <= 10.0 * v->epsilon() * run->scale * p_norm) {
    run->broke = "singular";
  } else if (vanishes(run, slope, s->shadow_norm * v_norm)) {
    run->broke = "breakdown";
  }
  if (run->broke != NULL) {
    return TIER_OK;
  }
  s->rho = rho;
  s->alpha = rho / slope;
  v->axpy(s->alpha, mp, run->x);
  v->axpy(-s->alpha, w[V], run->r);
  return TIER_OK;
}

/* t and omega; the rest of the way. */
static int32_t second_half(struct krylov_run *run, struct sweep *s) {
  const tier_vector_1 *v = run->k->v;
  tier_vector **w = s->vectors;
  tier_vector *ms = NULL;
  TIER_TRY(krylov_precondition(run, run->r, w[MS], &ms));
  TIER_TRY(krylov_apply(run, ms, w[T]));
  double t_norm = v->norm(w[T]);
  double slope = v->dot(w[T], run->r);
  TIER_TRY(krylov_check(run, slope));
  if (t_norm == 0.0 || vanishes(run, slope, t_norm * v->norm(run->r))) {
    run->broke = "breakdown";
    return TIER_OK;
  }
  s->omega = slope / t_norm / t_norm;
  v->axpy(s->omega, ms, run->x);
  v->axpy(-s->omega, w[T], run->r);
  return TIER_OK;
}

/* After a whole or half iteration. */
static void judge(struct krylov_run *run) {
  const tier_vector_1 *v = run->k->v;
  double norm = v->norm(run->r);
  run->claims = norm <= run->goal;
  if (!(norm * sqrt(v->epsilon()) <= run->r_norm)) {
    run->broke = "breakdown";
  }
}

static int32_t sweep(struct krylov_run *run) {
  struct sweep *s = run->work;
  const tier_vector_1 *v = run->k->v;
  v->copy(run->x, s->vectors[START]);
  v->copy(run->r, s->vectors[SHADOW]);
  v->fill(s->vectors[P], 0.0);
  v->fill(s->vectors[V], 0.0);
  s->shadow_norm = run->r_norm;
  s->rho = s->alpha = s->omega = 0.0;
  while (!run->claims && run->broke == NULL && run->iterations < run->k->iterations) {
    TIER_TRY(first_half(run, s));
    judge(run);
    if (run->broke == NULL && !run->claims) {
      TIER_TRY(second_half(run, s));
      judge(run);
    }
    run->iterations++;
  }
  if (run->broke != NULL && !(v->norm(run->r) < run->r_norm)) {
    v->copy(s->vectors[START], run->x); /* it led nowhere */
  }
  return TIER_OK;
}

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct bicgstab *m = self;
  const struct krylov *k = &m->k;
  tier_vector *previous = NULL;
  struct sweep s = {.rho = 0.0};
  struct krylov_run run = {.k = k, .system = system, .b = b, .x = x, .work = &s};
  TIER_TRY(krylov_previous(k, system, state, &previous));
  if (krylov_zero(k, b, previous, x, report)) {
    return TIER_OK;
  }
  int32_t status = krylov_vectors(k, system->size, VECTORS, s.vectors);
  if (status == TIER_OK) {
    status = krylov_iterate(&run, previous, sweep, report);
  }
  for (int i = 0; i < VECTORS; i++) {
    k->v->destroy(s.vectors[i]);
  }
  if (status == TIER_OK && previous != NULL) {
    k->v->copy(x, previous);
  }
  return status;
}

static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  const struct bicgstab *m = self;
  krylov_cost(&m->k, problem->n, VECTORS + 1, 2, 0, 1, "a matrix that is not singular", out);
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct bicgstab *m = calloc(1, sizeof *m);
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  int32_t status = krylov_init(&m->k, "bicgstab", host, params);
  if (status < 0) {
    free(m);
    return status;
  }
  *object = m;
  return TIER_OK;
}

KRYLOV_PLUGIN("bicgstab", 0, "stabilized bi-conjugate gradients, for any matrix, in little memory");

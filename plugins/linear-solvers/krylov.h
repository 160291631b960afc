/* What minres, gmres and bicgstab share: their slots, where they start, and rounds.
 *
 * A round is a run of the method from x with r = b - A x, ending where its own estimate of the
 * residual meets the goal, where it breaks down, or (gmres) at a restart. In finite precision that
 * estimate drifts from the truth; so after every round one product gives the true residual, which
 * decides what comes next and is the one reported. A second round then works like iterative
 * refinement. */
#ifndef PLUGINS_LINEAR_SOLVERS_KRYLOV_H
#define PLUGINS_LINEAR_SOLVERS_KRYLOV_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>
#include <tier/params.h>

#include "../declared_cost.h"
#include "../host_interface.h"

#define KRYLOV_SLOTS(iterations_doc)                                                              \
  {.name = "iterations",                                                                          \
   .doc = (iterations_doc),                                                                       \
   .fallback = "1000",                                                                            \
   .unit = "",                                                                                    \
   .type = TIER_SLOT_INTEGER,                                                                     \
   .minimum = 1,                                                                                  \
   .maximum = 1e12},                                                                              \
      {.name = "tolerance",                                                                       \
       .doc =                                                                                     \
           "stops where the residual is below this times the right-hand side; 0: never for that", \
       .fallback = "1e-12",                                                                       \
       .unit = "",                                                                                \
       .type = TIER_SLOT_NUMBER,                                                                  \
       .flags = TIER_SLOT_OPEN_MAXIMUM,                                                           \
       .minimum = 0,                                                                              \
       .maximum = 1},                                                                             \
  {                                                                                               \
    .name = "start", .doc = "where it starts: zero, or the solution of the previous system",      \
    .fallback = "\"zero\"", .unit = "", .choices = "zero|previous", .type = TIER_SLOT_TEXT        \
  }

/* Rounds that end before the iterations or a restart do, because their estimate claims the goal or
 * they break off. Each gains something, so these are more than any precision has use for. */
#define KRYLOV_EARLY_ROUNDS 50

struct krylov {
  const tier_host *host;
  const tier_vector_1 *v;
  const char *id;
  int64_t iterations;
  double tolerance;
  int32_t previous; /* start from the last solution */
};

/* One solve. All vectors have the system's size. */
struct krylov_run {
  const struct krylov *k;
  const tier_linear_system *system;
  const tier_vector *b;
  tier_vector *x, *r; /* r = b - A x when a round begins; a round changes both */
  double r_norm;      /* |r| when a round begins */
  double goal;        /* the residual norm to reach */
  double scale;       /* the largest |A x| / |x| seen: a lower bound of |A| */
  int64_t iterations; /* so far */
  int claims;         /* the round's own estimate has met the goal */
  const char *broke;  /* why the round broke off, or NULL */
  int64_t early;      /* rounds so far that ended early */
  void *work;         /* the method's */
};

/* Moves x from r = b - A x, and counts its iterations. */
typedef int32_t (*krylov_round)(struct krylov_run *run);

static inline int32_t krylov_apply(const struct krylov_run *run, const tier_vector *v,
                                   tier_vector *out) {
  return run->system->apply(run->system->context, v, out);
}

/* Returns M v: `out` after having put it there, or v itself without a preconditioner. */
static inline int32_t krylov_precondition(const struct krylov_run *run, tier_vector *v,
                                          tier_vector *out, tier_vector **result) {
  *result = v;
  if (run->system->precondition == NULL) {
    return TIER_OK;
  }
  *result = out;
  return run->system->precondition(run->system->context, v, out);
}

/* Passes a scalar product on if it is finite. */
static inline int32_t krylov_check(const struct krylov_run *run, double value) {
  if (isfinite(value)) {
    return TIER_OK;
  }
  return tier_failf(run->k->host, TIER_E_NONFINITE,
                    "a product with the matrix is not finite at iteration %lld of %s: the "
                    "objective's second derivative overflows or is undefined at this point",
                    (long long)run->iterations + 1, run->k->id);
}

/* Creates `count` vectors of the system's size; the caller destroys those that are not NULL. */
static inline int32_t krylov_vectors(const struct krylov *k, int64_t size, int count,
                                     tier_vector **vectors) {
  int complete = 1;
  for (int i = 0; i < count; i++) {
    vectors[i] = k->v->create(size);
    complete = complete && vectors[i] != NULL;
  }
  return complete ? TIER_OK
                  : tier_failf(k->host, TIER_E_MEMORY, "no memory for %d vectors of %lld numbers",
                               count, (long long)size);
}

/* r <- b - A x, and its norm. */
static inline int32_t krylov_residual(struct krylov_run *run) {
  const tier_vector_1 *v = run->k->v;
  double x_norm = v->norm(run->x);
  TIER_TRY(krylov_apply(run, run->x, run->r));
  run->scale = x_norm > 0.0 ? fmax(run->scale, v->norm(run->r) / x_norm) : run->scale;
  v->axpby(1.0, run->b, -1.0, run->r);
  run->r_norm = v->norm(run->r);
  return krylov_check(run, run->r_norm);
}

static inline int32_t krylov_begin(struct krylov_run *run, const tier_vector *previous) {
  const tier_vector_1 *v = run->k->v;
  double b_norm = v->norm(run->b);
  /* No residual that is computed in this precision can be trusted below the spacing of numbers. */
  run->goal = fmax(run->k->tolerance, run->k->tolerance > 0.0 ? v->epsilon() : 0.0) * b_norm;
  run->r_norm = b_norm;
  TIER_TRY(krylov_check(run, b_norm));
  if (previous == NULL || v->max_abs(previous) == 0.0) {
    v->fill(run->x, 0.0);
    v->copy(run->b, run->r);
    return TIER_OK;
  }
  v->copy(previous, run->x);
  return krylov_residual(run);
}

/* Why it ends here, after a round that began with a residual of norm `before`, or NULL. A round
 * that thought it was done and was not has met the limit of precision, unless it still gained. */
static inline const char *krylov_stop(const struct krylov_run *run, double before) {
  if (run->r_norm <= run->goal) {
    return "tolerance";
  }
  if (run->iterations >= run->k->iterations) {
    return "iterations";
  }
  int last = run->early == KRYLOV_EARLY_ROUNDS;
  if (run->broke != NULL && (last || run->r_norm > 0.9 * before)) {
    return run->broke;
  }
  return last || run->r_norm > (run->claims ? 0.5 : 0.999) * before ? "stagnation" : NULL;
}

static inline int32_t krylov_rounds(struct krylov_run *run, krylov_round round, const char **stop) {
  double before = INFINITY;
  while ((*stop = krylov_stop(run, before)) == NULL) {
    before = run->r_norm;
    run->claims = 0;
    run->broke = NULL;
    TIER_TRY(round(run));
    run->early += run->claims || run->broke != NULL;
    TIER_TRY(krylov_residual(run));
  }
  return TIER_OK;
}

/* Solves by rounds, as tier_linear_solver_1.solve says. `run` has k and work set. */
static inline int32_t krylov_iterate(struct krylov_run *run, const tier_vector *previous,
                                     krylov_round round, tier_linear_report *report) {
  int32_t status = krylov_vectors(run->k, run->system->size, 1, &run->r);
  if (status == TIER_OK) {
    status = krylov_begin(run, previous);
  }
  if (status == TIER_OK) {
    status = krylov_rounds(run, round, &report->stop);
    report->residual = run->r_norm / run->k->v->norm(run->b);
    report->iterations = run->iterations;
  }
  run->k->v->destroy(run->r);
  return status;
}

/* The last solution where it starts from that, else NULL. */
static inline int32_t krylov_previous(const struct krylov *k, const tier_linear_system *system,
                                      tier_state *state, tier_vector **previous) {
  *previous = k->previous ? state->api->get_vector(state, "solution") : NULL;
  if (*previous != NULL && k->v->size(*previous) != system->size) {
    return tier_failf(k->host, TIER_E_REFUSED,
                      "%s's \"start\": \"previous\" keeps %lld numbers, and this system has %lld "
                      "(the optimizer's state is part of it): leave \"start\" out",
                      k->id, (long long)k->v->size(*previous), (long long)system->size);
  }
  return TIER_OK;
}

/* Where b = 0 there is nothing to do: x <- 0, and 1 is returned. */
static inline int32_t krylov_zero(const struct krylov *k, const tier_vector *b,
                                  tier_vector *previous, tier_vector *x,
                                  tier_linear_report *report) {
  report->iterations = 0;
  report->residual = 0.0;
  report->stop = "zero";
  if (k->v->max_abs(b) != 0.0) {
    return 0;
  }
  k->v->fill(x, 0.0);
  if (previous != NULL) {
    k->v->fill(previous, 0.0);
  }
  return 1;
}

static inline int32_t krylov_needs_symmetry(const struct krylov *k,
                                            const tier_linear_system *system) {
  return (system->flags & TIER_SYSTEM_SYMMETRIC) != 0
             ? TIER_OK
             : tier_failf(k->host, TIER_E_REFUSED,
                          "%s needs a symmetric matrix, and this one is not: use gmres, bicgstab, "
                          "dense or neumann",
                          k->id);
}

static inline int32_t krylov_declare(const struct krylov *k, int64_t n, tier_state *s) {
  return k->previous ? s->api->vector(s, "solution", n) : TIER_OK;
}

/* Fails with the reason given where the host lacks something. */
static inline int32_t krylov_init(struct krylov *k, const char *id, const tier_host *host,
                                  const tier_params *params) {
  k->host = host;
  k->id = id;
  k->v = host_interface(host, "tier.vector/1");
  k->iterations = tier_integer(params, "iterations");
  k->tolerance = tier_number(params, "tolerance");
  k->previous = strcmp(tier_text(params, "start"), "previous") == 0;
  return k->v != NULL ? TIER_OK : TIER_E_PLUGIN;
}

/* What it costs with `vectors` vectors of the system's size, `each` products an iteration, `loose`
 * products beside them in a round that breaks off, and at most `restarts` rounds that end for no
 * other reason. Each round ends with one product, and a start that is not zero takes one. */
static inline void krylov_cost(const struct krylov *k, int64_t n, int64_t vectors, int64_t each,
                               int64_t loose, int64_t restarts, const char *right, tier_cost *out) {
  int64_t early = k->iterations < KRYLOV_EARLY_ROUNDS ? k->iterations : KRYLOV_EARLY_ROUNDS;
  out->hvps = each * k->iterations + (1 + loose) * early + restarts + k->previous;
  out->reals = (vectors + k->previous) * n;
  out->flags = TIER_COST_AT_MOST;
  out->right = right;
}

/* The last lines of such a solver, whose object begins with a struct krylov k, and which has
 * `slots`, `solve`, `cost` and `create` above. */
#define KRYLOV_PLUGIN(id_text, flag_bits, summary_text)                                         \
  static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver,           \
                                              .solve = solve};                                  \
  static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};       \
  static int32_t declare(void *self, int64_t n, tier_state *s) {                                \
    return krylov_declare(self, n, s);                                                          \
  }                                                                                             \
  static const tier_state_1 kept = {.struct_size = (uint32_t)sizeof kept, .declare = declare};  \
  static const void *get(void *object, const char *interface_id) {                              \
    (void)object;                                                                               \
    return strcmp(interface_id, "tier.linear_solver/1") == 0 ? (const void *)&solver            \
           : strcmp(interface_id, "tier.state/1") == 0       ? (const void *)&kept              \
           : strcmp(interface_id, "tier.cost/1") == 0        ? (const void *)&costs             \
                                                             : NULL;                                   \
  }                                                                                             \
  static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component), \
                                               .flags = (flag_bits),                            \
                                               .kind = "linear-solver",                         \
                                               .id = (id_text),                                 \
                                               .summary = (summary_text),                       \
                                               TIER_SLOTS(slots),                               \
                                               .create = create,                                \
                                               .destroy = free,                                 \
                                               .get = get}};                                    \
  TIER_PLUGIN(id_text, "1.0", "MIT", components)

#endif

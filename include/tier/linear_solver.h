/* tier/linear_solver.h: interface "tier.linear_solver/1": A x = b, A known by its products only. */
#ifndef TIER_LINEAR_SOLVER_H
#define TIER_LINEAR_SOLVER_H

#include <tier/state.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIER_SYSTEM_SYMMETRIC 1u
#define TIER_SYSTEM_POSITIVE 2u   /* believed positive definite: a Hessian at a minimum */
#define TIER_SYSTEM_STOCHASTIC 4u /* `redraw` gives other rows; otherwise it is NULL */

/* The system, made by whoever wants it solved; valid during the call. */
typedef struct tier_linear_system tier_linear_system;
struct tier_linear_system {
  uint32_t struct_size;
  uint32_t flags;
  int64_t size;
  void *context;
  int32_t (*apply)(void *context, const tier_vector *v, tier_vector *out); /* out <- A v */
  /* out <- A^T v; NULL: A is symmetric. */
  int32_t (*apply_adjoint)(void *context, const tier_vector *v, tier_vector *out);
  /* k products at once: outs[i] <- A vs[i]. */
  int32_t (*apply_block)(void *context, int64_t k, const tier_vector *const *vs,
                         tier_vector *const *outs);
  int32_t (*precondition)(void *context, const tier_vector *v, tier_vector *out); /* or NULL */
  int32_t (*redraw)(void *context); /* later products use a new draw of rows; or NULL */
  double step; /* a step size on A, for Neumann (the level's learning rate); 0: ask step_size */
  /* Writes a step size on A, or fails with the reason why none is known; or NULL. */
  int32_t (*step_size)(void *context, double *step);
  double damping; /* how much of the identity A has on purpose: `apply` includes it */
};

/* The system's damping; 0 from whoever was built before there was such a member. */
static inline double tier_system_damping(const tier_linear_system *s) {
  return s->struct_size >= offsetof(tier_linear_system, damping) + sizeof s->damping ? s->damping
                                                                                     : 0.0;
}

typedef struct tier_linear_report {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t iterations;
  double residual; /* |b - A x| / |b| as the solver knows it; NaN if it does not */
  /* Static text: "tolerance", "iterations", "stagnation" (the limit of precision), "negative
   * curvature", "breakdown", "singular", "terms", "terms, diverging", "depth", "depth too small",
   * "depth, diverging", "low rank", "identity", "exact", "zero". */
  const char *stop;
  /* By how much the last term of a series was shorter than the one before; the host sets it to NaN,
   * and so it stays where there is none. */
  double contraction;
} tier_linear_report;

/* To a report that has such a member. */
static inline void tier_report_contraction(tier_linear_report *r, double contraction) {
  if (r->struct_size >= offsetof(tier_linear_report, contraction) + sizeof r->contraction) {
    r->contraction = contraction;
  }
}

typedef struct tier_linear_solver_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* x <- an approximate solution; what x holds before is not read (a solver with a start of its
   * own keeps it in its state). b = 0 gives x = 0. */
  int32_t (*solve)(void *self, const tier_linear_system *system, tier_state *state,
                   const tier_vector *b, tier_vector *x, tier_linear_report *report);
  /* As a preconditioner for a solver at the same system: `prepare` makes what serves many
   * right-hand sides (a factor, a low-rank sketch), `precondition` maps v to out by it, `discard`
   * frees it. All three or none; without them the preconditioner is `solve`. */
  int32_t (*prepare)(void *self, const tier_linear_system *system, tier_state *state, void **made);
  int32_t (*precondition)(void *self, void *made, const tier_vector *v, tier_vector *out);
  void (*discard)(void *self, void *made);
} tier_linear_solver_1;

#ifdef __cplusplus
}
#endif
#endif

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
};

typedef struct tier_linear_report {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t iterations;
  double residual;  /* |b - A x| / |b| as the solver knows it; NaN if it does not */
  const char *stop; /* static text: "tolerance", "iterations", "negative curvature", "terms",
                       "terms, diverging", "exact", "zero" */
} tier_linear_report;

typedef struct tier_linear_solver_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* x <- an approximate solution; what x holds before is not read (a solver with a start of its
   * own keeps it in its state). b = 0 gives x = 0. */
  int32_t (*solve)(void *self, const tier_linear_system *system, tier_state *state,
                   const tier_vector *b, tier_vector *x, tier_linear_report *report);
} tier_linear_solver_1;

#ifdef __cplusplus
}
#endif
#endif

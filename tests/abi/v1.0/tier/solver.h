/* tier/solver.h: interface "tier.solver/1": one outer step per call, over "tier.levels/1". */
#ifndef TIER_SOLVER_H
#define TIER_SOLVER_H

#include <tier/state.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The level graph of a run as a solver sees it; "top" is the outermost level. */
typedef struct tier_levels tier_levels;
typedef struct tier_levels_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t (*size)(const tier_levels *l);     /* dimension of the top level's variables */
  int64_t (*steps)(const tier_levels *l);    /* its `steps`; -1 where only a budget ends it */
  tier_vector *(*variables)(tier_levels *l); /* the top level's variables, flat; may be written */
  uint64_t (*stream)(const tier_levels *l);  /* the solver's random stream */
  /* Draws the top level's rows for this step, then runs its lower levels in order (through their
   * estimators where there is a `through`). */
  int32_t (*solve_lower)(tier_levels *l);
  /* The top objective's value at the present state, on this step's rows; the smaller the better:
   * negated for `maximize`. */
  int32_t (*value)(tier_levels *l, double *value);
  /* The (hyper)gradient: direct term plus the responses of all `through` edges. It stays with the
   * level, for `update`, reports and outputs. Not for solvers flagged TIER_NO_GRADIENT. */
  int32_t (*hypergradient)(tier_levels *l, double *value);
  /* One step of the top level's optimizer with that gradient, then its projections. */
  int32_t (*update)(tier_levels *l);
  /* Every variable but the top level's, and every optimizer's state, as at the start of the run. */
  int32_t (*restart)(tier_levels *l);
  /* Remembers all variables (in checkpoints too), and goes back to what was remembered. */
  int32_t (*keep)(tier_levels *l);
  int32_t (*go_back)(tier_levels *l);
} tier_levels_1;
struct tier_levels {
  const tier_levels_1 *api;
};

typedef struct tier_solver_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Number of outer steps it will take; -1: as many as the top level's `steps` or budget say. */
  int64_t (*steps)(void *self, const tier_levels *l);
  int32_t (*step)(void *self, tier_levels *l, tier_state *state, int64_t k);
  int32_t (*finish)(void *self, tier_levels *l, tier_state *state); /* after the last; or NULL */
} tier_solver_1;

#ifdef __cplusplus
}
#endif
#endif

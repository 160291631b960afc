/* tier/solver.h: interface "tier.solver/1": one outer step per call, over "tier.levels/1". */
#ifndef TIER_SOLVER_H
#define TIER_SOLVER_H

#include <tier/problem.h>
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

  /* ---- for solvers flagged TIER_SINGLE_LOOP, which move both levels themselves ---- */

  /* The one `through` edge of the top level. Here n and p are the sizes of tier.problem/1, and x
   * are the top level's variables (`size`), of which p are inputs of the edge. */
  tier_edge *(*edge)(tier_levels *l);
  /* Draws the top level's rows for this step, and runs nothing. */
  int32_t (*draw)(tier_levels *l);
  tier_vector *(*lower_variables)(tier_levels *l); /* w (n); may be written */
  /* The lower objective F at the present w and x on draw `draw` (0, 1, ...) of the lower level's
   * rows; the caller releases it. Its w is the level's own: it follows what is written there until
   * the first product. */
  int32_t (*lower_oracle)(tier_levels *l, int64_t draw, tier_oracle **o);
  /* The top objective at the present x and w on the drawn rows: its value, its gradient in x
   * (size), and in w (n). Counts one gradient. */
  int32_t (*partial_gradients)(tier_levels *l, double *value, tier_vector *in_x, tier_vector *in_w);
  /* x (size) += scale * inputs (p): what an edge pulled back, at its place in x. */
  int32_t (*add_inputs)(tier_levels *l, double scale, const tier_vector *inputs, tier_vector *x);
  /* w += update (n), with the level's guards; value and gradient (n) are those of F that led to it,
   * for the log. */
  int32_t (*move_lower)(tier_levels *l, double value, const tier_vector *gradient,
                        const tier_vector *update);
  /* Says what the hypergradient (size) is that `update` is to step with. */
  int32_t (*set_hypergradient)(tier_levels *l, const tier_vector *gradient);
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

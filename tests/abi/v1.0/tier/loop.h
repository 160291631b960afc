/* tier/loop.h: interface "tier.loop/1": a procedural optimizer that calls oracles itself.
 *
 * Its memory between outer steps stands in a tier_state (tier/state.h). */
#ifndef TIER_LOOP_H
#define TIER_LOOP_H

#include <tier/state.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An objective to be minimized over w, on one draw of data. */
typedef struct tier_objective tier_objective;
typedef struct tier_objective_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t (*size)(const tier_objective *f);
  /* Value and gradient at w; counts one gradient. `value` is accumulated in f64. */
  int32_t (*gradient)(tier_objective *f, const tier_vector *w, double *value,
                      tier_vector *gradient);
  /* Value only; counts one value. */
  int32_t (*value)(tier_objective *f, const tier_vector *w, double *value);
} tier_objective_1;
struct tier_objective {
  const tier_objective_1 *api;
};

typedef struct tier_loop_report {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t iterations;
  double gradient_norm; /* at the final w */
  double value;
  const char *stop; /* static text: "tolerance", "steps", "no progress" */
} tier_loop_report;

typedef struct tier_loop_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* At most `steps` iterations from w (in and out), until the Euclidean norm of the gradient is
   * below `tolerance` (0: never for that reason). */
  int32_t (*run)(void *self, tier_objective *f, tier_state *state, int64_t steps, double tolerance,
                 tier_vector *w, tier_loop_report *report);
} tier_loop_1;

#ifdef __cplusplus
}
#endif
#endif

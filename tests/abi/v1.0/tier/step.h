/* tier/step.h: interface "tier.step/1": one optimizer step as a graph.
 *
 *   (w, state, gradient, hyperparameters) -> (w, state)
 *
 * All are flat vectors of one size n, or scalars. Being a graph, a step can be differentiated:
 * unrolling pulls cotangents back through it, and what its differentiable slots read (a learning
 * rate) are hyperparameters like any other. The host negates the gradient for `maximize`. */
#ifndef TIER_STEP_H
#define TIER_STEP_H

#include <tier/graph.h>
#include <tier/params.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIER_STATE_LIKE_W 1 /* shape (n), starts as zeros */
#define TIER_STATE_SCALAR 2 /* shape (), starts as zero */

typedef struct tier_step_states tier_step_states;
typedef struct tier_step_states_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*declare)(tier_step_states *s, const char *name, int32_t shape);
} tier_step_states_1;
struct tier_step_states {
  const tier_step_states_1 *api;
};

typedef struct tier_step_build tier_step_build;
typedef struct tier_step_build_1 {
  uint32_t struct_size;
  uint32_t reserved;
  tier_value (*w)(tier_step_build *b);        /* (n) */
  tier_value (*gradient)(tier_step_build *b); /* (n) */
  tier_value (*state)(tier_step_build *b, const char *name);
  /* A number slot, broadcast to (n); constant, or an expression if it is differentiable. */
  tier_value (*hyper)(tier_step_build *b, const char *slot);
  /* The same as a scalar; refused where the expression is not one. */
  tier_value (*hyper_scalar)(tier_step_build *b, const char *slot);
  int32_t (*set_w)(tier_step_build *b, tier_value w);
  int32_t (*set_state)(tier_step_build *b, const char *name, tier_value v);
} tier_step_build_1;
struct tier_step_build {
  const tier_step_build_1 *api;
  tier_graph *graph;
};

typedef struct tier_step_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*states)(void *self, tier_step_states *s); /* NULL: no state */
  int32_t (*build)(void *self, tier_step_build *b);
} tier_step_1;

#ifdef __cplusplus
}
#endif
#endif

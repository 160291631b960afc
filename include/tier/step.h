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

/* ---- steps that can be run backwards ---- */

/* Where a reversible step puts the bits that it drops, and takes them back: a stack of words. */
typedef struct tier_information tier_information;
typedef struct tier_information_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*push)(tier_information *i, int64_t count, const int64_t *words);
  int32_t (*pop)(tier_information *i, int64_t count, int64_t *words);
} tier_information_1;
struct tier_information {
  const tier_information_1 *api;
};

/* "tier.reversible_step/1", offered beside "tier.step/1": the same step in exact arithmetic, so
 * that it can be undone to the last bit. The host then takes every step by `run`; the graph of
 * "tier.step/1" gives the derivatives. Runs in f64 only.
 *
 * w and g are (n); `states` has one array for each state, in the order of their declaration, of n
 * numbers or one; `hypers` one number for each differentiable slot, in the order of the table. */
typedef struct tier_reversible_step_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* One step, in place. A first w may stand off the grid on which the step counts, and is rounded
   * to it. `i`: NULL if the step will not be undone. */
  int32_t (*run)(void *self, int64_t n, double *w, double *const *states, const double *g,
                 const double *hypers, tier_information *i);
  /* Undoing a step, in place: w first; then, with g at that w, the states. */
  int32_t (*undo_w)(void *self, int64_t n, double *w, double *const *states, const double *hypers);
  int32_t (*undo_states)(void *self, int64_t n, double *const *states, const double *g,
                         const double *hypers, tier_information *i);
} tier_reversible_step_1;

#ifdef __cplusplus
}
#endif
#endif

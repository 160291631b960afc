/* tier/cost.h: interface "tier.cost/1": what an estimator or a linear solver will cost, said before
 * it is run. `tier advise` prints it, and `tier check` holds the method to it: the ledger of a
 * pullback must show these counts. */
#ifndef TIER_COST_H
#define TIER_COST_H

#include <tier/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The lower level as seen along an edge. To a linear solver, n is the size of its system. */
typedef struct tier_cost_problem {
  uint32_t struct_size;
  int32_t stochastic; /* 1: the level draws batches, 0: all rows */
  int64_t n;          /* size of w */
  int64_t p;          /* size of the inputs */
  int64_t steps;      /* T: steps of the level for each step of its parent; -1: not known */
  int64_t state;      /* m: size of the optimizer's state; 0 without one */
  uint32_t flags;     /* TIER_COST_MAY_STOP ... */
  uint32_t reserved;
} tier_cost_problem;

#define TIER_COST_MAY_STOP 1u   /* the level has a tolerance: it may take fewer steps */
#define TIER_COST_PROCEDURAL 2u /* its optimizer is no step: what a run calls is not known */

#define TIER_COST_AT_MOST 1u /* the counts are limits: it may stop earlier */
#define TIER_COST_BIASED 2u  /* not the exact response even where its condition holds */
#define TIER_COST_RANDOM 4u  /* differs from draw to draw */

typedef struct tier_cost {
  uint32_t struct_size;
  uint32_t flags;
  /* Oracle calls of one pullback of a cotangent that is not zero, at a lower level that has no
   * levels below it; the solve before it is not among them. A linear solver counts each product
   * with the operator as one of `hvps`. */
  int64_t values, gradients, hvps, cross;
  int64_t reals;     /* numbers of type real that are held at once: tape, matrices, work vectors */
  const char *right; /* static text: what the result is right for: "a positive definite matrix" */
} tier_cost;

typedef struct tier_cost_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Fills *out (its struct_size is set); a negative code where the method cannot say. */
  int32_t (*cost)(void *self, const tier_cost_problem *problem, tier_cost *out);
} tier_cost_1;

#ifdef __cplusplus
}
#endif
#endif

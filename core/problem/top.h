/* The top level as a solver sees it: "tier.levels/1". */
#ifndef PROBLEM_TOP_H
#define PROBLEM_TOP_H

#include "problem/levels.h"

struct top {
  tier_levels face; /* first */
  struct problem *p;
};
int32_t top_new(struct problem *p, struct top **out);

/* ---- single_loop.c: members of tier.levels/1 for solvers that move both levels ---- */

/* Refuses problems other than a top level through one lower level. */
int32_t single_loop_check(const struct problem *p);
tier_edge *single_loop_edge(tier_levels *l);
int32_t single_loop_draw(tier_levels *l);
tier_vector *single_loop_lower(tier_levels *l);
int32_t single_loop_oracle(tier_levels *l, int64_t draw, tier_oracle **o);
int32_t single_loop_gradients(tier_levels *l, double *value, tier_vector *in_x, tier_vector *in_w);
int32_t single_loop_add_inputs(tier_levels *l, double scale, const tier_vector *inputs,
                               tier_vector *x);
int32_t single_loop_move_lower(tier_levels *l, double value, const tier_vector *gradient,
                               const tier_vector *update);
int32_t single_loop_set_hypergradient(tier_levels *l, const tier_vector *gradient);

#endif

/* Products with second derivatives of a lower level's objective F(w, theta), as programs on a
 * suite.
 *
 *   hvp             v -> (d2F/dw2) v                jvp of the gradient
 *   cross           v -> (d2F/dtheta dw) v          gradient by theta of <dF/dw, v>, itself a jvp
 *   both            the two of them in one sweep
 *   cross_forward   t -> (d2F/dw dtheta) t          jvp of the gradient along theta
 *   input_gradient  dF/dtheta
 *   along, third    of a directional derivative of F, and of one of <q, dF/dw>
 */
#ifndef PROBLEM_PRODUCTS_H
#define PROBLEM_PRODUCTS_H

#include "problem/suites.h"

struct products *products_new(struct suite *s);
void products_free(struct products *q); /* NULL is fine */
/* Each makes its kernel at the first call. */
int32_t products_hvp(struct products *q, const tier_edge *e, struct kernel **k);
int32_t products_cross(struct products *q, const tier_edge *e, struct kernel **k);
int32_t products_both(struct products *q, const tier_edge *e, struct kernel **k);
int32_t products_cross_forward(struct products *q, const tier_edge *e, struct kernel **k);
int32_t products_input_gradient(struct products *q, const tier_edge *e, struct kernel **k);
/* For totals (totals.c), with u over w and r over the solutions that w's level goes through (and t
 * over theta if `inputs`): derivatives of <dF, (u, r, t)> by w, those solutions, and theta. */
int32_t products_along(struct products *q, const tier_edge *e, int inputs, struct kernel **k);
/* With q and r over w, t over theta: derivatives of <d<q, dF/dw>, (r, t)> by w and theta. */
int32_t products_third(struct products *q, const tier_edge *e, struct kernel **k);

#endif

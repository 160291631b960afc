/* Products with the derivatives of a total gradient: of a lower level whose own gradient has a
 * response. Its objective is Phi(m, theta) = F(m, w*(m, theta), theta), where w* are the solutions
 * of the levels that it goes through. An oracle on such a level yields
 *
 *   g = dPhi/dm,  (d2Phi/dm2) v,  (d2Phi/dtheta dm) v,  (d2Phi/dm dtheta) t,  dPhi/dtheta.
 *
 * Products are exact where every level that it goes through is pulled back by an implicit estimator
 * and has no response of its own; elsewhere they are central differences of the total gradient, for
 * which those levels are solved again from where they started, on the same rows. The report says
 * which ("products"), and the radius and predicted error of a difference. */
#ifndef PROBLEM_TOTALS_H
#define PROBLEM_TOTALS_H

#include "problem/oracles.h"

/* Is the objective of the edge's lower level such a total? */
int edge_is_total(const tier_edge *e);
/* The oracle's functions (tier/problem.h) on a total; inputs are wide. */
int32_t total_gradient(tier_oracle *o, const tier_vector *w, double *value, tier_vector *gradient);
int32_t total_input_gradient(tier_oracle *o, const tier_vector *w, double scale,
                             tier_vector *inputs);
/* out <- H v unless it is NULL; inputs += scale * C v unless it is NULL. */
int32_t total_products(tier_oracle *o, const tier_vector *v, tier_vector *out, double scale,
                       tier_vector *inputs);
int32_t total_cross_forward(tier_oracle *o, const tier_vector *tangent, tier_vector *out);
void total_free(struct total *t);
/* Value and norm of the total gradient of the edge's lower level where it stands; both are left in
 * the level. */
int32_t total_norm(tier_edge *e);

#endif

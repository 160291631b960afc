/* Where a level that restarts begins, as a function of what its initial values read: derivatives of
 * their expressions, for an edge. */
#ifndef PROBLEM_STARTS_H
#define PROBLEM_STARTS_H

#include "problem/internal.h"

/* Does the level start afresh from something that reads this variable? */
int start_reads(const struct problem *p, const struct level *l, int variable);
/* inputs (of the edge, flat) += (dw_0 / d inputs)^T u_w. */
int32_t start_pull(tier_edge *e, const tier_record *r, const tier_vector *u_w, tier_vector *inputs);
void starts_free(tier_edge *e);

#endif

/* Edges between levels: the facade "tier.problem/1", records, and pulling back. */
#ifndef PROBLEM_EDGES_H
#define PROBLEM_EDGES_H

#include "problem/levels.h"
#include "problem/steppers.h"

/* Makes the edges of every level (needs levels_build). */
int32_t edges_build(struct problem *p);
/* Room for what they keep (needs levels_prepare). */
int32_t edges_prepare(struct problem *p);
void edge_free(tier_edge *e);
/* Is level `index` that level, or below it? */
int level_is_within(const struct problem *p, int index, int level);
/* The edge from `upper` to level `lower`, or NULL. */
tier_edge *edge_between(const struct level *upper, int lower);
/* The stepper of a step that an estimator brings, made once: e->extra. */
int32_t edge_extra_stepper(tier_edge *e, const tier_instance *step);

/* stopped.c: does the objective read its own level's variables through a stop-gradient? */
int suite_stops_own(const struct suite *s);

/* ---- facade.c ---- */

void record_reset(tier_record *r);
/* Programs and room for rows of oracles with that batch (0: the level's own). */
int32_t edge_prepare(tier_edge *e, int64_t batch);
const struct report_entry *record_report(const tier_record *r, const char *name);
extern const tier_problem_1 problem_interface; /* "tier.problem/1" */

#endif

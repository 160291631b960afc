/* Records: what one solve of a lower level leaves behind for its pullback, beside the tape of its
 * steps: the values of other levels' variables that it read, and which of their solves those were
 * of.
 *
 * A level may be solved several times in one step of the level that judges it (the level between
 * takes several steps). Where each of these solves matters, each has its own record. The inputs
 * that estimators see are then wider than the variables they are of: for those that move during the
 * run, one copy stands for the solution and one for each step, and each copy's cotangent belongs to
 * the solve that the step read. */
#ifndef PROBLEM_RECORDS_H
#define PROBLEM_RECORDS_H

#include "problem/kernels.h"

/* Which row of a record: of the solution, or of step t of the tape. */
#define ROW_SOLUTION INT64_C(-1)

/* Room for what edge `e` keeps; needs its inputs and the number of steps of its lower level. */
int32_t records_prepare(tier_edge *e);
/* A step of the upper level begins: there are no records yet. */
void records_begin(tier_edge *e);
/* Makes e->record ready for a solve; puts the one before aside if it will be needed. */
void records_open(tier_edge *e);
/* Before the levels below are solved for a step that will be put on its tape. */
int32_t records_before_step(tier_record *r);
/* After a step was put on the tape of e->record. */
int32_t records_step(tier_record *r);
/* The solve is complete. */
int32_t records_close(tier_record *r);
/* The number-th record of this step of the upper level; NULL if it was not kept. */
tier_record *records_number(tier_edge *e, int64_t number);
/* The values that were read; none before the solve is complete, and where nothing is kept. */
struct held records_held(const tier_record *r, int64_t row);
/* Which record of the upper level's edge number `edge` that row read; -1: none. */
int64_t records_seen(const tier_record *r, int64_t row, size_t edge);
/* How the levels below stood when that row's solves began, if its level goes through them; NULL
 * before the solve is complete. */
const struct snapshot *records_start(const tier_record *r, int64_t row);
void records_free(tier_record *r);

/* inputs (wide) += scale * part (narrow: one copy of each) for what that row read. */
void inputs_add(const tier_edge *e, int64_t row, double scale, const tier_vector *part,
                tier_vector *inputs);
/* part (narrow) <- what of the inputs (wide) stands for that row. */
void inputs_take(const tier_edge *e, int64_t row, const tier_vector *inputs, tier_vector *part);

#endif

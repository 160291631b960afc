/* Expressions evaluated to arrays: metrics, outputs, initial values, hyperparameters. */
#ifndef PROBLEM_MEASURES_H
#define PROBLEM_MEASURES_H

#include "problem/internal.h"

struct evaluated {
  int32_t type; /* TIER_REAL: reals, TIER_I32: integers */
  int32_t rank;
  int64_t dims[TIER_MAX_RANK];
  int64_t size;
  int rows; /* data whose rows the first axis is, or -1 */
  double *reals;
  int32_t *integers;
};
void evaluated_free(struct evaluated *e);

/* The value of an expression at the present state, on all rows of the data it reads. */
int32_t measures_evaluate(struct problem *p, const struct expr *e, struct evaluated *out);
/* What an expression is, without evaluating it. */
struct described {
  int32_t type, rank;
  int64_t dims[TIER_MAX_RANK]; /* of one row */
  int rows;                    /* data, or -1 */
  int *reads;                  /* variables, in the problem's arena */
  size_t read_count;
};
int32_t measures_describe(struct problem *p, const struct expr *e, struct described *out);
/* Builds all metrics and outputs without running them: for checks. */
int32_t measures_check(struct problem *p);

/* In a check: moves the pending failure to the diagnostics, at that place; returns the code. */
int32_t problem_diagnose(struct problem *p, const struct place *place, int32_t code);

#endif

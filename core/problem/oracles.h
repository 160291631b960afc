/* Oracles: a lower level's objective at one point, on one draw of rows (tier/problem.h). */
#ifndef PROBLEM_ORACLES_H
#define PROBLEM_ORACLES_H

#include "problem/records.h"

struct tier_oracle {
  tier_edge *e;
  tier_record *record;
  int64_t row; /* of the record */
  struct products *products;
  struct binding *binding;
  tier_vector *w; /* a view */
  const char *stream;
  int64_t draw, level_step;
  uint64_t serial;     /* of the binding, when this oracle's rows were last drawn into it */
  struct total *total; /* totals.c: where the level's own gradient has a response; or NULL */
};

/* Makes sure that the binding holds this oracle's rows: another may have drawn in between. */
int32_t oracle_activate(tier_oracle *o);

#endif

/* The top level as a solver sees it: "tier.levels/1". */
#ifndef PROBLEM_TOP_H
#define PROBLEM_TOP_H

#include "problem/levels.h"

struct top {
  tier_levels face; /* first */
  struct problem *p;
};
int32_t top_new(struct problem *p, struct top **out);

#endif

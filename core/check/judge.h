/* Which methods are held to what. */
#ifndef CHECK_JUDGE_H
#define CHECK_JUDGE_H

#include "check/check.h"

/* What the method computes of A x = b, or of the response: */
enum claim {
  CLAIM_EXACT,   /* the solution */
  CLAIM_SERIES,  /* slot "terms": lr sum_{j < terms} (I - lr A)^j b */
  CLAIM_LISSA,   /* slots "scale", "depth": the same with lr = 1 / scale, depth + 1 terms */
  CLAIM_SCALE,   /* slot "scale": b / (1 / scale + damping) */
  CLAIM_SHIFTED, /* slots "rank", "rho": at full rank (A - damping I + rho I)^-1 b */
  CLAIM_FOLLOWS, /* differentiates all steps of the level */
  CLAIM_LAST,    /* the last step alone */
  CLAIM_MEAN,    /* random, with the mean of CLAIM_FOLLOWS on quadratics */
  CLAIM_NONE     /* biased by its own words: only that what it says of itself is true */
};

struct method {
  const char *id;
  enum claim claim;
  double most_condition; /* to which it is held */
  const char *arguments; /* what an estimator gets, JSON; NULL: by its slots */
};

/* The row of c->as, or of the component's id. A method that is not ours is held to the solution,
 * unless its declared cost says TIER_COST_BIASED. */
struct method method_of(const struct check *c);

#endif

#include "rowwise.h"

/* (n, ..., k) -> the same shape. */
static tier_value log_softmax(tier_graph *g, tier_value of) {
  return tier_log_softmax(g, of, -1);
}

ROWWISE_MAP("log-softmax", "x_i - log sum_j exp(x_j) along the last axis", log_softmax);

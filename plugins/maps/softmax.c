#include "rowwise.h"

/* (n, ..., k) -> the same shape: the k numbers along the last axis sum to 1. */
static tier_value softmax(tier_graph *g, tier_value of) {
  return tier_softmax(g, of, -1);
}

ROWWISE_MAP("softmax", "exp(x_i) / sum_j exp(x_j) along the last axis", softmax);

#include "rowwise.h"

/* (n, ...) -> (n). */
static tier_value log_sum_exp(tier_graph *g, tier_value of) {
  return tier_log_sum_exp(g, tier_flatten_rows(g, of), 1);
}

ROWWISE_MAP("log-sum-exp", "log sum_j exp(x_j) over each row's elements: one number a row",
            log_sum_exp);

/* Simplification: rules that look at an operation before it is emitted and, where they can, build
 * something cheaper instead. What a rule builds goes through the rules again; each makes the graph
 * smaller, or moves a negation, a constant factor, a broadcast or a permutation towards the
 * output, so they come to an end.
 *
 * The rules are those of real numbers: 0 * x is 0 although x might be infinite. */
#ifndef COMPILE_SIMPLIFY_H
#define COMPILE_SIMPLIFY_H

#include <tier/nn.h>

#include "compile/draft.h"

/* An operation about to be emitted. */
struct emission {
  struct graph *graph;
  tier_graph *g; /* the same; emitting to it simplifies */
  uint32_t op;
  const tier_value *inputs;
  uint32_t count;
  const int64_t *ints;
  uint32_t int_count;
};

/* Each returns the simpler value, or 0 if it knows none. */
tier_value simplify_unary(const struct emission *e);
tier_value simplify_binary(const struct emission *e);
tier_value simplify_select(const struct emission *e);
tier_value simplify_broadcast_operands(const struct emission *e); /* any elementwise operation */
tier_value simplify_permuted_operands(const struct emission *e);  /* likewise */
tier_value simplify_movement(const struct emission *e);
/* (A B)^T = B^T A^T: only where nobody else reads A B, which would then be multiplied twice. */
tier_value simplify_transposed_product(const struct emission *e);
tier_value simplify_concat(const struct emission *e);
tier_value simplify_add_parts(const struct emission *e);
tier_value simplify_sum(const struct emission *e);
tier_value simplify_matmul(const struct emission *e);

/* ---- looking at values ---- */

static inline const struct value *emission_input(const struct emission *e, uint32_t j) {
  return graph_value(e->graph, e->inputs[j]);
}
/* 1 if v is a constant with all elements `*value`. */
static inline int value_is_fill(const struct graph *g, tier_value v, double *value) {
  const struct value *x = graph_value(g, v);
  if (x->op != TIER_OP_CONSTANT || x->real_count != 1) {
    return 0;
  }
  *value = x->reals[0];
  return 1;
}
static inline int value_is_zero(const struct graph *g, tier_value v) {
  double value = 1.0;
  return value_is_fill(g, v, &value) && value == 0.0;
}
/* 1 if v is x * value with a constant factor; then *x is the other factor. A negation is one. */
int value_is_scaled(const struct graph *g, tier_value v, tier_value *x, double *value);
int value_same_dims(const struct value *v, const int64_t *dims, int32_t rank);
static inline int value_is(const struct graph *g, tier_value v, uint32_t op) {
  return graph_value(g, v)->op == op;
}

#endif

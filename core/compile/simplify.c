#include "compile/simplify.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- looking at values --------------------------------------------------------------------- */

int value_same_dims(const struct value *v, const int64_t *dims, int32_t rank) {
  return v->rank == rank && (rank == 0 || memcmp(v->dims, dims, (size_t)rank * sizeof *dims) == 0);
}

int value_is_scaled(const struct graph *g, tier_value v, tier_value *x, double *value) {
  const struct value *product = graph_value(g, v);
  if (product->op == TIER_OP_NEGATE) {
    *x = product->inputs[0];
    *value = -1.0;
    return 1;
  }
  if (product->op == TIER_OP_MULTIPLY && value_is_fill(g, product->inputs[1], value)) {
    *x = product->inputs[0];
    return 1;
  }
  return 0;
}

/* ---- the emit that simplifies -------------------------------------------------------------- */

static tier_graph_1 plain;       /* the graph's own table */
static tier_graph_1 simplifying; /* the same with this emit */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Operations that give zeros for zeros in their first input. The operation itself, emitted for
 * its shape, is dead then. */
static tier_value zeros_for_zeros(const struct emission *e, const tier_attributes *a) {
  if (!value_is_zero(e->graph, e->inputs[0])) {
    return 0;
  }
  return tier_fill_like(e->g, plain.emit(e->g, e->op, e->inputs, e->count, a), 0.0);
}

static tier_value simplify_elementwise(const struct emission *e) {
  tier_value v = e->count == 1   ? simplify_unary(e)
                 : e->count == 2 ? simplify_binary(e)
                                 : simplify_select(e);
  v = v == 0 ? simplify_broadcast_operands(e) : v;
  return v == 0 ? simplify_permuted_operands(e) : v;
}

static tier_value simplify(const struct emission *e, const tier_attributes *a) {
  const struct operation *operation = operation_get(e->op);
  switch (e->op) {
    case TIER_OP_RESHAPE:
    case TIER_OP_PERMUTE:
    case TIER_OP_BROADCAST:
    case TIER_OP_SLICE:
    case TIER_OP_PAD:
      return simplify_movement(e);
    case TIER_OP_CONCAT:
      return simplify_concat(e);
    case TIER_OP_SUM:
      return simplify_sum(e);
    case TIER_OP_MATMUL:
      return simplify_matmul(e);
    case TIER_OP_GATHER:
    case TIER_OP_SCATTER_ADD:
    case TIER_OP_PATCHES:
    case TIER_OP_FOLD:
      return zeros_for_zeros(e, a);
    default:
      return (operation->flags & OPERATION_ELEMENTWISE) != 0 ? simplify_elementwise(e) : 0;
  }
}

static tier_value emit(tier_graph *g, uint32_t op, const tier_value *inputs, uint32_t count,
                       const tier_attributes *a) {
  struct emission e = {.graph = graph_of(g), .g = g, .op = op, .inputs = inputs, .count = count};
  if (a != NULL) {
    e.ints = a->ints;
    e.int_count = a->int_count;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (inputs[i] == 0) {
      return 0;
    }
  }
  tier_value v = simplify(&e, a);
  return v != 0 ? v : plain.emit(g, op, inputs, count, a);
}

static void make_tables(void) {
  struct graph *g = graph_new();
  plain = *g->face.api;
  simplifying = plain;
  simplifying.emit = emit;
  graph_free(g);
}

static tier_value rule(void *context, struct graph *to, const struct value *v, tier_value old,
                       const tier_value *inputs) {
  const uint32_t *uses = context;
  (void)old;
  if (v->op == TIER_OP_PERMUTE && uses[v->inputs[0]] == 1) {
    const struct emission e = {.graph = to,
                               .g = &to->face,
                               .op = v->op,
                               .inputs = inputs,
                               .count = 1,
                               .ints = v->ints,
                               .int_count = v->int_count};
    tier_value product = simplify_transposed_product(&e);
    if (product != 0) {
      return product;
    }
  }
  return draft_copy(to, v, inputs);
}

int32_t pass_simplify(struct draft *d) {
  (void)pthread_once(&once, make_tables);
  uint32_t *uses = draft_uses(d);
  int32_t status = draft_rewrite(d, &simplifying, rule, uses);
  free(uses);
  return status;
}

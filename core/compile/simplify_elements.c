/* Rules for elementwise operations. */
#include <string.h>

#include "backend/reference.h"
#include "compile/simplify.h"

static tier_value fill_like(const struct emission *e, tier_value like, double value) {
  return tier_fill_like(e->g, like, value);
}

/* ---- one input ---- */

static tier_value simplify_negate(const struct emission *e) {
  const struct value *x = emission_input(e, 0);
  tier_value inner = 0;
  double factor = 0.0;
  if (x->op == TIER_OP_SUBTRACT) {
    return tier_subtract(e->g, x->inputs[1], x->inputs[0]);
  }
  if (value_is_scaled(e->graph, e->inputs[0], &inner, &factor)) {
    return tier_multiply(e->g, inner, fill_like(e, inner, -factor));
  }
  return 0;
}

tier_value simplify_unary(const struct emission *e) {
  const struct value *x = emission_input(e, 0);
  double value = 0.0;
  int changes_type = e->op == TIER_OP_CAST && e->ints[0] != x->type;
  if (e->op == TIER_OP_STOP_GRADIENT || (e->op == TIER_OP_CAST && !changes_type)) {
    return e->inputs[0];
  }
  if (!changes_type && value_is_fill(e->graph, e->inputs[0], &value)) {
    return fill_like(e, e->inputs[0], reference_unary(e->op, value));
  }
  return e->op == TIER_OP_NEGATE ? simplify_negate(e) : 0;
}

/* ---- two inputs ---- */

static tier_value simplify_addition(const struct emission *e) {
  tier_value a = e->inputs[0];
  tier_value b = e->inputs[1];
  if (value_is_zero(e->graph, a)) {
    return b;
  }
  if (value_is_zero(e->graph, b)) {
    return a;
  }
  if (value_is(e->graph, b, TIER_OP_NEGATE)) {
    return tier_subtract(e->g, a, emission_input(e, 1)->inputs[0]);
  }
  if (value_is(e->graph, a, TIER_OP_NEGATE)) {
    return tier_subtract(e->g, b, emission_input(e, 0)->inputs[0]);
  }
  if (a == b) {
    return tier_multiply(e->g, a, fill_like(e, a, 2.0));
  }
  return simplify_add_parts(e);
}

static tier_value simplify_subtraction(const struct emission *e) {
  tier_value a = e->inputs[0];
  tier_value b = e->inputs[1];
  if (value_is_zero(e->graph, b)) {
    return a;
  }
  if (value_is_zero(e->graph, a)) {
    return tier_negate(e->g, b);
  }
  if (a == b) {
    return fill_like(e, a, 0.0);
  }
  if (value_is(e->graph, b, TIER_OP_NEGATE)) {
    return tier_add(e->g, a, emission_input(e, 1)->inputs[0]);
  }
  if (value_is(e->graph, a, TIER_OP_NEGATE)) {
    return tier_negate(e->g, tier_add(e->g, emission_input(e, 0)->inputs[0], b));
  }
  return 0;
}

/* a * c with a constant c. */
static tier_value simplify_scaling(const struct emission *e, tier_value a, double c) {
  tier_value x = 0;
  double factor = 0.0;
  if (c == 0.0) {
    return fill_like(e, a, 0.0);
  }
  if (c == 1.0) {
    return a;
  }
  if (c == -1.0) {
    return tier_negate(e->g, a);
  }
  if (value_is_scaled(e->graph, a, &x, &factor)) {
    return tier_multiply(e->g, x, fill_like(e, x, factor * c));
  }
  return 0;
}

/* Constant factors and signs go outwards: (x c) y = (x y) c. */
static tier_value simplify_product(const struct emission *e) {
  tier_value a = e->inputs[0];
  tier_value b = e->inputs[1];
  tier_value x = 0;
  double factor = 0.0;
  if (value_is_fill(e->graph, b, &factor)) {
    return simplify_scaling(e, a, factor);
  }
  if (value_is_fill(e->graph, a, &factor)) { /* constants stand second */
    return tier_multiply(e->g, b, a);
  }
  if (value_is_scaled(e->graph, a, &x, &factor)) {
    return tier_multiply(e->g, tier_multiply(e->g, x, b), fill_like(e, x, factor));
  }
  if (value_is_scaled(e->graph, b, &x, &factor)) {
    return tier_multiply(e->g, tier_multiply(e->g, a, x), fill_like(e, x, factor));
  }
  return 0;
}

static tier_value simplify_quotient(const struct emission *e) {
  tier_value a = e->inputs[0];
  tier_value b = e->inputs[1];
  tier_value x = 0;
  double value = 0.0;
  if (value_is_zero(e->graph, a)) {
    return a;
  }
  if (value_is_fill(e->graph, b, &value) && value == 1.0) {
    return a;
  }
  if (value_is(e->graph, a, TIER_OP_NEGATE)) {
    return tier_negate(e->g, tier_divide(e->g, emission_input(e, 0)->inputs[0], b));
  }
  if (!value_is_fill(e->graph, b, &value) && value_is_scaled(e->graph, a, &x, &value)) {
    return tier_multiply(e->g, tier_divide(e->g, x, b), fill_like(e, x, value));
  }
  return 0;
}

tier_value simplify_binary(const struct emission *e) {
  double a = 0.0;
  double b = 0.0;
  if (value_is_fill(e->graph, e->inputs[0], &a) && value_is_fill(e->graph, e->inputs[1], &b)) {
    return fill_like(e, e->inputs[0], reference_binary(e->op, a, b));
  }
  switch (e->op) {
    case TIER_OP_ADD:
      return simplify_addition(e);
    case TIER_OP_SUBTRACT:
      return simplify_subtraction(e);
    case TIER_OP_MULTIPLY:
      return simplify_product(e);
    case TIER_OP_DIVIDE:
      return simplify_quotient(e);
    case TIER_OP_MAXIMUM:
    case TIER_OP_MINIMUM:
      return e->inputs[0] == e->inputs[1] ? e->inputs[0] : 0;
    default:
      return 0;
  }
}

tier_value simplify_select(const struct emission *e) {
  double condition = 0.0;
  double a = 0.0;
  double b = 0.0;
  if (value_is_fill(e->graph, e->inputs[0], &condition)) {
    return e->inputs[condition != 0.0 ? 1 : 2];
  }
  int same = value_is_fill(e->graph, e->inputs[1], &a) &&
             value_is_fill(e->graph, e->inputs[2], &b) && a == b;
  return same || e->inputs[1] == e->inputs[2] ? e->inputs[1] : 0;
}

/* ---- operands that are moved ---- */

static tier_value emit_again(const struct emission *e, const tier_value *inputs) {
  return tier_emit(e->g, e->op, inputs, e->count, e->ints, e->int_count);
}

#define MOST_OPERANDS 3

/* Where all operands are repeated along an axis, the operation is done once and its result is
 * repeated. */
tier_value simplify_broadcast_operands(const struct emission *e) {
  struct value out = *emission_input(e, 0);
  int64_t dims[TIER_MAX_RANK] = {1, 1, 1, 1, 1, 1};
  tier_value inputs[MOST_OPERANDS];
  double unused = 0.0;
  int broadcasts = 0;
  for (uint32_t j = 0; j < e->count; j++) {
    struct value x = *emission_input(e, j);
    if (x.op == TIER_OP_BROADCAST) {
      x = *graph_value(e->graph, x.inputs[0]);
      broadcasts = 1;
    } else if (value_is_fill(e->graph, e->inputs[j], &unused)) {
      continue;
    }
    for (int32_t i = 0; i < out.rank; i++) {
      dims[i] = x.dims[i] != 1 ? x.dims[i] : dims[i];
    }
  }
  if (!broadcasts || value_same_dims(&out, dims, out.rank)) {
    return 0;
  }
  for (uint32_t j = 0; j < e->count; j++) {
    double value = 0.0;
    tier_value x = e->inputs[j];
    inputs[j] = value_is_fill(e->graph, x, &value)
                    ? tier_fill(e->g, value, dims, out.rank)
                    : tier_broadcast(e->g, graph_value(e->graph, x)->inputs[0], dims, out.rank);
  }
  return tier_broadcast(e->g, emit_again(e, inputs), out.dims, out.rank);
}

/* Likewise for operands with their axes in the same other order: the result is permuted. */
tier_value simplify_permuted_operands(const struct emission *e) {
  tier_value inputs[MOST_OPERANDS];
  const struct value *first = NULL;
  int64_t dims[TIER_MAX_RANK];
  int64_t axes[TIER_MAX_RANK];
  int32_t rank = 0;
  double value = 0.0;
  if (e->op == TIER_OP_CAST && e->ints[0] == TIER_I32) { /* only reals can be permuted */
    return 0;
  }
  for (uint32_t j = 0; j < e->count; j++) {
    const struct value *x = emission_input(e, j);
    if (value_is_fill(e->graph, e->inputs[j], &value)) {
      continue;
    }
    if (x->op != TIER_OP_PERMUTE ||
        (first != NULL && memcmp(first->ints, x->ints, x->int_count * sizeof *x->ints) != 0)) {
      return 0;
    }
    first = x;
  }
  if (first == NULL) {
    return 0;
  }
  rank = first->rank;
  memcpy(axes, first->ints, (size_t)rank * sizeof *axes);
  memcpy(dims, graph_value(e->graph, first->inputs[0])->dims, sizeof dims);
  for (uint32_t j = 0; j < e->count; j++) {
    inputs[j] = value_is_fill(e->graph, e->inputs[j], &value)
                    ? tier_fill(e->g, value, dims, rank)
                    : graph_value(e->graph, e->inputs[j])->inputs[0];
  }
  return tier_permute(e->g, emit_again(e, inputs), axes, rank);
}

/* Rules for sums and products of matrices. */
#include <string.h>

#include "compile/simplify.h"

/* ---- sum ---- */

static int is_summed(const struct emission *e, int32_t axis) {
  for (uint32_t i = 0; i < e->int_count; i++) {
    if (e->ints[i] == axis) {
      return 1;
    }
  }
  return 0;
}

/* The dims of the sum; returns its rank. */
static int32_t kept_dims(const struct emission *e, const struct value *x, int64_t *dims) {
  int32_t rank = 0;
  for (int32_t i = 0; i < x->rank; i++) {
    if (!is_summed(e, i)) {
      dims[rank++] = x->dims[i];
    }
  }
  return rank;
}

static tier_value sum_again(const struct emission *e, tier_value x) {
  return tier_sum_axes(e->g, x, e->ints, e->int_count);
}

/* The sum of a sum: over both sets of axes. */
static tier_value sum_sum(const struct emission *e, const struct value *x) {
  int64_t axes[TIER_MAX_RANK];
  uint32_t count = 0;
  int32_t outer = 0; /* the axis of x's output that the input's axis becomes */
  uint32_t inner = 0;
  int32_t rank = graph_value(e->graph, x->inputs[0])->rank;
  for (int32_t axis = 0; axis < rank; axis++) {
    int gone = inner < x->int_count && x->ints[inner] == axis;
    inner += gone ? 1 : 0;
    if (gone || is_summed(e, outer)) {
      axes[count++] = axis;
    }
    outer += gone ? 0 : 1;
  }
  return tier_sum_axes(e->g, x->inputs[0], axes, count);
}

/* n equal summands: one of them, times n. */
static tier_value sum_broadcast(const struct emission *e, const struct value *x) {
  struct value inner = *graph_value(e->graph, x->inputs[0]);
  int64_t dims[TIER_MAX_RANK];
  double repeats = 1.0;
  int found = 0;
  memcpy(dims, x->dims, sizeof dims);
  for (int32_t i = 0; i < x->rank; i++) {
    if (is_summed(e, i) && inner.dims[i] != x->dims[i]) {
      repeats *= (double)x->dims[i];
      dims[i] = 1;
      found = 1;
    }
  }
  if (!found) {
    return 0;
  }
  tier_value sum = sum_again(e, tier_broadcast(e->g, x->inputs[0], dims, x->rank));
  return tier_scale(e->g, sum, repeats);
}

/* The factor that is the same for all summands of each sum, brought to the sum's shape; or 0. */
static tier_value common_factor(const struct emission *e, const struct value *x, tier_value id) {
  struct value factor = *graph_value(e->graph, id);
  int64_t dims[TIER_MAX_RANK];
  int64_t kept[TIER_MAX_RANK];
  int32_t rank = 0;
  if (factor.op != TIER_OP_BROADCAST) {
    return 0;
  }
  struct value inner = *graph_value(e->graph, factor.inputs[0]);
  for (int32_t i = 0; i < x->rank; i++) {
    if (!is_summed(e, i)) {
      kept[rank++] = inner.dims[i];
    } else if (inner.dims[i] != 1) {
      return 0;
    }
  }
  (void)kept_dims(e, x, dims);
  return tier_broadcast(e->g, tier_reshape(e->g, factor.inputs[0], kept, rank), dims, rank);
}

static tier_value sum_product(const struct emission *e, const struct value *x) {
  for (int j = 0; j < 2; j++) {
    tier_value factor = common_factor(e, x, x->inputs[j]);
    if (factor != 0) {
      return tier_multiply(e->g, sum_again(e, x->inputs[1 - j]), factor);
    }
  }
  return 0;
}

/* The same sum of what was permuted, and what stays in its new order. */
static tier_value sum_permute(const struct emission *e, const struct value *x) {
  int64_t axes[TIER_MAX_RANK];
  int64_t number[TIER_MAX_RANK]; /* of each kept axis of the input among the kept ones */
  int64_t order[TIER_MAX_RANK];
  uint32_t count = 0;
  int32_t kept = 0;
  int32_t rank = 0;
  int summed[TIER_MAX_RANK] = {0};
  for (int32_t i = 0; i < x->rank; i++) {
    summed[x->ints[i]] = is_summed(e, i);
  }
  for (int32_t i = 0; i < x->rank; i++) {
    if (summed[i]) {
      axes[count++] = i;
    } else {
      number[i] = kept++;
    }
  }
  for (int32_t i = 0; i < x->rank; i++) {
    if (!is_summed(e, i)) {
      order[rank++] = number[x->ints[i]];
    }
  }
  return tier_permute(e->g, tier_sum_axes(e->g, x->inputs[0], axes, count), order, rank);
}

tier_value simplify_sum(const struct emission *e) {
  struct value x = *emission_input(e, 0);
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = kept_dims(e, &x, dims);
  tier_value inner = 0;
  double value = 0.0;
  double terms = 1.0;
  for (int32_t i = 0; i < x.rank; i++) {
    terms *= is_summed(e, i) ? (double)x.dims[i] : 1.0;
  }
  if (terms == 1.0) { /* nothing is added */
    return tier_reshape(e->g, e->inputs[0], dims, rank);
  }
  if (value_is_fill(e->graph, e->inputs[0], &value)) {
    return tier_fill(e->g, terms > 0.0 ? value * terms : 0.0, dims, rank);
  }
  if (value_is_scaled(e->graph, e->inputs[0], &inner, &value)) {
    return tier_scale(e->g, sum_again(e, inner), value);
  }
  switch (x.op) {
    case TIER_OP_SUM:
      return sum_sum(e, &x);
    case TIER_OP_BROADCAST:
      return sum_broadcast(e, &x);
    case TIER_OP_PERMUTE:
      return sum_permute(e, &x);
    case TIER_OP_MULTIPLY:
      return sum_product(e, &x);
    case TIER_OP_RESHAPE: /* all of it, in whatever shape */
    case TIER_OP_PAD:
      return rank == 0 ? tier_sum_all(e->g, x.inputs[0]) : 0;
    default:
      return 0;
  }
}

/* ---- matmul ---- */

/* 1 if v is x with the last two axes swapped. */
static int is_transposed(const struct graph *g, tier_value v, tier_value *x) {
  const struct value *p = graph_value(g, v);
  if (p->op != TIER_OP_PERMUTE || p->rank < 2) {
    return 0;
  }
  for (int32_t i = 0; i < p->rank - 2; i++) {
    if (p->ints[i] != i) {
      return 0;
    }
  }
  *x = p->inputs[0];
  return p->ints[p->rank - 1] == p->rank - 2;
}

/* A factor of an operand becomes one of the product, if that is not larger. */
static tier_value matmul_scaled(const struct emission *e, int64_t out_size) {
  for (uint32_t j = 0; j < 2; j++) {
    tier_value operands[2] = {e->inputs[0], e->inputs[1]};
    double factor = 0.0;
    if (value_is_scaled(e->graph, e->inputs[j], &operands[j], &factor) &&
        out_size <= value_size(emission_input(e, j))) {
      tier_value product = tier_emit(e->g, TIER_OP_MATMUL, operands, 2, e->ints, 2);
      return tier_scale(e->g, product, factor);
    }
  }
  return 0;
}

tier_value simplify_matmul(const struct emission *e) {
  const struct value *a = emission_input(e, 0);
  const struct value *b = emission_input(e, 1);
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = a->rank;
  int64_t size = 1;
  tier_value inner = 0;
  memcpy(dims, a->dims, sizeof dims);
  dims[rank - 2] = a->dims[rank - 2 + e->ints[0]];
  dims[rank - 1] = b->dims[rank - 1 - e->ints[1]];
  for (int32_t i = 0; i < rank; i++) {
    size *= dims[i];
  }
  if (value_is_zero(e->graph, e->inputs[0]) || value_is_zero(e->graph, e->inputs[1])) {
    return tier_fill(e->g, 0.0, dims, rank);
  }
  for (uint32_t j = 0; j < 2; j++) {
    if (is_transposed(e->graph, e->inputs[j], &inner)) {
      tier_value operands[2] = {e->inputs[0], e->inputs[1]};
      int64_t flags[2] = {e->ints[0], e->ints[1]};
      operands[j] = inner;
      flags[j] = !flags[j];
      return tier_emit(e->g, TIER_OP_MATMUL, operands, 2, flags, 2);
    }
  }
  return matmul_scaled(e, size);
}

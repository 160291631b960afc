/* Rules for operations that only move elements. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/simplify.h"

/* ---- reshape, permute, broadcast ---- */

static tier_value simplify_reshape(const struct emission *e) {
  const struct value *x = emission_input(e, 0);
  if (value_same_dims(x, e->ints, (int32_t)e->int_count)) {
    return e->inputs[0];
  }
  if (x->op == TIER_OP_RESHAPE) {
    return tier_reshape(e->g, x->inputs[0], e->ints, (int32_t)e->int_count);
  }
  return 0;
}

/* 1 if the axes longer than 1 keep their order. */
static int permutes_nothing(const struct value *x, const int64_t *axes) {
  int64_t last = -1;
  for (int32_t i = 0; i < x->rank; i++) {
    if (x->dims[axes[i]] != 1) {
      if (axes[i] < last) {
        return 0;
      }
      last = axes[i];
    }
  }
  return 1;
}

static int swaps_last_two(const int64_t *axes, int32_t rank) {
  for (int32_t i = 0; i < rank - 2; i++) {
    if (axes[i] != i) {
      return 0;
    }
  }
  return rank >= 2 && axes[rank - 2] == rank - 1 && axes[rank - 1] == rank - 2;
}

static tier_value simplify_permute(const struct emission *e) {
  struct value x = *emission_input(e, 0);
  int64_t values[TIER_MAX_RANK];
  if (permutes_nothing(&x, e->ints)) {
    for (int32_t i = 0; i < x.rank; i++) {
      values[i] = x.dims[e->ints[i]];
    }
    return tier_reshape(e->g, e->inputs[0], values, x.rank);
  }
  if (x.op == TIER_OP_PERMUTE) {
    for (int32_t i = 0; i < x.rank; i++) {
      values[i] = x.ints[e->ints[i]];
    }
    return tier_permute(e->g, x.inputs[0], values, x.rank);
  }
  if (x.op == TIER_OP_BROADCAST) {
    for (int32_t i = 0; i < x.rank; i++) {
      values[i] = x.dims[e->ints[i]];
    }
    tier_value inner = tier_permute(e->g, x.inputs[0], e->ints, x.rank);
    return tier_broadcast(e->g, inner, values, x.rank);
  }
  return 0;
}

tier_value simplify_transposed_product(const struct emission *e) {
  const struct value *x = emission_input(e, 0);
  if (x->op != TIER_OP_MATMUL || !swaps_last_two(e->ints, x->rank)) {
    return 0;
  }
  return tier_matmul_transposed(e->g, x->inputs[1], !x->ints[1], x->inputs[0], !x->ints[0]);
}

static tier_value simplify_broadcast(const struct emission *e) {
  const struct value *x = emission_input(e, 0);
  if (value_same_dims(x, e->ints, (int32_t)e->int_count)) {
    return e->inputs[0];
  }
  if (x->op == TIER_OP_BROADCAST) {
    return tier_broadcast(e->g, x->inputs[0], e->ints, x->rank);
  }
  return 0;
}

/* ---- slice ---- */

/* The only axis on which the slice x[start : limit] leaves something out, if its strides are 1;
 * rank if it leaves out nothing; -1 otherwise. */
static int32_t sliced_axis(const struct value *x, const int64_t *ints) {
  int32_t axis = x->rank;
  for (int32_t i = 0; i < x->rank; i++) {
    if (ints[2 * x->rank + i] != 1 && x->dims[i] > 1) {
      return -1;
    }
    if (ints[i] != 0 || ints[x->rank + i] != x->dims[i]) {
      if (axis != x->rank) {
        return -1;
      }
      axis = i;
    }
  }
  return axis;
}

/* A slice that lies inside one part of a concat. */
static tier_value slice_concat(const struct emission *e, const struct value *x, int64_t start,
                               int64_t limit) {
  int64_t begin = 0;
  int32_t axis = (int32_t)x->ints[0];
  for (uint32_t j = 0; j < x->input_count; j++) {
    int64_t end = begin + graph_value(e->graph, x->inputs[j])->dims[axis];
    if (start >= begin && limit <= end && end > begin) {
      return tier_slice_axis(e->g, x->inputs[j], axis, start - begin, limit - begin);
    }
    begin = end;
  }
  return 0;
}

/* A slice that lies inside the zeros of a pad, or inside what was padded. */
static tier_value slice_pad(const struct emission *e, const struct value *x, int32_t axis,
                            int64_t start, int64_t limit) {
  struct value inner = *graph_value(e->graph, x->inputs[0]);
  for (int32_t i = 0; i < x->rank; i++) {
    int pads = x->ints[i] != 0 || x->ints[x->rank + i] != 0 || x->ints[2 * x->rank + i] != 0;
    if ((i != axis && pads) || x->ints[2 * x->rank + i] != 0) {
      return 0;
    }
  }
  int64_t begin = x->ints[axis];
  int64_t end = begin + inner.dims[axis];
  if (start >= begin && limit <= end) {
    return tier_slice_axis(e->g, x->inputs[0], axis, start - begin, limit - begin);
  }
  if (limit <= begin || start >= end) {
    inner.dims[axis] = limit - start;
    return tier_fill(e->g, 0.0, inner.dims, inner.rank);
  }
  return 0;
}

static tier_value slice_slice(const struct emission *e, const struct value *x) {
  int64_t ints[3 * TIER_MAX_RANK];
  int32_t rank = x->rank;
  for (int32_t i = 0; i < rank; i++) {
    int64_t stride = x->ints[2 * rank + i];
    int64_t length = e->ints[rank + i] - e->ints[i];
    int64_t step = e->ints[2 * rank + i];
    if (length == 0) { /* its place, between two elements, has none in the input */
      ints[i] = 0;
      ints[rank + i] = 0;
      ints[2 * rank + i] = 1;
      continue;
    }
    int64_t taken = (length - 1) / step; /* elements after the first one; if none, no step */
    ints[i] = x->ints[i] + e->ints[i] * stride;
    ints[rank + i] = ints[i] + taken * step * stride + 1;
    ints[2 * rank + i] = taken > 0 ? stride * step : 1;
  }
  return tier_emit(e->g, TIER_OP_SLICE, &x->inputs[0], 1, ints, 3 * (uint32_t)rank);
}

/* x repeated along an axis, of which a part is taken: repeated less often. */
static tier_value slice_broadcast(const struct emission *e, const struct value *x, int32_t axis,
                                  int64_t start, int64_t limit) {
  int64_t dims[TIER_MAX_RANK];
  memcpy(dims, x->dims, sizeof dims);
  dims[axis] = limit - start;
  tier_value inner = x->inputs[0];
  if (graph_value(e->graph, inner)->dims[axis] != 1) {
    inner = tier_slice_axis(e->g, inner, axis, start, limit);
  }
  return tier_broadcast(e->g, inner, dims, x->rank);
}

static tier_value simplify_slice(const struct emission *e) {
  struct value x = *emission_input(e, 0);
  if (x.op == TIER_OP_SLICE) {
    return slice_slice(e, &x);
  }
  int32_t axis = sliced_axis(&x, e->ints);
  if (axis < 0) {
    return 0;
  }
  if (axis == x.rank) {
    return e->inputs[0];
  }
  int64_t start = e->ints[axis];
  int64_t limit = e->ints[x.rank + axis];
  if (x.op == TIER_OP_CONCAT && axis == x.ints[0]) {
    return slice_concat(e, &x, start, limit);
  }
  if (x.op == TIER_OP_PAD) {
    return slice_pad(e, &x, axis, start, limit);
  }
  return x.op == TIER_OP_BROADCAST ? slice_broadcast(e, &x, axis, start, limit) : 0;
}

/* ---- all of these ---- */

static int pads_nothing(const struct emission *e) {
  for (uint32_t i = 0; i < e->int_count; i++) {
    if (e->ints[i] != 0) {
      return 0;
    }
  }
  return 1;
}

/* A constant that is moved is a constant of the new shape. */
static tier_value moved_fill(const struct emission *e, double value) {
  struct value out = {.rank = emission_input(e, 0)->rank};
  const struct value *x = emission_input(e, 0);
  if (e->op == TIER_OP_RESHAPE || e->op == TIER_OP_BROADCAST) {
    return tier_fill(e->g, value, e->ints, (int32_t)e->int_count);
  }
  for (int32_t i = 0; i < x->rank; i++) {
    if (e->op == TIER_OP_PERMUTE) {
      out.dims[i] = x->dims[e->ints[i]];
    } else if (e->op == TIER_OP_SLICE) {
      int64_t stride = e->ints[2 * x->rank + i];
      out.dims[i] = (e->ints[x->rank + i] - e->ints[i] + stride - 1) / stride;
    } else { /* pad, of zeros */
      int64_t gaps = x->dims[i] > 0 ? x->dims[i] - 1 : 0;
      out.dims[i] =
          x->dims[i] + e->ints[i] + e->ints[x->rank + i] + gaps * e->ints[2 * x->rank + i];
    }
  }
  return tier_fill(e->g, value, out.dims, out.rank);
}

tier_value simplify_movement(const struct emission *e) {
  double value = 0.0;
  if (value_is_fill(e->graph, e->inputs[0], &value) && (e->op != TIER_OP_PAD || value == 0.0)) {
    return moved_fill(e, value);
  }
  switch (e->op) {
    case TIER_OP_RESHAPE:
      return simplify_reshape(e);
    case TIER_OP_PERMUTE:
      return simplify_permute(e);
    case TIER_OP_BROADCAST:
      return simplify_broadcast(e);
    case TIER_OP_SLICE:
      return simplify_slice(e);
    default: /* pad */
      return pads_nothing(e) ? e->inputs[0] : 0;
  }
}

/* ---- concat, and sums of padded parts ---- */

/* Parts that lie one after the other along an axis. */
struct parts {
  const struct emission *e;
  tier_value *items;
  uint32_t count, capacity;
  int32_t axis;
};

static int64_t length_of(const struct parts *p, tier_value v) {
  return graph_value(p->e->graph, v)->dims[p->axis];
}

/* If the parts a and b are equal constants, or neighbours in one array, they are one part. */
static tier_value joined(const struct parts *p, tier_value a, tier_value b) {
  double of_a = 0.0;
  double of_b = 0.0;
  struct value x = *graph_value(p->e->graph, a);
  struct value y = *graph_value(p->e->graph, b);
  if (value_is_fill(p->e->graph, a, &of_a) && value_is_fill(p->e->graph, b, &of_b) &&
      of_a == of_b) {
    x.dims[p->axis] += y.dims[p->axis];
    return tier_fill(p->e->g, of_a, x.dims, x.rank);
  }
  if (x.op != TIER_OP_SLICE || y.op != TIER_OP_SLICE || x.inputs[0] != y.inputs[0] ||
      x.ints[x.rank + p->axis] != y.ints[p->axis]) {
    return 0;
  }
  int64_t ints[3 * TIER_MAX_RANK];
  memcpy(ints, x.ints, x.int_count * sizeof *ints);
  ints[x.rank + p->axis] = y.ints[x.rank + p->axis];
  for (int32_t i = 0; i < x.rank; i++) {
    int along = i == p->axis;
    if (x.ints[2 * x.rank + i] != 1 || y.ints[2 * x.rank + i] != 1 ||
        (!along && (x.ints[i] != y.ints[i] || x.ints[x.rank + i] != y.ints[x.rank + i]))) {
      return 0;
    }
  }
  return tier_emit(p->e->g, TIER_OP_SLICE, x.inputs, 1, ints, x.int_count);
}

static void add_part(struct parts *p, tier_value v) {
  if (v == 0 || length_of(p, v) == 0) {
    return;
  }
  tier_value both = p->count > 0 ? joined(p, p->items[p->count - 1], v) : 0;
  if (both != 0) {
    p->items[p->count - 1] = both;
  } else {
    array_push(p->items, p->count, p->capacity, v);
  }
}

static void add_zeros(struct parts *p, tier_value like, int64_t length) {
  struct value v = *graph_value(p->e->graph, like);
  v.dims[p->axis] = length;
  add_part(p, tier_fill(p->e->g, 0.0, v.dims, v.rank));
}

/* The axis along which v is a concat or a pad without gaps; -1 if it is neither. */
static int32_t parts_axis(const struct graph *g, tier_value id) {
  const struct value *v = graph_value(g, id);
  int32_t axis = -1;
  if (v->op == TIER_OP_CONCAT) {
    return (int32_t)v->ints[0];
  }
  for (int32_t i = 0; v->op == TIER_OP_PAD && i < v->rank; i++) {
    if (v->ints[2 * v->rank + i] != 0) {
      return -1;
    }
    if (v->ints[i] != 0 || v->ints[v->rank + i] != 0) {
      if (axis >= 0) {
        return -1;
      }
      axis = i;
    }
  }
  return axis;
}

static void split(struct parts *p, tier_value id) {
  struct value v = *graph_value(p->e->graph, id);
  if (v.op == TIER_OP_CONCAT) {
    for (uint32_t j = 0; j < v.input_count; j++) {
      add_part(p, v.inputs[j]);
    }
  } else {
    add_zeros(p, v.inputs[0], v.ints[p->axis]);
    add_part(p, v.inputs[0]);
    add_zeros(p, v.inputs[0], v.ints[v.rank + p->axis]);
  }
}

/* The sum of a and b, part by part: where a part of one meets zeros of the other, it stays as it
 * is; parts that begin and end together are added. Anything else: 0, not simpler. */
static int merge(const struct parts *a, const struct parts *b, struct parts *sum) {
  uint32_t i = 0;
  uint32_t j = 0;
  int64_t in_a = 0; /* how much of a's part i, and of b's part j, is done */
  int64_t in_b = 0;
  while (i < a->count && j < b->count) {
    int64_t left_a = length_of(a, a->items[i]) - in_a;
    int64_t left_b = length_of(b, b->items[j]) - in_b;
    int64_t length = left_a < left_b ? left_a : left_b;
    int zero_a = value_is_zero(a->e->graph, a->items[i]);
    int zero_b = value_is_zero(b->e->graph, b->items[j]);
    int whole_a = in_a == 0 && length == left_a;
    int whole_b = in_b == 0 && length == left_b;
    if (zero_a && zero_b) {
      add_zeros(sum, a->items[i], length);
    } else if (zero_a && whole_b) {
      add_part(sum, b->items[j]);
    } else if (zero_b && whole_a) {
      add_part(sum, a->items[i]);
    } else if (whole_a && whole_b) {
      add_part(sum, tier_add(sum->e->g, a->items[i], b->items[j]));
    } else {
      return 0;
    }
    in_a = length == left_a ? 0 : in_a + length;
    in_b = length == left_b ? 0 : in_b + length;
    i += length == left_a ? 1 : 0;
    j += length == left_b ? 1 : 0;
  }
  return 1;
}

static tier_value concat_of(const struct parts *p) {
  return p->count == 1 ? p->items[0] : tier_concat(p->e->g, p->items, p->count, p->axis);
}

/* Gradients of slices of one vector are padded parts of it: their sum is a concat. */
tier_value simplify_add_parts(const struct emission *e) {
  int32_t axis = parts_axis(e->graph, e->inputs[0]);
  tier_value sum = 0;
  if (axis < 0 || axis != parts_axis(e->graph, e->inputs[1]) ||
      value_size(emission_input(e, 0)) == 0) {
    return 0;
  }
  struct parts a = {.e = e, .axis = axis};
  struct parts b = {.e = e, .axis = axis};
  struct parts both = {.e = e, .axis = axis};
  split(&a, e->inputs[0]);
  split(&b, e->inputs[1]);
  if (merge(&a, &b, &both)) {
    sum = concat_of(&both);
  }
  free(a.items);
  free(b.items);
  free(both.items);
  return sum;
}

/* Nested ones become one; empty parts go away; neighbours are joined. */
tier_value simplify_concat(const struct emission *e) {
  struct parts p = {.e = e, .axis = (int32_t)e->ints[0]};
  tier_value v = 0;
  for (uint32_t j = 0; j < e->count; j++) {
    if (value_is(e->graph, e->inputs[j], TIER_OP_CONCAT) &&
        emission_input(e, j)->ints[0] == p.axis) {
      split(&p, e->inputs[j]);
    } else {
      add_part(&p, e->inputs[j]);
    }
  }
  if (p.count == 0) { /* all empty */
    v = e->inputs[0];
  } else if (p.count < e->count || memcmp(p.items, e->inputs, e->count * sizeof *p.items) != 0) {
    v = concat_of(&p);
  }
  free(p.items);
  return v;
}

/* Operations that only move elements: reshape, permute, broadcast, slice, pad, concat. Each is
 * linear, so its jvp is itself and its vjp is its adjoint. */
#include "base/memory.h"
#include "graph/rules.h"

/* The operation of y applied to a tangent. */
static tier_value same_jvp(struct graph *g, tier_value y, const tier_value *t) {
  struct value v = *graph_value(g, y);
  return t[0] == 0 ? 0 : tier_emit(&g->face, v.op, t, 1, v.ints, v.int_count);
}

/* ---- reshape (x) {dims...} ---- */

static int32_t reshape_shape(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  out->type = x->type;
  TIER_TRY(rule_dims(g, out, out->ints, out->int_count));
  int64_t from = value_size(x);
  int64_t to = value_size(out);
  if (from != to) {
    return RULE_FAIL(g, out, "%lld elements cannot become %lld", (long long)from, (long long)to);
  }
  return TIER_OK;
}
static void reshape_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  out[0] = tier_reshape_like(&g->face, c, graph_value(g, y)->inputs[0]);
}

/* ---- permute (x) {axes...}: out axis i is x's axis axes[i] ---- */

static int32_t permute_shape(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  uint32_t seen = 0;
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, (uint32_t)x->rank));
  out->type = TIER_REAL;
  out->rank = x->rank;
  for (int32_t i = 0; i < x->rank; i++) {
    TIER_TRY(rule_axis(g, out, out->ints[i]));
    out->dims[i] = x->dims[out->ints[i]];
    seen |= 1u << out->ints[i];
  }
  return seen == (1u << x->rank) - 1 ? TIER_OK : RULE_FAIL(g, out, "an axis stands twice");
}
static void permute_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  int64_t inverse[TIER_MAX_RANK] = {0};
  for (int32_t i = 0; i < v.rank; i++) {
    inverse[v.ints[i]] = i;
  }
  out[0] = tier_permute(&g->face, c, inverse, v.rank);
}

/* ---- broadcast (x) {dims...}: same rank, x's dims equal or 1 ---- */

static int32_t broadcast_shape(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  out->type = x->type;
  TIER_TRY(rule_dims(g, out, out->ints, out->int_count));
  if (out->rank != x->rank) {
    return RULE_FAIL(g, out, "to rank %d: the rank must stay (reshape first)", out->rank);
  }
  for (int32_t i = 0; i < x->rank; i++) {
    if (x->dims[i] != out->dims[i] && x->dims[i] != 1) {
      return RULE_FAIL(g, out, "axis %d: size %lld cannot become %lld", i, (long long)x->dims[i],
                       (long long)out->dims[i]);
    }
  }
  return TIER_OK;
}
/* The sum over the repeated axes. */
static void broadcast_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  struct value x = *graph_value(g, v.inputs[0]);
  int64_t axes[TIER_MAX_RANK];
  uint32_t count = 0;
  for (int32_t i = 0; i < v.rank; i++) {
    if (x.dims[i] != v.dims[i]) {
      axes[count++] = i;
    }
  }
  out[0] = count == 0
               ? c
               : tier_reshape(&g->face, tier_sum_axes(&g->face, c, axes, count), x.dims, x.rank);
}

/* ---- slice (x) {starts..., limits..., strides...}: x[start : limit : stride] ---- */

/* More than any axis has: so that sums and products of sizes below fit. */
#define MOST_STEPS (INT64_C(1) << 48)

static int32_t slice_shape(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, 3 * (uint32_t)x->rank));
  out->type = TIER_REAL;
  out->rank = x->rank;
  if (x->rank == 0) { /* there are no numbers */
    return TIER_OK;
  }
  const int64_t *start = out->ints;
  const int64_t *limit = start + x->rank;
  const int64_t *stride = limit + x->rank;
  for (int32_t i = 0; i < x->rank; i++) {
    if (start[i] < 0 || start[i] > limit[i] || limit[i] > x->dims[i] || stride[i] < 1 ||
        stride[i] > MOST_STEPS) {
      return RULE_FAIL(g, out, "axis %d: %lld to %lld by %lld does not lie in 0 to %lld", i,
                       (long long)start[i], (long long)limit[i], (long long)stride[i],
                       (long long)x->dims[i]);
    }
    int64_t length = limit[i] - start[i];
    out->dims[i] = length / stride[i] + (length % stride[i] != 0);
  }
  return TIER_OK;
}
/* Back to where the elements came from, with zeros between, below and above. */
static void slice_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  struct value x = *graph_value(g, v.inputs[0]);
  int64_t pad[3 * TIER_MAX_RANK];
  for (int32_t i = 0; i < v.rank; i++) {
    int64_t stride = v.ints[2 * v.rank + i];
    int64_t covered = v.dims[i] > 0 ? (v.dims[i] - 1) * stride + 1 : 0;
    pad[i] = v.ints[i];
    pad[v.rank + i] = x.dims[i] - v.ints[i] - covered;
    pad[2 * v.rank + i] = stride - 1;
  }
  out[0] = tier_emit(&g->face, TIER_OP_PAD, &c, 1, pad, 3 * (uint32_t)v.rank);
}

/* ---- pad (x) {lows..., highs..., interiors...}: zeros before, after and between ---- */

static int32_t pad_shape(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, 3 * (uint32_t)x->rank));
  out->type = TIER_REAL;
  out->rank = x->rank;
  for (int32_t i = 0; i < x->rank; i++) {
    int64_t low = out->ints[i];
    int64_t high = out->ints[x->rank + i];
    int64_t interior = out->ints[2 * x->rank + i];
    int64_t gaps = x->dims[i] > 0 ? x->dims[i] - 1 : 0;
    if (low < 0 || high < 0 || interior < 0 || low > MOST_STEPS || high > MOST_STEPS ||
        interior > MOST_STEPS / (gaps > 0 ? gaps : 1)) {
      return RULE_FAIL(g, out, "axis %d: padding %lld, %lld, %lld is negative or too large", i,
                       (long long)low, (long long)high, (long long)interior);
    }
    out->dims[i] = low + high + x->dims[i] + gaps * interior;
  }
  return TIER_OK;
}
static void pad_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  struct value x = *graph_value(g, v.inputs[0]);
  int64_t slice[3 * TIER_MAX_RANK];
  for (int32_t i = 0; i < v.rank; i++) {
    int64_t stride = v.ints[2 * v.rank + i] + 1;
    int64_t covered = x.dims[i] > 0 ? (x.dims[i] - 1) * stride + 1 : 0;
    slice[i] = v.ints[i];
    slice[v.rank + i] = v.ints[i] + covered;
    slice[2 * v.rank + i] = stride;
  }
  out[0] = tier_emit(&g->face, TIER_OP_SLICE, &c, 1, slice, 3 * (uint32_t)v.rank);
}

/* ---- concat (x0, x1, ...) {axis} ---- */

static int32_t concat_shape(struct graph *g, struct value *out) {
  const struct value *first = rule_input(g, out, 0);
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, 1));
  TIER_TRY(rule_axis(g, out, out->ints[0]));
  rule_like(out, TIER_REAL, first);
  for (uint32_t j = 1; j < out->input_count; j++) {
    const struct value *x = rule_input(g, out, j);
    if (x->rank != first->rank) {
      return RULE_FAIL(g, out, "ranks differ");
    }
    for (int32_t i = 0; i < x->rank; i++) {
      if (i != out->ints[0] && x->dims[i] != first->dims[i]) {
        return RULE_FAIL(g, out, "sizes of axis %d differ", i);
      }
    }
    out->dims[out->ints[0]] += x->dims[out->ints[0]];
  }
  return TIER_OK;
}
static void concat_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  int32_t axis = (int32_t)v.ints[0];
  int64_t start = 0;
  for (uint32_t j = 0; j < v.input_count; j++) {
    int64_t limit = start + graph_value(g, v.inputs[j])->dims[axis];
    out[j] = tier_slice_axis(&g->face, c, axis, start, limit);
    start = limit;
  }
}
/* One operation over all tangents: those that are zero are filled in. */
static tier_value concat_jvp(struct graph *g, tier_value y, const tier_value *t) {
  struct value v = *graph_value(g, y);
  int moves = 0;
  for (uint32_t j = 0; j < v.input_count; j++) {
    moves |= t[j] != 0;
  }
  if (!moves) {
    return 0;
  }
  tier_value *parts = arena_alloc(g->arena, v.input_count * sizeof *parts);
  for (uint32_t j = 0; j < v.input_count; j++) {
    parts[j] = rule_or_zero(g, t[j], v.inputs[j]);
  }
  return tier_concat(&g->face, parts, v.input_count, (int32_t)v.ints[0]);
}

static const struct operation_entry table[] = {
    {TIER_OP_RESHAPE, {"reshape", 1, reshape_shape, reshape_vjp, same_jvp, 0}},
    {TIER_OP_PERMUTE, {"permute", 1, permute_shape, permute_vjp, same_jvp, 0}},
    {TIER_OP_BROADCAST, {"broadcast", 1, broadcast_shape, broadcast_vjp, same_jvp, 0}},
    {TIER_OP_SLICE, {"slice", 1, slice_shape, slice_vjp, same_jvp, 0}},
    {TIER_OP_PAD, {"pad", 1, pad_shape, pad_vjp, same_jvp, 0}},
    {TIER_OP_CONCAT, {"concat", -1, concat_shape, concat_vjp, concat_jvp, 0}},
};

void operations_of_shape(void) {
  OPERATIONS_ADD(table);
}

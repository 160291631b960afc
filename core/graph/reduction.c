/* Operations along axes: sum, max, argmax, argsort. */
#include "graph/rules.h"

/* ---- sum (x) {axes...}, ascending; none: identity ---- */

static int32_t sum_shape(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  uint32_t next = 0;
  TIER_TRY(rule_all_real(g, out));
  for (uint32_t i = 0; i < out->int_count; i++) {
    TIER_TRY(rule_axis(g, out, out->ints[i]));
    if (i > 0 && out->ints[i] <= out->ints[i - 1]) {
      return RULE_FAIL(g, out, "the axes must ascend");
    }
  }
  out->type = TIER_REAL;
  for (int32_t i = 0; i < x->rank; i++) {
    if (next < out->int_count && out->ints[next] == i) {
      next++;
    } else {
      out->dims[out->rank++] = x->dims[i];
    }
  }
  return TIER_OK;
}
/* The cotangent repeated along the axes that went away. */
static void sum_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  struct value x = *graph_value(g, v.inputs[0]);
  int64_t kept[TIER_MAX_RANK];
  for (int32_t i = 0; i < x.rank; i++) {
    kept[i] = x.dims[i];
  }
  for (uint32_t i = 0; i < v.int_count; i++) {
    kept[v.ints[i]] = 1;
  }
  out[0] = v.int_count == 0
               ? c
               : tier_broadcast(&g->face, tier_reshape(&g->face, c, kept, x.rank), x.dims, x.rank);
}
static tier_value sum_jvp(struct graph *g, tier_value y, const tier_value *t) {
  struct value v = *graph_value(g, y);
  return t[0] == 0 ? 0 : tier_sum_axes(&g->face, t[0], v.ints, v.int_count);
}

/* ---- max (x) {axis} ---- */

static int32_t axis_shape(struct graph *g, struct value *out) {
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, 1));
  TIER_TRY(rule_axis(g, out, out->ints[0]));
  int64_t size = rule_input(g, out, 0)->dims[out->ints[0]];
  return out->op == TIER_OP_MAX || size <= INT32_MAX
             ? TIER_OK
             : RULE_FAIL(g, out, "size %lld is too large for i32", (long long)size);
}
static int32_t max_shape(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  TIER_TRY(axis_shape(g, out));
  if (x->dims[out->ints[0]] == 0) {
    return RULE_FAIL(g, out, "axis %lld is empty", (long long)out->ints[0]);
  }
  rule_without_axis(out, out->op == TIER_OP_MAX ? TIER_REAL : TIER_I32, x, out->ints[0]);
  return TIER_OK;
}
/* 1 at the first greatest element along the axis, else 0; of x's shape. */
static tier_value winner(struct graph *g, tier_value y) {
  struct value v = *graph_value(g, y);
  struct value x = *graph_value(g, v.inputs[0]);
  int32_t axis = (int32_t)v.ints[0];
  tier_value index = tier_argmax(&g->face, v.inputs[0], axis);
  return tier_equal(&g->face, tier_expand(&g->face, index, axis, v.inputs[0]),
                    tier_iota(&g->face, axis, x.dims, x.rank));
}
static void max_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  tier_value wide = tier_expand(&g->face, c, (int32_t)v.ints[0], v.inputs[0]);
  out[0] = rule_select(g, winner(g, y), wide, 0);
}
static tier_value max_jvp(struct graph *g, tier_value y, const tier_value *t) {
  if (t[0] == 0) {
    return 0;
  }
  tier_value picked = rule_select(g, winner(g, y), t[0], 0);
  return tier_sum_axis(&g->face, picked, (int32_t)graph_value(g, y)->ints[0]);
}

/* ---- argsort (x) {axis} -> i32 of x's shape ---- */

static int32_t argsort_shape(struct graph *g, struct value *out) {
  TIER_TRY(axis_shape(g, out));
  rule_like(out, TIER_I32, rule_input(g, out, 0));
  return TIER_OK;
}

static const struct operation_entry table[] = {
    {TIER_OP_SUM, {"sum", 1, sum_shape, sum_vjp, sum_jvp, 0}},
    {TIER_OP_MAX, {"max", 1, max_shape, max_vjp, max_jvp, 0}},
    {TIER_OP_ARGMAX, {"argmax", 1, max_shape, NULL, NULL, OPERATION_DERIVATIVE_NONE}},
    {TIER_OP_ARGSORT, {"argsort", 1, argsort_shape, NULL, NULL, OPERATION_DERIVATIVE_NONE}},
};

void operations_of_reduction(void) {
  OPERATIONS_ADD(table);
}

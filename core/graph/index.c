/* gather and scatter_add, each the adjoint of the other; B... are the batch axes, both of x and of
 * the index. */
#include "graph/rules.h"

/* The index is (B..., K), and x has B... in front and one more axis at least. */
static int32_t check_index(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  const struct value *index = rule_input(g, out, 1);
  int64_t batch = out->ints[0];
  if (x->type != TIER_REAL) {
    return RULE_FAIL(g, out, "input 1 must be real, not i32");
  }
  TIER_TRY(rule_index(g, out, 1));
  if (batch < 0 || batch >= x->rank || index->rank != batch + 1) {
    return RULE_FAIL(g, out, "with %lld batch axes the index must have rank %lld", (long long)batch,
                     (long long)batch + 1);
  }
  for (int64_t i = 0; i < batch; i++) {
    if (x->dims[i] != index->dims[i]) {
      return RULE_FAIL(g, out, "sizes of batch axis %lld differ", (long long)i);
    }
  }
  return TIER_OK;
}

/* ---- gather (x (B..., N, R...), i32 (B..., K)) {rank of B} -> (B..., K, R...):
 *      y[b, k, :] = x[b, index[b, k], :] ---- */

static int32_t gather_shape(struct graph *g, struct value *out) {
  TIER_TRY(rule_ints(g, out, 1));
  TIER_TRY(check_index(g, out));
  int64_t batch = out->ints[0];
  const struct value *x = rule_input(g, out, 0);
  const struct value *index = rule_input(g, out, 1);
  if (x->dims[batch] == 0 && value_size(index) > 0) {
    return RULE_FAIL(g, out, "axis %lld is empty: nothing to gather from", (long long)batch);
  }
  rule_like(out, TIER_REAL, x);
  out->dims[batch] = index->dims[batch];
  return TIER_OK;
}
static void gather_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  int64_t size = graph_value(g, v.inputs[0])->dims[v.ints[0]];
  out[0] = tier_scatter_add(&g->face, c, v.inputs[1], (int32_t)v.ints[0], size);
  out[1] = 0;
}
static tier_value gather_jvp(struct graph *g, tier_value y, const tier_value *t) {
  struct value v = *graph_value(g, y);
  return t[0] == 0 ? 0 : tier_gather(&g->face, t[0], v.inputs[1], (int32_t)v.ints[0]);
}

/* ---- scatter_add (y (B..., K, R...), i32 (B..., K)) {rank of B, N} -> (B..., N, R...):
 *      z[b, i, :] = sum of y[b, k, :] over the k with index[b, k] = i ---- */

static int32_t scatter_shape(struct graph *g, struct value *out) {
  TIER_TRY(rule_ints(g, out, 2));
  TIER_TRY(check_index(g, out));
  int64_t batch = out->ints[0];
  const struct value *y = rule_input(g, out, 0);
  if (y->dims[batch] != rule_input(g, out, 1)->dims[batch]) {
    return RULE_FAIL(g, out, "sizes of axis %lld differ", (long long)batch);
  }
  if (out->ints[1] < 0 || (out->ints[1] == 0 && value_size(rule_input(g, out, 1)) > 0)) {
    return RULE_FAIL(g, out, "nothing can be added into size %lld", (long long)out->ints[1]);
  }
  rule_like(out, TIER_REAL, y);
  out->dims[batch] = out->ints[1];
  return TIER_OK;
}
static void scatter_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  out[0] = tier_gather(&g->face, c, v.inputs[1], (int32_t)v.ints[0]);
  out[1] = 0;
}
static tier_value scatter_jvp(struct graph *g, tier_value y, const tier_value *t) {
  struct value v = *graph_value(g, y);
  return t[0] == 0 ? 0
                   : tier_scatter_add(&g->face, t[0], v.inputs[1], (int32_t)v.ints[0], v.ints[1]);
}

static const struct operation_entry table[] = {
    {TIER_OP_GATHER, {"gather", 2, gather_shape, gather_vjp, gather_jvp, 0}},
    {TIER_OP_SCATTER_ADD, {"scatter_add", 2, scatter_shape, scatter_vjp, scatter_jvp, 0}},
};

void operations_of_index(void) {
  OPERATIONS_ADD(table);
}

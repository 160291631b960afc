/* Reverse mode: one pass from y down, each value's cotangent complete before it is passed on. */
#include <stdlib.h>

#include "base/memory.h"
#include "diff/diff.h"
#include "diff/reach.h"

/* Adds the cotangents of v's inputs to those gathered so far. */
static void pass_on(struct graph *g, tier_value v, const uint8_t *marks, tier_value *cotangents) {
  const struct value value = *graph_value(g, v);
  tier_value *out = memory_alloc(value.input_count, sizeof *out);
  uint32_t before = g->origin;
  graph_restore_origin(g, value.origin);
  operation_get(value.op)->vjp(g, v, cotangents[v], out);
  for (uint32_t i = 0; i < value.input_count; i++) {
    tier_value input = value.inputs[i];
    if (marks[input]) {
      cotangents[input] = graph_add(g, cotangents[input], out[i]);
    }
  }
  graph_restore_origin(g, before);
  free(out);
}

/* 1 if a derivative flows on from v: some input takes part. */
static int flows_on(const struct graph *g, tier_value v, const uint8_t *marks) {
  const struct value *value = graph_value(g, v);
  if (value->op == OP_INPUT || operation_get(value->op)->flags & OPERATION_DERIVATIVE_NONE) {
    return 0;
  }
  for (uint32_t i = 0; i < value->input_count; i++) {
    if (marks[value->inputs[i]]) {
      return 1;
    }
  }
  return 0;
}

int32_t diff_gradient(struct graph *g, tier_value y, tier_value cotangent, const tier_value *xs,
                      uint32_t count, tier_value *outputs) {
  graph_clear(outputs, count);
  TIER_TRY(g->status);
  TIER_TRY(reach_check(g, &y, 1, "gradient: y"));
  TIER_TRY(reach_check(g, xs, count, "gradient: x"));
  TIER_TRY(reach_check_shape(g, cotangent, y, "gradient: cotangent"));
  uint8_t *marks = memory_alloc(y + 1, sizeof *marks);
  tier_value *cotangents = memory_alloc(y + 1, sizeof *cotangents);
  reach_forward(g, xs, count, y + 1, marks);
  if (marks[y]) {
    cotangents[y] = cotangent != 0 ? cotangent : tier_fill_like(&g->face, y, 1.0);
  }
  for (tier_value v = y; v >= 1; v--) {
    if (cotangents[v] != 0 && flows_on(g, v, marks)) {
      pass_on(g, v, marks, cotangents);
    }
  }
  for (uint32_t i = 0; i < count; i++) {
    outputs[i] = xs[i] <= y ? cotangents[xs[i]] : 0;
  }
  free(cotangents);
  free(marks);
  return g->status;
}

/* Forward mode: one pass up, over what depends on xs and is used by ys. */
#include <stdlib.h>

#include "base/memory.h"
#include "diff/diff.h"
#include "diff/reach.h"

/* The tangent of v by the tangents of its inputs. */
static tier_value tangent_of(struct graph *g, tier_value v, const tier_value *tangents) {
  const struct value value = *graph_value(g, v);
  tier_value *in = memory_alloc(value.input_count, sizeof *in);
  tier_value out = 0;
  int moves = 0;
  for (uint32_t i = 0; i < value.input_count; i++) {
    in[i] = tangents[value.inputs[i]];
    moves |= in[i] != 0;
  }
  if (moves && !(operation_get(value.op)->flags & OPERATION_DERIVATIVE_NONE)) {
    uint32_t before = g->origin;
    graph_restore_origin(g, value.origin);
    out = operation_get(value.op)->jvp(g, v, in);
    graph_restore_origin(g, before);
  }
  free(in);
  return out;
}

static int32_t check(struct graph *g, const tier_value *ys, uint32_t y_count, const tier_value *xs,
                     const tier_value *tangents, uint32_t x_count) {
  TIER_TRY(g->status);
  TIER_TRY(reach_check(g, ys, y_count, "jvp: y"));
  TIER_TRY(reach_check(g, xs, x_count, "jvp: x"));
  for (uint32_t i = 0; i < x_count; i++) {
    TIER_TRY(reach_check_shape(g, tangents[i], xs[i], "jvp: tangent"));
  }
  return TIER_OK;
}

int32_t diff_jvp(struct graph *g, const tier_value *ys, uint32_t y_count, const tier_value *xs,
                 const tier_value *tangents, uint32_t x_count, tier_value *outputs) {
  graph_clear(outputs, y_count);
  TIER_TRY(check(g, ys, y_count, xs, tangents, x_count));
  tier_value last = 0;
  for (uint32_t i = 0; i < y_count; i++) {
    last = ys[i] > last ? ys[i] : last;
  }
  uint8_t *marks = memory_alloc(last + 1, sizeof *marks);
  tier_value *moved = memory_alloc(last + 1, sizeof *moved);
  reach_forward(g, xs, x_count, last + 1, marks);
  reach_backward(g, ys, y_count, last + 1, marks);
  for (uint32_t i = 0; i < x_count; i++) {
    if (xs[i] <= last) {
      moved[xs[i]] = graph_add(g, moved[xs[i]], tangents[i]);
    }
  }
  for (tier_value v = 1; v <= last; v++) {
    if (marks[v]) {
      moved[v] = graph_add(g, moved[v], tangent_of(g, v, moved));
    }
  }
  for (uint32_t i = 0; i < y_count; i++) {
    outputs[i] = moved[ys[i]];
  }
  free(moved);
  free(marks);
  return g->status;
}

#include "diff/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "diff/diff.h"

/* Linking anything of this layer offers it to the graph's face. */
__attribute__((constructor)) static void offer(void) {
  graph_set_transforms((struct graph_transforms){.gradient = diff_gradient, .jvp = diff_jvp});
}

/* A derivative can flow from the inputs of v to v. */
static int passes(const struct value *v) {
  return v->op != OP_INPUT && v->type == TIER_REAL &&
         !(operation_get(v->op)->flags & OPERATION_DERIVATIVE_NONE);
}

void reach_forward(const struct graph *g, const tier_value *xs, uint32_t x_count, uint32_t count,
                   uint8_t *marks) {
  memset(marks, 0, count);
  for (uint32_t i = 0; i < x_count; i++) {
    if (xs[i] < count) {
      marks[xs[i]] = 1;
    }
  }
  for (uint32_t v = 1; v < count; v++) {
    const struct value *value = graph_value(g, v);
    for (uint32_t i = 0; !marks[v] && i < value->input_count; i++) {
      marks[v] = marks[value->inputs[i]] && passes(value);
    }
  }
}

void reach_backward(const struct graph *g, const tier_value *ys, uint32_t y_count, uint32_t count,
                    uint8_t *marks) {
  uint8_t *used = memory_alloc(count, 1);
  for (uint32_t i = 0; i < y_count; i++) {
    used[ys[i]] = 1;
  }
  for (uint32_t v = count - 1; v >= 1; v--) {
    const struct value *value = graph_value(g, v);
    marks[v] &= used[v];
    for (uint32_t i = 0; marks[v] && i < value->input_count; i++) {
      used[value->inputs[i]] = 1;
    }
  }
  free(used);
}

int32_t reach_check(struct graph *g, const tier_value *vs, uint32_t count, const char *role) {
  for (uint32_t i = 0; i < count; i++) {
    if (vs[i] == 0 || vs[i] >= g->count || graph_value(g, vs[i])->type != TIER_REAL) {
      return graph_fail(g, OP_INPUT, NULL, 0, "%s %u is not a real value of this graph", role,
                        i + 1);
    }
  }
  return g->status;
}

int32_t reach_check_shape(struct graph *g, tier_value a, tier_value b, const char *role) {
  if (a == 0) {
    return g->status;
  }
  TIER_TRY(reach_check(g, &a, 1, role));
  const struct value *p = graph_value(g, a);
  const struct value *q = graph_value(g, b);
  if (p->rank != q->rank || memcmp(p->dims, q->dims, (size_t)p->rank * sizeof *p->dims) != 0) {
    const tier_value both[2] = {a, b};
    return graph_fail(g, OP_INPUT, both, 2, "%s: shapes differ", role);
  }
  return TIER_OK;
}

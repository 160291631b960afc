/* Stop-gradients on a level's own variables.
 *
 * The gradient that the level follows then is not the gradient of any function: its derivative is
 * not symmetric, and the products of tier.problem/1, which take what is stopped as constant at
 * every order, are not products with it. So nothing can be solved for with them.
 *
 * A maximum that is held constant is no such case: softmax and its like (tier/nn.h) subtract one
 * and are unchanged by a shift, so that their derivatives are exact all the same. */
#include <stdlib.h>

#include "base/memory.h"
#include "problem/builder.h"
#include "problem/edges.h"

/* marks[v]: v depends on one of the level's tensors, also through stop-gradients. */
static void mark_dependent(const struct suite *s, unsigned char *marks) {
  const struct level *l = s->level;
  const struct graph *g = s->builder.g;
  for (size_t i = 0; i < l->placed_count; i++) {
    const struct placed *at = &l->placed[i];
    tier_value x = builder_find(&s->builder, INPUT_TENSOR, at->variable, at->tensor);
    marks[x] = x != 0;
  }
  for (tier_value v = 1; v < g->count; v++) {
    const struct value *value = graph_value(g, v);
    for (uint32_t i = 0; i < value->input_count; i++) {
      marks[v] |= marks[value->inputs[i]];
    }
  }
}

/* marks[v]: the total reads v. */
static void mark_used(const struct suite *s, unsigned char *marks) {
  const struct graph *g = s->builder.g;
  marks[s->total] = 1;
  for (tier_value v = s->total; v > 0; v--) {
    const struct value *value = graph_value(g, v);
    for (uint32_t i = 0; marks[v] && i < value->input_count; i++) {
      marks[value->inputs[i]] = 1;
    }
  }
}

static int is_stopped(const struct graph *g, const struct value *v) {
  return v->op == TIER_OP_STOP_GRADIENT && graph_value(g, v->inputs[0])->op != TIER_OP_MAX;
}

int suite_stops_own(const struct suite *s) {
  const struct graph *g = s->builder.g;
  unsigned char *dependent = memory_alloc(g->count, 1);
  unsigned char *used = memory_alloc(g->count, 1);
  int found = 0;
  mark_dependent(s, dependent);
  mark_used(s, used);
  for (tier_value v = 1; v < g->count; v++) {
    found |= is_stopped(g, graph_value(g, v)) && used[v] && dependent[v];
  }
  free(dependent);
  free(used);
  return found;
}

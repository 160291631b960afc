#include <stdlib.h>

#include "base/memory.h"
#include "compile/lower.h"

struct frame {
  tier_value value;
  uint32_t next; /* input to visit */
};

struct walk {
  const struct graph *graph;
  unsigned char *seen;
  tier_value *order;
  uint32_t count;
  struct frame *stack;
  uint32_t depth, capacity;
};

static void enter(struct walk *w, tier_value v) {
  if (!w->seen[v]) {
    w->seen[v] = 1;
    array_push(w->stack, w->depth, w->capacity, ((struct frame){v, 0}));
  }
}

/* Depth first, inputs before their reader: a value is computed right before its first use, while
 * what it was made from is still in cache, and short-lived buffers can share memory. */
static void visit(struct walk *w, tier_value root) {
  enter(w, root);
  while (w->depth > 0) {
    struct frame *top = &w->stack[w->depth - 1];
    const struct value *v = graph_value(w->graph, top->value);
    if (top->next < v->input_count) {
      enter(w, v->inputs[top->next++]);
    } else {
      w->order[w->count++] = top->value;
      w->depth--;
    }
  }
}

uint32_t schedule_values(const struct draft *d, tier_value **order) {
  struct walk w = {.graph = d->graph};
  w.seen = memory_alloc(d->graph->count, 1);
  w.order = memory_alloc(d->graph->count, sizeof *w.order);
  for (uint32_t i = 0; i < d->output_count; i++) {
    visit(&w, d->outputs[i]);
  }
  free(w.seen);
  free(w.stack);
  *order = w.order;
  return w.count;
}

/* Common subexpressions: of values with the same operation, inputs and attributes, the first one
 * stands for all. Random draws too: they depend on key and stream only. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/draft.h"

/* A hash table of the new graph's values, with open addressing. */
struct table {
  tier_value *slots; /* 0: free */
  size_t mask;
};

static uint64_t mix(uint64_t h, uint64_t x) {
  h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
  return h ^ (h >> 29);
}

static uint64_t hash(const struct value *v, const tier_value *inputs) {
  uint64_t h = mix(v->op, (uint64_t)v->type);
  for (uint32_t i = 0; i < v->input_count; i++) {
    h = mix(h, inputs[i]);
  }
  for (uint32_t i = 0; i < v->int_count; i++) {
    h = mix(h, (uint64_t)v->ints[i]);
  }
  for (uint32_t i = 0; i < v->real_count; i++) {
    uint64_t bits = 0;
    memcpy(&bits, &v->reals[i], sizeof bits);
    h = mix(h, bits);
  }
  return h;
}

/* Bitwise, so that 0 and -0 stay apart. */
static int same(const void *a, const void *b, size_t bytes) {
  return bytes == 0 || memcmp(a, b, bytes) == 0;
}
static int equal(const struct value *a, const struct value *b, const tier_value *inputs) {
  return a->op == b->op && a->input_count == b->input_count && a->int_count == b->int_count &&
         a->real_count == b->real_count && a->type == b->type &&
         same(a->inputs, inputs, b->input_count * sizeof *inputs) &&
         same(a->ints, b->ints, b->int_count * sizeof *b->ints) &&
         same(a->reals, b->reals, b->real_count * sizeof *b->reals);
}

static tier_value rule(void *context, struct graph *to, const struct value *v, tier_value old,
                       const tier_value *inputs) {
  struct table *t = context;
  tier_value sorted[2];
  (void)old;
  if ((v->op == TIER_OP_ADD || v->op == TIER_OP_MULTIPLY) && inputs[0] > inputs[1]) {
    sorted[0] = inputs[1];
    sorted[1] = inputs[0];
    inputs = sorted;
  }
  size_t at = hash(v, inputs) & t->mask;
  for (; t->slots[at] != 0; at = (at + 1) & t->mask) {
    if (equal(graph_value(to, t->slots[at]), v, inputs)) {
      return t->slots[at];
    }
  }
  t->slots[at] = draft_copy(to, v, inputs);
  return t->slots[at];
}

int32_t pass_common(struct draft *d) {
  struct table t = {.mask = 63};
  while (t.mask < 2 * (size_t)d->graph->count) {
    t.mask = 2 * t.mask + 1;
  }
  t.slots = memory_alloc(t.mask + 1, sizeof *t.slots);
  int32_t status = draft_rewrite(d, NULL, rule, &t);
  free(t.slots);
  return status;
}

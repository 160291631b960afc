/* Vectorization: one pass up, over what depends on xs and is used by ys. */
#include "diff/batch.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "diff/diff.h"
#include "diff/reach.h"

/* marks[v] = 1 for the values that depend on an x, the xs themselves left out; `stands` says what
 * stands for those. */
static void mark_dependents(const struct graph *g, const struct batched *stands, uint32_t count,
                            uint8_t *marks) {
  for (uint32_t v = 1; v < count; v++) {
    const struct value *value = graph_value(g, v);
    for (uint32_t i = 0; stands[v].v == 0 && !marks[v] && i < value->input_count; i++) {
      uint32_t input = value->inputs[i];
      marks[v] = marks[input] || stands[input].v != 0;
    }
  }
}

/* Clears the marks of what no y uses. */
static void mark_used(const struct graph *g, const tier_value *ys, uint32_t y_count, uint32_t count,
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

static int32_t check_ranks(const struct graph *g, uint32_t count, const uint8_t *marks) {
  for (uint32_t v = 1; v < count; v++) {
    const struct value *value = graph_value(g, v);
    for (uint32_t i = 0; marks[v] && i < value->input_count; i++) {
      if (value->rank == TIER_MAX_RANK || graph_value(g, value->inputs[i])->rank == TIER_MAX_RANK) {
        return fail(TIER_E_UNSUPPORTED, "%s of rank %d has no room for one axis more",
                    operation_get(value->op)->name, TIER_MAX_RANK);
      }
    }
  }
  return TIER_OK;
}

static struct batched batch_value(const struct batching *b, tier_value v,
                                  const struct batched *stands) {
  const struct value value = *graph_value(b->g, v);
  struct batched *in = memory_alloc(value.input_count, sizeof *in);
  for (uint32_t i = 0; i < value.input_count; i++) {
    tier_value input = value.inputs[i];
    in[i] = stands[input].v != 0 ? stands[input] : (struct batched){input, BATCH_NONE};
  }
  uint32_t before = b->g->origin;
  graph_restore_origin(b->g, value.origin);
  struct batched out = batch_rule_get(value.op)(b, &value, in);
  graph_restore_origin(b->g, before);
  free(in);
  return out;
}

static int32_t check_values(struct graph *g, const tier_value *vs, uint32_t count) {
  TIER_TRY(g->status);
  for (uint32_t i = 0; i < count; i++) {
    if (vs[i] == 0 || vs[i] >= g->count) {
      return graph_fail(g, OP_INPUT, NULL, 0, "batch: there is no value %u", vs[i]);
    }
  }
  return TIER_OK;
}

/* 1 if `wide` has x's shape with an axis of size k in front. */
static int is_k_of(const struct graph *g, tier_value wide, tier_value x, int64_t k) {
  const struct value *a = graph_value(g, wide);
  const struct value *b = graph_value(g, x);
  int same = a->rank == b->rank + 1 && a->dims[0] == k;
  for (int32_t i = 0; same && i < b->rank; i++) {
    same = a->dims[i + 1] == b->dims[i];
  }
  return same;
}

static int32_t run(const struct batching *b, const tier_value *ys, uint32_t y_count, uint32_t count,
                   struct batched *stands, uint8_t *marks) {
  mark_dependents(b->g, stands, count, marks);
  mark_used(b->g, ys, y_count, count, marks);
  TIER_TRY(check_ranks(b->g, count, marks));
  for (tier_value v = 1; v < count && b->g->status == TIER_OK; v++) {
    if (marks[v]) {
      stands[v] = batch_value(b, v, stands);
    }
  }
  return b->g->status;
}

int32_t diff_batch(struct graph *g, int64_t k, const tier_value *ys, uint32_t y_count,
                   const tier_value *xs, const tier_value *batched, uint32_t x_count,
                   tier_value *outputs) {
  const struct batching b = {g, k};
  uint32_t count = g->count;
  graph_clear(outputs, y_count);
  TIER_TRY(check_values(g, ys, y_count));
  TIER_TRY(reach_check(g, xs, x_count, "batch: x"));
  TIER_TRY(reach_check(g, batched, x_count, "batch: batched x"));
  struct batched *stands = memory_alloc(count, sizeof *stands);
  uint8_t *marks = memory_alloc(count, sizeof *marks);
  int32_t status = TIER_OK;
  for (uint32_t i = 0; i < x_count && status == TIER_OK; i++) {
    stands[xs[i]] = (struct batched){batched[i], 0};
    status = is_k_of(g, batched[i], xs[i], k)
                 ? TIER_OK
                 : graph_fail(g, OP_INPUT, &batched[i], 1, "batch: x %u has another shape", i + 1);
  }
  status = status == TIER_OK ? run(&b, ys, y_count, count, stands, marks) : status;
  for (uint32_t i = 0; i < y_count && status == TIER_OK; i++) {
    outputs[i] = stands[ys[i]].v != 0 ? batch_place(&b, stands[ys[i]], 0) : 0;
  }
  free(stands);
  free(marks);
  return status < 0 ? status : g->status;
}

/* Which steps compute rows from rows, and which ones add up over rows. */
#include <string.h>

#include "base/memory.h"
#include "compile/regions.h"

/* ---- merging axes -------------------------------------------------------------------------- */

static struct view *operand(struct instruction *code, uint32_t k) {
  return k == 0 ? &code->out : &code->inputs[k - 1];
}

/* 1 if in all operands axis `axis` continues where one round of axis `axis` + 1 ends. */
static int can_merge(struct instruction *code, int32_t axis) {
  for (uint32_t k = 0; k <= code->input_count; k++) {
    const struct view *v = operand(code, k);
    if (v->strides[axis] != v->dims[axis + 1] * v->strides[axis + 1]) {
      return 0;
    }
  }
  return 1;
}

static void drop_axis(struct view *v, int32_t axis) {
  for (int32_t i = axis; i + 1 < v->rank; i++) {
    v->dims[i] = v->dims[i + 1];
    v->strides[i] = v->strides[i + 1];
  }
  v->rank--;
}

/* Drops axes of length 1 and merges neighbours, in all operands alike (they have the same dims). */
static void merge_axes(struct instruction *code) {
  for (int32_t axis = code->out.rank - 1; axis >= 0; axis--) {
    int single = code->out.dims[axis] == 1;
    if (!single && (axis + 1 == code->out.rank || !can_merge(code, axis))) {
      continue;
    }
    for (uint32_t k = 0; k <= code->input_count; k++) {
      struct view *v = operand(code, k);
      if (single) {
        drop_axis(v, axis);
      } else {
        v->dims[axis + 1] *= v->dims[axis];
        drop_axis(v, axis);
      }
    }
  }
}

/* ---- roles --------------------------------------------------------------------------------- */

static int is_empty(const struct instruction *code) {
  int empty = view_size(&code->out) == 0;
  for (uint32_t j = 0; j < code->input_count; j++) {
    empty |= view_size(&code->inputs[j]) == 0;
  }
  return empty;
}

static void set(struct row_step *s, int role, int64_t extent, uint32_t row_inputs) {
  s->role = role;
  s->extent = extent;
  s->row_inputs = row_inputs;
}

static void classify_matmul(const struct instruction *code, struct row_step *out) {
  const struct view *a = &code->inputs[0];
  if (a->rank > 2) { /* a stack of products */
    set(out, ROWS_PARALLEL, a->dims[0], 3);
  } else if (code->ints[0] == 0) {
    set(out, ROWS_PARALLEL, a->dims[0], 1);
  } else if (code->ints[1] == 0) { /* a^T b: rows of both are the inner axis */
    set(out, ROWS_REDUCE, a->dims[0], 3);
  }
}

/* Indices of a gather or scatter_add are checked before their region begins, so they must not be
 * made in it: their rows count as the same for all unless they come from elsewhere, which
 * regions.c sees to. */
static void classify_other(const struct instruction *code, struct row_step *out) {
  const struct view *x = &code->inputs[0];
  switch (code->op) {
    case TIER_OP_SUM:
      if (code->int_count > 0 && x->rank > 0) {
        set(out, code->ints[0] == 0 ? ROWS_REDUCE : ROWS_PARALLEL, x->dims[0], 1);
      }
      break;
    case TIER_OP_MAX:
    case TIER_OP_ARGMAX:
      if (code->ints[0] > 0) {
        set(out, ROWS_PARALLEL, x->dims[0], 1);
      }
      break;
    case TIER_OP_MATMUL:
      classify_matmul(code, out);
      break;
    case TIER_OP_GATHER:
      set(out, ROWS_PARALLEL, code->inputs[1].dims[0], code->ints[0] > 0 ? 3 : 2);
      break;
    case TIER_OP_SCATTER_ADD:
      if (code->ints[0] > 0) {
        set(out, ROWS_PARALLEL, x->dims[0], 3);
      }
      break;
    case TIER_OP_PATCHES:
    case TIER_OP_FOLD:
      set(out, ROWS_PARALLEL, x->dims[0], 1);
      break;
    default:
      break;
  }
}

void rows_classify(const struct lowered *l, const struct instruction *code, int64_t least_units,
                   struct row_step *out) {
  const struct operation *operation = operation_get(code->op);
  int elementwise = operation != NULL && (operation->flags & OPERATION_ELEMENTWISE) != 0;
  *out = (struct row_step){.code = *code};
  if (is_empty(code)) {
    return;
  }
  if (!elementwise && code->op != OP_COPY) {
    classify_other(code, out);
  } else {
    out->code.inputs = arena_copy(l->arena, code->inputs, code->input_count * sizeof *code->inputs);
    merge_axes(&out->code);
    if (out->code.out.rank > 0) {
      set(out, ROWS_PARALLEL, out->code.out.dims[0], (1U << code->input_count) - 1);
    }
  }
  if (out->extent < least_units) {
    out->role = ROWS_NONE;
  }
}

/* ---- memory -------------------------------------------------------------------------------- */

void view_range(const struct view *v, int64_t units, int64_t *low, int64_t *high) {
  *low = v->offset;
  *high = v->offset;
  for (int32_t i = 0; i < v->rank; i++) {
    int64_t length = i == 0 ? v->dims[i] / units : v->dims[i];
    *high += (length - 1) * v->strides[i];
  }
}

int rows_agree(const struct view *a, const struct view *b, int64_t units) {
  int64_t low[2];
  int64_t high[2];
  if (a->dims[0] % units != 0 || b->dims[0] % units != 0) {
    return 0;
  }
  int64_t stride = a->dims[0] / units * a->strides[0];
  if (stride != b->dims[0] / units * b->strides[0]) {
    return 0;
  }
  view_range(a, units, &low[0], &high[0]);
  view_range(b, units, &low[1], &high[1]);
  int64_t first = low[0] < low[1] ? low[0] : low[1];
  int64_t last = high[0] > high[1] ? high[0] : high[1];
  return last - first < stride;
}

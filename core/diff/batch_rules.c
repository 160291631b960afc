/* One rule for each operation: the same operation over k values at once. */
#include <string.h>
#include <tier/graph.h>

#include "base/memory.h"
#include "diff/batch.h"

/* ---- the batch axis ------------------------------------------------------------------------ */

static tier_graph *face(const struct batching *b) {
  return &b->g->face;
}
static struct value look(const struct batching *b, tier_value v) {
  return *graph_value(b->g, v);
}

/* dims (rank) with `size` put in at `axis`. */
static void insert(const int64_t *dims, int32_t rank, int32_t axis, int64_t size, int64_t *out) {
  for (int32_t i = 0; i < axis; i++) {
    out[i] = dims[i];
  }
  out[axis] = size;
  for (int32_t i = axis; i < rank; i++) {
    out[i + 1] = dims[i];
  }
}

/* The axis `from` taken to `to`; the others keep their order. */
static tier_value move(const struct batching *b, tier_value v, int32_t from, int32_t to) {
  int64_t others[TIER_MAX_RANK];
  int64_t axes[TIER_MAX_RANK];
  int32_t rank = look(b, v).rank;
  int32_t count = 0;
  for (int32_t i = 0; i < rank; i++) {
    if (i != from) {
      others[count++] = i;
    }
  }
  insert(others, count, to, from, axes);
  return tier_permute(face(b), v, axes, rank);
}

/* One value for all k, repeated along a new axis. */
static tier_value repeat(const struct batching *b, tier_value v, int32_t axis) {
  const struct value x = look(b, v);
  int64_t dims[TIER_MAX_RANK];
  insert(x.dims, x.rank, axis, 1, dims);
  tier_value out = tier_reshape(face(b), v, dims, x.rank + 1);
  dims[axis] = b->k;
  return tier_broadcast(face(b), out, dims, x.rank + 1);
}

tier_value batch_place(const struct batching *b, struct batched x, int32_t axis) {
  if (x.axis == BATCH_NONE) {
    return repeat(b, x.v, axis);
  }
  return x.axis == axis ? x.v : move(b, x.v, x.axis, axis);
}

/* Two neighbouring axes as one. */
static tier_value merge(const struct batching *b, tier_value v, int32_t first) {
  struct value x = look(b, v);
  x.dims[first] *= x.dims[first + 1];
  for (int32_t i = first + 1; i < x.rank - 1; i++) {
    x.dims[i] = x.dims[i + 1];
  }
  return tier_reshape(face(b), v, x.dims, x.rank - 1);
}

/* v, of as many elements as k times y, in y's shape with the batch axis at `axis`. */
static struct batched split(const struct batching *b, tier_value v, const struct value *y,
                            int32_t axis) {
  int64_t dims[TIER_MAX_RANK];
  insert(y->dims, y->rank, axis, b->k, dims);
  return (struct batched){tier_reshape(face(b), v, dims, y->rank + 1), axis};
}

static struct batched emit(const struct batching *b, const struct value *y, const tier_value *in,
                           const int64_t *ints, int32_t axis) {
  return (struct batched){tier_emit(face(b), y->op, in, y->input_count, ints, y->int_count), axis};
}

/* ---- elementwise --------------------------------------------------------------------------- */

/* Where the operands' axes meet: that of the first one that is not merely repeated along other
 * axes, for moving a repeated one costs nothing; in front where i32 takes part. */
static int32_t meeting_axis(const struct batching *b, const struct value *y,
                            const struct batched *in) {
  int32_t axis = BATCH_NONE;
  int repeated = 1;
  for (uint32_t i = 0; i < y->input_count; i++) {
    const struct value x = look(b, in[i].v);
    if (x.type == TIER_I32 || y->type == TIER_I32) {
      return 0;
    }
    if (in[i].axis != BATCH_NONE && (axis == BATCH_NONE || repeated)) {
      int is_repeated = x.op == TIER_OP_BROADCAST;
      axis = axis == BATCH_NONE || !is_repeated ? in[i].axis : axis;
      repeated = is_repeated;
    }
  }
  return axis;
}

static struct batched elementwise(const struct batching *b, const struct value *y,
                                  const struct batched *in) {
  tier_value at[3] = {0};
  int32_t axis = meeting_axis(b, y, in);
  for (uint32_t i = 0; i < y->input_count; i++) {
    at[i] = batch_place(b, in[i], axis);
  }
  return emit(b, y, at, y->ints, axis);
}

/* ---- matmul -------------------------------------------------------------------------------- */

/* One operand is the same for all k: the other's k matrices side by side (or one above the other)
 * are one matrix, and there is one product. Axes are counted from the first of the two of the
 * matrix; `open` is the one of the batched operand, as it is stored, that is not summed over. */
static struct batched wide_matmul(const struct batching *b, const struct value *y,
                                  const struct batched *in) {
  int second = in[0].axis == BATCH_NONE;
  int32_t leading = y->rank - 2;
  int32_t open = second ? !y->ints[1] : (int32_t)y->ints[0];
  int32_t axis = in[second].axis - leading;
  if (axis != open && axis != open + 1) {
    axis = open;
  }
  tier_value operands[2] = {in[0].v, in[1].v};
  operands[second] = merge(b, batch_place(b, in[second], leading + axis), leading + open);
  tier_value product = emit(b, y, operands, y->ints, BATCH_NONE).v;
  return split(b, product, y, leading + second + axis - open);
}

static struct batched matmul(const struct batching *b, const struct value *y,
                             const struct batched *in) {
  if (in[0].axis == BATCH_NONE || in[1].axis == BATCH_NONE) {
    return wide_matmul(b, y, in);
  }
  const tier_value operands[2] = {batch_place(b, in[0], 0), batch_place(b, in[1], 0)};
  return emit(b, y, operands, y->ints, 0);
}

/* ---- movement ------------------------------------------------------------------------------ */

/* A place in `dims` where the batch axis leaves the order of the elements as it is, which is where
 * as many elements lie before it as in x; -1 if there is none. Sizes of 1 leave a choice: in front
 * of the last of several axes, as in (rows, k, columns), where products put it and what is repeated
 * along rows or columns meets them; else as far back as can be. */
static int32_t same_place(const struct value *x, int32_t axis, const int64_t *dims, int32_t rank) {
  int64_t before = 1;
  int64_t product = 1;
  int32_t place = -1;
  for (int32_t i = 0; i < axis; i++) {
    before *= x->dims[i];
  }
  for (int32_t i = 0; i <= rank; i++) {
    if (product == before && (place < 0 || place != rank - 1 || rank == 1)) {
      place = i;
    }
    product *= i < rank ? dims[i] : 1;
  }
  return place;
}

static struct batched reshape(const struct batching *b, const struct value *y,
                              const struct batched *in) {
  const struct value x = look(b, in->v);
  int32_t axis =
      x.type == TIER_I32 || value_size(y) == 0 ? 0 : same_place(&x, in->axis, y->dims, y->rank);
  tier_value v = axis <= 0 ? batch_place(b, *in, 0) : in->v;
  return split(b, v, y, axis < 0 ? 0 : axis);
}

/* The batch axis stays in front, or goes along with the axis after it, or, if it is the last one,
 * with the axis before it. */
static struct batched permute(const struct batching *b, const struct value *y,
                              const struct batched *in) {
  int64_t stored[TIER_MAX_RANK]; /* y's attribute, in axes of the batched input */
  int64_t axes[TIER_MAX_RANK];
  int32_t after = in->axis < y->rank ? in->axis : in->axis - 1;
  int32_t place = 0;
  for (int32_t i = 0; i < y->rank; i++) {
    stored[i] = y->ints[i] + (y->ints[i] >= in->axis);
    if (in->axis > 0 && y->ints[i] == after) {
      place = i + (in->axis == y->rank);
    }
  }
  insert(stored, y->rank, place, in->axis, axes);
  return (struct batched){tier_permute(face(b), in->v, axes, y->rank + 1), place};
}

static struct batched broadcast(const struct batching *b, const struct value *y,
                                const struct batched *in) {
  int64_t dims[TIER_MAX_RANK];
  insert(y->dims, y->rank, in->axis, b->k, dims);
  return (struct batched){tier_broadcast(face(b), in->v, dims, y->rank + 1), in->axis};
}

/* slice {starts, limits, strides} and pad {lows, highs, interiors}: all of the batch axis. */
static struct batched slice_or_pad(const struct batching *b, const struct value *y,
                                   const struct batched *in) {
  const int64_t whole[3] = {0, y->op == TIER_OP_SLICE ? b->k : 0, y->op == TIER_OP_SLICE};
  int64_t ints[3 * TIER_MAX_RANK];
  int32_t rank = y->rank;
  if (rank == 0) { /* there are no numbers */
    return *in;
  }
  for (int32_t i = 0; i < 3; i++) {
    insert(y->ints + i * rank, rank, in->axis, whole[i], ints + (ptrdiff_t)i * (rank + 1));
  }
  tier_value v = tier_emit(face(b), y->op, &in->v, 1, ints, 3u * (uint32_t)(rank + 1));
  return (struct batched){v, in->axis};
}

static struct batched concat(const struct batching *b, const struct value *y,
                             const struct batched *in) {
  int32_t axis = meeting_axis(b, y, in);
  tier_value *parts = arena_alloc(b->g->arena, y->input_count * sizeof *parts);
  for (uint32_t i = 0; i < y->input_count; i++) {
    parts[i] = batch_place(b, in[i], axis);
  }
  int64_t along = y->ints[0] + (y->ints[0] >= axis);
  return emit(b, y, parts, &along, axis);
}

/* ---- reductions ---------------------------------------------------------------------------- */

static struct batched sum(const struct batching *b, const struct value *y,
                          const struct batched *in) {
  int64_t axes[TIER_MAX_RANK];
  int32_t axis = in->axis;
  for (uint32_t i = 0; i < y->int_count; i++) {
    axes[i] = y->ints[i] + (y->ints[i] >= in->axis);
    axis -= y->ints[i] < in->axis;
  }
  return emit(b, y, &in->v, axes, axis);
}

/* max, argmax, argsort along one axis; an i32 result has the batch axis in front. */
static struct batched along_axis(const struct batching *b, const struct value *y,
                                 const struct batched *in) {
  int32_t axis = y->op == TIER_OP_MAX ? in->axis : 0;
  tier_value x = batch_place(b, *in, axis);
  int64_t along = y->ints[0] + (y->ints[0] >= axis);
  int removed_before = y->op == TIER_OP_MAX && y->ints[0] < axis;
  return emit(b, y, &x, &along, axis - removed_before);
}

/* ---- gather and scatter_add ---------------------------------------------------------------- */

/* (x (B..., N, R...), index (B..., K)): if the batch axis lies among R..., nothing changes; else it
 * becomes one of B.... */
static struct batched gather_or_scatter(const struct batching *b, const struct value *y,
                                        const struct batched *in) {
  int64_t ints[2] = {y->ints[0], y->int_count > 1 ? y->ints[1] : 0};
  if (in[1].axis == BATCH_NONE && in[0].axis > ints[0]) {
    const tier_value plain[2] = {in[0].v, in[1].v};
    return emit(b, y, plain, ints, in[0].axis);
  }
  int32_t axis = in[1].axis == BATCH_NONE ? in[0].axis : 0;
  const tier_value operands[2] = {batch_place(b, in[0], axis), batch_place(b, in[1], axis)};
  ints[0]++;
  return emit(b, y, operands, ints, axis);
}

/* One array, k times as many indices: they are one list. */
static struct batched gather(const struct batching *b, const struct value *y,
                             const struct batched *in) {
  if (in[0].axis != BATCH_NONE || y->ints[0] != 0) {
    return gather_or_scatter(b, y, in);
  }
  const tier_value operands[2] = {in[0].v, merge(b, in[1].v, 0)};
  return split(b, emit(b, y, operands, y->ints, BATCH_NONE).v, y, 0);
}

/* ---- images -------------------------------------------------------------------------------- */

/* patches, fold: (n, ...) images, so k sets of images are k n images. */
static struct batched window(const struct batching *b, const struct value *y,
                             const struct batched *in) {
  int32_t axis = in->axis <= 1 ? in->axis : 0;
  tier_value images = merge(b, batch_place(b, *in, axis), 0);
  return split(b, emit(b, y, &images, y->ints, BATCH_NONE).v, y, axis);
}

/* ---- random -------------------------------------------------------------------------------- */

/* Each of k keys (k, 4) has its own numbers. */
static struct batched random_numbers(const struct batching *b, const struct value *y,
                                     const struct batched *in) {
  const int64_t four = 4;
  int64_t dims[TIER_MAX_RANK];
  insert(y->dims, y->rank, 0, 1, dims);
  tier_value keys = tier_cast(face(b), in->v, TIER_REAL); /* i32 cannot be sliced */
  tier_value *parts = arena_alloc(b->g->arena, (size_t)b->k * sizeof *parts);
  for (int64_t j = 0; j < b->k; j++) {
    tier_value key = tier_slice_axis(face(b), keys, 0, j, j + 1);
    key = tier_cast(face(b), tier_reshape(face(b), key, &four, 1), TIER_I32);
    parts[j] = tier_reshape(face(b), emit(b, y, &key, y->ints, BATCH_NONE).v, dims, y->rank + 1);
  }
  return (struct batched){tier_concat(face(b), parts, (uint32_t)b->k, 0), 0};
}

/* ---- the table ----------------------------------------------------------------------------- */

static const batch_rule rules[TIER_OP_COUNT] = {
    [TIER_OP_MATMUL] = matmul,
    [TIER_OP_RESHAPE] = reshape,
    [TIER_OP_PERMUTE] = permute,
    [TIER_OP_BROADCAST] = broadcast,
    [TIER_OP_SLICE] = slice_or_pad,
    [TIER_OP_PAD] = slice_or_pad,
    [TIER_OP_CONCAT] = concat,
    [TIER_OP_SUM] = sum,
    [TIER_OP_MAX] = along_axis,
    [TIER_OP_ARGMAX] = along_axis,
    [TIER_OP_ARGSORT] = along_axis,
    [TIER_OP_GATHER] = gather,
    [TIER_OP_SCATTER_ADD] = gather_or_scatter,
    [TIER_OP_PATCHES] = window,
    [TIER_OP_FOLD] = window,
    [TIER_OP_RANDOM] = random_numbers,
};

batch_rule batch_rule_get(uint32_t op) {
  const struct operation *operation = operation_get(op);
  if (operation == NULL) {
    return NULL;
  }
  return operation->flags & OPERATION_ELEMENTWISE ? elementwise : rules[op];
}

/* The sizes of a region's chunks and blocks, and what lies where in its scratch. All from shapes
 * and from the sizes of a usual core's caches: results depend on them. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compile/regions.h"

const struct block_limits usual_limits = {.least_units = 16,
                                          .least_bytes = 524288,
                                          .chunk_bytes = 65536,
                                          .cache_1 = 24576,
                                          .cache_2 = 393216,
                                          .wide_block = 256,
                                          .least_block = 32,
                                          .partial = 4};
const struct block_limits small_limits = {.least_units = 2,
                                          .least_bytes = 1,
                                          .chunk_bytes = 8,
                                          .cache_1 = 48,
                                          .cache_2 = 96,
                                          .wide_block = 3,
                                          .least_block = 1,
                                          .partial = 0};

#define MOST_CHUNKS 16
#define WIDE 32 /* columns up to which a product is narrow */
#define ALIGNMENT 64

/* What a region knows of a buffer. */
struct use {
  uint32_t buffer;
  uint32_t touches;
  int rows;          /* all of them by rows, of `stride` elements */
  int64_t stride;    /* from one row to the next */
  int64_t low, high; /* what the first row touches */
  uint32_t first, last;
  int own;        /* nothing else touches it: it lives in scratch */
  uint32_t alias; /* the use in whose place it lives, or itself */
  struct buffer placed;
};

struct planning {
  struct lowered *l;
  const struct region_draft *draft;
  struct use *uses;
  uint32_t use_count, use_capacity;
  uint32_t *use_of; /* of each buffer: 1 + its use, or 0 */
  int64_t streamed; /* bytes of a row that are not in scratch */
  int64_t partial;  /* bytes of a chunk's partial results */
};

static int64_t round_up(int64_t x, int64_t multiple) {
  return (x + multiple - 1) / multiple * multiple;
}

/* ---- what is touched ----------------------------------------------------------------------- */

static int64_t unit_stride(const struct planning *p, const struct view *v) {
  return v->dims[0] / p->draft->units * v->strides[0];
}

static void touch(struct planning *p, const struct view *v, int rows, uint32_t step) {
  if (p->use_of[v->buffer] == 0) {
    struct use fresh = {.buffer = v->buffer, .first = step, .rows = rows, .low = INT64_MAX};
    fresh.high = INT64_MIN;
    fresh.alias = p->use_count;
    fresh.stride = rows ? unit_stride(p, v) : 0;
    array_push(p->uses, p->use_count, p->use_capacity, fresh);
    p->use_of[v->buffer] = p->use_count;
  }
  struct use *u = &p->uses[p->use_of[v->buffer] - 1];
  int64_t low = 0;
  int64_t high = 0;
  u->touches++;
  u->last = step;
  u->rows = u->rows && rows && u->stride == unit_stride(p, v);
  if (u->rows) {
    view_range(v, p->draft->units, &low, &high);
    u->low = low < u->low ? low : u->low;
    u->high = high > u->high ? high : u->high;
  }
}

static int has_rows(const struct row_step *s, uint32_t j) {
  return (s->row_inputs >> j & 1) != 0 && s->code.inputs[j].strides[0] != 0;
}

static int64_t partial_bytes(const struct planning *p, const struct row_step *s) {
  size_t element = s->code.op == TIER_OP_SUM ? sizeof(double) : dtype_size(p->l->dtype);
  return round_up(view_size(&s->code.out) * (int64_t)element, ALIGNMENT);
}

static size_t element_of(const struct planning *p, const struct use *u) {
  return p->l->buffers[u->buffer].type == TIER_I32 ? 4 : dtype_size(p->l->dtype);
}

static void touch_all(struct planning *p, const uint32_t *touches) {
  for (uint32_t k = 0; k < p->draft->count; k++) {
    const struct row_step *s = p->draft->steps[k];
    for (uint32_t j = 0; j < s->code.input_count; j++) {
      touch(p, &s->code.inputs[j], has_rows(s, j), k);
    }
    touch(p, &s->code.out, s->role == ROWS_PARALLEL, k);
    p->partial += s->role == ROWS_REDUCE ? partial_bytes(p, s) : 0;
  }
  for (uint32_t i = 0; i < p->use_count; i++) {
    struct use *u = &p->uses[i];
    u->own = u->rows && u->touches == touches[u->buffer] && u->high - u->low < u->stride &&
             p->l->buffers[u->buffer].kind == BUFFER_OWN;
    p->streamed += u->rows && !u->own ? u->stride * (int64_t)element_of(p, u) : 0;
  }
}

/* ---- scratch ------------------------------------------------------------------------------- */

static struct use *use_of(struct planning *p, const struct view *v) {
  return &p->uses[p->use_of[v->buffer] - 1];
}

static struct use *placed_use(struct planning *p, struct use *u) {
  while (p->uses[u->alias].alias != u->alias) {
    u = &p->uses[u->alias];
  }
  return &p->uses[u->alias];
}

static int same_layout(const struct view *a, const struct view *b) {
  return a->rank == b->rank && a->type == b->type &&
         memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0 &&
         memcmp(a->strides, b->strides, (size_t)a->rank * sizeof *a->strides) == 0;
}

/* 1 if step k may write its output, the whole of `out`, over its input j: that is read for the last
 * time, and element by element. */
static int can_overwrite(struct planning *p, uint32_t k, uint32_t j, const struct use *out) {
  const struct instruction *code = &p->draft->steps[k]->code;
  const struct view *in = &code->inputs[j];
  struct use *u = use_of(p, in);
  if (!u->own || u->last != k || u->stride != out->stride || !same_layout(in, &code->out) ||
      in->offset != u->low || placed_use(p, u)->last != k) {
    return 0;
  }
  for (uint32_t i = 0; i < code->input_count; i++) {
    const struct view *other = &code->inputs[i];
    if (other->buffer == in->buffer && (other->offset != in->offset || !same_layout(other, in))) {
      return 0;
    }
  }
  return 1;
}

static void work_in_place(struct planning *p, uint32_t k) {
  const struct instruction *code = &p->draft->steps[k]->code;
  const struct operation *operation = operation_get(code->op);
  if (operation == NULL || (operation->flags & OPERATION_ELEMENTWISE) == 0) {
    return;
  }
  struct use *out = use_of(p, &code->out);
  if (!out->own || out->first != k || code->out.offset != out->low) {
    return;
  }
  for (uint32_t j = 0; j < code->input_count; j++) {
    if (can_overwrite(p, k, j, out)) {
      struct use *in = placed_use(p, use_of(p, &code->inputs[j]));
      out->alias = (uint32_t)(in - p->uses);
      in->last = out->last;
      return;
    }
  }
}

/* Lays out scratch for blocks of `rows` rows; returns its bytes. */
static int64_t place_scratch(struct planning *p, int64_t rows) {
  struct buffer **all = memory_alloc(p->use_count, sizeof(struct buffer *));
  size_t count = 0;
  for (uint32_t i = 0; i < p->use_count; i++) {
    struct use *u = &p->uses[i];
    if (u->own && u->alias == i) {
      u->placed.first = u->first;
      u->placed.last = u->last;
      u->placed.bytes = (size_t)round_up(rows * u->stride * (int64_t)element_of(p, u), ALIGNMENT);
      all[count++] = &u->placed;
    }
  }
  size_t bytes = place_together(all, count);
  free(all);
  return (int64_t)bytes;
}

/* ---- sizes --------------------------------------------------------------------------------- */

/* Rows of the matrices that BLAS should get at least; 0 if there is no product, or a narrow one. */
static int64_t rows_for_blas(const struct region_draft *d, const struct row_step *s,
                             int *products) {
  const struct instruction *code = &s->code;
  if (code->op != TIER_OP_MATMUL || code->inputs[0].rank > 2) {
    return 0;
  }
  *products = 1;
  const struct view *factor = s->role == ROWS_REDUCE ? &code->out : &code->inputs[1];
  int64_t per_unit = s->extent / d->units;
  int wide = factor->dims[0] > WIDE && factor->dims[1] > WIDE;
  return wide ? (d->limits->wide_block + per_unit - 1) / per_unit : 0;
}

/* The rows that a block should have. */
static int64_t wanted_rows(const struct region_draft *d, int64_t row_bytes) {
  int64_t wide = 0;
  int products = 0;
  for (uint32_t k = 0; k < d->count; k++) {
    int64_t rows = rows_for_blas(d, d->steps[k], &products);
    wide = rows > wide ? rows : wide;
  }
  const struct block_limits *limits = d->limits;
  int64_t fit = (products ? limits->cache_2 : limits->cache_1) / row_bytes;
  int64_t least = limits->least_block;
  least = products && row_bytes * least < 4 * limits->cache_2 ? least : 1;
  fit = fit > least ? fit : least;
  return wide > 0 ? wide : fit;
}

/* Parts of equal size, of at most `most`, rounded up to a multiple of 8 if that is little. */
static int64_t equal_parts(int64_t whole, int64_t parts) {
  int64_t part = (whole + parts - 1) / parts;
  return part >= 64 ? round_up(part, 8) : part;
}

/* Sets chunk and block; 0 if the region is not worth its while. */
static int choose_sizes(const struct planning *p, int64_t scratch, struct region *out) {
  int64_t row_bytes = p->streamed + scratch;
  int64_t total = out->units * row_bytes;
  const struct block_limits *limits = p->draft->limits;
  int64_t chunks = total / limits->chunk_bytes;
  chunks = chunks < MOST_CHUNKS ? chunks : MOST_CHUNKS;
  if (limits->partial * p->partial > 0 && total / (limits->partial * p->partial) < chunks) {
    chunks = total / (limits->partial * p->partial);
  }
  if (total < limits->least_bytes || chunks < 2) {
    return 0;
  }
  chunks = chunks >= 4 ? chunks / 4 * 4 : chunks;
  out->chunk = equal_parts(out->units, chunks);
  int64_t wanted = wanted_rows(p->draft, row_bytes);
  wanted = wanted < out->chunk ? wanted : out->chunk;
  out->block = equal_parts(out->chunk, (out->chunk + wanted - 1) / wanted);
  out->block = out->block < out->chunk ? out->block : out->chunk;
  return 1;
}

/* ---- the region ---------------------------------------------------------------------------- */

static struct row_operand operand(struct planning *p, const struct view *v, int rows) {
  struct row_operand o = {.rows = rows, .place = ROW_ARRAY};
  o.stride = rows ? unit_stride(p, v) : 0;
  struct use *u = use_of(p, v);
  if (u->own) {
    struct use *placed = placed_use(p, u);
    size_t element = element_of(p, u);
    o.place = ROW_SCRATCH;
    o.offset = placed->placed.offset + (size_t)(v->offset - u->low) * element;
    p->l->buffers[u->buffer].scratch = 1;
    p->l->buffers[u->buffer].offset = placed->placed.offset;
  }
  return o;
}

static void fill_steps(struct planning *p, struct region *out) {
  struct arena *arena = p->l->arena;
  const struct region_draft *d = p->draft;
  size_t partial = 0;
  out->steps = arena_alloc(arena, d->count * sizeof *out->steps);
  out->count = d->count;
  for (uint32_t k = 0; k < d->count; k++) {
    const struct row_step *s = d->steps[k];
    struct region_step *to = &out->steps[k];
    to->code = s->code;
    to->code.inputs =
        arena_copy(arena, s->code.inputs, s->code.input_count * sizeof *s->code.inputs);
    to->per_unit = s->extent / d->units;
    to->reduces = s->role == ROWS_REDUCE;
    to->out = operand(p, &s->code.out, !to->reduces);
    if (to->reduces) {
      to->out.place = ROW_PARTIAL;
      to->out.offset = partial;
      partial += (size_t)partial_bytes(p, s);
    }
    to->inputs = arena_alloc(arena, s->code.input_count * sizeof *to->inputs);
    for (uint32_t j = 0; j < s->code.input_count; j++) {
      to->inputs[j] = operand(p, &s->code.inputs[j], (s->row_inputs >> j & 1) != 0);
    }
  }
  out->partial = partial;
}

static uint32_t add_memory(struct lowered *l, size_t bytes, int stage) {
  struct buffer b = {.kind = BUFFER_OWN, .stage = stage, .type = TIER_REAL, .parent = NO_BUFFER};
  b.size = (int64_t)((bytes + 7) / dtype_size(l->dtype));
  array_push(l->buffers, l->buffer_count, l->buffer_capacity, b);
  return l->buffer_count - 1;
}

int region_plan(struct lowered *l, const struct region_draft *d, const uint32_t *touches,
                int threads, struct region *out) {
  struct planning p = {.l = l, .draft = d};
  *out = (struct region){.units = d->units};
  p.use_of = memory_alloc(l->buffer_count, sizeof *p.use_of);
  touch_all(&p, touches);
  for (uint32_t k = 0; k < d->count; k++) {
    work_in_place(&p, k);
  }
  int worth = choose_sizes(&p, place_scratch(&p, 1), out);
  if (worth) {
    int64_t chunks = (out->units + out->chunk - 1) / out->chunk;
    out->scratch = (size_t)place_scratch(&p, out->block);
    out->slots = threads < chunks ? threads : chunks;
    fill_steps(&p, out);
    size_t bytes = out->scratch * (size_t)out->slots + out->partial * (size_t)chunks;
    out->memory = add_memory(l, bytes, STAGE_ONCE);
  }
  free(p.uses);
  free(p.use_of);
  return worth;
}

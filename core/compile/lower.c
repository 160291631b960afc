#include "compile/lower.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* What lowering knows of a value. */
struct place {
  struct view view;  /* as its readers may see it */
  struct view dense; /* without gaps; buffer NO_BUFFER if not made yet */
};

struct lowering {
  const struct draft *draft;
  struct lowered *out;
  struct place *places; /* of each value */
  unsigned char *stages;
  int plain;
};

/* ---- buffers, views and steps -------------------------------------------------------------- */

static uint32_t add_buffer(struct lowering *w, struct buffer b) {
  b.parent = NO_BUFFER;
  array_push(w->out->buffers, w->out->buffer_count, w->out->buffer_capacity, b);
  return w->out->buffer_count - 1;
}

uint32_t buffer_root(const struct lowered *l, uint32_t b, int64_t *start) {
  while (l->buffers[b].parent != NO_BUFFER) {
    *start += l->buffers[b].start;
    b = l->buffers[b].parent;
  }
  return b;
}

/* A dense view of v's shape on a buffer. */
static struct view view_of(const struct value *v, uint32_t buffer) {
  struct view view = {.buffer = buffer, .type = v->type, .rank = v->rank};
  memcpy(view.dims, v->dims, sizeof view.dims);
  view_make_dense(&view);
  return view;
}

static struct view new_view(struct lowering *w, const struct value *v, int stage) {
  struct buffer b = {.kind = BUFFER_OWN, .stage = stage, .type = v->type, .size = value_size(v)};
  return view_of(v, add_buffer(w, b));
}

static const char *where(const struct graph *g, const struct value *v, struct arena *arena) {
  const struct origin *o = &g->origins[v->origin];
  const struct operation *operation = operation_get(v->op);
  const char *name = operation != NULL ? operation->name : "input";
  if (o->plugin == NULL) {
    return arena_text(arena, name);
  }
  return arena_format(arena, "%s, asked for by %s%s%s%s%s", name, o->plugin, o->entry ? "." : "",
                      o->entry ? o->entry : "", o->place ? " at " : "", o->place ? o->place : "");
}

static void add_step(struct lowering *w, const struct value *v, int stage, uint32_t op,
                     const struct view *out, const struct view *inputs, uint32_t count) {
  struct arena *arena = w->out->arena;
  struct step s = {.stage = stage, .origin = v->origin, .region = NO_REGION};
  s.code = (struct instruction){.op = op, .input_count = count, .out = *out};
  s.code.inputs = arena_copy(arena, inputs, count * sizeof *inputs);
  if (op != OP_COPY) {
    s.code.int_count = v->int_count;
    s.code.ints = arena_copy(arena, v->ints, v->int_count * sizeof *v->ints);
  }
  s.code.where = where(w->draft->graph, v, arena);
  array_push(w->out->steps, w->out->step_count, w->out->step_capacity, s);
}

static void add_copy(struct lowering *w, const struct value *v, int stage, struct view out,
                     struct view in) {
  add_step(w, v, stage, OP_COPY, &out, &in, 1);
}

/* The value without gaps; copied, once, if it is not. */
static struct view dense(struct lowering *w, tier_value id) {
  struct place *p = &w->places[id];
  if (p->dense.buffer == NO_BUFFER) {
    const struct value *v = graph_value(w->draft->graph, id);
    p->dense = new_view(w, v, w->stages[id]);
    add_copy(w, v, w->stages[id], p->dense, p->view);
  }
  return p->dense;
}

static void set_place(struct lowering *w, tier_value id, struct view view) {
  struct place *p = &w->places[id];
  p->view = view;
  p->dense = view;
  if (!view_is_dense(&view)) {
    p->dense.buffer = NO_BUFFER;
  }
}

/* ---- operations that are views ------------------------------------------------------------- */

/* Splits and merges axes of x to the new dims without moving anything, if the strides allow it:
 * groups of old and new axes with the same number of elements are matched from the left. */
static int view_reshape(const struct view *x, struct view *out) {
  int64_t dims[TIER_MAX_RANK];
  int64_t strides[TIER_MAX_RANK];
  int32_t rank = 0;
  for (int32_t i = 0; i < x->rank; i++) {
    if (x->dims[i] != 1) {
      dims[rank] = x->dims[i];
      strides[rank++] = x->strides[i];
    }
  }
  int32_t new_end = 0;
  int32_t old_end = 0;
  while (new_end < out->rank) {
    int32_t begin = new_end;
    int32_t old_begin = old_end;
    int64_t have = 1;
    int64_t want = out->dims[new_end++];
    while (have != want) {
      if (have < want) {
        have *= dims[old_end++];
      } else {
        want *= out->dims[new_end++];
      }
    }
    for (int32_t k = old_begin; k + 1 < old_end; k++) {
      if (strides[k] != dims[k + 1] * strides[k + 1]) {
        return 0;
      }
    }
    int64_t stride = old_end > old_begin ? strides[old_end - 1] : 0;
    for (int32_t k = new_end - 1; k >= begin; k--) {
      out->strides[k] = stride;
      stride *= out->dims[k];
    }
  }
  return 1;
}

static struct view lower_reshape(struct lowering *w, const struct value *v) {
  struct view x = w->places[v->inputs[0]].view;
  struct view out = view_of(v, x.buffer);
  if (view_is_dense(&x) || (value_size(v) > 0 && view_reshape(&x, &out))) {
    out.offset = x.offset;
    return out;
  }
  x = dense(w, v->inputs[0]);
  out = view_of(v, x.buffer);
  out.offset = x.offset;
  return out;
}

static struct view lower_movement(struct lowering *w, const struct value *v) {
  struct view x = w->places[v->inputs[0]].view;
  struct view out = view_of(v, x.buffer);
  out.offset = x.offset;
  for (int32_t i = 0; i < v->rank; i++) {
    if (v->op == TIER_OP_PERMUTE) {
      out.strides[i] = x.strides[v->ints[i]];
    } else if (v->op == TIER_OP_BROADCAST) {
      out.strides[i] = x.dims[i] == v->dims[i] ? x.strides[i] : 0;
    } else { /* slice */
      out.offset += v->ints[i] * x.strides[i];
      int64_t step = v->dims[i] > 1 ? v->ints[2 * v->rank + i] : 1;
      out.strides[i] = step * x.strides[i];
    }
  }
  return out;
}

/* ---- operations that write parts of their output ------------------------------------------- */

static uint32_t zero_buffer(struct lowering *w) {
  static const double zero = 0.0;
  struct buffer b = {.kind = BUFFER_CONSTANT, .type = TIER_REAL, .size = 1, .reals = &zero};
  b.real_count = 1;
  return add_buffer(w, b);
}

static struct view lower_pad(struct lowering *w, tier_value id, const struct value *v) {
  struct view x = w->places[v->inputs[0]].view;
  struct view out = new_view(w, v, w->stages[id]);
  struct view zeros = view_of(v, zero_buffer(w));
  struct view part = out;
  memset(zeros.strides, 0, sizeof zeros.strides);
  memcpy(part.dims, x.dims, sizeof part.dims);
  for (int32_t i = 0; i < v->rank; i++) {
    part.offset += v->ints[i] * out.strides[i];
    part.strides[i] *= x.dims[i] > 1 ? v->ints[2 * v->rank + i] + 1 : 1;
  }
  add_copy(w, v, w->stages[id], out, zeros);
  add_copy(w, v, w->stages[id], part, x);
  return out;
}

/* 1 if the buffer that x lies in can be made a part of `part`'s buffer, so that nothing is copied:
 * x is all of an own buffer that is no part yet, and is written in the same stage. */
static int can_forward(const struct lowering *w, const struct view *x, const struct view *part,
                       int stage) {
  int64_t start = 0;
  uint32_t root = buffer_root(w->out, x->buffer, &start);
  const struct buffer *b = &w->out->buffers[root];
  return root != part->buffer && b->kind == BUFFER_OWN && b->stage == stage && start == 0 &&
         x->offset == 0 && b->size == view_size(x) && b->size > 0 && view_is_dense(x) &&
         view_is_dense(part) && b->type == w->out->buffers[part->buffer].type;
}
static void forward(struct lowering *w, const struct view *x, const struct view *part) {
  int64_t start = 0;
  uint32_t root = buffer_root(w->out, x->buffer, &start);
  w->out->buffers[root].parent = part->buffer;
  w->out->buffers[root].start = part->offset;
}

static struct view lower_concat(struct lowering *w, tier_value id, const struct value *v) {
  struct view out = new_view(w, v, w->stages[id]);
  struct view part = out;
  for (uint32_t j = 0; j < v->input_count; j++) {
    struct view x = w->places[v->inputs[j]].view;
    memcpy(part.dims, x.dims, sizeof part.dims);
    if (can_forward(w, &x, &part, w->stages[id])) {
      forward(w, &x, &part);
    } else {
      add_copy(w, v, w->stages[id], part, x);
    }
    part.offset += x.dims[v->ints[0]] * out.strides[v->ints[0]];
  }
  return out;
}

/* ---- all operations ------------------------------------------------------------------------ */

static struct view lower_constant(struct lowering *w, tier_value id, const struct value *v) {
  struct buffer b = {.kind = BUFFER_CONSTANT, .type = TIER_REAL, .real_count = v->real_count};
  b.size = w->plain ? value_size(v) : (int64_t)v->real_count;
  b.reals = arena_copy(w->out->arena, v->reals, v->real_count * sizeof *v->reals);
  (void)id;
  struct view out = view_of(v, add_buffer(w, b));
  if (b.size == 1 && value_size(v) != 1) {
    memset(out.strides, 0, sizeof out.strides);
  }
  return out;
}

static int is_elementwise(uint32_t op) {
  const struct operation *operation = operation_get(op);
  return operation != NULL && (operation->flags & OPERATION_ELEMENTWISE) != 0;
}

/* An instruction of its own. */
static struct view lower_operation(struct lowering *w, tier_value id, const struct value *v) {
  struct view *inputs = memory_alloc(v->input_count, sizeof *inputs);
  for (uint32_t j = 0; j < v->input_count; j++) {
    int any = is_elementwise(v->op) || v->op == TIER_OP_SUM;
    inputs[j] = any && !w->plain ? w->places[v->inputs[j]].view : dense(w, v->inputs[j]);
  }
  struct view out = new_view(w, v, w->stages[id]);
  add_step(w, v, w->stages[id], v->op, &out, inputs, v->input_count);
  free(inputs);
  return out;
}

static struct view lower_value(struct lowering *w, tier_value id, const struct value *v) {
  if (v->op == TIER_OP_CONSTANT) {
    return lower_constant(w, id, v);
  }
  if (w->plain) {
    return lower_operation(w, id, v);
  }
  switch (v->op) {
    case TIER_OP_RESHAPE:
      return lower_reshape(w, v);
    case TIER_OP_PERMUTE:
    case TIER_OP_BROADCAST:
    case TIER_OP_SLICE:
      return lower_movement(w, v);
    case TIER_OP_PAD:
      return lower_pad(w, id, v);
    case TIER_OP_CONCAT:
      return lower_concat(w, id, v);
    case TIER_OP_STOP_GRADIENT:
      return w->places[v->inputs[0]].view;
    default:
      return lower_operation(w, id, v);
  }
}

/* ---- inputs and outputs -------------------------------------------------------------------- */

static void lower_inputs(struct lowering *w) {
  const struct draft *d = w->draft;
  for (uint32_t i = 0; i < d->input_count; i++) {
    const struct value *v = graph_value(d->graph, d->inputs[i]);
    int slow = i < d->slow_count;
    struct buffer b = {.kind = slow ? BUFFER_SLOW : BUFFER_FAST, .type = v->type};
    b.index = slow ? i : i - d->slow_count;
    b.size = value_size(v);
    set_place(w, d->inputs[i], view_of(v, add_buffer(w, b)));
  }
}

/* Makes the output's buffer the caller's, or copies into that. */
static void lower_output(struct lowering *w, uint32_t i) {
  tier_value id = w->draft->outputs[i];
  const struct value *v = graph_value(w->draft->graph, id);
  struct buffer b = {.kind = BUFFER_OUTPUT, .stage = STAGE_APPLY, .type = v->type, .index = i};
  b.size = value_size(v);
  struct view out = view_of(v, add_buffer(w, b));
  if (can_forward(w, &w->places[id].view, &out, STAGE_APPLY)) {
    forward(w, &w->places[id].view, &out);
  } else {
    add_copy(w, v, STAGE_APPLY, out, w->places[id].view);
  }
}

/* Puts the steps of one stage together, keeping their order. */
static void sort_steps(struct lowered *l) {
  struct step *sorted = memory_alloc(l->step_count, sizeof *sorted);
  uint32_t count = 0;
  for (int stage = 0; stage < STAGE_COUNT; stage++) {
    for (uint32_t i = 0; i < l->step_count; i++) {
      if (l->steps[i].stage == stage) {
        sorted[count++] = l->steps[i];
      }
    }
    l->stage_end[stage] = count;
  }
  free(l->steps);
  l->steps = sorted;
  l->step_capacity = l->step_count;
}

int32_t lowered_new(const struct draft *d, int plain, int32_t dtype, struct lowered *out) {
  struct lowering w = {.draft = d, .out = out, .plain = plain};
  tier_value *order = NULL;
  uint32_t count = schedule_values(d, &order);
  *out = (struct lowered){.dtype = dtype, .arena = arena_new()};
  w.places = memory_alloc(d->graph->count, sizeof *w.places);
  w.stages = draft_stages(d);
  lower_inputs(&w);
  for (uint32_t i = 0; i < count; i++) {
    const struct value *v = graph_value(d->graph, order[i]);
    if (v->op != OP_INPUT) {
      set_place(&w, order[i], lower_value(&w, order[i], v));
    }
  }
  for (uint32_t i = 0; i < d->output_count; i++) {
    lower_output(&w, i);
  }
  sort_steps(out);
  free(order);
  free(w.places);
  free(w.stages);
  return TIER_OK;
}

void lowered_free(struct lowered *l) {
  free(l->steps);
  free(l->buffers);
  free(l->regions);
  arena_free(l->arena);
  *l = (struct lowered){0};
}

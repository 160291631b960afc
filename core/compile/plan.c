/* Memory: all buffers of a program lie in one arena. What a later stage reads is kept; the rest
 * shares memory with what is not alive at the same time. bind and apply use the same region for
 * their temporaries, as they never run at once. */
#include <stdlib.h>

#include "base/memory.h"
#include "compile/lower.h"

#define ALIGNMENT 64

/* ---- lifetimes ----------------------------------------------------------------------------- */

static struct buffer *root_of(struct lowered *l, const struct view *v) {
  int64_t start = 0;
  return &l->buffers[buffer_root(l, v->buffer, &start)];
}

static void touch(struct buffer *b, int64_t first, int64_t last) {
  b->first = b->first < 0 ? first : b->first;
  b->last = last;
}

/* Sets first, last and kept of all roots. */
static void find_lifetimes(struct lowered *l) {
  for (uint32_t i = 0; i < l->buffer_count; i++) {
    l->buffers[i].first = -1;
    l->buffers[i].last = -1;
  }
  for (uint32_t i = 0; i < l->step_count; i++) {
    const struct instruction *code = &l->steps[i].code;
    /* The steps of a region all run at once. */
    const struct region *r =
        l->steps[i].region != NO_REGION ? &l->regions[l->steps[i].region] : NULL;
    int64_t first = r != NULL ? r->first : i;
    int64_t last = r != NULL ? r->first + r->count - 1 : i;
    for (uint32_t j = 0; j < code->input_count; j++) {
      struct buffer *b = root_of(l, &code->inputs[j]);
      touch(b, first, last);
      b->kept |= l->steps[i].stage > b->stage;
    }
    touch(root_of(l, &code->out), first, last);
    if (r != NULL) {
      touch(&l->buffers[r->memory], first, last);
    }
  }
}

/* ---- in place ------------------------------------------------------------------------------ */

/* The view, naming the root of its buffer. */
static struct view resolved(const struct lowered *l, const struct view *v) {
  struct view r = *v;
  r.buffer = buffer_root(l, v->buffer, &r.offset);
  return r;
}

/* 1 if step `at` may write its output over input `j`, which lies in `in`: nobody needs that input
 * afterwards, and the step reads its memory in no other way. */
static int can_overwrite(struct lowered *l, uint32_t at, uint32_t j) {
  const struct instruction *code = &l->steps[at].code;
  struct view in = resolved(l, &code->inputs[j]);
  const struct buffer *b = &l->buffers[in.buffer];
  if (b->kind != BUFFER_OWN || b->kept || b->last != (int64_t)at ||
      b->stage != l->steps[at].stage || b->size != view_size(&code->out) || in.offset != 0 ||
      in.type != code->out.type || !view_is_dense(&in)) {
    return 0;
  }
  for (uint32_t k = 0; k < code->input_count; k++) {
    struct view other = resolved(l, &code->inputs[k]);
    if (other.buffer == in.buffer && (other.offset != 0 || !view_is_dense(&other))) {
      return 0;
    }
  }
  return 1;
}

static void work_in_place(struct lowered *l, uint32_t at) {
  struct instruction *code = &l->steps[at].code;
  const struct operation *operation = operation_get(code->op);
  struct buffer *out = &l->buffers[code->out.buffer];
  if (operation == NULL || (operation->flags & OPERATION_ELEMENTWISE) == 0 ||
      out->kind != BUFFER_OWN || out->kept || code->out.offset != 0 ||
      out->size != view_size(&code->out)) {
    return;
  }
  for (uint32_t j = 0; j < code->input_count; j++) {
    if (can_overwrite(l, at, j)) {
      struct buffer *in = root_of(l, &code->inputs[j]);
      out->parent = (uint32_t)(in - l->buffers);
      out->start = 0;
      in->last = out->last;
      return;
    }
  }
}

/* ---- addresses ----------------------------------------------------------------------------- */

static int larger(const void *a, const void *b) {
  const struct buffer *x = *(struct buffer *const *)a;
  const struct buffer *y = *(struct buffer *const *)b;
  if (x->bytes != y->bytes) {
    return x->bytes < y->bytes ? 1 : -1;
  }
  return x < y ? -1 : x > y;
}

static int alive_together(const struct buffer *a, const struct buffer *b) {
  return a->first <= b->last && b->first <= a->last;
}

/* The lowest gap among those of `placed` (in order of offset) that live at the same time. */
static void place(struct buffer *b, struct buffer **placed, size_t count) {
  size_t at = 0;
  for (size_t i = 0; i < count; i++) {
    if (alive_together(b, placed[i])) {
      if (placed[i]->offset >= at + b->bytes) {
        break;
      }
      size_t end = placed[i]->offset + placed[i]->bytes;
      at = end > at ? end : at;
    }
  }
  b->offset = at;
  size_t i = count;
  for (; i > 0 && placed[i - 1]->offset > at; i--) {
    placed[i] = placed[i - 1];
  }
  placed[i] = b;
}

/* Largest first. */
size_t place_together(struct buffer **all, size_t count) {
  struct buffer **placed = memory_alloc(count, sizeof(struct buffer *));
  size_t bytes = 0;
  qsort(all, count, sizeof(struct buffer *), larger);
  for (size_t i = 0; i < count; i++) {
    place(all[i], placed, i);
    size_t end = all[i]->offset + all[i]->bytes;
    bytes = end > bytes ? end : bytes;
  }
  free(placed);
  return bytes;
}

static size_t place_buffers(struct lowered *l) {
  struct buffer **temporaries = memory_alloc(l->buffer_count, sizeof(struct buffer *));
  size_t count = 0;
  size_t kept = 0;
  for (uint32_t i = 0; i < l->buffer_count; i++) {
    struct buffer *b = &l->buffers[i];
    if (b->parent != NO_BUFFER || b->kind > BUFFER_CONSTANT || b->first < 0 || b->scratch) {
      continue;
    }
    size_t element = b->type == TIER_I32 ? 4 : dtype_size(l->dtype);
    b->bytes = ((size_t)b->size * element + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (b->kind == BUFFER_CONSTANT || b->kept) {
      b->offset = kept;
      kept += b->bytes;
    } else {
      temporaries[count++] = b;
    }
  }
  size_t shared = place_together(temporaries, count);
  for (size_t i = 0; i < count; i++) {
    temporaries[i]->offset += kept;
  }
  free(temporaries);
  return kept + shared;
}

static void resolve(const struct lowered *l, struct instruction *code) {
  for (uint32_t j = 0; j < code->input_count; j++) {
    code->inputs[j] = resolved(l, &code->inputs[j]);
  }
  code->out = resolved(l, &code->out);
}

void resolve_views(struct lowered *l) {
  for (uint32_t i = 0; i < l->step_count; i++) {
    resolve(l, &l->steps[i].code);
  }
  for (uint32_t i = 0; i < l->region_count; i++) {
    for (uint32_t k = 0; k < l->regions[i].count; k++) {
      resolve(l, &l->regions[i].steps[k].code);
    }
  }
}

void plan_memory(struct lowered *l, size_t *bytes) {
  find_lifetimes(l);
  for (uint32_t i = 0; i < l->step_count; i++) {
    if (l->steps[i].region == NO_REGION) {
      work_in_place(l, i);
    }
  }
  resolve_views(l);
  *bytes = place_buffers(l);
}

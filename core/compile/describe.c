#include "compile/describe.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"

/* Elements that a view touches: those repeated by a stride of 0 are touched once. */
static int64_t distinct(const struct view *v) {
  int64_t n = 1;
  for (int32_t i = 0; i < v->rank; i++) {
    n *= v->strides[i] == 0 && v->dims[i] > 0 ? 1 : v->dims[i];
  }
  return n;
}

int64_t step_flops(const struct instruction *i) {
  const struct view *x = i->inputs;
  const struct operation *operation = operation_get(i->op);
  if (i->op == TIER_OP_MATMUL) {
    return 2 * view_size(&i->out) * x->dims[x->rank - 1 - i->ints[0]];
  }
  if (i->op == TIER_OP_SUM) {
    return view_size(x);
  }
  int counts = operation != NULL && (operation->flags & OPERATION_ELEMENTWISE) != 0;
  return counts ? view_size(&i->out) : 0;
}

int64_t step_bytes(const struct instruction *i, int32_t dtype) {
  int64_t bytes = distinct(&i->out) * (int64_t)view_element(&i->out, dtype);
  for (uint32_t j = 0; j < i->input_count; j++) {
    bytes += distinct(&i->inputs[j]) * (int64_t)view_element(&i->inputs[j], dtype);
  }
  return bytes;
}

/* "2000x784", "scalar" */
static void add_shape(struct text *t, const struct view *v) {
  if (v->rank == 0) {
    text_add(t, "scalar");
  }
  for (int32_t i = 0; i < v->rank; i++) {
    text_format(t, i == 0 ? "%lld" : "x%lld", (long long)v->dims[i]);
  }
}

/* A matmul by its operands as they are stored (t: transposed), others by what is read and written:
 * "784x2000t 2000x10", "2000x10 -> 2000", "2000x10". */
static void add_shapes(struct text *t, const struct instruction *i) {
  if (i->op == TIER_OP_MATMUL) {
    for (int j = 0; j < 2; j++) {
      text_add(t, j == 0 ? "" : " ");
      add_shape(t, &i->inputs[j]);
      text_add(t, i->ints[j] != 0 ? "t" : "");
    }
    return;
  }
  if (i->input_count == 1 && view_size(&i->inputs[0]) != view_size(&i->out)) {
    add_shape(t, &i->inputs[0]);
    text_add(t, " -> ");
  }
  add_shape(t, &i->out);
}

static struct profile_step describe(const struct lowered *l, const struct step *s,
                                    const struct origin *o, struct text *shapes) {
  add_shapes(shapes, &s->code);
  return (struct profile_step){
      .op = s->code.op == OP_COPY ? "copy" : operation_get(s->code.op)->name,
      .shapes = text_get(shapes),
      .plugin = o->plugin,
      .entry = o->entry,
      .place = o->place,
      .flops = step_flops(&s->code),
      .bytes = step_bytes(&s->code, l->dtype)};
}

struct profile_program *describe_program(struct profile *p, const char *name,
                                         const struct lowered *l, const struct graph *g) {
  if (p == NULL) {
    return NULL;
  }
  struct profile_step *steps = memory_alloc(l->step_count, sizeof *steps);
  struct text *shapes = memory_alloc(l->step_count, sizeof *shapes);
  for (uint32_t i = 0; i < l->step_count; i++) {
    const struct step *s = &l->steps[i];
    steps[i] = describe(l, s, &g->origins[s->origin], &shapes[i]);
  }
  struct profile_program *q =
      profile_program(p, name != NULL ? name : "program", steps, l->step_count);
  for (uint32_t i = 0; i < l->step_count; i++) {
    text_free(&shapes[i]);
  }
  free(shapes);
  free(steps);
  return q;
}

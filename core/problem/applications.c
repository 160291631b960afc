/* What a function's or model's `build` sees (tier/function.h): the expressions at its slots, all
 * with one leading row axis; or, for element-wise functions, all of one shape. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/builder.h"
#include "problem/instances.h"
#include "problem/variables.h"

/* One call being built. */
struct call {
  tier_build face;
  struct builder *b;
  struct place place;
  const struct application *application; /* NULL: a call of a model */
  const struct meaning *point;           /* of a set's call: what is projected; else NULL */
  const struct component *component;
  const struct instance *instance;
  const struct argument *arguments;
  size_t argument_count;
  struct meaning *meanings; /* of all expressions of all arguments, in order */
  size_t meaning_count;
  tier_value *prepared;            /* the same, as the plugin sees them */
  int rows;                        /* data, or -1 */
  int64_t row_count;               /* 1 where there are no rows */
  const struct variable *variable; /* of a model's call */
  int variable_index;
  tier_value with; /* flat parameters (N) in place of the variable's own; 0: its own */
  struct named_value outputs[16];
  size_t output_count;
};

/* ---- shapes ---- */

struct shape {
  int32_t rank;
  int64_t dims[TIER_MAX_RANK];
};

static struct shape shape_of(struct builder *b, tier_value v) {
  struct shape s = {0};
  s.rank = b->g->face.api->shape(&b->g->face, v, s.dims);
  return s;
}

/* The shape of one row: without the row axis, if there is one. */
static struct shape row_shape(struct builder *b, const struct meaning *m) {
  struct shape s = shape_of(b, m->value);
  if (m->rows >= 0) {
    memmove(s.dims, s.dims + 1, (size_t)(s.rank - 1) * sizeof *s.dims);
    s.rank--;
  }
  return s;
}

/* The common shape of two, aligned at their ends; sizes must agree or be 1. */
static int32_t common_shape(struct shape *a, const struct shape *b) {
  struct shape out = {.rank = a->rank > b->rank ? a->rank : b->rank};
  for (int32_t i = 0; i < out.rank; i++) {
    int32_t ia = i - (out.rank - a->rank);
    int32_t ib = i - (out.rank - b->rank);
    int64_t da = ia >= 0 ? a->dims[ia] : 1;
    int64_t db = ib >= 0 ? b->dims[ib] : 1;
    if (da != db && da != 1 && db != 1) {
      return fail(TIER_E_INVALID, "sizes %lld and %lld do not fit together", (long long)da,
                  (long long)db);
    }
    out.dims[i] = da == 1 ? db : da;
  }
  *a = out;
  return TIER_OK;
}

/* Brings a value to (rows?, target): ones are put in between, then it is broadcast. */
static tier_value align(struct call *c, const struct meaning *m, const struct shape *target) {
  tier_graph *g = &c->b->g->face;
  struct shape row = row_shape(c->b, m);
  int has_rows = c->rows >= 0;
  struct shape from = {.rank = target->rank + has_rows};
  struct shape to = from;
  for (int32_t i = 0; i < target->rank; i++) {
    int32_t k = i - (target->rank - row.rank);
    from.dims[i + has_rows] = k >= 0 ? row.dims[k] : 1;
    to.dims[i + has_rows] = target->dims[i];
  }
  if (has_rows) {
    from.dims[0] = m->rows >= 0 ? c->row_count : 1;
    to.dims[0] = c->row_count;
  }
  struct shape now = shape_of(c->b, m->value);
  tier_value v = m->value;
  if (now.rank != from.rank || memcmp(now.dims, from.dims, (size_t)now.rank * 8) != 0) {
    v = tier_reshape(g, v, from.dims, from.rank);
  }
  if (memcmp(from.dims, to.dims, (size_t)from.rank * sizeof *from.dims) != 0) {
    v = tier_broadcast(g, v, to.dims, to.rank);
  }
  return v;
}

static int32_t align_all(struct call *c) {
  struct shape target = {0};
  for (size_t i = 0; i < c->meaning_count; i++) {
    struct shape row = row_shape(c->b, &c->meanings[i]);
    TIER_TRY(common_shape(&target, &row));
  }
  if (target.rank + (c->rows >= 0) > TIER_MAX_RANK) {
    return fail(TIER_E_INVALID, "more than %d axes", TIER_MAX_RANK);
  }
  for (size_t i = 0; i < c->meaning_count; i++) {
    c->prepared[i] = align(c, &c->meanings[i], &target);
  }
  return TIER_OK;
}

/* Gives each value the leading row axis of the call. */
static int32_t lift_all(struct call *c) {
  for (size_t i = 0; i < c->meaning_count; i++) {
    struct shape row = row_shape(c->b, &c->meanings[i]);
    struct shape lifted = {.rank = row.rank + 1};
    if (lifted.rank > TIER_MAX_RANK) {
      return fail(TIER_E_INVALID, "more than %d axes", TIER_MAX_RANK);
    }
    memcpy(lifted.dims + 1, row.dims, (size_t)row.rank * sizeof *row.dims);
    lifted.dims[0] = 1;
    tier_value v = c->meanings[i].value;
    if (c->meanings[i].rows < 0) {
      v = tier_reshape(&c->b->g->face, v, lifted.dims, lifted.rank);
      lifted.dims[0] = c->row_count;
      if (c->row_count != 1) {
        v = tier_broadcast(&c->b->g->face, v, lifted.dims, lifted.rank);
      }
    }
    c->prepared[i] = v;
  }
  return TIER_OK;
}

/* ---- the face that the plugin sees ---- */

static struct call *call_of(tier_build *face) {
  return (struct call *)(void *)face;
}

/* The argument at a slot, and where its values begin among `prepared`. */
static const struct argument *find(const struct call *c, const char *slot, size_t *first) {
  *first = 0;
  for (size_t i = 0; i < c->argument_count; i++) {
    if (strcmp(c->arguments[i].slot->name, slot) == 0) {
      return &c->arguments[i];
    }
    *first += c->arguments[i].expr_count;
  }
  return NULL;
}

static tier_value input_at(tier_build *face, const char *slot, int64_t index) {
  struct call *c = call_of(face);
  size_t first = 0;
  const struct argument *a = find(c, slot, &first);
  if (c->point != NULL && strcmp(slot, "x") == 0) {
    return c->prepared[c->meaning_count - 1];
  }
  if (a == NULL || index < 0) {
    return 0;
  }
  if (a->expr_count > 0) {
    return (size_t)index < a->expr_count ? c->prepared[first + (size_t)index] : 0;
  }
  if (a->number_count == 0 || (size_t)index >= a->number_count) {
    return 0;
  }
  /* a number slot read as a value: a scalar per row, or of the common shape */
  if ((c->component->c.flags & TIER_ELEMENTWISE) && c->meaning_count > 0) {
    return tier_fill_like(face->graph, c->prepared[0], a->numbers[index]);
  }
  return tier_fill(face->graph, a->numbers[index], &c->row_count, 1);
}

static tier_value input(tier_build *face, const char *slot) {
  return input_at(face, slot, 0);
}

static int64_t count(tier_build *face, const char *slot) {
  size_t first = 0;
  const struct argument *a = find(call_of(face), slot, &first);
  return a != NULL ? (int64_t)a->expr_count : 0;
}

static tier_value variable(tier_build *face, const char *name) {
  struct call *c = call_of(face);
  for (size_t t = 0; c->variable != NULL && t < c->variable->tensor_count; t++) {
    const struct tensor *tensor = &c->variable->tensors[t];
    if (strcmp(tensor->name, name) == 0) {
      if (c->with == 0) {
        return builder_tensor(c->b, c->variable_index, (int)t);
      }
      tier_value flat =
          tier_slice_axis(face->graph, c->with, 0, tensor->offset, tensor->offset + tensor->size);
      return tier_reshape(face->graph, flat, tensor->dims, tensor->rank);
    }
  }
  return face->graph->api->fail(face->graph, "a variable that was not declared");
}

static tier_value key(tier_build *face) {
  const struct call *c = call_of(face);
  const struct application *a = c->application;
  return builder_key(c->b, a != NULL && a->stream != NULL ? a->stream : c->place.path);
}

static int32_t output(tier_build *face, const char *name, tier_value v) {
  struct call *c = call_of(face);
  if (c->output_count == sizeof c->outputs / sizeof c->outputs[0]) {
    return fail(TIER_E_PLUGIN, "%s has more than 16 outputs", c->component->c.id);
  }
  c->outputs[c->output_count].name = name != NULL ? arena_text(c->b->arena, name) : NULL;
  c->outputs[c->output_count++].value = v;
  return TIER_OK;
}

static const tier_build_1 call_interface = {
    .struct_size = (uint32_t)sizeof(tier_build_1),
    .input = input,
    .count = count,
    .input_at = input_at,
    .variable = variable,
    .key = key,
    .output = output,
};

/* ---- building ---- */

static int32_t evaluate_arguments(struct call *c) {
  size_t total = 0;
  for (size_t i = 0; i < c->argument_count; i++) {
    total += c->arguments[i].expr_count;
  }
  c->meanings = memory_alloc(total + 1, sizeof *c->meanings);
  c->prepared = memory_alloc(total + 1, sizeof *c->prepared);
  for (size_t i = 0; i < c->argument_count; i++) {
    const struct argument *a = &c->arguments[i];
    for (size_t k = 0; k < a->expr_count; k++) {
      struct meaning *m = &c->meanings[c->meaning_count];
      TIER_TRY(builder_value(c->b, a->exprs[k], m));
      int is_integer = graph_value(c->b->g, m->value)->type == TIER_I32;
      if (is_integer != ((a->slot->flags & TIER_SLOT_LABELS) != 0)) {
        (void)fail(TIER_E_INVALID,
                   is_integer ? "slot \"%s\" of %s takes real values, not labels"
                              : "slot \"%s\" of %s takes labels (whole numbers of a data's field)",
                   a->slot->name, c->component->c.id);
        return fail_at(&a->exprs[k]->place, TIER_E_INVALID);
      }
      c->meaning_count++;
    }
  }
  if (c->point != NULL) {
    c->meanings[c->meaning_count++] = *c->point;
  }
  return TIER_OK;
}

/* An application has the rows of its inputs; rows of two data meeting is an error. */
static int32_t find_rows(struct call *c) {
  c->rows = -1;
  for (size_t i = 0; i < c->meaning_count; i++) {
    int rows = c->meanings[i].rows;
    if (rows < 0 || rows == c->rows) {
      continue;
    }
    if (c->rows >= 0 && !(c->component->c.flags & (TIER_PAIRS_ROWS | TIER_COMPARES))) {
      return fail(TIER_E_INVALID, "%s mixes rows of \"%s\" and of \"%s\"", c->component->c.id,
                  c->b->p->m->data[c->rows].name, c->b->p->m->data[rows].name);
    }
    c->rows = c->rows < 0 ? rows : c->rows;
  }
  c->row_count = c->rows >= 0 ? builder_rows(c->b, c->rows) : 1;
  return TIER_OK;
}

/* Takes the row axis away again where the call's inputs had none. */
static int32_t finish(struct call *c, struct meaning *out) {
  struct builder *b = c->b;
  int elementwise = (c->component->c.flags & TIER_ELEMENTWISE) != 0;
  if (c->output_count == 0) {
    return fail(TIER_E_PLUGIN, "%s gave no output", c->component->c.id);
  }
  TIER_TRY(graph_status(b->g));
  for (size_t i = 0; i < c->output_count && elementwise; i++) {
    struct shape s = shape_of(b, c->outputs[i].value);
    struct shape given = shape_of(b, c->prepared[0]);
    if (s.rank != given.rank || memcmp(s.dims, given.dims, (size_t)s.rank * sizeof *s.dims) != 0) {
      return fail(TIER_E_PLUGIN, "%s gave an output of another shape than its inputs",
                  c->component->c.id);
    }
  }
  for (size_t i = 0; i < c->output_count && !elementwise; i++) {
    struct shape s = shape_of(b, c->outputs[i].value);
    if (s.rank < 1 || s.dims[0] != c->row_count) {
      return fail(TIER_E_PLUGIN, "%s gave an output without the rows of its inputs",
                  c->component->c.id);
    }
    if (c->rows < 0) {
      c->outputs[i].value = tier_reshape(&b->g->face, c->outputs[i].value, s.dims + 1, s.rank - 1);
    }
  }
  out->rows = c->rows;
  if (c->output_count == 1 && c->outputs[0].name == NULL) {
    out->value = c->outputs[0].value;
  } else {
    out->output_count = c->output_count;
    out->outputs = arena_copy(b->arena, c->outputs, c->output_count * sizeof *c->outputs);
  }
  return TIER_OK;
}

static int32_t build(struct call *c, const char *entry, struct meaning *out) {
  const tier_function_1 *api = instance_get(c->instance, "tier.function/1");
  if (api == NULL) {
    return fail(TIER_E_INVALID, "%s is a %s: it cannot stand in an expression", c->component->c.id,
                c->component->c.kind);
  }
  TIER_TRY(evaluate_arguments(c));
  TIER_TRY(find_rows(c));
  TIER_TRY((c->component->c.flags & TIER_ELEMENTWISE) ? align_all(c) : lift_all(c));
  const char *place =
      arena_format(c->b->arena, "%s:%d:%d", c->place.file, c->place.line, c->place.column);
  uint32_t before = graph_origin(
      c->b->g, (struct origin){.plugin = c->component->c.id, .entry = entry, .place = place});
  int32_t status = api->build(c->instance->object, entry, &c->face);
  graph_restore_origin(c->b->g, before);
  return status < 0 ? status : finish(c, out);
}

static void release(struct call *c) {
  free(c->meanings);
  free(c->prepared);
}

int32_t builder_apply(struct builder *b, const struct expr *e, struct meaning *out) {
  struct instance *i = NULL;
  TIER_TRY(instances_get(b->p, e->application, NULL, &i));
  struct call c = {.face = {&call_interface, &b->g->face},
                   .b = b,
                   .place = e->place,
                   .application = e->application,
                   .component = e->application->component,
                   .instance = i,
                   .arguments = e->application->arguments,
                   .argument_count = e->application->argument_count};
  int32_t status = build(&c, NULL, out);
  release(&c);
  return status;
}

int32_t builder_call(struct builder *b, const struct expr *e, struct meaning *out) {
  const struct variable *v = &b->p->variables[e->index];
  TIER_TRY(variables_need(b->p, e->index));
  struct call c = {.face = {&call_interface, &b->g->face},
                   .b = b,
                   .place = e->place,
                   .component = v->declared->model->component,
                   .instance = v->model,
                   .arguments = e->arguments,
                   .argument_count = e->argument_count,
                   .variable = v,
                   .variable_index = e->index};
  if (e->with != NULL) {
    struct meaning with;
    TIER_TRY(builder_value(b, e->with, &with));
    if (with.rows >= 0) {
      return fail(TIER_E_UNSUPPORTED, "\"with\" that has rows is not supported yet");
    }
    const struct value *value = graph_value(b->g, with.value);
    if (value->rank != 1 || value->dims[0] != v->copy_size) {
      return fail(TIER_E_INVALID, "\"with\" has %lld numbers, the model has %lld",
                  (long long)value_size(value), (long long)v->copy_size);
    }
    c.with = with.value;
  }
  int32_t status = build(&c, e->entry->name, out);
  release(&c);
  return status;
}

int32_t builder_project(struct builder *b, const struct application *set, const struct meaning *x,
                        tier_value *out) {
  struct instance *i = NULL;
  struct meaning projected = {0};
  TIER_TRY(instances_get(b->p, set, NULL, &i));
  struct call c = {.face = {&call_interface, &b->g->face},
                   .b = b,
                   .place = set->place,
                   .application = set,
                   .point = x,
                   .component = set->component,
                   .instance = i,
                   .arguments = set->arguments,
                   .argument_count = set->argument_count};
  int32_t status = build(&c, "project", &projected);
  if (status == TIER_OK) {
    struct shape before = shape_of(b, x->value);
    struct shape after = shape_of(b, projected.value);
    int same = before.rank == after.rank &&
               memcmp(before.dims, after.dims, (size_t)before.rank * sizeof *before.dims) == 0;
    status = same ? TIER_OK
                  : fail(TIER_E_INVALID,
                         "%s: its arguments have another shape than the variable that it holds",
                         set->component->c.id);
  }
  release(&c);
  *out = projected.value;
  return status < 0 ? fail_at(&set->place, status) : TIER_OK;
}

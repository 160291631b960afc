#include "problem/builder.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/instances.h"
#include "problem/sources.h"
#include "problem/variables.h"

int32_t builder_new(struct problem *p, const struct context *context, struct builder *b) {
  *b = (struct builder){.p = p, .arena = arena_new(), .context = context, .g = graph_new()};
  return b->g != NULL ? TIER_OK : fail(TIER_E_MEMORY, "no memory for a graph");
}

void builder_free(struct builder *b) {
  graph_free(b->g);
  arena_free(b->arena);
  free(b->inputs);
  free(b->memos);
  *b = (struct builder){0};
}

/* ---- inputs ---- */

tier_value builder_find(const struct builder *b, enum input_kind kind, int index, int part) {
  for (size_t i = 0; i < b->input_count; i++) {
    const struct input *in = &b->inputs[i];
    if (in->kind == kind && in->index == index && in->part == part) {
      return in->value;
    }
  }
  return 0;
}

tier_value builder_input(struct builder *b, enum input_kind kind, int index, int part, int32_t type,
                         const int64_t *dims, int32_t rank) {
  static const char *const names[] = {"tensor",   "copies", "field", "rows", "key",
                                      "gradient", "w",      "g",     "state"};
  tier_value v = builder_find(b, kind, index, part);
  if (v == 0) {
    v = graph_input(b->g, type, dims, rank, names[kind]);
    struct input in = {.kind = kind, .index = index, .part = part, .value = v};
    array_push(b->inputs, b->input_count, b->input_capacity, in);
  }
  return v;
}

tier_value builder_tensor(struct builder *b, int variable, int tensor) {
  const struct variable *v = &b->p->variables[variable];
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = tensor_shape(v, &v->tensors[tensor], dims);
  return builder_input(b, INPUT_TENSOR, variable, tensor, TIER_REAL, dims, rank);
}

/* Its number among the problem's random streams. */
static int noise_index(struct problem *p, const char *name) {
  for (size_t i = 0; i < p->noise_count; i++) {
    if (strcmp(p->noise_names[i], name) == 0) {
      return (int)i;
    }
  }
  array_push(p->noise_names, p->noise_count, p->noise_capacity, name);
  return (int)p->noise_count - 1;
}

tier_value builder_key(struct builder *b, const char *stream) {
  int64_t four = 4;
  return builder_input(b, INPUT_KEY, 0, noise_index(b->p, stream), TIER_I32, &four, 1);
}

int64_t builder_rows(const struct builder *b, int index) {
  const struct rows *rows = &b->context->data[index];
  return rows->indexed ? rows->count : b->p->data[rows->source].rows;
}

/* ---- names ---- */

static int32_t field_value(struct builder *b, const struct expr *e, struct meaning *out) {
  int source = b->context->data[e->index].source;
  struct held_data *held = NULL;
  TIER_TRY(sources_get(b->p, source, &held));
  int field = sources_field(held, e->name);
  if (field < 0) {
    struct text names = {0};
    for (size_t i = 0; i < held->field_count; i++) {
      text_format(&names, "%s%s", i > 0 ? ", " : "", held->fields[i].field->name);
    }
    int32_t status = fail(TIER_E_INVALID, "data \"%s\" has no field \"%s\"; its fields are %s",
                          held->declared->name, e->name, text_get(&names));
    text_free(&names);
    return status;
  }
  int64_t rows = builder_rows(b, e->index);
  if (rows < 0) {
    return fail(TIER_E_INVALID,
                "data \"%s\" has no end, so it cannot be read whole: give the "
                "level a \"batch\", or take some rows of it",
                held->declared->name);
  }
  const struct data_field *f = held->fields[field].field;
  int64_t dims[TIER_MAX_RANK];
  if (f->rank + 1 > TIER_MAX_RANK) {
    return fail(TIER_E_INVALID, "field \"%s\" has too many axes", e->name);
  }
  dims[0] = rows;
  memcpy(dims + 1, f->dims, (size_t)f->rank * sizeof *dims);
  out->value = builder_input(b, INPUT_FIELD, e->index, field, f->type, dims, f->rank + 1);
  out->rows = e->index;
  return TIER_OK;
}

static int32_t no_such_part(const struct variable *v, const char *part) {
  struct text names = {0};
  for (size_t i = 0; i < v->tensor_count; i++) {
    text_format(&names, "%s%s", i > 0 ? ", " : "", v->tensors[i].name);
  }
  int32_t status = fail(TIER_E_INVALID, "model \"%s\" has no part \"%s\"; its tensors are %s",
                        v->declared->name, part, text_get(&names));
  text_free(&names);
  return status;
}

/* A whole model, or a part of it: its tensors flat, one after the other, shape (N). */
static int32_t flat_model(struct builder *b, int index, const char *part, tier_value *out) {
  const struct variable *v = &b->p->variables[index];
  tier_value *pieces = memory_alloc(v->tensor_count, sizeof *pieces);
  uint32_t count = 0;
  for (size_t t = 0; t < v->tensor_count; t++) {
    if (tensor_in_part(&v->tensors[t], part)) {
      tier_value tensor = builder_tensor(b, index, (int)t);
      pieces[count++] = tier_reshape(&b->g->face, tensor, &v->tensors[t].size, 1);
    }
  }
  if (count > 0) {
    *out = count == 1 ? pieces[0] : tier_concat(&b->g->face, pieces, count, 0);
  }
  free(pieces);
  return count > 0 ? TIER_OK : no_such_part(v, part);
}

/* v.all of a variable `per` a level: every copy, shape (n, ...). */
static int32_t all_copies(struct builder *b, int index, tier_value *out) {
  const struct variable *v = &b->p->variables[index];
  int64_t dims[TIER_MAX_RANK] = {v->copies, v->copy_size};
  int32_t rank = 2;
  if (v->declared->model == NULL) {
    rank = v->tensors[0].rank + 1;
    if (rank > TIER_MAX_RANK) {
      return fail(TIER_E_INVALID, "all copies of variable \"%s\" have more than %d axes",
                  v->declared->name, TIER_MAX_RANK);
    }
    memcpy(dims + 1, v->tensors[0].dims, (size_t)v->tensors[0].rank * sizeof *dims);
  }
  *out = builder_input(b, INPUT_COPIES, index, 0, TIER_REAL, dims, rank);
  return TIER_OK;
}

static int32_t variable_value(struct builder *b, const struct expr *e, struct meaning *out) {
  const struct variable *v = &b->p->variables[e->index];
  TIER_TRY(variables_need(b->p, e->index));
  if (e->kind == EXPR_ALL && v->declared->per_level >= 0) {
    return all_copies(b, e->index, &out->value);
  }
  if (v->declared->model != NULL) {
    return flat_model(b, e->index, e->name, &out->value);
  }
  out->value = builder_tensor(b, e->index, 0);
  int data = v->declared->per_data;
  if (data < 0 || e->kind == EXPR_ALL) {
    return TIER_OK;
  }
  out->rows = data;
  const struct rows *rows = &b->context->data[data];
  if (rows->source != data) {
    return fail(TIER_E_INVALID,
                "variable \"%s\" has a copy for each row of \"%s\", so it cannot be "
                "read on other data",
                v->declared->name, b->p->data[data].declared->name);
  }
  if (rows->indexed && v->copies == 0) {
    return fail(TIER_E_INVALID, "batch of %lld rows from data \"%s\", which has none",
                (long long)rows->count, b->p->data[data].declared->name);
  }
  if (rows->indexed) {
    tier_value index = builder_input(b, INPUT_ROWS, data, 0, TIER_I32, &rows->count, 1);
    out->value = tier_gather(&b->g->face, out->value, index, 0);
  }
  return TIER_OK;
}

static int32_t gradient_value(struct builder *b, const struct expr *e, struct meaning *out) {
  const struct variable *v = &b->p->variables[e->index];
  if (v->owner < 0) {
    return fail(TIER_E_INVALID, "variable \"%s\" has no gradient: no level is over it",
                v->declared->name);
  }
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = 1;
  dims[0] = v->size;
  if (v->declared->model == NULL) {
    rank = tensor_shape(v, &v->tensors[0], dims);
  }
  if (v->declared->per_level >= 0) { /* all copies */
    memmove(dims + 1, dims, (size_t)rank * sizeof *dims);
    dims[0] = v->copies;
    rank++;
  }
  out->value = builder_input(b, INPUT_GRADIENT, e->index, 0, TIER_REAL, dims, rank);
  out->rows = v->declared->per_data;
  return TIER_OK;
}

static int32_t value_output(struct builder *b, const struct expr *e, struct meaning *out) {
  struct meaning whole;
  TIER_TRY(builder_expr(b, b->p->m->values[e->index].expr, &whole));
  if (e->name == NULL) {
    *out = whole;
    return TIER_OK;
  }
  for (size_t i = 0; i < whole.output_count; i++) {
    if (whole.outputs[i].name != NULL && strcmp(whole.outputs[i].name, e->name) == 0) {
      out->value = whole.outputs[i].value;
      out->rows = whole.rows;
      return TIER_OK;
    }
  }
  return fail(TIER_E_INVALID, "value \"%s\" has no output \"%s\"", b->p->m->values[e->index].name,
              e->name);
}

static int32_t objective_value(struct builder *b, const struct expr *e, struct meaning *out) {
  const struct manifest_objective *o = &b->p->m->objectives[e->index];
  for (size_t i = 0; i < o->term_count; i++) {
    tier_value term = 0;
    TIER_TRY(builder_term(b, o->terms[i], &term));
    out->value = graph_add(b->g, out->value, term);
  }
  return TIER_OK;
}

static tier_value numbers_value(struct builder *b, const struct expr *e) {
  int64_t count = (int64_t)e->number_count;
  tier_attributes attributes = {.struct_size = (uint32_t)sizeof attributes,
                                .int_count = 1,
                                .ints = &count,
                                .real_count = (uint32_t)e->number_count,
                                .reals = e->numbers};
  return b->g->face.api->emit(&b->g->face, TIER_OP_CONSTANT, NULL, 0, &attributes);
}

static int32_t build_expr(struct builder *b, const struct expr *e, struct meaning *out) {
  switch (e->kind) {
    case EXPR_NUMBER:
      out->value = tier_scalar(&b->g->face, e->numbers[0]);
      return TIER_OK;
    case EXPR_NUMBERS:
      out->value = numbers_value(b, e);
      return TIER_OK;
    case EXPR_FIELD:
      return field_value(b, e, out);
    case EXPR_VARIABLE:
    case EXPR_ALL:
      return variable_value(b, e, out);
    case EXPR_GRADIENT:
      return gradient_value(b, e, out);
    case EXPR_VALUE:
      return value_output(b, e, out);
    case EXPR_OBJECTIVE:
      return objective_value(b, e, out);
    case EXPR_APPLY:
      return builder_apply(b, e, out);
    case EXPR_CALL:
      return builder_call(b, e, out);
    case EXPR_LEVEL:
      return fail(TIER_E_UNSUPPORTED, "reading \"%s\" of level \"%s\" is not supported yet",
                  e->name, b->p->m->levels[e->index].name);
  }
  return fail(TIER_E_INTERNAL, "unknown kind of expression %d", (int)e->kind);
}

/* Expressions inside expressions, names followed: each takes stack. */
#define MOST_NESTED 1000

int32_t builder_expr(struct builder *b, const struct expr *e, struct meaning *out) {
  for (size_t i = 0; i < b->memo_count; i++) {
    if (b->memos[i].expr == e) {
      *out = b->memos[i].meaning;
      return TIER_OK;
    }
  }
  *out = (struct meaning){.rows = -1};
  const char *place =
      arena_format(b->arena, "%s:%d:%d", e->place.file, e->place.line, e->place.column);
  uint32_t before = graph_origin(b->g, (struct origin){.place = place});
  b->depth++;
  int32_t status = b->depth <= MOST_NESTED
                       ? build_expr(b, e, out)
                       : fail(TIER_E_INVALID,
                              "expressions nest deeper than %d, through the values "
                              "that they name",
                              MOST_NESTED);
  b->depth--;
  status = status == TIER_OK ? graph_status(b->g) : status;
  graph_restore_origin(b->g, before);
  if (status < 0) {
    return fail_at(&e->place, status);
  }
  struct memo memo = {.expr = e, .meaning = *out};
  array_push(b->memos, b->memo_count, b->memo_capacity, memo);
  return TIER_OK;
}

int32_t builder_value(struct builder *b, const struct expr *e, struct meaning *out) {
  TIER_TRY(builder_expr(b, e, out));
  if (out->value == 0 && out->output_count > 0) {
    (void)fail(TIER_E_INVALID,
               "this has several outputs (%s, ...): name it in \"values\" and read "
               "one of them",
               out->outputs[0].name);
    return fail_at(&e->place, TIER_E_INVALID);
  }
  return TIER_OK;
}

/* (b) or (b, 1, ...) -> mean over rows; the mean over no rows is 0. */
int32_t builder_term(struct builder *b, const struct expr *e, tier_value *out) {
  struct meaning m;
  TIER_TRY(builder_value(b, e, &m));
  tier_graph *g = &b->g->face;
  const struct value *v = graph_value(b->g, m.value);
  int64_t rows = m.rows >= 0 ? builder_rows(b, m.rows) : 1;
  if (v->type != TIER_REAL || value_size(v) != rows) {
    (void)fail(TIER_E_INVALID,
               "a term must be one number a row; this has %lld numbers for %lld rows",
               (long long)value_size(v), (long long)rows);
    return fail_at(&e->place, TIER_E_INVALID);
  }
  tier_value flat = tier_reshape(g, m.value, &rows, 1);
  tier_value sum = tier_sum_axis(g, flat, 0);
  *out = rows > 0 ? tier_multiply(g, sum, tier_scalar(g, 1.0 / (double)rows)) : tier_scalar(g, 0);
  return graph_status(b->g);
}

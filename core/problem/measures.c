#include "problem/measures.h"

#include <tier/metric.h>
#include <tier/writer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "problem/builder.h"
#include "problem/draws.h"
#include "problem/instances.h"
#include "problem/suites.h"

void evaluated_free(struct evaluated *e) {
  free(e->reals);
  free(e->integers);
  *e = (struct evaluated){0};
}

/* ---- running a builder's values ---- */

static int32_t read_result(const struct problem *p, const struct value *v, const void *raw,
                           struct evaluated *e) {
  e->type = v->type;
  e->rank = v->rank;
  e->size = value_size(v);
  memcpy(e->dims, v->dims, sizeof e->dims);
  if (v->type == TIER_I32) {
    e->integers = memory_alloc((size_t)e->size, sizeof *e->integers);
    memcpy(e->integers, raw, (size_t)e->size * sizeof *e->integers);
    return TIER_OK;
  }
  e->reals = memory_alloc((size_t)e->size, sizeof *e->reals);
  for (int64_t i = 0; i < e->size; i++) {
    e->reals[i] =
        p->dtype == DTYPE_F32 ? (double)((const float *)raw)[i] : ((const double *)raw)[i];
  }
  return TIER_OK;
}

/* Values of a builder at the present state, on all rows that its context names. */
static int32_t run_values(struct builder *b, struct context *c, const tier_value *values,
                          size_t count, struct evaluated *out) {
  struct problem *p = b->p;
  struct kernel k = {0};
  struct binding binding = {0};
  void **raw = memory_alloc(count, sizeof *raw);
  int32_t status = kernel_make(&k, "measure", b, FAST_TENSORS, NULL, 0, values, (uint32_t)count);
  if (status == TIER_OK) {
    status = binding_prepare(p, &binding, c, b);
  }
  if (status == TIER_OK) {
    status = binding_draw(p, &binding, "measures", p->done);
  }
  for (size_t i = 0; i < count && status == TIER_OK; i++) {
    const struct value *v = graph_value(b->g, values[i]);
    size_t bytes = (size_t)value_size(v) * (v->type == TIER_I32 ? 4 : dtype_size(p->dtype));
    status = large_alloc(bytes, "a measure", &raw[i]);
  }
  if (status == TIER_OK) {
    struct point at = {.binding = &binding, .serial = binding.serial};
    status = kernel_run(&k, p, &at, NULL, raw);
  }
  for (size_t i = 0; i < count; i++) {
    if (status == TIER_OK) {
      status = read_result(p, graph_value(b->g, values[i]), raw[i], &out[i]);
    }
    large_free(raw[i]);
  }
  free(raw);
  kernel_free(&k);
  binding_free(p, &binding);
  return status;
}

/* ---- single expressions ---- */

/* A builder on all rows of every data, with one expression in it. builder_free it, also on failure.
 */
static int32_t build_one(struct problem *p, const struct expr *e, struct context *c,
                         struct builder *b, struct meaning *m) {
  TIER_TRY(builder_new(p, c, b));
  context_all(p, b->arena, c);
  return builder_value(b, e, m);
}

int32_t measures_evaluate(struct problem *p, const struct expr *e, struct evaluated *out) {
  struct context c = {0};
  struct builder b = {0};
  struct meaning m = {.rows = -1};
  int32_t status = build_one(p, e, &c, &b, &m);
  if (status == TIER_OK) {
    status = run_values(&b, &c, &m.value, 1, out);
    out->rows = m.rows;
  }
  builder_free(&b);
  return status;
}

static void describe(const struct builder *b, const struct meaning *m, struct described *out) {
  const struct value *v = graph_value(b->g, m->value);
  int skip = m->rows >= 0;
  out->type = v->type;
  out->rows = m->rows;
  out->rank = v->rank - skip;
  memcpy(out->dims, v->dims + skip, (size_t)out->rank * sizeof *out->dims);
  out->reads = arena_alloc(b->p->arena, (b->input_count + 1) * sizeof *out->reads);
  for (size_t i = 0; i < b->input_count; i++) {
    if (b->inputs[i].kind == INPUT_TENSOR || b->inputs[i].kind == INPUT_COPIES) {
      out->reads[out->read_count++] = b->inputs[i].index;
    }
  }
}

int32_t measures_describe(struct problem *p, const struct expr *e, struct described *out) {
  struct context c = {0};
  struct builder b = {0};
  struct meaning m = {.rows = -1};
  *out = (struct described){.rows = -1};
  int32_t status = build_one(p, e, &c, &b, &m);
  if (status == TIER_OK) {
    describe(&b, &m, out);
  }
  builder_free(&b);
  return status;
}

/* ---- measures ---- */

/* A builder on all rows of what the measure is `on`. */
static int32_t measure_builder(struct problem *p, const struct manifest_measure *m,
                               struct context *c, struct builder *b) {
  TIER_TRY(builder_new(p, c, b));
  context_all(p, b->arena, c);
  for (size_t i = 0; i < m->on_count; i++) {
    c->data[m->on[i][0]].source = m->on[i][1];
  }
  return TIER_OK;
}

/* The evaluated slots of a metric or writer. */
struct arrays {
  tier_arrays face;
  const struct application *application;
  struct evaluated *values; /* of all expressions of all arguments */
  size_t count;
};

static const struct evaluated *find(const tier_arrays *face, const char *slot) {
  const struct arrays *a = (const struct arrays *)(const void *)face;
  size_t first = 0;
  for (size_t i = 0; i < a->application->argument_count; i++) {
    const struct argument *argument = &a->application->arguments[i];
    if (strcmp(argument->slot->name, slot) == 0) {
      return argument->expr_count > 0 ? &a->values[first] : NULL;
    }
    first += argument->expr_count;
  }
  return NULL;
}

static int32_t shape(const tier_arrays *face, const char *slot, int64_t *dims) {
  const struct evaluated *e = find(face, slot);
  if (e == NULL) {
    return -1;
  }
  memcpy(dims, e->dims, (size_t)e->rank * sizeof *dims);
  return e->rank;
}

static int32_t has_rows(const tier_arrays *face, const char *slot) {
  const struct evaluated *e = find(face, slot);
  return e != NULL && e->rows >= 0;
}

static int32_t type(const tier_arrays *face, const char *slot) {
  const struct evaluated *e = find(face, slot);
  return e != NULL ? e->type : 0;
}

static const double *reals(const tier_arrays *face, const char *slot) {
  const struct evaluated *e = find(face, slot);
  return e != NULL ? e->reals : NULL;
}

static const int32_t *integers(const tier_arrays *face, const char *slot) {
  const struct evaluated *e = find(face, slot);
  return e != NULL ? e->integers : NULL;
}

static const tier_arrays_1 arrays_interface = {
    .struct_size = (uint32_t)sizeof(tier_arrays_1),
    .shape = shape,
    .has_rows = has_rows,
    .type = type,
    .reals = reals,
    .integers = integers,
};

/* Builds the values of all expression slots; returns their number, or a status below 0. */
static int32_t build_slots(struct builder *b, const struct application *a, struct meaning *out,
                           size_t *count) {
  *count = 0;
  for (size_t i = 0; i < a->argument_count; i++) {
    for (size_t k = 0; k < a->arguments[i].expr_count; k++) {
      TIER_TRY(builder_value(b, a->arguments[i].exprs[k], &out[*count]));
      (*count)++;
    }
  }
  return TIER_OK;
}

static size_t slot_values(const struct application *a) {
  size_t total = 0;
  for (size_t i = 0; i < a->argument_count; i++) {
    total += a->arguments[i].expr_count;
  }
  return total;
}

/* Evaluates the slots of an application; `run` 0 only builds them. */
static int32_t evaluate_slots(struct problem *p, const struct manifest_measure *m, int run,
                              struct arrays *arrays) {
  const struct application *a = m->application;
  struct context c = {0};
  struct builder b = {0};
  size_t total = slot_values(a);
  size_t count = 0;
  struct meaning *meanings = memory_alloc(total, sizeof *meanings);
  tier_value *values = memory_alloc(total, sizeof *values);
  *arrays = (struct arrays){.face = {&arrays_interface}, .application = a, .count = total};
  arrays->values = memory_alloc(total, sizeof *arrays->values);
  int32_t status = measure_builder(p, m, &c, &b);
  if (status == TIER_OK) {
    status = build_slots(&b, a, meanings, &count);
  }
  for (size_t i = 0; i < count; i++) {
    values[i] = meanings[i].value;
  }
  if (status == TIER_OK && run) {
    status = run_values(&b, &c, values, count, arrays->values);
  }
  for (size_t i = 0; i < count; i++) {
    arrays->values[i].rows = meanings[i].rows;
  }
  builder_free(&b);
  free(meanings);
  free(values);
  return status;
}

static void arrays_free(struct arrays *a) {
  for (size_t i = 0; i < a->count; i++) {
    evaluated_free(&a->values[i]);
  }
  free(a->values);
}

/* The mean over rows of an expression that is one number a row. */
static int32_t mean_of(struct problem *p, const struct manifest_measure *m, int run,
                       double *value) {
  struct context c = {0};
  struct builder b = {0};
  tier_value term = 0;
  TIER_TRY(measure_builder(p, m, &c, &b));
  int32_t status = builder_term(&b, m->expr, &term);
  struct evaluated e = {0};
  if (status == TIER_OK && run) {
    status = run_values(&b, &c, &term, 1, &e);
    *value = status == TIER_OK ? e.reals[0] : 0;
  }
  evaluated_free(&e);
  builder_free(&b);
  return status;
}

static int32_t metric_of(struct problem *p, const struct manifest_measure *m, int run,
                         double *value) {
  struct instance *i = NULL;
  struct arrays arrays;
  TIER_TRY(instances_get(p, m->application, NULL, &i));
  const tier_metric_1 *api = instance_get(i, "tier.metric/1");
  if (api == NULL && instance_get(i, "tier.function/1") != NULL) { /* a metric that is a graph */
    struct expr apply = {.kind = EXPR_APPLY, .place = m->place, .application = m->application};
    struct manifest_measure as_expression = *m;
    as_expression.expr = &apply;
    return mean_of(p, &as_expression, run, value);
  }
  if (api == NULL) {
    return fail(TIER_E_INVALID, "%s is not a metric", m->application->component->c.id);
  }
  int32_t status = evaluate_slots(p, m, run, &arrays);
  if (status == TIER_OK && run) {
    status = api->compute(i->object, &arrays.face, value);
  }
  arrays_free(&arrays);
  return status;
}

static int32_t metric(struct problem *p, const struct manifest_measure *m, int run, double *value) {
  int32_t status = m->application != NULL ? metric_of(p, m, run, value) : mean_of(p, m, run, value);
  if (status < 0) {
    return fail_at(&m->place, status);
  }
  return status;
}

int32_t problem_metric(struct problem *p, size_t index, double *value) {
  return metric(p, &p->m->metrics[index], 1, value);
}

/* ---- outputs ---- */

/* What writes an expression without a writer: format.md, section 6. */
#define DEFAULT_WRITER "npy"

/* An expression as an output: the default writer with it in the primary slot. */
static int32_t default_writer(struct problem *p, const struct manifest_measure *m,
                              struct manifest_measure *out) {
  const struct component *c = registry_find(p->options.registry, POSITION_WRITER, DEFAULT_WRITER);
  if (c == NULL || c->c.slot_count == 0) {
    return fail(TIER_E_PLUGIN, "writer \"%s\" is missing", DEFAULT_WRITER);
  }
  *out = *m;
  out->application = arena_alloc(p->arena, sizeof *out->application);
  struct argument *a = arena_alloc(p->arena, sizeof *a);
  struct expr **exprs = arena_alloc(p->arena, sizeof *exprs);
  exprs[0] = m->expr;
  *a = (struct argument){
      .slot = c->c.slots, .place = m->place, .exprs = exprs, .expr_count = 1, .index = -1};
  *out->application =
      (struct application){.component = c, .arguments = a, .argument_count = 1, .place = m->place};
  return TIER_OK;
}

static int32_t write_output(const tier_writer_1 *api, void *object, const struct arrays *arrays,
                            const char *directory, const char *name, char **path) {
  *path = memory_format("%s/%s.%s", directory, name, api->extension);
  char *temporary = memory_format("%s.tmp", *path);
  int32_t status = api->write(object, &arrays->face, temporary);
  if (status == TIER_OK) {
    status = file_sync(temporary);
  }
  if (status == TIER_OK) {
    status = file_move(temporary, *path);
  }
  if (status < 0) {
    (void)unlink(temporary);
    free(*path);
    *path = NULL;
  }
  free(temporary);
  return status;
}

static int32_t output(struct problem *p, const struct manifest_measure *m, int run,
                      const char *directory, char **path) {
  struct manifest_measure with_writer = *m;
  struct instance *i = NULL;
  struct arrays arrays;
  if (m->application == NULL) {
    TIER_TRY(default_writer(p, m, &with_writer));
  }
  TIER_TRY(instances_get(p, with_writer.application, NULL, &i));
  const tier_writer_1 *api = instance_get(i, "tier.writer/1");
  if (api == NULL) {
    return fail(TIER_E_INVALID, "%s is not a writer", with_writer.application->component->c.id);
  }
  int32_t status = evaluate_slots(p, &with_writer, run, &arrays);
  if (status == TIER_OK && run) {
    status = write_output(api, i->object, &arrays, directory, m->name, path);
  }
  arrays_free(&arrays);
  return status;
}

int32_t problem_output(struct problem *p, size_t index, const char *directory, char **path) {
  const struct manifest_measure *m = &p->m->outputs[index];
  int32_t status = output(p, m, 1, directory, path);
  if (status < 0) {
    return fail_at(&m->place, status);
  }
  return status;
}

int32_t measures_check(struct problem *p) {
  int32_t first = TIER_OK;
  double ignored = 0;
  char *path = NULL;
  for (size_t i = 0; i < p->m->metric_count; i++) {
    int32_t status = metric(p, &p->m->metrics[i], 0, &ignored);
    status = status < 0 ? problem_diagnose(p, &p->m->metrics[i].place, status) : status;
    first = first < 0 ? first : status;
  }
  for (size_t i = 0; i < p->m->output_count; i++) {
    int32_t status = output(p, &p->m->outputs[i], 0, "", &path);
    status = status < 0 ? problem_diagnose(p, &p->m->outputs[i].place, status) : status;
    first = first < 0 ? first : status;
  }
  return first;
}

#include "problem/suites.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "diff/diff.h"
#include "problem/builder.h"
#include "problem/draws.h"
#include "problem/measures.h"
#include "problem/variables.h"

/* ---- placed tensors ---- */

void placed_inputs(struct builder *b, const struct placed *placed, size_t count, const char *name,
                   tier_value *out) {
  for (size_t i = 0; i < count; i++) {
    const struct variable *v = &b->p->variables[placed[i].variable];
    int64_t dims[TIER_MAX_RANK];
    int32_t rank = tensor_shape(v, &v->tensors[placed[i].tensor], dims);
    out[i] = graph_input(b->g, TIER_REAL, dims, rank, name);
  }
}

void placed_addresses(const struct level *l, int64_t level_step, const struct placed *placed,
                      size_t count, const void *flat, void **out) {
  for (size_t i = 0; i < count; i++) {
    const struct variable *v = &l->p->variables[placed[i].variable];
    int64_t copy = variable_copy(l->p, v, l->index, level_step);
    out[i] = (char *)(uintptr_t)elements_at(l->p, flat, placed[i].offset + copy * v->copy_size);
  }
}

void placed_clear(const struct level *l, const struct kernel *k, size_t first,
                  const struct placed *placed, size_t count, void *flat) {
  for (size_t i = 0; i < count; i++) {
    const struct variable *v = &l->p->variables[placed[i].variable];
    size_t bytes = (size_t)v->tensors[placed[i].tensor].size * dtype_size(l->p->dtype);
    for (int64_t c = 0; (!k->written[first + i] || v->declared->per_level >= 0) && c < v->copies;
         c++) {
      memset((char *)(uintptr_t)elements_at(l->p, flat, placed[i].offset + c * v->copy_size), 0,
             bytes);
    }
  }
}

int32_t builder_check_copies(const struct builder *b) {
  for (size_t i = 0; i < b->input_count; i++) {
    const struct input *in = &b->inputs[i];
    if (in->kind == INPUT_COPIES && b->p->variables[in->index].owner >= 0) {
      return fail(TIER_E_UNSUPPORTED,
                  "\"%s.all\" where its derivative is needed is not supported yet: "
                  "read it in metrics and outputs",
                  b->p->variables[in->index].declared->name);
    }
  }
  return TIER_OK;
}

/* ---- suites ---- */

static int32_t build_terms(struct suite *s) {
  const struct manifest_objective *o = &s->p->m->objectives[s->level->declared->objective];
  s->term_count = o->term_count;
  s->terms = memory_alloc(o->term_count, sizeof *s->terms);
  int32_t first = TIER_OK;
  for (size_t i = 0; i < o->term_count; i++) {
    int32_t status = builder_term(&s->builder, o->terms[i], &s->terms[i]);
    if (status < 0) {
      status = problem_diagnose(s->p, NULL, status);
      first = first < 0 ? first : status;
      if (!s->p->check_only) {
        return status;
      }
      graph_forget_failure(s->builder.g); /* the other terms' errors, too */
    }
    s->total = graph_add(s->builder.g, s->total, s->terms[i]);
  }
  if (s->level->declared->maximize && s->total != 0) {
    s->total = tier_negate(&s->builder.g->face, s->total);
  }
  return first;
}

/* Rows of all data that the objective reads: the ledger's samples. */
static int64_t count_rows(const struct suite *s) {
  int64_t total = 0;
  for (size_t d = 0; d < s->p->m->data_count; d++) {
    for (size_t i = 0; i < s->builder.input_count; i++) {
      if (s->builder.inputs[i].kind == INPUT_FIELD && s->builder.inputs[i].index == (int)d) {
        total += builder_rows(&s->builder, (int)d);
        break;
      }
    }
  }
  return total;
}

static int32_t build_suite(struct suite *s) {
  TIER_TRY(context_of_level(s->p, s->level->declared, s->batch, &s->context));
  TIER_TRY(builder_new(s->p, &s->context, &s->builder));
  s->builder.owner = s->level->declared->name;
  TIER_TRY(build_terms(s));
  TIER_TRY(builder_check_copies(&s->builder));
  TIER_TRY(context_check(s->p, &s->builder));
  s->sample_rows = count_rows(s);
  s->term_values = memory_alloc(s->term_count, sizeof(double));
  return TIER_OK;
}

int32_t suites_get(struct level *l, int64_t batch, struct suite **out) {
  struct problem *p = l->p;
  for (size_t i = 0; i < l->suite_count; i++) {
    if (l->suites[i]->batch == batch) {
      *out = l->suites[i];
      return l->suites[i]->status;
    }
  }
  struct suite *s = memory_alloc(1, sizeof *s);
  s->p = p;
  s->level = l;
  s->batch = batch;
  array_push(l->suites, l->suite_count, l->suite_capacity, s);
  s->status = build_suite(s);
  *out = s;
  return s->status;
}

void suite_free(struct suite *s) {
  kernel_free(&s->value);
  kernel_free(&s->gradient_w);
  kernel_free(&s->gradient_all);
  builder_free(&s->builder);
  free(s->terms);
  free(s->term_values);
  free(s);
}

int32_t suite_derivatives(struct suite *s, tier_value y, const struct placed *placed, size_t count,
                          tier_value *out) {
  tier_value *xs = memory_alloc(count, sizeof *xs);
  tier_value *derivatives = memory_alloc(count, sizeof *derivatives);
  uint32_t present = 0;
  for (size_t i = 0; i < count; i++) {
    tier_value x = builder_find(&s->builder, INPUT_TENSOR, placed[i].variable, placed[i].tensor);
    if (x != 0) {
      xs[present++] = x;
    }
  }
  int32_t status = y == 0 ? TIER_OK : diff_gradient(s->builder.g, y, 0, xs, present, derivatives);
  uint32_t k = 0;
  for (size_t i = 0; i < count; i++) {
    int found = builder_find(&s->builder, INPUT_TENSOR, placed[i].variable, placed[i].tensor) != 0;
    out[i] = found && y != 0 ? derivatives[k] : 0;
    k += (uint32_t)found;
  }
  free(xs);
  free(derivatives);
  return status;
}

/* ---- value and gradient ---- */

static double read_scalar(const struct problem *p, const void *values, size_t index) {
  return p->dtype == DTYPE_F32 ? (double)((const float *)values)[index]
                               : ((const double *)values)[index];
}

static void *scalar_address(const struct problem *p, void *values, size_t index) {
  return (char *)values + index * dtype_size(p->dtype);
}

static void read_terms(const struct suite *s, double *value, double *terms) {
  double sum = 0;
  for (size_t i = 0; i < s->term_count; i++) {
    double term = read_scalar(s->p, s->term_values, i);
    sum += term;
    if (terms != NULL) {
      terms[i] = term;
    }
  }
  if (value != NULL) {
    *value = s->level->declared->maximize ? -sum : sum;
  }
}

int32_t suite_value(struct suite *s, const struct point *at, double *value, double *terms) {
  if (s->value.program == NULL) {
    TIER_TRY(kernel_make(&s->value, "value", &s->builder, FAST_TENSORS, NULL, 0, s->terms,
                         (uint32_t)s->term_count));
  }
  void **outputs = s->value.taken;
  for (size_t i = 0; i < s->term_count; i++) {
    outputs[i] = scalar_address(s->p, s->term_values, i);
  }
  int32_t status = kernel_run(&s->value, s->p, at, NULL, outputs);
  s->level->ledger.values++;
  s->level->ledger.samples += s->sample_rows;
  read_terms(s, value, terms);
  return status;
}

/* Outputs: the terms, then the gradient by each placed tensor. */
static int32_t make_gradient(struct suite *s, struct kernel *k, int all) {
  struct level *l = s->level;
  size_t more = all ? l->responding_count : 0;
  size_t count = s->term_count + l->placed_count + more;
  tier_value *outputs = memory_alloc(count, sizeof *outputs);
  memcpy(outputs, s->terms, s->term_count * sizeof *outputs);
  struct placed *both = memory_alloc(l->placed_count + more, sizeof *both);
  memcpy(both, l->placed, l->placed_count * sizeof *both);
  if (more > 0) {
    memcpy(both + l->placed_count, l->responding_placed, more * sizeof *both);
  }
  int32_t status =
      suite_derivatives(s, s->total, both, l->placed_count + more, outputs + s->term_count);
  if (status == TIER_OK) {
    status =
        kernel_make(k, "gradient", &s->builder, FAST_TENSORS, NULL, 0, outputs, (uint32_t)count);
  }
  free(both);
  free(outputs);
  return status;
}

int32_t suite_gradient(struct suite *s, const struct point *at, double *value, double *terms,
                       tier_vector *gradient, tier_vector *responding) {
  struct level *l = s->level;
  struct kernel *k = responding != NULL ? &s->gradient_all : &s->gradient_w;
  if (k->program == NULL) {
    TIER_TRY(make_gradient(s, k, responding != NULL));
  }
  size_t more = responding != NULL ? l->responding_count : 0;
  size_t terms_and_own = s->term_count + l->placed_count;
  void **outputs = k->taken;
  int64_t step = at->binding->level_step;
  for (size_t i = 0; i < s->term_count; i++) {
    outputs[i] = scalar_address(s->p, s->term_values, i);
  }
  placed_addresses(l, step, l->placed, l->placed_count, gradient->data, outputs + s->term_count);
  placed_clear(l, k, s->term_count, l->placed, l->placed_count, gradient->data);
  if (more > 0) {
    placed_addresses(l, step, l->responding_placed, more, responding->data,
                     outputs + terms_and_own);
    placed_clear(l, k, terms_and_own, l->responding_placed, more, responding->data);
  }
  int32_t status = kernel_run(k, s->p, at, NULL, outputs);
  l->ledger.gradients++;
  l->ledger.samples += s->sample_rows;
  read_terms(s, value, terms);
  return status;
}

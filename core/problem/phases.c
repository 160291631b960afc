#include "problem/phases.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/instances.h"
#include "problem/levels.h"
#include "problem/measures.h"
#include "problem/variables.h"

/* ---- from one phase to the next ---- */

struct problem_carried {
  struct carried_variable {
    char *name;
    int64_t size, restarts;
    void *numbers; /* of the run's dtype */
  } * variables;
  size_t count;
  int32_t dtype;
  struct ledger spent;
  double seconds, solve_seconds, pullback_seconds;
};

int32_t problem_carry(struct problem *p, struct problem_carried **out) {
  struct problem_carried *c = memory_alloc(1, sizeof *c);
  int32_t status = TIER_OK;
  *c = (struct problem_carried){.count = p->m->variable_count,
                                .dtype = p->dtype,
                                .spent = problem_ledger(p),
                                .seconds = p->earlier + now_seconds() - p->started,
                                .solve_seconds = p->solve_seconds,
                                .pullback_seconds = p->pullback_seconds};
  c->variables = memory_alloc(c->count, sizeof *c->variables);
  for (size_t i = 0; i < c->count && status == TIER_OK; i++) {
    const struct variable *v = &p->variables[i];
    size_t bytes = (size_t)v->size * dtype_size(p->dtype);
    c->variables[i] = (struct carried_variable){
        .name = memory_copy_text(v->declared->name), .size = v->size, .restarts = v->restarts};
    status = large_alloc(bytes, v->declared->name, &c->variables[i].numbers);
    if (status == TIER_OK && bytes > 0) {
      memcpy(c->variables[i].numbers, v->value->data, bytes);
    }
  }
  if (status < 0) {
    problem_carried_free(c);
    c = NULL;
  }
  *out = c;
  return status;
}

void problem_carried_free(struct problem_carried *c) {
  for (size_t i = 0; c != NULL && i < c->count; i++) {
    free(c->variables[i].name);
    large_free(c->variables[i].numbers);
  }
  free(c != NULL ? c->variables : NULL);
  free(c);
}

static int32_t put(const struct carried_variable *from, int32_t dtype, struct variable *v) {
  if (strcmp(from->name, v->declared->name) != 0 || from->size != v->size) {
    return fail(TIER_E_INVALID,
                "the phase before has %lld numbers of \"%s\", this one has %lld of \"%s\": they "
                "are not of one manifest",
                (long long)from->size, from->name, (long long)v->size, v->declared->name);
  }
  if (v->size > 0) {
    memcpy(v->value->data, from->numbers, (size_t)v->size * dtype_size(dtype));
  }
  v->restarts = from->restarts;
  return TIER_OK;
}

int32_t phases_begin(struct problem *p, const struct problem_carried *carried) {
  if (carried == NULL) {
    return TIER_OK;
  }
  if (carried->count != p->m->variable_count || carried->dtype != p->dtype) {
    return fail(TIER_E_INVALID, "the phase before is not of this manifest");
  }
  for (size_t i = 0; i < carried->count; i++) {
    TIER_TRY(put(&carried->variables[i], p->dtype, &p->variables[i]));
  }
  p->spent = carried->spent;
  p->earlier = carried->seconds;
  p->solve_seconds = carried->solve_seconds;
  p->pullback_seconds = carried->pullback_seconds;
  return TIER_OK;
}

/* ---- then ---- */

/* A variable named alone is copied, a model tensor by tensor; anything else is evaluated. */
static int is_copy(const struct manifest_store *s) {
  return s->expr->kind == EXPR_VARIABLE && s->expr->name == NULL;
}

static int32_t wrong_size(const struct problem *p, const struct manifest_store *s, int64_t size) {
  const struct variable *v = &p->variables[s->variable];
  (void)fail(TIER_E_INVALID, "\"then\" would store %lld numbers in \"%s\", which has %lld",
             (long long)size, v->declared->name, (long long)v->size);
  return fail_at(&s->place, TIER_E_INVALID);
}

/* The number that goes to element i: `size` numbers fill the variable, one copy, or are one. */
static int fits(const struct variable *v, int64_t size) {
  return size == v->size || size == v->copy_size || size == 1;
}

static int32_t evaluate(struct problem *p, const struct manifest_store *s, struct evaluated *e) {
  const struct variable *from = is_copy(s) ? &p->variables[s->expr->index] : NULL;
  if (from != NULL && from->size != p->variables[s->variable].size) {
    return wrong_size(p, s, from->size);
  }
  if (from != NULL) {
    e->reals = memory_alloc((size_t)from->size, sizeof *e->reals);
    e->size = from->size;
    vector_interface.read(from->value, 0, from->size, e->reals);
    return TIER_OK;
  }
  int32_t status = measures_evaluate(p, s->expr, e);
  if (status < 0) {
    return fail_at(&s->place, status);
  }
  if (e->type != TIER_REAL) {
    (void)fail(TIER_E_INVALID, "\"then\" would store whole numbers in \"%s\"",
               p->variables[s->variable].declared->name);
    return fail_at(&s->place, TIER_E_INVALID);
  }
  return fits(&p->variables[s->variable], e->size) ? TIER_OK : wrong_size(p, s, e->size);
}

static void store(struct variable *v, const struct evaluated *e) {
  if (e->size == 1) {
    vector_interface.fill(v->value, e->reals[0]);
    return;
  }
  for (int64_t first = 0; first < v->size; first += e->size) {
    vector_interface.write(v->value, first, e->size, e->reals);
  }
}

int32_t problem_store(struct problem *p) {
  size_t count = p->m->then_count;
  struct evaluated *values = memory_alloc(count, sizeof *values);
  int32_t status = TIER_OK;
  for (size_t i = 0; i < count && status == TIER_OK; i++) {
    status = evaluate(p, &p->m->then[i], &values[i]);
  }
  for (size_t i = 0; i < count; i++) {
    if (status == TIER_OK) {
      store(&p->variables[p->m->then[i].variable], &values[i]);
    }
    evaluated_free(&values[i]);
  }
  free(values);
  return status;
}

/* ---- checks ---- */

static int32_t check_store(struct problem *p, const struct manifest_store *s) {
  struct described d = {0};
  int64_t size = 1;
  if (is_copy(s)) {
    size = p->variables[s->expr->index].size;
    return size == p->variables[s->variable].size ? TIER_OK : wrong_size(p, s, size);
  }
  TIER_TRY(measures_describe(p, s->expr, &d));
  for (int32_t i = 0; i < d.rank; i++) {
    size *= d.dims[i];
  }
  if (d.rows >= 0) {
    return TIER_OK; /* how many rows there are may be known only when they are read */
  }
  return fits(&p->variables[s->variable], size) ? TIER_OK : wrong_size(p, s, size);
}

int32_t phases_check(struct problem *p) {
  int32_t first = TIER_OK;
  for (size_t i = 0; i < p->m->then_count; i++) {
    const struct manifest_store *s = &p->m->then[i];
    int32_t status = check_store(p, s);
    status = status < 0 ? problem_diagnose(p, &s->place, status) : status;
    first = first < 0 ? first : status;
  }
  return first;
}

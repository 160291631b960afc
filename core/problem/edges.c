#include "problem/edges.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/draws.h"
#include "problem/instances.h"
#include "problem/measures.h"
#include "problem/products.h"
#include "problem/starts.h"
#include "problem/tape.h"
#include "problem/variables.h"

/* ---- making edges ---- */

tier_edge *edge_between(const struct level *upper, int lower) {
  for (size_t i = 0; i < upper->edge_count; i++) {
    if (upper->edges[i]->lower->index == lower) {
      return upper->edges[i];
    }
  }
  return NULL;
}

tier_edge *edge_into(const struct problem *p, int lower) {
  for (size_t i = 0; i < p->m->level_count; i++) {
    tier_edge *e = edge_between(&p->levels[i], lower);
    if (e != NULL) {
      return e;
    }
  }
  return NULL;
}

/* Levels between the two run once a step of the upper one: then the last record is the only one. */
static int32_t check_between(const struct problem *p, const tier_edge *e) {
  for (int i = e->lower->declared->parent; i >= 0 && i != e->upper->index;
       i = p->m->levels[i].parent) {
    if (p->m->levels[i].steps != 1 || p->m->levels[i].epochs > 0) {
      return fail(TIER_E_UNSUPPORTED,
                  "pulling back through level \"%s\", which runs more than once in a step of level "
                  "\"%s\" (level \"%s\" takes several), is not supported yet",
                  e->lower->declared->name, e->upper->declared->name, p->m->levels[i].name);
    }
  }
  tier_edge *other = edge_into(p, e->lower->index);
  return other == NULL || other == e ? TIER_OK
                                     : fail(TIER_E_UNSUPPORTED,
                                            "two levels with \"through\" to level \"%s\" are not "
                                            "supported yet",
                                            e->lower->declared->name);
}

static int reads(const struct builder *b, int variable) {
  for (size_t i = 0; i < b->input_count; i++) {
    if (b->inputs[i].kind == INPUT_TENSOR && b->inputs[i].index == variable) {
      return 1;
    }
  }
  return 0;
}

/* Is level `index` that level, or below it? */
static int is_within(const struct problem *p, int index, int level) {
  while (index >= 0 && index != level) {
    index = p->m->levels[index].parent;
  }
  return index >= 0;
}

/* Does level `other` move after the last step of the lower level, and before the upper one's? Then
 * what the lower level read of it is gone when its response is asked for. */
static int moves_after(const struct problem *p, const tier_edge *e, int other) {
  for (int i = e->lower->index; i >= 0 && i != e->upper->index; i = p->m->levels[i].parent) {
    int parent = p->m->levels[i].parent;
    if (i != e->lower->index && i == other) {
      return 1;
    }
    for (size_t k = (size_t)i + 1; k < p->m->level_count; k++) {
      if (p->m->levels[k].parent == parent && is_within(p, other, (int)k)) {
        return 1;
      }
    }
  }
  return 0;
}

/* An edge differentiates the lower level at the variables of others as they are when it is pulled
 * back: they must be those that the lower level read. */
static int32_t check_constants(const struct problem *p, const tier_edge *e, int variable) {
  const struct level *lower = e->lower;
  int owner = p->variables[variable].owner;
  int follows_steps = (e->estimator->component->c.flags & TIER_NEEDS_STEP) && e->extra == NULL;
  if (owner < 0 || owner == lower->index || owner == e->upper->index) {
    return TIER_OK;
  }
  if (moves_after(p, e, owner) || (is_within(p, owner, lower->index) && follows_steps &&
                                   (lower->declared->steps != 1 || lower->declared->epochs > 0))) {
    return fail(TIER_E_UNSUPPORTED,
                "pulling back through level \"%s\", which reads \"%s\" while level \"%s\" still "
                "moves it, is not supported yet",
                lower->declared->name, p->m->variables[variable].name, p->m->levels[owner].name);
  }
  return TIER_OK;
}

int32_t edge_extra_stepper(tier_edge *e, const tier_instance *step) {
  const struct application *a = instances_application(e->p, step);
  if (a == NULL) {
    return fail(TIER_E_PLUGIN, "extend: not a step of this problem");
  }
  if (e->extra != NULL && e->extra->application == a) {
    return TIER_OK;
  }
  if (e->extra != NULL) {
    return fail(TIER_E_UNSUPPORTED, "an estimator may bring one step");
  }
  TIER_TRY(stepper_new(e->lower, (const struct instance *)(const void *)step, a, &e->extra));
  for (int i = 0; i < 2 && !e->p->check_only; i++) {
    e->extra_state[i] = vector_new(e->extra->m);
    if (e->extra_state[i] == NULL) {
      return fail(TIER_E_MEMORY, "no memory for the state of %s", a->component->c.id);
    }
  }
  return TIER_OK;
}

/* The step that an estimator which follows steps brings: its hyperparameters are inputs, too. */
static int32_t find_step(struct problem *p, tier_edge *e) {
  const struct application *a = e->declared->estimator;
  for (size_t i = 0; i < a->argument_count && (a->component->c.flags & TIER_NEEDS_STEP); i++) {
    const struct application *step = a->arguments[i].application;
    if (step != NULL && step->component->position == POSITION_OPTIMIZER) {
      struct instance *made = NULL;
      TIER_TRY(instances_get(p, step, NULL, &made));
      return edge_extra_stepper(e, &made->face);
    }
  }
  return TIER_OK;
}

static int32_t carries_nothing(const tier_edge *e) {
  return fail(TIER_E_INVALID,
              "the edge to level \"%s\" carries nothing: neither its objective nor its "
              "optimizer or start reads what level \"%s\" is over",
              e->lower->declared->name, e->upper->declared->name);
}

/* An implicit estimator, and one that brings steps of its own, take the start as a constant. */
static int follows_start(const tier_edge *e) {
  return !(e->estimator->component->c.flags & TIER_IMPLICIT) && e->extra == NULL;
}

/* What the lower level reads of the upper level's variables, and of other levels in `through`. */
static int32_t find_inputs(struct problem *p, tier_edge *e, const struct suite *suite) {
  for (size_t i = 0; i < p->m->variable_count; i++) {
    int owner = p->variables[i].owner;
    int wanted = owner == e->upper->index || (owner >= 0 && owner != e->lower->index &&
                                              span_offset(&e->upper->responding, (int)i) >= 0);
    int read = reads(&suite->builder, (int)i) ||
               (e->lower->stepper != NULL && reads(&e->lower->stepper->builder, (int)i)) ||
               (e->extra != NULL && reads(&e->extra->builder, (int)i)) ||
               (follows_start(e) && start_reads(p, e->lower, (int)i));
    if (read) {
      TIER_TRY(check_constants(p, e, (int)i));
    }
    if (wanted && read) {
      span_add(p, &e->inputs, (int)i);
    }
  }
  span_places(p, &e->inputs, &e->placed, &e->placed_count);
  return e->inputs.count > 0 ? TIER_OK : carries_nothing(e);
}

/* An implicit estimator needs a cross derivative: some input must reach the gradient. */
static int32_t check_simplified_cross(tier_edge *e, struct suite *suite) {
  struct products *q = products_new(suite);
  struct kernel *k = NULL;
  int32_t status = products_cross(q, e, &k);
  if (status == TIER_OK && kernel_is_zero(k)) {
    status =
        fail(TIER_E_REFUSED,
             "%s is implicit, and the cross derivative of the objective of level \"%s\" by what "
             "level \"%s\" is over simplifies to zero: it has no effect on the solution",
             e->declared->estimator->component->c.id, e->lower->declared->name,
             e->upper->declared->name);
  }
  products_free(q);
  return status;
}

static int32_t check_cross(tier_edge *e, struct suite *suite) {
  for (size_t i = 0; i < e->inputs.count; i++) {
    if (reads(&suite->builder, e->inputs.variables[i])) {
      return check_simplified_cross(e, suite);
    }
  }
  return fail(
      TIER_E_REFUSED,
      "%s is implicit, and the objective of level \"%s\" does not read what level \"%s\" is "
      "over (only its optimizer does): the cross derivative is zero; use an estimator that "
      "follows the steps, such as unroll",
      e->declared->estimator->component->c.id, e->lower->declared->name, e->upper->declared->name);
}

static int32_t allocate_edge(struct problem *p, tier_edge *e) {
  int64_t n = e->lower->over.size;
  e->record.edge = e;
  e->pulled = vector_new(e->inputs.size);
  e->scratch_inputs = vector_new(e->inputs.size);
  e->scratch_w = vector_new(n);
  e->scratch_g = vector_new(n);
  e->stream = arena_format(p->arena, "levels.%s.through.%s", e->upper->declared->name,
                           e->lower->declared->name);
  if (e->pulled == NULL || e->scratch_inputs == NULL || e->scratch_w == NULL ||
      e->scratch_g == NULL) {
    return fail(TIER_E_MEMORY, "no memory for the cotangents of level \"%s\"",
                e->lower->declared->name);
  }
  return instances_declare_states(p, e->declared->estimator, n);
}

/* Does an application give an argument at a slot? Optional ones have no default. */
static int gives(const struct application *a, const char *slot) {
  return application_argument(a, slot) != NULL;
}

/* A linear solver that needs a step size finds it at its "lr", at the estimator's "step", or in the
 * level's optimizer. */
static int32_t check_step_sizes(const tier_edge *e, const struct application *a) {
  const struct application *optimizer = e->lower->declared->optimizer;
  int has_size =
      optimizer != NULL && (optimizer->component->c.flags & TIER_FIXED_POINT) && e->lower->stepper;
  for (size_t i = 0; i < a->argument_count; i++) {
    const struct application *solver = a->arguments[i].application;
    if (solver != NULL && (solver->component->c.flags & TIER_NEEDS_STEP) && !gives(solver, "lr") &&
        !gives(a, "step") && !has_size) {
      return fail(
          TIER_E_REFUSED,
          "%s needs a step size on the gradient, and the optimizer of level \"%s\" (%s) has "
          "none: write {\"%s\": {\"lr\": ...}}, below 2 / the largest eigenvalue",
          solver->component->c.id, e->lower->declared->name,
          optimizer != NULL ? optimizer->component->c.id : "none", solver->component->c.id);
    }
  }
  return TIER_OK;
}

/* What an estimator needs of steps, before any is taken. Only in a check: a comparison of
 * estimators first makes the problem without a step, to find one. */
static int32_t check_steps(const tier_edge *e) {
  const struct application *a = e->declared->estimator;
  if ((a->component->c.flags & TIER_NEEDS_STEP) && e->lower->stepper == NULL && e->extra == NULL) {
    return fail(
        TIER_E_REFUSED,
        "%s differentiates through optimizer steps, and the optimizer of level \"%s\" is not "
        "a differentiable step: name one at its slot \"step\", or use an implicit estimator",
        a->component->c.id, e->lower->declared->name);
  }
  return check_step_sizes(e, a);
}

static int32_t build_edge(struct problem *p, tier_edge *e) {
  struct suite *suite = NULL;
  const struct application *a = e->declared->estimator;
  if (e->lower->edge_count > 0 || e->lower->declared->through_count > 0) {
    return fail(TIER_E_UNSUPPORTED,
                "pulling back through level \"%s\", whose own gradient has a "
                "response, is not supported yet",
                e->lower->declared->name);
  }
  TIER_TRY(check_between(p, e));
  TIER_TRY(instances_get(p, a, NULL, &e->estimator));
  e->api = instance_get(e->estimator, "tier.estimator/1");
  if (e->api == NULL) {
    return fail(TIER_E_INVALID, "%s is not an estimator", a->component->c.id);
  }
  TIER_TRY(find_step(p, e));
  TIER_TRY(suites_get(e->lower, 0, &suite));
  TIER_TRY(find_inputs(p, e, suite));
  if (a->component->c.flags & TIER_IMPLICIT) {
    TIER_TRY(check_cross(e, suite));
  }
  return p->check_only ? check_steps(e) : allocate_edge(p, e);
}

static int32_t build_edges_of(struct problem *p, struct level *l) {
  int32_t first = TIER_OK;
  l->edges = arena_alloc(p->arena, l->declared->through_count * sizeof *l->edges);
  for (size_t i = 0; i < l->declared->through_count; i++) {
    struct level *lower = &p->levels[l->declared->through[i].level];
    for (size_t k = 0; k < lower->over.count; k++) {
      span_add(p, &l->responding, lower->over.variables[k]);
    }
  }
  span_places(p, &l->responding, &l->responding_placed, &l->responding_count);
  for (size_t i = 0; i < l->declared->through_count; i++) {
    tier_edge *e = memory_alloc(1, sizeof *e);
    e->p = p;
    e->declared = &l->declared->through[i];
    e->upper = l;
    e->lower = &p->levels[e->declared->level];
    l->edges[l->edge_count++] = e;
    int32_t status = build_edge(p, e);
    if (status < 0) {
      status = problem_diagnose(p, &e->declared->place, status);
      first = first < 0 ? first : status;
    }
  }
  if (l->edge_count > 0 && !p->check_only) {
    l->cotangent = vector_new(l->responding.size);
    if (l->cotangent == NULL) {
      return fail(TIER_E_MEMORY, "no memory for the cotangents of level \"%s\"", l->declared->name);
    }
  }
  return first;
}

int32_t edges_build(struct problem *p) {
  int32_t first = TIER_OK;
  for (size_t i = 0; i < p->m->level_count; i++) {
    int32_t status = build_edges_of(p, &p->levels[i]);
    first = first < 0 ? first : status;
    if (first < 0 && !p->check_only) {
      return first;
    }
  }
  return first;
}

void edge_free(tier_edge *e) {
  for (int i = 0; i < 2; i++) {
    products_free(e->products[i]);
    binding_free(e->p, &e->bindings[i]);
    vector_free(e->extra_state[i]);
  }
  stepper_free(e->extra);
  starts_free(e);
  kernel_free(&e->step_vjp);
  kernel_free(&e->step_jvp);
  vector_free(e->scratch_w);
  vector_free(e->scratch_g);
  vector_free(e->scratch_s);
  vector_free(e->scratch_inputs);
  vector_free(e->pulled);
  record_reset(&e->record);
  tape_free(&e->record);
  free(e->record.reports);
  free(e);
}

#include "problem/edges.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/draws.h"
#include "problem/instances.h"
#include "problem/measures.h"
#include "problem/products.h"
#include "problem/records.h"
#include "problem/starts.h"
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

static int reads(const struct builder *b, int variable) {
  for (size_t i = 0; i < b->input_count; i++) {
    if (b->inputs[i].kind == INPUT_TENSOR && b->inputs[i].index == variable) {
      return 1;
    }
  }
  return 0;
}

int level_is_within(const struct problem *p, int index, int level) {
  while (index >= 0 && index != level) {
    index = p->m->levels[index].parent;
  }
  return index >= 0;
}

static int goes_through(const struct problem *p, int upper, int lower) {
  const struct manifest_level *l = &p->m->levels[upper];
  for (size_t i = 0; i < l->through_count; i++) {
    if (l->through[i].level == lower) {
      return 1;
    }
  }
  return 0;
}

/* ---- what is between the two levels ---- */

static int takes_several(const struct problem *p, int level) {
  return p->m->levels[level].steps != 1 || p->m->levels[level].epochs > 0;
}

/* Does a level between take several steps? Then the lower one is solved several times. */
static int runs_again(const struct problem *p, const tier_edge *e) {
  for (int i = e->lower->declared->parent; i >= 0 && i != e->upper->index;
       i = p->m->levels[i].parent) {
    if (takes_several(p, i)) {
      return 1;
    }
  }
  return 0;
}

/* Does the upper level solve the lower one itself, because a level between has an edge to it, too?
 */
static int is_solved_again(const struct problem *p, const tier_edge *e) {
  for (int i = e->lower->declared->parent; i >= 0 && i != e->upper->index;
       i = p->m->levels[i].parent) {
    if (goes_through(p, i, e->lower->index)) {
      return 1;
    }
  }
  return 0;
}

/* Does the edge's estimator follow the steps of the level's own optimizer? */
static int follows_steps(const tier_edge *e) {
  return (e->declared->estimator->component->c.flags & TIER_NEEDS_STEP) && e->extra == NULL;
}

/* Does the level start anew from values that depend on what the upper level follows? */
static int starts_vary(const struct problem *p, int upper, int level) {
  for (size_t i = 0; i < p->m->variable_count; i++) {
    int owner = p->variables[i].owner;
    if (owner >= 0 && (owner == upper || goes_through(p, upper, owner)) &&
        start_reads(p, &p->levels[level], (int)i)) {
      return 1;
    }
  }
  return 0;
}

/* A level in `through` that moves while the lower one is solved again and again below it, or whose
 * start varies: what the lower one read of it belongs to another of its steps each time, and is no
 * constant. */
static int32_t check_constants(const struct problem *p, const tier_edge *e, int variable) {
  int owner = p->variables[variable].owner;
  if (owner < 0 || owner == e->lower->index || owner == e->upper->index ||
      !level_is_within(p, e->lower->index, owner) || !goes_through(p, e->upper->index, owner) ||
      !(takes_several(p, owner) || starts_vary(p, e->upper->index, owner)) ||
      is_solved_again(p, e)) {
    return TIER_OK;
  }
  return fail(TIER_E_REFUSED,
              "level \"%s\" reads \"%s\", which level \"%s\" moves %s without an edge to "
              "it: add \"%s\" to the \"through\" of level \"%s\"",
              e->lower->declared->name, p->m->variables[variable].name,
              p->levels[owner].declared->name,
              takes_several(p, owner) ? "step by step" : "from a start that is not constant",
              e->lower->declared->name, p->levels[owner].declared->name);
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

/* Does the lower level's objective, step or start read the variable; or the response of a level
 * that its gradient goes through? */
static int reads_itself(const tier_edge *e, const struct suite *suite, int variable) {
  return reads(&suite->builder, variable) ||
         (e->lower->stepper != NULL && reads(&e->lower->stepper->builder, variable)) ||
         (e->extra != NULL && reads(&e->extra->builder, variable)) ||
         (follows_start(e) && start_reads(e->p, e->lower, variable));
}

static int reads_below(const tier_edge *e, int variable) {
  for (size_t i = 0; i < e->lower->edge_count; i++) {
    if (span_offset(&e->lower->edges[i]->inputs, variable) >= 0) {
      return 1;
    }
  }
  return 0;
}

/* Do cotangents on the variables of level `owner` go on from the upper level, or from one that goes
 * through it in turn? */
static int wanted_from(const struct problem *p, int upper, int owner) {
  if (owner == upper || goes_through(p, upper, owner)) {
    return 1;
  }
  for (int i = upper + 1; i < (int)p->m->level_count; i++) {
    if (goes_through(p, i, upper) && wanted_from(p, i, owner)) {
      return 1;
    }
  }
  return 0;
}

/* A record keeps what other levels below the upper one move: they may move on before it is pulled
 * back. The products of a level whose own gradient has a response put all of them back. */
static void find_kept(struct problem *p, tier_edge *e, int variable, int read) {
  int owner = p->variables[variable].owner;
  if (owner < 0 || owner == e->lower->index || owner == e->upper->index ||
      !level_is_within(p, owner, e->upper->index) || !(read || e->lower->edge_count > 0)) {
    return;
  }
  span_add(p, &e->kept, variable);
  e->each = e->each || (follows_steps(e) && level_is_within(p, owner, e->lower->index) &&
                        (takes_several(p, e->lower->index) || e->lower->edge_count > 0));
}

/* A start that reads what a level below moves reads it before that level is solved, where it is of
 * the step before; records know only what stood after. */
static int32_t check_start(const struct problem *p, const tier_edge *e, int variable) {
  int owner = p->variables[variable].owner;
  if (owner < 0 || owner == e->lower->index || !level_is_within(p, owner, e->lower->index) ||
      !follows_start(e) || !start_reads(p, e->lower, variable)) {
    return TIER_OK;
  }
  return fail(TIER_E_UNSUPPORTED,
              "the start of level \"%s\" reads \"%s\", which level \"%s\" below it moves: "
              "following such a start is not supported yet; use an implicit estimator, or another "
              "\"init\"",
              e->lower->declared->name, p->m->variables[variable].name,
              p->levels[owner].declared->name);
}

/* What the lower level reads of the upper level's variables, and of other levels in `through`.
 * Those that its own gradient goes through are no inputs: they are part of it. */
static int32_t find_inputs(struct problem *p, tier_edge *e, const struct suite *suite) {
  for (size_t i = 0; i < p->m->variable_count; i++) {
    int owner = p->variables[i].owner;
    int read = reads_itself(e, suite, (int)i);
    find_kept(p, e, (int)i, read);
    if (read) {
      TIER_TRY(check_constants(p, e, (int)i));
      TIER_TRY(check_start(p, e, (int)i));
    }
    if (owner >= 0 && owner != e->lower->index && !goes_through(p, e->lower->index, owner) &&
        wanted_from(p, e->upper->index, owner) && (read || reads_below(e, (int)i))) {
      span_add(p, &e->inputs, (int)i);
    }
  }
  span_places(p, &e->inputs, &e->placed, &e->placed_count);
  return e->inputs.count > 0 ? TIER_OK : carries_nothing(e);
}

/* Inputs that another level below moves while the lower one runs, where each step is followed. */
static void find_moving(struct problem *p, tier_edge *e) {
  e->moving_offsets = arena_alloc(p->arena, (e->inputs.count + 1) * sizeof *e->moving_offsets);
  for (size_t i = 0; i < e->inputs.count && e->each; i++) {
    int variable = e->inputs.variables[i];
    if (level_is_within(p, p->variables[variable].owner, e->lower->index)) {
      e->moving_offsets[e->moving.count] = e->inputs.offsets[i];
      span_add(p, &e->moving, variable);
    }
  }
}

/* Each solve's record is needed if another one of the upper level's edges read it: in one of the
 * steps that it follows, or before this one was solved again. */
static void find_keeps(const struct problem *p, tier_edge *e) {
  for (size_t i = 0; i < e->upper->edge_count && runs_again(p, e); i++) {
    const tier_edge *reader = e->upper->edges[i];
    int above = level_is_within(p, e->lower->index, reader->lower->index);
    int reads_it = span_offset(&reader->inputs, e->lower->over.variables[0]) >= 0;
    if (reader != e && reads_it && (reader->each || !above)) {
      e->keeps_all = 1;
    }
  }
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
    if (reads_below(e, e->inputs.variables[i])) {
      return TIER_OK;
    }
  }
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
  e->scratch_inputs = vector_new(e->inputs.size);
  e->scratch_w = vector_new(n);
  e->scratch_g = vector_new(n);
  e->stream = arena_format(p->arena, "%s.%s.through.%s", p->m->levels_path,
                           e->upper->declared->name, e->lower->declared->name);
  if (p->repetition > 0) {
    e->stream =
        arena_format(p->arena, "%s repetition %llu", e->stream, (unsigned long long)p->repetition);
  }
  if (e->scratch_inputs == NULL || e->scratch_w == NULL || e->scratch_g == NULL) {
    return fail(TIER_E_MEMORY, "no memory for the cotangents of level \"%s\"",
                e->lower->declared->name);
  }
  int64_t m = e->lower->stepper != NULL ? e->lower->stepper->m : 0;
  TIER_TRY(instances_declare_edge(p, e->declared->estimator, n, e->inputs.size, m));
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
static int32_t check_steps(tier_edge *e) {
  const struct application *a = e->declared->estimator;
  if ((a->component->c.flags & TIER_NEEDS_STEP) && e->lower->stepper == NULL && e->extra == NULL) {
    return fail(
        TIER_E_REFUSED,
        "%s differentiates through optimizer steps, and the optimizer of level \"%s\" is not "
        "a differentiable step: name one at its slot \"step\", or use an implicit estimator",
        a->component->c.id, e->lower->declared->name);
  }
  TIER_TRY(check_step_sizes(e, a));
  size_t needed = offsetof(tier_estimator_1, check) + sizeof e->api->check;
  return e->api->struct_size >= needed && e->api->check != NULL
             ? e->api->check(e->estimator->object, e)
             : TIER_OK;
}

/* What is solved for needs the derivative of the gradient, which a stop-gradient hides. */
static int32_t check_stopped(const tier_edge *e, const struct suite *suite) {
  if (!suite_stops_own(suite)) {
    return TIER_OK;
  }
  return fail(TIER_E_REFUSED,
              "%s is implicit, and the objective of level \"%s\" reads the level's own variables "
              "through a stop-gradient: its gradient then has no symmetric derivative, and what is "
              "stopped is missing from the products; use an estimator that follows the steps, such "
              "as unroll (which takes what is stopped as constant)",
              e->declared->estimator->component->c.id, e->lower->declared->name);
}

static int32_t build_edge(struct problem *p, tier_edge *e) {
  struct suite *suite = NULL;
  const struct application *a = e->declared->estimator;
  TIER_TRY(instances_get(p, a, NULL, &e->estimator));
  e->api = instance_get(e->estimator, "tier.estimator/1");
  if (e->api == NULL) {
    return fail(TIER_E_INVALID, "%s is not an estimator", a->component->c.id);
  }
  TIER_TRY(find_step(p, e));
  TIER_TRY(suites_get(e->lower, 0, &suite));
  TIER_TRY(find_inputs(p, e, suite));
  find_moving(p, e);
  if (a->component->c.flags & TIER_IMPLICIT) {
    TIER_TRY(check_stopped(e, suite));
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
  for (size_t i = 0; i < l->edge_count; i++) {
    find_keeps(p, l->edges[i]);
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

int32_t edges_prepare(struct problem *p) {
  for (size_t i = 0; i < p->m->level_count; i++) {
    for (size_t k = 0; k < p->levels[i].edge_count; k++) {
      TIER_TRY(records_prepare(p->levels[i].edges[k]));
    }
  }
  return TIER_OK;
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
  vector_free(e->adjoint);
  records_free(&e->record);
  for (size_t i = 0; i < e->older_capacity; i++) {
    records_free(&e->older[i]);
  }
  free(e->older);
  free(e);
}

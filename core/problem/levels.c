#include "problem/levels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/builder.h"
#include "problem/draws.h"
#include "problem/instances.h"
#include "problem/measures.h"
#include "problem/records.h"
#include "problem/steppers.h"
#include "problem/tape.h"
#include "problem/trials.h"
#include "problem/variables.h"

/* ---- declaring ---- */

static void find_children(struct problem *p, struct level *l) {
  l->children = arena_alloc(p->arena, p->m->level_count * sizeof *l->children);
  for (size_t i = 0; i < p->m->level_count; i++) {
    if (p->m->levels[i].parent == l->index) {
      l->children[l->child_count++] = (int)i;
    }
  }
}

static int32_t declare_level(struct problem *p, struct level *l) {
  for (size_t i = 0; i < l->declared->over_count; i++) {
    const struct manifest_over *over = &l->declared->over[i];
    struct variable *v = &p->variables[over->variable];
    if (over->part != NULL) {
      return fail(TIER_E_UNSUPPORTED,
                  "level \"%s\": a part of a model (\"%s.%s\") in \"over\" is "
                  "not supported yet",
                  l->declared->name, v->declared->name, over->part);
    }
    v->owner = l->index;
    v->offset = l->over.size;
    span_add(p, &l->over, over->variable);
  }
  span_places(p, &l->over, &l->placed, &l->placed_count);
  find_children(p, l);
  l->stream = arena_format(p->arena, "%s.%s.batch", p->m->levels_path, l->declared->name);
  l->stop = "";
  return TIER_OK;
}

int32_t levels_declare(struct problem *p) {
  int32_t first = TIER_OK;
  for (size_t i = 0; i < p->m->level_count; i++) {
    struct level *l = &p->levels[i];
    l->p = p;
    l->declared = &p->m->levels[i];
    l->index = (int)i;
    if (l->declared->parent < 0) {
      p->top = l;
    }
    int32_t status = declare_level(p, l);
    if (status < 0) {
      status = problem_diagnose(p, &l->declared->place, status);
      first = first < 0 ? first : status;
    } else if (!p->check_only) {
      l->w = vector_new(l->over.size);
      l->gradient = vector_new(l->over.size);
      l->w_next = vector_new(l->over.size);
      l->update = vector_new(l->over.size);
      if (l->w == NULL || l->gradient == NULL || l->w_next == NULL || l->update == NULL) {
        return fail(TIER_E_MEMORY, "no memory for level \"%s\" (%lld variables)", l->declared->name,
                    (long long)l->over.size);
      }
    }
  }
  return first;
}

/* ---- building ---- */

static int32_t build_optimizer(struct level *l) {
  const struct application *a = l->declared->optimizer;
  struct problem *p = l->p;
  if (a == NULL) {
    return TIER_OK;
  }
  TIER_TRY(instances_get(p, a, NULL, &l->optimizer));
  l->loop = instance_get(l->optimizer, "tier.loop/1");
  if (l->loop == NULL) {
    TIER_TRY(stepper_new(l, l->optimizer, a, &l->stepper));
    if (!p->check_only) {
      l->state = vector_new(l->stepper->m);
      l->state_next = vector_new(l->stepper->m);
      if (l->state == NULL || l->state_next == NULL) {
        return fail(TIER_E_MEMORY, "no memory for the optimizer of level \"%s\"",
                    l->declared->name);
      }
    }
    return TIER_OK;
  }
  if (level_has_sets(l)) {
    return fail(TIER_E_UNSUPPORTED,
                "level \"%s\": variables with \"within\" need an optimizer that is a step (such as "
                "sgd), after which they are projected; %s takes its own",
                l->declared->name, a->component->c.id);
  }
  int ignored = l->declared->parent < 0 && (p->m->solver->component->c.flags & TIER_NO_GRADIENT);
  int lower = l->declared->parent >= 0 ? l->child_count > 0 : l->declared->through_count > 0;
  if (lower && !ignored) {
    return fail(TIER_E_UNSUPPORTED,
                "level \"%s\": a procedural optimizer (%s) over other levels is "
                "not supported yet: use one that is a step, such as adam",
                l->declared->name, a->component->c.id);
  }
  return p->check_only ? TIER_OK : instances_declare_states(p, a, l->over.size);
}

int32_t levels_build(struct problem *p) {
  int32_t first = TIER_OK;
  for (size_t i = 0; i < p->m->level_count; i++) {
    struct level *l = &p->levels[i];
    struct suite *s = NULL;
    int32_t status = suites_get(l, 0, &s);
    if (status < 0) {
      status = problem_diagnose(p, &l->declared->place, status);
      first = first < 0 ? first : status;
    }
    if (first < 0 && !p->check_only) {
      return first;
    }
    status = build_optimizer(l);
    if (status < 0) {
      status = problem_diagnose(p, &l->declared->place, status);
      first = first < 0 ? first : status;
    }
  }
  return first;
}

/* An epoch is as many steps as the largest data drawn has whole batches. */
static int64_t steps_of_epochs(const struct level *l, const struct suite *s) {
  int64_t largest = 0;
  int64_t batches = 1;
  for (size_t i = 0; i < s->builder.input_count; i++) {
    const struct input *in = &s->builder.inputs[i];
    if (in->kind == INPUT_FIELD) {
      const struct rows *rows = &s->context.data[in->index];
      int64_t have = l->p->data[rows->source].rows;
      if (have > largest) {
        largest = have;
        batches = rows->indexed ? have / rows->count : 1;
      }
    }
  }
  return l->declared->epochs * batches;
}

int32_t levels_prepare(struct problem *p) {
  for (size_t i = 0; i < p->m->level_count; i++) {
    struct level *l = &p->levels[i];
    struct suite *s = l->suites[0];
    l->steps = l->declared->epochs > 0 ? steps_of_epochs(l, s) : l->declared->steps;
    l->term_values = memory_alloc(s->term_count, sizeof *l->term_values);
    int32_t status = binding_prepare(p, &l->binding, &s->context, &s->builder);
    if (status < 0) {
      return fail_at(&l->declared->place, status);
    }
  }
  return TIER_OK;
}

void level_free(struct level *l) {
  binding_free(l->p, &l->binding);
  for (size_t i = 0; i < l->suite_count; i++) {
    suite_free(l->suites[i]);
  }
  free(l->suites);
  stepper_free(l->stepper);
  vector_free(l->w);
  vector_free(l->gradient);
  vector_free(l->w_next);
  vector_free(l->update);
  vector_free(l->state);
  vector_free(l->state_next);
  vector_free(l->cotangent);
  free(l->term_values);
}

/* ---- stepping ---- */

struct point level_point(const struct level *l) {
  return (struct point){
      .binding = &l->binding, .level = l, .w = l->w->data, .serial = l->binding.serial};
}

int64_t level_copy(const struct level *l, int64_t step) {
  int64_t last = l->steps > 0 ? l->steps - 1 : INT64_MAX;
  return step < 0 ? 0 : step < last ? step : last;
}

int32_t level_draw(struct level *l) {
  l->binding.level_step = level_copy(l, l->taken);
  int32_t status = binding_draw(l->p, &l->binding, l->stream, l->draws);
  l->draws++;
  return status < 0 ? fail_at(&l->declared->place, status) : TIER_OK;
}

void level_reset(struct level *l) {
  if (l->state != NULL) {
    vector_interface.fill(l->state, 0);
  }
  if (l->loop != NULL && l->optimizer->state != NULL) {
    state_zero((struct state *)(void *)l->optimizer->state);
  }
}

int32_t level_guard(struct level *l) {
  const struct manifest_guards *guards = &l->p->m->guards;
  const char *name = l->declared->name;
  long long step = (long long)l->p->done;
  long long own = (long long)l->taken;
  if (!isfinite(l->value)) {
    const char *bad = span_first_bad(l->p, &l->over, l->gradient);
    return fail(
        TIER_E_NONFINITE,
        "level \"%s\": objective \"%s\" is not finite at step %lld (top-level step %lld)%s%s%s;"
        " nothing was updated; try a smaller learning rate",
        name, l->p->m->objectives[l->declared->objective].name, own, step,
        bad[0] != '\0' ? ", nor is its gradient by variable \"" : "", bad,
        bad[0] != '\0' ? "\"" : "");
  }
  if (!isfinite(l->gradient_norm)) {
    return fail(TIER_E_NONFINITE,
                "level \"%s\": the gradient of variable \"%s\" is not finite at step %lld "
                "(top-level step %lld); nothing was updated",
                name, span_first_bad(l->p, &l->over, l->gradient), own, step);
  }
  if (fabs(l->value) > guards->divergence) {
    return fail(TIER_E_DIVERGED,
                "level \"%s\": objective is %g at step %lld (top-level step %lld), beyond "
                "guards.divergence %g; nothing was updated; try a smaller learning rate",
                name, l->value, own, step, guards->divergence);
  }
  return TIER_OK;
}

/* In one pass; with care only where squares overflow. */
static double update_norm(struct level *l, const tier_vector *w, const tier_vector *w_next) {
  double distance = vector_distance(w_next, w);
  if (isfinite(distance)) {
    return distance;
  }
  vector_interface.copy(w_next, l->update);
  vector_interface.axpy(-1.0, w, l->update);
  return vector_interface.norm(l->update);
}

int32_t level_guard_update(struct level *l, const tier_vector *w, const tier_vector *w_next) {
  double norm = update_norm(l, w, w_next);
  if (!isfinite(norm)) {
    return fail(TIER_E_NONFINITE,
                "level \"%s\": the update of variable \"%s\" is not finite at step %lld (top-level "
                "step %lld); nothing was updated",
                l->declared->name, span_first_bad(l->p, &l->over, w_next), (long long)l->taken,
                (long long)l->p->done);
  }
  if (norm > l->p->m->guards.divergence) {
    return fail(TIER_E_DIVERGED,
                "level \"%s\": the update has norm %g at step %lld (top-level step %lld), beyond "
                "guards.divergence %g; nothing was updated",
                l->declared->name, norm, (long long)l->taken, (long long)l->p->done,
                l->p->m->guards.divergence);
  }
  return TIER_OK;
}

/* ---- procedural optimizers ---- */

struct objective {
  tier_objective face;
  struct level *l;
};

static int64_t objective_size(const tier_objective *f) {
  return ((const struct objective *)(const void *)f)->l->over.size;
}

static int32_t objective_gradient(tier_objective *f, const tier_vector *w, double *value,
                                  tier_vector *gradient) {
  struct level *l = ((struct objective *)(void *)f)->l;
  struct point at = level_point(l);
  at.w = w->data;
  TIER_TRY(suite_gradient(l->suites[0], &at, value, l->term_values, gradient, NULL));
  vector_interface.copy(gradient, l->gradient);
  return TIER_OK;
}

static int32_t objective_value(tier_objective *f, const tier_vector *w, double *value) {
  struct level *l = ((struct objective *)(void *)f)->l;
  struct point at = level_point(l);
  at.w = w->data;
  return suite_value(l->suites[0], &at, value, l->term_values);
}

static const tier_objective_1 objective_interface = {
    .struct_size = (uint32_t)sizeof(tier_objective_1),
    .size = objective_size,
    .gradient = objective_gradient,
    .value = objective_value,
};

/* Runs on w itself; on a failure w is put back. */
static int32_t run_loop(struct level *l, int64_t steps, double tolerance) {
  struct objective f = {.face = {&objective_interface}, .l = l};
  tier_loop_report report = {.struct_size = (uint32_t)sizeof report, .stop = "steps"};
  vector_interface.copy(l->w, l->w_next);
  int32_t status = l->loop->run(l->optimizer->object, &f.face, l->optimizer->state, steps,
                                tolerance, l->w, &report);
  if (status < 0) {
    status = error_context(status, "level \"%s\" (top-level step %lld)", l->declared->name,
                           (long long)l->p->done);
  } else {
    l->value = report.value;
    l->gradient_norm = report.gradient_norm;
    l->stop = report.stop;
    status = level_guard(l);
  }
  if (status == TIER_OK) {
    status = level_guard_update(l, l->w_next, l->w);
  }
  if (status < 0) {
    vector_interface.copy(l->w_next, l->w);
    return status;
  }
  l->taken += report.iterations;
  l->moved = ++l->p->clock;
  return TIER_OK;
}

int32_t level_update(struct level *l) {
  if (l->optimizer == NULL) {
    return TIER_OK;
  }
  if (l->loop != NULL) {
    return run_loop(l, 1, l->declared->tolerance);
  }
  struct point at = level_point(l);
  at.stepper = l->stepper;
  at.step_w = l->w->data;
  at.step_g = l->gradient->data;
  at.step_state = l->state->data;
  TIER_TRY(stepper_run(l->stepper, &at, l->w_next, l->state_next));
  TIER_TRY(level_guard_update(l, l->w, l->w_next));
  vector_interface.copy(l->w_next, l->w);
  l->moved = ++l->p->clock;
  tier_vector *old = l->state;
  l->state = l->state_next;
  l->state_next = old;
  return TIER_OK;
}

/* ---- running ---- */

static int32_t step_once(struct level *l, double tolerance, tier_record *record, int *done) {
  TIER_TRY(level_draw(l));
  if (record != NULL) {
    TIER_TRY(records_before_step(record));
  }
  TIER_TRY(level_solve_children(l));
  TIER_TRY(level_gradient(l));
  TIER_TRY(level_guard(l));
  if (l->gradient_norm < tolerance) {
    l->stop = "tolerance";
    *done = 1;
    return TIER_OK;
  }
  if (record != NULL) {
    TIER_TRY(tape_push(record, l, l->state, l->binding.level_step));
    TIER_TRY(records_step(record));
  }
  TIER_TRY(level_update(l));
  l->taken++;
  return TIER_OK;
}

int32_t level_continue(struct level *l, int64_t steps, double tolerance, tier_record *record) {
  l->stop = "steps";
  if (l->loop != NULL) {
    TIER_TRY(level_draw(l));
    return run_loop(l, steps, tolerance);
  }
  int done = 0;
  for (int64_t t = 0; t < steps && !done; t++) {
    TIER_TRY(step_once(l, tolerance, record, &done));
  }
  return TIER_OK;
}

/* `warm_start`: true keeps variables and state, "variables" (2) the variables, false neither. */
static int32_t restart(struct level *l, int *restarted) {
  *restarted = !l->declared->warm_start;
  if (l->declared->warm_start != 1) {
    level_reset(l);
  }
  for (size_t i = 0; i < l->over.count && !l->declared->warm_start; i++) {
    int index = l->over.variables[i];
    if (l->runs > 0 || l->p->variables[index].read_count > 0) {
      TIER_TRY(variables_restart(l->p, index)); /* the first run is at a fresh start already, */
    } /* unless that start reads variables, which may have moved */
  }
  l->runs++;
  l->taken = 0;
  return TIER_OK;
}

int32_t level_run(struct level *l, tier_record *record, tier_record *start) {
  int restarted = 0;
  TIER_TRY(restart(l, &restarted));
  if (start != NULL) {
    TIER_TRY(trial_keep_start(start, restarted));
  }
  if (record != NULL) {
    record->tape.restarted = restarted;
    TIER_TRY(tape_begin(record, l->stepper, l->steps));
  }
  int32_t status = level_continue(l, l->steps, l->declared->tolerance, record);
  if (record != NULL) {
    tape_end(record, l->w, l->state);
  }
  return status;
}

/* The processes behind compare --estimators: `freeze` takes a run to a step and saves its state,
 * `estimate` lets one estimator compute one hypergradient on such a state. Each prints one JSON
 * object on stdout; its "error" is null or says why there is no result. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/archive.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/items.h"
#include "cli/output.h"
#include "cli/profile.h"
#include "cli/session.h"
#include "run/profile_report.h"
#include "run/progress.h"
#include "run/stop.h"
#include "run/system.h"

/* The step that an estimator gets which needs one and finds none. */
#define STEP_OPTIMIZER "sgd"
#define STEP_PARAMETER "step"
#define POWER_ITERATIONS 20

/* Prints the object, with the failure if there is one; returns the exit code. */
static int answer(struct arena *a, struct json *j, int32_t status) {
  put_text(a, j, "error", status == TIER_OK ? NULL : error_text());
  put_flag(a, j, "refused", status == TIER_E_REFUSED || status == TIER_E_UNSUPPORTED);
  print_json(j);
  error_clear();
  return error_exit_code(status);
}

/* The first error of the diagnostics as the pending failure. */
static int32_t fail_diagnostics(int32_t status, const struct diagnostics *d) {
  for (size_t i = 0; i < d->count && error_text()[0] == '\0'; i++) {
    const struct diagnostic *x = &d->items[i];
    if (x->severity != SEVERITY_WARNING) {
      (void)fail(status, "%s%s%s", x->message, x->hint[0] != '\0' ? "; " : "", x->hint);
    }
  }
  return status;
}

/* ---- freeze ---- */

static int32_t take_steps(struct problem *p, int64_t steps, const struct options *o) {
  struct progress progress;
  progress_start(&progress, stderr, "freezing", o->quiet, !o->no_color);
  while (problem_done(p) < steps) {
    if (stop_asked()) {
      return fail(TIER_E_INTERRUPTED, "asked to stop");
    }
    if (problem_end(p) != NULL) {
      return fail(TIER_E_INVALID, "the run ends after %lld steps (%s): there is no step %lld",
                  (long long)problem_done(p), problem_end(p), (long long)steps);
    }
    TIER_TRY(problem_step(p));
    progress_update(&progress, problem_done(p), steps, "");
  }
  progress_clear(&progress);
  return TIER_OK;
}

/* Saves the state after each of the steps, in PREFIX-at-STEP/frozen.state. */
static int32_t freeze(struct session *s, int64_t seed, const struct plan *plan) {
  struct problem *p = NULL;
  struct problem_options options = session_problem_options(s, seed);
  TIER_TRY(problem_new(s->variants[0].manifest, &options, &p));
  int32_t status = TIER_OK;
  for (size_t i = 0; i < plan->step_count && status == TIER_OK; i++) {
    char *directory = compare_directory(s->options->state_file, plan->steps[i]);
    char *file = path_join(directory, FROZEN_STATE);
    status = take_steps(p, plan->steps[i], s->options);
    status = status == TIER_OK ? directory_make(directory) : status;
    status = status == TIER_OK ? problem_save(p, file) : status;
    free(directory);
    free(file);
  }
  problem_free(p);
  return status;
}

int verb_freeze(const struct options *o) {
  struct session s;
  struct plan plan;
  size_t count = 0;
  struct arena *a = arena_new();
  stop_with_parent();
  stop_watch();
  int32_t status = session_open(o, &s);
  status = status == TIER_OK ? session_check(&s, o->operands.items[0], "base") : status;
  status = fail_diagnostics(status, &s.diagnostics);
  status = status == TIER_OK ? plan_steps(a, o, &plan) : status;
  if (status == TIER_OK) {
    int64_t *seeds = session_seeds(&s, s.variants[0].manifest, &count);
    status = freeze(&s, seeds[0], &plan);
    free(seeds);
  }
  int code = answer(a, json_make(a, JSON_OBJECT), status);
  session_close(&s);
  arena_free(a);
  return code;
}

/* ---- estimate ---- */

struct estimation {
  struct session *session;
  struct arena *arena;
  struct json *answer;
  struct item item;
  const struct manifest *base;
  const struct manifest_through *edge; /* of the base */
  int64_t seed;
  int64_t repetition;
  struct profile *profile; /* NULL: none */
};

/* Is the item a bare id, and the id that the manifest's own estimator goes by: its own, or that of
 * the linear solver that it was given? Then that one is meant, with its parameters. */
static int is_own(const struct estimation *e) {
  const struct application *own = e->edge->estimator;
  if (e->item.application->type != JSON_STRING) {
    return 0;
  }
  int same = strcmp(own->component->c.id, e->item.id) == 0;
  for (size_t i = 0; i < own->argument_count && !same; i++) {
    const struct application *part = own->arguments[i].application;
    same = part != NULL && part->component->position == POSITION_ESTIMATOR &&
           strcmp(part->component->c.id, e->item.id) == 0;
  }
  return same;
}

static int is_given(const struct application *a, const char *slot) {
  const struct argument *argument = application_argument(a, slot);
  return argument != NULL && !argument->is_default;
}

/* Does the estimator, or its linear solver, need a step and find none? `p` knows whether the lower
 * level's optimizer is a differentiable step. */
static int lacks_step(const struct manifest *m, const struct manifest_through *edge,
                      const struct problem *p) {
  const struct application *estimator = edge->estimator;
  const struct application *optimizer = m->levels[edge->level].optimizer;
  int fixed_point = optimizer != NULL && (optimizer->component->c.flags & TIER_FIXED_POINT) != 0;
  if (is_given(estimator, STEP_PARAMETER)) {
    return 0;
  }
  if (estimator->component->c.flags & TIER_NEEDS_STEP) {
    return !problem_has_step(p, (size_t)edge->level);
  }
  for (size_t i = 0; i < estimator->argument_count; i++) {
    const struct application *solver = estimator->arguments[i].application;
    if (solver != NULL && solver->component->position == POSITION_ESTIMATOR &&
        (solver->component->c.flags & TIER_NEEDS_STEP) && !is_given(solver, "lr")) {
      return !fixed_point;
    }
  }
  return 0;
}

static int32_t load(const struct estimation *e, const struct manifest *m, struct problem **out) {
  struct problem_options options = session_problem_options(e->session, e->seed);
  options.profile = e->profile;
  options.repetition = (uint64_t)e->repetition;
  profile_begin(e->profile, "prepare", NULL);
  int32_t status = problem_new(m, &options, out);
  if (status == TIER_OK) {
    status = problem_load(*out, e->session->options->state_file, 1);
  }
  profile_end(e->profile);
  if (status != TIER_OK) {
    problem_free(*out);
    *out = NULL;
  }
  return status;
}

static int32_t bind(const struct estimation *e, const struct json *application,
                    struct manifest **out) {
  struct text text = {0};
  struct diagnostics d = {0};
  json_write(application, 0, 0, &text);
  int32_t status = manifest_bind_edge(e->session->file, e->session->registry, 0, &e->session->sets,
                                      e->session->options->edge, text_get(&text), &d, out);
  if (status == TIER_E_INVALID) {
    status = TIER_E_REFUSED; /* the item was found well-formed before: it does not apply here */
  }
  status = fail_diagnostics(status, &d);
  diagnostics_free(&d);
  text_free(&text);
  return status;
}

/* sgd with lr 1 / lambda, lambda the largest eigenvalue of the lower Hessian, by the power method:
 * I - lr H is then a contraction where H is positive definite. */
static int32_t make_step(struct estimation *e, struct problem *p, struct json **step) {
  double lambda = 0;
  struct arena *a = e->arena;
  int64_t before = problem_ledger(p).hvps;
  profile_begin(e->profile, "power method", NULL);
  int32_t status = problem_curvature(p, (size_t)e->edge->level, POWER_ITERATIONS, &lambda);
  profile_end(e->profile);
  TIER_TRY(status);
  if (!(lambda > 0)) {
    return fail(TIER_E_REFUSED, "it needs a step, and the power method finds no curvature");
  }
  struct json *arguments = json_make(a, JSON_OBJECT);
  struct json *facts = json_make(a, JSON_OBJECT);
  *step = json_make(a, JSON_OBJECT);
  put_number(a, arguments, "lr", 1 / lambda);
  json_set(a, *step, STEP_OPTIMIZER, arguments);
  put_number(a, facts, "lambda", lambda);
  put_number(a, facts, "lr", 1 / lambda);
  put_number(a, facts, "hvps", (double)(problem_ledger(p).hvps - before));
  json_set(a, e->answer, "curvature", facts);
  return TIER_OK;
}

static int32_t save_result(const struct estimation *e, const struct problem_estimate *r) {
  struct archive archive = {0};
  archive_add(&archive, "hypergradient", ARCHIVE_F64, (uint64_t)r->size, r->hypergradient);
  int32_t status = archive_write(&archive, e->session->options->result_file);
  archive_free(&archive);
  return status;
}

/* In HVP-equivalents, the power method among the pullback's. */
static void put_costs(struct estimation *e, const struct problem_estimate *r, double curvature) {
  put_number(e->arena, e->answer, "solve_cost",
             hvp_equivalents((double)r->solve.values, (double)r->solve.gradients,
                             (double)(r->solve.hvps + r->solve.cross)));
  put_number(e->arena, e->answer, "cost",
             hvp_equivalents((double)r->pullback.values, (double)r->pullback.gradients,
                             (double)(r->pullback.hvps + r->pullback.cross) + curvature));
}

/* T, the lower level's steps; null where they are not known before they are taken. */
static void put_inner_steps(struct estimation *e, const struct problem *p) {
  struct problem_edge facts = {.steps = -1};
  for (size_t i = 0; i < e->base->level_count; i++) {
    for (size_t j = 0; j < e->base->levels[i].through_count; j++) {
      if (&e->base->levels[i].through[j] == e->edge &&
          problem_edge_facts(p, i, (size_t)e->edge->level, &facts) != TIER_OK) {
        error_clear();
        facts.steps = -1;
      }
    }
  }
  put_number(e->arena, e->answer, "inner_steps", facts.steps >= 0 ? (double)facts.steps : NAN);
}

static int32_t estimate(struct estimation *e, struct problem *p) {
  struct problem_estimate r;
  struct arena *a = e->arena;
  struct json *j = e->answer;
  double curvature = number_at(json_member(j, "curvature"), "hvps");
  curvature = isnan(curvature) ? 0 : curvature;
  put_inner_steps(e, p);
  system_reset_peak();
  TIER_TRY(problem_estimate(p, &r));
  put_number(a, j, "values", (double)(r.solve.values + r.pullback.values));
  put_number(a, j, "gradients", (double)(r.solve.gradients + r.pullback.gradients));
  put_number(a, j, "hvps", (double)(r.solve.hvps + r.pullback.hvps) + curvature);
  put_number(a, j, "cross", (double)(r.solve.cross + r.pullback.cross));
  put_number(a, j, "samples", (double)(r.solve.samples + r.pullback.samples));
  put_costs(e, &r, curvature);
  put_number(a, j, "seconds", r.solve_seconds + r.pullback_seconds);
  put_number(a, j, "solve_seconds", r.solve_seconds);
  put_number(a, j, "pullback_seconds", r.pullback_seconds);
  put_number(a, j, "peak_bytes", (double)system_peak()); /* plugins' own memory, too */
  put_number(a, j, "residual", r.residual);
  put_number(a, j, "gradient_norm", r.gradient_norm);
  put_number(a, j, "direct_norm", r.direct_norm);
  put_number(a, j, "response_norm", r.response_norm);
  put_text(a, j, "stop", r.stop);
  int32_t status = save_result(e, &r);
  free(r.hypergradient);
  return status;
}

/* Gives the estimator its step if it needs one, in a manifest bound anew. */
static int32_t estimate_bound(struct estimation *e, const struct manifest *m) {
  struct problem *p = NULL;
  struct json *step = NULL;
  struct manifest *stepped = NULL;
  TIER_TRY(load(e, m, &p));
  int32_t status = TIER_OK;
  if (lacks_step(m, session_edge(m, e->session->options->edge), p)) {
    status = make_step(e, p, &step);
    problem_free(p);
    p = NULL;
    if (status == TIER_OK) {
      status = bind(e, item_with(e->arena, &e->item, STEP_PARAMETER, step), &stepped);
    }
    status = status == TIER_OK ? load(e, stepped, &p) : status;
  }
  status = status == TIER_OK ? estimate(e, p) : status;
  problem_free(p);
  manifest_free(stepped);
  return status;
}

static int32_t estimate_item(struct estimation *e) {
  struct manifest *m = NULL;
  e->edge = session_edge(e->base, e->session->options->edge);
  if (e->edge == NULL) {
    return fail(TIER_E_INVALID, "the manifest has no such edge");
  }
  if (is_own(e)) {
    return estimate_bound(e, e->base);
  }
  TIER_TRY(bind(e, e->item.application, &m));
  int32_t status = estimate_bound(e, m);
  manifest_free(m);
  return status;
}

int verb_estimate(const struct options *o) {
  struct session s;
  struct item *items = NULL;
  size_t count = 0;
  struct estimation e = {.session = &s, .arena = arena_new()};
  stop_with_parent();
  e.answer = json_make(e.arena, JSON_OBJECT);
  int32_t status = session_open(o, &s);
  status = status == TIER_OK ? session_check(&s, o->operands.items[0], "base") : status;
  status = fail_diagnostics(status, &s.diagnostics);
  status = status == TIER_OK ? items_parse(e.arena, o->estimator, &items, &count) : status;
  if (status == TIER_OK && o->repetition != NULL &&
      !options_integer("--repetition", o->repetition, 0, INT64_MAX, &e.repetition)) {
    status = fail(TIER_E_INVALID, "--repetition %s", o->repetition);
  }
  if (status == TIER_OK) {
    int64_t *seeds = session_seeds(&s, s.variants[0].manifest, &count);
    e.item = items[0];
    e.base = s.variants[0].manifest;
    e.seed = seeds[0];
    free(seeds);
    e.profile = profile_open(o);
    profile_begin(e.profile, "estimate", NULL);
    status = estimate_item(&e);
    profile_end(e.profile);
  }
  if (e.profile != NULL) {
    json_set(e.arena, e.answer, "profile", profile_json(e.arena, e.profile));
  }
  int code = answer(e.arena, e.answer, status);
  profile_free(e.profile);
  session_close(&s);
  arena_free(e.arena);
  return code;
}

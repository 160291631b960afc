#include "problem/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/dense.h"
#include "base/error.h"
#include "base/file.h"
#include "problem/draws.h"
#include "problem/edges.h"
#include "problem/instances.h"
#include "problem/measures.h"
#include "problem/phases.h"
#include "problem/profiled.h"
#include "problem/sources.h"
#include "problem/top.h"
#include "problem/variables.h"

/* ---- diagnostics of a check ---- */

/* The graph's texts end with the place that the diagnostic already begins with. */
static int length_without_place(const char *text, const char *file, int line, int column) {
  char *place = memory_format(" at %s:%d:%d", file, line, column);
  size_t length = strlen(text);
  size_t cut = strlen(place);
  int ends = length >= cut && strcmp(text + length - cut, place) == 0;
  free(place);
  return (int)(ends ? length - cut : length);
}

/* A failure that has a place of its own (fail_at) keeps it; `place` is for the others. */
int32_t problem_diagnose(struct problem *p, const struct place *place, int32_t code) {
  struct diagnostics *d = p->options.diagnostics;
  const char *file = place != NULL ? place->file : p->m->file;
  int line = place != NULL ? place->line : 0;
  int column = place != NULL ? place->column : 0;
  if (!p->check_only || d == NULL) {
    return place != NULL ? fail_at(place, code) : code;
  }
  if (error_text()[0] == '\0') {
    return code; /* it was reported where it happened */
  }
  if (code == TIER_E_REFUSED) {
    code = TIER_E_INVALID; /* what is refused before the first step is in the manifest */
  }
  const char *text = fail_text(&file, &line, &column);
  enum severity severity = code == TIER_E_UNSUPPORTED ? SEVERITY_UNSUPPORTED : SEVERITY_ERROR;
  diagnostics_add(d, severity, file, line, column, place != NULL ? place->path : "", "", "%.*s",
                  length_without_place(text, file, line, column), text);
  error_clear();
  return code;
}

/* ---- making ---- */

static int32_t configure(struct problem *p) {
  const struct manifest *m = p->m;
  p->dtype = m->dtype;
  p->backend = backend_find(m->backend);
  if (p->backend == NULL) {
    return fail(TIER_E_INVALID, "no backend \"%s\"; there are cpu and reference", m->backend);
  }
  if (!p->check_only) {
    TIER_TRY(threads_new(m->threads, &p->threads));
    vector_configure(p->dtype, p->threads);
  }
  host_offer("tier.vector/1", &vector_interface);
  host_offer("tier.dense/1", &dense_interface);
  host_offer("tier.problem/1", &problem_interface);
  profiled_offer(p->options.profile);
  return TIER_OK;
}

static int32_t describe_data(struct problem *p) {
  int32_t first = TIER_OK;
  for (size_t i = 0; i < p->m->data_count; i++) {
    p->data[i].declared = &p->m->data[i];
  }
  for (size_t i = 0; i < p->m->data_count; i++) {
    struct held_data *held = NULL;
    int32_t status = p->m->data[i].used ? sources_get(p, (int)i, &held) : TIER_OK;
    if (status < 0) {
      status = problem_diagnose(p, &p->m->data[i].place, status);
      first = first < 0 ? first : status;
      if (!p->check_only) {
        return first;
      }
    } else if (held != NULL && held->rows == 0 && !p->check_only) {
      text_format(&p->warnings, "data \"%s\" has no rows: a mean over them counts as 0\n",
                  held->declared->name);
    }
  }
  return first;
}

static int32_t build_solver(struct problem *p) {
  TIER_TRY(instances_get(p, p->m->solver, NULL, &p->solver));
  p->solver_api = instance_get(p->solver, "tier.solver/1");
  if (p->solver_api == NULL) {
    (void)fail(TIER_E_INVALID, "%s is not a solver", p->m->solver->component->c.id);
    return fail_at(&p->m->solver->place, TIER_E_INVALID);
  }
  int single_loop = (p->m->solver->component->c.flags & TIER_SINGLE_LOOP) != 0;
  if (single_loop) {
    TIER_TRY(single_loop_check(p));
  }
  if (p->check_only) {
    return TIER_OK;
  }
  int64_t n = single_loop ? p->top->edges[0]->lower->over.size : p->top->over.size;
  TIER_TRY(instances_declare_states(p, p->m->solver, n));
  TIER_TRY(top_new(p, &p->facade));
  p->steps = p->solver_api->steps(p->solver->object, &p->facade->face);
  if (p->steps == -1) {
    p->steps = p->top->steps;
  }
  return p->steps < -1 ? (int32_t)p->steps : TIER_OK;
}

/* Everything that a check does, and a run too. */
static int32_t describe(struct problem *p) {
  int32_t first = describe_data(p);
  if (first < 0) {
    return first;
  }
  int32_t (*const stages[])(struct problem *) = {variables_declare, levels_declare};
  for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
    TIER_TRY(stages[i](p));
  }
  if (!p->check_only) {
    TIER_TRY(variables_allocate(p));
  }
  int32_t (*const builds[])(struct problem *) = {levels_build, edges_build};
  for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++) {
    int32_t status = builds[i](p);
    first = first < 0 ? first : status;
    if (status < 0 && !p->check_only) {
      return status;
    }
  }
  return first;
}

static int32_t hash_files(struct problem *p) {
  for (size_t i = 0; i < p->file_count; i++) {
    TIER_TRY(sha256_file(p->files[i].path, p->files[i].sha256));
  }
  return TIER_OK;
}

static int32_t make(struct problem *p) {
  TIER_TRY(configure(p));
  int32_t status = describe(p);
  if (p->check_only) {
    if (status == TIER_OK || p->levels[0].suite_count > 0) {
      int32_t measures = measures_check(p);
      int32_t then = phases_check(p);
      measures = measures < 0 ? measures : then;
      status = status < 0 ? status : measures;
    }
    int32_t solver = status < 0 ? TIER_OK : build_solver(p);
    return solver < 0 ? problem_diagnose(p, &p->m->solver->place, solver) : status;
  }
  TIER_TRY(status);
  TIER_TRY(hash_files(p));
  TIER_TRY(levels_prepare(p));
  TIER_TRY(edges_prepare(p));
  TIER_TRY(variables_initialize(p, -1));
  TIER_TRY(phases_begin(p, p->options.carried));
  p->options.carried = NULL; /* it need not outlive this */
  return build_solver(p);
}

int32_t problem_new(const struct manifest *m, const struct problem_options *options,
                    struct problem **out) {
  struct problem *p = memory_alloc(1, sizeof *p);
  p->m = m;
  p->options = *options;
  p->check_only = options->check_only;
  p->seed = options->seed;
  p->repetition = options->repetition;
  p->arena = arena_new();
  p->data = memory_alloc(m->data_count, sizeof *p->data);
  p->variables = memory_alloc(m->variable_count, sizeof *p->variables);
  p->levels = memory_alloc(m->level_count, sizeof *p->levels);
  p->kept = memory_alloc(m->variable_count, sizeof *p->kept);
  p->started = now_seconds();
  for (size_t i = 0; i < m->level_count; i++) {
    p->levels[i].p = p;
  }
  int32_t status = make(p);
  if (status < 0) {
    problem_free(p);
    p = NULL;
  }
  *out = p;
  return status;
}

static void free_variables(struct problem *p) {
  for (size_t i = 0; i < p->m->variable_count; i++) {
    vector_free(p->variables[i].value);
    vector_free(p->kept[i]);
    free(p->variables[i].tensors);
  }
  free(p->variables);
  free(p->kept);
}

static void free_data(struct problem *p) {
  for (size_t i = 0; i < p->m->data_count; i++) {
    for (size_t f = 0; f < p->data[i].field_count; f++) {
      large_free(p->data[i].fields[f].values);
    }
  }
  for (size_t i = p->made_count; i-- > 0;) {
    data_free(p->made[i]);
  }
  free(p->made);
}

void problem_free(struct problem *p) {
  if (p == NULL) {
    return;
  }
  for (size_t i = 0; i < p->m->level_count; i++) {
    for (size_t k = 0; k < p->levels[i].edge_count; k++) {
      edge_free(p->levels[i].edges[k]);
    }
  }
  for (size_t i = 0; i < p->m->level_count; i++) {
    level_free(&p->levels[i]);
  }
  free_variables(p);
  free_data(p);
  for (size_t i = p->instance_count; i-- > 0;) {
    if (p->instances[i].owned) {
      instance_free(p->instances[i].instance);
    }
  }
  for (size_t i = 0; i < p->state_count; i++) {
    state_free(p->states[i]);
  }
  free(p->noise_names);
  free(p->states);
  free(p->state_names);
  free(p->instances);
  free(p->files);
  free(p->data);
  free(p->levels);
  text_free(&p->warnings);
  threads_free(p->threads);
  arena_free(p->arena);
  free(p);
}

/* ---- stepping ---- */

int64_t problem_steps(const struct problem *p) {
  return p->steps;
}
int64_t problem_done(const struct problem *p) {
  return p->done;
}

static void add_ledger(struct ledger *sum, const struct ledger *x, int64_t sign) {
  sum->values += sign * x->values;
  sum->gradients += sign * x->gradients;
  sum->hvps += sign * x->hvps;
  sum->cross += sign * x->cross;
  sum->samples += sign * x->samples;
}

/* Which limit is reached, as an index into the texts below, or -1. */
static int limit_reached(const struct manifest_budget *b, const struct ledger *spent,
                         double seconds) {
  const int64_t limits[] = {b->values, b->gradients, b->hvps, b->cross, b->samples};
  const int64_t counts[] = {spent->values, spent->gradients, spent->hvps, spent->cross,
                            spent->samples};
  for (int i = 0; i < 5; i++) {
    if (limits[i] >= 0 && counts[i] >= limits[i]) {
      return i;
    }
  }
  return b->seconds >= 0 && seconds >= b->seconds ? 5 : -1;
}

static int run_limit(const struct problem *p) {
  struct ledger spent = problem_ledger(p);
  return limit_reached(&p->m->budget, &spent, p->earlier + now_seconds() - p->started);
}

int problem_run_is_over(const struct problem *p) {
  return run_limit(p) >= 0;
}

static const char *budget_reached(const struct problem *p) {
  static const char *const texts[][2] = {{"budget: values", "phase budget: values"},
                                         {"budget: gradients", "phase budget: gradients"},
                                         {"budget: hvps", "phase budget: hvps"},
                                         {"budget: cross", "phase budget: cross"},
                                         {"budget: samples", "phase budget: samples"},
                                         {"budget: seconds", "phase budget: seconds"}};
  int of_run = run_limit(p);
  if (of_run >= 0) {
    return texts[of_run][0];
  }
  struct ledger spent = {0};
  for (size_t i = 0; i < p->m->level_count; i++) {
    add_ledger(&spent, &p->levels[i].ledger, 1);
  }
  int of_phase = limit_reached(&p->m->phase_budget, &spent, now_seconds() - p->started);
  return of_phase >= 0 ? texts[of_phase][1] : NULL;
}

const char *problem_end(const struct problem *p) {
  if (p->end[0] != '\0') {
    return p->end;
  }
  if (p->steps >= 0 && p->done >= p->steps) {
    return "steps";
  }
  return budget_reached(p);
}

int32_t problem_step(struct problem *p) {
  error_clear();
  TIER_TRY(p->solver_api->step(p->solver->object, &p->facade->face, p->solver->state, p->done));
  p->done++;
  return TIER_OK;
}

int32_t problem_finish(struct problem *p) {
  if (p->solver_api->finish != NULL) {
    return p->solver_api->finish(p->solver->object, &p->facade->face, p->solver->state);
  }
  return TIER_OK;
}

/* ---- what a step left ---- */

typedef void (*number_callback)(void *context, const char *name, double value);

static void say(number_callback number, void *context, double value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void say(number_callback number, void *context, double value, const char *format, ...) {
  char name[256];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  number(context, name, value);
}

static void say_reports(const struct level *l, number_callback number, void *context) {
  const char *name = l->declared->name;
  say(number, context, l->direct_norm, "%s.report.direct_norm", name);
  say(number, context, l->response_norm, "%s.report.response_norm", name);
  for (size_t i = 0; i < l->edge_count; i++) {
    const tier_record *r = &l->edges[i]->record;
    for (size_t k = 0; k < r->report_count; k++) {
      if (r->reports[k].text == NULL && l->edge_count == 1) {
        say(number, context, r->reports[k].number, "%s.report.%s", name, r->reports[k].name);
      } else if (r->reports[k].text == NULL) {
        say(number, context, r->reports[k].number, "%s.report.%s.%s", name,
            l->edges[i]->lower->declared->name, r->reports[k].name);
      }
    }
  }
}

void problem_numbers(const struct problem *p, number_callback number, void *context) {
  for (size_t i = 0; i < p->m->level_count; i++) {
    const struct level *l = &p->levels[i];
    const char *name = l->declared->name;
    double value = l->declared->maximize ? -l->value : l->value;
    say(number, context, value, "%s.loss", name);
    for (size_t t = 0; t < l->suites[0]->term_count && l->suites[0]->term_count > 1; t++) {
      say(number, context, l->term_values[t], "%s.loss.%zu", name, t);
    }
    int gradient = l != p->top || !(p->solver->component->c.flags & TIER_NO_GRADIENT);
    if (gradient) {
      say(number, context, l->gradient_norm, "%s.gradient_norm", name);
    }
    if (l != p->top) {
      say(number, context, (double)l->taken, "%s.steps", name);
    }
    if (l->edge_count > 0 && gradient) {
      say_reports(l, number, context);
    }
  }
}

void problem_texts(const struct problem *p,
                   void (*text)(void *context, const char *name, const char *value),
                   void *context) {
  char name[256];
  for (size_t i = 0; i < p->m->level_count; i++) {
    const struct level *l = &p->levels[i];
    if (l != p->top) {
      (void)snprintf(name, sizeof name, "%s.stop", l->declared->name);
      text(context, name, l->stop);
    }
    for (size_t k = 0; k < l->edge_count; k++) {
      const tier_record *r = &l->edges[k]->record;
      for (size_t j = 0; j < r->report_count; j++) {
        if (r->reports[j].text != NULL) {
          int single = l->edge_count == 1;
          (void)snprintf(name, sizeof name, "%s.report.%s%s%s", l->declared->name,
                         single ? "" : l->edges[k]->lower->declared->name, single ? "" : ".",
                         r->reports[j].name);
          text(context, name, r->reports[j].text);
        }
      }
    }
  }
}

char *problem_warnings(struct problem *p) {
  char *text = p->warnings.length > 0 ? memory_copy_text(p->warnings.data) : NULL;
  text_free(&p->warnings);
  return text;
}

/* ---- ledger ---- */

struct ledger problem_level_ledger(const struct problem *p, size_t level) {
  return p->levels[level].ledger;
}

struct ledger problem_ledger(const struct problem *p) {
  struct ledger sum = p->spent;
  for (size_t i = 0; i < p->m->level_count; i++) {
    add_ledger(&sum, &p->levels[i].ledger, 1);
  }
  return sum;
}

double problem_solve_seconds(const struct problem *p) {
  return p->solve_seconds;
}
double problem_pullback_seconds(const struct problem *p) {
  return p->pullback_seconds;
}

/* ---- one hypergradient ---- */

static void report_of(const struct problem *p, struct problem_estimate *out) {
  out->residual = NAN;
  out->gradient_norm = NAN;
  for (size_t i = 0; i < p->top->edge_count; i++) {
    const tier_record *r = &p->top->edges[i]->record;
    const struct report_entry *residual = record_report(r, "residual");
    const struct report_entry *norm = record_report(r, "gradient_norm");
    const struct report_entry *stop = record_report(r, "stop");
    out->residual = residual != NULL ? residual->number : out->residual;
    out->gradient_norm = norm != NULL ? norm->number : out->gradient_norm;
    if (stop != NULL && stop->text != NULL) {
      (void)snprintf(out->stop, sizeof out->stop, "%s", stop->text);
    }
  }
}

int32_t problem_estimate(struct problem *p, struct problem_estimate *out) {
  *out = (struct problem_estimate){.size = p->top->over.size};
  tier_levels *levels = &p->facade->face;
  double value = 0;
  struct ledger before = problem_ledger(p);
  large_reset_peak();
  double started = now_seconds();
  TIER_TRY(levels->api->solve_lower(levels));
  double solved = now_seconds();
  struct ledger after = problem_ledger(p);
  TIER_TRY(levels->api->hypergradient(levels, &value));
  out->solve_seconds = solved - started;
  out->pullback_seconds = now_seconds() - solved;
  out->peak_bytes = large_peak();
  struct ledger end = problem_ledger(p);
  add_ledger(&out->solve, &after, 1);
  add_ledger(&out->solve, &before, -1);
  add_ledger(&out->pullback, &end, 1);
  add_ledger(&out->pullback, &after, -1);
  out->direct_norm = p->top->direct_norm;
  out->response_norm = p->top->response_norm;
  report_of(p, out);
  out->hypergradient = memory_alloc((size_t)out->size, sizeof *out->hypergradient);
  vector_interface.read(p->top->gradient, 0, out->size, out->hypergradient);
  return TIER_OK;
}

/* The power method on the edge's Hessian at the present w: v <- H v / |H v|. */
static int32_t power_method(tier_edge *e, tier_oracle *o, int iterations, double *lambda) {
  int64_t n = problem_interface.size(e);
  tier_vector *v = vector_new(n);
  tier_vector *image = vector_new(n);
  int32_t status = v != NULL && image != NULL ? TIER_OK : fail(TIER_E_MEMORY, "no memory");
  *lambda = 0;
  if (status == TIER_OK) {
    vector_interface.normal(v, e->p->seed, 0);
    vector_interface.scale(1.0 / vector_interface.norm(v), v);
  }
  for (int i = 0; i < iterations && status == TIER_OK; i++) {
    status = problem_interface.hvp(o, v, image);
    *lambda = vector_interface.norm(image);
    if (status == TIER_OK && !(isfinite(*lambda) && *lambda > 0)) {
      status = fail(TIER_E_REFUSED, "the power method found no curvature (|Hv| = %g)", *lambda);
    }
    if (status == TIER_OK) {
      vector_interface.axpby(1.0 / *lambda, image, 0.0, v);
    }
  }
  vector_free(v);
  vector_free(image);
  return status;
}

int32_t problem_curvature(struct problem *p, size_t level, int iterations, double *lambda) {
  for (size_t i = 0; i < p->m->level_count; i++) {
    tier_edge *e = edge_between(&p->levels[i], (int)level);
    if (e != NULL) {
      tier_oracle *o = NULL;
      TIER_TRY(problem_interface.at_solution(e, &e->record, 0, 0, &o));
      int32_t status = power_method(e, o, iterations, lambda);
      problem_interface.release(o);
      return status;
    }
  }
  return fail(TIER_E_INVALID, "no level has \"through\" to level \"%s\"", p->m->levels[level].name);
}

int problem_has_step(const struct problem *p, size_t level) {
  return p->levels[level].stepper != NULL;
}

/* ---- facts ---- */

void problem_files(const struct problem *p,
                   void (*file)(void *context, const char *path, const char *sha256),
                   void *context) {
  for (size_t i = 0; i < p->file_count; i++) {
    file(context, p->files[i].path, p->files[i].sha256);
  }
}

int problem_threads(const struct problem *p) {
  return threads_count(p->threads);
}

#include "run/run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/profile.h"
#include "plugin/log.h"
#include "problem/problem.h"
#include "run/clock.h"
#include "run/directory.h"
#include "run/progress.h"
#include "run/provenance.h"
#include "run/record.h"
#include "run/stop.h"

#define POINTS 100
#define MANIFEST_LIMIT ((size_t)16 << 20)

struct run {
  const struct manifest *m;
  const struct manifest *phase;    /* the one being run */
  struct problem_carried *carried; /* from the one before, or NULL */
  int64_t steps_before;            /* of all before */
  const struct run_options *options;
  int64_t seed;
  struct run_directory directory;
  struct record record;
  struct progress progress;
  struct provenance provenance;
  struct problem *p;
  struct arena *arena;  /* of `metrics` and what state.json says */
  struct json *metrics; /* the last value of each */
  struct text facts;    /* for the progress line */
};

int run_is_due(int64_t every, int64_t step, int64_t total) {
  if (every == 0 && total >= 0) {
    every = (total + POINTS - 1) / POINTS;
  } else if (every == 0) {
    for (every = 1; step > every * POINTS; every *= 2) {
    }
  }
  return every <= 1 || step % every == 0;
}

/* ---- what a step left ---- */

static int ends_with(const char *text, const char *end) {
  size_t n = strlen(text);
  size_t m = strlen(end);
  return n >= m && strcmp(text + n - m, end) == 0;
}

static void keep_metric(struct run *r, const char *name, double value) {
  int finite = value - value == 0;
  struct json *j = finite ? json_make_number(r->arena, value) : json_make(r->arena, JSON_NULL);
  json_set(r->arena, r->metrics, name, j);
}

static void on_number(void *context, const char *name, double value) {
  struct run *r = context;
  record_number(&r->record, problem_done(r->p), name, value);
  if (ends_with(name, ".loss")) {
    text_format(&r->facts, "%s%s %.4g", r->facts.length > 0 ? "  " : "", name, value);
  }
}

static void on_text(void *context, const char *name, const char *value) {
  struct run *r = context;
  record_text(&r->record, problem_done(r->p), name, value);
}

static void on_final_number(void *context, const char *name, double value) {
  struct run *r = context;
  if (ends_with(name, ".loss")) {
    keep_metric(r, name, value);
  }
}

static void warn(struct run *r) {
  char *warnings = problem_warnings(r->p);
  if (warnings != NULL) {
    char *rest = warnings;
    progress_clear(&r->progress);
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
      if (line[0] != '\0') {
        record_log(&r->record, line);
        (void)fprintf(stderr, "tier: warning: %s\n", line);
      }
    }
    free(warnings);
  }
}

static void record_ledger(struct run *r) {
  struct ledger ledger = problem_ledger(r->p);
  int64_t step = problem_done(r->p);
  record_number(&r->record, step, "oracle.values", (double)ledger.values);
  record_number(&r->record, step, "oracle.gradients", (double)ledger.gradients);
  record_number(&r->record, step, "oracle.hvps", (double)ledger.hvps);
  record_number(&r->record, step, "oracle.cross", (double)ledger.cross);
  record_number(&r->record, step, "oracle.samples", (double)ledger.samples);
}

/* The metrics that are due, or all, and the oracle calls so far. */
static int32_t measure(struct run *r, int all) {
  int64_t step = problem_done(r->p);
  int64_t total = problem_steps(r->p);
  for (size_t i = 0; i < r->phase->metric_count; i++) {
    const struct manifest_measure *metric = &r->phase->metrics[i];
    if (all || run_is_due(metric->every, step, total)) {
      double value = 0;
      profile_begin(r->options->profile, "metric", metric->name);
      int32_t status = problem_metric(r->p, i, &value);
      profile_end(r->options->profile);
      TIER_TRY(status);
      record_number(&r->record, step, metric->name, value);
      keep_metric(r, metric->name, value);
    }
  }
  if (all || run_is_due(0, step, total)) {
    record_ledger(r);
  }
  return TIER_OK;
}

/* ---- state.json ---- */

static struct json *ledger_json(struct arena *a, const struct problem *p) {
  struct ledger ledger = problem_ledger(p);
  struct json *j = json_make(a, JSON_OBJECT);
  json_set(a, j, "values", json_make_number(a, (double)ledger.values));
  json_set(a, j, "gradients", json_make_number(a, (double)ledger.gradients));
  json_set(a, j, "hvps", json_make_number(a, (double)ledger.hvps));
  json_set(a, j, "cross", json_make_number(a, (double)ledger.cross));
  json_set(a, j, "samples", json_make_number(a, (double)ledger.samples));
  return j;
}

static struct json *state_json(struct run *r, const char *status, const char *reason) {
  struct arena *a = r->arena;
  struct json *j = json_make(a, JSON_OBJECT);
  json_set(a, j, "status", json_make_text(a, status));
  json_set(a, j, "reason", json_make_text(a, reason));
  json_set(a, j, "variant", json_make_text(a, r->m->variant));
  json_set(a, j, "seed", json_make_number(a, (double)r->seed));
  json_set(a, j, "identity", json_make_text(a, r->m->identity));
  if (strcmp(status, "running") == 0) {
    json_set(a, j, "pid", json_make_number(a, getpid()));
  }
  if (r->p != NULL) {
    json_set(a, j, "steps", json_make_number(a, (double)(r->steps_before + problem_done(r->p))));
    json_set(a, j, "seconds", json_make_number(a, record_seconds(&r->record)));
    json_set(a, j, "solve_seconds", json_make_number(a, problem_solve_seconds(r->p)));
    json_set(a, j, "pullback_seconds", json_make_number(a, problem_pullback_seconds(r->p)));
    json_set(a, j, "oracle", ledger_json(a, r->p));
    json_set(a, j, "metrics", r->metrics);
  }
  return j;
}

/* ---- the run ---- */

static void on_log(void *context, int32_t level, const char *text) {
  struct run *r = context;
  record_log(&r->record, text);
  if (level >= TIER_LOG_WARNING) {
    progress_clear(&r->progress);
    (void)fprintf(stderr, "tier: warning: %s\n", text);
  }
}

static int32_t copy_manifest(struct run *r) {
  char *data = NULL;
  size_t size = 0;
  char *path = path_join(r->directory.path, "manifest.json");
  int32_t status = file_read(r->m->file, MANIFEST_LIMIT, &data, &size);
  status = status == TIER_OK ? file_write(path, data, size) : status;
  free(data);
  free(path);
  return status;
}

static int32_t write_provenance(struct run *r) {
  struct arena *a = arena_new();
  int32_t status =
      run_directory_write(&r->directory, "provenance.json", provenance_json(a, &r->provenance));
  arena_free(a);
  return status;
}

static int32_t begin(struct run *r) {
  TIER_TRY(run_directory_write(&r->directory, "state.json",
                               state_json(r, "running", "since its start")));
  TIER_TRY(copy_manifest(r));
  TIER_TRY(run_directory_write(&r->directory, "resolved.json", r->m->resolved));
  TIER_TRY(record_open(r->directory.path, &r->record));
  log_set_sink(on_log, r);
  return TIER_OK;
}

static int32_t begin_phase(struct run *r, size_t index) {
  struct problem_options options = {.registry = r->options->registry,
                                    .data_directories = r->options->data_directories,
                                    .data_directory_count = r->options->data_directory_count,
                                    .seed = (uint64_t)r->seed,
                                    .carried = r->carried,
                                    .profile = r->options->profile};
  r->phase = r->m->phases[index];
  r->record.phase = r->phase->phase;
  profile_begin(options.profile, "prepare", NULL);
  int32_t status = problem_new(r->phase, &options, &r->p);
  profile_end(options.profile);
  TIER_TRY(status);
  r->provenance.problem = r->p;
  return write_provenance(r);
}

/* What the next phase goes on with; the problem of this one is gone then. */
static int32_t leave_phase(struct run *r) {
  problem_carried_free(r->carried);
  r->carried = NULL;
  TIER_TRY(problem_carry(r->p, &r->carried));
  r->steps_before += problem_done(r->p);
  r->provenance.problem = NULL;
  problem_free(r->p);
  r->p = NULL;
  return TIER_OK;
}

static int32_t step(struct run *r) {
  profile_begin(r->options->profile, "step", NULL);
  int32_t status = problem_step(r->p);
  profile_end(r->options->profile);
  return status;
}

/* Steps until the end; leaves *end NULL if a signal asked to stop. */
static int32_t steps(struct run *r, const char **end) {
  while ((*end = problem_end(r->p)) == NULL && !stop_asked()) {
    TIER_TRY(step(r));
    r->facts.length = 0;
    problem_numbers(r->p, on_number, r);
    problem_texts(r->p, on_text, r);
    record_time(&r->record, problem_done(r->p), problem_solve_seconds(r->p),
                problem_pullback_seconds(r->p));
    warn(r);
    if (problem_end(r->p) == NULL) {
      TIER_TRY(measure(r, 0));
    }
    TIER_TRY(record_flush(&r->record));
    progress_update(&r->progress, problem_done(r->p), problem_steps(r->p), text_get(&r->facts));
  }
  return TIER_OK;
}

static int32_t write_outputs(struct run *r) {
  char *all = path_join(r->directory.path, "artifacts");
  char *directory = r->m->phase_count > 1 ? path_join(all, r->phase->phase) : memory_copy_text(all);
  int32_t status = r->phase->output_count > 0 ? directory_make(directory) : TIER_OK;
  for (size_t i = 0; i < r->phase->output_count && status == TIER_OK; i++) {
    char *path = NULL;
    profile_begin(r->options->profile, "output", r->phase->outputs[i].name);
    status = problem_output(r->p, i, directory, &path);
    profile_end(r->options->profile);
    free(path);
  }
  free(directory);
  free(all);
  return status;
}

static int32_t save(struct run *r, int last) {
  char *name = last ? memory_copy_text("final.state") : memory_format("%s.state", r->phase->phase);
  char *path = path_join(r->directory.path, name);
  profile_begin(r->options->profile, "save state", NULL);
  int32_t status = problem_save(r->p, path);
  profile_end(r->options->profile);
  free(path);
  free(name);
  return status;
}

/* The last metrics, the outputs and the state of a phase, whether it came to its end or was asked
 * to stop. */
static int32_t conclude(struct run *r, int ended, int last) {
  TIER_TRY(ended ? problem_finish(r->p) : TIER_OK);
  TIER_TRY(ended ? problem_store(r->p) : TIER_OK);
  TIER_TRY(measure(r, 1));
  if (problem_done(r->p) > 0) { /* without a step no objective was evaluated */
    problem_numbers(r->p, on_final_number, r);
  }
  warn(r);
  TIER_TRY(ended ? write_outputs(r) : TIER_OK);
  TIER_TRY(save(r, last));
  return write_provenance(r);
}

static int32_t whole_run(struct run *r, const char **end) {
  *end = NULL;
  TIER_TRY(begin(r));
  for (size_t i = 0;; i++) {
    TIER_TRY(begin_phase(r, i));
    TIER_TRY(steps(r, end));
    int last = i + 1 == r->m->phase_count || *end == NULL || problem_run_is_over(r->p);
    TIER_TRY(conclude(r, *end != NULL, last));
    if (last) {
      return record_close(&r->record);
    }
    TIER_TRY(leave_phase(r));
  }
}

/* Tells how it went: in state.json, in log.txt and on the terminal. */
static void report(struct run *r, int32_t status, const char *end, struct run_outcome *out) {
  const char *reason = end != NULL ? end : "asked to stop";
  out->status = end != NULL ? "finished" : "interrupted";
  out->exit_code = end != NULL ? 0 : 128 + stop_asked();
  if (status != TIER_OK) {
    out->status = status == TIER_E_INTERRUPTED ? "interrupted" : "failed";
    out->exit_code = status == TIER_E_INTERRUPTED ? 128 + stop_asked() : error_exit_code(status);
    out->error = memory_copy_text(error_text());
    reason = out->error;
    error_clear();
    if (r->record.log != NULL) {
      record_log(&r->record, reason);
    }
  }
  (void)record_close(&r->record);
  error_clear();
  out->state = state_json(r, out->status, reason);
  if (run_directory_write(&r->directory, "state.json", out->state) != TIER_OK &&
      out->error == NULL) {
    out->status = "failed";
    out->error = memory_copy_text(error_text());
    out->exit_code = error_exit_code(TIER_E_IO);
  }
  error_clear();
  if (out->error == NULL && end == NULL) {
    out->error = memory_copy_text(reason);
  }
}

static void summary(struct run *r, const struct run_outcome *out) {
  struct text t = {0};
  text_format(&t, "%s after %lld steps, %.1f s", out->status,
              (long long)(r->steps_before + (r->p != NULL ? problem_done(r->p) : 0)),
              record_seconds(&r->record));
  progress_end(&r->progress, text_get(&t));
  text_free(&t);
}

static void run_claimed(struct run *r, struct run_outcome *out) {
  const char *end = NULL;
  char *label = memory_format("%s %s seed %lld", r->m->name, r->m->variant, (long long)r->seed);
  r->record.started = clock_seconds();
  r->metrics = json_make(r->arena, JSON_OBJECT);
  provenance_now(r->provenance.started);
  progress_start(&r->progress, stderr, label, r->options->quiet, r->options->color);
  profile_begin(r->options->profile, "run", NULL);
  int32_t status = whole_run(r, &end);
  profile_end(r->options->profile);
  report(r, status, end, out);
  summary(r, out);
  log_set_sink(NULL, NULL);
  problem_free(r->p);
  problem_carried_free(r->carried);
  text_free(&r->facts);
  run_directory_release(&r->directory);
  free(label);
}

void run_seed(const struct manifest *m, const struct run_options *options, int64_t seed,
              struct arena *a, struct run_outcome *out) {
  struct text note = {0};
  struct run r = {.m = m,
                  .phase = m->phases[0],
                  .options = options,
                  .seed = seed,
                  .directory.lock = -1,
                  .arena = a};
  r.provenance = (struct provenance){.manifest = m,
                                     .seed = seed,
                                     .command = options->command,
                                     .skipped_sets = options->skipped_sets};
  *out = (struct run_outcome){.seed = seed, .directory = run_directory_path(options->out, m, seed)};
  int32_t status = run_directory_claim(out->directory, options->force, &note, &r.directory);
  if (note.length > 0 && !options->quiet) {
    (void)fprintf(stderr, "tier: %s\n", note.data);
  }
  text_free(&note);
  if (status != TIER_OK) {
    out->status = status == TIER_E_REFUSED ? "refused" : "failed";
    out->error = memory_copy_text(error_text());
    out->exit_code = error_exit_code(status);
    error_clear();
  } else {
    run_claimed(&r, out);
  }
}

void run_outcome_free(struct run_outcome *o) {
  free(o->directory);
  free(o->error);
  *o = (struct run_outcome){0};
}

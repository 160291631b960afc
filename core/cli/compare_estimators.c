/* tier compare --estimators: frozen states, one process an estimate, and what they say. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/archive.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/items.h"
#include "cli/output.h"
#include "cli/profile.h"
#include "cli/session.h"
#include "run/directory.h"
#include "run/stop.h"

/* The reference: cg to 1e-12, in f64. */
#define REFERENCE "cg:tolerance=1e-12:iterations=100000"
#define REFERENCE_DTYPE "compute.dtype=f64"

struct estimators {
  struct session *session;
  struct arena *arena;
  struct plan plan;
  char *prefix; /* OUT/NAME/ID-rSEED: the states are in PREFIX-at-STEP/frozen.state */
  char *seed;
  struct json *references, *rows, *summary;
  int exit_code;
};

/* Where an estimate is made, and against what. */
struct place_of {
  size_t step, setting; /* in the plan */
  char *directory, *state;
  double *reference; /* NULL: there is none */
  uint64_t size;     /* numbers in it */
};

/* ---- child processes ---- */

/* What the child printed; if that is nothing, an object with its end as the error. */
static struct json *child_answer(struct estimators *c, const struct texts *arguments, int *code) {
  struct text out = {0};
  *code = child_run(arguments, &out);
  struct json *j = child_document(c->arena, &out);
  if (j == NULL) {
    char *error = *code < 0     ? memory_copy_text(error_text())
                  : *code > 128 ? memory_format("it was ended by signal %d (%s)", *code - 128,
                                                strsignal(*code - 128))
                                : memory_format("it ended with exit code %d", *code);
    j = json_make(c->arena, JSON_OBJECT);
    put_text(c->arena, j, "error", error);
    free(error);
    error_clear();
  }
  text_free(&out);
  return j;
}

static const char *error_of(const struct json *answer) {
  const char *text = json_text_at(answer, "error");
  return text[0] != '\0' ? text : NULL;
}

static int32_t freeze(struct estimators *c) {
  const struct options *o = c->session->options;
  struct texts arguments = {0};
  struct text steps = {0};
  int code = 0;
  for (size_t i = 0; i < c->plan.step_count; i++) {
    text_format(&steps, "%s%lld", i > 0 ? "," : "", (long long)c->plan.steps[i]);
  }
  const char *const fixed[] = {
      "freeze", o->operands.items[0], "--at-steps", steps.data, "--seeds", c->seed, "--state",
      c->prefix};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
    child_argument(&arguments, fixed[i]);
  }
  child_pass_on(&arguments, o);
  struct json *answer = child_answer(c, &arguments, &code);
  free(arguments.items);
  if (error_of(answer) != NULL) {
    (void)fprintf(stderr, "tier: cannot freeze step %s: %s\n", steps.data, error_of(answer));
    c->exit_code = code > 0 ? code : 1;
  }
  text_free(&steps);
  return error_of(answer) != NULL ? TIER_E_INTERRUPTED : TIER_OK;
}

/* The sets as they were given to us, but those of the setting after them and, for a reference, in
 * f64. */
static void pass_on(struct texts *arguments, const struct options *o, const struct setting *setting,
                    int is_reference) {
  struct options changed = *o;
  changed.sets = (struct texts){0};
  for (size_t i = 0; i < o->sets.count; i++) {
    if (!is_reference || strncmp(o->sets.items[i], "compute.dtype=", strlen("compute.dtype="))) {
      child_argument(&changed.sets, o->sets.items[i]);
    }
  }
  for (size_t i = 0; i < setting->sets.count; i++) {
    child_argument(&changed.sets, setting->sets.items[i]);
  }
  if (is_reference) {
    child_argument(&changed.sets, REFERENCE_DTYPE);
  }
  child_pass_on(arguments, &changed);
  free(changed.sets.items);
}

/* One estimate by a process of its own. `label` NULL: the reference. */
static struct json *estimate(struct estimators *c, const struct place_of *w, const char *item,
                             const char *label, const char *result, int64_t repetition, int *code) {
  const struct options *o = c->session->options;
  const struct setting *setting = &c->plan.settings[w->setting];
  struct texts arguments = {0};
  char number[24];
  (void)snprintf(number, sizeof number, "%lld", (long long)repetition);
  const char *const fixed[] = {"estimate",     o->operands.items[0],
                               "--estimator",  item,
                               "--seeds",      c->seed,
                               "--state",      w->state,
                               "--result",     result,
                               "--repetition", number};
  if (!o->quiet && repetition == 0) {
    (void)fprintf(stderr, "step %lld%s%s: %s%s\n", (long long)c->plan.steps[w->step],
                  setting->label[0] != '\0' ? ", " : "", setting->label,
                  label != NULL ? label : item, label == NULL ? " (reference)" : "");
  }
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
    child_argument(&arguments, fixed[i]);
  }
  if (o->edge != NULL) {
    child_argument(&arguments, "--edge");
    child_argument(&arguments, o->edge);
  }
  if (o->profile != NULL && label != NULL && repetition == 0) {
    child_argument(&arguments, "--profile");
  }
  pass_on(&arguments, o, setting, label == NULL);
  struct json *answer = child_answer(c, &arguments, code);
  put_text(c->arena, answer, "estimator", label != NULL ? label : item);
  put_number(c->arena, answer, "step", (double)c->plan.steps[w->step]);
  if (c->plan.setting_count > 1) {
    put_text(c->arena, answer, "setting", setting->label);
  }
  free(arguments.items);
  return answer;
}

/* ---- agreement with the reference ---- */

/* The hypergradient in a file, *n numbers; NULL after a failure. free() it. */
static double *read_result(const char *file, uint64_t *n) {
  struct archive archive = {0};
  double *x = NULL;
  if (archive_read(file, &archive) == TIER_OK) {
    const struct archive_array *found = archive_find(&archive, "hypergradient");
    if (found != NULL && found->type == ARCHIVE_F64) {
      x = memory_alloc(found->count, sizeof *x);
      memcpy(x, found->data, found->count * sizeof *x);
      *n = found->count;
    }
  }
  archive_free(&archive);
  return x;
}

/* What the estimates of one item on one state come to. */
#define TALLY_KEYS 9
static const char *const tally_keys[TALLY_KEYS] = {"values",        "gradients",        "hvps",
                                                   "cross",         "samples",          "seconds",
                                                   "solve_seconds", "pullback_seconds", "cost"};
struct tally {
  double **x; /* hypergradients, of `size` numbers each */
  size_t count, capacity;
  struct statistic error, cosine, keys[TALLY_KEYS];
};

/* Takes one more estimate; 0 if it cannot be compared. */
static int tally_add(struct tally *t, const struct place_of *w, const struct json *answer,
                     const char *file) {
  uint64_t n = 0;
  double cosine = NAN;
  double error = NAN;
  double *x = error_of(answer) == NULL ? read_result(file, &n) : NULL;
  if (x == NULL || (w->reference != NULL && n != w->size)) {
    error_clear();
    free(x);
    return 0;
  }
  array_push(t->x, t->count, t->capacity, x);
  if (w->reference != NULL) {
    agreement(x, w->reference, n, &cosine, &error);
  }
  statistic_add(&t->cosine, cosine);
  statistic_add(&t->error, error);
  for (size_t i = 0; i < TALLY_KEYS; i++) {
    statistic_add(&t->keys[i], number_at(answer, tally_keys[i]));
  }
  return 1;
}

static void tally_free(struct tally *t) {
  for (size_t i = 0; i < t->count; i++) {
    free(t->x[i]);
  }
  free(t->x);
}

/* Means into the row; with several estimates also the deviation of the error, and the bias. */
static void tally_put(struct estimators *c, const struct tally *t, const struct place_of *w,
                      struct json *row) {
  struct statistic error = statistic_finish(t->error);
  put_number(c->arena, row, "cosine", statistic_finish(t->cosine).mean);
  put_number(c->arena, row, "relative_error", error.mean);
  put_number(c->arena, row, "repetitions", (double)t->count);
  if (t->count > 1) {
    put_number(c->arena, row, "relative_error_deviation", error.deviation);
    for (size_t i = 0; i < TALLY_KEYS; i++) {
      put_number(c->arena, row, tally_keys[i], statistic_finish(t->keys[i]).mean);
    }
  }
  if (t->count > 2 && w->reference != NULL) {
    struct bias b = bias_of((const double *const *)t->x, t->count, w->reference, w->size);
    struct json *bias = json_make(c->arena, JSON_OBJECT);
    put_number(c->arena, bias, "estimate", b.estimate);
    put_number(c->arena, bias, "low", b.low);
    put_number(c->arena, bias, "high", b.high);
    json_set(c->arena, row, "bias", bias);
  }
}

/* Members that a row has whether or not there is a result. */
static void complete_row(struct arena *a, struct json *row) {
  static const char *const numbers[] = {"cosine", "relative_error", "gradients", "hvps",
                                        "cross",  "seconds",        "cost",      "peak_bytes"};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    if (json_member(row, numbers[i]) == NULL) {
      put_number(a, row, numbers[i], NAN);
    }
  }
  if (json_member(row, "stop") == NULL) {
    put_text(a, row, "stop", NULL);
  }
}

/* An estimator whose second estimate has the bits and the residual of the first draws nothing: it
 * is not repeated. */
static int is_repeated(const struct tally *t, uint64_t n, const struct json *first,
                       const struct json *second) {
  double a = number_at(first, "residual");
  double b = number_at(second, "residual");
  return t->count == 2 && memcmp(t->x[0], t->x[1], n * sizeof *t->x[0]) == 0 &&
         (a == b || (isnan(a) && isnan(b)));
}

static void repeat_row(struct estimators *c, const struct place_of *w, size_t index,
                       struct json *row, int *code) {
  const struct compared *item = &c->plan.items[index];
  struct tally t = {0};
  char name[64];
  const struct json *answer = row;
  for (int64_t k = 0; k < c->plan.repeat && !stop_asked(); k++) {
    (void)snprintf(name, sizeof name, k > 0 ? "estimate-%zu.%lld.result" : "estimate-%zu.result",
                   w->setting * c->plan.item_count + index, (long long)k);
    char *file = path_join(w->directory, name);
    if (k > 0) {
      answer = estimate(c, w, item->item.text, item->label, file, k, code);
    }
    int taken = tally_add(&t, w, answer, file);
    free(file);
    if (!taken) {
      put_text(c->arena, row, "error",
               error_of(answer) != NULL ? error_of(answer) : "its result cannot be read");
      break;
    }
    if (w->reference != NULL && is_repeated(&t, w->size, row, answer)) {
      free(t.x[--t.count]);
      t.error = (struct statistic){.count = 1, .mean = t.error.mean};
      break;
    }
  }
  tally_put(c, &t, w, row);
  tally_free(&t);
}

static void take_row(struct estimators *c, const struct place_of *w, size_t index) {
  int code = 0;
  char name[64];
  const struct compared *item = &c->plan.items[index];
  (void)snprintf(name, sizeof name, "estimate-%zu.result", w->setting * c->plan.item_count + index);
  char *file = path_join(w->directory, name);
  struct json *row = estimate(c, w, item->item.text, item->label, file, 0, &code);
  const struct json *refused = json_member(row, "refused");
  put_text(c->arena, row, "series", item->series);
  if (error_of(row) == NULL) {
    repeat_row(c, w, index, row, &code);
  }
  complete_row(c->arena, row);
  json_append(c->arena, c->rows, row);
  if (code != 0 && !(refused != NULL && refused->boolean)) {
    c->exit_code = c->exit_code != 0 ? c->exit_code : code > 0 && code < 128 ? code : 1;
  }
  free(file);
}

static void take_reference(struct estimators *c, struct place_of *w) {
  int code = 0;
  char name[64] = "reference.result";
  if (w->setting > 0) {
    (void)snprintf(name, sizeof name, "reference-%zu.result", w->setting);
  }
  char *file = path_join(w->directory, name);
  struct json *answer = estimate(c, w, REFERENCE, NULL, file, 0, &code);
  put_text(c->arena, answer, "dtype", "f64");
  if (error_of(answer) == NULL) {
    w->reference = read_result(file, &w->size);
    if (w->reference == NULL) {
      put_text(c->arena, answer, "error", error_text());
      error_clear();
    }
  }
  json_append(c->arena, c->references, answer);
  free(file);
}

static void take_place(struct estimators *c, size_t step, size_t setting) {
  struct place_of w = {.step = step, .setting = setting};
  w.directory = compare_directory(c->prefix, c->plan.steps[step]);
  w.state = path_join(w.directory, FROZEN_STATE);
  take_reference(c, &w);
  for (size_t i = 0; i < c->plan.item_count && !stop_asked(); i++) {
    take_row(c, &w, i);
  }
  free(w.reference);
  free(w.directory);
  free(w.state);
}

/* ---- printing ---- */

static void print_reference(const struct json *r) {
  if (json_member(r, "setting") != NULL) {
    (void)printf("%s, ", json_text_at(r, "setting"));
  }
  (void)printf("after step %.0f: ", number_at(r, "step"));
  if (error_of(r) != NULL) {
    (void)printf("reference: none: %s\n", error_of(r));
    return;
  }
  (void)printf(
      "reference: %s in f64: residual %.2g, %.0f HVPs, stopped by %s; inner gradient %.2g\n",
      REFERENCE, number_at(r, "residual"), number_at(r, "hvps"), json_text_at(r, "stop"),
      number_at(r, "gradient_norm"));
}

static void print_head(const struct estimators *c) {
  (void)printf("%s, seed %s, frozen in %s-at-*\n", c->session->variants[0].manifest->name, c->seed,
               c->prefix);
  for (size_t i = 0; i < c->references->count; i++) {
    print_reference(c->references->items[i]);
  }
  (void)printf("\n");
}

static void table_row(struct table *t, const struct json *row) {
  table_text(t, json_text_at(row, "estimator"));
  table_number(t, number_at(row, "cosine"), "%.6f");
  table_number(t, number_at(row, "relative_error"), "%.2e");
  table_number(t, number_at(row, "gradients"), "%.0f");
  table_number(t, number_at(row, "hvps"), "%.0f");
  table_number(t, number_at(row, "cross"), "%.0f");
  table_number(t, number_at(row, "cost"), "%.4g");
  table_number(t, number_at(row, "solve_seconds"), "%.3f");
  table_number(t, number_at(row, "pullback_seconds"), "%.3f");
  table_number(t, number_at(row, "peak_bytes") / 1e6, "%.1f");
  table_number(t, number_at(row, "residual"), "%.1e");
  table_text(t, error_of(row) == NULL ? json_text_at(row, "stop")
                : json_member(row, "refused") != NULL && json_member(row, "refused")->boolean
                    ? "refused"
                    : "failed");
}

/* What the numbers of a row do not say: its step, or why it has none. */
static void print_note(const struct json *row, int is_alone) {
  const struct json *curvature = json_member(row, "curvature");
  if (curvature != NULL && is_alone) {
    (void)printf(
        "%s: step sgd, lr %.4g = 1 / the largest eigenvalue %.4g by %.0f power iterations, "
        "counted as HVPs\n",
        json_text_at(row, "estimator"), number_at(curvature, "lr"), number_at(curvature, "lambda"),
        number_at(curvature, "hvps"));
  }
  if (error_of(row) != NULL) {
    (void)printf("%s, step %.0f: %s\n", json_text_at(row, "estimator"), number_at(row, "step"),
                 error_of(row));
  }
}

static void print_rows(const struct estimators *c) {
  static const char *const head[] = {"estimator",  "cosine",  "rel. error", "gradients",
                                     "HVPs",       "cross",   "HVP-eq.",    "solve s",
                                     "pullback s", "peak MB", "residual",   "stop"};
  struct table t = {0};
  for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
    table_text(&t, head[i]);
  }
  table_end_head(&t);
  for (size_t i = 0; i < c->rows->count; i++) {
    table_row(&t, c->rows->items[i]);
  }
  table_print(&t, stdout);
}

static void print_repetitions(const struct estimators *c) {
  for (size_t i = 0; i < c->rows->count; i++) {
    const struct json *row = c->rows->items[i];
    const struct json *bias = json_member(row, "bias");
    if (number_at(row, "repetitions") > 1) {
      const char *setting = json_text_at(row, "setting");
      (void)printf("%s%s%s, step %.0f: %.0f repetitions, rel. error %.2e ± %.1e",
                   json_text_at(row, "estimator"), setting[0] != '\0' ? ", " : "", setting,
                   number_at(row, "step"), number_at(row, "repetitions"),
                   number_at(row, "relative_error"), number_at(row, "relative_error_deviation"));
      if (bias != NULL) {
        (void)printf(", bias %.2e (95 %%: %.2e to %.2e)", number_at(bias, "estimate"),
                     number_at(bias, "low"), number_at(bias, "high"));
      }
      (void)printf("\n");
    }
  }
}

static void print_summary(const struct estimators *c) {
  struct table t = {0};
  summary_cells(c->summary, &t);
  table_print(&t, stdout);
  (void)printf("\n* on the Pareto front of rel. error and HVP-equivalents\n");
}

static int32_t write_document(struct estimators *c) {
  const struct options *o = c->session->options;
  const struct plan *p = &c->plan;
  const char *name = c->session->variants[0].manifest->name;
  struct json *document = json_make(c->arena, JSON_OBJECT);
  char *directory = compare_directory(c->prefix, p->steps[p->step_count - 1]);
  struct run_directory d = {.path = directory, .lock = -1};
  put_number(c->arena, document, "step", (double)p->steps[0]);
  json_set(c->arena, document, "reference", c->references->items[0]);
  json_set(c->arena, document, "references", c->references);
  json_set(c->arena, document, "rows", c->rows);
  c->summary = summary_of(c->arena, c->rows);
  json_set(c->arena, document, "summary", c->summary);
  if (o->json) {
    print_json(document);
  } else {
    print_head(c);
    if (p->step_count * p->setting_count == 1) {
      print_rows(c);
    } else {
      print_summary(c);
    }
    (void)printf("\n");
    print_repetitions(c);
    for (size_t i = 0; i < c->rows->count; i++) {
      print_note(c->rows->items[i], p->step_count * p->setting_count == 1);
    }
  }
  int32_t status = run_directory_write(&d, "comparison.json", document);
  free(directory);
  return status == TIER_OK ? compare_write_estimators(o, name, document) : status;
}

/* ---- the comparison ---- */

static int32_t fail_edge(const struct manifest *m, const char *edge) {
  return edge != NULL
             ? fail(TIER_E_INVALID, "%s: no edge \"%s\"; one is UPPER.LOWER, by the levels' names",
                    m->file, edge)
             : fail(TIER_E_INVALID,
                    "%s has no edge, or several: a level must go \"through\" another; of several, "
                    "name one: --edge UPPER.LOWER",
                    m->file);
}

static int32_t check_id(const struct session *s, const char *id) {
  size_t count = 0;
  const char *const *names = registry_names(s->registry, POSITION_ESTIMATOR, &count);
  int64_t nearest = text_nearest(id, names, count);
  if (registry_find(s->registry, POSITION_ESTIMATOR, id) != NULL) {
    return TIER_OK;
  }
  return nearest >= 0
             ? fail(TIER_E_INVALID, "--estimators: no estimator \"%s\"; did you mean \"%s\"?", id,
                    names[nearest])
             : fail(TIER_E_INVALID, "--estimators: no estimator \"%s\"", id);
}

/* An error at the edge itself is a refusal, which becomes the row's result; one inside the item (an
 * unknown slot, a value out of range) is a wrong item. */
static int32_t check_arguments(const struct estimators *c, const struct item *item,
                               const char *edge_path) {
  const struct session *s = c->session;
  struct text text = {0};
  struct diagnostics d = {0};
  struct manifest *m = NULL;
  json_write(item->application, 0, 0, &text);
  int32_t status = manifest_bind_edge(s->file, s->registry, 0, &s->sets, s->options->edge,
                                      text_get(&text), &d, &m);
  int32_t result = TIER_OK;
  for (size_t i = 0; i < d.count && status != TIER_OK && result == TIER_OK; i++) {
    const struct diagnostic *x = &d.items[i];
    if (x->severity == SEVERITY_ERROR && strcmp(x->path, edge_path) != 0) {
      result = fail(status, "--estimators: %s: %s%s%s", item->text, x->message,
                    x->hint[0] != '\0' ? "; " : "", x->hint);
    }
  }
  if (result == TIER_OK) {
    error_clear();
  }
  manifest_free(m);
  diagnostics_free(&d);
  text_free(&text);
  return result;
}

/* A setting must give a manifest that can be bound. */
static int32_t check_setting(const struct session *s, const struct setting *setting) {
  struct texts sets = {0};
  struct diagnostics d = {0};
  struct manifest *m = NULL;
  for (size_t i = 0; i < s->sets.count; i++) {
    child_argument(&sets, s->sets.items[i]);
  }
  for (size_t i = 0; i < setting->sets.count; i++) {
    child_argument(&sets, setting->sets.items[i]);
  }
  const struct manifest_sets all = {sets.items, sets.count};
  int32_t status = manifest_bind(s->file, s->registry, 0, &all, &d, NULL, &m);
  for (size_t i = 0; i < d.count && status != TIER_OK && error_text()[0] == '\0'; i++) {
    const struct diagnostic *x = &d.items[i];
    if (x->severity == SEVERITY_ERROR) {
      (void)fail(status, "--vary %s: %s%s%s", setting->label, x->message,
                 x->hint[0] != '\0' ? "; " : "", x->hint);
    }
  }
  manifest_free(m);
  diagnostics_free(&d);
  free(sets.items);
  return status;
}

/* Every id must be known and every item must be readable before any work is done. */
static int32_t check_items(const struct estimators *c, const struct manifest_through *edge) {
  for (size_t i = 0; i < c->plan.item_count; i++) {
    TIER_TRY(check_id(c->session, c->plan.items[i].item.id));
    TIER_TRY(check_arguments(c, &c->plan.items[i].item, edge->place.path));
  }
  return TIER_OK;
}

/* The edge's application in the resolved manifest, {"implicit": {...}}; NULL if there is none. */
static const struct json *own_application(const struct manifest *m,
                                          const struct manifest_through *edge) {
  const struct json *levels = json_member(m->resolved, "levels");
  for (size_t i = 0; levels != NULL && i < m->level_count && i < levels->count; i++) {
    for (size_t j = 0; j < m->levels[i].through_count; j++) {
      if (&m->levels[i].through[j] == edge) {
        return json_member(json_member(levels->items[i], "through"), m->levels[edge->level].name);
      }
    }
  }
  return NULL;
}

/* The first seed and the path that it gives; 0 if --seeds is wrong, which was told. */
static int take_seed(struct estimators *c) {
  const struct manifest *m = c->session->variants[0].manifest;
  size_t count = 0;
  int64_t *seeds = session_seeds(c->session, m, &count);
  if (seeds == NULL) {
    return 0;
  }
  c->prefix = run_directory_path(c->session->options->out, m, seeds[0]);
  c->seed = memory_format("%lld", (long long)seeds[0]);
  free(seeds);
  return 1;
}

static int32_t prepare(struct estimators *c) {
  const struct options *o = c->session->options;
  const struct manifest *m = c->session->variants[0].manifest;
  const struct manifest_through *edge = session_edge(m, o->edge);
  if (edge == NULL) {
    return fail_edge(m, o->edge);
  }
  TIER_TRY(plan_make(c->arena, o, own_application(m, edge), &c->plan));
  TIER_TRY(compare_check_files(o));
  for (size_t i = 0; i < c->plan.setting_count; i++) {
    TIER_TRY(check_setting(c->session, &c->plan.settings[i]));
  }
  return check_items(c, edge);
}

static int32_t compare(struct estimators *c) {
  const struct options *o = c->session->options;
  if (!take_seed(c)) {
    c->exit_code = EXIT_USAGE;
    return TIER_OK;
  }
  TIER_TRY(prepare(c));
  stop_watch();
  if (freeze(c) != TIER_OK) {
    return TIER_OK; /* told, and in exit_code */
  }
  for (size_t i = 0; i < c->plan.step_count; i++) {
    for (size_t k = 0; k < c->plan.setting_count && !stop_asked(); k++) {
      take_place(c, i, k);
    }
  }
  int32_t status = write_document(c);
  c->exit_code = profile_finish_rows(o, c->arena, c->rows, "estimator", c->exit_code);
  return status;
}

int compare_estimators(const struct options *o) {
  struct session s;
  struct estimators c = {.session = &s};
  int64_t step = 0;
  if (o->at_step != NULL && !options_integer("--at-step", o->at_step, 0, INT64_MAX, &step)) {
    return EXIT_USAGE;
  }
  c.arena = arena_new();
  c.rows = json_make(c.arena, JSON_LIST);
  c.references = json_make(c.arena, JSON_LIST);
  int32_t status = session_open(o, &s);
  status = status == TIER_OK ? profile_check_files(o) : status;
  status = status == TIER_OK ? session_check(&s, o->operands.items[0], NULL) : status;
  status = status == TIER_OK ? compare(&c) : status;
  int code = status != TIER_OK ? session_complain(&s, status)
             : stop_asked()    ? 128 + stop_asked()
                               : c.exit_code;
  free(c.prefix);
  free(c.seed);
  session_close(&s);
  arena_free(c.arena);
  return code;
}

/* tier compare --estimators: one frozen state, one process an estimator, one table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/archive.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/child.h"
#include "cli/cli.h"
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
  struct item *items;
  size_t item_count;
  int64_t step;
  char *directory; /* OUT/NAME/ID-rSEED-at-STEP */
  char *state;     /* the frozen state's file */
  char *seed;
  struct json *reference, *rows;
  struct archive reference_result;
  int exit_code;
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
  int code = 0;
  char *step = memory_format("%lld", (long long)c->step);
  const char *const fixed[] = {
      "freeze", o->operands.items[0], "--at-step", step, "--seeds", c->seed, "--state", c->state};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
    child_argument(&arguments, fixed[i]);
  }
  child_pass_on(&arguments, o);
  struct json *answer = child_answer(c, &arguments, &code);
  free(arguments.items);
  free(step);
  if (error_of(answer) != NULL) {
    (void)fprintf(stderr, "tier: cannot freeze step %lld: %s\n", (long long)c->step,
                  error_of(answer));
    c->exit_code = code > 0 ? code : 1;
    return TIER_E_INTERRUPTED;
  }
  return TIER_OK;
}

/* The sets as they were given to us, but in f64. */
static void pass_on_f64(struct texts *arguments, const struct options *o) {
  struct options f64 = *o;
  f64.sets = (struct texts){0};
  for (size_t i = 0; i < o->sets.count; i++) {
    if (strncmp(o->sets.items[i], "compute.dtype=", strlen("compute.dtype=")) != 0) {
      child_argument(&f64.sets, o->sets.items[i]);
    }
  }
  child_argument(&f64.sets, REFERENCE_DTYPE);
  child_pass_on(arguments, &f64);
  free(f64.sets.items);
}

static struct json *estimate(struct estimators *c, const char *item, const char *result,
                             int is_reference, int *code) {
  const struct options *o = c->session->options;
  struct texts arguments = {0};
  const char *const fixed[] = {
      "estimate", o->operands.items[0], "--estimator", item, "--seeds", c->seed, "--state",
      c->state,   "--result",           result};
  if (!o->quiet) {
    (void)fprintf(stderr, "%s%s\n", item, is_reference ? " (reference)" : "");
  }
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
    child_argument(&arguments, fixed[i]);
  }
  if (o->edge != NULL) {
    child_argument(&arguments, "--edge");
    child_argument(&arguments, o->edge);
  }
  if (o->profile != NULL && !is_reference) {
    child_argument(&arguments, "--profile");
  }
  if (is_reference) {
    pass_on_f64(&arguments, o);
  } else {
    child_pass_on(&arguments, o);
  }
  struct json *answer = child_answer(c, &arguments, code);
  put_text(c->arena, answer, "estimator", item);
  free(arguments.items);
  return answer;
}

/* ---- agreement with the reference ---- */

/* x and r are n numbers each, not aligned: cosine = x.r / (|x| |r|), error = |x - r| / |r|. */
static void agreement(const char *x, const char *r, uint64_t n, double *cosine, double *error) {
  double xr = 0;
  double xx = 0;
  double rr = 0;
  double dd = 0;
  for (uint64_t i = 0; i < n; i++) {
    double a = 0;
    double b = 0;
    memcpy(&a, x + i * sizeof a, sizeof a);
    memcpy(&b, r + i * sizeof b, sizeof b);
    xr += a * b;
    xx += a * a;
    rr += b * b;
    dd += (a - b) * (a - b);
  }
  *cosine = xr / sqrt(xx * rr);
  *error = sqrt(dd / rr);
}

/* Writes cosine and relative error into the row; null where either has no result. */
static void compare_results(struct estimators *c, struct json *row, const char *file) {
  struct archive result = {0};
  double cosine = NAN;
  double error = NAN;
  const struct archive_array *r = archive_find(&c->reference_result, "hypergradient");
  if (r != NULL && error_of(row) == NULL && archive_read(file, &result) == TIER_OK) {
    const struct archive_array *x = archive_find(&result, "hypergradient");
    if (x != NULL && x->count == r->count) {
      agreement(x->data, r->data, r->count, &cosine, &error);
    }
  }
  error_clear();
  put_number(c->arena, row, "cosine", cosine);
  put_number(c->arena, row, "relative_error", error);
  archive_free(&result);
}

/* Members that a row has whether or not there is a result. */
static void complete_row(struct arena *a, struct json *row) {
  static const char *const numbers[] = {"gradients", "hvps", "cross", "seconds", "peak_bytes"};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    if (json_member(row, numbers[i]) == NULL) {
      put_number(a, row, numbers[i], NAN);
    }
  }
  if (json_member(row, "stop") == NULL) {
    put_text(a, row, "stop", NULL);
  }
}

static void take_row(struct estimators *c, size_t index) {
  int code = 0;
  char name[48];
  (void)snprintf(name, sizeof name, "estimate-%zu.result", index);
  char *file = path_join(c->directory, name);
  struct json *row = estimate(c, c->items[index].text, file, 0, &code);
  const struct json *refused = json_member(row, "refused");
  compare_results(c, row, file);
  complete_row(c->arena, row);
  json_append(c->arena, c->rows, row);
  if (code != 0 && !(refused != NULL && refused->boolean)) {
    c->exit_code = c->exit_code != 0 ? c->exit_code : code > 0 && code < 128 ? code : 1;
  }
  free(file);
}

static void take_reference(struct estimators *c) {
  int code = 0;
  char *file = path_join(c->directory, "reference.result");
  c->reference = estimate(c, REFERENCE, file, 1, &code);
  put_text(c->arena, c->reference, "dtype", "f64");
  if (error_of(c->reference) == NULL && archive_read(file, &c->reference_result) != TIER_OK) {
    put_text(c->arena, c->reference, "error", error_text());
    error_clear();
  }
  free(file);
}

/* ---- printing ---- */

static void print_head(const struct estimators *c) {
  const struct json *r = c->reference;
  (void)printf("%s, seed %s, after step %lld, frozen in %s\n",
               c->session->variants[0].manifest->name, c->seed, (long long)c->step, c->state);
  if (error_of(r) != NULL) {
    (void)printf("reference: none: %s\n\n", error_of(r));
    return;
  }
  (void)printf(
      "reference: %s in f64: residual %.2g, %.0f HVPs, stopped by %s; inner gradient %.2g\n\n",
      REFERENCE, number_at(r, "residual"), number_at(r, "hvps"), json_text_at(r, "stop"),
      number_at(r, "gradient_norm"));
}

static void table_row(struct table *t, const struct json *row) {
  table_text(t, json_text_at(row, "estimator"));
  table_number(t, number_at(row, "cosine"), "%.6f");
  table_number(t, number_at(row, "relative_error"), "%.2e");
  table_number(t, number_at(row, "gradients"), "%.0f");
  table_number(t, number_at(row, "hvps"), "%.0f");
  table_number(t, number_at(row, "cross"), "%.0f");
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
static void print_note(const struct json *row) {
  const struct json *curvature = json_member(row, "curvature");
  if (curvature != NULL) {
    (void)printf(
        "%s: step sgd, lr %.4g = 1 / the largest eigenvalue %.4g by %.0f power iterations, "
        "counted as HVPs\n",
        json_text_at(row, "estimator"), number_at(curvature, "lr"), number_at(curvature, "lambda"),
        number_at(curvature, "hvps"));
  }
  if (error_of(row) != NULL) {
    (void)printf("%s: %s\n", json_text_at(row, "estimator"), error_of(row));
  }
}

static void print_table(const struct estimators *c) {
  static const char *const head[] = {"estimator", "cosine",   "rel. error", "gradients",
                                     "HVPs",      "cross",    "solve s",    "pullback s",
                                     "peak MB",   "residual", "stop"};
  struct table t = {0};
  print_head(c);
  for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
    table_text(&t, head[i]);
  }
  table_end_head(&t);
  for (size_t i = 0; i < c->rows->count; i++) {
    table_row(&t, c->rows->items[i]);
  }
  table_print(&t, stdout);
  (void)printf("\n");
  for (size_t i = 0; i < c->rows->count; i++) {
    print_note(c->rows->items[i]);
  }
}

static int32_t write_document(struct estimators *c) {
  struct run_directory d = {.path = c->directory, .lock = -1};
  struct json *document = json_make(c->arena, JSON_OBJECT);
  put_number(c->arena, document, "step", (double)c->step);
  json_set(c->arena, document, "reference", c->reference);
  json_set(c->arena, document, "rows", c->rows);
  if (c->session->options->json) {
    print_json(document);
  } else {
    print_table(c);
  }
  return run_directory_write(&d, "comparison.json", document);
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

/* Every id must be known and every item must be readable before any work is done. */
static int32_t check_items(const struct estimators *c) {
  const struct manifest *m = c->session->variants[0].manifest;
  const struct manifest_through *edge = session_edge(m, c->session->options->edge);
  if (edge == NULL) {
    return fail_edge(m, c->session->options->edge);
  }
  for (size_t i = 0; i < c->item_count; i++) {
    TIER_TRY(check_id(c->session, c->items[i].id));
    TIER_TRY(check_arguments(c, &c->items[i], edge->place.path));
  }
  return TIER_OK;
}

/* The first seed and the paths that it gives; 0 if --seeds is wrong, which was told. */
static int take_seed(struct estimators *c) {
  const struct manifest *m = c->session->variants[0].manifest;
  size_t count = 0;
  int64_t *seeds = session_seeds(c->session, m, &count);
  if (seeds == NULL) {
    return 0;
  }
  char *run = run_directory_path(c->session->options->out, m, seeds[0]);
  c->seed = memory_format("%lld", (long long)seeds[0]);
  c->directory = memory_format("%s-at-%lld", run, (long long)c->step);
  c->state = path_join(c->directory, "frozen.state");
  free(run);
  free(seeds);
  return 1;
}

static int32_t prepare(struct estimators *c) {
  TIER_TRY(items_parse(c->arena, c->session->options->estimators, &c->items, &c->item_count));
  TIER_TRY(check_items(c));
  return directory_make(c->directory);
}

static int32_t compare(struct estimators *c) {
  if (!take_seed(c)) {
    c->exit_code = EXIT_USAGE;
    return TIER_OK;
  }
  TIER_TRY(prepare(c));
  stop_watch();
  if (freeze(c) != TIER_OK) {
    return TIER_OK; /* told, and in exit_code */
  }
  take_reference(c);
  for (size_t i = 0; i < c->item_count && !stop_asked(); i++) {
    take_row(c, i);
  }
  int32_t status = write_document(c);
  c->exit_code =
      profile_finish_rows(c->session->options, c->arena, c->rows, "estimator", c->exit_code);
  return status;
}

int compare_estimators(const struct options *o) {
  struct session s;
  struct estimators c = {.session = &s};
  if (o->at_step != NULL && !options_integer("--at-step", o->at_step, 0, INT64_MAX, &c.step)) {
    return EXIT_USAGE;
  }
  c.arena = arena_new();
  c.rows = json_make(c.arena, JSON_LIST);
  int32_t status = session_open(o, &s);
  status = status == TIER_OK ? profile_check_files(o) : status;
  status = status == TIER_OK ? session_check(&s, o->operands.items[0], NULL) : status;
  status = status == TIER_OK ? compare(&c) : status;
  int code = status != TIER_OK ? session_complain(&s, status)
             : stop_asked()    ? 128 + stop_asked()
                               : c.exit_code;
  archive_free(&c.reference_result);
  free(c.directory);
  free(c.state);
  free(c.seed);
  session_close(&s);
  arena_free(c.arena);
  return code;
}

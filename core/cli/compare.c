/* tier compare: the base, its variants and the cells of its sweep, over all seeds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/child.h"
#include "cli/cli.h"
#include "cli/compare.h"
#include "cli/output.h"
#include "cli/profile.h"
#include "cli/session.h"
#include "run/directory.h"
#include "run/provenance.h"
#include "run/stop.h"

struct comparison {
  struct session *session;
  struct arena *arena;
  struct json *rows; /* as --json prints them */
  int exit_code;     /* of the first run that failed */
};

static struct json *row_new(struct comparison *c, const char *variant, double seed,
                            const char *status, const char *error) {
  struct json *row = json_make(c->arena, JSON_OBJECT);
  put_text(c->arena, row, "variant", variant);
  put_number(c->arena, row, "seed", seed);
  put_text(c->arena, row, "status", status);
  json_set(c->arena, row, "metrics", json_make(c->arena, JSON_OBJECT));
  json_set(c->arena, row, "oracle", json_make(c->arena, JSON_OBJECT));
  put_number(c->arena, row, "seconds", NAN);
  put_text(c->arena, row, "error", error);
  json_append(c->arena, c->rows, row);
  return row;
}

/* Takes what a run says of itself (state.json, or a run of `tier run --json`). */
static void row_take(struct comparison *c, struct json *row, const struct json *run) {
  static const char *const keys[] = {"metrics", "oracle", "seconds"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const struct json *member = json_member(run, keys[i]);
    if (member != NULL) {
      json_set(c->arena, row, keys[i], json_copy(c->arena, member));
    }
  }
}

/* ---- finished runs are used again ---- */

static int has_measures_of(const struct json *old, const struct json *resolved) {
  static const char *const keys[] = {"metrics", "outputs"};
  for (size_t i = 0; i < 2; i++) {
    const struct json *a = json_member(old, keys[i]);
    const struct json *b = json_member(resolved, keys[i]);
    if ((a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b))) {
      return 0;
    }
  }
  return 1;
}

/* The state of the finished run there, if it is what would be run now; NULL otherwise. The identity
 * is in the path; what it leaves out (metrics, outputs, this program, the data files) is compared.
 */
static struct json *finished_run(struct arena *a, const char *directory, const struct manifest *m,
                                 struct text *why) {
  struct json *state = NULL;
  struct json *resolved = NULL;
  if (run_directory_state(a, directory, &state) != TIER_OK ||
      strcmp(json_text_at(state, "status"), "finished") != 0) {
    error_clear();
    return NULL;
  }
  if (run_directory_read(a, directory, "resolved.json", &resolved) != TIER_OK ||
      !has_measures_of(resolved, m->resolved)) {
    error_clear();
    text_add(why, "its metrics or outputs were others");
    return NULL;
  }
  return provenance_is_current(directory, why) ? state : NULL;
}

/* ---- running ---- */

static void run_child(struct comparison *c, const struct variant *v, int64_t seed,
                      struct json *row) {
  const struct options *o = c->session->options;
  struct texts arguments = {0};
  struct text out = {0};
  char *seed_text = memory_format("%lld", (long long)seed);
  const char *const fixed[] = {
      "run",    o->operands.items[0], "--variant", v->name, "--seeds", seed_text, "--out", o->out,
      "--json", "--checked",          "--force"};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
    child_argument(&arguments, fixed[i]);
  }
  child_pass_on(&arguments, o);
  if (o->profile != NULL) {
    child_argument(&arguments, "--profile");
  }
  int code = child_run(&arguments, &out);
  struct json *document = child_document(c->arena, &out);
  const struct json *runs = json_member(document, "runs");
  const struct json *run = runs != NULL && runs->count > 0 ? runs->items[0] : NULL;
  row_take(c, row, run);
  profile_take(c->arena, row, document);
  put_text(c->arena, row, "status", run != NULL ? json_text_at(run, "status") : "failed");
  if (code != 0) {
    char *error = run != NULL   ? memory_copy_text(json_text_at(run, "error"))
                  : code < 0    ? memory_copy_text(error_text())
                  : code == 137 ? memory_copy_text("the run was killed (out of memory?)")
                                : memory_format("the run ended with exit code %d", code);
    put_text(c->arena, row, "error", error);
    free(error);
    error_clear();
    c->exit_code = c->exit_code != 0 ? c->exit_code : code > 0 && code < 128 ? code : 1;
  }
  text_free(&out);
  free(arguments.items);
  free(seed_text);
}

static void compare_seed(struct comparison *c, const struct variant *v, int64_t seed) {
  const struct options *o = c->session->options;
  struct text why = {0};
  char *directory = run_directory_path(o->out, v->manifest, seed);
  struct json *state = o->force ? NULL : finished_run(c->arena, directory, v->manifest, &why);
  struct json *row = row_new(c, v->name, (double)seed, "finished", NULL);
  put_text(c->arena, row, "dir", directory);
  put_flag(c->arena, row, "reused", state != NULL);
  if (why.length > 0 && !o->quiet) {
    (void)fprintf(stderr, "%s: run again: %s\n", directory, why.data);
  }
  if (state != NULL) {
    row_take(c, row, state);
    if (!o->quiet) {
      (void)fprintf(stderr, "%s %s seed %lld: finished before (--force runs it again)\n",
                    v->manifest->name, v->name, (long long)seed);
    }
  } else {
    run_child(c, v, seed, row);
  }
  text_free(&why);
  free(directory);
}

static int compare_variants(struct comparison *c) {
  for (size_t i = 0; i < c->session->variant_count; i++) {
    const struct variant *v = &c->session->variants[i];
    size_t count = 0;
    if (v->message != NULL) {
      (void)row_new(c, v->name, NAN, "skipped", v->message);
      continue;
    }
    int64_t *seeds = session_seeds(c->session, v->manifest, &count);
    if (seeds == NULL) {
      return EXIT_USAGE;
    }
    for (size_t j = 0; j < count && !stop_asked(); j++) {
      compare_seed(c, v, seeds[j]);
    }
    free(seeds);
  }
  return stop_asked() ? 128 + stop_asked() : c->exit_code;
}

/* ---- the table ---- */

struct columns {
  const char **names;
  size_t count, capacity;
};

static int is_objective(const char *name) {
  return strchr(name, '.') != NULL;
}

static void add_column(struct columns *columns, const char *name) {
  for (size_t i = 0; i < columns->count; i++) {
    if (strcmp(columns->names[i], name) == 0) {
      return;
    }
  }
  array_push(columns->names, columns->count, columns->capacity, name);
}

/* The manifest's metrics; the levels' objectives where it has none. */
static struct columns metric_columns(const struct json *rows) {
  struct columns columns = {0};
  for (int objectives = 0; objectives < 2 && columns.count == 0; objectives++) {
    for (size_t i = 0; i < rows->count; i++) {
      const struct json *metrics = json_member(rows->items[i], "metrics");
      for (size_t j = 0; j < metrics->count; j++) {
        if (is_objective(metrics->items[j]->key) == objectives) {
          add_column(&columns, metrics->items[j]->key);
        }
      }
    }
  }
  return columns;
}

static int is_finished(const struct json *row, const char *variant) {
  return strcmp(json_text_at(row, "variant"), variant) == 0 &&
         strcmp(json_text_at(row, "status"), "finished") == 0;
}

static struct statistic statistic_of(const struct json *rows, const char *variant,
                                     const char *group, const char *key) {
  struct statistic s = {0};
  for (size_t i = 0; i < rows->count; i++) {
    const struct json *row = rows->items[i];
    if (is_finished(row, variant)) {
      statistic_add(&s, number_at(group != NULL ? json_member(row, group) : row, key));
    }
  }
  return statistic_finish(s);
}

static void table_statistic(struct table *t, struct statistic s, const char *format) {
  if (isnan(s.deviation)) {
    table_number(t, s.mean, format);
    return;
  }
  char text[64];
  (void)snprintf(text, sizeof text, "%.4g ± %.2g", s.mean, s.deviation);
  table_text(t, text);
}

static size_t finished_of(const struct json *rows, const char *variant) {
  size_t count = 0;
  for (size_t i = 0; i < rows->count; i++) {
    count += (size_t)is_finished(rows->items[i], variant);
  }
  return count;
}

/* One line a variant; table_print prints and frees it. */
static struct table comparison_table(const struct comparison *c) {
  static const char *const oracle[] = {"gradients", "hvps", "cross"};
  struct table t = {0};
  struct columns columns = metric_columns(c->rows);
  table_text(&t, "variant");
  table_text(&t, "runs");
  for (size_t i = 0; i < columns.count; i++) {
    table_text(&t, columns.names[i]);
  }
  for (size_t i = 0; i < 3; i++) {
    table_text(&t, oracle[i]);
  }
  table_text(&t, "seconds");
  table_end_head(&t);
  for (size_t v = 0; v < c->session->variant_count; v++) {
    const char *name = c->session->variants[v].name;
    table_text(&t, name);
    table_number(&t, (double)finished_of(c->rows, name), "%.0f");
    for (size_t i = 0; i < columns.count; i++) {
      table_statistic(&t, statistic_of(c->rows, name, "metrics", columns.names[i]), "%.4g");
    }
    for (size_t i = 0; i < 3; i++) {
      table_number(&t, statistic_of(c->rows, name, "oracle", oracle[i]).mean, "%.0f");
    }
    table_number(&t, statistic_of(c->rows, name, NULL, "seconds").mean, "%.1f");
  }
  free(columns.names);
  return t;
}

static void print_errors(const struct comparison *c) {
  for (size_t i = 0; i < c->rows->count; i++) {
    const struct json *row = c->rows->items[i];
    const char *error = json_text_at(row, "error");
    double seed = number_at(row, "seed"); /* NaN: skipped, no seed was run */
    char text[48] = "";
    if (!isnan(seed)) {
      (void)snprintf(text, sizeof text, " seed %.0f", seed);
    }
    if (error[0] != '\0') {
      (void)fprintf(stderr, "%s%s %s: %s\n", json_text_at(row, "variant"), text,
                    json_text_at(row, "status"), error);
    }
  }
}

static void print_skipped_sets(const struct session *s) {
  for (size_t i = 0; i < s->variant_count; i++) {
    if (s->variants[i].skipped_sets.length > 0) {
      (void)printf("%s has no place for: %s\n", s->variants[i].name,
                   s->variants[i].skipped_sets.data);
    }
  }
}

/* "outer.loss": the objective of the last level that no other is the parent of. */
static const char *top_objective(struct arena *a, const struct manifest *m) {
  const char *name = "";
  for (size_t i = 0; i < m->level_count; i++) {
    name = m->levels[i].parent < 0 ? m->levels[i].name : name;
  }
  return arena_format(a, "%s.loss", name);
}

static int32_t write_comparison(const struct comparison *c, struct table *t) {
  const struct manifest *m = c->session->variants[0].manifest;
  return compare_write_runs(c->session->options, m->name, top_objective(c->arena, m), c->rows, t);
}

static int compare_all(struct session *s) {
  const struct options *o = s->options;
  struct comparison c = {.session = s, .arena = arena_new()};
  c.rows = json_make(c.arena, JSON_LIST);
  stop_watch();
  int code = compare_variants(&c);
  if (code == EXIT_USAGE) {
    arena_free(c.arena);
    return code;
  }
  struct table t = comparison_table(&c);
  int32_t written = write_comparison(&c, &t);
  if (o->json) {
    struct json *document = json_make(c.arena, JSON_OBJECT);
    json_set(c.arena, document, "rows", c.rows);
    print_json(document);
    table_free(&t);
  } else {
    table_print(&t, stdout);
    print_skipped_sets(s);
    print_errors(&c);
  }
  code = profile_finish_rows(o, c.arena, c.rows, "variant", code);
  code = written != TIER_OK ? print_failure(written) : code;
  arena_free(c.arena);
  return code;
}

int verb_compare(const struct options *o) {
  struct session s;
  int code = 0;
  if (o->estimators != NULL) {
    return compare_estimators(o);
  }
  if (o->at_step != NULL || o->at_steps != NULL || o->edge != NULL || o->repeat != NULL ||
      o->varies.count > 0) {
    (void)fprintf(stderr,
                  "tier compare: --at-step, --at-steps, --edge, --repeat and --vary go "
                  "with --estimators LIST\n");
    return EXIT_USAGE;
  }
  int32_t status = session_open(o, &s);
  status = status == TIER_OK ? profile_check_files(o) : status;
  status = status == TIER_OK ? compare_check_files(o) : status;
  status = status == TIER_OK ? session_check(&s, o->operands.items[0], NULL) : status;
  if (status != TIER_OK) {
    code = session_complain(&s, status);
  } else {
    if (!o->quiet) {
      diagnostics_print(&s.diagnostics, stderr); /* warnings */
    }
    code = compare_all(&s);
  }
  session_close(&s);
  return code;
}

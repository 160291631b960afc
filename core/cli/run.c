/* tier run: one variant, one run per seed. */
#include "run/run.h"

#include <stdlib.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/profile.h"
#include "cli/session.h"
#include "run/profile_report.h"
#include "run/stop.h"

static struct json *outcome_json(struct arena *a, const struct run_outcome *r) {
  static const char *const keys[] = {"reason", "steps", "seconds", "metrics", "oracle"};
  struct json *j = json_make(a, JSON_OBJECT);
  put_number(a, j, "seed", (double)r->seed);
  put_text(a, j, "dir", r->directory);
  put_text(a, j, "status", r->status);
  json_set(a, j, "metrics", json_make(a, JSON_OBJECT));
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const struct json *member = json_member(r->state, keys[i]);
    if (member != NULL) {
      json_set(a, j, keys[i], json_copy(a, member));
    }
  }
  put_text(a, j, "error", r->error);
  return j;
}

static void print_outcome(const struct run_outcome *r) {
  const struct json *metrics = json_member(r->state, "metrics");
  (void)printf("%s %s", r->directory, r->status);
  for (size_t i = 0; metrics != NULL && i < metrics->count; i++) {
    const char *key = metrics->items[i]->key;
    (void)printf("  %s %.6g", key, number_at(metrics, key)); /* null, not finite: nan */
  }
  (void)printf("\n");
}

/* All seeds in sequence; a failed one does not stop the others, a signal does. The exit code is
 * that of the first failure. */
static int run_seeds(const struct manifest *m, const struct run_options *options,
                     const int64_t *seeds, size_t count, struct arena *a, struct json *runs) {
  int code = 0;
  for (size_t i = 0; i < count && !stop_asked(); i++) {
    struct run_outcome outcome;
    run_seed(m, options, seeds[i], a, &outcome);
    code = code == 0 ? outcome.exit_code : code;
    if (outcome.error != NULL) {
      (void)fprintf(stderr, "tier: seed %lld: %s\n", (long long)seeds[i], outcome.error);
    }
    if (runs != NULL) {
      json_append(a, runs, outcome_json(a, &outcome));
    } else {
      print_outcome(&outcome);
      (void)fflush(stdout);
    }
    run_outcome_free(&outcome);
  }
  return stop_asked() ? 128 + stop_asked() : code;
}

static int run_variant(struct session *s, const struct variant *v) {
  const struct options *o = s->options;
  size_t count = 0;
  if (v->message != NULL) {
    (void)fprintf(stderr, "tier: %s: %s\n", v->name, v->message);
    return error_exit_code(v->status);
  }
  int64_t *seeds = session_seeds(s, v->manifest, &count);
  if (seeds == NULL) {
    return EXIT_USAGE;
  }
  struct run_options options = {.registry = s->registry,
                                .data_directories = s->data.items,
                                .data_directory_count = s->data.count,
                                .out = o->out,
                                .force = o->force,
                                .quiet = o->quiet,
                                .color = !o->no_color,
                                .command = o->command,
                                .profile = profile_open(o),
                                .skipped_sets = text_get(&v->skipped_sets)};
  struct arena *a = arena_new();
  struct json *runs = o->json ? json_make(a, JSON_LIST) : NULL;
  stop_watch();
  int code = run_seeds(v->manifest, &options, seeds, count, a, runs);
  struct json *profile = o->profile != NULL ? profile_json(a, options.profile) : NULL;
  if (runs != NULL) {
    struct json *document = json_make(a, JSON_OBJECT);
    json_set(a, document, "runs", runs);
    if (profile != NULL) {
      json_set(a, document, "profile", profile);
    }
    print_json(document);
  }
  code = profile_finish(options.profile, o, profile, code);
  profile_free(options.profile);
  arena_free(a);
  free(seeds);
  return code;
}

int verb_run(const struct options *o) {
  struct session s;
  int code = 0;
  const char *name = o->variant != NULL ? o->variant : "base";
  if (o->checked) { /* `compare` runs this */
    stop_with_parent();
  }
  int32_t status = session_open(o, &s);
  status = status == TIER_OK ? profile_check_files(o) : status;
  if (status == TIER_OK) {
    status = session_check(&s, o->operands.items[0], o->checked ? name : NULL);
  }
  if (status != TIER_OK) {
    code = session_complain(&s, status);
  } else {
    const struct variant *v = session_variant(&s, name);
    if (!o->quiet && !o->checked) {
      diagnostics_print(&s.diagnostics, stderr); /* warnings */
    }
    code = v == NULL ? EXIT_USAGE : run_variant(&s, v);
  }
  session_close(&s);
  return code;
}

#include "cli/profile.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/output.h"
#include "run/directory.h"
#include "run/profile_report.h"

#define TRACE_EVENTS 400000 /* a file of about 60 MB */
#define LEAST_SHARE 0.001   /* of phases that are printed */
#define MOST_ROWS 20        /* of operations, and of sources, that are printed */

/* ---- files ---- */

static int32_t check_file(const char *option, const char *path) {
  struct stat facts;
  if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode)) {
    return fail(TIER_E_IO, "%s %s is a directory; name a file", option, path);
  }
  const char *slash = strrchr(path, '/');
  char *directory = slash == NULL   ? memory_copy_text(".")
                    : slash == path ? memory_copy_text("/")
                                    : memory_format("%.*s", (int)(slash - path), path);
  int32_t status = access(directory, W_OK | X_OK) == 0
                       ? TIER_OK
                       : fail(TIER_E_IO, "%s %s cannot be written: %s: %s", option, path, directory,
                              strerror(errno));
  free(directory);
  return status;
}

static int has_file(const struct options *o) {
  return o->profile != NULL && o->profile[0] != '\0';
}

int32_t profile_check_files(const struct options *o) {
  if (has_file(o)) {
    TIER_TRY(check_file("--profile", o->profile));
  }
  return o->trace != NULL ? check_file("--trace", o->trace) : TIER_OK;
}

struct profile *profile_open(const struct options *o) {
  if (o->profile == NULL && o->trace == NULL) {
    return NULL;
  }
  return profile_new(o->trace != NULL ? TRACE_EVENTS : 0);
}

/* ---- tables ---- */

static void table_share(struct table *t, const struct json *row) {
  table_number(t, 100 * number_at(row, "share"), "%.1f");
}

/* Short runs are told in milliseconds. */
struct unit {
  const char *name, *own; /* of the columns */
  double scale;
  const char *format;
};

static struct unit unit_of(double seconds) {
  return seconds < 10 ? (struct unit){"ms", "own ms", 1e3, "%.2f"}
                      : (struct unit){"seconds", "own s", 1, "%.3f"};
}

static void table_time(struct table *t, const struct unit *u, const struct json *row,
                       const char *key) {
  table_number(t, u->scale * number_at(row, key), u->format);
}

/* A rate of nothing is not printed as 0. */
static void table_rate(struct table *t, const struct json *row, const char *key) {
  double rate = number_at(row, key);
  table_number(t, rate > 0 ? rate : NAN, "%.3g");
}

static void phase_row(struct table *t, const struct unit *u, const struct json *row) {
  char name[256];
  (void)snprintf(name, sizeof name, "%*s%s%s", 2 * (int)number_at(row, "depth"), "",
                 json_text_at(row, "phase"), json_member(row, "program")->boolean ? " *" : "");
  table_time(t, u, row, "seconds");
  table_share(t, row);
  table_time(t, u, row, "own_seconds");
  table_number(t, number_at(row, "calls"), "%.0f");
  table_text(t, name);
}

static void print_phases(const struct json *phases, const struct unit *u) {
  struct table t = {0};
  size_t hidden = 0;
  table_text(&t, u->name);
  table_text(&t, "%");
  table_text(&t, u->own);
  table_text(&t, "calls");
  table_text(&t, "phase (* a program)");
  table_end_head(&t);
  for (size_t i = 0; i < phases->count; i++) {
    if (number_at(phases->items[i], "share") >= LEAST_SHARE) {
      phase_row(&t, u, phases->items[i]);
    } else {
      hidden++;
    }
  }
  table_print(&t, stdout);
  if (hidden > 0) {
    (void)printf("and %zu phases below %g %% each\n", hidden, 100 * LEAST_SHARE);
  }
}

static void add_source(struct table *t, const struct json *row) {
  const char *source = json_text_at(row, "source");
  const char *place = json_text_at(row, "place");
  const char *slash = strrchr(place, '/'); /* the manifest's folder is known */
  char *text = memory_format("%s%s%s", source[0] != '\0' ? source : "tier",
                             place[0] != '\0' ? " at " : "", slash != NULL ? slash + 1 : place);
  table_text(t, text);
  free(text);
}

static void group_row(struct table *t, const struct unit *u, const struct json *row,
                      int operation) {
  table_time(t, u, row, "seconds");
  table_share(t, row);
  table_number(t, number_at(row, "calls"), "%.0f");
  table_rate(t, row, "gflops");
  table_rate(t, row, "gbytes");
  if (operation) {
    char *text =
        memory_format("%s %s", json_text_at(row, "operation"), json_text_at(row, "shapes"));
    table_text(t, text);
    free(text);
  }
  add_source(t, row);
}

static void print_rest(const struct json *rows, size_t printed, double share, const char *what) {
  if (rows->count > printed) {
    (void)printf("and %zu more %s, %.2g %% together\n", rows->count - printed, what, 100 * share);
  }
}

static void print_groups(const struct json *rows, const struct unit *u, int operation) {
  const char *const head[] = {u->name, "%", "calls", "Gflop/s", "GB/s"};
  struct table t = {0};
  size_t printed = 0;
  double share = 0; /* of those that are not printed */
  for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
    table_text(&t, head[i]);
  }
  if (operation) {
    table_text(&t, "operation");
  }
  table_text(&t, "asked for by");
  table_end_head(&t);
  while (printed < rows->count && printed < MOST_ROWS) {
    group_row(&t, u, rows->items[printed++], operation);
  }
  table_print(&t, stdout);
  for (size_t i = printed; i < rows->count; i++) {
    share += number_at(rows->items[i], "share");
  }
  print_rest(rows, printed, share, operation ? "operations" : "sources");
}

static void profile_print(const struct json *profile) {
  double seconds = number_at(profile, "seconds");
  double inside = number_at(profile, "program_seconds");
  struct unit u = unit_of(seconds);
  (void)printf("\nprofile: %.3f s, %.3f s (%.1f %%) of it in programs\n\n", seconds, inside,
               100 * inside / seconds);
  print_phases(json_member(profile, "phases"), &u);
  (void)printf("\n");
  print_groups(json_member(profile, "operations"), &u, 1);
  (void)printf("\n");
  print_groups(json_member(profile, "sources"), &u, 0);
}

/* ---- at the end ---- */

static int32_t write_json(const char *path, const struct json *j) {
  struct text t = {0};
  json_write(j, 2, 0, &t);
  text_add(&t, "\n");
  int32_t status = file_write(path, text_get(&t), t.length);
  text_free(&t);
  return status;
}

static int32_t write_trace(const struct profile *p, const struct options *o) {
  char *note = NULL;
  int32_t status = profile_write_trace(p, o->trace, &note);
  if (note != NULL) {
    (void)fprintf(stderr, "tier: %s\n", note);
  }
  free(note);
  return status;
}

static int write_files(const struct profile *p, const struct options *o, const struct json *j,
                       int code) {
  int32_t status = TIER_OK;
  if (j != NULL && has_file(o)) {
    status = write_json(o->profile, j);
  }
  if (status == TIER_OK && p != NULL && o->trace != NULL) {
    status = write_trace(p, o);
  }
  if (status == TIER_OK) {
    return code;
  }
  int failed = print_failure(status);
  return code != 0 ? code : failed;
}

int profile_finish(const struct profile *p, const struct options *o, const struct json *profile,
                   int code) {
  if (profile != NULL && !o->json) {
    profile_print(profile);
  }
  return write_files(p, o, profile, code);
}

void profile_take(struct arena *a, struct json *row, const struct json *document) {
  const struct json *profile = document != NULL ? json_member(document, "profile") : NULL;
  if (profile != NULL) {
    json_set(a, row, "profile", json_copy(a, profile));
  }
}

/* Only what tells the row, and its profile. */
static struct json *profiles_json(struct arena *a, const struct json *rows, const char *label) {
  struct json *document = json_make(a, JSON_OBJECT);
  struct json *list = json_make(a, JSON_LIST);
  const char *const keys[] = {label, "seed", "profile"};
  for (size_t i = 0; i < rows->count; i++) {
    struct json *row = json_make(a, JSON_OBJECT);
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
      const struct json *member = json_member(rows->items[i], keys[k]);
      if (member != NULL) {
        json_set(a, row, keys[k], json_copy(a, member));
      }
    }
    json_append(a, list, row);
  }
  json_set(a, document, "rows", list);
  return document;
}

/* Row `first`, or a later one of the same name: the first with a profile. */
static const struct json *row_to_print(const struct json *rows, size_t first, const char *label) {
  const char *name = json_text_at(rows->items[first], label);
  for (size_t i = first; i < rows->count; i++) {
    const struct json *row = rows->items[i];
    if (strcmp(json_text_at(row, label), name) == 0 && json_member(row, "profile") != NULL) {
      return row;
    }
  }
  return rows->items[first];
}

static void print_row(const struct json *row, const char *label) {
  double seed = number_at(row, "seed");
  (void)printf("\n== %s %s", label, json_text_at(row, label));
  if (!isnan(seed)) {
    (void)printf(", seed %.0f", seed);
  }
  (void)printf("\n");
  if (json_member(row, "profile") != NULL) {
    profile_print(json_member(row, "profile"));
  } else {
    const struct json *reused = json_member(row, "reused");
    (void)printf("no profile: %s\n", reused != NULL && reused->boolean
                                         ? "it was finished before; --force runs it again"
                                         : "it was not run");
  }
}

int profile_finish_rows(const struct options *o, struct arena *a, const struct json *rows,
                        const char *label, int code) {
  const char *last = "";
  if (o->profile == NULL) {
    return code;
  }
  for (size_t i = 0; i < rows->count && !o->json; i++) {
    const char *name = json_text_at(rows->items[i], label);
    if (strcmp(name, last) != 0) { /* rows of a name stand together */
      print_row(row_to_print(rows, i, label), label);
    }
    last = name;
  }
  return write_files(NULL, o, profiles_json(a, rows, label), code);
}

/* --csv and --html of a comparison. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/compare.h"
#include "cli/output.h"
#include "page/page.h"
#include "run/directory.h"

static int32_t check_file(const char *option, const char *path) {
  struct stat s;
  const char *slash = strrchr(path, '/');
  char *directory = slash == NULL   ? memory_copy_text(".")
                    : slash == path ? memory_copy_text("/")
                                    : memory_format("%.*s", (int)(slash - path), path);
  int32_t status = TIER_OK;
  if (stat(directory, &s) != 0 || !S_ISDIR(s.st_mode)) {
    status = fail(TIER_E_IO, "%s %s: there is no directory %s", option, path, directory);
  } else if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
    status = fail(TIER_E_IO, "%s %s is a directory; name a file in it", option, path);
  }
  free(directory);
  return status;
}

int32_t compare_check_files(const struct options *o) {
  if (o->csv != NULL) {
    TIER_TRY(check_file("--csv", o->csv));
  }
  return o->html != NULL ? check_file("--html", o->html) : TIER_OK;
}

/* ---- CSV (RFC 4180, lines end with LF) ---- */

static void add_field(struct text *out, const char *text) {
  if (strpbrk(text, ",\"\n\r") == NULL) {
    text_add(out, text);
    return;
  }
  text_add(out, "\"");
  for (; *text != '\0'; text++) {
    text_add_n(out, "\"\"", *text == '"' ? 2 : 0);
    text_add_n(out, text, *text != '"');
  }
  text_add(out, "\"");
}

static void add_value(struct text *out, const struct json *j) {
  char number[32];
  if (j != NULL && j->type == JSON_NUMBER) {
    text_number(j->number, number);
    text_add(out, number);
  } else if (j != NULL && j->type == JSON_STRING) {
    add_field(out, j->text);
  } else if (j != NULL && j->type == JSON_BOOLEAN) {
    text_add(out, j->boolean ? "true" : "false");
  }
}

/* The member at "bias.low", or at a key that holds a dot itself. */
static const struct json *member_at(const struct json *row, const char *group, const char *key) {
  return json_member(group != NULL ? json_member(row, group) : row, key);
}

struct field {
  const char *group, *key; /* group NULL: the row's own member */
};

static int32_t write_csv(const char *path, const struct json *rows, const struct field *fields,
                         size_t count) {
  struct text out = {0};
  for (size_t k = 0; k < count; k++) {
    struct text head = {0};
    text_format(&head, "%s%s%s", fields[k].group != NULL ? fields[k].group : "",
                fields[k].group != NULL ? "." : "", fields[k].key);
    text_add(&out, k > 0 ? "," : "");
    add_field(&out, head.data);
    text_free(&head);
  }
  text_add(&out, "\n");
  for (size_t i = 0; i < rows->count; i++) {
    for (size_t k = 0; k < count; k++) {
      text_add(&out, k > 0 ? "," : "");
      add_value(&out, member_at(rows->items[i], fields[k].group, fields[k].key));
    }
    text_add(&out, "\n");
  }
  int32_t status = file_write(path, out.data, out.length);
  text_free(&out);
  return status;
}

static int32_t write_estimators_csv(const char *path, const struct json *rows) {
  static const struct field fields[] = {{NULL, "estimator"},
                                        {NULL, "series"},
                                        {NULL, "setting"},
                                        {NULL, "step"},
                                        {NULL, "cosine"},
                                        {NULL, "relative_error"},
                                        {NULL, "relative_error_deviation"},
                                        {NULL, "repetitions"},
                                        {"bias", "estimate"},
                                        {"bias", "low"},
                                        {"bias", "high"},
                                        {NULL, "values"},
                                        {NULL, "gradients"},
                                        {NULL, "hvps"},
                                        {NULL, "cross"},
                                        {NULL, "samples"},
                                        {NULL, "solve_cost"},
                                        {NULL, "cost"},
                                        {NULL, "solve_seconds"},
                                        {NULL, "pullback_seconds"},
                                        {NULL, "peak_bytes"},
                                        {NULL, "inner_steps"},
                                        {NULL, "residual"},
                                        {NULL, "stop"},
                                        {NULL, "refused"},
                                        {NULL, "error"}};
  return write_csv(path, rows, fields, sizeof fields / sizeof fields[0]);
}

/* One column for every key that is in a group of any row, in the order of first appearance. */
static void add_group(struct field **fields, size_t *count, size_t *capacity,
                      const struct json *rows, const char *group) {
  for (size_t i = 0; i < rows->count; i++) {
    const struct json *members = json_member(rows->items[i], group);
    for (size_t k = 0; members != NULL && k < members->count; k++) {
      const char *key = members->items[k]->key;
      int known = 0;
      for (size_t j = 0; j < *count && !known; j++) {
        known = (*fields)[j].group != NULL && strcmp((*fields)[j].group, group) == 0 &&
                strcmp((*fields)[j].key, key) == 0;
      }
      if (!known) {
        struct field f = {group, key};
        array_push(*fields, *count, *capacity, f);
      }
    }
  }
}

static int32_t write_runs_csv(const char *path, const struct json *rows) {
  static const char *const first[] = {"variant", "seed", "status", "seconds"};
  static const char *const last[] = {"dir", "error"};
  struct field *fields = NULL;
  size_t count = 0;
  size_t capacity = 0;
  for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
    struct field f = {NULL, first[i]};
    array_push(fields, count, capacity, f);
  }
  add_group(&fields, &count, &capacity, rows, "metrics");
  add_group(&fields, &count, &capacity, rows, "oracle");
  for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
    struct field f = {NULL, last[i]};
    array_push(fields, count, capacity, f);
  }
  int32_t status = write_csv(path, rows, fields, count);
  free(fields);
  return status;
}

/* ---- both ---- */

int32_t compare_write_estimators(const struct options *o, const char *title,
                                 const struct json *document) {
  int32_t status = TIER_OK;
  if (o->csv != NULL) {
    status = write_estimators_csv(o->csv, json_member(document, "rows"));
  }
  if (o->html != NULL && status == TIER_OK) {
    struct arena *a = arena_new();
    struct page *p = page_new(arena_format(a, "%s: estimators compared", title));
    pages_estimators(a, p, document);
    status = page_write(p, o->html);
    page_free(p);
    arena_free(a);
  }
  return status;
}

int32_t compare_write_runs(const struct options *o, const char *title, const char *objective,
                           const struct json *rows, const struct table *t) {
  int32_t status = o->csv != NULL ? write_runs_csv(o->csv, rows) : TIER_OK;
  if (o->html != NULL && status == TIER_OK) {
    struct arena *a = arena_new();
    struct page *p = page_new(arena_format(a, "%s: variants compared", title));
    pages_runs(a, p, objective, rows, t);
    status = page_write(p, o->html);
    page_free(p);
    arena_free(a);
  }
  return status;
}

/* tier validate: everything that can be checked before step 0. */
#include <stdlib.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/session.h"

static struct json *diagnostic_json(struct arena *a, const struct diagnostic *d) {
  struct json *j = json_make(a, JSON_OBJECT);
  put_text(a, j, "file", d->file);
  put_number(a, j, "line", d->line);
  put_number(a, j, "column", d->column);
  put_text(a, j, "path", d->path);
  put_text(a, j, "message", d->message);
  put_text(a, j, "hint", d->hint);
  return j;
}

static struct json *diagnostics_json(struct arena *a, const struct diagnostics *d, int warnings) {
  struct json *list = json_make(a, JSON_LIST);
  for (size_t i = 0; i < d->count; i++) {
    if ((d->items[i].severity == SEVERITY_WARNING) == warnings) {
      json_append(a, list, diagnostic_json(a, &d->items[i]));
    }
  }
  return list;
}

static void print_document(const struct session *s, int ok) {
  struct arena *a = arena_new();
  struct json *j = json_make(a, JSON_OBJECT);
  struct json *skipped = json_make(a, JSON_LIST);
  for (size_t i = 0; i < s->variant_count; i++) {
    if (s->variants[i].message != NULL) {
      struct json *item = json_make(a, JSON_OBJECT);
      put_text(a, item, "variant", s->variants[i].name);
      put_text(a, item, "message", s->variants[i].message);
      json_append(a, skipped, item);
    }
  }
  put_flag(a, j, "ok", ok);
  json_set(a, j, "errors", diagnostics_json(a, &s->diagnostics, 0));
  json_set(a, j, "warnings", diagnostics_json(a, &s->diagnostics, 1));
  json_set(a, j, "skipped", skipped);
  print_json(j);
  arena_free(a);
}

static void print_text(const struct session *s, int ok) {
  size_t skipped = 0;
  diagnostics_print(&s->diagnostics, stderr);
  for (size_t i = 0; i < s->variant_count; i++) {
    skipped += s->variants[i].message != NULL;
  }
  if (ok && !s->options->quiet) {
    (void)printf("%s: ok (%zu variant%s", s->options->operands.items[0], s->variant_count,
                 s->variant_count == 1 ? "" : "s");
    if (skipped > 0) {
      (void)printf(", %zu of them not supported yet", skipped);
    }
    (void)printf(")\n");
  }
}

int verb_validate(const struct options *o) {
  struct session s;
  int32_t status = session_open(o, &s);
  status = status == TIER_OK ? session_check(&s, o->operands.items[0], NULL) : status;
  session_add_pending(&s, &s.diagnostics);
  if (o->json) {
    print_document(&s, status == TIER_OK);
  } else {
    print_text(&s, status == TIER_OK);
  }
  session_close(&s);
  return error_exit_code(status);
}

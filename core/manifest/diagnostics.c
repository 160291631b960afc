#include "manifest/diagnostics.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <tier/plugin.h>
#include "base/memory.h"

void diagnostics_add(struct diagnostics *d, enum severity severity, const char *file, int line,
                     int column, const char *path, const char *hint, const char *format, ...) {
  char *message = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&message, format, arguments);
  va_end(arguments);
  if (d->arena == NULL) {
    d->arena = arena_new();
  }
  struct diagnostic item = {
      .severity = severity,
      .file = arena_text(d->arena, file),
      .line = line,
      .column = column,
      .path = arena_text(d->arena, path),
      .hint = arena_text(d->arena, hint),
      .message = arena_text(d->arena, length < 0 ? "(no memory for the message)" : message),
  };
  if (length >= 0) {
    free(message);
  }
  array_push(d->items, d->count, d->capacity, item);
}

size_t diagnostics_errors(const struct diagnostics *d) {
  size_t count = 0;
  for (size_t i = 0; i < d->count; i++) {
    count += d->items[i].severity != SEVERITY_WARNING;
  }
  return count;
}

int32_t diagnostics_status(const struct diagnostics *d) {
  int32_t status = TIER_OK;
  for (size_t i = 0; i < d->count; i++) {
    if (d->items[i].severity == SEVERITY_ERROR) {
      return TIER_E_INVALID;
    }
    if (d->items[i].severity == SEVERITY_UNSUPPORTED) {
      status = TIER_E_UNSUPPORTED;
    }
  }
  return status;
}

/* By file, line, column; a stable sort by insertion, since there are few. */
static int before(const struct diagnostic *a, const struct diagnostic *b) {
  int files = strcmp(a->file, b->file);
  if (files != 0) {
    return files < 0;
  }
  return a->line != b->line ? a->line < b->line : a->column < b->column;
}

void diagnostics_print(const struct diagnostics *d, FILE *out) {
  const struct diagnostic **sorted = memory_alloc(d->count, sizeof *sorted);
  for (size_t i = 0; i < d->count; i++) {
    size_t j = i;
    for (; j > 0 && before(&d->items[i], sorted[j - 1]); j--) {
      sorted[j] = sorted[j - 1];
    }
    sorted[j] = &d->items[i];
  }
  for (size_t i = 0; i < d->count; i++) {
    const struct diagnostic *x = sorted[i];
    (void)fputs(x->file, out);
    if (x->line > 0 && strncmp(x->file, "--", 2) != 0) { /* "--set path=..." has no lines */
      (void)fprintf(out, ":%d:%d", x->line, x->column);
    }
    (void)fprintf(out, ": %s%s%s%s\n", x->severity == SEVERITY_WARNING ? "warning: " : "",
                  x->message, x->hint[0] != '\0' ? "; " : "", x->hint);
  }
  free(sorted);
}

void diagnostics_free(struct diagnostics *d) {
  free(d->items);
  arena_free(d->arena);
  *d = (struct diagnostics){0};
}

/* Paths, diagnostics and plain values: what all steps of reading use. */
#include "manifest/reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* ---- the path ---- */

size_t path_push(struct reader *r, const char *key) {
  size_t mark = r->path.length;
  text_add(&r->path, mark > 0 ? "." : "");
  text_add(&r->path, key);
  return mark;
}

size_t path_push_index(struct reader *r, size_t index) {
  char text[32];
  (void)snprintf(text, sizeof text, "%zu", index);
  return path_push(r, text);
}

size_t path_push_phase(struct reader *r) {
  const struct json *name = json_member(r->phase, "name");
  size_t mark = r->path.length;
  if (name != NULL && name->type == JSON_STRING) {
    (void)path_push(r, "phases");
    (void)path_push(r, name->text);
  }
  return mark;
}

void path_pop(struct reader *r, size_t mark) {
  r->path.length = mark;
  r->path.data[mark] = '\0';
}

struct place place_of(struct reader *r, const struct json *j) {
  return (struct place){j->file, j->line, j->column, arena_text(r->arena, text_get(&r->path))};
}

struct place place_of_key(struct reader *r, const struct json *j) {
  struct place p = place_of(r, j);
  if (j->key_line > 0) {
    p.line = j->key_line;
    p.column = j->key_column;
  }
  return p;
}

/* ---- diagnostics ---- */

static void add(struct reader *r, enum severity severity, const struct place *p, const char *hint,
                const char *format, va_list arguments) __attribute__((format(printf, 5, 0)));
static void add(struct reader *r, enum severity severity, const struct place *p, const char *hint,
                const char *format, va_list arguments) {
  char *message = NULL;
  if (vasprintf(&message, format, arguments) < 0) {
    return;
  }
  diagnostics_add(r->diagnostics, severity, p->file, p->line, p->column, p->path, hint, "%s",
                  message);
  free(message);
}

void wrong(struct reader *r, struct json *j, const char *hint, const char *format, ...) {
  if (r->diagnostics == NULL || j->broken) {
    return;
  }
  struct place p = place_of(r, j);
  va_list arguments;
  va_start(arguments, format);
  add(r, SEVERITY_ERROR, &p, hint, format, arguments);
  va_end(arguments);
  j->broken = 1;
}

void wrong_key(struct reader *r, struct json *j, const char *hint, const char *format, ...) {
  if (r->diagnostics == NULL || j->broken) {
    return;
  }
  struct place p = place_of_key(r, j);
  va_list arguments;
  va_start(arguments, format);
  add(r, SEVERITY_ERROR, &p, hint, format, arguments);
  va_end(arguments);
  j->broken = 1;
}

void unsupported(struct reader *r, const struct json *j, const char *what) {
  if (r->diagnostics != NULL) {
    struct place p = place_of_key(r, j);
    diagnostics_add(r->diagnostics, SEVERITY_UNSUPPORTED, p.file, p.line, p.column, p.path, "",
                    "not supported yet: %s", what);
  }
}

void warn_at(struct reader *r, const struct json *j, const char *hint, const char *format, ...) {
  struct place p = place_of_key(r, j);
  va_list arguments;
  va_start(arguments, format);
  add(r, SEVERITY_WARNING, &p, hint, format, arguments);
  va_end(arguments);
}

void wrong_place(struct reader *r, const struct place *p, const char *hint, const char *format,
                 ...) {
  va_list arguments;
  va_start(arguments, format);
  add(r, SEVERITY_ERROR, p, hint, format, arguments);
  va_end(arguments);
}

const char *did_you_mean(struct reader *r, const char *name, const char *const *candidates,
                         size_t count) {
  int64_t i = text_nearest(name, candidates, count);
  return i < 0 ? "" : arena_format(r->arena, "did you mean \"%s\"?", candidates[i]);
}

/* { "net": "train.x" }, with the spaces that people write. */
static void write_spaced(const struct json *j, struct text *out) {
  if ((j->type != JSON_OBJECT && j->type != JSON_LIST) || j->count == 0) {
    json_write(j, 0, 0, out);
    return;
  }
  text_add(out, j->type == JSON_OBJECT ? "{ " : "[");
  for (size_t i = 0; i < j->count; i++) {
    text_add(out, i > 0 ? ", " : "");
    if (j->type == JSON_OBJECT) {
      text_format(out, "\"%s\": ", j->items[i]->key);
    }
    write_spaced(j->items[i], out);
  }
  text_add(out, j->type == JSON_OBJECT ? " }" : "]");
}

const char *written(struct reader *r, const struct json *j) {
  struct text out = {0};
  write_spaced(j, &out);
  const char *text = out.length <= 120 ? arena_text(r->arena, text_get(&out)) : "...";
  text_free(&out);
  return text;
}

const char *kind_noun(struct reader *r, const char *kind) {
  char *noun = arena_text(r->arena, kind);
  for (char *p = noun; *p != '\0'; p++) {
    *p = *p == '-' ? ' ' : *p;
  }
  return noun;
}

const char *with_article(struct reader *r, const char *noun) {
  const char *article = strchr("aeiou", noun[0]) != NULL ? "an" : "a";
  return arena_format(r->arena, "%s %s", article, kind_noun(r, noun));
}

/* ---- fixed objects and plain values ---- */

static void refuse_key(struct reader *r, struct json *member, const char *const *keys, size_t count,
                       const char *what) {
  const char *hint = did_you_mean(r, member->key, keys, count);
  if (hint[0] == '\0') {
    struct text list = {0};
    for (size_t i = 0; i < count; i++) {
      text_format(&list, "%s%s", i > 0 ? ", " : "its keys are ", keys[i]);
    }
    hint = arena_text(r->arena, text_get(&list));
    text_free(&list);
  }
  wrong_key(r, member, hint, "%s has no key \"%s\"", what, member->key);
}

void check_keys(struct reader *r, struct json *object, const char *const *keys, size_t count,
                const char *what) {
  for (size_t i = 0; i < object->count; i++) {
    struct json *member = object->items[i];
    size_t known = 0;
    while (known < count && strcmp(keys[known], member->key) != 0) {
      known++;
    }
    if (known == count) {
      size_t mark = path_push(r, member->key);
      refuse_key(r, member, keys, count, what);
      path_pop(r, mark);
    }
  }
}

/* "a number", ... for messages about a value of the wrong type. */
static const char *type_text(const struct json *j) {
  static const char *const texts[] = {"null",   "true or false", "a number",
                                      "a text", "a list",        "an object"};
  return texts[j->type];
}

int is_text(struct reader *r, struct json *j, const char *what) {
  if (j->type == JSON_STRING) {
    return 1;
  }
  wrong(r, j, "", "%s must be a text in quotes, not %s", what, type_text(j));
  return 0;
}

int is_object(struct reader *r, struct json *j, const char *what) {
  if (j->type == JSON_OBJECT) {
    return 1;
  }
  wrong(r, j, "", "%s must be an object { ... }, not %s", what, type_text(j));
  return 0;
}

int is_integer(struct reader *r, struct json *j, double minimum, const char *what, int64_t *out) {
  if (j->type != JSON_NUMBER) {
    wrong(r, j, "", "%s must be a whole number, not %s", what, type_text(j));
    return 0;
  }
  if (j->number != floor(j->number) || j->number < minimum || j->number > 9007199254740992.0) {
    wrong(r, j, "", "%s must be a whole number from %.0f on, not %s", what, minimum, j->text);
    return 0;
  }
  *out = (int64_t)j->number;
  return 1;
}

int is_number(struct reader *r, struct json *j, double minimum, const char *what, double *out) {
  if (j->type != JSON_NUMBER) {
    wrong(r, j, "", "%s must be a number, not %s", what, type_text(j));
    return 0;
  }
  if (j->number < minimum) {
    wrong(r, j, "", "%s must be at least %g, not %s", what, minimum, j->text);
    return 0;
  }
  *out = j->number;
  return 1;
}

int one_of(struct reader *r, struct json *j, const char *const *words, size_t count,
           const char *what) {
  for (size_t i = 0; i < count && j->type == JSON_STRING; i++) {
    if (strcmp(j->text, words[i]) == 0) {
      return (int)i;
    }
  }
  struct text list = {0};
  for (size_t i = 0; i < count; i++) {
    text_format(&list, "%s\"%s\"", i == 0 ? "" : i + 1 == count ? " or " : ", ", words[i]);
  }
  const char *hint = j->type == JSON_STRING ? did_you_mean(r, j->text, words, count) : "";
  wrong(r, j, hint, "%s must be %s, not %s", what, text_get(&list), written(r, j));
  text_free(&list);
  return -1;
}

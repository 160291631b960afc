#include "cli/items.h"

#include <string.h>

#include "base/error.h"

const char *item_end(const char *text, char separator) {
  int depth = 0;
  int quoted = 0;
  for (; *text != '\0'; text++) {
    if (quoted) {
      quoted = *text != '"';
      text += *text == '\\' && text[1] != '\0';
    } else if (*text == separator && depth == 0) {
      return text;
    } else {
      quoted = *text == '"';
      depth += (*text == '[' || *text == '{') - (*text == ']' || *text == '}');
    }
  }
  return text;
}

static struct json *parse_value(struct arena *a, const char *text) {
  struct json *value = NULL;
  if (json_parse(a, "--estimators", text, strlen(text), &value) != TIER_OK) {
    error_clear();
    value = json_make_text(a, text);
  }
  return value;
}

static int32_t parse_parameters(struct arena *a, const char *item, const char *rest,
                                struct json *arguments) {
  while (*rest == ':') {
    const char *end = item_end(rest + 1, ':');
    const char *parameter = arena_text_n(a, rest + 1, (size_t)(end - rest - 1));
    const char *equals = strchr(parameter, '=');
    if (equals == NULL || equals == parameter) {
      return fail(TIER_E_INVALID, "--estimators: \"%s\": \"%s\" is no PARAM=JSON", item, parameter);
    }
    const char *name = arena_text_n(a, parameter, (size_t)(equals - parameter));
    json_set(a, arguments, name, parse_value(a, equals + 1));
    rest = end;
  }
  return TIER_OK;
}

static int32_t parse_item(struct arena *a, const char *text, struct item *out) {
  size_t length = strcspn(text, ":");
  struct json *arguments = json_make(a, JSON_OBJECT);
  *out = (struct item){.text = text, .id = arena_text_n(a, text, length)};
  if (length == 0 || strspn(out->id, "abcdefghijklmnopqrstuvwxyz0123456789-") != length) {
    return fail(TIER_E_INVALID, "--estimators: \"%s\" is neither an id nor ID:PARAM=JSON:...",
                text);
  }
  TIER_TRY(parse_parameters(a, text, text + length, arguments));
  if (arguments->count == 0) {
    out->application = json_make_text(a, out->id);
  } else {
    out->application = json_make(a, JSON_OBJECT);
    json_set(a, out->application, out->id, arguments);
  }
  return TIER_OK;
}

int32_t items_parse(struct arena *a, const char *list, struct item **out, size_t *count) {
  size_t most = 1;
  for (const char *c = list; *c != '\0'; c++) {
    most += *c == ',';
  }
  *out = arena_alloc(a, most * sizeof **out);
  *count = 0;
  for (;;) {
    const char *end = item_end(list, ',');
    TIER_TRY(parse_item(a, arena_text_n(a, list, (size_t)(end - list)), &(*out)[*count]));
    (*count)++;
    if (*end == '\0') {
      return TIER_OK;
    }
    list = end + 1;
  }
}

struct json *item_with(struct arena *a, const struct item *item, const char *parameter,
                       struct json *value) {
  struct json *application = json_make(a, JSON_OBJECT);
  const struct json *old = json_member(item->application, item->id);
  struct json *arguments = old != NULL ? json_copy(a, old) : json_make(a, JSON_OBJECT);
  json_set(a, arguments, parameter, value);
  json_set(a, application, item->id, arguments);
  return application;
}

/* Sets the value at the path below `object`. A shorthand "nystrom" on the way becomes an object. */
static void set_at(struct arena *a, struct json *object, const char *path, struct json *value) {
  size_t length = strcspn(path, ".");
  const char *key = arena_text_n(a, path, length);
  struct json *inner = json_member(object, key);
  if (path[length] == '\0') {
    json_set(a, object, key, value);
    return;
  }
  if (inner == NULL || inner->type != JSON_OBJECT) {
    const char *shorthand = inner != NULL && inner->type == JSON_STRING ? inner->text : NULL;
    inner = json_make(a, JSON_OBJECT);
    if (shorthand != NULL) {
      json_set(a, inner, shorthand, json_make(a, JSON_OBJECT));
    }
    json_set(a, object, key, inner);
  }
  set_at(a, inner, path + length + 1, value);
}

/* ID:PARAM=JSON:PARAM=JSON */
static const char *text_of(struct arena *a, const struct json *application) {
  struct text t = {0};
  const struct json *arguments = application->items[0];
  text_add(&t, arguments->key);
  for (size_t i = 0; i < arguments->count; i++) {
    text_format(&t, ":%s=", arguments->items[i]->key);
    json_write(arguments->items[i], 0, 0, &t);
  }
  const char *text = arena_text(a, text_get(&t));
  text_free(&t);
  return text;
}

/* Where `own` ({"implicit": {"solver": {"cg": {...}}}}) applies `id`: the id itself, or
 * "implicit.solver.cg" of a part of it; NULL where it does not. */
static const char *place_in(struct arena *a, const struct json *own, const char *id) {
  const struct json *outer = own != NULL && own->count == 1 ? own->items[0] : NULL;
  if (outer == NULL || strcmp(outer->key, id) == 0) {
    return outer != NULL ? id : NULL;
  }
  for (size_t i = 0; outer->type == JSON_OBJECT && i < outer->count; i++) {
    if (json_member(outer->items[i], id) != NULL) {
      return arena_format(a, "%s.%s.%s", outer->key, outer->items[i]->key, id);
    }
  }
  return NULL;
}

struct item item_vary(struct arena *a, const struct item *item, const struct json *own,
                      const struct item_change *changes, size_t count) {
  const char *place = item->application->type == JSON_STRING ? place_in(a, own, item->id) : NULL;
  const struct json *from = place != NULL ? own : item->application;
  struct json *application = json_make(a, JSON_OBJECT);
  if (from->type == JSON_OBJECT) {
    application = json_copy(a, from);
  } else {
    json_set(a, application, item->id, json_make(a, JSON_OBJECT));
  }
  place = place != NULL ? place : item->id;
  for (size_t i = 0; i < count; i++) {
    const char *path = arena_format(a, "%s.%s", place, changes[i].path);
    set_at(a, application, path, parse_value(a, changes[i].value));
  }
  return (struct item){.text = text_of(a, application),
                       .id = application->items[0]->key,
                       .application = application};
}

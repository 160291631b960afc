#include "cli/items.h"

#include <string.h>

#include "base/error.h"

/* The first `separator` in text outside brackets and quotes, or its end. */
static const char *find_outside(const char *text, char separator) {
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
    const char *end = find_outside(rest + 1, ':');
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
    const char *end = find_outside(list, ',');
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

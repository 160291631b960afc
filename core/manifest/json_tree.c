/* Making and changing JSON values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/json.h"

struct json *json_make(struct arena *a, enum json_type type) {
  struct json *j = arena_alloc(a, sizeof *j);
  j->type = type;
  j->file = "";
  return j;
}

struct json *json_make_text(struct arena *a, const char *text) {
  struct json *j = json_make(a, JSON_STRING);
  j->text = arena_text(a, text);
  j->text_length = strlen(text);
  return j;
}

struct json *json_make_number(struct arena *a, double value) {
  char text[32];
  struct json *j = json_make(a, JSON_NUMBER);
  text_number(value, text);
  j->number = value;
  j->text = arena_text(a, text);
  j->text_length = strlen(text);
  return j;
}

static size_t position(const struct json *object, const char *key) {
  for (size_t i = 0; i < object->count; i++) {
    if (strcmp(object->items[i]->key, key) == 0) {
      return i;
    }
  }
  return object->count;
}

struct json *json_member(const struct json *object, const char *key) {
  if (object == NULL || object->type != JSON_OBJECT) {
    return NULL;
  }
  size_t i = position(object, key);
  return i < object->count ? object->items[i] : NULL;
}

struct json *json_copy(struct arena *a, const struct json *j) {
  struct json *copy = arena_copy(a, j, sizeof *j);
  copy->items = arena_copy(a, j->items, j->count * sizeof(struct json *));
  for (size_t i = 0; i < j->count; i++) {
    copy->items[i] = json_copy(a, j->items[i]);
  }
  return copy;
}

void json_append(struct arena *a, struct json *list, struct json *value) {
  struct json **items = arena_alloc(a, (list->count + 1) * sizeof(struct json *));
  if (list->count > 0) {
    memcpy(items, list->items, list->count * sizeof(struct json *));
  }
  items[list->count++] = value;
  list->items = items;
}

void json_set(struct arena *a, struct json *object, const char *key, struct json *value) {
  size_t i = position(object, key);
  value->key = arena_text(a, key);
  if (i < object->count) {
    object->items[i] = value;
  } else {
    json_append(a, object, value);
  }
}

void json_remove(struct json *object, const char *key) {
  size_t i = position(object, key);
  if (i < object->count) {
    object->count--;
    memmove(object->items + i, object->items + i + 1, (object->count - i) * sizeof(struct json *));
  }
}

static int equal_members(const struct json *a, const struct json *b) {
  for (size_t i = 0; i < a->count; i++) {
    const struct json *other = json_member(b, a->items[i]->key);
    if (other == NULL || !json_equal(a->items[i], other)) {
      return 0;
    }
  }
  return 1;
}

static int equal_elements(const struct json *a, const struct json *b) {
  for (size_t i = 0; i < a->count; i++) {
    if (!json_equal(a->items[i], b->items[i])) {
      return 0;
    }
  }
  return 1;
}

int json_equal(const struct json *a, const struct json *b) {
  if (a->type != b->type || a->count != b->count) {
    return 0;
  }
  switch (a->type) {
    case JSON_NULL:
      return 1;
    case JSON_BOOLEAN:
      return a->boolean == b->boolean;
    case JSON_NUMBER:
      return a->number == b->number;
    case JSON_STRING:
      return strcmp(a->text, b->text) == 0;
    case JSON_LIST:
      return equal_elements(a, b);
    case JSON_OBJECT:
      return equal_members(a, b);
  }
  return 0;
}

/* Building blocks of the shorthand: wrapping nodes, and reading them where they stand. */
#include <string.h>

#include "manifest/shorthand.h"

struct json *node_in_place_of(struct json *replacement, const struct json *j) {
  replacement->file = j->file;
  replacement->line = j->line;
  replacement->column = j->column;
  replacement->key = j->key;
  replacement->key_line = j->key_line;
  replacement->key_column = j->key_column;
  return replacement;
}

/* { key: j } in the place of j. */
struct json *node_wrap(struct reader *r, struct json *j, const char *key) {
  struct json *object = node_in_place_of(json_make(r->arena, JSON_OBJECT), j);
  json_set(r->arena, object, key, j);
  j->key_line = j->line;
  j->key_column = j->column;
  return object;
}

/* [ j ] in the place of j, unless it is a list. */
struct json *node_listed(struct reader *r, struct json *j) {
  if (j->type == JSON_LIST) {
    return j;
  }
  struct json *list = node_in_place_of(json_make(r->arena, JSON_LIST), j);
  json_append(r->arena, list, j);
  j->key = NULL;
  return list;
}

static void read_item(struct reader *r, struct json **item, reading *read) {
  const char *key = (*item)->key;
  struct json *old = *item;
  if (!old->broken) {
    struct json *new = read(r, old);
    new->key = key;
    *item = new;
  }
}

void read_member(struct reader *r, struct json *object, const char *key, reading *read) {
  for (size_t i = 0; object->type == JSON_OBJECT && i < object->count; i++) {
    if (strcmp(object->items[i]->key, key) == 0) {
      size_t mark = path_push(r, key);
      read_item(r, &object->items[i], read);
      path_pop(r, mark);
    }
  }
}

struct json *read_members(struct reader *r, struct json *object, reading *read) {
  for (size_t i = 0; object->type == JSON_OBJECT && i < object->count; i++) {
    size_t mark = path_push(r, object->items[i]->key);
    read_item(r, &object->items[i], read);
    path_pop(r, mark);
  }
  return object;
}

struct json *read_elements(struct reader *r, struct json *list, reading *read) {
  for (size_t i = 0; list->type == JSON_LIST && i < list->count; i++) {
    size_t mark = path_push_index(r, i);
    read_item(r, &list->items[i], read);
    path_pop(r, mark);
  }
  return list;
}

void fill_in(struct reader *r, struct json *object, const char *key, struct json *value) {
  if (r->fill && object->type == JSON_OBJECT && json_member(object, key) == NULL) {
    json_set(r->arena, object, key, value);
  }
}

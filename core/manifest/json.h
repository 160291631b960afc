/* A strict JSON reader (RFC 8259, UTF-8) that keeps the position of every value. Refused, with
 * line and column: comments, NaN, duplicate keys, trailing text, invalid UTF-8, more than 16 MiB,
 * depth over 32. */
#ifndef MANIFEST_JSON_H
#define MANIFEST_JSON_H

#include "base/memory.h"
#include "base/text.h"

enum json_type { JSON_NULL, JSON_BOOLEAN, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_OBJECT };

struct json {
  enum json_type type;
  int line, column; /* 1-based; 0: made by the program (a default) */
  const char *file; /* "m.json", or "--set", for messages */
  const char *key;  /* inside an object: its key, else NULL */
  int key_line, key_column;
  int boolean;
  double number;
  const char *text; /* JSON_STRING: decoded; JSON_NUMBER: as written */
  size_t text_length;
  struct json **items; /* list elements, or object members in file order */
  size_t count;
  int broken;                /* an error about it was given already: say no more */
  const struct json *origin; /* arguments made from a shorthand: what was written instead */
};

/* All from the arena. On failure TIER_E_INVALID with the text "LINE:COLUMN: reason". */
int32_t json_parse(struct arena *a, const char *file, const char *data, size_t size,
                   struct json **out);
struct json *json_member(const struct json *object, const char *key); /* NULL if absent */
struct json *json_make(struct arena *a, enum json_type type);
struct json *json_make_text(struct arena *a, const char *text);
struct json *json_make_number(struct arena *a, double value);
struct json *json_copy(struct arena *a, const struct json *j); /* deep */
void json_set(struct arena *a, struct json *object, const char *key, struct json *value);
void json_remove(struct json *object, const char *key);
void json_append(struct arena *a, struct json *list, struct json *value);
int json_equal(const struct json *a, const struct json *b);
/* Writes it; indent 0: one line. sorted: keys in byte order. Numbers in shortest form that reads
 * back the same double. */
void json_write(const struct json *j, int indent, int sorted, struct text *out);

#endif

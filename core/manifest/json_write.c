/* Writing JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/json.h"

static void write_text(const char *s, size_t length, struct text *out) {
  text_add(out, "\"");
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c == '"' || c == '\\') {
      text_format(out, "\\%c", c);
    } else if (c == '\n') {
      text_add(out, "\\n");
    } else if (c == '\t') {
      text_add(out, "\\t");
    } else if (c < 0x20) {
      text_format(out, "\\u%04x", c);
    } else {
      text_add_n(out, s + i, 1);
    }
  }
  text_add(out, "\"");
}

/* Whole numbers without an exponent as long as they are exact: 2000, not 2e+03. */
static void write_number(double value, struct text *out) {
  char text[32];
  if (value == floor(value) && fabs(value) < 1e15) {
    text_format(out, "%.0f", value);
  } else {
    text_number(value, text);
    text_add(out, text);
  }
}

static void new_line(int indent, int level, struct text *out) {
  if (indent > 0) {
    text_format(out, "\n%*s", indent * level, "");
  }
}

static int by_key(const void *a, const void *b) {
  return strcmp((*(struct json *const *)a)->key, (*(struct json *const *)b)->key);
}

static void write_value(const struct json *j, int indent, int sorted, int level, struct text *out);

static void write_items(const struct json *j, int indent, int sorted, int level, struct text *out) {
  int object = j->type == JSON_OBJECT;
  struct json **items = memory_alloc(j->count, sizeof *items);
  if (j->count > 0) {
    memcpy(items, j->items, j->count * sizeof *items);
  }
  if (object && sorted) {
    qsort(items, j->count, sizeof *items, by_key);
  }
  text_add(out, object ? "{" : "[");
  for (size_t i = 0; i < j->count; i++) {
    text_add(out, i == 0 ? "" : indent > 0 ? "," : ", ");
    new_line(indent, level + 1, out);
    if (object) {
      write_text(items[i]->key, strlen(items[i]->key), out);
      text_add(out, ": ");
    }
    write_value(items[i], indent, sorted, level + 1, out);
  }
  if (j->count > 0) {
    new_line(indent, level, out);
  }
  text_add(out, object ? "}" : "]");
  free(items);
}

/* Lists of plain values stay on one line. */
static int is_flat(const struct json *j) {
  for (size_t i = 0; i < j->count; i++) {
    if (j->items[i]->type == JSON_LIST || j->items[i]->type == JSON_OBJECT) {
      return 0;
    }
  }
  return j->type == JSON_LIST;
}

static void write_value(const struct json *j, int indent, int sorted, int level, struct text *out) {
  switch (j->type) {
    case JSON_NULL:
      text_add(out, "null");
      break;
    case JSON_BOOLEAN:
      text_add(out, j->boolean ? "true" : "false");
      break;
    case JSON_NUMBER:
      write_number(j->number, out);
      break;
    case JSON_STRING:
      write_text(j->text, j->text_length, out);
      break;
    case JSON_LIST:
    case JSON_OBJECT:
      write_items(j, is_flat(j) ? 0 : indent, sorted, level, out);
      break;
  }
}

void json_write(const struct json *j, int indent, int sorted, struct text *out) {
  write_value(j, indent, sorted, 0, out);
}

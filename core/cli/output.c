#include "cli/output.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

int print_failure(int32_t status) {
  (void)fprintf(stderr, "tier: %s\n", error_text());
  error_clear();
  return error_exit_code(status);
}

void print_json(const struct json *j) {
  struct text t = {0};
  json_write(j, 2, 0, &t);
  (void)printf("%s\n", text_get(&t));
  text_free(&t);
}

void put_text(struct arena *a, struct json *object, const char *key, const char *value) {
  json_set(a, object, key, value != NULL ? json_make_text(a, value) : json_make(a, JSON_NULL));
}

void put_number(struct arena *a, struct json *object, const char *key, double value) {
  json_set(a, object, key, isfinite(value) ? json_make_number(a, value) : json_make(a, JSON_NULL));
}

void put_flag(struct arena *a, struct json *object, const char *key, int value) {
  struct json *j = json_make(a, JSON_BOOLEAN);
  j->boolean = value != 0;
  json_set(a, object, key, j);
}

double number_at(const struct json *object, const char *key) {
  const struct json *j = json_member(object, key);
  return j != NULL && j->type == JSON_NUMBER ? j->number : NAN;
}

/* ---- tables ---- */

void table_text(struct table *t, const char *text) {
  char *cell = memory_copy_text(text);
  array_push(t->cells, t->count, t->capacity, cell);
}

void table_number(struct table *t, double value, const char *format) {
  char text[64] = "-";
  if (!isnan(value)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof text, format, value);
#pragma GCC diagnostic pop
  }
  table_text(t, text);
}

void table_end_head(struct table *t) {
  t->columns = t->count;
}

/* Characters, not bytes: "±" is one. */
static size_t width_of(const char *text) {
  size_t width = 0;
  for (; *text != '\0'; text++) {
    width += ((unsigned char)*text & 0xC0u) != 0x80u;
  }
  return width;
}

/* A column is one of numbers if every cell below the head begins like one. */
static int is_numeric(const struct table *t, size_t column) {
  for (size_t i = t->columns + column; i < t->count; i += t->columns) {
    if (strchr("0123456789-+.i", t->cells[i][0]) == NULL) {
      return 0;
    }
  }
  return 1;
}

static size_t column_width(const struct table *t, size_t column) {
  size_t width = 0;
  for (size_t i = column; i < t->count; i += t->columns) {
    size_t w = width_of(t->cells[i]);
    width = w > width ? w : width;
  }
  return width;
}

static void print_cell(const struct table *t, size_t i, FILE *out) {
  size_t column = i % t->columns;
  int last = column + 1 == t->columns;
  int pad = (int)(column_width(t, column) - width_of(t->cells[i]));
  if (is_numeric(t, column)) {
    (void)fprintf(out, "%*s%s", pad, "", t->cells[i]);
  } else {
    (void)fprintf(out, "%s%*s", t->cells[i], last ? 0 : pad, "");
  }
  (void)fprintf(out, "%s", last ? "\n" : "  ");
}

void table_free(struct table *t) {
  for (size_t i = 0; i < t->count; i++) {
    free(t->cells[i]);
  }
  free(t->cells);
  *t = (struct table){0};
}

void table_print(struct table *t, FILE *out) {
  for (size_t i = 0; i < t->count; i++) {
    print_cell(t, i, out);
  }
  table_free(t);
}

#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void text_add_n(struct text *t, const char *s, size_t length) {
  if (t->length + length + 1 > t->capacity) {
    t->capacity = 2 * (t->length + length + 1);
    t->data = memory_resize(t->data, t->capacity, 1);
  }
  memcpy(t->data + t->length, s, length);
  t->length += length;
  t->data[t->length] = '\0';
}

void text_add(struct text *t, const char *s) {
  text_add_n(t, s, strlen(s));
}

void text_format(struct text *t, const char *format, ...) {
  va_list arguments;
  va_list again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (length > 0) {
    char *piece = memory_alloc((size_t)length + 1, 1);
    (void)vsnprintf(piece, (size_t)length + 1, format, again);
    text_add_n(t, piece, (size_t)length);
    free(piece);
  }
  va_end(again);
}

void text_free(struct text *t) {
  free(t->data);
  *t = (struct text){0};
}

const char *text_get(const struct text *t) {
  return t->data != NULL ? t->data : "";
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

/* The number of letters to insert, remove, replace or swap with their neighbour (optimal string
 * alignment), by rows; names longer than 63 bytes are never near. */
static size_t edit_distance(const char *a, const char *b) {
  size_t rows[3][64]; /* of i - 2, i - 1 and i, in turn */
  size_t m = strlen(a);
  size_t n = strlen(b);
  if (m > 63 || n > 63) {
    return SIZE_MAX;
  }
  for (size_t j = 0; j <= n; j++) {
    rows[0][j] = j;
  }
  for (size_t i = 1; i <= m; i++) {
    size_t *row = rows[i % 3];
    const size_t *above = rows[(i + 2) % 3];
    const size_t *two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = least(row[j], two_above[j - 2] + 1);
      }
    }
  }
  return rows[m % 3][n];
}

int64_t text_nearest(const char *name, const char *const *candidates, size_t count) {
  int64_t nearest = -1;
  size_t best = 1 + strlen(name) / 4;
  for (size_t i = 0; i < count; i++) {
    size_t distance = edit_distance(name, candidates[i]);
    if (distance <= best && (nearest < 0 || distance < best)) {
      nearest = (int64_t)i;
      best = distance;
    }
  }
  return nearest;
}

void text_number(double value, char out[32]) {
  if (fabs(value) < 1e15 && value == trunc(value)) {
    (void)snprintf(out, 32, "%.0f", value);
    return;
  }
  for (int digits = 1; digits <= 17; digits++) {
    (void)snprintf(out, 32, "%.*g", digits, value);
    if (strtod(out, NULL) == value) {
      break;
    }
  }
}

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

/* Levenshtein's distance by rows; names longer than 63 bytes are never near. */
static size_t edit_distance(const char *a, const char *b) {
  size_t row[64];
  size_t m = strlen(a);
  size_t n = strlen(b);
  if (m > 63 || n > 63) {
    return SIZE_MAX;
  }
  for (size_t j = 0; j <= n; j++) {
    row[j] = j;
  }
  for (size_t i = 1; i <= m; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t best = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      best = row[j] + 1 < best ? row[j] + 1 : best;
      row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
    }
  }
  return row[n];
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

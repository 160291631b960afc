/* A growing text, and the nearest of several names. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
  char *data; /* NUL-terminated once anything was added; may be NULL */
  size_t length;
  size_t capacity;
};
void text_add(struct text *t, const char *s);
void text_add_n(struct text *t, const char *s, size_t length);
void text_format(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *t);
const char *text_get(const struct text *t); /* "" if empty */

/* The index of the candidate nearest to `name` if it is near enough to be meant (edit distance
 * <= 1 + length / 4), else -1. */
int64_t text_nearest(const char *name, const char *const *candidates, size_t count);
/* The shortest decimal text that reads back as the same double ("0.1", "1e-05"); C locale. */
void text_number(double value, char out[32]);

#endif

/* What the verbs print: tables and JSON on stdout, failures on stderr. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "base/text.h"
#include "manifest/json.h"

/* "tier: TEXT" of the pending failure on stderr; clears it; returns the exit code of `status`. */
int print_failure(int32_t status);
void print_json(const struct json *j); /* on stdout, indented */

/* ---- JSON documents ---- */

void put_text(struct arena *a, struct json *object, const char *key,
              const char *value);                                                     /* or null */
void put_number(struct arena *a, struct json *object, const char *key, double value); /* or null */
void put_flag(struct arena *a, struct json *object, const char *key, int value);
double number_at(const struct json *object, const char *key); /* NaN if it is no number */

/* ---- tables: columns as wide as their widest cell; numbers right, texts left ---- */

struct table {
  char **cells;
  size_t count, capacity;
  size_t columns; /* cells of the first row, which is the head */
};
void table_text(struct table *t, const char *text);
void table_number(struct table *t, double value, const char *format); /* "%.4g"; "-" for NaN */
void table_end_head(struct table *t);         /* the cells so far are the head */
void table_print(struct table *t, FILE *out); /* and frees it */
void table_free(struct table *t);

#endif

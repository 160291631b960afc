/* All that is wrong with a manifest, at once: each with its place, a message and a hint. */
#ifndef MANIFEST_DIAGNOSTICS_H
#define MANIFEST_DIAGNOSTICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum severity { SEVERITY_ERROR, SEVERITY_UNSUPPORTED, SEVERITY_WARNING };

struct diagnostic {
  enum severity severity;
  const char *file;
  int line, column;
  const char *path;    /* "levels.inner.optimizer.adam", or "" */
  const char *message; /* adam has no slot "bta1" */
  const char *hint;    /* did you mean "beta1"? (slots: ...), or "" */
};

struct diagnostics {
  struct diagnostic *items;
  size_t count, capacity;
  struct arena *arena; /* holds the texts; made at the first add */
};

/* Texts are copied. */
void diagnostics_add(struct diagnostics *d, enum severity severity, const char *file, int line,
                     int column, const char *path, const char *hint, const char *format, ...)
    __attribute__((format(printf, 8, 9)));
size_t diagnostics_errors(const struct diagnostics *d); /* errors and unsupported */
/* TIER_OK, TIER_E_UNSUPPORTED (only that), or TIER_E_INVALID. */
int32_t diagnostics_status(const struct diagnostics *d);
/* "file:line:column: message; hint" a line, in order of place. */
void diagnostics_print(const struct diagnostics *d, FILE *out);
void diagnostics_free(struct diagnostics *d);

#endif

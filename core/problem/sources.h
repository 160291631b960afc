/* Data: pipelines of datasets and transforms, and their fields as arrays in memory. */
#ifndef PROBLEM_SOURCES_H
#define PROBLEM_SOURCES_H

#include "problem/internal.h"

/* The end of the pipeline that a source describes; the problem owns it. */
int32_t sources_make(struct problem *p, const struct source *s, const char *name,
                     struct data **out);
/* Data `index` of the manifest, made at the first call; its rows are exact unless in a check. */
int32_t sources_get(struct problem *p, int index, struct held_data **out);
/* The field's number in held->fields; -1 if it has none of that name. */
int sources_field(const struct held_data *held, const char *name);
/* Reads the whole field into memory, once. */
int32_t sources_hold(struct problem *p, struct held_data *held, int field);
/* Reads rows of a field into `out` (elements as held). */
int32_t sources_read(const struct problem *p, const struct held_data *held, int field,
                     const int64_t *rows, int64_t count, void *out);

#endif

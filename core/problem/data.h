/* A dataset as the host holds it: its fields, its rows, and reading by index. */
#ifndef PROBLEM_DATA_H
#define PROBLEM_DATA_H

#include <tier/dataset.h>

#include "plugin/params.h"

struct data_field {
  char *name;
  int32_t type;
  int32_t rank;
  int64_t dims[TIER_MAX_RANK]; /* of one row */
  int64_t classes;
  int64_t height, width, channels; /* 0: no picture */
};

struct data {
  tier_data face; /* first: the tier_data that transforms are given */
  char *name;     /* for messages: "train" */
  struct instance *instance;
  const tier_dataset_1 *api;
  struct data_field *fields;
  size_t field_count;
  size_t field_capacity;
  int64_t rows;        /* TIER_ROWS_UNKNOWN, TIER_ROWS_ENDLESS, or a number */
  struct data *source; /* of a transform: opened before it; not owned */
  int opened;
};

/* Describes the instance (which it takes over, also on failure). */
int32_t data_new(struct instance *i, const char *name, struct data *source, struct data **out);
void data_free(struct data *d);
/* Opens the source, then this; afterwards rows is exact. Idempotent. A plugin whose rows or fields
 * change in a way that describe did not announce is TIER_E_PLUGIN. */
int32_t data_open(struct data *d);
const struct data_field *data_find_field(const struct data *d, const char *name); /* NULL: none */
/* Reads as tier_dataset_1.read says; checks indices, and that reals are finite (TIER_E_DATA names
 * data, field, row). */
int32_t data_read(struct data *d, const char *field, const int64_t *rows, int64_t count, void *out);
static inline struct data *data_of(tier_data *face) {
  return (struct data *)(void *)face;
}

#endif

/* Data, metrics and writers made through the real plugins, as the problem layer makes them. */
#ifndef TESTS_DATA_HARNESS_H
#define TESTS_DATA_HARNESS_H

#include "../../plugin/check.h"

#include <tier/metric.h>
#include <tier/writer.h>

#include "plugin/params.h"
#include "plugin/registry.h"
#include "problem/data.h"

/* Group setup and teardown: the registry, a temporary folder, and what the tests made. */
int harness_start(void **state);
int harness_end(void **state);
/* Teardown of one test: frees the data it made. */
int harness_clean(void **state);

/* Arguments of a dataset or transform. */
struct params *data_args(const char *id, uint64_t stream);
void set_number(struct params *p, const char *slot, double value);
void set_text(struct params *p, const char *slot, const char *text);

/* Creates and describes; the harness frees it. `source` may be NULL. */
struct data *describe_data(struct params *p, struct data *source);
/* The same, and opens it. */
struct data *open_data(struct params *p, struct data *source);
/* The status of create + describe + open; the error text stays pending. */
int32_t try_data(struct params *p, struct data *source);

/* Shorthands. */
struct data *digits(int64_t rows, uint64_t stream);
struct data *one_number(const char *id, const char *slot, double value, struct data *source);

/* Field `field` of one row; of all rows (malloc'ed). */
double real_of(struct data *d, const char *field, int64_t row);
int32_t integer_of(struct data *d, const char *field, int64_t row);
int32_t *all_integers(struct data *d, const char *field);
double *all_reals(struct data *d, const char *field);
int64_t row_size(const struct data_field *f);

/* Reading rows singly, in bulk and in odd order gives the same bytes. */
void check_random_access(struct data *d, const char *field);

/* The path of a file in the temporary folder; it lives as long as the group. */
const char *temporary(const char *name);
void write_bytes(const char *path, const void *bytes, size_t size);
char *read_bytes(const char *path, size_t *size); /* free() it */
/* The path of a file of real data (free() it), or NULL: skip the test. */
char *real_data(const char *name);

/* Arguments of a metric or writer, all its expression slots given. */
struct params *measure_args(enum position position, const char *id);
/* A metric or writer with all its expression slots given. `header` may be NULL. */
struct instance *new_instance(enum position position, const char *id, const char *const *header,
                              size_t header_count);

/* Arrays for metrics and writers. */
struct fake_array {
  const char *slot;
  int32_t type;
  int32_t rank;
  int64_t dims[TIER_MAX_RANK];
  const void *values;
};
struct fake_arrays {
  tier_arrays face; /* first */
  const struct fake_array *items;
  size_t count;
};
struct fake_arrays arrays_of(const struct fake_array *items, size_t count);

#endif

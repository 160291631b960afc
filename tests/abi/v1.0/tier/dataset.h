/* tier/dataset.h: interface "tier.dataset/1": fields, a number of rows, and rows by index.
 *
 * A transform is a dataset that wraps another one (tier_params' `source`) and reads through it.
 * Reading is in two stages, so that a manifest is checked before any data is read: `describe` may
 * look at headers only; `open` does what the number of rows or the values need (a scan, a filter).
 * Both are deterministic: row i is the same each time it is read. */
#ifndef TIER_DATASET_H
#define TIER_DATASET_H

#include <tier/graph.h>
#include <tier/params.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIER_ROWS_UNKNOWN (-1) /* not before `open` */
#define TIER_ROWS_ENDLESS (-2) /* a generator: any index >= 0 can be read */

#define TIER_CLASSES_NONE 0       /* not a label */
#define TIER_CLASSES_UNKNOWN (-1) /* a label; how many classes is known after `open` */

/* Where `describe` declares. `dims` is the shape of one row's field. */
typedef struct tier_fields tier_fields;
typedef struct tier_fields_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*rows)(tier_fields *f, int64_t rows);
  int32_t (*field)(tier_fields *f, const char *name, int32_t type, const int64_t *dims,
                   int32_t rank, int64_t classes);
  /* Says that a declared field is a picture of this size (its rows stay flat). */
  int32_t (*image)(tier_fields *f, const char *name, int64_t height, int64_t width,
                   int64_t channels);
} tier_fields_1;
struct tier_fields {
  const tier_fields_1 *api;
};

typedef struct tier_dataset_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*describe)(void *self, tier_fields *f);
  int32_t (*open)(void *self); /* NULL: nothing to do. Called once, before the first read. */
  /* Field `field` of the given rows, one after the other: TIER_REAL as double, TIER_I32 as
   * int32_t. Rows may repeat and stand in any order; the host asks for a few hundred at a time. */
  int32_t (*read)(void *self, const char *field, const int64_t *rows, int64_t count, void *out);
} tier_dataset_1;

/* What a wrapped dataset looks like to a transform: the `tier_data` of params.source/data_at. The
 * host opens a source before it opens the transform. */
typedef struct tier_data_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t (*rows)(tier_data *d);
  int64_t (*field_count)(tier_data *d);
  const char *(*field_name)(tier_data *d, int64_t index);
  int32_t (*has_field)(tier_data *d, const char *field);
  /* Type, and the shape of one row (dims and rank), and number of classes; any may be NULL. */
  int32_t (*field)(tier_data *d, const char *field, int32_t *type, int64_t *dims, int32_t *rank,
                   int64_t *classes);
  int32_t (*image)(tier_data *d, const char *field, int64_t *height, int64_t *width,
                   int64_t *channels); /* 1 if it is a picture, else 0 */
  int32_t (*read)(tier_data *d, const char *field, const int64_t *rows, int64_t count, void *out);
  const char *(*name)(tier_data *d); /* for messages: "train" */
} tier_data_1;
struct tier_data {
  const tier_data_1 *api;
};

/* Declares all fields of `d` as they are: the first lines of most transforms' `describe`. */
static inline int32_t tier_declare_fields_of(tier_data *d, tier_fields *f) {
  int64_t count = d->api->field_count(d);
  for (int64_t i = 0; i < count; i++) {
    const char *name = d->api->field_name(d, i);
    int64_t dims[TIER_MAX_RANK];
    int64_t classes = 0;
    int64_t size[3];
    int32_t type = 0;
    int32_t rank = 0;
    TIER_TRY(d->api->field(d, name, &type, dims, &rank, &classes));
    TIER_TRY(f->api->field(f, name, type, dims, rank, classes));
    if (d->api->image(d, name, &size[0], &size[1], &size[2])) {
      TIER_TRY(f->api->image(f, name, size[0], size[1], size[2]));
    }
  }
  return TIER_OK;
}

#ifdef __cplusplus
}
#endif
#endif

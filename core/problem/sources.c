#include "problem/sources.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/profile.h"
#include "problem/instances.h"

/* In a check, an unknown number of rows is a large prime of its own: shapes that agree by accident
 * then are as good as impossible. */
#define STAND_IN_ROWS 1000003

static int32_t wrap(struct problem *p, const struct application *a, const char *name,
                    struct data *source, struct data **out) {
  struct instance *i = NULL;
  TIER_TRY(instances_get(p, a, source, &i));
  instances_disown(p, i); /* data_new takes it over, also when it fails */
  int32_t status = data_new(i, name, source, out);
  if (status < 0) {
    return fail_at(&a->place, status);
  }
  array_push(p->made, p->made_count, p->made_capacity, *out);
  return TIER_OK;
}

int32_t sources_make(struct problem *p, const struct source *s, const char *name,
                     struct data **out) {
  struct data *data = NULL;
  if (s->data >= 0) {
    struct held_data *held = NULL;
    TIER_TRY(sources_get(p, s->data, &held));
    data = held->data;
  } else {
    TIER_TRY(wrap(p, s->first, name, NULL, &data));
  }
  for (size_t i = 0; i < s->transform_count; i++) {
    TIER_TRY(wrap(p, s->transforms[i], name, data, &data));
  }
  *out = data;
  return TIER_OK;
}

static int32_t describe(struct problem *p, struct held_data *held, int index) {
  if (!p->check_only) {
    profile_begin(p->options.profile, "open data", held->declared->name);
    int32_t status = data_open(held->data);
    profile_end(p->options.profile);
    if (status < 0) {
      return fail_at(&held->declared->place, status);
    }
  }
  held->rows = held->data->rows;
  if (held->rows > INT32_MAX) {
    return fail(TIER_E_UNSUPPORTED, "data \"%s\" has %lld rows; more than %d are not supported yet",
                held->declared->name, (long long)held->rows, INT32_MAX);
  }
  if (held->rows == TIER_ROWS_UNKNOWN) {
    held->rows = STAND_IN_ROWS + 2 * index;
    held->rows_unknown = 1;
  }
  held->field_count = held->data->field_count;
  held->fields = arena_alloc(p->arena, held->field_count * sizeof *held->fields);
  for (size_t i = 0; i < held->field_count; i++) {
    struct held_field *f = &held->fields[i];
    f->field = &held->data->fields[i];
    f->row_size = 1;
    for (int32_t k = 0; k < f->field->rank; k++) {
      f->row_size *= f->field->dims[k];
    }
    f->element_bytes = f->field->type == TIER_I32 ? sizeof(int32_t) : dtype_size(p->dtype);
  }
  return TIER_OK;
}

int32_t sources_get(struct problem *p, int index, struct held_data **out) {
  struct held_data *held = &p->data[index];
  *out = held;
  if (held->data != NULL || held->failed < 0) {
    return held->failed; /* in a check, a failure was reported at the first call */
  }
  if (held->busy) {
    return fail(TIER_E_INVALID, "data \"%s\" is defined by itself", held->declared->name);
  }
  held->busy = 1;
  struct data *data = NULL;
  held->failed = sources_make(p, held->declared->source, held->declared->name, &data);
  if (held->failed == TIER_OK) {
    held->data = data;
    held->failed = describe(p, held, index);
  }
  held->busy = 0;
  return held->failed;
}

int sources_field(const struct held_data *held, const char *name) {
  for (size_t i = 0; i < held->field_count; i++) {
    if (strcmp(held->fields[i].field->name, name) == 0) {
      return (int)i;
    }
  }
  return -1;
}

static void narrow(const double *from, int64_t count, float *to) {
  for (int64_t i = 0; i < count; i++) {
    to[i] = (float)from[i];
  }
}

int32_t sources_read(const struct problem *p, const struct held_data *held, int field,
                     const int64_t *rows, int64_t count, void *out) {
  const struct held_field *f = &held->fields[field];
  const char *name = f->field->name;
  if (f->field->type == TIER_I32 || p->dtype == DTYPE_F64) {
    return data_read(held->data, name, rows, count, out);
  }
  double *wide = memory_alloc((size_t)(count * f->row_size), sizeof *wide);
  int32_t status = data_read(held->data, name, rows, count, wide);
  narrow(wide, count * f->row_size, out);
  free(wide);
  return status;
}

#define ROWS_AT_ONCE 256

int32_t sources_hold(struct problem *p, struct held_data *held, int field) {
  struct held_field *f = &held->fields[field];
  if (f->values != NULL || p->check_only || held->rows < 0) {
    return TIER_OK;
  }
  size_t row_bytes = (size_t)f->row_size * f->element_bytes;
  TIER_TRY(rows_alloc(held->rows, f->row_size, f->element_bytes, held->declared->name, &f->values));
  int64_t rows[ROWS_AT_ONCE];
  for (int64_t first = 0; first < held->rows; first += ROWS_AT_ONCE) {
    int64_t count = held->rows - first < ROWS_AT_ONCE ? held->rows - first : ROWS_AT_ONCE;
    for (int64_t i = 0; i < count; i++) {
      rows[i] = first + i;
    }
    int32_t status =
        sources_read(p, held, field, rows, count, (char *)f->values + (size_t)first * row_bytes);
    if (status < 0) {
      return fail_at(&held->declared->place, status);
    }
  }
  return TIER_OK;
}

#include "problem/data.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* ---- failures of the plugin ---------------------------------------------------------------- */

/* Puts the data's and the component's name in front of the plugin's reason, once: a failure inside
 * the source of a transform has its place already. */
static int32_t place(const struct data *d, int32_t code) {
  if (code >= 0 || strncmp(error_text(), "data ", 5) == 0) {
    return code < 0 ? code : TIER_OK;
  }
  (void)fail(code, "it failed without giving a reason");
  return error_context(code, "data %s: %s", d->name, d->instance->component->c.id);
}

static int32_t broken(const struct data *d, const char *what, const char *field) {
  return fail(TIER_E_PLUGIN, "data %s: %s broke its contract: %s%s%s", d->name,
              d->instance->component->c.id, what, field[0] ? ": field " : "", field);
}

/* ---- describing ------------------------------------------------------------------------------ */

/* Where the plugin declares; the first failure stays, also if the plugin overlooks it. */
struct declaration {
  tier_fields face; /* first */
  struct data *d;
  int32_t status;
  int rows_given;
};

static struct declaration *declaration_of(tier_fields *f) {
  return (struct declaration *)(void *)f;
}

static int32_t keep(struct declaration *to, int32_t status) {
  if (to->status == TIER_OK) {
    to->status = status;
  }
  return status;
}

static int valid_name(const char *name) {
  if (name == NULL || !isalpha((unsigned char)name[0])) {
    return 0;
  }
  for (const char *c = name; *c; c++) {
    if (!isalnum((unsigned char)*c) && *c != '_') {
      return 0;
    }
  }
  return 1;
}

/* Number of elements of one row; 0 if a size is not positive or the product is unreasonable. */
static int64_t elements_of(const int64_t *dims, int32_t rank) {
  int64_t product = 1;
  for (int32_t i = 0; i < rank; i++) {
    if (dims[i] < 1 || dims[i] > INT64_C(0x7fffffff) / product) {
      return 0;
    }
    product *= dims[i];
  }
  return product;
}

static int32_t declare_rows(tier_fields *f, int64_t rows) {
  struct declaration *to = declaration_of(f);
  if (rows < TIER_ROWS_ENDLESS || to->rows_given) {
    return keep(to, broken(to->d, "rows declared twice, or not a number of rows", ""));
  }
  to->rows_given = 1;
  to->d->rows = rows;
  return TIER_OK;
}

static const char *fault_of(const struct data *d, const char *name, int32_t type,
                            const int64_t *dims, int32_t rank, int64_t classes) {
  if (!valid_name(name)) {
    return "a field's name must be letters, digits and _";
  }
  if (data_find_field(d, name) != NULL) {
    return "declared twice";
  }
  if (type != TIER_REAL && type != TIER_I32) {
    return "its type is neither TIER_REAL nor TIER_I32";
  }
  if (rank < 0 || rank >= TIER_MAX_RANK || elements_of(dims, rank) == 0) {
    return "rank or sizes of one row are out of range";
  }
  if (classes < TIER_CLASSES_UNKNOWN || classes > INT32_MAX ||
      (classes != TIER_CLASSES_NONE && (type != TIER_I32 || rank != 0))) {
    return "classes need an i32 field with one number a row";
  }
  return NULL;
}

static int32_t declare_field(tier_fields *f, const char *name, int32_t type, const int64_t *dims,
                             int32_t rank, int64_t classes) {
  struct declaration *to = declaration_of(f);
  struct data *d = to->d;
  const char *fault = fault_of(d, name, type, dims, rank, classes);
  if (fault != NULL) {
    return keep(to, broken(d, fault, name == NULL ? "" : name));
  }
  struct data_field field = {
      .name = memory_copy_text(name), .type = type, .rank = rank, .classes = classes};
  if (rank > 0) {
    memcpy(field.dims, dims, (size_t)rank * sizeof *dims);
  }
  array_push(d->fields, d->field_count, d->field_capacity, field);
  return TIER_OK;
}

static int32_t declare_image(tier_fields *f, const char *name, int64_t height, int64_t width,
                             int64_t channels) {
  struct declaration *to = declaration_of(f);
  int64_t size[3] = {height, width, channels};
  for (size_t i = 0; name != NULL && i < to->d->field_count; i++) {
    struct data_field *field = &to->d->fields[i];
    if (strcmp(field->name, name) == 0 &&
        elements_of(size, 3) == elements_of(field->dims, field->rank)) {
      field->height = height;
      field->width = width;
      field->channels = channels;
      return TIER_OK;
    }
  }
  return keep(to, broken(to->d, "a picture's size does not fit its field", name ? name : ""));
}

static const tier_fields_1 declaring = {
    .struct_size = (uint32_t)sizeof(tier_fields_1),
    .rows = declare_rows,
    .field = declare_field,
    .image = declare_image,
};

static void free_fields(struct data_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    free(fields[i].name);
  }
  free(fields);
}

/* Fills rows and fields of `d`, which has none yet. */
static int32_t describe(struct data *d) {
  struct declaration to = {.face = {&declaring}, .d = d};
  TIER_TRY(place(d, d->api->describe(d->instance->object, &to.face)));
  TIER_TRY(to.status);
  if (!to.rows_given || d->field_count == 0) {
    return broken(d, "describe must declare rows and at least one field", "");
  }
  return TIER_OK;
}

/* ---- the face that transforms see ------------------------------------------------------------ */

static int64_t face_rows(tier_data *d) {
  return data_of(d)->rows;
}

static int64_t face_field_count(tier_data *d) {
  return (int64_t)data_of(d)->field_count;
}

static const char *face_field_name(tier_data *face, int64_t index) {
  struct data *d = data_of(face);
  return index >= 0 && (size_t)index < d->field_count ? d->fields[index].name : NULL;
}

static int32_t face_has_field(tier_data *d, const char *field) {
  return data_find_field(data_of(d), field) != NULL;
}

static int32_t no_field(const struct data *d, const char *name) {
  struct text list = {0};
  const char **names = memory_alloc(d->field_count, sizeof *names);
  for (size_t i = 0; i < d->field_count; i++) {
    names[i] = d->fields[i].name;
    text_format(&list, "%s%s", i ? ", " : "", names[i]);
  }
  int64_t near = text_nearest(name, names, d->field_count);
  int32_t code = fail(TIER_E_INVALID, "data %s has no field \"%s\"%s%s%s (fields: %s)", d->name,
                      name, near < 0 ? "" : "; did you mean \"", near < 0 ? "" : names[near],
                      near < 0 ? "" : "\"?", text_get(&list));
  free(names);
  text_free(&list);
  return code;
}

static int32_t face_field(tier_data *face, const char *name, int32_t *type, int64_t *dims,
                          int32_t *rank, int64_t *classes) {
  const struct data_field *field = data_find_field(data_of(face), name);
  if (field == NULL) {
    return no_field(data_of(face), name);
  }
  if (type != NULL) {
    *type = field->type;
  }
  if (dims != NULL) {
    memcpy(dims, field->dims, (size_t)field->rank * sizeof *dims);
  }
  if (rank != NULL) {
    *rank = field->rank;
  }
  if (classes != NULL) {
    *classes = field->classes;
  }
  return TIER_OK;
}

static int32_t face_image(tier_data *face, const char *name, int64_t *height, int64_t *width,
                          int64_t *channels) {
  const struct data_field *field = data_find_field(data_of(face), name);
  if (field == NULL || field->height == 0) {
    return 0;
  }
  *height = field->height;
  *width = field->width;
  *channels = field->channels;
  return 1;
}

static int32_t face_read(tier_data *d, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  return data_read(data_of(d), field, rows, count, out);
}

static const char *face_name(tier_data *d) {
  return data_of(d)->name;
}

static const tier_data_1 facing = {
    .struct_size = (uint32_t)sizeof(tier_data_1),
    .rows = face_rows,
    .field_count = face_field_count,
    .field_name = face_field_name,
    .has_field = face_has_field,
    .field = face_field,
    .image = face_image,
    .read = face_read,
    .name = face_name,
};

/* ---- life ------------------------------------------------------------------------------------ */

int32_t data_new(struct instance *i, const char *name, struct data *source, struct data **out) {
  struct data *d = memory_alloc(1, sizeof *d);
  d->face.api = &facing;
  d->name = memory_copy_text(name);
  d->instance = i;
  d->source = source;
  d->api = instance_get(i, "tier.dataset/1");
  int32_t status = TIER_OK;
  if (d->api == NULL || d->api->describe == NULL || d->api->read == NULL) {
    status = broken(d, "it offers no complete tier.dataset/1", "");
  } else {
    status = describe(d);
  }
  if (status < 0) {
    data_free(d);
    d = NULL;
  }
  *out = d;
  return status;
}

void data_free(struct data *d) {
  if (d != NULL) {
    instance_free(d->instance);
    free_fields(d->fields, d->field_count);
    free(d->name);
    free(d);
  }
}

const struct data_field *data_find_field(const struct data *d, const char *name) {
  for (size_t i = 0; i < d->field_count; i++) {
    if (strcmp(d->fields[i].name, name) == 0) {
      return &d->fields[i];
    }
  }
  return NULL;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Opens the data named in slots ({"concat": ["train", "val"]}). */
static int32_t open_arguments(struct data *d) {
  const tier_component *c = &d->instance->component->c;
  const tier_params *p = params_face(d->instance->params);
  for (uint32_t s = 0; s < c->slot_count; s++) {
    const tier_slot *slot = &c->slots[s];
    if (slot->type != TIER_SLOT_DATA && slot->type != TIER_SLOT_DATA_LIST) {
      continue;
    }
    int64_t count = p->api->given(p, slot->name) ? p->api->count(p, slot->name) : 0;
    for (int64_t i = 0; i < count; i++) {
      tier_data *argument = p->api->data_at(p, slot->name, i);
      if (argument != NULL) {
        TIER_TRY(data_open(data_of(argument)));
      }
    }
  }
  return TIER_OK;
}

/* May `was`, as described before opening, be `is` afterwards? */
static int agrees(const struct data_field *was, const struct data_field *is) {
  int same = strcmp(was->name, is->name) == 0 && was->type == is->type && was->rank == is->rank &&
             was->height == is->height && was->width == is->width && was->channels == is->channels;
  for (int32_t i = 0; same && i < was->rank; i++) {
    same = was->dims[i] == is->dims[i];
  }
  return same && is->classes != TIER_CLASSES_UNKNOWN &&
         (was->classes == is->classes || was->classes == TIER_CLASSES_UNKNOWN);
}

/* Describes once more: unknown rows and classes are known now, all else is as before. */
static int32_t describe_again(struct data *d) {
  struct data_field *fields = d->fields;
  size_t count = d->field_count;
  int64_t rows = d->rows;
  d->fields = NULL;
  d->field_count = d->field_capacity = 0;
  int32_t status = describe(d);
  int same = status == TIER_OK && d->field_count == count && d->rows != TIER_ROWS_UNKNOWN &&
             (rows == TIER_ROWS_UNKNOWN ? d->rows >= 0 : d->rows == rows);
  for (size_t i = 0; same && i < count; i++) {
    same = agrees(&fields[i], &d->fields[i]);
  }
  free_fields(fields, count);
  if (status == TIER_OK && !same) {
    status = broken(d, "rows or fields changed when it was opened, or are still unknown", "");
  }
  return status;
}

int32_t data_open(struct data *d) {
  if (d->opened) {
    return TIER_OK;
  }
  if (d->source != NULL) {
    TIER_TRY(data_open(d->source));
  }
  TIER_TRY(open_arguments(d));
  if (d->api->open != NULL) {
    TIER_TRY(place(d, d->api->open(d->instance->object)));
  }
  TIER_TRY(describe_again(d));
  d->opened = 1;
  return TIER_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int32_t check_rows(const struct data *d, const int64_t *rows, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (rows[i] < 0 || (d->rows != TIER_ROWS_ENDLESS && rows[i] >= d->rows)) {
      return fail(TIER_E_INTERNAL, "data %s: row %lld was asked for; it has rows 0 to %lld",
                  d->name, (long long)rows[i], (long long)d->rows - 1);
    }
  }
  return TIER_OK;
}

/* values is (count, size): all of them must be finite. */
static int32_t check_reals(const struct data *d, const char *field, const int64_t *rows,
                           int64_t count, int64_t size, const double *values) {
  for (int64_t i = 0; i < count; i++) {
    double zero = 0; /* stays 0 unless a value is not finite: 0 * inf and 0 * NaN are NaN */
    for (int64_t j = 0; j < size; j++) {
      zero += 0 * values[i * size + j];
    }
    if (isnan(zero)) {
      return fail(TIER_E_DATA, "data %s: field %s, row %lld: NaN or infinity", d->name, field,
                  (long long)rows[i]);
    }
  }
  return TIER_OK;
}

static int32_t check_labels(const struct data *d, const struct data_field *field,
                            const int64_t *rows, int64_t count, const int32_t *labels) {
  for (int64_t i = 0; i < count; i++) {
    if (labels[i] < 0 || labels[i] >= field->classes) {
      return fail(TIER_E_DATA, "data %s: field %s, row %lld: label %d is not one of %lld classes",
                  d->name, field->name, (long long)rows[i], labels[i], (long long)field->classes);
    }
  }
  return TIER_OK;
}

int32_t data_read(struct data *d, const char *name, const int64_t *rows, int64_t count, void *out) {
  const struct data_field *field = data_find_field(d, name);
  if (field == NULL) {
    return no_field(d, name);
  }
  if (!d->opened) {
    return fail(TIER_E_INTERNAL, "data %s is read before it was opened", d->name);
  }
  TIER_TRY(check_rows(d, rows, count));
  TIER_TRY(place(d, d->api->read(d->instance->object, name, rows, count, out)));
  if (field->type == TIER_REAL) {
    return check_reals(d, name, rows, count, elements_of(field->dims, field->rank), out);
  }
  return field->classes > 0 ? check_labels(d, field, rows, count, out) : TIER_OK;
}

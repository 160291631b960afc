#include "harness.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

#define MOST 512

static struct registry *registry;
static struct data *made[MOST];
static size_t made_count;
static char *folder;
static char **paths; /* of files in it */
static size_t path_count;
static size_t path_capacity;

int harness_start(void **state) {
  (void)state;
  struct registry_options options = {.plugin_path = NULL, .probe = 0};
  char pattern[] = "/tmp/tier-test-XXXXXX";
  if (registry_open(&options, &registry) < 0 || mkdtemp(pattern) == NULL) {
    print_error("%s\n", error_text());
    return -1;
  }
  folder = memory_copy_text(pattern);
  return 0;
}

int harness_clean(void **state) {
  (void)state;
  while (made_count > 0) {
    data_free(made[--made_count]);
  }
  error_clear();
  return 0;
}

int harness_end(void **state) {
  (void)harness_clean(state);
  registry_close(registry);
  int32_t status = directory_remove(folder);
  free(folder);
  while (path_count > 0) {
    free(paths[--path_count]);
  }
  free(paths);
  return status;
}

struct params *data_args(const char *id, uint64_t stream) {
  const struct component *c = registry_find(registry, POSITION_DATA, id);
  if (c == NULL) {
    fail_test("no plugin has \"%s\": build all plugins first", id);
  }
  return params_new(c, stream);
}

void set_number(struct params *p, const char *slot, double value) {
  params_set_numbers(p, slot, &value, 1);
}

void set_text(struct params *p, const char *slot, const char *text) {
  params_set_texts(p, slot, &text, 1);
}

static int32_t make(struct params *p, struct data *source, struct data **out) {
  struct instance *i = NULL;
  *out = NULL;
  if (source != NULL) {
    params_set_source(p, &source->face);
  }
  TIER_TRY(instance_new(p, &i));
  TIER_TRY(data_new(i, "some", source, out));
  assert_true(made_count < MOST);
  made[made_count++] = *out;
  return TIER_OK;
}

struct data *describe_data(struct params *p, struct data *source) {
  struct data *d = NULL;
  assert_ok(make(p, source, &d));
  return d;
}

struct data *open_data(struct params *p, struct data *source) {
  struct data *d = describe_data(p, source);
  assert_ok(data_open(d));
  return d;
}

int32_t try_data(struct params *p, struct data *source) {
  struct data *d = NULL;
  TIER_TRY(make(p, source, &d));
  return data_open(d);
}

struct data *digits(int64_t rows, uint64_t stream) {
  struct params *p = data_args("digits", stream);
  set_number(p, "rows", (double)rows);
  return open_data(p, NULL);
}

struct data *one_number(const char *id, const char *slot, double value, struct data *source) {
  struct params *p = data_args(id, 4711);
  set_number(p, slot, value);
  return open_data(p, source);
}

int64_t row_size(const struct data_field *f) {
  int64_t n = 1;
  for (int32_t i = 0; i < f->rank; i++) {
    n *= f->dims[i];
  }
  return n;
}

static size_t row_bytes(const struct data_field *f) {
  return (size_t)row_size(f) * (f->type == TIER_REAL ? sizeof(double) : sizeof(int32_t));
}

double real_of(struct data *d, const char *field, int64_t row) {
  double value = 0;
  assert_int_equal(row_size(data_find_field(d, field)), 1);
  assert_ok(data_read(d, field, &row, 1, &value));
  return value;
}

int32_t integer_of(struct data *d, const char *field, int64_t row) {
  int32_t value = 0;
  assert_int_equal(row_size(data_find_field(d, field)), 1);
  assert_ok(data_read(d, field, &row, 1, &value));
  return value;
}

static void *all(struct data *d, const char *field, int32_t type) {
  const struct data_field *f = data_find_field(d, field);
  assert_non_null(f);
  assert_int_equal(f->type, type);
  int64_t *rows = memory_alloc((size_t)d->rows, sizeof *rows);
  void *values = memory_alloc((size_t)d->rows, row_bytes(f));
  for (int64_t i = 0; i < d->rows; i++) {
    rows[i] = i;
  }
  assert_ok(data_read(d, field, rows, d->rows, values));
  free(rows);
  return values;
}

int32_t *all_integers(struct data *d, const char *field) {
  return all(d, field, TIER_I32);
}

double *all_reals(struct data *d, const char *field) {
  return all(d, field, TIER_REAL);
}

void check_random_access(struct data *d, const char *field) {
  const struct data_field *f = data_find_field(d, field);
  assert_non_null(f);
  size_t bytes = row_bytes(f);
  int64_t odd[] = {d->rows - 1, 0, d->rows / 2, 0, d->rows / 3};
  char *values = all(d, field, f->type);
  char *some = memory_alloc(5, bytes);
  for (int64_t i = 0; i < d->rows; i++) {
    assert_ok(data_read(d, field, &i, 1, some));
    assert_memory_equal(some, values + (size_t)i * bytes, bytes);
  }
  assert_ok(data_read(d, field, odd, 5, some));
  for (size_t i = 0; i < 5; i++) {
    assert_memory_equal(some + i * bytes, values + (size_t)odd[i] * bytes, bytes);
  }
  free(some);
  free(values);
}

/* ---- files ----------------------------------------------------------------------------------- */

const char *temporary(const char *name) {
  char *path = path_join(folder, name);
  array_push(paths, path_count, path_capacity, path);
  return path;
}

void write_bytes(const char *path, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

char *read_bytes(const char *path, size_t *size) {
  char *bytes = NULL;
  assert_ok(file_read(path, 1u << 30, &bytes, size));
  return bytes;
}

char *real_data(const char *name) {
  const char *places[] = {getenv("TIER_DATA"), "../shared/data", PROJECT_ROOT "/../shared/data"};
  for (size_t i = 0; i < 3; i++) {
    char *path = places[i] == NULL ? NULL : path_join(places[i], name);
    if (path != NULL && file_exists(path)) {
      return path;
    }
    free(path);
  }
  return NULL;
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static const struct fake_array *find(const tier_arrays *a, const char *slot) {
  const struct fake_arrays *f = (const struct fake_arrays *)(const void *)a;
  for (size_t i = 0; i < f->count; i++) {
    if (strcmp(f->items[i].slot, slot) == 0) {
      return &f->items[i];
    }
  }
  return NULL;
}

static int32_t shape(const tier_arrays *a, const char *slot, int64_t *dims) {
  const struct fake_array *f = find(a, slot);
  for (int32_t i = 0; f != NULL && i < f->rank; i++) {
    dims[i] = f->dims[i];
  }
  return f == NULL ? -1 : f->rank;
}

static int32_t has_rows(const tier_arrays *a, const char *slot) {
  const struct fake_array *f = find(a, slot);
  return f != NULL && f->rank > 0;
}

static int32_t type(const tier_arrays *a, const char *slot) {
  const struct fake_array *f = find(a, slot);
  return f == NULL ? 0 : f->type;
}

static const double *reals(const tier_arrays *a, const char *slot) {
  const struct fake_array *f = find(a, slot);
  return f != NULL && f->type == TIER_REAL ? f->values : NULL;
}

static const int32_t *integers(const tier_arrays *a, const char *slot) {
  const struct fake_array *f = find(a, slot);
  return f != NULL && f->type == TIER_I32 ? f->values : NULL;
}

struct fake_arrays arrays_of(const struct fake_array *items, size_t count) {
  static const tier_arrays_1 table = {.struct_size = (uint32_t)sizeof(tier_arrays_1),
                                      .shape = shape,
                                      .has_rows = has_rows,
                                      .type = type,
                                      .reals = reals,
                                      .integers = integers};
  return (struct fake_arrays){{&table}, items, count};
}

struct params *measure_args(enum position position, const char *id) {
  const struct component *c = registry_find(registry, position, id);
  assert_non_null(c);
  struct params *p = params_new(c, 0);
  for (uint32_t s = 0; s < c->c.slot_count; s++) {
    if (c->c.slots[s].type == TIER_SLOT_EXPRESSION) {
      params_set_given(p, c->c.slots[s].name);
    }
  }
  return p;
}

struct instance *new_instance(enum position position, const char *id, const char *const *header,
                              size_t header_count) {
  struct params *p = measure_args(position, id);
  struct instance *i = NULL;
  if (header != NULL) {
    params_set_texts(p, "header", header, header_count);
  }
  assert_ok(instance_new(p, &i));
  return i;
}

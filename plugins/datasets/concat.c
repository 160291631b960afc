/* concat: the rows of several data, one after the other.
 *
 * Fields: those that all have, with equal type and shape, in the order of the first. Classes of a
 * label: the most of any. It wraps nothing (its data stand in a slot), so it is a dataset. */
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>

struct concat {
  const tier_host *host;
  tier_data **parts; /* (count) */
  int64_t count;
};

struct field {
  int64_t dims[TIER_MAX_RANK];
  int64_t classes;
  int64_t size[3]; /* of the picture */
  int32_t type;
  int32_t rank;
  int32_t image;
};

static int32_t look(tier_data *d, const char *name, struct field *f) {
  TIER_TRY(d->api->field(d, name, &f->type, f->dims, &f->rank, &f->classes));
  f->image = d->api->image(d, name, &f->size[0], &f->size[1], &f->size[2]);
  return TIER_OK;
}

static int same_shape(const struct field *a, const struct field *b) {
  return a->type == b->type && a->rank == b->rank &&
         (a->classes == TIER_CLASSES_NONE) == (b->classes == TIER_CLASSES_NONE) &&
         memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

/* Adds what `b` says to `a`: more classes, or no common picture size. */
static void merge(struct field *a, const struct field *b) {
  int unknown = a->classes == TIER_CLASSES_UNKNOWN || b->classes == TIER_CLASSES_UNKNOWN;
  a->classes = unknown ? TIER_CLASSES_UNKNOWN : a->classes > b->classes ? a->classes : b->classes;
  a->image = a->image && b->image && memcmp(a->size, b->size, sizeof a->size) == 0;
}

/* 1 and the field, if all parts have it alike; else 0. */
static int32_t common_field(const struct concat *c, const char *name, struct field *f) {
  TIER_TRY(look(c->parts[0], name, f));
  for (int64_t i = 1; i < c->count; i++) {
    tier_data *part = c->parts[i];
    struct field other = {.rank = 0};
    if (!part->api->has_field(part, name)) {
      return 0;
    }
    TIER_TRY(look(part, name, &other));
    if (!same_shape(f, &other)) {
      return 0;
    }
    merge(f, &other);
  }
  return 1;
}

static int32_t declare_common(const struct concat *c, tier_fields *to) {
  tier_data *first = c->parts[0];
  int64_t count = first->api->field_count(first);
  int64_t declared = 0;
  for (int64_t i = 0; i < count; i++) {
    const char *name = first->api->field_name(first, i);
    struct field f = {.rank = 0};
    int32_t common = common_field(c, name, &f);
    TIER_TRY(common);
    if (common == 0) {
      continue;
    }
    TIER_TRY(to->api->field(to, name, f.type, f.dims, f.rank, f.classes));
    if (f.image) {
      TIER_TRY(to->api->image(to, name, f.size[0], f.size[1], f.size[2]));
    }
    declared++;
  }
  return declared > 0 ? TIER_OK
                      : tier_failf(c->host, TIER_E_INVALID,
                                   "the data to join have no field in common (same name, type and "
                                   "shape)");
}

static int32_t total_rows(const struct concat *c, int64_t *total) {
  int unknown = 0;
  *total = 0;
  for (int64_t i = 0; i < c->count; i++) {
    tier_data *part = c->parts[i];
    int64_t rows = part->api->rows(part);
    if (rows == TIER_ROWS_ENDLESS) {
      return tier_failf(c->host, TIER_E_INVALID,
                        "\"%s\" has no end, so nothing can come after it; put { \"take\": ROWS } "
                        "on it",
                        part->api->name(part));
    }
    unknown |= rows == TIER_ROWS_UNKNOWN;
    *total += rows;
  }
  *total = unknown ? TIER_ROWS_UNKNOWN : *total;
  return TIER_OK;
}

static int32_t describe(void *self, tier_fields *f) {
  struct concat *c = self;
  int64_t total = 0;
  TIER_TRY(total_rows(c, &total));
  TIER_TRY(f->api->rows(f, total));
  return declare_common(c, f);
}

/* The part in which row `row` lies, and its index there. */
static int64_t part_of(const struct concat *c, int64_t row, int64_t *inside) {
  int64_t i = 0;
  for (; i + 1 < c->count && row >= c->parts[i]->api->rows(c->parts[i]); i++) {
    row -= c->parts[i]->api->rows(c->parts[i]);
  }
  *inside = row;
  return i;
}

static size_t row_bytes(tier_data *d, const char *field) {
  struct field f = {.rank = 0};
  (void)look(d, field, &f);
  size_t bytes = f.type == TIER_REAL ? sizeof(double) : sizeof(int32_t);
  for (int32_t i = 0; i < f.rank; i++) {
    bytes *= (size_t)f.dims[i];
  }
  return bytes;
}

/* Reads runs of rows that lie in one part at once; `inside` (count) is scratch. */
static int32_t read_runs(struct concat *c, const char *field, const int64_t *rows, int64_t count,
                         int64_t *inside, char *out) {
  size_t bytes = row_bytes(c->parts[0], field);
  int64_t begin = 0;
  while (begin < count) {
    int64_t part = part_of(c, rows[begin], &inside[begin]);
    int64_t end = begin + 1;
    while (end < count && part_of(c, rows[end], &inside[end]) == part) {
      end++;
    }
    tier_data *d = c->parts[part];
    TIER_TRY(d->api->read(d, field, inside + begin, end - begin, out + (size_t)begin * bytes));
    begin = end;
  }
  return TIER_OK;
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct concat *c = self;
  int64_t *inside = malloc((size_t)(count > 0 ? count : 1) * sizeof *inside);
  if (inside == NULL) {
    return tier_failf(c->host, TIER_E_MEMORY, "no memory for %lld row numbers", (long long)count);
  }
  int32_t status = read_runs(c, field, rows, count, inside, out);
  free(inside);
  return status;
}

static void destroy(void *self) {
  struct concat *c = self;
  free(c->parts);
  free(c);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct concat *c = calloc(1, sizeof *c);
  int64_t count = p->api->count(p, "of");
  if (c == NULL || (c->parts = calloc((size_t)count + 1, sizeof *c->parts)) == NULL) {
    free(c);
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  c->host = host;
  c->count = count;
  for (int64_t i = 0; i < count; i++) {
    c->parts[i] = p->api->data_at(p, "of", i);
  }
  if (count == 0) {
    destroy(c);
    return tier_failf(host, TIER_E_INVALID, "slot \"of\" is empty: name the data to join");
  }
  *object = c;
  return TIER_OK;
}

static const tier_dataset_1 dataset = {
    .struct_size = (uint32_t)sizeof(tier_dataset_1),
    .describe = describe,
    .read = read_rows,
};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.dataset/1") == 0 ? &dataset : NULL;
}

static const tier_slot slots[] = {
    {.name = "of",
     .doc = "the data to join, in this order",
     .unit = "",
     .type = TIER_SLOT_DATA_LIST,
     .flags = TIER_SLOT_REQUIRED},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "dataset",
     .id = "concat",
     .summary = "The rows of several data, one after the other.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get},
};

TIER_PLUGIN("datasets-concat", "1.0", "MIT", components);

/* skip: all rows but the first `count`. */
#include <string.h>

#include "rows.h"

struct skip {
  const tier_host *host;
  tier_data *source;
  int64_t count;
};

/* The number of rows that are left. */
static int32_t rows_left(const struct skip *s, int64_t *left) {
  int64_t rows = s->source->api->rows(s->source);
  *left = rows;
  if (rows >= 0) {
    if (s->count > rows) {
      return tier_failf(s->host, TIER_E_INVALID,
                        "cannot skip %lld rows of the %lld that there are; write at most %lld",
                        (long long)s->count, (long long)rows, (long long)rows);
    }
    *left = rows - s->count;
  }
  return TIER_OK;
}

static int32_t describe(void *self, tier_fields *f) {
  struct skip *s = self;
  int64_t left = 0;
  TIER_TRY(rows_left(s, &left));
  TIER_TRY(f->api->rows(f, left));
  return tier_declare_fields_of(s->source, f);
}

static int64_t shifted(const void *self, int64_t row) {
  const struct skip *s = self;
  return row + s->count;
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct skip *s = self;
  return rows_read(s->host, s->source, shifted, s, field, rows, count, out);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct skip *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->host = host;
  s->source = p->api->source(p);
  s->count = tier_integer(p, "count");
  *object = s;
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
    {.name = "count",
     .doc = "how many rows to leave out, from the first on",
     .unit = "rows",
     .type = TIER_SLOT_INTEGER,
     .flags = TIER_SLOT_REQUIRED,
     .minimum = 0,
     .maximum = 9007199254740992.0},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "transform",
     .id = "skip",
     .summary = "All rows of a data but the first ones.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("transforms-skip", "1.0", "MIT", components);

/* take: the first `count` rows; it makes endless data finite. */
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>

struct take {
  const tier_host *host;
  tier_data *source;
  int64_t count;
};

static int32_t check(const struct take *t) {
  int64_t rows = t->source->api->rows(t->source);
  if (rows >= 0 && t->count > rows) {
    return tier_failf(t->host, TIER_E_INVALID,
                      "cannot take %lld rows of the %lld that there are; write at most %lld",
                      (long long)t->count, (long long)rows, (long long)rows);
  }
  return TIER_OK;
}

static int32_t describe(void *self, tier_fields *f) {
  struct take *t = self;
  TIER_TRY(check(t));
  TIER_TRY(f->api->rows(f, t->count));
  return tier_declare_fields_of(t->source, f);
}

static int32_t open_rows(void *self) {
  return check(self);
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct take *t = self;
  return t->source->api->read(t->source, field, rows, count, out);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct take *t = calloc(1, sizeof *t);
  if (t == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  t->host = host;
  t->source = p->api->source(p);
  t->count = tier_integer(p, "count");
  *object = t;
  return TIER_OK;
}

static const tier_dataset_1 dataset = {
    .struct_size = (uint32_t)sizeof(tier_dataset_1),
    .describe = describe,
    .open = open_rows,
    .read = read_rows,
};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.dataset/1") == 0 ? &dataset : NULL;
}

static const tier_slot slots[] = {
    {.name = "count",
     .doc = "how many rows to keep, from the first on",
     .unit = "rows",
     .type = TIER_SLOT_INTEGER,
     .flags = TIER_SLOT_REQUIRED,
     .minimum = 1,
     .maximum = 9007199254740992.0},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "transform",
     .id = "take",
     .summary = "The first rows of a data.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("transforms-take", "1.0", "MIT", components);

/* shuffle: all rows, in an order drawn at random once per run. */
#include <string.h>
#include <tier/random.h>

#include "rows.h"

struct shuffle {
  const tier_host *host;
  tier_data *source;
  uint64_t stream;
  int64_t *order; /* (rows), a permutation; drawn by open */
};

static int32_t describe(void *self, tier_fields *f) {
  struct shuffle *s = self;
  TIER_TRY(rows_must_end(s->host, s->source, "shuffled"));
  TIER_TRY(f->api->rows(f, s->source->api->rows(s->source)));
  return tier_declare_fields_of(s->source, f);
}

static int32_t open_rows(void *self) {
  struct shuffle *s = self;
  const tier_random_1 *random = s->host->get(s->host, "tier.random/1");
  int64_t rows = s->source->api->rows(s->source);
  if (random == NULL) {
    return tier_failf(s->host, TIER_E_PLUGIN, "this host has no tier.random/1");
  }
  TIER_TRY(rows_allocate(s->host, rows, &s->order));
  random->permutation(s->stream, 0, rows, s->order);
  return TIER_OK;
}

static int64_t shuffled(const void *self, int64_t row) {
  const struct shuffle *s = self;
  return s->order[row];
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct shuffle *s = self;
  return rows_read(s->host, s->source, shuffled, s, field, rows, count, out);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct shuffle *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->host = host;
  s->source = p->api->source(p);
  s->stream = p->api->stream(p);
  *object = s;
  return TIER_OK;
}

static void destroy(void *self) {
  struct shuffle *s = self;
  free(s->order);
  free(s);
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

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "transform",
     .id = "shuffle",
     .summary = "All rows of a data, in random order.",
     .slot_size = (uint32_t)sizeof(tier_slot),
     .create = create,
     .destroy = destroy,
     .get = get},
};

TIER_PLUGIN("transforms-shuffle", "1.0", "MIT", components);

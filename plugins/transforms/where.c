/* where: the rows whose field is not zero, in their order. How many is known after `open`. */
#include <string.h>
#include <tier/graph.h>

#include "rows.h"

#define ROWS_AT_ONCE 512

struct where {
  const tier_host *host;
  tier_data *source;
  const char *field;
  int64_t *kept; /* (count) rows of the source */
  int64_t count; /* TIER_ROWS_UNKNOWN before open */
};

static int32_t describe(void *self, tier_fields *f) {
  struct where *w = self;
  int32_t rank = 0;
  TIER_TRY(rows_must_end(w->host, w->source, "filtered"));
  TIER_TRY(w->source->api->field(w->source, w->field, NULL, NULL, &rank, NULL));
  if (rank != 0) {
    return tier_failf(w->host, TIER_E_INVALID,
                      "field \"%s\" has more than one number a row; a filter needs one", w->field);
  }
  TIER_TRY(f->api->rows(f, w->count));
  return tier_declare_fields_of(w->source, f);
}

union values {
  double reals[ROWS_AT_ONCE];
  int32_t integers[ROWS_AT_ONCE];
};

/* Looks at rows [first, first + count) of the source, count <= ROWS_AT_ONCE. */
static int32_t filter(struct where *w, int32_t type, int64_t first, int64_t count) {
  int64_t rows[ROWS_AT_ONCE];
  union values values;
  for (int64_t i = 0; i < count; i++) {
    rows[i] = first + i;
  }
  TIER_TRY(w->source->api->read(w->source, w->field, rows, count, &values));
  for (int64_t i = 0; i < count; i++) {
    if (type == TIER_REAL ? values.reals[i] != 0 : values.integers[i] != 0) {
      w->kept[w->count++] = first + i;
    }
  }
  return TIER_OK;
}

static int32_t open_rows(void *self) {
  struct where *w = self;
  int64_t rows = w->source->api->rows(w->source);
  int32_t type = 0;
  TIER_TRY(w->source->api->field(w->source, w->field, &type, NULL, NULL, NULL));
  TIER_TRY(rows_allocate(w->host, rows, &w->kept));
  w->count = 0;
  for (int64_t first = 0; first < rows; first += ROWS_AT_ONCE) {
    int64_t left = rows - first;
    TIER_TRY(filter(w, type, first, left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE));
  }
  return TIER_OK;
}

static int64_t kept(const void *self, int64_t row) {
  const struct where *w = self;
  return w->kept[row];
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct where *w = self;
  return rows_read(w->host, w->source, kept, w, field, rows, count, out);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct where *w = calloc(1, sizeof *w);
  if (w == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  w->host = host;
  w->source = p->api->source(p);
  w->field = tier_text(p, "field");
  w->count = TIER_ROWS_UNKNOWN;
  *object = w;
  return TIER_OK;
}

static void destroy(void *self) {
  struct where *w = self;
  free(w->kept);
  free(w);
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
    {.name = "field",
     .doc = "the field that says which rows to keep: those where it is not zero",
     .unit = "",
     .type = TIER_SLOT_TEXT,
     .flags = TIER_SLOT_REQUIRED | TIER_SLOT_FIELD},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "transform",
     .id = "where",
     .summary = "The rows of a data where a field is not zero.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get},
};

TIER_PLUGIN("transforms-where", "1.0", "MIT", components);

/* scale: field -> factor * field + add, element by element. */
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>

struct scale {
  const tier_host *host;
  tier_data *source;
  const char *field;
  double factor;
  double add;
};

static int32_t describe(void *self, tier_fields *f) {
  struct scale *s = self;
  int32_t type = 0;
  TIER_TRY(s->source->api->field(s->source, s->field, &type, NULL, NULL, NULL));
  if (type != TIER_REAL) {
    return tier_failf(s->host, TIER_E_INVALID,
                      "field \"%s\" holds integers; only real fields can be scaled", s->field);
  }
  TIER_TRY(f->api->rows(f, s->source->api->rows(s->source)));
  return tier_declare_fields_of(s->source, f);
}

/* Number of elements of one row of the scaled field. */
static int64_t row_size(const struct scale *s) {
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = 0;
  int64_t size = 1;
  (void)s->source->api->field(s->source, s->field, NULL, dims, &rank, NULL);
  for (int32_t i = 0; i < rank; i++) {
    size *= dims[i];
  }
  return size;
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct scale *s = self;
  TIER_TRY(s->source->api->read(s->source, field, rows, count, out));
  if (strcmp(field, s->field) == 0) {
    double *values = out;
    int64_t n = count * row_size(s);
    for (int64_t i = 0; i < n; i++) {
      values[i] = s->factor * values[i] + s->add;
    }
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct scale *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->host = host;
  s->source = p->api->source(p);
  s->field = tier_text(p, "field");
  s->factor = tier_number(p, "factor");
  s->add = tier_number(p, "add");
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
    {.name = "factor",
     .doc = "what each element is multiplied by",
     .fallback = "1",
     .unit = "",
     .type = TIER_SLOT_NUMBER},
    {.name = "add",
     .doc = "what is added after that",
     .fallback = "0",
     .unit = "",
     .type = TIER_SLOT_NUMBER},
    {.name = "field",
     .doc = "the field to scale, a real one",
     .fallback = "\"x\"",
     .unit = "",
     .type = TIER_SLOT_TEXT,
     .flags = TIER_SLOT_FIELD},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "transform",
     .id = "scale",
     .summary = "Multiplies a field by a factor and adds a number.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("transforms-scale", "1.0", "MIT", components);

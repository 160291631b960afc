/* gaussian: rows of independent standard normal numbers, without end (noise for generators).
 *
 * Row i depends on the stream and i only. */
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>
#include <tier/random.h>

#include "../host_interface.h"

struct gaussian {
  const tier_random_1 *random;
  int64_t size;
  double mean, deviation;
  uint64_t stream;
};

static int32_t describe(void *self, tier_fields *f) {
  const struct gaussian *g = self;
  TIER_TRY(f->api->rows(f, TIER_ROWS_ENDLESS));
  return f->api->field(f, "x", TIER_REAL, &g->size, 1, TIER_CLASSES_NONE);
}

/* x (count, size). */
static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  const struct gaussian *g = self;
  double *x = out;
  (void)field;
  for (int64_t i = 0; i < count; i++) {
    g->random->normal(g->stream, (uint64_t)rows[i], 0, g->size, x + i * g->size);
  }
  for (int64_t i = 0; i < count * g->size; i++) {
    x[i] = g->mean + g->deviation * x[i];
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  const tier_random_1 *random = host_interface(host, "tier.random/1");
  if (random == NULL) {
    return TIER_E_PLUGIN;
  }
  struct gaussian *g = calloc(1, sizeof *g);
  if (g == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  g->random = random;
  g->size = tier_integer(params, "size");
  g->mean = tier_number(params, "mean");
  g->deviation = tier_number(params, "deviation");
  g->stream = params->api->stream(params);
  *object = g;
  return TIER_OK;
}

static const tier_dataset_1 dataset = {
    .struct_size = (uint32_t)sizeof(tier_dataset_1), .describe = describe, .read = read_rows};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.dataset/1") == 0 ? &dataset : NULL;
}

static const tier_slot slots[] = {{.name = "size",
                                   .doc = "numbers in x",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .flags = TIER_SLOT_REQUIRED,
                                   .minimum = 1,
                                   .maximum = 1e6},
                                  {.name = "mean",
                                   .doc = "mean of each number",
                                   .fallback = "0",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .minimum = -1e300,
                                   .maximum = 1e300},
                                  {.name = "deviation",
                                   .doc = "standard deviation of each number",
                                   .fallback = "1",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .minimum = 0,
                                   .maximum = 1e300}};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "dataset",
     .id = "gaussian",
     .summary = "Rows of independent normal numbers x, without end.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("datasets-gaussian", "1.0", "MIT", components);

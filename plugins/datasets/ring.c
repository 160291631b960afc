/* ring: a mixture of normal distributions in the plane whose means stand evenly on a circle,
 * without end; the first mean is at (radius, 0).
 *
 * Row i depends on the stream and i only; `mode` says which distribution it came from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>
#include <tier/random.h>

#include "../host_interface.h"

#define PI 3.14159265358979323846

struct ring {
  const tier_random_1 *random;
  int64_t modes;
  double radius, deviation;
  uint64_t modes_stream, noise_stream;
};

static int32_t describe(void *self, tier_fields *f) {
  const struct ring *r = self;
  const int64_t plane = 2;
  TIER_TRY(f->api->rows(f, TIER_ROWS_ENDLESS));
  TIER_TRY(f->api->field(f, "x", TIER_REAL, &plane, 1, TIER_CLASSES_NONE));
  return f->api->field(f, "mode", TIER_I32, NULL, 0, r->modes);
}

static int64_t mode_of(const struct ring *r, int64_t row) {
  double uniform = 0.0;
  r->random->uniform(r->modes_stream, (uint64_t)row, 0, 1, &uniform);
  int64_t mode = (int64_t)(uniform * (double)r->modes);
  return mode < r->modes ? mode : r->modes - 1;
}

/* x (2). */
static void point(const struct ring *r, int64_t row, double *x) {
  double angle = 2.0 * PI * (double)mode_of(r, row) / (double)r->modes;
  r->random->normal(r->noise_stream, (uint64_t)row, 0, 2, x);
  x[0] = r->radius * cos(angle) + r->deviation * x[0];
  x[1] = r->radius * sin(angle) + r->deviation * x[1];
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  const struct ring *r = self;
  int wants_points = strcmp(field, "x") == 0;
  for (int64_t i = 0; i < count; i++) {
    if (wants_points) {
      point(r, rows[i], (double *)out + 2 * i);
    } else {
      ((int32_t *)out)[i] = (int32_t)mode_of(r, rows[i]);
    }
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  const tier_random_1 *random = host_interface(host, "tier.random/1");
  if (random == NULL) {
    return TIER_E_PLUGIN;
  }
  struct ring *r = calloc(1, sizeof *r);
  if (r == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  uint64_t stream = params->api->stream(params);
  r->random = random;
  r->modes = tier_integer(params, "modes");
  r->radius = tier_number(params, "radius");
  r->deviation = tier_number(params, "deviation");
  r->modes_stream = random->derive(stream, "mode");
  r->noise_stream = random->derive(stream, "noise");
  *object = r;
  return TIER_OK;
}

static const tier_dataset_1 dataset = {
    .struct_size = (uint32_t)sizeof(tier_dataset_1), .describe = describe, .read = read_rows};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.dataset/1") == 0 ? &dataset : NULL;
}

static const tier_slot slots[] = {{.name = "modes",
                                   .doc = "how many distributions stand on the circle",
                                   .fallback = "8",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1e6},
                                  {.name = "radius",
                                   .doc = "of the circle",
                                   .fallback = "2",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .minimum = 0,
                                   .maximum = 1e300},
                                  {.name = "deviation",
                                   .doc = "standard deviation of each, in both directions",
                                   .fallback = "0.1",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .minimum = 0,
                                   .maximum = 1e300}};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "dataset",
     .id = "ring",
     .summary = "Points x in the plane, from normal distributions on a circle, without end.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("datasets-ring", "1.0", "MIT", components);

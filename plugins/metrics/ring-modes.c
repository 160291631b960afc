/* ring-modes: how samples in the plane cover the modes of the dataset `ring`. A sample belongs to
 * the nearest mode if it lies within a given distance of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/graph.h>
#include <tier/metric.h>

#define PI 3.14159265358979323846

struct ring_modes {
  const tier_host *host;
  int64_t modes;
  double radius, within, share;
  const char *statistic;
};

/* counts (modes) <- the samples x (n, 2) of each mode; returns how many belong to any. */
static int64_t count(const struct ring_modes *m, const double *x, int64_t n, int64_t *counts) {
  int64_t good = 0;
  for (int64_t i = 0; i < n; i++) {
    double step = 2.0 * PI / (double)m->modes;
    double angle = step * nearbyint(atan2(x[2 * i + 1], x[2 * i]) / step);
    double distance =
        hypot(x[2 * i] - m->radius * cos(angle), x[2 * i + 1] - m->radius * sin(angle));
    int64_t mode = (int64_t)nearbyint(angle / step);
    if (distance <= m->within) {
      counts[(mode % m->modes + m->modes) % m->modes]++;
      good++;
    }
  }
  return good;
}

static double statistic_of(const struct ring_modes *m, const int64_t *counts, int64_t good,
                           int64_t n) {
  int64_t hit = 0;
  int64_t least = n;
  for (int64_t k = 0; k < m->modes; k++) {
    hit += counts[k] > 0 && (double)counts[k] >= m->share * (double)n;
    least = counts[k] < least ? counts[k] : least;
  }
  return strcmp(m->statistic, "modes") == 0     ? (double)hit
         : strcmp(m->statistic, "quality") == 0 ? (double)good / (double)n
                                                : (double)least / (double)n;
}

static int32_t compute(void *self, const tier_arrays *a, double *value) {
  const struct ring_modes *m = self;
  int64_t dims[TIER_MAX_RANK] = {0};
  int32_t rank = a->api->shape(a, "of", dims);
  const double *x = a->api->reals(a, "of");
  if (x == NULL || rank != 2 || dims[1] != 2 || dims[0] == 0) {
    return tier_failf(m->host, TIER_E_INVALID, "of must be points of the plane, rows of 2 numbers");
  }
  for (int64_t i = 0; i < 2 * dims[0]; i++) {
    if (!isfinite(x[i])) {
      return tier_failf(m->host, TIER_E_NONFINITE, "row %lld is not finite", (long long)(i / 2));
    }
  }
  int64_t *counts = calloc((size_t)m->modes, sizeof *counts);
  if (counts == NULL) {
    return tier_failf(m->host, TIER_E_MEMORY, "no memory for %lld counts", (long long)m->modes);
  }
  int64_t good = count(m, x, dims[0], counts);
  *value = statistic_of(m, counts, good, dims[0]);
  free(counts);
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct ring_modes *m = calloc(1, sizeof *m);
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  m->host = host;
  m->modes = tier_integer(p, "modes");
  m->radius = tier_number(p, "radius");
  m->within = tier_number(p, "within");
  m->share = tier_number(p, "share");
  m->statistic = tier_text(p, "statistic");
  *object = m;
  return TIER_OK;
}

static const tier_metric_1 metric = {.struct_size = (uint32_t)sizeof(tier_metric_1),
                                     .compute = compute};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.metric/1") == 0 ? &metric : NULL;
}

static const tier_slot slots[] = {
    {.name = "of",
     .doc = "samples (n, 2)",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "modes",
     .doc = "how many modes the ring has",
     .fallback = "8",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e6},
    {.name = "radius",
     .doc = "of the ring",
     .fallback = "2",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "within",
     .doc = "the distance from a mode up to which a sample is its own",
     .fallback = "0.4",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "share",
     .doc = "the share of all samples that a mode needs to count",
     .fallback = "0.01",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 0,
     .maximum = 1},
    {.name = "statistic",
     .doc = "modes: how many count; quality: share of the samples that "
            "belong to a mode; least: share of the rarest mode",
     .fallback = "\"modes\"",
     .unit = "",
     .choices = "modes|quality|least",
     .type = TIER_SLOT_TEXT}};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "metric",
     .id = "ring-modes",
     .summary = "How many modes of a ring the samples cover.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("metrics-ring-modes", "1.0", "MIT", components);

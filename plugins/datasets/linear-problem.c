/* linear-problem: y = x w + noise * e, with x, e and the true w drawn from N(0, 1).
 *
 * w (features, outputs) is divided by sqrt(features), so y has variance near 1 + noise^2. Row i
 * depends on the stream and i only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>
#include <tier/random.h>

struct problem {
  const tier_host *host;
  const tier_random_1 *random;
  int64_t rows;
  int64_t features;
  int64_t outputs;
  double noise;
  uint64_t x_stream;
  uint64_t noise_stream;
  double *w; /* (features, outputs) */
};

static int32_t describe(void *self, tier_fields *f) {
  struct problem *p = self;
  int32_t target_rank = p->outputs == 1 ? 0 : 1;
  TIER_TRY(f->api->rows(f, p->rows));
  TIER_TRY(f->api->field(f, "x", TIER_REAL, &p->features, 1, TIER_CLASSES_NONE));
  return f->api->field(f, "y", TIER_REAL, &p->outputs, target_rank, TIER_CLASSES_NONE);
}

/* x (features) of one row. */
static void row_x(const struct problem *p, int64_t row, double *x) {
  p->random->normal(p->x_stream, (uint64_t)row, 0, p->features, x);
}

/* y (outputs) of one row; x (features) is scratch. */
static void row_y(const struct problem *p, int64_t row, double *x, double *y) {
  row_x(p, row, x);
  p->random->normal(p->noise_stream, (uint64_t)row, 0, p->outputs, y);
  for (int64_t k = 0; k < p->outputs; k++) {
    double sum = 0;
    for (int64_t j = 0; j < p->features; j++) {
      sum += x[j] * p->w[j * p->outputs + k];
    }
    y[k] = sum + p->noise * y[k];
  }
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct problem *p = self;
  double *values = out;
  if (strcmp(field, "x") == 0) {
    for (int64_t i = 0; i < count; i++) {
      row_x(p, rows[i], values + i * p->features);
    }
    return TIER_OK;
  }
  double *x = malloc((size_t)p->features * sizeof *x);
  if (x == NULL) {
    return tier_failf(p->host, TIER_E_MEMORY, "no memory for a row");
  }
  for (int64_t i = 0; i < count; i++) {
    row_y(p, rows[i], x, values + i * p->outputs);
  }
  free(x);
  return TIER_OK;
}

static void destroy(void *self) {
  struct problem *p = self;
  free(p->w);
  free(p);
}

static int32_t draw_weights(struct problem *p, uint64_t stream) {
  int64_t n = p->features * p->outputs;
  p->w = malloc((size_t)n * sizeof *p->w);
  if (p->w == NULL) {
    return tier_failf(p->host, TIER_E_MEMORY, "no memory for %lld weights", (long long)n);
  }
  p->random->normal(stream, 0, 0, n, p->w);
  for (int64_t i = 0; i < n; i++) {
    p->w[i] /= sqrt((double)p->features);
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  const tier_random_1 *random = host->get(host, "tier.random/1");
  if (random == NULL) {
    return tier_failf(host, TIER_E_PLUGIN, "this host has no tier.random/1");
  }
  struct problem *p = calloc(1, sizeof *p);
  if (p == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  uint64_t stream = params->api->stream(params);
  p->host = host;
  p->random = random;
  p->rows = tier_integer(params, "rows");
  p->features = tier_integer(params, "features");
  p->outputs = tier_integer(params, "outputs");
  p->noise = tier_number(params, "noise");
  p->x_stream = random->derive(stream, "x");
  p->noise_stream = random->derive(stream, "noise");
  int32_t status = draw_weights(p, random->derive(stream, "weights"));
  if (status < 0) {
    destroy(p);
    return status;
  }
  *object = p;
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
    {.name = "rows",
     .doc = "number of rows",
     .fallback = "1000",
     .unit = "rows",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 9007199254740992.0},
    {.name = "features",
     .doc = "numbers in x",
     .fallback = "10",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e6},
    {.name = "noise",
     .doc = "standard deviation of the noise in y",
     .fallback = "0.1",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 0,
     .maximum = 1e6},
    {.name = "outputs",
     .doc = "numbers in y; with 1, y is one number a row",
     .fallback = "1",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1000},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "dataset",
     .id = "linear-problem",
     .summary = "A random linear regression: y = x w + noise.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get},
};

TIER_PLUGIN("datasets-linear-problem", "1.0", "MIT", components);

/* accuracy: the fraction of rows whose largest logit is the label's.
 *
 * A tie goes to the first class. With one column (or one number a row) class 1 is predicted where
 * the logit is above 0. Without rows it is 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/graph.h>
#include <tier/metric.h>

struct accuracy {
  const tier_host *host;
};

/* Number of elements in `dims` (rank). */
static int64_t product(const int64_t *dims, int32_t rank) {
  int64_t n = 1;
  for (int32_t i = 0; i < rank; i++) {
    n *= dims[i];
  }
  return n;
}

/* The class that the logits (columns) of one row predict. */
static int64_t predicted(const double *logits, int64_t columns) {
  int64_t best = 0;
  if (columns == 1) {
    return logits[0] > 0;
  }
  for (int64_t j = 1; j < columns; j++) {
    best = logits[j] > logits[best] ? j : best;
  }
  return best;
}

static int32_t check(const struct accuracy *m, const tier_arrays *a, int64_t *rows,
                     int64_t *columns) {
  int64_t dims[TIER_MAX_RANK] = {0};
  int64_t label_dims[TIER_MAX_RANK] = {0};
  int32_t rank = a->api->shape(a, "logits", dims);
  int32_t label_rank = a->api->shape(a, "labels", label_dims);
  if (rank < 1 || rank > 2 || a->api->reals(a, "logits") == NULL) {
    return tier_failf(m->host, TIER_E_INVALID,
                      "logits must be real, one row of numbers for each row");
  }
  *rows = dims[0];
  *columns = rank == 2 ? dims[1] : 1;
  if (label_rank < 1 || product(label_dims, label_rank) != *rows ||
      a->api->integers(a, "labels") == NULL) {
    return tier_failf(m->host, TIER_E_INVALID,
                      "labels must be integers, one for each of the %lld rows of logits",
                      (long long)*rows);
  }
  return TIER_OK;
}

static int32_t compute(void *self, const tier_arrays *a, double *value) {
  struct accuracy *m = self;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t right = 0;
  TIER_TRY(check(m, a, &rows, &columns));
  const double *logits = a->api->reals(a, "logits");
  const int32_t *labels = a->api->integers(a, "labels");
  for (int64_t i = 0; i < rows; i++) {
    const double *row = logits + i * columns;
    for (int64_t j = 0; j < columns; j++) {
      if (isnan(row[j])) {
        return tier_failf(m->host, TIER_E_NONFINITE, "logit %lld of row %lld is NaN", (long long)j,
                          (long long)i);
      }
    }
    right += predicted(row, columns) == labels[i];
  }
  *value = rows > 0 ? (double)right / (double)rows : 0;
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct accuracy *m = calloc(1, sizeof *m);
  (void)p;
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  m->host = host;
  *object = m;
  return TIER_OK;
}

static const tier_metric_1 metric = {
    .struct_size = (uint32_t)sizeof(tier_metric_1),
    .compute = compute,
};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.metric/1") == 0 ? &metric : NULL;
}

static const tier_slot slots[] = {
    {.name = "logits",
     .doc = "one number for each class, or one number: above 0 is class 1",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "labels",
     .doc = "the right classes",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED | TIER_SLOT_LABELS},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "metric",
     .id = "accuracy",
     .summary = "Fraction of rows whose largest logit is the label's.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("metrics-accuracy", "1.0", "MIT", components);

/* f1: 2 TP / (2 TP + FP + FN), where a score above 1/2 predicts positive.
 *
 * Without any positive, neither true nor predicted, it is 0. */
#include "binary.h"

static int32_t compute(void *self, const tier_arrays *a, double *value) {
  struct scores s;
  int64_t hits = 0;
  int64_t misses = 0; /* false positives and false negatives */
  TIER_TRY(binary_scores(self, a, &s));
  for (int64_t i = 0; i < s.rows; i++) {
    int predicted = s.score[i] > 0.5;
    int truth = binary_truth(&s, i);
    hits += predicted && truth;
    misses += predicted != truth;
  }
  *value = hits > 0 ? 2.0 * (double)hits / (2.0 * (double)hits + (double)misses) : 0;
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

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "metric",
     .id = "f1",
     .summary = "Harmonic mean of precision and recall; positive is a score above 1/2.",
     TIER_SLOTS(binary_slots),
     .create = binary_create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("metrics-f1", "1.0", "MIT", components);

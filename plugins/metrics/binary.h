/* What f1 and auc share: scores, and whether each row is truly positive. */
#ifndef METRICS_BINARY_H
#define METRICS_BINARY_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/graph.h>
#include <tier/metric.h>

struct binary {
  const tier_host *host;
};

struct scores {
  const double *score;   /* (rows) */
  const double *reals;   /* (rows) truth, or NULL: */
  const int32_t *labels; /* (rows) truth */
  int64_t rows;
};

static inline int binary_truth(const struct scores *s, int64_t row) {
  return s->reals != NULL ? s->reals[row] != 0 : s->labels[row] != 0;
}

/* Elements of the slot's array: one number a row. -1 if it has another shape. */
static inline int64_t binary_rows(const tier_arrays *a, const char *slot) {
  int64_t dims[TIER_MAX_RANK] = {0};
  int32_t rank = a->api->shape(a, slot, dims);
  for (int32_t i = 1; i < rank; i++) {
    if (dims[i] != 1) {
      return -1;
    }
  }
  return rank < 1 ? -1 : dims[0];
}

/* Fetches slots `score` and `truth`; no score may be NaN. */
static inline int32_t binary_scores(const struct binary *m, const tier_arrays *a,
                                    struct scores *s) {
  s->rows = binary_rows(a, "score");
  s->score = a->api->reals(a, "score");
  s->reals = a->api->reals(a, "truth");
  s->labels = a->api->integers(a, "truth");
  if (s->rows < 0 || s->score == NULL) {
    return tier_failf(m->host, TIER_E_INVALID, "score must be one real number a row");
  }
  if (binary_rows(a, "truth") != s->rows) {
    return tier_failf(m->host, TIER_E_INVALID,
                      "truth must be one number for each of the %lld rows of score",
                      (long long)s->rows);
  }
  for (int64_t i = 0; i < s->rows; i++) {
    if (isnan(s->score[i]) || (s->reals != NULL && isnan(s->reals[i]))) {
      return tier_failf(m->host, TIER_E_NONFINITE, "score or truth of row %lld is NaN",
                        (long long)i);
    }
  }
  return TIER_OK;
}

static inline int32_t binary_create(const tier_host *host, const tier_params *p, void **object) {
  struct binary *m = calloc(1, sizeof *m);
  (void)p;
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  m->host = host;
  *object = m;
  return TIER_OK;
}

static const tier_slot binary_slots[] = {
    {.name = "score",
     .doc = "one number a row, the larger the more likely positive",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "truth",
     .doc = "what is truly positive: not zero",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
};

#endif

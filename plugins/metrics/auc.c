/* auc: the area under the ROC curve, exactly: the probability that a random positive scores above
 * a random negative, ties counting one half.
 *
 * By the rank sum (Mann and Whitney 1947; Hanley and McNeil 1982): with mid-ranks for ties and n1
 * positives, n0 negatives, AUC = (sum of the positives' ranks - n1 (n1 + 1) / 2) / (n1 n0). With
 * one class only it is not defined, and an error. */
#include "binary.h"

struct ranked {
  double score;
  int32_t truth;
};

static int ascending(const void *a, const void *b) {
  double x = ((const struct ranked *)a)->score;
  double y = ((const struct ranked *)b)->score;
  return (x > y) - (x < y);
}

/* Twice the sum of the positives' mid-ranks, ranks from 1; `r` (rows) is in ascending order. */
static double doubled_rank_sum(const struct ranked *r, int64_t rows) {
  double sum = 0;
  int64_t begin = 0;
  while (begin < rows) {
    int64_t end = begin;
    int64_t positives = 0;
    for (; end < rows && r[end].score == r[begin].score; end++) {
      positives += r[end].truth;
    }
    sum += (double)positives * (double)(begin + 1 + end); /* first rank + last rank */
    begin = end;
  }
  return sum;
}

static int32_t area(const struct binary *m, const struct scores *s, struct ranked *r,
                    double *value) {
  int64_t positives = 0;
  for (int64_t i = 0; i < s->rows; i++) {
    r[i] = (struct ranked){s->score[i], binary_truth(s, i)};
    positives += r[i].truth;
  }
  if (positives == 0 || positives == s->rows) {
    return tier_failf(m->host, TIER_E_INVALID,
                      "truth is %s in all %lld rows; the area under the curve needs both",
                      positives == 0 ? "zero" : "not zero", (long long)s->rows);
  }
  qsort(r, (size_t)s->rows, sizeof *r, ascending);
  double n1 = (double)positives;
  double n0 = (double)(s->rows - positives);
  *value = (doubled_rank_sum(r, s->rows) - n1 * (n1 + 1)) / (2 * n1 * n0);
  return TIER_OK;
}

static int32_t compute(void *self, const tier_arrays *a, double *value) {
  struct binary *m = self;
  struct scores s;
  TIER_TRY(binary_scores(m, a, &s));
  struct ranked *r = malloc((size_t)(s.rows + 1) * sizeof *r);
  if (r == NULL) {
    return tier_failf(m->host, TIER_E_MEMORY, "no memory for %lld ranks", (long long)s.rows);
  }
  int32_t status = area(m, &s, r, value);
  free(r);
  return status;
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
     .id = "auc",
     .summary = "Area under the ROC curve, exact.",
     TIER_SLOTS(binary_slots),
     .create = binary_create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("metrics-auc", "1.0", "MIT", components);

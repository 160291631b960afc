/* preference: how the values that an evaluator gives to paired rows differ: d_i = value(first_i) -
 * value(second_i). Rows of several scores (n, k) are worth the sum of relu(scores), or of
 * log(1 + relu(scores)); one number a row is taken as the value itself.
 *
 *   share            fraction of rows with d > 0, and its 95 % interval by Wilson (1927):
 *   share-low        (p + z^2/2n -+ z sqrt(p (1 - p) / n + z^2/4n^2)) / (1 + z^2/n), z = 1.96
 *   share-high
 *   mean             of d, and its 95 % interval mean -+ 1.96 s / sqrt(n)
 *   mean-low
 *   mean-high
 *   effect           mean / s, s the sample deviation of d (Cohen's d of paired data)
 *   wilcoxon         z of the signed ranks (Wilcoxon 1945), mid-ranks, zeros dropped, tie-corrected
 *   sign             z of the sign test, (positive - negative) / sqrt(positive + negative)
 *   auc              probability that a first value lies above a second one of any row, ties
 *                    counting one half
 *
 * Where a deviation or a number of unequal pairs is 0, effect, wilcoxon and sign are 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/graph.h>
#include <tier/metric.h>

#define Z95 1.959963984540054

struct preference {
  const tier_host *host;
  int32_t logarithm;
  double (*statistic)(const double *first, const double *second, int64_t n, double *scratch);
};

/* ---- statistics: first, second (n) and 2 n numbers to work with -> one number ---------------- */

static double share(const double *first, const double *second, int64_t n, double *scratch) {
  int64_t above = 0;
  (void)scratch;
  for (int64_t i = 0; i < n; i++) {
    above += first[i] > second[i];
  }
  return (double)above / (double)n;
}

/* The end of Wilson's interval on the side of `z`'s sign. */
static double wilson(double p, double n, double z) {
  double half = z * sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n));
  return (p + z * z / (2.0 * n) + half) / (1.0 + z * z / n);
}
static double share_low(const double *first, const double *second, int64_t n, double *scratch) {
  return wilson(share(first, second, n, scratch), (double)n, -Z95);
}
static double share_high(const double *first, const double *second, int64_t n, double *scratch) {
  return wilson(share(first, second, n, scratch), (double)n, Z95);
}

static double mean(const double *first, const double *second, int64_t n, double *scratch) {
  double sum = 0;
  (void)scratch;
  for (int64_t i = 0; i < n; i++) {
    sum += first[i] - second[i];
  }
  return sum / (double)n;
}

/* The sample deviation of d; 0 for a single row. */
static double deviation(const double *first, const double *second, int64_t n) {
  double m = mean(first, second, n, NULL);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double r = first[i] - second[i] - m;
    sum += r * r;
  }
  return n > 1 ? sqrt(sum / (double)(n - 1)) : 0.0;
}
static double mean_low(const double *first, const double *second, int64_t n, double *scratch) {
  return mean(first, second, n, scratch) - Z95 * deviation(first, second, n) / sqrt((double)n);
}
static double mean_high(const double *first, const double *second, int64_t n, double *scratch) {
  return mean(first, second, n, scratch) + Z95 * deviation(first, second, n) / sqrt((double)n);
}
static double effect(const double *first, const double *second, int64_t n, double *scratch) {
  double s = deviation(first, second, n);
  return s > 0 ? mean(first, second, n, scratch) / s : 0.0;
}

static double sign(const double *first, const double *second, int64_t n, double *scratch) {
  double positive = 0;
  double negative = 0;
  (void)scratch;
  for (int64_t i = 0; i < n; i++) {
    positive += first[i] > second[i];
    negative += first[i] < second[i];
  }
  double unequal = positive + negative;
  return unequal > 0 ? (positive - negative) / sqrt(unequal) : 0.0;
}

static int by_size(const void *a, const void *b) {
  double x = fabs(*(const double *)a);
  double y = fabs(*(const double *)b);
  return (x > y) - (x < y);
}

/* With m differences that are not 0 and mid-ranks r_i of |d_i|: z = sum sign(d_i) r_i / sqrt(sum
 * r_i^2), the variance of the signed rank sum given the ties. */
static double wilcoxon(const double *first, const double *second, int64_t n, double *scratch) {
  int64_t m = 0;
  double sum = 0;
  double squares = 0;
  for (int64_t i = 0; i < n; i++) {
    scratch[m] = first[i] - second[i];
    m += scratch[m] != 0;
  }
  qsort(scratch, (size_t)m, sizeof *scratch, by_size);
  for (int64_t begin = 0; begin < m;) {
    int64_t end = begin;
    double signs = 0;
    for (; end < m && fabs(scratch[end]) == fabs(scratch[begin]); end++) {
      signs += scratch[end] > 0 ? 1.0 : -1.0;
    }
    double rank = 0.5 * (double)(begin + 1 + end);
    sum += signs * rank;
    squares += (double)(end - begin) * rank * rank;
    begin = end;
  }
  return squares > 0 ? sum / sqrt(squares) : 0.0;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

/* For each first value, in ascending order, how many second ones lie below and how many equal it.
 */
static double auc(const double *first, const double *second, int64_t n, double *scratch) {
  double *a = scratch;
  double *b = scratch + n;
  double wins = 0;
  int64_t below = 0;
  int64_t not_above = 0;
  memcpy(a, first, (size_t)n * sizeof *a);
  memcpy(b, second, (size_t)n * sizeof *b);
  qsort(a, (size_t)n, sizeof *a, ascending);
  qsort(b, (size_t)n, sizeof *b, ascending);
  for (int64_t i = 0; i < n; i++) {
    while (below < n && b[below] < a[i]) {
      below++;
    }
    while (not_above < n && b[not_above] <= a[i]) {
      not_above++;
    }
    wins += 0.5 * (double)(below + not_above);
  }
  return wins / ((double)n * (double)n);
}

static const struct {
  const char *name;
  double (*statistic)(const double *first, const double *second, int64_t n, double *scratch);
} statistics[] = {{"share", share},   {"share-low", share_low}, {"share-high", share_high},
                  {"mean", mean},     {"mean-low", mean_low},   {"mean-high", mean_high},
                  {"effect", effect}, {"wilcoxon", wilcoxon},   {"sign", sign},
                  {"auc", auc}};

/* ---- the metric ------------------------------------------------------------------------------ */

/* Rows and numbers a row of a slot. */
static int32_t shape_of(const struct preference *m, const tier_arrays *a, const char *slot,
                        int64_t *rows, int64_t *width) {
  int64_t dims[TIER_MAX_RANK] = {0};
  int32_t rank = a->api->shape(a, slot, dims);
  if (rank < 1 || a->api->reals(a, slot) == NULL || !a->api->has_rows(a, slot)) {
    return tier_failf(m->host, TIER_E_INVALID, "%s must be real numbers that have rows", slot);
  }
  *rows = dims[0];
  *width = 1;
  for (int32_t i = 1; i < rank; i++) {
    *width *= dims[i];
  }
  return TIER_OK;
}

/* out (rows): the value of each row. */
static int32_t values_of(const struct preference *m, const tier_arrays *a, const char *slot,
                         int64_t rows, int64_t width, double *out) {
  const double *scores = a->api->reals(a, slot);
  for (int64_t i = 0; i < rows; i++) {
    double sum = 0;
    for (int64_t j = 0; j < width; j++) {
      double v = scores[i * width + j];
      if (!isfinite(v)) {
        return tier_failf(m->host, TIER_E_NONFINITE, "number %lld of row %lld of %s is not finite",
                          (long long)j, (long long)i, slot);
      }
      double positive = v > 0 ? v : 0;
      sum += width == 1 ? v : m->logarithm ? log1p(positive) : positive;
    }
    out[i] = sum;
  }
  return TIER_OK;
}

static int32_t compute(void *self, const tier_arrays *a, double *value) {
  const struct preference *m = self;
  int64_t rows = 0;
  int64_t second_rows = 0;
  int64_t width = 0;
  int64_t second_width = 0;
  TIER_TRY(shape_of(m, a, "first", &rows, &width));
  TIER_TRY(shape_of(m, a, "second", &second_rows, &second_width));
  if (rows != second_rows || width != second_width || rows == 0) {
    return tier_failf(m->host, TIER_E_INVALID,
                      "first has %lld rows of %lld numbers, second %lld of %lld; it takes pairs",
                      (long long)rows, (long long)width, (long long)second_rows,
                      (long long)second_width);
  }
  double *memory = malloc((size_t)rows * 4 * sizeof *memory);
  if (memory == NULL) {
    return tier_failf(m->host, TIER_E_MEMORY, "no memory for %lld values", (long long)rows);
  }
  int32_t status = values_of(m, a, "first", rows, width, memory);
  if (status == TIER_OK) {
    status = values_of(m, a, "second", rows, width, memory + rows);
  }
  if (status == TIER_OK) {
    *value = m->statistic(memory, memory + rows, rows, memory + 2 * rows);
  }
  free(memory);
  return status;
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct preference *m = calloc(1, sizeof *m);
  if (m == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  m->host = host;
  m->logarithm = strcmp(tier_text(p, "form"), "log") == 0;
  for (size_t i = 0; i < TIER_COUNT(statistics); i++) {
    if (strcmp(tier_text(p, "statistic"), statistics[i].name) == 0) {
      m->statistic = statistics[i].statistic;
    }
  }
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
    {.name = "first",
     .doc = "an evaluator's scores (n, k), or values (n)",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "second",
     .doc = "those of what the rows are compared with, of the same shape",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "statistic",
     .doc = "share of rows where first is worth more, mean difference, ends of their 95 % "
            "intervals, or a test statistic",
     .fallback = "\"share\"",
     .unit = "",
     .choices = "share|share-low|share-high|mean|mean-low|mean-high|effect|wilcoxon|sign|auc",
     .type = TIER_SLOT_TEXT},
    {.name = "form",
     .doc = "value of k scores: sum of relu, or log: sum of log(1 + relu)",
     .fallback = "\"sum\"",
     .unit = "",
     .choices = "sum|log",
     .type = TIER_SLOT_TEXT}};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "metric",
     .id = "preference",
     .summary = "Whether an evaluator values the first of two paired rows more, and how surely.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("metrics-preference", "1.0", "MIT", components);

/* Means, agreement with the reference, and the bias of a stochastic estimator. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/compare.h"
#include "cli/output.h"

void statistic_add(struct statistic *s, double x) {
  if (isfinite(x)) {
    double delta = x - s->mean;
    s->count++;
    s->mean += delta / (double)s->count;
    s->deviation += delta * (x - s->mean); /* the sum of squares until it is finished */
  }
}

struct statistic statistic_finish(struct statistic s) {
  s.deviation = s.count > 1 ? sqrt(s.deviation / (double)(s.count - 1)) : NAN;
  s.mean = s.count > 0 ? s.mean : NAN;
  return s;
}

void agreement(const double *x, const double *r, uint64_t n, double *cosine, double *error) {
  double xr = 0;
  double xx = 0;
  double rr = 0;
  double dd = 0;
  for (uint64_t i = 0; i < n; i++) {
    xr += x[i] * r[i];
    xx += x[i] * x[i];
    rr += r[i] * r[i];
    dd += (x[i] - r[i]) * (x[i] - r[i]);
  }
  *cosine = xr / sqrt(xx * rr);
  *error = sqrt(dd / rr);
}

/* ---- bias ---- */

/* Student's t at 97.5 %, to 3 digits (Cornish-Fisher expansion beyond the table: Abramowitz and
 * Stegun 26.7.5). */
static double student_t(size_t freedom) {
  static const double table[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306};
  const double z = 1.959964;
  double f = (double)freedom;
  if (freedom <= sizeof table / sizeof table[0]) {
    return table[freedom - 1];
  }
  return z + (z * z * z + z) / (4 * f) + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * f * f);
}

/* gram[i * count + j] = (x_i - r).(x_j - r). */
static double *gram_of(const double *const *x, size_t count, const double *r, uint64_t n) {
  double *gram = memory_alloc(count * count, sizeof *gram);
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j <= i; j++) {
      double sum = 0;
      for (uint64_t k = 0; k < n; k++) {
        sum += (x[i][k] - r[k]) * (x[j][k] - r[k]);
      }
      gram[i * count + j] = sum;
      gram[j * count + i] = sum;
    }
  }
  return gram;
}

/* With D_i = x_i - r, the mean of D_i.D_j over all pairs i != j is the U-statistic whose
 * expectation is |E D|^2 (Hoeffding, "A class of statistics with asymptotically normal
 * distribution", 1948). Its standard error is the jackknife's: it is computed again without each i
 * (Efron and Stein, "The jackknife estimate of variance", 1981, eq. 1.4). */
struct bias bias_of(const double *const *x, size_t count, const double *r, uint64_t n) {
  double *gram = gram_of(x, count, r, n);
  double *row = memory_alloc(count, sizeof *row); /* sum over j != i */
  double all = 0;
  double rr = 0;
  double squares = 0;
  double mean = 0;
  double m = (double)count;
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < count; j++) {
      row[i] += j != i ? gram[i * count + j] : 0;
    }
    all += row[i];
  }
  for (size_t i = 0; i < count; i++) {
    row[i] = (all - 2 * row[i]) / ((m - 1) * (m - 2)); /* the statistic without i */
    mean += row[i] / m;
  }
  for (size_t i = 0; i < count; i++) {
    squares += (row[i] - mean) * (row[i] - mean);
  }
  for (uint64_t k = 0; k < n; k++) {
    rr += r[k] * r[k];
  }
  double square = all / (m * (m - 1));
  double half = student_t(count - 1) * sqrt(squares * (m - 1) / m);
  free(gram);
  free(row);
  return (struct bias){.estimate = sqrt(fmax(square, 0) / rr),
                       .low = sqrt(fmax(square - half, 0) / rr),
                       .high = sqrt(fmax(square + half, 0) / rr)};
}

/* ---- costs ---- */

double hvp_equivalents(double values, double gradients, double products) {
  return values / 4 + gradients / 2 + products;
}

static double count_at(const struct json *oracle, const char *key) {
  double x = number_at(oracle, key);
  return isnan(x) ? 0 : x;
}

double hvp_equivalents_of(const struct json *oracle) {
  return hvp_equivalents(count_at(oracle, "values"), count_at(oracle, "gradients"),
                         count_at(oracle, "hvps") + count_at(oracle, "cross"));
}

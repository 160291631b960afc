#include "check/matrix.h"

#include <math.h>
#include <string.h>

#include "base/random.h"

static double dot(int64_t n, const double *x, const double *y) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += x[i] * y[i];
  }
  return sum;
}

void matrix_normal(int64_t n, uint64_t key, double *x) {
  for (int64_t i = 0; i < n; i++) {
    x[i] = random_normal(key, 0, (uint64_t)i);
  }
}

/* Gram-Schmidt, twice: orthonormal to rounding. */
void matrix_orthonormal(int64_t n, uint64_t key, double *q) {
  matrix_normal(n * n, key, q);
  for (int64_t k = 0; k < n; k++) {
    double *row = q + k * n;
    for (int64_t again = 0; again < 2; again++) {
      for (int64_t j = 0; j < k; j++) {
        double part = dot(n, row, q + j * n);
        for (int64_t i = 0; i < n; i++) {
          row[i] -= part * q[j * n + i];
        }
      }
    }
    double norm = sqrt(dot(n, row, row));
    for (int64_t i = 0; i < n; i++) {
      row[i] /= norm;
    }
  }
}

void matrix_spectral(int64_t n, const double *eigenvalues, uint64_t key, double *a) {
  double q[MATRIX_MOST * MATRIX_MOST];
  matrix_orthonormal(n, key, q);
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t k = 0; k < n; k++) {
        sum += eigenvalues[k] * (q[k * n + i] * q[k * n + j]);
      }
      a[i * n + j] = sum;
    }
  }
}

void matrix_spectrum(int64_t n, double condition, double *eigenvalues) {
  for (int64_t k = 0; k < n; k++) {
    eigenvalues[k] = n > 1 ? pow(condition, (double)k / (double)(n - 1)) : 1.0;
  }
}

void matrix_apply(int64_t rows, int64_t columns, const double *a, const double *x, double *y) {
  for (int64_t i = 0; i < rows; i++) {
    y[i] = dot(columns, a + i * columns, x);
  }
}

void matrix_apply_adjoint(int64_t rows, int64_t columns, const double *a, const double *x,
                          double *y) {
  for (int64_t j = 0; j < columns; j++) {
    y[j] = 0;
    for (int64_t i = 0; i < rows; i++) {
      y[j] += a[i * columns + j] * x[i];
    }
  }
}

static void eliminate_column(int64_t n, double *m, double *x, int64_t k) {
  int64_t pivot = k;
  for (int64_t i = k + 1; i < n; i++) {
    pivot = fabs(m[i * n + k]) > fabs(m[pivot * n + k]) ? i : pivot;
  }
  for (int64_t j = 0; j < n; j++) {
    double kept = m[k * n + j];
    m[k * n + j] = m[pivot * n + j];
    m[pivot * n + j] = kept;
  }
  double kept = x[k];
  x[k] = x[pivot];
  x[pivot] = kept;
  for (int64_t i = k + 1; i < n; i++) {
    double factor = m[i * n + k] / m[k * n + k];
    for (int64_t j = k; j < n; j++) {
      m[i * n + j] -= factor * m[k * n + j];
    }
    x[i] -= factor * x[k];
  }
}

void matrix_solve(int64_t n, const double *a, double shift, const double *b, double *x) {
  double m[MATRIX_MOST * MATRIX_MOST];
  memcpy(m, a, (size_t)(n * n) * sizeof *m);
  memmove(x, b, (size_t)n * sizeof *x);
  for (int64_t i = 0; i < n; i++) {
    m[i * n + i] += shift;
  }
  for (int64_t k = 0; k < n; k++) {
    eliminate_column(n, m, x, k);
  }
  for (int64_t k = n - 1; k >= 0; k--) {
    for (int64_t j = k + 1; j < n; j++) {
      x[k] -= m[k * n + j] * x[j];
    }
    x[k] /= m[k * n + k];
  }
}

void matrix_series(int64_t n, const double *a, double shift, double lr, int64_t terms,
                   const double *b, double *x) {
  double term[MATRIX_MOST];
  double product[MATRIX_MOST];
  double sum[MATRIX_MOST] = {0};
  memcpy(term, b, (size_t)n * sizeof *term);
  for (int64_t t = 0; t < terms; t++) {
    matrix_apply(n, n, a, term, product);
    for (int64_t i = 0; i < n; i++) {
      sum[i] += lr * term[i];
      term[i] -= lr * (product[i] + shift * term[i]);
    }
  }
  memcpy(x, sum, (size_t)n * sizeof *x);
}

double matrix_error(int64_t n, const double *x, const double *y) {
  double most = 0;
  double scale = 0;
  for (int64_t i = 0; i < n; i++) {
    double distance = fabs(x[i] - y[i]);
    most = distance <= most ? most : distance; /* NaN stays */
    scale = fmax(scale, fabs(y[i]));
  }
  for (int64_t i = 0; i < n; i++) {
    most = isnan(x[i] - y[i]) ? NAN : most;
  }
  return scale > 0 ? most / scale : most;
}

/* Dense linear algebra in f64. LAPACK is column-major: a symmetric matrix is the same either way,
 * and of a general one it factors the transpose, so that solving swaps the two cases. */
#include "backend/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/blas.h"
#include "base/error.h"
#include "base/memory.h"

/* From this size on LAPACK is called (and loaded, where it is there). */
#define LAPACK_LEAST 32

/* 1 if LAPACK is to be used, 0 if not; negative: TIER_E_. */
static int32_t use_lapack(int64_t n) {
  if (n < LAPACK_LEAST || n > INT32_MAX) {
    return 0;
  }
  TIER_TRY(blas_load());
  const struct blas *blas = blas_get();
  return blas != NULL && blas->dpotrf != NULL && blas->dgetrf != NULL;
}

/* The first pivot, counted from 1, that is 0 or NaN; 0 if there is none. LAPACK looks for those
 * that are 0 or below, and no comparison finds a NaN. */
static int32_t first_bad_pivot(int64_t n, const double *a) {
  for (int64_t i = 0; i < n; i++) {
    double pivot = a[i * n + i];
    if (pivot == 0.0 || isnan(pivot)) {
      return (int32_t)(i + 1);
    }
  }
  return 0;
}

/* ---- Cholesky: a = L L^T, L in the lower triangle (row-major) ---- */

/* Golub and Van Loan, Matrix Computations, algorithm 4.2.1, row by row. */
static int32_t plain_cholesky(int64_t n, double *a) {
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = j; i < n; i++) {
      double sum = a[i * n + j];
      for (int64_t k = 0; k < j; k++) {
        sum -= a[i * n + k] * a[j * n + k];
      }
      if (i == j && !(sum > 0.0)) {
        return (int32_t)(j + 1);
      }
      a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
    }
  }
  return 0;
}

static int32_t cholesky(int64_t n, double *a) {
  int32_t lapack = use_lapack(n);
  if (lapack <= 0) {
    return lapack < 0 ? lapack : plain_cholesky(n, a);
  }
  blas_int size = (blas_int)n;
  blas_int info = 0;
  /* The lower triangle of rows is the upper one of columns. */
  blas_get()->dpotrf("U", &size, a, &size, &info);
  if (info != 0) {
    return info < 0 ? fail(TIER_E_INTERNAL, "dense: dpotrf refused argument %d", -info) : info;
  }
  return first_bad_pivot(n, a);
}

static int32_t cholesky_solve(int64_t n, const double *factor, double *b) {
  int32_t lapack = use_lapack(n);
  TIER_TRY(lapack);
  if (lapack) {
    blas_int size = (blas_int)n;
    blas_int one = 1;
    blas_int info = 0;
    blas_get()->dpotrs("U", &size, &one, factor, &size, b, &size, &info, 1);
    return info < 0 ? fail(TIER_E_INTERNAL, "dense: dpotrs refused argument %d", -info) : TIER_OK;
  }
  for (int64_t i = 0; i < n; i++) { /* L y = b */
    for (int64_t k = 0; k < i; k++) {
      b[i] -= factor[i * n + k] * b[k];
    }
    b[i] /= factor[i * n + i];
  }
  for (int64_t i = n - 1; i >= 0; i--) { /* L^T x = y */
    for (int64_t k = i + 1; k < n; k++) {
      b[i] -= factor[k * n + i] * b[k];
    }
    b[i] /= factor[i * n + i];
  }
  return TIER_OK;
}

/* ---- LU with row exchanges, of the transpose: column-major, as LAPACK has it, so that a factor
 *      means the same however it was made. M = A^T, M[i, j] = a[j * n + i]; pivots count from 1
 * ---- */

static void swap_rows(int64_t n, double *a, int64_t i, int64_t j) {
  for (int64_t column = 0; column < n; column++) {
    double kept = a[column * n + i];
    a[column * n + i] = a[column * n + j];
    a[column * n + j] = kept;
  }
}

/* Golub and Van Loan, algorithm 3.4.1. */
static int32_t plain_lu(int64_t n, double *a, int64_t *pivots) {
  int32_t bad = 0;
  for (int64_t k = 0; k < n; k++) {
    int64_t best = k;
    for (int64_t i = k + 1; i < n; i++) {
      best = fabs(a[k * n + i]) > fabs(a[k * n + best]) ? i : best;
    }
    pivots[k] = best + 1;
    if (a[k * n + best] == 0.0) {
      bad = bad == 0 ? (int32_t)(k + 1) : bad;
      continue;
    }
    if (best != k) {
      swap_rows(n, a, k, best);
    }
    for (int64_t i = k + 1; i < n; i++) {
      a[k * n + i] /= a[k * n + k];
    }
    for (int64_t j = k + 1; j < n; j++) {
      for (int64_t i = k + 1; i < n; i++) {
        a[j * n + i] -= a[k * n + i] * a[j * n + k];
      }
    }
  }
  return bad;
}

static int32_t lu(int64_t n, double *a, int64_t *pivots) {
  int32_t lapack = use_lapack(n);
  if (lapack <= 0) {
    int32_t bad = lapack < 0 ? lapack : plain_lu(n, a, pivots);
    return bad != 0 ? bad : first_bad_pivot(n, a);
  }
  blas_int size = (blas_int)n;
  blas_int info = 0;
  blas_int *rows = memory_alloc((size_t)n, sizeof *rows);
  blas_get()->dgetrf(&size, &size, a, &size, rows, &info);
  for (int64_t i = 0; i < n; i++) {
    pivots[i] = rows[i];
  }
  free(rows);
  if (info != 0) {
    return info < 0 ? fail(TIER_E_INTERNAL, "dense: dgetrf refused argument %d", -info) : info;
  }
  return first_bad_pivot(n, a);
}

/* Solves M x = b: exchanges, L y = b, U x = y. */
static void plain_solve(int64_t n, const double *a, const int64_t *pivots, double *b) {
  for (int64_t i = 0; i < n; i++) {
    double kept = b[i];
    b[i] = b[pivots[i] - 1];
    b[pivots[i] - 1] = kept;
  }
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = j + 1; i < n; i++) {
      b[i] -= a[j * n + i] * b[j];
    }
  }
  for (int64_t j = n - 1; j >= 0; j--) {
    b[j] /= a[j * n + j];
    for (int64_t i = 0; i < j; i++) {
      b[i] -= a[j * n + i] * b[j];
    }
  }
}

/* Solves M^T x = b: U^T y = b, L^T z = y, exchanges backwards. */
static void plain_solve_transposed(int64_t n, const double *a, const int64_t *pivots, double *b) {
  for (int64_t j = 0; j < n; j++) {
    for (int64_t i = 0; i < j; i++) {
      b[j] -= a[j * n + i] * b[i];
    }
    b[j] /= a[j * n + j];
  }
  for (int64_t j = n - 1; j >= 0; j--) {
    for (int64_t i = j + 1; i < n; i++) {
      b[j] -= a[j * n + i] * b[i];
    }
  }
  for (int64_t i = n - 1; i >= 0; i--) {
    double kept = b[i];
    b[i] = b[pivots[i] - 1];
    b[pivots[i] - 1] = kept;
  }
}

static int32_t lu_solve(int64_t n, const double *factor, const int64_t *pivots, int32_t transposed,
                        double *b) {
  int32_t lapack = use_lapack(n);
  TIER_TRY(lapack);
  if (!lapack && transposed) { /* A^T = M */
    plain_solve(n, factor, pivots, b);
  } else if (!lapack) {
    plain_solve_transposed(n, factor, pivots, b);
  } else {
    blas_int size = (blas_int)n;
    blas_int one = 1;
    blas_int info = 0;
    blas_int *rows = memory_alloc((size_t)n, sizeof *rows);
    for (int64_t i = 0; i < n; i++) {
      rows[i] = (blas_int)pivots[i];
    }
    blas_get()->dgetrs(transposed ? "N" : "T", &size, &one, factor, &size, rows, b, &size, &info,
                       1);
    free(rows);
    if (info < 0) {
      return fail(TIER_E_INTERNAL, "dense: dgetrs refused argument %d", -info);
    }
  }
  return TIER_OK;
}

/* ---- products ---- */

static void plain_multiply(int64_t m, int64_t n, int64_t k, int32_t ta, const double *a, int32_t tb,
                           const double *b, double *c) {
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      double sum = 0.0;
      for (int64_t l = 0; l < k; l++) {
        sum += a[ta ? l * m + i : i * k + l] * b[tb ? j * k + l : l * n + j];
      }
      c[i * n + j] = sum;
    }
  }
}

static int32_t multiply(int64_t m, int64_t n, int64_t k, int32_t transpose_a, const double *a,
                        int32_t transpose_b, const double *b, double *c) {
  const int64_t small = (int64_t)LAPACK_LEAST * LAPACK_LEAST * LAPACK_LEAST;
  int fits = m <= INT32_MAX && n <= INT32_MAX && k <= INT32_MAX;
  int large = fits && m > 0 && n > 0 && k > 0 && m * n * k >= small;
  if (large) {
    TIER_TRY(blas_load());
  }
  if (!large || blas_get() == NULL) {
    plain_multiply(m, n, k, transpose_a, a, transpose_b, b, c);
    return TIER_OK;
  }
  const double one = 1.0;
  const double zero = 0.0;
  blas_int rows = (blas_int)m;
  blas_int columns = (blas_int)n;
  blas_int inner = (blas_int)k;
  blas_int lda = transpose_a ? rows : inner;
  blas_int ldb = transpose_b ? inner : columns;
  blas_get()->dgemm(transpose_b ? "T" : "N", transpose_a ? "T" : "N", &columns, &rows, &inner, &one,
                    b, &ldb, a, &lda, &zero, c, &columns);
  return TIER_OK;
}

const tier_dense_1 dense_interface = {
    .struct_size = (uint32_t)sizeof(tier_dense_1),
    .cholesky = cholesky,
    .cholesky_solve = cholesky_solve,
    .lu = lu,
    .lu_solve = lu_solve,
    .multiply = multiply,
};

/* Small dense matrices in f64, row-major: the references that methods are held to. Plain loops, by
 * the definitions. */
#ifndef CHECK_MATRIX_H
#define CHECK_MATRIX_H

#include <stdint.h>

#define MATRIX_MOST 64 /* rows */

/* q (n, n): orthonormal rows, from random numbers with fixed keys. */
void matrix_orthonormal(int64_t n, uint64_t key, double *q);
/* a (n, n) = sum_k eigenvalues[k] q_k q_k'. */
void matrix_spectral(int64_t n, const double *eigenvalues, uint64_t key, double *a);
/* eigenvalues[k] from 1 to `condition`, evenly in their logarithm. */
void matrix_spectrum(int64_t n, double condition, double *eigenvalues);
/* y <- a x; a (rows, columns). y is another array than x. */
void matrix_apply(int64_t rows, int64_t columns, const double *a, const double *x, double *y);
/* y <- a' x; a (rows, columns). */
void matrix_apply_adjoint(int64_t rows, int64_t columns, const double *a, const double *x,
                          double *y);
/* x <- (a + shift I)^-1 b, by elimination with row pivots. */
void matrix_solve(int64_t n, const double *a, double shift, const double *b, double *x);
/* x <- lr sum_{j < terms} (I - lr (a + shift I))^j b. */
void matrix_series(int64_t n, const double *a, double shift, double lr, int64_t terms,
                   const double *b, double *x);
/* max |x - y| / max |y|; max |x| where y is zero. NaN is the largest. */
double matrix_error(int64_t n, const double *x, const double *y);
/* n standard normal numbers with that key. */
void matrix_normal(int64_t n, uint64_t key, double *x);

#endif

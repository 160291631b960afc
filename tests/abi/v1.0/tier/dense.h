/* tier/dense.h: interface "tier.dense/1": small dense linear algebra in f64, row-major.
 *
 * Backed by LAPACK of the BLAS library in use, or by plain C where there is none. */
#ifndef TIER_DENSE_H
#define TIER_DENSE_H

#include <tier/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tier_dense_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* a (n, n) symmetric -> its Cholesky factor in place. Returns 0; or, with no text set, the
   * 1-based index of the first pivot that is not positive. Negative: TIER_E_. */
  int32_t (*cholesky)(int64_t n, double *a);
  int32_t (*cholesky_solve)(int64_t n, const double *factor, double *b); /* b (n) -> x */
  /* a (n, n) -> L and U in place, pivots (n). Returns as cholesky does, for a zero pivot. */
  int32_t (*lu)(int64_t n, double *a, int64_t *pivots);
  /* Solves A x = b, or A^T x = b with transposed = 1. */
  int32_t (*lu_solve)(int64_t n, const double *factor, const int64_t *pivots, int32_t transposed,
                      double *b);
  /* c (m, n) <- op(a) op(b), with k summed; transposed arguments are stored transposed. */
  int32_t (*multiply)(int64_t m, int64_t n, int64_t k, int32_t transpose_a, const double *a,
                      int32_t transpose_b, const double *b, double *c);
} tier_dense_1;

#ifdef __cplusplus
}
#endif
#endif

/* The BLAS and LAPACK functions that the backends use. Column-major, as in Fortran. */
#ifndef BACKEND_BLAS_H
#define BACKEND_BLAS_H

#include "backend/backend.h"

typedef int32_t blas_int; /* Debian's library has 32-bit integers */

struct blas {
  void (*sgemm)(const char *ta, const char *tb, const blas_int *m, const blas_int *n,
                const blas_int *k, const float *alpha, const float *a, const blas_int *lda,
                const float *b, const blas_int *ldb, const float *beta, float *c,
                const blas_int *ldc);
  void (*dgemm)(const char *ta, const char *tb, const blas_int *m, const blas_int *n,
                const blas_int *k, const double *alpha, const double *a, const blas_int *lda,
                const double *b, const blas_int *ldb, const double *beta, double *c,
                const blas_int *ldc);
  void (*sgemv)(const char *t, const blas_int *m, const blas_int *n, const float *alpha,
                const float *a, const blas_int *lda, const float *x, const blas_int *incx,
                const float *beta, float *y, const blas_int *incy);
  void (*dgemv)(const char *t, const blas_int *m, const blas_int *n, const double *alpha,
                const double *a, const blas_int *lda, const double *x, const blas_int *incx,
                const double *beta, double *y, const blas_int *incy);
  /* LAPACK; NULL where the library has none */
  void (*dpotrf)(const char *uplo, const blas_int *n, double *a, const blas_int *lda,
                 blas_int *info);
  void (*dpotrs)(const char *uplo, const blas_int *n, const blas_int *nrhs, const double *a,
                 const blas_int *lda, double *b, const blas_int *ldb, blas_int *info,
                 size_t uplo_length); /* this one is Fortran: texts bring their length */
  void (*dgetrf)(const blas_int *m, const blas_int *n, double *a, const blas_int *lda,
                 blas_int *pivots, blas_int *info);
  void (*dgetrs)(const char *trans, const blas_int *n, const blas_int *nrhs, const double *a,
                 const blas_int *lda, const blas_int *pivots, double *b, const blas_int *ldb,
                 blas_int *info, size_t trans_length);
};

/* After blas_load: the functions, or NULL if there is no library (blas_load then succeeds too). */
const struct blas *blas_get(void);

/* ---- what the CPU can do (and the operating system keeps registers for) ---- */

#define CPU_PLAIN 0
#define CPU_AVX2 1   /* AVX2 and FMA */
#define CPU_AVX512 2 /* F, DQ, CD, BW, VL as well */
int cpu_level(void);
/* TIER_OK if a CPU of that level can run OpenBLAS's kernels of that name, else TIER_E_REFUSED. */
int32_t blas_check_kernels(const char *name, int level);

#endif

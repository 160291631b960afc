/* One pass over flat vectors: the loops under tier/vector.h. cpu_flat.c is compiled once for each
 * level of CPU; all levels give the same bits. */
#ifndef BACKEND_CPU_FLAT_H
#define BACKEND_CPU_FLAT_H

#include <stdint.h>

/* Vectors of n elements of one type of real; scalars are rounded to it. Those that are written may
 * be those that are read, element by element. Sums run in f64, in an order that n fixes. */
struct flat_kernels {
  void (*fill)(int64_t n, double a, void *x);
  void (*scale)(int64_t n, double a, void *x);
  void (*axpy)(int64_t n, double a, const void *x, void *y);
  /* Does not read y where b is 0. */
  void (*axpby)(int64_t n, double a, const void *x, double b, void *y);
  double (*dot)(int64_t n, const void *x, const void *y);
  double (*squared_distance)(int64_t n, const void *x, const void *y); /* the sum of (x - y)^2 */
  double (*scaled_square)(int64_t n, double a, const void *x);         /* the sum of (x / a)^2 */
  double (*max_abs)(int64_t n, const void *x);                         /* NaN if an element is */
  int (*finite)(int64_t n, const void *x);
  /* y <- a x + b y; the sum of y z. */
  double (*axpby_dot)(int64_t n, double a, const void *x, double b, void *y, const void *z);
  /* x <- x + a p, then r <- r + b q; the sum of r r. */
  double (*axpy_pair)(int64_t n, double a, const void *p, void *x, double b, const void *q,
                      void *r);
  /* y <- y + a x, then z <- z + b y. */
  void (*axpy_chain)(int64_t n, double a, const void *x, void *y, double b, void *z);
};

struct flat_table {
  struct flat_kernels f32, f64;
};
extern const struct flat_table flat_plain;
#ifdef TIER_KERNELS_X86
extern const struct flat_table flat_avx2, flat_avx512;
#endif

/* Those for this CPU and type (DTYPE_). */
const struct flat_kernels *flat_get(int32_t dtype);

#endif

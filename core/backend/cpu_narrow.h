/* Matrix products of our own, for shapes with one narrow side, where BLAS is far from the machine's
 * speed (it packs both factors, which costs as much as such a product), and for all others where
 * there is no BLAS. cpu_narrow.c is compiled once for each level of CPU; levels differ in their
 * last bits (fused multiply-add), but for one level bits depend on the shape only. */
#ifndef BACKEND_CPU_NARROW_H
#define BACKEND_CPU_NARROW_H

#include <stdint.h>

/* C (m, n) = op(A) op(B), or +=; all row-major with leading sizes. A is (m, k), or stored (k, m)
 * if ta; B is (k, n), or stored (n, k) if tb. */
struct product {
  const char *a, *b;
  char *c;
  int64_t m, n, k;
  int64_t lda, ldb, ldc;
  int ta, tb;
  int accumulate; /* C += */
};

/* For any sizes from 1; single-threaded, without allocation (up to 150 KiB of stack). */
struct product_kernels {
  void (*f32)(const struct product *p);
  void (*f64)(const struct product *p);
};

extern const struct product_kernels products_plain;
#ifdef TIER_KERNELS_X86
extern const struct product_kernels products_avx2, products_avx512;
#endif

#endif

/* tier/vector.h: interface "tier.vector/1": flat vectors of real, held and threaded by the host.
 *
 * A plugin never sees whether real is f32 or f64. Sums run in f64, in an order that depends on the
 * size only, so results are the same to the bit for any number of threads. Vectors in one call have
 * equal sizes; `y` may be `x`. */
#ifndef TIER_VECTOR_H
#define TIER_VECTOR_H

#include <tier/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tier_vector_1 {
  uint32_t struct_size;
  uint32_t reserved;
  tier_vector *(*create)(int64_t size); /* zeroed; the caller destroys it; NULL: no memory */
  void (*destroy)(tier_vector *x);      /* NULL is fine */
  int64_t (*size)(const tier_vector *x);
  void (*copy)(const tier_vector *x, tier_vector *y);                      /* y <- x */
  void (*fill)(tier_vector *x, double value);                              /* x <- value */
  void (*scale)(double a, tier_vector *x);                                 /* x <- a x */
  void (*axpy)(double a, const tier_vector *x, tier_vector *y);            /* y <- y + a x */
  void (*axpby)(double a, const tier_vector *x, double b, tier_vector *y); /* y <- a x + b y */
  double (*dot)(const tier_vector *x, const tier_vector *y);
  double (*norm)(const tier_vector *x);    /* Euclidean; safe against overflow of squares in f32 */
  double (*max_abs)(const tier_vector *x); /* NaN if any element is NaN */
  int32_t (*finite)(const tier_vector *x); /* 1 if every element is finite, else 0 */
  void (*read)(const tier_vector *x, int64_t first, int64_t count, double *out);
  void (*write)(tier_vector *x, int64_t first, int64_t count, const double *in);
  /* Standard normal or +-1 numbers from a stream: element i depends on (stream, draw, i) only. */
  void (*normal)(tier_vector *x, uint64_t stream, uint64_t draw);
  void (*signs)(tier_vector *x, uint64_t stream, uint64_t draw);
  double (*epsilon)(void); /* 2^-23 for f32, 2^-52 for f64: the spacing of real at 1 */
  /* Updates of iterations, in one pass over memory each. Same results as the calls that they join.
   */
  /* y <- a x + b y; returns <y, z>. z may be y. */
  double (*axpby_dot)(double a, const tier_vector *x, double b, tier_vector *y,
                      const tier_vector *z);
  /* x <- x + a p and r <- r + b q, other vectors all; returns <r, r>. */
  double (*axpy_pair)(double a, const tier_vector *p, tier_vector *x, double b,
                      const tier_vector *q, tier_vector *r);
  /* y <- y + a x, then z <- z + b y, another vector. */
  void (*axpy_chain)(double a, const tier_vector *x, tier_vector *y, double b, tier_vector *z);
} tier_vector_1;

#ifdef __cplusplus
}
#endif
#endif

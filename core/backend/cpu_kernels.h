/* The loops of the cpu backend that gain from wide registers. cpu_kernels.c is compiled once for
 * each level of CPU; all levels give the same bits: the loops are elementwise, or sum in an order
 * that they fix themselves. */
#ifndef BACKEND_CPU_KERNELS_H
#define BACKEND_CPU_KERNELS_H

#include "backend/instruction.h"

/* out[i] = f(in[0][i * step[0]], in[1][i * step[1]], ...) for i < n; steps are 0 or 1. out may be
 * one of the inputs with step 1. */
typedef void (*elementwise_kernel)(int64_t n, void *out, const void *const *in,
                                   const int64_t *step);

/* For one type of real. */
struct real_kernels {
  elementwise_kernel elementwise[TIER_OP_COUNT];          /* operands real; NULL: not elementwise */
  elementwise_kernel less_i32, less_equal_i32, equal_i32; /* i32 operands, real results */
  elementwise_kernel cast_from_i32, cast_to_i32;
  /* The sum of n numbers, in f64. */
  double (*sum)(int64_t n, const void *x);
  /* sums[i] += x[i] */
  void (*accumulate)(int64_t n, double *sums, const void *x);
  /* sums[i] += a * x[i] */
  void (*accumulate_scaled)(int64_t n, double *sums, double a, const void *x);
  /* The sum of a[i] * b[i], in f64. */
  double (*dot)(int64_t n, const void *a, const void *b);
  /* out[i] = sums[i] */
  void (*round)(int64_t n, void *out, const double *sums);
};

struct kernels {
  struct real_kernels f32, f64;
};

extern const struct kernels kernels_plain;
#ifdef TIER_KERNELS_X86
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

/* Those for this CPU. */
const struct real_kernels *kernels_get(int32_t dtype);

#endif

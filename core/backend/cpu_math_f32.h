/* Exponentials and logarithms in f32, of f32 operations only: twice as many to a register as by way
 * of f64, and shorter series. Without branches, calls or fused operations, so that compilers
 * vectorize the loops around them and all levels of CPU give the same bits. NaN stays NaN, limits
 * at infinities are right, and results may be subnormal.
 *
 * Errors in units in the last place, as tests/compile/test_math.c checks them (all 2^32 arguments
 * with `all` as its argument): exp 1.1, expm1 1.8, tanh 2.6, sigmoid 2.6, log 0.9, log1p 1.6,
 * softplus 2.1; of subnormal results 1.1 subnormal units.
 */
#ifndef BACKEND_CPU_MATH_F32_H
#define BACKEND_CPU_MATH_F32_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MATH_INLINE_F32 static inline __attribute__((always_inline))

MATH_INLINE_F32 uint32_t bits_of_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
MATH_INLINE_F32 float from_bits_f32(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Adding this rounds to an integer, which then stands in the low bits. */
#define MATH_ROUNDER_F32 0x1.8p23F
/* ln 2 in two parts; the first has 15 bits, so that its products with exponents are exact. */
#define MATH_LN2_HIGH_F32 0x1.62e4p-1F
#define MATH_LN2_LOW_F32 0x1.7f7d1cp-20F

/* 2^n for an integer n in -126 to 127. */
MATH_INLINE_F32 float math_power_of_2_f32(float n) {
  return from_bits_f32((bits_of_f32(n + MATH_ROUNDER_F32) << 23) + bits_of_f32(1.0F));
}

/* x = n ln 2 + r with |r| < 0.35; returns e^r - 1 by Taylor's series up to r^7. */
MATH_INLINE_F32 float math_reduced_f32(float x, float *n) {
  *n = (x * 0x1.715476p0F + MATH_ROUNDER_F32) - MATH_ROUNDER_F32;
  float r = (x - *n * MATH_LN2_HIGH_F32) - *n * MATH_LN2_LOW_F32;
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  return r + r * r * p;
}

MATH_INLINE_F32 float math_exp_f32(float x) {
  float n;
  x = x > 89.0F ? 89.0F : x;     /* e^89 overflows */
  x = x < -105.0F ? -105.0F : x; /* and e^-105 is 0 */
  float y = 1.0F + math_reduced_f32(x, &n);
  /* 2^n in two factors: n may lie outside a number's exponents. */
  float half = (n * 0.5F + MATH_ROUNDER_F32) - MATH_ROUNDER_F32;
  return y * math_power_of_2_f32(half) * math_power_of_2_f32(n - half);
}

MATH_INLINE_F32 float math_expm1_f32(float x) {
  float n;
  float c = x > 89.0F ? 89.0F : x;
  c = c < -20.0F ? -20.0F : c; /* -1 already */
  float y = math_reduced_f32(c, &n);
  float half_scale = math_power_of_2_f32(n - 1.0F);
  y = 2.0F * (half_scale * y + (half_scale - 0.5F));
  return fabsf(x) < 0x1p-25F ? x : y; /* as exact, -0 and subnormal numbers too */
}

/* (e^2|x| - 1) / (e^2|x| + 1), with the sign of x */
MATH_INLINE_F32 float math_tanh_f32(float x) {
  float a = fabsf(x);
  a = a > 10.0F ? 10.0F : a; /* 1 already */
  float m = math_expm1_f32(2.0F * a);
  return copysignf(m / (m + 2.0F), x);
}

/* e^-|x| cannot overflow. */
MATH_INLINE_F32 float math_sigmoid_f32(float x) {
  float e = math_exp_f32(-fabsf(x));
  return (x >= 0.0F ? 1.0F : e) / (1.0F + e);
}

/* x = 2^k (1 + f) with 1 + f in sqrt(1/2) to sqrt(2); the series of log((1 + s) / (1 - s)) with
 * s = f / (2 + f), so that f - s (f - ...) cancels little. For normal x > 0. */
MATH_INLINE_F32 float math_log_normal_f32(float x, float shift) {
  const uint32_t root_half = UINT32_C(0x3f3504f3);
  uint32_t bits = bits_of_f32(x) + (bits_of_f32(1.0F) - root_half);
  /* The exponent as a number: put into the low bits of 2^23. */
  float k = from_bits_f32((bits >> 23) | bits_of_f32(0x1p23F)) - (0x1p23F + 127.0F) - shift;
  float f = from_bits_f32((bits & UINT32_C(0x007fffff)) + root_half) - 1.0F;
  float s = f / (2.0F + f);
  float z = s * s;
  float p = 2.0F / 9.0F;
  p = p * z + 2.0F / 7.0F;
  p = p * z + 2.0F / 5.0F;
  p = p * z + 2.0F / 3.0F;
  float half_square = 0.5F * f * f;
  float tail = s * (half_square + p * z) + k * MATH_LN2_LOW_F32;
  return k * MATH_LN2_HIGH_F32 + (f - (half_square - tail));
}

MATH_INLINE_F32 float math_log_f32(float x) {
  int tiny = x < 0x1p-126F;
  float y = math_log_normal_f32(tiny ? x * 0x1p25F : x, tiny ? 25.0F : 0.0F);
  y = x == 0.0F ? -INFINITY : y;
  y = x == INFINITY ? x : y;
  return x >= 0.0F ? y : NAN;
}

/* log(u) with u = 1 + x rounded, and what the rounding lost, over u. */
MATH_INLINE_F32 float math_log1p_f32(float x) {
  float u = 1.0F + x;
  float lost = (x - (u - 1.0F)) / u;
  float y = math_log_normal_f32(u, 0.0F) + (u < 0x1p30F ? lost : 0.0F);
  y = u == 0.0F ? -INFINITY : y;
  y = u == INFINITY ? u : y;
  y = u >= 0.0F ? y : NAN;
  return fabsf(x) < 0x1p-25F ? x : y; /* as exact, -0 and subnormal numbers too */
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), the latter as in log1p, of a number up to 1. */
MATH_INLINE_F32 float math_softplus_f32(float x) {
  float e = math_exp_f32(-fabsf(x));
  float u = 1.0F + e;
  float y = math_log_normal_f32(u, 0.0F) + (e - (u - 1.0F)) / u;
  return (x < 0.0F ? 0.0F : x) + y;
}

#endif

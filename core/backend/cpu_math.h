/* Exponentials and logarithms in f64, without branches, calls or fused operations, so that
 * compilers vectorize the loops around them and all levels of CPU give the same bits. NaN stays
 * NaN, limits at infinities are right, and results may be subnormal. For f32: cpu_math_f32.h.
 *
 * Errors in units in the last place, as tests/compile/test_math.c checks them over the whole range:
 * exp 1.1, expm1 1.9, tanh 2.6, sigmoid 2.3, log 0.9, log1p 1.6, softplus 1.9; of subnormal
 * results 1.1 subnormal units.
 */
#ifndef BACKEND_CPU_MATH_H
#define BACKEND_CPU_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MATH_INLINE static inline __attribute__((always_inline))

MATH_INLINE uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
MATH_INLINE double from_bits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Adding this rounds to an integer, which then stands in the low bits. */
#define MATH_ROUNDER 0x1.8p52
#define MATH_LN2_HIGH 0x1.62e42feep-1
#define MATH_LN2_LOW 0x1.a39ef35793c76p-33

/* 2^n for an integer n in -1022 to 1023. */
MATH_INLINE double math_power_of_2(double n) {
  return from_bits((bits_of(n + MATH_ROUNDER) << 52) + bits_of(1.0));
}

/* x = n ln 2 + r with |r| < 0.35; returns e^r - 1 by Taylor's series up to r^13. */
MATH_INLINE double math_reduced(double x, double *n) {
  *n = (x * 0x1.71547652b82fep0 + MATH_ROUNDER) - MATH_ROUNDER;
  double r = (x - *n * MATH_LN2_HIGH) - *n * MATH_LN2_LOW;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  return r + r * r * p;
}

MATH_INLINE double math_exp(double x) {
  double n;
  x = x > 710.0 ? 710.0 : x;   /* e^710 overflows */
  x = x < -760.0 ? -760.0 : x; /* and e^-760 is 0 */
  double y = 1.0 + math_reduced(x, &n);
  /* 2^n in two factors: n may lie outside a number's exponents. */
  double half = (n * 0.5 + MATH_ROUNDER) - MATH_ROUNDER;
  return y * math_power_of_2(half) * math_power_of_2(n - half);
}

MATH_INLINE double math_expm1(double x) {
  double n;
  double c = x > 710.0 ? 710.0 : x;
  c = c < -50.0 ? -50.0 : c; /* -1 already */
  double y = math_reduced(c, &n);
  double half_scale = math_power_of_2(n - 1.0);
  y = 2.0 * (half_scale * y + (half_scale - 0.5));
  return fabs(x) < 0x1p-54 ? x : y; /* as exact, -0 and subnormal numbers too */
}

/* (e^2|x| - 1) / (e^2|x| + 1), with the sign of x */
MATH_INLINE double math_tanh(double x) {
  double a = fabs(x);
  a = a > 20.0 ? 20.0 : a; /* 1 already */
  double m = math_expm1(2.0 * a);
  return copysign(m / (m + 2.0), x);
}

/* e^-|x| cannot overflow. */
MATH_INLINE double math_sigmoid(double x) {
  double e = math_exp(-fabs(x));
  return (x >= 0.0 ? 1.0 : e) / (1.0 + e);
}

/* x = 2^k (1 + f) with 1 + f in sqrt(1/2) to sqrt(2); the series of log((1 + s) / (1 - s)) with
 * s = f / (2 + f), arranged as in fdlibm's e_log.c. For normal x > 0. */
MATH_INLINE double math_log_normal(double x) {
  const uint64_t root_half = UINT64_C(0x3fe6a09e667f3bcd);
  uint64_t bits = bits_of(x) + (bits_of(1.0) - root_half);
  /* The exponent as a number: put into the low bits of 2^52. */
  double k = from_bits((bits >> 52) | bits_of(0x1p52)) - (0x1p52 + 1023.0);
  double f = from_bits((bits & UINT64_C(0x000fffffffffffff)) + root_half) - 1.0;
  double s = f / (2.0 + f);
  double z = s * s;
  double p = 2.0 / 23.0;
  p = p * z + 2.0 / 21.0;
  p = p * z + 2.0 / 19.0;
  p = p * z + 2.0 / 17.0;
  p = p * z + 2.0 / 15.0;
  p = p * z + 2.0 / 13.0;
  p = p * z + 2.0 / 11.0;
  p = p * z + 2.0 / 9.0;
  p = p * z + 2.0 / 7.0;
  p = p * z + 2.0 / 5.0;
  p = p * z + 2.0 / 3.0;
  double half_square = 0.5 * f * f;
  double tail = s * (half_square + p * z) + k * MATH_LN2_LOW;
  return k * MATH_LN2_HIGH + (f - (half_square - tail));
}

MATH_INLINE double math_log(double x) {
  int tiny = x < 0x1p-1022;
  double y = math_log_normal(tiny ? x * 0x1p54 : x) - (tiny ? 54.0 * 0.69314718055994530942 : 0.0);
  y = x == 0.0 ? -INFINITY : y;
  y = x == INFINITY ? x : y;
  return x >= 0.0 ? y : NAN;
}

/* log(u) with u = 1 + x rounded, and what the rounding lost, over u. */
MATH_INLINE double math_log1p(double x) {
  double u = 1.0 + x;
  double lost = (x - (u - 1.0)) / u;
  double y = math_log(u);
  y = y + (u > 0.0 && u < 0x1p60 ? lost : 0.0);
  return fabs(x) < 0x1p-54 ? x : y; /* as exact, -0 and subnormal numbers too */
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), the latter as in log1p, of a number up to 1. */
MATH_INLINE double math_softplus(double x) {
  double e = math_exp(-fabs(x));
  double u = 1.0 + e;
  double y = math_log_normal(u) + (e - (u - 1.0)) / u;
  return (x < 0.0 ? 0.0 : x) + y;
}

#endif

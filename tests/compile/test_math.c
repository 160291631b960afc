/* The exponentials and logarithms of the cpu backend, over the whole range of f32 and f64: their
 * errors in units in the last place are what backend/cpu_math.h and cpu_math_f32.h say, for every
 * level of CPU. With an argument, all 2^32 numbers of f32 (some minutes). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/blas.h"
#include "backend/cpu_kernels.h"
#include "base/random.h"

#include <cmocka.h> /* last: it defines `fail` */

#define BLOCK 4096

static uint64_t stride =
    4001; /* through the bit patterns of f32: 2,000 numbers for each exponent */

static double sigmoid(double x) {
  return x < 0.0 ? exp(x) / (1.0 + exp(x)) : 1.0 / (1.0 + exp(-x));
}
static double softplus(double x) {
  return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static long double sigmoid_long(long double x) {
  return x < 0.0L ? expl(x) / (1.0L + expl(x)) : 1.0L / (1.0L + expl(-x));
}
static long double softplus_long(long double x) {
  return x > 0.0L ? x + log1pl(expl(-x)) : log1pl(expl(x));
}

/* Units in the last place by which results may be wrong: as the headers say. Below the normal
 * numbers, 1.1 units of the subnormal ones for all. */
static const struct function {
  const char *name;
  uint32_t op;
  double (*exact)(double);                /* for f32 */
  long double (*exact_long)(long double); /* for f64 */
  double limit_f32, limit_f64;
} functions[] = {
    {"exp", TIER_OP_EXP, exp, expl, 1.1, 1.1},
    {"expm1", TIER_OP_EXPM1, expm1, expm1l, 1.8, 1.9},
    {"tanh", TIER_OP_TANH, tanh, tanhl, 2.6, 2.6},
    {"sigmoid", TIER_OP_SIGMOID, sigmoid, sigmoid_long, 2.6, 2.3},
    {"log", TIER_OP_LOG, log, logl, 0.9, 0.9},
    {"log1p", TIER_OP_LOG1P, log1p, log1pl, 1.6, 1.6},
    {"softplus", TIER_OP_SOFTPLUS, softplus, softplus_long, 2.1, 1.9},
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])
#define SUBNORMAL_LIMIT 1.1

static const struct {
  const char *name;
  const struct kernels *kernels;
  int needs;
} levels[] = {
    {"plain", &kernels_plain, CPU_PLAIN},
#ifdef TIER_KERNELS_X86
    {"avx2", &kernels_avx2, CPU_AVX2},
    {"avx512", &kernels_avx512, CPU_AVX512},
#endif
};
#define LEVELS (sizeof levels / sizeof levels[0])

/* The worst error seen, for the report. */
struct worst {
  double normal, subnormal;
};

/* Compares y with the exact value at x; `digits` of the type's fraction, `least` its exponent. */
static void check(const struct function *f, double x, double y, long double exact, double limit,
                  int digits, int least, struct worst *worst) {
  if (isnan(exact) || isinf(exact) || isinf(y) || isnan(y)) {
    /* The greatest number and infinity are one unit apart. */
    long double top = ldexpl(1.0L, 1 - least + 1) * (1.0L - ldexpl(2.0L, -digits));
    int overflow = !isnan(exact) && isinf(y) && fabsl(exact) >= top && (y > 0.0) == (exact > 0.0L);
    if (isnan(exact) ? !isnan(y) : !(overflow || (long double)y == exact)) {
      fail_msg("%s(%.17g) = %.17g instead of %.17Lg", f->name, x, y, exact);
    }
    return;
  }
  int subnormal = fabsl(exact) < ldexpl(1.0L, least);
  int exponent = subnormal || exact == 0.0L ? least : ilogbl(exact);
  double error = (double)(fabsl((long double)y - exact) / ldexpl(1.0L, exponent - digits));
  double *most = subnormal ? &worst->subnormal : &worst->normal;
  *most = error > *most ? error : *most;
  if (!(error <= (subnormal ? SUBNORMAL_LIMIT : limit)) ||
      (exact == 0.0L && !signbit(y) != !signbit(exact))) {
    fail_msg("%s(%.17g) = %.17g is wrong by %g units of %.17Lg", f->name, x, y, error, exact);
  }
}

/* Runs the function at all levels on x; y gets the plain result. */
static void run_levels(const struct function *f, int32_t dtype, const void *x, void *y) {
  static double other[BLOCK];
  const void *in[3] = {x, NULL, NULL};
  const int64_t step[3] = {1, 1, 1};
  for (size_t i = 0; i < LEVELS; i++) {
    const struct kernels *k = levels[i].kernels;
    if (levels[i].needs > cpu_level()) {
      continue;
    }
    (dtype == DTYPE_F32 ? &k->f32 : &k->f64)
        ->elementwise[f->op](BLOCK, i == 0 ? y : other, in, step);
    for (int j = 0; i > 0 && j < BLOCK; j++) {
      double a = dtype == DTYPE_F32 ? (double)((float *)y)[j] : ((double *)y)[j];
      double b = dtype == DTYPE_F32 ? (double)((float *)(void *)other)[j] : other[j];
      if (memcmp(&a, &b, sizeof a) != 0 && !(isnan(a) && isnan(b))) {
        fail_msg("%s: %.17g with plain kernels, %.17g with %s", f->name, a, b, levels[i].name);
      }
    }
  }
}

static void f32_is_accurate_everywhere(void **state) {
  static float x[BLOCK];
  static float y[BLOCK];
  (void)state;
  for (size_t k = 0; k < FUNCTIONS; k++) {
    const struct function *f = &functions[k];
    struct worst worst = {0};
    for (uint64_t first = 0; first >> 32 == 0; first += BLOCK * stride) {
      for (uint64_t i = 0; i < BLOCK; i++) {
        uint32_t bits = (uint32_t)(first + i * stride);
        memcpy(&x[i], &bits, sizeof bits);
      }
      run_levels(f, DTYPE_F32, x, y);
      for (int i = 0; i < BLOCK; i++) {
        check(f, x[i], y[i], f->exact(x[i]), f->limit_f32, 23, -126, &worst);
      }
    }
    print_message("%s, f32: %.2f units in the last place, %.2f of subnormal results\n", f->name,
                  worst.normal, worst.subnormal);
  }
}

/* All bit patterns, and, every other time, numbers around 1 or of sizes from 2^-64 to 2^16. */
static double draw(uint64_t i) {
  uint64_t bits = 0;
  double u = random_uniform(2, 0, i);
  double v = random_uniform(3, 0, i);
  if (i % 2 == 0) {
    double sign = v < 0.5 ? -1.0 : 1.0;
    return sign * exp2(i % 4 == 0 ? 80.0 * u - 64.0 : 12.0 * u - 2.0);
  }
  bits = (uint64_t)(u * 0x1p32) << 32 | (uint64_t)(v * 0x1p32);
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static void f64_is_accurate_everywhere(void **state) {
  static double x[BLOCK];
  static double y[BLOCK];
  /* Valgrind computes long double as double: what is exact has errors of its own there. */
  volatile long double small = 0x1p-60L;
  double extra = 1.0L + small == 1.0L ? 3.0 : 0.0;
  (void)state;
  for (size_t k = 0; k < FUNCTIONS; k++) {
    const struct function *f = &functions[k];
    struct worst worst = {0};
    for (uint64_t block = 0; block < 40; block++) {
      for (uint64_t i = 0; i < BLOCK; i++) {
        x[i] = draw(block * BLOCK + i);
      }
      run_levels(f, DTYPE_F64, x, y);
      for (int i = 0; i < BLOCK; i++) {
        check(f, x[i], y[i], f->exact_long(x[i]), f->limit_f64 + extra, 52, -1022, &worst);
      }
    }
    print_message("%s, f64: %.2f units in the last place, %.2f of subnormal results\n", f->name,
                  worst.normal, worst.subnormal);
  }
}

/* Zeros with their signs, infinities, NaN, the ends of the range. */
static void limits_are_exact(void **state) {
  static const double points[] = {0.0,        -0.0,         INFINITY,      -INFINITY,
                                  NAN,        -1.0,         1.0,           0x1p-149,
                                  -0x1p-149,  0x1p-126,     -0x1p-126,     0x1.fffffep127,
                                  -0x1.8p127, 0x1.62e42ep6, -0x1.9fe368p6, -0x1.fffffep-1};
  static double x[BLOCK];
  static double y[BLOCK];
  static float x32[BLOCK];
  static float y32[BLOCK];
  const size_t count = sizeof points / sizeof points[0];
  (void)state;
  for (size_t i = 0; i < BLOCK; i++) {
    x[i] = points[i % count];
    x32[i] = (float)points[i % count];
  }
  for (size_t k = 0; k < FUNCTIONS; k++) {
    const struct function *f = &functions[k];
    struct worst worst = {0};
    run_levels(f, DTYPE_F64, x, y);
    run_levels(f, DTYPE_F32, x32, y32);
    for (size_t i = 0; i < count; i++) {
      check(f, x[i], y[i], f->exact_long(x[i]), f->limit_f64 + 3.0, 52, -1022, &worst);
      check(f, x32[i], y32[i], f->exact(x32[i]), f->limit_f32, 23, -126, &worst);
    }
  }
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(limits_are_exact),
      cmocka_unit_test(f32_is_accurate_everywhere),
      cmocka_unit_test(f64_is_accurate_everywhere),
  };
  (void)argv;
  stride = argc > 1 ? 1 : stride;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

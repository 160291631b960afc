/* The loops for the levels of CPU: all give the same bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/blas.h"
#include "backend/cpu_flat.h"
#include "backend/cpu_kernels.h"
#include "base/random.h"

#include <cmocka.h> /* last: it defines `fail` */

#define COUNT 4099 /* not a multiple of any width */

static const double special[] = {
    0.0,    -0.0,  1.0,    -1.0,  INFINITY, -INFINITY, NAN,    0x1p-1074, -0x1p-1074, 0x1p-1022,
    1e-300, 1e300, -1e300, 709.7, 710.5,    -745.0,    -745.2, -708.5,    88.6,       88.8,
    -104.0, 1e-9,  -1e-9,  20.0,  -20.0,    0.5,       -0.5,   -0.9999999};
#define SPECIALS (sizeof special / sizeof special[0])

/* Numbers of all sizes, and the special ones. */
static void fill(double *x, uint64_t draw) {
  for (uint64_t i = 0; i < COUNT; i++) {
    double scale = i % 3 == 0 ? 1.0 : i % 3 == 1 ? 30.0 : exp(10.0 * random_normal(1, draw, i));
    x[i] = i < SPECIALS ? special[(i + draw * 5) % SPECIALS] : scale * random_normal(2, draw, i);
  }
}

/* ---- every level of CPU: the same bits ---- */

struct level {
  const char *name;
  const struct kernels *kernels;
  const struct flat_table *flat;
  int needs;
};
static const struct level levels[] = {
    {"plain", &kernels_plain, &flat_plain, CPU_PLAIN},
#ifdef TIER_KERNELS_X86
    {"avx2", &kernels_avx2, &flat_avx2, CPU_AVX2},
    {"avx512", &kernels_avx512, &flat_avx512, CPU_AVX512},
#endif
};

static const struct real_kernels *table(const struct level *l, int32_t dtype) {
  return dtype == DTYPE_F32 ? &l->kernels->f32 : &l->kernels->f64;
}

/* As doubles; all NaNs are one. */
static int same_number(double a, double b) {
  return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static double element(const void *x, int32_t dtype, int64_t i) {
  return dtype == DTYPE_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

struct operands {
  double f64[3][COUNT];
  float f32[3][COUNT];
};
static struct operands operands;

static void compare_levels(const struct level *l, int32_t dtype, uint32_t op) {
  static double out[2][COUNT];
  const void *in[3];
  for (int j = 0; j < 3; j++) {
    in[j] = dtype == DTYPE_F32 ? (const void *)operands.f32[j] : operands.f64[j];
  }
  for (int steps = 0; steps < 8; steps++) {
    const int64_t step[3] = {steps & 1, steps >> 1 & 1, steps >> 2};
    table(&levels[0], dtype)->elementwise[op](COUNT, out[0], in, step);
    table(l, dtype)->elementwise[op](COUNT, out[1], in, step);
    for (int64_t i = 0; i < COUNT; i++) {
      double a = element(out[0], dtype, i);
      double b = element(out[1], dtype, i);
      if (!same_number(a, b)) {
        fail_msg("%s, operation %u, f%d, element %lld: %.17g, plain %.17g", l->name, op,
                 dtype == DTYPE_F32 ? 32 : 64, (long long)i, b, a);
      }
    }
  }
}

static void compare_sums(const struct level *l, int32_t dtype) {
  const struct real_kernels *plain = table(&levels[0], dtype);
  const struct real_kernels *other = table(l, dtype);
  static double sums[2][COUNT];
  size_t from = SPECIALS; /* finite ones */
  const void *a = dtype == DTYPE_F32 ? (const void *)(operands.f32[0] + from)
                                     : (const void *)(operands.f64[0] + from);
  const void *b = dtype == DTYPE_F32 ? (const void *)(operands.f32[1] + from)
                                     : (const void *)(operands.f64[1] + from);
  for (int64_t n = 0; n < COUNT - (int64_t)SPECIALS; n = 2 * n + 1) {
    assert_true(plain->sum(n, a) == other->sum(n, a));
    assert_true(plain->dot(n, a, b) == other->dot(n, a, b));
    memset(sums, 0, sizeof sums);
    for (int repeat = 0; repeat < 3; repeat++) {
      plain->accumulate(n, sums[0], a);
      other->accumulate(n, sums[1], a);
      plain->accumulate_scaled(n, sums[0], 0.3, b);
      other->accumulate_scaled(n, sums[1], 0.3, b);
    }
    assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
  }
}

/* Runs every loop over flat vectors on copies of the operands; sums go into results. */
#define FLAT_SUMS 5
static void run_flat(const struct level *l, int32_t dtype, int64_t n, double out[3][COUNT],
                     double results[FLAT_SUMS]) {
  const struct flat_kernels *f = dtype == DTYPE_F32 ? &l->flat->f32 : &l->flat->f64;
  size_t element = dtype_size(dtype);
  for (int j = 0; j < 3; j++) {
    const char *from =
        dtype == DTYPE_F32 ? (const char *)operands.f32[j] : (const char *)operands.f64[j];
    memset(out[j], 0, sizeof out[j]);
    memcpy(out[j], from + SPECIALS * element, (size_t)n * element);
  }
  f->axpy(n, 0.3, out[0], out[1]);
  f->axpby(n, -0.7, out[1], 0.9, out[2]);
  f->scale(n, 0.01, out[2]);
  results[0] = f->axpby_dot(n, 0.1, out[0], 0.2, out[1], out[1]);
  results[1] = f->axpy_pair(n, 1.1, out[0], out[1], -0.1, out[0], out[2]);
  f->axpy_chain(n, 0.7, out[0], out[1], 0.3, out[2]);
  results[2] = f->dot(n, out[1], out[2]);
  results[3] = f->scaled_square(n, 3.0, out[1]);
  results[4] = f->max_abs(n, out[2]) + f->finite(n, out[2]);
}

static void compare_flat(const struct level *l, int32_t dtype) {
  static double out[2][3][COUNT];
  double results[2][FLAT_SUMS];
  for (int64_t n = 0; n < COUNT - (int64_t)SPECIALS; n = 2 * n + 1) {
    run_flat(&levels[0], dtype, n, out[0], results[0]);
    run_flat(l, dtype, n, out[1], results[1]);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_memory_equal(results[0], results[1], sizeof results[0]);
  }
}

static void all_levels_give_the_same_bits(void **state) {
  (void)state;
  for (size_t i = 1; i < sizeof levels / sizeof levels[0]; i++) {
    if (levels[i].needs > cpu_level()) {
      print_message("this CPU has no %s: not compared\n", levels[i].name);
      continue;
    }
    for (int32_t dtype = DTYPE_F32; dtype <= DTYPE_F64; dtype++) {
      for (uint32_t op = 1; op < TIER_OP_COUNT; op++) {
        if (levels[0].kernels->f32.elementwise[op] != NULL) {
          compare_levels(&levels[i], dtype, op);
        }
      }
      compare_sums(&levels[i], dtype);
      compare_flat(&levels[i], dtype);
    }
  }
}

/* An output may be one of the inputs. */
static void in_place_is_the_same(void **state) {
  static double expected[COUNT];
  static double x[COUNT];
  const int64_t step[3] = {1, 1, 1};
  (void)state;
  const struct real_kernels *k = kernels_get(DTYPE_F64);
  for (int j = 0; j < 2; j++) {
    const void *in[3] = {operands.f64[0], operands.f64[1], NULL};
    k->elementwise[TIER_OP_SUBTRACT](COUNT, expected, in, step);
    memcpy(x, operands.f64[j], sizeof x);
    in[j] = x;
    k->elementwise[TIER_OP_SUBTRACT](COUNT, x, in, step);
    for (int i = 0; i < COUNT; i++) {
      assert_true(same_number(x[i], expected[i]));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_levels_give_the_same_bits),
      cmocka_unit_test(in_place_is_the_same),
  };
  for (uint64_t j = 0; j < 3; j++) {
    fill(operands.f64[j], j);
    for (int i = 0; i < COUNT; i++) {
      operands.f32[j][i] = (float)operands.f64[j][i];
    }
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}

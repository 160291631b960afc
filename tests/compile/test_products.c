/* The cpu backend's matrix products of all kinds of shapes, run as single instructions, against
 * plain sums in f64: put into the output and added to it, in f32 and f64, with any number of
 * threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/blas.h"
#include "backend/cpu_narrow.h"
#include "backend/instruction.h"
#include "base/random.h"

#include <cmocka.h> /* last: it defines `fail` */

struct shape {
  int64_t batch, m, n, k;
};

/* One product: out (batch, m, n) (+)= op(a) op(b). */
struct sample {
  struct shape shape;
  int ta, tb, accumulate;
  int32_t dtype;
  void *a, *b, *c;
  double *before; /* what c holds before */
};

static double get(const struct sample *p, const void *x, int64_t i) {
  return p->dtype == DTYPE_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}
static void set(const struct sample *p, void *x, int64_t i, double value) {
  if (p->dtype == DTYPE_F32) {
    ((float *)x)[i] = (float)value;
  } else {
    ((double *)x)[i] = value;
  }
}

/* Exactly as large as needed: sanitizers see each read and write outside. */
static void *numbers(const struct sample *p, int64_t count, uint64_t stream) {
  void *x = malloc((size_t)count * dtype_size(p->dtype) + (count == 0));
  assert_non_null(x);
  for (int64_t i = 0; i < count; i++) {
    set(p, x, i, 2.0 * random_uniform(stream, 0, (uint64_t)i) - 1.0);
  }
  return x;
}

static void open_product(struct sample *p) {
  const struct shape *s = &p->shape;
  int64_t size = s->batch * s->m * s->n;
  p->a = numbers(p, s->batch * s->m * s->k, 1);
  p->b = numbers(p, s->batch * s->k * s->n, 2);
  p->c = numbers(p, size, 3);
  p->before = calloc((size_t)size + 1, sizeof *p->before);
  assert_non_null(p->before);
  for (int64_t i = 0; i < size; i++) {
    p->before[i] = p->accumulate ? get(p, p->c, i) : 0.0;
    set(p, p->c, i, p->accumulate ? p->before[i] : NAN); /* what is overwritten is not read */
  }
}

static void close_product(struct sample *p) {
  free(p->a);
  free(p->b);
  free(p->c);
  free(p->before);
}

static struct view dense(uint32_t buffer, int64_t batch, int64_t rows, int64_t columns) {
  struct view v = {.buffer = buffer, .type = TIER_REAL, .rank = 3, .dims = {batch, rows, columns}};
  view_make_dense(&v);
  return v;
}

static void run_product(const struct sample *p, struct threads *threads) {
  const struct shape *s = &p->shape;
  const int64_t ints[2] = {p->ta, p->tb};
  struct view inputs[2] = {dense(1, s->batch, p->ta ? s->k : s->m, p->ta ? s->m : s->k),
                           dense(2, s->batch, p->tb ? s->n : s->k, p->tb ? s->k : s->n)};
  struct instruction i = {.op = TIER_OP_MATMUL,
                          .input_count = 2,
                          .int_count = 2,
                          .out = dense(0, s->batch, s->m, s->n),
                          .inputs = inputs,
                          .ints = ints,
                          .accumulate = p->accumulate,
                          .where = "test"};
  char *bases[3] = {p->c, p->a, p->b};
  assert_int_equal(cpu_backend.prepare(&i, p->dtype), 0);
  assert_int_equal(cpu_backend.run(&i, p->dtype, bases, threads), 0);
  cpu_backend.release(&i);
}

/* Batch of 1 only. */
static void run_kernel(const struct sample *p, const struct product_kernels *kernels) {
  const struct shape *s = &p->shape;
  struct product q = {.a = p->a, .b = p->b, .c = p->c, .m = s->m, .n = s->n, .k = s->k};
  q.ta = p->ta;
  q.tb = p->tb;
  q.accumulate = p->accumulate;
  q.lda = p->ta ? s->m : s->k;
  q.ldb = p->tb ? s->k : s->n;
  q.ldc = s->n;
  if (p->dtype == DTYPE_F32) {
    kernels->f32(&q);
  } else {
    kernels->f64(&q);
  }
}

/* Element (row, column) of one product of the batch; and the sum of the terms' sizes. */
static double expected(const struct sample *p, int64_t batch, int64_t row, int64_t column,
                       double *size) {
  const struct shape *s = &p->shape;
  double sum = p->before[(batch * s->m + row) * s->n + column];
  *size = fabs(sum);
  for (int64_t j = 0; j < s->k; j++) {
    int64_t at_a = batch * s->m * s->k + (p->ta ? j * s->m + row : row * s->k + j);
    int64_t at_b = batch * s->k * s->n + (p->tb ? column * s->k + j : j * s->n + column);
    double term = get(p, p->a, at_a) * get(p, p->b, at_b);
    sum += term;
    *size += fabs(term);
  }
  return sum;
}

static void check_product(const struct sample *p) {
  const struct shape *s = &p->shape;
  double eps = p->dtype == DTYPE_F32 ? 0x1p-24 : 0x1p-53;
  for (int64_t i = 0; i < s->batch * s->m * s->n; i++) {
    double size = 0.0;
    double exact = expected(p, i / s->n / s->m, i / s->n % s->m, i % s->n, &size);
    double error = fabs(get(p, p->c, i) - exact);
    if (!(error <= 4.0 * eps * (sqrt((double)s->k) + 2.0) * size)) {
      fail_msg(
          "(%lld, %lld, %lld, %lld) ta %d tb %d accumulate %d f%d: element %lld is %.9g, "
          "expected %.9g",
          (long long)s->batch, (long long)s->m, (long long)s->n, (long long)s->k, p->ta, p->tb,
          p->accumulate, p->dtype == DTYPE_F32 ? 32 : 64, (long long)i, get(p, p->c, i), exact);
    }
  }
}

/* All transposes, put and added, both types; with the backend, or with those kernels. */
static void check_shape_with(struct shape shape, const struct product_kernels *kernels) {
  for (int variant = 0; variant < 16; variant++) {
    struct sample p = {.shape = shape,
                       .ta = variant & 1,
                       .tb = variant >> 1 & 1,
                       .accumulate = variant >> 2 & 1,
                       .dtype = variant >> 3 ? DTYPE_F64 : DTYPE_F32};
    open_product(&p);
    if (kernels == NULL) {
      run_product(&p, NULL);
    } else {
      run_kernel(&p, kernels);
    }
    check_product(&p);
    close_product(&p);
  }
}

static void check_shape(struct shape shape) {
  check_shape_with(shape, NULL);
}

static void small_products(void **state) {
  static const int64_t sizes[] = {1, 2, 3, 5, 8, 17};
  const size_t count = sizeof sizes / sizeof sizes[0];
  (void)state;
  for (size_t i = 0; i < count * count * count; i++) {
    check_shape(
        (struct shape){1, sizes[i % count], sizes[i / count % count], sizes[i / count / count]});
  }
  check_shape((struct shape){5, 4, 3, 6});
  check_shape((struct shape){2, 3, 4, 0}); /* a sum without terms */
  check_shape((struct shape){2, 3, 0, 4});
  check_shape((struct shape){0, 3, 2, 4});
}

/* Every level's kernels, each with widths around those of its vectors and tiles, and numbers of
 * rows that are no multiple of anything. */
static void kernels_of_all_levels(void **state) {
  static const struct {
    const char *name;
    const struct product_kernels *kernels;
    int needs;
  } levels[] = {{"plain", &products_plain, CPU_PLAIN},
#ifdef TIER_KERNELS_X86
                {"avx2", &products_avx2, CPU_AVX2},
                {"avx512", &products_avx512, CPU_AVX512}
#endif
  };
  (void)state;
  for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
    if (levels[i].needs > cpu_level()) {
      print_message("this CPU has no %s: not tested\n", levels[i].name);
      continue;
    }
    for (int64_t width = 1; width <= 34; width += 1) {
      check_shape_with((struct shape){1, 43, width, 51}, levels[i].kernels);
      check_shape_with((struct shape){1, width, 41, 33}, levels[i].kernels);
      check_shape_with((struct shape){1, 19, 35, width}, levels[i].kernels);
    }
    check_shape_with((struct shape){1, 10, 9, 2100}, levels[i].kernels); /* blocks of k */
    check_shape_with((struct shape){1, 1300, 10, 130}, levels[i].kernels);
    check_shape_with((struct shape){1, 70, 300, 150}, levels[i].kernels); /* of columns */
    check_shape_with((struct shape){1, 5, 1100, 130}, levels[i].kernels);
  }
}

static void narrow_products(void **state) {
  static const int64_t widths[] = {2, 4, 5, 10, 16, 20, 32, 33};
  (void)state;
  for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
    check_shape((struct shape){1, 203, widths[i], 61});
    check_shape((struct shape){1, widths[i], 131, 77});
    check_shape((struct shape){1, 131, 77, widths[i]});
  }
  check_shape((struct shape){3, 90, 10, 70});
  check_shape((struct shape){1, 1, 1500, 33});
  check_shape((struct shape){1, 1500, 1, 33});
}

static void wide_products(void **state) {
  (void)state;
  check_shape((struct shape){1, 65, 70, 130});
  check_shape((struct shape){1, 257, 129, 40});
}

static void bits_do_not_depend_on_threads(void **state) {
  static const struct shape shapes[] = {{1, 1003, 10, 784},
                                        {1, 784, 10, 1003},
                                        {1, 1003, 300, 10},
                                        {1, 601, 203, 170},
                                        {9, 130, 12, 101}};
  (void)state;
  for (size_t i = 0; i < 4 * sizeof shapes / sizeof shapes[0]; i++) {
    struct sample p = {
        .shape = shapes[i / 4], .ta = i & 1, .accumulate = i >> 1 & 1, .dtype = DTYPE_F32};
    struct sample q = p;
    open_product(&p);
    run_product(&p, NULL);
    for (int count = 2; count <= 4; count++) {
      struct threads *threads = NULL;
      assert_int_equal(threads_new(count, &threads), 0);
      open_product(&q);
      run_product(&q, threads);
      assert_memory_equal(p.c, q.c, (size_t)(p.shape.batch * p.shape.m * p.shape.n) * 4);
      close_product(&q);
      threads_free(threads);
    }
    close_product(&p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(small_products),
      cmocka_unit_test(kernels_of_all_levels),
      cmocka_unit_test(narrow_products),
      cmocka_unit_test(wide_products),
      cmocka_unit_test(bits_do_not_depend_on_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tier.dense/1, with plain loops (small n) and with LAPACK (large n): residuals of solves, bad
 * pivots, products in all four orientations. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/dense.h"
#include "base/random.h"

#include <cmocka.h> /* last: it defines `fail` */

static const int64_t sizes[] = {1, 2, 5, 31, 32, 33, 80};
#define SIZES (sizeof sizes / sizeof sizes[0])

static double *numbers(int64_t count, uint64_t stream) {
  double *x = calloc((size_t)count + 1, sizeof *x);
  assert_non_null(x);
  random_interface.normal(stream, 0, 0, count, x);
  return x;
}

/* c (m, n) = op(a) op(b), written down directly. */
static void multiply(int64_t m, int64_t n, int64_t k, int ta, const double *a, int tb,
                     const double *b, double *c) {
  for (int64_t i = 0; i < m; i++) {
    for (int64_t j = 0; j < n; j++) {
      c[i * n + j] = 0.0;
      for (int64_t l = 0; l < k; l++) {
        c[i * n + j] += (ta ? a[l * m + i] : a[i * k + l]) * (tb ? b[j * k + l] : b[l * n + j]);
      }
    }
  }
}

static void assert_near(const double *a, const double *b, int64_t n, double tolerance) {
  for (int64_t i = 0; i < n; i++) {
    if (!(fabs(a[i] - b[i]) <= tolerance * (1.0 + fabs(b[i])))) {
      fail_msg("element %lld: %.17g, not %.17g", (long long)i, a[i], b[i]);
    }
  }
}

/* A = G G^T + I; A x = b gives back the x that b was made from. */
static void cholesky_solves(void **state) {
  (void)state;
  for (size_t s = 0; s < SIZES; s++) {
    int64_t n = sizes[s];
    double *g = numbers(n * n, 1);
    double *a = numbers(n * n, 2);
    double *x = numbers(n, 3);
    double *b = numbers(n, 4);
    multiply(n, n, n, 0, g, 1, g, a);
    for (int64_t i = 0; i < n; i++) {
      a[i * n + i] += 1.0;
    }
    multiply(n, 1, n, 0, a, 0, x, b);
    assert_int_equal(dense_interface.cholesky(n, a), 0);
    assert_int_equal(dense_interface.cholesky_solve(n, a, b), 0);
    assert_near(b, x, n, 1e-9);
    free(g);
    free(a);
    free(x);
    free(b);
  }
}

/* The pivot that is not positive is found, where it is: a diagonal with one bad entry. */
static void cholesky_names_the_bad_pivot(void **state) {
  static const double bad_ones[] = {-1.0, 0.0, NAN};
  (void)state;
  for (size_t s = 0; s < 3 * SIZES; s++) {
    int64_t n = sizes[s / 3];
    int64_t bad = n / 2;
    double *a = calloc((size_t)(n * n), sizeof *a);
    assert_non_null(a);
    for (int64_t i = 0; i < n; i++) {
      a[i * n + i] = i == bad ? bad_ones[s % 3] : 2.0;
    }
    assert_int_equal(dense_interface.cholesky(n, a), bad + 1);
    free(a);
  }
}

static void lu_solves_both_ways(void **state) {
  (void)state;
  for (size_t s = 0; s < SIZES; s++) {
    int64_t n = sizes[s];
    double *a = numbers(n * n, 5);
    double *x = numbers(n, 6);
    double *b = numbers(n, 7);
    double *c = numbers(n, 8);
    int64_t *pivots = calloc((size_t)n, sizeof *pivots);
    assert_non_null(pivots);
    multiply(n, 1, n, 0, a, 0, x, b);
    multiply(n, 1, n, 1, a, 0, x, c);
    assert_int_equal(dense_interface.lu(n, a, pivots), 0);
    assert_int_equal(dense_interface.lu_solve(n, a, pivots, 0, b), 0);
    assert_int_equal(dense_interface.lu_solve(n, a, pivots, 1, c), 0);
    assert_near(b, x, n, 1e-8);
    assert_near(c, x, n, 1e-8);
    free(a);
    free(x);
    free(b);
    free(c);
    free(pivots);
  }
}

/* A row and a column of zeros: no exchange can help. */
static void lu_names_a_zero_pivot(void **state) {
  (void)state;
  for (size_t s = 0; s < SIZES; s++) {
    int64_t n = sizes[s];
    int64_t bad = n - 1;
    double *a = numbers(n * n, 9);
    int64_t *pivots = calloc((size_t)n, sizeof *pivots);
    assert_non_null(pivots);
    for (int64_t i = 0; i < n; i++) {
      a[bad * n + i] = 0.0;
      a[i * n + bad] = 0.0;
    }
    assert_int_equal(dense_interface.lu(n, a, pivots), bad + 1);
    free(a);
    free(pivots);
  }
}

static void products_in_all_orientations(void **state) {
  (void)state;
  static const int64_t shapes[][3] = {{1, 1, 1}, {3, 5, 4}, {40, 33, 50}, {64, 1, 700}};
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    int64_t m = shapes[s][0];
    int64_t n = shapes[s][1];
    int64_t k = shapes[s][2];
    double *a = numbers(m * k, 10);
    double *b = numbers(k * n, 11);
    double *expected = numbers(m * n, 12);
    double *c = numbers(m * n, 13);
    for (int flags = 0; flags < 4; flags++) {
      c[0] = NAN; /* what was there does not matter */
      multiply(m, n, k, flags & 1, a, flags >> 1, b, expected);
      assert_int_equal(dense_interface.multiply(m, n, k, flags & 1, a, flags >> 1, b, c), 0);
      assert_near(c, expected, m * n, 1e-12);
    }
    free(a);
    free(b);
    free(c);
    free(expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cholesky_solves),
      cmocka_unit_test(cholesky_names_the_bad_pivot),
      cmocka_unit_test(lu_solves_both_ways),
      cmocka_unit_test(lu_names_a_zero_pivot),
      cmocka_unit_test(products_in_all_orientations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

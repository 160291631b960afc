/* The cpu backend at sizes where it cuts work into chunks, calls BLAS, or takes loops of its own,
 * against loops written down here; and maxima with ties and NaNs, in both backends. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <tier/nn.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/random.h"
#include "compile/program.h"

#include <cmocka.h> /* last: it defines `fail` */

#define MOST 3

/* One operation on given arrays, in f64, or in f32 with arrays converted. */
struct run {
  struct graph *graph;
  tier_graph *g;
  tier_value inputs[MOST];
  double *data[MOST];
  uint32_t count;
};

static struct run start(void) {
  struct run r = {.graph = graph_new()};
  r.g = &r.graph->face;
  return r;
}

static tier_value input(struct run *r, const int64_t *dims, int32_t rank) {
  tier_value v = graph_input(r->graph, TIER_REAL, dims, rank, "x");
  int64_t size = value_size(graph_value(r->graph, v));
  r->data[r->count] = calloc((size_t)size + 1, sizeof(double));
  assert_non_null(r->data[r->count]);
  for (int64_t i = 0; i < size; i++) { /* few digits: the same in f32 */
    double x = random_uniform(7, r->count, (uint64_t)i);
    r->data[r->count][i] = floor(x * 64.0) / 32.0 - 1.0;
  }
  r->inputs[r->count++] = v;
  return v;
}

static void *converted(const double *x, int64_t size, int32_t dtype) {
  void *out = calloc((size_t)size + 1, dtype_size(dtype));
  assert_non_null(out);
  for (int64_t i = 0; i < size; i++) {
    if (dtype == DTYPE_F32) {
      ((float *)out)[i] = (float)x[i];
    } else {
      ((double *)out)[i] = x[i];
    }
  }
  return out;
}

static double number(const void *x, int64_t i, int32_t dtype) {
  return dtype == DTYPE_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* Compares output v with `expected`, f64 within 1e-12 and f32 within 1e-4 of `scale`. Frees the
 * run and `expected`. */
static void finish(struct run *r, tier_value v, double *expected, double scale) {
  int64_t size = value_size(graph_value(r->graph, v));
  for (int32_t dtype = DTYPE_F32; dtype <= DTYPE_F64; dtype++) {
    struct program_options options = {.dtype = dtype, .backend = backend_find("cpu")};
    struct program *p = NULL;
    void *in[MOST];
    const void *fast[MOST];
    void *out = calloc((size_t)size + 1, dtype_size(dtype));
    assert_non_null(out);
    memset(out, 0xff, (size_t)size * dtype_size(dtype)); /* NaN: whatever was there is ignored */
    for (uint32_t i = 0; i < r->count; i++) {
      in[i] = converted(r->data[i], value_size(graph_value(r->graph, r->inputs[i])), dtype);
      fast[i] = in[i];
    }
    if (program_compile(r->graph, &options, NULL, 0, r->inputs, r->count, &v, 1, &p) < 0 ||
        program_apply(p, fast, &out) < 0) {
      fail_msg("%s", error_text());
    }
    double tolerance = scale * (dtype == DTYPE_F32 ? 1e-5 : 1e-13);
    for (int64_t i = 0; i < size; i++) {
      double y = number(out, i, dtype);
      if (!(fabs(y - expected[i]) <= tolerance)) {
        fail_msg("element %lld: %.17g, not %.17g", (long long)i, y, expected[i]);
      }
    }
    for (uint32_t i = 0; i < r->count; i++) {
      free(in[i]);
    }
    free(out);
    program_free(p);
  }
  for (uint32_t i = 0; i < r->count; i++) {
    free(r->data[i]);
  }
  free(expected);
  graph_free(r->graph);
}

static double *room(int64_t size) {
  double *x = calloc((size_t)size + 1, sizeof *x);
  assert_non_null(x);
  return x;
}

/* ---- products ---- */

static void check_product(int64_t batch, int64_t m, int64_t n, int64_t k, int ta, int tb) {
  struct run r = start();
  const int64_t dims_a[3] = {batch, ta ? k : m, ta ? m : k};
  const int64_t dims_b[3] = {batch, tb ? n : k, tb ? k : n};
  int skip = batch == 1 ? 1 : 0;
  tier_value a = input(&r, dims_a + skip, 3 - skip);
  tier_value b = input(&r, dims_b + skip, 3 - skip);
  double *c = room(batch * m * n);
  for (int64_t e = 0; e < batch * m * n; e++) {
    const double *x = r.data[0] + e / (m * n) * m * k;
    const double *y = r.data[1] + e / (m * n) * k * n;
    int64_t i = e / n % m;
    int64_t j = e % n;
    for (int64_t l = 0; l < k; l++) {
      c[e] += x[ta ? l * m + i : i * k + l] * y[tb ? j * k + l : l * n + j];
    }
  }
  finish(&r, tier_matmul_transposed(r.g, a, ta, b, tb), c, 4.0 * sqrt((double)k) + 1.0);
}

static void products(void **state) {
  static const int64_t shapes[][4] = {
      {1, 500, 60, 300},                                                   /* rows are split */
      {1, 60, 500, 300},                                                   /* columns are split */
      {1, 700, 1, 100},  {1, 1, 700, 100},                                 /* vectors */
      {1, 33, 35, 7},    {1, 1, 5, 3},     {1, 70, 80, 1},  {1, 5, 1, 2},  /* without BLAS */
      {7, 30, 40, 20},   {3, 9, 8, 5},     {40, 1, 30, 40}, {2, 3, 4, 0}}; /* stacks; no summands */
  (void)state;
  for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    for (int flags = 0; flags < 4; flags++) {
      check_product(shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3], flags & 1, flags >> 1);
    }
  }
}

/* ---- sums ---- */

static void check_sum(const int64_t *dims, int32_t rank, unsigned mask) {
  struct run r = start();
  int64_t axes[TIER_MAX_RANK];
  uint32_t count = 0;
  int64_t kept = 1;
  tier_value x = input(&r, dims, rank);
  for (int32_t i = 0; i < rank; i++) {
    if (mask >> i & 1) {
      axes[count++] = i;
    } else {
      kept *= dims[i];
    }
  }
  double *sums = room(kept);
  int64_t size = value_size(graph_value(r.graph, x));
  for (int64_t e = 0; e < size; e++) {
    int64_t rest = e;
    int64_t target = 0;
    int64_t scale = 1;
    for (int32_t i = rank - 1; i >= 0; i--) {
      int64_t index = rest % dims[i];
      rest /= dims[i];
      if ((mask >> i & 1) == 0) {
        target += index * scale;
        scale *= dims[i];
      }
    }
    sums[target] += r.data[0][e];
  }
  finish(&r, tier_sum_axes(r.g, x, axes, count), sums, (double)size / (double)(kept + 1) + 1.0);
}

static void sums(void **state) {
  static const int64_t matrix[2] = {700, 300};
  static const int64_t cube[3] = {30, 70, 90};
  static const int64_t vector[1] = {300001};
  static const int64_t thin[3] = {1000, 3, 5};
  (void)state;
  for (unsigned mask = 1; mask < 8; mask++) {
    check_sum(cube, 3, mask);
    check_sum(thin, 3, mask);
    if (mask < 4) {
      check_sum(matrix, 2, mask);
    }
  }
  check_sum(vector, 1, 1);
}

/* A sum of what is repeated or has its axes in another order goes through strides. */
static void sums_of_views(void **state) {
  static const int64_t dims[3] = {40, 50, 60};
  static const int64_t order[3] = {2, 0, 1};
  static const int64_t strided[9] = {1, 0, 3, 40, 50, 60, 2, 3, 1};
  (void)state;
  struct run r = start();
  tier_value x = input(&r, dims, 3);
  double *expected = room(60 * 50);
  for (int64_t e = 0; e < 40 * 50 * 60; e++) {
    expected[e % 60 * 50 + e / 60 % 50] += r.data[0][e];
  }
  finish(&r, tier_sum_axis(r.g, tier_permute(r.g, x, order, 3), 1), expected, 41.0);
  r = start();
  x = input(&r, dims, 3);
  expected = room(17);
  for (int64_t e = 0; e < 40 * 50 * 60; e++) {
    int64_t i = e / 3000;
    int64_t j = e / 60 % 50;
    if (i % 2 == 1 && j % 3 == 0 && e % 60 >= 3) {
      expected[j / 3] += r.data[0][e];
    }
  }
  const int64_t axes[2] = {0, 2};
  x = tier_emit(r.g, TIER_OP_SLICE, &x, 1, strided, 9);
  finish(&r, tier_sum_axes(r.g, x, axes, 2), expected, 1000.0);
}

/* ---- copies: all orders of four axes, and of two large ones ---- */

static void permuted_copies(void **state) {
  static const int64_t dims[4] = {7, 20, 9, 33};
  (void)state;
  for (int number = 0; number < 256; number++) {
    const int64_t order[4] = {number & 3, number >> 2 & 3, number >> 4 & 3, number >> 6 & 3};
    if ((1 << order[0] | 1 << order[1] | 1 << order[2] | 1 << order[3]) != 15) {
      continue;
    }
    struct run r = start();
    tier_value x = input(&r, dims, 4);
    double *expected = room(7 * 20 * 9 * 33);
    int64_t index[4];
    for (int64_t e = 0; e < 7 * 20 * 9 * 33; e++) {
      int64_t rest = e;
      int64_t at = 0;
      for (int i = 3; i >= 0; i--) {
        index[i] = rest % dims[i];
        rest /= dims[i];
      }
      for (int i = 0; i < 4; i++) {
        at = at * dims[order[i]] + index[order[i]];
      }
      expected[at] = r.data[0][e];
    }
    finish(&r, tier_permute(r.g, x, order, 4), expected, 0.0);
  }
}

static void a_transpose(void **state) {
  static const int64_t dims[2] = {333, 517};
  static const int64_t order[2] = {1, 0};
  (void)state;
  struct run r = start();
  tier_value x = input(&r, dims, 2);
  double *expected = room(333 * 517);
  for (int64_t e = 0; e < 333 * 517; e++) {
    expected[e % 517 * 333 + e / 517] = r.data[0][e];
  }
  finish(&r, tier_permute(r.g, x, order, 2), expected, 0.0);
}

/* ---- ties and NaNs ---- */

static void a_tie_goes_to_the_first_operand(void **state) {
  static const char *const backends[] = {"reference", "cpu"};
  static const int64_t two = 2;
  static const double x[2] = {0.0, -0.0};
  static const double y[2] = {-0.0, 0.0};
  (void)state;
  for (int b = 0; b < 2; b++) {
    struct graph *graph = graph_new();
    tier_graph *g = &graph->face;
    tier_value in[2] = {graph_input(graph, TIER_REAL, &two, 1, "x"),
                        graph_input(graph, TIER_REAL, &two, 1, "y")};
    tier_value outputs[2] = {tier_maximum(g, in[0], in[1]), tier_minimum(g, in[0], in[1])};
    struct program_options options = {.dtype = DTYPE_F64, .backend = backend_find(backends[b])};
    struct program *p = NULL;
    const void *fast[2] = {x, y};
    double results[2][2];
    void *out[2] = {results[0], results[1]};
    assert_int_equal(program_compile(graph, &options, NULL, 0, in, 2, outputs, 2, &p), 0);
    assert_int_equal(program_apply(p, fast, out), 0);
    assert_memory_equal(results[0], x, sizeof x);
    assert_memory_equal(results[1], x, sizeof x);
    program_free(p);
    graph_free(graph);
  }
}

static void ties_and_nans(void **state) {
  static const char *const backends[] = {"reference", "cpu"};
  static const int64_t dims[2] = {4, 5};
  static const double x[20] = {1, 3, 3, 2, 3, -1, -1, -1, -1, -1, 0, NAN, 7, NAN, 9, 5, 4, 3, 2, 1};
  static const int32_t winners[4] = {1, 0, 1, 0};
  static const double greatest[4] = {3, -1, NAN, 5};
  static const int32_t orders[20] = {0, 3, 1, 2, 4, 0, 1, 2, 3, 4, 0, 2, 4, 1, 3, 4, 3, 2, 1, 0};
  (void)state;
  for (int b = 0; b < 4; b++) {
    int32_t dtype = b < 2 ? DTYPE_F32 : DTYPE_F64;
    struct graph *graph = graph_new();
    tier_graph *g = &graph->face;
    tier_value v = graph_input(graph, TIER_REAL, dims, 2, "x");
    tier_value outputs[5] = {tier_argmax(g, v, 1), tier_max_axis(g, v, 1), tier_argsort(g, v, 1),
                             tier_maximum(g, v, tier_fill_like(g, v, 2.0)),
                             tier_minimum(g, tier_fill_like(g, v, 2.0), v)};
    struct program_options options = {.dtype = dtype, .backend = backend_find(backends[b % 2])};
    struct program *p = NULL;
    void *in = converted(x, 20, dtype);
    const void *fast[1] = {in};
    int32_t index[4];
    int32_t order[20];
    double most[4];
    double high[20];
    double low[20];
    void *out[5] = {index, most, order, high, low};
    assert_int_equal(program_compile(graph, &options, NULL, 0, &v, 1, outputs, 5, &p), 0);
    assert_int_equal(program_apply(p, fast, out), 0);
    assert_memory_equal(index, winners, sizeof index);
    assert_memory_equal(order, orders, sizeof order);
    for (int i = 0; i < 4; i++) {
      double y = number(most, i, dtype);
      assert_true(y == greatest[i] || (isnan(y) && isnan(greatest[i])));
    }
    for (int i = 0; i < 20; i++) { /* NaN is passed on, from either side */
      double above = number(high, i, dtype);
      double below = number(low, i, dtype);
      assert_true(isnan(x[i]) ? isnan(above) && isnan(below)
                              : above == fmax(x[i], 2.0) && below == fmin(x[i], 2.0));
    }
    free(in);
    program_free(p);
    graph_free(graph);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products),
      cmocka_unit_test(sums),
      cmocka_unit_test(sums_of_views),
      cmocka_unit_test(permuted_copies),
      cmocka_unit_test(a_transpose),
      cmocka_unit_test(ties_and_nans),
      cmocka_unit_test(a_tie_goes_to_the_first_operand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

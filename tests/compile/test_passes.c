/* What the passes make of small graphs, seen through the listing and the facts; staging;
 * memory; and what is said when something is wrong. */
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <tier/nn.h>

#include "../numeric/mlp.h"
#include "backend/backend.h"
#include "backend/blas.h"
#include "base/error.h"
#include "base/random.h"
#include "diff/diff.h"

#include <cmocka.h> /* last: it defines `fail` */

/* ---- helpers ---- */

static const int64_t row_dims[2] = {4, 6};

/* A graph with a slow input s and fast inputs f and f2, all (4, 6). */
struct fixture {
  struct graph *graph;
  tier_graph *g;
  tier_value s, f, f2;
};
static struct fixture make(void) {
  struct fixture x = {.graph = graph_new()};
  x.g = &x.graph->face;
  x.s = graph_input(x.graph, TIER_REAL, row_dims, 2, "s");
  x.f = graph_input(x.graph, TIER_REAL, row_dims, 2, "f");
  x.f2 = graph_input(x.graph, TIER_REAL, row_dims, 2, "f2");
  return x;
}

static struct program *compile(const struct fixture *x, const tier_value *outputs, uint32_t count) {
  struct program_options options = {.dtype = DTYPE_F64, .backend = backend_find("reference")};
  struct program *p = NULL;
  const tier_value fast[2] = {x->f, x->f2};
  if (program_compile(x->graph, &options, &x->s, 1, fast, 2, outputs, count, &p) < 0) {
    fail_msg("%s", error_text());
  }
  return p;
}

static int occurrences(const char *text, const char *word) {
  int count = 0;
  for (const char *p = strstr(text, word); p != NULL; p = strstr(p + 1, word)) {
    count++;
  }
  return count;
}

/* The program of one output has so many steps in bind and apply, and `word` occurs so often in its
 * listing. Frees the graph. */
static void expect(struct fixture *x, tier_value output, uint32_t bind, uint32_t apply,
                   const char *word, int words) {
  struct program_facts facts;
  struct program *p = compile(x, &output, 1);
  char *listing = program_listing(p);
  program_facts(p, &facts);
  if (facts.bind_instructions != bind || facts.apply_instructions != apply ||
      occurrences(listing, word) != words) {
    fail_msg("expected %u in bind, %u in apply, %d of %s:\n%s", bind, apply, words, word, listing);
  }
  free(listing);
  program_free(p);
  graph_free(x->graph);
}

static void expect_zero(struct fixture *x, tier_value output, int zero) {
  struct program *p = compile(x, &output, 1);
  assert_int_equal(program_output_is_zero(p, 0), zero);
  program_free(p);
  graph_free(x->graph);
}

/* ---- simplify, common, dead ---- */

static void algebra(void **state) {
  struct fixture x = make();
  (void)state;
  /* (f * 1 + 0) - (-(-f2)) : one subtraction */
  tier_value v = tier_shift(x.g, tier_scale(x.g, x.f, 1.0), 0.0);
  expect(&x, tier_subtract(x.g, v, tier_negate(x.g, tier_negate(x.g, x.f2))), 0, 1, "subtract", 1);
  x = make(); /* ((2 f) (-3 f2)) 0.5 : one product and one factor */
  v = tier_multiply(x.g, tier_scale(x.g, x.f, 2.0), tier_scale(x.g, x.f2, -3.0));
  expect(&x, tier_scale(x.g, v, 0.5), 0, 2, "multiply", 2);
  x = make(); /* constants are folded: no exp is left */
  v = tier_exp(x.g, tier_fill_like(x.g, x.f, 2.0));
  expect(&x, tier_add(x.g, x.f, tier_log(x.g, v)), 0, 1, "add", 1);
}

static void zeros(void **state) {
  struct fixture x = make();
  (void)state;
  expect_zero(&x, tier_scale(x.g, tier_exp(x.g, x.f), 0.0), 1);
  x = make();
  expect_zero(&x, tier_subtract(x.g, tier_exp(x.g, x.f), tier_exp(x.g, x.f)), 1);
  x = make();
  expect_zero(&x, x.f, 0);
  x = make(); /* d/df of <f, s> does not depend on s2: its derivative along anything is zero */
  tier_value loss = tier_sum_all(x.g, tier_multiply(x.g, x.f, x.s));
  tier_value gradient = 0;
  tier_value second = 0;
  assert_int_equal(diff_gradient(x.graph, loss, 0, &x.f, 1, &gradient), 0);
  assert_int_equal(x.g->api->jvp(x.g, &gradient, 1, &x.f, &x.f2, 1, &second), 0);
  expect_zero(&x, second, 1);
  x = make(); /* a linear function: the second derivative is found to be zero by algebra only */
  loss = tier_sum_all(x.g, tier_multiply(x.g, tier_scale(x.g, tier_square(x.g, x.f), 0.0), x.s));
  assert_int_equal(diff_gradient(x.graph, loss, 0, &x.f, 1, &gradient), 0);
  assert_int_equal(x.g->api->jvp(x.g, &gradient, 1, &x.f, &x.f2, 1, &second), 0);
  expect_zero(&x, second, 1);
}

static void common_and_dead(void **state) {
  struct fixture x = make();
  (void)state;
  tier_value a = tier_exp(x.g, tier_add(x.g, x.f, x.f2));
  tier_value b = tier_exp(x.g, tier_add(x.g, x.f2, x.f)); /* the same, the other way round */
  (void)tier_tanh(x.g, a);                                /* dead */
  expect(&x, tier_multiply(x.g, a, b), 0, 3, "exp", 1);
  x = make();
  (void)tier_tanh(x.g, x.f);
  expect(&x, tier_exp(x.g, x.f), 0, 1, "tanh", 0);
}

static void transposes_go_into_matmul(void **state) {
  static const int64_t swap[2] = {1, 0};
  struct fixture x = make();
  (void)state;
  tier_value v = tier_matmul(x.g, tier_permute(x.g, x.f, swap, 2), x.f2);
  expect(&x, tier_permute(x.g, v, swap, 2), 0, 1, "matmul ta", 1);
  x = make(); /* a transpose on both sides of an elementwise operation */
  v = tier_exp(x.g, tier_permute(x.g, x.f, swap, 2));
  expect(&x, tier_matmul(x.g, x.f2, v), 0, 2, "copy", 0);
  x = make(); /* a product that is read both ways is multiplied once */
  v = tier_matmul_transposed(x.g, x.f, 0, x.f2, 1);
  tier_value back = tier_exp(x.g, tier_permute(x.g, v, swap, 2));
  expect(&x, tier_add(x.g, tier_exp(x.g, v), back), 0, 3, "matmul", 1);
}

/* What lies between two elements of a slice by steps lies nowhere in the input; and of sums of
 * nothing each is 0, even of infinities. */
static void slices_and_sums_of_nothing(void **state) {
  static const int64_t by_two[6] = {0, 1, 4, 6, 3, 2};  /* (4, 6) -> (2, 3) */
  static const int64_t nothing[6] = {0, 3, 2, 3, 1, 1}; /* (2, 3) -> (2, 0) */
  static const int64_t one[6] = {1, 0, 2, 3, INT64_C(1) << 48, 1};
  static const int64_t empty[2] = {0, 3};
  struct fixture x = make();
  (void)state;
  tier_value v = tier_emit(x.g, TIER_OP_SLICE, &x.f, 1, by_two, 6);
  expect_zero(&x, tier_sum_axis(x.g, tier_emit(x.g, TIER_OP_SLICE, &v, 1, nothing, 6), 1), 0);
  x = make(); /* steps over the only element taken do not multiply */
  v = tier_emit(x.g, TIER_OP_SLICE, &x.f, 1, by_two, 6);
  v = tier_emit(x.g, TIER_OP_SLICE, &v, 1, one, 6);
  expect(&x, tier_exp(x.g, v), 0, 1, "fast 0[19] (1, 3) by", 1);
  x = make();
  expect_zero(&x, tier_sum_axis(x.g, tier_fill(x.g, INFINITY, empty, 2), 0), 1);
}

static void movements_are_views(void **state) {
  static const int64_t dims[3] = {2, 2, 6};
  static const int64_t wide[2] = {4, 6};
  static const int64_t column[2] = {4, 1};
  struct fixture x = make();
  (void)state;
  tier_value v = tier_reshape(x.g, tier_reshape(x.g, x.f, dims, 3), wide, 2);
  expect(&x, tier_exp(x.g, v), 0, 1, "copy", 0);
  x = make(); /* a column, repeated, needs no array of its own */
  v = tier_broadcast(x.g, tier_reshape(x.g, tier_sum_axis(x.g, x.f, 1), column, 2), wide, 2);
  expect(&x, tier_divide(x.g, x.f2, v), 0, 2, "copy", 0);
  x = make(); /* slices of a concat are its parts */
  tier_value parts[2] = {x.f, x.f2};
  v = tier_slice_axis(x.g, tier_concat(x.g, parts, 2, 0), 0, 4, 8);
  expect(&x, tier_exp(x.g, v), 0, 1, "copy", 0);
}

static void sums_get_smaller(void **state) {
  static const int64_t column[2] = {4, 1};
  static const int64_t wide[2] = {4, 6};
  struct fixture x = make();
  (void)state;
  /* sum over a repeated axis: times its length, no sum */
  tier_value rows = tier_reshape(x.g, tier_slice_axis(x.g, x.f, 1, 0, 1), column, 2);
  tier_value v = tier_broadcast(x.g, rows, wide, 2);
  expect(&x, tier_sum_axis(x.g, v, 1), 0, 1, "sum", 0);
  x = make(); /* a factor that is the same along the axis is multiplied afterwards */
  rows = tier_reshape(x.g, tier_slice_axis(x.g, x.f, 1, 0, 1), column, 2);
  v = tier_multiply(x.g, x.f2, tier_broadcast(x.g, rows, wide, 2));
  expect(&x, tier_sum_axis(x.g, v, 1), 0, 2, "multiply: output 0 (4)", 1);
}

/* The gradient with respect to a flat vector, of which the function reads slices, is one concat:
 * no zeros, no sum of padded parts, and each part is written where it belongs. */
static void gradients_of_slices_are_parts(void **state) {
  static const int64_t n = 24;
  struct graph *graph = graph_new();
  tier_graph *g = &graph->face;
  tier_value w = graph_input(graph, TIER_REAL, &n, 1, "w");
  tier_value gradient = 0;
  (void)state;
  tier_value loss = tier_sum_all(g, tier_exp(g, tier_slice_axis(g, w, 0, 0, 10)));
  loss = tier_add(g, loss, tier_sum_all(g, tier_sin(g, tier_slice_axis(g, w, 0, 10, 20))));
  loss = tier_add(g, loss, tier_sum_all(g, tier_tanh(g, tier_slice_axis(g, w, 0, 20, 24))));
  assert_int_equal(diff_gradient(graph, loss, 0, &w, 1, &gradient), 0);
  struct program_options options = {.dtype = DTYPE_F64, .backend = backend_find("reference")};
  struct program *p = NULL;
  struct program_facts facts;
  assert_int_equal(program_compile(graph, &options, NULL, 0, &w, 1, &gradient, 1, &p), 0);
  program_facts(p, &facts);
  char *listing = program_listing(p);
  assert_int_equal(occurrences(listing, "pad") + occurrences(listing, "copy"), 0);
  assert_int_equal(occurrences(listing, "add"), 0);
  free(listing);
  double x[24];
  double out[24];
  const void *in[1] = {x};
  void *to[1] = {out};
  for (int i = 0; i < 24; i++) {
    x[i] = 0.1 * i - 1.0;
  }
  assert_int_equal(program_apply(p, in, to), 0);
  for (int i = 0; i < 24; i++) {
    double expected = i < 10 ? exp(x[i]) : i < 20 ? cos(x[i]) : 1.0 - tanh(x[i]) * tanh(x[i]);
    assert_true(fabs(out[i] - expected) <= 1e-14);
  }
  program_free(p);
  graph_free(graph);
}

/* ---- stage ---- */

static void slow_factors_are_grouped(void **state) {
  struct fixture x = make();
  (void)state;
  /* -((f s) exp(s)): bind has exp, s exp(s) and its negative; apply one product */
  tier_value v = tier_multiply(x.g, tier_multiply(x.g, x.f, x.s), tier_exp(x.g, x.s));
  expect(&x, tier_negate(x.g, v), 3, 1, "apply multiply", 1);
}

static void what_is_slow_is_done_in_bind(void **state) {
  struct fixture x = make();
  (void)state;
  expect(&x, tier_add(x.g, x.f, tier_tanh(x.g, tier_exp(x.g, x.s))), 2, 1, "apply add", 1);
  x = make(); /* an output that is slow is only copied by apply */
  expect(&x, tier_exp(x.g, x.s), 1, 1, "apply copy", 1);
  x = make(); /* and a constant is computed once */
  expect(&x, tier_cast(x.g, tier_iota(x.g, 0, row_dims, 2), TIER_REAL), 2, 1, "once", 2);
}

/* In the HVP of an MLP, the products with X that are left in apply are X V1 and X^T d1'. */
static void hvp_keeps_two_large_products(void **state) {
  (void)state;
  struct mlp m = mlp_make(500, 78, 25, 10);
  struct program_options options = {.dtype = DTYPE_F64, .backend = backend_find("cpu")};
  struct program *p = NULL;
  struct program_facts facts;
  assert_int_equal(program_compile(m.graph, &options, m.slow, 2 + MLP_VARIABLES, m.fast,
                                   MLP_VARIABLES, m.hvp, MLP_VARIABLES, &p),
                   0);
  char *listing = program_listing(p);
  int in_apply = 0;
  for (char *line = strtok(listing, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    in_apply += strstr(line, "apply matmul") != NULL && strstr(line, "slow 0 (500, 78)") != NULL;
  }
  assert_int_equal(in_apply, 2);
  program_facts(p, &facts);
  int64_t large = 2 * 500 * 78 * 25;
  int64_t small = 2 * 500 * 25 * 10;
  assert_int_equal(facts.apply_flops, 2 * large + 6 * small);
  assert_int_equal(facts.bind_flops, large + 2 * small);
  free(listing);
  program_free(p);
  graph_free(m.graph);
}

/* ---- running ---- */

/* The HVP is the directional derivative of the gradient: (g(w + h v) - g(w - h v)) / 2h. */
struct mlp_data {
  double *slow[2 + MLP_VARIABLES]; /* slow[1]: int32_t labels */
  double *fast[MLP_VARIABLES];
  double *out[3][MLP_VARIABLES];
};
static int64_t size_of(const struct mlp *m, int i) {
  return value_size(graph_value(m->graph, m->fast[i]));
}
static struct mlp_data make_data(const struct mlp *m) {
  struct mlp_data d;
  d.slow[0] = calloc((size_t)(m->rows * m->in), sizeof(double));
  d.slow[1] = calloc((size_t)m->rows, sizeof(double));
  assert_non_null(d.slow[0]);
  assert_non_null(d.slow[1]);
  random_interface.normal(1, 0, 0, m->rows * m->in, d.slow[0]);
  for (int64_t i = 0; i < m->rows; i++) {
    ((int32_t *)(void *)d.slow[1])[i] = (int32_t)(i % m->classes);
  }
  for (int i = 0; i < MLP_VARIABLES; i++) {
    size_t size = (size_t)size_of(m, i);
    d.slow[2 + i] = calloc(size, sizeof(double));
    d.fast[i] = calloc(size, sizeof(double));
    assert_non_null(d.slow[2 + i]);
    assert_non_null(d.fast[i]);
    random_interface.normal(2, (uint64_t)i, 0, (int64_t)size, d.slow[2 + i]);
    random_interface.normal(3, (uint64_t)i, 0, (int64_t)size, d.fast[i]);
    for (size_t k = 0; k < size; k++) {
      d.slow[2 + i][k] *= 0.3;
    }
    for (int j = 0; j < 3; j++) {
      d.out[j][i] = calloc(size, sizeof(double));
      assert_non_null(d.out[j][i]);
    }
  }
  return d;
}
static void free_data(struct mlp_data *d) {
  free(d->slow[0]);
  free(d->slow[1]);
  for (int i = 0; i < MLP_VARIABLES; i++) {
    free(d->slow[2 + i]);
    free(d->fast[i]);
    free(d->out[0][i]);
    free(d->out[1][i]);
    free(d->out[2][i]);
  }
}

static void hvp_is_the_derivative_of_the_gradient(void **state) {
  const double h = 1e-5;
  struct mlp m = mlp_make(60, 9, 7, 4);
  struct program_options options = {.dtype = DTYPE_F64, .backend = backend_find("cpu")};
  struct program *hvp = NULL;
  struct program *gradient = NULL;
  (void)state;
  assert_int_equal(program_compile(m.graph, &options, m.slow, 2 + MLP_VARIABLES, m.fast,
                                   MLP_VARIABLES, m.hvp, MLP_VARIABLES, &hvp),
                   0);
  assert_int_equal(program_compile(m.graph, &options, m.slow, 2, m.slow + 2, MLP_VARIABLES,
                                   m.gradient, MLP_VARIABLES, &gradient),
                   0);
  struct mlp_data d = make_data(&m);
  const void *slow[2 + MLP_VARIABLES];
  const void *fast[MLP_VARIABLES];
  memcpy(slow, d.slow, sizeof slow);
  memcpy(fast, d.fast, sizeof fast);
  assert_int_equal(program_bind(hvp, slow), 0);
  assert_int_equal(program_apply(hvp, fast, (void *const *)d.out[0]), 0);
  assert_int_equal(program_bind(gradient, slow), 0);
  for (int side = 0; side < 2; side++) {
    double step = side == 0 ? h : -2.0 * h; /* to w + h v, then to w - h v */
    for (int i = 0; i < MLP_VARIABLES; i++) {
      for (int64_t k = 0; k < size_of(&m, i); k++) {
        d.slow[2 + i][k] += step * d.fast[i][k];
      }
    }
    assert_int_equal(program_apply(gradient, slow + 2, (void *const *)d.out[1 + side]), 0);
  }
  for (int i = 0; i < MLP_VARIABLES; i++) {
    for (int64_t k = 0; k < size_of(&m, i); k++) {
      double difference = (d.out[1][i][k] - d.out[2][i][k]) / (2.0 * h);
      assert_true(fabs(difference - d.out[0][i][k]) <= 1e-8 * (1.0 + fabs(difference)));
    }
  }
  free_data(&d);
  program_free(hvp);
  program_free(gradient);
  graph_free(m.graph);
}

/* Applying again gives the same again, and allocates nothing. */
static void applying_allocates_nothing(void **state) {
  struct mlp m = mlp_make(60, 9, 7, 4);
  struct threads *threads = NULL;
  struct program *p = NULL;
  (void)state;
  assert_int_equal(threads_new(2, &threads), 0);
  struct program_options options = {
      .dtype = DTYPE_F64, .backend = backend_find("cpu"), .threads = threads};
  assert_int_equal(program_compile(m.graph, &options, m.slow, 2 + MLP_VARIABLES, m.fast,
                                   MLP_VARIABLES, m.hvp, MLP_VARIABLES, &p),
                   0);
  struct mlp_data d = make_data(&m);
  const void *slow[2 + MLP_VARIABLES];
  const void *fast[2 * MLP_VARIABLES];
  void *out[2 * MLP_VARIABLES];
  memcpy(slow, d.slow, sizeof slow);
  for (int i = 0; i < MLP_VARIABLES; i++) {
    fast[i] = d.fast[i];
    fast[MLP_VARIABLES + i] = d.slow[2 + i];
    out[i] = d.out[0][i];
    out[MLP_VARIABLES + i] = d.out[1][i];
  }
  assert_int_equal(program_bind(p, slow), 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(program_apply(p, fast + MLP_VARIABLES * i, out + MLP_VARIABLES * i), 0);
  }
  struct mallinfo2 before = mallinfo2();
  for (int i = 0; i < 2; i++) {
    assert_int_equal(program_apply(p, fast + MLP_VARIABLES * (1 - i), (void *const *)d.out[2]), 0);
  }
  struct mallinfo2 after = mallinfo2();
  assert_true(before.uordblks == after.uordblks);
  for (int i = 0; i < MLP_VARIABLES; i++) { /* the last one was the first */
    assert_memory_equal(d.out[2][i], d.out[0][i], (size_t)size_of(&m, i) * sizeof(double));
  }
  assert_memory_not_equal(d.out[0][0], d.out[1][0], (size_t)size_of(&m, 0) * sizeof(double));
  free_data(&d);
  program_free(p);
  threads_free(threads);
  graph_free(m.graph);
}

/* Temporaries that live one after the other share memory, and elementwise steps work in place. */
static void a_chain_needs_one_buffer(void **state) {
  struct fixture x = make();
  struct program_facts facts;
  (void)state;
  tier_value v = x.f;
  for (int i = 0; i < 20; i++) {
    v = tier_sin(x.g, v);
  }
  v = tier_sum_all(x.g, v);
  struct program *p = compile(&x, &v, 1);
  program_facts(p, &facts);
  assert_int_equal(facts.apply_instructions, 21);
  assert_int_equal(facts.arena_bytes, 24 * 8);
  program_free(p);
  graph_free(x.graph);
}

/* ---- failures ---- */

static void a_bad_index_is_reported(void **state) {
  static const int64_t dims[2] = {3, 2};
  static const int64_t two = 2;
  static const char *const backends[] = {"reference", "cpu"};
  (void)state;
  for (int b = 0; b < 2; b++) {
    struct graph *graph = graph_new();
    tier_graph *g = &graph->face;
    uint32_t before = graph_origin(
        graph, (struct origin){.plugin = "picker", .entry = "forward", .place = "m.json:3:4"});
    tier_value inputs[2] = {graph_input(graph, TIER_REAL, dims, 2, "x"),
                            graph_input(graph, TIER_I32, &two, 1, "index")};
    tier_value v = tier_gather(g, inputs[0], inputs[1], 0);
    graph_restore_origin(graph, before);
    struct program_options options = {.dtype = DTYPE_F32, .backend = backend_find(backends[b])};
    struct program *p = NULL;
    assert_int_equal(program_compile(graph, &options, NULL, 0, inputs, 2, &v, 1, &p), 0);
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const int32_t good[2] = {2, 0};
    const int32_t bad[2] = {1, 3};
    float out[4];
    const void *in[2] = {x, good};
    void *to[1] = {out};
    assert_int_equal(program_apply(p, in, to), 0);
    assert_true(out[0] == 5.0F && out[3] == 2.0F);
    in[1] = bad;
    assert_int_equal(program_apply(p, in, to), TIER_E_DATA);
    assert_string_equal(error_text(),
                        "gather, asked for by picker.forward at m.json:3:4: index[1] is 3, "
                        "not in 0 to 2 (indices, and so labels, count from 0)");
    error_clear();
    program_free(p);
    graph_free(graph);
  }
}

static void wrong_calls_are_refused(void **state) {
  struct fixture x = make();
  struct program_options options = {.dtype = DTYPE_F64, .backend = backend_find("reference")};
  struct program *p = NULL;
  (void)state;
  tier_value v = tier_add(x.g, x.f, x.s);
  assert_int_equal(program_compile(x.graph, &options, &x.s, 1, NULL, 0, &v, 1, &p),
                   TIER_E_INTERNAL); /* f is not given */
  error_clear();
  tier_value twice[2] = {x.f, x.f};
  assert_int_equal(program_compile(x.graph, &options, &x.s, 1, twice, 2, &v, 1, &p),
                   TIER_E_INTERNAL);
  error_clear();
  tier_value none = 0;
  assert_int_equal(program_compile(x.graph, &options, &x.s, 1, &x.f, 1, &none, 1, &p),
                   TIER_E_INTERNAL);
  error_clear();
  p = compile(&x, &v, 1);
  double out[24];
  const void *in[2] = {out, out};
  void *to[1] = {out};
  assert_int_equal(program_apply(p, in, to), TIER_E_INTERNAL); /* not bound */
  error_clear();
  program_free(p);
  assert_null(backend_find("quantum"));
  graph_free(x.graph);
}

static void kernels_that_the_cpu_lacks_are_refused(void **state) {
  struct blas_facts facts;
  (void)state;
  assert_int_equal(blas_check_kernels("SkylakeX", CPU_AVX512), 0);
  assert_int_equal(blas_check_kernels("haswell", CPU_AVX2), 0);
  assert_int_equal(blas_check_kernels("Prescott", CPU_PLAIN), 0);
  assert_int_equal(blas_check_kernels("skylakex", CPU_AVX2), TIER_E_REFUSED);
  assert_non_null(strstr(error_text(), "unset it, or choose Haswell"));
  error_clear();
  assert_int_equal(blas_check_kernels("Haswell", CPU_PLAIN), TIER_E_REFUSED);
  error_clear();
  int set = getenv("OPENBLAS_CORETYPE") != NULL;
  assert_int_equal(blas_load(), 0);
  assert_int_equal(getenv("OPENBLAS_CORETYPE") != NULL, set); /* the environment stays as it was */
  blas_get_facts(&facts);
  assert_true(strlen(facts.kernels) > 0 && strlen(facts.chosen_by) > 0);
  assert_true(blas_get() == NULL || strstr(facts.library, "openblas") != NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(algebra),
      cmocka_unit_test(zeros),
      cmocka_unit_test(common_and_dead),
      cmocka_unit_test(transposes_go_into_matmul),
      cmocka_unit_test(slices_and_sums_of_nothing),
      cmocka_unit_test(movements_are_views),
      cmocka_unit_test(sums_get_smaller),
      cmocka_unit_test(gradients_of_slices_are_parts),
      cmocka_unit_test(slow_factors_are_grouped),
      cmocka_unit_test(what_is_slow_is_done_in_bind),
      cmocka_unit_test(hvp_keeps_two_large_products),
      cmocka_unit_test(hvp_is_the_derivative_of_the_gradient),
      cmocka_unit_test(applying_allocates_nothing),
      cmocka_unit_test(a_chain_needs_one_buffer),
      cmocka_unit_test(a_bad_index_is_reported),
      cmocka_unit_test(wrong_calls_are_refused),
      cmocka_unit_test(kernels_that_the_cpu_lacks_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

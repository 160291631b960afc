/* Programs with many rows: which steps run together, block of rows by block of rows; that they give
 * what the plain reference gives, with the same bits for any number of threads; and that rows which
 * only one region needs take no memory but a block's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <tier/nn.h>

#include "../numeric/mlp.h"
#include "backend/backend.h"
#include "base/error.h"
#include "base/random.h"
#include "diff/diff.h"

#include <cmocka.h> /* last: it defines `fail` */

#define INPUTS 6
#define MOST_OUTPUTS 4
#define WIDTH 7
#define CLASSES 5

/* ---- cases ---- */

/* A graph of functions of x (rows, WIDTH), labels i32 (rows), scores (rows), which are slow, and
 * w (WIDTH, CLASSES), b (CLASSES), v (WIDTH, CLASSES), which are fast. */
struct sample {
  struct graph *graph;
  tier_graph *g;
  int64_t rows;
  union {
    struct {
      tier_value x, labels, scores, w, b, v;
    };
    tier_value inputs[INPUTS];
  };
  tier_value outputs[MOST_OUTPUTS];
  uint32_t output_count;
};

static struct sample make(int64_t rows) {
  struct sample s = {.graph = graph_new(), .rows = rows};
  const int64_t dims_x[2] = {rows, WIDTH};
  const int64_t dims_w[2] = {WIDTH, CLASSES};
  const int64_t classes = CLASSES;
  s.g = &s.graph->face;
  s.x = graph_input(s.graph, TIER_REAL, dims_x, 2, "x");
  s.labels = graph_input(s.graph, TIER_I32, &rows, 1, "labels");
  s.scores = graph_input(s.graph, TIER_REAL, &rows, 1, "scores");
  s.w = graph_input(s.graph, TIER_REAL, dims_w, 2, "w");
  s.b = graph_input(s.graph, TIER_REAL, &classes, 1, "b");
  s.v = graph_input(s.graph, TIER_REAL, dims_w, 2, "v");
  return s;
}

static void output(struct sample *s, tier_value v) {
  s->outputs[s->output_count++] = v;
}

static tier_value losses(struct sample *s) {
  return tier_cross_entropy(s->g, tier_linear(s->g, s->x, s->w, s->b), s->labels);
}

/* The gradient of a mean, and a Hessian-vector product. */
static void logistic(struct sample *s) {
  const tier_value xs[2] = {s->w, s->b};
  tier_value loss = tier_mean_all(s->g, losses(s));
  output(s, loss);
  (void)diff_gradient(s->graph, loss, 0, xs, 2, s->outputs + 1);
  (void)diff_jvp(s->graph, s->outputs + 1, 1, xs, &s->v, 1, s->outputs + 3);
  s->output_count = 4;
}

/* Each row's loss is weighted by a softmax over all rows: that must be complete before. */
static void weighted(struct sample *s) {
  const tier_value xs[2] = {s->w, s->scores};
  tier_value weights = tier_softmax(s->g, s->scores, 0);
  tier_value loss = tier_sum_all(s->g, tier_multiply(s->g, weights, losses(s)));
  output(s, loss);
  (void)diff_gradient(s->graph, loss, 0, xs, 2, s->outputs + 1);
  s->output_count = 3;
}

/* Columns are brought to mean 0 and variance 1 over the rows, twice. */
static tier_value normalized(tier_graph *g, tier_value h) {
  tier_value centred = tier_subtract(g, h, tier_expand(g, tier_mean_axis(g, h, 0), 0, h));
  tier_value variance = tier_mean_axis(g, tier_square(g, centred), 0);
  tier_value scale = tier_sqrt(g, tier_shift(g, variance, 1e-3));
  return tier_divide(g, centred, tier_expand(g, scale, 0, h));
}
static void batch_statistics(struct sample *s) {
  tier_graph *g = s->g;
  tier_value h = tier_tanh(g, normalized(g, tier_matmul(g, s->x, s->w)));
  h = normalized(g, tier_add_bias(g, h, s->b));
  tier_value loss = tier_mean_all(g, tier_cross_entropy(g, h, s->labels));
  output(s, loss);
  (void)diff_gradient(s->graph, loss, 0, &s->w, 1, s->outputs + 1);
  s->output_count = 2;
}

/* Rows as images of 7 by 1, their windows of 3, and products with those. */
static void images(struct sample *s) {
  static const int64_t window[8] = {3, 1, 2, 1, 1, 1, 0, 0};
  static const int64_t filter[2] = {3, 4};
  tier_graph *g = s->g;
  const int64_t dims[4] = {s->rows, WIDTH, 1, 1};
  const int64_t flat[2] = {s->rows * 4, 3};
  tier_value x = tier_multiply(g, s->x, tier_expand(g, s->scores, 1, s->x));
  x = tier_reshape(g, x, dims, 4);
  tier_value patches = tier_emit(g, TIER_OP_PATCHES, &x, 1, window, 8);
  tier_value w = tier_slice_axis(g, tier_slice_axis(g, s->w, 0, 0, 3), 1, 0, 4);
  w = tier_reshape(g, w, filter, 2);
  tier_value h = tier_tanh(g, tier_matmul(g, tier_reshape(g, patches, flat, 2), w));
  tier_value loss = tier_mean_all(g, tier_square(g, h));
  const tier_value xs[2] = {s->w, s->scores};
  output(s, loss);
  (void)diff_gradient(s->graph, loss, 0, xs, 2, s->outputs + 1);
  s->output_count = 3;
}

/* Rows of a table, chosen by each row; parts of rows next to others; a stack of products. */
static void moved(struct sample *s) {
  tier_graph *g = s->g;
  tier_value table = tier_tanh(g, s->w);
  tier_value chosen = tier_gather(g, table, s->labels, 0);
  tier_value parts[3] = {tier_exp(g, tier_slice_axis(g, s->x, 1, 2, 5)), chosen,
                         tier_square(g, s->x)};
  tier_value joined = tier_concat(g, parts, 3, 1);
  const int64_t stack[3] = {s->rows, 3, 5};
  tier_value a = tier_reshape(g, joined, stack, 3);
  tier_value gram = tier_matmul_transposed(g, a, 0, a, 1);
  output(s, tier_sum_axis(g, gram, 0));
  output(s, joined);
  output(s, tier_max_axis(g, tier_scale(g, gram, 0.5), 2));
  (void)diff_gradient(s->graph, tier_sum_all(g, tier_sin(g, gram)), 0, &s->w, 1, s->outputs + 3);
  s->output_count = 4;
}

/* One step of Adam on `scores`, a vector. */
static void update(struct sample *s) {
  tier_graph *g = s->g;
  tier_value gradient = tier_sin(g, s->scores);
  tier_value m = tier_scale(g, gradient, 0.1);
  tier_value v = tier_scale(g, tier_square(g, gradient), 0.001);
  tier_value step = tier_divide(g, tier_scale(g, m, 10.0),
                                tier_shift(g, tier_sqrt(g, tier_scale(g, v, 1000.0)), 1e-8));
  output(s, tier_subtract(g, s->scores, tier_scale(g, step, 0.01)));
  output(s, m);
  output(s, v);
}

static const struct {
  const char *name;
  void (*build)(struct sample *s);
  int64_t rows;
  uint32_t regions; /* at least */
} cases[] = {
    {"logistic", logistic, 10007, 1},
    {"weighted", weighted, 10007, 2},
    {"batch statistics", batch_statistics, 10007, 4},
    {"images", images, 6007, 1},
    {"moved", moved, 6007, 1},
    {"update", update, 200003, 1},
};
#define CASES (sizeof cases / sizeof cases[0])

static struct sample make_case(size_t k) {
  struct sample s = make(cases[k].rows);
  cases[k].build(&s);
  if (s.graph->status < 0) {
    fail_msg("%s: %s", cases[k].name, s.graph->failure);
  }
  return s;
}

/* ---- running ---- */

static int64_t size_of(const struct sample *s, tier_value v) {
  return value_size(graph_value(s->graph, v));
}

/* Numbers with few digits, so that f32 and f64 start from the same. */
static void *input(const struct sample *s, int k, int32_t dtype) {
  int64_t size = size_of(s, s->inputs[k]);
  char *data = calloc((size_t)size, 8);
  assert_non_null(data);
  for (int64_t i = 0; i < size; i++) {
    double u = (double)(int64_t)(random_uniform(7, (uint64_t)k, (uint64_t)i) * 4096.0) / 1024.0;
    if (s->inputs[k] == s->labels) {
      ((int32_t *)(void *)data)[i] = (int32_t)i % CLASSES;
    } else if (dtype == DTYPE_F32) {
      ((float *)(void *)data)[i] = (float)(u - 2.0);
    } else {
      ((double *)(void *)data)[i] = u - 2.0;
    }
  }
  return data;
}

static struct program *compile(const struct sample *s, const struct program_options *options) {
  struct program *p = NULL;
  if (program_compile(s->graph, options, s->inputs, 3, s->inputs + 3, 3, s->outputs,
                      s->output_count, &p) < 0) {
    fail_msg("%s", error_text());
  }
  return p;
}

/* out[i] is malloc'd. Returns the status of bind and apply; frees p. */
static int32_t run(const struct sample *s, struct program *p, int32_t dtype, int32_t label,
                   void **out) {
  void *data[INPUTS];
  const void *inputs[INPUTS];
  for (int k = 0; k < INPUTS; k++) {
    data[k] = input(s, k, dtype);
    inputs[k] = data[k];
  }
  ((int32_t *)data[1])[s->rows - 3] = label;
  for (uint32_t i = 0; i < s->output_count; i++) {
    out[i] = calloc((size_t)size_of(s, s->outputs[i]), 8);
    assert_non_null(out[i]);
  }
  int32_t status = program_bind(p, inputs);
  for (int repeat = 0; status >= 0 && repeat < 2; repeat++) {
    status = program_apply(p, inputs + 3, out);
  }
  for (int k = 0; k < INPUTS; k++) {
    free(data[k]);
  }
  program_free(p);
  return status;
}

static void run_with(const struct sample *s, const char *backend, int32_t dtype, int count,
                     uint32_t flags, void **out) {
  struct threads *t = NULL;
  assert_int_equal(threads_new(count, &t), 0);
  struct program_options options = {
      .dtype = dtype, .backend = backend_find(backend), .threads = t, .flags = flags};
  if (run(s, compile(s, &options), dtype, 0, out) < 0) {
    fail_msg("%s", error_text());
  }
  threads_free(t);
}

static double get(const void *data, int32_t dtype, int64_t i) {
  return dtype == DTYPE_F32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void expect_near(const struct sample *s, const char *name, void *const *a, void *const *b,
                        int32_t dtype_b, double tolerance) {
  for (uint32_t i = 0; i < s->output_count; i++) {
    double scale = 0.0;
    int64_t size = size_of(s, s->outputs[i]);
    for (int64_t k = 0; k < size; k++) {
      scale = fmax(scale, fabs(get(a[i], DTYPE_F64, k)));
    }
    for (int64_t k = 0; k < size; k++) {
      double x = get(a[i], DTYPE_F64, k);
      double y = get(b[i], dtype_b, k);
      if (!(fabs(x - y) <= tolerance * scale)) {
        fail_msg("%s: output %u, element %lld: %.17g and %.17g", name, i, (long long)k, x, y);
      }
    }
  }
}

static void free_all(const struct sample *s, void **out) {
  for (uint32_t i = 0; i < s->output_count; i++) {
    free(out[i]);
  }
}

/* ---- the tests ---- */

static void values_are_those_of_the_reference(void **state) {
  (void)state;
  for (size_t k = 0; k < CASES; k++) {
    struct sample s = make_case(k);
    void *expected[MOST_OUTPUTS];
    void *found[MOST_OUTPUTS];
    run_with(&s, "reference", DTYPE_F64, 1, PROGRAM_PLAIN, expected);
    run_with(&s, "cpu", DTYPE_F64, 1, 0, found);
    expect_near(&s, cases[k].name, expected, found, DTYPE_F64, 1e-11);
    free_all(&s, found);
    run_with(&s, "cpu", DTYPE_F32, 2, 0, found);
    expect_near(&s, cases[k].name, expected, found, DTYPE_F32, 1e-4);
    free_all(&s, found);
    free_all(&s, expected);
    graph_free(s.graph);
  }
}

static void bits_do_not_depend_on_threads(void **state) {
  (void)state;
  for (size_t k = 0; k < 2 * CASES; k++) {
    struct sample s = make_case(k / 2);
    int32_t dtype = k % 2 == 0 ? DTYPE_F32 : DTYPE_F64;
    void *first[MOST_OUTPUTS];
    void *again[MOST_OUTPUTS];
    run_with(&s, "cpu", dtype, 1, 0, first);
    for (int count = 2; count <= 4; count++) {
      run_with(&s, "cpu", dtype, count, 0, again);
      for (uint32_t i = 0; i < s.output_count; i++) {
        size_t bytes = (size_t)size_of(&s, s.outputs[i]) * dtype_size(dtype);
        assert_memory_equal(first[i], again[i], bytes);
      }
      free_all(&s, again);
    }
    free_all(&s, first);
    graph_free(s.graph);
  }
}

static struct program_facts facts_of(const struct sample *s, const char *backend) {
  struct program_options options = {.dtype = DTYPE_F32, .backend = backend_find(backend)};
  struct program_facts facts;
  struct program *p = compile(s, &options);
  program_facts(p, &facts);
  program_free(p);
  return facts;
}

static void large_ones_have_regions_and_small_ones_none(void **state) {
  (void)state;
  for (size_t k = 0; k < CASES; k++) {
    struct sample s = make_case(k);
    uint32_t regions = facts_of(&s, "cpu").regions;
    if (regions < cases[k].regions) {
      fail_msg("%s: %u regions", cases[k].name, regions);
    }
    assert_int_equal(facts_of(&s, "reference").regions, 0);
    graph_free(s.graph);
    s = make(64);
    cases[k].build(&s);
    assert_int_equal(facts_of(&s, "cpu").regions, 0);
    graph_free(s.graph);
  }
}

/* In a program without slow inputs and without rows in its outputs, no row is kept but the ones
 * that the labels' scatter_add adds up: memory grows with their number by one f32 a row. */
#define FEW 80000
#define MANY 320000
static void memory_is_of_blocks(void **state) {
  (void)state;
  for (int which = 0; which < 2; which++) {
    int64_t bytes[2];
    for (int k = 0; k < 2; k++) {
      struct sample s = make(k == 0 ? FEW : MANY);
      struct program_options options = {.dtype = DTYPE_F32, .backend = backend_find("cpu")};
      struct program_facts facts;
      struct program *p = NULL;
      const tier_value xs[2] = {s.w, s.b};
      tier_value loss = tier_mean_all(s.g, losses(&s));
      output(&s, loss);
      if (which == 1) {
        (void)diff_gradient(s.graph, loss, 0, xs, 2, s.outputs);
        s.output_count = 2;
      }
      assert_int_equal(program_compile(s.graph, &options, NULL, 0, s.inputs, INPUTS, s.outputs,
                                       s.output_count, &p),
                       0);
      program_facts(p, &facts);
      bytes[k] = facts.arena_bytes;
      program_free(p);
      graph_free(s.graph);
    }
    assert_in_range(bytes[1], 1, bytes[0] + (MANY - FEW) * 4 + 10000);
  }
}

/* The two products of a Hessian-vector product with X: its rows are read once. */
static void an_hvp_is_one_region(void **state) {
  (void)state;
  struct mlp m = mlp_make(5000, 78, 25, 10);
  struct program_options options = {.dtype = DTYPE_F32, .backend = backend_find("cpu")};
  struct program *p = NULL;
  assert_int_equal(program_compile(m.graph, &options, m.slow, 2 + MLP_VARIABLES, m.fast,
                                   MLP_VARIABLES, m.hvp, MLP_VARIABLES, &p),
                   0);
  char *listing = program_listing(p);
  int region = 0;
  int found[8] = {0};
  for (char *line = strtok(listing, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    region += strncmp(line, "region", 6) == 0;
    int reads = strncmp(line, "  apply matmul", 14) == 0 && strstr(line, "slow 0 (") != NULL;
    found[region] += reads;
  }
  assert_int_equal(region, 2); /* one in bind */
  assert_int_equal(found[2], 2);
  free(listing);
  program_free(p);
  graph_free(m.graph);
}

static void a_bad_index_is_named_by_its_place(void **state) {
  (void)state;
  struct sample s = make_case(4);
  struct program_options options = {.dtype = DTYPE_F64, .backend = backend_find("cpu")};
  void *out[MOST_OUTPUTS];
  assert_int_equal(run(&s, compile(&s, &options), DTYPE_F64, WIDTH, out), TIER_E_DATA);
  if (strstr(error_text(), "index[6004] is 7, not in 0 to 6") == NULL) {
    fail_msg("%s", error_text());
  }
  free_all(&s, out);
  graph_free(s.graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_those_of_the_reference),
      cmocka_unit_test(bits_do_not_depend_on_threads),
      cmocka_unit_test(large_ones_have_regions_and_small_ones_none),
      cmocka_unit_test(memory_is_of_blocks),
      cmocka_unit_test(an_hvp_is_one_region),
      cmocka_unit_test(a_bad_index_is_named_by_its_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

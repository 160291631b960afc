/* The pool runs each chunk once; and programs large enough to be cut into chunks give the same
 * bits with 1 to 4 threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <tier/nn.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/random.h"
#include "compile/program.h"

#include <cmocka.h> /* last: it defines `fail` */

/* ---- the pool ---- */

#define CHUNKS 1000
static _Atomic int runs[CHUNKS];

static void count_run(void *context, int64_t chunk) {
  struct threads *t = context;
  atomic_fetch_add(&runs[chunk], 1);
  if (chunk == 0) { /* a job inside a job runs in order, here */
    int64_t sum = 0;
    threads_run(t, 0, count_run, t);
    for (int64_t i = 0; i < 10000; i++) {
      sum += i;
    }
    assert_int_equal(sum, 49995000);
  }
}

static void each_chunk_runs_once(void **state) {
  (void)state;
  for (int count = 1; count <= 4; count++) {
    struct threads *t = NULL;
    assert_int_equal(threads_new(count, &t), 0);
    assert_int_equal(threads_count(t), count);
    for (int repeat = 0; repeat < 60; repeat++) {
      memset(runs, 0, sizeof runs);
      threads_run(t, CHUNKS, count_run, t);
      for (int i = 0; i < CHUNKS; i++) {
        assert_int_equal(runs[i], 1);
      }
    }
    threads_free(t);
  }
}

static void the_default_is_the_affinity(void **state) {
  struct threads *t = NULL;
  (void)state;
  assert_int_equal(threads_new(0, &t), 0);
  assert_true(threads_count(t) >= 1);
  assert_int_equal(threads_count(NULL), 1);
  threads_free(t);
  threads_free(NULL);
}

static _Atomic int64_t last_chunk;
static void in_order(void *context, int64_t chunk) {
  (void)context;
  assert_int_equal(chunk, atomic_exchange(&last_chunk, chunk) + 1);
}
static void without_a_pool_in_order(void **state) {
  (void)state;
  last_chunk = -1;
  threads_run(NULL, 100, in_order, NULL);
  assert_int_equal(last_chunk, 99);
}

/* ---- programs ---- */

#define ROWS 350
#define INPUTS 160
#define OUTPUTS 7

/* Products, sums of all kinds, elementwise chains, copies, gathers, images, draws: each large
 * enough for several chunks. */
struct sample {
  struct graph *graph;
  tier_value inputs[3]; /* x (350, 160), w (160, 200), key */
  tier_value outputs[OUTPUTS];
};

static struct sample make_sample(void) {
  static const int64_t dims_x[2] = {ROWS, INPUTS};
  static const int64_t dims_w[2] = {INPUTS, 200};
  static const int64_t four = 4;
  static const int64_t swap[2] = {1, 0};
  static const int64_t dims_image[4] = {28, 20, 25, 4};
  static const int64_t window[8] = {3, 3, 1, 1, 1, 1, 1, 1};
  static const int64_t dims_long[1] = {ROWS * INPUTS};
  struct sample s = {.graph = graph_new()};
  tier_graph *g = &s.graph->face;
  tier_value x = graph_input(s.graph, TIER_REAL, dims_x, 2, "x");
  tier_value w = graph_input(s.graph, TIER_REAL, dims_w, 2, "w");
  tier_value key = graph_input(s.graph, TIER_I32, &four, 1, "key");
  tier_value h = tier_tanh(g, tier_matmul(g, x, w));
  tier_value image = tier_reshape(
      g, tier_slice_axis(g, tier_reshape(g, x, dims_long, 1), 0, 0, 56000), dims_image, 4);
  tier_value noise = tier_random(g, key, TIER_NORMAL, 1, dims_x, 2);
  tier_value index = tier_cast(g, tier_scale(g, tier_sigmoid(g, noise), 159.0), TIER_I32);
  s.inputs[0] = x;
  s.inputs[1] = w;
  s.inputs[2] = key;
  s.outputs[0] = tier_matmul_transposed(g, x, 1, h, 0);
  s.outputs[1] = tier_sum_all(g, tier_exp(g, x));
  s.outputs[2] = tier_sum_axis(g, h, 0);
  s.outputs[3] = tier_softmax(g, h, 1);
  s.outputs[4] = tier_multiply(g, tier_permute(g, tier_log1p(g, tier_square(g, x)), swap, 2),
                               tier_permute(g, noise, swap, 2));
  s.outputs[5] = tier_emit(g, TIER_OP_PATCHES, &image, 1, window, 8);
  s.outputs[6] = tier_gather(g, tier_softplus(g, x), index, 1);
  assert_int_equal(s.graph->status, 0);
  return s;
}

static void *fill(int64_t size, int32_t dtype, uint64_t stream) {
  char *data = calloc((size_t)size, dtype_size(dtype));
  assert_non_null(data);
  for (int64_t i = 0; i < size; i++) {
    double x = random_normal(stream, 0, (uint64_t)i);
    if (dtype == DTYPE_F32) {
      ((float *)(void *)data)[i] = (float)x;
    } else {
      ((double *)(void *)data)[i] = x;
    }
  }
  return data;
}

/* Runs the sample; out[i] is malloc'd. */
static void run_sample(const struct sample *s, int32_t dtype, struct threads *t, void **out) {
  static const int32_t key[4] = {1, 2, 3, 4};
  struct program_options options = {.dtype = dtype, .backend = backend_find("cpu"), .threads = t};
  struct program *p = NULL;
  void *x = fill(ROWS * INPUTS, dtype, 1);
  void *w = fill(INPUTS * 200, dtype, 2);
  const void *inputs[3] = {x, w, key};
  for (int i = 0; i < OUTPUTS; i++) {
    int64_t size = value_size(graph_value(s->graph, s->outputs[i]));
    out[i] = calloc((size_t)size, dtype_size(dtype));
    assert_non_null(out[i]);
  }
  if (program_compile(s->graph, &options, s->inputs, 1, s->inputs + 1, 2, s->outputs, OUTPUTS, &p) <
          0 ||
      program_bind(p, inputs) < 0 || program_apply(p, inputs + 1, out) < 0) {
    fail_msg("%s", error_text());
  }
  program_free(p);
  free(x);
  free(w);
}

static void same_bits(int32_t dtype) {
  struct sample s = make_sample();
  void *first[OUTPUTS];
  void *again[OUTPUTS];
  run_sample(&s, dtype, NULL, first);
  for (int count = 1; count <= 4; count++) {
    struct threads *t = NULL;
    assert_int_equal(threads_new(count, &t), 0);
    run_sample(&s, dtype, t, again);
    for (int i = 0; i < OUTPUTS; i++) {
      int64_t size = value_size(graph_value(s.graph, s.outputs[i]));
      assert_memory_equal(first[i], again[i], (size_t)size * dtype_size(dtype));
      free(again[i]);
    }
    threads_free(t);
  }
  for (int i = 0; i < OUTPUTS; i++) {
    free(first[i]);
  }
  graph_free(s.graph);
}

static void bits_do_not_depend_on_threads_f32(void **state) {
  (void)state;
  same_bits(DTYPE_F32);
}
static void bits_do_not_depend_on_threads_f64(void **state) {
  (void)state;
  same_bits(DTYPE_F64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_chunk_runs_once),
      cmocka_unit_test(the_default_is_the_affinity),
      cmocka_unit_test(without_a_pool_in_order),
      cmocka_unit_test(bits_do_not_depend_on_threads_f32),
      cmocka_unit_test(bits_do_not_depend_on_threads_f64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

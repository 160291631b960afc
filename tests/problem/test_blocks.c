/* Products along many vectors at once (problem/blocks.c): the same numbers as one by one up to
 * rounding, whatever their count, and the same bits for any number of threads. */
#include <math.h>
#include <stdlib.h>
#include <tier/nn.h>

#include "harness.h"
#include "problem/blocks.h"
#include "problem/edges.h"
#include "problem/products.h"

/* A classifier with weights on its rows: type, threads, model, batch. */
#define CLEANING                                                                                  \
  "{ \"tier\": 1, \"compute\": { \"dtype\": \"%s\", \"threads\": %d },"                           \
  "  \"data\": { \"pool\": { \"digits\": { \"rows\": 140 } },"                                    \
  "    \"train\": [\"pool\", { \"take\": 101 }], \"val\": [\"pool\", { \"skip\": 101 }] },"       \
  "  \"variables\": { \"net\": %s, \"belief\": { \"per\": \"train\", \"init\": 0.3 } },"          \
  "  \"objectives\": { \"training\": ["                                                           \
  "    { \"times\": [{ \"sigmoid\": \"belief\" }, { \"cross-entropy\": { \"logits\": { \"net\": " \
  "\"train.x\" }, \"labels\": \"train.y\" } }] }, { \"times\": [0.01, { \"l2\": \"net\" }] }],"   \
  "    \"validation\": { \"cross-entropy\": { \"logits\": { \"net\": \"val.x\" }, \"labels\": "   \
  "\"val.y\" } } },"                                                                              \
  "  \"levels\": ["                                                                               \
  "    { \"name\": \"inner\", \"minimize\": \"training\", \"over\": \"net\", \"batch\": %s,"      \
  "      \"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, \"steps\": 5 },"                            \
  "    { \"name\": \"outer\", \"minimize\": \"validation\", \"over\": \"belief\", "               \
  "\"through\": { \"inner\": \"cg\" }, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } }, "             \
  "\"steps\": 2 }] }"
#define LINEAR "{ \"linear\": [784, 10] }"
#define DEEP "{ \"mlp\": { \"layers\": [784, 5, 4, 10], \"activation\": \"tanh\" } }"

#define MOST 70

struct block_test {
  struct harness h;
  tier_edge *e;
  tier_oracle *o;
  int64_t n;
  tier_vector *in[MOST], *out[MOST];
};

static void open_test(struct block_test *t, const char *dtype, int threads, const char *model,
                      const char *batch) {
  harness_open(&t->h, CLEANING, dtype, threads, model, batch);
  struct problem_estimate e = harness_estimate(&t->h);
  free(e.hypergradient);
  t->e = t->h.problem->top->edges[0];
  t->n = problem_interface.size(t->e);
  assert_ok(problem_interface.at_solution(t->e, &t->e->record, 0, 0, &t->o));
  for (int i = 0; i < MOST; i++) {
    t->in[i] = vector_new(t->n);
    t->out[i] = vector_new(t->n);
    vector_interface.normal(t->in[i], 11, (uint64_t)i);
  }
}

static void close_test(struct block_test *t) {
  for (int i = 0; i < MOST; i++) {
    vector_free(t->in[i]);
    vector_free(t->out[i]);
  }
  problem_interface.release(t->o);
  harness_close(&t->h);
}

static int32_t product_block(struct block_test *t, int64_t count) {
  const tier_vector *in[MOST];
  for (int64_t i = 0; i < count; i++) {
    in[i] = t->in[i];
  }
  return problem_interface.hvp_block(t->o, count, in, t->out);
}

static void check_products(const char *model, const char *batch) {
  static const int counts[] = {1, 2, 3, 5, 8, 31, 32, 33, 40, 70};
  struct block_test t;
  open_test(&t, "f64", 1, model, batch);
  tier_vector *one = vector_new(t.n);
  for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
    for (int i = 0; i < MOST; i++) {
      vector_interface.fill(t.out[i], 7.0); /* left over from before */
    }
    assert_ok(product_block(&t, counts[c]));
    for (int i = 0; i < MOST; i++) {
      if (i < counts[c]) {
        assert_ok(problem_interface.hvp(t.o, t.in[i], one));
      } else {
        vector_interface.fill(one, 7.0); /* those beyond the count stay as they are */
      }
      double scale = vector_interface.norm(one);
      vector_interface.axpy(-1.0, t.out[i], one);
      assert_true(scale > 0);
      assert_true(vector_interface.norm(one) <= 1e-12 * scale);
    }
  }
  vector_free(one);
  close_test(&t);
}

static void blocks_equal_single_products(void **state) {
  (void)state;
  check_products(LINEAR, "\"all\"");
  check_products(DEEP, "\"all\"");
  check_products(DEEP, "17");
}

static void blocks_are_identical_for_any_threads(void **state) {
  (void)state;
  static const char *const dtypes[] = {"f32", "f64"};
  for (int d = 0; d < 2; d++) {
    struct block_test first;
    open_test(&first, dtypes[d], 1, DEEP, "\"all\"");
    assert_ok(product_block(&first, MOST));
    size_t bytes = (size_t)first.n * (d == 0 ? sizeof(float) : sizeof(double));
    char *kept = malloc(bytes * MOST);
    for (int i = 0; i < MOST; i++) {
      memcpy(kept + (size_t)i * bytes, first.out[i]->data, bytes);
    }
    close_test(&first);
    for (int threads = 2; threads <= 4; threads++) {
      struct block_test t;
      open_test(&t, dtypes[d], threads, DEEP, "\"all\"");
      assert_ok(product_block(&t, MOST));
      for (int i = 0; i < MOST; i++) {
        assert_memory_equal(kept + (size_t)i * bytes, t.out[i]->data, bytes);
      }
      close_test(&t);
    }
    free(kept);
  }
}

/* What was asked for before makes no difference, as after a resumed run it is not known. */
static void bits_do_not_depend_on_earlier_blocks(void **state) {
  (void)state;
  static const char *const models[] = {LINEAR, DEEP};
  for (int64_t count = 1; count <= 9; count += 4) {
    for (int m = 0; m < 2; m++) {
      struct block_test fresh;
      struct block_test used;
      open_test(&fresh, "f32", 1, models[m], "\"all\"");
      open_test(&used, "f32", 1, models[m], "\"all\"");
      assert_ok(product_block(&fresh, count));
      assert_ok(product_block(&used, 2));
      assert_ok(product_block(&used, MOST));
      assert_ok(product_block(&used, count));
      for (int64_t i = 0; i < count; i++) {
        assert_memory_equal(fresh.out[i]->data, used.out[i]->data, (size_t)fresh.n * sizeof(float));
      }
      close_test(&fresh);
      close_test(&used);
    }
  }
}

/* At another point, a block's program is bound again. */
static void blocks_follow_the_point(void **state) {
  (void)state;
  struct block_test t;
  open_test(&t, "f64", 1, DEEP, "\"all\"");
  tier_vector *before = vector_new(t.n);
  assert_ok(product_block(&t, 8));
  vector_interface.copy(t.out[3], before);
  problem_interface.release(t.o);
  harness_write(&t.h, "net", 0, 1.5);
  t.h.problem->serial++;
  t.e->pullbacks++; /* another hypergradient's oracle */
  assert_ok(problem_interface.at_solution(t.e, &t.e->record, 0, 0, &t.o));
  assert_ok(product_block(&t, 8));
  vector_interface.axpy(-1.0, t.out[3], before);
  assert_true(vector_interface.norm(before) > 1e-3);
  vector_free(before);
  close_test(&t);
}

/* ---- kernels of our own ---- */

/* Runs `count` vectors of n through a kernel with one vector and `outputs` of 2n, n and nothing. */
static void run_own(struct block_test *t, struct kernel *k, int64_t count, int64_t n) {
  const void *vectors[MOST];
  void *outputs[3 * MOST];
  static double in[MOST][8];
  static double long_out[MOST][8];
  static double fixed[MOST][8];
  struct point at = {.binding = &t->e->lower->binding, .level = t->e->lower, .serial = 99};
  for (int64_t j = 0; j < count; j++) {
    for (int64_t i = 0; i < n; i++) {
      in[j][i] = 1.0 + (double)(10 * j + i);
      long_out[j][i] = fixed[j][i] = -1;
    }
    vectors[j] = in[j];
    outputs[3 * j] = long_out[j];
    outputs[3 * j + 1] = NULL; /* zero: never written */
    outputs[3 * j + 2] = fixed[j];
  }
  assert_ok(kernel_run_block(k, t->h.problem, &at, count, vectors, outputs));
  for (int64_t j = 0; j < count; j++) {
    for (int64_t i = 0; i < n; i++) {
      assert_true(long_out[j][i] == 2.0 * in[j][i]);
      assert_true(fixed[j][i] == 5.0);
    }
  }
}

/* An output that is zero, one that does not depend on the vectors, and (with six axes) a graph
 * without room for an axis more, whose vectors are run one by one. */
static void odd_outputs_and_full_ranks(void **state) {
  (void)state;
  for (int32_t rank = 1; rank <= TIER_MAX_RANK; rank += TIER_MAX_RANK - 1) {
    struct block_test t;
    struct suite *s = NULL;
    const int64_t n = 4;
    const int64_t dims[TIER_MAX_RANK] = {4, 1, 1, 1, 1, 1};
    open_test(&t, "f64", 1, LINEAR, "\"all\"");
    assert_ok(suites_get(t.e->lower, 0, &s));
    struct builder *b = &s->builder;
    tier_graph *g = &b->g->face;
    tier_value v = graph_input(b->g, TIER_REAL, &n, 1, "v");
    tier_value doubled = tier_scale(g, tier_reshape(g, v, dims, rank), 2.0);
    const tier_value outputs[3] = {tier_reshape(g, doubled, &n, 1), 0, tier_fill_like(g, v, 5.0)};
    struct kernel k;
    assert_ok(kernel_make(&k, "test", b, FAST_NONE, &v, 1, outputs, 3));
    for (int64_t count = 1; count <= 35; count += 17) {
      run_own(&t, &k, count, n);
      assert_int_equal(k.block != NULL, rank < TIER_MAX_RANK && count > 1);
    }
    kernel_free(&k);
    close_test(&t);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blocks_equal_single_products),
      cmocka_unit_test(blocks_are_identical_for_any_threads),
      cmocka_unit_test(bits_do_not_depend_on_earlier_blocks),
      cmocka_unit_test(blocks_follow_the_point),
      cmocka_unit_test(odd_outputs_and_full_ranks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

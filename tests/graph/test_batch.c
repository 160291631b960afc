/* diff_batch: each operation's rule, whichever inputs have the batch axis and wherever it stands,
 * and whole random graphs: k values at once are the k values, each by itself. In f64. */
#include <string.h>

#include "../compile/random_graph.h"
#include "base/error.h"
#include "diff/diff.h"
#include "identities.h"
#include "unit.h"

#define K 3
#define BOUND 1e-13

#define SHAPE(...)                                                                      \
  {                                                                                     \
    .rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dims = { __VA_ARGS__ } \
  }
#define SCALAR \
  { .rank = 0 }
#define INTS(...) \
  .int_count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .ints = {__VA_ARGS__}
#define UNARY(opcode, ...) \
  { .op = opcode, .inputs = "r", .shapes = {SHAPE(3, 4)}, __VA_ARGS__ }
#define BINARY(opcode, letters)                                             \
  {                                                                         \
    .op = opcode, .inputs = letters, .shapes = { SHAPE(3, 4), SHAPE(3, 4) } \
  }
#define MOVE(opcode, in, ...) \
  { .op = opcode, .inputs = "r", .shapes = {in}, INTS(__VA_ARGS__) }
#define PRODUCT(a, b, ...) \
  { .op = TIER_OP_MATMUL, .inputs = "rr", .shapes = {a, b}, INTS(__VA_ARGS__) }
#define INDEXED(opcode, x, index, most, ...) \
  { .op = opcode, .inputs = "ri", .shapes = {x, index}, .indices = most, INTS(__VA_ARGS__) }

/* Letters: r real in [0.3, 1.7), q one of 0, 1, 2, i and k the same as indices below `indices` and
 * as numbers of a key. */
static const struct example examples[] = {
    UNARY(TIER_OP_CAST, INTS(TIER_REAL)),
    {.op = TIER_OP_CAST, .inputs = "q", .shapes = {SHAPE(3, 4)}, INTS(TIER_I32)},
    UNARY(TIER_OP_NEGATE, ),
    UNARY(TIER_OP_EXP, ),
    UNARY(TIER_OP_LOG, ),
    UNARY(TIER_OP_LOG1P, ),
    UNARY(TIER_OP_EXPM1, ),
    UNARY(TIER_OP_TANH, ),
    UNARY(TIER_OP_SIGMOID, ),
    UNARY(TIER_OP_SOFTPLUS, ),
    UNARY(TIER_OP_SQRT, INTS(0)),
    UNARY(TIER_OP_SIN, ),
    UNARY(TIER_OP_COS, ),
    UNARY(TIER_OP_STOP_GRADIENT, ),
    {.op = TIER_OP_EXP, .inputs = "r", .shapes = {SCALAR}},
    {.op = TIER_OP_ADD, .inputs = "rr", .shapes = {SCALAR, SCALAR}},
    BINARY(TIER_OP_ADD, "rr"),
    BINARY(TIER_OP_SUBTRACT, "rr"),
    BINARY(TIER_OP_MULTIPLY, "rr"),
    BINARY(TIER_OP_DIVIDE, "rr"),
    BINARY(TIER_OP_MAXIMUM, "qq"),
    BINARY(TIER_OP_MINIMUM, "qq"),
    BINARY(TIER_OP_LESS, "qq"),
    BINARY(TIER_OP_LESS_EQUAL, "qq"),
    BINARY(TIER_OP_EQUAL, "qq"),
    {.op = TIER_OP_EQUAL, .inputs = "ii", .shapes = {SHAPE(3, 2), SHAPE(3, 2)}, .indices = 2},
    {.op = TIER_OP_CAST, .inputs = "i", .shapes = {SHAPE(3, 2)}, .indices = 9, INTS(TIER_REAL)},
    {.op = TIER_OP_RESHAPE, .inputs = "i", .shapes = {SHAPE(3, 2)}, .indices = 9, INTS(1, 6)},
    {.op = TIER_OP_BROADCAST, .inputs = "i", .shapes = {SHAPE(3, 1)}, .indices = 9, INTS(3, 2)},
    {.op = TIER_OP_SELECT, .inputs = "qrr", .shapes = {SHAPE(3, 4), SHAPE(3, 4), SHAPE(3, 4)}},
    PRODUCT(SHAPE(3, 4), SHAPE(4, 2), 0, 0),
    PRODUCT(SHAPE(4, 3), SHAPE(4, 2), 1, 0),
    PRODUCT(SHAPE(3, 4), SHAPE(2, 4), 0, 1),
    PRODUCT(SHAPE(4, 3), SHAPE(2, 4), 1, 1),
    PRODUCT(SHAPE(2, 3, 4), SHAPE(2, 4, 2), 0, 0),
    PRODUCT(SHAPE(2, 4, 3), SHAPE(2, 4, 2), 1, 0),
    PRODUCT(SHAPE(2, 3, 4), SHAPE(2, 2, 4), 0, 1),
    PRODUCT(SHAPE(2, 2, 4, 3), SHAPE(2, 2, 2, 4), 1, 1),
    PRODUCT(SHAPE(2, 0), SHAPE(0, 3), 0, 0),
    MOVE(TIER_OP_RESHAPE, SHAPE(3, 4), 2, 6),
    MOVE(TIER_OP_RESHAPE, SHAPE(3, 4), 3, 1, 2, 2),
    MOVE(TIER_OP_RESHAPE, SHAPE(1, 1), 1),
    MOVE(TIER_OP_RESHAPE, SHAPE(3, 0), 0, 2),
    MOVE(TIER_OP_PERMUTE, SHAPE(2, 3, 4), 2, 0, 1),
    MOVE(TIER_OP_PERMUTE, SHAPE(2, 1, 3, 2, 2), 2, 0, 4, 3, 1),
    MOVE(TIER_OP_BROADCAST, SHAPE(3, 1, 2), 3, 4, 2),
    MOVE(TIER_OP_BROADCAST, SHAPE(1, 3, 1), 2, 3, 2),
    MOVE(TIER_OP_SLICE, SHAPE(7, 6), 1, 0, 7, 5, 2, 3),
    MOVE(TIER_OP_PAD, SHAPE(3, 2), 1, 0, 0, 1, 2, 2),
    {.op = TIER_OP_SLICE, .inputs = "r", .shapes = {SCALAR}},
    {.op = TIER_OP_PAD, .inputs = "r", .shapes = {SCALAR}},
    {.op = TIER_OP_CONCAT,
     .inputs = "rrr",
     .shapes = {SHAPE(2, 3), SHAPE(2, 1), SHAPE(2, 2)},
     INTS(1)},
    {.op = TIER_OP_CONCAT, .inputs = "rr", .shapes = {SHAPE(2, 3), SHAPE(1, 3)}, INTS(0)},
    MOVE(TIER_OP_SUM, SHAPE(3, 4), 0),
    MOVE(TIER_OP_SUM, SHAPE(2, 3, 4), 0, 2),
    MOVE(TIER_OP_SUM, SHAPE(3, 4), 0, 1),
    {.op = TIER_OP_SUM, .inputs = "r", .shapes = {SHAPE(3, 4)}},
    MOVE(TIER_OP_MAX, SHAPE(2, 3, 4), 1),
    MOVE(TIER_OP_ARGMAX, SHAPE(2, 3, 4), 1),
    MOVE(TIER_OP_ARGMAX, SHAPE(2, 3), 0),
    MOVE(TIER_OP_ARGSORT, SHAPE(2, 3, 4), 1),
    INDEXED(TIER_OP_GATHER, SHAPE(5, 3), SHAPE(7), 5, 0),
    INDEXED(TIER_OP_GATHER, SHAPE(3, 4, 2), SHAPE(3, 2), 4, 1),
    INDEXED(TIER_OP_GATHER, SHAPE(4, 5), SHAPE(4, 1), 5, 1),
    INDEXED(TIER_OP_SCATTER_ADD, SHAPE(7, 3), SHAPE(7), 5, 0, 5),
    INDEXED(TIER_OP_SCATTER_ADD, SHAPE(3, 6, 2), SHAPE(3, 6), 4, 1, 4),
    MOVE(TIER_OP_PATCHES, SHAPE(2, 5, 4, 2), 3, 2, 2, 3, 1, 1, 1, 0),
    MOVE(TIER_OP_FOLD, SHAPE(2, 3, 2, 6), 5, 4, 3, 2, 2, 3, 1, 1, 1, 0),
    {.op = TIER_OP_RANDOM, .inputs = "k", .shapes = {SHAPE(4)}, INTS(TIER_NORMAL, 2, 3, 2)},
    {.op = TIER_OP_RANDOM, .inputs = "k", .shapes = {SHAPE(4)}, INTS(TIER_UNIFORM, 1)},
};
#define EXAMPLES (sizeof examples / sizeof examples[0])

static void every_operation_with_inputs_is_in_the_table(void **state) {
  (void)state;
  int covered[TIER_OP_COUNT] = {[TIER_OP_CONSTANT] = 1, [TIER_OP_IOTA] = 1};
  for (size_t i = 0; i < EXAMPLES; i++) {
    covered[examples[i].op] = 1;
  }
  for (uint32_t op = 1; op < TIER_OP_COUNT; op++) {
    assert_true(covered[op]);
  }
}

/* ---- comparing ---- */

/* Inputs and their numbers; those with an axis of K in front are xs' batched counterparts. */
struct sets {
  struct graph *g;
  tier_value inputs[RANDOM_SLOW + RANDOM_FAST], batched[RANDOM_SLOW + RANDOM_FAST];
  double *data[RANDOM_SLOW + RANDOM_FAST]; /* K sets, or one where batched is 0 */
  uint32_t count;
};

static void sets_batch(struct sets *s, uint32_t i) {
  const struct value x = *graph_value(s->g, s->inputs[i]);
  int64_t dims[TIER_MAX_RANK + 1] = {K};
  memcpy(dims + 1, x.dims, (size_t)x.rank * sizeof *dims);
  s->batched[i] = graph_input(s->g, TIER_REAL, dims, x.rank + 1, "batched");
}

static void sets_free(struct sets *s) {
  for (uint32_t i = 0; i < s->count; i++) {
    free(s->data[i]);
  }
}

/* y from set j. */
static double *one(const struct sets *s, tier_value y, int64_t j) {
  const double *data[RANDOM_SLOW + RANDOM_FAST];
  double *out = calloc((size_t)size_of(s->g, y) + 1, sizeof *out);
  for (uint32_t i = 0; i < s->count; i++) {
    data[i] = s->data[i] + (s->batched[i] != 0 ? j * size_of(s->g, s->inputs[i]) : 0);
  }
  evaluate_one(s->g, s->inputs, s->count, data, y, out);
  return out;
}

/* All K of them at once. */
static double *all(const struct sets *s, tier_value wide) {
  tier_value inputs[RANDOM_SLOW + RANDOM_FAST];
  double *out = calloc((size_t)size_of(s->g, wide) + 1, sizeof *out);
  for (uint32_t i = 0; i < s->count; i++) {
    inputs[i] = s->batched[i] != 0 ? s->batched[i] : s->inputs[i];
  }
  evaluate_one(s->g, inputs, s->count, (const double *const *)s->data, wide, out);
  return out;
}

/* Vectorizes y; 0 if a rank is too high. */
static int vectorized(const struct sets *s, tier_value y, tier_value *wide) {
  tier_value xs[RANDOM_SLOW + RANDOM_FAST];
  tier_value batched[RANDOM_SLOW + RANDOM_FAST];
  uint32_t count = 0;
  for (uint32_t i = 0; i < s->count; i++) {
    if (s->batched[i] != 0) {
      xs[count] = s->inputs[i];
      batched[count++] = s->batched[i];
    }
  }
  int32_t status = diff_batch(s->g, K, &y, 1, xs, batched, count, wide);
  assert_true(status == TIER_OK || status == TIER_E_UNSUPPORTED);
  assert_int_equal(graph_status(s->g), TIER_OK);
  return status == TIER_OK;
}

/* The largest error of `wide` against y of each set, over the scale of y. */
static double error_of(const struct sets *s, tier_value y, tier_value wide) {
  int64_t size = size_of(s->g, y);
  double most = 0;
  double *together = all(s, wide);
  assert_int_equal(size_of(s->g, wide), K * size);
  for (int64_t j = 0; j < K; j++) {
    double *alone = one(s, y, j);
    double error = distance(together + j * size, alone, size);
    most = error > most ? error : most;
    free(alone);
  }
  free(together);
  return most;
}

/* ---- each operation ---- */

static double number(struct generator *r, const struct example *e, char letter) {
  switch (letter) {
    case 'q':
      return (double)(int)draw(r, 0, 3);
    case 'i':
      return (double)(int)draw(r, 0, (double)e->indices);
    case 'k':
      return (double)(int)draw(r, -100, 100);
    default:
      return draw(r, 0.3, 1.7);
  }
}

/* x itself, or x in a roundabout way after which the batch axis stands behind the first `axes`
 * ones: multiplied from the left by a unit matrix, exactly. */
static tier_value placed(struct graph *g, tier_value x, int32_t axes) {
  tier_graph *f = &g->face;
  const struct value v = *graph_value(g, x);
  int64_t dims[2] = {1, 1};
  for (int32_t i = 0; i < v.rank; i++) {
    dims[i >= axes] *= v.dims[i];
  }
  if (axes == 0 || axes > v.rank || dims[0] * dims[1] == 0) {
    return x;
  }
  const int64_t square[2] = {dims[0], dims[0]};
  tier_value unit = tier_equal(f, tier_iota(f, 0, square, 2), tier_iota(f, 1, square, 2));
  return tier_reshape_like(f, tier_matmul(f, unit, tier_reshape(f, x, dims, 2)), x);
}

/* The example with the inputs of `subset` batched, with their axes behind axes[i] others. */
static void check(const struct example *e, uint32_t subset, const int32_t *axes) {
  struct generator r = {.state = 77 + subset};
  struct sets s = {.g = graph_new(), .count = (uint32_t)strlen(e->inputs)};
  tier_value in[3];
  for (uint32_t i = 0; i < s.count; i++) {
    s.inputs[i] = input_real(s.g, e->shapes[i].dims, e->shapes[i].rank);
    int64_t size = size_of(s.g, s.inputs[i]) * K;
    s.data[i] = calloc((size_t)size + 1, sizeof(double));
    for (int64_t k = 0; k < size; k++) {
      s.data[i][k] = number(&r, e, e->inputs[i]);
    }
    in[i] = placed(s.g, s.inputs[i], axes[i]);
    if (strchr("ik", e->inputs[i]) != NULL) {
      in[i] = tier_cast(&s.g->face, in[i], TIER_I32);
    }
    if (subset >> i & 1) {
      sets_batch(&s, i);
    }
  }
  tier_value y = tier_emit(&s.g->face, e->op, in, s.count, e->ints, e->int_count);
  tier_value wide = 0;
  assert_true(vectorized(&s, y, &wide));
  double error = error_of(&s, y, wide);
  if (!(error <= BOUND)) {
    fail_msg("%s, inputs %u, axes %d %d: error %g", operation_get(e->op)->name, subset, axes[0],
             axes[1], error);
  }
  graph_free(s.g);
  sets_free(&s);
}

static void each_operation_over_k_is_each_of_the_k(void **state) {
  (void)state;
  for (size_t i = 0; i < EXAMPLES; i++) {
    const struct example *e = &examples[i];
    uint32_t count = (uint32_t)strlen(e->inputs);
    for (uint32_t subset = 1; subset < 1u << count; subset++) {
      for (int32_t first = 0; first <= e->shapes[0].rank; first++) {
        for (int32_t second = 0; second <= e->shapes[1].rank; second++) {
          check(e, subset, (const int32_t[3]){first, second, first});
        }
      }
    }
  }
}

/* ---- whole graphs ---- */

static void random_graphs_over_k_are_each_of_the_k(void **state) {
  (void)state;
  int done = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    struct random_graph made;
    struct generator r = {.state = seed * 7919};
    random_graph_make(&made, seed, 25);
    struct sets s = {.g = made.graph};
    for (uint32_t i = 0; i < RANDOM_SLOW + RANDOM_FAST; i++) {
      tier_value x = i < RANDOM_SLOW ? made.slow[i] : made.fast[i - RANDOM_SLOW];
      int is_key = graph_value(s.g, x)->type == TIER_I32;
      int64_t size = size_of(s.g, x) * K;
      s.inputs[s.count] = x;
      s.data[s.count] = calloc((size_t)size + 1, sizeof(double));
      for (int64_t k = 0; k < size; k++) {
        s.data[s.count][k] = is_key ? (double)k : draw(&r, -1.5, 1.5);
      }
      s.count++;
      if (!is_key && draw(&r, 0, 1) < 0.5) {
        sets_batch(&s, s.count - 1);
      }
    }
    for (uint32_t o = 0; o < made.output_count; o++) {
      tier_value wide = 0;
      if (vectorized(&s, made.outputs[o], &wide) && wide != 0) {
        double error = error_of(&s, made.outputs[o], wide);
        if (!(error <= 1e-10)) {
          fail_msg("seed %d, output %u: error %g", (int)seed, o, error);
        }
        done++;
      }
    }
    random_graph_free(&made);
    sets_free(&s);
  }
  assert_true(done > 60);
}

/* ---- what it is for ---- */

/* The rank of the only product that the graph's tail has. */
static int32_t only_product(const struct graph *g, uint32_t from) {
  int32_t rank = 0;
  for (uint32_t v = from; v < g->count; v++) {
    if (graph_value(g, v)->op == TIER_OP_MATMUL) {
      assert_int_equal(rank, 0);
      rank = graph_value(g, v)->rank;
    }
  }
  return rank;
}

static void products_with_one_operand_batched_are_single(void **state) {
  (void)state;
  for (int flags = 0; flags < 8; flags++) {
    struct sets s = {.g = graph_new(), .count = 2};
    const int64_t a[2] = {flags & 1 ? 5 : 6, flags & 1 ? 6 : 5};
    const int64_t b[2] = {flags & 2 ? 4 : 5, flags & 2 ? 5 : 4};
    s.inputs[0] = input_real(s.g, a, 2);
    s.inputs[1] = input_real(s.g, b, 2);
    tier_value y =
        tier_matmul_transposed(&s.g->face, s.inputs[0], flags & 1, s.inputs[1], flags >> 1 & 1);
    sets_batch(&s, (uint32_t)flags >> 2);
    uint32_t before = s.g->count;
    tier_value wide = 0;
    assert_true(vectorized(&s, y, &wide));
    assert_int_equal(only_product(s.g, before), 2);
    graph_free(s.g);
  }
}

static void what_does_not_depend_is_not_repeated(void **state) {
  (void)state;
  struct graph *g = graph_new();
  const int64_t n = 4;
  const int64_t dims[2] = {K, 4};
  tier_value x = input_real(g, &n, 1);
  tier_value v = input_real(g, &n, 1);
  tier_value wide_v = input_real(g, dims, 2);
  tier_value s = tier_exp(&g->face, x);
  const tier_value ys[2] = {s, tier_multiply(&g->face, s, v)};
  tier_value out[2] = {9, 9};
  uint32_t before = g->count;
  assert_int_equal(diff_batch(g, K, ys, 2, &v, &wide_v, 1, out), TIER_OK);
  assert_int_equal(out[0], 0);
  assert_int_not_equal(out[1], 0);
  for (uint32_t i = before; i < g->count; i++) {
    assert_int_not_equal(graph_value(g, i)->op, TIER_OP_EXP);
  }
  graph_free(g);
}

static void a_rank_too_high_is_refused_and_the_graph_stays_good(void **state) {
  (void)state;
  struct graph *g = graph_new();
  const int64_t six[6] = {1, 2, 1, 1, 1, 1};
  const int64_t two[2] = {K, 2};
  tier_value x = input_real(g, &two[1], 1);
  tier_value wide = input_real(g, two, 2);
  tier_value y = tier_reshape(&g->face, x, six, 6);
  tier_value out = 9;
  assert_int_equal(diff_batch(g, K, &y, 1, &x, &wide, 1, &out), TIER_E_UNSUPPORTED);
  assert_int_equal(out, 0);
  assert_int_equal(graph_status(g), TIER_OK);
  assert_true(diff_batch(g, K + 1, &x, 1, &x, &wide, 1, &out) < 0); /* another k */
  assert_true(graph_status(g) < 0);
  graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_operation_with_inputs_is_in_the_table),
      cmocka_unit_test(each_operation_over_k_is_each_of_the_k),
      cmocka_unit_test(random_graphs_over_k_are_each_of_the_k),
      cmocka_unit_test(products_with_one_operand_batched_are_single),
      cmocka_unit_test(what_does_not_depend_is_not_repeated),
      cmocka_unit_test(a_rank_too_high_is_refused_and_the_graph_stays_good),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

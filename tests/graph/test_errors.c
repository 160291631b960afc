/* A call that is wrong fails with a text that names the operation, the shapes, and who asked. */
#include <string.h>

#include "base/error.h"
#include "support.h"
#include "unit.h"

#define SHAPE(...)                                        \
  {                                                       \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), { \
      __VA_ARGS__                                         \
    }                                                     \
  }
#define INTS(...)                                       \
  sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), { \
    __VA_ARGS__                                         \
  }

/* An operation, its inputs (r real, i i32, 0 the null value), attributes, and the text. */
static const struct wrong {
  uint32_t op;
  const char *inputs;
  struct {
    int32_t rank;
    int64_t dims[TIER_MAX_RANK];
  } shapes[3];
  uint32_t int_count;
  int64_t ints[3 * TIER_MAX_RANK];
  const char *text;
} wrongs[] = {
    {TIER_OP_MATMUL,
     "rr",
     {SHAPE(100, 784), SHAPE(780, 10)},
     INTS(0, 0),
     "matmul: inner sizes differ: (100, 784) x (780, 10)"},
    {TIER_OP_MATMUL,
     "rr",
     {SHAPE(3, 4), SHAPE(4, 2)},
     INTS(0, 1),
     "matmul: inner sizes differ (the second transposed): (3, 4) x (4, 2)"},
    {TIER_OP_MATMUL,
     "rr",
     {SHAPE(2, 3, 4), SHAPE(3, 4, 2)},
     INTS(0, 0),
     "matmul: leading sizes differ: (2, 3, 4) x (3, 4, 2)"},
    {TIER_OP_MATMUL,
     "rr",
     {SHAPE(3), SHAPE(3)},
     INTS(0, 0),
     "matmul: needs two operands of one rank, 2 or more: (3) x (3)"},
    {TIER_OP_MATMUL,
     "rr",
     {SHAPE(3, 3), SHAPE(3, 3)},
     INTS(0, 2),
     "matmul: a transpose flag must be 0 or 1: (3, 3) x (3, 3)"},
    {TIER_OP_MATMUL,
     "ri",
     {SHAPE(3, 3), SHAPE(3, 3)},
     INTS(0, 0),
     "matmul: input 2 must be real, not i32: (3, 3) x i32 (3, 3)"},
    {TIER_OP_MATMUL,
     "rr",
     {SHAPE(3, 3), SHAPE(3, 3)},
     INTS(0),
     "matmul: takes 2 integer attributes, got 1: (3, 3) x (3, 3)"},
    {TIER_OP_ADD, "rr", {SHAPE(3, 4), SHAPE(4)}, .text = "add: shapes differ: (3, 4) and (4)"},
    {TIER_OP_ADD, "r", {SHAPE(3)}, .text = "add: takes 2 inputs, got 1: (3)"},
    {TIER_OP_ADD,
     "r0",
     {SHAPE(3)},
     .text = "add: input 2 is not a value of this graph: (3) and null"},
    {TIER_OP_CONCAT, "", .text = "concat: takes 1 or more inputs, got 0"},
    {TIER_OP_EXP, "i", {SHAPE(3)}, .text = "exp: input 1 must be real, not i32: i32 (3)"},
    {TIER_OP_SQRT, "r", {SHAPE(3)}, .text = "sqrt: takes 1 integer attributes, got 0: (3)"},
    {TIER_OP_LESS,
     "ri",
     {SHAPE(3), SHAPE(3)},
     .text = "less: types differ (cast one of them): (3) and i32 (3)"},
    {TIER_OP_SELECT,
     "rrr",
     {SHAPE(3), SHAPE(3), SHAPE(2)},
     .text = "select: shapes differ: (3) and (3) and (2)"},
    {TIER_OP_CAST, "r", {SHAPE(3)}, INTS(5), "cast: there is no type 5: (3)"},
    {TIER_OP_CONSTANT, "", .int_count = 7, .ints = {1, 1, 1, 1, 1, 1, 1},
     .text = "constant: rank 7 is above 6"},
    {TIER_OP_CONSTANT, "", {{0}}, INTS(2, -1), "constant: size -1 of axis 1 is negative"},
    {TIER_OP_CONSTANT, "", {{0}}, INTS(2, 3), "constant: needs 1 or 6 numbers, got 0"},
    {TIER_OP_IOTA, "", {{0}}, INTS(0), "iota: needs an axis and at least one size"},
    {TIER_OP_IOTA, "", {{0}}, INTS(1, 3), "iota: axis 1 is not in 0 to 0"},
    {TIER_OP_RESHAPE, "r", {SHAPE(3, 4)}, INTS(5), "reshape: 12 elements cannot become 5: (3, 4)"},
    {TIER_OP_PERMUTE, "r", {SHAPE(3, 4)}, INTS(0, 0), "permute: an axis stands twice: (3, 4)"},
    {TIER_OP_PERMUTE, "r", {SHAPE(3, 4)}, INTS(0, 2), "permute: axis 2 is not in 0 to 1: (3, 4)"},
    {TIER_OP_BROADCAST,
     "r",
     {SHAPE(3, 2)},
     INTS(3, 4),
     "broadcast: axis 1: size 2 cannot become 4: (3, 2)"},
    {TIER_OP_BROADCAST,
     "r",
     {SHAPE(3)},
     INTS(2, 3),
     "broadcast: to rank 2: the rank must stay (reshape first): (3)"},
    {TIER_OP_SLICE,
     "r",
     {SHAPE(4)},
     INTS(1, 5, 1),
     "slice: axis 0: 1 to 5 by 1 does not lie in 0 to 4: (4)"},
    {TIER_OP_SLICE,
     "r",
     {SHAPE(4)},
     INTS(1, 3, 0),
     "slice: axis 0: 1 to 3 by 0 does not lie in 0 to 4: (4)"},
    {TIER_OP_SLICE,
     "r",
     {SHAPE(4)},
     INTS(1, 3, INT64_C(1) << 62),
     "slice: axis 0: 1 to 3 by 4611686018427387904 does not lie in 0 to 4: (4)"},
    {TIER_OP_PAD,
     "r",
     {SHAPE(1)},
     INTS(0, 0, INT64_MAX),
     "pad: axis 0: padding 0, 0, 9223372036854775807 is negative or too large: (1)"},
    {TIER_OP_PAD,
     "r",
     {SHAPE(4)},
     INTS(1, -3, 0),
     "pad: axis 0: padding 1, -3, 0 is negative or too large: (4)"},
    {TIER_OP_CONCAT,
     "rr",
     {SHAPE(2, 3), SHAPE(3, 3)},
     INTS(1),
     "concat: sizes of axis 0 differ: (2, 3) and (3, 3)"},
    {TIER_OP_SUM, "r", {SHAPE(2, 3)}, INTS(1, 0), "sum: the axes must ascend: (2, 3)"},
    {TIER_OP_SUM, "r", {SHAPE(2, 3)}, INTS(-1), "sum: axis -1 is not in 0 to 1: (2, 3)"},
    {TIER_OP_MAX, "r", {SHAPE(2, 0)}, INTS(1), "max: axis 1 is empty: (2, 0)"},
    {TIER_OP_ARGSORT,
     "r",
     {SHAPE(INT64_C(1) << 31)},
     INTS(0),
     "argsort: size 2147483648 is too large for i32: (2147483648)"},
    {TIER_OP_ARGMAX, "r", {SHAPE(2, 3)}, INTS(2), "argmax: axis 2 is not in 0 to 1: (2, 3)"},
    {TIER_OP_GATHER,
     "rr",
     {SHAPE(5, 3), SHAPE(2)},
     INTS(0),
     "gather: input 2 must be i32, not real: (5, 3) and (2)"},
    {TIER_OP_GATHER,
     "ri",
     {SHAPE(5, 3), SHAPE(5)},
     INTS(1),
     "gather: with 1 batch axes the index must have rank 2: (5, 3) and i32 (5)"},
    {TIER_OP_GATHER,
     "ri",
     {SHAPE(5, 3), SHAPE(4, 1)},
     INTS(1),
     "gather: sizes of batch axis 0 differ: (5, 3) and i32 (4, 1)"},
    {TIER_OP_SCATTER_ADD,
     "ri",
     {SHAPE(5, 3), SHAPE(4)},
     INTS(0, 9),
     "scatter_add: sizes of axis 0 differ: (5, 3) and i32 (4)"},
    {TIER_OP_SLICE,
     "r",
     {SHAPE(4)},
     INTS(-1, 3, 1),
     "slice: axis 0: -1 to 3 by 1 does not lie in 0 to 4: (4)"},
    {TIER_OP_SLICE,
     "r",
     {SHAPE(4)},
     INTS(3, 2, 1),
     "slice: axis 0: 3 to 2 by 1 does not lie in 0 to 4: (4)"},
    {TIER_OP_GATHER,
     "ri",
     {SHAPE(5), SHAPE(5)},
     INTS(-1),
     "gather: with -1 batch axes the index must have rank 0: (5) and i32 (5)"},
    {TIER_OP_GATHER,
     "ri",
     {SHAPE(5), SHAPE(5, 1)},
     INTS(1),
     "gather: with 1 batch axes the index must have rank 2: (5) and i32 (5, 1)"},
    {TIER_OP_GATHER,
     "ri",
     {SHAPE(0), SHAPE(5)},
     INTS(0),
     "gather: axis 0 is empty: nothing to gather from: (0) and i32 (5)"},
    {TIER_OP_SCATTER_ADD,
     "ri",
     {SHAPE(4), SHAPE(4)},
     INTS(0, 0),
     "scatter_add: nothing can be added into size 0: (4) and i32 (4)"},
    {TIER_OP_SCATTER_ADD,
     "ri",
     {SHAPE(4), SHAPE(4)},
     INTS(0, -1),
     "scatter_add: nothing can be added into size -1: (4) and i32 (4)"},
    {TIER_OP_FOLD,
     "r",
     {SHAPE(1, 3, 4, 8)},
     INTS(-4, 4, 2, 2, 1, 1, 0, 0, 0, 0),
     "fold: an image cannot be -4 x 4: (1, 3, 4, 8)"},
    {TIER_OP_FOLD,
     "r",
     {SHAPE(1, 3, 4)},
     INTS(4, 4, 2, 2, 1, 1, 0, 0, 0, 0),
     "fold: needs patches of shape (n, height, width, elements): (1, 3, 4)"},
    {TIER_OP_PATCHES,
     "r",
     {SHAPE(4, 4)},
     INTS(2, 2, 1, 1, 0, 0, 0, 0),
     "patches: needs images of shape (n, height, width, channels): (4, 4)"},
    {TIER_OP_PATCHES,
     "r",
     {SHAPE(1, 4, 4, 1)},
     INTS(5, 2, 1, 1, 0, 0, 0, 0),
     "patches: a window of 5 x 2 does not fit: (1, 4, 4, 1)"},
    {TIER_OP_PATCHES,
     "r",
     {SHAPE(1, 4, 4, 1)},
     INTS(2, 2, 0, 1, 0, 0, 0, 0),
     "patches: window and step must be 1 or more, the border 0 or more: (1, 4, 4, 1)"},
    {TIER_OP_FOLD,
     "r",
     {SHAPE(1, 3, 4, 8)},
     INTS(4, 4, 2, 2, 1, 1, 0, 0, 0, 0),
     "fold: the window has 3 x 3 places of 4 elements a channel: (1, 3, 4, 8)"},
    {TIER_OP_RANDOM,
     "i",
     {SHAPE(3)},
     INTS(TIER_UNIFORM, 0, 2),
     "random: the key must have shape (4): i32 (3)"},
    {TIER_OP_RANDOM, "i", {SHAPE(4)}, INTS(7, 0, 2), "random: there is no distribution 7: i32 (4)"},
    {TIER_OP_BROADCAST,
     "r",
     {SHAPE(1, 1)},
     INTS(INT64_C(1) << 40, INT64_C(1) << 40),
     "broadcast: a size is negative, or there are too many elements: (1, 1)"},
    {OP_INPUT, "", .text = "there is no operation with opcode 0"},
    {TIER_OP_COUNT, "", .text = "there is no operation with opcode 42"},
};

static tier_value emit(struct graph *g, const struct wrong *w) {
  tier_value in[3] = {0};
  uint32_t count = (uint32_t)strlen(w->inputs);
  for (uint32_t i = 0; i < count; i++) {
    if (w->inputs[i] != '0') {
      in[i] = graph_input(g, w->inputs[i] == 'i' ? TIER_I32 : TIER_REAL, w->shapes[i].dims,
                          w->shapes[i].rank, "x");
    }
  }
  return tier_emit(&g->face, w->op, in, count, w->ints, w->int_count);
}

static void wrong_calls_are_explained(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
    struct graph *g = graph_new();
    assert_int_equal(emit(g, &wrongs[i]), 0);
    error_clear();
    assert_int_equal(graph_status(g), TIER_E_INVALID);
    assert_string_equal(error_text(), wrongs[i].text);
    graph_free(g);
  }
  error_clear();
}

/* With an origin the text says who asked; the parts that are not known are left out. */
static void the_text_says_who_asked(void **state) {
  (void)state;
  const struct {
    struct origin origin;
    const char *text;
  } rows[] = {
      {{"linear", "forward", "m.json:7:12"}, ", asked for by linear.forward at m.json:7:12"},
      {{"mse", NULL, "m.json:7:12"}, ", asked for by mse at m.json:7:12"},
      {{"mse", NULL, NULL}, ", asked for by mse"},
      {{NULL, NULL, "m.json:7:12"}, ", asked for at m.json:7:12"},
      {{NULL, NULL, NULL}, ""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char expected[200];
    struct graph *g = graph_new();
    uint32_t before = graph_origin(g, rows[i].origin);
    assert_int_equal(emit(g, &wrongs[0]), 0);
    graph_restore_origin(g, before);
    (void)snprintf(expected, sizeof expected, "%s%s", wrongs[0].text, rows[i].text);
    assert_string_equal(g->failure, expected);
    graph_free(g);
  }
}

static void the_first_failure_wins(void **state) {
  (void)state;
  struct graph *g = graph_new();
  const int64_t three = 3;
  tier_value x = input_real(g, &three, 1);
  tier_value bad = tier_add(&g->face, x, tier_scalar(&g->face, 1));
  assert_int_equal(bad, 0);
  uint32_t count = g->count;
  tier_value later = tier_matmul(&g->face, tier_exp(&g->face, bad), x);
  assert_int_equal(later, 0);
  assert_int_equal(g->face.api->fail(&g->face, "later"), 0);
  assert_int_equal(g->count, count); /* nothing is made any more */
  assert_string_equal(g->failure, "add: shapes differ: (3) and ()");
  assert_int_equal(g->face.api->shape(&g->face, bad, &(int64_t){0}), -1);
  assert_int_equal(g->face.api->type(&g->face, bad), 0);
  graph_free(g);
}

static void a_plugin_may_give_a_reason(void **state) {
  (void)state;
  struct graph *g = graph_new();
  (void)graph_origin(g, (struct origin){"mlp", "forward", "m.json:3:1"});
  assert_int_equal(g->face.api->fail(&g->face, "needs two layers"), 0);
  assert_string_equal(g->failure, "needs two layers, asked for by mlp.forward at m.json:3:1");
  graph_free(g);
}

static void attributes_of_another_size_are_refused(void **state) {
  (void)state;
  struct graph *g = graph_new();
  const double one = 1;
  tier_attributes a = {.struct_size = 8, .real_count = 1, .reals = &one};
  assert_int_equal(g->face.api->emit(&g->face, TIER_OP_CONSTANT, NULL, 0, &a), 0);
  assert_string_equal(g->failure, "constant: tier_attributes.struct_size is 8, below 32");
  graph_free(g);
  g = graph_new();
  a = (tier_attributes){.struct_size = sizeof a, .int_count = 1, .real_count = 1, .reals = &one};
  assert_int_equal(g->face.api->emit(&g->face, TIER_OP_CONSTANT, NULL, 0, &a), 0);
  assert_string_equal(g->failure, "constant: a count of attributes is given, but no numbers");
  graph_free(g);
  g = graph_new();
  tier_value x = input_real(g, NULL, 0);
  a.int_count = 0;
  assert_int_equal(g->face.api->emit(&g->face, TIER_OP_EXP, &x, 1, &a), 0);
  assert_string_equal(g->failure, "exp: takes no real attributes: ()");
  graph_free(g);
}

/* A rank that no value has is refused before the sizes are read. */
static void a_wrong_rank_is_refused(void **state) {
  (void)state;
  static const int64_t dims[TIER_MAX_RANK + 1] = {1, 1, 1, 1, 1, 1, 1};
  const int64_t four = 4;
  for (int32_t rank = -2; rank <= TIER_MAX_RANK + 1; rank += TIER_MAX_RANK + 3) {
    for (int face = 0; face < 4; face++) {
      struct graph *g = graph_new();
      tier_value key = graph_input(g, TIER_I32, &four, 1, "key");
      tier_value v = face == 0   ? tier_fill(&g->face, 1.0, dims, rank)
                     : face == 1 ? tier_iota(&g->face, 0, dims, rank)
                     : face == 2 ? tier_random(&g->face, key, TIER_UNIFORM, 0, dims, rank)
                                 : tier_reshape(&g->face, key, dims, rank);
      assert_int_equal(v, 0);
      if (strstr(g->failure, "rank 7 is above 6") == NULL &&
          strstr(g->failure, "integer attributes") == NULL &&
          strstr(g->failure, "random: needs a distribution") == NULL) {
        fail_msg("face %d, rank %d: %s", face, rank, g->failure);
      }
      graph_free(g);
    }
  }
}

/* Composites fail through their primitives, or with a reason of their own. */
static void composites_are_explained(void **state) {
  (void)state;
  const int64_t dims[2] = {3, 4};
  struct graph *g = graph_new();
  tier_value x = input_real(g, dims, 2);
  tier_value bias = input_real(g, dims, 1);
  assert_int_equal(tier_add_bias(&g->face, x, bias), 0);
  assert_string_equal(g->failure, "broadcast: axis 1: size 3 cannot become 4: (1, 3)");
  graph_free(g);
  g = graph_new();
  assert_int_equal(tier_flatten_rows(&g->face, tier_scalar(&g->face, 1)), 0);
  assert_string_equal(g->failure, "flatten_rows: a scalar has no rows");
  graph_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(wrong_calls_are_explained),
      cmocka_unit_test(the_text_says_who_asked),
      cmocka_unit_test(the_first_failure_wins),
      cmocka_unit_test(a_plugin_may_give_a_reason),
      cmocka_unit_test(attributes_of_another_size_are_refused),
      cmocka_unit_test(a_wrong_rank_is_refused),
      cmocka_unit_test(composites_are_explained),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every primitive that has a derivative: shape, value and the five identities, at random points,
 * with and without broadcasting around it. */
#include <string.h>

#include "identities.h"
#include "unit.h"

#define SHAPE(...)                                                                      \
  {                                                                                     \
    .rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dims = { __VA_ARGS__ } \
  }
#define SCALAR \
  { .rank = 0 }
#define INTS(...) \
  .int_count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .ints = {__VA_ARGS__}

/* One real input of shape (3, 4), numbers from low to high. */
#define UNARY(text, opcode, from, to, ...)                                                  \
  {                                                                                         \
    .name = text, .op = opcode, .inputs = "r", .shapes = {SHAPE(3, 4)}, .out = SHAPE(3, 4), \
    .low = from, .high = to, __VA_ARGS__                                                    \
  }
/* Two real inputs of shape (3, 4). */
#define BINARY(text, opcode, from, to)                                                \
  {                                                                                   \
    .name = text, .op = opcode, .inputs = "rr", .shapes = {SHAPE(3, 4), SHAPE(3, 4)}, \
    .out = SHAPE(3, 4), .low = from, .high = to                                       \
  }
/* One real input in [-2, 2), with attributes. */
#define MOVE(text, opcode, in, result, ...)                                              \
  {                                                                                      \
    .name = text, .op = opcode, .inputs = "r", .shapes = {in}, .out = result, .low = -2, \
    .high = 2, INTS(__VA_ARGS__)                                                         \
  }
/* Two real operands and the transpose flags. */
#define PRODUCT(text, a, b, result, ...)                                                 \
  {                                                                                      \
    .name = text, .op = TIER_OP_MATMUL, .inputs = "rr", .shapes = {a, b}, .out = result, \
    .low = -2, .high = 2, INTS(__VA_ARGS__)                                              \
  }

static const struct example examples[] = {
    UNARY("cast", TIER_OP_CAST, -2, 2, INTS(TIER_REAL)),
    UNARY("negate", TIER_OP_NEGATE, -2, 2, ),
    UNARY("exp", TIER_OP_EXP, -2, 2, ),
    UNARY("log", TIER_OP_LOG, 0.3, 3, ),
    UNARY("log1p", TIER_OP_LOG1P, -0.7, 2, ),
    UNARY("expm1", TIER_OP_EXPM1, -2, 2, ),
    UNARY("tanh", TIER_OP_TANH, -2, 2, ),
    UNARY("sigmoid", TIER_OP_SIGMOID, -4, 4, ),
    UNARY("softplus", TIER_OP_SOFTPLUS, -4, 4, ),
    UNARY("sqrt", TIER_OP_SQRT, 0.3, 3, INTS(0)),
    UNARY("sqrt, safe", TIER_OP_SQRT, 0.3, 3, INTS(1)),
    UNARY("sin", TIER_OP_SIN, -3, 3, ),
    UNARY("cos", TIER_OP_COS, -3, 3, ),
    {.name = "exp of a scalar",
     .op = TIER_OP_EXP,
     .inputs = "r",
     .shapes = {SCALAR},
     .out = SCALAR,
     .low = -2,
     .high = 2},
    BINARY("add", TIER_OP_ADD, -2, 2),
    BINARY("subtract", TIER_OP_SUBTRACT, -2, 2),
    BINARY("multiply", TIER_OP_MULTIPLY, -2, 2),
    BINARY("divide", TIER_OP_DIVIDE, 0.5, 2),
    BINARY("maximum", TIER_OP_MAXIMUM, -2, 2),
    BINARY("minimum", TIER_OP_MINIMUM, -2, 2),
    {.name = "select",
     .op = TIER_OP_SELECT,
     .inputs = "crr",
     .shapes = {SHAPE(3, 4), SHAPE(3, 4), SHAPE(3, 4)},
     .out = SHAPE(3, 4),
     .low = -2,
     .high = 2},
    PRODUCT("matmul", SHAPE(3, 4), SHAPE(4, 2), SHAPE(3, 2), 0, 0),
    PRODUCT("matmul, a'", SHAPE(4, 3), SHAPE(4, 2), SHAPE(3, 2), 1, 0),
    PRODUCT("matmul, b'", SHAPE(3, 4), SHAPE(2, 4), SHAPE(3, 2), 0, 1),
    PRODUCT("matmul, a' b'", SHAPE(4, 3), SHAPE(2, 4), SHAPE(3, 2), 1, 1),
    PRODUCT("matmul, batch", SHAPE(2, 3, 4), SHAPE(2, 4, 2), SHAPE(2, 3, 2), 0, 0),
    PRODUCT("matmul, batch a'", SHAPE(2, 4, 3), SHAPE(2, 4, 2), SHAPE(2, 3, 2), 1, 0),
    PRODUCT("matmul, batch b'", SHAPE(2, 3, 4), SHAPE(2, 2, 4), SHAPE(2, 3, 2), 0, 1),
    PRODUCT("matmul, batches a' b'", SHAPE(2, 2, 4, 3), SHAPE(2, 2, 2, 4), SHAPE(2, 2, 3, 2), 1, 1),
    PRODUCT("matmul, thin", SHAPE(1, 1), SHAPE(1, 1), SHAPE(1, 1), 0, 0),
    PRODUCT("matmul, empty sum", SHAPE(2, 0), SHAPE(0, 3), SHAPE(2, 3), 0, 0),
    MOVE("reshape", TIER_OP_RESHAPE, SHAPE(3, 4), SHAPE(2, 6), 2, 6),
    MOVE("permute", TIER_OP_PERMUTE, SHAPE(2, 3, 4), SHAPE(4, 2, 3), 2, 0, 1),
    MOVE("permute, rank 5", TIER_OP_PERMUTE, SHAPE(2, 1, 3, 2, 2), SHAPE(3, 2, 2, 2, 1), 2, 0, 4, 3,
         1),
    MOVE("broadcast", TIER_OP_BROADCAST, SHAPE(3, 1, 2), SHAPE(3, 4, 2), 3, 4, 2),
    MOVE("broadcast, several", TIER_OP_BROADCAST, SHAPE(1, 3, 1), SHAPE(2, 3, 2), 2, 3, 2),
    MOVE("slice", TIER_OP_SLICE, SHAPE(5, 6), SHAPE(3, 3), 1, 2, 4, 5, 1, 1),
    MOVE("slice, strides", TIER_OP_SLICE, SHAPE(7, 6), SHAPE(3, 2), 1, 0, 7, 5, 2, 3),
    MOVE("slice, nothing", TIER_OP_SLICE, SHAPE(4, 3), SHAPE(0, 3), 2, 0, 2, 3, 1, 1),
    MOVE("pad", TIER_OP_PAD, SHAPE(2, 3), SHAPE(5, 4), 1, 0, 2, 1, 0, 0),
    MOVE("pad, between", TIER_OP_PAD, SHAPE(3, 2), SHAPE(8, 5), 1, 0, 0, 1, 2, 2),
    MOVE("pad, nothing", TIER_OP_PAD, SHAPE(0, 2), SHAPE(3, 2), 1, 0, 2, 0, 3, 0),
    {.name = "concat",
     .op = TIER_OP_CONCAT,
     .inputs = "rrr",
     .shapes = {SHAPE(2, 3), SHAPE(2, 1), SHAPE(2, 2)},
     .out = SHAPE(2, 6),
     .low = -2,
     .high = 2,
     INTS(1)},
    MOVE("concat of one", TIER_OP_CONCAT, SHAPE(2, 3), SHAPE(2, 3), 0),
    MOVE("sum, rows", TIER_OP_SUM, SHAPE(3, 4), SHAPE(4), 0),
    MOVE("sum, two axes", TIER_OP_SUM, SHAPE(2, 3, 4), SHAPE(3), 0, 2),
    MOVE("sum, all", TIER_OP_SUM, SHAPE(3, 4), SCALAR, 0, 1),
    MOVE("sum, empty axis", TIER_OP_SUM, SHAPE(3, 0), SHAPE(3), 1),
    {.name = "sum, no axis",
     .op = TIER_OP_SUM,
     .inputs = "r",
     .shapes = {SHAPE(3, 4)},
     .out = SHAPE(3, 4),
     .low = -2,
     .high = 2},
    {.name = "max",
     .op = TIER_OP_MAX,
     .inputs = "n",
     .shapes = {SHAPE(3, 4)},
     .out = SHAPE(3),
     .low = -2,
     .high = 2,
     INTS(1)},
    {.name = "max, middle axis",
     .op = TIER_OP_MAX,
     .inputs = "n",
     .shapes = {SHAPE(2, 3, 4)},
     .out = SHAPE(2, 4),
     .low = -2,
     .high = 2,
     INTS(1)},
    {.name = "gather",
     .op = TIER_OP_GATHER,
     .inputs = "ri",
     .shapes = {SHAPE(5, 3), SHAPE(7)},
     .out = SHAPE(7, 3),
     .low = -2,
     .high = 2,
     .indices = 5,
     INTS(0)},
    {.name = "gather, batch",
     .op = TIER_OP_GATHER,
     .inputs = "ri",
     .shapes = {SHAPE(3, 4, 2), SHAPE(3, 2)},
     .out = SHAPE(3, 2, 2),
     .low = -2,
     .high = 2,
     .indices = 4,
     INTS(1)},
    {.name = "gather, one of each row",
     .op = TIER_OP_GATHER,
     .inputs = "ri",
     .shapes = {SHAPE(4, 5), SHAPE(4, 1)},
     .out = SHAPE(4, 1),
     .low = -2,
     .high = 2,
     .indices = 5,
     INTS(1)},
    {.name = "scatter_add",
     .op = TIER_OP_SCATTER_ADD,
     .inputs = "ri",
     .shapes = {SHAPE(7, 3), SHAPE(7)},
     .out = SHAPE(5, 3),
     .low = -2,
     .high = 2,
     .indices = 5,
     INTS(0, 5)},
    {.name = "scatter_add, batch",
     .op = TIER_OP_SCATTER_ADD,
     .inputs = "ri",
     .shapes = {SHAPE(3, 6, 2), SHAPE(3, 6)},
     .out = SHAPE(3, 4, 2),
     .low = -2,
     .high = 2,
     .indices = 4,
     INTS(1, 4)},
    MOVE("patches", TIER_OP_PATCHES, SHAPE(2, 4, 5, 2), SHAPE(2, 3, 4, 8), 2, 2, 1, 1, 0, 0, 0, 0),
    MOVE("patches, steps and border", TIER_OP_PATCHES, SHAPE(2, 5, 4, 1), SHAPE(2, 3, 2, 6), 3, 2,
         2, 3, 1, 1, 1, 0),
    MOVE("patches, one place", TIER_OP_PATCHES, SHAPE(2, 2, 3, 1), SHAPE(2, 1, 1, 6), 2, 3, 1, 1, 0,
         0, 0, 0),
    MOVE("fold", TIER_OP_FOLD, SHAPE(2, 3, 4, 8), SHAPE(2, 4, 5, 2), 4, 5, 2, 2, 1, 1, 0, 0, 0, 0),
    MOVE("fold, steps and border", TIER_OP_FOLD, SHAPE(2, 3, 2, 6), SHAPE(2, 5, 4, 1), 5, 4, 3, 2,
         2, 3, 1, 1, 1, 0),
};
#define EXAMPLES (sizeof examples / sizeof examples[0])

/* Without a derivative; test_exempt.c has them. */
static const uint32_t exempt[] = {TIER_OP_CONSTANT,   TIER_OP_IOTA,   TIER_OP_LESS,
                                  TIER_OP_LESS_EQUAL, TIER_OP_EQUAL,  TIER_OP_ARGMAX,
                                  TIER_OP_ARGSORT,    TIER_OP_RANDOM, TIER_OP_STOP_GRADIENT};

static void every_operation_is_in_a_table(void **state) {
  (void)state;
  int covered[TIER_OP_COUNT] = {0};
  graph_register_operations();
  for (size_t i = 0; i < EXAMPLES; i++) {
    covered[examples[i].op] = 1;
  }
  for (size_t i = 0; i < sizeof exempt / sizeof exempt[0]; i++) {
    assert_true(operation_get(exempt[i])->flags & OPERATION_DERIVATIVE_NONE);
    covered[exempt[i]] = 1;
  }
  for (uint32_t op = 1; op < TIER_OP_COUNT; op++) {
    assert_non_null(operation_get(op));
    if (!covered[op]) {
      fail_msg("operation %s has no example", operation_get(op)->name);
    }
  }
}

static void shapes_are_as_documented(void **state) {
  (void)state;
  for (size_t i = 0; i < EXAMPLES; i++) {
    const struct example *e = &examples[i];
    struct graph *g = graph_new();
    tier_value in[3] = {0};
    int64_t dims[TIER_MAX_RANK];
    uint32_t count = (uint32_t)strlen(e->inputs);
    for (uint32_t j = 0; j < count; j++) {
      in[j] = graph_input(g, e->inputs[j] == 'i' ? TIER_I32 : TIER_REAL, e->shapes[j].dims,
                          e->shapes[j].rank, "x");
    }
    tier_value y = tier_emit(&g->face, e->op, in, count, e->ints, e->int_count);
    if (y == 0) {
      fail_msg("%s: %s", e->name, g->failure);
    }
    assert_int_equal(g->face.api->shape(&g->face, y, dims), e->out.rank);
    assert_memory_equal(dims, e->out.dims, (size_t)e->out.rank * sizeof *dims);
    assert_int_equal(g->face.api->type(&g->face, y), TIER_REAL);
    graph_free(g);
  }
}

static void check_all(int broadcasting) {
  int broken = 0;
  for (size_t i = 0; i < EXAMPLES; i++) {
    struct identity_report r = identities_measure(&examples[i], broadcasting);
    const char *name = identities_broken(&r);
    if (name != NULL) {
      print_error(
          "%s%s: broken: %s (value %.1e, f32 %.1e, vjp %.1e, adjoint %.1e, symmetry %.1e, modes "
          "%.1e, Hessian %.1e)\n",
          examples[i].name, broadcasting ? ", broadcasting" : "", name, r.value, r.value_f32,
          r.differences, r.adjoint, r.symmetry, r.modes, r.hessian_differences);
      broken++;
    }
  }
  assert_int_equal(broken, 0);
}

static void identities_hold(void **state) {
  (void)state;
  check_all(0);
}
static void identities_hold_with_broadcasting(void **state) {
  (void)state;
  check_all(1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_operation_is_in_a_table),
      cmocka_unit_test(shapes_are_as_documented),
      cmocka_unit_test(identities_hold),
      cmocka_unit_test(identities_hold_with_broadcasting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

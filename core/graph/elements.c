/* Elementwise operations: out[i] depends on element i of the inputs only. All operands have one
 * shape. */
#include "graph/rules.h"

/* ---- one input ---- */

static int32_t unary_shape(struct graph *g, struct value *out) {
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, out->op == TIER_OP_SQRT ? 1 : 0));
  rule_like(out, TIER_REAL, rule_input(g, out, 0));
  return TIER_OK;
}

/* t / (2 y); the safe form gives 0 where y = 0. There the divisor is 1 instead of y, so that all
 * that higher derivatives make of this expression is finite, and is masked by 0 as well. */
static tier_value sqrt_times(tier_graph *g, tier_value t, tier_value y, int safe) {
  if (!safe) {
    return tier_divide(g, tier_scale(g, t, 0.5), y);
  }
  tier_value zero = tier_fill_like(g, y, 0.0);
  tier_value at_zero = tier_equal(g, y, zero);
  tier_value divisor = tier_select(g, at_zero, tier_fill_like(g, y, 1.0), y);
  tier_value slope = tier_divide(g, tier_fill_like(g, y, 0.5), divisor);
  return tier_multiply(g, t, tier_select(g, at_zero, zero, slope));
}

/* For y = f(x) the vjp and the jvp are one map, t -> t f'(x). */
static tier_value unary_times(struct graph *graph, tier_value y, tier_value t) {
  struct value v = *graph_value(graph, y);
  tier_graph *g = &graph->face;
  tier_value x = v.inputs[0];
  if (t == 0) {
    return 0;
  }
  switch (v.op) {
    case TIER_OP_EXP:
      return tier_multiply(g, t, y);
    case TIER_OP_LOG:
      return tier_divide(g, t, x);
    case TIER_OP_LOG1P:
      return tier_divide(g, t, tier_shift(g, x, 1.0));
    case TIER_OP_EXPM1: /* not y + 1, which loses all digits where x is far below 0 */
      return tier_multiply(g, t, tier_exp(g, x));
    case TIER_OP_TANH: /* 1 - y^2 */
      return tier_multiply(g, t, tier_complement(g, tier_square(g, y)));
    case TIER_OP_SIGMOID: /* y (1 - y), 1 - y = sigmoid(-x): right to the last digits */
      return tier_multiply(g, t, tier_multiply(g, y, tier_sigmoid(g, tier_negate(g, x))));
    case TIER_OP_SOFTPLUS:
      return tier_multiply(g, t, tier_sigmoid(g, x));
    case TIER_OP_SQRT:
      return sqrt_times(g, t, y, v.ints[0] != 0);
    case TIER_OP_SIN:
      return tier_multiply(g, t, tier_cos(g, x));
    case TIER_OP_COS:
      return tier_negate(g, tier_multiply(g, t, tier_sin(g, x)));
    default: /* TIER_OP_NEGATE */
      return tier_negate(g, t);
  }
}
static void unary_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  out[0] = unary_times(g, y, c);
}
static tier_value unary_jvp(struct graph *g, tier_value y, const tier_value *t) {
  return unary_times(g, y, t[0]);
}

/* ---- two inputs ---- */

static int32_t binary_shape(struct graph *g, struct value *out) {
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_same_shape(g, out));
  TIER_TRY(rule_ints(g, out, 0));
  rule_like(out, TIER_REAL, rule_input(g, out, 0));
  return TIER_OK;
}

static void add_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  (void)g, (void)y;
  out[0] = c;
  out[1] = c;
}
static tier_value add_jvp(struct graph *g, tier_value y, const tier_value *t) {
  (void)y;
  return graph_add(g, t[0], t[1]);
}

static void subtract_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  (void)y;
  out[0] = c;
  out[1] = rule_negate(g, c);
}
static tier_value subtract_jvp(struct graph *g, tier_value y, const tier_value *t) {
  (void)y;
  return t[0] != 0 && t[1] != 0 ? tier_subtract(&g->face, t[0], t[1])
                                : graph_add(g, t[0], rule_negate(g, t[1]));
}

static void multiply_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  const tier_value *in = graph_value(g, y)->inputs;
  out[0] = rule_times(g, c, in[1]);
  out[1] = rule_times(g, c, in[0]);
}
static tier_value multiply_jvp(struct graph *g, tier_value y, const tier_value *t) {
  const tier_value *in = graph_value(g, y)->inputs;
  return graph_add(g, rule_times(g, t[0], in[1]), rule_times(g, t[1], in[0]));
}

/* y = a / b: dy = (da - y db) / b */
static void divide_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  const tier_value *in = graph_value(g, y)->inputs;
  out[0] = rule_divide(g, c, in[1]);
  out[1] = rule_negate(g, rule_times(g, out[0], y));
}
static tier_value divide_jvp(struct graph *g, tier_value y, const tier_value *t) {
  const tier_value *in = graph_value(g, y)->inputs;
  tier_value from_b = rule_negate(g, rule_times(g, t[1], y));
  return rule_divide(g, graph_add(g, t[0], from_b), in[1]);
}

/* maximum and minimum pass on the first operand where it wins or ties, else the second. */
static tier_value first_wins(struct graph *g, tier_value y) {
  struct value v = *graph_value(g, y);
  return v.op == TIER_OP_MAXIMUM ? tier_less_equal(&g->face, v.inputs[1], v.inputs[0])
                                 : tier_less_equal(&g->face, v.inputs[0], v.inputs[1]);
}
static void extremum_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  tier_value first = first_wins(g, y);
  out[0] = rule_select(g, first, c, 0);
  out[1] = rule_select(g, first, 0, c);
}
static tier_value extremum_jvp(struct graph *g, tier_value y, const tier_value *t) {
  return rule_select(g, first_wins(g, y), t[0], t[1]);
}

/* ---- comparisons: real 0 or 1, no derivative ---- */

static int32_t compare_shape(struct graph *g, struct value *out) {
  if (rule_input(g, out, 0)->type != rule_input(g, out, 1)->type) {
    return RULE_FAIL(g, out, "types differ (cast one of them)");
  }
  TIER_TRY(rule_same_shape(g, out));
  TIER_TRY(rule_ints(g, out, 0));
  rule_like(out, TIER_REAL, rule_input(g, out, 0));
  return TIER_OK;
}

/* ---- select (c, a, b): a where c != 0, else b ---- */

static void select_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  tier_value condition = graph_value(g, y)->inputs[0];
  out[0] = 0;
  out[1] = rule_select(g, condition, c, 0);
  out[2] = rule_select(g, condition, 0, c);
}
static tier_value select_jvp(struct graph *g, tier_value y, const tier_value *t) {
  return rule_select(g, graph_value(g, y)->inputs[0], t[1], t[2]);
}

#define UNARY(name) \
  { name, 1, unary_shape, unary_vjp, unary_jvp, OPERATION_ELEMENTWISE }
#define COMPARE(name) \
  { name, 2, compare_shape, NULL, NULL, OPERATION_ELEMENTWISE | OPERATION_DERIVATIVE_NONE }

static const struct operation_entry table[] = {
    {TIER_OP_NEGATE, UNARY("negate")},
    {TIER_OP_EXP, UNARY("exp")},
    {TIER_OP_LOG, UNARY("log")},
    {TIER_OP_LOG1P, UNARY("log1p")},
    {TIER_OP_EXPM1, UNARY("expm1")},
    {TIER_OP_TANH, UNARY("tanh")},
    {TIER_OP_SIGMOID, UNARY("sigmoid")},
    {TIER_OP_SOFTPLUS, UNARY("softplus")},
    {TIER_OP_SQRT, UNARY("sqrt")},
    {TIER_OP_SIN, UNARY("sin")},
    {TIER_OP_COS, UNARY("cos")},
    {TIER_OP_ADD, {"add", 2, binary_shape, add_vjp, add_jvp, OPERATION_ELEMENTWISE}},
    {TIER_OP_SUBTRACT,
     {"subtract", 2, binary_shape, subtract_vjp, subtract_jvp, OPERATION_ELEMENTWISE}},
    {TIER_OP_MULTIPLY,
     {"multiply", 2, binary_shape, multiply_vjp, multiply_jvp, OPERATION_ELEMENTWISE}},
    {TIER_OP_DIVIDE, {"divide", 2, binary_shape, divide_vjp, divide_jvp, OPERATION_ELEMENTWISE}},
    {TIER_OP_MAXIMUM,
     {"maximum", 2, binary_shape, extremum_vjp, extremum_jvp, OPERATION_ELEMENTWISE}},
    {TIER_OP_MINIMUM,
     {"minimum", 2, binary_shape, extremum_vjp, extremum_jvp, OPERATION_ELEMENTWISE}},
    {TIER_OP_LESS, COMPARE("less")},
    {TIER_OP_LESS_EQUAL, COMPARE("less_equal")},
    {TIER_OP_EQUAL, COMPARE("equal")},
    {TIER_OP_SELECT, {"select", 3, binary_shape, select_vjp, select_jvp, OPERATION_ELEMENTWISE}},
};

void operations_of_elements(void) {
  OPERATIONS_ADD(table);
}

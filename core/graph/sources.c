/* Where values come from, and what only passes them on: constant, iota, random, cast and
 * stop_gradient. */
#include "graph/rules.h"

/* ---- constant () {dims...}; reals: one (fill) or one for each element ---- */

static int32_t constant_shape(struct graph *g, struct value *out) {
  out->type = TIER_REAL;
  TIER_TRY(rule_dims(g, out, out->ints, out->int_count));
  int64_t size = value_size(out);
  if (out->real_count != 1 && (int64_t)out->real_count != size) {
    return RULE_FAIL(g, out, "needs 1 or %lld numbers, got %u", (long long)size, out->real_count);
  }
  return TIER_OK;
}

/* ---- iota () {axis, dims...} -> i32 ---- */

static int32_t iota_shape(struct graph *g, struct value *out) {
  if (out->int_count < 2) {
    return RULE_FAIL(g, out, "needs an axis and at least one size");
  }
  out->type = TIER_I32;
  TIER_TRY(rule_dims(g, out, out->ints + 1, out->int_count - 1));
  if (out->ints[0] < 0 || out->ints[0] >= out->rank) {
    return RULE_FAIL(g, out, "axis %lld is not in 0 to %d", (long long)out->ints[0], out->rank - 1);
  }
  if (out->dims[out->ints[0]] > INT32_MAX) {
    return RULE_FAIL(g, out, "size %lld is too large for i32", (long long)out->dims[out->ints[0]]);
  }
  return TIER_OK;
}

/* ---- random (key i32 (4)) {distribution, stream, dims...} ---- */

static int32_t random_shape(struct graph *g, struct value *out) {
  const struct value *key = rule_input(g, out, 0);
  TIER_TRY(rule_index(g, out, 0));
  if (key->rank != 1 || key->dims[0] != 4) {
    return RULE_FAIL(g, out, "the key must have shape (4)");
  }
  if (out->int_count < 2) {
    return RULE_FAIL(g, out, "needs a distribution and a stream");
  }
  if (out->ints[0] != TIER_UNIFORM && out->ints[0] != TIER_NORMAL) {
    return RULE_FAIL(g, out, "there is no distribution %lld", (long long)out->ints[0]);
  }
  out->type = TIER_REAL;
  return rule_dims(g, out, out->ints + 2, out->int_count - 2);
}

/* ---- cast (x) {type}: a derivative from real to real only ---- */

static int32_t cast_shape(struct graph *g, struct value *out) {
  TIER_TRY(rule_ints(g, out, 1));
  if (out->ints[0] != TIER_REAL && out->ints[0] != TIER_I32) {
    return RULE_FAIL(g, out, "there is no type %lld", (long long)out->ints[0]);
  }
  rule_like(out, (int32_t)out->ints[0], rule_input(g, out, 0));
  return TIER_OK;
}

/* A cotangent or tangent is there only if both sides are real: a cast that changes nothing. */
static void cast_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  int from_real = graph_value(g, graph_value(g, y)->inputs[0])->type == TIER_REAL;
  out[0] = from_real ? c : 0;
}
static tier_value cast_jvp(struct graph *g, tier_value y, const tier_value *t) {
  return graph_value(g, y)->type == TIER_REAL ? t[0] : 0;
}

/* ---- stop_gradient (x) ---- */

static int32_t stop_shape(struct graph *g, struct value *out) {
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, 0));
  rule_like(out, TIER_REAL, rule_input(g, out, 0));
  return TIER_OK;
}

static const struct operation_entry table[] = {
    {TIER_OP_CONSTANT, {"constant", 0, constant_shape, NULL, NULL, OPERATION_DERIVATIVE_NONE}},
    {TIER_OP_IOTA, {"iota", 0, iota_shape, NULL, NULL, OPERATION_DERIVATIVE_NONE}},
    {TIER_OP_RANDOM, {"random", 1, random_shape, NULL, NULL, OPERATION_DERIVATIVE_NONE}},
    {TIER_OP_CAST, {"cast", 1, cast_shape, cast_vjp, cast_jvp, OPERATION_ELEMENTWISE}},
    {TIER_OP_STOP_GRADIENT,
     {"stop_gradient", 1, stop_shape, NULL, NULL,
      OPERATION_ELEMENTWISE | OPERATION_DERIVATIVE_NONE}},
};

void operations_of_sources(void) {
  OPERATIONS_ADD(table);
}

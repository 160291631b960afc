/* tier/graph.h: interface "tier.graph/1", the mathematics that a plugin describes.
 *
 * A graph is a list of values with static shape (row-major, rank <= 6) and type, TIER_REAL or
 * TIER_I32. `real` is f32 or f64, chosen by the manifest for the whole run; a plugin never names
 * either. Values are made by one call, `emit`; the inline functions below give it a face.
 *
 * Errors are sticky: a failed call returns the null value 0, later calls pass it on in silence, and
 * the host reports the first failure with the plugin, the operation and the shapes. So a build
 * function needs no checks of its own.
 *
 * Shapes are explicit: elementwise operations take operands of equal shape; broadcasting is an
 * operation of its own (tier/nn.h has the convenient forms).
 *
 * Conventions, tested: relu'(0) = 0; a tie in a maximum goes to the first operand or index, in vjp
 * and jvp alike; comparisons yield real 0 or 1 and have no derivative. */
#ifndef TIER_GRAPH_H
#define TIER_GRAPH_H

#include <tier/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIER_MAX_RANK 6

#define TIER_REAL 1
#define TIER_I32 2

/* Opcodes. Attribute integers are in braces, inputs in parentheses; x, a, b are real if not said.
 */
#define TIER_OP_CONSTANT 1u    /* () {dims...}; reals: one (fill) or one for each element */
#define TIER_OP_IOTA 2u        /* () {axis, dims...} -> i32: the index along `axis` */
#define TIER_OP_CAST 3u        /* (x) {TIER_REAL or TIER_I32}; to i32 truncates towards 0 */
#define TIER_OP_NEGATE 4u      /* (x) */
#define TIER_OP_EXP 5u         /* (x) */
#define TIER_OP_LOG 6u         /* (x) */
#define TIER_OP_LOG1P 7u       /* (x) */
#define TIER_OP_EXPM1 8u       /* (x) */
#define TIER_OP_TANH 9u        /* (x) */
#define TIER_OP_SIGMOID 10u    /* (x), stable at both ends */
#define TIER_OP_SOFTPLUS 11u   /* (x) log(1 + e^x), stable at both ends */
#define TIER_OP_SQRT 12u       /* (x) {safe}: safe 1 has derivative 0 at 0 (of every order) */
#define TIER_OP_SIN 13u        /* (x) */
#define TIER_OP_COS 14u        /* (x) */
#define TIER_OP_ADD 15u        /* (a, b) */
#define TIER_OP_SUBTRACT 16u   /* (a, b) */
#define TIER_OP_MULTIPLY 17u   /* (a, b) */
#define TIER_OP_DIVIDE 18u     /* (a, b) */
#define TIER_OP_MAXIMUM 19u    /* (a, b) */
#define TIER_OP_MINIMUM 20u    /* (a, b) */
#define TIER_OP_LESS 21u       /* (a, b) both real or both i32 -> real 0 or 1 */
#define TIER_OP_LESS_EQUAL 22u /* (a, b) likewise */
#define TIER_OP_EQUAL 23u      /* (a, b) likewise */
#define TIER_OP_SELECT 24u     /* (c, a, b): a where c != 0, else b */
#define TIER_OP_MATMUL                                                                           \
  25u                         /* (a, b) {ta, tb}: (..., m, k) x (..., k, n); leading dims equal; \
                                 ta = 1: a is stored (..., k, m); tb = 1: b is (..., n, k) */
#define TIER_OP_RESHAPE 26u   /* (x real or i32) {dims...} same number of elements */
#define TIER_OP_PERMUTE 27u   /* (x) {axes...}: out axis i is x's axis axes[i] */
#define TIER_OP_BROADCAST 28u /* (x real or i32) {dims...}: same rank; x's dims are equal or 1 */
#define TIER_OP_SLICE 29u     /* (x) {starts..., limits..., strides...} */
#define TIER_OP_PAD 30u       /* (x) {lows..., highs..., interiors...} with zeros; all >= 0 */
#define TIER_OP_CONCAT 31u    /* (x0, x1, ...) {axis} */
#define TIER_OP_SUM 32u       /* (x) {axes...}, ascending; the axes go away; none: identity */
#define TIER_OP_MAX 33u       /* (x) {axis}; the axis goes away; not over an axis of size 0 */
#define TIER_OP_ARGMAX 34u    /* (x) {axis} -> i32; the axis goes away */
#define TIER_OP_ARGSORT 35u   /* (x) {axis} -> i32; ascending, stable */
#define TIER_OP_GATHER                                                      \
  36u /* (x (B..., N, R...), i32 (B..., K)) {rank of B} -> (B..., K, R...): \
         out[b, k, :] = x[b, index[b, k], :] */
#define TIER_OP_SCATTER_ADD                                \
  37u /* (y (B..., K, R...), i32 (B..., K)) {rank of B, N} \
        -> (B..., N, R...): the adjoint of GATHER */
#define TIER_OP_PATCHES                                              \
  38u /* (x (n, h, w, c)) {kh, kw, sh, sw, top, bottom, left, right} \
         -> (n, oh, ow, kh * kw * c), zeros outside the image */
#define TIER_OP_FOLD                                                      \
  39u /* (y (n, oh, ow, kh * kw * c)) {h, w, kh, kw, sh, sw, top, bottom, \
         left, right} -> (n, h, w, c): the adjoint of PATCHES */
#define TIER_OP_RANDOM                                                  \
  40u /* (key i32 (4)) {distribution, stream, dims...}: TIER_UNIFORM in \
         [0, 1) or TIER_NORMAL; element i depends on key, stream, i only */
#define TIER_OP_STOP_GRADIENT 41u /* (x): x, with derivative 0 */
#define TIER_OP_COUNT 42u

#define TIER_UNIFORM 1
#define TIER_NORMAL 2

typedef struct tier_attributes {
  uint32_t struct_size;
  uint32_t int_count;
  const int64_t *ints;
  uint32_t real_count;
  uint32_t reserved;
  const double *reals;
} tier_attributes;

typedef struct tier_graph_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* The value of the operation, or 0 after remembering why. Copies inputs and attributes. */
  tier_value (*emit)(tier_graph *g, uint32_t opcode, const tier_value *inputs, uint32_t input_count,
                     const tier_attributes *attributes);
  /* Writes up to TIER_MAX_RANK sizes and returns the rank; -1 for the null value. */
  int32_t (*shape)(tier_graph *g, tier_value v, int64_t *dims);
  int32_t (*type)(tier_graph *g, tier_value v); /* TIER_REAL, TIER_I32, or 0 for the null value */
  /* Reverse mode: outputs[i] (of the shape of xs[i]) = the vjp of `y` with `cotangent` (of y's
   * shape; 0 means ones). A value that y does not depend on gets a constant 0. */
  int32_t (*gradient)(tier_graph *g, tier_value y, tier_value cotangent, const tier_value *xs,
                      uint32_t count, tier_value *outputs);
  /* Forward mode: the tangent of each y when each x moves along its tangent. */
  int32_t (*jvp)(tier_graph *g, const tier_value *ys, uint32_t y_count, const tier_value *xs,
                 const tier_value *tangents, uint32_t x_count, tier_value *outputs);
  /* Records a failure with a reason of the plugin's own and returns 0. */
  tier_value (*fail)(tier_graph *g, const char *text);
} tier_graph_1;

struct tier_graph {
  const tier_graph_1 *api;
};

/* ---- faces of `emit` ----------------------------------------------------------------------- */

/* Member by member, because C++17 has no designated initializers. */
static inline tier_attributes tier_make_attributes(const int64_t *ints, uint32_t int_count,
                                                   const double *reals, uint32_t real_count) {
  tier_attributes attributes;
  attributes.struct_size = (uint32_t)sizeof(tier_attributes);
  attributes.int_count = int_count;
  attributes.ints = ints;
  attributes.real_count = real_count;
  attributes.reserved = 0;
  attributes.reals = reals;
  return attributes;
}
static inline tier_value tier_emit(tier_graph *g, uint32_t opcode, const tier_value *inputs,
                                   uint32_t input_count, const int64_t *ints, uint32_t int_count) {
  tier_attributes attributes = tier_make_attributes(ints, int_count, NULL, 0);
  return g->api->emit(g, opcode, inputs, input_count, &attributes);
}

static inline int32_t tier_rank(tier_graph *g, tier_value v) {
  int64_t dims[TIER_MAX_RANK];
  return g->api->shape(g, v, dims);
}
/* Size of axis `axis` (negative: from the end), or 0 if there is none. */
static inline int64_t tier_dim(tier_graph *g, tier_value v, int32_t axis) {
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, v, dims);
  int32_t index = axis < 0 ? rank + axis : axis;
  return index >= 0 && index < rank ? dims[index] : 0;
}

/* A constant of the given shape filled with `value`. */
static inline tier_value tier_fill(tier_graph *g, double value, const int64_t *dims, int32_t rank) {
  tier_attributes attributes = tier_make_attributes(dims, (uint32_t)rank, &value, 1);
  return g->api->emit(g, TIER_OP_CONSTANT, NULL, 0, &attributes);
}
static inline tier_value tier_scalar(tier_graph *g, double value) {
  return tier_fill(g, value, NULL, 0);
}
/* A constant of v's shape filled with `value`. */
static inline tier_value tier_fill_like(tier_graph *g, tier_value v, double value) {
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, v, dims);
  return rank < 0 ? 0 : tier_fill(g, value, dims, rank);
}

#define TIER_UNARY_FACE(name, opcode)                          \
  static inline tier_value name(tier_graph *g, tier_value x) { \
    return tier_emit(g, opcode, &x, 1, NULL, 0);               \
  }
#define TIER_BINARY_FACE(name, opcode)                                       \
  static inline tier_value name(tier_graph *g, tier_value a, tier_value b) { \
    tier_value inputs[2] = {a, b};                                           \
    return tier_emit(g, opcode, inputs, 2, NULL, 0);                         \
  }
TIER_UNARY_FACE(tier_negate, TIER_OP_NEGATE)
TIER_UNARY_FACE(tier_exp, TIER_OP_EXP)
TIER_UNARY_FACE(tier_log, TIER_OP_LOG)
TIER_UNARY_FACE(tier_log1p, TIER_OP_LOG1P)
TIER_UNARY_FACE(tier_expm1, TIER_OP_EXPM1)
TIER_UNARY_FACE(tier_tanh, TIER_OP_TANH)
TIER_UNARY_FACE(tier_sigmoid, TIER_OP_SIGMOID)
TIER_UNARY_FACE(tier_softplus, TIER_OP_SOFTPLUS)
TIER_UNARY_FACE(tier_sin, TIER_OP_SIN)
TIER_UNARY_FACE(tier_cos, TIER_OP_COS)
TIER_UNARY_FACE(tier_stop_gradient, TIER_OP_STOP_GRADIENT)
TIER_BINARY_FACE(tier_add, TIER_OP_ADD)
TIER_BINARY_FACE(tier_subtract, TIER_OP_SUBTRACT)
TIER_BINARY_FACE(tier_multiply, TIER_OP_MULTIPLY)
TIER_BINARY_FACE(tier_divide, TIER_OP_DIVIDE)
TIER_BINARY_FACE(tier_maximum, TIER_OP_MAXIMUM)
TIER_BINARY_FACE(tier_minimum, TIER_OP_MINIMUM)
TIER_BINARY_FACE(tier_less, TIER_OP_LESS)
TIER_BINARY_FACE(tier_less_equal, TIER_OP_LESS_EQUAL)
TIER_BINARY_FACE(tier_equal, TIER_OP_EQUAL)
#undef TIER_UNARY_FACE
#undef TIER_BINARY_FACE

static inline tier_value tier_sqrt(tier_graph *g, tier_value x) {
  int64_t safe = 0;
  return tier_emit(g, TIER_OP_SQRT, &x, 1, &safe, 1);
}
/* sqrt whose derivative at 0 is 0: for Adam's sqrt(v) where a gradient is always zero. */
static inline tier_value tier_safe_sqrt(tier_graph *g, tier_value x) {
  int64_t safe = 1;
  return tier_emit(g, TIER_OP_SQRT, &x, 1, &safe, 1);
}
static inline tier_value tier_select(tier_graph *g, tier_value c, tier_value a, tier_value b) {
  tier_value inputs[3] = {c, a, b};
  return tier_emit(g, TIER_OP_SELECT, inputs, 3, NULL, 0);
}
static inline tier_value tier_cast(tier_graph *g, tier_value x, int32_t type) {
  int64_t to = type;
  return tier_emit(g, TIER_OP_CAST, &x, 1, &to, 1);
}
static inline tier_value tier_iota(tier_graph *g, int32_t axis, const int64_t *dims, int32_t rank) {
  int64_t ints[TIER_MAX_RANK + 2] = {axis}; /* one too many: emit refuses a rank that is too high */
  int32_t count = rank > TIER_MAX_RANK ? TIER_MAX_RANK + 1 : rank;
  for (int32_t i = 0; i < count; i++) {
    ints[i + 1] = dims[i];
  }
  return tier_emit(g, TIER_OP_IOTA, NULL, 0, ints, (uint32_t)count + 1);
}
static inline tier_value tier_matmul_transposed(tier_graph *g, tier_value a, int32_t transpose_a,
                                                tier_value b, int32_t transpose_b) {
  tier_value inputs[2] = {a, b};
  int64_t ints[2] = {transpose_a, transpose_b};
  return tier_emit(g, TIER_OP_MATMUL, inputs, 2, ints, 2);
}
static inline tier_value tier_matmul(tier_graph *g, tier_value a, tier_value b) {
  return tier_matmul_transposed(g, a, 0, b, 0);
}
static inline tier_value tier_reshape(tier_graph *g, tier_value x, const int64_t *dims,
                                      int32_t rank) {
  return tier_emit(g, TIER_OP_RESHAPE, &x, 1, dims, (uint32_t)rank);
}
static inline tier_value tier_permute(tier_graph *g, tier_value x, const int64_t *axes,
                                      int32_t rank) {
  return tier_emit(g, TIER_OP_PERMUTE, &x, 1, axes, (uint32_t)rank);
}
static inline tier_value tier_broadcast(tier_graph *g, tier_value x, const int64_t *dims,
                                        int32_t rank) {
  return tier_emit(g, TIER_OP_BROADCAST, &x, 1, dims, (uint32_t)rank);
}
/* x[start : limit] along one axis. */
static inline tier_value tier_slice_axis(tier_graph *g, tier_value x, int32_t axis, int64_t start,
                                         int64_t limit) {
  int64_t dims[TIER_MAX_RANK];
  int64_t ints[3 * TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, x, dims);
  if (rank < 0) {
    return 0;
  }
  for (int32_t i = 0; i < rank; i++) {
    ints[i] = i == axis ? start : 0;
    ints[rank + i] = i == axis ? limit : dims[i];
    ints[2 * rank + i] = 1;
  }
  return tier_emit(g, TIER_OP_SLICE, &x, 1, ints, 3u * (uint32_t)rank);
}
static inline tier_value tier_concat(tier_graph *g, const tier_value *xs, uint32_t count,
                                     int32_t axis) {
  int64_t ints[1] = {axis};
  return tier_emit(g, TIER_OP_CONCAT, xs, count, ints, 1);
}
static inline tier_value tier_sum_axes(tier_graph *g, tier_value x, const int64_t *axes,
                                       uint32_t count) {
  return tier_emit(g, TIER_OP_SUM, &x, 1, axes, count);
}
static inline tier_value tier_sum_axis(tier_graph *g, tier_value x, int32_t axis) {
  int64_t ints[1] = {axis};
  return tier_emit(g, TIER_OP_SUM, &x, 1, ints, 1);
}
static inline tier_value tier_max_axis(tier_graph *g, tier_value x, int32_t axis) {
  int64_t ints[1] = {axis};
  return tier_emit(g, TIER_OP_MAX, &x, 1, ints, 1);
}
static inline tier_value tier_argmax(tier_graph *g, tier_value x, int32_t axis) {
  int64_t ints[1] = {axis};
  return tier_emit(g, TIER_OP_ARGMAX, &x, 1, ints, 1);
}
static inline tier_value tier_argsort(tier_graph *g, tier_value x, int32_t axis) {
  int64_t ints[1] = {axis};
  return tier_emit(g, TIER_OP_ARGSORT, &x, 1, ints, 1);
}
static inline tier_value tier_gather(tier_graph *g, tier_value x, tier_value index,
                                     int32_t batch_rank) {
  tier_value inputs[2] = {x, index};
  int64_t ints[1] = {batch_rank};
  return tier_emit(g, TIER_OP_GATHER, inputs, 2, ints, 1);
}
static inline tier_value tier_scatter_add(tier_graph *g, tier_value y, tier_value index,
                                          int32_t batch_rank, int64_t size) {
  tier_value inputs[2] = {y, index};
  int64_t ints[2] = {batch_rank, size};
  return tier_emit(g, TIER_OP_SCATTER_ADD, inputs, 2, ints, 2);
}
/* TIER_UNIFORM or TIER_NORMAL numbers. `stream` tells several draws under one key apart. */
static inline tier_value tier_random(tier_graph *g, tier_value key, int32_t distribution,
                                     int64_t stream, const int64_t *dims, int32_t rank) {
  int64_t ints[TIER_MAX_RANK + 3] = {distribution, stream}; /* as in tier_iota */
  int32_t count = rank > TIER_MAX_RANK ? TIER_MAX_RANK + 1 : rank;
  for (int32_t i = 0; i < count; i++) {
    ints[i + 2] = dims[i];
  }
  return tier_emit(g, TIER_OP_RANDOM, &key, 1, ints, (uint32_t)count + 2);
}

#ifdef __cplusplus
}
#endif
#endif

/* tier/nn.h: composites of the operations in tier/graph.h, as inline functions.
 *
 * Rows lead: an array of samples is (n, ...), a loss gives one number a row, shape (n). `axis` may
 * be negative and then counts from the end. All derivatives, of any order, follow from those of the
 * primitives; where a formula needs care to stay finite or exact, its comment says so. Errors are
 * sticky as in tier/graph.h: a null value in gives a null value out. */
#ifndef TIER_NN_H
#define TIER_NN_H

#include <tier/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- shapes ------------------------------------------------------------------------------- */

/* The index of `axis` in v, which may be given from the end. */
static inline int32_t tier_axis(tier_graph *g, tier_value v, int32_t axis) {
  return axis < 0 ? tier_rank(g, v) + axis : axis;
}
/* Number of elements; 0 for the null value. */
static inline int64_t tier_size(tier_graph *g, tier_value v) {
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, v, dims);
  int64_t size = rank < 0 ? 0 : 1;
  for (int32_t i = 0; i < rank; i++) {
    size *= dims[i];
  }
  return size;
}
static inline tier_value tier_reshape_like(tier_graph *g, tier_value x, tier_value like) {
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, like, dims);
  return rank < 0 ? 0 : tier_reshape(g, x, dims, rank);
}
/* x of like's rank, with dims equal to like's or 1, repeated to like's shape. */
static inline tier_value tier_broadcast_like(tier_graph *g, tier_value x, tier_value like) {
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, like, dims);
  return rank < 0 ? 0 : tier_broadcast(g, x, dims, rank);
}
/* Brings x to like's shape, rows first: the leading axes are matched, each equal or 1; axes that x
 * lacks at the end are added, axes of size 1 that it has too many at the end are dropped. So a
 * scalar, (n), (n, 1) and (1, d) all match (n, d); and (n, 1) matches (n). */
static inline tier_value tier_match(tier_graph *g, tier_value x, tier_value like) {
  int64_t dims[TIER_MAX_RANK];
  int64_t padded[TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, x, dims);
  int32_t target = tier_rank(g, like);
  if (rank < 0 || target < 0) {
    return 0;
  }
  while (rank > target && dims[rank - 1] == 1) {
    rank--;
  }
  for (int32_t i = 0; i < rank; i++) {
    padded[i] = dims[i];
  }
  for (int32_t i = rank; i < target; i++) {
    padded[i] = 1;
  }
  return tier_broadcast_like(g, tier_reshape(g, x, padded, rank > target ? rank : target), like);
}
/* The inverse of a reduction's shape: x (like's shape without `axis`) repeated along `axis`. */
static inline tier_value tier_expand(tier_graph *g, tier_value x, int32_t axis, tier_value like) {
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, like, dims);
  int32_t at = tier_axis(g, like, axis);
  if (rank < 0) {
    return 0;
  }
  if (at < 0 || at >= rank) {
    return g->api->fail(g, "expand: there is no such axis");
  }
  dims[at] = 1;
  return tier_broadcast_like(g, tier_reshape(g, x, dims, rank), like);
}
/* (n, ...) -> (n, m): each row's elements in one axis. */
static inline tier_value tier_flatten_rows(tier_graph *g, tier_value x) {
  int64_t dims[TIER_MAX_RANK];
  int64_t flat[2];
  int32_t rank = g->api->shape(g, x, dims);
  if (rank < 0) {
    return 0;
  }
  if (rank == 0) {
    return g->api->fail(g, "flatten_rows: a scalar has no rows");
  }
  flat[0] = dims[0];
  flat[1] = 1;
  for (int32_t i = 1; i < rank; i++) {
    flat[1] *= dims[i];
  }
  return tier_reshape(g, x, flat, 2);
}

/* ---- elementwise -------------------------------------------------------------------------- */

/* number * x, and x + number. */
static inline tier_value tier_scale(tier_graph *g, tier_value x, double number) {
  return tier_multiply(g, tier_fill_like(g, x, number), x);
}
static inline tier_value tier_shift(tier_graph *g, tier_value x, double number) {
  return tier_add(g, x, tier_fill_like(g, x, number));
}
static inline tier_value tier_square(tier_graph *g, tier_value x) {
  return tier_multiply(g, x, x);
}
/* 1 - x */
static inline tier_value tier_complement(tier_graph *g, tier_value x) {
  return tier_subtract(g, tier_fill_like(g, x, 1.0), x);
}
/* max(0, x); the derivative at 0 is 0, for the tie goes to the first operand. */
static inline tier_value tier_relu(tier_graph *g, tier_value x) {
  return tier_maximum(g, tier_fill_like(g, x, 0.0), x);
}
/* x where x > 0, else slope x, for 0 <= slope <= 1; the derivative at 0 is slope. */
static inline tier_value tier_leaky_relu(tier_graph *g, tier_value x, double slope) {
  return tier_maximum(g, tier_scale(g, x, slope), x);
}
/* x sigmoid(x) */
static inline tier_value tier_silu(tier_graph *g, tier_value x) {
  return tier_multiply(g, x, tier_sigmoid(g, x));
}
/* -1, 0 or 1; without a derivative. */
static inline tier_value tier_sign(tier_graph *g, tier_value x) {
  tier_value zero = tier_fill_like(g, x, 0.0);
  return tier_subtract(g, tier_less(g, zero, x), tier_less(g, x, zero));
}
/* |x| = x sign(x); the derivative is sign(x), 0 at 0. */
static inline tier_value tier_abs(tier_graph *g, tier_value x) {
  return tier_multiply(g, x, tier_sign(g, x));
}
/* min(max(x, low), high), all of one shape; a bound that is met leaves x's derivative 1. */
static inline tier_value tier_clamp(tier_graph *g, tier_value x, tier_value low, tier_value high) {
  return tier_minimum(g, tier_maximum(g, x, low), high);
}

/* ---- sums and means ----------------------------------------------------------------------- */

/* The sum of all elements, a scalar. */
static inline tier_value tier_sum_all(tier_graph *g, tier_value x) {
  int64_t axes[TIER_MAX_RANK];
  int32_t rank = tier_rank(g, x);
  for (int32_t i = 0; i < rank; i++) {
    axes[i] = i;
  }
  return rank < 0 ? 0 : tier_sum_axes(g, x, axes, (uint32_t)rank);
}
/* The mean of all elements, a scalar. */
static inline tier_value tier_mean_all(tier_graph *g, tier_value x) {
  int64_t size = tier_size(g, x);
  return tier_scale(g, tier_sum_all(g, x), size > 0 ? 1.0 / (double)size : 0.0);
}
/* The mean along one axis, which goes away; 0 if the axis is empty. */
static inline tier_value tier_mean_axis(tier_graph *g, tier_value x, int32_t axis) {
  int32_t at = tier_axis(g, x, axis);
  int64_t size = tier_dim(g, x, at);
  return tier_scale(g, tier_sum_axis(g, x, at), size > 0 ? 1.0 / (double)size : 0.0);
}
/* (n, ...) -> (n): the sum, and the mean, of each row's elements. */
static inline tier_value tier_row_sum(tier_graph *g, tier_value x) {
  return tier_sum_axis(g, tier_flatten_rows(g, x), 1);
}
static inline tier_value tier_row_mean(tier_graph *g, tier_value x) {
  return tier_mean_axis(g, tier_flatten_rows(g, x), 1);
}

/* ---- layers ------------------------------------------------------------------------------- */

/* x (..., d) + b (d), the same b everywhere. */
static inline tier_value tier_add_bias(tier_graph *g, tier_value x, tier_value b) {
  int64_t dims[TIER_MAX_RANK];
  int32_t rank = tier_rank(g, x);
  if (rank < 1 || tier_rank(g, b) < 0) {
    return rank == 0 ? g->api->fail(g, "add_bias: a scalar has no last axis") : 0;
  }
  for (int32_t i = 0; i < rank; i++) {
    dims[i] = 1;
  }
  dims[rank - 1] = tier_size(g, b);
  return tier_add(g, x, tier_broadcast_like(g, tier_reshape(g, b, dims, rank), x));
}
/* x (n, in), weight (in, out), bias (out) -> x weight + bias (n, out). */
static inline tier_value tier_linear(tier_graph *g, tier_value x, tier_value weight,
                                     tier_value bias) {
  return tier_add_bias(g, tier_matmul(g, x, weight), bias);
}
/* i32 (B...) -> real (B..., classes): 1 at the index, else 0. */
static inline tier_value tier_one_hot(tier_graph *g, tier_value index, int64_t classes) {
  int64_t dims[TIER_MAX_RANK + 1];
  int32_t rank = g->api->shape(g, index, dims);
  if (rank < 0) {
    return 0;
  }
  if (rank == TIER_MAX_RANK) {
    return g->api->fail(g, "one_hot: the rank would be too high");
  }
  dims[rank] = 1;
  tier_value column = tier_reshape(g, index, dims, rank + 1);
  dims[rank] = classes;
  return tier_equal(g, tier_broadcast(g, column, dims, rank + 1),
                    tier_iota(g, rank, dims, rank + 1));
}

/* x - max over axis: the greatest becomes 0, so that exp cannot overflow. The maximum is held
 * constant: what uses this is unchanged by a shift, so its derivatives are exact all the same. */
static inline tier_value tier_shift_to_max(tier_graph *g, tier_value x, int32_t axis) {
  tier_value most = tier_stop_gradient(g, tier_max_axis(g, x, tier_axis(g, x, axis)));
  return tier_subtract(g, x, tier_expand(g, most, axis, x));
}
/* exp(x_i) / sum_j exp(x_j) along axis. */
static inline tier_value tier_softmax(tier_graph *g, tier_value x, int32_t axis) {
  tier_value e = tier_exp(g, tier_shift_to_max(g, x, axis));
  return tier_divide(g, e, tier_expand(g, tier_sum_axis(g, e, tier_axis(g, x, axis)), axis, x));
}
/* x_i - log sum_j exp(x_j) along axis. */
static inline tier_value tier_log_softmax(tier_graph *g, tier_value x, int32_t axis) {
  tier_value shifted = tier_shift_to_max(g, x, axis);
  tier_value sum = tier_sum_axis(g, tier_exp(g, shifted), tier_axis(g, x, axis));
  return tier_subtract(g, shifted, tier_expand(g, tier_log(g, sum), axis, x));
}
/* log sum_j exp(x_j) = m + log sum_j exp(x_j - m), m = max x, held constant; the axis goes away. */
static inline tier_value tier_log_sum_exp(tier_graph *g, tier_value x, int32_t axis) {
  int32_t at = tier_axis(g, x, axis);
  tier_value most = tier_stop_gradient(g, tier_max_axis(g, x, at));
  tier_value shifted = tier_subtract(g, x, tier_expand(g, most, axis, x));
  return tier_add(g, most, tier_log(g, tier_sum_axis(g, tier_exp(g, shifted), at)));
}

/* ---- images (n, height, width, channels) ---------------------------------------------------- */

/* A window is 8 integers as in TIER_OP_PATCHES: {kh, kw, sh, sw, top, bottom, left, right}, its
 * size, its step, and how far the image is continued. This is a square one. */
static inline void tier_window(int64_t size, int64_t step, int64_t border, int64_t window[8]) {
  window[0] = window[1] = size;
  window[2] = window[3] = step;
  window[4] = window[5] = window[6] = window[7] = border;
}
/* x (n, h, w, c) -> (n, oh, ow, kh * kw * c), oh = (h + top + bottom - kh) / sh + 1, rounded down;
 * each place's elements go by row, column, channel, with zeros outside the image. */
static inline tier_value tier_patches(tier_graph *g, tier_value x, const int64_t window[8]) {
  return tier_emit(g, TIER_OP_PATCHES, &x, 1, window, 8);
}
/* y (n, oh, ow, kh * kw * c) -> (n, h, w, c): the adjoint of tier_patches on images of h x w. */
static inline tier_value tier_fold(tier_graph *g, tier_value y, int64_t h, int64_t w,
                                   const int64_t window[8]) {
  int64_t ints[10];
  ints[0] = h;
  ints[1] = w;
  for (int i = 0; i < 8; i++) {
    ints[2 + i] = window[i];
  }
  return tier_emit(g, TIER_OP_FOLD, &y, 1, ints, 10);
}
/* x (..., d), weight (d, k), or (k, d) if `transposed` -> (..., k): a matrix product for all axes
 * but the last together. */
static inline tier_value tier_last_axis_matmul(tier_graph *g, tier_value x, tier_value weight,
                                               int32_t transposed) {
  int64_t dims[TIER_MAX_RANK];
  int64_t flat[2] = {1, 0};
  int32_t rank = g->api->shape(g, x, dims);
  if (rank < 1 || tier_rank(g, weight) != 2) {
    return rank < 0 ? 0 : g->api->fail(g, "the weight must be a matrix and the image have axes");
  }
  for (int32_t i = 0; i < rank - 1; i++) {
    flat[0] *= dims[i];
  }
  flat[1] = dims[rank - 1];
  dims[rank - 1] = tier_dim(g, weight, transposed ? 0 : 1);
  tier_value y =
      tier_matmul_transposed(g, tier_reshape(g, x, flat, 2), 0, weight, transposed ? 1 : 0);
  return tier_reshape(g, y, dims, rank);
}
/* x (n, h, w, in), weight (kh * kw * in, out) -> (n, oh, ow, out): out[., p, q, o] = the sum over
 * i, j, c of x[., p sh + i - top, q sw + j - left, c] weight[(i kw + j) in + c, o]; the cross
 * correlation that networks call convolution. */
static inline tier_value tier_convolution(tier_graph *g, tier_value x, tier_value weight,
                                          const int64_t window[8]) {
  return tier_last_axis_matmul(g, tier_patches(g, x, window), weight, 0);
}
/* x (n, oh, ow, in), weight (kh * kw * out, in) -> (n, h, w, out): the adjoint of the convolution
 * of images of h x w with `out` channels by the same weight. oh and ow must be those that the
 * window gives on h x w, so h and w say what a stride's rounding has lost. */
static inline tier_value tier_transposed_convolution(tier_graph *g, tier_value x, tier_value weight,
                                                     int64_t h, int64_t w,
                                                     const int64_t window[8]) {
  return tier_fold(g, tier_last_axis_matmul(g, x, weight, 1), h, w, window);
}
/* x (n, h, w, c) -> (n, oh, ow, kh * kw, c): each place's window as an axis of its own. */
static inline tier_value tier_windows(tier_graph *g, tier_value x, const int64_t window[8]) {
  int64_t dims[TIER_MAX_RANK];
  tier_value patches = tier_patches(g, x, window);
  if (g->api->shape(g, patches, dims) != 4) {
    return 0;
  }
  dims[3] = window[0] * window[1];
  dims[4] = tier_dim(g, x, 3);
  return tier_reshape(g, patches, dims, 5);
}
/* x (n, h, w, c) -> (n, oh, ow, c): the mean of each window; what is outside the image counts as
 * zeros. */
static inline tier_value tier_average_pool(tier_graph *g, tier_value x, const int64_t window[8]) {
  return tier_mean_axis(g, tier_windows(g, x, window), 3);
}
/* x (n, h, w, c) -> (n, oh, ow, c): the greatest of each window, of equal ones the first by row and
 * column. What is outside the image does not count; so no window may lie outside all of it. */
static inline tier_value tier_max_pool(tier_graph *g, tier_value x, const int64_t window[8]) {
  tier_value all = tier_windows(g, x, window);
  if (window[4] >= window[0] || window[5] >= window[0] || window[6] >= window[1] ||
      window[7] >= window[1]) {
    return g->api->fail(g, "max_pool: the border must be narrower than the window");
  }
  if (window[4] + window[5] + window[6] + window[7] > 0) {
    tier_value inside = tier_windows(g, tier_fill_like(g, x, 1.0), window);
    all = tier_select(g, inside, all, tier_fill_like(g, all, -3e38)); /* lowest of f32, nearly */
  }
  return tier_max_axis(g, all, 3);
}

/* ---- losses: one number a row -------------------------------------------------------------- */

/* logits (n, k), labels i32 (n) or (n, 1) -> (n): log sum_j exp(z_j) - z_label. */
static inline tier_value tier_cross_entropy(tier_graph *g, tier_value logits, tier_value labels) {
  int64_t dims[2] = {tier_dim(g, logits, 0), 1};
  tier_value log_p = tier_log_softmax(g, logits, 1);
  tier_value picked = tier_gather(g, log_p, tier_reshape(g, labels, dims, 2), 1);
  return tier_negate(g, tier_reshape(g, picked, dims, 1));
}
/* logits (n, k), target (n, k), the rows of which sum to one -> (n): -sum_j t_j log softmax(z)_j.
 */
static inline tier_value tier_soft_cross_entropy(tier_graph *g, tier_value logits,
                                                 tier_value target) {
  tier_value log_p = tier_log_softmax(g, logits, 1);
  tier_value t = tier_match(g, target, logits);
  return tier_negate(g, tier_sum_axis(g, tier_multiply(g, t, log_p), 1));
}
/* logits (n, ...), target in [0, 1] that matches them -> (n), summed over the row's elements:
 * -t log s(z) - (1 - t) log(1 - s(z)) = t softplus(-z) + (1 - t) softplus(z), s = sigmoid. Nothing
 * cancels in this form: value and derivatives are right to the last digits for any z. */
static inline tier_value tier_binary_cross_entropy(tier_graph *g, tier_value logits,
                                                   tier_value target) {
  tier_value t = tier_match(g, target, logits);
  tier_value yes = tier_multiply(g, t, tier_softplus(g, tier_negate(g, logits)));
  tier_value no = tier_multiply(g, tier_complement(g, t), tier_softplus(g, logits));
  return tier_row_sum(g, tier_add(g, yes, no));
}
/* a (n, ...), b that matches it -> (n): the mean over the row's elements of (a - b)^2. */
static inline tier_value tier_mse(tier_graph *g, tier_value a, tier_value b) {
  return tier_row_mean(g, tier_square(g, tier_subtract(g, a, tier_match(g, b, a))));
}
/* a (n, ...), b and delta > 0 that match it (tier_scalar(g, 1.0), say) -> (n): the mean over the
 * row's elements of r^2 / 2 where |r| <= delta, delta (|r| - delta / 2) elsewhere, r = a - b
 * (Huber 1964). Written as c (r - c / 2) with c = r clamped to +-delta. */
static inline tier_value tier_huber(tier_graph *g, tier_value a, tier_value b, tier_value delta) {
  tier_value r = tier_subtract(g, a, tier_match(g, b, a));
  tier_value bound = tier_match(g, delta, a);
  tier_value c = tier_clamp(g, r, tier_negate(g, bound), bound);
  return tier_row_mean(g, tier_multiply(g, c, tier_subtract(g, r, tier_scale(g, c, 0.5))));
}
/* w (n, ...) -> (n): half the sum of the row's squares, so its derivative is w. */
static inline tier_value tier_l2(tier_graph *g, tier_value w) {
  return tier_scale(g, tier_row_sum(g, tier_square(g, w)), 0.5);
}

#ifdef __cplusplus
}
#endif
#endif

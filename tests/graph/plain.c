#include "plain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

int64_t array_size(const struct array *a) {
  int64_t size = 1;
  for (int32_t i = 0; i < a->rank; i++) {
    size *= a->dims[i];
  }
  return size;
}

/* The multi-index of element k. */
static void unravel(const struct array *a, int64_t k, int64_t *index) {
  for (int32_t i = a->rank - 1; i >= 0; i--) {
    index[i] = k % a->dims[i];
    k /= a->dims[i];
  }
}

static double *at(const struct array *a, const int64_t *index) {
  int64_t k = 0;
  for (int32_t i = 0; i < a->rank; i++) {
    k = k * a->dims[i] + index[i];
  }
  return &a->data[k];
}

static double element(uint32_t op, double a, double b, double c) {
  switch (op) {
    case TIER_OP_NEGATE:
      return -a;
    case TIER_OP_EXP:
      return exp(a);
    case TIER_OP_LOG:
      return log(a);
    case TIER_OP_LOG1P:
      return log1p(a);
    case TIER_OP_EXPM1:
      return expm1(a);
    case TIER_OP_TANH:
      return tanh(a);
    case TIER_OP_SIGMOID:
      return a >= 0 ? 1 / (1 + exp(-a)) : exp(a) / (1 + exp(a));
    case TIER_OP_SOFTPLUS:
      return (a > 0 ? a : 0) + log1p(exp(-fabs(a)));
    case TIER_OP_SQRT:
      return sqrt(a);
    case TIER_OP_SIN:
      return sin(a);
    case TIER_OP_COS:
      return cos(a);
    case TIER_OP_ADD:
      return a + b;
    case TIER_OP_SUBTRACT:
      return a - b;
    case TIER_OP_MULTIPLY:
      return a * b;
    case TIER_OP_DIVIDE:
      return a / b;
    case TIER_OP_MAXIMUM:
      return a >= b ? a : b;
    case TIER_OP_MINIMUM:
      return a <= b ? a : b;
    case TIER_OP_LESS:
      return a < b;
    case TIER_OP_LESS_EQUAL:
      return a <= b;
    case TIER_OP_EQUAL:
      return a == b;
    case TIER_OP_SELECT:
      return a != 0 ? b : c;
    case TIER_OP_STOP_GRADIENT:
      return a;
    default:
      DIE("plain: opcode %u is not elementwise", op);
  }
}

static void elementwise(uint32_t op, const struct array *const *in, uint32_t count,
                        struct array *out) {
  for (int64_t k = 0; k < array_size(out); k++) {
    out->data[k] =
        element(op, in[0]->data[k], count > 1 ? in[1]->data[k] : 0, count > 2 ? in[2]->data[k] : 0);
  }
}

/* a (..., m, k) or (..., k, m), b (..., k, n) or (..., n, k), out (..., m, n) */
static void matmul(const struct array *a, const struct array *b, const int64_t *flags,
                   struct array *out) {
  int32_t r = out->rank;
  int64_t inner = a->dims[flags[0] ? r - 2 : r - 1];
  for (int64_t e = 0; e < array_size(out); e++) {
    int64_t index[TIER_MAX_RANK] = {0};
    int64_t ia[TIER_MAX_RANK];
    int64_t ib[TIER_MAX_RANK];
    double sum = 0;
    unravel(out, e, index);
    memcpy(ia, index, sizeof ia);
    memcpy(ib, index, sizeof ib);
    for (int64_t k = 0; k < inner; k++) {
      ia[r - 2] = flags[0] ? k : index[r - 2];
      ia[r - 1] = flags[0] ? index[r - 2] : k;
      ib[r - 2] = flags[1] ? index[r - 1] : k;
      ib[r - 1] = flags[1] ? k : index[r - 1];
      sum += *at(a, ia) * *at(b, ib);
    }
    out->data[e] = sum;
  }
}

static void broadcast(const struct array *x, struct array *out) {
  for (int64_t e = 0; e < array_size(out); e++) {
    int64_t index[TIER_MAX_RANK] = {0};
    unravel(out, e, index);
    for (int32_t i = 0; i < x->rank; i++) {
      index[i] = x->dims[i] == 1 ? 0 : index[i];
    }
    out->data[e] = *at(x, index);
  }
}

static void permute(const struct array *x, const int64_t *axes, struct array *out) {
  for (int64_t e = 0; e < array_size(out); e++) {
    int64_t index[TIER_MAX_RANK] = {0};
    int64_t from[TIER_MAX_RANK];
    unravel(out, e, index);
    for (int32_t i = 0; i < x->rank; i++) {
      from[axes[i]] = index[i];
    }
    out->data[e] = *at(x, from);
  }
}

static void slice(const struct array *x, const int64_t *ints, struct array *out) {
  for (int64_t e = 0; e < array_size(out); e++) {
    int64_t index[TIER_MAX_RANK] = {0};
    unravel(out, e, index);
    for (int32_t i = 0; i < x->rank; i++) {
      index[i] = ints[i] + index[i] * ints[2 * x->rank + i];
    }
    out->data[e] = *at(x, index);
  }
}

/* Element e of x goes to low + e (interior + 1); the rest is 0 already. */
static void pad(const struct array *x, const int64_t *ints, struct array *out) {
  for (int64_t e = 0; e < array_size(x); e++) {
    int64_t index[TIER_MAX_RANK] = {0};
    unravel(x, e, index);
    for (int32_t i = 0; i < x->rank; i++) {
      index[i] = ints[i] + index[i] * (ints[2 * x->rank + i] + 1);
    }
    *at(out, index) = x->data[e];
  }
}

static void concat(const struct array *const *in, uint32_t count, int64_t axis, struct array *out) {
  int64_t start = 0;
  for (uint32_t j = 0; j < count; j++) {
    for (int64_t e = 0; e < array_size(in[j]); e++) {
      int64_t index[TIER_MAX_RANK] = {0};
      unravel(in[j], e, index);
      index[axis] += start;
      *at(out, index) = in[j]->data[e];
    }
    start += in[j]->dims[axis];
  }
}

static void sum(const struct array *x, const int64_t *axes, uint32_t count, struct array *out) {
  for (int64_t e = 0; e < array_size(x); e++) {
    int64_t index[TIER_MAX_RANK] = {0};
    int64_t kept[TIER_MAX_RANK];
    int32_t rank = 0;
    unravel(x, e, index);
    for (int32_t i = 0; i < x->rank; i++) {
      int gone = 0;
      for (uint32_t j = 0; j < count; j++) {
        gone |= axes[j] == i;
      }
      if (!gone) {
        kept[rank++] = index[i];
      }
    }
    *at(out, kept) += x->data[e];
  }
}

/* max, argmax and argsort look at one line along `axis` at a time: element j of the line through
 * element `first` is data[first + j * stride]. */
static void along_axis(uint32_t op, const struct array *x, int64_t axis, struct array *out) {
  int64_t stride = 1;
  for (int32_t i = x->rank - 1; i > axis; i--) {
    stride *= x->dims[i];
  }
  int64_t n = x->dims[axis];
  int64_t lines = n == 0 ? 0 : array_size(x) / n;
  for (int64_t line = 0; line < lines; line++) {
    const double *p = x->data + line / stride * stride * n + line % stride;
    double *q = out->data + line / stride * stride * n + line % stride;
    int64_t best = 0;
    for (int64_t j = 0; j < n; j++) {
      int64_t place = 0; /* of element j in the sorted line: how many come before it */
      best = p[j * stride] > p[best * stride] ? j : best;
      for (int64_t i = 0; i < n; i++) {
        place += p[i * stride] < p[j * stride] || (p[i * stride] == p[j * stride] && i < j);
      }
      if (op == TIER_OP_ARGSORT) {
        q[place * stride] = (double)j;
      }
    }
    if (op != TIER_OP_ARGSORT) {
      out->data[line] = op == TIER_OP_MAX ? p[best * stride] : (double)best;
    }
  }
}

/* For each element of the array on the index's side (B..., K, R...), its place on the other side
 * (B..., N, R...). */
static double *indexed(const struct array *near, int64_t e, const struct array *index,
                       int64_t batch, const struct array *far) {
  int64_t place[TIER_MAX_RANK];
  unravel(near, e, place);
  place[batch] = (int64_t)*at(index, place);
  return at(far, place);
}

/* Pixel of x (n, h, w, c) that element e of patches y (n, oh, ow, kh * kw * c) shows, or NULL. */
static double *pixel(const struct array *y, int64_t e, const int64_t *k, const struct array *x) {
  int64_t p[TIER_MAX_RANK];
  unravel(y, e, p);
  int64_t channel = p[3] % x->dims[3];
  int64_t kx = p[3] / x->dims[3] % k[1];
  int64_t ky = p[3] / x->dims[3] / k[1];
  int64_t row = p[1] * k[2] + ky - k[4];
  int64_t column = p[2] * k[3] + kx - k[6];
  int64_t index[4] = {p[0], row, column, channel};
  int inside = row >= 0 && row < x->dims[1] && column >= 0 && column < x->dims[2];
  return inside ? at(x, index) : NULL;
}

/* ---- the shape of the result, as the comments in tier/graph.h say ---- */

static void shape_of(uint32_t op, const int64_t *ints, uint32_t int_count,
                     const struct array *const *in, uint32_t in_count, struct array *out) {
  const struct array *x = in_count > 0 ? in[0] : NULL;
  int64_t r = x != NULL ? x->rank : 0;
  uint32_t skip = op == TIER_OP_IOTA ? 1 : 0;
  if (x != NULL) {
    *out = *x;
  }
  switch (op) {
    case TIER_OP_CONSTANT:
    case TIER_OP_IOTA:
    case TIER_OP_RESHAPE:
    case TIER_OP_BROADCAST:
      out->rank = (int32_t)(int_count - skip);
      for (int32_t i = 0; i < out->rank; i++) {
        out->dims[i] = ints[(int32_t)skip + i];
      }
      break;
    case TIER_OP_MATMUL:
      out->dims[r - 2] = x->dims[ints[0] ? r - 1 : r - 2];
      out->dims[r - 1] = in[1]->dims[ints[1] ? r - 2 : r - 1];
      break;
    case TIER_OP_PERMUTE:
      for (int64_t i = 0; i < r; i++) {
        out->dims[i] = x->dims[ints[i]];
      }
      break;
    case TIER_OP_SLICE:
      for (int64_t i = 0; i < r; i++) {
        out->dims[i] = (ints[r + i] - ints[i] + ints[2 * r + i] - 1) / ints[2 * r + i];
      }
      break;
    case TIER_OP_PAD:
      for (int64_t i = 0; i < r; i++) {
        int64_t between = x->dims[i] > 0 ? (x->dims[i] - 1) * ints[2 * r + i] : 0;
        out->dims[i] = ints[i] + x->dims[i] + between + ints[r + i];
      }
      break;
    case TIER_OP_CONCAT:
      for (uint32_t j = 1; j < in_count; j++) {
        out->dims[ints[0]] += in[j]->dims[ints[0]];
      }
      break;
    case TIER_OP_SUM:
    case TIER_OP_MAX:
    case TIER_OP_ARGMAX:
      out->rank = 0;
      for (int64_t i = 0; i < r; i++) {
        int gone = 0;
        for (uint32_t j = 0; j < int_count; j++) {
          gone |= ints[j] == i;
        }
        if (!gone) {
          out->dims[out->rank++] = x->dims[i];
        }
      }
      break;
    case TIER_OP_GATHER:
      out->dims[ints[0]] = in[1]->dims[ints[0]];
      break;
    case TIER_OP_SCATTER_ADD:
      out->dims[ints[0]] = ints[1];
      break;
    case TIER_OP_PATCHES:
      out->dims[1] = (x->dims[1] + ints[4] + ints[5] - ints[0]) / ints[2] + 1;
      out->dims[2] = (x->dims[2] + ints[6] + ints[7] - ints[1]) / ints[3] + 1;
      out->dims[3] = ints[0] * ints[1] * x->dims[3];
      break;
    case TIER_OP_FOLD:
      out->dims[1] = ints[0];
      out->dims[2] = ints[1];
      out->dims[3] = x->dims[3] / (ints[2] * ints[3]);
      break;
    default: /* elementwise, cast, argsort: like x */
      break;
  }
}

static void constant(const double *reals, uint32_t count, struct array *out) {
  for (int64_t k = 0; k < array_size(out); k++) {
    out->data[k] = reals[count == 1 ? 0 : k];
  }
}

static void iota(int64_t axis, struct array *out) {
  for (int64_t k = 0; k < array_size(out); k++) {
    int64_t index[TIER_MAX_RANK] = {0};
    unravel(out, k, index);
    out->data[k] = (double)index[axis];
  }
}

/* What goes over the elements of the larger side. */
static void scattered(uint32_t op, const int64_t *ints, const struct array *const *in,
                      struct array *out) {
  const struct array *near = op == TIER_OP_GATHER || op == TIER_OP_PATCHES ? out : in[0];
  const struct array *far = near == out ? in[0] : out;
  for (int64_t e = 0; e < array_size(near); e++) {
    double *p = op == TIER_OP_PATCHES ? pixel(near, e, ints, far)
                : op == TIER_OP_FOLD  ? pixel(near, e, ints + 2, far)
                                      : indexed(near, e, in[1], ints[0], far);
    if (p != NULL && near == out) {
      near->data[e] = *p;
    } else if (p != NULL) {
      *p += near->data[e];
    }
  }
}

void plain_operation(uint32_t op, const int64_t *ints, uint32_t int_count, const double *reals,
                     uint32_t real_count, const struct array *const *in, uint32_t in_count,
                     struct array *out) {
  shape_of(op, ints, int_count, in, in_count, out);
  out->data = calloc((size_t)array_size(out) + 1, sizeof *out->data);
  switch (op) {
    case TIER_OP_CONSTANT:
      constant(reals, real_count, out);
      break;
    case TIER_OP_IOTA:
      iota(ints[0], out);
      break;
    case TIER_OP_CAST: /* i32 to real changes nothing here, nor does real to real */
      for (int64_t k = 0; k < array_size(out); k++) {
        out->data[k] = ints[0] == TIER_I32 ? trunc(in[0]->data[k]) : in[0]->data[k];
      }
      break;
    case TIER_OP_RESHAPE:
      memcpy(out->data, in[0]->data, (size_t)array_size(out) * sizeof *out->data);
      break;
    case TIER_OP_MATMUL:
      matmul(in[0], in[1], ints, out);
      break;
    case TIER_OP_PERMUTE:
      permute(in[0], ints, out);
      break;
    case TIER_OP_BROADCAST:
      broadcast(in[0], out);
      break;
    case TIER_OP_SLICE:
      slice(in[0], ints, out);
      break;
    case TIER_OP_PAD:
      pad(in[0], ints, out);
      break;
    case TIER_OP_CONCAT:
      concat(in, in_count, ints[0], out);
      break;
    case TIER_OP_SUM:
      sum(in[0], ints, int_count, out);
      break;
    case TIER_OP_MAX:
    case TIER_OP_ARGMAX:
    case TIER_OP_ARGSORT:
      along_axis(op, in[0], ints[0], out);
      break;
    case TIER_OP_GATHER:
    case TIER_OP_SCATTER_ADD:
    case TIER_OP_PATCHES:
    case TIER_OP_FOLD:
      scattered(op, ints, in, out);
      break;
    default:
      elementwise(op, in, in_count, out);
      break;
  }
}

/* ---- whole graphs ---- */

static void compute(const struct graph *g, tier_value v, struct array *arrays) {
  const struct value *value = graph_value(g, v);
  const struct array **in = calloc(value->input_count + 1, sizeof *in);
  for (uint32_t i = 0; i < value->input_count; i++) {
    in[i] = &arrays[value->inputs[i]];
  }
  plain_operation(value->op, value->ints, value->int_count, value->reals, value->real_count, in,
                  value->input_count, &arrays[v]);
  free(in);
}

static uint8_t *used_values(const struct graph *g, const tier_value *outputs, uint32_t count) {
  uint8_t *used = calloc(g->count, 1);
  for (uint32_t i = 0; i < count; i++) {
    used[outputs[i]] = 1;
  }
  for (uint32_t v = g->count - 1; v >= 1; v--) {
    const struct value *value = graph_value(g, v);
    for (uint32_t i = 0; used[v] && i < value->input_count; i++) {
      used[value->inputs[i]] = 1;
    }
  }
  return used;
}

void plain_evaluate(const struct graph *g, const tier_value *inputs, uint32_t input_count,
                    const double *const *data, const tier_value *outputs, uint32_t output_count,
                    double *const *results) {
  struct array *arrays = calloc(g->count, sizeof *arrays);
  uint8_t *used = used_values(g, outputs, output_count);
  for (uint32_t i = 0; i < input_count; i++) {
    const struct value *value = graph_value(g, inputs[i]);
    struct array *a = &arrays[inputs[i]];
    a->rank = value->rank;
    memcpy(a->dims, value->dims, sizeof a->dims);
    a->data = calloc((size_t)array_size(a) + 1, sizeof *a->data);
    memcpy(a->data, data[i], (size_t)array_size(a) * sizeof *a->data);
  }
  for (uint32_t v = 1; v < g->count; v++) {
    if (used[v] && graph_value(g, v)->op != OP_INPUT) {
      compute(g, v, arrays);
    }
  }
  for (uint32_t i = 0; i < output_count; i++) {
    const struct array *a = &arrays[outputs[i]];
    memcpy(results[i], a->data, (size_t)array_size(a) * sizeof *a->data);
  }
  for (uint32_t v = 0; v < g->count; v++) {
    free(arrays[v].data);
  }
  free(arrays);
  free(used);
}

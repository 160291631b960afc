#include "random_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <tier/nn.h>

#include "base/error.h"
#include "base/random.h"
#include "diff/diff.h"

#include <cmocka.h> /* last: it defines `fail` */

/* ---- making ---- */

struct pool {
  tier_graph *g;
  struct random_graph *r;
  tier_value reals[512];
  int real_count;
  /* Those that are inputs, or inputs moved about: the same bits however they are compiled, so that
   * comparing and sorting them is not a matter of rounding. */
  tier_value exact[512];
  int exact_count;
  uint64_t stream;
  uint64_t drawn;
};

static int pick(struct pool *p, int count) {
  return (int)(random_uniform(p->stream, 0, p->drawn++) * count);
}

static tier_value any(struct pool *p) {
  /* Recent values more often, so that graphs get deep. */
  int recent = p->real_count > 6 && pick(p, 2) ? p->real_count - 6 : 0;
  return p->reals[recent + pick(p, p->real_count - recent)];
}
static tier_value any_exact(struct pool *p) {
  return p->exact[pick(p, p->exact_count)];
}

static void add(struct pool *p, tier_value v, int exact) {
  if (p->real_count < 512) {
    p->reals[p->real_count++] = v;
  }
  if (exact && p->exact_count < 512) {
    p->exact[p->exact_count++] = v;
  }
}

/* x brought to `like`'s shape: by slicing, repeating, or as it is. */
static tier_value adapt(struct pool *p, tier_value x, tier_value like) {
  tier_graph *g = p->g;
  int64_t want[TIER_MAX_RANK];
  int64_t have[TIER_MAX_RANK];
  int32_t rank = g->api->shape(g, like, want);
  if (tier_rank(g, x) != rank) {
    int64_t size = tier_size(g, x);
    x = tier_reshape(g, x, &size, 1);
    x = size > 0 ? tier_slice_axis(g, x, 0, pick(p, (int)size), size) : x;
    x = tier_slice_axis(g, x, 0, 0, 1);
    int64_t ones[TIER_MAX_RANK] = {1, 1, 1, 1, 1, 1};
    return tier_broadcast(g, tier_reshape(g, x, ones, rank), want, rank);
  }
  (void)g->api->shape(g, x, have);
  for (int32_t i = 0; i < rank; i++) {
    if (have[i] > want[i] || (have[i] < want[i] && have[i] != 1)) {
      int64_t length = have[i] > want[i] && want[i] > 0 ? want[i] : 1;
      int64_t start = pick(p, (int)(have[i] - length + 1));
      x = tier_slice_axis(g, x, i, start, start + length);
    }
  }
  return tier_broadcast(g, x, want, rank);
}

/* Kept in (-2, 2), so that deep graphs neither overflow nor lose all digits. */
static tier_value tame(tier_graph *g, tier_value x) {
  return tier_scale(g, tier_tanh(g, tier_scale(g, x, 0.5)), 2.0);
}

static tier_value unary(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  static const uint32_t ops[] = {TIER_OP_NEGATE,  TIER_OP_EXP,      TIER_OP_EXPM1, TIER_OP_TANH,
                                 TIER_OP_SIGMOID, TIER_OP_SOFTPLUS, TIER_OP_SIN,   TIER_OP_COS,
                                 TIER_OP_LOG,     TIER_OP_LOG1P,    TIER_OP_SQRT};
  uint32_t op = ops[pick(p, 11)];
  int64_t safe = pick(p, 2);
  if (op == TIER_OP_LOG || op == TIER_OP_LOG1P || op == TIER_OP_SQRT) {
    x = tier_shift(g, tier_square(g, x), 0.25);
  }
  return tier_emit(g, op, &x, 1, &safe, op == TIER_OP_SQRT ? 1 : 0);
}

static tier_value binary(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  tier_value y = pick(p, 5) == 0 ? tier_fill_like(g, x, pick(p, 4) - 1) : adapt(p, any(p), x);
  switch (pick(p, 6)) {
    case 0:
      return tier_add(g, x, y);
    case 1:
      return tier_subtract(g, x, y);
    case 2:
      return tier_divide(g, x, tier_shift(g, tier_square(g, y), 0.5));
    case 3: { /* on exact operands: a tie must be a tie however it is compiled */
      tier_value a = any_exact(p);
      tier_value b = adapt(p, any_exact(p), a);
      return pick(p, 2) ? tier_maximum(g, a, b) : tier_minimum(g, a, b);
    }
    default:
      return tier_multiply(g, x, y);
  }
}

static tier_value compare(struct pool *p) {
  tier_graph *g = p->g;
  static const uint32_t ops[] = {TIER_OP_LESS, TIER_OP_LESS_EQUAL, TIER_OP_EQUAL};
  tier_value pair[2] = {any_exact(p)};
  pair[1] = adapt(p, any_exact(p), pair[0]);
  if (pick(p, 3) == 0) { /* i32 */
    int64_t dims[TIER_MAX_RANK];
    int32_t rank = g->api->shape(g, pair[0], dims);
    pair[0] = tier_cast(g, tier_scale(g, pair[0], 4.0), TIER_I32);
    pair[1] = rank > 0 ? tier_iota(g, pick(p, rank), dims, rank) : pair[0];
  }
  tier_value c = tier_emit(g, ops[pick(p, 3)], pair, 2, NULL, 0);
  tier_value a = adapt(p, any(p), c);
  return pick(p, 2) ? tier_select(g, c, a, adapt(p, any(p), c)) : tier_multiply(g, c, a);
}

static tier_value move(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  int64_t dims[TIER_MAX_RANK];
  int64_t ints[3 * TIER_MAX_RANK] = {0};
  int32_t rank = g->api->shape(g, x, dims);
  switch (pick(p, 6)) {
    case 0: { /* reshape */
      int64_t size = tier_size(g, x);
      int64_t divisor = size % 2 == 0 ? 2 : size % 3 == 0 ? 3 : 1;
      int64_t to[3] = {divisor, 1, size / divisor};
      return tier_reshape(g, x, to, 3);
    }
    case 1: { /* permute */
      int64_t order[TIER_MAX_RANK];
      random_permutation(p->stream, 1 + p->drawn++, rank, order);
      return tier_permute(g, x, order, rank);
    }
    case 2: /* slice with strides */
      for (int32_t i = 0; i < rank; i++) {
        ints[i] = dims[i] > 1 ? pick(p, 2) : 0;
        ints[rank + i] = dims[i];
        ints[2 * rank + i] = 1 + pick(p, 2);
      }
      return tier_emit(g, TIER_OP_SLICE, &x, 1, ints, 3 * (uint32_t)rank);
    case 3: /* pad with interiors */
      for (int32_t i = 0; i < 2 * rank; i++) {
        ints[i] = pick(p, 2);
      }
      ints[2 * rank] = rank > 0 ? pick(p, 2) : 0;
      return tier_emit(g, TIER_OP_PAD, &x, 1, ints, 3 * (uint32_t)rank);
    case 4: { /* concat */
      if (rank == 0) {
        return x;
      }
      tier_value parts[3] = {x, adapt(p, any_exact(p), x), x};
      return tier_concat(g, parts, 2 + (uint32_t)pick(p, 2), pick(p, rank));
    }
    default: { /* an axis more, repeated */
      if (rank == TIER_MAX_RANK) {
        return x;
      }
      ints[0] = 1;
      memcpy(ints + 1, dims, (size_t)rank * sizeof *dims);
      x = tier_reshape(g, x, ints, rank + 1);
      ints[0] = 2;
      return tier_broadcast(g, x, ints, rank + 1);
    }
  }
}

static tier_value reduce(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  int32_t rank = tier_rank(g, x);
  if (rank == 0) {
    return x;
  }
  if (pick(p, 3) > 0) {
    int64_t axes[TIER_MAX_RANK];
    uint32_t count = 0;
    for (int32_t i = 0; i < rank; i++) {
      if (pick(p, 2)) {
        axes[count++] = i;
      }
    }
    return tier_sum_axes(g, x, axes, count);
  }
  x = any_exact(p);
  rank = tier_rank(g, x);
  if (rank == 0) {
    return x;
  }
  int32_t axis = pick(p, rank);
  int which = tier_size(g, x) == 0 ? 2 : pick(p, 3);
  return which == 0   ? tier_max_axis(g, x, axis)
         : which == 1 ? tier_cast(g, tier_argmax(g, x, axis), TIER_REAL)
                      : tier_cast(g, tier_argsort(g, x, axis), TIER_REAL);
}

/* x reshaped to a matrix (rows, columns), or with `batch` to a stack of two. */
static tier_value matrix(struct pool *p, tier_value x, int batch) {
  int64_t size = tier_size(p->g, x);
  int64_t stack = batch ? 2 : 1;
  int64_t rows = size % (3 * stack) == 0 ? 3 : 1;
  int64_t used = size / (rows * stack) * rows * stack;
  int64_t dims[3] = {2, rows, used / (rows * stack)};
  x = tier_reshape(p->g, x, &size, 1);
  x = tier_slice_axis(p->g, x, 0, 0, used);
  return tier_reshape(p->g, x, batch ? dims : dims + 1, batch ? 3 : 2);
}

static tier_value product(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  int batch = pick(p, 2) && tier_size(g, x) > 1;
  int32_t ta = pick(p, 2);
  int32_t tb = pick(p, 2);
  tier_value a = matrix(p, x, batch);
  /* b with the inner size and a few columns, out of anything */
  int64_t inner = tier_dim(g, a, ta ? -2 : -1);
  int64_t columns = 1 + pick(p, 4);
  int64_t dims[3] = {2, tb ? columns : inner, tb ? inner : columns};
  tier_value like = tier_fill(g, 0.0, batch ? dims : dims + 1, batch ? 3 : 2);
  tier_value b = adapt(p, any(p), like);
  if (pick(p, 3) == 0) { /* through permutes, for the compiler to take into the flags */
    int64_t axes[3] = {0, batch ? 2 : 1, batch ? 1 : 0};
    b = tier_permute(g, b, batch ? axes : axes + 1, batch ? 3 : 2);
    if (!batch) {
      int64_t swap[2] = {1, 0};
      b = tier_permute(g, adapt(p, any(p), like), swap, 2);
    }
    tb = !tb;
  }
  return tier_scale(g, tier_matmul_transposed(g, a, ta, b, tb), 0.5);
}

/* Indices in 0 .. size-1, of shape (batch..., count), from iota. */
static tier_value some_indices(struct pool *p, int64_t batch, int64_t count, int64_t size) {
  tier_graph *g = p->g;
  int64_t dims[2] = {batch, count};
  tier_value index = tier_cast(g, tier_iota(g, 1, dims, 2), TIER_REAL);
  tier_value wave = tier_sin(g, tier_scale(g, index, 1.0 + pick(p, 9)));
  /* |sin| < 1, so the product truncates into 0 .. size-1 */
  tier_value scaled = tier_scale(g, tier_square(g, wave), 0.999 * (double)size);
  return tier_cast(g, scaled, TIER_I32);
}

static tier_value indexed(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  int64_t size = tier_size(g, x);
  int64_t batch = size % 2 == 0 ? 2 : 1;
  int64_t rest = size / batch;
  int64_t inner = rest % 3 == 0 ? 3 : 1;
  int64_t dims[3] = {batch, rest / inner, inner};
  x = tier_reshape(g, x, dims, 3);
  if (pick(p, 2)) {
    return tier_gather(g, x, some_indices(p, batch, 4, dims[1]), 1);
  }
  return tier_scatter_add(g, x, some_indices(p, batch, dims[1], 5), 1, 5);
}

static tier_value image(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  int64_t size = tier_size(g, x);
  int64_t like_dims[4] = {1 + pick(p, 2), 3, 4, 1 + pick(p, 2)};
  int64_t window[10] = {3, 4, 2, 2, 1, 1 + pick(p, 2), pick(p, 2), 1, 0, pick(p, 2)};
  x = tier_reshape(g, x, &size, 1);
  x = adapt(p, x, tier_fill(g, 0.0, like_dims, 4));
  tier_value patches = tier_emit(g, TIER_OP_PATCHES, &x, 1, window + 2, 8);
  return pick(p, 2) ? patches : tier_emit(g, TIER_OP_FOLD, &patches, 1, window, 10);
}

static tier_value source(struct pool *p) {
  tier_graph *g = p->g;
  int64_t dims[2] = {1 + pick(p, 4), 1 + pick(p, 5)};
  double numbers[20];
  for (int i = 0; i < 20; i++) {
    numbers[i] = pick(p, 5) - 2;
  }
  if (pick(p, 2)) {
    return tier_random(g, p->r->slow[RANDOM_SLOW - 1], pick(p, 2) ? TIER_NORMAL : TIER_UNIFORM,
                       pick(p, 2), dims, 2);
  }
  tier_attributes a = {.struct_size = (uint32_t)sizeof a,
                       .int_count = 2,
                       .ints = dims,
                       .real_count = (uint32_t)(dims[0] * dims[1]),
                       .reals = numbers};
  return g->api->emit(g, TIER_OP_CONSTANT, NULL, 0, &a);
}

/* Sums of padded parts of one vector, as gradients of slices are; and a slice of that. */
static tier_value parts(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  int64_t size = tier_size(g, x);
  int64_t length = 6 + pick(p, 6);
  tier_value sum = 0;
  x = tier_reshape(g, x, &size, 1);
  for (int i = 0; i < 2 + pick(p, 3); i++) {
    int64_t from = pick(p, (int)size);
    int64_t most = size - from < length ? size - from : length;
    int64_t taken = 1 + pick(p, (int)most);
    int64_t low = pick(p, 3) == 0 ? 0 : pick(p, (int)(length - taken + 1));
    int64_t pad[3] = {low, length - taken - low, 0};
    tier_value part = tier_slice_axis(g, x, 0, from, from + taken);
    part = tier_emit(g, TIER_OP_PAD, &part, 1, pad, 3);
    sum = sum == 0 ? part : tier_add(g, sum, part);
  }
  int64_t start = pick(p, (int)length);
  return pick(p, 2) ? sum
                    : tier_slice_axis(g, sum, 0, start, start + 1 + pick(p, (int)(length - start)));
}

/* Neighbouring or overlapping slices, one behind the other. */
static tier_value neighbours(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  int64_t size = tier_size(g, x);
  x = tier_reshape(g, x, &size, 1);
  int64_t middle = pick(p, (int)size);
  int64_t again = pick(p, 2) ? middle : pick(p, (int)size);
  tier_value both[2] = {tier_slice_axis(g, x, 0, 0, middle), tier_slice_axis(g, x, 0, again, size)};
  return tier_concat(g, both, 2, 0);
}

/* x with itself moved: both read one array, in different ways. */
static tier_value with_itself(struct pool *p, tier_value x) {
  tier_graph *g = p->g;
  tier_value moved = adapt(p, move(p, x), x);
  return pick(p, 2) ? tier_subtract(g, x, moved) : tier_add(g, tier_negate(g, moved), x);
}

/* What single rules of the compiler look for, on x brought to three axes. */
static tier_value pattern(struct pool *p, tier_value x) {
  static const int64_t dims[3] = {2, 3, 4};
  tier_graph *g = p->g;
  int64_t order[3];
  x = adapt(p, x, tier_fill(g, 0.0, dims, 3));
  switch (pick(p, 4)) {
    case 0: /* permuted twice */
      random_permutation(p->stream, 1 + p->drawn++, 3, order);
      x = tier_permute(g, x, order, 3);
      random_permutation(p->stream, 1 + p->drawn++, 3, order);
      return tier_permute(g, x, order, 3);
    case 1: { /* padded along one axis, and sliced along one */
      int32_t axis = pick(p, 3);
      int64_t pad[9] = {0};
      pad[axis] = pick(p, 4);
      pad[3 + axis] = pick(p, 4);
      x = tier_emit(g, TIER_OP_PAD, &x, 1, pad, 9);
      axis = pick(p, 4) > 0 ? axis : pick(p, 3);
      int64_t size = tier_dim(g, x, axis);
      int64_t start = pick(p, (int)size);
      return tier_slice_axis(g, x, axis, start, start + 1 + pick(p, (int)(size - start)));
    }
    case 2: { /* a sum of products with a factor that is repeated along some axes */
      int64_t axes[3];
      int64_t small[3];
      uint32_t count = 0;
      for (int i = 0; i < 3; i++) {
        small[i] = pick(p, 2) ? dims[i] : 1;
        if (pick(p, 2)) {
          axes[count++] = i;
        }
      }
      tier_value factor = adapt(p, any(p), tier_fill(g, 0.0, small, 3));
      factor = tier_broadcast(g, factor, dims, 3);
      return tier_sum_axes(g, tier_multiply(g, factor, x), axes, count);
    }
    default: { /* a stack of matrices with its axes in any order, in a product */
      random_permutation(p->stream, 1 + p->drawn++, 3, order);
      x = tier_permute(g, x, order, 3);
      int64_t to[3] = {tier_dim(g, x, 0), tier_dim(g, x, 2), 2};
      tier_value b = adapt(p, any(p), tier_fill(g, 0.0, to, 3));
      return tier_matmul(g, x, b);
    }
  }
}

/* What happened to the numbers: inputs moved about, sums of them, or anything. */
enum growth { EXACT, LINEAR, WILD };

static tier_value grow(struct pool *p, enum growth *growth) {
  tier_graph *g = p->g;
  tier_value x = any(p);
  *growth = WILD;
  switch (pick(p, 22)) {
    case 0:
    case 1:
      return unary(p, x);
    case 2:
    case 3:
    case 4:
      return binary(p, x);
    case 5:
      return compare(p);
    case 6:
      *growth = EXACT;
      return move(p, any_exact(p));
    case 7:
    case 8:
    case 9:
      *growth = LINEAR;
      return move(p, x);
    case 10:
    case 11:
      *growth = LINEAR;
      return tier_scale(g, reduce(p, x), 0.25);
    case 12:
      *growth = LINEAR;
      return tier_scale(g, x, pick(p, 2) ? 0.5 : -1.0);
    case 13:
      return tier_size(g, x) > 0 ? with_itself(p, x) : x;
    case 14:
      *growth = LINEAR;
      return tier_size(g, x) == 0 ? x : pick(p, 3) == 0 ? neighbours(p, x) : parts(p, x);
    case 15:
      return product(p, x);
    case 16:
      return tier_size(g, x) > 0 ? indexed(p, x) : x;
    case 17:
      return image(p, x);
    case 18:
      return source(p);
    case 19:
    case 20:
      return tier_size(g, x) > 0 ? pattern(p, x) : x;
    default:
      *growth = LINEAR;
      return pick(p, 2) ? tier_stop_gradient(g, x) : tier_cast(g, x, TIER_REAL);
  }
}

static void make_inputs(struct pool *p) {
  static const int64_t dims[7][3] = {{4, 6, 0}, {6, 1, 0}, {5, 0, 0}, {0, 0, 0},
                                     {4, 6, 0}, {2, 3, 4}, {1, 6, 0}};
  static const int32_t ranks[7] = {2, 2, 1, 0, 2, 3, 2};
  struct random_graph *r = p->r;
  for (int i = 0; i < 7; i++) {
    tier_value v = graph_input(r->graph, TIER_REAL, dims[i], ranks[i], "x");
    add(p, v, 1);
    if (i < RANDOM_SLOW - 1) {
      r->slow[i] = v;
    } else {
      r->fast[i - RANDOM_SLOW + 1] = v;
    }
  }
  int64_t four = 4;
  r->slow[RANDOM_SLOW - 1] = graph_input(r->graph, TIER_I32, &four, 1, "key");
}

void random_graph_make(struct random_graph *r, uint64_t seed, int size) {
  *r = (struct random_graph){.graph = graph_new()};
  struct pool *p = calloc(1, sizeof *p);
  assert_non_null(p);
  p->g = &r->graph->face;
  p->r = r;
  p->stream = random_stream("graph", seed);
  make_inputs(p);
  for (int i = 0; i < size; i++) {
    enum growth growth = WILD;
    tier_value v = grow(p, &growth);
    if (tier_size(p->g, v) > 2000) {
      continue;
    }
    /* Products, exponentials and the like are tamed; the rest mostly stays as it is, so that the
     * passes see chains of movements and sums. */
    int wild = growth == WILD && pick(p, 3) > 0;
    add(p, wild ? tame(p->g, v) : v, growth == EXACT);
  }
  r->output_count = 3 + (uint32_t)pick(p, RANDOM_MOST_OUTPUTS - 2);
  for (uint32_t i = 0; i < r->output_count; i++) {
    r->outputs[i] = any(p);
  }
  if (r->graph->status < 0) {
    fail_msg("seed %llu: %s", (unsigned long long)seed, r->graph->failure);
  }
  for (tier_value v = 1; v < r->graph->count; v++) {
    r->used |= UINT64_C(1) << r->graph->values[v].op;
  }
  free(p);
}

void random_graph_differentiate(struct random_graph *r) {
  static const int64_t column[2] = {6, 1};
  tier_graph *g = &r->graph->face;
  const tier_value xs[4] = {r->slow[0], r->slow[1], r->slow[2], r->fast[0]};
  tier_value y = tier_scalar(g, 0.0);
  for (uint32_t i = 0; i < r->output_count; i++) {
    y = tier_add(g, y, tier_sum_all(g, tier_sin(g, r->outputs[i])));
  }
  /* The Hessian's product with a vector whose parts belong to the first two. */
  const tier_value tangents[2] = {r->fast[0], tier_reshape(g, r->fast[2], column, 2)};
  r->output_count = RANDOM_MOST_OUTPUTS;
  tier_value *gradients = r->outputs;
  tier_value *products = r->outputs + 4;
  (void)diff_gradient(r->graph, y, 0, xs, 4, gradients);
  for (int i = 0; i < 4; i++) {
    gradients[i] = gradients[i] != 0 ? gradients[i] : tier_fill_like(g, xs[i], 0.0);
  }
  (void)diff_jvp(r->graph, gradients, 4, xs, tangents, 2, products);
  for (int i = 0; i < 4; i++) {
    products[i] = products[i] != 0 ? products[i] : tier_fill_like(g, xs[i], 0.0);
  }
  if (r->graph->status < 0) {
    fail_msg("%s", r->graph->failure);
  }
}

void random_graph_free(struct random_graph *r) {
  graph_free(r->graph);
  r->graph = NULL;
}

/* ---- running ---- */

int64_t random_graph_size(const struct random_graph *r, uint32_t output) {
  return value_size(graph_value(r->graph, r->outputs[output]));
}

static void *make_array(const struct random_graph *r, tier_value v, int32_t dtype) {
  size_t size = (size_t)value_size(graph_value(r->graph, v));
  void *p = calloc(size + 1, dtype_size(dtype));
  assert_non_null(p);
  return p;
}

/* Numbers with few digits, so that f32 and f64 start from the same. */
static void fill(const struct random_graph *r, tier_value v, int32_t dtype, uint64_t seed,
                 uint64_t input, void *data) {
  int64_t size = value_size(graph_value(r->graph, v));
  for (int64_t i = 0; i < size; i++) {
    double u = random_uniform(seed, input, (uint64_t)i);
    double x = ((double)(int64_t)(u * 4096.0) - 2048.0) / 1024.0;
    if (graph_value(r->graph, v)->type == TIER_I32) {
      ((int32_t *)data)[i] = (int32_t)(u * 1e9);
    } else if (dtype == DTYPE_F32) {
      ((float *)data)[i] = (float)x;
    } else {
      ((double *)data)[i] = x;
    }
  }
}

static double *to_doubles(const void *data, int64_t size, int32_t type, int32_t dtype) {
  double *out = calloc((size_t)size + 1, sizeof *out);
  assert_non_null(out);
  for (int64_t i = 0; i < size; i++) {
    out[i] = type == TIER_I32     ? ((const int32_t *)data)[i]
             : dtype == DTYPE_F32 ? (double)((const float *)data)[i]
                                  : ((const double *)data)[i];
  }
  return out;
}

#define ALL_INPUTS (RANDOM_SLOW + RANDOM_FAST)

void random_graph_run(const struct random_graph *r, const struct program_options *options,
                      uint64_t seed, int all_fast, double **results) {
  tier_value inputs[ALL_INPUTS];
  const void *data[ALL_INPUTS];
  void *owned[ALL_INPUTS];
  void *outputs[RANDOM_MOST_OUTPUTS];
  struct program *p = NULL;
  uint32_t slow = all_fast ? 0 : RANDOM_SLOW;
  for (uint32_t i = 0; i < ALL_INPUTS; i++) {
    inputs[i] = i < RANDOM_SLOW ? r->slow[i] : r->fast[i - RANDOM_SLOW];
    owned[i] = make_array(r, inputs[i], options->dtype);
    fill(r, inputs[i], options->dtype, seed, i, owned[i]);
    data[i] = owned[i];
  }
  for (uint32_t i = 0; i < r->output_count; i++) {
    outputs[i] = make_array(r, r->outputs[i], options->dtype);
  }
  int32_t status = program_compile(r->graph, options, inputs, slow, inputs + slow,
                                   ALL_INPUTS - slow, r->outputs, r->output_count, &p);
  if (status >= 0) {
    status = program_bind(p, data);
  }
  for (int repeat = 0; status >= 0 && repeat < 2; repeat++) { /* apply leaves what bind made */
    status = program_apply(p, data + slow, outputs);
  }
  if (status < 0) {
    fail_msg("%s", error_text());
  }
  for (uint32_t i = 0; i < r->output_count; i++) {
    results[i] = to_doubles(outputs[i], random_graph_size(r, i),
                            graph_value(r->graph, r->outputs[i])->type, options->dtype);
    free(outputs[i]);
  }
  for (uint32_t i = 0; i < ALL_INPUTS; i++) {
    free(owned[i]);
  }
  program_free(p);
}

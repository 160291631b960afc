/* Operations along axes: sum, max, argmax, argsort. */
#include <math.h>
#include <string.h>

#include "backend/cpu.h"
#include "base/memory.h"

/* ---- sum: always in f64, rounded once ---- */

#define COLUMNS 128              /* columns that are summed side by side */
#define SUM_BLOCK INT64_C(65536) /* a long sum is cut into sums of so many */

static const void *element_at(const struct call *c, int64_t offset) {
  return (const char *)call_in(c, 0) + offset * (int64_t)dtype_size(c->dtype);
}

static double load(const struct call *c, const void *x, int64_t i) {
  return c->dtype == DTYPE_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* The sum over the reduced axes of what begins at `offset`. */
static double sum_from(const struct call *c, int64_t offset) {
  const struct loop *r = &((const struct cpu_plan *)c->code->plan)->reduced;
  int64_t n = r->dims[r->rank - 1];
  int64_t stride = r->strides[0][r->rank - 1];
  double total = 0.0;
  for (int64_t row = 0; row < r->size / n; row++) {
    const void *x = element_at(c, offset + loop_row(r, 0, row));
    if (stride == 1) {
      total += c->kernels->sum(n, x);
    } else {
      for (int64_t i = 0; i < n; i++) {
        total += load(c, x, i * stride);
      }
    }
  }
  return total;
}

/* Output elements `at` .. at + n. */
static void put(const struct call *c, int64_t at, int64_t n, const double *sums) {
  const struct cpu_plan *plan = c->code->plan;
  char *out = call_out(c);
  if (!plan->wide) {
    c->kernels->round(n, out + at * (int64_t)dtype_size(c->dtype), sums);
    return;
  }
  double *to = (double *)(void *)out + at;
  for (int64_t i = 0; i < n; i++) {
    to[i] = c->code->accumulate ? to[i] + sums[i] : sums[i];
  }
}

/* Output elements begin .. end. */
static void sum_elements(const struct call *c, int64_t begin, int64_t end) {
  const struct cpu_plan *plan = c->code->plan;
  const struct loop *k = &plan->kept;
  int64_t n = k->dims[k->rank - 1];
  for (int64_t e = begin; e < end; e++) {
    int64_t offset = loop_row(k, 1, e / n) + e % n * k->strides[1][k->rank - 1];
    double total = plan->reduced.size > 0 ? sum_from(c, offset) : 0.0;
    put(c, e, 1, &total);
  }
}

/* sums (rows): row r's sum of x[r * stride + i], i < n, in order. Four rows side by side, so that
 * one addition need not wait for the one before. */
#define SHORT 64
#define SUM_SHORT(name, T)                                                              \
  static void name(const T *x, int64_t rows, int64_t stride, int64_t n, double *sums) { \
    int64_t r = 0;                                                                      \
    for (; r + 4 <= rows; r += 4) {                                                     \
      double s[4] = {0};                                                                \
      for (int64_t i = 0; i < n; i++) {                                                 \
        for (int k = 0; k < 4; k++) {                                                   \
          s[k] += (double)x[(r + k) * stride + i];                                      \
        }                                                                               \
      }                                                                                 \
      for (int k = 0; k < 4; k++) {                                                     \
        sums[r + k] = s[k];                                                             \
      }                                                                                 \
    }                                                                                   \
    for (; r < rows; r++) {                                                             \
      sums[r] = 0.0;                                                                    \
      for (int64_t i = 0; i < n; i++) {                                                 \
        sums[r] += (double)x[r * stride + i];                                           \
      }                                                                                 \
    }                                                                                   \
  }
SUM_SHORT(sum_short_f32, float)
SUM_SHORT(sum_short_f64, double)

/* Output elements begin .. end, each the sum of a short row. */
static void sum_short_rows(const struct call *c, int64_t begin, int64_t end) {
  const struct cpu_plan *plan = c->code->plan;
  int64_t stride = plan->kept.strides[1][0];
  int64_t n = plan->reduced.dims[0];
  double sums[COLUMNS];
  for (int64_t e = begin; e < end; e += COLUMNS) {
    int64_t rows = end - e < COLUMNS ? end - e : COLUMNS;
    const void *x = element_at(c, e * stride);
    if (c->dtype == DTYPE_F32) {
      sum_short_f32(x, rows, stride, n, sums);
    } else {
      sum_short_f64(x, rows, stride, n, sums);
    }
    put(c, e, rows, sums);
  }
}

/* Blocks of columns: unit u is block u % blocks of row u / blocks of the kept axes. */
static void sum_columns(const struct call *c, int64_t begin, int64_t end) {
  const struct cpu_plan *plan = c->code->plan;
  const struct loop *k = &plan->kept;
  const struct loop *r = &plan->reduced;
  int64_t columns = k->dims[k->rank - 1];
  int64_t blocks = (columns + COLUMNS - 1) / COLUMNS;
  int64_t inner = r->dims[r->rank - 1];
  double sums[COLUMNS];
  for (int64_t u = begin; u < end; u++) {
    int64_t first = u % blocks * COLUMNS;
    int64_t n = columns - first < COLUMNS ? columns - first : COLUMNS;
    int64_t offset = loop_row(k, 1, u / blocks) + first;
    memset(sums, 0, sizeof sums);
    for (int64_t e = 0; e < r->size; e++) {
      int64_t at = loop_row(r, 0, e / inner) + e % inner * r->strides[0][r->rank - 1];
      c->kernels->accumulate(n, sums, element_at(c, offset + at));
    }
    put(c, u / blocks * columns + first, n, sums);
  }
}

/* Blocks of one long sum. */
static void sum_blocks(const struct call *c, int64_t begin, int64_t end) {
  const struct cpu_plan *plan = c->code->plan;
  for (int64_t b = begin; b < end; b++) {
    int64_t first = b * SUM_BLOCK;
    int64_t n = plan->reduced.size - first < SUM_BLOCK ? plan->reduced.size - first : SUM_BLOCK;
    plan->partial[b] = c->kernels->sum(n, element_at(c, first));
  }
}

static int32_t run_sum(const struct call *c, struct threads *threads) {
  const struct cpu_plan *plan = c->code->plan;
  if (plan->partial != NULL) {
    int64_t blocks = (plan->reduced.size + SUM_BLOCK - 1) / SUM_BLOCK;
    double total = 0.0;
    cpu_run_chunks(threads, c, blocks, 1, sum_blocks);
    for (int64_t b = 0; b < blocks; b++) {
      total += plan->partial[b];
    }
    c->kernels->round(1, call_out(c), &total);
  } else if (plan->columns && plan->kept.size > 0) {
    int64_t columns = plan->kept.dims[plan->kept.rank - 1];
    int64_t units = plan->kept.size / columns * ((columns + COLUMNS - 1) / COLUMNS);
    int64_t width = columns < COLUMNS ? columns : COLUMNS;
    cpu_run_chunks(threads, c, units, cpu_grain(plan->reduced.size * width), sum_columns);
  } else {
    cpu_run_chunks(threads, c, plan->kept.size, cpu_grain(plan->reduced.size),
                   plan->short_rows ? sum_short_rows : sum_elements);
  }
  return TIER_OK;
}

/* The input's axes that stay, with the output's strides; and those that go away. */
static void split_axes(const struct instruction *i, struct cpu_plan *plan) {
  const struct view *x = &i->inputs[0];
  struct view kept = *x;
  struct view reduced = *x;
  uint32_t next = 0;
  kept.rank = 0;
  reduced.rank = 0;
  for (int32_t axis = 0; axis < x->rank; axis++) {
    int gone = next < i->int_count && i->ints[next] == axis;
    struct view *v = gone ? &reduced : &kept;
    next += gone ? 1 : 0;
    v->dims[v->rank] = x->dims[axis];
    v->strides[v->rank++] = x->strides[axis];
  }
  const struct view *of_kept[2] = {&i->out, &kept};
  const struct view *of_reduced[1] = {&reduced};
  loop_make(of_kept, 2, &plan->kept);
  loop_make(of_reduced, 1, &plan->reduced);
}

int32_t cpu_prepare_sum(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  (void)dtype;
  split_axes(i, plan);
  const struct loop *k = &plan->kept;
  const struct loop *r = &plan->reduced;
  int dense = r->strides[0][r->rank - 1] == 1 && r->dims[r->rank - 1] > 1;
  plan->columns = !dense && k->strides[1][k->rank - 1] == 1 && k->dims[k->rank - 1] > 1;
  plan->short_rows = dense && k->rank == 1 && k->size > 1 && r->rank == 1 && r->size <= SHORT;
  plan->run = run_sum;
  if (!plan->alone && k->size == 1 && r->rank == 1 && dense && r->size >= 2 * SUM_BLOCK) {
    void *partial = NULL;
    size_t blocks = (size_t)((r->size + SUM_BLOCK - 1) / SUM_BLOCK);
    TIER_TRY(large_alloc(blocks * sizeof(double), "the parts of a sum", &partial));
    plan->partial = partial;
  }
  return TIER_OK;
}

/* ---- max, argmax, argsort along one axis ---- */

/* Sizes before, of and after the axis: element (o, k, n) is number (o * length + k) * inner + n. */
struct line {
  int64_t outer, length, inner;
};
static struct line line_of(const struct instruction *i) {
  const struct view *x = &i->inputs[0];
  struct line l = {1, x->dims[i->ints[0]], 1};
  for (int32_t j = 0; j < x->rank; j++) {
    l.outer *= j < i->ints[0] ? x->dims[j] : 1;
    l.inner *= j > i->ints[0] ? x->dims[j] : 1;
  }
  return l;
}

/* The first greatest of n numbers; a NaN counts as greatest. */
#define FIRST_GREATEST(name, T)                                \
  static int64_t name(const T *x, int64_t n, int64_t stride) { \
    int64_t best = 0;                                          \
    T most = x[0];                                             \
    for (int64_t k = 1; k < n; k++) {                          \
      T now = x[k * stride];                                   \
      if (now > most || (now != now && most == most)) {        \
        most = now;                                            \
        best = k;                                              \
      }                                                        \
    }                                                          \
    return best;                                               \
  }
FIRST_GREATEST(first_greatest_f32, float)
FIRST_GREATEST(first_greatest_f64, double)

/* out (rows): the greatest of each row of n numbers, four rows side by side. */
#define MAX_SHORT(name, T)                                        \
  static void name(const T *x, int64_t rows, int64_t n, T *out) { \
    int64_t r = 0;                                                \
    for (; r + 4 <= rows; r += 4) {                               \
      T most[4];                                                  \
      for (int k = 0; k < 4; k++) {                               \
        most[k] = x[(r + k) * n];                                 \
      }                                                           \
      for (int64_t i = 1; i < n; i++) {                           \
        for (int k = 0; k < 4; k++) {                             \
          T now = x[(r + k) * n + i];                             \
          most[k] = now > most[k] || now != now ? now : most[k];  \
        }                                                         \
      }                                                           \
      for (int k = 0; k < 4; k++) {                               \
        out[r + k] = most[k];                                     \
      }                                                           \
    }                                                             \
    for (; r < rows; r++) {                                       \
      out[r] = x[r * n];                                          \
      for (int64_t i = 1; i < n; i++) {                           \
        T now = x[r * n + i];                                     \
        out[r] = now > out[r] || now != now ? now : out[r];       \
      }                                                           \
    }                                                             \
  }
MAX_SHORT(max_short_f32, float)
MAX_SHORT(max_short_f64, double)

/* Lines begin .. end, whose numbers are neighbours. */
static void max_short_lines(const struct call *c, int64_t begin, int64_t end) {
  int64_t n = line_of(c->code).length;
  void *out = call_out(c);
  if (c->dtype == DTYPE_F32) {
    max_short_f32(element_at(c, begin * n), end - begin, n, (float *)out + begin);
  } else {
    max_short_f64(element_at(c, begin * n), end - begin, n, (double *)out + begin);
  }
}

/* Lines begin .. end. */
static void max_lines(const struct call *c, int64_t begin, int64_t end) {
  struct line l = line_of(c->code);
  void *out = call_out(c);
  for (int64_t e = begin; e < end; e++) {
    const void *x = element_at(c, e / l.inner * l.length * l.inner + e % l.inner);
    int64_t best = c->dtype == DTYPE_F32 ? first_greatest_f32(x, l.length, l.inner)
                                         : first_greatest_f64(x, l.length, l.inner);
    if (c->code->op == TIER_OP_ARGMAX) {
      ((int32_t *)out)[e] = (int32_t)best;
    } else if (c->dtype == DTYPE_F32) {
      ((float *)out)[e] = ((const float *)x)[best * l.inner];
    } else {
      ((double *)out)[e] = ((const double *)x)[best * l.inner];
    }
  }
}

/* Ascending, NaN last. */
static int comes_before(double a, double b) {
  return a < b || (!isnan(a) && isnan(b));
}

/* Merges the sorted runs from[0 .. middle) and from[middle .. n) of indices into to; ties keep
 * their order. x[k * stride] is the number with index k. */
static void merge(const struct call *c, const void *x, int64_t stride, const int32_t *from,
                  int64_t middle, int64_t n, int32_t *to) {
  int64_t a = 0;
  int64_t b = middle;
  for (int64_t i = 0; i < n; i++) {
    int second = a >= middle || (b < n && comes_before(load(c, x, from[b] * stride),
                                                       load(c, x, from[a] * stride)));
    to[i] = second ? from[b++] : from[a++];
  }
}

/* Merge sort from runs of one upwards; `scratch` holds 2 n indices. Returns where the result is. */
static const int32_t *sort_line(const struct call *c, const void *x, struct line l,
                                int32_t *scratch) {
  int32_t *from = scratch;
  int32_t *to = scratch + l.length;
  for (int64_t k = 0; k < l.length; k++) {
    from[k] = (int32_t)k;
  }
  for (int64_t run = 1; run < l.length; run *= 2) {
    for (int64_t first = 0; first < l.length; first += 2 * run) {
      int64_t left = l.length - first;
      merge(c, x, l.inner, from + first, run < left ? run : left, 2 * run < left ? 2 * run : left,
            to + first);
    }
    int32_t *swapped = from;
    from = to;
    to = swapped;
  }
  return from;
}

static int32_t run_order(const struct call *c, struct threads *threads) {
  const struct cpu_plan *plan = c->code->plan;
  struct line l = line_of(c->code);
  if (c->code->op != TIER_OP_ARGSORT) {
    int is_short = c->code->op == TIER_OP_MAX && l.inner == 1 && l.length <= SHORT;
    cpu_run_chunks(threads, c, l.outer * l.inner, cpu_grain(l.length),
                   is_short ? max_short_lines : max_lines);
    return TIER_OK;
  }
  int32_t *out = call_out(c);
  for (int64_t e = 0; l.length > 0 && e < l.outer * l.inner; e++) {
    int64_t first = e / l.inner * l.length * l.inner + e % l.inner;
    const int32_t *order = sort_line(c, element_at(c, first), l, (int32_t *)(void *)plan->partial);
    for (int64_t k = 0; k < l.length; k++) {
      out[first + k * l.inner] = order[k];
    }
  }
  return TIER_OK;
}

int32_t cpu_prepare_order(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  (void)dtype;
  plan->run = run_order;
  if (i->op == TIER_OP_ARGSORT) {
    void *scratch = NULL;
    size_t length = (size_t)i->inputs[0].dims[i->ints[0]];
    TIER_TRY(large_alloc((length + 1) * 2 * sizeof(int32_t), "sorting", &scratch));
    plan->partial = scratch;
  }
  return TIER_OK;
}

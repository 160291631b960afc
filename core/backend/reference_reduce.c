/* Operations along axes, and products. */
#include <math.h>
#include <string.h>

#include "backend/reference.h"
#include "base/error.h"

/* The input element with number t among the axes that stay and r among those that go away. */
static int64_t summand(const struct instruction *i, const struct view *x, int64_t t, int64_t r) {
  int64_t element = 0;
  int64_t scale = 1;
  uint32_t left = i->int_count;
  for (int32_t axis = x->rank - 1; axis >= 0; axis--) {
    int summed = left > 0 && i->ints[left - 1] == axis;
    int64_t *number = summed ? &r : &t;
    left -= summed ? 1 : 0;
    element += *number % x->dims[axis] * scale;
    *number /= x->dims[axis];
    scale *= x->dims[axis];
  }
  return element;
}

static int32_t sum(const struct instruction *i, const struct array *in, const struct array *out) {
  int64_t targets = view_size(out->view);
  int64_t summands = 1;
  for (uint32_t j = 0; j < i->int_count; j++) {
    summands *= in->view->dims[i->ints[j]];
  }
  for (int64_t t = 0; t < targets; t++) {
    double total = 0.0;
    for (int64_t r = 0; r < summands; r++) {
      total += reference_get(in, summand(i, in->view, t, r));
    }
    reference_set(out, t, total);
  }
  return TIER_OK;
}

/* Sizes before, of and after the axis: element (o, k, n) is number (o * length + k) * inner + n. */
struct line {
  int64_t outer, length, inner;
};
static struct line line_of(const struct view *x, int64_t axis) {
  struct line l = {1, x->dims[axis], 1};
  for (int32_t j = 0; j < x->rank; j++) {
    l.outer *= j < axis ? x->dims[j] : 1;
    l.inner *= j > axis ? x->dims[j] : 1;
  }
  return l;
}

/* The first greatest along the line that starts at `first`; a NaN counts as greatest. */
static int64_t first_greatest(const struct array *in, struct line l, int64_t first) {
  int64_t best = 0;
  for (int64_t k = 1; k < l.length; k++) {
    double x = reference_get(in, first + k * l.inner);
    double most = reference_get(in, first + best * l.inner);
    if (x > most || (isnan(x) && !isnan(most))) {
      best = k;
    }
  }
  return best;
}

static int32_t max(const struct instruction *i, const struct array *in, const struct array *out) {
  struct line l = line_of(in->view, i->ints[0]);
  for (int64_t o = 0; o < l.outer; o++) {
    for (int64_t n = 0; n < l.inner; n++) {
      int64_t first = o * l.length * l.inner + n;
      int64_t best = first_greatest(in, l, first);
      double value =
          i->op == TIER_OP_ARGMAX ? (double)best : reference_get(in, first + best * l.inner);
      reference_set(out, o * l.inner + n, value);
    }
  }
  return TIER_OK;
}

/* Stable, ascending, NaN last: element k's rank is how many come before it. */
static int32_t argsort(const struct instruction *i, const struct array *in,
                       const struct array *out) {
  struct line l = line_of(in->view, i->ints[0]);
  for (int64_t o = 0; o < l.outer * l.inner; o++) {
    int64_t first = o / l.inner * l.length * l.inner + o % l.inner;
    for (int64_t k = 0; k < l.length; k++) {
      double x = reference_get(in, first + k * l.inner);
      int64_t rank = 0;
      for (int64_t j = 0; j < l.length; j++) {
        double other = reference_get(in, first + j * l.inner);
        int before = other < x || (isnan(x) && !isnan(other));
        int tied = other == x || (isnan(x) && isnan(other));
        rank += before || (tied && j < k);
      }
      reference_set(out, first + rank * l.inner, (double)k);
    }
  }
  return TIER_OK;
}

int32_t reference_reduce(const struct instruction *i, const struct array *in,
                         const struct array *out) {
  switch (i->op) {
    case TIER_OP_SUM:
      return sum(i, in, out);
    case TIER_OP_ARGSORT:
      return argsort(i, in, out);
    default:
      return max(i, in, out);
  }
}

/* out (B, m, n) = op(a) op(b), or with `accumulate` added to it, with a (B, m, k) or (B, k, m),
 * b (B, k, n) or (B, n, k). */
int32_t reference_matmul(const struct instruction *i, const struct array *in,
                         const struct array *out) {
  const struct view *a = in[0].view;
  int32_t rank = a->rank;
  int64_t m = out->view->dims[rank - 2];
  int64_t n = out->view->dims[rank - 1];
  int64_t k = a->dims[rank - 1 - i->ints[0]];
  int64_t size = view_size(out->view);
  for (int64_t e = 0; e < size; e++) {
    int64_t batch = e / (m * n);
    int64_t row = e / n % m;
    int64_t column = e % n;
    double total = i->accumulate ? reference_get(out, e) : 0.0;
    for (int64_t j = 0; j < k; j++) {
      int64_t at_a = i->ints[0] ? j * m + row : row * k + j;
      int64_t at_b = i->ints[1] ? column * k + j : j * n + column;
      total +=
          reference_get(&in[0], batch * m * k + at_a) * reference_get(&in[1], batch * k * n + at_b);
    }
    reference_set(out, e, total);
  }
  return TIER_OK;
}

/* Operations that only move elements. */
#include "backend/reference.h"

/* The number of element `index` (a multi-index) in row-major order of dims. */
static int64_t flat(const int64_t *index, const int64_t *dims, int32_t rank) {
  int64_t element = 0;
  for (int32_t i = 0; i < rank; i++) {
    element = element * dims[i] + index[i];
  }
  return element;
}

static void unflat(int64_t element, const int64_t *dims, int32_t rank, int64_t *index) {
  for (int32_t i = rank - 1; i >= 0; i--) {
    index[i] = element % dims[i];
    element /= dims[i];
  }
}

/* From the output's index to the input's. */
static void source_index(const struct instruction *i, const struct view *x, const int64_t *out,
                         int64_t *in) {
  for (int32_t axis = 0; axis < x->rank; axis++) {
    if (i->op == TIER_OP_PERMUTE) {
      in[i->ints[axis]] = out[axis];
    } else if (i->op == TIER_OP_BROADCAST) {
      in[axis] = x->dims[axis] == 1 ? 0 : out[axis];
    } else { /* slice */
      in[axis] = i->ints[axis] + out[axis] * i->ints[2 * x->rank + axis];
    }
  }
}

/* From the input's index to the output's: pad; concat with ints {axis, start of this part}. */
static void target_index(const struct instruction *i, const struct view *x, const int64_t *in,
                         int64_t *out) {
  for (int32_t axis = 0; axis < x->rank; axis++) {
    if (i->op == TIER_OP_PAD) {
      out[axis] = i->ints[axis] + in[axis] * (i->ints[2 * x->rank + axis] + 1);
    } else {
      out[axis] = in[axis] + (axis == i->ints[0] ? i->ints[1] : 0);
    }
  }
}

int32_t reference_shape(const struct instruction *i, const struct array *in,
                        const struct array *out) {
  const struct view *x = in->view;
  const struct view *y = out->view;
  int64_t from[TIER_MAX_RANK];
  int64_t to[TIER_MAX_RANK];
  int scatters = i->op == TIER_OP_PAD || i->op == TIER_OP_CONCAT;
  for (int64_t e = 0; i->op == TIER_OP_PAD && e < view_size(y); e++) {
    reference_set(out, e, 0.0);
  }
  for (int64_t e = 0; e < view_size(scatters ? x : y); e++) {
    if (i->op == TIER_OP_RESHAPE || i->op == OP_COPY) {
      reference_set(out, e, reference_get(in, e));
    } else if (scatters) {
      unflat(e, x->dims, x->rank, from);
      target_index(i, x, from, to);
      reference_set(out, flat(to, y->dims, y->rank), reference_get(in, e));
    } else {
      unflat(e, y->dims, y->rank, to);
      source_index(i, x, to, from);
      reference_set(out, e, reference_get(in, flat(from, x->dims, x->rank)));
    }
  }
  return TIER_OK;
}

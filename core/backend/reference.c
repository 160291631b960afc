/* Plain C loops for all operations: the oracle of the tests. */
#include "backend/reference.h"

#include <string.h>

#include "base/error.h"

struct array reference_array(const struct view *v, int32_t dtype, char *const *bases) {
  return (struct array){.view = v, .data = view_data(v, dtype, bases), .dtype = dtype};
}

int64_t reference_place(const struct view *v, int64_t element) {
  int64_t place = 0;
  for (int32_t axis = v->rank - 1; axis >= 0; axis--) {
    place += element % v->dims[axis] * v->strides[axis];
    element /= v->dims[axis];
  }
  return place;
}

double reference_get(const struct array *a, int64_t element) {
  int64_t place = reference_place(a->view, element);
  if (a->view->type == TIER_I32) {
    return ((const int32_t *)(const void *)a->data)[place];
  }
  return a->dtype == DTYPE_F32 ? (double)((const float *)(const void *)a->data)[place]
                               : ((const double *)(const void *)a->data)[place];
}

void reference_set(const struct array *a, int64_t element, double value) {
  int64_t place = reference_place(a->view, element);
  if (a->view->type == TIER_I32) {
    ((int32_t *)(void *)a->data)[place] = reference_to_i32(value);
  } else if (a->dtype == DTYPE_F32) {
    ((float *)(void *)a->data)[place] = (float)value;
  } else {
    ((double *)(void *)a->data)[place] = value;
  }
}

static int32_t dispatch(const struct instruction *i, const struct array *in,
                        const struct array *out) {
  switch (i->op) {
    case TIER_OP_IOTA:
    case TIER_OP_RANDOM:
      return reference_source(i, in, out);
    case TIER_OP_MATMUL:
      return reference_matmul(i, in, out);
    case TIER_OP_RESHAPE:
    case TIER_OP_PERMUTE:
    case TIER_OP_BROADCAST:
    case TIER_OP_SLICE:
    case TIER_OP_PAD:
    case TIER_OP_CONCAT:
    case OP_COPY:
      return reference_shape(i, in, out);
    case TIER_OP_SUM:
    case TIER_OP_MAX:
    case TIER_OP_ARGMAX:
    case TIER_OP_ARGSORT:
      return reference_reduce(i, in, out);
    case TIER_OP_GATHER:
    case TIER_OP_SCATTER_ADD:
      return reference_index(i, in, out);
    case TIER_OP_PATCHES:
    case TIER_OP_FOLD:
      return reference_image(i, in, out);
    default:
      return reference_elementwise(i, in, out);
  }
}

#define FEW_INPUTS 8

static int32_t run(const struct instruction *i, int32_t dtype, char *const *bases,
                   struct threads *threads) {
  (void)threads;
  struct array out = reference_array(&i->out, dtype, bases);
  if (i->op == TIER_OP_CONCAT) { /* any number of inputs: one at a time, into its part */
    struct instruction part = *i;
    int64_t start = 0;
    for (uint32_t j = 0; j < i->input_count; j++) {
      struct array in = reference_array(&i->inputs[j], dtype, bases);
      int64_t ints[2] = {i->ints[0], start};
      part.ints = ints;
      (void)reference_shape(&part, &in, &out);
      start += i->inputs[j].dims[i->ints[0]];
    }
    return TIER_OK;
  }
  struct array in[FEW_INPUTS];
  memset(in, 0, sizeof in);
  if (i->input_count > FEW_INPUTS) {
    return fail(TIER_E_INTERNAL, "%s: %u inputs", i->where, i->input_count);
  }
  for (uint32_t j = 0; j < i->input_count; j++) {
    in[j] = reference_array(&i->inputs[j], dtype, bases);
  }
  return dispatch(i, in, &out);
}

const struct backend reference_backend = {.name = "reference", .run = run};

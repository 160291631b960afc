/* out[i] = f(a[i], b[i], c[i]), with any strides of the inputs. */
#include <string.h>

#include "backend/cpu.h"
#include "base/error.h"

/* Operands whose inner stride is neither 0 nor 1 are brought together here first. */
#define TILE 512

static elementwise_kernel find_kernel(const struct instruction *i, int32_t dtype) {
  const struct real_kernels *k = kernels_get(dtype);
  int from_i32 = i->inputs[0].type == TIER_I32;
  if (i->op == TIER_OP_CAST && i->out.type == TIER_I32) {
    return k->cast_to_i32; /* from i32, it is a copy */
  }
  if (i->op == TIER_OP_CAST && from_i32) {
    return k->cast_from_i32;
  }
  if (from_i32) {
    return i->op == TIER_OP_LESS         ? k->less_i32
           : i->op == TIER_OP_LESS_EQUAL ? k->less_equal_i32
                                         : k->equal_i32;
  }
  return i->op < TIER_OP_COUNT ? k->elementwise[i->op] : NULL;
}

static void gather_tile(void *tile, const char *from, int64_t n, int64_t stride, size_t element) {
  if (element == 4) {
    uint32_t *to = tile;
    const uint32_t *x = (const void *)from;
    for (int64_t i = 0; i < n; i++) {
      to[i] = x[i * stride];
    }
  } else {
    uint64_t *to = tile;
    const uint64_t *x = (const void *)from;
    for (int64_t i = 0; i < n; i++) {
      to[i] = x[i * stride];
    }
  }
}

/* n elements of one row, from column `column` on. */
static void run_piece(const struct call *c, char *const *rows, int64_t column, int64_t n) {
  const struct cpu_plan *plan = c->code->plan;
  const struct loop *l = &plan->loop;
  _Alignas(64) uint64_t tiles[CPU_MOST_OPERANDS - 1][TILE];
  const void *in[CPU_MOST_OPERANDS - 1] = {0};
  int64_t step[CPU_MOST_OPERANDS - 1] = {0};
  for (int32_t j = 1; j < l->operands; j++) {
    size_t element = view_element(&c->code->inputs[j - 1], c->dtype);
    int64_t stride = l->strides[j][l->rank - 1];
    const char *from = rows[j] + column * stride * (int64_t)element;
    if (stride == 0 || stride == 1) {
      in[j - 1] = from;
      step[j - 1] = stride;
    } else {
      gather_tile(tiles[j - 1], from, n, stride, element);
      in[j - 1] = tiles[j - 1];
      step[j - 1] = 1;
    }
  }
  size_t element = view_element(&c->code->out, c->dtype);
  plan->kernel(n, rows[0] + column * (int64_t)element, in, step);
}

static int needs_tiles(const struct loop *l) {
  for (int32_t j = 1; j < l->operands; j++) {
    int64_t stride = l->strides[j][l->rank - 1];
    if (stride != 0 && stride != 1) {
      return 1;
    }
  }
  return 0;
}

static void run_range(const struct call *c, int64_t begin, int64_t end) {
  const struct cpu_plan *plan = c->code->plan;
  const struct loop *l = &plan->loop;
  int64_t inner = l->dims[l->rank - 1];
  int64_t most = needs_tiles(l) ? TILE : inner;
  char *rows[CPU_MOST_OPERANDS] = {0};
  int64_t row = begin / inner;
  int64_t column = begin % inner;
  for (int64_t at = begin; at < end; row++, column = 0) {
    for (int32_t j = 0; j < l->operands; j++) {
      const struct view *v = j == 0 ? &c->code->out : &c->code->inputs[j - 1];
      rows[j] = view_data(v, c->dtype, c->bases) +
                loop_row(l, j, row) * (int64_t)view_element(v, c->dtype);
    }
    while (column < inner && at < end) {
      int64_t n = inner - column < most ? inner - column : most;
      n = end - at < n ? end - at : n;
      run_piece(c, rows, column, n);
      column += n;
      at += n;
    }
  }
}

static int32_t run(const struct call *c, struct threads *threads) {
  const struct cpu_plan *plan = c->code->plan;
  cpu_run_chunks(threads, c, plan->loop.size, plan->grain, run_range);
  return TIER_OK;
}

/* Rough costs of an element, in loads and stores. */
static int64_t cost_of(uint32_t op) {
  switch (op) {
    case TIER_OP_SIN:
    case TIER_OP_COS:
      return 16;
    case TIER_OP_EXP:
    case TIER_OP_LOG:
    case TIER_OP_LOG1P:
    case TIER_OP_EXPM1:
    case TIER_OP_TANH:
    case TIER_OP_SIGMOID:
    case TIER_OP_SOFTPLUS:
      return 4;
    default:
      return 1;
  }
}

int32_t cpu_prepare_elementwise(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  const struct view *operands[CPU_MOST_OPERANDS] = {&i->out};
  if (i->op == TIER_OP_CAST && i->inputs[0].type == TIER_I32 && i->out.type == TIER_I32) {
    return cpu_prepare_copy(i, dtype, plan);
  }
  plan->kernel = find_kernel(i, dtype);
  if (plan->kernel == NULL || i->input_count >= CPU_MOST_OPERANDS) {
    return fail(TIER_E_INTERNAL, "%s: the cpu backend has no operation %u", i->where, i->op);
  }
  for (uint32_t j = 0; j < i->input_count; j++) {
    operands[j + 1] = &i->inputs[j];
  }
  loop_make(operands, (int32_t)i->input_count + 1, &plan->loop);
  plan->grain = cpu_grain(cost_of(i->op));
  plan->run = run;
  return TIER_OK;
}

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

/* to[i] = from[i * stride] */
static void gather_tile(void *to, const char *from, int64_t n, int64_t stride, size_t element) {
  if (element == 4) {
    uint32_t *y = to;
    const uint32_t *x = (const void *)from;
    for (int64_t i = 0; i < n; i++) {
      y[i] = x[i * stride];
    }
  } else {
    uint64_t *y = to;
    const uint64_t *x = (const void *)from;
    for (int64_t i = 0; i < n; i++) {
      y[i] = x[i * stride];
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
    int64_t stride = plan->steps[j - 1];
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

static int needs_tiles(const struct cpu_plan *plan) {
  for (int32_t j = 1; j < plan->loop.operands; j++) {
    if (plan->steps[j - 1] != 0 && plan->steps[j - 1] != 1) {
      return 1;
    }
  }
  return 0;
}

static void run_range(const struct call *c, int64_t begin, int64_t end) {
  const struct cpu_plan *plan = c->code->plan;
  const struct loop *l = &plan->loop;
  int64_t inner = l->dims[l->rank - 1];
  int64_t most = needs_tiles(plan) ? TILE : inner;
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

/* ---- short rows: many at once, their operands brought together without gaps ---- */

#define SHORT 64 /* elements */
#define WIDTH 16 /* elements that are stored at once */

/* to (rows, n): row r is x[r * stride] n times. Stores WIDTH at once; what is too much is stored
 * over by the next row, or lies in the gap behind `to`. */
#define REPEAT(name, T)                                                          \
  static void name(T *to, const T *x, int64_t rows, int64_t n, int64_t stride) { \
    for (int64_t row = 0; row < rows; row++) {                                   \
      const T value = x[row * stride];                                           \
      for (int64_t column = 0; column < n; column += WIDTH) {                    \
        for (int i = 0; i < WIDTH; i++) {                                        \
          to[row * n + column + i] = value;                                      \
        }                                                                        \
      }                                                                          \
    }                                                                            \
  }
REPEAT(repeat_4, uint32_t)
REPEAT(repeat_8, uint64_t)

/* Operand j's rows from `row` on, one behind the other, into `tile`. */
static void gather_rows(const struct call *c, int32_t j, int64_t row, int64_t rows,
                        uint64_t *tile) {
  const struct cpu_plan *plan = c->code->plan;
  const struct loop *l = &plan->loop;
  const struct view *v = &c->code->inputs[j - 1];
  int64_t element = (int64_t)view_element(v, c->dtype);
  int64_t n = l->dims[1];
  const char *x = view_data(v, c->dtype, c->bases) + row * l->strides[j][0] * element;
  if (plan->steps[j - 1] == 0 && element == 4) {
    repeat_4((void *)tile, (const void *)x, rows, n, l->strides[j][0]);
  } else if (plan->steps[j - 1] == 0) {
    repeat_8(tile, (const void *)x, rows, n, l->strides[j][0]);
  } else {
    for (int64_t r = 0; r < rows; r++) {
      gather_tile((char *)tile + r * n * element, x + r * l->strides[j][0] * element, n,
                  plan->steps[j - 1], (size_t)element);
    }
  }
}

/* 1 if the operand's rows lie one behind the other; or are all one number. */
static int is_even(const struct loop *l, int32_t j) {
  return (l->strides[j][1] == 1 && l->strides[j][0] == l->dims[1]) ||
         (l->strides[j][1] == 0 && l->strides[j][0] == 0);
}

/* Rows begin .. end. */
static void run_short_rows(const struct call *c, int64_t begin, int64_t end) {
  const struct cpu_plan *plan = c->code->plan;
  const struct loop *l = &plan->loop;
  _Alignas(64) uint64_t tiles[CPU_MOST_OPERANDS - 1][TILE + WIDTH];
  int64_t n = l->dims[1];
  int64_t together = TILE / n;
  const void *in[CPU_MOST_OPERANDS - 1] = {0};
  int64_t step[CPU_MOST_OPERANDS - 1] = {0};
  for (int64_t row = begin; row < end; row += together) {
    int64_t rows = end - row < together ? end - row : together;
    for (int32_t j = 1; j < l->operands; j++) {
      const struct view *v = &c->code->inputs[j - 1];
      in[j - 1] = view_data(v, c->dtype, c->bases) +
                  row * l->strides[j][0] * (int64_t)view_element(v, c->dtype);
      step[j - 1] = plan->steps[j - 1];
      if (!is_even(l, j)) {
        if (row == begin || l->strides[j][0] != 0) { /* else it is there */
          gather_rows(c, j, row, rows, tiles[j - 1]);
        }
        in[j - 1] = tiles[j - 1];
        step[j - 1] = 1;
      }
    }
    char *out = (char *)call_out(c) + row * n * (int64_t)view_element(&c->code->out, c->dtype);
    plan->kernel(rows * n, out, in, step);
  }
}

/* ---- choosing ---- */

static int32_t run(const struct call *c, struct threads *threads) {
  const struct cpu_plan *plan = c->code->plan;
  const struct loop *l = &plan->loop;
  if (plan->flat && (threads == NULL || l->size <= plan->grain)) {
    const void *in[CPU_MOST_OPERANDS - 1] = {0};
    for (int32_t j = 1; j < l->operands; j++) {
      in[j - 1] = call_in(c, (uint32_t)j - 1);
    }
    plan->kernel(l->size, call_out(c), in, plan->steps);
    return TIER_OK;
  }
  if (plan->short_rows) {
    cpu_run_chunks(threads, c, l->size > 0 ? l->dims[0] : 0, plan->grain, run_short_rows);
  } else {
    cpu_run_chunks(threads, c, l->size, plan->grain, run_range);
  }
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
  for (uint32_t j = 0; j < i->input_count; j++) {
    plan->steps[j] = plan->loop.strides[j + 1][plan->loop.rank - 1];
  }
  plan->flat = plan->loop.rank == 1 && !needs_tiles(plan);
  plan->short_rows = plan->loop.rank == 2 && plan->loop.dims[1] <= SHORT;
  int64_t unit = plan->short_rows ? plan->loop.dims[1] : 1;
  plan->grain = cpu_grain(cost_of(i->op) * unit);
  plan->run = run;
  return TIER_OK;
}

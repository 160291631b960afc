/* out[i] = x[i], with any strides on both sides. */
#include <string.h>

#include "backend/cpu.h"

#define BLOCK 16

/* One row of n elements, for one size of element. */
#define COPY_ROW(name, T)                                                                \
  static void name(int64_t n, T *to, int64_t to_stride, const T *from, int64_t stride) { \
    if (to_stride == 1 && stride == 1) {                                                 \
      memcpy(to, from, (size_t)n * sizeof *to);                                          \
      return;                                                                            \
    }                                                                                    \
    for (int64_t i = 0; i < n; i++) {                                                    \
      to[i * to_stride] = from[i * stride];                                              \
    }                                                                                    \
  }
COPY_ROW(copy_row_4, uint32_t)
COPY_ROW(copy_row_8, uint64_t)

static void copy_row(size_t element, int64_t n, char *to, int64_t to_stride, const char *from,
                     int64_t stride) {
  if (element == 4) {
    copy_row_4(n, (void *)to, to_stride, (const void *)from, stride);
  } else {
    copy_row_8(n, (void *)to, to_stride, (const void *)from, stride);
  }
}

/* Rows begin .. end of the loop. */
static void copy_rows(const struct call *c, int64_t begin, int64_t end) {
  const struct loop *l = &((const struct cpu_plan *)c->code->plan)->loop;
  int64_t element = (int64_t)view_element(&c->code->out, c->dtype);
  int32_t last = l->rank - 1;
  for (int64_t row = begin; row < end; row++) {
    copy_row((size_t)element, l->dims[last], (char *)call_out(c) + loop_row(l, 0, row) * element,
             l->strides[0][last], (const char *)call_in(c, 0) + loop_row(l, 1, row) * element,
             l->strides[1][last]);
  }
}

/* A matrix (rows, columns) that is read along its columns: in blocks, so that each line of cache is
 * used while it is there. */
static void transpose_rows(const struct call *c, int64_t begin, int64_t end) {
  const struct loop *l = &((const struct cpu_plan *)c->code->plan)->loop;
  int64_t element = (int64_t)view_element(&c->code->out, c->dtype);
  char *to = call_out(c);
  const char *from = call_in(c, 0);
  int64_t columns = l->dims[1];
  for (int64_t column = 0; column < columns; column += BLOCK) {
    int64_t n = columns - column < BLOCK ? columns - column : BLOCK;
    for (int64_t row = begin; row < end; row++) {
      copy_row(
          (size_t)element, n, to + (row * l->strides[0][0] + column * l->strides[0][1]) * element,
          l->strides[0][1], from + (row * l->strides[1][0] + column * l->strides[1][1]) * element,
          l->strides[1][1]);
    }
  }
}

/* A part of the only row. */
static void copy_part(const struct call *c, int64_t begin, int64_t end) {
  const struct loop *l = &((const struct cpu_plan *)c->code->plan)->loop;
  int64_t element = (int64_t)view_element(&c->code->out, c->dtype);
  copy_row((size_t)element, end - begin, (char *)call_out(c) + begin * l->strides[0][0] * element,
           l->strides[0][0], (const char *)call_in(c, 0) + begin * l->strides[1][0] * element,
           l->strides[1][0]);
}

static int32_t run(const struct call *c, struct threads *threads) {
  const struct loop *l = &((const struct cpu_plan *)c->code->plan)->loop;
  if (l->size == 0) {
    return TIER_OK;
  }
  int64_t inner = l->dims[l->rank - 1];
  if (l->rank == 1) {
    cpu_run_chunks(threads, c, l->size, cpu_grain(1), copy_part);
  } else if (l->rank == 2 && l->strides[0][1] == 1 && l->strides[1][0] == 1) {
    cpu_run_chunks(threads, c, l->dims[0], BLOCK * cpu_grain(inner * BLOCK), transpose_rows);
  } else {
    cpu_run_chunks(threads, c, l->size / inner, cpu_grain(inner), copy_rows);
  }
  return TIER_OK;
}

int32_t cpu_prepare_copy(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  const struct view *operands[2] = {&i->out, &i->inputs[0]};
  (void)dtype;
  loop_make(operands, 2, &plan->loop);
  plan->run = run;
  return TIER_OK;
}

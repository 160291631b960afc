/* The cpu backend's parts, one file a family of operations.
 *
 * Each family has a plan, made once when the program is compiled, and a function that runs it.
 * Work is cut into chunks whose bounds depend on shapes only; each element of the output is
 * written by one chunk, in an order that the chunk fixes. So no result depends on the threads. */
#ifndef BACKEND_CPU_H
#define BACKEND_CPU_H

#include "backend/cpu_kernels.h"

#define CPU_MOST_OPERANDS 4 /* the output and three inputs */

/* An iteration over the output's elements with strides for each operand, axes merged where all
 * operands allow it. Operand 0 is the output. rank >= 1. */
struct loop {
  int32_t rank;
  int32_t operands;
  int64_t size;
  int64_t dims[TIER_MAX_RANK];
  int64_t strides[CPU_MOST_OPERANDS][TIER_MAX_RANK];
};
void loop_make(const struct view *const *operands, int32_t count, struct loop *out);
/* Where row `row` (an index over all axes but the last) of an operand begins, in elements. */
int64_t loop_row(const struct loop *l, int32_t operand, int64_t row);

/* One call of an operation: for its run function and its chunks. */
struct call {
  const struct instruction *code;
  int32_t dtype;
  char *const *bases;
  const struct real_kernels *kernels;
};
static inline void *call_out(const struct call *c) {
  return view_data(&c->code->out, c->dtype, c->bases);
}
static inline const void *call_in(const struct call *c, uint32_t j) {
  return view_data(&c->code->inputs[j], c->dtype, c->bases);
}

/* Runs chunks of `grain` out of `size` units: run(call, begin, end). */
typedef void (*chunk_function)(const struct call *c, int64_t begin, int64_t end);
void cpu_run_chunks(struct threads *t, const struct call *c, int64_t size, int64_t grain,
                    chunk_function run);
/* A grain for units that cost about `cost` elementary operations each: chunks are large enough
 * that waking a thread pays. */
int64_t cpu_grain(int64_t cost);

/* What prepare() leaves in instruction.plan. */
struct cpu_plan {
  int alone; /* run with threads NULL, and by several threads at once: nothing is written here */
  int32_t (*run)(const struct call *c, struct threads *threads);
  struct loop loop;                     /* elementwise, copy */
  elementwise_kernel kernel;            /* elementwise */
  int64_t steps[CPU_MOST_OPERANDS - 1]; /* of the inputs along the last axis */
  int flat;                             /* one row: the kernel can take it as it is */
  int short_rows;
  /* sum */
  struct loop kept;    /* the axes that stay: operands output and input */
  struct loop reduced; /* those that go away: operand input (and the input again) */
  int columns;         /* the axis nearest in memory stays */
  int wide;            /* the output is f64, and `accumulate` is heeded */
  double *partial;     /* sums of blocks; or scratch of argsort */
  int64_t block;
  /* matmul */
  int64_t batch, m, n, k;
  int use_blas;
  int split_columns;
  int64_t grain; /* rows or columns of the output a chunk */
};

/* Chooses how to run it; with `alone`, inside a region. A sum that reduces its rows is wide. */
int32_t cpu_prepare(struct instruction *i, int32_t dtype, int alone, int wide);
void cpu_release(struct instruction *i);
/* Of a gather or scatter_add. */
int32_t cpu_check_indices(const struct call *c);

int32_t cpu_prepare_region(struct region *r, int32_t dtype);
void cpu_release_region(struct region *r);
int32_t cpu_run_region(const struct region *r, int32_t dtype, char *const *bases,
                       struct threads *threads, struct profile_program *profile);

int32_t cpu_prepare_elementwise(struct instruction *i, int32_t dtype, struct cpu_plan *plan);
int32_t cpu_prepare_copy(struct instruction *i, int32_t dtype, struct cpu_plan *plan);
int32_t cpu_prepare_sum(struct instruction *i, int32_t dtype, struct cpu_plan *plan);
int32_t cpu_prepare_order(struct instruction *i, int32_t dtype, struct cpu_plan *plan);
int32_t cpu_prepare_matmul(struct instruction *i, int32_t dtype, struct cpu_plan *plan);
int32_t cpu_prepare_index(struct instruction *i, int32_t dtype, struct cpu_plan *plan);
int32_t cpu_prepare_image(struct instruction *i, int32_t dtype, struct cpu_plan *plan);
int32_t cpu_prepare_source(struct instruction *i, int32_t dtype, struct cpu_plan *plan);

#endif

#include "backend/cpu.h"

#include <stdlib.h>
#include <string.h>

#include "backend/blas.h"
#include "base/error.h"
#include "base/memory.h"

/* ---- kernels for this CPU ------------------------------------------------------------------ */

const struct real_kernels *kernels_get(int32_t dtype) {
  const struct kernels *k = &kernels_plain;
#ifdef TIER_KERNELS_X86
  static _Atomic int known = -1;
  if (known < 0) {
    known = cpu_level();
  }
  k = known == CPU_AVX512 ? &kernels_avx512 : known == CPU_AVX2 ? &kernels_avx2 : k;
#endif
  return dtype == DTYPE_F32 ? &k->f32 : &k->f64;
}

/* ---- loops --------------------------------------------------------------------------------- */

/* 1 if for every operand axis i can be merged into the last one of the loop so far, l's axis 0. */
static int can_merge(const struct loop *l, const struct view *const *operands, int32_t axis) {
  for (int32_t j = 0; j < l->operands; j++) {
    if (operands[j]->strides[axis] != l->dims[0] * l->strides[j][0]) {
      return 0;
    }
  }
  return 1;
}

static void push_front(struct loop *l, const struct view *const *operands, int32_t axis) {
  memmove(l->dims + 1, l->dims, (TIER_MAX_RANK - 1) * sizeof *l->dims);
  l->dims[0] = operands[0]->dims[axis];
  for (int32_t j = 0; j < l->operands; j++) {
    memmove(l->strides[j] + 1, l->strides[j], (TIER_MAX_RANK - 1) * sizeof *l->strides[j]);
    l->strides[j][0] = operands[j]->strides[axis];
  }
  l->rank++;
}

void loop_make(const struct view *const *operands, int32_t count, struct loop *out) {
  *out = (struct loop){.operands = count, .size = view_size(operands[0])};
  for (int32_t axis = operands[0]->rank - 1; axis >= 0; axis--) {
    if (operands[0]->dims[axis] == 1) {
      continue;
    }
    if (out->rank > 0 && can_merge(out, operands, axis)) {
      out->dims[0] *= operands[0]->dims[axis];
    } else {
      push_front(out, operands, axis);
    }
  }
  if (out->rank == 0) {
    out->rank = 1;
    out->dims[0] = 1;
    for (int32_t j = 0; j < count; j++) {
      out->strides[j][0] = 1;
    }
  }
}

int64_t loop_row(const struct loop *l, int32_t operand, int64_t row) {
  int64_t offset = 0;
  for (int32_t axis = l->rank - 2; axis > 0; axis--) {
    offset += row % l->dims[axis] * l->strides[operand][axis];
    row /= l->dims[axis];
  }
  return l->rank > 1 ? offset + row * l->strides[operand][0] : offset;
}

/* ---- chunks -------------------------------------------------------------------------------- */

/* Elementary operations in a chunk: about 10 microseconds. */
#define CHUNK_COST 32768

int64_t cpu_grain(int64_t cost) {
  int64_t grain = CHUNK_COST / (cost > 0 ? cost : 1);
  return grain > 0 ? grain : 1;
}

struct chunks {
  const struct call *call;
  int64_t size, grain;
  chunk_function run;
};

static void run_chunk(void *context, int64_t chunk) {
  const struct chunks *c = context;
  int64_t begin = chunk * c->grain;
  int64_t end = begin + c->grain < c->size ? begin + c->grain : c->size;
  c->run(c->call, begin, end);
}

void cpu_run_chunks(struct threads *t, const struct call *c, int64_t size, int64_t grain,
                    chunk_function run) {
  struct chunks chunks = {c, size, grain, run};
  if (size > 0 && (t == NULL || size <= grain)) {
    run(c, 0, size);
  } else if (size > 0) {
    threads_run(t, (size + grain - 1) / grain, run_chunk, &chunks);
  }
}

/* ---- the backend --------------------------------------------------------------------------- */

static int32_t choose(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  switch (i->op) {
    case OP_COPY:
      return cpu_prepare_copy(i, dtype, plan);
    case TIER_OP_SUM:
      return cpu_prepare_sum(i, dtype, plan);
    case TIER_OP_MAX:
    case TIER_OP_ARGMAX:
    case TIER_OP_ARGSORT:
      return cpu_prepare_order(i, dtype, plan);
    case TIER_OP_MATMUL:
      return cpu_prepare_matmul(i, dtype, plan);
    case TIER_OP_GATHER:
    case TIER_OP_SCATTER_ADD:
      return cpu_prepare_index(i, dtype, plan);
    case TIER_OP_PATCHES:
    case TIER_OP_FOLD:
      return cpu_prepare_image(i, dtype, plan);
    case TIER_OP_IOTA:
    case TIER_OP_RANDOM:
      return cpu_prepare_source(i, dtype, plan);
    case TIER_OP_RESHAPE:
    case TIER_OP_PERMUTE:
    case TIER_OP_BROADCAST:
    case TIER_OP_SLICE:
    case TIER_OP_PAD:
    case TIER_OP_CONCAT: /* only in programs compiled PROGRAM_PLAIN */
      return TIER_OK;
    default:
      return cpu_prepare_elementwise(i, dtype, plan);
  }
}

int32_t cpu_prepare(struct instruction *i, int32_t dtype, int alone, int wide) {
  struct cpu_plan *plan = memory_alloc(1, sizeof *plan);
  plan->alone = alone;
  plan->wide = wide;
  i->plan = plan;
  return choose(i, dtype, plan);
}

static int32_t prepare(struct instruction *i, int32_t dtype) {
  return cpu_prepare(i, dtype, 0, 0);
}

void cpu_release(struct instruction *i) {
  struct cpu_plan *plan = i->plan;
  if (plan != NULL) {
    large_free(plan->partial);
    free(plan);
    i->plan = NULL;
  }
}

static int32_t run(const struct instruction *i, int32_t dtype, char *const *bases,
                   struct threads *threads) {
  const struct cpu_plan *plan = i->plan;
  if (plan->run == NULL) {
    return reference_backend.run(i, dtype, bases, threads);
  }
  struct call c = {.code = i, .dtype = dtype, .bases = bases, .kernels = kernels_get(dtype)};
  return plan->run(&c, threads);
}

const struct backend cpu_backend = {.name = "cpu",
                                    .prepare = prepare,
                                    .release = cpu_release,
                                    .run = run,
                                    .prepare_region = cpu_prepare_region,
                                    .release_region = cpu_release_region,
                                    .run_region = cpu_run_region};

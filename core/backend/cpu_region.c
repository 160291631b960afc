/* Running a region: chunks of rows on any thread, each block by block. */
#include <stdatomic.h>
#include <stdlib.h>

#include "backend/cpu.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/profile.h"

#define MOST_SIZES 3 /* of blocks: whole ones, the last of a chunk, the last of all */
#define PIECE 8192   /* elements of a reduction that are added up at once */
#define TILE 512

/* The elements begin .. end of step `step`'s output: to be added up over the chunks. */
struct piece {
  uint32_t step;
  int64_t begin, end;
};

struct region_plan {
  int64_t sizes[MOST_SIZES];
  int size_count;
  struct instruction *codes; /* (size_count, steps): each for blocks of that many rows, with operand
                                j, counting the output as 0, in buffer j */
  struct piece *pieces;
  uint32_t piece_count, piece_capacity;
  atomic_flag *busy; /* the scratch of which thread is in use */
};

/* One run. */
struct running {
  const struct region *region;
  const struct region_plan *plan;
  int32_t dtype;
  char *const *bases;
  const struct real_kernels *kernels;
  struct profile_program *profile;
  _Atomic int32_t status;
};

/* ---- preparing ----------------------------------------------------------------------------- */

static int64_t chunk_count(const struct region *r) {
  return (r->units + r->chunk - 1) / r->chunk;
}

static void add_size(struct region_plan *plan, int64_t size) {
  for (int i = 0; i < plan->size_count; i++) {
    if (plan->sizes[i] == size) {
      return;
    }
  }
  if (size > 0) {
    plan->sizes[plan->size_count++] = size;
  }
}

static void set_operand(struct view *v, const struct row_operand *o, uint32_t buffer,
                        int64_t length) {
  v->buffer = buffer;
  v->offset = 0;
  if (o->rows) {
    v->dims[0] = length;
  }
}

/* The step's instruction for blocks of `rows` rows. */
static int32_t prepare_block(const struct region_step *s, int64_t rows, int32_t dtype,
                             struct instruction *code) {
  *code = s->code;
  code->inputs = memory_alloc(code->input_count, sizeof *code->inputs);
  set_operand(&code->out, &s->out, 0, rows * s->per_unit);
  for (uint32_t j = 0; j < code->input_count; j++) {
    code->inputs[j] = s->code.inputs[j];
    set_operand(&code->inputs[j], &s->inputs[j], j + 1, rows * s->per_unit);
  }
  TIER_TRY(cpu_prepare(code, dtype, 1, s->reduces && code->op == TIER_OP_SUM));
  if (code->op == TIER_OP_MATMUL) { /* in one call */
    struct cpu_plan *plan = code->plan;
    plan->grain = plan->m > plan->n ? plan->m : plan->n;
  }
  return TIER_OK;
}

static void add_pieces(struct region_plan *plan, const struct region *r, uint32_t step) {
  int64_t size = view_size(&r->steps[step].code.out);
  for (int64_t begin = 0; begin < size; begin += PIECE) {
    struct piece p = {step, begin, begin + PIECE < size ? begin + PIECE : size};
    array_push(plan->pieces, plan->piece_count, plan->piece_capacity, p);
  }
}

int32_t cpu_prepare_region(struct region *r, int32_t dtype) {
  struct region_plan *plan = memory_alloc(1, sizeof *plan);
  int64_t last = r->units - (chunk_count(r) - 1) * r->chunk;
  r->plan = plan;
  add_size(plan, r->block);
  add_size(plan, r->chunk % r->block);
  add_size(plan, last % r->block);
  plan->busy = memory_alloc((size_t)r->slots, sizeof *plan->busy);
  for (int64_t i = 0; i < r->slots; i++) {
    atomic_flag_clear(&plan->busy[i]);
  }
  plan->codes = memory_alloc((size_t)plan->size_count * r->count, sizeof *plan->codes);
  for (uint32_t k = 0; k < r->count; k++) {
    for (int i = 0; i < plan->size_count; i++) {
      TIER_TRY(prepare_block(&r->steps[k], plan->sizes[i], dtype,
                             &plan->codes[(size_t)i * r->count + k]));
    }
    if (r->steps[k].reduces) {
      add_pieces(plan, r, k);
    }
  }
  return TIER_OK;
}

void cpu_release_region(struct region *r) {
  struct region_plan *plan = r->plan;
  if (plan == NULL) {
    return;
  }
  for (size_t i = 0; plan->codes != NULL && i < (size_t)plan->size_count * r->count; i++) {
    cpu_release(&plan->codes[i]);
    free(plan->codes[i].inputs);
  }
  free(plan->codes);
  free(plan->pieces);
  free(plan->busy);
  free(plan);
  r->plan = NULL;
}

/* ---- chunks -------------------------------------------------------------------------------- */

/* Where a chunk works. */
struct place {
  char *scratch, *partial;
  int64_t row; /* the block's first */
};

static char *address(const struct running *w, const struct place *at, const struct view *v,
                     const struct row_operand *o) {
  if (o->place == ROW_SCRATCH) {
    return at->scratch + o->offset;
  }
  if (o->place == ROW_PARTIAL) {
    return at->partial + o->offset;
  }
  return w->bases[v->buffer] +
         (v->offset + at->row * o->stride) * (int64_t)view_element(v, w->dtype);
}

/* One step on one block; `adds`: there were blocks of this chunk before. */
static int32_t run_block(const struct running *w, const struct place *at, uint32_t step,
                         const struct instruction *code, int adds) {
  const struct region_step *s = &w->region->steps[step];
  const struct cpu_plan *plan = code->plan;
  char *bases[CPU_MOST_OPERANDS];
  struct instruction adding;
  struct call c = {.code = code, .dtype = w->dtype, .bases = bases, .kernels = w->kernels};
  bases[0] = address(w, at, &s->code.out, &s->out);
  for (uint32_t j = 0; j < code->input_count; j++) {
    bases[j + 1] = address(w, at, &s->code.inputs[j], &s->inputs[j]);
  }
  if (s->reduces && adds) {
    adding = *code;
    adding.accumulate = 1;
    c.code = &adding;
  }
  return plan->run(&c, NULL);
}

static const struct instruction *codes_for(const struct region_plan *plan, uint32_t steps,
                                           int64_t rows) {
  int i = 0;
  while (plan->sizes[i] != rows) {
    i++;
  }
  return plan->codes + (size_t)i * steps;
}

static void run_rows(struct running *w, struct place *at, int64_t begin, int64_t end) {
  const struct region *r = w->region;
  for (int64_t row = begin; row < end; row += r->block) {
    int64_t rows = end - row < r->block ? end - row : r->block;
    const struct instruction *codes = codes_for(w->plan, r->count, rows);
    int64_t now = w->profile != NULL ? profile_now() : 0;
    at->row = row;
    for (uint32_t k = 0; k < r->count; k++) {
      int32_t status = run_block(w, at, k, &codes[k], row > begin);
      if (status < 0) {
        w->status = status;
      }
      if (w->profile != NULL) {
        now = profile_add_piece(w->profile, r->first + k, now);
      }
    }
  }
}

static void run_chunk(void *context, int64_t chunk) {
  struct running *w = context;
  const struct region *r = w->region;
  char *memory = w->bases[r->memory];
  struct place at = {.partial = memory + r->scratch * (size_t)r->slots};
  int64_t slot = 0; /* there are as many as threads */
  while (atomic_flag_test_and_set(&w->plan->busy[slot])) {
    slot = slot + 1 < r->slots ? slot + 1 : 0;
  }
  at.scratch = memory + r->scratch * (size_t)slot;
  at.partial += r->partial * (size_t)chunk;
  int64_t begin = chunk * r->chunk;
  run_rows(w, &at, begin, begin + r->chunk < r->units ? begin + r->chunk : r->units);
  atomic_flag_clear(&w->plan->busy[slot]);
}

/* ---- partial results ----------------------------------------------------------------------- */

/* out[i] = the sum over the chunks of partial[chunk][i], in order, in f64. */
static void add_up(void *context, int64_t number) {
  const struct running *w = context;
  const struct region *r = w->region;
  const struct piece *p = &w->plan->pieces[number];
  const struct region_step *s = &r->steps[p->step];
  int sum = s->code.op == TIER_OP_SUM;
  int64_t element = sum ? (int64_t)sizeof(double) : (int64_t)dtype_size(w->dtype);
  const struct real_kernels *from = sum ? kernels_get(DTYPE_F64) : w->kernels;
  const char *partial = w->bases[r->memory] + r->scratch * (size_t)r->slots + s->out.offset;
  char *out = view_data(&s->code.out, w->dtype, w->bases);
  double sums[TILE];
  for (int64_t i = p->begin; i < p->end; i += TILE) {
    int64_t n = p->end - i < TILE ? p->end - i : TILE;
    for (int64_t k = 0; k < n; k++) {
      sums[k] = 0.0;
    }
    for (int64_t chunk = 0; chunk < chunk_count(r); chunk++) {
      from->accumulate(n, sums, partial + (size_t)chunk * r->partial + i * element);
    }
    w->kernels->round(n, out + i * (int64_t)dtype_size(w->dtype), sums);
  }
}

/* ---- running ------------------------------------------------------------------------------- */

static int32_t check_indices(const struct running *w) {
  for (uint32_t k = 0; k < w->region->count; k++) {
    const struct instruction *code = &w->region->steps[k].code;
    if (code->op == TIER_OP_GATHER || code->op == TIER_OP_SCATTER_ADD) {
      struct call c = {.code = code, .dtype = w->dtype, .bases = w->bases};
      TIER_TRY(cpu_check_indices(&c));
    }
  }
  return TIER_OK;
}

int32_t cpu_run_region(const struct region *r, int32_t dtype, char *const *bases,
                       struct threads *threads, struct profile_program *profile) {
  struct running w = {.region = r,
                      .plan = r->plan,
                      .dtype = dtype,
                      .bases = bases,
                      .kernels = kernels_get(dtype),
                      .profile = profile};
  TIER_TRY(check_indices(&w));
  threads_run(threads, chunk_count(r), run_chunk, &w);
  if (w.status < 0) {
    return fail(w.status, "%s: failed in a block of rows", r->steps[0].code.where);
  }
  threads_run(threads, w.plan->piece_count, add_up, &w);
  return TIER_OK;
}

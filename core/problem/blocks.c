#include "problem/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "diff/diff.h"

/* As wide as keeps the products busy; the arrays of a block (whose rows are as many as the data's,
 * times the width) must not take memory without bound. Both depend on sizes only. */
#define MOST_WIDTH 32
#define LEAST_WIDTH 4
#define MOST_BYTES (INT64_C(512) << 20)

/* A vector or an output among those of the program: `width` of them lie one after the other. */
struct lane {
  size_t bytes;  /* of one */
  size_t stride; /* from one to the next; 0: one output for all */
  char *data;
};

/* A kernel has one of each width that was asked for: were the widest one used for all, low bits
 * would depend on what was asked for before, which a resumed run does not know. */
struct block {
  struct block *next; /* of another width */
  int64_t width;
  struct program *program;
  struct lane *vectors, *outputs;
  void *memory; /* of all lanes */
  const void **slow, **fast;
  void **results;
  uint64_t bound;
};

void block_free(struct block *b) {
  while (b != NULL) {
    struct block *next = b->next;
    program_free(b->program);
    large_free(b->memory);
    free(b->vectors);
    free(b->outputs);
    free(b->slow);
    free(b->fast);
    free(b->results);
    free(b);
    b = next;
  }
}

static struct block *find_block(const struct kernel *k, int64_t width) {
  struct block *b = k->block;
  while (b != NULL && b->width != width) {
    b = b->next;
  }
  return b;
}

/* ---- making -------------------------------------------------------------------------------- */

/* An input of `width` values like v. */
static tier_value wide_input(struct graph *g, tier_value v, int64_t width) {
  const struct value value = *graph_value(g, v);
  int64_t dims[TIER_MAX_RANK + 1] = {width};
  memcpy(dims + 1, value.dims, (size_t)value.rank * sizeof *dims);
  return graph_input(g, TIER_REAL, dims, value.rank + 1, "block");
}

/* The program for this width; TIER_E_UNSUPPORTED where the graph has no room for an axis more. */
static int32_t compile_block(struct block *b, const struct kernel *k) {
  struct graph *g = k->builder->g;
  tier_value *wide = memory_alloc(k->vector_count, sizeof *wide);
  tier_value *outputs = memory_alloc(k->output_count, sizeof *outputs);
  int32_t status = TIER_OK;
  for (uint32_t i = 0; i < k->vector_count && status == TIER_OK; i++) {
    int full = graph_value(g, k->vectors[i])->rank == TIER_MAX_RANK;
    wide[i] = full ? 0 : wide_input(g, k->vectors[i], b->width);
    status = full ? fail(TIER_E_UNSUPPORTED, "a vector of rank %d", TIER_MAX_RANK) : TIER_OK;
  }
  if (status == TIER_OK) {
    status = diff_batch(g, b->width, k->outputs, k->output_count, k->vectors, wide, k->vector_count,
                        outputs);
  }
  for (uint32_t i = 0; i < k->output_count; i++) {
    b->outputs[i].stride = outputs[i] != 0 ? b->outputs[i].bytes : 0;
    outputs[i] = outputs[i] != 0 ? outputs[i] : k->outputs[i];
  }
  if (status == TIER_OK) {
    status = kernel_compile(k, " of a block", wide, outputs, &b->program);
  }
  free(wide);
  free(outputs);
  return status;
}

static int64_t arena_bytes(const struct program *program) {
  struct program_facts facts;
  program_facts(program, &facts);
  return facts.arena_bytes;
}

/* Narrower, until the program's arrays are small enough. */
static int32_t compile_fitting(struct block *b, const struct kernel *k) {
  TIER_TRY(compile_block(b, k));
  while (b->width > LEAST_WIDTH && arena_bytes(b->program) > MOST_BYTES) {
    program_free(b->program);
    b->program = NULL;
    b->width /= 2;
    TIER_TRY(compile_block(b, k));
  }
  return TIER_OK;
}

static size_t element_bytes(const struct kernel *k, tier_value v) {
  const struct graph *g = k->builder->g;
  return (size_t)value_size(graph_value(g, v)) * dtype_size(k->builder->p->dtype);
}

static size_t rounded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

static int32_t place_lanes(struct block *b, const struct kernel *k) {
  size_t total = 0;
  for (uint32_t i = 0; i < k->vector_count; i++) {
    total += rounded(b->vectors[i].bytes * (size_t)b->width);
  }
  for (uint32_t i = 0; i < k->output_count; i++) {
    total += rounded(b->outputs[i].bytes * (size_t)b->width);
  }
  TIER_TRY(large_alloc(total, "a block of vectors", &b->memory));
  char *next = b->memory;
  for (uint32_t i = 0; i < k->vector_count; i++) {
    b->vectors[i].data = next;
    b->fast[k->fast_count + i] = next;
    next += rounded(b->vectors[i].bytes * (size_t)b->width);
  }
  for (uint32_t i = 0; i < k->output_count; i++) {
    b->outputs[i].data = next;
    b->results[i] = next;
    next += rounded(b->outputs[i].bytes * (size_t)b->width);
  }
  return TIER_OK;
}

static struct block *block_new(const struct kernel *k, int64_t width) {
  struct block *b = memory_alloc(1, sizeof *b);
  b->width = width;
  b->vectors = memory_alloc(k->vector_count, sizeof *b->vectors);
  b->outputs = memory_alloc(k->output_count, sizeof *b->outputs);
  b->slow = memory_alloc(k->slow_count, sizeof *b->slow);
  b->fast = memory_alloc(k->fast_count + k->vector_count, sizeof *b->fast);
  b->results = memory_alloc(k->output_count, sizeof *b->results);
  for (uint32_t i = 0; i < k->vector_count; i++) {
    b->vectors[i].bytes = b->vectors[i].stride = element_bytes(k, k->vectors[i]);
  }
  for (uint32_t i = 0; i < k->output_count; i++) {
    b->outputs[i].bytes = element_bytes(k, k->outputs[i]);
  }
  return b;
}

/* The width that `count` vectors ask for. */
static int64_t width_for(const struct kernel *k, int64_t count) {
  int64_t widest = k->widest != 0 ? k->widest : MOST_WIDTH;
  int64_t width = LEAST_WIDTH;
  while (width < count && width < widest) {
    width *= 2;
  }
  return width;
}

/* Makes one of this width, or narrower: then k->widest says how wide. */
static int32_t make_block(struct kernel *k, int64_t width) {
  struct block *b = block_new(k, width);
  int32_t status = compile_fitting(b, k);
  status = status == TIER_OK ? place_lanes(b, k) : status;
  if (status == TIER_OK) {
    k->widest = b->width < width ? b->width : k->widest;
    if (find_block(k, b->width) == NULL) {
      b->next = k->block;
      k->block = b;
      return TIER_OK;
    }
  }
  block_free(b);
  if (status == TIER_E_UNSUPPORTED) { /* one by one, then */
    error_clear();
    k->widest = 1;
    status = TIER_OK;
  }
  return status;
}

/* The block for `count` vectors; NULL: they are run one by one. */
static int32_t get_block(struct kernel *k, int64_t count, struct block **out) {
  *out = NULL;
  if (count < 2 || k->output_count == 0 || k->widest == 1) {
    return TIER_OK;
  }
  *out = find_block(k, width_for(k, count));
  if (*out == NULL) {
    TIER_TRY(make_block(k, width_for(k, count)));
    *out = k->widest != 1 ? find_block(k, width_for(k, count)) : NULL;
  }
  return TIER_OK;
}

/* ---- running ------------------------------------------------------------------------------- */

static int32_t run_singly(struct kernel *k, struct problem *p, const struct point *at,
                          int64_t count, const void *const *vectors, void *const *outputs) {
  for (int64_t j = 0; j < count; j++) {
    TIER_TRY(kernel_run(k, p, at, vectors + j * k->vector_count, outputs + j * k->asked));
  }
  return TIER_OK;
}

static int32_t bind_block(const struct kernel *k, struct block *b, struct problem *p,
                          const struct point *at) {
  for (uint32_t i = 0; i < k->fast_count; i++) {
    b->fast[i] = kernel_input(p, &k->fast[i], at);
  }
  return kernel_bind(k, p, at, b->program, b->slow, &b->bound);
}

/* Packs `count` vectors, at most `width`, runs, and unpacks. */
static int32_t run_one_block(const struct kernel *k, const struct block *b, int64_t count,
                             const void *const *vectors, void *const *outputs) {
  for (uint32_t i = 0; i < k->vector_count; i++) {
    const struct lane *lane = &b->vectors[i];
    for (int64_t j = 0; j < b->width; j++) {
      int64_t from = j < count ? j : count - 1;
      memcpy(lane->data + (size_t)j * lane->stride, vectors[from * k->vector_count + i],
             lane->bytes);
    }
  }
  for (int64_t j = 0; j < count; j++) {
    kernel_pass(k, vectors + j * k->vector_count, outputs + j * k->asked);
  }
  TIER_TRY(program_apply(b->program, b->fast, b->results));
  for (uint32_t i = 0; i < k->output_count; i++) {
    const struct lane *lane = &b->outputs[i];
    for (int64_t j = 0; j < count; j++) {
      memcpy(outputs[j * k->asked + k->live[i]], lane->data + (size_t)j * lane->stride,
             lane->bytes);
    }
  }
  return TIER_OK;
}

int32_t kernel_run_block(struct kernel *k, struct problem *p, const struct point *at, int64_t count,
                         const void *const *vectors, void *const *outputs) {
  struct block *b = NULL;
  int64_t done = 0;
  TIER_TRY(get_block(k, count, &b));
  while (b != NULL && count - done > b->width / 8) {
    int64_t part = count - done < b->width ? count - done : b->width;
    TIER_TRY(bind_block(k, b, p, at));
    TIER_TRY(
        run_one_block(k, b, part, vectors + done * k->vector_count, outputs + done * k->asked));
    done += part;
  }
  return run_singly(k, p, at, count - done, vectors + done * k->vector_count,
                    outputs + done * k->asked);
}

/* What a compiled program is made of, and what a backend must be able to do with it.
 *
 * An instruction writes one array from others. Each operand is a view: which buffer, where in it,
 * and with which strides, so that broadcasting, slicing and permuting need no instruction of their
 * own. What a backend may rely on:
 *   elementwise, OP_COPY   inputs have the output's dims, with any strides (0: repeated);
 *   SUM                    the input has any strides;
 *   all others             inputs are dense (row-major, without gaps).
 * The output is dense, but for OP_COPY, whose output has any strides that are not 0. An elementwise
 * output may be the very same view as one of its inputs; otherwise outputs overlap no input. */
#ifndef BACKEND_INSTRUCTION_H
#define BACKEND_INSTRUCTION_H

#include "backend/backend.h"

#define OP_COPY 64u /* (x): out[i] = x[i]; both real, or both i32 */

struct view {
  uint32_t buffer; /* index into the bases that `run` is given */
  int32_t type;    /* TIER_REAL, TIER_I32 */
  int32_t rank;
  int64_t dims[TIER_MAX_RANK];
  int64_t strides[TIER_MAX_RANK]; /* in elements */
  int64_t offset;                 /* in elements */
};

struct instruction {
  uint32_t op; /* TIER_OP_ or OP_COPY */
  uint32_t input_count;
  uint32_t int_count;
  struct view out;
  struct view *inputs;
  const int64_t *ints; /* the operation's attributes */
  int accumulate;      /* MATMUL: the product is added to out, not put there */
  const char *where;   /* "gather, asked for by cross-entropy.forward": for messages */
  void *plan;          /* the backend's own, from `prepare` until `release` */
};

/* ---- regions: instructions that run together, block of rows by block of rows ----
 *
 * A region has `units` rows. Each of its instructions computes rows from the same rows and from
 * what is the same for all rows, or reduces: it adds up over the rows. The rows are cut into
 * chunks, which any thread may run, and each chunk into blocks, which run one after the other: each
 * instruction in turn, for the rows of the block. What a reduction found in each chunk is added up
 * at the end, in the order of the chunks. All sizes depend on shapes only. */

#define ROW_ARRAY 0   /* the operand lies in the array that its view names */
#define ROW_SCRATCH 1 /* in a thread's scratch, with the rows of one block */
#define ROW_PARTIAL 2 /* in the partial results of a chunk: a reduction's output */

struct row_operand {
  int rows;       /* axis 0 runs over the rows: is `per_unit` times as long as there are rows */
  int place;      /* ROW_ */
  int64_t stride; /* elements from one row to the next; 0: the same for all rows */
  size_t offset;  /* SCRATCH, PARTIAL: where it begins, in bytes */
};

struct region_step {
  struct instruction code; /* for all rows */
  int64_t per_unit;
  int reduces;
  struct row_operand out;
  struct row_operand *inputs;
};

struct region {
  struct region_step *steps;
  uint32_t count;
  uint32_t first;  /* the number of the first step in the program, for its profile */
  int64_t units;   /* rows */
  int64_t chunk;   /* rows in a chunk; the last one may have fewer */
  int64_t block;   /* rows in a block; the last one of a chunk may have fewer */
  uint32_t memory; /* the buffer of the scratch of `slots` threads, then all partial results */
  size_t scratch;  /* bytes of a thread's scratch */
  size_t partial;  /* bytes of a chunk's partial results */
  int64_t slots;
  void *plan; /* the backend's own */
};

struct profile_program;

struct backend {
  const char *name;
  /* Once, when the program is compiled: chooses how to run it. NULL: nothing to do. */
  int32_t (*prepare)(struct instruction *i, int32_t dtype);
  void (*release)(struct instruction *i);
  /* bases[b] is where buffer b begins. Allocates nothing. */
  int32_t (*run)(const struct instruction *i, int32_t dtype, char *const *bases,
                 struct threads *threads);
  /* Likewise for regions; all NULL: the backend runs their steps one by one. With a profile, the
   * time of each step is added to it. */
  int32_t (*prepare_region)(struct region *r, int32_t dtype);
  void (*release_region)(struct region *r);
  int32_t (*run_region)(const struct region *r, int32_t dtype, char *const *bases,
                        struct threads *threads, struct profile_program *profile);
};

extern const struct backend reference_backend;
extern const struct backend cpu_backend;

/* ---- views ---- */

int64_t view_size(const struct view *v); /* number of elements */
int view_is_dense(const struct view *v); /* row-major, without gaps */
void view_make_dense(struct view *v);    /* sets such strides */
static inline size_t view_element(const struct view *v, int32_t dtype) {
  return v->type == TIER_I32 ? 4 : dtype_size(dtype);
}
static inline char *view_data(const struct view *v, int32_t dtype, char *const *bases) {
  return bases[v->buffer] + v->offset * (int64_t)view_element(v, dtype);
}

/* What both backends do alike: reports an index outside 0 .. size-1 at position `at`. */
int32_t instruction_bad_index(const struct instruction *i, int64_t at, int32_t index, int64_t size);
/* Element `element` of TIER_OP_RANDOM with that key and those attributes. */
double instruction_random(const int32_t key[4], const int64_t *ints, int64_t element,
                          int32_t dtype);

#endif

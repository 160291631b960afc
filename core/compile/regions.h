/* Regions: which steps run together, block of rows by block of rows (backend/instruction.h says
 * what a region is), and how large its chunks and blocks are. Three files: rows.c looks at one
 * step, regions.c finds steps that fit together and puts them in order, blocks.c chooses sizes and
 * lays out scratch. */
#ifndef COMPILE_REGIONS_H
#define COMPILE_REGIONS_H

#include "compile/lower.h"

/* What sizes depend on, besides shapes. */
struct block_limits {
  int64_t least_units; /* fewer rows are not cut */
  int64_t least_bytes; /* rows of less than so much in all stay in cache anyway */
  int64_t chunk_bytes; /* a chunk has at least so much */
  int64_t cache_1;     /* bytes of the first level of cache that may be used */
  int64_t cache_2;     /* likewise of the second */
  int64_t wide_block;  /* rows of wide products: BLAS packs the other factor for each block */
  int64_t least_block; /* rows of narrow ones */
  int64_t partial;     /* all partial results together are at most 1 / partial of the rows */
};
extern const struct block_limits usual_limits, small_limits; /* small ones are for tests */

/* ---- rows.c: one step ---- */

#define ROWS_NONE 0     /* not to be cut into rows */
#define ROWS_PARALLEL 1 /* rows from the same rows, and from what is the same for all */
#define ROWS_REDUCE 2   /* the sum over rows of what is computed from each */

struct row_step {
  int role;
  struct instruction code; /* the step's; axes of elementwise ones and copies merged, so that axis 0
                              is as long as it can be */
  int64_t extent;          /* of the axis of rows: axis 0 of its operands that have rows */
  uint32_t row_inputs;     /* bit j: input j has rows */
};
/* Views must name the roots of their buffers. */
void rows_classify(const struct lowered *l, const struct instruction *code, int64_t least_units,
                   struct row_step *out);
/* Both views have rows that differ: axes 0 that move in memory, in one buffer. 1 if, with their
 * axes 0 cut into `units`, unit r of one touches nothing that another unit of the other one
 * touches. */
int rows_agree(const struct view *a, const struct view *b, int64_t units);
/* The first and the last element that a view touches; with `units`, that its first unit touches. */
void view_range(const struct view *v, int64_t units, int64_t *low, int64_t *high);

/* ---- regions.c ---- */

/* Puts steps that belong together next to each other, as regions of l, for `threads` threads. */
void regions_form(struct lowered *l, int threads, const struct block_limits *limits);

/* ---- blocks.c ---- */

/* A region to be: its steps, in order. */
struct region_draft {
  const struct row_step **steps;
  uint32_t count;
  int64_t units;
  const struct block_limits *limits;
};
/* touches[b]: how often buffer b is read or written in the program, to tell which ones are the
 * region's own. 0 if the steps better stay alone. */
int region_plan(struct lowered *l, const struct region_draft *d, const uint32_t *touches,
                int threads, struct region *out);

#endif

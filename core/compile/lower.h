/* Lowering: from the values of a draft to steps, instructions on buffers. Values that only move
 * elements become views where their readers can take them. */
#ifndef COMPILE_LOWER_H
#define COMPILE_LOWER_H

#include "backend/instruction.h"
#include "compile/draft.h"

#define BUFFER_OWN 0      /* in the program's arena */
#define BUFFER_CONSTANT 1 /* likewise, and filled when the program is compiled */
#define BUFFER_SLOW 2     /* given to bind */
#define BUFFER_FAST 3     /* given to apply */
#define BUFFER_OUTPUT 4   /* given to apply */

#define NO_BUFFER UINT32_MAX

struct buffer {
  int kind;
  int stage; /* of the steps that write it */
  int32_t type;
  uint32_t index; /* SLOW, FAST, OUTPUT: which one */
  int64_t size;   /* elements */
  /* A buffer may be a part of another one: */
  uint32_t parent; /* or NO_BUFFER */
  int64_t start;   /* where in it, in elements */
  /* CONSTANT: one number, or one for each element. */
  const double *reals;
  uint32_t real_count;
  /* Set by plan_memory(): */
  int kept;             /* read in a later stage than it is written */
  int scratch;          /* rows of it live in a region's scratch only: no place in the arena */
  int64_t first, last;  /* steps that touch it */
  size_t offset, bytes; /* in the arena */
};

#define NO_REGION UINT32_MAX

struct step {
  struct instruction code;
  int stage;
  uint32_t origin;
  uint32_t region; /* that it is run as a part of; or NO_REGION */
};

struct lowered {
  struct step *steps; /* in order: those of STAGE_ONCE, of STAGE_BIND, of STAGE_APPLY */
  uint32_t step_count, step_capacity;
  uint32_t stage_end[STAGE_COUNT]; /* the steps of stage s end here */
  struct buffer *buffers;
  uint32_t buffer_count, buffer_capacity;
  struct region *regions; /* each of steps regions[i].first .. first + count - 1 */
  uint32_t region_count, region_capacity;
  int32_t dtype;
  struct arena *arena; /* of the steps' inputs, attributes and texts */
};

/* With `plain`, each value is computed by its own operation into a buffer of its own. */
int32_t lowered_new(const struct draft *d, int plain, int32_t dtype, struct lowered *out);
void lowered_free(struct lowered *l);

/* The buffer that b is, in the end, a part of; adds to *start where. */
uint32_t buffer_root(const struct lowered *l, uint32_t b, int64_t *start);

/* The order in which values are computed; each directly before its first reader. Returns how many;
 * free(*order). */
uint32_t schedule_values(const struct draft *d, tier_value **order);

/* Makes all views name the roots of their buffers. */
void resolve_views(struct lowered *l);
/* Places all buffers in one arena of *bytes; lets elementwise steps work in place. */
void plan_memory(struct lowered *l, size_t *bytes);
/* Places those of `all` (whose first, last and bytes are set) that are alive at the same time one
 * behind the other, the others over each other, from offset 0; returns how many bytes that takes.
 * Changes the order of `all`. */
size_t place_together(struct buffer **all, size_t count);

#endif

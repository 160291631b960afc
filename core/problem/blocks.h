/* Kernels along many vectors at once: products with a matrix's columns instead of a vector. */
#ifndef PROBLEM_BLOCKS_H
#define PROBLEM_BLOCKS_H

#include "problem/kernels.h"

/* The kernel along `count` vectors: vectors[j * vector_count + i], outputs[j * asked + i]. Equal to
 * `count` runs up to rounding; the bits depend on the count, not on earlier calls. Its program for
 * a block of that size, made when it is first needed and bound as the kernel's own is, sees `width`
 * vectors side by side (diff_batch); a block that is not full is filled up with copies of the last
 * vector, and a few vectors alone are run one by one. */
int32_t kernel_run_block(struct kernel *k, struct problem *p, const struct point *at, int64_t count,
                         const void *const *vectors, void *const *outputs);
void block_free(struct block *b); /* NULL is fine */

#endif

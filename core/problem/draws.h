/* Which rows a step sees. In one step of a level each data that it reads is drawn once: without
 * replacement, in a new permutation per epoch, the remainder dropped. */
#ifndef PROBLEM_DRAWS_H
#define PROBLEM_DRAWS_H

#include "problem/internal.h"

/* All rows of every data; the context lives in the arena. */
void context_all(const struct problem *p, struct arena *arena, struct context *c);
/* The rows that a level's batches say; `batch` > 0 replaces their size. */
int32_t context_of_level(struct problem *p, const struct manifest_level *level, int64_t batch,
                         struct context *c);
/* Refuses a batch of more rows than the data has, where their number is known. */
int32_t context_check(const struct problem *p, const struct builder *reads);

/* Makes room for draws of the fields that the builder reads. */
int32_t binding_prepare(struct problem *p, struct binding *b, struct context *c,
                        const struct builder *reads);
/* Draw number `draw` of a stream ("levels.inner.batch"): rows, their fields, and the random key. */
int32_t binding_draw(struct problem *p, struct binding *b, const char *stream, int64_t draw);
void binding_free(struct problem *p, struct binding *b);

#endif

/* Variables: their tensors, where they stand in flat vectors, and their initial values. */
#ifndef PROBLEM_VARIABLES_H
#define PROBLEM_VARIABLES_H

#include "problem/internal.h"

/* Declares the tensors of every variable. */
int32_t variables_declare(struct problem *p);
/* Declares one, at the first call: what reads it needs its shape. */
int32_t variables_need(struct problem *p, int index);
/* Makes the flat vectors: one for the variables that each level is over, one for each other. */
int32_t variables_allocate(struct problem *p);
/* Sets all to their initial values, as at the start of the run, but those that level `except` is
 * over (-1: all). */
int32_t variables_initialize(struct problem *p, int except);
/* Sets one to its initial value, drawn anew if it is random. */
int32_t variables_restart(struct problem *p, int index);

/* Which copy of a variable is in play where `level` is at its step `level_step`: of one that is
 * `per` another level, the copy of the step that that level last drew rows for; 0 for others. */
int64_t variable_copy(const struct problem *p, const struct variable *v, int level,
                      int64_t level_step);

/* Makes p->kept[index], once. */
int32_t variables_room_to_keep(struct problem *p, size_t index);

/* Adds variable `index` at the end of a span. */
void span_add(struct problem *p, struct span *s, int index);
/* Where it stands in the span; -1 if it does not. */
int64_t span_offset(const struct span *s, int variable);
/* The first variable with a number in the flat vector `v` that is not finite; "" if there is none.
 */
const char *span_first_bad(const struct problem *p, const struct span *s, const tier_vector *v);
/* All tensors of a span, with their places; from the problem's arena. */
void span_places(struct problem *p, const struct span *s, struct placed **places, size_t *count);

/* The shape of a tensor as a program's input: one copy, or all rows of data that it is `per`. */
int32_t tensor_shape(const struct variable *v, const struct tensor *t, int64_t *dims);
/* The tensors of a part ("head"): those named "head" or "head...."; NULL: all. */
int tensor_in_part(const struct tensor *t, const char *part);

#endif

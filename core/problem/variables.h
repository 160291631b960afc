/* Variables: their tensors, where they stand in flat vectors, and their initial values. */
#ifndef PROBLEM_VARIABLES_H
#define PROBLEM_VARIABLES_H

#include "problem/internal.h"

/* Declares the tensors of every variable. */
int32_t variables_declare(struct problem *p);
/* Makes the flat vectors: one for the variables that each level is over, one for each other. */
int32_t variables_allocate(struct problem *p);
/* Sets all to their initial values. */
int32_t variables_initialize(struct problem *p);
/* Sets one to its initial value, drawn anew if it is random. */
int32_t variables_restart(struct problem *p, int index);

/* Adds variable `index` at the end of a span. */
void span_add(struct problem *p, struct span *s, int index);
/* Where it stands in the span; -1 if it does not. */
int64_t span_offset(const struct span *s, int variable);
/* All tensors of a span, with their places; from the problem's arena. */
void span_places(struct problem *p, const struct span *s, struct placed **places, size_t *count);

/* The shape of a tensor as a program's input: one copy, or all rows of data that it is `per`. */
int32_t tensor_shape(const struct variable *v, const struct tensor *t, int64_t *dims);
/* The tensors of a part ("head"): those named "head" or "head...."; NULL: all. */
int tensor_in_part(const struct tensor *t, const char *part);

#endif

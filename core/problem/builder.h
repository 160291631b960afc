/* Expressions of the manifest as values of a graph. */
#ifndef PROBLEM_BUILDER_H
#define PROBLEM_BUILDER_H

#include "problem/internal.h"

int32_t builder_new(struct problem *p, const struct context *context, struct builder *b);
void builder_free(struct builder *b);
/* What the expression means in this graph; the same expression gives the same value again. */
int32_t builder_expr(struct builder *b, const struct expr *e, struct meaning *out);
/* The one value of an expression; refused where it has several outputs. */
int32_t builder_value(struct builder *b, const struct expr *e, struct meaning *out);
/* A term of an objective: averaged over its rows, a scalar. */
int32_t builder_term(struct builder *b, const struct expr *e, tier_value *out);
/* The program input of that meaning, made at the first mention. */
tier_value builder_input(struct builder *b, enum input_kind kind, int index, int part, int32_t type,
                         const int64_t *dims, int32_t rank);
tier_value builder_tensor(struct builder *b, int variable, int tensor);
/* The input if it was made, else 0. */
tier_value builder_find(const struct builder *b, enum input_kind kind, int index, int part);
/* Rows of data `index` that this graph sees. */
int64_t builder_rows(const struct builder *b, int index);
/* The key of the draws of the random stream with that name, which the manifest holds. */
tier_value builder_key(struct builder *b, const char *stream);

/* applications.c: the value of a function or of a model's entry. */
int32_t builder_apply(struct builder *b, const struct expr *e, struct meaning *out);
int32_t builder_call(struct builder *b, const struct expr *e, struct meaning *out);
/* The point x, projected onto a set. */
int32_t builder_project(struct builder *b, const struct application *set, const struct meaning *x,
                        tier_value *out);

#endif

/* Objectives as programs: their value, gradient, and products with second derivatives. */
#ifndef PROBLEM_SUITES_H
#define PROBLEM_SUITES_H

#include "problem/kernels.h"

/* The suite of a level's objective on that many rows a draw (0: its own batches), made once. */
int32_t suites_get(struct level *l, int64_t batch, struct suite **out);
void suite_free(struct suite *s);
/* Values of the terms (with the objective's own sign) at a point; counts a value. */
int32_t suite_value(struct suite *s, const struct point *at, double *value, double *terms);
/* Also the gradient by the level's own variables (of the objective negated for `maximize`); and, if
 * `responding` is not NULL, by the variables of the levels in `through`. Counts one gradient. */
int32_t suite_gradient(struct suite *s, const struct point *at, double *value, double *terms,
                       tier_vector *gradient, tier_vector *responding);
/* The gradient of the total by each placed tensor, as graph values; 0 where it does not flow. */
int32_t suite_derivatives(struct suite *s, tier_value y, const struct placed *placed, size_t count,
                          tier_value *out);

/* ---- flat vectors and tensors ---- */

/* Inputs of the tensors' shapes, for vectors v; their pointers into flat vectors. */
void placed_inputs(struct builder *b, const struct placed *placed, size_t count, const char *name,
                   tier_value *out);
/* The addresses of tensors (of the copies in play at a level's step) in a flat vector. */
void placed_addresses(const struct level *l, int64_t level_step, const struct placed *placed,
                      size_t count, const void *flat, void **out);
/* Sets to 0 what a kernel with outputs first .. first + count - 1 for the placed tensors does not
 * write into the flat vector: outputs that are zero, and copies that are not in play. */
void placed_clear(const struct level *l, const struct kernel *k, size_t first,
                  const struct placed *placed, size_t count, void *flat);
/* Fails where a builder whose derivatives are taken reads every copy of a variable that is moved.
 */
int32_t builder_check_copies(const struct builder *b);

#endif

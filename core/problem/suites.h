/* Objectives as programs: their value, gradient, and products with second derivatives. */
#ifndef PROBLEM_SUITES_H
#define PROBLEM_SUITES_H

#include "problem/internal.h"

/* Where a program reads what it is run on. */
struct point {
  const struct binding *binding;
  const struct level *level;     /* whose variables are read from w; may be NULL */
  const void *w;                 /* flat, in place of the level's own */
  uint64_t serial;               /* identifies w, the other variables and the draw, for bind */
  const struct stepper *stepper; /* of INPUT_W, INPUT_G, INPUT_STATE: */
  const void *step_w, *step_g, *step_state;
};

/* ---- kernels ---- */

/* Which inputs are given to apply rather than to bind. */
enum fast_inputs {
  FAST_NONE,    /* the vectors only: products at a fixed point */
  FAST_TENSORS, /* all but data: what is evaluated at ever new parameters */
};

/* Compiles outputs (0s are allowed: those are zero and never written) from a builder's inputs and
 * further fast inputs `vectors`. */
/* `what`, for profiles: "hvp". */
int32_t kernel_make(struct kernel *k, const char *what, struct builder *b, enum fast_inputs fast,
                    const tier_value *vectors, uint32_t vector_count, const tier_value *outputs,
                    uint32_t output_count);
void kernel_free(struct kernel *k);
/* Binds if the point's serial is new, and applies. */
int32_t kernel_run(struct kernel *k, struct problem *p, const struct point *at,
                   const void *const *vectors, void *const *outputs);
/* The same along `count` vectors: vectors[j * vector_count + i], outputs[j * asked + i]. */
int32_t kernel_run_block(struct kernel *k, struct problem *p, const struct point *at, int64_t count,
                         const void *const *vectors, void *const *outputs);
/* 1 if every output simplified to zero. */
int kernel_is_zero(const struct kernel *k);

/* ---- suites ---- */

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
/* Fails where a builder whose derivatives are taken reads every copy of a variable that is moved.
 */
int32_t builder_check_copies(const struct builder *b);

#endif

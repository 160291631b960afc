/* Kernels: programs whose inputs are known by meaning, so that they can be run at a point. */
#ifndef PROBLEM_KERNELS_H
#define PROBLEM_KERNELS_H

#include "problem/internal.h"

/* Values of variables as they were, in place of what they are now. */
struct held {
  const struct span *span;
  const void *values; /* NULL: none */
};

/* Where a program reads what it is run on. */
struct point {
  const struct binding *binding;
  const struct level *level;     /* whose variables are read from w; may be NULL */
  const void *w;                 /* flat, in place of the level's own */
  uint64_t serial;               /* identifies w, the other variables and the draw, for bind */
  const struct stepper *stepper; /* of INPUT_W, INPUT_G, INPUT_STATE: */
  const void *step_w, *step_g, *step_state;
  struct held held;
};

/* Which inputs are given to apply rather than to bind. */
enum fast_inputs {
  FAST_NONE,    /* the vectors only: products at a fixed point */
  FAST_TENSORS, /* all but data: what is evaluated at ever new parameters */
};

/* Compiles outputs (0s are allowed: those are zero and never written) from a builder's inputs and
 * further fast inputs `vectors`. `what` is for profiles: "hvp"; it and the builder must outlive the
 * kernel. */
int32_t kernel_make(struct kernel *k, const char *what, struct builder *b, enum fast_inputs fast,
                    const tier_value *vectors, uint32_t vector_count, const tier_value *outputs,
                    uint32_t output_count);
void kernel_free(struct kernel *k);
/* Binds if the point's serial is new, and applies. */
int32_t kernel_run(struct kernel *k, struct problem *p, const struct point *at,
                   const void *const *vectors, void *const *outputs);
/* 1 if one of the outputs asked for, first .. first + count - 1, is ever written. */
int kernel_writes(const struct kernel *k, size_t first, size_t count);
/* 1 if every output simplified to zero. */
int kernel_is_zero(const struct kernel *k);
/* Compiles the same from other vectors and other (live) outputs of its graph. */
int32_t kernel_compile(const struct kernel *k, const char *suffix, const tier_value *vectors,
                       const tier_value *outputs, struct program **program);
/* What kernel_run does first: copies the outputs that are vectors as they were given, unless they
 * are to be where they are (the one overlap of outputs with vectors that is allowed). */
void kernel_pass(const struct kernel *k, const void *const *vectors, void *const *outputs);
/* Binds a program of this kernel if what it is bound to is not this point's: `slow`, room for its
 * slow_count addresses, and `bound` are kept from call to call. */
int32_t kernel_bind(const struct kernel *k, struct problem *p, const struct point *at,
                    struct program *program, const void **slow, uint64_t *bound);
/* The address of an input at a point. */
const void *kernel_input(const struct problem *p, struct input *in, const struct point *at);

static inline const char *elements_at(const struct problem *p, const void *base, int64_t offset) {
  return (const char *)base + (size_t)offset * dtype_size(p->dtype);
}

#endif

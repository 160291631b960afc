/* Flat vectors of real: the host's side of tier/vector.h, and named state arrays (tier/state.h). */
#ifndef PROBLEM_VECTOR_H
#define PROBLEM_VECTOR_H

#include <tier/state.h>
#include <tier/vector.h>

#include "backend/backend.h"

struct tier_vector {
  int64_t size;
  int32_t dtype; /* DTYPE_ */
  int32_t owned; /* data is freed with it */
  void *data;    /* 64-byte aligned */
};

/* The dtype and threads of all vectors made from now on. Process-wide: one run per process. */
void vector_configure(int32_t dtype, struct threads *threads);
extern const tier_vector_1 vector_interface;
tier_vector *vector_new(int64_t size);
/* A view: data is borrowed. */
tier_vector *vector_view(void *data, int64_t size);
void vector_free(tier_vector *x);
/* |x - y|, in f64; infinite or NaN where a square is, or an element. */
double vector_distance(const tier_vector *x, const tier_vector *y);

/* Named arrays. */
#define STATE_REAL 1
#define STATE_F64 2
#define STATE_I64 3
struct state_array {
  char *name;
  int32_t type;
  int64_t size;
  void *data;
  tier_vector *vector; /* STATE_REAL */
};
struct state {
  tier_state face; /* first */
  struct state_array *arrays;
  size_t count, capacity;
  int32_t status; /* of declaring */
};
struct state *state_new(void);
void state_free(struct state *s);
void state_zero(struct state *s);

#endif

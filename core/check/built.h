/* A function as a graph of its own, with all derivatives that are compared: */
#ifndef CHECK_BUILT_H
#define CHECK_BUILT_H

#include "check/check.h"
#include "graph/graph.h"
#include "plugin/params.h"

#define BUILT_MOST 32 /* inputs, outputs, operands */
#define BUILT_ROWS 4
#define BUILT_WIDTH 3
#define BUILT_KEY "key of the draw"

/* An input of the function, and what it is evaluated at. */
struct built_input {
  char name[64];
  tier_value value;
  int64_t size;
  int32_t *integers; /* labels, keys; else NULL */
  double *x, *v, *w; /* the point and two directions */
  tier_value v_value;
};

/* For a point x and directions: y = f(x), g = J'u, t = J v, h = the derivative of g along v by
 * forward over reverse, r = the same by reverse over reverse. */
struct built {
  struct graph *g;
  struct built_input inputs[BUILT_MOST]; /* real ones first in `reals` */
  size_t input_count;
  tier_value outputs[BUILT_MOST], cotangents[BUILT_MOST];
  double *u[BUILT_MOST];
  size_t output_count;
  int operands; /* of the slot for several */
};

/* Shapes that differ from the usual ones, for errors: */
struct built_shape {
  int64_t rows;
  int wrong_input; /* this input has `rows` + 1 rows; -1: none */
  int wrong_width; /* 1: all are one wider */
};

/* The arguments: --with, an example of ours, or defaults. TIER_E_REFUSED where some that are
 * required have no example. */
int32_t built_instance(const struct check *c, struct instance **out);
/* Builds entry number `entry` (0 where there are none). The graph's failure is returned. */
int32_t built_open(const struct check *c, const struct instance *i, uint32_t entry,
                   const struct built_shape *shape, struct built *b);
void built_close(struct built *b);
uint32_t built_entries(const struct check *c); /* at least 1 */
/* Evaluates `count` values, one after the other in `out` (room for built_size of them), in f64, or
 * in f32, on that backend. */
int32_t built_evaluate(const struct built *b, const char *backend, int32_t dtype,
                       const tier_value *values, size_t count, double *out);
int64_t built_size(const struct built *b, const tier_value *values, size_t count);
/* Values of the derivatives, of each real input; 0 where it is zero. */
int32_t built_gradient(struct built *b, tier_value *g);
int32_t built_tangent(struct built *b, tier_value *t);
int32_t built_second(struct built *b, const tier_value *g, tier_value *forward,
                     tier_value *reverse);

/* ---- identities, for functions and steps (functions.c) ---- */

void check_gradient(struct check *c, struct built *b); /* against central differences */
void check_adjoint(struct check *c, struct built *b);  /* <u, J v> = <J' u, v> */

/* ---- for those who build otherwise (steps.c) ---- */

/* An input of reals at points in (1.1, 1.9), or of integers; NULL: there are too many. */
struct built_input *built_add(struct built *b, const char *name, int32_t type, const int64_t *dims,
                              int32_t rank);
tier_value built_find(const struct built *b, const char *name); /* 0 if there is none */
/* After the outputs are set: directions and cotangents. */
void built_complete(struct built *b);

#endif

/* The five identities that every differentiable operation must satisfy, checked at random points in
 * f64:
 *   1. value = plain-C reference (in f64, and roughly in f32);
 *   2. vjp = central finite differences (and so for the Hessian, of the gradient);
 *   3. <u, J v> = <J^T u, v>;
 *   4. <u, H v> = <H u, v>;
 *   5. forward-over-reverse = reverse-over-reverse.
 * J is the operation's Jacobian; H is the Hessian of L(x) = sum c y + y^2 / 2, y the operation's
 * value, c random. */
#ifndef TESTS_GRAPH_IDENTITIES_H
#define TESTS_GRAPH_IDENTITIES_H

#include "support.h"

struct shape {
  int32_t rank;
  int64_t dims[TIER_MAX_RANK];
};

/* One row of the table: an operation with shapes and attributes; or a composite, made by `build`.
 */
struct example {
  const char *name;
  tier_value (*build)(tier_graph *g, const tier_value *in); /* or NULL: the operation `op` */
  uint32_t op;
  /* A letter for each input: r real, c real condition (0 or 1, not differentiated), n distinct
   * reals (none near another, at most 101), i index i32 (below `indices`). */
  const char *inputs;
  struct shape shapes[3];
  struct shape out;
  uint32_t int_count;
  int64_t ints[3 * TIER_MAX_RANK];
  double low, high; /* of the real inputs */
  int64_t indices;
  int32_t axis; /* along which the inputs are broadcast in the second variant; -1: none */
};

/* Errors relative to 1 + the largest number; infinite where anything is not finite. */
struct identity_report {
  double value, value_f32, differences, hessian_differences, adjoint, symmetry, modes;
};

/* Checks at a few points; broadcasting: the inputs come out of a broadcast along `axis`, and the
 * output goes into one. The worst errors of all points. */
struct identity_report identities_measure(const struct example *e, int broadcasting);
/* NULL if all are within their tolerance, else the name of the first that is not. */
const char *identities_broken(const struct identity_report *r);

#endif

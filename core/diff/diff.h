/* The transforms of a graph, all graph to graph. A Hessian-vector product is jvp of grad. */
#ifndef DIFF_DIFF_H
#define DIFF_DIFF_H

#include "graph/graph.h"

/* Reverse mode. outputs[i] = (dy/dxs[i])^T cotangent, of xs[i]'s shape; `cotangent` of y's shape, 0
 * means ones. Where y does not depend on xs[i], outputs[i] is 0 (the null value): the caller sees
 * that nothing flows. xs may be any real values of the graph, not inputs only; where one lies on
 * the way to another, what flows through it goes on to the other as well. One pass, linear in the
 * number of values up to y. On failure (graph_fail has been called) returns < 0. */
int32_t diff_gradient(struct graph *g, tier_value y, tier_value cotangent, const tier_value *xs,
                      uint32_t count, tier_value *outputs);

/* Forward mode. outputs[i] = tangent of ys[i] when each xs[j] moves along tangents[j] (0: does not
 * move); 0 where it does not move. An x that depends on another moves by its own tangent plus what
 * it is moved by the other: the adjoint of diff_gradient. */
int32_t diff_jvp(struct graph *g, const tier_value *ys, uint32_t y_count, const tier_value *xs,
                 const tier_value *tangents, uint32_t x_count, tier_value *outputs);

/* Vectorization. outputs[i] = k values of ys[i], along an axis in front: the j-th with slice j of
 * batched[m] (real; xs[m]'s shape with an axis of size k in front) in place of every xs[m]; 0
 * where ys[i] does not depend on xs. What does not depend on xs stays one value for all k, and a
 * product in which only one operand depends on them is one wide or tall product. (As vmap
 * of JAX: Frostig, Johnson, Leary 2018.) TIER_E_UNSUPPORTED, with
 * the graph still good, where a value of rank TIER_MAX_RANK depends on xs. */
int32_t diff_batch(struct graph *g, int64_t k, const tier_value *ys, uint32_t y_count,
                   const tier_value *xs, const tier_value *batched, uint32_t x_count,
                   tier_value *outputs);

#endif

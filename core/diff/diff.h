/* The two transforms of a graph, both graph to graph. A Hessian-vector product is jvp of grad. */
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

#endif

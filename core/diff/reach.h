/* Which values take part in a derivative: those that depend on xs by differentiable paths. */
#ifndef DIFF_REACH_H
#define DIFF_REACH_H

#include "graph/graph.h"

/* marks[v] = 1 for the values v < count that are among xs or depend on one through operations that
 * have a derivative, else 0. */
void reach_forward(const struct graph *g, const tier_value *xs, uint32_t x_count, uint32_t count,
                   uint8_t *marks);
/* Clears the marks of what no value of ys uses. */
void reach_backward(const struct graph *g, const tier_value *ys, uint32_t y_count, uint32_t count,
                    uint8_t *marks);
/* Fails unless each v is a real value of the graph; `role` names them in the text. */
int32_t reach_check(struct graph *g, const tier_value *vs, uint32_t count, const char *role);
/* Fails unless a is null or has the shape of b. */
int32_t reach_check_shape(struct graph *g, tier_value a, tier_value b, const char *role);

#endif

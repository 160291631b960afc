/* The tests' own plain-C meaning of every operation but random, written from the comments in
 * tier/graph.h and sharing no code with the host: the oracle for values. Everything is held as
 * double, indices too. */
#ifndef TESTS_GRAPH_PLAIN_H
#define TESTS_GRAPH_PLAIN_H

#include "graph/graph.h"

struct array {
  int32_t rank;
  int64_t dims[TIER_MAX_RANK];
  double *data; /* row-major */
};

int64_t array_size(const struct array *a);
/* The value of one operation; out's shape is set and its data allocated. */
void plain_operation(uint32_t op, const int64_t *ints, uint32_t int_count, const double *reals,
                     uint32_t real_count, const struct array *const *in, uint32_t in_count,
                     struct array *out);
/* Interprets the graph: outputs[i] (caller's, large enough) from the data of the inputs. */
void plain_evaluate(const struct graph *g, const tier_value *inputs, uint32_t input_count,
                    const double *const *data, const tier_value *outputs, uint32_t output_count,
                    double *const *results);

#endif

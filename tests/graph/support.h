/* What the tests of graphs share: random numbers, running a graph, comparing arrays. */
#ifndef TESTS_GRAPH_SUPPORT_H
#define TESTS_GRAPH_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <tier/nn.h>

#include "compile/program.h"
#include "graph/graph.h"

#define DIE(...)                        \
  do {                                  \
    (void)fprintf(stderr, __VA_ARGS__); \
    (void)fputc('\n', stderr);          \
    abort();                            \
  } while (0)

/* A small generator of its own (xorshift64*; Vigna 2016): uniform in [low, high). */
struct generator {
  uint64_t state;
};
double draw(struct generator *r, double low, double high);

/* A real or i32 input and its numbers, all held as double. */
tier_value input_real(struct graph *g, const int64_t *dims, int32_t rank);
tier_value input_i32(struct graph *g, const int64_t *dims, int32_t rank);
int64_t size_of(const struct graph *g, tier_value v);

/* Compiles and runs the graph by the `reference` backend in `dtype` (DTYPE_F64, DTYPE_F32). */
void evaluate(const struct graph *g, int32_t dtype, const tier_value *inputs, uint32_t input_count,
              const double *const *data, const tier_value *outputs, uint32_t output_count,
              double *const *results);
/* One output of f64. */
void evaluate_one(const struct graph *g, const tier_value *inputs, uint32_t input_count,
                  const double *const *data, tier_value output, double *result);

/* Largest |a - b| over 1 + largest |b|; infinite if anything is not finite. */
double distance(const double *a, const double *b, int64_t n);
double dot(const double *a, const double *b, int64_t n);

#endif

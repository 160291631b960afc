/* Random graphs that cover every operation, and running them in several ways. */
#ifndef TESTS_COMPILE_RANDOM_GRAPH_H
#define TESTS_COMPILE_RANDOM_GRAPH_H

#include "backend/backend.h"
#include "compile/program.h"

#define RANDOM_SLOW 5 /* 4 real ones and a key */
#define RANDOM_FAST 3
#define RANDOM_MOST_OUTPUTS 8

struct random_graph {
  struct graph *graph;
  tier_value slow[RANDOM_SLOW];
  tier_value fast[RANDOM_FAST];
  tier_value outputs[RANDOM_MOST_OUTPUTS];
  uint32_t output_count;
  uint64_t used; /* bit op is set if the graph has that operation */
};

/* About `size` random operations. The same seed gives the same graph. */
void random_graph_make(struct random_graph *r, uint64_t seed, int size);
/* Puts in place of the outputs the gradient of a function of them in four inputs, and a product
 * with its Hessian. */
void random_graph_differentiate(struct random_graph *r);
void random_graph_free(struct random_graph *r);

/* Runs it on inputs that depend on `seed` only; results[i] (malloc'd) holds output i as doubles (as
 * numbers, for i32). With `all_fast`, all inputs are given to apply. Fails the test on an error. */
void random_graph_run(const struct random_graph *r, const struct program_options *options,
                      uint64_t seed, int all_fast, double **results);

/* The size of an output. */
int64_t random_graph_size(const struct random_graph *r, uint32_t output);

#endif

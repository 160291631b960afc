/* Building the graph of a function or a step through its plugin, and evaluating it in f64 with the
 * reference backend. */
#ifndef TESTS_PLUGINS_BENCH_H
#define TESTS_PLUGINS_BENCH_H

#include <tier/function.h>
#include <tier/step.h>

#include "diff/diff.h"
#include "graph/graph.h"
#include "support.h"

#define BENCH_MOST 24
#define BENCH_NAME 40

struct bench_value {
  char name[BENCH_NAME]; /* of a slot, variable or state */
  char role; /* 'i'nput, 'v'ariable, 's'tate, 'h'yperparameter, 'k'ey; output: 'o', 'S'tate */
  tier_value value;
  const void *data; /* of an input: doubles or int32_t */
  /* of a declared variable: */
  int32_t rank, initializer;
  int64_t dims[TIER_MAX_RANK];
  double a, b;
};

struct bench {
  struct graph *g;
  struct instance *instance;
  struct bench_value inputs[BENCH_MOST], outputs[BENCH_MOST], declared[BENCH_MOST];
  int input_count, output_count, declared_count;
  struct bench_value aliases[BENCH_MOST];
  int alias_count;
  tier_value list[BENCH_MOST]; /* operands of an EXPRESSIONS slot */
  int list_count;
  int64_t n; /* steps: size of w */
};

/* Takes the instance over. */
void bench_open(struct bench *b, struct instance *i);
void bench_close(struct bench *b);

/* Inputs; the data is borrowed. Returns the value. */
tier_value bench_input(struct bench *b, char role, const char *name, const int64_t *dims,
                       int32_t rank, const double *data);
tier_value bench_labels(struct bench *b, const char *name, int64_t n, const int32_t *data);
tier_value bench_key(struct bench *b, const int32_t *data); /* four numbers; for TIER_RANDOM */
/* A value of the graph at a slot. */
void bench_alias(struct bench *b, const char *name, tier_value v);
void bench_operand(struct bench *b, tier_value v); /* one more for the EXPRESSIONS slot */

/* A model's variables, into `declared`. */
void bench_variables(struct bench *b);
int32_t bench_build(struct bench *b, const char *entry); /* returns the graph's status */

/* A step of size n: w and g are inputs "w" and "gradient"; states become inputs 's' (data: zeros
 * unless bench_input gave it before), outputs 'S'. Hyperparameters 'h' must be given before. */
void bench_step(struct bench *b, int64_t n, const double *w, const double *g);
tier_value bench_output(const struct bench *b, const char *name);
tier_value bench_find(const struct bench *b, const char *name); /* an input */

/* Evaluates one value; returns its size. */
int64_t bench_evaluate(const struct bench *b, tier_value v, double *out);
/* The value's shape is exactly this, and its elements are within tolerance. */
void bench_check(const struct bench *b, tier_value v, const int64_t *dims, int32_t rank,
                 const double *expected, double tolerance);

#endif

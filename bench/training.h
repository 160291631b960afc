/* Training steps written as graphs, for models that no plugin offers yet: fully connected layers
 * in float32, the gradient as one program, the optimizer's step as another on flat vectors, as the
 * problem layer does it. */
#ifndef BENCH_TRAINING_H
#define BENCH_TRAINING_H

#include <tier/nn.h>

#include "backend/backend.h"
#include "bench/driver.h"
#include "compile/program.h"

#define MAX_LAYERS 6
#define MAX_STATES 2 /* vectors that an optimizer keeps */
#define MAX_SCALARS 2
#define MAX_DATA 3 /* inputs of a gradient beside weights */

struct layer {
  int64_t in, out;
};

/* The layers that one optimizer moves: flat, each weight (in, out), then its bias (out). */
struct group {
  const struct layer *layers;
  int layer_count;
  int64_t size;
  float *start, *w, *next, *gradient;
  float *states[MAX_STATES], *states_next[MAX_STATES];
  int state_count;
  struct program *gradient_program; /* (own weights, other group's, data) -> own gradient */
  struct program *step;             /* (w, g, states, scalars) -> (w, states) */
};

/* A gradient while it is described. */
struct description {
  struct graph *g;
  tier_value weights[2][2 * MAX_LAYERS]; /* of the own group, of the other one */
  tier_value data[MAX_DATA];
};

/* Start values from start.NAME.f32 of the data directory. */
int32_t group_open(struct group *group, const struct options *o, const char *name,
                   const struct layer *layers, int count);
void group_close(struct group *group);
/* Back to the start; the optimizer's state to zero. */
void group_restart(struct group *group);

/* data[i] is an input of dims[i] (rank 2). `loss` describes a scalar. `other` may be NULL. */
int32_t group_compile_gradient(struct group *group, const struct group *other,
                               struct threads *threads, const int64_t (*dims)[2], int data_count,
                               tier_value (*loss)(const struct description *d));
/* `step` describes the step of flat vectors: from w, its gradient, `state_count` states and
 * `scalar_count` numbers, sets the new states and returns the new w. */
typedef tier_value (*step_description)(tier_graph *g, tier_value w, tier_value gradient,
                                       tier_value *states, const tier_value *scalars);
int32_t group_compile_step(struct group *group, struct threads *threads, int state_count,
                           int scalar_count, step_description step);
/* The gradient at these data, and one step. */
int32_t group_train(struct group *group, const struct group *other, const float *const *data,
                    const float *scalars);

/* x times the weight of layer `index` of the own group (which 0) or the other (1), plus its bias.
 */
tier_value describe_layer(const struct description *d, int which, int index, tier_value x);
/* `count` numbers of the file NAME.f32 of the data directory; large_free them. */
int32_t read_numbers(const struct options *o, const char *name, int64_t count, float **out);

#endif

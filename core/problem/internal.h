/* The inside of the problem layer: what its files share. One idea a file:
 *
 *   instances.c      applications of the manifest -> created components
 *   sources.c        data: pipelines, files, arrays in memory
 *   variables.c      variables: tensors, flat storage, initial values
 *   draws.c          which rows a step sees, gathered
 *   builder.c        expressions -> graph values
 *   applications.c   what a function's build sees: rows lifted, shapes aligned
 *   kernels.c        programs with inputs by meaning, run at a point
 *   blocks.c         the same along many vectors at once
 *   suites.c         objectives -> programs: value, gradient, products with second derivatives
 *   steppers.c       optimizer steps -> programs, with vjp and jvp
 *   reversible.c     steps that can be run backwards
 *   levels.c         one step of a level; procedural optimizers
 *   tape.c           what a run's steps were given: stored, or made again when asked for
 *   revolve.c        where checkpoints on a tape stand
 *   starts.c         derivatives of initial values that read variables
 *   trials.c         runs with other inputs, of which nothing stays
 *   edges.c          edges: what they carry, and what must hold for them
 *   records.c        what a solve leaves behind beside the tape: what it read of other levels
 *   stopped.c        stop-gradients on a level's own variables
 *   facade.c         tier.problem/1: oracles, the step map, records
 *   snapshots.c      how a level and all below it stand at one moment
 *   totals.c         products with the derivatives of a hypergradient
 *   responses.c      hypergradients: direct term plus responses
 *   top.c            tier.levels/1: the top level and the solver
 *   single_loop.c    its members for solvers that move two levels at once
 *   measures.c       metrics and outputs
 *   phases.c         what goes from one phase to the next, and what a phase stores at its end
 *   checkpoint.c     state to file and back
 *   problem.c        putting it together
 */
#ifndef PROBLEM_INTERNAL_H
#define PROBLEM_INTERNAL_H

#include <tier/estimator.h>
#include <tier/function.h>
#include <tier/loop.h>
#include <tier/solver.h>
#include <tier/step.h>

#include "compile/program.h"
#include "graph/graph.h"
#include "manifest/manifest.h"
#include "problem/data.h"
#include "problem/problem.h"
#include "problem/vector.h"

/* ---- data ---- */

struct held_field {
  const struct data_field *field; /* of the struct data */
  int64_t row_size;               /* elements of one row */
  size_t element_bytes;
  void *values; /* rows x row_size, real of the run's dtype or int32_t; NULL until it is needed */
};

struct held_data {
  const struct manifest_data *declared;
  struct data *data; /* the end of its pipeline; NULL until it is needed */
  int64_t rows;      /* in a check, where they are unknown: a large stand-in */
  int rows_unknown;
  struct held_field *fields;
  size_t field_count;
  int busy; /* being made: finds cycles */
  int32_t failed;
};

/* How many rows of each data a program sees: all of them, or `rows` drawn ones. */
struct rows {
  int64_t count; /* where indexed */
  int indexed;   /* drawn: the row numbers are an input */
  int source;    /* the data that is really read: another one under `on` */
};
struct context {
  struct rows *data; /* for each data of the manifest */
};

/* The rows of one draw, gathered. */
struct drawn {
  int32_t *index; /* row numbers, or NULL if all */
  void **fields;  /* one a field of the data: gathered, or the held array; NULL where not used */
  int owned;      /* fields are buffers of this binding */
  int64_t *permutation; /* of all rows, in the epoch and stream below; NULL: none yet */
  int64_t epoch;
  uint64_t stream;
};
struct binding {
  struct context *context;
  struct drawn *data;
  uint64_t noise; /* stream and number of this draw's random keys */
  uint64_t noise_draw;
  int64_t level_step; /* which copy of a variable `per` a level is in play */
  uint64_t serial;    /* changes with each draw */
};

/* ---- variables ---- */

struct tensor {
  const char *name; /* "layer1.weight"; "" for arrays */
  int32_t rank;
  int64_t dims[TIER_MAX_RANK]; /* of one copy */
  int64_t size;                /* of one copy */
  int64_t offset;              /* in one copy of the variable */
  int32_t initializer;
  double a, b;
};

struct variable {
  const struct manifest_variable *declared;
  struct instance *model; /* NULL: an array */
  struct tensor *tensors;
  size_t tensor_count;
  size_t tensor_capacity;
  int64_t copy_size;
  int64_t copies; /* rows of a data, steps of a level, or 1 */
  int64_t size;   /* copies * copy_size */
  int owner;      /* level, or -1 */
  int64_t offset; /* in the owner's flat vector */
  int *reads;     /* variables that its `init` reads */
  size_t read_count;
  int ready; /* declared */
  int busy;  /* being declared: finds cycles */
  int32_t failed;
  tier_vector *value;
  int64_t restarts; /* how often its initial value was drawn */
};

/* Several variables as one flat vector. */
struct span {
  int *variables;
  int64_t *offsets;
  size_t count;
  int64_t size;
};

/* ---- graph building ---- */

enum input_kind {
  INPUT_TENSOR,   /* a tensor of a variable: `index`, `part` */
  INPUT_COPIES,   /* all copies of a variable `per` a level: `index` */
  INPUT_FIELD,    /* a field of a data: `index`, `part` */
  INPUT_ROWS,     /* the row numbers drawn of a data: `index` */
  INPUT_KEY,      /* the random key of the stream with the name p->noise_names[`part`] */
  INPUT_GRADIENT, /* of a variable, as its level last computed it: `index` */
  INPUT_W,        /* of a step: w, gradient, state array `part` */
  INPUT_G,
  INPUT_STATE
};
struct input {
  enum input_kind kind;
  int index;
  int part;
  tier_value value;
  int32_t key[4]; /* INPUT_KEY: the one last asked for */
};

struct named_value {
  const char *name; /* NULL: the only output */
  tier_value value;
};
/* What an expression is in a graph: one value, or several named ones; and whose rows it has. */
struct meaning {
  tier_value value;
  int rows; /* data, or -1 */
  struct named_value *outputs;
  size_t output_count;
};
struct memo {
  const void *expr;
  struct meaning meaning;
};

struct builder {
  struct problem *p;
  const char *owner;   /* the level that its programs serve, for profiles; NULL: none */
  struct arena *arena; /* of texts and outputs; dies with it */
  struct graph *g;
  const struct context *context;
  struct input *inputs;
  size_t input_count, input_capacity;
  struct memo *memos;
  size_t memo_count, memo_capacity;
  int depth; /* of the expression being built */
};

/* ---- programs ---- */

struct block; /* blocks.c */

/* A program with its inputs by meaning. Which are fast is decided when it is made. */
struct kernel {
  struct program *program;
  struct input *slow, *fast;
  uint32_t slow_count, fast_count; /* fast inputs by meaning; then come the vectors */
  uint32_t vector_count;           /* further fast inputs: tensors of flat vectors */
  uint32_t output_count;
  const void **slow_pointers, **fast_pointers;
  void **output_pointers;
  uint32_t asked;         /* outputs, with those that are zero */
  uint32_t *live;         /* output_count numbers: which of the outputs asked for are not zero */
  unsigned char *written; /* of each output asked for: it is not zero */
  uint32_t *passed;       /* of each: 1 + the vector that it is, unchanged; 0: none */
  uint64_t bound;         /* serial of what it is bound to; 0: nothing */
  int constant;           /* its slow inputs hold the same numbers at every point */
  void **given, **taken;  /* room for a caller's tables of vectors and of the outputs asked for */
  const char *what;
  struct builder *builder;
  tier_value *vectors, *outputs; /* vector_count and output_count values of its graph */
  struct block *block;           /* for several vectors at once, one of each width; or NULL */
  int64_t widest;                /* that a block may be; 0: not known yet */
};

/* One objective on one context of rows. */
struct suite {
  struct problem *p;
  struct level *level;
  struct context context;
  int64_t batch;  /* the override that it was made for, 0: the level's own */
  int32_t status; /* of building it; its failure was then reported */
  struct builder builder;
  tier_value *terms; /* averaged: scalars */
  size_t term_count;
  tier_value total;     /* negated for `maximize` */
  tier_value *gradient; /* of total by each tensor of w, after suite_gradient; 0: none */
  int64_t sample_rows;  /* rows of all data it reads */
  struct kernel value, gradient_w, gradient_all;
  void *term_values; /* outputs of the terms */
};

/* A tensor in a span: where it stands in the flat vector. */
struct placed {
  int variable, tensor;
  int64_t offset; /* of its first copy */
};

struct step_state {
  const char *name;
  int32_t shape;
  int64_t offset, size;
  tier_value input, output;
};
struct stepper {
  struct problem *p;
  struct level *level;
  const struct instance *instance;
  const struct application *application;
  const tier_step_1 *api;
  struct builder builder;
  struct context context;
  struct step_state *states;
  size_t state_count, state_capacity;
  int64_t n, m;
  tier_value w, g, w_next;
  struct kernel forward;
  struct reversible *reversible;   /* NULL: it is its graph */
  struct information *information; /* where a reversible step puts what it drops, or NULL */
};

/* ---- levels and edges ---- */

/* A pullback through the edges of a level, under way. */
struct pulling {
  int64_t *left; /* how many records of each edge are still to come; NULL: none is under way */
  const struct beyond *beyond;
};

struct level {
  struct problem *p;
  const struct manifest_level *declared;
  int index;
  struct span over;
  tier_vector *w, *gradient;
  struct placed *placed; /* tensors of `over` */
  size_t placed_count;
  struct context context;
  struct binding binding;
  struct suite **suites; /* [0] is the level's own */
  size_t suite_count, suite_capacity;
  struct instance *optimizer; /* NULL: none */
  struct stepper *stepper;
  const tier_loop_1 *loop;
  tier_vector *state, *state_next, *w_next, *update;
  int *children;
  size_t child_count;
  tier_edge **edges; /* `through`, in order of the manifest */
  size_t edge_count;
  struct span responding; /* variables of the levels in `through` */
  struct placed *responding_placed;
  size_t responding_count;
  tier_vector *cotangent; /* of them */
  struct pulling pulling;
  int64_t steps;         /* per step of the parent; -1 */
  int64_t draws;         /* so far: the counter of its batch stream */
  int64_t taken;         /* steps in the parent's present step */
  int64_t runs;          /* how often it was run by its parent */
  struct level *above;   /* on whose behalf it runs: its parent, or one that solves it again */
  uint64_t began, moved; /* p->clock when its present step began, and when its w last moved */
  char *stream;          /* "levels.inner.batch" */
  double value, gradient_norm, direct_norm, response_norm;
  double *term_values;
  const char *stop;
  struct ledger ledger;
};

struct report_entry {
  char *name;
  double number;
  char *text; /* NULL: a number */
};

struct information_block {
  int64_t count;
  void *words;
};
struct information {
  tier_information face; /* first */
  struct information_block *blocks;
  size_t count, capacity;
};

/* What one step was given: w (n), the optimizer's state (m), the gradient (n). */
struct frame {
  char *w, *s, *g;
};
struct tape {
  tier_tape plan;
  struct stepper *stepper;
  int on;        /* there is one */
  int restarted; /* it begins at a fresh start, not at a warm one */
  int64_t steps; /* at most */
  int64_t length;
  int64_t first_draw;       /* the level's draw counter at step 0 */
  int64_t first_level_step; /* and its index in the level's steps */
  void *arena;
  int64_t frames;
  int64_t *slots; /* the steps of which there are checkpoints, ascending */
  int64_t slot_count, slot_limit;
  int64_t next; /* where the next one is to stand; -1: nowhere */
  int64_t at;   /* the step in the frame to work in; -1: none */
  int now;      /* which of two frames that is */
  int known;    /* its gradient is there */
  struct information information;
};

/* What a run changes of a level (trials.c). */
struct trial_point {
  struct level level;
  tier_vector *w, *gradient, *state;
  double *terms;
  void **arrays; /* of a procedural optimizer */
  size_t array_count;
};

struct tier_record {
  tier_edge *edge;
  struct trial_point *start,
      *present;        /* for trial runs: where the run began, and is now; or NULL */
  tier_vector *inputs; /* and its inputs, flat */
  int start_is_fresh;
  struct trial_point *real; /* where the level really is while it looks ahead; or NULL */
  int looking;              /* it does */
  struct tape tape;
  uint64_t made;          /* p->clock when its solve was complete; 0: it is not */
  int64_t taken;          /* the lower level's steps by then */
  tier_vector *solution;  /* a copy, where the level runs again before the pullback; or NULL */
  tier_vector *cotangent; /* of the solution, where it is not the newest record; or NULL */
  int64_t adjoints; /* cross products of its last pullback, and calls that forbid to use them */
  struct snapshot *starts; /* rows: how the levels below stood, if the level goes through them */
  int64_t rows;            /* room in the next two: row 0 is the solution, row 1 + t is step t */
  void *kept;    /* rows x edge->kept.size: values of other levels' variables that it read */
  int64_t *seen; /* rows x upper->edge_count: which record of that edge was the newest; -1:
                    there was none in this step of the upper level */
  struct report_entry *reports;
  size_t report_count, report_capacity;
};

/* Second-order programs of an edge on one suite. */
struct products {
  struct suite *suite;
  struct kernel hvp, cross, both, cross_forward, input_gradient;
  struct kernel along[2], third; /* for totals.c */
};

struct tier_edge {
  struct problem *p;
  struct level *upper, *lower;
  const struct manifest_through *declared;
  struct instance *estimator;
  const tier_estimator_1 *api;
  struct span inputs; /* what cotangents are passed on to */
  struct placed *placed;
  size_t placed_count;
  struct span moving; /* of them, those that move during the run, so that each step read others */
  int64_t *moving_offsets; /* of those, in the inputs */
  int64_t slots;           /* one for each step that is followed, if any of the inputs move; or 0 */
  int64_t wide;       /* inputs.size + slots * moving.size: the inputs as estimators see them */
  struct span kept;   /* variables of other levels that a record keeps */
  int each;           /* it keeps them for each step */
  int keeps_all;      /* every solve in a step of the upper level keeps its record */
  int64_t count;      /* solves in the present step of the upper level */
  tier_record *older; /* of its earlier solves in it; `record` is the newest */
  size_t older_count, older_capacity;
  struct products *products[2]; /* on the level's own context, and with a batch of its own */
  struct stepper *extra;        /* of a step that the estimator brings */
  tier_vector *extra_state[2];
  struct start *starts; /* vjps of the lower level's initial values; NULL until they are needed */
  size_t start_count;
  struct kernel step_vjp, step_jvp;
  const struct stepper *step_vjp_of, *step_jvp_of; /* for which step they were made */
  tier_vector *scratch_w, *scratch_g, *scratch_s, *scratch_inputs;
  char *stream;               /* "levels.outer.through.inner" */
  struct binding bindings[2]; /* of oracles: on the level's own batch, on another */
  tier_record record;
  tier_vector *pulled; /* `wide`: the result of pullback */
  int captures;        /* keep what a pullback takes its cross product along: */
  tier_vector *adjoint;
  int64_t adjoint_batch;
  int64_t pullbacks;
};

struct cached_instance {
  const struct application *application;
  struct instance *instance;
  int owned; /* 0: a struct data frees it */
};

struct problem {
  const struct manifest *m;
  struct problem_options options;
  struct arena *arena;
  int check_only;
  uint64_t seed;
  uint64_t repetition; /* of the estimators' draws; 0 in a run */
  int32_t dtype;
  const struct backend *backend;
  struct threads *threads;
  struct cached_instance *instances;
  size_t instance_count, instance_capacity;
  struct state **states; /* all of components, in order of making, for checkpoints */
  char **state_names;
  size_t state_count, state_capacity, state_name_count, state_name_capacity;
  struct data **made; /* every struct data, in order of making */
  size_t made_count, made_capacity;
  struct data_file {
    char *path;
    char sha256[65];
  } * files;
  size_t file_count, file_capacity;
  struct held_data *data;
  struct variable *variables;
  struct level *levels;
  struct level *top;
  struct instance *solver;
  const tier_solver_1 *solver_api;
  struct top *facade;
  int64_t steps, done;
  char end[32];       /* why it ended, before its last step; "": it has not */
  tier_vector **kept; /* one a variable: tier_levels_1.keep */
  int64_t has_kept;
  uint64_t serial;
  const char **noise_names; /* of the random streams in expressions: paths, or "stream" texts */
  size_t noise_count, noise_capacity;
  uint64_t clock;      /* counts solves and moves, to tell which came first */
  struct ledger spent; /* in the phases before this one */
  double earlier;      /* seconds that they took */
  double solve_seconds, pullback_seconds;
  int pullback_depth, solve_depth;
  double started;
  struct text warnings;
  int64_t stationarity_warnings;
};

/* Zeroed room for count x each elements; refuses sizes that no memory holds. large_free it. */
static inline int32_t rows_alloc(int64_t count, int64_t each, size_t element, const char *what,
                                 void **out) {
  size_t bytes = 0;
  if (__builtin_mul_overflow((size_t)count, (size_t)each, &bytes) ||
      __builtin_mul_overflow(bytes, element, &bytes)) {
    bytes = SIZE_MAX;
  }
  return large_alloc(bytes, what, out);
}

#endif

/* The graph: a list of values in order of creation, each with its operation, inputs, attributes,
 * shape and type. Immutable once made; the transforms in diff/ append to it. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include <tier/graph.h>

#define OP_INPUT 0u /* a program's input: not to be emitted by plugins */

/* Who asked for a value: for errors and profiles. Texts live as long as the graph's owner says. */
struct origin {
  const char *plugin; /* "cross-entropy" or NULL */
  const char *entry;  /* "forward" or NULL */
  const char *place;  /* "m.json:14:20" or NULL */
};

struct value {
  uint32_t op;
  int32_t type; /* TIER_REAL, TIER_I32 */
  int32_t rank;
  uint32_t input_count;
  int64_t dims[TIER_MAX_RANK];
  const tier_value *inputs;
  const int64_t *ints;
  const double *reals;
  uint32_t int_count;
  uint32_t real_count;
  uint32_t origin;  /* index into graph.origins */
  const char *name; /* OP_INPUT: its name */
};

struct graph {
  tier_graph face;      /* first: a tier_graph is a struct graph */
  struct value *values; /* values[0] is the null value */
  uint32_t count;
  uint32_t capacity;
  struct origin *origins; /* origins[0]: unknown */
  uint32_t origin_count;
  uint32_t origin_capacity;
  uint32_t origin; /* of what is made now */
  int32_t status;  /* the first failure */
  char *failure;   /* and its text: plugin, operation, shapes, place */
  struct arena *arena;
};

struct graph *graph_new(void);
void graph_free(struct graph *g); /* NULL is fine */
static inline struct graph *graph_of(tier_graph *g) {
  return (struct graph *)(void *)g;
}

tier_value graph_input(struct graph *g, int32_t type, const int64_t *dims, int32_t rank,
                       const char *name);
/* Sets the origin of the values made from now on; returns the one before, for graph_restore. */
uint32_t graph_origin(struct graph *g, struct origin origin);
void graph_restore_origin(struct graph *g, uint32_t origin);
/* TIER_OK, or the first failure handed to `fail`. */
int32_t graph_status(const struct graph *g);
/* Forgets the failure: a check goes on with the next term. */
void graph_forget_failure(struct graph *g);
static inline const struct value *graph_value(const struct graph *g, tier_value v) {
  return &g->values[v];
}
int64_t value_size(const struct value *v); /* number of elements */

/* What is known of an operation. shape: checks inputs and attributes, sets type, rank and dims of
 * `out` (whose inputs and attributes are set); on failure calls graph_fail and returns < 0. */
struct operation {
  const char *name;
  int32_t inputs; /* number, or -1: any number >= 1 */
  int32_t (*shape)(struct graph *g, struct value *out);
  /* Cotangents of the inputs, by graph values; out[i] = 0 where nothing flows. NULL only for those
   * without a derivative (constants, integers, compare). */
  void (*vjp)(struct graph *g, tier_value y, tier_value cotangent, tier_value *out);
  /* The tangent of y; tangents[i] = 0 means zero. Returns 0 for a zero tangent. */
  tier_value (*jvp)(struct graph *g, tier_value y, const tier_value *tangents);
  uint32_t flags;
};
#define OPERATION_ELEMENTWISE 1u     /* out[i] depends on input[i] only */
#define OPERATION_DERIVATIVE_NONE 2u /* constant almost everywhere, or integer */

/* The table, indexed by opcode; NULL if there is no such opcode. Registering copies the operation,
 * in place of the one that had the opcode; one that is differentiable but lacks vjp or jvp fails.
 */
const struct operation *operation_get(uint32_t op);
int32_t operation_register(uint32_t op, const struct operation *operation);
void graph_register_operations(void); /* all of them, once; graph_new calls it */

/* Marks the graph as failed (the first one wins) with "OP: REASON: SHAPES, asked for by
 * PLUGIN.ENTRY at PLACE"; OP_INPUT stands for no operation. Returns the graph's status, < 0. */
int32_t graph_fail(struct graph *g, uint32_t op, const tier_value *inputs, uint32_t count,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The transforms of core/diff, which this layer cannot name: diff offers them when it is linked,
 * and `gradient` and `jvp` of the face call them. */
struct graph_transforms {
  int32_t (*gradient)(struct graph *g, tier_value y, tier_value cotangent, const tier_value *xs,
                      uint32_t count, tier_value *outputs);
  int32_t (*jvp)(struct graph *g, const tier_value *ys, uint32_t y_count, const tier_value *xs,
                 const tier_value *tangents, uint32_t x_count, tier_value *outputs);
};
void graph_set_transforms(struct graph_transforms t);

static inline void graph_clear(tier_value *values, uint32_t count) { /* to null values */
  for (uint32_t i = 0; i < count; i++) {
    values[i] = 0;
  }
}
/* For the rules: element-wise forms where the null value means zero. */
tier_value graph_add(struct graph *g, tier_value a, tier_value b); /* either may be 0 */

#endif

/* tier/function.h: interface "tier.function/1": a function is a piece of graph.
 *
 * Kinds: model, loss, map, evaluator. `build` is called with the host's graph and describes the
 * outputs by the inputs; all derivatives come from the host. It is called several times (for
 * validation, for each batch size): it must describe the same function each time.
 *
 * Rows. Expression inputs arrive with one leading row axis, the same for all of one call (1 where
 * the manifest's expression has no rows: the host adds and removes the axis), scalars per row as
 * shape (n). A loss yields one number a row, shape (n). Components flagged TIER_ELEMENTWISE instead
 * get all inputs broadcast to one shape of any rank, and yield that shape. A whole model given as
 * an expression ({"l2": "net"}) arrives as (1, N), all its variables flat in order of declaration.
 *
 * A set (kind "set") is built with entry "project": its input "x", which stands in no slot table,
 * is the point, with rows as the others; the output, of x's shape, is the nearest point of the set.
 */
#ifndef TIER_FUNCTION_H
#define TIER_FUNCTION_H

#include <tier/graph.h>
#include <tier/params.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a model declares ---------------------------------------------------------------- */

#define TIER_INIT_CONSTANT 1 /* a */
#define TIER_INIT_UNIFORM 2  /* in [a, b) */
#define TIER_INIT_NORMAL 3   /* mean a, standard deviation b */

typedef struct tier_variables tier_variables;
typedef struct tier_variables_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* One tensor of the model: `name` is [a-z][a-z0-9_]*; a part of a model is a name up to a "."
   * ("head.weight", "head.bias" are the part "head"). */
  int32_t (*declare)(tier_variables *v, const char *name, const int64_t *dims, int32_t rank,
                     int32_t initializer, double a, double b);
} tier_variables_1;
struct tier_variables {
  const tier_variables_1 *api;
};

/* ---- what a build sees -------------------------------------------------------------------- */

typedef struct tier_build tier_build;
typedef struct tier_build_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* The value at an expression slot of this entry; 0 if it is optional and was not given. In a slot
   * that is required this never is 0, except after an error. */
  tier_value (*input)(tier_build *b, const char *slot);
  int64_t (*count)(tier_build *b, const char *slot); /* operands of an EXPRESSIONS slot */
  tier_value (*input_at)(tier_build *b, const char *slot, int64_t index);
  tier_value (*variable)(tier_build *b, const char *name); /* one that `variables` declared */
  /* The random key of this binding, i32 (4); components flagged TIER_RANDOM only. */
  tier_value (*key)(tier_build *b);
  /* Sets an output; `name` is NULL where the entry has one without a name. */
  int32_t (*output)(tier_build *b, const char *name, tier_value v);
} tier_build_1;
struct tier_build {
  const tier_build_1 *api;
  tier_graph *graph;
};

typedef struct tier_function_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Declares the variables, always the same ones in the same order. NULL: none. */
  int32_t (*variables)(void *self, tier_variables *v);
  /* Describes `entry` (NULL where the component has no entries). */
  int32_t (*build)(void *self, const char *entry, tier_build *b);
} tier_function_1;

static inline tier_value tier_input(tier_build *b, const char *slot) {
  return b->api->input(b, slot);
}
static inline tier_value tier_variable(tier_build *b, const char *name) {
  return b->api->variable(b, name);
}
static inline int32_t tier_output(tier_build *b, tier_value v) {
  return b->api->output(b, NULL, v);
}

#ifdef __cplusplus
}
#endif
#endif

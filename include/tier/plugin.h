/* tier/plugin.h: what every plugin exports, and the host table that it is given.
 *
 * A plugin is a shared object with one exported constant, `tier_plugin_entry`. It describes one or
 * more components; each is something that a manifest can name. The host reads the entry without
 * running plugin code. A plugin links no symbol of the host: it reaches it through `tier_host`
 * only.
 *
 * Rules of this ABI, version 1:
 *  - What crosses is fixed-width integers, double, opaque handles and UTF-8 strings.
 *  - Structs start with their size, or stand in arrays whose stride is given. Members are only ever
 *    appended. A published interface ("tier.graph/1") never changes its meaning; a new one is "/2".
 *  - Who created it destroys it; outputs go into buffers of the caller; a borrowed pointer is valid
 *    until the call returns (unless a comment says otherwise).
 *  - Functions that can fail return 0 or a negative TIER_E_ code, after having told the host why
 *    with `tier_failf`. Plugins never abort, exit or longjmp, and never change the rounding mode.
 *  - The host calls one object from one thread at a time.
 */
#ifndef TIER_PLUGIN_H
#define TIER_PLUGIN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TIER_ABI_MAJOR 1u
#define TIER_ABI_MINOR 0u
#define TIER_PLUGIN_MAGIC 0x52454954u /* "TIER", little-endian */

/* ---- status codes ------------------------------------------------------------------------- */

#define TIER_OK 0
#define TIER_E_INVALID (-1)      /* an argument, parameter, shape or manifest value is wrong */
#define TIER_E_DATA (-2)         /* the content of a data file is wrong */
#define TIER_E_MISSING (-3)      /* a file that was asked for does not exist */
#define TIER_E_PLUGIN (-4)       /* a plugin file was found and refused, or broke its contract */
#define TIER_E_INTERNAL (-5)     /* a bug in the host */
#define TIER_E_IO (-6)           /* reading or writing failed */
#define TIER_E_MEMORY (-7)       /* no memory */
#define TIER_E_NONFINITE (-8)    /* NaN or infinity where a finite number is needed */
#define TIER_E_DIVERGED (-9)     /* a guard found divergence */
#define TIER_E_REFUSED (-10)     /* the method does not apply to this problem; the text says why */
#define TIER_E_UNSUPPORTED (-11) /* legal, but not supported yet */
#define TIER_E_INTERRUPTED (-12) /* the user asked to stop */

/* ---- opaque handles, all owned by the host ------------------------------------------------ */

typedef struct tier_host tier_host;
typedef struct tier_params tier_params;     /* the arguments of one application, tier/params.h */
typedef struct tier_graph tier_graph;       /* tier/graph.h */
typedef struct tier_vector tier_vector;     /* tier/vector.h */
typedef struct tier_state tier_state;       /* named arrays that the host keeps, tier/state.h */
typedef struct tier_data tier_data;         /* tier/dataset.h */
typedef struct tier_instance tier_instance; /* a created component, tier/params.h */
typedef uint32_t tier_value;                /* a value of a graph; 0 is the null value */

/* ---- the host table ----------------------------------------------------------------------- */

/* Lives as long as the process. All members may be called from any thread. */
struct tier_host {
  uint32_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;
  /* The interface of that name and revision ("tier.vector/1"), or NULL if the host has none. */
  const void *(*get)(const tier_host *host, const char *interface_id);
  /* Remembers `text` as the reason of the failure (the first one since the last success is what
   * the user reads) and returns `code`. */
  int32_t (*fail)(const tier_host *host, int32_t code, const char *text);
};

/* Formats a reason and hands it to the host; returns `code`, so: return tier_failf(...). */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static inline int32_t
tier_failf(const tier_host *host, int32_t code, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return host->fail(host, code, text);
}

#define TIER_TRY(call)                     \
  do {                                     \
    int32_t tier_status_of_call_ = (call); \
    if (tier_status_of_call_ < 0) {        \
      return tier_status_of_call_;         \
    }                                      \
  } while (0)

/* ---- slots: the arguments that a component takes ------------------------------------------ */

/* Types of slots. In a list type, one bare element is a list of one. */
#define TIER_SLOT_EXPRESSION 1  /* E of the manifest: a graph value */
#define TIER_SLOT_EXPRESSIONS 2 /* a JSON list of E, the operands */
#define TIER_SLOT_NUMBER 3      /* one real; may name a constant; with DIFFERENTIABLE, any E */
#define TIER_SLOT_NUMBERS 4
#define TIER_SLOT_INTEGER 5
#define TIER_SLOT_INTEGERS 6
#define TIER_SLOT_BOOLEAN 7
#define TIER_SLOT_TEXT 8  /* with `choices`, one of them */
#define TIER_SLOT_PATH 9  /* of a file; looked up as format.md section 3 says */
#define TIER_SLOT_DATA 10 /* a source: name, application or pipeline */
#define TIER_SLOT_DATA_LIST 11
#define TIER_SLOT_LEVEL 12       /* a level's name */
#define TIER_SLOT_OBJECTIVE 13   /* an objective's name */
#define TIER_SLOT_VARIABLE 14    /* a variable's name */
#define TIER_SLOT_APPLICATION 15 /* an application of a component of the kind in `choices` */
#define TIER_SLOT_TEXTS 16       /* list of texts */

/* Flags of slots. */
#define TIER_SLOT_REQUIRED 1u       /* must be written; otherwise `fallback` is used */
#define TIER_SLOT_DIFFERENTIABLE 2u /* a NUMBER that may be any expression (a learning rate) */
#define TIER_SLOT_OPEN_MINIMUM 4u   /* `minimum` itself is not allowed */
#define TIER_SLOT_OPEN_MAXIMUM 8u
#define TIER_SLOT_LABELS 16u /* an EXPRESSION that must be i32, e.g. labels */
#define TIER_SLOT_FIELD 32u  /* a TEXT that names a field of the wrapped data */

/* One argument. The first slot of a table is the primary one: it takes a bare argument. */
typedef struct tier_slot {
  const char *name;     /* [a-z][a-z0-9_]* */
  const char *doc;      /* one line: what it is; "" is not allowed */
  const char *fallback; /* default as JSON text; NULL: no value (optional) or REQUIRED */
  const char *unit;     /* "", or e.g. "rows", "pixels", "nats" */
  const char *choices;  /* TEXT: "relu|tanh"; APPLICATION: the kind, "linear-solver"; else NULL */
  int32_t type;         /* TIER_SLOT_ */
  uint32_t flags;
  double minimum; /* inclusive range of numbers and integers; both 0: no range */
  double maximum;
} tier_slot;

/* ---- entries: the ways in which a function or model can be applied ------------------------- */

/* A model variable is called through an entry: {"net": E} is the first one, {"vae.encode": E}
 * names it. The slots are the inputs of that call. Functions without variables (losses, maps)
 * have no entries: the component's own slots are the inputs. */
typedef struct tier_entry {
  const char *name; /* "forward", "encode" */
  const char *doc;
  const char *outputs; /* NULL: one, without a name; else "mean log_variance" */
  const tier_slot *slots;
  uint32_t slot_count;
  uint32_t slot_size; /* sizeof(tier_slot) when the plugin was built */
} tier_entry;

/* ---- components ---------------------------------------------------------------------------- */

/* Kinds, as text in `kind`: "dataset" "transform" "model" "loss" "map" "metric" "evaluator"
 * "optimizer" "linear-solver" "estimator" "solver" "set" "writer". Ids are unique within a
 * position: {dataset, transform}, {model}, {loss, map, metric, evaluator}, {optimizer},
 * {estimator, linear-solver}, {solver}, {set}, {writer}. */

/* Flags of components. */
#define TIER_ELEMENTWISE                                                                         \
  1u                        /* function: the host broadcasts all expression inputs to one shape, \
                               of any rank, and the output has it too */
#define TIER_PAIRS_ROWS 2u  /* function: pairs rows of two data by position */
#define TIER_COMPARES 4u    /* function: compares samples; its inputs may have different rows */
#define TIER_RANDOM 8u      /* draws random numbers */
#define TIER_COLLECTION 16u /* dataset: its members are datasets */
/* estimator: needs a cross derivative of the lower objective; refused where the upper variable
 * reaches only a start or an optimizer */
#define TIER_IMPLICIT 32u
/* estimator: needs a differentiable step (slot "step" where the level's optimizer is procedural);
 * linear solver: needs a step size (its "lr", a step's, or the level's) */
#define TIER_NEEDS_STEP 64u
#define TIER_NO_GRADIENT 128u /* solver: uses no gradient of the top level (grid) */
/* optimizer: where the gradient is 0 the step is a fixed point, and its slot "lr" is a step size on
 * the gradient (sgd, momentum, nesterov) */
#define TIER_FIXED_POINT 256u
#define TIER_SYMMETRIC 512u /* linear solver: needs a symmetric operator */
/* solver: moves the top level and the one level that it goes `through` itself; that edge's
 * estimator and that level's optimizer and `steps` are not used */
#define TIER_SINGLE_LOOP 1024u
#define TIER_NO_PRECONDITIONER 2048u /* linear solver: has no use for a preconditioner */

typedef struct tier_component {
  uint32_t struct_size;
  uint32_t flags;
  const char *kind;
  const char *id;      /* [a-z][a-z0-9-]* */
  const char *summary; /* one line */
  const tier_slot *slots;
  uint32_t slot_count;
  uint32_t slot_size;
  const tier_entry *entries; /* models only, else NULL */
  uint32_t entry_count;
  uint32_t entry_size;
  /* Makes an object from its arguments. `params` is valid during the call only; what it names
   * (data, instances, texts) lives as long as the object. */
  int32_t (*create)(const tier_host *host, const tier_params *params, void **object);
  void (*destroy)(void *object); /* may be NULL if there is nothing to free */
  /* The interface ("tier.function/1") as a static table, or NULL. */
  const void *(*get)(void *object, const char *interface_id);
} tier_component;

typedef struct tier_plugin {
  uint32_t magic; /* TIER_PLUGIN_MAGIC */
  uint32_t struct_size;
  uint32_t abi_major; /* TIER_ABI_MAJOR when the plugin was built: must be the host's */
  uint32_t abi_minor; /* lowest minor that it needs: must not be above the host's */
  const char *name;
  const char *version;
  const char *licence;
  const tier_component *components;
  uint32_t component_count;
  uint32_t component_size; /* sizeof(tier_component) when the plugin was built */
} tier_plugin;

#if defined(__GNUC__)
#define TIER_EXPORT __attribute__((visibility("default")))
#else
#define TIER_EXPORT
#endif

#define TIER_COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* Fills the slot and entry members: TIER_SLOTS(table) */
#define TIER_SLOTS(table) \
  .slots = (table), .slot_count = TIER_COUNT(table), .slot_size = (uint32_t)sizeof(tier_slot)
#define TIER_ENTRIES(table) \
  .entries = (table), .entry_count = TIER_COUNT(table), .entry_size = (uint32_t)sizeof(tier_entry)

/* The plugin's last lines: TIER_PLUGIN("name", "1.0", "MIT", components) */
#define TIER_PLUGIN(plugin_name, plugin_version, plugin_licence, component_table) \
  extern TIER_EXPORT const tier_plugin tier_plugin_entry;                         \
  TIER_EXPORT const tier_plugin tier_plugin_entry = {                             \
      .magic = TIER_PLUGIN_MAGIC,                                                 \
      .struct_size = (uint32_t)sizeof(tier_plugin),                               \
      .abi_major = TIER_ABI_MAJOR,                                                \
      .abi_minor = 0,                                                             \
      .name = (plugin_name),                                                      \
      .version = (plugin_version),                                                \
      .licence = (plugin_licence),                                                \
      .components = (component_table),                                            \
      .component_count = TIER_COUNT(component_table),                             \
      .component_size = (uint32_t)sizeof(tier_component)}

#ifdef __cplusplus
}
#endif
#endif

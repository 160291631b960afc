/* A manifest, read and bound: every name resolved, every argument matched to its slot, every
 * default filled in. It is what the problem layer builds from. Grammar: docs/manifest.md.
 *
 * Everything lives in the manifest's arena. Shapes and rows are checked later (problem_check). */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include "manifest/diagnostics.h"
#include "manifest/json.h"
#include "plugin/registry.h"

struct place {
  const char *file;
  int line, column;
  const char *path; /* canonical path: "objectives.training.0.times", "data.train.label-noise" */
};

struct expr;
struct source;

/* An application of a component: its arguments by slot; those not written have the default filled
 * in, or are absent. */
struct application {
  const struct component *component;
  struct argument *arguments;
  size_t argument_count;
  struct place place; /* place.path (or `stream`) names its random stream */
  const char *stream; /* "stream": "text", or NULL */
};

struct argument {
  const tier_slot *slot;
  struct place place;
  int is_default;
  /* EXPRESSION, EXPRESSIONS, and NUMBER flagged DIFFERENTIABLE that is not a plain number */
  struct expr **exprs;
  size_t expr_count;
  /* NUMBER(S), INTEGER(S), BOOLEAN (0 or 1); names of constants are already replaced */
  double *numbers;
  size_t number_count;
  const char **texts; /* TEXT(S); PATH as written */
  size_t text_count;
  struct source **sources; /* DATA, DATA_LIST */
  size_t source_count;
  struct application *application; /* APPLICATION */
  int index; /* LEVEL, OBJECTIVE, VARIABLE: index into the manifest's list; else -1 */
};

enum expr_kind {
  EXPR_NUMBER,    /* numbers[0] */
  EXPR_NUMBERS,   /* a vector: numbers, number_count */
  EXPR_FIELD,     /* data `index`, field `name` ("y", or "support.x" of a collection) */
  EXPR_VARIABLE,  /* variable `index`, the copies in play; name: a part ("head"), or NULL */
  EXPR_ALL,       /* v.all: every copy */
  EXPR_GRADIENT,  /* v.gradient (outputs, metrics) */
  EXPR_VALUE,     /* value `index`; name: one of its outputs ("mean"), or NULL */
  EXPR_OBJECTIVE, /* objective `index`: its averaged scalar */
  EXPR_LEVEL,     /* level `index`, name: "step" "progress" "loss" "gradient_norm" */
  EXPR_APPLY,     /* application of a function or evaluator */
  EXPR_CALL       /* a call of model variable `index` through entry `name` (NULL: the first) */
};

struct expr {
  enum expr_kind kind;
  struct place place;
  int index;
  const char *name;
  double *numbers;
  size_t number_count;
  struct application *application; /* EXPR_APPLY */
  /* EXPR_CALL: the inputs by slots of the entry; `with` is apart */
  const tier_entry *entry;
  struct argument *arguments;
  size_t argument_count;
  struct expr *with;
};

/* A source: a dataset's application or another data's name, then transforms. */
struct source {
  struct place place;
  int data;                  /* first is the data of that index; -1: `first` */
  struct application *first; /* a dataset */
  struct application **transforms;
  size_t transform_count;
};

struct manifest_data {
  const char *name;
  struct place place;
  struct source *source;
  int used; /* read by some value, objective, metric, output in use, or other used data */
};

struct manifest_variable {
  const char *name;
  struct place place;
  struct application *model; /* NULL: an array or scalar */
  int per_data;              /* index of the data, or -1 */
  int per_level;             /* index of the level, or -1 */
  int64_t *shape;            /* sizes, if written */
  size_t shape_rank;
  int has_shape;
  int shape_variable; /* shape: a name: a variable's index, or -1 */
  int shape_data;     /* or a data field's */
  const char *shape_field;
  struct expr *init;         /* NULL: the model's own */
  struct application **sets; /* `within`: projected onto in turn */
  size_t set_count;
};

struct manifest_value {
  const char *name;
  struct place place;
  struct expr *expr;
};

struct manifest_objective {
  const char *name;
  struct place place;
  struct expr **terms;
  size_t term_count;
};

enum { BATCH_ALL = 0, BATCH_PARENT = -1 }; /* or a positive number of rows */
struct manifest_batch {
  int data; /* -1: all data */
  int64_t rows;
};

struct manifest_through {
  int level; /* the lower level's index */
  struct place place;
  struct application *estimator;
};

struct manifest_over {
  int variable;
  const char *part; /* "head", or NULL: the whole */
};

struct manifest_level {
  const char *name;
  struct place place;
  int objective;
  int maximize;
  struct manifest_over *over;
  size_t over_count;
  struct application *optimizer; /* NULL: "none" */
  int64_t steps;                 /* -1: only a budget ends it; unused where epochs > 0 */
  int64_t epochs;                /* 0: steps count */
  double tolerance;
  struct manifest_batch *batches;
  size_t batch_count;
  int warm_start; /* 1: true, 2: "variables", 0: false */
  struct manifest_through *through;
  size_t through_count;
  int parent; /* index, or -1 for the top level */
};

struct manifest_measure {
  const char *name;
  struct place place;
  struct expr *expr;               /* E, or */
  struct application *application; /* a metric or writer */
  int64_t every;                   /* 0: default */
  int (*on)[2];                    /* pairs {data, data read instead} */
  size_t on_count;
};

struct manifest_guards {
  int nonfinite_stop; /* 1: stop */
  double divergence;
  int stationarity; /* 0 off, 1 warn, 2 stop, 3 solve */
};

struct manifest_budget { /* < 0: no limit */
  double seconds;
  int64_t values, gradients, hvps, cross, samples;
};

/* `then` of a phase: what is stored at its end. */
struct manifest_store {
  int variable;
  struct place place;
  struct expr *expr;
};

/* One phase: a manifest with `phases` is bound as one of these for each, in the arena of the first,
 * which stands for all of them. Data, variables, values, objectives and measures have the same
 * indexes in each. */
struct manifest {
  struct arena *arena;
  const char *file;      /* as given, for messages */
  const char *directory; /* of the file, for relative paths */
  const char *name;
  const char *about;
  const char *variant; /* "base", a name of `compare`, or a cell such as "values.rho=0.1" */
  struct manifest_data *data;
  size_t data_count;
  struct manifest_variable *variables;
  size_t variable_count;
  struct manifest_value *values;
  size_t value_count;
  struct manifest_objective *objectives;
  size_t objective_count;
  struct manifest_level *levels; /* innermost first; the last is the top */
  size_t level_count;
  struct application *solver;
  struct manifest_budget budget;       /* of the run, over all phases */
  const char *phase;                   /* its name; "main" where there is only `levels` */
  const char *levels_path;             /* "levels", "phases.pretrain.levels": begins streams */
  struct manifest_budget phase_budget; /* of this phase, within `budget` */
  struct manifest_store *then;
  size_t then_count;
  struct manifest **phases; /* all of them, in order; the first is the one that was bound */
  size_t phase_count;       /* at least 1 */
  struct manifest_measure *metrics;
  size_t metric_count;
  struct manifest_measure *outputs;
  size_t output_count;
  int64_t *seeds;
  size_t seed_count;
  int32_t dtype; /* 1: f32, 2: f64 (DTYPE_ of base/dtype.h) */
  int threads;   /* 0: all */
  const char *backend;
  struct manifest_guards guards;
  const struct json *resolved; /* shorthand written out, defaults filled in */
  char identity[65]; /* hex SHA-256, format.md section 6; without plugin hashes it is empty:
                        manifest_identity fills it */
};

/* A file, parsed but not bound. */
struct manifest_file;
int32_t manifest_open(const char *path, struct diagnostics *d, struct manifest_file **out);
/* The same from memory (tests); `directory` for relative paths. */
int32_t manifest_open_text(const char *name, const char *directory, const char *text, size_t size,
                           struct diagnostics *d, struct manifest_file **out);
void manifest_close(struct manifest_file *f);

/* The variants: "base" first, then those of `compare`, then the cells of `sweep`. */
size_t manifest_variant_count(const struct manifest_file *f);
const char *manifest_variant_name(const struct manifest_file *f, size_t index);
/* index by name; -1 if there is none (suggest with text_nearest over the names). */
int64_t manifest_variant_find(const struct manifest_file *f, const char *name);

/* Overrides of the command line: `--set path=JSON`. */
struct manifest_sets {
  const char *const *items;
  size_t count;
};

/* Binds one variant: applies its overrides, then the --set ones, reads everything. All errors go to
 * `d`; returns 0 if there is none, TIER_E_UNSUPPORTED if all that stands in the way is not
 * supported yet, else TIER_E_INVALID (or TIER_E_PLUGIN: a component's file was refused). The
 * manifest outlives neither f nor the registry. Warnings (severity) do not fail. skipped_sets:
 * those that address the base but not this variant are named there (may be NULL). */
int32_t manifest_bind(struct manifest_file *f, const struct registry *registry, size_t variant,
                      const struct manifest_sets *sets, struct diagnostics *d,
                      struct text *skipped_sets, struct manifest **out);
/* Replaces the estimator of an edge ("outer.inner"; NULL: the only one) by the application in
 * `json` text ("cg", {"neumann": {...}}), for compare --estimators; then binds. */
int32_t manifest_bind_edge(struct manifest_file *f, const struct registry *registry, size_t variant,
                           const struct manifest_sets *sets, const char *edge,
                           const char *estimator, struct diagnostics *d, struct manifest **out);
void manifest_free(struct manifest *m);
/* Computes m->identity: needs the plugins' hashes. */
void manifest_identity(struct manifest *m);

/* What `tier validate` and the start of every run do: binds every variant (so that no error shows
 * up hours later), and warns of names that no variant uses. An error of a variant that the base
 * does not have says which variant it is in. Returns what manifest_bind would for the base; what
 * only keeps a variant from running is SEVERITY_UNSUPPORTED and no failure. */
int32_t manifest_validate(struct manifest_file *f, const struct registry *registry,
                          const struct manifest_sets *sets, struct diagnostics *d);

/* The argument at a slot, or NULL if it has none (not written and no default). */
const struct argument *application_argument(const struct application *a, const char *slot);

#endif

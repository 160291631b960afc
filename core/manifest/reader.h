/* What the steps of reading a manifest share. The steps, in this order:
 *
 *   shorthand.c   writes out the shorthand (once before the overrides, once after)
 *   override.c    applies a variant's overrides and the command line's
 *   names.c       the one namespace of data, variables, values, objectives and levels
 *   bind_*.c      turn each part into the structs of manifest.h
 *   check_*.c     what needs the whole: cycles, owners, paths from objectives to variables
 *
 * All add to one list of diagnostics and go on after an error: what could not be read stays NULL or
 * EXPR_UNKNOWN, and later steps keep quiet about it. */
#ifndef MANIFEST_READER_H
#define MANIFEST_READER_H

#include "manifest/manifest.h"

enum name_kind { NAME_DATA, NAME_VARIABLE, NAME_VALUE, NAME_OBJECTIVE, NAME_LEVEL };

struct name {
  const char *name;
  enum name_kind kind;
  int index;               /* into the manifest's list of that kind */
  struct json *definition; /* what stands at it */
};

/* Where an expression stands decides what it may mention. */
enum context { CONTEXT_TRAINED, CONTEXT_MEASURED };

struct reader {
  struct arena *arena;
  const struct registry *registry;
  struct diagnostics *diagnostics; /* NULL: keep quiet (the first pass of the shorthand) */
  struct json *root;
  struct manifest *m;
  struct name *names; /* in the arena */
  size_t name_count;
  struct text path;     /* canonical path of the node at hand */
  const char *own_data; /* the data whose definition is being read */
  int fill;             /* shorthand: fill in defaults as well */
  enum context context;
  const struct json *phase; /* the phase being read; NULL: the manifest has only `levels` */
  int *phase_of_level;      /* by level */
  const char **added;       /* names that --set has added */
  size_t added_count;
  int refused_plugin; /* a component is missing whose plugin file was refused */
};

/* Kinds of expressions that only the reader knows. */
#define EXPR_UNKNOWN ((enum expr_kind)100)  /* not readable: nothing is known about it */
#define EXPR_MENTIONS ((enum expr_kind)101) /* not readable, but what it mentions is: arguments */

/* ---- the path: push before going down, pop with what push returned ---- */

size_t path_push(struct reader *r, const char *key);
size_t path_push_index(struct reader *r, size_t index);
/* "phases.NAME" of the phase being read; nothing if the manifest has only `levels`. */
size_t path_push_phase(struct reader *r);
void path_pop(struct reader *r, size_t mark);
struct place place_of(struct reader *r, const struct json *j);     /* the value's position */
struct place place_of_key(struct reader *r, const struct json *j); /* its key's position */

/* ---- diagnostics; `hint` may be "" ---- */

/* Each marks j as broken, so that nothing more is said about it. */
void wrong(struct reader *r, struct json *j, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void wrong_key(struct reader *r, struct json *j, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "not supported yet: ..." */
void unsupported(struct reader *r, const struct json *j, const char *what);
void warn_at(struct reader *r, const struct json *j, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void wrong_place(struct reader *r, const struct place *p, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* did you mean "NEAREST"? or "" */
const char *did_you_mean(struct reader *r, const char *name, const char *const *candidates,
                         size_t count);
/* "{ \"net\": \"train.x\" }" on one line, cut where it is long. */
const char *written(struct reader *r, const struct json *j);
const char *with_article(struct reader *r, const char *noun); /* "an optimizer" */
const char *kind_noun(struct reader *r, const char *kind);    /* "linear solver" */

/* ---- fixed objects ---- */

/* Reports keys that are not in the table. `what`: "level inner", for messages. */
void check_keys(struct reader *r, struct json *object, const char *const *keys, size_t count,
                const char *what);
/* The kinds of value that a key may have; each reports and returns 0 if j is something else. */
int is_text(struct reader *r, struct json *j, const char *what);
int is_object(struct reader *r, struct json *j, const char *what);
int is_integer(struct reader *r, struct json *j, double minimum, const char *what, int64_t *out);
int is_number(struct reader *r, struct json *j, double minimum, const char *what, double *out);
/* One of the words, or -1 with an error. */
int one_of(struct reader *r, struct json *j, const char *const *words, size_t count,
           const char *what);

/* ---- names ---- */

void names_collect(struct reader *r);
/* The name at the front of a dotted text; *rest is what follows the dot, or NULL. */
const struct name *names_find(const struct reader *r, const char *dotted, const char **rest);
const struct name *names_find_kind(const struct reader *r, const char *name, enum name_kind kind);
const char *kind_text(enum name_kind kind); /* "data", "a variable" */
/* A hint for an unknown name: the nearest other one. */
const char *names_suggest(struct reader *r, const char *name);
const char *names_suggest_kind(struct reader *r, const char *name, int kind); /* -1: any kind */
/* Names that are malformed, reserved or taken twice. */
void names_check(struct reader *r);
int is_reserved(const char *name);
int is_name(const char *name); /* letters, digits and _, a letter first */
/* The id of the model that a variable's definition names, or NULL: it is an array. */
const char *model_id(const struct json *definition);
/* An index by name with "did you mean" over names of that kind; -1 after an error. */
int name_index(struct reader *r, struct json *j, enum name_kind kind);

/* ---- slots ---- */

/* What takes arguments: a component, or an entry of a model variable. */
struct callee {
  const char *id;
  const tier_slot *slots;
  uint32_t slot_count;
  const char *extra; /* one more legal key: "stream", or "with" */
  const struct component *component;
  const tier_entry *entry; /* NULL: the component itself */
  int variable;            /* of an entry, else -1 */
};

const tier_slot *callee_slot(const struct callee *c, const char *name);
/* What an application in the place of an expression calls. Returns 0 if there is no such thing;
 * then *reason (may be NULL) says why and *hint what to do; *reason is "" if another error has
 * said it already. */
int callee_of_head(struct reader *r, const char *head, struct callee *out, const char **reason,
                   const char **hint);
void callee_of_component(const struct component *c, struct callee *out);
/* The component of that id, or NULL: then *reason and *hint say why. `kind`: NULL, or the only
 * kind that is legal here. */
const struct component *component_find(struct reader *r, enum position position, const char *kind,
                                       const char *id, const char **reason, const char **hint);
/* Whether the slot takes an expression. */
int slot_takes_expression(const tier_slot *s);

/* ---- shorthand ---- */

/* Writes out the shorthand of the whole manifest, in place. */
void shorthand_write_out(struct reader *r);
/* Whether the solver named in the manifest uses no gradient of the top level. */
int solver_without_gradient(struct reader *r);

/* ---- overrides ---- */

struct override {
  const char *path;      /* as written */
  struct json *value;    /* JSON_NULL: remove */
  const char *canonical; /* keys and indices joined by '/'; set by override_resolve */
  struct json *parent;   /* where it goes in */
  struct json *child;    /* what it replaces; NULL: it adds `rest` */
  const char *rest;      /* keys to add, joined by dots */
};

/* Finds what the path addresses in the written-out manifest: 1, or 0 with the reason and a hint. */
int override_resolve(struct reader *r, struct override *o, const char **reason, const char **hint);
void override_apply(struct reader *r, const struct override *o);
/* Whether `inner` lies inside `outer` or is the same. */
int override_covers(const struct override *outer, const struct override *inner);
/* The overrides of one variant: resolves all against the base, refuses what addresses nothing and
 * what overlaps, then applies them. */
void override_variant(struct reader *r, struct override *items, size_t count);

/* ---- binding ---- */

struct expr *bind_expr(struct reader *r, struct json *j);
/* `node`: { id: arguments }; `label`: what stands for it in paths, NULL: the id. Never NULL. An
 * unknown component: component is NULL and the one argument holds what it mentions. */
struct application *bind_application(struct reader *r, struct json *node, enum position position,
                                     const char *label);
void bind_arguments(struct reader *r, const struct callee *c, struct json *arguments,
                    struct argument **out, size_t *count);
struct source *bind_source(struct reader *r, struct json *j);
/* The number that a name of a constant in `values` stands for: 1 and *numbers (in the arena), or
 * 0. */
int constant_value(struct reader *r, const char *name, const double **numbers, size_t *count);
/* All names that are mentioned anywhere below. */
struct expr *bind_mentions(struct reader *r, const struct json *j);

void bind_data(struct reader *r);
void bind_variables(struct reader *r);
void bind_values(struct reader *r);
void bind_objectives(struct reader *r);
void bind_levels(struct reader *r);
/* A budget, or no limits if `j` is NULL; the path must stand at it. */
void bind_budget(struct reader *r, struct json *j, struct manifest_budget *b);
/* Whether the manifest is to be read phase by phase: reports what is wrong with `phases`. */
int has_phases(struct reader *r);
/* The manifest as if it had this phase's levels, and its solver, only. */
struct json *phase_root(struct reader *r, const struct json *phase);
void bind_measures(struct reader *r);
void bind_settings(struct reader *r);
/* Whether the members of this data are data. */
int is_collection(const struct reader *r, int data);

/* ---- what an expression mentions ---- */

struct mention {
  enum name_kind kind;
  int index;
  int value;               /* 0: a call that is given other parameters by `with` */
  const struct expr *expr; /* NULL: not an expression */
};
typedef void mention_fn(void *context, const struct mention *m);
/* Unreadable parts are reported as kind -1. */
void mentions_of_expr(const struct expr *e, mention_fn *f, void *context);
void mentions_of_application(const struct application *a, mention_fn *f, void *context);
void mentions_of_source(const struct source *s, mention_fn *f, void *context);

/* ---- checks ---- */

void check_cycles(struct reader *r);
void check_owners(struct reader *r);
/* The JSON of a level, and the text of one entry of its `over`: "net.head". */
struct json *level_definition(const struct reader *r, int level);
const char *over_text(struct reader *r, const struct manifest_over *o);
/* Marks data that are read by something in use. used (may be NULL): one flag a name. */
void mark_used(struct reader *r, char *used);

#endif

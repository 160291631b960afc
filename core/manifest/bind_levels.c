/* Levels, innermost first, and what a phase has beside them. */
#include <string.h>

#include "manifest/reader.h"

/* What belongs to one key of a level; `what` is "level inner", for messages. */
struct reading {
  struct reader *r;
  struct manifest_level *level;
  const char *what;
  int index; /* of the level */
  int top;   /* it is the outermost level of its phase */
};

static const char *about_key(const struct reading *x, const char *key) {
  return arena_format(x->r->arena, "%s: \"%s\"", x->what, key);
}

/* ---- objective and variables ---- */

static void bind_objective_name(const struct reading *x, struct json *minimize,
                                struct json *maximize, struct json *level) {
  struct json *j = minimize != NULL ? minimize : maximize;
  if (minimize != NULL && maximize != NULL) {
    wrong_key(x->r, maximize, "keep one of them", "%s has both \"minimize\" and \"maximize\"",
              x->what);
  }
  if (j == NULL) {
    wrong(x->r, level, "write \"minimize\": an objective's name",
          "%s has neither \"minimize\" nor \"maximize\"", x->what);
    return;
  }
  size_t mark = path_push(x->r, j->key);
  x->level->maximize = j == maximize;
  x->level->objective = name_index(x->r, j, NAME_OBJECTIVE);
  path_pop(x->r, mark);
}

static void bind_owned(const struct reading *x, struct json *j) {
  const char *rest = NULL;
  if (j->type != JSON_STRING) {
    wrong(x->r, j, "", "%s must name variables, not %s", about_key(x, "over"), written(x->r, j));
    return;
  }
  const struct name *n = names_find(x->r, j->text, &rest);
  if (n == NULL || n->kind != NAME_VARIABLE) {
    (void)name_index(x->r, j, NAME_VARIABLE);
    return;
  }
  if (rest != NULL && model_id(n->definition) == NULL) {
    wrong(x->r, j, arena_format(x->r->arena, "write \"%s\"", n->name),
          "the array \"%s\" has no part \"%s\"", n->name, rest);
  }
  x->level->over[x->level->over_count++] = (struct manifest_over){n->index, rest};
}

static void bind_over(const struct reading *x, struct json *j) {
  size_t count = j->type == JSON_LIST ? j->count : 0;
  x->level->over = arena_alloc(x->r->arena, (count + 1) * sizeof *x->level->over);
  if (count == 0) {
    wrong(x->r, j, "", "%s needs at least one variable", about_key(x, "over"));
  }
  for (size_t i = 0; i < count; i++) {
    bind_owned(x, j->items[i]);
  }
}

/* ---- how it steps ---- */

static void bind_optimizer(const struct reading *x, struct json *j) {
  if (j->type == JSON_OBJECT && j->count == 1 && strcmp(j->items[0]->key, "none") == 0) {
    return;
  }
  x->level->optimizer = bind_application(x->r, j, POSITION_OPTIMIZER, NULL);
}

static int64_t batch_rows(const struct reading *x, struct json *j) {
  int64_t rows = BATCH_ALL;
  if (j->type == JSON_STRING && strcmp(j->text, "all") == 0) {
    return BATCH_ALL;
  }
  if (j->type == JSON_STRING && strcmp(j->text, "parent") == 0) {
    unsupported(x->r, j, "\"batch\": \"parent\"");
    return BATCH_PARENT;
  }
  if (j->type == JSON_STRING) {
    wrong(x->r, j, "", "%s must be a number of rows, \"all\" or \"parent\", not \"%s\"",
          about_key(x, "batch"), j->text);
  } else {
    (void)is_integer(x->r, j, 1, about_key(x, "batch"), &rows);
  }
  return rows;
}

static void bind_batch(const struct reading *x, struct json *j) {
  size_t count = j->type == JSON_OBJECT ? j->count : 1;
  x->level->batches = arena_alloc(x->r->arena, (count + 1) * sizeof *x->level->batches);
  x->level->batch_count = count;
  if (j->type != JSON_OBJECT) {
    x->level->batches[0] = (struct manifest_batch){-1, batch_rows(x, j)};
    return;
  }
  for (size_t i = 0; i < count; i++) {
    struct json *item = j->items[i];
    const struct name *n = names_find_kind(x->r, item->key, NAME_DATA);
    size_t mark = path_push(x->r, item->key);
    if (n == NULL) {
      wrong_key(x->r, item, names_suggest(x->r, item->key), "%s: there is no data \"%s\"",
                about_key(x, "batch"), item->key);
    }
    x->level->batches[i] = (struct manifest_batch){n != NULL ? n->index : -1, batch_rows(x, item)};
    path_pop(x->r, mark);
  }
}

static void bind_warm_start(const struct reading *x, struct json *j) {
  if (j->type == JSON_BOOLEAN) {
    x->level->warm_start = j->boolean;
  } else if (j->type == JSON_STRING && strcmp(j->text, "variables") == 0) {
    x->level->warm_start = 2;
  } else {
    wrong(x->r, j, "", "%s must be true, false or \"variables\", not %s",
          about_key(x, "warm_start"), written(x->r, j));
  }
}

/* ---- its place among the levels ---- */

/* The level of that name in this level's own phase, or NULL. */
static const struct name *level_here(const struct reading *x, const char *name) {
  const int *phases = x->r->phase_of_level;
  for (size_t i = 0; i < x->r->name_count; i++) {
    const struct name *n = &x->r->names[i];
    if (n->kind == NAME_LEVEL && strcmp(n->name, name) == 0 &&
        phases[n->index] == phases[x->index]) {
      return n;
    }
  }
  return NULL;
}

static const char *suggest_level(const struct reading *x, const char *name) {
  const char **names = arena_alloc(x->r->arena, (x->r->name_count + 1) * sizeof *names);
  size_t count = 0;
  for (size_t i = 0; i < x->r->name_count; i++) {
    if (x->r->names[i].kind == NAME_LEVEL) {
      names[count++] = x->r->names[i].name;
    }
  }
  return did_you_mean(x->r, name, names, count);
}

static void bind_edge(const struct reading *x, struct json *j) {
  const struct name *n = level_here(x, j->key);
  struct place place = place_of_key(x->r, j);
  struct application *estimator =
      bind_application(x->r, j, POSITION_ESTIMATOR, NULL); /* its errors, in any case */
  if (n == NULL) {
    wrong_key(x->r, j, suggest_level(x, j->key), "%s: there is no level \"%s\" to go through",
              x->what, j->key);
    return;
  }
  if (n->index >= x->index) {
    wrong_key(x->r, j, "levels are listed innermost first",
              "%s cannot go through \"%s\", which is %s", x->what, j->key,
              n->index == x->index ? "itself" : "not below it");
    return;
  }
  x->level->through[x->level->through_count++] =
      (struct manifest_through){n->index, place, estimator};
}

static void bind_through(const struct reading *x, struct json *j) {
  if (!is_object(x->r, j, about_key(x, "through"))) {
    return;
  }
  x->level->through = arena_alloc(x->r->arena, (j->count + 1) * sizeof *x->level->through);
  for (size_t i = 0; i < j->count; i++) {
    size_t mark = path_push(x->r, j->items[i]->key);
    bind_edge(x, j->items[i]);
    path_pop(x->r, mark);
  }
}

static void bind_parent(const struct reading *x, struct json *j) {
  if (j->line == 0) { /* the default: the next level */
    return;
  }
  if (!is_text(x->r, j, about_key(x, "parent"))) {
    return;
  }
  const struct name *n = level_here(x, j->text);
  if (n == NULL) {
    wrong(x->r, j, suggest_level(x, j->text), "%s: there is no level \"%s\"", x->what, j->text);
  } else if (n->index <= x->index) {
    wrong(x->r, j, "levels are listed innermost first",
          "%s: its parent \"%s\" must be a later level", x->what, j->text);
  } else {
    x->level->parent = n->index;
  }
}

/* ---- one level ---- */

static void bind_level_key(const struct reading *x, struct json *j) {
  struct manifest_level *l = x->level;
  const char *key = j->key;
  if (strcmp(key, "over") == 0) {
    bind_over(x, j);
  } else if (strcmp(key, "optimizer") == 0) {
    bind_optimizer(x, j);
  } else if (strcmp(key, "steps") == 0) {
    (void)is_integer(x->r, j, 0, about_key(x, key), &l->steps);
  } else if (strcmp(key, "epochs") == 0) {
    (void)is_integer(x->r, j, 1, about_key(x, key), &l->epochs);
  } else if (strcmp(key, "tolerance") == 0) {
    (void)is_number(x->r, j, 0, about_key(x, key), &l->tolerance);
  } else if (strcmp(key, "batch") == 0) {
    bind_batch(x, j);
  } else if (strcmp(key, "warm_start") == 0) {
    bind_warm_start(x, j);
  } else if (strcmp(key, "through") == 0) {
    bind_through(x, j);
  } else if (strcmp(key, "parent") == 0) {
    bind_parent(x, j);
  } else if (strcmp(key, "each") == 0) {
    unsupported(x->r, j, "\"each\" (one problem per member)");
    (void)name_index(x->r, j, NAME_DATA);
  } else if (strcmp(key, "about") == 0) {
    (void)is_text(x->r, j, about_key(x, key));
  }
}

static void check_name_key(const struct reading *x, struct json *level) {
  struct json *name = json_member(level, "name");
  if (name == NULL) {
    wrong(x->r, level, "", "%s has no \"name\"", x->what);
  } else {
    (void)is_text(x->r, name, about_key(x, "name"));
  }
}

/* What a level cannot do without. The top level of a solver that uses no gradient takes no steps
 * of its own. */
static void check_required(const struct reading *x, struct json *level) {
  int idle = x->top && solver_without_gradient(x->r);
  struct json *epochs = json_member(level, "epochs");
  check_name_key(x, level);
  if (json_member(level, "over") == NULL) {
    wrong(x->r, level, "write \"over\": the variables that it moves", "%s has no \"over\"",
          x->what);
  }
  if (json_member(level, "optimizer") == NULL && !idle) {
    wrong(x->r, level, "write \"optimizer\": its name, { NAME: { arguments } }, or \"none\"",
          "%s has no \"optimizer\"", x->what);
  }
  if (epochs != NULL && json_member(level, "steps") != NULL) {
    wrong_key(x->r, epochs, "keep one of them", "%s has both \"steps\" and \"epochs\"", x->what);
  }
}

static int has_budget(struct reader *r) {
  const struct json *budget = json_member(r->root, "budget");
  return budget != NULL && budget->count > 0;
}

static void check_end(const struct reading *x, struct json *level, int phase_budget) {
  if (x->top && x->level->steps < 0 && x->level->epochs == 0 && !phase_budget &&
      !has_budget(x->r) && !solver_without_gradient(x->r) && json_member(level, "steps") == NULL &&
      json_member(level, "epochs") == NULL) {
    wrong(x->r, level, "write \"steps\" there, or a \"budget\" for the run",
          "%s is the top level and nothing ends it", x->what);
  }
}

static void bind_level(const struct reading *x, struct json *j, int phase_budget) {
  static const char *const keys[] = {"name",       "minimize", "maximize",  "over",  "optimizer",
                                     "steps",      "epochs",   "tolerance", "batch", "each",
                                     "warm_start", "through",  "parent",    "about"};
  struct json *name = json_member(j, "name");
  *x->level =
      (struct manifest_level){.name = name != NULL && name->type == JSON_STRING ? name->text : "",
                              .place = place_of(x->r, j),
                              .objective = -1,
                              .steps = -1,
                              .warm_start = 1,
                              .parent = x->top ? -1 : x->index + 1};
  if (!is_object(x->r, j, x->what)) {
    return;
  }
  check_keys(x->r, j, keys, sizeof keys / sizeof *keys, x->what);
  check_required(x, j);
  bind_objective_name(x, json_member(j, "minimize"), json_member(j, "maximize"), j);
  for (size_t i = 0; i < j->count; i++) {
    size_t mark = path_push(x->r, j->items[i]->key);
    bind_level_key(x, j->items[i]);
    path_pop(x->r, mark);
  }
  check_end(x, j, phase_budget);
}

/* ---- lists of levels, phases ---- */

static void bind_level_list(struct reader *r, struct json *list, int phase_budget) {
  if (list->type != JSON_LIST || list->count == 0) {
    wrong(r, list, "", "\"levels\" must be a list of at least one level");
    return;
  }
  for (size_t i = 0; i < list->count; i++) {
    int index = (int)r->m->level_count++;
    struct json *j = list->items[i];
    const struct json *name = json_member(j, "name");
    int named = name != NULL && name->type == JSON_STRING;
    struct reading x = {
        .r = r,
        .level = &r->m->levels[index],
        .what = named ? arena_format(r->arena, "level %s", name->text)
                      : arena_format(r->arena, "level %zu of the list", i),
        .index = index,
        .top = i + 1 == list->count,
    };
    size_t mark = named ? path_push(r, name->text) : path_push_index(r, i);
    bind_level(&x, j, phase_budget);
    path_pop(r, mark);
  }
}

static void bind_store(struct reader *r, struct json *j) {
  const struct name *n = names_find_kind(r, j->key, NAME_VARIABLE);
  if (n == NULL) {
    wrong_key(r, j, names_suggest(r, j->key), "there is no variable \"%s\"", j->key);
  }
  r->context = CONTEXT_MEASURED;
  struct expr *e = bind_expr(r, j);
  r->context = CONTEXT_TRAINED;
  if (n != NULL) {
    r->m->then[r->m->then_count++] = (struct manifest_store){n->index, place_of(r, j), e};
  }
}

static void bind_then(struct reader *r, struct json *j) {
  if (!is_object(r, j, "\"then\"")) {
    return;
  }
  r->m->then = arena_alloc(r->arena, (j->count + 1) * sizeof *r->m->then);
  for (size_t i = 0; i < j->count; i++) {
    size_t mark = path_push(r, j->items[i]->key);
    bind_store(r, j->items[i]);
    path_pop(r, mark);
  }
}

static void bind_phase_each(struct reader *r, struct json *j) {
  unsupported(r, j, "\"each\" (a phase for each member)");
  int data = name_index(r, j, NAME_DATA);
  const struct source *s = data >= 0 ? r->m->data[data].source : NULL;
  if (s != NULL && s->first != NULL && s->first->component != NULL && !is_collection(r, data) &&
      s->transform_count == 0) {
    wrong(r, j, "", "\"%s\" is no collection: its members are rows, not data", j->text);
  }
}

/* What a phase has beside its levels and its solver. */
static void bind_phase(struct reader *r) {
  static const char *const keys[] = {"each", "budget", "then"};
  for (size_t i = 0; i < 3; i++) {
    struct json *j = json_member(r->phase, keys[i]);
    size_t mark = path_push(r, keys[i]);
    if (i == 1) {
      bind_budget(r, j, &r->m->phase_budget);
    } else if (j != NULL && i == 0) {
      bind_phase_each(r, j);
    } else if (j != NULL) {
      bind_then(r, j);
    }
    path_pop(r, mark);
  }
}

void bind_levels(struct reader *r) {
  struct json *levels = json_member(r->root, "levels");
  struct place root = place_of(r, r->root);
  size_t count = levels != NULL ? levels->count : 0;
  r->m->levels = arena_alloc(r->arena, (count + 1) * sizeof *r->m->levels);
  if (levels == NULL) {
    wrong_place(r, &root, "", "the manifest has no \"levels\"");
    return;
  }
  size_t phase = path_push_phase(r);
  bind_phase(r);
  size_t mark = path_push(r, "levels");
  const struct json *budget = json_member(r->phase, "budget");
  r->m->levels_path = arena_text(r->arena, text_get(&r->path));
  bind_level_list(r, levels, budget != NULL && budget->count > 0);
  path_pop(r, mark);
  path_pop(r, phase);
}

/* ---- a manifest with phases ---- */

static void check_phase_name(struct reader *r, const struct json *phases, size_t i) {
  struct json *name = json_member(phases->items[i], "name");
  if (name == NULL) {
    wrong(r, phases->items[i], "", "a phase has no \"name\"");
    return;
  }
  if (!is_text(r, name, "a phase's \"name\"")) {
    return;
  }
  if (!is_name(name->text)) {
    wrong(r, name, "", "\"%s\" is not a name: letters, digits and _, a letter first", name->text);
  }
  for (size_t k = 0; k < i; k++) {
    const struct json *other = json_member(phases->items[k], "name");
    if (other != NULL && other->type == JSON_STRING && strcmp(other->text, name->text) == 0) {
      wrong(r, name, "", "there is already a phase \"%s\" (line %d)", name->text, other->line);
    }
  }
}

static void check_phase(struct reader *r, const struct json *phases, size_t i) {
  static const char *const keys[] = {"name", "levels", "each", "solver", "budget", "then", "about"};
  struct json *j = phases->items[i];
  if (!is_object(r, j, "a phase")) {
    return;
  }
  check_keys(r, j, keys, sizeof keys / sizeof *keys, "a phase");
  check_phase_name(r, phases, i);
  if (json_member(j, "levels") == NULL) {
    wrong(r, j, "", "a phase has no \"levels\"");
  }
}

int has_phases(struct reader *r) {
  struct json *levels = json_member(r->root, "levels");
  struct json *phases = json_member(r->root, "phases");
  if (phases == NULL) {
    return 0;
  }
  size_t mark = path_push(r, "phases");
  if (levels != NULL) {
    wrong_key(r, levels, "`levels` alone is one phase", "both \"levels\" and \"phases\"");
  }
  if (phases->type != JSON_LIST || phases->count == 0) {
    wrong(r, phases, "", "\"phases\" must be a list of at least one phase");
  }
  for (size_t i = 0; phases->type == JSON_LIST && i < phases->count; i++) {
    size_t item = path_push_index(r, i);
    check_phase(r, phases, i);
    path_pop(r, item);
  }
  path_pop(r, mark);
  return 1;
}

struct json *phase_root(struct reader *r, const struct json *phase) {
  static const char *const own[] = {"levels", "solver"};
  struct json *root = arena_alloc(r->arena, sizeof *root);
  *root = *r->root;
  root->items = NULL;
  root->count = 0;
  for (size_t i = 0; i < r->root->count; i++) {
    struct json *item = r->root->items[i];
    if (strcmp(item->key, "phases") != 0 && strcmp(item->key, "levels") != 0) {
      json_append(r->arena, root, item);
    }
  }
  for (size_t i = 0; i < 2; i++) {
    struct json *item = json_member(phase, own[i]);
    if (item != NULL) {
      json_set(r->arena, root, own[i], item);
    }
  }
  return root;
}

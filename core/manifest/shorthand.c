/* Writes out the shorthand: afterwards every application is { id: { slot: value, ... } }, every
 * list is a list, and an estimator named by its linear solver is { "implicit": ... }. With `fill`
 * the defaults are added, too (as nodes without a position).
 *
 * Doing it twice changes nothing. What cannot be read is left as it is; in the pass that has
 * diagnostics it is reported and marked broken. */
#include <string.h>

#include "base/error.h"
#include "manifest/reader.h"

typedef struct json *reading(struct reader *r, struct json *j);

/* ---- building blocks: each returns the node to stand in j's place ---- */

static struct json *in_place_of(struct json *replacement, const struct json *j) {
  replacement->file = j->file;
  replacement->line = j->line;
  replacement->column = j->column;
  replacement->key = j->key;
  replacement->key_line = j->key_line;
  replacement->key_column = j->key_column;
  return replacement;
}

/* { key: j } in the place of j. */
static struct json *wrap(struct reader *r, struct json *j, const char *key) {
  struct json *object = in_place_of(json_make(r->arena, JSON_OBJECT), j);
  json_set(r->arena, object, key, j);
  j->key_line = j->line;
  j->key_column = j->column;
  return object;
}

/* [ j ] in the place of j, unless it is a list. */
static struct json *listed(struct reader *r, struct json *j) {
  if (j->type == JSON_LIST) {
    return j;
  }
  struct json *list = in_place_of(json_make(r->arena, JSON_LIST), j);
  json_append(r->arena, list, j);
  j->key = NULL;
  return list;
}

static void read_item(struct reader *r, struct json **item, reading *read) {
  const char *key = (*item)->key;
  struct json *old = *item;
  if (!old->broken) {
    struct json *new = read(r, old);
    new->key = key;
    *item = new;
  }
}

static void member(struct reader *r, struct json *object, const char *key, reading *read) {
  for (size_t i = 0; object->type == JSON_OBJECT && i < object->count; i++) {
    if (strcmp(object->items[i]->key, key) == 0) {
      size_t mark = path_push(r, key);
      read_item(r, &object->items[i], read);
      path_pop(r, mark);
    }
  }
}

static struct json *members(struct reader *r, struct json *object, reading *read) {
  for (size_t i = 0; object->type == JSON_OBJECT && i < object->count; i++) {
    size_t mark = path_push(r, object->items[i]->key);
    read_item(r, &object->items[i], read);
    path_pop(r, mark);
  }
  return object;
}

static struct json *elements(struct reader *r, struct json *list, reading *read) {
  for (size_t i = 0; list->type == JSON_LIST && i < list->count; i++) {
    size_t mark = path_push_index(r, i);
    read_item(r, &list->items[i], read);
    path_pop(r, mark);
  }
  return list;
}

static void fill_in(struct reader *r, struct json *object, const char *key, struct json *value) {
  if (r->fill && object->type == JSON_OBJECT && json_member(object, key) == NULL) {
    json_set(r->arena, object, key, value);
  }
}

static struct json *text(struct reader *r, const char *value) {
  return json_make_text(r->arena, value);
}
static struct json *number(struct reader *r, double value) {
  return json_make_number(r->arena, value);
}

/* ---- arguments ---- */

static struct json *expression(struct reader *r, struct json *j);
static struct json *source(struct reader *r, struct json *j);
static struct json *estimator(struct reader *r, struct json *j);
static struct json *application(struct reader *r, struct json *j, enum position position,
                                const char *kind);

static const char *slot_list(struct reader *r, const struct callee *c) {
  struct text list = {0};
  for (uint32_t i = 0; i < c->slot_count; i++) {
    text_format(&list, "%s%s", i > 0 ? ", " : "", c->slots[i].name);
  }
  const char *names = arena_text(r->arena, text_get(&list));
  text_free(&list);
  return names;
}

static const char *slot_hint(struct reader *r, const struct callee *c, const char *key) {
  const char **names = arena_alloc(r->arena, (c->slot_count + 2) * sizeof *names);
  for (uint32_t i = 0; i < c->slot_count; i++) {
    names[i] = c->slots[i].name;
  }
  names[c->slot_count] = c->extra;
  return did_you_mean(r, key, names, c->slot_count + 1);
}

static void refuse_slot(struct reader *r, const struct callee *c, struct json *j) {
  const char *near = slot_hint(r, c, j->key);
  const char *list = slot_list(r, c);
  const char *hint = near[0] != '\0'     ? arena_format(r->arena, "%s (slots: %s)", near, list)
                     : c->slot_count > 0 ? arena_format(r->arena, "its slots are %s", list)
                                         : "it has no slots";
  wrong_key(r, j, hint, "%s has no slot \"%s\"", c->id, j->key);
}

/* What a one-key object may be in a slot: the noun of what its key must name, or NULL. */
static const char *applied_noun(const tier_slot *s) {
  if (slot_takes_expression(s)) {
    return "function";
  }
  if (s->type == TIER_SLOT_APPLICATION) {
    return s->choices;
  }
  return s->type == TIER_SLOT_DATA || s->type == TIER_SLOT_DATA_LIST ? "dataset" : NULL;
}

/* Whether the key of a one-key object can be applied in that slot. */
static int can_be_applied(struct reader *r, const tier_slot *s, const char *key) {
  if (slot_takes_expression(s)) {
    struct callee ignored;
    const char *reason = NULL;
    const char *hint = NULL;
    return names_find(r, key, NULL) != NULL || callee_of_head(r, key, &ignored, &reason, &hint);
  }
  if (s->type == TIER_SLOT_APPLICATION) {
    return registry_find(r->registry, position_of_kind(s->choices), key) != NULL;
  }
  return registry_find(r->registry, POSITION_DATA, key) != NULL;
}

/* A one-key object whose key is no slot: an application in the primary slot? Says so if not. */
static int is_bare_application(struct reader *r, const struct callee *c, struct json *arguments) {
  struct json *only = arguments->items[0];
  const char *noun = c->slot_count > 0 ? applied_noun(&c->slots[0]) : NULL;
  if (noun == NULL) {
    refuse_slot(r, c, only);
    return 0;
  }
  if (can_be_applied(r, &c->slots[0], only->key)) {
    return 1;
  }
  const char *hint = slot_hint(r, c, only->key);
  const char *reason = NULL;
  const char *other = "";
  if (hint[0] == '\0' && slot_takes_expression(&c->slots[0])) {
    struct callee ignored;
    (void)callee_of_head(r, only->key, &ignored, &reason, &other);
    hint = other;
  }
  wrong_key(r, only, hint, "%s has no slot \"%s\", and no %s has that name", c->id, only->key,
            kind_noun(r, noun));
  arguments->broken = arguments->broken || only->broken;
  return 0;
}

/* A slot and a model variable of one name, where an expression could stand. */
static int is_ambiguous(struct reader *r, const struct callee *c, struct json *arguments) {
  struct json *only = arguments->items[0];
  const struct name *n = names_find_kind(r, only->key, NAME_VARIABLE);
  if (n == NULL || model_id(n->definition) == NULL || arguments->origin != NULL ||
      callee_slot(c, only->key) == NULL || !slot_takes_expression(&c->slots[0])) {
    return 0;
  }
  wrong_key(r, only, arena_format(r->arena, "rename the variable \"%s\"", only->key),
            "\"%s\" is both a slot of %s and a model variable", only->key, c->id);
  arguments->broken = arguments->broken || only->broken;
  return 1;
}

/* The arguments by name, or NULL where they cannot be read. */
static struct json *named(struct reader *r, const struct callee *c, struct json *arguments) {
  int one = arguments->type == JSON_OBJECT && arguments->count == 1;
  const char *key = one ? arguments->items[0]->key : "";
  int is_slot = callee_slot(c, key) != NULL || strcmp(key, c->extra) == 0;
  if (one && is_slot) {
    return is_ambiguous(r, c, arguments) ? NULL : arguments;
  }
  if (arguments->type == JSON_OBJECT && !one) {
    return arguments;
  }
  if (one && !is_bare_application(r, c, arguments)) {
    return NULL;
  }
  if (c->slot_count == 0) {
    wrong(r, arguments, arena_format(r->arena, "write \"%s\" alone", c->id),
          "%s takes no arguments", c->id);
    return NULL;
  }
  const struct json *origin = json_copy(r->arena, arguments);
  struct json *object = wrap(r, arguments, c->slots[0].name);
  object->origin = origin;
  return object;
}

static struct json *slot_value(struct reader *r, const tier_slot *s, struct json *j) {
  switch (s->type) {
    case TIER_SLOT_EXPRESSION:
      return expression(r, j);
    case TIER_SLOT_NUMBER:
      return (s->flags & TIER_SLOT_DIFFERENTIABLE) != 0 && j->type != JSON_BOOLEAN
                 ? expression(r, j)
                 : j;
    case TIER_SLOT_EXPRESSIONS:
      return elements(r, listed(r, j), expression);
    case TIER_SLOT_DATA:
      return source(r, j);
    case TIER_SLOT_DATA_LIST:
      return elements(r, listed(r, j), source);
    case TIER_SLOT_NUMBERS:
    case TIER_SLOT_INTEGERS:
    case TIER_SLOT_TEXTS:
      return s->type != TIER_SLOT_TEXTS && j->type == JSON_STRING ? j : listed(r, j);
    case TIER_SLOT_APPLICATION:
      return application(r, j, position_of_kind(s->choices), s->choices);
    default:
      return j;
  }
}

/* Slots that were not written get their default. */
static void fill_arguments(struct reader *r, const struct callee *c, struct json *object) {
  for (uint32_t i = 0; r->fill && i < c->slot_count; i++) {
    const tier_slot *s = &c->slots[i];
    struct json *value = NULL;
    if (s->fallback == NULL || json_member(object, s->name) != NULL) {
      continue;
    }
    if (json_parse(r->arena, object->file, s->fallback, strlen(s->fallback), &value) < 0) {
      wrong(r, object, error_text(), "the default of %s's slot \"%s\" is not JSON", c->id, s->name);
      error_clear();
      continue;
    }
    value = slot_value(r, s, value);
    value->line = 0;
    json_set(r->arena, object, s->name, value);
  }
}

static struct json *arguments_of(struct reader *r, const struct callee *c, struct json *j) {
  struct json *object = j->broken ? NULL : named(r, c, j);
  if (object == NULL) {
    return j;
  }
  for (size_t i = 0; i < object->count; i++) {
    struct json *item = object->items[i];
    const tier_slot *s = callee_slot(c, item->key);
    size_t mark = path_push(r, item->key);
    const char *key = item->key;
    if (s != NULL) {
      object->items[i] = slot_value(r, s, item);
      object->items[i]->key = key;
    } else if (strcmp(key, "with") == 0 && strcmp(c->extra, key) == 0) {
      object->items[i] = expression(r, item);
      object->items[i]->key = key;
    } else if (strcmp(key, c->extra) != 0) {
      refuse_slot(r, c, item);
    }
    path_pop(r, mark);
  }
  fill_arguments(r, c, object);
  return object;
}

/* Writes out the arguments of { id: arguments }. */
static void write_out_arguments(struct reader *r, const struct callee *c, struct json *node) {
  struct json *old = node->items[0];
  const char *key = old->key;
  size_t mark = path_push(r, key);
  struct json *new = arguments_of(r, c, old);
  new->key = key;
  node->items[0] = new;
  path_pop(r, mark);
}

/* ---- applications ---- */

/* "cg" is { "cg": {} }; anything but that and a one-key object is refused. */
static struct json *as_application(struct reader *r, struct json *j, const char *noun) {
  if (j->type == JSON_STRING) {
    struct json *arguments = in_place_of(json_make(r->arena, JSON_OBJECT), j);
    struct json *object = in_place_of(json_make(r->arena, JSON_OBJECT), j);
    json_set(r->arena, object, j->text, arguments);
    arguments->key_line = j->line;
    arguments->key_column = j->column;
    return object;
  }
  if (j->type == JSON_OBJECT && j->count == 1) {
    return j;
  }
  wrong(r, j, arena_format(r->arena, "write its name, or { \"name\": { arguments } }"),
        "expected %s, found %s", with_article(r, noun), written(r, j));
  return NULL;
}

/* The component that `node` applies, or NULL after an error. */
static const struct component *applied(struct reader *r, struct json *node, enum position position,
                                       const char *kind) {
  const char *reason = NULL;
  const char *hint = NULL;
  const struct component *c =
      component_find(r, position, kind, node->items[0]->key, &reason, &hint);
  size_t others = 0;
  (void)registry_names(r->registry, position, &others);
  if (c == NULL && others == 0 && position != POSITION_DATA) {
    unsupported(r, node->items[0],
                arena_format(r->arena, "\"%s\": no plugin provides any %s", node->items[0]->key,
                             position_name(position)));
    node->broken = r->diagnostics != NULL;
  } else if (c == NULL) {
    wrong_key(r, node->items[0], hint, "%s", reason);
    node->broken = node->broken || node->items[0]->broken;
  }
  return c;
}

static struct json *application(struct reader *r, struct json *j, enum position position,
                                const char *kind) {
  static const char *const nouns[POSITION_COUNT] = {"dataset",   "model",  "function", "optimizer",
                                                    "estimator", "solver", "set",      "writer"};
  struct callee callee;
  struct json *node = as_application(r, j, kind != NULL ? kind : nouns[position]);
  const struct component *c = node == NULL ? NULL : applied(r, node, position, kind);
  if (c == NULL) {
    return node != NULL && node->broken ? node : j;
  }
  callee_of_component(c, &callee);
  write_out_arguments(r, &callee, node);
  return node;
}

/* The word "none" computes the gradient and applies nothing. */
static struct json *optimizer(struct reader *r, struct json *j) {
  int word = j->type == JSON_STRING && strcmp(j->text, "none") == 0;
  const struct json *none = json_member(j, "none");
  if (word) {
    return as_application(r, j, "optimizer");
  }
  return none != NULL && none->type == JSON_OBJECT && none->count == 0
             ? j
             : application(r, j, POSITION_OPTIMIZER, NULL);
}
static struct json *model(struct reader *r, struct json *j) {
  return application(r, j, POSITION_MODEL, NULL);
}
static struct json *solver(struct reader *r, struct json *j) {
  return application(r, j, POSITION_SOLVER, NULL);
}
static struct json *set(struct reader *r, struct json *j) {
  return application(r, j, POSITION_SET, NULL);
}

/* ---- expressions ---- */

static struct json *expression(struct reader *r, struct json *j) {
  struct callee callee;
  const char *reason = NULL;
  const char *hint = NULL;
  if (j->broken || j->type != JSON_OBJECT) {
    return j;
  }
  if (j->count != 1) {
    wrong(r, j, "", "expected a number, a name or one application, found %s%s", written(r, j),
          j->count > 1 ? ": an application has one key" : "");
    return j;
  }
  struct json *only = j->items[0];
  if (!callee_of_head(r, only->key, &callee, &reason, &hint)) {
    if (reason[0] != '\0') {
      wrong_key(r, only, hint, "%s", reason);
    }
    j->broken = r->diagnostics != NULL;
    return j;
  }
  if (callee.entry != NULL && callee.entry == callee.component->c.entries) {
    only->key = arena_text_n(r->arena, only->key, strcspn(only->key, "."));
  }
  write_out_arguments(r, &callee, j);
  return j;
}

/* ---- data ---- */

/* The first of a source: another data's name stays; a dataset is an application. */
static struct json *first_of_source(struct reader *r, struct json *j) {
  if (j->type == JSON_STRING) {
    int own = r->own_data != NULL && strcmp(r->own_data, j->text) == 0;
    const struct name *n = names_find_kind(r, j->text, NAME_DATA);
    if (n != NULL && !(own && registry_find(r->registry, POSITION_DATA, j->text) != NULL)) {
      return j;
    }
    if (n == NULL && registry_find(r->registry, POSITION_DATA, j->text) == NULL) {
      wrong(r, j, names_suggest(r, j->text), "no data and no dataset \"%s\"", j->text);
      return j;
    }
  }
  return application(r, j, POSITION_DATA, "dataset");
}

static const char *join_hint(struct reader *r, const struct json *list, const struct json *name) {
  return arena_format(r->arena, "to join rows write { \"concat\": [%s, %s] }",
                      written(r, list->items[0]), written(r, name));
}

static struct json *transform(struct reader *r, struct json *list, struct json *j) {
  const struct name *n = j->type == JSON_STRING ? names_find_kind(r, j->text, NAME_DATA) : NULL;
  const struct component *c =
      j->type == JSON_STRING ? registry_find(r->registry, POSITION_DATA, j->text) : NULL;
  if (n != NULL && c == NULL) {
    wrong(r, j, join_hint(r, list, j), "no transform \"%s\" (it is data)", j->text);
    return j;
  }
  if (c != NULL && strcmp(c->c.kind, "dataset") == 0) {
    wrong(r, j, join_hint(r, list, j), "no transform \"%s\" (it is a dataset)", j->text);
    return j;
  }
  return application(r, j, POSITION_DATA, "transform");
}

static struct json *source(struct reader *r, struct json *j) {
  if (j->type != JSON_LIST) {
    return first_of_source(r, j);
  }
  if (j->count == 0) {
    wrong(r, j, "", "a source needs a dataset or the name of data");
    return j;
  }
  for (size_t i = 0; i < j->count; i++) {
    size_t mark = path_push_index(r, i);
    struct json *item = j->items[i];
    j->items[i] = i == 0 ? first_of_source(r, item) : transform(r, j, item);
    path_pop(r, mark);
  }
  return j->count == 1 ? in_place_of(j->items[0], j) : j;
}

static struct json *data(struct reader *r, struct json *j) {
  r->own_data = j->key;
  struct json *s = source(r, j);
  r->own_data = NULL;
  return s;
}

/* ---- variables, objectives ---- */

static struct json *sets(struct reader *r, struct json *j) {
  return elements(r, listed(r, j), set);
}
static struct json *sizes(struct reader *r, struct json *j) {
  return j->type == JSON_STRING ? j : listed(r, j);
}
static struct json *terms(struct reader *r, struct json *j) {
  return elements(r, listed(r, j), expression);
}

static struct json *variable(struct reader *r, struct json *j) {
  if (j->type == JSON_NUMBER) {
    j = wrap(r, j, "init");
  } else if (model_id(j) != NULL && json_member(j, "model") == NULL) {
    j = wrap(r, j, "model");
  }
  member(r, j, "model", model);
  member(r, j, "init", expression);
  member(r, j, "shape", sizes);
  member(r, j, "within", sets);
  return j;
}

/* ---- estimators ---- */

/* { solver: arguments } as { "implicit": { "solver": { solver: ... } } }: what implicit declares
 * goes to it, the rest to the solver. */
static struct json *through_implicit(struct reader *r, struct json *node,
                                     const struct callee *implicit) {
  struct json *inner = node->items[0];
  struct json *outer = in_place_of(json_make(r->arena, JSON_OBJECT), inner);
  struct json *rest = in_place_of(json_make(r->arena, JSON_OBJECT), inner);
  int split = inner->type == JSON_OBJECT;
  for (size_t i = 0; split && i < inner->count; i++) {
    struct json *item = inner->items[i];
    int of_implicit = strcmp(item->key, "solver") != 0 && callee_slot(implicit, item->key) != NULL;
    json_append(r->arena, of_implicit ? outer : rest, item);
  }
  struct json *solver_node = in_place_of(json_make(r->arena, JSON_OBJECT), node);
  json_append(r->arena, solver_node, split ? rest : inner);
  json_set(r->arena, outer, "solver", solver_node);
  struct json *object = in_place_of(json_make(r->arena, JSON_OBJECT), node);
  outer->key_line = inner->key_line;
  outer->key_column = inner->key_column;
  json_set(r->arena, object, "implicit", outer);
  return object;
}

static struct json *estimator(struct reader *r, struct json *j) {
  struct json *node = as_application(r, j, "estimator");
  const struct component *c = node == NULL ? NULL : applied(r, node, POSITION_ESTIMATOR, NULL);
  struct callee callee;
  if (c == NULL) {
    return node == NULL ? j : node;
  }
  if (strcmp(c->c.kind, "linear-solver") == 0) {
    const struct component *implicit = registry_find(r->registry, POSITION_ESTIMATOR, "implicit");
    if (implicit == NULL) {
      wrong_key(r, node->items[0], "install the plugin implicit",
                "the linear solver %s needs the estimator \"implicit\", which is not there",
                c->c.id);
      return node;
    }
    c = implicit;
    callee_of_component(c, &callee);
    node = through_implicit(r, node, &callee);
  }
  callee_of_component(c, &callee);
  write_out_arguments(r, &callee, node);
  return node;
}

static struct json *through(struct reader *r, struct json *j) {
  return members(r, j, estimator);
}

/* ---- levels and phases ---- */

static struct json *level(struct reader *r, struct json *j) {
  member(r, j, "over", listed);
  member(r, j, "optimizer", optimizer);
  member(r, j, "through", through);
  fill_in(r, j, "tolerance", number(r, 0));
  fill_in(r, j, "batch", text(r, "all"));
  struct json *warm = json_make(r->arena, JSON_BOOLEAN);
  warm->boolean = 1;
  fill_in(r, j, "warm_start", warm);
  fill_in(r, j, "through", json_make(r->arena, JSON_OBJECT));
  return j;
}

/* What depends on the next level: `parent`, and one step where neither steps nor epochs stand. */
static void fill_lower_levels(struct reader *r, struct json *list) {
  for (size_t i = 0; i + 1 < list->count; i++) {
    struct json *j = list->items[i];
    const struct json *next = json_member(list->items[i + 1], "name");
    if (next != NULL && next->type == JSON_STRING) {
      fill_in(r, j, "parent", text(r, next->text));
    }
    if (json_member(j, "epochs") == NULL) {
      fill_in(r, j, "steps", number(r, 1));
    }
  }
}

static struct json *levels(struct reader *r, struct json *j) {
  (void)elements(r, j, level);
  if (j->type == JSON_LIST) {
    fill_lower_levels(r, j);
  }
  return j;
}

static struct json *then(struct reader *r, struct json *j) {
  return members(r, j, expression);
}

static struct json *phase(struct reader *r, struct json *j) {
  member(r, j, "levels", levels);
  member(r, j, "solver", solver);
  member(r, j, "then", then);
  return j;
}

static struct json *phases(struct reader *r, struct json *j) {
  return elements(r, j, phase);
}

/* ---- measures ---- */

/* A metric, a writer, or an expression. */
static struct json *measured(struct reader *r, struct json *j) {
  struct callee callee;
  const struct component *c = NULL;
  if (j->type == JSON_OBJECT && j->count == 1 && names_find(r, j->items[0]->key, NULL) == NULL) {
    const char *id = j->items[0]->key;
    c = registry_find(r->registry, POSITION_FUNCTION, id);
    c = c != NULL ? c : registry_find(r->registry, POSITION_WRITER, id);
  }
  if (c == NULL) {
    return expression(r, j);
  }
  callee_of_component(c, &callee);
  write_out_arguments(r, &callee, j);
  return j;
}

static struct json *measure(struct reader *r, struct json *j) {
  static const char *const keys[] = {"value", "on", "after", "each", "every"};
  int written_out = 0;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    written_out = written_out || json_member(j, keys[i]) != NULL;
  }
  if (!written_out) {
    j = wrap(r, j, "value");
  }
  member(r, j, "value", measured);
  return j;
}

/* ---- the whole ---- */

static struct json *all_data(struct reader *r, struct json *j) {
  return members(r, j, data);
}
static struct json *all_variables(struct reader *r, struct json *j) {
  return members(r, j, variable);
}
static struct json *all_values(struct reader *r, struct json *j) {
  return members(r, j, expression);
}
static struct json *all_objectives(struct reader *r, struct json *j) {
  return members(r, j, terms);
}
static struct json *all_measures(struct reader *r, struct json *j) {
  return members(r, j, measure);
}

static void fill_settings(struct reader *r) {
  static const char *const maps[] = {"values", "budget", "metrics", "outputs", "compute", "guards"};
  struct json *root = r->root;
  for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
    fill_in(r, root, maps[i], json_make(r->arena, JSON_OBJECT));
  }
  fill_in(r, root, "about", text(r, ""));
  fill_in(r, root, "name", text(r, r->m != NULL ? r->m->name : ""));
  fill_in(r, root, "solver", text(r, "nested"));
  fill_in(r, root, "seeds", number(r, 0));
  struct json *compute = json_member(root, "compute");
  fill_in(r, compute, "dtype", text(r, "f32"));
  fill_in(r, compute, "threads", text(r, "all"));
  fill_in(r, compute, "backend", text(r, "cpu"));
  fill_in(r, compute, "checkpoint_seconds", number(r, 60));
  struct json *guards = json_member(root, "guards");
  fill_in(r, guards, "nonfinite", text(r, "stop"));
  fill_in(r, guards, "divergence", number(r, 1e12));
  fill_in(r, guards, "stationarity", text(r, "warn"));
}

void shorthand_write_out(struct reader *r) {
  struct json *root = r->root;
  if (r->fill) {
    fill_settings(r);
  }
  member(r, root, "data", all_data);
  member(r, root, "variables", all_variables);
  member(r, root, "values", all_values);
  member(r, root, "objectives", all_objectives);
  member(r, root, "levels", levels);
  member(r, root, "phases", phases);
  member(r, root, "solver", solver);
  member(r, root, "metrics", all_measures);
  member(r, root, "outputs", all_measures);
  member(r, root, "seeds", listed);
}

int solver_without_gradient(struct reader *r) {
  const struct json *j = json_member(r->root, "solver");
  const char *id = j == NULL                                 ? "nested"
                   : j->type == JSON_STRING                  ? j->text
                   : j->type == JSON_OBJECT && j->count == 1 ? j->items[0]->key
                                                             : "";
  const struct component *c = registry_find(r->registry, POSITION_SOLVER, id);
  return c != NULL && (c->c.flags & TIER_NO_GRADIENT) != 0;
}

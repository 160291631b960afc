/* Applications: of components, of functions and models in expressions, in sources, as estimators.
 */
#include <string.h>

#include "manifest/shorthand.h"

/* "cg" is { "cg": {} }; anything but that and a one-key object is refused. */
struct json *as_application(struct reader *r, struct json *j, const char *noun) {
  if (j->type == JSON_STRING) {
    struct json *arguments = node_in_place_of(json_make(r->arena, JSON_OBJECT), j);
    struct json *object = node_in_place_of(json_make(r->arena, JSON_OBJECT), j);
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

struct json *write_application(struct reader *r, struct json *j, enum position position,
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
/* ---- expressions ---- */

struct json *write_expression(struct reader *r, struct json *j) {
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
  return write_application(r, j, POSITION_DATA, "dataset");
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
  return write_application(r, j, POSITION_DATA, "transform");
}

struct json *write_source(struct reader *r, struct json *j) {
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
  return j->count == 1 ? node_in_place_of(j->items[0], j) : j;
}

/* ---- estimators ---- */

/* { solver: arguments } as { "implicit": { "solver": { solver: ... } } }: what implicit declares
 * goes to it, the rest to the solver. */
static struct json *through_implicit(struct reader *r, struct json *node,
                                     const struct callee *implicit) {
  struct json *inner = node->items[0];
  struct json *outer = node_in_place_of(json_make(r->arena, JSON_OBJECT), inner);
  struct json *rest = node_in_place_of(json_make(r->arena, JSON_OBJECT), inner);
  int split = inner->type == JSON_OBJECT;
  for (size_t i = 0; split && i < inner->count; i++) {
    struct json *item = inner->items[i];
    int of_implicit = strcmp(item->key, "solver") != 0 && callee_slot(implicit, item->key) != NULL;
    json_append(r->arena, of_implicit ? outer : rest, item);
  }
  struct json *solver_node = node_in_place_of(json_make(r->arena, JSON_OBJECT), node);
  json_append(r->arena, solver_node, split ? rest : inner);
  json_set(r->arena, outer, "solver", solver_node);
  struct json *object = node_in_place_of(json_make(r->arena, JSON_OBJECT), node);
  outer->key_line = inner->key_line;
  outer->key_column = inner->key_column;
  json_set(r->arena, object, "implicit", outer);
  return object;
}

struct json *write_estimator(struct reader *r, struct json *j) {
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

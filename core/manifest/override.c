/* Overrides: paths over the written-out manifest. All of a variant's paths are resolved against the
 * base before any is applied, so indices mean the base's elements. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest/reader.h"

/* Where the walk stands. */
struct walk {
  struct json *parent;
  struct json *node;
  const char *rest; /* of the path; "" at the end */
  int depth;
  int arguments;        /* the node is the argument object of an application */
  const char *map_word; /* the key of the node, for maps of names such as `through` */
};

/* The length of the longest beginning of the path, up to a dot or the end, that is `key`. */
static size_t matches(const char *rest, const char *key) {
  size_t n = strlen(key);
  return strncmp(rest, key, n) == 0 && (rest[n] == '.' || rest[n] == '\0') ? n : 0;
}

static const char *after(const char *rest, size_t n) {
  return rest[n] == '.' ? rest + n + 1 : rest + n;
}

/* ---- what a node is ---- */

static int is_component(const struct reader *r, const char *id) {
  for (int p = 0; p < POSITION_COUNT; p++) {
    if (registry_find(r->registry, (enum position)p, id) != NULL) {
      return 1;
    }
  }
  const struct name *n = names_find(r, id, NULL);
  return n != NULL && n->kind == NAME_VARIABLE && model_id(n->definition) != NULL;
}

/* Maps from names that the manifest chooses to something, below the top level. */
static int is_name_map(const char *key) {
  static const char *const words[] = {"through", "on", "after", "then", "batch"};
  for (size_t i = 0; key != NULL && i < sizeof words / sizeof *words; i++) {
    if (strcmp(key, words[i]) == 0) {
      return 1;
    }
  }
  return 0;
}

static int is_application(const struct reader *r, const struct walk *w) {
  return w->depth >= 2 && !w->arguments && !is_name_map(w->map_word) &&
         w->node->type == JSON_OBJECT && w->node->count == 1 &&
         is_component(r, w->node->items[0]->key);
}

/* ---- one segment ---- */

static struct json *longest_member(const struct json *object, const char *rest, size_t *length) {
  struct json *best = NULL;
  *length = 0;
  for (size_t i = 0; i < object->count; i++) {
    size_t n = matches(rest, object->items[i]->key);
    if (n > *length) {
      *length = n;
      best = object->items[i];
    }
  }
  return best;
}

/* "label-noise#2" is the second element applied by label-noise; no number: there must be only
 * one. */
static size_t matches_numbered(const char *rest, const char *key, long *number) {
  size_t n = strlen(key);
  *number = 0;
  if (strncmp(rest, key, n) != 0 || rest[n] != '#') {
    return matches(rest, key);
  }
  char *end = NULL;
  *number = strtol(rest + n + 1, &end, 10);
  return *number > 0 && (*end == '.' || *end == '\0') ? (size_t)(end - rest) : 0;
}

static struct json *element_by_index(const struct json *list, const char *rest, size_t *length) {
  size_t n = strspn(rest, "0123456789");
  if (n == 0 || n > 6 || (rest[n] != '.' && rest[n] != '\0')) {
    return NULL;
  }
  size_t i = (size_t)strtoul(rest, NULL, 10);
  *length = n;
  return i < list->count ? list->items[i] : NULL;
}

/* An element by its `name` or its application's key. *found counts those that fit. */
static struct json *element_by_key(const struct json *list, const char *rest, size_t *length,
                                   int *found) {
  struct json *first = NULL;
  *found = 0;
  *length = 0;
  for (size_t i = 0; i < list->count; i++) {
    struct json *item = list->items[i];
    const struct json *name = json_member(item, "name");
    long number = 0;
    size_t n = name != NULL && name->type == JSON_STRING ? matches(rest, name->text) : 0;
    if (n == 0 && item->type == JSON_OBJECT && item->count == 1) {
      n = matches_numbered(rest, item->items[0]->key, &number);
    }
    if (n == 0) {
      continue;
    }
    ++*found;
    if (first == NULL || *found == number) {
      first = item;
      *length = n;
    }
    if (number > 0 && *found == number) {
      *found = 1;
      return first;
    }
    if (number > *found) {
      first = NULL;
    }
  }
  return first;
}

/* An estimator named by its linear solver: cg stands for implicit.solver.cg, and cg.damping for
 * implicit.damping. Returns the longer path, or NULL. */
static const char *through_implicit(struct reader *r, const struct json *node, const char *rest) {
  const struct json *implicit = json_member(node, "implicit");
  const struct json *solver = implicit != NULL ? json_member(implicit, "solver") : NULL;
  const struct component *c = registry_find(r->registry, POSITION_ESTIMATOR, "implicit");
  size_t n = solver != NULL && solver->type == JSON_OBJECT && solver->count == 1
                 ? matches(rest, solver->items[0]->key)
                 : 0;
  if (n == 0 || c == NULL || node->count != 1) {
    return NULL;
  }
  struct callee callee;
  callee_of_component(c, &callee);
  const char *inner = after(rest, n);
  const char *key = arena_text_n(r->arena, inner, strcspn(inner, "."));
  int of_implicit = strcmp(key, "solver") != 0 && callee_slot(&callee, key) != NULL;
  return of_implicit ? arena_format(r->arena, "implicit.%s", inner)
                     : arena_format(r->arena, "implicit.solver.%s", rest);
}

/* ---- reasons ---- */

static const char *candidates_hint(struct reader *r, const struct json *node, const char *segment) {
  const char **names = arena_alloc(r->arena, (node->count + 1) * sizeof *names);
  size_t count = 0;
  for (size_t i = 0; i < node->count; i++) {
    const struct json *item = node->items[i];
    const struct json *name = json_member(item, "name");
    if (node->type == JSON_OBJECT) {
      names[count++] = item->key;
    } else if (name != NULL && name->type == JSON_STRING) {
      names[count++] = name->text;
    } else if (item->type == JSON_OBJECT && item->count == 1) {
      names[count++] = item->items[0]->key;
    }
  }
  return did_you_mean(r, segment, names, count);
}

/* The part of the path that was found. */
static const char *so_far(struct reader *r, const struct override *o, const struct walk *w) {
  size_t total = strlen(o->path);
  size_t left = strlen(w->rest);
  size_t n = total > left ? total - left - 1 : 0;
  return n == 0 ? "the manifest" : arena_text_n(r->arena, o->path, n);
}

/* The id that the manifest's author knows an application by: of implicit, its linear solver. */
static const char *applied_id(const struct json *application) {
  const struct json *solver = json_member(json_member(application, "implicit"), "solver");
  const struct json *node =
      solver != NULL && solver->type == JSON_OBJECT && solver->count == 1 ? solver : application;
  return node->items[0]->key;
}

static int not_found(struct reader *r, const struct override *o, const struct walk *w, int found,
                     const char **reason, const char **hint) {
  const char *segment = arena_text_n(r->arena, w->rest, strcspn(w->rest, "."));
  const char *where = so_far(r, o, w);
  *hint = candidates_hint(r, w->node, segment);
  if (found > 1) {
    *reason = arena_format(r->arena, "\"%s\" fits %d elements of %s", segment, found, where);
    *hint = arena_format(r->arena, "write an index, or \"%s#2\" for the second", segment);
  } else if (w->node->type == JSON_LIST) {
    *reason = arena_format(r->arena, "%s has no element \"%s\"", where, segment);
  } else if (is_application(r, w)) {
    *reason = arena_format(r->arena, "%s is %s, not %s", where, applied_id(w->node), segment);
  } else if (w->node->type == JSON_OBJECT) {
    *reason = arena_format(r->arena, "%s has no \"%s\"", where, segment);
  } else {
    *reason =
        arena_format(r->arena, "%s is %s: there is nothing inside it", where, written(r, w->node));
  }
  return 0;
}

/* ---- the walk ---- */

/* Whether the rest of the path may be added at this object: one new name in a map of names, or
 * keys of the format (the later reading says if they are none). */
static int may_add(struct reader *r, const struct walk *w) {
  static const char *const maps[] = {"data",       "variables", "values",
                                     "objectives", "metrics",   "outputs"};
  int single = strchr(w->rest, '.') == NULL;
  if (w->node->type != JSON_OBJECT || is_application(r, w)) {
    return 0;
  }
  for (size_t i = 0; w->depth == 1 && i < sizeof maps / sizeof *maps; i++) {
    if (strcmp(w->map_word, maps[i]) == 0) {
      return single;
    }
  }
  return 1;
}

/* Goes down to a child; the path goes on at `rest`. */
static void step(struct reader *r, struct walk *w, struct json *child, const char *rest,
                 struct text *canonical) {
  int application = is_application(r, w);
  size_t index = 0;
  while (w->node->items[index] != child) {
    index++;
  }
  text_add(canonical, "/");
  if (w->node->type == JSON_LIST) {
    text_format(canonical, "%zu", index);
  } else {
    text_add(canonical, child->key);
  }
  *w = (struct walk){.parent = w->node,
                     .node = child,
                     .rest = rest,
                     .depth = w->depth + 1,
                     .arguments = application,
                     .map_word = w->node->type == JSON_OBJECT ? child->key : NULL};
}

/* The child that the next segment names, or NULL. */
static struct json *next(struct reader *r, struct walk *w, size_t *length, int *found) {
  *found = 0;
  if (w->node->type == JSON_LIST) {
    struct json *child = element_by_index(w->node, w->rest, length);
    child = child != NULL ? child : element_by_key(w->node, w->rest, length, found);
    return *found > 1 ? NULL : child;
  }
  if (w->node->type != JSON_OBJECT) {
    return NULL;
  }
  struct json *child = longest_member(w->node, w->rest, length);
  const char *longer = child == NULL ? through_implicit(r, w->node, w->rest) : NULL;
  if (longer != NULL) {
    w->rest = longer;
    child = longest_member(w->node, w->rest, length);
  }
  return child;
}

/* Whether an element was found by its application's key, and not by its name. */
static int is_applied_by(const struct json *element, const char *rest) {
  const struct json *name = json_member(element, "name");
  return element->type == JSON_OBJECT && element->count == 1 &&
         (name == NULL || name->type != JSON_STRING || matches(rest, name->text) == 0);
}

/* A list of one element may be addressed as that element, and a source of one as a list. */
static int is_segment_of_single(const struct walk *w) {
  return w->node->type != JSON_LIST && w->depth == 2 && strcmp(w->rest, "0") == 0;
}

/* What makes variants cannot be varied itself. */
static int is_fixed(const char *path) {
  return matches(path, "compare") > 0 || matches(path, "sweep") > 0;
}

/* Goes down as far as the path leads. 1 if it ends there, or the rest may be added. */
static int follow(struct reader *r, const struct override *o, struct walk *w,
                  struct text *canonical, const char **reason, const char **hint) {
  while (w->rest[0] != '\0' && !is_segment_of_single(w)) {
    size_t length = 0;
    int found = 0;
    struct json *child = next(r, w, &length, &found);
    if (child == NULL) {
      return (o->value->type != JSON_NULL && may_add(r, w)) ||
             not_found(r, o, w, found, reason, hint);
    }
    const char *rest = after(w->rest, length);
    int by_key = w->node->type == JSON_LIST && found > 0 && is_applied_by(child, w->rest);
    step(r, w, child, rest, canonical);
    if (by_key && rest[0] != '\0') { /* an element by its application's key: inside it */
      step(r, w, child->items[0], rest, canonical);
    }
  }
  return 1;
}

/* "a.b" as "/a/b". */
static void add_segments(const char *path, struct text *canonical) {
  for (const char *p = path; *p != '\0'; p += *p == '.') {
    size_t n = strcspn(p, ".");
    text_add(canonical, "/");
    text_add_n(canonical, p, n);
    p += n;
  }
}

int override_resolve(struct reader *r, struct override *o, const char **reason, const char **hint) {
  struct walk w = {.node = r->root, .rest = o->path};
  struct text canonical = {0};
  *hint = "";
  *reason = o->path[0] == '\0' ? "the path is empty" : "variants are as the manifest says";
  int ok = o->path[0] != '\0' && !is_fixed(o->path);
  ok = ok && follow(r, o, &w, &canonical, reason, hint);
  int added = w.rest[0] != '\0' && !is_segment_of_single(&w);
  o->parent = !ok ? NULL : added ? w.node : w.parent;
  o->child = added ? NULL : w.node;
  o->rest = w.rest;
  if (added) {
    add_segments(w.rest, &canonical);
  }
  o->canonical = arena_text(r->arena, text_get(&canonical));
  text_free(&canonical);
  return ok;
}

int override_covers(const struct override *outer, const struct override *inner) {
  size_t n = strlen(outer->canonical);
  return strncmp(outer->canonical, inner->canonical, n) == 0 &&
         (inner->canonical[n] == '/' || inner->canonical[n] == '\0');
}

/* ---- applying ---- */

static void remove_child(struct json *parent, const struct json *child) {
  size_t kept = 0;
  for (size_t i = 0; i < parent->count; i++) {
    if (parent->items[i] != child) {
      parent->items[kept++] = parent->items[i];
    }
  }
  parent->count = kept;
}

static void replace_child(struct json *parent, const struct json *child, struct json *value) {
  for (size_t i = 0; i < parent->count; i++) {
    if (parent->items[i] == child) {
      value->key = child->key;
      parent->items[i] = value;
    }
  }
}

static void add_keys(struct reader *r, const struct override *o, struct json *value) {
  struct json *node = o->parent;
  const char *rest = o->rest;
  for (size_t n = strcspn(rest, "."); rest[n] == '.'; n = strcspn(rest, ".")) {
    const char *key = arena_text_n(r->arena, rest, n);
    struct json *child = json_member(node, key);
    if (child == NULL) {
      child = json_make(r->arena, JSON_OBJECT);
      child->file = value->file;
      child->line = value->line;
      child->column = value->column;
      child->key_line = value->key_line;
      child->key_column = value->key_column;
      json_set(r->arena, node, key, child);
    }
    node = child;
    rest += n + 1;
  }
  if (node->type == JSON_OBJECT) {
    json_set(r->arena, node, rest, value);
  }
}

void override_apply(struct reader *r, const struct override *o) {
  struct json *value = json_copy(r->arena, o->value);
  if (o->child != NULL && o->value->type == JSON_NULL) {
    remove_child(o->parent, o->child);
  } else if (o->child != NULL) {
    replace_child(o->parent, o->child, value);
  } else {
    add_keys(r, o, value);
  }
}

/* Reports an override that lies inside, or equals, another one of the same variant. */
static int overlaps(struct reader *r, struct override *items, const int *resolved, size_t i,
                    size_t count) {
  for (size_t k = 0; k < count; k++) {
    int same =
        strcmp(items[k].canonical != NULL ? items[k].canonical : "", items[i].canonical) == 0;
    if (k == i || !resolved[k] || !override_covers(&items[k], &items[i]) || (same && k > i)) {
      continue;
    }
    size_t mark = path_push(r, items[i].path);
    wrong_key(r, items[i].value, "",
              same ? "\"%s\" addresses the same as \"%s\""
                   : "\"%s\" lies inside \"%s\", which is overridden too",
              items[i].path, items[k].path);
    path_pop(r, mark);
    return 1;
  }
  return 0;
}

void override_variant(struct reader *r, struct override *items, size_t count) {
  int *resolved = arena_alloc(r->arena, (count + 1) * sizeof *resolved);
  int *applies = arena_alloc(r->arena, (count + 1) * sizeof *applies);
  for (size_t i = 0; i < count; i++) {
    const char *reason = NULL;
    const char *hint = NULL;
    resolved[i] = override_resolve(r, &items[i], &reason, &hint);
    if (!resolved[i]) {
      size_t mark = path_push(r, items[i].path);
      wrong_key(r, items[i].value, hint, "\"%s\" addresses nothing: %s", items[i].path, reason);
      path_pop(r, mark);
    }
  }
  for (size_t i = 0; i < count; i++) {
    applies[i] = resolved[i] && !overlaps(r, items, resolved, i, count);
  }
  for (size_t i = 0; i < count; i++) {
    if (applies[i]) {
      override_apply(r, &items[i]);
    }
  }
}

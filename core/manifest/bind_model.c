/* Data, variables, values and objectives. */
#include <string.h>

#include "manifest/reader.h"

/* ---- data ---- */

/* "label-noise", or "label-noise#2" for the second of that id in the list. */
static const char *transform_label(struct reader *r, const struct json *list, size_t i) {
  const char *id = list->items[i]->items[0]->key;
  int number = 1;
  for (size_t k = 1; k < i; k++) {
    const struct json *other = list->items[k];
    number +=
        other->type == JSON_OBJECT && other->count == 1 && strcmp(other->items[0]->key, id) == 0;
  }
  return number == 1 ? id : arena_format(r->arena, "%s#%d", id, number);
}

static void bind_first(struct reader *r, struct json *j, struct source *s) {
  s->data = -1;
  if (j->type == JSON_STRING) {
    s->data = j->broken ? -1 : name_index(r, j, NAME_DATA);
  } else {
    s->first = bind_application(r, j, POSITION_DATA, NULL);
  }
}

struct source *bind_source(struct reader *r, struct json *j) {
  struct source *s = arena_alloc(r->arena, sizeof *s);
  s->place = place_of(r, j);
  if (j->type != JSON_LIST) {
    bind_first(r, j, s);
    return s;
  }
  s->transforms = arena_alloc(r->arena, (j->count + 1) * sizeof(struct application *));
  s->data = -1;
  for (size_t i = 0; i < j->count; i++) {
    struct json *item = j->items[i];
    if (i == 0) {
      bind_first(r, item, s);
    } else {
      const char *label =
          item->type == JSON_OBJECT && item->count == 1 ? transform_label(r, j, i) : NULL;
      s->transforms[s->transform_count++] = bind_application(r, item, POSITION_DATA, label);
    }
  }
  return s;
}

/* The manifest's map of that key, or NULL: absent, or (with an error) no object. */
static struct json *section(struct reader *r, const char *key, int required) {
  struct json *j = json_member(r->root, key);
  if (j == NULL && required) {
    struct place p = place_of(r, r->root);
    wrong_place(r, &p, "", "the manifest has no \"%s\"", key);
  }
  return j != NULL && is_object(r, j, arena_format(r->arena, "\"%s\"", key)) ? j : NULL;
}

void bind_data(struct reader *r) {
  size_t mark = path_push(r, "data");
  struct json *all = section(r, "data", 1);
  size_t count = all != NULL ? all->count : 0;
  r->m->data = arena_alloc(r->arena, (count + 1) * sizeof *r->m->data);
  r->m->data_count = count;
  for (size_t i = 0; i < count; i++) {
    struct json *j = all->items[i];
    struct manifest_data *d = &r->m->data[i];
    size_t inner = path_push(r, j->key);
    d->name = j->key;
    d->place = place_of_key(r, j);
    d->source = bind_source(r, j);
    path_pop(r, inner);
  }
  path_pop(r, mark);
}

static int is_component_collection(const struct application *a) {
  return a != NULL && a->component != NULL && (a->component->c.flags & TIER_COLLECTION) != 0;
}

static int source_is_collection(const struct reader *r, const struct source *s, int hops) {
  for (size_t i = 0; i < s->transform_count; i++) {
    if (is_component_collection(s->transforms[i])) {
      return 1;
    }
  }
  if (s->data >= 0 && hops < 64) {
    return source_is_collection(r, r->m->data[s->data].source, hops + 1);
  }
  return is_component_collection(s->first);
}

int is_collection(const struct reader *r, int data) {
  return source_is_collection(r, r->m->data[data].source, 0);
}

/* ---- variables ---- */

static void bind_per(struct reader *r, struct json *j, struct manifest_variable *v) {
  const struct name *n = j->type == JSON_STRING ? names_find_kind(r, j->text, NAME_LEVEL) : NULL;
  if (n != NULL) {
    v->per_level = n->index;
  } else if (j->type == JSON_STRING && names_find_kind(r, j->text, NAME_DATA) == NULL) {
    wrong(r, j, names_suggest(r, j->text), "\"per\" names data or a level; \"%s\" is neither",
          j->text);
  } else {
    v->per_data = name_index(r, j, NAME_DATA);
  }
}

/* "shape": "net", or "train.x": whose shape it takes. */
static void bind_shape_name(struct reader *r, struct json *j, struct manifest_variable *v) {
  const char *rest = NULL;
  const struct name *n = names_find(r, j->text, &rest);
  const double *numbers = NULL;
  size_t count = 0;
  if (n != NULL && n->kind == NAME_VARIABLE && rest == NULL) {
    v->shape_variable = n->index;
  } else if (n != NULL && n->kind == NAME_DATA && rest != NULL) {
    v->shape_data = n->index;
    v->shape_field = rest;
  } else if (constant_value(r, j->text, &numbers, &count)) {
    wrong(r, j, "write the sizes themselves", "\"%s\" is a constant, not something with a shape",
          j->text);
  } else if (n != NULL && n->kind == NAME_VALUE) {
    unsupported(r, j, "the shape of a value");
  } else if (n == NULL) {
    wrong(r, j, names_suggest(r, j->text), "unknown name \"%s\"", j->text);
  } else {
    wrong(r, j, "name a variable or a field of data", "\"%s\" has no shape to take", j->text);
  }
}

static void bind_shape(struct reader *r, struct json *j, struct manifest_variable *v) {
  v->has_shape = 1;
  if (j->type == JSON_STRING) {
    bind_shape_name(r, j, v);
    return;
  }
  if (j->type != JSON_LIST) {
    wrong(r, j, "", "shape must be a list of sizes or a name, not %s", written(r, j));
    return;
  }
  if (j->count > 6) {
    wrong(r, j, "", "a shape has at most 6 sizes");
    return;
  }
  v->shape = arena_alloc(r->arena, (j->count + 1) * sizeof *v->shape);
  for (size_t i = 0; i < j->count; i++) {
    if (is_integer(r, j->items[i], 1, "a size", &v->shape[i])) {
      v->shape_rank = i + 1;
    }
  }
}

static void bind_within(struct reader *r, struct json *j, struct manifest_variable *v) {
  size_t count = j->type == JSON_LIST ? j->count : 0;
  if (count == 0) {
    wrong(r, j, "write { \"box\": { \"min\": 0, \"max\": 1 } }", "\"within\" needs a set");
  }
  v->sets = arena_alloc(r->arena, (count + 1) * sizeof(struct application *));
  for (size_t i = 0; i < count; i++) {
    size_t mark = path_push_index(r, i);
    if (!j->items[i]->broken) {
      v->sets[v->set_count++] = bind_application(r, j->items[i], POSITION_SET, NULL);
    }
    path_pop(r, mark);
  }
}

static void bind_variable_key(struct reader *r, struct json *j, struct manifest_variable *v) {
  if (strcmp(j->key, "model") == 0) {
    v->model = bind_application(r, j, POSITION_MODEL, NULL);
  } else if (strcmp(j->key, "per") == 0) {
    bind_per(r, j, v);
  } else if (strcmp(j->key, "shape") == 0) {
    bind_shape(r, j, v);
  } else if (strcmp(j->key, "init") == 0) {
    v->init = bind_expr(r, j);
  } else if (strcmp(j->key, "within") == 0) {
    bind_within(r, j, v);
  } else if (strcmp(j->key, "about") == 0) {
    (void)is_text(r, j, "about");
  }
}

static void bind_variable(struct reader *r, struct json *j, struct manifest_variable *v) {
  static const char *const keys[] = {"model", "per", "shape", "init", "within", "about"};
  const char *what = arena_format(r->arena, "variable \"%s\"", j->key);
  *v = (struct manifest_variable){.name = j->key,
                                  .place = place_of_key(r, j),
                                  .per_data = -1,
                                  .per_level = -1,
                                  .shape_variable = -1,
                                  .shape_data = -1};
  if (j->broken || !is_object(r, j, what)) {
    return;
  }
  check_keys(r, j, keys, sizeof keys / sizeof *keys, what);
  for (size_t i = 0; i < j->count; i++) {
    size_t mark = path_push(r, j->items[i]->key);
    bind_variable_key(r, j->items[i], v);
    path_pop(r, mark);
  }
  if (v->model == NULL && v->init == NULL) {
    wrong_key(r, j, "write \"init\": the number or expression that it starts from",
              "%s is an array and has no \"init\"", what);
  }
  if (v->model != NULL && v->has_shape) {
    wrong_key(r, json_member(j, "shape"), "", "%s: a model brings its own shape", what);
  }
}

void bind_variables(struct reader *r) {
  size_t mark = path_push(r, "variables");
  struct json *all = section(r, "variables", 1);
  size_t count = all != NULL ? all->count : 0;
  r->m->variables = arena_alloc(r->arena, (count + 1) * sizeof *r->m->variables);
  r->m->variable_count = count;
  for (size_t i = 0; i < count; i++) {
    size_t inner = path_push(r, all->items[i]->key);
    bind_variable(r, all->items[i], &r->m->variables[i]);
    path_pop(r, inner);
  }
  path_pop(r, mark);
}

/* ---- values and objectives ---- */

void bind_values(struct reader *r) {
  size_t mark = path_push(r, "values");
  struct json *all = section(r, "values", 0);
  size_t count = all != NULL ? all->count : 0;
  r->m->values = arena_alloc(r->arena, (count + 1) * sizeof *r->m->values);
  r->m->value_count = count;
  for (size_t i = 0; i < count; i++) {
    struct json *j = all->items[i];
    size_t inner = path_push(r, j->key);
    r->m->values[i] = (struct manifest_value){j->key, place_of_key(r, j), bind_expr(r, j)};
    path_pop(r, inner);
  }
  path_pop(r, mark);
}

static void bind_objective(struct reader *r, struct json *j, struct manifest_objective *o) {
  size_t count = j->type == JSON_LIST ? j->count : 0;
  *o = (struct manifest_objective){.name = j->key, .place = place_of_key(r, j)};
  o->terms = arena_alloc(r->arena, (count + 1) * sizeof(struct expr *));
  o->term_count = count;
  if (count == 0) {
    wrong(r, j, "", "objective \"%s\" has no terms", j->key);
  }
  for (size_t i = 0; i < count; i++) {
    size_t mark = path_push_index(r, i);
    o->terms[i] = bind_expr(r, j->items[i]);
    path_pop(r, mark);
  }
}

void bind_objectives(struct reader *r) {
  size_t mark = path_push(r, "objectives");
  struct json *all = section(r, "objectives", 1);
  size_t count = all != NULL ? all->count : 0;
  r->m->objectives = arena_alloc(r->arena, (count + 1) * sizeof *r->m->objectives);
  r->m->objective_count = count;
  for (size_t i = 0; i < count; i++) {
    size_t inner = path_push(r, all->items[i]->key);
    bind_objective(r, all->items[i], &r->m->objectives[i]);
    path_pop(r, inner);
  }
  path_pop(r, mark);
}

/* Expressions: numbers, names, applications of functions, calls of models. */
#include <string.h>

#include "manifest/reader.h"

static struct expr *make(struct reader *r, const struct json *j, enum expr_kind kind, int index) {
  struct expr *e = arena_alloc(r->arena, sizeof *e);
  e->kind = kind;
  e->place = place_of(r, j);
  e->index = index;
  return e;
}

/* ---- what cannot be read, but mentions names ---- */

struct exprs {
  struct expr **items;
  size_t count;
};

static void append(struct reader *r, struct exprs *list, struct expr *e) {
  struct expr **items = arena_alloc(r->arena, (list->count + 1) * sizeof(struct expr *));
  if (list->count > 0) {
    memcpy(items, list->items, list->count * sizeof(struct expr *));
  }
  items[list->count++] = e;
  list->items = items;
}

static void mention_name(struct reader *r, const struct json *j, const char *text,
                         struct exprs *out) {
  static const enum expr_kind kinds[] = {EXPR_FIELD, EXPR_VARIABLE, EXPR_VALUE, EXPR_OBJECTIVE,
                                         EXPR_LEVEL};
  const char *rest = NULL;
  const struct name *n = names_find(r, text, &rest);
  if (n != NULL) {
    struct expr *e = make(r, j, kinds[n->kind], n->index);
    e->name = rest;
    append(r, out, e);
  }
}

static void mention_all(struct reader *r, const struct json *j, struct exprs *out) {
  if (j->type == JSON_STRING) {
    mention_name(r, j, j->text, out);
  }
  for (size_t i = 0; i < j->count; i++) {
    if (j->type == JSON_OBJECT) {
      mention_name(r, j->items[i], j->items[i]->key, out);
    }
    mention_all(r, j->items[i], out);
  }
}

struct expr *bind_mentions(struct reader *r, const struct json *j) {
  struct exprs found = {0};
  struct expr *e = make(r, j, EXPR_MENTIONS, -1);
  mention_all(r, j, &found);
  e->arguments = arena_alloc(r->arena, sizeof *e->arguments);
  e->argument_count = 1;
  e->arguments[0] =
      (struct argument){.place = e->place, .exprs = found.items, .expr_count = found.count};
  e->arguments[0].index = -1;
  return e;
}

/* ---- names ---- */

static struct expr *unknown(struct reader *r, const struct json *j) {
  return make(r, j, EXPR_UNKNOWN, -1);
}

static struct expr *bind_field(struct reader *r, struct json *j, const struct name *n,
                               const char *rest) {
  if (rest == NULL || rest[0] == '\0') {
    wrong(r, j, arena_format(r->arena, "write one of its fields, such as \"%s.x\"", n->name),
          "\"%s\" is data, not a value", n->name);
  }
  struct expr *e = make(r, j, EXPR_FIELD, n->index);
  e->name = rest;
  return e;
}

static struct expr *bind_variable(struct reader *r, struct json *j, const struct name *n,
                                  const char *rest) {
  struct expr *e = make(r, j, EXPR_VARIABLE, n->index);
  if (rest == NULL) {
    return e;
  }
  if (strcmp(rest, "gradient") == 0) {
    e->kind = EXPR_GRADIENT;
    if (r->context != CONTEXT_MEASURED) {
      wrong(r, j, "it can be measured, not trained on",
            "\"%s\" can stand in metrics and outputs only", j->text);
    }
  } else if (strcmp(rest, "all") == 0) {
    e->kind = EXPR_ALL;
    if (json_member(n->definition, "per") == NULL) {
      wrong(r, j, "", "\"%s\": %s has no copies (no \"per\")", j->text, n->name);
    }
  } else if (model_id(n->definition) == NULL) {
    wrong(r, j, arena_format(r->arena, "write \"%s\"", n->name),
          "the array \"%s\" has no part \"%s\"", n->name, rest);
  } else {
    e->name = rest;
  }
  return e;
}

/* The entry that a value's definition calls, if that has several outputs; else NULL. */
static const tier_entry *entry_with_outputs(struct reader *r, const struct json *definition) {
  struct callee c;
  const char *reason = NULL;
  const char *hint = NULL;
  if (definition->type != JSON_OBJECT || definition->count != 1 ||
      !callee_of_head(r, definition->items[0]->key, &c, &reason, &hint)) {
    return NULL;
  }
  return c.entry != NULL && c.entry->outputs != NULL ? c.entry : NULL;
}

static int has_output(const char *outputs, const char *name) {
  size_t n = strlen(name);
  for (const char *p = outputs; *p != '\0';) {
    size_t word = strcspn(p, " ");
    if (word == n && strncmp(p, name, n) == 0) {
      return 1;
    }
    p += word + (p[word] == ' ');
  }
  return 0;
}

static struct expr *bind_value(struct reader *r, struct json *j, const struct name *n,
                               const char *rest) {
  const tier_entry *entry = entry_with_outputs(r, n->definition);
  struct expr *e = make(r, j, EXPR_VALUE, n->index);
  e->name = rest;
  if (rest == NULL && entry != NULL) {
    wrong(r, j,
          arena_format(r->arena, "write \"%s.%.*s\"", n->name, (int)strcspn(entry->outputs, " "),
                       entry->outputs),
          "\"%s\" has several outputs: %s", n->name, entry->outputs);
  } else if (rest != NULL && entry != NULL && !has_output(entry->outputs, rest)) {
    wrong(r, j, arena_format(r->arena, "its outputs are %s", entry->outputs),
          "the value \"%s\" has no output \"%s\"", n->name, rest);
  } else if (rest != NULL && entry == NULL && !n->definition->broken) {
    wrong(r, j, arena_format(r->arena, "write \"%s\"", n->name),
          "the value \"%s\" has one output, without a name", n->name);
  }
  return e;
}

static struct expr *bind_level_field(struct reader *r, struct json *j, const struct name *n,
                                     const char *rest) {
  static const char *const fields[] = {"step", "progress", "loss", "gradient_norm"};
  struct expr *e = make(r, j, EXPR_LEVEL, n->index);
  e->name = rest;
  for (size_t i = 0; rest != NULL && i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(rest, fields[i]) == 0) {
      struct json at_value = *j;
      at_value.key_line = 0;
      unsupported(r, &at_value, arena_format(r->arena, "the field \"%s\" of a level", j->text));
      return e;
    }
  }
  wrong(r, j, rest != NULL ? did_you_mean(r, rest, fields, 4) : "",
        "\"%s\" is a level; its fields are step, progress, loss, gradient_norm", n->name);
  return e;
}

static struct expr *bind_name(struct reader *r, struct json *j) {
  const char *rest = NULL;
  const struct name *n = names_find(r, j->text, &rest);
  if (n == NULL) {
    wrong(r, j, names_suggest(r, j->text), "unknown name \"%s\"", j->text);
    return unknown(r, j);
  }
  switch (n->kind) {
    case NAME_DATA:
      return bind_field(r, j, n, rest);
    case NAME_VARIABLE:
      return bind_variable(r, j, n, rest);
    case NAME_VALUE:
      return bind_value(r, j, n, rest);
    case NAME_LEVEL:
      return bind_level_field(r, j, n, rest);
    case NAME_OBJECTIVE:
      break;
  }
  if (rest != NULL) {
    wrong(r, j, arena_format(r->arena, "write \"%s\"", n->name),
          "the objective \"%s\" has no part \"%s\"", n->name, rest);
  }
  return make(r, j, EXPR_OBJECTIVE, n->index);
}

/* ---- vectors ---- */

static struct expr *bind_vector(struct reader *r, struct json *j) {
  struct expr *e = make(r, j, EXPR_NUMBERS, -1);
  e->numbers = arena_alloc(r->arena, (j->count + 1) * sizeof(double));
  e->number_count = j->count;
  if (j->count == 0) {
    wrong(r, j, "", "a vector needs at least one number");
  }
  for (size_t i = 0; i < j->count; i++) {
    if (j->items[i]->type != JSON_NUMBER) {
      wrong(r, j->items[i], "a list in the place of one expression is a vector of numbers",
            "expected a number, found %s", written(r, j->items[i]));
    }
    e->numbers[i] = j->items[i]->number;
  }
  return e;
}

/* ---- applications and calls ---- */

static struct expr *bind_call(struct reader *r, struct json *j, const struct callee *c) {
  struct json *arguments = j->items[0];
  struct expr *e = make(r, j, EXPR_CALL, c->variable);
  struct json *with = json_member(arguments, "with");
  e->place = place_of_key(r, arguments);
  e->entry = c->entry;
  e->name = c->entry == c->component->c.entries ? NULL : c->entry->name;
  size_t mark = path_push(r, arguments->key);
  e->place.path = arena_text(r->arena, text_get(&r->path));
  bind_arguments(r, c, arguments, &e->arguments, &e->argument_count);
  if (with != NULL) {
    (void)path_push(r, "with");
    e->with = bind_expr(r, with);
  }
  path_pop(r, mark);
  return e;
}

/* Calls with several outputs must stand alone in `values`: "values.NAME" is a path of one dot. */
static void check_outputs(struct reader *r, struct json *j, const struct callee *c) {
  const char *path = text_get(&r->path);
  int named = strncmp(path, "values.", 7) == 0 && strchr(path + 7, '.') == NULL;
  if (c->entry->outputs != NULL && !named) {
    wrong_key(
        r, j->items[0],
        arena_format(r->arena, "write it in values, say as \"code\", and read \"code.%.*s\" here",
                     (int)strcspn(c->entry->outputs, " "), c->entry->outputs),
        "%s has several outputs: %s", j->items[0]->key, c->entry->outputs);
  }
}

static struct expr *bind_applied(struct reader *r, struct json *j) {
  struct callee c;
  const char *reason = NULL;
  const char *hint = NULL;
  if (j->count != 1 || j->items[0]->broken ||
      !callee_of_head(r, j->items[0]->key, &c, &reason, &hint)) {
    return bind_mentions(r, j);
  }
  if (c.entry != NULL) {
    check_outputs(r, j, &c);
    return bind_call(r, j, &c);
  }
  if (strcmp(c.component->c.kind, "metric") == 0) {
    wrong_key(r, j->items[0], "a metric stands alone, as a member of metrics",
              "%s is a metric, not a function", c.id);
    return bind_mentions(r, j);
  }
  struct expr *e = make(r, j, EXPR_APPLY, -1);
  e->application = bind_application(r, j, POSITION_FUNCTION, NULL);
  e->place = e->application->place;
  return e;
}

struct expr *bind_expr(struct reader *r, struct json *j) {
  if (j->broken) {
    return bind_mentions(r, j);
  }
  switch (j->type) {
    case JSON_NUMBER: {
      struct expr *e = make(r, j, EXPR_NUMBER, -1);
      e->numbers = arena_copy(r->arena, &j->number, sizeof(double));
      e->number_count = 1;
      return e;
    }
    case JSON_STRING:
      return bind_name(r, j);
    case JSON_LIST:
      return bind_vector(r, j);
    case JSON_OBJECT:
      return bind_applied(r, j);
    default:
      wrong(r, j, "", "expected a number, a name or an application, found %s", written(r, j));
      return unknown(r, j);
  }
}

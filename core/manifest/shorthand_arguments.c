/* Arguments: which slot a bare one goes to, and what stands in each slot. */
#include <string.h>

#include "base/error.h"
#include "manifest/shorthand.h"

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
  struct json *object = node_wrap(r, arguments, c->slots[0].name);
  object->origin = origin;
  return object;
}

static struct json *slot_value(struct reader *r, const tier_slot *s, struct json *j) {
  switch (s->type) {
    case TIER_SLOT_EXPRESSION:
      return write_expression(r, j);
    case TIER_SLOT_NUMBER:
      return (s->flags & TIER_SLOT_DIFFERENTIABLE) != 0 && j->type != JSON_BOOLEAN
                 ? write_expression(r, j)
                 : j;
    case TIER_SLOT_EXPRESSIONS:
      return read_elements(r, node_listed(r, j), write_expression);
    case TIER_SLOT_DATA:
      return write_source(r, j);
    case TIER_SLOT_DATA_LIST:
      return read_elements(r, node_listed(r, j), write_source);
    case TIER_SLOT_NUMBERS:
    case TIER_SLOT_INTEGERS:
    case TIER_SLOT_TEXTS:
      return s->type != TIER_SLOT_TEXTS && j->type == JSON_STRING ? j : node_listed(r, j);
    case TIER_SLOT_APPLICATION:
      return write_application(r, j, position_of_kind(s->choices), s->choices);
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
      object->items[i] = write_expression(r, item);
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
void write_out_arguments(struct reader *r, const struct callee *c, struct json *node) {
  struct json *old = node->items[0];
  const char *key = old->key;
  size_t mark = path_push(r, key);
  struct json *new = arguments_of(r, c, old);
  new->key = key;
  node->items[0] = new;
  path_pop(r, mark);
}

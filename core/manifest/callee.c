/* What takes arguments: components, and the entries of model variables. */
#include <string.h>

#include "manifest/reader.h"

const tier_slot *callee_slot(const struct callee *c, const char *name) {
  for (uint32_t i = 0; i < c->slot_count; i++) {
    if (strcmp(c->slots[i].name, name) == 0) {
      return &c->slots[i];
    }
  }
  return NULL;
}

int slot_takes_expression(const tier_slot *s) {
  return s->type == TIER_SLOT_EXPRESSION || s->type == TIER_SLOT_EXPRESSIONS ||
         (s->type == TIER_SLOT_NUMBER && (s->flags & TIER_SLOT_DIFFERENTIABLE) != 0);
}

void callee_of_component(const struct component *c, struct callee *out) {
  *out = (struct callee){.id = c->c.id,
                         .slots = c->c.slots,
                         .slot_count = c->c.slot_count,
                         .extra = "stream",
                         .component = c,
                         .variable = -1};
}

/* ---- components by id ---- */

/* A plugin file with the name of the id that was found and refused. */
static const struct registry_refusal *refused(const struct reader *r, const char *id) {
  for (size_t i = 0;; i++) {
    const struct registry_refusal *f = registry_refused(r->registry, i);
    if (f == NULL) {
      return NULL;
    }
    const char *base = strrchr(f->path, '/');
    base = base != NULL ? base + 1 : f->path;
    base += strncmp(base, "lib", 3) == 0 ? 3 : 0;
    size_t n = strlen(id);
    if (strncmp(base, id, n) == 0 && strcmp(base + n, ".so") == 0) {
      return f;
    }
  }
}

static const char *nearest_id(struct reader *r, enum position position, const char *kind,
                              const char *id) {
  size_t all = 0;
  size_t count = 0;
  const char *const *names = registry_names(r->registry, position, &all);
  const char **fitting = arena_alloc(r->arena, (all + 1) * sizeof *fitting);
  for (size_t i = 0; i < all; i++) {
    const struct component *c = registry_find(r->registry, position, names[i]);
    if (kind == NULL || (c != NULL && strcmp(c->c.kind, kind) == 0)) {
      fitting[count++] = names[i];
    }
  }
  const char *hint = did_you_mean(r, id, fitting, count);
  return hint[0] != '\0' ? hint : "`tier list` shows what there is";
}

/* An id that stands in another position: "adam is an optimizer". */
static const char *elsewhere(struct reader *r, const char *id) {
  for (int p = 0; p < POSITION_COUNT; p++) {
    const struct component *c = registry_find(r->registry, (enum position)p, id);
    if (c != NULL) {
      return arena_format(r->arena, " (\"%s\" is %s)", id, with_article(r, c->c.kind));
    }
  }
  const struct name *n = names_find(r, id, NULL);
  return n != NULL && strcmp(n->name, id) == 0
             ? arena_format(r->arena, " (it is %s)", kind_text(n->kind))
             : "";
}

const struct component *component_find(struct reader *r, enum position position, const char *kind,
                                       const char *id, const char **reason, const char **hint) {
  const struct component *c = registry_find(r->registry, position, id);
  static const char *const nouns[POSITION_COUNT] = {"dataset or transform",
                                                    "model",
                                                    "function",
                                                    "optimizer",
                                                    "estimator",
                                                    "solver",
                                                    "set",
                                                    "writer"};
  const char *noun = kind != NULL ? kind : nouns[position];
  *reason = NULL;
  *hint = "";
  if (c != NULL && (kind == NULL || strcmp(c->c.kind, kind) == 0)) {
    return c;
  }
  const struct registry_refusal *f = refused(r, id);
  *reason = arena_format(r->arena, "no %s \"%s\"%s", kind_noun(r, noun), id, elsewhere(r, id));
  *hint = nearest_id(r, position, kind, id);
  if (c != NULL && strcmp(c->c.kind, "transform") == 0) {
    *hint = arena_format(r->arena, "write [data, { \"%s\": ... }]: a transform needs data", id);
  }
  if (f != NULL && r->diagnostics != NULL) {
    r->refused_plugin = 1;
    *hint = arena_format(r->arena, "%s was found and refused: %s", f->path, f->reason);
  }
  return NULL;
}

/* ---- calls ---- */

static const tier_entry *entry_of(const struct component *c, const char *name) {
  for (uint32_t i = 0; i < c->c.entry_count; i++) {
    if (name == NULL || strcmp(c->c.entries[i].name, name) == 0) {
      return &c->c.entries[i];
    }
  }
  return NULL;
}

static int callee_of_variable(struct reader *r, const struct name *n, const char *entry,
                              struct callee *out, const char **reason, const char **hint) {
  const char *id = model_id(n->definition);
  const struct component *c = id != NULL ? registry_find(r->registry, POSITION_MODEL, id) : NULL;
  if (id == NULL) {
    *reason =
        arena_format(r->arena, "\"%s\" is an array, not a model: it cannot be applied", n->name);
    return 0;
  }
  if (c == NULL) {
    *reason = ""; /* the model's own reading says that it is unknown */
    return 0;
  }
  const tier_entry *e = entry_of(c, entry);
  if (e == NULL) {
    *reason = arena_format(r->arena, "the model %s has no entry \"%s\"", c->c.id,
                           entry != NULL ? entry : "forward");
    const char **names = arena_alloc(r->arena, (c->c.entry_count + 1) * sizeof *names);
    for (uint32_t i = 0; i < c->c.entry_count; i++) {
      names[i] = c->c.entries[i].name;
    }
    *hint = entry != NULL ? did_you_mean(r, entry, names, c->c.entry_count) : "";
    if ((*hint)[0] == '\0' && c->c.entry_count > 0) {
      *hint = arena_format(r->arena, "write \"%s\" or \"%s.%s\"", n->name, n->name, names[0]);
    }
    return 0;
  }
  *out = (struct callee){.id = n->name,
                         .slots = e->slots,
                         .slot_count = e->slot_count,
                         .extra = "with",
                         .component = c,
                         .entry = e,
                         .variable = n->index};
  return 1;
}

int callee_of_head(struct reader *r, const char *head, struct callee *out, const char **reason,
                   const char **hint) {
  const char *rest = NULL;
  const struct name *n = names_find(r, head, &rest);
  *reason = NULL;
  *hint = "";
  if (n != NULL && n->kind == NAME_VARIABLE && (rest != NULL || model_id(n->definition) != NULL)) {
    return callee_of_variable(r, n, rest, out, reason, hint);
  }
  const struct component *c = registry_find(r->registry, POSITION_FUNCTION, head);
  if (c != NULL) {
    callee_of_component(c, out);
    return 1;
  }
  if (n != NULL && n->kind == NAME_VARIABLE) {
    return callee_of_variable(r, n, rest, out, reason, hint);
  }
  if (n != NULL) {
    *reason =
        arena_format(r->arena, "\"%s\" is %s: it cannot be applied", n->name, kind_text(n->kind));
    return 0;
  }
  (void)component_find(r, POSITION_FUNCTION, NULL, head, reason, hint);
  *reason = arena_format(r->arena, "%s, and no model variable has that name", *reason);
  return 0;
}

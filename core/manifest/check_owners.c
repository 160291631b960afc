/* Checks on who moves which variable, and on `each`. */
#include <string.h>

#include "manifest/reads.h"

struct json *level_definition(const struct reader *r, int level) {
  for (size_t i = 0; i < r->name_count; i++) {
    if (r->names[i].kind == NAME_LEVEL && r->names[i].index == level) {
      return r->names[i].definition;
    }
  }
  return NULL;
}

const char *over_text(struct reader *r, const struct manifest_over *o) {
  const char *name = r->m->variables[o->variable].name;
  return o->part == NULL ? name : arena_format(r->arena, "%s.%s", name, o->part);
}

static struct place over_place(struct reader *r, int level, const struct manifest_over *o) {
  const struct json *j = level_definition(r, level);
  const struct json *over = json_member(j, "over");
  struct place p = r->m->levels[level].place;
  for (size_t i = 0; over != NULL && over->type == JSON_LIST && i < over->count; i++) {
    const struct json *item = over->items[i];
    if (item->type == JSON_STRING && strcmp(item->text, over_text(r, o)) == 0) {
      p.file = item->file;
      p.line = item->line;
      p.column = item->column;
    }
  }
  p.path = arena_format(r->arena, "levels.%s.over", r->m->levels[level].name);
  return p;
}

/* ---- owners ---- */

/* Whether one part is the other, or holds it: "head" holds "head.bias"; NULL is the whole. */
static int parts_meet(const char *a, const char *b) {
  if (a == NULL || b == NULL) {
    return 1;
  }
  size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
  return strncmp(a, b, n) == 0 && (a[n] == '\0' || a[n] == '.') && (b[n] == '\0' || b[n] == '.');
}

static void check_owner(struct reader *r, int level, size_t i) {
  const struct manifest_level *levels = r->m->levels;
  const struct manifest_over *o = &levels[level].over[i];
  for (int k = 0; k <= level; k++) {
    size_t count = k == level ? i : levels[k].over_count;
    if (r->phase_of_level[k] != r->phase_of_level[level]) {
      continue;
    }
    for (size_t n = 0; n < count; n++) {
      const struct manifest_over *other = &levels[k].over[n];
      if (other->variable == o->variable && parts_meet(other->part, o->part)) {
        struct place p = over_place(r, level, o);
        wrong_place(r, &p, "one level moves a variable, the others read it",
                    "level %s: \"%s\" is already moved by level %s", levels[level].name,
                    over_text(r, o), levels[k].name);
        return;
      }
    }
  }
}

static void check_per(struct reader *r, int level, const struct manifest_over *o) {
  if (r->m->variables[o->variable].per_level == level) {
    struct place p = over_place(r, level, o);
    wrong_place(r, &p, "move it in a later level",
                "level %s cannot move \"%s\", which has one copy for each of its steps",
                r->m->levels[level].name, over_text(r, o));
  }
}

/* A variable with a copy for each step of a level needs to know how many there are. */
static void check_step_copies(struct reader *r) {
  for (size_t i = 0; i < r->m->variable_count; i++) {
    const struct manifest_variable *v = &r->m->variables[i];
    const struct manifest_level *l = v->per_level >= 0 ? &r->m->levels[v->per_level] : NULL;
    if (l != NULL && (l->epochs > 0 || l->steps < 1)) {
      wrong_place(r, &v->place, "write \"steps\" there",
                  "variable \"%s\" is per step of level %s, which has no fixed \"steps\"", v->name,
                  l->name);
    }
  }
}

void check_owners(struct reader *r) {
  for (int level = 0; level < (int)r->m->level_count; level++) {
    for (size_t i = 0; i < r->m->levels[level].over_count; i++) {
      check_owner(r, level, i);
      check_per(r, level, &r->m->levels[level].over[i]);
    }
  }
  check_step_copies(r);
}

/* ---- `each`: one problem for each member of what the parent draws ---- */

static void check_each_level(struct reader *r, const struct level_reads *reads, int level,
                             struct json *each) {
  const struct manifest_level *l = &r->m->levels[level];
  const struct name *n = names_find_kind(r, each->text, NAME_DATA);
  if (n == NULL) {
    return;
  }
  if (l->parent < 0) {
    wrong(r, each, "put a level that draws members of it above",
          "level %s is the top level: \"each\" needs a parent", l->name);
    return;
  }
  const struct reads *parent = &reads[l->parent].objective;
  if (!parent->data[n->index] && !parent->unknown) {
    wrong(r, each, "", "level %s: its parent %s draws no rows of \"%s\"", l->name,
          r->m->levels[l->parent].name, n->name);
  }
  for (size_t i = 0; i < l->over_count; i++) {
    const struct manifest_variable *v = &r->m->variables[l->over[i].variable];
    if (v->per_data != n->index) {
      struct place p = over_place(r, level, &l->over[i]);
      wrong_place(r, &p, arena_format(r->arena, "give it \"per\": \"%s\"", n->name),
                  "level %s: \"%s\" has no copy for each member of \"%s\"", l->name, v->name,
                  n->name);
    }
  }
}

void check_each(struct reader *r, const struct level_reads *reads) {
  for (int i = 0; i < (int)r->m->level_count; i++) {
    struct json *each = json_member(level_definition(r, i), "each");
    if (each != NULL && each->type == JSON_STRING) {
      check_each_level(r, reads, i, each);
    }
  }
}

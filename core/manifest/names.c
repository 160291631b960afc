/* The one namespace of a manifest: data, variables, values, objectives and levels. */
#include <ctype.h>
#include <string.h>

#include "manifest/reader.h"

static const char *const sections[] = {"data", "variables", "values", "objectives"};

const char *kind_text(enum name_kind kind) {
  static const char *const texts[] = {"data", "a variable", "a value", "an objective", "a level"};
  return texts[kind];
}

/* The lists of levels: `levels`, or those of each phase. */
static const struct json *level_list(const struct json *root, size_t i) {
  const struct json *phases = json_member(root, "phases");
  if (phases == NULL || phases->type != JSON_LIST) {
    return i == 0 ? json_member(root, "levels") : NULL;
  }
  return i < phases->count ? json_member(phases->items[i], "levels") : NULL;
}

static size_t level_lists(const struct json *root) {
  const struct json *phases = json_member(root, "phases");
  return phases != NULL && phases->type == JSON_LIST ? phases->count : 1;
}

static size_t count_names(const struct json *root) {
  size_t count = 0;
  for (size_t i = 0; i < 4; i++) {
    const struct json *section = json_member(root, sections[i]);
    count += section != NULL && section->type == JSON_OBJECT ? section->count : 0;
  }
  for (size_t i = 0; i < level_lists(root); i++) {
    const struct json *list = level_list(root, i);
    count += list != NULL && list->type == JSON_LIST ? list->count : 0;
  }
  return count;
}

static void collect_levels(struct reader *r) {
  int index = 0;
  for (size_t i = 0; i < level_lists(r->root); i++) {
    const struct json *list = level_list(r->root, i);
    for (size_t k = 0; list != NULL && list->type == JSON_LIST && k < list->count; k++, index++) {
      const struct json *name = json_member(list->items[k], "name");
      const char *text = name != NULL && name->type == JSON_STRING ? name->text : "";
      r->phase_of_level[index] = (int)i;
      r->names[r->name_count++] = (struct name){text, NAME_LEVEL, index, list->items[k]};
    }
  }
}

void names_collect(struct reader *r) {
  size_t count = count_names(r->root) + 1;
  r->names = arena_alloc(r->arena, count * sizeof *r->names);
  r->phase_of_level = arena_alloc(r->arena, count * sizeof *r->phase_of_level);
  r->name_count = 0;
  for (int i = 0; i < 4; i++) {
    const struct json *section = json_member(r->root, sections[i]);
    for (size_t k = 0; section != NULL && section->type == JSON_OBJECT && k < section->count; k++) {
      r->names[r->name_count++] =
          (struct name){section->items[k]->key, (enum name_kind)i, (int)k, section->items[k]};
    }
  }
  collect_levels(r);
}

const struct name *names_find(const struct reader *r, const char *dotted, const char **rest) {
  size_t length = strcspn(dotted, ".");
  if (rest != NULL) {
    *rest = dotted[length] == '.' ? dotted + length + 1 : NULL;
  }
  for (size_t i = 0; i < r->name_count; i++) {
    const char *name = r->names[i].name;
    if (length > 0 && strncmp(name, dotted, length) == 0 && name[length] == '\0') {
      return &r->names[i];
    }
  }
  return NULL;
}

const struct name *names_find_kind(const struct reader *r, const char *name, enum name_kind kind) {
  for (size_t i = 0; i < r->name_count; i++) {
    if (r->names[i].kind == kind && strcmp(r->names[i].name, name) == 0) {
      return &r->names[i];
    }
  }
  return NULL;
}

const char *names_suggest_kind(struct reader *r, const char *name, int kind) {
  const char **candidates = arena_alloc(r->arena, (r->name_count + 1) * sizeof *candidates);
  size_t count = 0;
  for (size_t i = 0; i < r->name_count; i++) {
    if ((kind < 0 || (int)r->names[i].kind == kind) && strcmp(r->names[i].name, name) != 0) {
      candidates[count++] = r->names[i].name;
    }
  }
  return did_you_mean(r, name, candidates, count);
}

const char *names_suggest(struct reader *r, const char *name) {
  size_t length = strcspn(name, ".");
  const char *hint = names_suggest_kind(r, arena_text_n(r->arena, name, length), -1);
  if (hint[0] != '\0' || name[length] != '\0') {
    return hint;
  }
  if (registry_find(r->registry, POSITION_FUNCTION, name) != NULL) {
    return arena_format(r->arena, "\"%s\" is a function: write { \"%s\": ... }", name, name);
  }
  return "";
}

int name_index(struct reader *r, struct json *j, enum name_kind kind) {
  const char *what = kind_text(kind);
  if (j->broken) {
    return -1;
  }
  if (j->type != JSON_STRING) {
    wrong(r, j, "", "expected the name of %s, found %s", what, written(r, j));
    return -1;
  }
  const struct name *n = names_find_kind(r, j->text, kind);
  if (n != NULL) {
    return n->index;
  }
  const struct name *other = names_find(r, j->text, NULL);
  if (other != NULL && strcmp(other->name, j->text) == 0) {
    wrong(r, j, names_suggest_kind(r, j->text, (int)kind), "\"%s\" is %s, not %s", j->text,
          kind_text(other->kind), what);
  } else {
    const char *noun = kind == NAME_DATA ? "data" : strchr(what, ' ') + 1;
    wrong(r, j, names_suggest_kind(r, j->text, (int)kind), "no %s \"%s\"", noun, j->text);
  }
  return -1;
}

/* ---- models ---- */

static int is_variable_key(const char *key) {
  static const char *const keys[] = {"model", "per", "shape", "init", "within", "about"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (strcmp(key, keys[i]) == 0) {
      return 1;
    }
  }
  return 0;
}

const char *model_id(const struct json *definition) {
  const struct json *model = json_member(definition, "model");
  if (model == NULL && definition->type == JSON_OBJECT && definition->count == 1 &&
      !is_variable_key(definition->items[0]->key)) {
    model = definition;
  }
  if (definition->type == JSON_STRING) {
    model = definition;
  }
  if (model == NULL) {
    return NULL;
  }
  if (model->type == JSON_OBJECT && model->count == 1) {
    return model->items[0]->key;
  }
  return model->type == JSON_STRING ? model->text : "";
}

/* ---- checks ---- */

int is_reserved(const char *name) {
  static const char *const words[] = {"per",  "shape",    "init",  "model", "within",
                                      "all",  "gradient", "value", "on",    "after",
                                      "each", "every",    "with",  "stream"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (strcmp(name, words[i]) == 0) {
      return 1;
    }
  }
  return 0;
}

int is_name(const char *name) {
  if (!isalpha((unsigned char)name[0])) {
    return 0;
  }
  for (const char *p = name; *p != '\0'; p++) {
    if (!isalnum((unsigned char)*p) && *p != '_') {
      return 0;
    }
  }
  return 1;
}

/* An earlier name that this one collides with. A level's may recur in another phase. */
static const struct name *collision(const struct reader *r, size_t i) {
  const struct name *n = &r->names[i];
  for (size_t k = 0; k < i; k++) {
    const struct name *other = &r->names[k];
    int other_phase = n->kind == NAME_LEVEL && other->kind == NAME_LEVEL &&
                      r->phase_of_level[n->index] != r->phase_of_level[other->index];
    if (strcmp(n->name, other->name) == 0 && !other_phase) {
      return other;
    }
  }
  return NULL;
}

/* Where the name itself is written: the key, or the value of a level's `name`. */
static struct json *name_place(const struct name *n) {
  struct json *written_at = n->kind == NAME_LEVEL ? json_member(n->definition, "name") : NULL;
  return written_at != NULL ? written_at : n->definition;
}

static void check_name(struct reader *r, size_t i) {
  const struct name *n = &r->names[i];
  struct json copy = *name_place(n);
  const struct name *other = collision(r, i);
  if (n->kind == NAME_LEVEL) {
    copy.key_line = 0;
  }
  copy.broken = 0;
  if (n->name[0] == '\0' && n->kind == NAME_LEVEL) {
    return; /* the level's own reading says that the name is missing */
  }
  if (!is_name(n->name)) {
    wrong_key(r, &copy, "", "\"%s\" is not a name: letters, digits and _, a letter first", n->name);
  } else if (is_reserved(n->name)) {
    wrong_key(r, &copy, "choose another name", "\"%s\" is a word of the manifest's grammar",
              n->name);
  } else if (other != NULL) {
    wrong_key(r, &copy, "data, variables, values, objectives and levels share one namespace",
              "\"%s\" is already %s (line %d)", n->name, kind_text(other->kind),
              name_place(other)->line);
  } else if (n->kind == NAME_VARIABLE && model_id(n->definition) != NULL &&
             registry_find(r->registry, POSITION_FUNCTION, n->name) != NULL) {
    warn_at(r, &copy, "", "the variable \"%s\" hides the function of that name", n->name);
  }
}

void names_check(struct reader *r) {
  for (size_t i = 0; i < r->name_count; i++) {
    const struct name *n = &r->names[i];
    const char *section = n->kind == NAME_LEVEL ? "levels" : sections[n->kind];
    size_t mark = path_push(r, section);
    (void)path_push(r, n->name);
    check_name(r, i);
    path_pop(r, mark);
  }
}

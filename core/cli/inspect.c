/* tier inspect: a component, a plugin file, or a run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/session.h"
#include "run/directory.h"

/* ---- components ---- */

static const char *type_name(int32_t type) {
  static const char *const names[] = {
      "?",        "expression",    "expressions", "number",      "numbers", "integer",
      "integers", "true or false", "text",        "path",        "data",    "list of data",
      "level",    "objective",     "variable",    "application", "texts"};
  return type > 0 && (size_t)type < sizeof names / sizeof names[0] ? names[type] : "?";
}

static char *range_text(const tier_slot *s) {
  struct text t = {0};
  char number[32];
  if (s->choices != NULL) {
    text_add(&t, s->choices);
  } else if (s->minimum != 0 || s->maximum != 0) {
    text_number(s->minimum, number);
    text_format(&t, "%s%s, ", s->flags & TIER_SLOT_OPEN_MINIMUM ? "(" : "[",
                isinf(s->minimum) ? "-inf" : number);
    text_number(s->maximum, number);
    text_format(&t, "%s%s", isinf(s->maximum) ? "inf" : number,
                s->flags & TIER_SLOT_OPEN_MAXIMUM ? ")" : "]");
  }
  return t.data != NULL ? t.data : memory_copy_text("");
}

static void table_slots(struct table *t, const tier_slot *slots, uint32_t count) {
  static const char *const head[] = {"slot", "type", "default", "range", "unit", "what it is"};
  for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
    table_text(t, head[i]);
  }
  table_end_head(t);
  for (uint32_t i = 0; i < count; i++) {
    const tier_slot *s = &slots[i];
    char *range = range_text(s);
    int any_expression = s->type == TIER_SLOT_NUMBER && (s->flags & TIER_SLOT_DIFFERENTIABLE);
    table_text(t, s->name);
    table_text(t, any_expression ? "expression" : type_name(s->type));
    table_text(t, s->flags & TIER_SLOT_REQUIRED ? "required"
                  : s->fallback != NULL         ? s->fallback
                                                : "none");
    table_text(t, range);
    table_text(t, s->unit != NULL ? s->unit : "");
    table_text(t, s->doc);
    free(range);
  }
}

static struct json *slots_json(struct arena *a, const tier_slot *slots, uint32_t count) {
  struct json *list = json_make(a, JSON_LIST);
  for (uint32_t i = 0; i < count; i++) {
    const tier_slot *s = &slots[i];
    struct json *j = json_make(a, JSON_OBJECT);
    char *range = range_text(s);
    put_text(a, j, "name", s->name);
    put_text(a, j, "type", type_name(s->type));
    put_flag(a, j, "required", (s->flags & TIER_SLOT_REQUIRED) != 0);
    put_flag(a, j, "differentiable", (s->flags & TIER_SLOT_DIFFERENTIABLE) != 0);
    put_text(a, j, "default", s->fallback);
    put_text(a, j, "range", range);
    put_text(a, j, "unit", s->unit);
    put_text(a, j, "doc", s->doc);
    json_append(a, list, j);
    free(range);
  }
  return list;
}

static struct json *component_json(struct arena *a, const struct component *c) {
  struct json *j = json_make(a, JSON_OBJECT);
  struct json *entries = json_make(a, JSON_LIST);
  put_text(a, j, "kind", c->c.kind);
  put_text(a, j, "id", c->c.id);
  put_text(a, j, "summary", c->c.summary);
  put_text(a, j, "plugin", c->plugin->name);
  put_text(a, j, "file", c->plugin->path);
  json_set(a, j, "slots", slots_json(a, c->c.slots, c->c.slot_count));
  for (uint32_t i = 0; i < c->c.entry_count; i++) {
    const tier_entry *e = &c->c.entries[i];
    struct json *entry = json_make(a, JSON_OBJECT);
    put_text(a, entry, "name", e->name);
    put_text(a, entry, "doc", e->doc);
    put_text(a, entry, "outputs", e->outputs);
    json_set(a, entry, "slots", slots_json(a, e->slots, e->slot_count));
    json_append(a, entries, entry);
  }
  json_set(a, j, "entries", entries);
  return j;
}

static void print_component(const struct component *c) {
  struct table t = {0};
  (void)printf("%s %s: %s\n%s\n", c->c.kind, c->c.id, c->c.summary, c->plugin->path);
  if (c->c.slot_count > 0) {
    (void)printf("\n");
    table_slots(&t, c->c.slots, c->c.slot_count);
    table_print(&t, stdout);
  }
  for (uint32_t i = 0; i < c->c.entry_count; i++) {
    const tier_entry *e = &c->c.entries[i];
    struct table inputs = {0};
    (void)printf("\nentry %s: %s%s%s\n", e->name, e->doc, e->outputs != NULL ? "; gives " : "",
                 e->outputs != NULL ? e->outputs : "");
    table_slots(&inputs, e->slots, e->slot_count);
    table_print(&inputs, stdout);
  }
}

static int unknown_component(const struct session *s, const char *id) {
  const char **names = NULL;
  size_t count = 0;
  size_t capacity = 0;
  const struct component *c = NULL;
  for (size_t i = 0; (c = registry_component(s->registry, i)) != NULL; i++) {
    array_push(names, count, capacity, c->c.id);
  }
  int64_t nearest = text_nearest(id, names, count);
  (void)fprintf(stderr, "tier: no component \"%s\"", id);
  if (nearest >= 0) {
    (void)fprintf(stderr, "; did you mean \"%s\"?", names[nearest]);
  }
  (void)fprintf(stderr, " (tier list shows them; a plugin file or a run is given by its path)\n");
  free(names);
  return error_exit_code(TIER_E_INVALID);
}

/* Components `first` to `first + count` whose id is `id` (NULL: any); how many were printed. */
static size_t print_components(const struct session *s, size_t first, size_t count,
                               const char *id) {
  struct arena *a = arena_new();
  struct json *list = json_make(a, JSON_LIST);
  const struct component *c = NULL;
  for (size_t i = first; i - first < count && (c = registry_component(s->registry, i)) != NULL;
       i++) {
    if (id != NULL && strcmp(id, c->c.id) != 0) {
      continue;
    }
    json_append(a, list, component_json(a, c));
    if (!s->options->json) {
      (void)printf("%s", list->count > 1 ? "\n" : "");
      print_component(c);
    }
  }
  size_t printed = list->count;
  if (s->options->json && printed > 0) {
    struct json *document = json_make(a, JSON_OBJECT);
    json_set(a, document, "components", list);
    print_json(document);
  }
  arena_free(a);
  return printed;
}

static int inspect_plugin(struct session *s, const char *path) {
  size_t first = 0;
  size_t count = 0;
  int32_t status = registry_load_file(s->registry, path, &first, &count);
  if (status != TIER_OK) {
    return print_failure(status);
  }
  const struct component *c = registry_component(s->registry, first);
  if (!s->options->json && c != NULL) {
    (void)printf("plugin %s %s, %s\nsha256 %s\n\n", c->plugin->name, c->plugin->version,
                 c->plugin->licence, plugin_hash(c->plugin));
  }
  (void)print_components(s, first, count, NULL);
  return 0;
}

/* ---- runs ---- */

static void print_members(const char *title, const struct json *object) {
  if (object != NULL && object->count > 0) {
    (void)printf("\n%s\n", title);
    for (size_t i = 0; i < object->count; i++) {
      const char *key = object->items[i]->key;
      (void)printf("  %-24s %.10g\n", key, number_at(object, key)); /* null, not finite: nan */
    }
  }
}

static void print_run(const char *path, const struct json *state, const struct json *provenance) {
  const struct json *machine = json_member(provenance, "machine");
  const struct json *blas = json_member(provenance, "blas");
  const char *kernels = json_text_at(blas, "kernels");
  const char *status = json_text_at(state, "status");
  int killed = strcmp(status, "running") == 0 && !run_directory_is_locked(path);
  (void)printf(
      "%s\n%s (%s), variant %s, seed %.0f, identity %s\n", path, killed ? "killed" : status,
      killed ? "before its end" : json_text_at(state, "reason"), json_text_at(state, "variant"),
      number_at(state, "seed"), json_text_at(state, "identity"));
  if (json_member(state, "steps") != NULL) {
    (void)printf("%.0f steps in %.2f s (%.2f s in lower solves, %.2f s in pullbacks)\n",
                 number_at(state, "steps"), number_at(state, "seconds"),
                 number_at(state, "solve_seconds"), number_at(state, "pullback_seconds"));
  }
  if (json_text_at(machine, "cpu")[0] != '\0') {
    (void)printf("%s, %s%s, %.0f thread(s), %s, started %s\n", json_text_at(machine, "cpu"),
                 kernels[0] != '\0' ? kernels : "no BLAS", kernels[0] != '\0' ? " kernels" : "",
                 number_at(machine, "threads"), json_text_at(provenance, "dtype"),
                 json_text_at(provenance, "started"));
  }
  print_members("metrics at the end", json_member(state, "metrics"));
  print_members("oracle calls", json_member(state, "oracle"));
}

static int inspect_run(const struct options *o, const char *path) {
  struct json *state = NULL;
  struct json *provenance = NULL;
  struct arena *a = arena_new();
  int code = 0;
  int32_t status = run_directory_state(a, path, &state);
  if (status != TIER_OK) {
    code = print_failure(
        status == TIER_E_MISSING ? error_context(status, "%s is no run directory", path) : status);
  } else {
    if (run_directory_read(a, path, "provenance.json", &provenance) != TIER_OK) {
      error_clear(); /* it failed before it knew */
    }
    if (o->json) {
      put_text(a, state, "dir", path);
      json_set(a, state, "provenance", provenance != NULL ? provenance : json_make(a, JSON_NULL));
      print_json(state);
    } else {
      print_run(path, state, provenance);
    }
  }
  arena_free(a);
  return code;
}

int verb_inspect(const struct options *o) {
  const char *what = o->operands.items[0];
  struct session s;
  struct stat st;
  int code = 0;
  if (stat(what, &st) == 0 && S_ISDIR(st.st_mode)) {
    return inspect_run(o, what);
  }
  size_t length = strlen(what);
  int is_file = strchr(what, '/') != NULL || (length > 3 && strcmp(what + length - 3, ".so") == 0);
  int32_t status = session_open(o, &s);
  if (status != TIER_OK) {
    code = print_failure(status);
  } else if (is_file) {
    code = inspect_plugin(&s, what);
  } else if (print_components(&s, 0, SIZE_MAX, what) == 0) {
    code = unknown_component(&s, what);
  }
  session_close(&s);
  return code;
}

#include "plugin/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "plugin/kinds.h"
#include "plugin/loader.h"

struct plugin_list {
  struct plugin **items;
  size_t count;
  size_t capacity;
};
struct component_list {
  const struct component **items;
  size_t count;
  size_t capacity;
};
struct refusal_list {
  struct registry_refusal *items;
  size_t count;
  size_t capacity;
};
struct name_list {
  const char **items;
  size_t count;
  size_t capacity;
};

struct registry {
  struct arena *arena;
  int probe;
  struct plugin_list plugins;
  struct component_list components; /* the first `named` can be named; the rest is inspected only */
  size_t named;
  struct refusal_list refusals;
  struct name_list names[POSITION_COUNT];
};

/* ---- one file -------------------------------------------------------------------------------- */

static struct plugin *add_plugin(struct registry *r, const struct plugin_file *file,
                                 const tier_plugin *entry) {
  struct plugin *p = arena_alloc(r->arena, sizeof *p);
  *p = (struct plugin){.path = arena_text(r->arena, file->path),
                       .name = entry->name,
                       .version = entry->version,
                       .licence = entry->licence,
                       .own = file->own};
  array_push(r->plugins.items, r->plugins.count, r->plugins.capacity, p);
  return p;
}

/* Probes, loads and examines one file, and appends its components. */
static int32_t load(struct registry *r, const struct plugin_file *file) {
  struct plugin_tables tables;
  if (r->probe && !file->own) {
    TIER_TRY(plugin_probe(file->path));
  }
  TIER_TRY(plugin_load(r->arena, file->path, &tables));
  struct plugin *plugin = add_plugin(r, file, tables.entry);
  for (uint32_t i = 0; i < tables.count; i++) {
    struct component *c = arena_alloc(r->arena, sizeof *c);
    *c = (struct component){.c = tables.components[i],
                            .position = position_of_kind(tables.components[i].kind),
                            .plugin = plugin};
    array_push(r->components.items, r->components.count, r->components.capacity, c);
  }
  return TIER_OK;
}

/* Remembers the pending text as the reason why the file was refused. */
static void refuse(struct registry *r, const char *path) {
  struct registry_refusal refusal = {arena_text(r->arena, path),
                                     arena_text(r->arena, error_text())};
  error_clear();
  array_push(r->refusals.items, r->refusals.count, r->refusals.capacity, refusal);
}

/* ---- all files ------------------------------------------------------------------------------- */

static int by_kind_and_id(const void *a, const void *b) {
  const struct component *x = *(const struct component *const *)a;
  const struct component *y = *(const struct component *const *)b;
  int kinds = kind_index(x->c.kind) - kind_index(y->c.kind);
  return kinds != 0 ? kinds : strcmp(x->c.id, y->c.id);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int32_t fail_duplicate(const struct component *x, const struct component *y) {
  return fail(TIER_E_PLUGIN,
              "two plugins have the %s \"%s\": %s and %s; take one of them off the plugin path",
              position_name(x->position), x->c.id, x->plugin->path, y->plugin->path);
}

/* Files are loaded in the order of the search path, so x is the earlier one. */
static int32_t check_unique(const struct registry *r) {
  for (size_t j = 0; j < r->components.count; j++) {
    const struct component *y = r->components.items[j];
    for (size_t i = 0; i < j; i++) {
      const struct component *x = r->components.items[i];
      if (x->position == y->position && strcmp(x->c.id, y->c.id) == 0) {
        return fail_duplicate(x, y);
      }
    }
  }
  return TIER_OK;
}

static void sort(struct registry *r) {
  if (r->components.count > 0) {
    qsort(r->components.items, r->components.count, sizeof *r->components.items, by_kind_and_id);
  }
  r->named = r->components.count;
  for (size_t i = 0; i < r->named; i++) {
    struct name_list *names = &r->names[r->components.items[i]->position];
    array_push(names->items, names->count, names->capacity, r->components.items[i]->c.id);
  }
  for (int p = 0; p < POSITION_COUNT; p++) {
    if (r->names[p].count > 0) {
      qsort(r->names[p].items, r->names[p].count, sizeof *r->names[p].items, by_text);
    }
  }
}

int32_t registry_open(const struct registry_options *options, struct registry **out) {
  struct plugin_files files;
  *out = NULL;
  TIER_TRY(search_plugins(options->plugin_path, &files));
  struct registry *r = memory_alloc(1, sizeof *r);
  r->arena = arena_new();
  r->probe = options->probe;
  for (size_t i = 0; i < files.count; i++) {
    if (load(r, &files.items[i]) < 0) {
      refuse(r, files.items[i].path);
    }
  }
  search_free(&files);
  int32_t status = check_unique(r);
  if (status < 0) {
    registry_close(r);
    return status;
  }
  sort(r);
  *out = r;
  return TIER_OK;
}

void registry_close(struct registry *r) {
  if (r != NULL) {
    for (int p = 0; p < POSITION_COUNT; p++) {
      free(r->names[p].items);
    }
    free(r->plugins.items);
    free(r->components.items);
    free(r->refusals.items);
    arena_free(r->arena);
    free(r);
  }
}

int32_t registry_load_file(struct registry *r, const char *path, size_t *first, size_t *count) {
  struct plugin_files files;
  TIER_TRY(search_file(path, &files));
  *first = r->components.count;
  int32_t status = TIER_OK;
  for (size_t i = 0; i < files.count && status == TIER_OK; i++) {
    status = load(r, &files.items[i]);
  }
  search_free(&files);
  *count = r->components.count - *first;
  return status < 0 ? error_context(status, "%s", path) : status;
}

/* ---- looking things up ----------------------------------------------------------------------- */

const struct component *registry_find(const struct registry *r, enum position position,
                                      const char *id) {
  for (size_t i = 0; i < r->named; i++) {
    const struct component *c = r->components.items[i];
    if (c->position == position && strcmp(c->c.id, id) == 0) {
      return c;
    }
  }
  return NULL;
}

const struct component *registry_component(const struct registry *r, size_t index) {
  return index < r->components.count ? r->components.items[index] : NULL;
}

const struct registry_refusal *registry_refused(const struct registry *r, size_t index) {
  return index < r->refusals.count ? &r->refusals.items[index] : NULL;
}

const char *const *registry_names(const struct registry *r, enum position position, size_t *count) {
  *count = r->names[position].count;
  return r->names[position].items;
}

const char *plugin_hash(struct plugin *p) {
  static const char unreadable[] = "";
  if (p->sha256 == NULL) {
    char hex[65];
    p->sha256 = unreadable;
    if (sha256_file(p->path, hex) == TIER_OK) {
      memcpy(p->hex, hex, sizeof hex);
      p->sha256 = p->hex;
    } else {
      error_clear();
    }
  }
  return p->sha256;
}

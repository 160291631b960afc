/* The identity of an experiment: what it computes, not what it is called or how it is watched. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "manifest/reader.h"

/* ---- the plugins in use ---- */

struct plugins {
  struct plugin **items;
  size_t count, capacity;
};

static void add_application(struct plugins *p, const struct application *a);

static void add_source(struct plugins *p, const struct source *s) {
  if (s->first != NULL) {
    add_application(p, s->first);
  }
  for (size_t i = 0; i < s->transform_count; i++) {
    add_application(p, s->transforms[i]);
  }
}

static void add_arguments(struct plugins *p, const struct argument *a, size_t count);

static void add_expr(struct plugins *p, const struct expr *e) {
  if (e->application != NULL) {
    add_application(p, e->application);
  }
  add_arguments(p, e->arguments, e->argument_count);
  if (e->with != NULL) {
    add_expr(p, e->with);
  }
}

static void add_arguments(struct plugins *p, const struct argument *a, size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < a[i].expr_count; k++) {
      add_expr(p, a[i].exprs[k]);
    }
    for (size_t k = 0; k < a[i].source_count; k++) {
      add_source(p, a[i].sources[k]);
    }
    if (a[i].application != NULL) {
      add_application(p, a[i].application);
    }
  }
}

static void add_application(struct plugins *p, const struct application *a) {
  int known = a->component == NULL;
  for (size_t i = 0; i < p->count && !known; i++) {
    known = p->items[i] == a->component->plugin;
  }
  if (!known) {
    array_push(p->items, p->count, p->capacity, a->component->plugin);
  }
  add_arguments(p, a->arguments, a->argument_count);
}

static void add_levels(struct plugins *p, const struct manifest *m) {
  for (size_t i = 0; i < m->level_count; i++) {
    if (m->levels[i].optimizer != NULL) {
      add_application(p, m->levels[i].optimizer);
    }
    for (size_t k = 0; k < m->levels[i].through_count; k++) {
      add_application(p, m->levels[i].through[k].estimator);
    }
  }
}

static void add_phase(struct plugins *p, const struct manifest *m) {
  for (size_t i = 0; i < m->data_count; i++) {
    add_source(p, m->data[i].source);
  }
  for (size_t i = 0; i < m->variable_count; i++) {
    if (m->variables[i].model != NULL) {
      add_application(p, m->variables[i].model);
    }
    if (m->variables[i].init != NULL) {
      add_expr(p, m->variables[i].init);
    }
  }
  for (size_t i = 0; i < m->value_count; i++) {
    add_expr(p, m->values[i].expr);
  }
  for (size_t i = 0; i < m->objective_count; i++) {
    for (size_t k = 0; k < m->objectives[i].term_count; k++) {
      add_expr(p, m->objectives[i].terms[k]);
    }
  }
  add_levels(p, m);
  add_application(p, m->solver);
  for (size_t i = 0; i < m->then_count; i++) {
    add_expr(p, m->then[i].expr);
  }
}

static void add_all(struct plugins *p, const struct manifest *m) {
  for (size_t i = 0; i < m->phase_count; i++) {
    add_phase(p, m->phases[i]);
  }
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The hashes, sorted, one a line: the order of mention means nothing. */
static void write_hashes(const struct manifest *m, struct text *out) {
  struct plugins p = {0};
  add_all(&p, m);
  const char **hashes = memory_alloc(p.count, sizeof *hashes);
  for (size_t i = 0; i < p.count; i++) {
    hashes[i] = plugin_hash(p.items[i]);
  }
  qsort(hashes, p.count, sizeof *hashes, by_text);
  for (size_t i = 0; i < p.count; i++) {
    text_format(out, "\n%s", hashes[i]);
  }
  free(hashes);
  free(p.items);
}

/* ---- the canonical text ---- */

static void remove_about(struct json *section) {
  for (size_t i = 0; section != NULL && i < section->count; i++) {
    json_remove(section->items[i], "about");
    remove_about(json_member(section->items[i], "levels"));
  }
}

void manifest_identity(struct manifest *m) {
  static const char *const left_out[] = {"name",    "about",   "seeds", "metrics",
                                         "outputs", "compare", "sweep"};
  struct json *j = json_copy(m->arena, m->resolved);
  struct text text = {0};
  for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
    json_remove(j, left_out[i]);
  }
  json_remove(json_member(j, "compute"), "threads");
  json_remove(json_member(j, "compute"), "checkpoint_seconds");
  remove_about(json_member(j, "variables"));
  remove_about(json_member(j, "levels"));
  remove_about(json_member(j, "phases"));
  json_write(j, 0, 1, &text);
  write_hashes(m, &text);
  sha256_hex(text_get(&text), text.length, m->identity);
  text_free(&text);
}

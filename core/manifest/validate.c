/* Reads every variant before the first run starts. */
#include <stdlib.h>
#include <string.h>

#include "manifest/job.h"

/* ---- names that nothing uses ---- */

static int is_used(const struct reader *r, const char *used, const char *name) {
  for (size_t i = 0; i < r->name_count; i++) {
    if (used[i] && strcmp(r->names[i].name, name) == 0) {
      return 1;
    }
  }
  return 0;
}

static void start_unused(struct reader *r, const char *used, struct unused *unused) {
  unused->started = 1;
  for (size_t i = 0; i < r->name_count; i++) {
    const struct name *n = &r->names[i];
    if (used[i] || n->name[0] == '\0') {
      continue;
    }
    struct unused_name item = {arena_text(unused->arena, n->name), n->kind,
                               place_of_key(r, n->definition)};
    item.place.path = "";
    item.place.file = arena_text(unused->arena, item.place.file);
    array_push(unused->items, unused->count, unused->capacity, item);
  }
}

void note_unused(struct reader *r, const char *used, struct unused *unused) {
  size_t kept = 0;
  if (!unused->started) {
    start_unused(r, used, unused);
    return;
  }
  for (size_t i = 0; i < unused->count; i++) {
    if (!is_used(r, used, unused->items[i].name)) {
      unused->items[kept++] = unused->items[i];
    }
  }
  unused->count = kept;
}

static void warn_unused(const struct unused *unused, struct diagnostics *d) {
  for (size_t i = 0; i < unused->count; i++) {
    const struct unused_name *n = &unused->items[i];
    const char *kind = kind_text(n->kind);
    const char *noun = strchr(kind, ' ') != NULL ? strchr(kind, ' ') + 1 : kind;
    diagnostics_add(d, SEVERITY_WARNING, n->place.file, n->place.line, n->place.column, "", "",
                    "the %s \"%s\" is not used", noun, n->name);
  }
}

/* ---- the variants' own diagnostics ---- */

/* Whether the list has it already, from the base or another variant. */
static int is_known(const struct diagnostics *seen, const struct diagnostic *x) {
  for (size_t i = 0; i < seen->count; i++) {
    const struct diagnostic *y = &seen->items[i];
    if (x->line == y->line && x->column == y->column && strcmp(x->file, y->file) == 0 &&
        strcmp(x->message, y->message) == 0) {
      return 1;
    }
  }
  return 0;
}

static void copy(struct diagnostics *to, const struct diagnostic *x, enum severity severity,
                 const char *prefix, const char *name) {
  diagnostics_add(to, severity, x->file, x->line, x->column, x->path, x->hint, "%s%s%s%s", prefix,
                  name, prefix[0] != '\0' ? "\": " : "", x->message);
}

/* What stands in the way of this variant only keeps it from running if it is not supported yet. */
static void add_of_variant(const struct manifest_file *f, size_t variant,
                           const struct diagnostics *own, struct diagnostics *seen,
                           struct diagnostics *d) {
  const char *name = variant > 0 ? manifest_variant_name(f, variant) : "";
  for (size_t i = 0; i < own->count; i++) {
    const struct diagnostic *x = &own->items[i];
    int skipped = x->severity == SEVERITY_UNSUPPORTED && variant > 0;
    const char *prefix = variant == 0 ? ""
                         : skipped    ? "skipping the variant \""
                                      : "in the variant \"";
    if (!is_known(seen, x)) {
      copy(seen, x, x->severity, "", "");
      copy(d, x, skipped ? SEVERITY_WARNING : x->severity, prefix, name);
    }
  }
}

int32_t manifest_validate(struct manifest_file *f, const struct registry *registry,
                          const struct manifest_sets *sets, struct diagnostics *d) {
  struct unused unused = {.arena = arena_new()};
  struct diagnostics seen = {0};
  int32_t status = TIER_OK;
  for (size_t i = 0; i < manifest_variant_count(f); i++) {
    struct job job = {.file = f, .variant = i, .sets = sets, .unused = &unused};
    struct diagnostics own = {0};
    struct manifest *m = NULL;
    int32_t code = bind_job(&job, registry, &own, &m);
    add_of_variant(f, i, &own, &seen, d);
    if (status == TIER_OK && !(i > 0 && code == TIER_E_UNSUPPORTED)) {
      status = code;
    }
    manifest_free(m);
    diagnostics_free(&own);
  }
  if (status == TIER_OK || status == TIER_E_UNSUPPORTED) { /* else errors may be the reason */
    warn_unused(&unused, d);
  }
  free(unused.items);
  arena_free(unused.arena);
  diagnostics_free(&seen);
  return status;
}

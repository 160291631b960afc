#include "cli/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/output.h"

/* TIER_DATA is a colon list, like a path. */
static void add_tier_data(struct session *s) {
  const char *variable = getenv("TIER_DATA");
  s->tier_data = memory_copy_text(variable != NULL ? variable : "");
  char *rest = s->tier_data;
  for (char *entry = strsep(&rest, ":"); entry != NULL; entry = strsep(&rest, ":")) {
    if (entry[0] != '\0') {
      array_push(s->data.items, s->data.count, s->data.capacity, entry);
    }
  }
}

int32_t session_open(const struct options *o, struct session *out) {
  *out = (struct session){.options = o, .sets = {o->sets.items, o->sets.count}};
  for (size_t i = 0; i < o->data.count; i++) {
    array_push(out->data.items, out->data.count, out->data.capacity, o->data.items[i]);
  }
  add_tier_data(out);
  return registry_open(&(struct registry_options){.plugin_path = o->plugin_path, .probe = 1},
                       &out->registry);
}

struct problem_options session_problem_options(const struct session *s, int64_t seed) {
  return (struct problem_options){.registry = s->registry,
                                  .data_directories = s->data.items,
                                  .data_directory_count = s->data.count,
                                  .seed = (uint64_t)seed};
}

/* ---- checking ---- */

static int is_known(const struct diagnostics *all, const struct diagnostic *x) {
  for (size_t i = 0; i < all->count; i++) {
    const struct diagnostic *y = &all->items[i];
    if (x->severity == y->severity && x->line == y->line && x->column == y->column &&
        strcmp(x->file, y->file) == 0 && strcmp(x->message, y->message) == 0) {
      return 1;
    }
  }
  return 0;
}

static void merge(struct diagnostics *all, const struct diagnostics *d) {
  for (size_t i = 0; i < d->count; i++) {
    const struct diagnostic *x = &d->items[i];
    if (!is_known(all, x)) {
      diagnostics_add(all, x->severity, x->file, x->line, x->column, x->path, x->hint, "%s",
                      x->message);
    }
  }
}

static int32_t check_shapes(const struct session *s, struct variant *v, struct diagnostics *d) {
  struct problem *p = NULL;
  struct problem_options options = session_problem_options(s, 0);
  options.check_only = 1;
  int32_t first = TIER_OK;
  for (size_t i = 0; i < v->manifest->phase_count; i++) {
    struct diagnostics own = {0};
    options.diagnostics = &own;
    int32_t status = problem_new(v->manifest->phases[i], &options, &p);
    problem_free(p);
    first = first < 0 ? first : status;
    merge(d, &own); /* what the phases share is said once */
    diagnostics_free(&own);
  }
  return first;
}

void session_add_pending(const struct session *s, struct diagnostics *d) {
  if (error_text()[0] != '\0' && diagnostics_errors(d) == 0) {
    diagnostics_add(d, SEVERITY_ERROR, s->options->operands.items[0], 0, 0, "", "", "%s",
                    error_text());
  }
  error_clear();
}

static const struct diagnostic *first_unsupported(const struct diagnostics *d) {
  for (size_t i = 0; i < d->count; i++) {
    if (d->items[i].severity == SEVERITY_UNSUPPORTED) {
      return &d->items[i];
    }
  }
  return NULL;
}

/* A variant that cannot run yet: remembers why. What shapes found out is said as a warning, as
 * manifest_validate does for what binding did. */
static void skip(struct session *s, struct variant *v, const struct diagnostics *binding,
                 const struct diagnostics *shapes) {
  const struct diagnostic *x = first_unsupported(binding);
  if (x == NULL && (x = first_unsupported(shapes)) != NULL) {
    diagnostics_add(&s->diagnostics, SEVERITY_WARNING, x->file, x->line, x->column, x->path,
                    x->hint, "skipping the variant \"%s\": %s", v->name, x->message);
  }
  v->message = memory_copy_text(x != NULL ? x->message : "not supported yet");
}

/* `validated`: what binding has to say was said already. */
static int32_t check_variant(struct session *s, size_t index, int validated, struct variant *v) {
  struct diagnostics binding = {0};
  struct diagnostics shapes = {0};
  v->name = manifest_variant_name(s->file, index);
  v->status = manifest_bind(s->file, s->registry, index, &s->sets, &binding, &v->skipped_sets,
                            &v->manifest);
  if (v->status == TIER_OK) {
    manifest_identity(v->manifest);
    v->status = check_shapes(s, v, &shapes);
  }
  if (v->status != TIER_OK && diagnostics_errors(&binding) == 0) {
    session_add_pending(s, &shapes);
  }
  int32_t status = v->status;
  if (status == TIER_E_UNSUPPORTED && index > 0) {
    skip(s, v, &binding, &shapes);
    status = TIER_OK;
  } else {
    merge(&s->diagnostics, &shapes);
    if (!validated) {
      merge(&s->diagnostics, &binding);
    }
  }
  error_clear();
  diagnostics_free(&binding);
  diagnostics_free(&shapes);
  return status;
}

int32_t session_check(struct session *s, const char *manifest, const char *only) {
  int32_t result = TIER_OK;
  TIER_TRY(manifest_open(manifest, &s->diagnostics, &s->file));
  if (only == NULL) {
    result = manifest_validate(s->file, s->registry, &s->sets, &s->diagnostics);
  }
  s->variant_count = manifest_variant_count(s->file);
  s->variants = memory_alloc(s->variant_count, sizeof *s->variants);
  for (size_t i = 0; i < s->variant_count; i++) {
    if (only == NULL || strcmp(only, manifest_variant_name(s->file, i)) == 0) {
      int32_t status = check_variant(s, i, only == NULL, &s->variants[i]);
      result = result == TIER_OK ? status : result;
    }
  }
  return result;
}

int session_complain(struct session *s, int32_t status) {
  if (diagnostics_errors(&s->diagnostics) > 0) {
    diagnostics_print(&s->diagnostics, stderr);
    error_clear();
    return error_exit_code(status);
  }
  return print_failure(status);
}

const struct variant *session_variant(const struct session *s, const char *name) {
  const char **names = memory_alloc(s->variant_count, sizeof *names);
  const struct variant *found = NULL;
  for (size_t i = 0; i < s->variant_count; i++) {
    names[i] = manifest_variant_name(s->file, i);
    if (strcmp(names[i], name) == 0) {
      found = &s->variants[i];
    }
  }
  if (found == NULL) {
    int64_t nearest = text_nearest(name, names, s->variant_count);
    (void)fprintf(stderr, "tier: no variant \"%s\"", name);
    (void)fprintf(stderr, nearest >= 0 ? "; did you mean \"%s\"?\n" : " (the first is \"%s\")\n",
                  names[nearest >= 0 ? nearest : 0]);
  }
  free(names);
  return found;
}

const struct manifest_through *session_edge(const struct manifest *m, const char *name) {
  const struct manifest_through *found = NULL;
  size_t count = 0;
  for (size_t i = 0; i < m->level_count; i++) {
    for (size_t j = 0; j < m->levels[i].through_count; j++) {
      const struct manifest_through *edge = &m->levels[i].through[j];
      char *its_name = memory_format("%s.%s", m->levels[i].name, m->levels[edge->level].name);
      if (name == NULL || strcmp(name, its_name) == 0) {
        found = edge;
        count++;
      }
      free(its_name);
    }
  }
  return count == 1 ? found : NULL;
}

/* Reads "3,5" into *seeds; complains and returns 0 if it is not numbers, or one stands twice. */
static int read_seeds(const char *text, int64_t **seeds, size_t *count) {
  size_t capacity = 0;
  int good = 1;
  char *list = memory_copy_text(text);
  char *rest = list;
  for (char *item = strsep(&rest, ","); good && item != NULL; item = strsep(&rest, ",")) {
    int64_t seed = 0;
    good = options_integer("--seeds", item, 0, INT64_C(1) << 53, &seed);
    for (size_t i = 0; i < *count && good; i++) {
      if ((*seeds)[i] == seed) {
        (void)fprintf(stderr, "tier: --seeds %s: the seed %lld stands twice\n", text,
                      (long long)seed);
        good = 0;
      }
    }
    array_push(*seeds, *count, capacity, seed);
  }
  free(list);
  return good;
}

int64_t *session_seeds(const struct session *s, const struct manifest *m, size_t *count) {
  int64_t *seeds = NULL;
  size_t capacity = 0;
  *count = 0;
  if (s->options->seeds == NULL) {
    for (size_t i = 0; i < m->seed_count; i++) {
      array_push(seeds, *count, capacity, m->seeds[i]);
    }
    return seeds;
  }
  if (!read_seeds(s->options->seeds, &seeds, count)) {
    free(seeds);
    return NULL;
  }
  return seeds;
}

void session_close(struct session *s) {
  for (size_t i = 0; i < s->variant_count; i++) {
    manifest_free(s->variants[i].manifest);
    free(s->variants[i].message);
    text_free(&s->variants[i].skipped_sets);
  }
  free(s->variants);
  manifest_close(s->file);
  registry_close(s->registry);
  diagnostics_free(&s->diagnostics);
  free(s->data.items);
  free(s->tier_data);
}

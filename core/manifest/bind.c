/* From a file and a variant to a bound manifest. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "manifest/job.h"
#include "manifest/reads.h"

/* ---- the first pass: shorthand without a word about errors ---- */

static void write_out_quietly(struct reader *r) {
  struct diagnostics *d = r->diagnostics;
  r->diagnostics = NULL;
  names_collect(r);
  shorthand_write_out(r);
  r->diagnostics = d;
}

/* ---- --set ---- */

/* One --set of the command line. */
struct set {
  const char *item; /* "path=JSON" */
  struct override o;
  int in_base; /* it addresses something in the base */
  const char *reason, *hint;
};

/* "path=JSON"; what is not JSON is text. */
static int parse_set(struct reader *r, const char *item, struct set *out) {
  const char *equals = strchr(item, '=');
  const char *file = arena_format(r->arena, "--set %s", item);
  if (equals == NULL || equals == item) {
    diagnostics_add(r->diagnostics, SEVERITY_ERROR, file, 1, 1, "",
                    "write --set path=value, such as --set levels.outer.steps=10",
                    "\"%s\" is no path=value", item);
    return 0;
  }
  const char *text = equals + 1;
  *out = (struct set){.item = item};
  out->o.path = arena_text_n(r->arena, item, (size_t)(equals - item));
  if (json_parse(r->arena, file, text, strlen(text), &out->o.value) < 0) {
    error_clear();
    out->o.value = json_make_text(r->arena, text);
    out->o.value->file = file;
    out->o.value->line = 1;
    out->o.value->column = 1;
  }
  out->o.value->key = out->o.path;
  out->o.value->key_line = 1;
  out->o.value->key_column = 1;
  return 1;
}

static size_t parse_sets(struct reader *r, const struct job *job, struct set **out) {
  size_t count = job->sets != NULL ? job->sets->count : 0;
  size_t kept = 0;
  *out = arena_alloc(r->arena, (count + 1) * sizeof **out);
  for (size_t i = 0; i < count; i++) {
    kept += (size_t)parse_set(r, job->sets->items[i], &(*out)[kept]);
  }
  return kept;
}

/* Which sets address something in the base, or in what earlier ones made of it: tried on a copy. */
static void check_in_base(const struct reader *r, struct set *sets, size_t count) {
  struct reader base = *r;
  base.path = (struct text){0};
  base.root = count > 0 ? json_copy(r->arena, r->root) : r->root;
  for (size_t i = 0; i < count; i++) {
    sets[i].in_base = override_resolve(&base, &sets[i].o, &sets[i].reason, &sets[i].hint);
    if (sets[i].in_base) {
      override_apply(&base, &sets[i].o);
      write_out_quietly(&base);
    }
  }
  text_free(&base.path);
}

/* Whether the variant has removed or replaced what the path addresses in the base. The very same
 * path does not count: the command line has the last word. */
static int is_gone(const struct override *variant, size_t count, const struct override *set) {
  for (size_t i = 0; i < count; i++) {
    int same = variant[i].parent != NULL && strcmp(variant[i].canonical, set->canonical) == 0;
    if (variant[i].parent != NULL && override_covers(&variant[i], set) &&
        (!same || variant[i].value->type == JSON_NULL)) {
      return 1;
    }
  }
  return 0;
}

/* Remembers a name that a set adds to data, variables, values or objectives. */
static void note_added(struct reader *r, const struct override *o) {
  static const char *const maps[] = {"data.", "variables.", "values.", "objectives."};
  for (size_t i = 0; o->child == NULL && i < sizeof maps / sizeof *maps; i++) {
    size_t n = strlen(maps[i]);
    if (strncmp(o->path, maps[i], n) == 0 && strchr(o->path + n, '.') == NULL) {
      const char **added = arena_alloc(r->arena, (r->added_count + 1) * sizeof *added);
      for (size_t k = 0; k < r->added_count; k++) {
        added[k] = r->added[k];
      }
      added[r->added_count++] = o->path + n;
      r->added = added;
    }
  }
}

static void apply_set(struct reader *r, const struct job *job, struct set *s,
                      const struct override *variant, size_t variant_count) {
  const char *reason = NULL;
  const char *hint = NULL;
  if (!s->in_base) {
    diagnostics_add(r->diagnostics, SEVERITY_ERROR, s->o.value->file, 1, 1, s->o.path, s->hint,
                    "\"%s\" addresses nothing: %s", s->o.path, s->reason);
  } else if (is_gone(variant, variant_count, &s->o) ||
             !override_resolve(r, &s->o, &reason, &hint)) {
    if (job->skipped != NULL) {
      text_format(job->skipped, "%s%s", job->skipped->length > 0 ? ", " : "", s->item);
    }
  } else {
    note_added(r, &s->o);
    override_apply(r, &s->o);
    write_out_quietly(r);
  }
}

static void apply_overrides(struct reader *r, const struct job *job) {
  struct override *variant = NULL;
  struct set *sets = NULL;
  size_t variant_count = variant_overrides(job->file, job->variant, r->arena, &variant);
  size_t count = parse_sets(r, job, &sets);
  check_in_base(r, sets, count);
  if (variant_count > 0) {
    override_variant(r, variant, variant_count);
    write_out_quietly(r);
  }
  for (size_t i = 0; i < count; i++) {
    apply_set(r, job, &sets[i], variant, variant_count);
  }
}

/* ---- replacing the estimator of an edge ---- */

struct edge_place {
  struct json *through; /* the map of edges */
  struct json *estimator;
  size_t count; /* edges that fit */
};

static void find_edge(struct reader *r, const char *edge, struct edge_place *out) {
  const struct json *levels = json_member(r->root, "levels");
  for (size_t i = 0; levels != NULL && levels->type == JSON_LIST && i < levels->count; i++) {
    struct json *through = json_member(levels->items[i], "through");
    const struct json *name = json_member(levels->items[i], "name");
    for (size_t k = 0; through != NULL && through->type == JSON_OBJECT && k < through->count; k++) {
      const char *full = arena_format(r->arena, "%s.%s",
                                      name != NULL && name->type == JSON_STRING ? name->text : "",
                                      through->items[k]->key);
      if (edge == NULL || strcmp(edge, full) == 0) {
        out->through = through;
        out->estimator = through->items[k];
        out->count++;
      }
    }
  }
}

/* A bare id that is the manifest's own estimator keeps its parameters. */
static int is_own(const struct json *own, const struct json *new) {
  const struct json *implicit = json_member(own, "implicit");
  const struct json *solver = json_member(implicit, "solver");
  return new->type == JSON_STRING &&
         (json_member(own, new->text) != NULL || json_member(solver, new->text) != NULL);
}

static int32_t replace_estimator(struct reader *r, const struct job *job) {
  struct edge_place found = {0};
  struct json *new = NULL;
  const char *file = "--estimators";
  find_edge(r, job->edge, &found);
  if (found.count == 0) {
    diagnostics_add(r->diagnostics, SEVERITY_ERROR, job->file->path, 0, 0, "",
                    "it needs a level with \"through\"",
                    "there is no edge%s%s%s whose estimator could be replaced",
                    job->edge != NULL ? " \"" : "", job->edge != NULL ? job->edge : "",
                    job->edge != NULL ? "\"" : "");
    return TIER_E_INVALID;
  }
  if (found.count > 1) {
    diagnostics_add(r->diagnostics, SEVERITY_ERROR, job->file->path, 0, 0, "",
                    "choose one with --edge outer.inner", "there is more than one edge");
    return TIER_E_INVALID;
  }
  if (json_parse(r->arena, file, job->estimator, strlen(job->estimator), &new) < 0) {
    error_clear();
    new = json_make_text(r->arena, job->estimator);
    new->file = file;
    new->line = 1;
    new->column = 1;
  }
  if (!is_own(found.estimator, new)) {
    new->key_line = new->line;
    new->key_column = new->column;
    json_set(r->arena, found.through, found.estimator->key, new);
  }
  return TIER_OK;
}

/* ---- the second pass: everything, with all errors ---- */

/* One manifest of `levels`: the whole, or one phase. The shorthand is written out already. */
static void bind_whole(struct reader *r, char **used) {
  names_collect(r); /* definitions may have been rewritten */
  names_check(r);
  bind_settings(r);
  bind_data(r);
  bind_variables(r);
  bind_values(r);
  bind_objectives(r);
  bind_levels(r);
  bind_measures(r);
  for (size_t i = 0; i < r->m->data_count; i++) {
    if (is_collection(r, (int)i) && r->m->data[i].source->data < 0) {
      struct json *j = json_member(json_member(r->root, "data"), r->m->data[i].name);
      unsupported(r, j,
                  arena_format(r->arena, "the collection \"%s\" (data whose members are data)",
                               r->m->data[i].name));
    }
  }
  check_cycles(r);
  check_owners(r);
  const struct level_reads *reads = reads_of_levels(r);
  check_each(r, reads);
  check_paths(r, reads);
  *used = arena_alloc(r->arena, r->name_count + 1);
  mark_used(r, *used);
}

static struct manifest *new_manifest(const struct manifest_file *f, size_t variant) {
  struct arena *a = arena_new();
  struct manifest *m = arena_alloc(a, sizeof *m);
  m->arena = a;
  m->file = arena_text(a, f->path);
  m->directory = arena_text(a, f->directory);
  m->name = arena_text(a, f->name);
  m->variant = arena_text(a, manifest_variant_name(f, variant));
  return m;
}

/* What a phase uses; names of levels may stand for others in another phase. */
static void join_used(const struct reader *all, char *used, const struct reader *phase,
                      const char *used_in_phase) {
  for (size_t i = 0; i < all->name_count; i++) {
    for (size_t k = 0; k < phase->name_count && !used[i]; k++) {
      used[i] = used_in_phase[k] && all->names[i].kind == phase->names[k].kind &&
                strcmp(all->names[i].name, phase->names[k].name) == 0;
    }
  }
}

/* Every phase reads the data that any of them reads: it is the run's. */
static void share_data(struct manifest *const *phases, size_t count) {
  for (size_t d = 0; d < phases[0]->data_count; d++) {
    int used = 0;
    for (size_t i = 0; i < count; i++) {
      used |= phases[i]->data[d].used;
    }
    for (size_t i = 0; i < count; i++) {
      phases[i]->data[d].used = used;
    }
  }
}

static void bind_phases(struct reader *r, char **used) {
  const struct json *list = json_member(r->root, "phases");
  size_t count = list->type == JSON_LIST ? list->count : 0;
  const struct manifest empty = *r->m;
  struct manifest **phases = arena_alloc(r->arena, (count + 1) * sizeof(struct manifest *));
  *used = arena_alloc(r->arena, r->name_count + 1);
  for (size_t i = 0; i < count; i++) {
    const struct json *name = json_member(list->items[i], "name");
    struct reader own = *r;
    char *used_in_phase = NULL;
    phases[i] = i == 0 ? r->m : arena_alloc(r->arena, sizeof *phases[i]);
    *phases[i] = empty;
    phases[i]->phase = name != NULL && name->type == JSON_STRING ? name->text : "";
    phases[i]->phases = phases;
    phases[i]->phase_count = count;
    own.path = (struct text){0};
    own.m = phases[i];
    own.phase = list->items[i];
    own.root = phase_root(r, own.phase);
    bind_whole(&own, &used_in_phase);
    join_used(r, *used, &own, used_in_phase);
    r->refused_plugin |= own.refused_plugin;
    text_free(&own.path);
  }
  if (count > 0) {
    share_data(phases, count);
  }
}

static void bind_all(struct reader *r, char **used) {
  names_collect(r);
  r->fill = 1;
  shorthand_write_out(r);
  names_collect(r);
  if (has_phases(r)) {
    bind_phases(r, used);
    return;
  }
  r->m->phase = "main";
  r->m->phases = arena_alloc(r->arena, sizeof(struct manifest *));
  r->m->phases[0] = r->m;
  r->m->phase_count = 1;
  r->m->phase_budget = (struct manifest_budget){-1, -1, -1, -1, -1, -1};
  bind_whole(r, used);
}

static int is_added(const struct reader *r, const char *name) {
  for (size_t i = 0; i < r->added_count; i++) {
    if (strcmp(r->added[i], name) == 0) {
      return 1;
    }
  }
  return 0;
}

/* A --set that added a name to a map: it must be used, or it was meant for another name. */
static void check_added(struct reader *r, char *used) {
  for (size_t i = 0; i < r->name_count; i++) {
    const struct name *n = &r->names[i];
    if (!used[i] && is_added(r, n->name)) {
      diagnostics_add(r->diagnostics, SEVERITY_ERROR, n->definition->file, 1, 1, "",
                      names_suggest_kind(r, n->name, (int)n->kind),
                      "it would add %s \"%s\", which nothing uses", kind_text(n->kind), n->name);
      used[i] = 1; /* enough was said about it */
    }
  }
}

static void run(struct reader *r, const struct job *job) {
  char *used = NULL;
  write_out_quietly(r);
  apply_overrides(r, job);
  if (job->estimator != NULL && replace_estimator(r, job) < 0) {
    return;
  }
  bind_all(r, &used);
  check_added(r, used);
  if (job->unused != NULL) {
    note_unused(r, used, job->unused);
  }
}

/* What several phases share is read in each. */
static int was_said(const struct diagnostics *d, size_t index) {
  const struct diagnostic *x = &d->items[index];
  for (size_t i = 0; i < index; i++) {
    const struct diagnostic *y = &d->items[i];
    if (x->line == y->line && x->column == y->column && strcmp(x->file, y->file) == 0 &&
        strcmp(x->message, y->message) == 0) {
      return 1;
    }
  }
  return 0;
}

int32_t bind_job(const struct job *job, const struct registry *registry, struct diagnostics *d,
                 struct manifest **out) {
  struct diagnostics own = {0};
  struct manifest *m = new_manifest(job->file, job->variant);
  struct reader r = {.arena = m->arena, .registry = registry, .diagnostics = &own, .m = m};
  r.root = json_copy(m->arena, job->file->root);
  run(&r, job);
  json_remove(r.root, "compare");
  json_remove(r.root, "sweep");
  for (size_t i = 0; i < m->phase_count; i++) {
    m->phases[i]->resolved = r.root;
  }
  int32_t status = diagnostics_status(&own);
  status = status < 0 && r.refused_plugin ? TIER_E_PLUGIN : status;
  for (size_t i = 0; i < own.count; i++) {
    const struct diagnostic *x = &own.items[i];
    if (was_said(&own, i)) {
      continue;
    }
    diagnostics_add(d, x->severity, x->file, x->line, x->column, x->path, x->hint, "%s",
                    x->message);
  }
  diagnostics_free(&own);
  text_free(&r.path);
  if (status < 0) {
    manifest_free(m);
    m = NULL;
  }
  *out = m;
  return status;
}

int32_t manifest_bind(struct manifest_file *f, const struct registry *registry, size_t variant,
                      const struct manifest_sets *sets, struct diagnostics *d,
                      struct text *skipped_sets, struct manifest **out) {
  struct job job = {.file = f, .variant = variant, .sets = sets, .skipped = skipped_sets};
  return bind_job(&job, registry, d, out);
}

int32_t manifest_bind_edge(struct manifest_file *f, const struct registry *registry, size_t variant,
                           const struct manifest_sets *sets, const char *edge,
                           const char *estimator, struct diagnostics *d, struct manifest **out) {
  struct job job = {
      .file = f, .variant = variant, .sets = sets, .edge = edge, .estimator = estimator};
  return bind_job(&job, registry, d, out);
}

void manifest_free(struct manifest *m) {
  if (m != NULL) {
    arena_free(m->arena);
  }
}

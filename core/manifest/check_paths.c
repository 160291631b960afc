/* Checks on the paths from each level's objective to the variables that it moves: directly, or
 * through the edges to lower levels (format.md sections 5 and 7). */
#include <string.h>

#include "manifest/reads.h"

struct edge {
  int level;
  int implicit; /* its estimator sees the lower objective only */
};

struct paths {
  struct reader *r;
  const struct level_reads *reads; /* by level */
  int level;
  const struct edge *edges;
  size_t edge_count;
};

static void join(char *set, const char *more, size_t count) {
  for (size_t i = 0; i < count; i++) {
    set[i] = set[i] || more[i];
  }
}

static int moves_any(const struct manifest_level *l, const char *variables) {
  for (size_t i = 0; i < l->over_count; i++) {
    if (variables[l->over[i].variable]) {
      return 1;
    }
  }
  return 0;
}

/* Whether everything that stands at that key of a level could be read. */
static int is_complete(const struct reader *r, int level, const char *key, size_t bound) {
  const struct json *j = json_member(level_definition(r, level), key);
  return bound > 0 ? j != NULL && j->count == bound : j == NULL || j->count == 0;
}

static struct edge edge_through(const struct manifest_through *t) {
  const struct component *c = t->estimator->component;
  return (struct edge){t->level, c != NULL && (c->c.flags & TIER_IMPLICIT) != 0};
}

/* Adds what one pullback through the edge lands on: what the lower level reads, and what the levels
 * read that its own gradient goes through. */
static void pull_back(const struct paths *x, const struct edge *e, int strict, char *variables,
                      int *unknown) {
  size_t count = x->r->m->variable_count;
  const struct level_reads *k = &x->reads[e->level];
  join(variables, k->objective.variables, count);
  *unknown = *unknown || k->objective.unknown;
  if (!(strict && e->implicit)) {
    join(variables, k->optimizer.variables, count);
    join(variables, k->start.variables, count);
    *unknown = *unknown || k->optimizer.unknown || k->start.unknown;
  }
  const struct manifest_level *l = &x->r->m->levels[e->level];
  for (size_t i = 0; i < l->through_count; i++) {
    struct edge below = edge_through(&l->through[i]);
    if (below.level < e->level) { /* others are refused elsewhere */
      pull_back(x, &below, strict, variables, unknown);
    }
  }
}

static int owns_are_known(const struct reader *r, int level) {
  size_t count = r->m->levels[level].over_count;
  return count > 0 && is_complete(r, level, "over", count);
}

/* Closes a set of variables, on which there are cotangents, under all edges. strict: implicit
 * estimators as they are; otherwise as if they saw everything. */
static void close_over(const struct paths *x, int strict, char *variables, int *unknown) {
  for (size_t round = 0; round < x->edge_count; round++) {
    for (size_t i = x->edge_count; i-- > 0;) {
      if (moves_any(&x->r->m->levels[x->edges[i].level], variables)) {
        pull_back(x, &x->edges[i], strict, variables, unknown);
      }
      if (!owns_are_known(x->r, x->edges[i].level)) {
        *unknown = 1;
      }
    }
  }
}

static char *reached(const struct paths *x, int strict, int *unknown) {
  size_t count = x->r->m->variable_count + 1;
  char *variables = arena_copy(x->r->arena, x->reads[x->level].objective.variables, count);
  *unknown = x->reads[x->level].objective.unknown;
  close_over(x, strict, variables, unknown);
  return variables;
}

/* ---- estimators for hints ---- */

/* The estimators there are that follow the steps of a level; or, of the implicit ones, the linear
 * solvers that name them. */
static const char *choice_of_estimators(struct reader *r, int implicit) {
  struct text list = {0};
  size_t count = 0;
  const char *const *names = registry_names(r->registry, POSITION_ESTIMATOR, &count);
  for (size_t i = 0; i < count; i++) {
    const struct component *c = registry_find(r->registry, POSITION_ESTIMATOR, names[i]);
    int solver = c != NULL && strcmp(c->c.kind, "linear-solver") == 0;
    int follows = c != NULL && !solver && (c->c.flags & TIER_NEEDS_STEP) != 0;
    if (implicit ? solver : follows) {
      text_format(&list, "%s\"%s\"", list.length > 0 ? ", " : "", names[i]);
    }
  }
  const char *text = arena_text(r->arena, list.length > 0 ? text_get(&list) : "those installed");
  text_free(&list);
  return text;
}

/* ---- no path ---- */

/* Whether there would be a path to v if these were the edges. */
static int would_reach(const struct paths *x, const struct edge *edges, size_t count, int v) {
  struct paths y = *x;
  int unknown = 0;
  y.edges = edges;
  y.edge_count = count;
  return reached(&y, 1, &unknown)[v];
}

/* Says which `through` would make a path. */
static const char *path_hint(const struct paths *x, int v) {
  struct reader *r = x->r;
  struct edge *edges = arena_alloc(r->arena, (x->edge_count + 1) * sizeof *edges);
  if (x->edge_count > 0) {
    memcpy(edges, x->edges, x->edge_count * sizeof *edges);
  }
  for (int k = x->level - 1; k >= 0 && r->phase_of_level[k] == r->phase_of_level[x->level]; k--) {
    for (int implicit = 1; implicit >= 0; implicit--) {
      edges[x->edge_count] = (struct edge){k, implicit};
      if (r->m->levels[k].name[0] != '\0' && would_reach(x, edges, x->edge_count + 1, v)) {
        const char *name = r->m->levels[k].name;
        return arena_format(
            r->arena, "it goes through %s: add \"through\": { \"%s\": ESTIMATOR } with one of %s",
            name, name, choice_of_estimators(r, implicit));
      }
    }
  }
  return "nothing that the objective reads depends on it";
}

static const char *objective_name(const struct paths *x) {
  int objective = x->r->m->levels[x->level].objective;
  return objective >= 0 ? x->r->m->objectives[objective].name : "?";
}

static void report_no_path(const struct paths *x, const struct manifest_over *o) {
  const struct manifest_level *l = &x->r->m->levels[x->level];
  wrong_place(x->r, &l->place, path_hint(x, o->variable),
              "no path from \"%s\" to \"%s\" in level %s", objective_name(x), over_text(x->r, o),
              l->name);
}

/* ---- estimators that cannot carry it ---- */

/* The name that the manifest's author knows it by: the linear solver, or the estimator. */
static const char *estimator_name(const struct application *a) {
  for (size_t i = 0; i < a->argument_count; i++) {
    const struct argument *x = &a->arguments[i];
    int solver = x->slot != NULL && x->slot->choices != NULL && x->application != NULL &&
                 x->application->component != NULL &&
                 strcmp(x->application->component->c.kind, "linear-solver") == 0;
    if (solver && strcmp(x->slot->name, "solver") == 0) {
      return x->application->component->c.id;
    }
  }
  return a->component != NULL ? a->component->c.id : "?";
}

/* The implicit edge whose level reads v in its optimizer or start only, and which of the two. */
static const struct manifest_through *blind_edge(const struct paths *x, int v, const char **where) {
  const struct manifest_level *l = &x->r->m->levels[x->level];
  for (size_t i = 0; i < l->through_count && l->through_count == x->edge_count; i++) {
    const struct level_reads *k = &x->reads[l->through[i].level];
    *where = k->optimizer.variables[v] ? "its optimizer" : "its start";
    if (x->edges[i].implicit && !k->objective.variables[v] &&
        (k->optimizer.variables[v] || k->start.variables[v])) {
      return &l->through[i];
    }
  }
  return NULL;
}

static void refuse_implicit(const struct paths *x, const struct manifest_over *o) {
  const struct manifest_level *l = &x->r->m->levels[x->level];
  const char *where = "";
  const struct manifest_through *t = blind_edge(x, o->variable, &where);
  const struct place *p = t != NULL ? &t->place : &l->place;
  const char *lower = t != NULL ? x->r->m->levels[t->level].name : "the lower levels";
  wrong_place(x->r, p,
              arena_format(x->r->arena, "use an estimator that follows the steps: %s",
                           choice_of_estimators(x->r, 0)),
              "\"%s\" reaches %s only through %s, and %s is implicit: it differentiates the "
              "condition that the lower objective is at its minimum, which \"%s\" is not in",
              over_text(x->r, o), lower, t != NULL ? where : "optimizers or starts",
              t != NULL ? estimator_name(t->estimator) : "the estimator", over_text(x->r, o));
}

/* ---- edges that carry nothing ---- */

/* Whether a pullback through the edge lands on a variable of the level, in the end. */
static int lands(const struct paths *x, size_t i, int strict) {
  char *variables = arena_alloc(x->r->arena, x->r->m->variable_count + 1);
  int unknown = 0;
  pull_back(x, &x->edges[i], strict, variables, &unknown);
  close_over(x, strict, variables, &unknown);
  return unknown || moves_any(&x->r->m->levels[x->level], variables);
}

static void check_edge(const struct paths *x, size_t i, const char *carried) {
  struct reader *r = x->r;
  const struct manifest_level *l = &r->m->levels[x->level];
  const struct manifest_level *k = &r->m->levels[x->edges[i].level];
  const struct place *p = &l->through[i].place;
  if (k->over_count == 0 || l->over_count == 0) {
    return;
  }
  if (!moves_any(k, carried)) {
    wrong_place(r, p, "remove it",
                "level %s: \"%s\" does not depend on what %s moves, so this edge carries nothing",
                l->name, objective_name(x), k->name);
  } else if (!lands(x, i, 0)) {
    wrong_place(r, p, "remove it",
                "level %s: %s does not depend on what %s moves, so this edge carries nothing",
                l->name, k->name, l->name);
  } else if (!lands(x, i, 1)) {
    refuse_implicit(x, &l->over[0]);
  }
}

/* An estimator that follows steps needs a level that takes some. */
static void check_step(struct reader *r, const struct manifest_level *l,
                       const struct manifest_through *t) {
  const struct component *c = t->estimator->component;
  if (c != NULL && (c->c.flags & TIER_NEEDS_STEP) != 0 &&
      r->m->levels[t->level].optimizer == NULL &&
      application_argument(t->estimator, "step") == NULL) {
    wrong_place(r, &t->place, "give the level an optimizer, or the estimator a \"step\"",
                "level %s: %s follows the steps of %s, which takes none (optimizer \"none\")",
                l->name, c->c.id, r->m->levels[t->level].name);
  }
}

/* A level that is to go on until it is stationary must say how near. */
static void check_stationary(struct reader *r, const struct manifest_level *l,
                             const struct manifest_through *t) {
  const struct component *c = t->estimator->component;
  const struct manifest_level *k = &r->m->levels[t->level];
  if (c != NULL && (c->c.flags & TIER_IMPLICIT) != 0 && r->m->guards.stationarity == 3 &&
      k->tolerance <= 0) {
    wrong_place(r, &t->place, "give that level a positive \"tolerance\"",
                "level %s: guards.stationarity is \"solve\", and level %s has no \"tolerance\" "
                "to solve to",
                l->name, k->name);
  }
}

static int is_below(const struct manifest *m, int lower, int upper) {
  for (int i = lower; i >= 0 && i < upper; i = m->levels[i].parent) {
    if (m->levels[i].parent == upper) {
      return 1;
    }
  }
  return 0;
}

/* `settled`: the paths are not known, or were refused already. */
static void check_edges(const struct paths *x, const char *carried, int settled) {
  const struct manifest_level *l = &x->r->m->levels[x->level];
  for (size_t i = 0; i < l->through_count; i++) {
    const struct manifest_level *k = &x->r->m->levels[l->through[i].level];
    check_step(x->r, l, &l->through[i]);
    check_stationary(x->r, l, &l->through[i]);
    if (!is_below(x->r->m, l->through[i].level, x->level)) {
      wrong_place(x->r, &l->through[i].place, "", "level %s cannot go through %s: its parent is %s",
                  l->name, k->name, k->parent >= 0 ? x->r->m->levels[k->parent].name : "none");
    } else if (!settled && l->through_count == x->edge_count) {
      check_edge(x, i, carried);
    }
  }
}

/* ---- one level ---- */

/* Its `through`; for the top level of a solver without gradients, every lower level. */
static const struct edge *edges_of(struct reader *r, int level, size_t *count) {
  const struct manifest_level *l = &r->m->levels[level];
  size_t most = l->through_count > (size_t)level ? l->through_count : (size_t)level;
  struct edge *edges = arena_alloc(r->arena, (most + 1) * sizeof *edges);
  *count = 0;
  if (l->parent < 0 && solver_without_gradient(r)) {
    for (int k = 0; k < level; k++) {
      edges[(*count)++] = (struct edge){k, 0};
    }
    return edges;
  }
  for (size_t i = 0; i < l->through_count; i++) {
    edges[(*count)++] = edge_through(&l->through[i]);
  }
  return edges;
}

static void check_level(struct reader *r, const struct level_reads *reads, int level) {
  const struct manifest_level *l = &r->m->levels[level];
  struct paths x = {.r = r, .reads = reads, .level = level};
  int unknown = 0;
  int ignored = 0;
  int refused = 0;
  x.edges = edges_of(r, level, &x.edge_count);
  const char *loose = reached(&x, 0, &unknown);
  const char *strict = reached(&x, 1, &ignored);
  unknown = unknown || !is_complete(r, level, "through", l->through_count);
  for (size_t i = 0; i < l->over_count && !unknown; i++) {
    if (!loose[l->over[i].variable]) {
      report_no_path(&x, &l->over[i]);
    } else if (!strict[l->over[i].variable]) {
      refuse_implicit(&x, &l->over[i]);
      refused = 1;
    }
  }
  check_edges(&x, loose, unknown || refused);
}

/* A batch for data that the level does not draw says something that will not happen. */
static void check_batches(struct reader *r, const struct level_reads *reads, int level) {
  const struct manifest_level *l = &r->m->levels[level];
  const struct level_reads *x = &reads[level];
  struct json *batch = json_member(level_definition(r, level), "batch");
  for (size_t i = 0; batch != NULL && batch->type == JSON_OBJECT && i < l->batch_count; i++) {
    int data = l->batches[i].data;
    if (data >= 0 && !x->objective.unknown && !x->optimizer.unknown && !x->objective.data[data] &&
        !x->optimizer.data[data]) {
      warn_at(r, batch->items[i], "", "level %s draws no rows of \"%s\": its batch has no effect",
              l->name, r->m->data[data].name);
    }
  }
}

void check_paths(struct reader *r, const struct level_reads *reads) {
  for (int i = 0; i < (int)r->m->level_count; i++) {
    check_level(r, reads, i);
    check_batches(r, reads, i);
  }
}

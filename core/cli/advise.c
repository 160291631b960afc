/* tier advise: which estimators fit an edge of a manifest, what each would cost, and why. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dtype.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/session.h"

#define LARGE 100000000 /* bytes of a tape, from which on holding less is worth a word */

/* One estimator or linear solver, tried on the edge with its default parameters. */
struct candidate {
  const struct component *component;
  int own; /* what the manifest itself names: with its parameters */
  int fits;
  char *reason; /* why it does not fit; owned */
  struct problem_edge edge;
};

struct advice {
  struct session *session;
  const struct manifest *base;
  const struct manifest_through *edge;
  size_t upper;
  struct candidate *candidates;
  size_t count, capacity;
};

/* ---- trying candidates ---- */

static void refuse(struct candidate *c, const struct diagnostics *d) {
  for (size_t i = 0; i < d->count && c->reason == NULL; i++) {
    if (d->items[i].severity != SEVERITY_WARNING) {
      c->reason = memory_copy_text(d->items[i].message);
    }
  }
  if (c->reason == NULL) {
    c->reason = memory_copy_text(error_text()[0] != '\0' ? error_text() : "it does not apply");
  }
  error_clear();
}

static void try_manifest(const struct advice *a, const struct manifest *m, struct candidate *c) {
  struct diagnostics d = {0};
  struct problem *p = NULL;
  struct problem_options options = session_problem_options(a->session, 0);
  options.check_only = 1;
  options.diagnostics = &d;
  int32_t status = problem_new(m, &options, &p);
  status = status == TIER_OK ? problem_edge_facts(p, a->upper, (size_t)a->edge->level, &c->edge)
                             : status;
  c->fits = status == TIER_OK && diagnostics_errors(&d) == 0;
  if (!c->fits) {
    refuse(c, &d);
  }
  problem_free(p);
  diagnostics_free(&d);
}

/* The manifest with the application `text` (JSON) on the edge. */
static void try_text(const struct advice *a, const char *text, struct candidate *c) {
  struct diagnostics d = {0};
  struct manifest *m = NULL;
  int32_t status = manifest_bind_edge(a->session->file, a->session->registry, 0, &a->session->sets,
                                      a->session->options->edge, text, &d, &m);
  if (status == TIER_OK) {
    try_manifest(a, m, c);
  } else {
    refuse(c, &d);
  }
  manifest_free(m);
  diagnostics_free(&d);
}

static void try_component(struct advice *a, const struct component *component) {
  struct candidate c = {.component = component};
  char *text = memory_format("\"%s\"", component->c.id);
  try_text(a, text, &c);
  free(text);
  array_push(a->candidates, a->count, a->capacity, c);
}

/* "implicit" itself is not tried: the linear solvers stand for it. */
static int needs_a_solver(const struct component *c) {
  for (uint32_t i = 0; i < c->c.slot_count; i++) {
    const tier_slot *slot = &c->c.slots[i];
    if (slot->type == TIER_SLOT_APPLICATION && (slot->flags & TIER_SLOT_REQUIRED)) {
      return 1;
    }
  }
  return 0;
}

static void try_all(struct advice *a) {
  const struct component *c = NULL;
  struct candidate own = {.component = a->edge->estimator->component, .own = 1};
  try_manifest(a, a->base, &own);
  array_push(a->candidates, a->count, a->capacity, own);
  for (size_t i = 0; (c = registry_component(a->session->registry, i)) != NULL; i++) {
    if (c->position == POSITION_ESTIMATOR && !needs_a_solver(c)) {
      try_component(a, c);
    }
  }
}

/* ---- choosing ---- */

static size_t bytes_of(const struct advice *a, const struct candidate *c) {
  return (size_t)c->edge.cost.reals * dtype_size(a->base->dtype);
}

/* HVPs and cross products both cost about two gradients. */
static double work_of(const struct candidate *c) {
  const tier_cost *cost = &c->edge.cost;
  return (double)cost->gradients + (double)cost->values / 2 +
         2 * ((double)cost->hvps + (double)cost->cross);
}

static double memory_of_machine(void) {
  return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

/* May it be advised: it fits, says what it costs, and its result is right where it says so. */
static int is_eligible(const struct advice *a, const struct candidate *c) {
  const uint32_t wrong = TIER_COST_BIASED | TIER_COST_RANDOM;
  return c->fits && c->edge.has_cost && !(c->edge.cost.flags & wrong) && !c->own &&
         (double)bytes_of(a, c) < memory_of_machine() / 2;
}

static int is_implicit(const struct advice *a, const struct candidate *c) {
  (void)a;
  return (c->component->c.flags & TIER_IMPLICIT) ||
         strcmp(c->component->c.kind, "linear-solver") == 0;
}

/* The eligible one of least `measure`, the first of equals; only implicit ones (1), or others (0).
 */
static const struct candidate *least(const struct advice *a, int implicit,
                                     double (*measure)(const struct candidate *)) {
  const struct candidate *best = NULL;
  for (size_t i = 0; i < a->count; i++) {
    const struct candidate *c = &a->candidates[i];
    if (is_eligible(a, c) && is_implicit(a, c) == implicit &&
        (best == NULL || measure(c) < measure(best))) {
      best = c;
    }
  }
  return best;
}

static const struct candidate *cheapest(const struct advice *a, int implicit) {
  return least(a, implicit, work_of);
}

static double reals_of(const struct candidate *c) {
  return (double)c->edge.cost.reals;
}

/* Implicit ones that fit but are wrong by their own account. */
static int has_biased_implicit(const struct advice *a) {
  for (size_t i = 0; i < a->count; i++) {
    const struct candidate *c = &a->candidates[i];
    if (c->fits && is_implicit(a, c) && (c->edge.cost.flags & TIER_COST_BIASED)) {
      return 1;
    }
  }
  return 0;
}

/* ---- printing ---- */

static void format_bytes(double bytes, char *out, size_t size) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
    bytes /= 1000;
    unit++;
  }
  (void)snprintf(out, size, "%.3g %s", bytes, units[unit]);
}

static void table_count(struct table *t, const struct candidate *c, int64_t count) {
  char text[32];
  int limit = (c->edge.cost.flags & TIER_COST_AT_MOST) != 0 && count > 1;
  (void)snprintf(text, sizeof text, "%s%lld", limit ? "<= " : "", (long long)count);
  table_text(t, text);
}

static void print_row(struct table *t, const struct advice *a, const struct candidate *c) {
  char name[80];
  char bytes[32];
  (void)snprintf(name, sizeof name, "%s%s", c->component->c.id, c->own ? " (the manifest's)" : "");
  table_text(t, name);
  if (!c->edge.has_cost) {
    for (int i = 0; i < 4; i++) {
      table_text(t, "-");
    }
    table_text(t, "");
    table_text(t, "does not say what it costs");
    return;
  }
  table_count(t, c, c->edge.cost.hvps);
  table_count(t, c, c->edge.cost.cross);
  table_count(t, c, c->edge.cost.gradients);
  format_bytes((double)bytes_of(a, c), bytes, sizeof bytes);
  table_text(t, bytes);
  table_text(t, c->edge.cost.flags & TIER_COST_RANDOM   ? "biased, random"
                : c->edge.cost.flags & TIER_COST_BIASED ? "biased"
                                                        : "");
  table_text(t, c->edge.cost.right);
}

static void print_table(const struct advice *a) {
  static const char *const head[] = {"estimator", "HVPs", "cross",    "gradients",
                                     "memory",    "",     "right for"};
  struct table t = {0};
  for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
    table_text(&t, head[i]);
  }
  table_end_head(&t);
  for (size_t i = 0; i < a->count; i++) {
    if (a->candidates[i].fits) {
      print_row(&t, a, &a->candidates[i]);
    }
  }
  table_print(&t, stdout);
}

static int in_word(char c) {
  return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* `reason` with the word `id` replaced by "it"; free() it. */
static char *without_id(const char *reason, const char *id) {
  struct text out = {0};
  size_t length = strlen(id);
  for (const char *at = reason; *at != '\0';) {
    int whole = strncmp(at, id, length) == 0 && !in_word(at[length]) &&
                (at == reason || !in_word(at[-1])) && (at == reason || at[-1] != '"');
    text_add_n(&out, whole ? "it" : at, whole ? 2 : 1);
    at += whole ? length : 1;
  }
  char *copy = memory_copy_text(text_get(&out));
  text_free(&out);
  return copy;
}

/* Line i with all later refusals for the same reason, which are marked in `done`. */
static void print_refusal(const struct advice *a, size_t i, char *const *reasons, char *done) {
  int others = 0;
  (void)printf("  %s%s", a->candidates[i].component->c.id,
               a->candidates[i].own ? " (the manifest's)" : "");
  for (size_t k = i + 1; k < a->count; k++) {
    if (reasons[k] != NULL && !done[k] && strcmp(reasons[i], reasons[k]) == 0) {
      (void)printf(", %s", a->candidates[k].component->c.id);
      done[k] = 1;
      others = 1;
    }
  }
  (void)printf(": %s\n", others ? reasons[i] : a->candidates[i].reason);
}

static void print_refusals(const struct advice *a) {
  char **reasons = memory_alloc(a->count, sizeof *reasons);
  char *done = memory_alloc(a->count, 1);
  int any = 0;
  for (size_t i = 0; i < a->count; i++) {
    const struct candidate *c = &a->candidates[i];
    reasons[i] = c->fits ? NULL : without_id(c->reason, c->component->c.id);
  }
  for (size_t i = 0; i < a->count; i++) {
    if (reasons[i] != NULL && !done[i]) {
      (void)printf("%s", any++ ? "" : "\nDo not fit:\n");
      print_refusal(a, i, reasons, done);
    }
  }
  for (size_t i = 0; i < a->count; i++) {
    free(reasons[i]);
  }
  free(reasons);
  free(done);
}

static const struct problem_edge *known_edge(const struct advice *a) {
  for (size_t i = 0; i < a->count; i++) {
    if (a->candidates[i].fits) {
      return &a->candidates[i].edge;
    }
  }
  return NULL;
}

static void print_facts(const struct advice *a) {
  const struct manifest_level *lower = &a->base->levels[a->edge->level];
  const struct problem_edge *e = known_edge(a);
  (void)printf("edge %s.%s\n", a->base->levels[a->upper].name, lower->name);
  if (e == NULL) {
    return;
  }
  (void)printf("  n = %lld variables of level %s, p = %lld inputs, ", (long long)e->n, lower->name,
               (long long)e->p);
  if (e->steps > 0) {
    (void)printf("%lld steps", (long long)e->steps);
  } else {
    (void)printf("steps not known before the data are read");
  }
  (void)printf(" of %s, %s\n",
               lower->optimizer != NULL ? lower->optimizer->component->c.id : "no optimizer",
               e->stochastic ? "on batches" : "on all rows");
}

/* A way to hold less of a long tape: of a method that has a slot "checkpoint", a twentieth. */
static void print_checkpoints(const struct advice *a, const struct candidate *c) {
  char before[32];
  char after[32];
  struct candidate less = {.component = c->component};
  int has_slot = 0;
  int64_t kept = c->edge.steps / 20 - 2;
  for (uint32_t i = 0; i < c->component->c.slot_count; i++) {
    has_slot = has_slot || strcmp(c->component->c.slots[i].name, "checkpoint") == 0;
  }
  if (!has_slot || kept < 1 || bytes_of(a, c) < LARGE) {
    return;
  }
  char *text =
      memory_format("{\"%s\": {\"checkpoint\": %lld}}", c->component->c.id, (long long)kept);
  try_text(a, text, &less);
  if (less.fits && less.edge.has_cost) {
    format_bytes((double)bytes_of(a, c), before, sizeof before);
    format_bytes((double)bytes_of(a, &less), after, sizeof after);
    (void)printf(
        "  It holds %s of steps; %s holds %s and takes %lld gradients more, for the same "
        "result.\n",
        before, text, after, (long long)(less.edge.cost.gradients - c->edge.cost.gradients));
  }
  free(less.reason);
  free(text);
}

static void print_if_solved(const struct advice *a, const struct candidate *c) {
  const struct manifest_level *lower = &a->base->levels[a->edge->level];
  const struct problem_edge *e = known_edge(a);
  if (c != NULL) {
    (void)printf(
        "If level %s is solved (its gradient is zero)%s: %s, the cheapest of those whose "
        "result does not depend on how it was solved.\n",
        lower->name, lower->tolerance > 0 ? "" : "; it has no \"tolerance\"", c->component->c.id);
  } else if (e != NULL && e->stochastic && has_biased_implicit(a)) {
    (void)printf(
        "No implicit method is exact here: level %s draws batches, and the inverse of one "
        "batch's Hessian is not that of the mean. More rows (\"batch\") bring it nearer.\n",
        lower->name);
  }
}

static void print_if_steps(const struct advice *a, const struct candidate *c) {
  const struct candidate *small = least(a, 0, reals_of);
  char bytes[32];
  if (c == NULL) {
    return;
  }
  (void)printf(
      "If its steps themselves are the model: %s, the cheapest of those that follow "
      "them.\n",
      c->component->c.id);
  print_checkpoints(a, c);
  if (small != c && work_of(small) <= 200 * work_of(c)) {
    format_bytes((double)bytes_of(a, small), bytes, sizeof bytes);
    (void)printf("  %s holds least, %s, for %lld HVPs and %lld gradients (p = %lld).\n",
                 small->component->c.id, bytes, (long long)small->edge.cost.hvps,
                 (long long)small->edge.cost.gradients, (long long)small->edge.p);
  }
}

static void print_choice(const struct advice *a) {
  const struct candidate *implicit = cheapest(a, 1);
  const struct candidate *other = cheapest(a, 0);
  (void)printf("\n");
  print_if_solved(a, implicit);
  print_if_steps(a, other);
  if (implicit == NULL && other == NULL) {
    (void)printf("None of those that fit says that it is exact and what it costs%s\n",
                 known_edge(a) == NULL ? ": the reasons are above." : ".");
    return;
  }
  (void)printf(
      "To see how far apart they are here:\n  tier compare %s --estimators %s%s%s "
      "--at-step 10\n",
      a->session->options->operands.items[0], implicit != NULL ? implicit->component->c.id : "",
      implicit != NULL && other != NULL ? "," : "", other != NULL ? other->component->c.id : "");
}

static struct json *candidate_json(struct arena *arena, const struct advice *a,
                                   const struct candidate *c) {
  struct json *j = json_make(arena, JSON_OBJECT);
  const tier_cost *cost = &c->edge.cost;
  int known = c->fits && c->edge.has_cost;
  put_text(arena, j, "estimator", c->component->c.id);
  put_flag(arena, j, "own", c->own);
  put_flag(arena, j, "fits", c->fits);
  put_text(arena, j, "reason", c->reason);
  put_number(arena, j, "values", known ? (double)cost->values : NAN);
  put_number(arena, j, "gradients", known ? (double)cost->gradients : NAN);
  put_number(arena, j, "hvps", known ? (double)cost->hvps : NAN);
  put_number(arena, j, "cross", known ? (double)cost->cross : NAN);
  put_number(arena, j, "bytes", known ? (double)bytes_of(a, c) : NAN);
  put_flag(arena, j, "at_most", known && (cost->flags & TIER_COST_AT_MOST));
  put_flag(arena, j, "biased", known && (cost->flags & TIER_COST_BIASED));
  put_flag(arena, j, "random", known && (cost->flags & TIER_COST_RANDOM));
  put_text(arena, j, "right", known ? cost->right : NULL);
  return j;
}

static void print_document(const struct advice *a) {
  struct arena *arena = arena_new();
  struct json *j = json_make(arena, JSON_OBJECT);
  struct json *rows = json_make(arena, JSON_LIST);
  const struct problem_edge *e = known_edge(a);
  const struct candidate *implicit = cheapest(a, 1);
  const struct candidate *other = cheapest(a, 0);
  put_text(arena, j, "upper", a->base->levels[a->upper].name);
  put_text(arena, j, "lower", a->base->levels[a->edge->level].name);
  put_number(arena, j, "n", e != NULL ? (double)e->n : NAN);
  put_number(arena, j, "p", e != NULL ? (double)e->p : NAN);
  put_number(arena, j, "steps", e != NULL && e->steps > 0 ? (double)e->steps : NAN);
  put_flag(arena, j, "stochastic", e != NULL && e->stochastic);
  put_text(arena, j, "if_solved", implicit != NULL ? implicit->component->c.id : NULL);
  put_text(arena, j, "if_steps", other != NULL ? other->component->c.id : NULL);
  for (size_t i = 0; i < a->count; i++) {
    json_append(arena, rows, candidate_json(arena, a, &a->candidates[i]));
  }
  json_set(arena, j, "rows", rows);
  print_json(j);
  arena_free(arena);
}

/* ---- the verb ---- */

static int32_t find_edge(struct advice *a) {
  const struct options *o = a->session->options;
  a->edge = session_edge(a->base, o->edge);
  if (a->edge == NULL) {
    return fail(TIER_E_INVALID,
                o->edge != NULL ? "the manifest has no edge \"%s\""
                                : "the manifest has no edge, or several: --edge UPPER.LOWER%s",
                o->edge != NULL ? o->edge : "");
  }
  for (size_t i = 0; i < a->base->level_count; i++) {
    const struct manifest_level *l = &a->base->levels[i];
    if (a->edge >= l->through && a->edge < l->through + l->through_count) {
      a->upper = i;
    }
  }
  return TIER_OK;
}

static void advise(struct advice *a) {
  try_all(a);
  if (a->session->options->json) {
    print_document(a);
    return;
  }
  print_facts(a);
  print_table(a);
  print_refusals(a);
  print_choice(a);
}

int verb_advise(const struct options *o) {
  struct session s;
  struct advice a = {.session = &s};
  int code = 0;
  int32_t status = session_open(o, &s);
  status = status == TIER_OK ? session_check(&s, o->operands.items[0], "base") : status;
  a.base = s.variant_count > 0 ? s.variants[0].manifest : NULL;
  if (a.base == NULL || status == TIER_E_MISSING) {
    code = session_complain(&s, status);
  } else {
    status = find_edge(&a);
    code = status == TIER_OK ? 0 : print_failure(status);
  }
  if (code == 0) {
    error_clear();
    advise(&a);
  }
  for (size_t i = 0; i < a.count; i++) {
    free(a.candidates[i].reason);
  }
  free(a.candidates);
  session_close(&s);
  return code;
}

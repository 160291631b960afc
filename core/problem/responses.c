/* Hypergradients. For a level with `through` edges (design.md, section 6):
 *
 *   dF/dlambda + sum over solves of lower levels, the latest first, of the pullback of the
 * cotangent that has arrived on that solve's solution.
 *
 * The latest first is a reverse topological order: a solve reads only what was solved before it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/profile.h"
#include "problem/edges.h"
#include "problem/instances.h"
#include "problem/records.h"
#include "problem/totals.h"
#include "problem/trials.h"
#include "problem/variables.h"

double now_seconds(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- stationarity ---- */

/* Without a tolerance of its own, a lower level counts as solved below this gradient norm. */
#define STATIONARY 1e-3

enum { OFF, WARN, STOP, SOLVE }; /* guards.stationarity, as the manifest numbers it */

/* What of the gradient is left at w. A step knows the one before it only, unless it was not taken.
 */
static int32_t find_gradient_norm(tier_edge *e) {
  struct level *l = e->lower;
  if (edge_is_total(e) && strcmp(l->stop, "tolerance") != 0) {
    TIER_TRY(total_norm(e));
    return level_guard(l);
  }
  if (l->loop != NULL || strcmp(l->stop, "tolerance") == 0) {
    return TIER_OK;
  }
  TIER_TRY(level_gradient(l));
  return level_guard(l);
}

static int32_t stationarity(tier_edge *e) {
  struct level *l = e->lower;
  struct problem *p = e->p;
  int mode = p->m->guards.stationarity;
  double tolerance = l->declared->tolerance > 0 ? l->declared->tolerance : STATIONARY;
  if (mode == OFF || !(e->estimator->component->c.flags & TIER_IMPLICIT)) {
    return TIER_OK;
  }
  TIER_TRY(find_gradient_norm(e));
  if (mode == SOLVE && l->declared->tolerance > 0 && l->gradient_norm > tolerance) {
    TIER_TRY(level_continue(l, 10 * l->steps, tolerance, NULL));
    TIER_TRY(find_gradient_norm(e));
  }
  if (l->gradient_norm <= tolerance) {
    return TIER_OK;
  }
  if (mode == STOP) {
    return fail(TIER_E_REFUSED,
                "level \"%s\" is not solved: its gradient's norm is %g, above %g, so an implicit "
                "hypergradient is wrong; more steps, or guards.stationarity",
                l->declared->name, l->gradient_norm, tolerance);
  }
  if (p->stationarity_warnings++ == 0) {
    text_format(
        &p->warnings,
        "level \"%s\" is not solved at top-level step %lld: its gradient's norm is %g, above "
        "%g (%s); implicit hypergradients are then biased (said once a run)\n",
        l->declared->name, (long long)p->done, l->gradient_norm, tolerance, l->stop);
  }
  return TIER_OK;
}

/* ---- solving what is below ---- */

static int32_t solve_edge(tier_edge *e) {
  records_open(e);
  int32_t status = e->api->solve(e->estimator->object, e, e->estimator->state, &e->record);
  if (status == TIER_OK) {
    status = stationarity(e);
  }
  if (status == TIER_OK) {
    status = records_close(&e->record);
  }
  return status < 0 ? fail_at(&e->declared->place, status) : TIER_OK;
}

/* The edge on whose behalf a level is solved: of the nearest of those above it, as they run now,
 * that goes through it; NULL: none does. */
static tier_edge *edge_of(const struct level *l) {
  tier_edge *e = NULL;
  for (const struct level *above = l->above; above != NULL && e == NULL; above = above->above) {
    e = edge_between(above, l->index);
  }
  return e;
}

static int32_t solve_level(struct level *l, struct level *above) {
  struct problem *p = l->p;
  l->above = above;
  tier_edge *e = edge_of(l);
  profile_begin(p->options.profile, "solve", l->declared->name);
  int32_t status = e != NULL ? solve_edge(e) : level_run(l, NULL, NULL);
  profile_end(p->options.profile);
  return status;
}

/* Those in `through` that were not solved on its behalf in this step: a level between solves them
 * for itself. */
static int32_t solve_edges(struct level *l) {
  for (size_t i = 0; i < l->p->m->level_count; i++) {
    const tier_edge *e = edge_between(l, (int)i);
    if (e != NULL && e->count == 0) {
      TIER_TRY(solve_level(e->lower, l));
    }
  }
  return TIER_OK;
}

static int32_t solve_all(struct level *l) {
  for (size_t i = 0; i < l->child_count; i++) {
    TIER_TRY(solve_level(&l->p->levels[l->children[i]], l));
  }
  return solve_edges(l);
}

static void begin(struct level *l) {
  l->began = ++l->p->clock;
  for (size_t i = 0; i < l->edge_count; i++) {
    records_begin(l->edges[i]);
  }
}

int32_t level_solve_through(struct level *l) {
  begin(l);
  return solve_edges(l);
}

int32_t level_solve_children(struct level *l) {
  struct problem *p = l->p;
  double started = now_seconds();
  begin(l);
  p->solve_depth++;
  int32_t status = solve_all(l);
  if (--p->solve_depth == 0) {
    p->solve_seconds += now_seconds() - started;
  }
  return status;
}

/* ---- pulling back ---- */

/* Parts of flat vectors, as views. */
static tier_vector part(const tier_vector *x, int64_t offset, int64_t size) {
  return (tier_vector){.size = size,
                       .dtype = x->dtype,
                       .data = (char *)x->data + (size_t)offset * dtype_size(x->dtype)};
}

/* Where the cotangent of a record of an edge stands: the newest one's among those of the level. */
static tier_vector cotangent_of(struct level *l, const tier_edge *e, tier_record *r) {
  return r == &e->record
             ? part(l->cotangent, span_offset(&l->responding, e->lower->over.variables[0]),
                    e->lower->over.size)
             : part(r->cotangent, 0, e->lower->over.size);
}

/* The edges start with no cotangents on their older records. */
static int32_t clear_older(struct level *l) {
  for (size_t i = 0; i < l->edge_count; i++) {
    tier_edge *e = l->edges[i];
    for (size_t k = 0; k < e->older_count; k++) {
      tier_record *r = &e->older[k];
      r->cotangent = r->cotangent != NULL ? r->cotangent : vector_new(e->lower->over.size);
      if (r->cotangent == NULL) {
        return fail(TIER_E_MEMORY, "no memory for the cotangents of level \"%s\"",
                    e->lower->declared->name);
      }
      vector_interface.fill(r->cotangent, 0);
    }
  }
  return TIER_OK;
}

/* Adds `from` to the cotangent of the record that the row read of that variable's level; what it
 * read from before this step is a constant. */
static int32_t pass_on(struct level *l, const tier_record *r, int64_t row, int variable,
                       const tier_vector *from) {
  const struct variable *v = &l->p->variables[variable];
  for (size_t k = 0; k < l->edge_count; k++) {
    tier_edge *e = l->edges[k];
    if (e->lower->index != v->owner) {
      continue;
    }
    int64_t number = records_seen(r, row, k);
    tier_record *to = number < 0 ? NULL : records_number(e, number);
    if (to == NULL) {
      return number < 0 ? TIER_OK
                        : fail(TIER_E_INTERNAL, "level \"%s\": its solve %lld was not kept",
                               e->lower->declared->name, (long long)number);
    }
    tier_vector whole = cotangent_of(l, e, to);
    tier_vector target = part(&whole, v->offset, v->size);
    vector_interface.axpy(1.0, from, &target);
  }
  return TIER_OK;
}

int32_t level_distribute(struct level *l, const tier_edge *e, const tier_record *r,
                         const struct beyond *beyond) {
  for (size_t i = 0; i < e->inputs.count; i++) {
    int variable = e->inputs.variables[i];
    int64_t own = span_offset(&l->over, variable);
    tier_vector from = part(e->pulled, e->inputs.offsets[i], l->p->variables[variable].size);
    int64_t outside = beyond != NULL ? span_offset(beyond->span, variable) : -1;
    if (own >= 0 || outside >= 0) {
      tier_vector to =
          part(own >= 0 ? l->gradient : beyond->to, own >= 0 ? own : outside, from.size);
      vector_interface.axpy(1.0, &from, &to);
    } else {
      TIER_TRY(pass_on(l, r, ROW_SOLUTION, variable, &from));
    }
  }
  for (int64_t t = 0; t < e->slots && t < r->tape.length; t++) {
    for (size_t i = 0; i < e->moving.count; i++) {
      int variable = e->moving.variables[i];
      tier_vector from = part(e->pulled, e->inputs.size + t * e->moving.size + e->moving.offsets[i],
                              l->p->variables[variable].size);
      TIER_TRY(pass_on(l, r, t, variable, &from));
    }
  }
  return TIER_OK;
}

static int32_t check_cotangent(const struct level *l, const tier_edge *e,
                               const tier_vector *cotangent) {
  if (vector_interface.finite(cotangent)) {
    return TIER_OK;
  }
  (void)fail(TIER_E_NONFINITE,
             "the gradient of level \"%s\" by \"%s\" of level \"%s\", which is to be pulled back, "
             "is not finite at top-level step %lld; nothing was updated",
             l->declared->name, span_first_bad(l->p, &e->lower->over, cotangent),
             e->lower->declared->name, (long long)l->p->done);
  return fail_at(&e->declared->place, TIER_E_NONFINITE);
}

static int32_t pull_record(struct level *l, tier_edge *e, tier_record *r,
                           const struct beyond *beyond) {
  tier_vector cotangent = cotangent_of(l, e, r);
  TIER_TRY(check_cotangent(l, e, &cotangent));
  vector_interface.fill(e->pulled, 0);
  r->adjoints = e->captures ? 0 : r->adjoints;
  profile_begin(l->p->options.profile, "pullback", e->lower->declared->name);
  int32_t status =
      e->api->pullback(e->estimator->object, e, e->estimator->state, r, &cotangent, e->pulled);
  profile_end(l->p->options.profile);
  e->pullbacks++;
  if (status < 0) {
    return fail_at(&e->declared->place, status);
  }
  if (!vector_interface.finite(e->pulled)) {
    (void)fail(TIER_E_NONFINITE,
               "the pullback through level \"%s\" to variable \"%s\" is not finite at top-level "
               "step %lld; nothing was updated",
               e->lower->declared->name, span_first_bad(e->p, &e->inputs, e->pulled),
               (long long)l->p->done);
    return fail_at(&e->declared->place, TIER_E_NONFINITE);
  }
  return level_distribute(l, e, r, beyond);
}

/* The edge whose next record (left[i] of them are left) was made last; -1: none is left. */
static int latest(const struct level *l, const int64_t *left) {
  int found = -1;
  uint64_t made = 0;
  for (size_t i = 0; i < l->edge_count; i++) {
    const tier_record *r = left[i] > 0 ? records_number(l->edges[i], left[i] - 1) : NULL;
    if (r != NULL && r->made > made) {
      made = r->made;
      found = (int)i;
    }
  }
  return found;
}

/* Pulls back what is left: left[i] records of edge i. */
static int32_t pull_left(struct level *l, int64_t *left, const struct beyond *beyond) {
  struct pulling before = l->pulling;
  int32_t status = TIER_OK;
  l->pulling = (struct pulling){.left = left, .beyond = beyond};
  for (int i = latest(l, left); i >= 0 && status == TIER_OK; i = latest(l, left)) {
    left[i]--;
    status = pull_record(l, l->edges[i], records_number(l->edges[i], left[i]), beyond);
  }
  l->pulling = before;
  return status;
}

int32_t level_pull(struct level *l, const struct beyond *beyond) {
  int64_t *left = memory_alloc(l->edge_count, sizeof *left);
  int32_t status = clear_older(l);
  for (size_t i = 0; i < l->edge_count; i++) {
    left[i] = l->edges[i]->count;
  }
  if (status == TIER_OK) {
    status = pull_left(l, left, beyond);
  }
  free(left);
  return status;
}

/* ---- the rest of the path, as a function ---- */

/* What pulling back one edge changes, put aside. */
struct aside {
  tier_vector *gradient, *cotangent, *pulled;
  int64_t *left, *pullbacks;
};

static int32_t put_aside(struct level *l, const tier_edge *e, struct aside *a) {
  a->gradient = vector_new(l->gradient->size);
  a->cotangent = vector_new(l->cotangent->size);
  a->pulled = vector_new(e->pulled->size);
  a->left = memory_alloc(l->edge_count, sizeof *a->left);
  a->pullbacks = memory_alloc(l->edge_count, sizeof *a->pullbacks);
  if (a->gradient == NULL || a->cotangent == NULL || a->pulled == NULL) {
    return fail(TIER_E_MEMORY, "no memory for the cotangents of level \"%s\"", l->declared->name);
  }
  vector_interface.copy(l->gradient, a->gradient);
  vector_interface.copy(l->cotangent, a->cotangent);
  vector_interface.copy(e->pulled, a->pulled);
  for (size_t i = 0; i < l->edge_count; i++) {
    a->left[i] = l->pulling.left[i];
    a->pullbacks[i] = l->edges[i]->pullbacks;
  }
  return TIER_OK;
}

static void aside_free(struct aside *a) {
  vector_free(a->gradient);
  vector_free(a->cotangent);
  vector_free(a->pulled);
  free(a->left);
  free(a->pullbacks);
}

/* gradient <- what was put aside + scale * gradient. Each call of the rest sees the same draws. */
static void put_back(struct level *l, tier_edge *e, const struct aside *a, double scale) {
  vector_interface.axpby(1.0, a->gradient, scale, l->gradient);
  vector_interface.copy(a->cotangent, l->cotangent);
  vector_interface.copy(a->pulled, e->pulled);
  for (size_t i = 0; i < l->edge_count; i++) {
    l->edges[i]->pullbacks = a->pullbacks[i];
  }
}

static int32_t check_rest(const struct level *l) {
  int several = 0;
  for (size_t i = 0; i < l->edge_count; i++) {
    several |= l->edges[i]->older_count > 0;
  }
  if (l->pulling.left == NULL) {
    return fail(TIER_E_PLUGIN, "the rest of the path can be followed during a pullback only");
  }
  return several || l->pulling.beyond != NULL
             ? fail(TIER_E_UNSUPPORTED,
                    "following the rest of the path several times, where level \"%s\" is not the "
                    "top level or lower levels are solved several times, is not supported yet",
                    l->declared->name)
             : TIER_OK;
}

int32_t response_rest(tier_edge *e, tier_record *r, double scale, const tier_vector *inputs) {
  struct level *l = e->upper;
  struct aside a = {0};
  TIER_TRY(check_rest(l));
  int32_t status = put_aside(l, e, &a);
  if (status == TIER_OK) {
    vector_interface.fill(l->gradient, 0);
    vector_interface.fill(l->cotangent, 0);
    vector_interface.copy(inputs, e->pulled);
    status = level_distribute(l, e, r, NULL);
  }
  if (status == TIER_OK) {
    status = pull_left(l, a.left, NULL);
  }
  if (status == TIER_OK) {
    put_back(l, e, &a, scale);
  }
  aside_free(&a);
  return status;
}

static int32_t pull_all(struct level *l) {
  struct problem *p = l->p;
  double started = now_seconds();
  l->direct_norm = vector_interface.norm(l->gradient);
  vector_interface.copy(l->gradient, l->update);
  p->pullback_depth++;
  int32_t status = level_pull(l, NULL);
  if (--p->pullback_depth == 0) {
    p->pullback_seconds += now_seconds() - started;
  }
  vector_interface.axpby(1.0, l->gradient, -1.0, l->update);
  l->response_norm = vector_interface.norm(l->update);
  return status;
}

int32_t level_gradient(struct level *l) {
  struct point at = level_point(l);
  tier_vector *responding = l->edge_count > 0 ? l->cotangent : NULL;
  TIER_TRY(suite_gradient(l->suites[0], &at, &l->value, l->term_values, l->gradient, responding));
  if (l->edge_count > 0) {
    TIER_TRY(pull_all(l));
  }
  for (size_t i = 0; i < l->edge_count; i++) {
    TIER_TRY(trial_look_back(&l->edges[i]->record));
  }
  l->gradient_norm = vector_interface.norm(l->gradient);
  return TIER_OK;
}

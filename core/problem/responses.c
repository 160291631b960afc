/* Hypergradients. For a level with `through` edges (design.md, section 6):
 *
 *   dF/dlambda + sum over edges, in reverse topological order, of the pullback of the cotangent
 * that has arrived on that lower level's variables.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/profile.h"
#include "problem/edges.h"
#include "problem/instances.h"
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
static int32_t find_gradient_norm(struct level *l) {
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
  TIER_TRY(find_gradient_norm(l));
  if (mode == SOLVE && l->declared->tolerance > 0 && l->gradient_norm > tolerance) {
    TIER_TRY(level_continue(l, 10 * l->steps, tolerance, NULL));
    TIER_TRY(find_gradient_norm(l));
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
  record_reset(&e->record);
  int32_t status = e->api->solve(e->estimator->object, e, e->estimator->state, &e->record);
  if (status == TIER_OK) {
    status = stationarity(e);
  }
  return status < 0 ? fail_at(&e->declared->place, status) : TIER_OK;
}

int32_t level_solve_children(struct level *l) {
  struct problem *p = l->p;
  double started = now_seconds();
  int32_t status = TIER_OK;
  p->solve_depth++;
  for (size_t i = 0; i < l->child_count && status == TIER_OK; i++) {
    tier_edge *e = edge_into(p, l->children[i]);
    struct level *child = &p->levels[l->children[i]];
    profile_begin(p->options.profile, "solve", child->declared->name);
    status = e != NULL ? solve_edge(e) : level_run(child, NULL);
    profile_end(p->options.profile);
  }
  if (--p->solve_depth == 0) {
    p->solve_seconds += now_seconds() - started;
  }
  return status;
}

/* ---- pulling back ---- */

/* Adds what was pulled back to the level's gradient and to the cotangents of other lower levels. */
static void distribute(struct level *l, const tier_edge *e) {
  size_t bytes = dtype_size(l->p->dtype);
  for (size_t i = 0; i < e->inputs.count; i++) {
    int variable = e->inputs.variables[i];
    int64_t size = l->p->variables[variable].size;
    int64_t own = span_offset(&l->over, variable);
    tier_vector *target = own >= 0 ? l->gradient : l->cotangent;
    int64_t offset = own >= 0 ? own : span_offset(&l->responding, variable);
    tier_vector *from =
        vector_view((char *)e->pulled->data + (size_t)e->inputs.offsets[i] * bytes, size);
    tier_vector *to = vector_view((char *)target->data + (size_t)offset * bytes, size);
    vector_interface.axpy(1.0, from, to);
    vector_free(from);
    vector_free(to);
  }
}

static int32_t pull_edge(struct level *l, tier_edge *e) {
  int64_t offset = span_offset(&l->responding, e->lower->over.variables[0]);
  char *base = (char *)l->cotangent->data + (size_t)offset * dtype_size(l->p->dtype);
  tier_vector *cotangent = vector_view(base, e->lower->over.size);
  vector_interface.fill(e->pulled, 0);
  int32_t status = e->api->pullback(e->estimator->object, e, e->estimator->state, &e->record,
                                    cotangent, e->pulled);
  vector_free(cotangent);
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
  distribute(l, e);
  return TIER_OK;
}

static int32_t pull_all(struct level *l) {
  struct problem *p = l->p;
  double started = now_seconds();
  int32_t status = TIER_OK;
  l->direct_norm = vector_interface.norm(l->gradient);
  vector_interface.copy(l->gradient, l->update);
  p->pullback_depth++;
  for (size_t i = p->m->level_count; i-- > 0 && status == TIER_OK;) {
    tier_edge *e = edge_between(l, (int)i);
    if (e != NULL) {
      profile_begin(p->options.profile, "pullback", e->lower->declared->name);
      status = pull_edge(l, e);
      profile_end(p->options.profile);
    }
  }
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
  l->gradient_norm = vector_interface.norm(l->gradient);
  return TIER_OK;
}

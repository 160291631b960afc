/* What an edge's estimator will cost, before anything is run: for `tier advise` and `tier check`.
 */
#include <string.h>

#include "base/error.h"
#include "problem/edges.h"
#include "problem/instances.h"
#include "problem/problem.h"

static int draws_batches(const struct level *l) {
  for (size_t i = 0; i < l->p->m->data_count; i++) {
    if (l->context.data != NULL && l->context.data[i].indexed) {
      return 1;
    }
  }
  return l->declared->batch_count > 0 && l->declared->batches[0].rows > 0;
}

int32_t problem_edge_facts(const struct problem *p, size_t upper, size_t lower,
                           struct problem_edge *out) {
  const tier_edge *e =
      upper < p->m->level_count ? edge_between(&p->levels[upper], (int)lower) : NULL;
  if (e == NULL || e->estimator == NULL) {
    return fail(TIER_E_INTERNAL, "no edge between levels %zu and %zu", upper, lower);
  }
  const struct stepper *stepper = e->extra != NULL ? e->extra : e->lower->stepper;
  *out = (struct problem_edge){
      .n = e->lower->over.size,
      .p = e->inputs.size,
      .steps = e->lower->declared->epochs > 0 ? e->lower->steps : e->lower->declared->steps,
      .state = stepper != NULL ? stepper->m : 0,
      .stochastic = draws_batches(e->lower)};
  out->steps = out->steps > 0 ? out->steps : -1;
  const tier_cost_1 *api = instance_get(e->estimator, "tier.cost/1");
  if (api == NULL) {
    return TIER_OK;
  }
  uint32_t flags = (e->lower->declared->tolerance > 0 ? TIER_COST_MAY_STOP : 0) |
                   (stepper == NULL ? TIER_COST_PROCEDURAL : 0);
  const tier_cost_problem problem = {.struct_size = (uint32_t)sizeof problem,
                                     .stochastic = out->stochastic,
                                     .n = out->n,
                                     .p = out->p,
                                     .steps = out->steps,
                                     .state = out->state,
                                     .flags = flags};
  out->cost.struct_size = (uint32_t)sizeof out->cost;
  out->cost.right = "";
  int32_t status = api->cost(e->estimator->object, &problem, &out->cost);
  out->has_cost = status >= 0;
  error_clear();
  return TIER_OK;
}

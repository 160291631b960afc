/* The last step of gradient descent alone: -lr (d2F/dtheta dw) cotangent; right or wrong in one
 * way: -DID, -DFAULT. */
#include <stdlib.h>
#include <string.h>
#include <tier/cost.h>
#include <tier/estimator.h>

#include "faults.h"

struct last {
  const tier_host *host;
  const tier_problem_1 *problem;
  const tier_vector_1 *v;
};

static int32_t solve(void *self, tier_edge *e, tier_state *state, tier_record *r) {
  const struct last *l = self;
  (void)state;
  return l->problem->run(e, r, TIER_KEEP_TAPE);
}

/* A call that the cost does not declare. */
static int32_t call_around(const struct last *l, tier_edge *e, tier_oracle *o,
                           const tier_vector *cotangent) {
  tier_vector *out = l->v->create(l->problem->size(e));
  int32_t status = l->problem->hvp(o, cotangent, out);
  l->v->destroy(out);
  return status;
}

static int32_t pullback(void *self, tier_edge *e, tier_state *state, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  const struct last *l = self;
  tier_oracle *o = NULL;
  double lr = 0;
  (void)state;
  if (l->v->max_abs(cotangent) == 0) {
    return TIER_OK;
  }
  TIER_TRY(l->problem->step_size(e, NULL, &lr));
  TIER_TRY(l->problem->at_step(e, r, l->problem->tape_length(r) - 1, &o));
  int32_t status = FAULT == UNCOUNTED ? call_around(l, e, o, cotangent) : TIER_OK;
  if (status == TIER_OK) {
    status = l->problem->cross(o, cotangent, FAULT == WRONG_SIGN ? lr : -lr, inputs);
  }
  l->problem->release(o);
  return status;
}

static const tier_estimator_1 estimator = {
    .struct_size = (uint32_t)sizeof estimator, .solve = solve, .pullback = pullback};

static int32_t cost_of(void *self, const tier_cost_problem *problem, tier_cost *out) {
  (void)self;
  (void)problem;
  out->flags = TIER_COST_BIASED;
  out->cross = 1;
  out->right = "the last step";
  return TIER_OK;
}
static const tier_cost_1 cost = {.struct_size = (uint32_t)sizeof cost, .cost = cost_of};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct last *l = calloc(1, sizeof *l);
  (void)params;
  if (l == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  l->host = host;
  l->v = host->get(host, "tier.vector/1");
  l->problem = host->get(host, "tier.problem/1");
  *object = l;
  return TIER_OK;
}
static const void *get(void *object, const char *interface_id) {
  (void)object;
  if (strcmp(interface_id, "tier.cost/1") == 0) {
    return &cost;
  }
  return strcmp(interface_id, "tier.estimator/1") == 0 ? &estimator : NULL;
}

static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component),
                                             .flags = TIER_NEEDS_STEP,
                                             .kind = "estimator",
                                             .id = ID,
                                             .summary = "planted",
                                             .create = create,
                                             .destroy = free,
                                             .get = get}};
TIER_PLUGIN(ID, "1.0", "MIT", components);

/* Forward mode along the steps of a tape: with tangents (z_w, z_s) of the step's variables and
 * state, and theta' of the inputs, each step from the first to the last maps
 *
 *   z_g = H z_w + (d2F/dw dtheta) theta',   (z_w, z_s) <- step_jvp(z_w, z_s, z_g, theta'),
 *
 * for a block of tangents at once. They begin at zero: the start is taken as a constant. */
#ifndef PLUGINS_ESTIMATORS_TANGENTS_H
#define PLUGINS_ESTIMATORS_TANGENTS_H

#include <stdlib.h>
#include <tier/estimator.h>

struct tangents {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_problem_1 *problem;
  tier_edge *e;
  tier_record *r;
  int64_t count;
  tier_vector **inputs;         /* (p) each: theta'; the caller fills them */
  tier_vector **w, **s;         /* (n), (m) each */
  tier_vector **gradient, **hw; /* (n) each: z_g; H z_w */
  tier_vector **all;            /* the 5 count vectors above */
};

static inline void tangents_close(struct tangents *z) {
  for (int64_t i = 0; z->all != NULL && i < 5 * z->count; i++) {
    z->v->destroy(z->all[i]);
  }
  free(z->all);
  z->all = NULL;
}

/* On a failure, too, the caller closes them. */
static inline int32_t tangents_open(struct tangents *z) {
  int64_t n = z->problem->size(z->e);
  int64_t sizes[] = {z->problem->input_size(z->e), n, z->problem->state_size(z->r), n, n};
  tier_vector ***const groups[] = {&z->inputs, &z->w, &z->s, &z->gradient, &z->hw};
  z->all = calloc((size_t)(5 * z->count), sizeof(tier_vector *));
  int enough = z->all != NULL;
  for (int64_t i = 0; i < 5 * z->count && enough; i++) {
    z->all[i] = z->v->create(sizes[i / z->count]);
    enough = z->all[i] != NULL;
  }
  if (!enough) {
    return tier_failf(z->host, TIER_E_MEMORY, "no memory for %lld tangents of %lld numbers",
                      (long long)z->count, (long long)n);
  }
  for (int64_t i = 0; i < 5; i++) {
    *groups[i] = z->all + i * z->count;
  }
  return TIER_OK;
}

/* gradient <- the tangents of dF/dw at step t; `still`: those of w are zero. */
static inline int32_t tangents_gradient(struct tangents *z, int64_t t, int still) {
  tier_oracle *o = NULL;
  TIER_TRY(z->problem->at_step(z->e, z->r, t, &o));
  int32_t status = TIER_OK;
  for (int64_t i = 0; i < z->count && status == TIER_OK; i++) {
    status = z->problem->cross_forward(o, z->inputs[i], z->gradient[i]);
  }
  if (status == TIER_OK && !still) {
    status =
        z->problem->hvp_block(o, z->count, (const tier_vector *const *)(const void *)z->w, z->hw);
    for (int64_t i = 0; i < z->count && status == TIER_OK; i++) {
      z->v->axpy(1.0, z->hw[i], z->gradient[i]);
    }
  }
  z->problem->release(o);
  return status;
}

/* w and s <- the tangents after the last step, from zero before step `first`. With `first_order`
 * the Hessian products are left out. */
static inline int32_t tangents_push(struct tangents *z, int64_t first, int first_order) {
  int64_t length = z->problem->tape_length(z->r);
  for (int64_t i = 0; i < z->count; i++) {
    z->v->fill(z->w[i], 0.0);
    z->v->fill(z->s[i], 0.0);
  }
  for (int64_t t = first; t < length; t++) {
    TIER_TRY(tangents_gradient(z, t, t == first || first_order));
    for (int64_t i = 0; i < z->count; i++) {
      TIER_TRY(z->problem->step_jvp(z->e, z->r, t, z->w[i], z->s[i], z->gradient[i], z->inputs[i],
                                    z->w[i], z->s[i]));
    }
  }
  return TIER_OK;
}

/* Refuses a start that depends on the inputs, found by pulling a random cotangent back to them. */
static inline int32_t tangents_check_start(const tier_host *host, const tier_vector_1 *v,
                                           const tier_problem_1 *problem, tier_edge *e,
                                           tier_record *r) {
  tier_vector *probe = v->create(problem->size(e));
  tier_vector *inputs = v->create(problem->input_size(e));
  int32_t status = probe != NULL && inputs != NULL
                       ? TIER_OK
                       : tier_failf(host, TIER_E_MEMORY, "no memory for a vector");
  if (status == TIER_OK) {
    v->normal(probe, 1, 0);
    status = problem->start_vjp(e, r, probe, inputs);
  }
  if (status == TIER_OK && v->max_abs(inputs) > 0.0) {
    status = tier_failf(host, TIER_E_UNSUPPORTED,
                        "forward differentiation of a level whose start depends on the upper "
                        "variables is not supported yet: use unroll");
  }
  v->destroy(probe);
  v->destroy(inputs);
  return status;
}

#endif

/* What estimators that differentiate through optimizer steps share: slot "step", and bringing the
 * steps onto the tape. */
#ifndef PLUGINS_ESTIMATORS_STEPPING_H
#define PLUGINS_ESTIMATORS_STEPPING_H

#include <tier/cost.h>
#include <tier/estimator.h>

#define STEP_SLOT                                                                      \
  {                                                                                    \
    .name = "step",                                                                    \
    .doc =                                                                             \
        "an optimizer to step with from the solution found; needed where the level's " \
        "optimizer is no differentiable step (lbfgs)",                                 \
    .unit = "", .choices = "optimizer", .type = TIER_SLOT_APPLICATION                  \
  }

/* Runs the lower level with its steps on the tape; with `step`, runs it as it is and puts `count`
 * steps of `step` from the solution on the tape. */
static inline int32_t stepping_solve(const tier_host *host, const tier_problem_1 *problem,
                                     const char *id, tier_edge *e, tier_record *r,
                                     const tier_instance *step, int64_t count) {
  if (step != NULL) {
    TIER_TRY(problem->run(e, r, 0));
    return problem->extend(e, r, step, count);
  }
  if (!problem->has_step(e)) {
    return tier_failf(host, TIER_E_REFUSED,
                      "%s differentiates through optimizer steps, and the lower level's optimizer "
                      "is not a differentiable step: name one, {\"%s\": {\"step\": {\"sgd\": "
                      "{\"lr\": ...}}}}, or use an implicit estimator such as cg",
                      id, id);
  }
  return problem->run(e, r, TIER_KEEP_TAPE);
}

/* How many steps a pullback finds on the tape, as the cost of a method with such a `step` (NULL:
 * none) counts them; negative where that is not known. */
static inline int64_t stepping_length(const tier_host *host, const tier_instance *step,
                                      int64_t count, const tier_cost_problem *problem) {
  int64_t length = step != NULL && count > 0 ? count : problem->steps;
  return length >= 0
             ? length
             : tier_failf(host, TIER_E_UNSUPPORTED, "how many steps the level takes is not known");
}

/* Reals of so many steps on a tape: w, gradient and state of each. */
static inline int64_t stepping_reals(const tier_cost_problem *problem, int64_t steps) {
  return steps * (2 * problem->n + problem->state);
}

/* Reports the norm of the gradient that the lower level has left. */
static inline int32_t stepping_report_gradient(const tier_problem_1 *problem,
                                               const tier_vector_1 *v, tier_edge *e, tier_record *r,
                                               tier_vector *scratch) {
  tier_oracle *o = NULL;
  double value = 0.0;
  TIER_TRY(problem->at_solution(e, r, 0, 0, &o));
  int32_t status = problem->gradient(o, &value, scratch);
  problem->release(o);
  TIER_TRY(status);
  return problem->report_number(r, "gradient_norm", v->norm(scratch));
}

#endif

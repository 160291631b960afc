/* tier/estimator.h: interface "tier.estimator/1": a lower level as a function that can be solved
 * and pulled back.
 *
 * solve: inputs -> record (w* and whatever the pullback needs; the host owns it).
 * pullback: cotangent of w* -> cotangents of the inputs. The hypergradient is the direct term plus
 * the pullback of dF/dw; with more levels the host passes cotangents on in reverse order. */
#ifndef TIER_ESTIMATOR_H
#define TIER_ESTIMATOR_H

#include <tier/problem.h>
#include <tier/state.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tier_estimator_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*solve)(void *self, tier_edge *e, tier_state *state, tier_record *r);
  /* inputs (p, zeroed by the host) += (dw* / dtheta)^T cotangent (n). A zero cotangent gives zero.
   */
  int32_t (*pullback)(void *self, tier_edge *e, tier_state *state, tier_record *r,
                      const tier_vector *cotangent, tier_vector *inputs);
  /* out (n) <- (dw* / dtheta) tangent (p). NULL: not offered. */
  int32_t (*pushforward)(void *self, tier_edge *e, tier_state *state, tier_record *r,
                         const tier_vector *tangent, tier_vector *out);
  /* Refuses what does not apply to the lower level, with the reason; or NULL. Called once, before
   * any step, also where the problem is only checked: of the facade it may use sizes and settings,
   * has_step and fixed_point. */
  int32_t (*check)(void *self, tier_edge *e);
} tier_estimator_1;

#ifdef __cplusplus
}
#endif
#endif

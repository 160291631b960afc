/* The tape of a lower level's run: what each of its steps was given, so that step t can be looked
 * at again after the run. How much of it is kept is the estimator's choice (tier_tape): all steps,
 * the last K, a few checkpoints between which steps are taken again, or none but what running
 * backwards needs. A step taken again uses the same draw, so it yields the same bits; it counts its
 * gradient in the ledger, and touches nothing of the level. */
#ifndef PROBLEM_TAPE_H
#define PROBLEM_TAPE_H

#include "problem/suites.h"

/* How the next tape is kept; refuses a plan that cannot be (TIER_E_INVALID, TIER_E_UNSUPPORTED). */
int32_t tape_plan(tier_record *r, const tier_tape *plan);
/* Begins a tape of at most `steps` steps of a stepper. */
int32_t tape_begin(tier_record *r, struct stepper *s, int64_t steps);
/* Appends a step that is about to be taken: the level's w, gradient and draw, and the state. */
int32_t tape_push(tier_record *r, const struct level *l, const tier_vector *state,
                  int64_t level_step);
/* A tape of one step of s that is not taken: number `step` of the level's, from w, with states and
 * gradient zero. */
int32_t tape_pin(tier_record *r, struct stepper *s, const tier_vector *w, int64_t step);
/* The point after the last step. */
void tape_end(tier_record *r, const tier_vector *w, const tier_vector *state);
/* What step t was given; it stays until another step is asked for. */
int32_t tape_step(tier_record *r, int64_t t, struct frame *out);
int64_t tape_draw(const tier_record *r, int64_t t);
/* The step's index in the level's steps: which copies are in play. */
int64_t tape_level_step(const tier_record *r, int64_t t);
/* Where it was taken; `binding` only says which copies are in play. */
struct point tape_point(const tier_record *r, int64_t t, const struct frame *f,
                        struct binding *binding);
/* Bytes that the tape holds. */
int64_t tape_bytes(const tier_record *r);
void tape_free(tier_record *r);

/* ---- schedules: what binomial checkpointing predicts (Griewank & Walther 2000) ---- */

/* The fewest gradients with which `length` steps are reversed from `slots` checkpoints, the first
 * of them at step 0, beyond the one of step 0: t(l, s) = r l - C(s + r, s + 1) for
 * C(s + r - 1, s) < l <= C(s + r, s). */
int64_t checkpoint_steps(int64_t length, int64_t slots);
/* How far from the first checkpoint the second one stands, in a best schedule; length, slots >= 2.
 */
int64_t checkpoint_distance(int64_t length, int64_t slots);

#endif

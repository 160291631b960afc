/* Steps that can be run backwards ("tier.reversible_step/1"): in place of the step's graph they run
 * the plugin's exact arithmetic; the graph gives the derivatives. */
#ifndef PROBLEM_REVERSIBLE_H
#define PROBLEM_REVERSIBLE_H

#include "problem/suites.h"

/* Refuses a stepper that cannot be run backwards, with what to do instead. */
int32_t reversible_require(const struct stepper *s);
/* Finds the interface and its hyperparameters; none for other steps. `hyper` is the value of a slot
 * as a scalar of the step's graph. */
int32_t reversible_find(struct stepper *s, tier_step_build *build);
void reversible_free(struct stepper *s);
/* w_next, state_next <- the step; bits that it drops go to s->information, if there is one. */
int32_t reversible_run(struct stepper *s, const struct point *at, void *w_next, void *state_next);
/* Given what the step made, in place: w of before, then, with the gradient there, the state. */
int32_t reversible_undo_w(struct stepper *s, const struct point *at, void *w, void *state);
int32_t reversible_undo_states(struct stepper *s, const struct point *at, void *state,
                               struct information *information);

/* ---- what steps have dropped, as a stack of words ---- */

void information_clear(struct information *i);
void information_free(struct information *i);
int64_t information_bytes(const struct information *i);

#endif

/* Optimizer steps (tier.step/1) as programs: forward, vjp and jvp. */
#ifndef PROBLEM_STEPPERS_H
#define PROBLEM_STEPPERS_H

#include "problem/suites.h"

/* The step of that component on a level's variables. */
int32_t stepper_new(struct level *l, const struct instance *i, const struct application *a,
                    struct stepper **out);
void stepper_free(struct stepper *s);
/* w_next, state_next <- step(w, state, g, hyperparameters). */
int32_t stepper_run(struct stepper *s, const struct point *at, tier_vector *w_next,
                    tier_vector *state_next);
/* Kernels with vectors (u_w, u_s...) and outputs (v_w, v_g, v_s..., inputs...), for an edge. */
int32_t stepper_make_vjp(struct stepper *s, const struct placed *placed, size_t count,
                         struct kernel *k);
/* Vectors (t_w, t_g, t_s..., inputs...), outputs (w, s...). */
int32_t stepper_make_jvp(struct stepper *s, const struct placed *placed, size_t count,
                         struct kernel *k);

/* Is any variable that the level is over held within a set? */
int level_has_sets(const struct level *l);

#endif

/* What is wrong with a planted plugin: -DFAULT=... */
#ifndef PLANTED_FAULTS_H
#define PLANTED_FAULTS_H

#define NOTHING 0                   /* right: must pass */
#define DAMPED_IN_STEP_ONLY 1       /* cg: the operator of the step is not that of the residual */
#define PREVIOUS_ITERATE_SAVED 2    /* cg: on convergence, returns the x saved before the step */
#define PREVIOUS_ITERATE_BREAK 3    /* cg: on convergence, leaves before the step is applied to x */
#define DIRECTION_OF_OLD_RESIDUAL 4 /* cg: p = r of before + beta p */
#define NAN_TO_ZERO 5               /* cg: what is not finite becomes 0 */
#define CRASH 6
#define HANG 7
#define ONE_TERM_TOO_MANY 8 /* neumann */
#define WRONG_SIGN 9        /* estimator: of the cross product */
#define UNCOUNTED 10        /* estimator: declares one call less than it makes */
#define ROWS_MIXED 11       /* loss: a row's number reads the other rows */
#define NAN_AT_REST 12      /* optimizer: g / |g| */

#endif

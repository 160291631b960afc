/* A tier.problem/1 that can be checked by hand: the lower level minimizes
 *
 *   F(w, theta) = 1/2 w'Aw - w'B theta + c/2 |theta|^2,  A (n, n) symmetric positive, B (n, p),
 *
 * so w* = A^-1 B theta, H = A, d2F/dtheta dw = -B' (p, n), and one step of momentum (sgd for beta
 * 0), (w, s) -> (w + s', s') with s' = beta s - lr g, is linear. theta's last element may be the
 * learning rate instead (rate_is_input); then that column of B is zero. All calls are counted. */
#ifndef TESTS_PLUGINS_QUADRATIC_PROBLEM_H
#define TESTS_PLUGINS_QUADRATIC_PROBLEM_H

#include <tier/problem.h>

#include "problem/vector.h"

#define QUADRATIC_MOST 12

struct quadratic_problem {
  int64_t n, p;
  double a[QUADRATIC_MOST * QUADRATIC_MOST];
  double b[QUADRATIC_MOST * QUADRATIC_MOST];
  double theta[QUADRATIC_MOST];
  double start[QUADRATIC_MOST]; /* w_0 */
  double lr, beta;
  int64_t steps;
  int procedural;      /* no differentiable step: run goes straight to w* */
  int rate_is_input;   /* theta[p - 1] is the learning rate */
  int start_is_input;  /* w_0 += theta[0] * (1, ..., 1), and the level restarts */
  double extension_lr; /* of the step that extend takes */

  /* Counts of calls. */
  int runs, gradients, hvps, crosses, input_gradients, vjps, jvps, oracles_open;
  int64_t last_batch, last_draw; /* of at_solution */
  tier_tape kept; /* what was asked for last; the tape stores every step all the same */
};

struct tier_record {
  tier_vector *solution;
  double *tape; /* (tape_capacity, 2 n): w and s before each step */
  int64_t tape_length, tape_capacity;
  double tape_lr;
  double numbers[8];
  char names[8][32];
  int number_count;
  char stop[64];
};

extern const tier_problem_1 quadratic_interface;
tier_edge *quadratic_edge(struct quadratic_problem *q);
void record_clear(tier_record *r);
/* The reported number of that name; fails the test if there is none. */
double record_number(const tier_record *r, const char *name);

#endif

/* One step of a level: draw rows, solve what is below, compute the gradient, step, repeat. */
#ifndef PROBLEM_LEVELS_H
#define PROBLEM_LEVELS_H

#include "problem/suites.h"

/* Declares the flat vector of every level's variables. */
int32_t levels_declare(struct problem *p);
/* Builds objectives and optimizers (needs variables' shapes). */
int32_t levels_build(struct problem *p);
/* Number of steps of each level; room for draws. Not in a check. */
int32_t levels_prepare(struct problem *p);
void level_free(struct level *l);

/* Runs the level for one step of its parent: from where it is, or from a fresh start as its
 * `warm_start` says. With `record`, its steps go to that tape (differentiable optimizers); with
 * `start`, that record keeps where it begins. */
int32_t level_run(struct level *l, tier_record *record, tier_record *start);
/* Up to `steps` more steps of its optimizer, without restarting, until `tolerance`. */
int32_t level_continue(struct level *l, int64_t steps, double tolerance, tier_record *record);
/* Which copy of a variable `per` this level is in play at a step: past the end, the last one. */
int64_t level_copy(const struct level *l, int64_t step);
/* Draws the rows of its next step. */
int32_t level_draw(struct level *l);
/* Where the level's own objective is evaluated now. */
struct point level_point(const struct level *l);
/* One step of its optimizer with its gradient; refuses a non-finite or diverging one before it is
 * applied. For a procedural optimizer, one iteration of it. */
int32_t level_update(struct level *l);
/* Checks value and gradient for NaN, infinity and divergence. */
int32_t level_guard(struct level *l);
/* Checks the step from `w` to `w_next`. */
int32_t level_guard_update(struct level *l, const tier_vector *w, const tier_vector *w_next);
/* The state of its optimizer as at the start. */
void level_reset(struct level *l);

/* ---- responses.c ---- */

/* Solves what is below it for one step: its children, and those in `through` that a level between
 * solves for itself, once more. */
int32_t level_solve_children(struct level *l);
/* Solves what is in its `through` only. */
int32_t level_solve_through(struct level *l);
/* Where cotangents on variables of levels further up are added. */
struct beyond {
  const struct span *span;
  tier_vector *to;
};
/* Pulls the level's cotangents back through its edges: adds to its gradient, and, if not NULL, to
 * `beyond`. */
int32_t level_pull(struct level *l, const struct beyond *beyond);
/* Adds e->pulled to the level's gradient and to the cotangents of other lower levels; what belongs
 * to the variables of levels above goes to `beyond`, or is dropped. */
int32_t level_distribute(struct level *l, const tier_edge *e, const tier_record *r,
                         const struct beyond *beyond);
/* tier_problem_1.rest */
int32_t response_rest(tier_edge *e, tier_record *r, double scale, const tier_vector *inputs);
/* Value and gradient; with `through` edges the hypergradient. */
int32_t level_gradient(struct level *l);
double now_seconds(void);

#endif

/* Applications of the manifest as created components, each made once. */
#ifndef PROBLEM_INSTANCES_H
#define PROBLEM_INSTANCES_H

#include "problem/internal.h"

/* The component of an application, made at the first call, with `source` as what a transform wraps.
 * The problem owns it. */
int32_t instances_get(struct problem *p, const struct application *a, struct data *source,
                      struct instance **out);
/* The application that an instance was made from; NULL if it is none of this problem's. */
const struct application *instances_application(const struct problem *p, const tier_instance *i);
/* Says that something else frees it. */
void instances_disown(struct problem *p, const struct instance *i);
/* Gives it, and all inside its arguments, their state arrays for vectors of size n (once). */
/* For an estimator whose arrays depend on more than n: also the sizes of its inputs and of the
 * optimizer's state. */
int32_t instances_declare_edge(struct problem *p, const struct application *a, int64_t n,
                               int64_t inputs, int64_t m);
int32_t instances_declare_states(struct problem *p, const struct application *a, int64_t n);
uint64_t instances_stream(const struct problem *p, const struct application *a);
/* Registers a state for checkpoints; the problem frees it. */
void problem_add_state(struct problem *p, const char *name, struct state *s);
/* Puts "file:line:column" in front of the pending failure. */
int32_t fail_at(const struct place *place, int32_t code);
/* The pending failure without its place, which is written to file, line and column if it has one.
 */
const char *fail_text(const char **file, int *line, int *column);

#endif

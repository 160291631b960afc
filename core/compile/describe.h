/* The steps of a program, for its profile. */
#ifndef COMPILE_DESCRIBE_H
#define COMPILE_DESCRIBE_H

#include "base/profile.h"
#include "compile/lower.h"

/* A program of `p` with all steps of `l` described, step by step in their order; `g` is the graph
 * that was lowered, whose origins tell who asked. NULL if p is. */
struct profile_program *describe_program(struct profile *p, const char *name,
                                         const struct lowered *l, const struct graph *g);
/* Of one call: multiplications, additions and function values; a copy has none. */
int64_t step_flops(const struct instruction *i);
/* Of one call: what it reads and writes, each element once. */
int64_t step_bytes(const struct instruction *i, int32_t dtype);

#endif

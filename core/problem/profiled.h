/* Under a profile, plugins are offered tables whose functions are phases: oracles, operations on
 * vectors. Without one, the tables are the plain ones and nothing is timed. */
#ifndef PROBLEM_PROFILED_H
#define PROBLEM_PROFILED_H

struct profile;

/* Offers tier.problem/1 and tier.vector/1 in place of the plain tables; linear solvers that plugins
 * get from now on are phases, too. NULL: no more. Process-wide, as vectors are. */
void profiled_offer(struct profile *p);

#endif

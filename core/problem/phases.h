/* What goes from one phase of a manifest to the next. */
#ifndef PROBLEM_PHASES_H
#define PROBLEM_PHASES_H

#include "problem/internal.h"

/* Variables, ledger and clock go on from there. NULL: nothing came before. */
int32_t phases_begin(struct problem *p, const struct problem_carried *carried);
/* In a check: what `then` stores fits into its variables. */
int32_t phases_check(struct problem *p);

#endif

/* Trial runs of a lower level: where would it have ended with other inputs? Nothing of a trial
 * stays but what it counts in the ledger. */
#ifndef PROBLEM_TRIALS_H
#define PROBLEM_TRIALS_H

#include "problem/internal.h"

/* Keeps the point that a run of the record's level begins at; `restarted`: it is a fresh start. */
int32_t trial_keep_start(tier_record *r, int restarted);
/* tier_problem_1.trial and .upper_value */
int32_t trial_run(tier_edge *e, tier_record *r, const tier_vector *shift, int32_t go_on,
                  tier_vector *w, tier_vector *s);
int32_t trial_upper_value(tier_edge *e, const tier_vector *w, double *value);
/* tier_problem_1.look_ahead; and back again, if it does look ahead. */
int32_t trial_look_ahead(tier_edge *e, tier_record *r, int64_t count);
int32_t trial_look_back(tier_record *r);
void trial_free(tier_record *r);

#endif

/* Components with their state, and arguments by the names of their slots. */
#ifndef CHECK_INSTANCES_H
#define CHECK_INSTANCES_H

#include "check/check.h"
#include "plugin/params.h"

/* Offers plugins what a problem would, and sets f64. */
void check_host(void);
/* The slot of that name, or NULL. */
const tier_slot *check_slot(const struct component *c, const char *name);
struct params *check_params(const struct component *c);
/* Sets a number where there is such a slot. */
void check_number(const struct component *c, struct params *p, const char *slot, double value);
/* Creates it, with zeroed state for a problem of size n. Takes p. */
int32_t check_create(struct params *p, int64_t n, struct instance **out);
/* The same with its defaults. */
int32_t check_instance(const struct check *c, int64_t n, struct instance **out);
void check_instance_free(struct instance *i);

#endif

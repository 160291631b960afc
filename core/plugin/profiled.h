/* Under a profile, the linear solvers that plugins get of one another are phases. */
#ifndef PLUGIN_PROFILED_H
#define PLUGIN_PROFILED_H

#include "plugin/params.h"

struct profile;

/* From now on; NULL: no more. Process-wide. */
void profiled_instances(struct profile *p);
/* The instance's interface, as another plugin is to see it; it goes with the same object. */
const void *profiled_interface(const struct instance *i, const char *interface_id);
void profiled_forget(const struct instance *i); /* it is being freed */

#endif

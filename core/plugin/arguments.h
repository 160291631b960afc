/* Between params.c and instance.c. */
#ifndef PLUGIN_ARGUMENTS_H
#define PLUGIN_ARGUMENTS_H

#include "plugin/params.h"

/* Checks all values and fills in fallbacks; TIER_E_INVALID. */
int32_t params_complete(struct params *p);
/* What the plugin did wrong with its params; NULL if nothing. */
const char *params_bug(const struct params *p);
const struct component *params_component(const struct params *p);

#endif

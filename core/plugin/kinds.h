/* The kinds of components in the order in which they are listed. */
#ifndef PLUGIN_KINDS_H
#define PLUGIN_KINDS_H

#include "plugin/registry.h"

int kind_index(const char *kind); /* its place in the list; -1 if it is no kind */

#endif

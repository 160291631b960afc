/* A double of the plugin registry (plugin/registry.h): the components of the first plugins, and on
 * request those that later manifests name, with realistic slot tables and no code behind them. */
#ifndef TESTS_MANIFEST_FAKE_REGISTRY_H
#define TESTS_MANIFEST_FAKE_REGISTRY_H

#include "plugin/registry.h"

/* later: also the components that no plugin provides yet. */
struct registry *fake_registry(int later);
void fake_registry_free(struct registry *r);
/* As if the file had been found and refused. */
void fake_registry_refuse(struct registry *r, const char *path, const char *reason);

#endif

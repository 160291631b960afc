/* Asking the host for an interface in `create`. */
#ifndef PLUGINS_HOST_INTERFACE_H
#define PLUGINS_HOST_INTERFACE_H

#include <tier/plugin.h>

/* The table, or NULL after having told the host that it lacks it; then return TIER_E_PLUGIN. */
static inline const void *host_interface(const tier_host *host, const char *interface_id) {
  const void *table = host->get(host, interface_id);
  if (table == NULL) {
    (void)tier_failf(host, TIER_E_PLUGIN, "this host offers no %s", interface_id);
  }
  return table;
}

#endif

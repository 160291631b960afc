/* Asking the host for an interface in `create`. */
#ifndef PLUGINS_HOST_INTERFACE_H
#define PLUGINS_HOST_INTERFACE_H

#include <tier/plugin.h>
#include <tier/vector.h>

/* The table, or NULL after having told the host that it lacks it; then return TIER_E_PLUGIN. */
static inline const void *host_interface(const tier_host *host, const char *interface_id) {
  const void *table = host->get(host, interface_id);
  if (table == NULL) {
    (void)tier_failf(host, TIER_E_PLUGIN, "this host offers no %s", interface_id);
  }
  return table;
}

/* tier.vector/1 with the joined updates (from axpby_dot on), which its first hosts lack; or NULL,
 * as above. */
static inline const tier_vector_1 *host_joined_vectors(const tier_host *host) {
  const tier_vector_1 *table = host_interface(host, "tier.vector/1");
  size_t needed = offsetof(tier_vector_1, axpy_chain) + sizeof table->axpy_chain;
  if (table != NULL && table->struct_size < needed) {
    (void)tier_failf(host, TIER_E_PLUGIN,
                     "this host's tier.vector/1 has no axpy_chain: it is older "
                     "than the plugin");
    return NULL;
  }
  return table;
}

#endif

/* The table that plugins are given, and what the layers offer through it. */
#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "plugin/log.h"
#include "plugin/registry.h"

#define MAX_OFFERS 32

struct offer {
  const char *id;
  const void *interface;
};

static struct offer offers[MAX_OFFERS] = {
    {"tier.random/1", &random_interface},
    {"tier.log/1", &log_interface},
};
static size_t offer_count = 2;

void host_offer(const char *interface_id, const void *interface) {
  size_t i = 0;
  while (i < offer_count && strcmp(offers[i].id, interface_id) != 0) {
    i++;
  }
  assert(i < MAX_OFFERS);
  offers[i] = (struct offer){interface_id, interface};
  offer_count = i == offer_count ? i + 1 : offer_count;
}

static const void *get(const tier_host *host, const char *interface_id) {
  (void)host;
  for (size_t i = 0; i < offer_count; i++) {
    if (strcmp(offers[i].id, interface_id) == 0) {
      return offers[i].interface;
    }
  }
  return NULL;
}

/* A plugin that reports success as a failure breaks its contract; it still failed. */
static int32_t fail_by_plugin(const tier_host *host, int32_t code, const char *text) {
  (void)host;
  return fail(code < 0 ? code : TIER_E_PLUGIN, "%s", text != NULL ? text : "no reason given");
}

const tier_host host_table = {
    .struct_size = (uint32_t)sizeof(tier_host),
    .abi_major = TIER_ABI_MAJOR,
    .abi_minor = TIER_ABI_MINOR,
    .get = get,
    .fail = fail_by_plugin,
};

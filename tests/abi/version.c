/* A plugin that is built with headers of several versions: two components with several slots each,
 * so that a wrong stride shows, and a model with two entries. */
#include <stdlib.h>
#include <string.h>
#include <tier/function.h>
#include <tier/metric.h>

#ifndef NEEDS
#define NEEDS 0 /* the lowest minor version of a host that this plugin needs */
#endif

static const tier_slot slots[] = {
    {.name = "first", .doc = "first", .type = TIER_SLOT_NUMBER, .fallback = "1.5"},
    {.name = "second", .doc = "second", .type = TIER_SLOT_INTEGER, .fallback = "2"},
    {.name = "third", .doc = "third", .type = TIER_SLOT_TEXT, .fallback = "\"three\""},
};

/* The metric's number is first + second, found through params: 3.5 by default. */
static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  double *sum = malloc(sizeof *sum);
  if (sum == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  *sum = tier_number(p, "first") + (double)tier_integer(p, "second");
  *object = sum;
  return strcmp(tier_text(p, "third"), "three") == 0
             ? TIER_OK
             : tier_failf(host, TIER_E_INVALID, "third is not three");
}

static int32_t compute(void *self, const tier_arrays *a, double *value) {
  const double *sum = self;
  (void)a;
  *value = *sum;
  return TIER_OK;
}

static const tier_metric_1 metric = {.struct_size = (uint32_t)sizeof(tier_metric_1),
                                     .compute = compute};

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.metric/1") == 0 ? &metric : NULL;
}

static const tier_slot inputs[] = {
    {.name = "x", .doc = "input", .type = TIER_SLOT_EXPRESSION, .flags = TIER_SLOT_REQUIRED},
    {.name = "y", .doc = "input", .type = TIER_SLOT_EXPRESSION},
};
static const tier_entry entries[] = {
    {.name = "forward", .doc = "one way", TIER_SLOTS(inputs)},
    {.name = "backward", .doc = "the other way", .outputs = "a b", TIER_SLOTS(inputs)},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "metric",
     .id = "sum-of-slots",
     .summary = "Adds its slots.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get},
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "model",
     .id = "two-entries",
     .summary = "Has two entries.",
     TIER_SLOTS(slots),
     TIER_ENTRIES(entries),
     .create = create,
     .destroy = free,
     .get = get},
};

extern TIER_EXPORT const tier_plugin tier_plugin_entry;
TIER_EXPORT const tier_plugin tier_plugin_entry = {
    .magic = TIER_PLUGIN_MAGIC,
    .struct_size = (uint32_t)sizeof(tier_plugin),
    .abi_major = TIER_ABI_MAJOR,
    .abi_minor = NEEDS,
    .name = "version",
    .version = "1.0",
    .licence = "MIT",
    .components = components,
    .component_count = TIER_COUNT(components),
    .component_size = (uint32_t)sizeof(tier_component),
};

#include <stdlib.h>

#include "../function_plugin.h"

struct ddpm_time {
  int64_t steps;
};

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "rows; each gets a time",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "steps",
                                   .doc = "the last time",
                                   .fallback = "100",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1e6}};

/* (n, ...) -> (n): 1 + floor(steps u), at most `steps`, u uniform in [0, 1). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct ddpm_time *t = self;
  tier_graph *g = b->graph;
  (void)entry;
  int64_t rows = tier_dim(g, tier_input(b, "of"), 0);
  tier_value u = tier_random(g, b->api->key(b), TIER_UNIFORM, 0, &rows, 1);
  tier_value floored = tier_cast(g, tier_scale(g, u, (double)t->steps), TIER_I32);
  tier_value drawn = tier_shift(g, tier_cast(g, floored, TIER_REAL), 1.0);
  return tier_output(b, tier_minimum(g, drawn, tier_fill_like(g, drawn, (double)t->steps)));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct ddpm_time *t = calloc(1, sizeof *t);
  if (t == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  t->steps = tier_integer(params, "steps");
  *object = t;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "map",
     .id = "ddpm-time",
     .summary = "a time of a diffusion for each row, uniform in 1 .. steps",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("ddpm-time", "1.0", "MIT", components);

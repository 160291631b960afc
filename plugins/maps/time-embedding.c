/* time-embedding: sin(t w_k) and cos(t w_k) for frequencies w_k = longest^(-k / count), k from 0
 * (Vaswani et al. 2017, section 3.5): what a denoiser is told of the time. */
#include <math.h>
#include <stdlib.h>

#include "../function_plugin.h"

struct embedding {
  int64_t count;
  double longest;
};

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "times (n) or (n, 1)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "frequencies",
                                   .doc = "how many; the result has twice as many numbers",
                                   .fallback = "8",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1e4},
                                  {.name = "longest",
                                   .doc = "the longest period, divided by 2 pi",
                                   .fallback = "10000",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .minimum = 1,
                                   .maximum = 1e300}};

/* (n) -> (n, 2 count): the sines, then the cosines. */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct embedding *e = self;
  tier_graph *g = b->graph;
  int64_t dims[2] = {1, e->count};
  (void)entry;
  tier_value x = tier_input(b, "of");
  int64_t column[2] = {tier_dim(g, x, 0), 1};
  tier_value k = tier_cast(g, tier_iota(g, 1, dims, 2), TIER_REAL);
  tier_value frequencies = tier_exp(g, tier_scale(g, k, -log(e->longest) / (double)e->count));
  tier_value angles = tier_matmul(g, tier_reshape(g, x, column, 2), frequencies);
  tier_value both[2] = {tier_sin(g, angles), tier_cos(g, angles)};
  return tier_output(b, tier_concat(g, both, 2, 1));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct embedding *e = calloc(1, sizeof *e);
  if (e == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  e->count = tier_integer(params, "frequencies");
  e->longest = tier_number(params, "longest");
  *object = e;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "map",
     .id = "time-embedding",
     .summary = "sines and cosines of a time at several frequencies",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("time-embedding", "1.0", "MIT", components);

#include <stdlib.h>

#include "histograms.h"

struct histogram_w1 {
  double spacing;
};

static const tier_slot slots[] = {FIRST_HISTOGRAM_SLOT,
                                  SECOND_HISTOGRAM_SLOT,
                                  {.name = "spacing",
                                   .doc = "distance of one bin from the next",
                                   .fallback = "1",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .minimum = 0,
                                   .maximum = 1e300}};

/* (k, k): 1 where row <= column, so that p times it is the distribution function at each bin. */
static tier_value up_to(tier_graph *g, int64_t k) {
  int64_t dims[2] = {k, k};
  return tier_less_equal(g, tier_iota(g, 0, dims, 2), tier_iota(g, 1, dims, 2));
}

/* W1 = spacing * sum_j |F(j) - G(j)|, F and G the distribution functions. */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct histogram_w1 *w = self;
  tier_graph *g = b->graph;
  (void)entry;
  tier_value p = tier_flatten_rows(g, tier_input(b, "first"));
  tier_value q = tier_match(g, tier_flatten_rows(g, tier_input(b, "second")), p);
  tier_value gap = tier_matmul(g, tier_subtract(g, p, q), up_to(g, tier_dim(g, p, 1)));
  return tier_output(b, tier_scale(g, tier_row_sum(g, tier_abs(g, gap)), w->spacing));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct histogram_w1 *w = calloc(1, sizeof *w);
  if (w == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  w->spacing = tier_number(params, "spacing");
  *object = w;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "loss",
     .id = "histogram-w1",
     .summary = "1-Wasserstein distance of histograms whose bins stand evenly on a line",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("histogram-w1", "1.0", "MIT", components);

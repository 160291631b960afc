/* gradient-penalty: (|grad_x f(x)| - 1)^2 at each row x, for a critic that shall have slope 1
 * (Gulrajani et al. 2017, equation 3; `interpolate` draws the points). The critic's values and the
 * points are given; the gradient of the one with respect to the other comes from the graph, and the
 * penalty's own derivatives, second ones of the critic, follow from it. A row of the values must
 * depend on the same row of the points only. At a gradient of exactly 0 the norm's derivative is
 * taken as 0. */
#include <stdlib.h>

#include "../function_plugin.h"

struct penalty {
  double slope;
  int32_t one_sided;
};

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "the critic's values (n) or (n, 1) at the points",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "at",
                                   .doc = "the points (n, ...): the value of the manifest that the "
                                          "critic was applied to",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "slope",
                                   .doc = "the norm that the gradient shall have",
                                   .fallback = "1",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .minimum = 0,
                                   .maximum = 1e300},
                                  {.name = "sides",
                                   .doc = "two: both; one: only norms above the slope count",
                                   .fallback = "\"two\"",
                                   .unit = "",
                                   .choices = "two|one",
                                   .type = TIER_SLOT_TEXT}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct penalty *p = self;
  tier_graph *g = b->graph;
  tier_value at = tier_input(b, "at");
  tier_value of = tier_input(b, "of");
  tier_value gradient = 0;
  (void)entry;
  if (of != 0 && tier_size(g, of) != tier_dim(g, of, 0)) {
    return tier_output(b, g->api->fail(g, "the critic must give one number a row"));
  }
  TIER_TRY(g->api->gradient(g, of, 0, &at, 1, &gradient));
  tier_value norm = tier_safe_sqrt(g, tier_row_sum(g, tier_square(g, gradient)));
  tier_value excess = tier_shift(g, norm, -p->slope);
  return tier_output(b, tier_square(g, p->one_sided ? tier_relu(g, excess) : excess));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct penalty *p = calloc(1, sizeof *p);
  if (p == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  p->slope = tier_number(params, "slope");
  p->one_sided = strcmp(tier_text(params, "sides"), "one") == 0;
  *object = p;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "loss",
     .id = "gradient-penalty",
     .summary = "(|gradient of the critic at the row| - slope)^2",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("gradient-penalty", "1.0", "MIT", components);

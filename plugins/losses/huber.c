#include <stdlib.h>
#include <string.h>
#include <tier/function.h>
#include <tier/nn.h>

struct huber {
  double delta;
};

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "predictions (n, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "target",
                                   .doc = "what they should be",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "delta",
                                   .doc = "where the parabola becomes a line",
                                   .fallback = "1",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .flags = TIER_SLOT_OPEN_MINIMUM,
                                   .minimum = 0,
                                   .maximum = 1e300}};

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct huber *h = self;
  (void)entry;
  tier_value delta = tier_scalar(b->graph, h->delta);
  return tier_output(b, tier_huber(b->graph, tier_input(b, "of"), tier_input(b, "target"), delta));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct huber *h = malloc(sizeof *h);
  if (h == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  h->delta = tier_number(params, "delta");
  *object = h;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "loss",
     .id = "huber",
     .summary = "r^2 / 2 for |r| <= delta, delta (|r| - delta / 2) beyond; mean over each row",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("huber", "1.0", "MIT", components);

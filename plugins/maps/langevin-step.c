/* langevin-step: x + h s + sqrt(2 h) z, z standard normal: one step of the unadjusted Langevin
 * algorithm for a density with score s = grad log p (Roberts, Tweedie 1996, section 1.4.1). It
 * keeps a density that is near p for small h: for p = N(0, 1) the one with variance 1 / (1 - h /
 * 2). */
#include "../function_plugin.h"

#define EXPRESSION(slot_name, slot_doc)                                               \
  {                                                                                   \
    .name = (slot_name), .doc = (slot_doc), .unit = "", .type = TIER_SLOT_EXPRESSION, \
    .flags = TIER_SLOT_REQUIRED                                                       \
  }

static const tier_slot slots[] = {EXPRESSION("of", "x, of any shape"),
                                  EXPRESSION("score", "s at x"), EXPRESSION("step", "h, above 0")};

static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  int64_t dims[TIER_MAX_RANK];
  (void)self;
  (void)entry;
  tier_value x = tier_input(b, "of");
  tier_value h = tier_input(b, "step");
  int32_t rank = g->api->shape(g, x, dims);
  tier_value z = tier_random(g, b->api->key(b), TIER_NORMAL, 0, dims, rank);
  tier_value drift = tier_multiply(g, h, tier_input(b, "score"));
  tier_value noise = tier_multiply(g, tier_sqrt(g, tier_scale(g, h, 2.0)), z);
  return tier_output(b, tier_add(g, tier_add(g, x, drift), noise));
}

FUNCTION_PLUGIN("map", "langevin-step", "one step of the unadjusted Langevin algorithm",
                TIER_RANDOM | TIER_ELEMENTWISE);

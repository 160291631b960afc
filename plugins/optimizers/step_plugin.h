/* The last lines of an optimizer that is a graph and has no parameters but hyperparameters, which
 * arrive when the step is built. It needs `slots` and `build` above it;
 * `states_function` may be NULL. */
#ifndef PLUGINS_OPTIMIZERS_STEP_PLUGIN_H
#define PLUGINS_OPTIMIZERS_STEP_PLUGIN_H

#include <string.h>
#include <tier/nn.h>
#include <tier/step.h>

#define RATE_SLOT(fallback_text, flag_bits)                                                 \
  {                                                                                         \
    .name = "lr", .doc = "the learning rate: how far to step", .fallback = (fallback_text), \
    .unit = "", .type = TIER_SLOT_NUMBER, .flags = TIER_SLOT_DIFFERENTIABLE | (flag_bits),  \
    .minimum = 0, .maximum = 1e300                                                          \
  }
/* A decay in [0, 1) of a running mean. */
#define DECAY_SLOT(name_text, doc_text, fallback_text)                                    \
  {                                                                                       \
    .name = (name_text), .doc = (doc_text), .fallback = (fallback_text), .unit = "",      \
    .type = TIER_SLOT_NUMBER, .flags = TIER_SLOT_DIFFERENTIABLE | TIER_SLOT_OPEN_MAXIMUM, \
    .minimum = 0, .maximum = 1                                                            \
  }
#define EPSILON_SLOT(doc_text)                                                                  \
  {                                                                                             \
    .name = "eps", .doc = (doc_text), .fallback = "1e-8", .unit = "", .type = TIER_SLOT_NUMBER, \
    .flags = TIER_SLOT_OPEN_MINIMUM, .minimum = 0, .maximum = 1e300                             \
  }

#define STEP_PLUGIN(id_text, summary_text, flag_bits, states_function)                          \
  static const tier_step_1 step = {                                                             \
      .struct_size = (uint32_t)sizeof step, .states = (states_function), .build = build};       \
  static int32_t create(const tier_host *host, const tier_params *params, void **object) {      \
    static int nothing;                                                                         \
    (void)host;                                                                                 \
    (void)params;                                                                               \
    *object = &nothing;                                                                         \
    return TIER_OK;                                                                             \
  }                                                                                             \
  static const void *get(void *object, const char *interface_id) {                              \
    (void)object;                                                                               \
    return strcmp(interface_id, "tier.step/1") == 0 ? &step : NULL;                             \
  }                                                                                             \
  static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component), \
                                               .flags = (flag_bits),                            \
                                               .kind = "optimizer",                             \
                                               .id = (id_text),                                 \
                                               .summary = (summary_text),                       \
                                               TIER_SLOTS(slots),                               \
                                               .create = create,                                \
                                               .get = get}};                                    \
  TIER_PLUGIN(id_text, "1.0", "MIT", components)

/* decay a + (1 - decay) b, all of one shape: a running mean. */
static inline tier_value running_mean(tier_graph *g, tier_value decay, tier_value a, tier_value b) {
  return tier_add(g, tier_multiply(g, decay, a), tier_multiply(g, tier_complement(g, decay), b));
}

#endif

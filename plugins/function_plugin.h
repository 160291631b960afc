/* The last lines of a plugin with one function that has inputs only: no parameters, no variables,
 * so no object of its own. It needs `slots` and `build` above it. */
#ifndef PLUGINS_FUNCTION_PLUGIN_H
#define PLUGINS_FUNCTION_PLUGIN_H

#include <string.h>
#include <tier/function.h>
#include <tier/nn.h>

#define FUNCTION_PLUGIN(kind_text, id_text, summary_text, flag_bits)                            \
  static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function,            \
                                           .build = build};                                     \
  static int32_t create(const tier_host *host, const tier_params *params, void **object) {      \
    static int nothing;                                                                         \
    (void)host;                                                                                 \
    (void)params;                                                                               \
    *object = &nothing;                                                                         \
    return TIER_OK;                                                                             \
  }                                                                                             \
  static const void *get(void *object, const char *interface_id) {                              \
    (void)object;                                                                               \
    return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;                     \
  }                                                                                             \
  static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component), \
                                               .flags = (flag_bits),                            \
                                               .kind = (kind_text),                             \
                                               .id = (id_text),                                 \
                                               .summary = (summary_text),                       \
                                               TIER_SLOTS(slots),                               \
                                               .create = create,                                \
                                               .get = get}};                                    \
  TIER_PLUGIN(id_text, "1.0", "MIT", components)

#endif

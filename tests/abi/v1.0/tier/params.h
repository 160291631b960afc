/* tier/params.h: the arguments of one application, as `create` sees them.
 *
 * The host has checked them against the slot table: types, ranges, choices, required ones. So the
 * getters below do not fail for a slot of the matching type; for another they return the zero of
 * their type and the host reports a bug of the plugin. Expression slots are not read here: they
 * arrive as graph values when the function (tier/function.h) or step (tier/step.h) is built. */
#ifndef TIER_PARAMS_H
#define TIER_PARAMS_H

#include <tier/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tier_params_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*given)(const tier_params *p, const char *slot); /* 1 if it has a value, else 0 */
  double (*number)(const tier_params *p, const char *slot);
  int64_t (*integer)(const tier_params *p, const char *slot);
  int32_t (*boolean)(const tier_params *p, const char *slot);
  const char *(*text)(const tier_params *p, const char *slot); /* TEXT, or the resolved PATH */
  int64_t (*count)(const tier_params *p, const char *slot);    /* elements of a list */
  double (*number_at)(const tier_params *p, const char *slot, int64_t index);
  int64_t (*integer_at)(const tier_params *p, const char *slot, int64_t index);
  const char *(*text_at)(const tier_params *p, const char *slot, int64_t index);
  tier_data *(*data_at)(const tier_params *p, const char *slot, int64_t index); /* DATA: index 0 */
  tier_data *(*source)(const tier_params *p); /* what a transform wraps; NULL for a dataset */
  const tier_instance *(*instance)(const tier_params *p, const char *slot); /* APPLICATION */
  /* The key of this application's random stream (it follows from its path and the run's seed). */
  uint64_t (*stream)(const tier_params *p);
} tier_params_1;

struct tier_params {
  const tier_params_1 *api;
};

/* A component that the host created for a slot of type APPLICATION; `interface` gives its table
 * and the object to pass to it, or NULL. Lives as long as the object that was given it. */
typedef struct tier_instance_1 {
  uint32_t struct_size;
  uint32_t reserved;
  const void *(*get)(const tier_instance *i, const char *interface_id, void **object);
  const tier_component *(*component)(const tier_instance *i);
  tier_state *(*state)(const tier_instance *i); /* its own arrays (tier/state.h), or NULL */
} tier_instance_1;

struct tier_instance {
  const tier_instance_1 *api;
};

static inline int32_t tier_given(const tier_params *p, const char *slot) {
  return p->api->given(p, slot);
}
static inline double tier_number(const tier_params *p, const char *slot) {
  return p->api->number(p, slot);
}
static inline int64_t tier_integer(const tier_params *p, const char *slot) {
  return p->api->integer(p, slot);
}
static inline int32_t tier_boolean(const tier_params *p, const char *slot) {
  return p->api->boolean(p, slot);
}
static inline const char *tier_text(const tier_params *p, const char *slot) {
  return p->api->text(p, slot);
}

#ifdef __cplusplus
}
#endif
#endif

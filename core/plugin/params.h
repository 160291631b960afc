/* The host's side of tier/params.h: arguments collected by slot, and created components.
 *
 * The problem layer fills one from a bound application of the manifest; tests fill one by hand:
 *
 *   struct params *p = params_new(registry_find(r, POSITION_DATA, "take"), 0);
 *   params_set_numbers(p, "count", (double[]){100}, 1);
 *   params_set_source(p, data);
 *   instance_new(p, &instance);
 */
#ifndef PLUGIN_PARAMS_H
#define PLUGIN_PARAMS_H

#include <tier/params.h>

#include "plugin/registry.h"

struct params;
struct instance {
  tier_instance face; /* first */
  const struct component *component;
  void *object;
  tier_state *state; /* owned by whoever set it; NULL if it has none */
  struct params *params;
};

struct params *params_new(const struct component *c, uint64_t stream);
void params_free(struct params *p);
/* Each copies its values. For NUMBER(S), INTEGER(S) and BOOLEAN: */
void params_set_numbers(struct params *p, const char *slot, const double *values, size_t count);
void params_set_texts(struct params *p, const char *slot, const char *const *texts, size_t count);
void params_set_data(struct params *p, const char *slot, tier_data *const *data, size_t count);
void params_set_source(struct params *p, tier_data *source);
void params_set_instance(struct params *p, const char *slot, const struct instance *i);
/* Says that an expression stands at this slot (so `given` is true). */
void params_set_given(struct params *p, const char *slot);
const tier_params *params_face(const struct params *p);

/* Creates the component; slots that were not set get their fallback; a missing required one, a
 * value out of range or of a wrong type is TIER_E_INVALID. Takes ownership of `p`, also on failure.
 * The error's text starts with the component's id. */
int32_t instance_new(struct params *p, struct instance **out);
void instance_free(struct instance *i); /* destroys the object and its params; NULL is fine */
/* The interface's table, or NULL. */
const void *instance_get(const struct instance *i, const char *interface_id);

#endif

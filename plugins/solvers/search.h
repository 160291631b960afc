/* What solvers that try points without a gradient share: the box that they search, trying one
 * point, and keeping the best. A point whose value is not a number never becomes the best. */
#ifndef PLUGINS_SOLVERS_SEARCH_H
#define PLUGINS_SOLVERS_SEARCH_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/params.h>
#include <tier/random.h>
#include <tier/solver.h>

#include "../host_interface.h"

struct search {
  const tier_host *host;
  const tier_vector_1 *vectors;
  const tier_random_1 *random;
  double *from, *to; /* `sizes` of them each: one for all variables, or one for each */
  int64_t sizes;
  int64_t points; /* grid: along each variable; random-search: in all */
};

#define SEARCH_BOX_SLOTS                                                                       \
  {.name = "from",                                                                             \
   .doc = "the lowest value of the top level's variables: one for all, or one for each",       \
   .unit = "",                                                                                 \
   .type = TIER_SLOT_NUMBERS,                                                                  \
   .flags = TIER_SLOT_REQUIRED},                                                               \
  {                                                                                            \
    .name = "to", .doc = "the highest value, likewise", .unit = "", .type = TIER_SLOT_NUMBERS, \
    .flags = TIER_SLOT_REQUIRED                                                                \
  }

static inline void search_destroy(void *object) {
  struct search *s = object;
  free(s->from);
  free(s->to);
  free(s);
}

static inline int32_t search_read_box(struct search *s, const tier_params *params) {
  int64_t to_count = params->api->count(params, "to");
  s->sizes = params->api->count(params, "from");
  if (s->sizes < 1 || s->sizes != to_count) {
    return tier_failf(s->host, TIER_E_INVALID, "\"from\" has %lld numbers and \"to\" has %lld",
                      (long long)s->sizes, (long long)to_count);
  }
  s->from = calloc((size_t)s->sizes, sizeof(double));
  s->to = calloc((size_t)s->sizes, sizeof(double));
  if (s->from == NULL || s->to == NULL) {
    return tier_failf(s->host, TIER_E_MEMORY, "no memory");
  }
  for (int64_t i = 0; i < s->sizes; i++) {
    s->from[i] = params->api->number_at(params, "from", i);
    s->to[i] = params->api->number_at(params, "to", i);
    if (!(s->from[i] <= s->to[i])) {
      return tier_failf(s->host, TIER_E_INVALID, "\"from\" (%g) is above \"to\" (%g)", s->from[i],
                        s->to[i]);
    }
  }
  return TIER_OK;
}

/* `points_slot`: the slot that says how many points. */
static inline int32_t search_create(const tier_host *host, const tier_params *params,
                                    const char *points_slot, void **object) {
  struct search *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->host = host;
  s->vectors = host_interface(host, "tier.vector/1");
  s->random = host_interface(host, "tier.random/1");
  s->points = tier_integer(params, points_slot);
  int32_t status =
      s->vectors != NULL && s->random != NULL ? search_read_box(s, params) : TIER_E_PLUGIN;
  if (status < 0) {
    search_destroy(s);
    return status;
  }
  *object = s;
  return TIER_OK;
}

/* The bounds of variable i; TIER_E_INVALID unless there is one for all or one for each of `size`.
 */
static inline int32_t search_check(const struct search *s, int64_t size) {
  if (s->sizes == 1 || s->sizes == size) {
    return TIER_OK;
  }
  return tier_failf(s->host, TIER_E_INVALID,
                    "\"from\" and \"to\" have %lld numbers; the top level's variables have %lld: "
                    "give one number for all or one for each",
                    (long long)s->sizes, (long long)size);
}
static inline double search_from(const struct search *s, int64_t i) {
  return s->from[s->sizes == 1 ? 0 : i];
}
static inline double search_to(const struct search *s, int64_t i) {
  return s->to[s->sizes == 1 ? 0 : i];
}

/* tier.state/1: found[0] says whether there is a best point yet, best[0] is its value. */
static inline int32_t search_declare(void *self, int64_t n, tier_state *state) {
  (void)self;
  (void)n;
  TIER_TRY(state->api->integers(state, "found", 1));
  return state->api->doubles(state, "best", 1);
}

/* Tries the point that the caller has written into the variables after `restart`. */
static inline int32_t search_try(tier_levels *l, tier_state *state) {
  double *best = state->api->get_doubles(state, "best");
  int64_t *found = state->api->get_integers(state, "found");
  double value = 0.0;
  TIER_TRY(l->api->solve_lower(l));
  TIER_TRY(l->api->value(l, &value));
  if (isfinite(value) && (found[0] == 0 || value < best[0])) {
    found[0] = 1;
    best[0] = value;
    return l->api->keep(l);
  }
  return TIER_OK;
}

/* Back to the best point. */
static inline int32_t search_finish(void *self, tier_levels *l, tier_state *state) {
  const struct search *s = self;
  if (state->api->get_integers(state, "found")[0] == 0) {
    return tier_failf(s->host, TIER_E_NONFINITE,
                      "the objective is not a finite number at any of the points tried: change "
                      "\"from\" and \"to\"");
  }
  double value = 0.0;
  TIER_TRY(l->api->go_back(l));
  return l->api->value(l, &value); /* what the level reports is then the best point's value */
}

static const tier_state_1 search_state = {.struct_size = (uint32_t)sizeof search_state,
                                          .declare = search_declare};

#endif

/* The noise schedule of denoising diffusion (Ho, Jain, Abbeel 2020): variances beta_t that rise
 * linearly from `first` at t = 1 to `last` at t = steps; alpha_t = 1 - beta_t, and abar_t is the
 * product of alpha_1 .. alpha_t. */
#ifndef PLUGINS_MAPS_DIFFUSION_H
#define PLUGINS_MAPS_DIFFUSION_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/function.h>
#include <tier/nn.h>

struct diffusion {
  int64_t steps;
  double first, last;
};

#define MOST_STEPS 1e6
#define STEPS_SLOT                                                                              \
  {                                                                                             \
    .name = "steps", .doc = "times of the schedule, 1 to steps", .fallback = "100", .unit = "", \
    .type = TIER_SLOT_INTEGER, .minimum = 1, .maximum = MOST_STEPS                              \
  }
#define BETA_SLOT(slot_name, slot_doc, slot_fallback)                                   \
  {                                                                                     \
    .name = (slot_name), .doc = (slot_doc), .fallback = (slot_fallback), .unit = "",    \
    .type = TIER_SLOT_NUMBER, .flags = TIER_SLOT_OPEN_MINIMUM | TIER_SLOT_OPEN_MAXIMUM, \
    .minimum = 0, .maximum = 1                                                          \
  }
#define FIRST_BETA_SLOT BETA_SLOT("first", "variance added at time 1", "0.0001")
#define LAST_BETA_SLOT BETA_SLOT("last", "variance added at the last time", "0.1")

/* beta_t, t from 1. */
static inline double diffusion_beta(const struct diffusion *d, int64_t t) {
  double way = d->steps > 1 ? (double)(t - 1) / (double)(d->steps - 1) : 0.0;
  return d->first + (d->last - d->first) * way;
}

/* times (n), real whole numbers, values (steps): -> (n), the value at each time. */
static inline tier_value diffusion_pick(tier_graph *g, tier_value times, const double *values,
                                        int64_t steps) {
  tier_attributes attributes = tier_make_attributes(&steps, 1, values, (uint32_t)steps);
  tier_value table = g->api->emit(g, TIER_OP_CONSTANT, NULL, 0, &attributes);
  tier_value nearest = tier_shift(g, times, -0.5); /* the cast truncates: t - 1/2 -> t - 1 */
  return tier_gather(g, table, tier_cast(g, nearest, TIER_I32), 0);
}

static inline int32_t diffusion_create(const tier_host *host, const tier_params *params,
                                       void **object) {
  struct diffusion *d = calloc(1, sizeof *d);
  if (d == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  d->steps = tier_integer(params, "steps");
  d->first = tier_number(params, "first");
  d->last = tier_number(params, "last");
  *object = d;
  return TIER_OK;
}

/* times (n) or (n, 1) -> (n). */
static inline tier_value diffusion_times(tier_build *b, tier_value x) {
  int64_t rows = tier_dim(b->graph, x, 0);
  return tier_reshape(b->graph, tier_input(b, "time"), &rows, 1);
}

#endif

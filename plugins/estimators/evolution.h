/* What evolution strategies share: antithetic pairs of runs at inputs theta + e and theta - e, with
 * e normal of standard deviation sigma, and what the difference of their values says.
 *
 * A value is the upper level's objective at where a run ends, its own dependence on theta left out
 * (the host adds that exactly); or, with `judge` "cotangent", its linearization <dF/dw, w>. */
#ifndef PLUGINS_ESTIMATORS_EVOLUTION_H
#define PLUGINS_ESTIMATORS_EVOLUTION_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/estimator.h>

#include "../declared_cost.h"
#include "../host_interface.h"

struct evolution {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_problem_1 *problem;
  uint64_t stream;
  double sigma;
  int64_t pairs;
  int32_t linearized;
  int64_t horizon; /* pes: steps of the upper level until it begins anew; 0: never */
};

#define EVOLUTION_SLOTS                                                            \
  {.name = "pairs",                                                                \
   .doc = "pairs of runs, at inputs moved one way and the other",                  \
   .fallback = "10",                                                               \
   .unit = "",                                                                     \
   .type = TIER_SLOT_INTEGER,                                                      \
   .minimum = 1,                                                                   \
   .maximum = 1e6},                                                                \
      {.name = "sigma",                                                            \
       .doc = "standard deviation of the moves, the same for every input",         \
       .fallback = "0.1",                                                          \
       .unit = "",                                                                 \
       .type = TIER_SLOT_NUMBER,                                                   \
       .flags = TIER_SLOT_OPEN_MINIMUM,                                            \
       .minimum = 0,                                                               \
       .maximum = 1e300},                                                          \
  {                                                                                \
    .name = "judge",                                                               \
    .doc = "what judges a run: the upper level's objective, or its linearization", \
    .fallback = "\"objective\"", .unit = "", .choices = "objective|cotangent",     \
    .type = TIER_SLOT_TEXT                                                         \
  }

static inline int32_t evolution_create(const tier_host *host, const tier_params *params,
                                       struct evolution **out) {
  struct evolution *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  self->host = host;
  self->v = host_interface(host, "tier.vector/1");
  self->problem = host_interface(host, "tier.problem/1");
  self->stream = params->api->stream(params);
  self->sigma = tier_number(params, "sigma");
  self->pairs = tier_integer(params, "pairs");
  self->linearized = strcmp(tier_text(params, "judge"), "cotangent") == 0;
  if (self->v == NULL || self->problem == NULL) {
    free(self);
    return TIER_E_PLUGIN;
  }
  *out = self;
  return TIER_OK;
}

/* Two runs a pair, each judged once; es keeps only where a run ends. */
static inline int32_t evolution_cost(void *object, const tier_cost_problem *problem,
                                     tier_cost *out) {
  const struct evolution *self = object;
  if (problem->steps < 0 || (problem->flags & TIER_COST_PROCEDURAL)) {
    return tier_failf(self->host, TIER_E_UNSUPPORTED, "what a run of the level calls is not known");
  }
  out->gradients = 2 * self->pairs * problem->steps;
  out->values = self->linearized ? 0 : 2 * self->pairs;
  out->reals = 2 * problem->p + problem->n + problem->state;
  out->flags = TIER_COST_BIASED | TIER_COST_RANDOM | (problem->flags & TIER_COST_MAY_STOP);
  out->right = "on average, the objective smoothed over sigma";
  return TIER_OK;
}

static const tier_cost_1 evolution_costs = {.struct_size = (uint32_t)sizeof evolution_costs,
                                            .cost = evolution_cost};

/* One pullback. */
struct evolving {
  const struct evolution *self;
  tier_edge *e;
  tier_record *r;
  const tier_vector *cotangent;
  tier_vector *move;   /* (p): of the inputs */
  tier_vector *sum;    /* (p): of the pairs' gradients */
  tier_vector *end[2]; /* (n), (m): where a run ends; es only */
  double squares;      /* sum of the squared norms of the pairs' gradients */
};

static inline int32_t evolving_open(struct evolving *k, int64_t n, int64_t m) {
  int64_t p = k->self->problem->input_size(k->e);
  k->move = k->self->v->create(p);
  k->sum = k->self->v->create(p);
  k->end[0] = k->self->v->create(n);
  k->end[1] = k->self->v->create(m);
  k->squares = 0.0;
  if (k->move == NULL || k->sum == NULL || k->end[0] == NULL || k->end[1] == NULL) {
    return tier_failf(k->self->host, TIER_E_MEMORY, "no memory for trial runs");
  }
  return TIER_OK;
}

static inline void evolving_close(struct evolving *k) {
  k->self->v->destroy(k->move);
  k->self->v->destroy(k->sum);
  k->self->v->destroy(k->end[0]);
  k->self->v->destroy(k->end[1]);
}

/* move <- sigma times the normal numbers of that draw. */
static inline void evolving_draw(struct evolving *k, int64_t draw) {
  k->self->v->normal(k->move, k->self->stream, (uint64_t)draw);
  k->self->v->scale(k->self->sigma, k->move);
}

static inline int32_t evolving_judge(const struct evolving *k, const tier_vector *w,
                                     double *value) {
  if (!k->self->linearized) {
    return k->self->problem->upper_value(k->e, w, value);
  }
  *value = k->self->v->dot(k->cotangent, w);
  return TIER_OK;
}

/* Counts in one pair: (up - down) / (2 sigma^2) times the whole move of its inputs. */
static inline void evolving_add(struct evolving *k, double up, double down,
                                const tier_vector *whole) {
  double a = (up - down) / (2.0 * k->self->sigma * k->self->sigma);
  double size = a * k->self->v->norm(whole);
  k->self->v->axpy(a, whole, k->sum);
  k->squares += size * size;
}

/* inputs += the mean over the pairs; reports the standard error of that mean (Euclidean). */
static inline int32_t evolving_finish(struct evolving *k, tier_vector *inputs) {
  const tier_problem_1 *problem = k->self->problem;
  double count = (double)k->self->pairs;
  k->self->v->scale(1.0 / count, k->sum);
  double mean = k->self->v->norm(k->sum);
  k->self->v->axpy(1.0, k->sum, inputs);
  TIER_TRY(problem->report_number(k->r, "iterations", 2.0 * count));
  if (k->self->pairs > 1) {
    double variance = (k->squares - count * mean * mean) / (count * (count - 1.0));
    TIER_TRY(problem->report_number(k->r, "standard_error", sqrt(fmax(variance, 0.0))));
  }
  return problem->report_text(k->r, "stop", "sampled");
}

#endif

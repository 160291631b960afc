/* Evolution strategies (Rechenberg 1973; Salimans, Ho, Chen, Sidor, Sutskever 2017), antithetic:
 * the gradient of the objective smoothed over normal moves e of the inputs,
 *
 *   (1 / N) sum over N pairs of (F(theta + e) - F(theta - e)) / (2 sigma^2) e,
 *
 * from whole runs of the lower level. Nothing is differentiated, so any optimizer will do. It is
 * unbiased for the smoothed objective, whose gradient is the objective's up to sigma^2; exactly so
 * where the objective is quadratic in the inputs. Its variance grows with the number of inputs. */
#include "evolution.h"

static const tier_slot slots[] = {EVOLUTION_SLOTS};

static int32_t declare(void *self, int64_t n, tier_state *s) {
  (void)self;
  (void)n;
  return s->api->integers(s, "calls", 1);
}

static int32_t solve(void *object, tier_edge *e, tier_state *state, tier_record *r) {
  const struct evolution *self = object;
  (void)state;
  return self->problem->run(e, r, TIER_KEEP_START);
}

static int32_t pull_pair(struct evolving *k) {
  double value[2];
  for (int side = 0; side < 2; side++) {
    TIER_TRY(k->self->problem->trial(k->e, k->r, k->move, 0, k->end[0], k->end[1]));
    TIER_TRY(evolving_judge(k, k->end[0], &value[side]));
    k->self->v->scale(-1.0, k->move);
  }
  evolving_add(k, value[0], value[1], k->move); /* turned twice: the move itself */
  return TIER_OK;
}

static int32_t pullback(void *object, tier_edge *e, tier_state *state, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  const struct evolution *self = object;
  int64_t *calls = state->api->get_integers(state, "calls");
  struct evolving k = {.self = self, .e = e, .r = r, .cotangent = cotangent};
  if (self->v->max_abs(cotangent) == 0.0) {
    return self->problem->report_text(r, "stop", "zero");
  }
  int32_t status = evolving_open(&k, self->problem->size(e), self->problem->optimizer_state(e));
  for (int64_t i = 0; i < self->pairs && status == TIER_OK; i++) {
    evolving_draw(&k, *calls * self->pairs + i);
    status = pull_pair(&k);
  }
  if (status == TIER_OK) {
    status = evolving_finish(&k, inputs);
    ++*calls;
  }
  evolving_close(&k);
  return status;
}

static const tier_state_1 states = {.struct_size = (uint32_t)sizeof states, .declare = declare};
static const tier_estimator_1 estimator = {
    .struct_size = (uint32_t)sizeof estimator, .solve = solve, .pullback = pullback};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct evolution *self = NULL;
  TIER_TRY(evolution_create(host, params, &self));
  *object = self;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  if (strcmp(interface_id, "tier.state/1") == 0) {
    return &states;
  }
  return strcmp(interface_id, "tier.estimator/1") == 0 ? (const void *)&estimator
         : strcmp(interface_id, "tier.cost/1") == 0    ? (const void *)&evolution_costs
                                                       : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "estimator",
     .id = "es",
     .summary = "evolution strategies: runs at moved inputs, in antithetic pairs",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("es", "1.0", "MIT", components);

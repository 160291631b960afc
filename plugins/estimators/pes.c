/* Persistent evolution strategies (Vicol, Metz, Sohl-Dickstein 2021, algorithm 2), antithetic.
 * Where a level goes on from one step of the level above to the next, its steps in between are a
 * piece of one long run, and each piece is judged. Particles follow that run at moved inputs: in
 * each piece their move is a fresh e, and what counts is the sum of all their moves so far,
 *
 *   (1 / N) sum over N pairs of (F(up) - F(down)) / (2 sigma^2) (e_1 + ... + e_t):
 *
 * so, unlike a truncated unrolling, the sum over the pieces is unbiased for the gradient of the sum
 * of all their objectives (smoothed), at the cost of one piece each. Its variance grows with t. */
#include <stdio.h>

#include "evolution.h"

static const tier_slot slots[] = {
    EVOLUTION_SLOTS,
    {.name = "horizon",
     .doc = "after so many steps of the upper level the particles begin anew; default: never",
     .unit = "steps",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e15}};

/* Arrays of pair i: (w, s) of both particles, and the sum of the moves. */
static const char *array_name(char *room, size_t size, const char *what, int64_t i) {
  (void)snprintf(room, size, "%s.%lld", what, (long long)i);
  return room;
}

static const char *const particles[2][2] = {{"up.w", "up.state"}, {"down.w", "down.state"}};

static int32_t declare(void *object, int64_t n, int64_t inputs, int64_t m, tier_state *s) {
  const struct evolution *self = object;
  char name[64];
  TIER_TRY(s->api->integers(s, "calls", 1));
  TIER_TRY(s->api->integers(s, "pieces", 1));
  for (int64_t i = 0; i < self->pairs; i++) {
    TIER_TRY(s->api->vector(s, array_name(name, sizeof name, "moves", i), inputs));
    for (int side = 0; side < 2; side++) {
      TIER_TRY(s->api->vector(s, array_name(name, sizeof name, particles[side][0], i), n));
      TIER_TRY(s->api->vector(s, array_name(name, sizeof name, particles[side][1], i), m));
    }
  }
  return TIER_OK;
}

/* A host that knows no `declare_edge` calls this. */
static int32_t declare_without_sizes(void *object, int64_t n, tier_state *s) {
  const struct evolution *self = object;
  (void)n;
  (void)s;
  return tier_failf(self->host, TIER_E_UNSUPPORTED, "pes needs a newer host");
}

static int32_t solve(void *object, tier_edge *e, tier_state *state, tier_record *r) {
  const struct evolution *self = object;
  (void)state;
  return self->problem->run(e, r, TIER_KEEP_START);
}

/* Takes both particles of pair i through this piece. */
static int32_t pull_pair(struct evolving *k, tier_state *state, int64_t i, int go_on) {
  char name[64];
  double value[2];
  tier_vector *moves = state->api->get_vector(state, array_name(name, sizeof name, "moves", i));
  if (!go_on) {
    k->self->v->fill(moves, 0.0);
  }
  k->self->v->axpy(1.0, k->move, moves);
  for (int side = 0; side < 2; side++) {
    tier_vector *w =
        state->api->get_vector(state, array_name(name, sizeof name, particles[side][0], i));
    tier_vector *s =
        state->api->get_vector(state, array_name(name, sizeof name, particles[side][1], i));
    TIER_TRY(k->self->problem->trial(k->e, k->r, k->move, go_on, w, s));
    TIER_TRY(evolving_judge(k, w, &value[side]));
    k->self->v->scale(-1.0, k->move);
  }
  evolving_add(k, value[0], value[1], moves);
  return TIER_OK;
}

/* The particles go on even where nothing depends on the solution. */
static int32_t pullback(void *object, tier_edge *e, tier_state *state, tier_record *r,
                        const tier_vector *cotangent, tier_vector *inputs) {
  const struct evolution *self = object;
  int64_t *calls = state->api->get_integers(state, "calls");
  int64_t *pieces = state->api->get_integers(state, "pieces");
  struct evolving k = {.self = self, .e = e, .r = r, .cotangent = cotangent};
  int zero = self->v->max_abs(cotangent) == 0.0;
  int32_t status = evolving_open(&k, 0, 0);
  for (int64_t i = 0; i < self->pairs && status == TIER_OK; i++) {
    evolving_draw(&k, *calls * self->pairs + i);
    status = pull_pair(&k, state, i, *pieces > 0);
  }
  if (status == TIER_OK) {
    status = zero ? self->problem->report_text(r, "stop", "zero") : evolving_finish(&k, inputs);
    ++*calls;
    *pieces = *pieces + 1 == self->horizon ? 0 : *pieces + 1;
  }
  evolving_close(&k);
  return status;
}

static int32_t cost(void *object, const tier_cost_problem *problem, tier_cost *out) {
  const struct evolution *self = object;
  TIER_TRY(evolution_cost(object, problem, out));
  out->reals = 2 * problem->p;
  out->reals += self->pairs * (2 * (problem->n + problem->state) + problem->p);
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static const tier_state_1 states = {.struct_size = (uint32_t)sizeof states,
                                    .declare = declare_without_sizes,
                                    .declare_edge = declare};
static const tier_estimator_1 estimator = {
    .struct_size = (uint32_t)sizeof estimator, .solve = solve, .pullback = pullback};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct evolution *self = NULL;
  TIER_TRY(evolution_create(host, params, &self));
  self->horizon = tier_given(params, "horizon") ? tier_integer(params, "horizon") : 0;
  *object = self;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  if (strcmp(interface_id, "tier.state/1") == 0) {
    return &states;
  }
  return strcmp(interface_id, "tier.estimator/1") == 0 ? (const void *)&estimator
         : strcmp(interface_id, "tier.cost/1") == 0    ? (const void *)&costs
                                                       : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "estimator",
     .id = "pes",
     .summary = "persistent evolution strategies: particles that go on from step to step",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("pes", "1.0", "MIT", components);

/* Random search (Bergstra, Bengio 2012): points drawn uniformly from a box. */
#include "search.h"

static const tier_slot slots[] = {SEARCH_BOX_SLOTS,
                                  {.name = "points",
                                   .doc = "how many points are tried",
                                   .fallback = "20",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1e9}};

static int64_t steps(void *self, const tier_levels *l) {
  const struct search *s = self;
  (void)l;
  return s->points;
}

/* Point k is draw k of the solver's stream. */
static int32_t step(void *self, tier_levels *l, tier_state *state, int64_t k) {
  const struct search *s = self;
  tier_vector *variables = l->api->variables(l);
  int64_t size = l->api->size(l);
  TIER_TRY(search_check(s, size));
  TIER_TRY(l->api->restart(l));
  for (int64_t i = 0; i < size; i++) {
    double share = 0.0;
    s->random->uniform(l->api->stream(l), (uint64_t)k, i, 1, &share);
    double value = search_from(s, i) + share * (search_to(s, i) - search_from(s, i));
    s->vectors->write(variables, i, 1, &value);
  }
  return search_try(l, state);
}

static const tier_solver_1 solver = {
    .struct_size = (uint32_t)sizeof solver, .steps = steps, .step = step, .finish = search_finish};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  return search_create(host, params, "points", object);
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.solver/1") == 0  ? (const void *)&solver
         : strcmp(interface_id, "tier.state/1") == 0 ? (const void *)&search_state
                                                     : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_NO_GRADIENT | TIER_RANDOM,
     .kind = "solver",
     .id = "random-search",
     .summary = "tries points drawn uniformly from a box, keeps the best",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = search_destroy,
     .get = get}};
TIER_PLUGIN("random-search", "1.0", "MIT", components);

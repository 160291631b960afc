/* Grid search: every combination of evenly spaced values of the top level's variables. */
#include "search.h"

/* More solves of the lower level than anyone waits for. */
#define MOST_POINTS 1000000

static const tier_slot slots[] = {SEARCH_BOX_SLOTS,
                                  {.name = "points",
                                   .doc = "values along each variable, both ends included",
                                   .fallback = "10",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = MOST_POINTS}};

/* points^size, or -1 if it is above MOST_POINTS. */
static int64_t total(int64_t points, int64_t size) {
  int64_t all = 1;
  if (points == 1) {
    return 1;
  }
  for (int64_t i = 0; i < size; i++) {
    all *= points;
    if (all > MOST_POINTS) {
      return -1;
    }
  }
  return all;
}

static int32_t check(const struct search *s, int64_t size) {
  TIER_TRY(search_check(s, size));
  if (total(s->points, size) < 0) {
    return tier_failf(s->host, TIER_E_INVALID,
                      "a grid of %lld points along each of %lld variables has more than %d points: "
                      "use random-search, or fewer points",
                      (long long)s->points, (long long)size, MOST_POINTS);
  }
  return TIER_OK;
}

/* A grid that is too large has one step, which says so. */
static int64_t steps(void *self, const tier_levels *l) {
  const struct search *s = self;
  int64_t all = total(s->points, l->api->size(l));
  return all < 0 ? 1 : all;
}

/* Point k in base `points`: the last variable runs fastest. */
static int32_t step(void *self, tier_levels *l, tier_state *state, int64_t k) {
  const struct search *s = self;
  tier_vector *variables = l->api->variables(l);
  int64_t size = l->api->size(l);
  TIER_TRY(check(s, size));
  TIER_TRY(l->api->restart(l));
  for (int64_t i = size - 1; i >= 0; i--) {
    int64_t digit = k % s->points;
    double share = s->points > 1 ? (double)digit / (double)(s->points - 1) : 0.0;
    double value = search_from(s, i) + share * (search_to(s, i) - search_from(s, i));
    s->vectors->write(variables, i, 1, &value);
    k /= s->points;
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
     .flags = TIER_NO_GRADIENT,
     .kind = "solver",
     .id = "grid",
     .summary = "tries every point of a grid over the top level's variables, keeps the best",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = search_destroy,
     .get = get}};
TIER_PLUGIN("grid", "1.0", "MIT", components);

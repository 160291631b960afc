/* The plain nested scheme: solve the lower levels, take the hypergradient, step the top level. */
#include <string.h>
#include <tier/solver.h>

static int64_t steps(void *self, const tier_levels *l) {
  (void)self;
  (void)l;
  return -1;
}

static int32_t step(void *self, tier_levels *l, tier_state *state, int64_t k) {
  double value = 0.0;
  (void)self;
  (void)state;
  (void)k;
  TIER_TRY(l->api->solve_lower(l));
  TIER_TRY(l->api->hypergradient(l, &value));
  return l->api->update(l);
}

static const tier_solver_1 solver = {
    .struct_size = (uint32_t)sizeof solver, .steps = steps, .step = step};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  static int nothing;
  (void)host;
  (void)params;
  *object = &nothing;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.solver/1") == 0 ? &solver : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "solver",
     .id = "nested",
     .summary = "solve the lower levels, take the hypergradient, step the top level",
     .slots = NULL,
     .slot_count = 0,
     .slot_size = (uint32_t)sizeof(tier_slot),
     .create = create,
     .get = get}};
TIER_PLUGIN("nested", "1.0", "MIT", components);

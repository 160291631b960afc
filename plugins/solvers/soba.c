/* SOBA: stochastic bilevel optimization in one loop (Dagreou, Ablin, Vaiter, Moreau 2022, "A
 * framework for bilevel optimization that enables stochastic and global variance reduction
 * algorithms", equations 6 to 8, Algorithm 1).
 *
 * With F the lower and G the top objective, w the lower variables, v an estimate of the solution
 * of (d2F/dw2) v = -dG/dw, and x the top variables, each step moves all three along
 *
 *   D_w = dF/dw,   D_v = (d2F/dw2) v + dG/dw,   D_x = (d2F/dx dw) v + dG/dx,
 *
 * all taken at the same point and, for F, on the same rows: w -= lr D_w, v -= lr D_v, and x by
 * the top level's optimizer with D_x as its gradient. */
#include "single_loop.h"

enum { D_W, D_V, COUNT };

struct soba {
  struct single_loop loop;
  double lr;
};

static const tier_slot slots[] = {
    {.name = "lr",
     .doc = "step size of the lower variables and of the linear system",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_REQUIRED | TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e300}};

/* D_w, D_v (without dG/dw yet) and D_x - dG/dx, all of the lower objective at one draw. */
static int32_t lower_directions(struct soba *s, tier_levels *l, const tier_vector *v, int64_t k,
                                double *value) {
  struct single_loop *w = &s->loop;
  tier_oracle *o = NULL;
  TIER_TRY(l->api->lower_oracle(l, k, &o));
  w->v->fill(w->inputs, 0.0);
  int32_t status = w->problem->gradient(o, value, w->lower[D_W]);
  if (status == TIER_OK) {
    status = w->problem->products(o, v, w->lower[D_V], 1.0, w->inputs);
  }
  w->problem->release(o);
  return status;
}

static int32_t step(void *self, tier_levels *l, tier_state *state, int64_t k) {
  struct soba *s = self;
  struct single_loop *w = &s->loop;
  tier_vector *v = state->api->get_vector(state, "v");
  double upper_value = 0.0;
  double lower_value = 0.0;
  TIER_TRY(single_loop_prepare(w, l));
  TIER_TRY(l->api->draw(l));
  TIER_TRY(lower_directions(s, l, v, k, &lower_value));
  /* v -= lr ((d2F/dw2) v + dG/dw), dG/dw passing through the place of D_v's first part. */
  w->v->axpy(-s->lr, w->lower[D_V], v);
  TIER_TRY(l->api->partial_gradients(l, &upper_value, w->in_x, w->lower[D_V]));
  w->v->axpy(-s->lr, w->lower[D_V], v);
  w->v->copy(w->in_x, w->hypergradient);
  TIER_TRY(l->api->add_inputs(l, 1.0, w->inputs, w->hypergradient));
  w->v->copy(w->lower[D_W], w->lower[D_V]);
  w->v->scale(-s->lr, w->lower[D_V]);
  TIER_TRY(l->api->move_lower(l, lower_value, w->lower[D_W], w->lower[D_V]));
  TIER_TRY(l->api->set_hypergradient(l, w->hypergradient));
  return l->api->update(l);
}

static const tier_solver_1 solver = {
    .struct_size = (uint32_t)sizeof solver, .steps = single_loop_steps, .step = step};

static int32_t declare(void *self, int64_t n, tier_state *state) {
  (void)self;
  return state->api->vector(state, "v", n);
}
static const tier_state_1 states = {.struct_size = (uint32_t)sizeof states, .declare = declare};

static void destroy(void *object) {
  struct soba *s = object;
  single_loop_close(&s->loop);
  free(s);
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct soba *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->lr = tier_number(params, "lr");
  int32_t status = single_loop_open(&s->loop, host, COUNT);
  if (status < 0) {
    destroy(s);
    return status;
  }
  *object = s;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.solver/1") == 0  ? (const void *)&solver
         : strcmp(interface_id, "tier.state/1") == 0 ? (const void *)&states
                                                     : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_SINGLE_LOOP,
     .kind = "solver",
     .id = "soba",
     .summary = "lower level, linear system and top level move together, one product each a step",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("soba", "1.0", "MIT", components);

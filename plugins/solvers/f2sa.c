/* F2SA: fully first-order stochastic approximation (Kwon, Kwon, Wright, Nowak 2023, "A fully
 * first-order method for stochastic bilevel optimization", Algorithm 1).
 *
 * With F the lower and G the top objective and a growing penalty c, two copies of the lower
 * variables are followed: z (the level's own) towards argmin F, and y towards argmin G + c F.
 * T times a step
 *
 *   z -= lr dF/dw(x, z),   y -= (lr / c) (dG/dw(x, y) + c dF/dw(x, y)),
 *
 * then x by the top level's optimizer with the gradient (its Theorem and equation 4)
 *
 *   dG/dx(x, y) + c (dF/dx(x, y) - dF/dx(x, z)),
 *
 * and c += growth. No second derivative is used. The paper's alpha is lr / c here: the curvature
 * that y sees grows with c, and so the same lr suits both copies. */
#include "single_loop.h"

enum { SLOPE, UPPER_SLOPE, Z, COUNT };

struct f2sa {
  struct single_loop loop;
  double lr, penalty, growth;
  int64_t inner;
};

static const tier_slot slots[] = {
    {.name = "lr",
     .doc = "step size of both copies of the lower variables",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_REQUIRED | TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "penalty",
     .doc = "the penalty c at the first step; at least twice the curvature of the top objective "
            "over that of the lower one",
     .fallback = "1",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "growth",
     .doc = "added to the penalty after each step; the bias of the hypergradient is about 1 / c",
     .fallback = "0.1",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "inner",
     .doc = "T: steps of the lower copies for each step of the top level",
     .fallback = "1",
     .unit = "steps",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e9}};

/* One step of z, which is the level's own w. */
static int32_t move_z(struct f2sa *s, tier_levels *l, tier_oracle *o) {
  struct single_loop *w = &s->loop;
  double value = 0.0;
  TIER_TRY(w->problem->gradient_at(o, l->api->lower_variables(l), &value, w->lower[SLOPE]));
  w->v->copy(w->lower[SLOPE], w->lower[UPPER_SLOPE]);
  w->v->scale(-s->lr, w->lower[UPPER_SLOPE]);
  return l->api->move_lower(l, value, w->lower[SLOPE], w->lower[UPPER_SLOPE]);
}

/* The top objective's partial gradients at y in place of the level's own w. */
static int32_t gradients_at(struct f2sa *s, tier_levels *l, const tier_vector *y) {
  struct single_loop *w = &s->loop;
  tier_vector *own = l->api->lower_variables(l);
  double value = 0.0;
  w->v->copy(own, w->lower[Z]);
  w->v->copy(y, own);
  int32_t status = l->api->partial_gradients(l, &value, w->in_x, w->lower[UPPER_SLOPE]);
  w->v->copy(w->lower[Z], own);
  return status;
}

/* One step of y. */
static int32_t move_y(struct f2sa *s, tier_levels *l, tier_oracle *o, double c, tier_vector *y) {
  struct single_loop *w = &s->loop;
  double value = 0.0;
  TIER_TRY(gradients_at(s, l, y));
  TIER_TRY(w->problem->gradient_at(o, y, &value, w->lower[SLOPE]));
  w->v->axpy(-s->lr / c, w->lower[UPPER_SLOPE], y);
  w->v->axpy(-s->lr, w->lower[SLOPE], y);
  return TIER_OK;
}

/* The hypergradient at the copies as they are now. */
static int32_t take_hypergradient(struct f2sa *s, tier_levels *l, tier_oracle *o, double c,
                                  const tier_vector *y) {
  struct single_loop *w = &s->loop;
  TIER_TRY(gradients_at(s, l, y));
  w->v->fill(w->inputs, 0.0);
  TIER_TRY(w->problem->input_gradient_at(o, y, c, w->inputs));
  TIER_TRY(w->problem->input_gradient_at(o, l->api->lower_variables(l), -c, w->inputs));
  w->v->copy(w->in_x, w->hypergradient);
  TIER_TRY(l->api->add_inputs(l, 1.0, w->inputs, w->hypergradient));
  return l->api->set_hypergradient(l, w->hypergradient);
}

/* What is done with the rows of one draw: T steps of both copies, or the hypergradient. */
static int32_t on_draw(struct f2sa *s, tier_levels *l, int64_t draw, double c, tier_vector *y,
                       int hypergradient) {
  tier_oracle *o = NULL;
  TIER_TRY(l->api->lower_oracle(l, draw, &o));
  int32_t status = TIER_OK;
  if (hypergradient) {
    status = take_hypergradient(s, l, o, c, y);
  } else {
    status = move_y(s, l, o, c, y);
    status = status == TIER_OK ? move_z(s, l, o) : status;
  }
  s->loop.problem->release(o);
  return status;
}

static int32_t step(void *self, tier_levels *l, tier_state *state, int64_t k) {
  struct f2sa *s = self;
  tier_vector *y = state->api->get_vector(state, "y");
  int64_t *started = state->api->get_integers(state, "started");
  double c = s->penalty + (double)k * s->growth;
  TIER_TRY(single_loop_prepare(&s->loop, l));
  TIER_TRY(l->api->draw(l));
  if (started[0] == 0) {
    s->loop.v->copy(l->api->lower_variables(l), y);
    started[0] = 1;
  }
  for (int64_t t = 0; t < s->inner; t++) {
    TIER_TRY(on_draw(s, l, k * (s->inner + 1) + t, c, y, 0));
  }
  TIER_TRY(on_draw(s, l, k * (s->inner + 1) + s->inner, c, y, 1));
  return l->api->update(l);
}

static const tier_solver_1 solver = {
    .struct_size = (uint32_t)sizeof solver, .steps = single_loop_steps, .step = step};

static int32_t declare(void *self, int64_t n, tier_state *state) {
  (void)self;
  TIER_TRY(state->api->vector(state, "y", n));
  return state->api->integers(state, "started", 1);
}
static const tier_state_1 states = {.struct_size = (uint32_t)sizeof states, .declare = declare};

static void destroy(void *object) {
  struct f2sa *s = object;
  single_loop_close(&s->loop);
  free(s);
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct f2sa *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->lr = tier_number(params, "lr");
  s->penalty = tier_number(params, "penalty");
  s->growth = tier_number(params, "growth");
  s->inner = tier_integer(params, "inner");
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
     .id = "f2sa",
     .summary = "two copies of the lower level and a growing penalty; first derivatives only",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("f2sa", "1.0", "MIT", components);

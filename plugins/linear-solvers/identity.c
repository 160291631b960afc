/* The matrix is taken to be a multiple of the identity: x = scale b, with no product at all. With
 * scale the step size this is the T1-T2 method (Luketina, Berglund, Greff, Raiko 2016), which
 * takes the Hessian for I. With damping d the matrix is taken to be (1 / scale + d) I. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>
#include <tier/params.h>

#include "../declared_cost.h"
#include "../host_interface.h"

struct identity {
  const tier_vector_1 *v;
  double scale;
};

static const tier_slot slots[] = {{.name = "scale",
                                   .doc = "what the inverse is taken to be, times the identity",
                                   .fallback = "1",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .flags = TIER_SLOT_OPEN_MINIMUM,
                                   .minimum = 0,
                                   .maximum = 1e300}};

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct identity *i = self;
  (void)state;
  i->v->copy(b, x);
  i->v->scale(1.0 / (1.0 / i->scale + tier_system_damping(system)), x);
  report->iterations = 0;
  report->residual = NAN; /* it would take a product */
  report->stop = "identity";
  if (i->v->max_abs(b) == 0.0) {
    report->residual = 0.0;
    report->stop = "zero";
  }
  return TIER_OK;
}

static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver, .solve = solve};

static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  (void)self;
  (void)problem;
  out->flags = TIER_COST_BIASED;
  out->right = "1 / scale times the identity";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct identity *i = calloc(1, sizeof *i);
  if (i == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  i->v = host_interface(host, "tier.vector/1");
  i->scale = tier_number(params, "scale");
  if (i->v == NULL) {
    free(i);
    return TIER_E_PLUGIN;
  }
  *object = i;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.linear_solver/1") == 0 ? (const void *)&solver
         : strcmp(interface_id, "tier.cost/1") == 0        ? (const void *)&costs
                                                           : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_NO_PRECONDITIONER,
     .kind = "linear-solver",
     .id = "identity",
     .summary = "takes the matrix for a multiple of the identity (T1-T2): no products",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("identity", "1.0", "MIT", components);

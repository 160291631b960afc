/* lr sum_{j < terms} (I - lr A)^j b, right or with one term more: -DID, -DFAULT. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>
#include <tier/params.h>

#include "faults.h"

struct neumann {
  const tier_host *host;
  const tier_vector_1 *v;
  int64_t terms;
};

static const tier_slot slots[] = {{.name = "terms",
                                   .doc = "how many terms are summed",
                                   .fallback = "20",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1e9}};

static int32_t rate(const struct neumann *n, const tier_linear_system *s, double *lr) {
  *lr = s->step;
  if (*lr == 0 && s->step_size != NULL) {
    return s->step_size(s->context, lr);
  }
  return *lr > 0 ? TIER_OK : tier_failf(n->host, TIER_E_REFUSED, "there is no step size");
}

static int32_t solve(void *self, const tier_linear_system *s, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct neumann *n = self;
  double lr = 0;
  int32_t status = rate(n, s, &lr);
  tier_vector *term = n->v->create(s->size);
  tier_vector *product = n->v->create(s->size);
  (void)state;
  n->v->fill(x, 0);
  n->v->copy(b, term);
  for (int64_t t = 0; t < n->terms + (FAULT == ONE_TERM_TOO_MANY) && status == TIER_OK; t++) {
    n->v->axpy(lr, term, x);
    status = s->apply(s->context, term, product);
    n->v->axpy(-lr, product, term);
  }
  if (status == TIER_OK && !n->v->finite(x)) {
    status = tier_failf(n->host, TIER_E_NONFINITE, "the series is not finite");
  }
  report->residual = NAN;
  report->stop = "terms";
  n->v->destroy(term);
  n->v->destroy(product);
  return status;
}
static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver, .solve = solve};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct neumann *n = calloc(1, sizeof *n);
  if (n == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  n->host = host;
  n->v = host->get(host, "tier.vector/1");
  n->terms = tier_integer(params, "terms");
  *object = n;
  return TIER_OK;
}
static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.linear_solver/1") == 0 ? &solver : NULL;
}

static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component),
                                             .flags = TIER_NEEDS_STEP | TIER_NO_PRECONDITIONER,
                                             .kind = "linear-solver",
                                             .id = ID,
                                             .summary = "planted",
                                             TIER_SLOTS(slots),
                                             .create = create,
                                             .destroy = free,
                                             .get = get}};
TIER_PLUGIN(ID, "1.0", "MIT", components);

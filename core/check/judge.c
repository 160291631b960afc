#include "check/judge.h"

#include <math.h>
#include <string.h>
#include <tier/cost.h>

#include "base/error.h"
#include "check/instances.h"

static const struct method methods[] = {
    {"dense", CLAIM_EXACT, INFINITY, NULL},
    {"cg", CLAIM_EXACT, INFINITY, NULL},
    {"minres", CLAIM_EXACT, INFINITY, NULL},
    {"gmres", CLAIM_EXACT, INFINITY, NULL},
    {"bicgstab", CLAIM_EXACT, 1e3, NULL}, /* its recursion loses more digits: docs/estimators.md */
    {"neumann", CLAIM_SERIES, INFINITY, NULL},
    {"lissa", CLAIM_LISSA, INFINITY, NULL},
    {"nystrom", CLAIM_SHIFTED, INFINITY, NULL},
    {"identity", CLAIM_SCALE, INFINITY, NULL},
    {"implicit", CLAIM_EXACT, INFINITY, "{\"implicit\": {\"solver\": \"dense\"}}"},
    {"unroll", CLAIM_FOLLOWS, 1e3, "\"unroll\""},
    {"forward", CLAIM_FOLLOWS, 1e3, "\"forward\""},
    {"one-step", CLAIM_LAST, INFINITY, "\"one-step\""},
    {"nested-fd", CLAIM_LAST, INFINITY, "\"nested-fd\""},
    {"es", CLAIM_MEAN, INFINITY, "{\"es\": {\"pairs\": 4, \"sigma\": 0.1}}"},
    {"pes", CLAIM_MEAN, INFINITY, "{\"pes\": {\"pairs\": 4, \"sigma\": 0.1}}"},
};

/* 1 if it declares a cost with that flag. */
static int declares(const struct check *c, uint32_t flag) {
  const tier_cost_problem problem = {
      .struct_size = (uint32_t)sizeof problem, .n = 2, .p = 2, .steps = 1};
  tier_cost cost = {.struct_size = (uint32_t)sizeof cost};
  struct instance *i = NULL;
  int is = 0;
  if (check_instance(c, 2, &i) == TIER_OK) {
    const tier_cost_1 *api = instance_get(i, "tier.cost/1");
    is =
        api != NULL && api->cost(i->object, &problem, &cost) == TIER_OK && (cost.flags & flag) != 0;
  }
  check_instance_free(i);
  error_clear();
  return is;
}

struct method method_of(const struct check *c) {
  const char *id = c->as != NULL ? c->as : c->component->c.id;
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
    if (strcmp(methods[i].id, id) == 0) {
      return methods[i];
    }
  }
  return (struct method){id, declares(c, TIER_COST_BIASED) ? CLAIM_NONE : CLAIM_EXACT, INFINITY,
                         NULL};
}

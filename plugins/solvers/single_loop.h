/* What solvers that move both levels in one loop share: their work vectors and tables. */
#ifndef PLUGINS_SOLVERS_SINGLE_LOOP_H
#define PLUGINS_SOLVERS_SINGLE_LOOP_H

#include <stdlib.h>
#include <string.h>
#include <tier/params.h>
#include <tier/solver.h>

#include "../host_interface.h"

#define SINGLE_LOOP_MOST_VECTORS 8

/* Work vectors, made at the first step: `small` of them of the lower level's size n, then one of
 * the edge's inputs p, then two of the top level's size. */
struct single_loop {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_problem_1 *problem;
  int small;
  tier_vector *lower[SINGLE_LOOP_MOST_VECTORS]; /* (n) */
  tier_vector *inputs;                          /* (p) */
  tier_vector *in_x, *hypergradient;            /* (size) */
};

static inline int32_t single_loop_open(struct single_loop *s, const tier_host *host, int small) {
  s->host = host;
  s->small = small;
  s->v = host_interface(host, "tier.vector/1");
  s->problem = host_interface(host, "tier.problem/1");
  return s->v != NULL && s->problem != NULL ? TIER_OK : TIER_E_PLUGIN;
}

static inline void single_loop_close(struct single_loop *s) {
  for (int i = 0; i < s->small && s->v != NULL; i++) {
    s->v->destroy(s->lower[i]);
  }
  if (s->v != NULL) {
    s->v->destroy(s->inputs);
    s->v->destroy(s->in_x);
    s->v->destroy(s->hypergradient);
  }
}

static inline int32_t single_loop_prepare(struct single_loop *s, tier_levels *l) {
  if (s->hypergradient != NULL) {
    return TIER_OK;
  }
  const tier_edge *e = l->api->edge(l);
  int complete = 1;
  for (int i = 0; i < s->small; i++) {
    s->lower[i] = s->v->create(s->problem->size(e));
    complete &= s->lower[i] != NULL;
  }
  s->inputs = s->v->create(s->problem->input_size(e));
  s->in_x = s->v->create(l->api->size(l));
  s->hypergradient = s->v->create(l->api->size(l));
  return complete && s->inputs != NULL && s->in_x != NULL && s->hypergradient != NULL
             ? TIER_OK
             : tier_failf(s->host, TIER_E_MEMORY, "no memory for %d vectors of %lld numbers",
                          s->small, (long long)s->problem->size(e));
}

/* As many steps as the top level says. */
static inline int64_t single_loop_steps(void *self, const tier_levels *l) {
  (void)self;
  (void)l;
  return -1;
}

#endif

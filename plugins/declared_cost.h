/* What costs that plugins declare (tier/cost.h) have in common. */
#ifndef PLUGINS_DECLARED_COST_H
#define PLUGINS_DECLARED_COST_H

#include <tier/cost.h>
#include <tier/vector.h>

/* Bytes of a real. */
static inline int64_t cost_real(const tier_vector_1 *v) {
  return v->epsilon() > 1e-10 ? (int64_t)sizeof(float) : (int64_t)sizeof(double);
}

/* As many reals as `count` doubles take. */
static inline int64_t cost_doubles(const tier_vector_1 *v, int64_t count) {
  return count * (int64_t)sizeof(double) / cost_real(v);
}

#endif

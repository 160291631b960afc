#include "check/instances.h"

#include <string.h>

#include "backend/dense.h"
#include "base/dtype.h"
#include "base/random.h"
#include "problem/edges.h"
#include "problem/vector.h"

void check_host(void) {
  vector_configure(DTYPE_F64, NULL);
  host_offer("tier.vector/1", &vector_interface);
  host_offer("tier.dense/1", &dense_interface);
  host_offer("tier.problem/1", &problem_interface);
}

const tier_slot *check_slot(const struct component *c, const char *name) {
  for (uint32_t i = 0; i < c->c.slot_count; i++) {
    if (strcmp(c->c.slots[i].name, name) == 0) {
      return &c->c.slots[i];
    }
  }
  return NULL;
}

struct params *check_params(const struct component *c) {
  return params_new(c, random_stream(c->c.id, 0));
}

void check_number(const struct component *c, struct params *p, const char *slot, double value) {
  if (check_slot(c, slot) != NULL) {
    params_set_numbers(p, slot, &value, 1);
  }
}

int32_t check_create(struct params *p, int64_t n, struct instance **out) {
  TIER_TRY(instance_new(p, out));
  const tier_state_1 *declares = instance_get(*out, "tier.state/1");
  if (declares == NULL) {
    return TIER_OK;
  }
  struct state *s = state_new();
  (*out)->state = &s->face;
  return declares->declare((*out)->object, n, (*out)->state);
}

int32_t check_instance(const struct check *c, int64_t n, struct instance **out) {
  return check_create(check_params(c->component), n, out);
}

void check_instance_free(struct instance *i) {
  if (i != NULL) {
    state_free((struct state *)(void *)i->state);
    i->state = NULL;
  }
  instance_free(i);
}

#include "plugin/profiled.h"

#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>

#include "base/memory.h"
#include "base/profile.h"

/* A linear solver that a plugin was given: its own table, with another `solve`. */
struct profiled {
  const struct instance *instance;
  const tier_linear_solver_1 *plain;
  tier_linear_solver_1 table;
  struct profiled *next;
};

static struct profile *profile;
static struct profiled *known;

void profiled_instances(struct profile *p) {
  profile = p;
}

/* `self` tells which: profiled_solver() sees to it that one object has one `solve`. */
static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct profiled *s = known;
  while (s->instance->object != self) {
    s = s->next;
  }
  profile_begin(profile, "linear solver", s->instance->component->c.id);
  int32_t status = s->plain->solve(self, system, state, b, x, report);
  profile_end(profile);
  return status;
}

/* NULL if another component, with functions of its own, has the same object. */
static const struct profiled *profiled_solver(const struct instance *i,
                                              const tier_linear_solver_1 *plain) {
  for (const struct profiled *s = known; s != NULL; s = s->next) {
    if (s->instance->object == i->object && s->plain->solve != plain->solve) {
      return NULL;
    }
    if (s->instance == i) {
      return s;
    }
  }
  struct profiled *s = memory_alloc(1, sizeof *s);
  s->instance = i;
  s->plain = plain;
  memcpy(&s->table, plain, plain->struct_size);
  s->table.solve = solve;
  s->next = known;
  known = s;
  return s;
}

const void *profiled_interface(const struct instance *i, const char *interface_id) {
  const tier_linear_solver_1 *plain = instance_get(i, interface_id);
  if (profile == NULL || plain == NULL || strcmp(interface_id, "tier.linear_solver/1") != 0 ||
      plain->struct_size > sizeof *plain) { /* a newer one has members that we do not know */
    return plain;
  }
  const struct profiled *s = profiled_solver(i, plain);
  return s != NULL ? &s->table : plain;
}

void profiled_forget(const struct instance *i) {
  for (struct profiled **at = &known; *at != NULL; at = &(*at)->next) {
    if ((*at)->instance == i) {
      struct profiled *gone = *at;
      *at = gone->next;
      free(gone);
      return;
    }
  }
}

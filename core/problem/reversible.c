#include "problem/reversible.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/instances.h"

/* ---- information ---- */

static int32_t push(tier_information *face, int64_t count, const int64_t *words) {
  struct information *i = (struct information *)(void *)face;
  struct information_block block = {.count = count};
  TIER_TRY(rows_alloc(count, sizeof *words, 1, "what reversible steps dropped", &block.words));
  memcpy(block.words, words, (size_t)count * sizeof *words);
  array_push(i->blocks, i->count, i->capacity, block);
  return TIER_OK;
}

static int32_t pop(tier_information *face, int64_t count, int64_t *words) {
  struct information *i = (struct information *)(void *)face;
  if (i->count == 0 || i->blocks[i->count - 1].count != count) {
    return fail(TIER_E_PLUGIN, "a reversible step takes back %lld words that it did not drop",
                (long long)count);
  }
  struct information_block *block = &i->blocks[--i->count];
  memcpy(words, block->words, (size_t)count * sizeof *words);
  large_free(block->words);
  return TIER_OK;
}

static const tier_information_1 information_interface = {
    .struct_size = (uint32_t)sizeof(tier_information_1), .push = push, .pop = pop};

void information_clear(struct information *i) {
  for (size_t k = 0; k < i->count; k++) {
    large_free(i->blocks[k].words);
  }
  i->count = 0;
  i->face.api = &information_interface;
}

void information_free(struct information *i) {
  information_clear(i);
  free(i->blocks);
  *i = (struct information){0};
}

int64_t information_bytes(const struct information *i) {
  int64_t bytes = 0;
  for (size_t k = 0; k < i->count; k++) {
    bytes += i->blocks[k].count * (int64_t)sizeof(int64_t);
  }
  return bytes;
}

/* ---- steppers ---- */

struct reversible {
  const tier_reversible_step_1 *api;
  tier_value *values; /* of the hyperparameters, in the step's graph */
  double *hypers;     /* and what they are now */
  void **addresses;   /* of each */
  double **states;    /* of each state array */
  uint32_t count;
  struct kernel kernel;
};

int32_t reversible_require(const struct stepper *s) {
  if (s->reversible == NULL) {
    return fail(TIER_E_REFUSED,
                "the optimizer %s of level \"%s\" cannot be run backwards: use momentum-exact, or "
                "\"checkpoint\"",
                s->application->component->c.id, s->level->declared->name);
  }
  return TIER_OK;
}

int32_t reversible_find(struct stepper *s, tier_step_build *build) {
  const tier_component *c = &s->application->component->c;
  const tier_reversible_step_1 *api = instance_get(s->instance, "tier.reversible_step/1");
  if (api == NULL) {
    return TIER_OK;
  }
  if (s->p->dtype != DTYPE_F64) {
    return fail(TIER_E_UNSUPPORTED, "%s keeps every bit, which needs \"compute.dtype\": \"f64\"",
                c->id);
  }
  struct reversible *v = memory_alloc(1, sizeof *v);
  s->reversible = v;
  v->api = api;
  v->values = memory_alloc(c->slot_count, sizeof *v->values);
  v->hypers = memory_alloc(c->slot_count, sizeof *v->hypers);
  v->addresses = memory_alloc(c->slot_count, sizeof *v->addresses);
  v->states = memory_alloc(s->state_count, sizeof *v->states);
  for (uint32_t i = 0; i < c->slot_count; i++) {
    if (c->slots[i].flags & TIER_SLOT_DIFFERENTIABLE) {
      v->addresses[v->count] = &v->hypers[v->count];
      v->values[v->count++] = build->api->hyper_scalar(build, c->slots[i].name);
    }
  }
  return TIER_OK;
}

void reversible_free(struct stepper *s) {
  if (s->reversible != NULL) {
    kernel_free(&s->reversible->kernel);
    free(s->reversible->values);
    free(s->reversible->hypers);
    free(s->reversible->addresses);
    free(s->reversible->states);
    free(s->reversible);
  }
}

/* The hyperparameters at a point, and where the state arrays stand. */
static int32_t prepare(struct stepper *s, const struct point *at, void *state) {
  struct reversible *v = s->reversible;
  for (size_t i = 0; i < s->state_count; i++) {
    v->states[i] = (double *)state + s->states[i].offset;
  }
  if (v->kernel.program == NULL) {
    TIER_TRY(kernel_make(&v->kernel, "hyperparameters", &s->builder, FAST_TENSORS, NULL, 0,
                         v->values, v->count));
  }
  return kernel_run(&v->kernel, s->p, at, NULL, v->addresses);
}

int32_t reversible_run(struct stepper *s, const struct point *at, void *w_next, void *state_next) {
  struct reversible *v = s->reversible;
  memmove(w_next, at->step_w, (size_t)s->n * sizeof(double));
  memmove(state_next, at->step_state, (size_t)s->m * sizeof(double));
  TIER_TRY(prepare(s, at, state_next));
  return v->api->run(s->instance->object, s->n, w_next, v->states, at->step_g, v->hypers,
                     s->information != NULL ? &s->information->face : NULL);
}

int32_t reversible_undo_w(struct stepper *s, const struct point *at, void *w, void *state) {
  struct reversible *v = s->reversible;
  TIER_TRY(prepare(s, at, state));
  return v->api->undo_w(s->instance->object, s->n, w, v->states, v->hypers);
}

int32_t reversible_undo_states(struct stepper *s, const struct point *at, void *state,
                               struct information *information) {
  struct reversible *v = s->reversible;
  TIER_TRY(prepare(s, at, state));
  return v->api->undo_states(s->instance->object, s->n, v->states, at->step_g, v->hypers,
                             &information->face);
}

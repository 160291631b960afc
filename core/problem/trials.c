#include "problem/trials.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/draws.h"
#include "problem/levels.h"
#include "problem/tape.h"
#include "problem/variables.h"

/* ---- what a run changes of a level ---- */

/* The arrays of a procedural optimizer, or NULL. */
static const struct state *loop_state(const struct level *l) {
  return l->loop != NULL ? (const struct state *)(const void *)l->optimizer->state : NULL;
}

static size_t array_bytes(const struct state_array *a, const struct problem *p) {
  return (size_t)a->size * (a->type == STATE_REAL ? dtype_size(p->dtype) : sizeof(int64_t));
}

static int32_t trial_point_new(const struct level *l, struct trial_point **out) {
  const struct state *loop = loop_state(l);
  struct trial_point *k = memory_alloc(1, sizeof *k);
  *out = k;
  k->w = vector_new(l->over.size);
  k->gradient = vector_new(l->over.size);
  k->state = vector_new(l->state != NULL ? l->state->size : 0);
  k->terms = memory_alloc(l->suites[0]->term_count, sizeof *k->terms);
  k->array_count = loop != NULL ? loop->count : 0;
  k->arrays = memory_alloc(k->array_count, sizeof *k->arrays);
  for (size_t i = 0; i < k->array_count; i++) {
    TIER_TRY(large_alloc(array_bytes(&loop->arrays[i], l->p), "a trial run", &k->arrays[i]));
  }
  return k->w != NULL && k->gradient != NULL && k->state != NULL
             ? TIER_OK
             : fail(TIER_E_MEMORY, "no memory for trial runs of level \"%s\"", l->declared->name);
}

static void trial_point_free(struct trial_point *k) {
  if (k != NULL) {
    vector_free(k->w);
    vector_free(k->gradient);
    vector_free(k->state);
    for (size_t i = 0; i < k->array_count; i++) {
      large_free(k->arrays[i]);
    }
    free(k->arrays);
    free(k->terms);
    free(k);
  }
}

static void take(const struct level *l, struct trial_point *k) {
  const struct state *loop = loop_state(l);
  k->level = *l;
  vector_interface.copy(l->w, k->w);
  vector_interface.copy(l->gradient, k->gradient);
  memcpy(k->terms, l->term_values, l->suites[0]->term_count * sizeof *k->terms);
  if (l->state != NULL) {
    vector_interface.copy(l->state, k->state);
  }
  for (size_t i = 0; i < k->array_count; i++) {
    memcpy(k->arrays[i], loop->arrays[i].data, array_bytes(&loop->arrays[i], l->p));
  }
}

/* The point alone: w and the optimizer's state. */
static void put_point(struct level *l, const struct trial_point *k) {
  const struct state *loop = loop_state(l);
  vector_interface.copy(k->w, l->w);
  if (l->state != NULL) {
    vector_interface.copy(k->state, l->state);
  }
  for (size_t i = 0; i < k->array_count; i++) {
    memcpy(loop->arrays[i].data, k->arrays[i], array_bytes(&loop->arrays[i], l->p));
  }
}

/* All of it, with the rows that it had drawn; the ledger goes on. */
static int32_t put_back(struct level *l, const struct trial_point *k) {
  struct ledger ledger = l->ledger;
  struct binding binding = l->binding;
  *l = k->level;
  l->ledger = ledger;
  l->binding = binding;
  put_point(l, k);
  vector_interface.copy(k->gradient, l->gradient);
  memcpy(l->term_values, k->terms, l->suites[0]->term_count * sizeof *k->terms);
  int32_t status =
      l->draws > 0 ? binding_draw(l->p, &l->binding, l->stream, l->draws - 1) : TIER_OK;
  l->binding.level_step = k->level.binding.level_step;
  return status;
}

/* ---- starts ---- */

int32_t trial_keep_start(tier_record *r, int restarted) {
  const struct level *l = r->edge->lower;
  if (l->child_count > 0 || l->edge_count > 0) {
    return fail(TIER_E_UNSUPPORTED,
                "trial runs of level \"%s\", which has lower levels of its own, are not supported "
                "yet",
                l->declared->name);
  }
  if (r->start == NULL) {
    TIER_TRY(trial_point_new(l, &r->start));
    TIER_TRY(trial_point_new(l, &r->present));
    r->inputs = vector_new(r->edge->inputs.size);
    if (r->inputs == NULL) {
      return fail(TIER_E_MEMORY, "no memory for trial runs of level \"%s\"", l->declared->name);
    }
  }
  take(l, r->start);
  r->start_is_fresh = restarted;
  return TIER_OK;
}

void trial_free(tier_record *r) {
  trial_point_free(r->real);
  trial_point_free(r->start);
  trial_point_free(r->present);
  vector_free(r->inputs);
}

/* Initial values that read variables follow them. */
static int32_t start_again(struct level *l) {
  for (size_t i = 0; i < l->over.count; i++) {
    struct variable *v = &l->p->variables[l->over.variables[i]];
    if (v->read_count > 0) {
      int64_t restarts = v->restarts;
      int32_t status = variables_restart(l->p, l->over.variables[i]);
      v->restarts = restarts;
      TIER_TRY(status);
    }
  }
  return TIER_OK;
}

/* ---- running ---- */

/* For each input: its own value, and its place in flat vectors of the inputs. */
static void move_inputs(const tier_edge *e, const tier_vector *kept, const tier_vector *shift) {
  size_t bytes = dtype_size(e->p->dtype);
  for (size_t i = 0; i < e->inputs.count; i++) {
    tier_vector *value = e->p->variables[e->inputs.variables[i]].value;
    size_t offset = (size_t)e->inputs.offsets[i] * bytes;
    struct tier_vector part = {.size = value->size, .dtype = value->dtype};
    part.data = (char *)kept->data + offset;
    vector_interface.copy(&part, value);
    if (shift != NULL) {
      part.data = (char *)shift->data + offset;
      vector_interface.axpy(1.0, &part, value);
    }
  }
}

static void keep_inputs(const tier_edge *e, tier_vector *kept) {
  size_t bytes = dtype_size(e->p->dtype);
  for (size_t i = 0; i < e->inputs.count; i++) {
    const tier_vector *value = e->p->variables[e->inputs.variables[i]].value;
    memcpy((char *)kept->data + (size_t)e->inputs.offsets[i] * bytes, value->data,
           (size_t)value->size * bytes);
  }
}

/* From the run's start, or from (w, s) with its state as `warm_start` says. */
static int32_t begin(struct level *l, const tier_record *r, int go_on, const tier_vector *w,
                     const tier_vector *s) {
  put_point(l, r->start);
  l->draws = r->start->level.draws;
  l->taken = 0;
  if (!go_on) {
    return r->start_is_fresh ? start_again(l) : TIER_OK;
  }
  vector_interface.copy(w, l->w);
  if (l->state != NULL && l->declared->warm_start == 1) {
    vector_interface.copy(s, l->state);
  }
  return TIER_OK;
}

int32_t trial_run(tier_edge *e, tier_record *r, const tier_vector *shift, int32_t go_on,
                  tier_vector *w, tier_vector *s) {
  struct level *l = e->lower;
  if (r->start == NULL) {
    return fail(TIER_E_PLUGIN, "a trial needs a run that kept its start (TIER_KEEP_START)");
  }
  if (go_on && (l->loop != NULL || l->declared->warm_start == 0)) {
    return fail(TIER_E_REFUSED,
                "level \"%s\" does not go on from step to step of the level above it: its "
                "\"warm_start\" is false, or its optimizer keeps a memory that cannot be followed",
                l->declared->name);
  }
  take(l, r->present);
  keep_inputs(e, r->inputs);
  move_inputs(e, r->inputs, shift);
  int32_t status = begin(l, r, go_on, w, s);
  if (status == TIER_OK) {
    status = level_continue(l, l->steps, l->declared->tolerance, NULL);
  }
  if (status == TIER_OK) {
    vector_interface.copy(l->w, w);
    if (l->state != NULL) {
      vector_interface.copy(l->state, s);
    }
  }
  move_inputs(e, r->inputs, NULL);
  int32_t back = put_back(l, r->present);
  return status < 0 ? status : back;
}

/* ---- looking ahead ---- */

int32_t trial_look_ahead(tier_edge *e, tier_record *r, int64_t count) {
  struct level *l = e->lower;
  if (l->stepper == NULL) {
    return fail(TIER_E_REFUSED,
                "looking ahead takes steps of the optimizer of level \"%s\", which is procedural",
                l->declared->name);
  }
  if (l->child_count > 0 || l->edge_count > 0 || e->keeps_all) {
    return fail(TIER_E_UNSUPPORTED,
                "looking ahead from level \"%s\", which has lower levels or is solved several "
                "times in one step of level \"%s\", is not supported yet",
                l->declared->name, e->upper->declared->name);
  }
  if (r->real == NULL) {
    TIER_TRY(trial_point_new(l, &r->real));
  }
  take(l, r->real);
  r->looking = 1;
  r->tape.restarted = 0; /* it begins where the level is, a constant */
  TIER_TRY(tape_begin(r, l->stepper, count));
  int32_t status = level_continue(l, count, 0.0, r);
  tape_end(r, l->w, l->state);
  return status;
}

int32_t trial_look_back(tier_record *r) {
  if (!r->looking) {
    return TIER_OK;
  }
  r->looking = 0;
  return put_back(r->edge->lower, r->real);
}

/* ---- judging ---- */

int32_t trial_upper_value(tier_edge *e, const tier_vector *w, double *value) {
  struct level *upper = e->upper;
  struct level *l = e->lower;
  for (size_t i = 0; i < upper->edge_count; i++) {
    if (span_offset(&upper->edges[i]->inputs, l->over.variables[0]) >= 0) {
      return fail(
          TIER_E_UNSUPPORTED,
          "the objective of level \"%s\" depends on level \"%s\" through level \"%s\", too: "
          "its value at other solutions of \"%s\" alone is not it",
          upper->declared->name, l->declared->name, upper->edges[i]->lower->declared->name,
          l->declared->name);
    }
  }
  if (upper != e->p->top) {
    return fail(TIER_E_UNSUPPORTED, "level \"%s\" is not the top level: what is above it matters",
                upper->declared->name);
  }
  struct point at = level_point(upper);
  vector_interface.copy(l->w, e->scratch_w);
  vector_interface.copy(w, l->w);
  int32_t status = suite_value(upper->suites[0], &at, value, NULL);
  vector_interface.copy(e->scratch_w, l->w);
  return status;
}

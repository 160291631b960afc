#include "problem/tape.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/draws.h"
#include "problem/edges.h"
#include "problem/records.h"
#include "problem/reversible.h"
#include "problem/steppers.h"

/* The arena holds frames of one size; which of them holds which step is the schedule's:
 *   stored       frame t holds step t
 *   last         frame t mod K
 *   checkpoints  frames 0 .. slots-1, then two to work in: from one to the other, step by step
 *   reversible   frame 0 holds step 0, frame 1 is the one to work in */

/* ---- frames ---- */

static int64_t padded(int64_t elements, int32_t dtype) {
  int64_t bytes = elements * (int64_t)dtype_size(dtype);
  return (bytes + 63) / 64 * 64;
}

static int64_t frame_bytes(const struct stepper *s) {
  return 2 * padded(s->n, s->p->dtype) + padded(s->m, s->p->dtype);
}

static struct frame frame_at(const struct tape *a, int64_t index) {
  const struct stepper *s = a->stepper;
  char *base = (char *)a->arena + (size_t)(index * frame_bytes(s));
  int64_t n = padded(s->n, s->p->dtype);
  return (struct frame){.w = base, .g = base + n, .s = base + 2 * n};
}

static struct tier_vector vector_at(const struct stepper *s, char *data, int64_t size) {
  return (struct tier_vector){.size = size, .dtype = s->p->dtype, .data = data};
}

/* NULL: not that part. */
static void fill_frame(const struct tape *a, int64_t index, const void *w, const void *state,
                       const void *g) {
  size_t bytes = dtype_size(a->stepper->p->dtype);
  size_t n = (size_t)a->stepper->n * bytes;
  size_t m = (size_t)a->stepper->m * bytes;
  struct frame f = frame_at(a, index);
  memcpy(f.w, w, n);
  if (m > 0) {
    memcpy(f.s, state, m);
  }
  if (g != NULL) {
    memcpy(f.g, g, n);
  }
}

/* ---- beginning and ending ---- */

int32_t tape_plan(tier_record *r, const tier_tape *plan) {
  const struct level *l = r->edge->lower;
  if (plan->schedule > TIER_TAPE_REVERSIBLE || plan->count < 0 || plan->bytes < 0) {
    return fail(TIER_E_PLUGIN, "a tape's schedule is unknown, or its limit negative");
  }
  if (plan->schedule >= TIER_TAPE_CHECKPOINTS && (l->child_count > 0 || l->edge_count > 0)) {
    return fail(TIER_E_UNSUPPORTED,
                "taking the steps of level \"%s\" again, which has lower levels of its own, is not "
                "supported yet: use the stored form",
                l->declared->name);
  }
  r->tape.plan = *plan;
  return TIER_OK;
}

/* How many checkpoints fit beside the two frames to work in. */
static int32_t count_slots(const struct stepper *s, const tier_tape *plan, int64_t steps,
                           int64_t *slots) {
  int64_t most = steps > 1 ? steps : 1;
  *slots = plan->count > 0 ? plan->count : most;
  if (plan->bytes > 0) {
    int64_t each = frame_bytes(s);
    int64_t fit = plan->bytes / each - 2;
    if (fit < 1) {
      return fail(TIER_E_INVALID,
                  "level \"%s\": checkpoints in %lld bytes are too few: one step takes %lld bytes, "
                  "and at least three must fit",
                  s->level->declared->name, (long long)plan->bytes, (long long)each);
    }
    *slots = fit < *slots ? fit : *slots;
  }
  *slots = *slots < most ? *slots : most;
  return TIER_OK;
}

static int32_t count_frames(struct tape *a, int64_t steps, int64_t *frames) {
  switch (a->plan.schedule) {
    case TIER_TAPE_LAST:
      *frames = a->plan.count < steps ? a->plan.count : steps;
      return TIER_OK;
    case TIER_TAPE_CHECKPOINTS:
      TIER_TRY(count_slots(a->stepper, &a->plan, steps, &a->slot_limit));
      *frames = a->slot_limit + 2;
      return TIER_OK;
    case TIER_TAPE_REVERSIBLE:
      *frames = 2;
      return reversible_require(a->stepper);
    default:
      *frames = steps;
      return TIER_OK;
  }
}

int32_t tape_begin(tier_record *r, struct stepper *s, int64_t steps) {
  struct tape *a = &r->tape;
  int64_t frames = 0;
  int same = a->stepper == s;
  a->stepper = s;
  a->length = 0;
  a->on = 1;
  a->steps = steps;
  a->at = -1;
  a->slot_count = 0;
  a->next = 0;
  information_clear(&a->information);
  TIER_TRY(count_frames(a, steps, &frames));
  s->information = a->plan.schedule == TIER_TAPE_REVERSIBLE ? &a->information : NULL;
  if (a->frames < frames || !same) {
    large_free(a->arena);
    a->arena = NULL;
    a->frames = 0;
    TIER_TRY(rows_alloc(frames, frame_bytes(s), 1, "the tape of steps", &a->arena));
    a->frames = frames;
  }
  if (a->plan.schedule == TIER_TAPE_CHECKPOINTS) { /* small beside the frames: these have room */
    a->slots = memory_resize(a->slots, (size_t)a->slot_limit, sizeof *a->slots);
  }
  return TIER_OK;
}

void tape_end(tier_record *r, const tier_vector *w, const tier_vector *state) {
  struct tape *a = &r->tape;
  if (a->plan.schedule == TIER_TAPE_REVERSIBLE && a->arena != NULL) {
    fill_frame(a, 1, w->data, state->data, NULL);
    a->at = a->length;
    a->known = 0;
  }
  a->stepper->information = NULL;
}

void tape_free(tier_record *r) {
  large_free(r->tape.arena);
  free(r->tape.slots);
  information_clear(&r->tape.information);
  information_free(&r->tape.information);
  r->tape = (struct tape){0};
}

int64_t tape_bytes(const tier_record *r) {
  const struct tape *a = &r->tape;
  return a->arena == NULL
             ? 0
             : a->frames * frame_bytes(a->stepper) + information_bytes(&a->information);
}

/* ---- pushing ---- */

/* Where the next checkpoint stands if `end` steps are to be reversed; -1: nowhere. */
static int64_t next_slot(const struct tape *a, int64_t end) {
  int64_t last = a->slots[a->slot_count - 1];
  int64_t free_slots = a->slot_limit - a->slot_count;
  if (free_slots == 0 || end - last < 2) {
    return -1;
  }
  int64_t next = last + checkpoint_distance(end - last, free_slots + 1);
  return next < end - 1 ? next : -1; /* the last step is at hand when it is reached */
}

/* Step t stands in the frame to work in: keeps a checkpoint of it if it is due. */
static void keep_slot(struct tape *a, int64_t t, int64_t end) {
  if (t != a->next) {
    return;
  }
  struct frame now = frame_at(a, a->slot_limit + a->now);
  fill_frame(a, a->slot_count, now.w, now.s, now.g);
  a->slots[a->slot_count++] = t;
  a->next = next_slot(a, end);
}

int32_t tape_push(tier_record *r, const struct level *l, const tier_vector *state,
                  int64_t level_step) {
  struct tape *a = &r->tape;
  int64_t t = a->length;
  int64_t draw = l->draws - 1;
  if (t == a->steps) {
    return fail(TIER_E_INTERNAL, "the tape is too short");
  }
  if (t == 0) {
    a->first_draw = draw;
    a->first_level_step = level_step;
  } else if (draw != a->first_draw + t || level_step != tape_level_step(r, t)) {
    return fail(TIER_E_INTERNAL, "the steps on the tape do not follow each other");
  }
  a->length++;
  switch (a->plan.schedule) {
    case TIER_TAPE_LAST:
      fill_frame(a, t % a->plan.count, l->w->data, state->data, l->gradient->data);
      return TIER_OK;
    case TIER_TAPE_CHECKPOINTS:
      a->now = 0;
      a->at = t;
      fill_frame(a, a->slot_limit, l->w->data, state->data, l->gradient->data);
      keep_slot(a, t, a->steps);
      return TIER_OK;
    case TIER_TAPE_REVERSIBLE:
      if (t == 0) {
        fill_frame(a, 0, l->w->data, state->data, NULL);
      }
      return TIER_OK;
    default:
      fill_frame(a, t, l->w->data, state->data, l->gradient->data);
      return TIER_OK;
  }
}

int32_t tape_pin(tier_record *r, struct stepper *s, const tier_vector *w, int64_t step) {
  struct tape *a = &r->tape;
  TIER_TRY(tape_begin(r, s, 1));
  memset(a->arena, 0, (size_t)frame_bytes(s));
  memcpy(frame_at(a, 0).w, w->data, (size_t)s->n * dtype_size(s->p->dtype));
  a->first_draw = r->edge->lower->draws - 1;
  a->first_level_step = step;
  a->length = 1;
  return TIER_OK;
}

int64_t tape_draw(const tier_record *r, int64_t t) {
  return r->tape.first_draw + t;
}

int64_t tape_level_step(const tier_record *r, int64_t t) {
  return level_copy(r->edge->lower, r->tape.first_level_step + t);
}

/* ---- taking steps again ---- */

struct point tape_point(const tier_record *r, int64_t t, const struct frame *f,
                        struct binding *binding) {
  *binding = (struct binding){.level_step = tape_level_step(r, t), .serial = 1};
  return (struct point){.binding = binding,
                        .level = r->edge->lower,
                        .w = f->w,
                        .serial = 1, /* a step reads no data: nothing to bind again */
                        .stepper = r->tape.stepper,
                        .step_w = f->w,
                        .step_g = f->g,
                        .step_state = f->s,
                        .held = records_held(r, t)};
}

/* f.g <- dF/dw at f.w, on the rows of step t. */
static int32_t gradient_again(tier_record *r, int64_t t, const struct frame *f) {
  tier_edge *e = r->edge;
  struct level *l = e->lower;
  struct binding *b = &e->bindings[0];
  double value = 0;
  TIER_TRY(edge_prepare(e, 0));
  TIER_TRY(binding_draw(e->p, b, l->stream, tape_draw(r, t)));
  b->level_step = tape_level_step(r, t);
  struct point at = {
      .binding = b, .level = l, .w = f->w, .serial = b->serial, .held = records_held(r, t)};
  struct tier_vector g = vector_at(r->tape.stepper, f->g, r->tape.stepper->n);
  return suite_gradient(l->suites[0], &at, &value, NULL, &g, NULL);
}

/* `to` <- the step of `from`, which is step t. */
static int32_t step_again(tier_record *r, int64_t t, const struct frame *from,
                          const struct frame *to) {
  struct stepper *s = r->tape.stepper;
  struct binding binding;
  struct point at = tape_point(r, t, from, &binding);
  struct tier_vector w = vector_at(s, to->w, s->n);
  struct tier_vector state = vector_at(s, to->s, s->m);
  return stepper_run(s, &at, &w, &state);
}

/* Frame of step t, from the nearest checkpoint before it, on the way keeping further ones as the
 * sweep back from t wants them. */
static int32_t from_checkpoint(tier_record *r, int64_t t, struct frame *out) {
  struct tape *a = &r->tape;
  while (a->slots[a->slot_count - 1] > t) {
    a->slot_count--;
  }
  int64_t at = a->slots[a->slot_count - 1];
  *out = frame_at(a, a->slot_count - 1);
  if (a->at > at && a->at <= t) {
    at = a->at;
    *out = frame_at(a, a->slot_limit + a->now);
  }
  a->next = at < t ? next_slot(a, t + 1) : -1;
  for (; at < t; at++) {
    a->at = -1;
    a->now = 1 - a->now;
    struct frame to = frame_at(a, a->slot_limit + a->now);
    TIER_TRY(step_again(r, at, out, &to));
    TIER_TRY(gradient_again(r, at + 1, &to));
    *out = to;
    a->at = at + 1;
    keep_slot(a, at + 1, t + 1);
  }
  return TIER_OK;
}

/* ---- running backwards ---- */

/* From step `at` to the one before it, which ends with its gradient known. */
static int32_t step_back(tier_record *r) {
  struct tape *a = &r->tape;
  struct frame now = frame_at(a, 1);
  int64_t t = a->at - 1;
  struct binding binding;
  struct point at = tape_point(r, t, &now, &binding);
  a->at = -1;
  TIER_TRY(reversible_undo_w(a->stepper, &at, now.w, now.s));
  if (t == 0) { /* the start need not stand on the grid */
    memcpy(now.w, frame_at(a, 0).w, (size_t)a->stepper->n * dtype_size(a->stepper->p->dtype));
  }
  TIER_TRY(gradient_again(r, t, &now));
  TIER_TRY(reversible_undo_states(a->stepper, &at, now.s, &a->information));
  if (t == 0 && a->stepper->m > 0) {
    memcpy(now.s, frame_at(a, 0).s, (size_t)a->stepper->m * dtype_size(a->stepper->p->dtype));
  }
  a->at = t;
  a->known = 1;
  return TIER_OK;
}

static int32_t step_on(tier_record *r) {
  struct tape *a = &r->tape;
  struct frame now = frame_at(a, 1);
  int64_t t = a->at;
  if (!a->known) {
    TIER_TRY(gradient_again(r, t, &now));
  }
  a->at = -1;
  a->stepper->information = &a->information;
  int32_t status = step_again(r, t, &now, &now);
  a->stepper->information = NULL;
  a->at = t + 1;
  a->known = 0;
  return status;
}

static int32_t by_running(tier_record *r, int64_t t, struct frame *out) {
  struct tape *a = &r->tape;
  *out = frame_at(a, 1);
  if (a->at < 0) {
    return fail(TIER_E_INTERNAL, "the tape was left between two steps");
  }
  while (a->at > t) {
    TIER_TRY(step_back(r));
  }
  while (a->at < t) {
    TIER_TRY(step_on(r));
  }
  if (!a->known) {
    TIER_TRY(gradient_again(r, t, out));
    a->known = 1;
  }
  return TIER_OK;
}

int32_t tape_step(tier_record *r, int64_t t, struct frame *out) {
  struct tape *a = &r->tape;
  if (!a->on || t < 0 || t >= a->length) {
    return fail(TIER_E_PLUGIN, "step %lld of a tape of %lld", (long long)t,
                (long long)(a->on ? a->length : 0));
  }
  switch (a->plan.schedule) {
    case TIER_TAPE_LAST:
      if (t < a->length - a->plan.count) {
        return fail(TIER_E_PLUGIN, "step %lld of a tape that keeps the last %lld of %lld",
                    (long long)t, (long long)a->plan.count, (long long)a->length);
      }
      *out = frame_at(a, t % a->plan.count);
      return TIER_OK;
    case TIER_TAPE_CHECKPOINTS:
      return from_checkpoint(r, t, out);
    case TIER_TAPE_REVERSIBLE:
      return by_running(r, t, out);
    default:
      *out = frame_at(a, t);
      return TIER_OK;
  }
}

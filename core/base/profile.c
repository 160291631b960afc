#include "base/profile.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Of each program, the steps of its first runs become events. */
#define TRACED_RUNS 20

struct node {
  const char *what, *detail;
  struct node *parent, *first, *last, *next; /* children, and the next child of the same parent */
  int is_program;
  int64_t calls, nanoseconds, inside; /* inside: of children */
  /* While it runs: */
  int64_t began;
  int64_t event; /* or -1 */
};

struct slot {
  struct profile_step step;
  int64_t calls, nanoseconds;
  _Atomic int64_t pending; /* of pieces, until their region ends */
};

struct profile_program {
  struct profile *profile;
  const char *name;
  struct profile_program *next;
  uint32_t count;
  int64_t runs;
  struct slot slots[];
};

struct event {
  const struct node *node; /* or */
  const struct slot *slot;
  int thread;
  int64_t begin, end; /* end 0: still running */
};

struct profile {
  struct arena *arena; /* texts, nodes */
  const char **texts;  /* a hash table of those that steps have; NULL: free */
  size_t text_count, text_room;
  struct node root;
  struct node *present;
  struct profile_program *first, *last;
  int64_t began;
  struct event *events;
  int64_t most_events;
  _Atomic int64_t event_count; /* asked for; those past most_events are lost */
};

/* ---- threads: numbered in the order in which they are first seen ---- */

static _Atomic int threads_seen;
static _Thread_local int thread_number = -1;

static int this_thread(void) {
  if (thread_number < 0) {
    thread_number = atomic_fetch_add(&threads_seen, 1);
  }
  return thread_number;
}

struct profile *profile_new(int64_t most_events) {
  struct profile *p = memory_alloc(1, sizeof *p);
  p->arena = arena_new();
  p->present = &p->root;
  p->most_events = most_events;
  p->events = memory_alloc((size_t)most_events, sizeof *p->events);
  p->began = profile_now();
  (void)this_thread();
  return p;
}

void profile_free(struct profile *p) {
  if (p == NULL) {
    return;
  }
  for (struct profile_program *q = p->first; q != NULL;) {
    struct profile_program *next = q->next;
    free(q);
    q = next;
  }
  arena_free(p->arena);
  free(p->texts);
  free(p->events);
  free(p);
}

/* ---- events ---- */

/* The number of a new event, or -1 where there is no room. */
static int64_t event_new(struct profile *p, const struct node *node, const struct slot *slot,
                         int64_t begin, int64_t end) {
  if (p->most_events == 0) {
    return -1;
  }
  int64_t at = atomic_fetch_add_explicit(&p->event_count, 1, memory_order_relaxed);
  if (at >= p->most_events) {
    return -1;
  }
  p->events[at] = (struct event){
      .node = node, .slot = slot, .thread = this_thread(), .begin = begin, .end = end};
  return at;
}

/* ---- phases ---- */

static int same(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static struct node *child(struct profile *p, const char *what, const char *detail, int is_program) {
  struct node *parent = p->present;
  for (struct node *n = parent->first; n != NULL; n = n->next) {
    if (n->is_program == is_program && same(n->what, what) && same(n->detail, detail)) {
      return n;
    }
  }
  struct node *n = arena_alloc(p->arena, sizeof *n);
  n->what = arena_text(p->arena, what);
  n->detail = detail != NULL ? arena_text(p->arena, detail) : NULL;
  n->parent = parent;
  n->is_program = is_program;
  *(parent->last != NULL ? &parent->last->next : &parent->first) = n;
  parent->last = n;
  return n;
}

static void enter(struct profile *p, struct node *n) {
  p->present = n;
  n->began = profile_now();
  n->event = event_new(p, n, NULL, n->began, 0);
}

void profile_enter(struct profile *p, const char *what, const char *detail) {
  enter(p, child(p, what, detail, 0));
}

void profile_leave(struct profile *p) {
  struct node *n = p->present;
  int64_t now = profile_now();
  n->calls++;
  n->nanoseconds += now - n->began;
  n->parent->inside += now - n->began;
  if (n->event >= 0) {
    p->events[n->event].end = now;
  }
  p->present = n->parent;
}

/* ---- programs ---- */

/* The same text always has the same address. */
static const char **text_place(const struct profile *p, const char *text) {
  uint64_t hash = 14695981039346656037U; /* FNV-1a */
  for (const char *c = text; *c != '\0'; c++) {
    hash = (hash ^ (unsigned char)*c) * 1099511628211U;
  }
  size_t at = hash % p->text_room;
  while (p->texts[at] != NULL && strcmp(p->texts[at], text) != 0) {
    at = (at + 1) % p->text_room;
  }
  return &p->texts[at];
}

static void make_room(struct profile *p) {
  const char **old = p->texts;
  size_t count = p->text_room;
  p->text_room = count > 0 ? 2 * count : 256;
  p->texts = memory_alloc(p->text_room, sizeof *p->texts);
  for (size_t i = 0; i < count; i++) {
    if (old[i] != NULL) {
      *text_place(p, old[i]) = old[i];
    }
  }
  free(old);
}

static const char *keep(struct profile *p, const char *text) {
  if (text == NULL) {
    return NULL;
  }
  if (2 * p->text_count >= p->text_room) {
    make_room(p);
  }
  const char **place = text_place(p, text);
  if (*place == NULL) {
    *place = arena_text(p->arena, text);
    p->text_count++;
  }
  return *place;
}

static void describe(struct profile *p, struct profile_step *to, const struct profile_step *from) {
  *to = *from;
  to->op = keep(p, from->op);
  to->shapes = keep(p, from->shapes);
  to->plugin = keep(p, from->plugin);
  to->entry = keep(p, from->entry);
  to->place = keep(p, from->place);
}

static int same_step(const struct profile_step *a, const struct profile_step *b) {
  return a->op == b->op && a->shapes == b->shapes && a->plugin == b->plugin &&
         a->entry == b->entry && a->place == b->place && a->flops == b->flops &&
         a->bytes == b->bytes;
}

static int same_program(const struct profile_program *a, const struct profile_program *b) {
  int equal = a->count == b->count && a->name == b->name;
  for (uint32_t i = 0; i < a->count && equal; i++) {
    equal = same_step(&a->slots[i].step, &b->slots[i].step);
  }
  return equal;
}

struct profile_program *profile_program(struct profile *p, const char *name,
                                        const struct profile_step *steps, uint32_t count) {
  struct profile_program *q = memory_alloc(1, sizeof *q + count * sizeof q->slots[0]);
  q->profile = p;
  q->name = keep(p, name);
  q->count = count;
  for (uint32_t i = 0; i < count; i++) {
    describe(p, &q->slots[i].step, &steps[i]);
  }
  for (struct profile_program *old = p->first; old != NULL; old = old->next) {
    if (same_program(old, q)) {
      free(q);
      return old;
    }
  }
  *(p->last != NULL ? &p->last->next : &p->first) = q;
  p->last = q;
  return q;
}

void profile_program_enter(struct profile_program *q, const char *what) {
  q->runs++;
  enter(q->profile, child(q->profile, what, q->name, 1));
}

void profile_program_leave(struct profile_program *q) {
  profile_leave(q->profile);
}

static void step_event(struct profile_program *q, uint32_t step, int64_t began, int64_t now) {
  if (q->runs <= TRACED_RUNS) {
    (void)event_new(q->profile, NULL, &q->slots[step], began, now);
  }
}

int64_t profile_add(struct profile_program *q, uint32_t step, int64_t began) {
  int64_t now = profile_now();
  q->slots[step].calls++;
  q->slots[step].nanoseconds += now - began;
  step_event(q, step, began, now);
  return now;
}

int64_t profile_add_piece(struct profile_program *q, uint32_t step, int64_t began) {
  int64_t now = profile_now();
  (void)atomic_fetch_add_explicit(&q->slots[step].pending, now - began, memory_order_relaxed);
  step_event(q, step, began, now);
  return now;
}

int64_t profile_add_region(struct profile_program *q, uint32_t first, uint32_t count,
                           int64_t began) {
  int64_t now = profile_now();
  double sum = 0;
  for (uint32_t i = first; i < first + count; i++) {
    sum += (double)atomic_load_explicit(&q->slots[i].pending, memory_order_relaxed);
  }
  for (uint32_t i = first; i < first + count; i++) {
    struct slot *s = &q->slots[i];
    double share = (double)atomic_exchange_explicit(&s->pending, 0, memory_order_relaxed);
    s->nanoseconds += sum > 0 ? (int64_t)(share / sum * (double)(now - began)) : 0;
    s->calls++;
  }
  return now;
}

/* ---- what was found ---- */

static void visit_children(const struct node *parent, int depth,
                           void (*visit)(void *context, const struct profile_phase *phase),
                           void *context) {
  for (const struct node *n = parent->first; n != NULL; n = n->next) {
    struct profile_phase phase = {.what = n->what,
                                  .detail = n->detail,
                                  .depth = depth,
                                  .is_program = n->is_program,
                                  .calls = n->calls,
                                  .nanoseconds = n->nanoseconds,
                                  .own = n->nanoseconds - n->inside};
    visit(context, &phase);
    visit_children(n, depth + 1, visit, context);
  }
}

void profile_phases(const struct profile *p,
                    void (*visit)(void *context, const struct profile_phase *phase),
                    void *context) {
  visit_children(&p->root, 0, visit, context);
}

void profile_steps(const struct profile *p,
                   void (*visit)(void *context, const struct profile_count *count), void *context) {
  for (const struct profile_program *q = p->first; q != NULL; q = q->next) {
    for (uint32_t i = 0; i < q->count; i++) {
      const struct slot *s = &q->slots[i];
      if (s->calls > 0) {
        struct profile_count count = {
            .step = &s->step, .program = q->name, .calls = s->calls, .nanoseconds = s->nanoseconds};
        visit(context, &count);
      }
    }
  }
}

void profile_events(const struct profile *p,
                    void (*visit)(void *context, const struct profile_event *event),
                    void *context) {
  int64_t asked = atomic_load(&p->event_count);
  int64_t now = profile_now();
  for (int64_t i = 0; i < asked && i < p->most_events; i++) {
    const struct event *e = &p->events[i];
    struct profile_event event = {
        .what = e->slot != NULL ? e->slot->step.op : e->node->what,
        .detail = e->slot != NULL ? e->slot->step.shapes : e->node->detail,
        .step = e->slot != NULL ? &e->slot->step : NULL,
        .thread = e->thread,
        .begin = e->begin - p->began,
        .end = (e->end != 0 ? e->end : now) - p->began};
    visit(context, &event);
  }
}

int64_t profile_lost(const struct profile *p) {
  int64_t asked = atomic_load(&p->event_count);
  return asked > p->most_events ? asked - p->most_events : 0;
}

#include "run/profile_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Steps that are the same operation, or have the same source, added up. */
struct group {
  const char *op, *shapes; /* NULL: of a source */
  const char *plugin, *entry, *place;
  int64_t calls, nanoseconds;
  double flops, bytes;
};

struct groups {
  struct group *items;
  size_t count, capacity;
  int by_source;
};

struct report {
  struct arena *arena;
  struct json *phases;
  struct groups operations, sources;
  double seconds, program_seconds;
};

/* ---- phases ---- */

static void put(struct arena *a, struct json *object, const char *key, double value) {
  json_set(a, object, key, isfinite(value) ? json_make_number(a, value) : json_make(a, JSON_NULL));
}

static void put_name(struct arena *a, struct json *object, const char *key, const char *text) {
  json_set(a, object, key, text != NULL ? json_make_text(a, text) : json_make(a, JSON_NULL));
}

static void on_phase(void *context, const struct profile_phase *phase) {
  struct report *r = context;
  struct arena *a = r->arena;
  struct json *j = json_make(a, JSON_OBJECT);
  struct json *program = json_make(a, JSON_BOOLEAN);
  int named = phase->detail != NULL;
  program->boolean = phase->is_program;
  json_set(a, j, "phase",
           json_make_text(a, arena_format(a, "%s%s%s", phase->what, named ? " " : "",
                                          named ? phase->detail : "")));
  put(a, j, "depth", phase->depth);
  json_set(a, j, "program", program);
  put(a, j, "calls", (double)phase->calls);
  put(a, j, "seconds", 1e-9 * (double)phase->nanoseconds);
  put(a, j, "own_seconds", 1e-9 * (double)phase->own);
  json_append(a, r->phases, j);
  r->seconds += phase->depth == 0 ? 1e-9 * (double)phase->nanoseconds : 0;
}

static void put_shares(struct report *r) {
  for (size_t i = 0; i < r->phases->count; i++) {
    struct json *j = r->phases->items[i];
    put(r->arena, j, "share", json_member(j, "seconds")->number / r->seconds);
  }
}

/* ---- operations ---- */

static int same(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static int is_of(const struct groups *groups, const struct group *g, const struct profile_step *s) {
  return same(g->plugin, s->plugin) && same(g->entry, s->entry) && same(g->place, s->place) &&
         (groups->by_source || (same(g->op, s->op) && same(g->shapes, s->shapes)));
}

static struct group *group_of(struct groups *groups, const struct profile_step *s) {
  for (size_t i = 0; i < groups->count; i++) {
    if (is_of(groups, &groups->items[i], s)) {
      return &groups->items[i];
    }
  }
  struct group g = {.plugin = s->plugin, .entry = s->entry, .place = s->place};
  if (!groups->by_source) {
    g.op = s->op;
    g.shapes = s->shapes;
  }
  array_push(groups->items, groups->count, groups->capacity, g);
  return &groups->items[groups->count - 1];
}

static void add_count(struct groups *groups, const struct profile_count *count) {
  struct group *g = group_of(groups, count->step);
  g->calls += count->calls;
  g->nanoseconds += count->nanoseconds;
  g->flops += (double)count->calls * (double)count->step->flops;
  g->bytes += (double)count->calls * (double)count->step->bytes;
}

static void on_step(void *context, const struct profile_count *count) {
  struct report *r = context;
  add_count(&r->operations, count);
  add_count(&r->sources, count);
  r->program_seconds += 1e-9 * (double)count->nanoseconds;
}

static int by_time(const void *a, const void *b) {
  int64_t x = ((const struct group *)a)->nanoseconds;
  int64_t y = ((const struct group *)b)->nanoseconds;
  return (x < y) - (x > y);
}

static struct json *group_json(const struct report *r, const struct group *g) {
  struct arena *a = r->arena;
  struct json *j = json_make(a, JSON_OBJECT);
  double nanoseconds = (double)g->nanoseconds;
  if (g->op != NULL) {
    put_name(a, j, "operation", g->op);
    put_name(a, j, "shapes", g->shapes);
  }
  put_name(a, j, "source",
           g->plugin != NULL && g->entry != NULL ? arena_format(a, "%s.%s", g->plugin, g->entry)
                                                 : g->plugin);
  put_name(a, j, "place", g->place);
  put(a, j, "calls", (double)g->calls);
  put(a, j, "seconds", 1e-9 * nanoseconds);
  put(a, j, "share", 1e-9 * nanoseconds / r->seconds);
  put(a, j, "gflops", g->flops / nanoseconds);
  put(a, j, "gbytes", g->bytes / nanoseconds);
  return j;
}

static struct json *groups_json(const struct report *r, struct groups *groups) {
  struct json *list = json_make(r->arena, JSON_LIST);
  if (groups->count > 0) {
    qsort(groups->items, groups->count, sizeof *groups->items, by_time);
  }
  for (size_t i = 0; i < groups->count; i++) {
    json_append(r->arena, list, group_json(r, &groups->items[i]));
  }
  return list;
}

struct json *profile_json(struct arena *a, const struct profile *p) {
  struct report r = {.arena = a, .phases = json_make(a, JSON_LIST), .sources.by_source = 1};
  struct json *j = json_make(a, JSON_OBJECT);
  profile_phases(p, on_phase, &r);
  profile_steps(p, on_step, &r);
  put_shares(&r);
  put(a, j, "seconds", r.seconds);
  put(a, j, "program_seconds", r.program_seconds);
  json_set(a, j, "phases", r.phases);
  json_set(a, j, "operations", groups_json(&r, &r.operations));
  json_set(a, j, "sources", groups_json(&r, &r.sources));
  free(r.operations.items);
  free(r.sources.items);
  return j;
}

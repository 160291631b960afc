#include "problem/snapshots.h"

#include <stdlib.h>
#include <string.h>

#include "problem/edges.h"
#include "problem/levels.h"

/* One list of what there is serves counting, saving and loading. */
struct cursor {
  char *at; /* NULL: counting */
  size_t size;
  int loading;
};

static void visit(struct cursor *c, void *data, size_t bytes) {
  if (c->at != NULL && bytes > 0) {
    void *to = c->loading ? data : c->at + c->size;
    const void *from = c->loading ? c->at + c->size : data;
    memcpy(to, from, bytes);
  }
  c->size += bytes;
}

static void visit_vector(struct cursor *c, tier_vector *x) {
  if (x != NULL) {
    visit(c, x->data, (size_t)x->size * dtype_size(x->dtype));
  }
}

static void visit_level(struct cursor *c, struct level *l) {
  struct problem *p = l->p;
  int64_t *counters[] = {&l->draws, &l->taken, &l->runs, &l->binding.level_step};
  double *numbers[] = {&l->value, &l->gradient_norm, &l->direct_norm, &l->response_norm};
  visit_vector(c, l->w);
  visit_vector(c, l->gradient);
  visit_vector(c, l->state);
  for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
    visit(c, counters[i], sizeof *counters[i]);
    visit(c, numbers[i], sizeof *numbers[i]);
  }
  visit(c, &l->moved, sizeof l->moved);
  visit(c, &l->began, sizeof l->began);
  visit(c, &l->above, sizeof l->above);
  visit(c, &l->stop, sizeof l->stop);
  visit(c, l->term_values, l->suites[0]->term_count * sizeof *l->term_values);
  for (size_t i = 0; i < l->over.count; i++) {
    struct variable *v = &p->variables[l->over.variables[i]];
    visit(c, &v->restarts, sizeof v->restarts);
  }
  for (size_t i = 0; i < l->edge_count; i++) {
    visit(c, &l->edges[i]->pullbacks, sizeof l->edges[i]->pullbacks);
  }
}

static void visit_states(struct cursor *c, struct problem *p) {
  for (size_t i = 0; i < p->state_count; i++) {
    for (size_t k = 0; k < p->states[i]->count; k++) {
      const struct state_array *a = &p->states[i]->arrays[k];
      size_t bytes = a->type == STATE_REAL ? dtype_size(p->dtype) : 8;
      visit(c, a->data, (size_t)a->size * bytes);
    }
  }
}

static void visit_all(struct cursor *c, const tier_edge *e) {
  struct problem *p = e->p;
  for (size_t i = 0; i < p->m->level_count; i++) {
    if (level_is_within(p, (int)i, e->lower->index)) {
      visit_level(c, &p->levels[i]);
    }
  }
  for (size_t i = 0; i < e->kept.count; i++) {
    visit_vector(c, p->variables[e->kept.variables[i]].value);
  }
  visit_states(c, p);
}

void snapshot_save(const tier_edge *e, struct snapshot *s) {
  struct cursor count = {0};
  visit_all(&count, e);
  if (s->size != count.size) {
    free(s->bytes);
    s->bytes = memory_alloc(count.size, 1);
    s->size = count.size;
  }
  struct cursor c = {.at = s->bytes};
  visit_all(&c, e);
}

void snapshot_load(const tier_edge *e, const struct snapshot *s) {
  struct cursor c = {.at = s->bytes, .loading = 1};
  visit_all(&c, e);
}

void snapshot_free(struct snapshot *s) {
  free(s->bytes);
  *s = (struct snapshot){0};
}

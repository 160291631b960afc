#include "manifest/reads.h"

static struct reads reads_new(struct reader *r) {
  return (struct reads){.r = r,
                        .variables = arena_alloc(r->arena, r->m->variable_count + 1),
                        .data = arena_alloc(r->arena, r->m->data_count + 1),
                        .values = arena_alloc(r->arena, r->m->value_count + 1),
                        .objectives = arena_alloc(r->arena, r->m->objective_count + 1)};
}

static void read_mention(void *context, const struct mention *m);

static void read_objective(struct reads *x, int index) {
  if (index >= 0 && !x->objectives[index]) {
    x->objectives[index] = 1;
    for (size_t i = 0; i < x->r->m->objectives[index].term_count; i++) {
      mentions_of_expr(x->r->m->objectives[index].terms[i], read_mention, x);
    }
  }
}

static void read_mention(void *context, const struct mention *m) {
  struct reads *x = context;
  if ((int)m->kind < 0) {
    x->unknown = 1;
  } else if (m->kind == NAME_VARIABLE && m->value) {
    x->variables[m->index] = 1;
  } else if (m->kind == NAME_DATA) {
    x->data[m->index] = 1;
  } else if (m->kind == NAME_OBJECTIVE) {
    read_objective(x, m->index);
  } else if (m->kind == NAME_VALUE && !x->values[m->index]) {
    x->values[m->index] = 1;
    mentions_of_expr(x->r->m->values[m->index].expr, read_mention, x);
  }
}

static struct level_reads reads_of_level(struct reader *r, const struct manifest_level *l) {
  struct level_reads x = {reads_new(r), reads_new(r), reads_new(r)};
  read_objective(&x.objective, l->objective);
  x.objective.unknown = x.objective.unknown || l->objective < 0;
  if (l->optimizer != NULL) {
    mentions_of_application(l->optimizer, read_mention, &x.optimizer);
  }
  for (size_t i = 0; i < l->over_count && l->warm_start == 0; i++) {
    const struct expr *init = r->m->variables[l->over[i].variable].init;
    if (init != NULL) {
      mentions_of_expr(init, read_mention, &x.start);
    }
  }
  return x;
}

const struct level_reads *reads_of_levels(struct reader *r) {
  size_t count = r->m->level_count;
  struct level_reads *reads = arena_alloc(r->arena, (count + 1) * sizeof *reads);
  for (size_t i = 0; i < count; i++) {
    reads[i] = reads_of_level(r, &r->m->levels[i]);
  }
  return reads;
}

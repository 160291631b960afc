/* Checks on who mentions whom: cycles, and what is used at all. */
#include <string.h>

#include "manifest/reader.h"

/* Position of a name in r->names, which stand kind by kind. */
static size_t position(const struct reader *r, enum name_kind kind, int index) {
  size_t first = 0;
  while (first < r->name_count && r->names[first].kind != kind) {
    first++;
  }
  return first + (size_t)index;
}

/* All that the definition of a name mentions. A variable's: where it starts, not where it goes. */
static void mentions_of_name(struct reader *r, const struct name *n, mention_fn *f, void *context) {
  const struct manifest *m = r->m;
  switch (n->kind) {
    case NAME_DATA:
      mentions_of_source(m->data[n->index].source, f, context);
      break;
    case NAME_VARIABLE:
      if (m->variables[n->index].init != NULL) {
        mentions_of_expr(m->variables[n->index].init, f, context);
      }
      if (m->variables[n->index].model != NULL) {
        mentions_of_application(m->variables[n->index].model, f, context);
      }
      break;
    case NAME_VALUE:
      mentions_of_expr(m->values[n->index].expr, f, context);
      break;
    case NAME_OBJECTIVE:
      for (size_t i = 0; i < m->objectives[n->index].term_count; i++) {
        mentions_of_expr(m->objectives[n->index].terms[i], f, context);
      }
      break;
    case NAME_LEVEL:
      break;
  }
}

/* ---- cycles: depth first, keeping the way taken ---- */

struct search {
  struct reader *r;
  char *color; /* 0 new, 1 on the way, 2 done */
  size_t *way;
  size_t length;
};

static void visit(struct search *s, size_t i);

static void report_cycle(struct search *s, size_t i) {
  struct text way = {0};
  size_t start = 0;
  while (s->way[start] != i) {
    start++;
  }
  for (size_t k = start; k < s->length; k++) {
    text_format(&way, "%s -> ", s->r->names[s->way[k]].name);
  }
  const struct name *n = &s->r->names[i];
  struct json copy = *n->definition;
  copy.broken = 0;
  size_t mark = path_push(s->r, n->name);
  wrong_key(s->r, &copy, "", "\"%s\" is defined by itself: %s%s", n->name, text_get(&way), n->name);
  path_pop(s->r, mark);
  text_free(&way);
}

static void visit_mention(void *context, const struct mention *m) {
  struct search *s = context;
  if ((int)m->kind >= 0 && m->kind != NAME_LEVEL && m->index >= 0) {
    visit(s, position(s->r, m->kind, m->index));
  }
}

static void visit(struct search *s, size_t i) {
  if (s->color[i] == 1) {
    report_cycle(s, i);
  }
  if (s->color[i] != 0) {
    return;
  }
  s->color[i] = 1;
  s->way[s->length++] = i;
  mentions_of_name(s->r, &s->r->names[i], visit_mention, s);
  s->length--;
  s->color[i] = 2;
}

void check_cycles(struct reader *r) {
  struct search s = {.r = r,
                     .color = arena_alloc(r->arena, r->name_count + 1),
                     .way = arena_alloc(r->arena, (r->name_count + 1) * sizeof(size_t))};
  for (size_t i = 0; i < r->name_count; i++) {
    visit(&s, i);
  }
}

/* ---- what is used ---- */

struct marking {
  struct reader *r;
  char *used; /* by name */
};

static void mark(struct marking *x, size_t i);

static void mark_mention(void *context, const struct mention *m) {
  struct marking *x = context;
  if ((int)m->kind >= 0 && m->index >= 0) {
    mark(x, position(x->r, m->kind, m->index));
  }
}

/* What a part of the JSON mentions that has no struct to be bound to. */
static void mark_json(struct marking *x, const struct json *j) {
  if (j != NULL) {
    mentions_of_expr(bind_mentions(x->r, j), mark_mention, x);
  }
}

static void mark_index(struct marking *x, enum name_kind kind, int index) {
  if (index >= 0) {
    mark(x, position(x->r, kind, index));
  }
}

static void mark_variable(struct marking *x, const struct name *n) {
  const struct manifest_variable *v = &x->r->m->variables[n->index];
  mark_index(x, NAME_DATA, v->per_data);
  mark_index(x, NAME_DATA, v->shape_data);
  mark_index(x, NAME_VARIABLE, v->shape_variable);
  mark_json(x, json_member(n->definition, "within"));
}

static void mark(struct marking *x, size_t i) {
  const struct name *n = &x->r->names[i];
  if (x->used[i]) {
    return;
  }
  x->used[i] = 1;
  if (n->kind == NAME_DATA) {
    x->r->m->data[n->index].used = 1;
  }
  if (n->kind == NAME_VARIABLE) {
    mark_variable(x, n);
  }
  mentions_of_name(x->r, n, mark_mention, x);
}

static void mark_level(struct marking *x, const struct manifest_level *l) {
  mark_index(x, NAME_OBJECTIVE, l->objective);
  for (size_t i = 0; i < l->over_count; i++) {
    mark_index(x, NAME_VARIABLE, l->over[i].variable);
  }
  for (size_t i = 0; i < l->through_count; i++) {
    mentions_of_application(l->through[i].estimator, mark_mention, x);
  }
  if (l->optimizer != NULL) {
    mentions_of_application(l->optimizer, mark_mention, x);
  }
}

static void mark_measures(struct marking *x, const struct manifest_measure *m, size_t count,
                          const char *key) {
  const struct json *all = json_member(x->r->root, key);
  for (size_t i = 0; i < count; i++) {
    if (m[i].expr != NULL) {
      mentions_of_expr(m[i].expr, mark_mention, x);
    }
    if (m[i].application != NULL) {
      mentions_of_application(m[i].application, mark_mention, x);
    }
    for (size_t k = 0; k < m[i].on_count; k++) {
      mark_index(x, NAME_DATA, m[i].on[k][1]);
    }
    mark_json(x, json_member(all->items[i], "each"));
  }
}

static void mark_phase(struct marking *x) {
  mark_json(x, json_member(x->r->phase, "each"));
  mark_json(x, json_member(x->r->phase, "then"));
}

void mark_used(struct reader *r, char *used) {
  const struct manifest *m = r->m;
  struct marking x = {r, used != NULL ? used : arena_alloc(r->arena, r->name_count + 1)};
  for (size_t i = 0; i < m->level_count; i++) {
    mark_level(&x, &m->levels[i]);
  }
  mark_measures(&x, m->metrics, m->metric_count, "metrics");
  mark_measures(&x, m->outputs, m->output_count, "outputs");
  mark_phase(&x);
  if (m->solver != NULL) {
    mentions_of_application(m->solver, mark_mention, &x);
  }
  for (size_t i = 0; i < r->name_count; i++) {
    if (r->names[i].kind == NAME_LEVEL) {
      x.used[i] = 1;
      mark_json(&x, json_member(r->names[i].definition, "each"));
    }
  }
}

/* Finds the steps that can run together, block of rows by block of rows.
 *
 * Steps whose rows are the same rows, as what one writes and another reads shows, make a family. A
 * step's phase is how often, on the way to it, something had to be complete: a sum over rows, or
 * what a step outside of the family made. The steps of one family and one phase are a region, if
 * that is worth its while. Phases are as late as their readers allow: rows that feed only a later
 * phase are computed in it, and need not be stored. */
#include "compile/regions.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define NONE UINT32_MAX

/* Steps `from` and `to`, in this order, touch the same memory, and not both only read it. */
struct edge {
  uint32_t from, to;
  struct view from_view, to_view;
  int rows; /* both have rows that move */
};

/* A step touches a buffer. */
struct access {
  uint32_t step;
  struct view view;
  int rows;
  uint32_t next; /* of the same buffer, earlier */
};

struct node {
  struct row_step row;
  uint32_t parent; /* union-find; a root is its own parent */
  int64_t units;   /* of a root's family */
  int phase, latest;
  uint32_t first_edge, edge_end; /* edges to it */
  uint32_t group;                /* or NONE */
  int emitted;
};

struct group {
  uint32_t family; /* its root */
  int phase;
  uint32_t count;
  uint32_t next; /* of the same family */
  int emitted;
  int worth;
  struct region region;
};

struct forming {
  struct lowered *l;
  int threads;
  const struct block_limits *limits;
  uint32_t begin, end; /* the stage's steps; node k is step begin + k */
  struct node *nodes;
  struct edge *edges;
  uint32_t edge_count, edge_capacity;
  struct access *accesses;
  uint32_t access_count, access_capacity;
  uint32_t buffer_count;       /* those that views name */
  uint32_t *writers, *readers; /* of each buffer: the latest access */
  uint32_t *touches;           /* of each buffer: in the whole program */
  struct group *groups;
  uint32_t group_count, group_capacity;
  uint32_t *group_of; /* of each node that is a family's root: its first group */
  struct step *sorted;
  uint32_t sorted_count;
};

/* ---- families ------------------------------------------------------------------------------ */

static uint32_t family(struct node *nodes, uint32_t k) {
  while (nodes[k].parent != k) {
    nodes[k].parent = nodes[nodes[k].parent].parent;
    k = nodes[k].parent;
  }
  return k;
}

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Makes one family of two steps that touch the same rows, with the coarser of their rows. */
static void unite(struct forming *f, const struct access *x, const struct access *y) {
  uint32_t a = family(f->nodes, x->step);
  uint32_t b = family(f->nodes, y->step);
  int64_t units = common_divisor(f->nodes[a].units, f->nodes[b].units);
  int coarser = units == f->nodes[a].units || units == f->nodes[b].units;
  if (!x->rows || !y->rows || units < f->limits->least_units || !coarser ||
      !rows_agree(&x->view, &y->view, units)) {
    return;
  }
  uint32_t root = a < b ? a : b;
  f->nodes[a].parent = root;
  f->nodes[b].parent = root;
  f->nodes[root].units = units;
}

/* ---- edges --------------------------------------------------------------------------------- */

static int overlap(const struct view *a, const struct view *b) {
  int64_t low[2];
  int64_t high[2];
  view_range(a, 1, &low[0], &high[0]);
  view_range(b, 1, &low[1], &high[1]);
  return low[0] <= high[1] && low[1] <= high[0];
}

/* Edges to `now` from those of a list of accesses that overlap it. */
static void add_edges(struct forming *f, uint32_t list, const struct access *now) {
  for (uint32_t i = list; i != NONE; i = f->accesses[i].next) {
    const struct access *then = &f->accesses[i];
    if (then->step != now->step && overlap(&then->view, &now->view)) {
      struct edge e = {then->step, now->step, then->view, now->view, then->rows && now->rows};
      array_push(f->edges, f->edge_count, f->edge_capacity, e);
      unite(f, then, now);
    }
  }
}

static void note(struct forming *f, uint32_t *list, struct access now) {
  now.next = list[now.view.buffer];
  array_push(f->accesses, f->access_count, f->access_capacity, now);
  list[now.view.buffer] = f->access_count - 1;
}

/* 1 if the indices are checked before any row is computed: they must be complete. */
static int is_index(uint32_t op, uint32_t j) {
  return j == 1 && (op == TIER_OP_GATHER || op == TIER_OP_SCATTER_ADD);
}

static void connect(struct forming *f, uint32_t k) {
  struct node *node = &f->nodes[k];
  const struct row_step *row = &node->row;
  node->first_edge = f->edge_count;
  for (uint32_t j = 0; j < row->code.input_count; j++) {
    struct access read = {.step = k, .view = row->code.inputs[j]};
    int has_rows = row->role != ROWS_NONE && (row->row_inputs >> j & 1) != 0;
    read.rows = has_rows && read.view.strides[0] != 0 && !is_index(row->code.op, j);
    add_edges(f, f->writers[read.view.buffer], &read);
    uint32_t last = f->readers[read.view.buffer];
    if (last != NONE) { /* what is read by both is best read once */
      unite(f, &f->accesses[last], &read);
    }
    note(f, f->readers, read);
  }
  struct access write = {.step = k, .view = row->code.out, .rows = row->role == ROWS_PARALLEL};
  add_edges(f, f->writers[write.view.buffer], &write);
  add_edges(f, f->readers[write.view.buffer], &write);
  note(f, f->writers, write);
  node->edge_end = f->edge_count;
}

static void make_nodes(struct forming *f) {
  memset(f->writers, 0xff, f->buffer_count * sizeof *f->writers);
  memset(f->readers, 0xff, f->buffer_count * sizeof *f->readers);
  for (uint32_t k = 0; k < f->end - f->begin; k++) {
    struct node *node = &f->nodes[k];
    rows_classify(f->l, &f->l->steps[f->begin + k].code, f->limits->least_units, &node->row);
    node->parent = k;
    node->units = node->row.extent;
    node->group = NONE;
    connect(f, k);
  }
}

/* ---- phases -------------------------------------------------------------------------------- */

/* 1 if the steps may run in one region: each row of the one depends on that row of the other. */
static int together(struct forming *f, const struct edge *e) {
  uint32_t root = family(f->nodes, e->from);
  return e->rows && root == family(f->nodes, e->to) &&
         rows_agree(&e->from_view, &e->to_view, f->nodes[root].units);
}

static void find_phases(struct forming *f) {
  uint32_t count = f->end - f->begin;
  for (uint32_t i = 0; i < f->edge_count; i++) { /* in order of their ends */
    const struct edge *e = &f->edges[i];
    int phase = f->nodes[e->from].phase + !together(f, e);
    struct node *to = &f->nodes[e->to];
    to->phase = phase > to->phase ? phase : to->phase;
  }
  for (uint32_t k = 0; k < count; k++) {
    f->nodes[k].latest = -1;
  }
  for (uint32_t k = count; k-- > 0;) {
    struct node *node = &f->nodes[k];
    if (node->latest < 0 || node->row.role == ROWS_NONE) {
      node->latest = node->phase;
    }
    for (uint32_t i = node->first_edge; i < node->edge_end; i++) {
      struct node *from = &f->nodes[f->edges[i].from];
      int latest = node->latest - !together(f, &f->edges[i]);
      from->latest = from->latest < 0 || latest < from->latest ? latest : from->latest;
    }
  }
}

/* ---- groups -------------------------------------------------------------------------------- */

static void find_groups(struct forming *f) {
  for (uint32_t k = 0; k < f->end - f->begin; k++) {
    struct node *node = &f->nodes[k];
    if (node->row.role == ROWS_NONE) {
      continue;
    }
    uint32_t root = family(f->nodes, k);
    uint32_t g = f->group_of[root];
    while (g != NONE && f->groups[g].phase != node->latest) {
      g = f->groups[g].next;
    }
    if (g == NONE) {
      struct group group = {.family = root, .phase = node->latest, .next = f->group_of[root]};
      array_push(f->groups, f->group_count, f->group_capacity, group);
      g = f->group_count - 1;
      f->group_of[root] = g;
    }
    node->group = g;
    f->groups[g].count++;
  }
}

static void plan_group(struct forming *f, uint32_t g) {
  struct group *group = &f->groups[g];
  struct region_draft d = {.units = f->nodes[group->family].units, .limits = f->limits};
  if (group->count < 2) {
    return;
  }
  d.steps = memory_alloc(group->count, sizeof(struct row_step *));
  for (uint32_t k = 0; k < f->end - f->begin; k++) {
    if (f->nodes[k].group == g) {
      d.steps[d.count++] = &f->nodes[k].row;
    }
  }
  group->worth = region_plan(f->l, &d, f->touches, f->threads, &group->region);
  free(d.steps);
}

/* ---- the new order ------------------------------------------------------------------------- */

static void emit(struct forming *f, uint32_t k);

static void emit_sources(struct forming *f, uint32_t k) {
  uint32_t g = f->nodes[k].group;
  for (uint32_t i = f->nodes[k].first_edge; i < f->nodes[k].edge_end; i++) {
    uint32_t from = f->edges[i].from;
    if (g == NONE || !f->groups[g].worth || f->nodes[from].group != g) {
      emit(f, from);
    }
  }
}

static void emit_step(struct forming *f, uint32_t k, uint32_t region) {
  f->sorted[f->sorted_count] = f->l->steps[f->begin + k];
  f->sorted[f->sorted_count++].region = region;
  f->nodes[k].emitted = 1;
}

static void emit_group(struct forming *f, uint32_t g) {
  struct group *group = &f->groups[g];
  struct lowered *l = f->l;
  uint32_t count = f->end - f->begin;
  group->emitted = 1;
  for (uint32_t k = 0; k < count; k++) {
    if (f->nodes[k].group == g) {
      emit_sources(f, k);
    }
  }
  group->region.first = f->begin + f->sorted_count;
  array_push(l->regions, l->region_count, l->region_capacity, group->region);
  for (uint32_t k = 0; k < count; k++) {
    if (f->nodes[k].group == g) {
      emit_step(f, k, l->region_count - 1);
    }
  }
}

/* Puts step k behind what it needs. Phases grow along edges between regions, so this ends. */
static void emit(struct forming *f, uint32_t k) {
  uint32_t g = f->nodes[k].group;
  if (f->nodes[k].emitted) {
    return;
  }
  if (g != NONE && f->groups[g].worth) {
    emit_group(f, g);
  } else {
    emit_sources(f, k);
    emit_step(f, k, NO_REGION);
  }
}

/* ---- a stage ------------------------------------------------------------------------------- */

static void count_touches(struct forming *f) {
  for (uint32_t i = 0; i < f->l->step_count; i++) {
    const struct instruction *code = &f->l->steps[i].code;
    for (uint32_t j = 0; j < code->input_count; j++) {
      f->touches[code->inputs[j].buffer]++;
    }
    f->touches[code->out.buffer]++;
  }
}

static void form_stage(struct forming *f, int stage) {
  uint32_t count = f->l->stage_end[stage] - (stage == 0 ? 0 : f->l->stage_end[stage - 1]);
  f->end = f->l->stage_end[stage];
  f->begin = f->end - count;
  if (count == 0) {
    return;
  }
  f->edge_count = 0;
  f->access_count = 0;
  f->group_count = 0;
  f->sorted_count = 0;
  f->nodes = memory_alloc(count, sizeof *f->nodes);
  f->group_of = memory_alloc(count, sizeof *f->group_of);
  f->sorted = memory_alloc(count, sizeof *f->sorted);
  memset(f->group_of, 0xff, count * sizeof *f->group_of);
  make_nodes(f);
  find_phases(f);
  find_groups(f);
  for (uint32_t g = 0; g < f->group_count; g++) {
    plan_group(f, g);
  }
  for (uint32_t k = 0; k < count; k++) {
    emit(f, k);
  }
  memcpy(f->l->steps + f->begin, f->sorted, count * sizeof *f->sorted);
  free(f->nodes);
  free(f->group_of);
  free(f->sorted);
}

void regions_form(struct lowered *l, int threads, const struct block_limits *limits) {
  struct forming f = {.l = l, .threads = threads, .limits = limits};
  f.buffer_count = l->buffer_count;
  f.writers = memory_alloc(l->buffer_count, sizeof *f.writers);
  f.readers = memory_alloc(l->buffer_count, sizeof *f.readers);
  f.touches = memory_alloc(l->buffer_count, sizeof *f.touches);
  count_touches(&f);
  for (int stage = 0; stage < STAGE_COUNT; stage++) {
    form_stage(&f, stage);
  }
  free(f.edges);
  free(f.accesses);
  free(f.writers);
  free(f.readers);
  free(f.touches);
  free(f.groups);
}

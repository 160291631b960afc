#include "problem/records.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/edges.h"
#include "problem/snapshots.h"
#include "problem/tape.h"
#include "problem/totals.h"
#include "problem/trials.h"
#include "problem/variables.h"

static tier_vector view(const struct problem *p, const void *base, int64_t offset, int64_t size) {
  return (tier_vector){.size = size,
                       .dtype = p->dtype,
                       .data = (char *)(uintptr_t)base + (size_t)offset * dtype_size(p->dtype)};
}

/* ---- wide and narrow inputs ---- */

static int64_t slot_offset(const tier_edge *e, int64_t row) {
  return e->inputs.size + row * e->moving.size;
}

/* Where the copy of moving variable i stands that belongs to the row. */
static int64_t copy_offset(const tier_edge *e, int64_t row, size_t i) {
  return slot_offset(e, row) + e->moving.offsets[i];
}

void inputs_add(const tier_edge *e, int64_t row, double scale, const tier_vector *part,
                tier_vector *inputs) {
  const struct problem *p = e->p;
  tier_vector base = view(p, inputs->data, 0, e->inputs.size);
  if (row < 0 || e->slots == 0) {
    vector_interface.axpy(scale, part, &base);
    return;
  }
  size_t moving = 0;
  for (size_t i = 0; i < e->inputs.count; i++) {
    int variable = e->inputs.variables[i];
    int64_t size = p->variables[variable].size;
    int moves = moving < e->moving.count && e->moving.variables[moving] == variable;
    int64_t offset = moves ? copy_offset(e, row, moving) : e->inputs.offsets[i];
    tier_vector from = view(p, part->data, e->inputs.offsets[i], size);
    tier_vector to = view(p, inputs->data, offset, size);
    vector_interface.axpy(scale, &from, &to);
    moving += (size_t)moves;
  }
}

void inputs_take(const tier_edge *e, int64_t row, const tier_vector *inputs, tier_vector *part) {
  const struct problem *p = e->p;
  size_t bytes = dtype_size(p->dtype);
  memcpy(part->data, inputs->data, (size_t)e->inputs.size * bytes);
  for (size_t i = 0; i < e->moving.count && row >= 0; i++) {
    tier_vector from =
        view(p, inputs->data, copy_offset(e, row, i), p->variables[e->moving.variables[i]].size);
    tier_vector to = view(p, part->data, e->moving_offsets[i], from.size);
    vector_interface.copy(&from, &to);
  }
}

/* ---- rows ---- */

static int64_t row_index(const tier_record *r, int64_t row) {
  return row >= 0 && r->edge->each ? 1 + row : 0;
}

static void free_starts(tier_record *r) {
  for (int64_t i = 0; i < r->rows && r->starts != NULL; i++) {
    snapshot_free(&r->starts[i]);
  }
  free(r->starts);
  r->starts = NULL;
}

static int32_t make_rows(tier_record *r, int64_t rows) {
  const tier_edge *e = r->edge;
  if (rows <= r->rows) {
    return TIER_OK;
  }
  large_free(r->kept);
  r->kept = NULL;
  free_starts(r);
  r->rows = 0;
  if (e->kept.size > 0) {
    TIER_TRY(rows_alloc(rows, e->kept.size, dtype_size(e->p->dtype),
                        "what a level read of other levels", &r->kept));
  }
  r->seen = memory_resize(r->seen, (size_t)rows * e->upper->edge_count, sizeof *r->seen);
  if (edge_is_total(e)) {
    r->starts = memory_alloc((size_t)rows, sizeof *r->starts);
  }
  r->rows = rows;
  return TIER_OK;
}

/* A solution that was read must be of a record, or have stood before the step began. */
static int32_t check_seen(const tier_edge *e, const tier_edge *other) {
  if (other == e || other->count > 0 || other->lower->moved <= e->upper->began ||
      span_offset(&e->inputs, other->lower->over.variables[0]) < 0) {
    return TIER_OK;
  }
  return fail(
      TIER_E_UNSUPPORTED,
      "level \"%s\" reads level \"%s\", which has moved in this step of level \"%s\" without "
      "being solved on its behalf: leave one of them out of its \"through\"",
      e->lower->declared->name, other->lower->declared->name, e->upper->declared->name);
}

static int32_t fill_row(tier_record *r, int64_t index) {
  const tier_edge *e = r->edge;
  const struct problem *p = e->p;
  for (size_t i = 0; i < e->kept.count; i++) {
    const tier_vector *value = p->variables[e->kept.variables[i]].value;
    tier_vector to = view(p, r->kept, index * e->kept.size + e->kept.offsets[i], value->size);
    vector_interface.copy(value, &to);
  }
  for (size_t k = 0; k < e->upper->edge_count; k++) {
    TIER_TRY(check_seen(e, e->upper->edges[k]));
    r->seen[(size_t)index * e->upper->edge_count + k] = e->upper->edges[k]->count - 1;
  }
  return TIER_OK;
}

int32_t records_before_step(tier_record *r) {
  if (!r->edge->each || !edge_is_total(r->edge)) {
    return TIER_OK;
  }
  TIER_TRY(make_rows(r, 1 + r->tape.steps));
  snapshot_save(r->edge, &r->starts[1 + r->tape.length]);
  return TIER_OK;
}

int32_t records_step(tier_record *r) {
  if (!r->edge->each) {
    return TIER_OK;
  }
  TIER_TRY(make_rows(r, 1 + r->tape.steps));
  return fill_row(r, r->tape.length); /* row 1 + t of step t = length - 1 */
}

static int32_t keep_solution(tier_record *r) {
  const tier_vector *w = r->edge->lower->w;
  if (r->solution == NULL) {
    r->solution = vector_new(w->size);
  }
  if (r->solution == NULL) {
    return fail(TIER_E_MEMORY, "no memory for the solutions of level \"%s\"",
                r->edge->lower->declared->name);
  }
  vector_interface.copy(w, r->solution);
  return TIER_OK;
}

int32_t records_close(tier_record *r) {
  tier_edge *e = r->edge;
  TIER_TRY(make_rows(r, 1));
  TIER_TRY(fill_row(r, 0));
  if (e->keeps_all) {
    TIER_TRY(keep_solution(r));
  }
  if (r->starts != NULL) {
    snapshot_save(e, &r->starts[0]);
  }
  r->taken = e->lower->taken;
  r->made = ++e->p->clock;
  e->count++;
  return TIER_OK;
}

struct held records_held(const tier_record *r, int64_t row) {
  const tier_edge *e = r->edge;
  int64_t index = row_index(r, row);
  if (r->kept == NULL || (index == 0 && r->made == 0)) {
    return (struct held){0};
  }
  return (struct held){.span = &e->kept,
                       .values = elements_at(e->p, r->kept, index * e->kept.size)};
}

const struct snapshot *records_start(const tier_record *r, int64_t row) {
  int64_t index = row_index(r, row);
  return r->starts == NULL || (index == 0 && r->made == 0) ? NULL : &r->starts[index];
}

int64_t records_seen(const tier_record *r, int64_t row, size_t edge) {
  return r->seen[(size_t)row_index(r, row) * r->edge->upper->edge_count + edge];
}

/* ---- several records ---- */

void records_begin(tier_edge *e) {
  e->count = 0;
  e->older_count = 0;
}

/* The newest becomes an older one, and its room is that of one that is no longer needed. */
static void put_aside(tier_edge *e) {
  if (e->older_count == e->older_capacity) {
    size_t capacity = e->older_capacity == 0 ? 4 : 2 * e->older_capacity;
    e->older = memory_resize(e->older, capacity, sizeof *e->older);
    memset(e->older + e->older_capacity, 0, (capacity - e->older_capacity) * sizeof *e->older);
    e->older_capacity = capacity;
  }
  tier_record old = e->record;
  e->record = e->older[e->older_count];
  e->older[e->older_count++] = old;
}

void records_open(tier_edge *e) {
  if (e->keeps_all && e->count > 0) {
    put_aside(e);
  }
  e->record.edge = e;
  e->record.made = 0;
  record_reset(&e->record);
}

tier_record *records_number(tier_edge *e, int64_t number) {
  if (number == e->count - 1) {
    return &e->record;
  }
  return e->keeps_all && number >= 0 && number < (int64_t)e->older_count ? &e->older[number] : NULL;
}

int32_t records_prepare(tier_edge *e) {
  const struct level *lower = e->lower;
  int64_t slots = e->moving.count > 0 ? lower->steps : 0;
  int64_t copies = 0;
  e->slots = slots > 0 ? slots : 0;
  if (__builtin_mul_overflow(e->slots, e->moving.size, &copies) ||
      __builtin_add_overflow(e->inputs.size, copies, &e->wide)) {
    return fail(TIER_E_MEMORY, "the steps of level \"%s\" read too much to keep it all",
                lower->declared->name);
  }
  e->pulled = vector_new(e->wide);
  return e->pulled != NULL ? TIER_OK
                           : fail(TIER_E_MEMORY, "no memory for the cotangents of level \"%s\"",
                                  lower->declared->name);
}

void records_free(tier_record *r) {
  record_reset(r);
  tape_free(r);
  trial_free(r);
  vector_free(r->solution);
  vector_free(r->cotangent);
  large_free(r->kept);
  free_starts(r);
  free(r->seen);
  free(r->reports);
}

/* The state of a problem as a file: every variable, every array of optimizers, estimators and
 * solvers, and the counters of draws. One list of what there is serves saving and loading. */
#include <stdlib.h>
#include <string.h>

#include "base/archive.h"
#include "base/error.h"
#include "problem/internal.h"
#include "problem/levels.h"

/* Called with each array: where it stands, and how to treat it. */
struct visitor {
  int32_t (*array)(struct visitor *v, const char *name, uint32_t type, int64_t count, void *data);
  struct problem *p;
  struct archive *archive;
  int convert;
};

static uint32_t real_type(const struct problem *p) {
  return p->dtype == DTYPE_F32 ? ARCHIVE_F32 : ARCHIVE_F64;
}

static int32_t visit_vector(struct visitor *v, const char *name, tier_vector *x) {
  return x == NULL ? TIER_OK : v->array(v, name, real_type(v->p), x->size, x->data);
}

static int32_t visit_level(struct visitor *v, struct level *l) {
  const char *name = l->declared->name;
  struct ledger *g = &l->ledger;
  int64_t counters[] = {l->draws,     l->runs, l->taken, g->values,
                        g->gradients, g->hvps, g->cross, g->samples};
  int64_t count = (int64_t)(sizeof counters / sizeof counters[0]);
  char *state = memory_format("levels.%s.state", name);
  char *counter = memory_format("levels.%s.counters", name);
  int32_t status = visit_vector(v, state, l->state);
  if (status == TIER_OK) {
    status = v->array(v, counter, ARCHIVE_I64, count, counters);
  }
  l->draws = counters[0];
  l->runs = counters[1];
  l->taken = counters[2];
  *g = (struct ledger){.values = counters[3],
                       .gradients = counters[4],
                       .hvps = counters[5],
                       .cross = counters[6],
                       .samples = counters[7]};
  free(state);
  free(counter);
  for (size_t i = 0; i < l->edge_count && status == TIER_OK && !v->convert; i++) {
    tier_edge *e = l->edges[i];
    char *pullbacks =
        memory_format("levels.%s.through.%s.pullbacks", name, e->lower->declared->name);
    status = v->array(v, pullbacks, ARCHIVE_I64, 1, &e->pullbacks);
    free(pullbacks);
  }
  return status;
}

static int32_t visit_state(struct visitor *v, const char *path, struct state *s) {
  static const uint32_t types[] = {0, 0, ARCHIVE_F64, ARCHIVE_I64};
  if (v->convert && strstr(path, ".through.") != NULL) {
    return TIER_OK; /* an estimator's own: the other estimator has others */
  }
  for (size_t i = 0; i < s->count; i++) {
    struct state_array *a = &s->arrays[i];
    uint32_t type = a->type == STATE_REAL ? real_type(v->p) : types[a->type];
    void *data = a->type == STATE_REAL ? a->vector->data : a->data;
    char *name = memory_format("%s.%s", path, a->name);
    int32_t status = v->array(v, name, type, a->size, data);
    free(name);
    TIER_TRY(status);
  }
  return TIER_OK;
}

static int32_t visit_variables(struct visitor *v) {
  struct problem *p = v->p;
  for (size_t i = 0; i < p->m->variable_count; i++) {
    struct variable *variable = &p->variables[i];
    char *name = memory_format("variables.%s", variable->declared->name);
    char *restarts = memory_format("variables.%s.restarts", variable->declared->name);
    char *kept = memory_format("kept.%s", variable->declared->name);
    int32_t status = visit_vector(v, name, variable->value);
    if (status == TIER_OK) {
      status = v->array(v, restarts, ARCHIVE_I64, 1, &variable->restarts);
    }
    if (status == TIER_OK && p->has_kept) {
      if (p->kept[i] == NULL) {
        p->kept[i] = vector_new(variable->size);
      }
      status = visit_vector(v, kept, p->kept[i]);
    }
    free(name);
    free(restarts);
    free(kept);
    TIER_TRY(status);
  }
  return TIER_OK;
}

static int32_t visit_all(struct visitor *v) {
  struct problem *p = v->p;
  TIER_TRY(v->array(v, "done", ARCHIVE_I64, 1, &p->done));
  TIER_TRY(v->array(v, "has_kept", ARCHIVE_I64, 1, &p->has_kept));
  TIER_TRY(visit_variables(v));
  for (size_t i = 0; i < p->m->level_count; i++) {
    TIER_TRY(visit_level(v, &p->levels[i]));
  }
  for (size_t i = 0; i < p->state_count; i++) {
    TIER_TRY(visit_state(v, p->state_names[i], p->states[i]));
  }
  return TIER_OK;
}

/* ---- saving ---- */

static int32_t save_array(struct visitor *v, const char *name, uint32_t type, int64_t count,
                          void *data) {
  archive_add(v->archive, name, type, (uint64_t)count, data);
  return TIER_OK;
}

int32_t problem_save(struct problem *p, const char *path) {
  struct archive archive = {0};
  struct visitor v = {.array = save_array, .p = p, .archive = &archive};
  int32_t status = visit_all(&v);
  if (status == TIER_OK) {
    status = archive_write(&archive, path);
  }
  archive_free(&archive);
  return status;
}

/* ---- loading ---- */

static const char *type_name(uint32_t type) {
  static const char *const names[] = {"?", "f32", "f64", "i64", "text"};
  return type < sizeof names / sizeof names[0] ? names[type] : "?";
}

static void widen(const void *from, int64_t count, double *to) {
  for (int64_t i = 0; i < count; i++) {
    float x = 0;
    memcpy(&x, (const char *)from + (size_t)i * sizeof x, sizeof x);
    to[i] = (double)x;
  }
}

static int32_t load_array(struct visitor *v, const char *name, uint32_t type, int64_t count,
                          void *data) {
  const struct archive_array *a = archive_find(v->archive, name);
  if (a == NULL) {
    return fail(TIER_E_DATA, "the state has no \"%s\": it is of another problem", name);
  }
  int widening = v->convert && a->type == ARCHIVE_F32 && type == ARCHIVE_F64;
  if ((a->type != type && !widening) || a->count != (uint64_t)count) {
    return fail(TIER_E_DATA,
                "the state's \"%s\" is %s x %llu, here it is %s x %lld: it is of another problem",
                name, type_name(a->type), (unsigned long long)a->count, type_name(type),
                (long long)count);
  }
  if (widening) {
    widen(a->data, count, data);
  } else {
    memcpy(data, a->data, (size_t)count * (type == ARCHIVE_F32 ? 4 : 8));
  }
  return TIER_OK;
}

int32_t problem_load(struct problem *p, const char *path, int convert) {
  struct archive archive = {0};
  TIER_TRY(archive_read(path, &archive));
  struct visitor v = {.array = load_array, .p = p, .archive = &archive, .convert = convert};
  int32_t status = visit_all(&v);
  archive_free(&archive);
  return status < 0 ? error_context(status, "%s", path) : TIER_OK;
}

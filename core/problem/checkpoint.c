/* The state of a problem as a file: every variable, every array of optimizers, estimators and
 * solvers, and the counters of draws. One list of what there is serves saving and loading. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/archive.h"
#include "base/error.h"
#include "problem/levels.h"
#include "problem/variables.h"

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

static int32_t visit(struct visitor *v, uint32_t type, int64_t count, void *data,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));

static int32_t visit(struct visitor *v, uint32_t type, int64_t count, void *data,
                     const char *format, ...) {
  char name[512];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  return v->array(v, name, type, count, data);
}

/* `format` has one %s, for `name`. */
#define visit_vector(v, x, format, name) \
  ((x) == NULL ? TIER_OK : visit((v), real_type((v)->p), (x)->size, (x)->data, format, name))

#define COUNT(array) ((int64_t)(sizeof(array) / sizeof *(array)))

static int32_t visit_level(struct visitor *v, struct level *l) {
  const char *name = l->declared->name;
  struct ledger *g = &l->ledger;
  int64_t counters[] = {l->draws,  l->runs,      l->taken,
                        g->values, g->gradients, g->hvps,
                        g->cross,  g->samples,   l->binding.level_step};
  double numbers[] = {l->value, l->gradient_norm, l->direct_norm, l->response_norm};
  TIER_TRY(visit(v, ARCHIVE_I64, COUNT(counters), counters, "levels.%s.counters", name));
  TIER_TRY(visit(v, ARCHIVE_F64, COUNT(numbers), numbers, "levels.%s.numbers", name));
  TIER_TRY(visit(v, ARCHIVE_F64, (int64_t)l->suites[0]->term_count, l->term_values,
                 "levels.%s.terms", name));
  TIER_TRY(visit_vector(v, l->gradient, "levels.%s.gradient", name));
  TIER_TRY(visit_vector(v, l->state, "levels.%s.state", name));
  l->draws = counters[0];
  l->runs = counters[1];
  l->taken = counters[2];
  *g = (struct ledger){.values = counters[3],
                       .gradients = counters[4],
                       .hvps = counters[5],
                       .cross = counters[6],
                       .samples = counters[7]};
  l->binding.level_step = counters[8];
  l->value = numbers[0];
  l->gradient_norm = numbers[1];
  l->direct_norm = numbers[2];
  l->response_norm = numbers[3];
  for (size_t i = 0; i < l->edge_count; i++) {
    tier_edge *e = l->edges[i];
    TIER_TRY(visit(v, ARCHIVE_I64, 1, &e->pullbacks, "levels.%s.through.%s.pullbacks", name,
                   e->lower->declared->name));
  }
  return TIER_OK;
}

static int32_t visit_state(struct visitor *v, const char *path, struct state *s) {
  static const uint32_t types[] = {0, 0, ARCHIVE_F64, ARCHIVE_I64};
  const char *part = strncmp(path, "levels.", 7) == 0 ? strchr(path + 7, '.') : NULL;
  if (v->convert && part != NULL && strncmp(part, ".through.", 9) == 0) {
    return TIER_OK; /* an estimator's own: the other estimator has others */
  }
  for (size_t i = 0; i < s->count; i++) {
    struct state_array *a = &s->arrays[i];
    uint32_t type = a->type == STATE_REAL ? real_type(v->p) : types[a->type];
    TIER_TRY(visit(v, type, a->size, a->data, "%s.%s", path, a->name));
  }
  return TIER_OK;
}

static int32_t visit_variables(struct visitor *v) {
  struct problem *p = v->p;
  for (size_t i = 0; i < p->m->variable_count; i++) {
    struct variable *variable = &p->variables[i];
    const char *name = variable->declared->name;
    TIER_TRY(visit_vector(v, variable->value, "variables.%s", name));
    TIER_TRY(visit(v, ARCHIVE_I64, 1, &variable->restarts, "variables.%s.restarts", name));
    if (p->has_kept) {
      TIER_TRY(variables_room_to_keep(p, i));
      TIER_TRY(visit_vector(v, p->kept[i], "kept.%s", name));
    }
  }
  return TIER_OK;
}

/* Where there are phases: which one it is, and what those before it spent. */
static int32_t visit_phase(struct visitor *v) {
  struct problem *p = v->p;
  if (p->m->phase_count == 1) {
    return TIER_OK;
  }
  struct ledger *g = &p->spent;
  int64_t spent[] = {g->values, g->gradients, g->hvps, g->cross, g->samples};
  uint8_t nothing = 0;
  TIER_TRY(visit(v, ARCHIVE_TEXT, 1, &nothing, "phase.%s", p->m->phase));
  TIER_TRY(visit(v, ARCHIVE_I64, COUNT(spent), spent, "phase.spent"));
  *g = (struct ledger){spent[0], spent[1], spent[2], spent[3], spent[4]};
  return visit(v, ARCHIVE_F64, 1, &p->earlier, "phase.earlier");
}

/* Why it ended, as whole numbers; seconds only where a budget counts them: no two runs agree. */
static int32_t visit_progress(struct visitor *v) {
  struct problem *p = v->p;
  TIER_TRY(visit_phase(v));
  TIER_TRY(visit(v, ARCHIVE_I64, 1, &p->done, "done"));
  TIER_TRY(visit(v, ARCHIVE_I64, 1, &p->has_kept, "has_kept"));
  TIER_TRY(visit(v, ARCHIVE_TEXT, (int64_t)sizeof p->end, p->end, "end"));
  p->end[sizeof p->end - 1] = '\0';
  if (p->m->budget.seconds >= 0 || p->m->phase_budget.seconds >= 0) {
    double seconds = now_seconds() - p->started;
    TIER_TRY(visit(v, ARCHIVE_F64, 1, &seconds, "seconds"));
    p->started = now_seconds() - seconds;
  }
  return TIER_OK;
}

static int32_t visit_all(struct visitor *v) {
  struct problem *p = v->p;
  TIER_TRY(visit_progress(v));
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

/* All whole numbers of a state are counters. */
static int32_t check_counters(const char *name, int64_t count, const void *data) {
  for (int64_t i = 0; i < count; i++) {
    int64_t x = ((const int64_t *)data)[i];
    if (x < 0 || x > INT64_C(1) << 53) {
      return fail(TIER_E_DATA, "the state's \"%s\" has the impossible number %lld", name,
                  (long long)x);
    }
  }
  return TIER_OK;
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
    memcpy(data, a->data, (size_t)count * archive_element_size(type));
  }
  return type == ARCHIVE_I64 ? check_counters(name, count, data) : TIER_OK;
}

/* Levels are where the file says, not ahead of it. */
static void forget_looking_ahead(struct problem *p) {
  for (size_t i = 0; i < p->m->level_count; i++) {
    for (size_t k = 0; k < p->levels[i].edge_count; k++) {
      p->levels[i].edges[k]->record.looking = 0;
    }
  }
}

int32_t problem_load(struct problem *p, const char *path, int convert) {
  struct archive archive = {0};
  TIER_TRY(archive_read(path, &archive));
  struct visitor v = {.array = load_array, .p = p, .archive = &archive, .convert = convert};
  int32_t status = visit_all(&v);
  archive_free(&archive);
  forget_looking_ahead(p);
  return status < 0 ? error_context(status, "%s", path) : TIER_OK;
}

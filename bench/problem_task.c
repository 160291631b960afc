/* Tasks of a manifest: the problem is made as `tier run` makes it, its variables get the start
 * values start.NAME.f32 of the data directory, and evaluations go through the same machinery as a
 * run's: problem_estimate, or the facade tier.problem/1 that estimators see. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "bench/driver.h"
#include "cli/output.h"
#include "cli/session.h"
#include "problem/edges.h"

struct problem_task_state {
  struct task face; /* first */
  enum problem_measure measure;
  struct options options;
  struct session session;
  struct problem *p;
  tier_vector **starts; /* of each variable; NULL: it keeps its own */
  struct problem_estimate last;
  tier_oracle *oracle;          /* MEASURE_STAGED_HVP: the one that stays bound */
  tier_vector *direction, *out; /* of a product or gradient */
};

static struct problem_task_state *state_of(struct task *t) {
  return (struct problem_task_state *)(void *)t;
}

/* ---- start values ---- */

/* Reads `count` numbers of float32; *found 0 if there is no such file. */
static int32_t read_floats(const char *path, int64_t count, double *out, int *found) {
  FILE *file = fopen(path, "re");
  *found = file != NULL;
  if (file == NULL) {
    return errno == ENOENT ? TIER_OK : fail(TIER_E_IO, "%s: cannot be opened", path);
  }
  int64_t read = 0;
  float x = 0;
  while (read < count && fread(&x, sizeof x, 1, file) == 1) {
    out[read++] = (double)x;
  }
  int whole = read == count && fgetc(file) == EOF;
  (void)fclose(file);
  return whole ? TIER_OK : fail(TIER_E_DATA, "%s: %lld numbers are wanted", path, (long long)count);
}

/* The file start.NAME.f32 of the data directory as a vector; NULL if there is none. */
static int32_t read_start(const struct options *o, const char *name, int64_t size,
                          tier_vector **out) {
  int found = 0;
  char *file = memory_format("%s/start.%s.f32", o->data.items[0], name);
  double *values = memory_alloc((size_t)size, sizeof *values);
  int32_t status = read_floats(file, size, values, &found);
  if (status == TIER_OK && found) {
    *out = vector_new(size);
    if (*out != NULL) {
      vector_interface.write(*out, 0, size, values);
    } else {
      status = fail(TIER_E_MEMORY, "no memory for the start of \"%s\"", name);
    }
  }
  free(values);
  free(file);
  return status;
}

static int32_t read_starts(struct problem_task_state *s) {
  size_t count = s->p->m->variable_count;
  s->starts = memory_alloc(count, sizeof *s->starts);
  for (size_t i = 0; i < count; i++) {
    TIER_TRY(read_start(&s->options, s->p->m->variables[i].name, s->p->variables[i].size,
                        &s->starts[i]));
  }
  return TIER_OK;
}

static void go_to_start(const struct problem_task_state *s) {
  for (size_t i = 0; i < s->p->m->variable_count; i++) {
    if (s->starts[i] != NULL) {
      vector_interface.copy(s->starts[i], s->p->variables[i].value);
    }
  }
}

/* ---- whole hypergradients ---- */

static int32_t estimate(struct problem_task_state *s, double *seconds) {
  free(s->last.hypergradient);
  s->last.hypergradient = NULL;
  go_to_start(s);
  TIER_TRY(problem_estimate(s->p, &s->last));
  *seconds = s->last.pullback_seconds;
  if (s->measure == MEASURE_HYPERGRADIENT) {
    *seconds += s->last.solve_seconds;
  }
  return TIER_OK;
}

/* Everything up to a first hypergradient, less what a second one takes. */
static int32_t make_again(struct problem_task_state *s, double *seconds) {
  struct problem_options options = session_problem_options(&s->session, 0);
  double started = now_seconds();
  problem_free(s->p);
  s->p = NULL;
  TIER_TRY(problem_new(s->session.variants[0].manifest, &options, &s->p));
  double first = 0;
  TIER_TRY(estimate(s, &first));
  double made = now_seconds();
  TIER_TRY(estimate(s, &first));
  *seconds = made - started - (now_seconds() - made);
  return TIER_OK;
}

/* ---- single products ---- */

static int32_t oracle(struct problem_task_state *s, tier_oracle **out) {
  tier_edge *e = s->p->top->edges[0];
  return problem_interface.at_solution(e, &e->record, 0, 0, out);
}

/* One gradient or product at a fresh oracle: it draws, and binds its programs anew. */
static int32_t fresh(struct problem_task_state *s, double *seconds) {
  double started = now_seconds();
  double value = 0;
  tier_oracle *o = NULL;
  TIER_TRY(oracle(s, &o));
  int32_t status = s->measure == MEASURE_GRADIENT ? problem_interface.gradient(o, &value, s->out)
                                                  : problem_interface.hvp(o, s->direction, s->out);
  problem_interface.release(o);
  *seconds = now_seconds() - started;
  return status;
}

static int32_t staged(struct problem_task_state *s, double *seconds) {
  double started = now_seconds();
  int32_t status = problem_interface.hvp(s->oracle, s->direction, s->out);
  *seconds = now_seconds() - started;
  return status;
}

/* One hypergradient first: it draws the rows and fills the record that oracles are made from. */
static int32_t prepare_products(struct problem_task_state *s) {
  double seconds = 0;
  int64_t n = s->p->top->edge_count == 1 ? s->p->top->edges[0]->lower->over.size : 0;
  if (n == 0) {
    return fail(TIER_E_INVALID, "a manifest whose top level has one edge is wanted");
  }
  TIER_TRY(estimate(s, &seconds));
  go_to_start(s);
  s->out = vector_new(n);
  if (s->out == NULL) {
    return fail(TIER_E_MEMORY, "no memory for a vector");
  }
  TIER_TRY(read_start(&s->options, "direction", n, &s->direction));
  if (s->direction == NULL) {
    return fail(TIER_E_MISSING, "%s/start.direction.f32: not found", s->options.data.items[0]);
  }
  return s->measure == MEASURE_STAGED_HVP ? oracle(s, &s->oracle) : TIER_OK;
}

/* ---- the task ---- */

static int is_whole(const struct problem_task_state *s) {
  return s->measure == MEASURE_PULLBACK || s->measure == MEASURE_HYPERGRADIENT ||
         s->measure == MEASURE_MAKING;
}

static int32_t evaluate(struct task *t, double *seconds) {
  struct problem_task_state *s = state_of(t);
  return s->measure == MEASURE_MAKING       ? make_again(s, seconds)
         : s->measure == MEASURE_STAGED_HVP ? staged(s, seconds)
         : is_whole(s)                      ? estimate(s, seconds)
                                            : fresh(s, seconds);
}

static int32_t result(struct task *t, int64_t *count, double **values) {
  struct problem_task_state *s = state_of(t);
  *count = is_whole(s) ? s->last.size : vector_interface.size(s->out);
  *values = memory_alloc((size_t)*count, sizeof **values);
  if (!is_whole(s)) {
    vector_interface.read(s->out, 0, *count, *values);
  } else if (s->last.hypergradient != NULL) {
    memcpy(*values, s->last.hypergradient, (size_t)*count * sizeof **values);
  }
  return TIER_OK;
}

static void facts(const struct task *t, struct arena *a, struct json *j) {
  const struct problem_task_state *s = (const struct problem_task_state *)(const void *)t;
  put_number(a, j, "threads", s->p != NULL ? problem_threads(s->p) : 0);
  put_number(a, j, "gradients", (double)(s->last.solve.gradients + s->last.pullback.gradients));
  put_number(a, j, "hvps", (double)s->last.pullback.hvps);
  put_number(a, j, "cross", (double)s->last.pullback.cross);
  put_text(a, j, "stop", s->last.stop);
}

static void close_task(struct task *t) {
  struct problem_task_state *s = state_of(t);
  problem_interface.release(s->oracle);
  for (size_t i = 0; s->starts != NULL && i < s->session.variants[0].manifest->variable_count;
       i++) {
    vector_free(s->starts[i]);
  }
  vector_free(s->direction);
  vector_free(s->out);
  free(s->starts);
  free(s->last.hypergradient);
  problem_free(s->p);
  session_close(&s->session);
  free(s);
}

static int32_t open_problem(struct problem_task_state *s) {
  TIER_TRY(session_open(&s->options, &s->session));
  int32_t status = session_check(&s->session, s->options.operands.items[0], "base");
  if (status != TIER_OK) {
    (void)session_complain(&s->session, status);
    return fail(status, "%s: see above", s->options.operands.items[0]);
  }
  struct problem_options options = session_problem_options(&s->session, 0);
  TIER_TRY(problem_new(s->session.variants[0].manifest, &options, &s->p));
  TIER_TRY(read_starts(s));
  return is_whole(s) ? TIER_OK : prepare_products(s);
}

int32_t problem_task(const struct options *o, enum problem_measure measure, struct task **out) {
  if (o->data.count == 0) {
    return fail(TIER_E_INVALID, "--data DIR is wanted");
  }
  struct problem_task_state *s = memory_alloc(1, sizeof *s);
  *s = (struct problem_task_state){
      .face = {.evaluate = evaluate, .result = result, .facts = facts, .close = close_task},
      .measure = measure,
      .options = *o};
  *out = &s->face;
  return open_problem(s);
}

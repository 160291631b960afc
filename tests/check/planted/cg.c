/* Conjugate gradients (Hestenes, Stiefel 1952), right or wrong in one way: -DID, -DFAULT. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>
#include <tier/params.h>
#include <unistd.h>

#include "faults.h"

struct cg {
  const tier_vector_1 *v;
  const tier_host *host;
  int64_t iterations;
  double tolerance;
};
struct work {
  tier_vector *r, *p, *ap, *old_r, *old_x;
};

static const tier_slot slots[] = {{.name = "iterations",
                                   .doc = "the most products",
                                   .fallback = "1000",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1e9},
                                  {.name = "tolerance",
                                   .doc = "of the residual, relative to b",
                                   .fallback = "1e-12",
                                   .unit = "",
                                   .type = TIER_SLOT_NUMBER,
                                   .minimum = 0,
                                   .maximum = 1}};

static void misbehave(void) {
  if (FAULT == CRASH) {
    (void)raise(SIGSEGV);
  }
  while (FAULT == HANG) {
    (void)getppid();
  }
}

/* The curvature by which the step is as long as it is. */
static double curvature_of(const struct cg *c, const struct work *w) {
  double curvature = c->v->dot(w->p, w->ap);
  return FAULT == DAMPED_IN_STEP_ONLY ? curvature + 0.5 * c->v->dot(w->p, w->p) : curvature;
}

/* x and r after one step of length a along p; 1 if that was the last. */
static int step(const struct cg *c, struct work *w, double a, double goal, tier_vector *x) {
  const tier_vector_1 *v = c->v;
  v->copy(w->r, w->old_r);
  v->copy(x, w->old_x);
  v->axpy(-a, w->ap, w->r);
  int last = v->norm(w->r) <= goal;
  if (FAULT == PREVIOUS_ITERATE_BREAK && last) {
    return 1;
  }
  v->axpy(a, w->p, x);
  if (FAULT == PREVIOUS_ITERATE_SAVED && last) {
    v->copy(w->old_x, x);
  }
  return last;
}

static int32_t iterate(const struct cg *c, const tier_linear_system *s, struct work *w,
                       tier_vector *x, tier_linear_report *report) {
  const tier_vector_1 *v = c->v;
  double b = v->norm(w->r);
  double goal = c->tolerance * b;
  report->stop = "iterations";
  for (report->iterations = 0; report->iterations < c->iterations;) {
    TIER_TRY(s->apply(s->context, w->p, w->ap));
    double rr = v->dot(w->r, w->r);
    double curvature = curvature_of(c, w);
    if (FAULT != NAN_TO_ZERO && !isfinite(curvature)) {
      return tier_failf(c->host, TIER_E_NONFINITE, "a product is not finite");
    }
    if (curvature <= 0) {
      report->stop = "negative curvature";
      break;
    }
    report->iterations++;
    if (step(c, w, rr / curvature, goal, x)) {
      report->stop = "tolerance";
      break;
    }
    v->axpby(1, FAULT == DIRECTION_OF_OLD_RESIDUAL ? w->old_r : w->r, v->dot(w->r, w->r) / rr,
             w->p);
  }
  report->residual = v->norm(w->r) / b;
  return TIER_OK;
}

static void hide(const struct cg *c, tier_vector *x, tier_linear_report *report) {
  if (FAULT == NAN_TO_ZERO && !c->v->finite(x)) {
    c->v->fill(x, 0);
    report->residual = 0;
  }
}

static int32_t solve(void *self, const tier_linear_system *s, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  const struct cg *c = self;
  const tier_vector_1 *v = c->v;
  struct work w = {v->create(s->size), v->create(s->size), v->create(s->size), v->create(s->size),
                   v->create(s->size)};
  (void)state;
  misbehave();
  v->fill(x, 0);
  v->copy(b, w.r);
  v->copy(b, w.p);
  report->residual = 0;
  report->stop = "zero";
  int32_t status = v->max_abs(b) == 0 ? TIER_OK : iterate(c, s, &w, x, report);
  hide(c, x, report);
  v->destroy(w.r);
  v->destroy(w.p);
  v->destroy(w.ap);
  v->destroy(w.old_r);
  v->destroy(w.old_x);
  return status;
}
static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver, .solve = solve};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct cg *c = calloc(1, sizeof *c);
  if (c == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  c->host = host;
  c->v = host->get(host, "tier.vector/1");
  c->iterations = tier_integer(params, "iterations");
  c->tolerance = tier_number(params, "tolerance");
  *object = c;
  return TIER_OK;
}
static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.linear_solver/1") == 0 ? &solver : NULL;
}

static const tier_component components[] = {{.struct_size = (uint32_t)sizeof(tier_component),
                                             .flags = TIER_SYMMETRIC | TIER_NO_PRECONDITIONER,
                                             .kind = "linear-solver",
                                             .id = ID,
                                             .summary = "planted",
                                             TIER_SLOTS(slots),
                                             .create = create,
                                             .destroy = free,
                                             .get = get}};
TIER_PLUGIN(ID, "1.0", "MIT", components);

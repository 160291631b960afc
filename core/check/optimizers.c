/* Optimizers: steps as graphs (tier.step/1), and loops that call oracles (tier.loop/1). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/loop.h>
#include <tier/step.h>

#include "base/dtype.h"
#include "base/error.h"
#include "base/memory.h"
#include "check/built.h"
#include "check/instances.h"
#include "check/kinds.h"
#include "check/matrix.h"
#include "problem/vector.h"

#define V (&vector_interface)
#define N 6

/* ---- a step as a graph ---- */

struct step {
  struct built b;
  struct instance *instance;
  int states, set; /* declared; set by the build */
  int w_set;
};
struct states_face {
  tier_step_states face; /* first */
  struct step *s;
};
struct step_face {
  tier_step_build face; /* first */
  struct step *s;
};

static struct step *of(tier_step_build *face) {
  return ((struct step_face *)(void *)face)->s;
}

static int32_t declare(tier_step_states *face, const char *name, int32_t shape) {
  struct step *s = ((struct states_face *)(void *)face)->s;
  const int64_t n = N;
  s->states++;
  return built_add(&s->b, name, TIER_REAL, &n, shape == TIER_STATE_LIKE_W) != NULL
             ? TIER_OK
             : fail(TIER_E_UNSUPPORTED, "too many states");
}
static tier_value w(tier_step_build *face) {
  return built_find(&of(face)->b, "the point");
}
static tier_value gradient(tier_step_build *face) {
  return built_find(&of(face)->b, "the gradient");
}
static tier_value find(tier_step_build *face, const char *name) {
  return built_find(&of(face)->b, name);
}
static tier_value hyper(tier_step_build *face, const char *slot) {
  const int64_t one = 1;
  const int64_t n = N;
  return tier_broadcast(face->graph, tier_reshape(face->graph, find(face, slot), &one, 1), &n, 1);
}
static int32_t output(struct step *s, tier_value v) {
  if (s->b.output_count == BUILT_MOST) {
    return fail(TIER_E_INVALID, "it sets more than %d results", BUILT_MOST);
  }
  s->b.outputs[s->b.output_count++] = v;
  return TIER_OK;
}
static int32_t set_w(tier_step_build *face, tier_value v) {
  of(face)->w_set++;
  return output(of(face), v);
}
static int32_t set_state(tier_step_build *face, const char *name, tier_value v) {
  of(face)->set++;
  return find(face, name) != 0
             ? output(of(face), v)
             : fail(TIER_E_INVALID, "it sets \"%s\", which it has not declared", name);
}

/* A value for each slot of one number: its default, or 0.1. */
static void add_hypers(const struct check *c, struct step *s) {
  const tier_component *k = &c->component->c;
  for (uint32_t i = 0; i < k->slot_count; i++) {
    if (k->slots[i].type == TIER_SLOT_NUMBER) {
      struct built_input *in = built_add(&s->b, k->slots[i].name, TIER_REAL, NULL, 0);
      in->x[0] = k->slots[i].fallback != NULL ? strtod(k->slots[i].fallback, NULL) : 0.1;
      in->v[0] *= 0.01; /* a decay just below 1 stays there */
    }
  }
}

/* Required numbers are 0.1. */
static struct params *arguments(const struct check *c) {
  struct params *p = check_params(c->component);
  for (uint32_t i = 0; i < c->component->c.slot_count; i++) {
    const tier_slot *slot = &c->component->c.slots[i];
    if (slot->type == TIER_SLOT_NUMBER && (slot->flags & TIER_SLOT_REQUIRED)) {
      check_number(c->component, p, slot->name, 0.1);
    }
  }
  return p;
}

static int32_t open_step(const struct check *c, struct step *s) {
  static const tier_step_states_1 states_api = {.struct_size = (uint32_t)sizeof states_api,
                                                .declare = declare};
  static const tier_step_build_1 api = {.struct_size = (uint32_t)sizeof api,
                                        .w = w,
                                        .gradient = gradient,
                                        .state = find,
                                        .hyper = hyper,
                                        .hyper_scalar = find,
                                        .set_w = set_w,
                                        .set_state = set_state};
  const int64_t n = N;
  *s = (struct step){.b = {.g = graph_new()}};
  TIER_TRY(instance_new(arguments(c), &s->instance));
  const tier_step_1 *step = instance_get(s->instance, "tier.step/1");
  if (step == NULL) {
    return fail(TIER_E_REFUSED, "it is no step");
  }
  struct states_face states = {.face = {&states_api}, .s = s};
  struct step_face face = {.face = {.api = &api, .graph = &s->b.g->face}, .s = s};
  (void)built_add(&s->b, "the point", TIER_REAL, &n, 1);
  (void)built_add(&s->b, "the gradient", TIER_REAL, &n, 1);
  add_hypers(c, s);
  if (step->states != NULL) {
    TIER_TRY(step->states(s->instance->object, &states.face));
  }
  TIER_TRY(step->build(s->instance->object, &face.face));
  TIER_TRY(graph_status(s->b.g));
  built_complete(&s->b);
  return graph_status(s->b.g);
}

static void close_step(struct step *s) {
  built_close(&s->b);
  instance_free(s->instance);
}

static void with_step(struct check *c, void (*judge)(struct check *c, struct step *s)) {
  struct step s;
  if (check_ok(c, open_step(c, &s), "build")) {
    judge(c, &s);
  }
  close_step(&s);
}

/* ---- what holds for every step ---- */

static void differences_of(struct check *c, struct step *s) {
  check_gradient(c, &s->b);
}
static void adjoint_of(struct check *c, struct step *s) {
  check_adjoint(c, &s->b);
}
static void states_of(struct check *c, struct step *s) {
  if (s->w_set != 1) {
    check_fail(c, "it sets w %d times", s->w_set);
  }
  /* one that can be undone keeps what it needs for that in states of its own */
  int reversible = instance_get(s->instance, "tier.reversible_step/1") != NULL;
  if (s->set != s->states && !reversible) {
    check_fail(c, "it declares %d states, and sets %d", s->states, s->set);
  }
}

static void stays_finite(struct check *c, struct step *s, const tier_value *values, size_t count,
                         const char *what) {
  int64_t n = built_size(&s->b, values, count);
  double *x = memory_alloc((size_t)n + 1, sizeof *x);
  if (check_ok(c, built_evaluate(&s->b, "reference", DTYPE_F64, values, count, x), "evaluate")) {
    for (int64_t i = 0; i < n; i++) {
      if (!isfinite(x[i])) {
        check_fail(c, "where the gradient has always been zero, %s is %g", what, x[i]);
        break;
      }
    }
  }
  free(x);
}

/* The first step at rest: gradient and states are zero. */
static void rest_of(struct check *c, struct step *s) {
  tier_value g[BUILT_MOST];
  tier_value t[BUILT_MOST];
  for (size_t i = 0; i < s->b.input_count; i++) {
    struct built_input *in = &s->b.inputs[i];
    int is_hyper = check_slot(c->component, in->name) != NULL;
    if (!is_hyper && strcmp(in->name, "the point") != 0) {
      memset(in->x, 0, (size_t)in->size * sizeof *in->x);
    }
  }
  stays_finite(c, s, s->b.outputs, s->b.output_count, "a result of the step");
  if (check_ok(c, built_gradient(&s->b, g), "gradient") &&
      check_ok(c, built_tangent(&s->b, t), "tangent")) {
    stays_finite(c, s, g, s->b.input_count, "its derivative in reverse");
    stays_finite(c, s, t, s->b.output_count, "its derivative forwards");
  }
}

static void step_differences(struct check *c, int row) {
  (void)row;
  with_step(c, differences_of);
}
static void step_adjoint(struct check *c, int row) {
  (void)row;
  with_step(c, adjoint_of);
}
static void step_states(struct check *c, int row) {
  (void)row;
  with_step(c, states_of);
}
static void step_rest(struct check *c, int row) {
  (void)row;
  with_step(c, rest_of);
}

/* ---- loops ---- */

struct objective {
  tier_objective face; /* first */
  int rosenbrock;
  int64_t calls;
};

static int64_t size(const tier_objective *f) {
  (void)f;
  return 2;
}

/* Rosenbrock's (1 - x)^2 + 100 (y - x^2)^2, or 1/2 ((x - 1)^2 + 50 (y - 1)^2): minimum at (1, 1).
 */
static int32_t evaluate(tier_objective *f, const tier_vector *at, double *value, tier_vector *g) {
  struct objective *o = (struct objective *)(void *)f;
  double x[2];
  double slope[2];
  V->read(at, 0, 2, x);
  double valley = x[1] - x[0] * x[0];
  o->calls++;
  if (o->rosenbrock) {
    *value = (1 - x[0]) * (1 - x[0]) + 100 * valley * valley;
    slope[0] = -2 * (1 - x[0]) - 400 * valley * x[0];
    slope[1] = 200 * valley;
  } else {
    *value = 0.5 * ((x[0] - 1) * (x[0] - 1) + 50 * (x[1] - 1) * (x[1] - 1));
    slope[0] = x[0] - 1;
    slope[1] = 50 * (x[1] - 1);
  }
  if (g != NULL) {
    V->write(g, 0, 2, slope);
  }
  return TIER_OK;
}
static int32_t value_at(tier_objective *f, const tier_vector *at, double *value) {
  return evaluate(f, at, value, NULL);
}

static int32_t run_loop(const struct check *c, struct objective *o, double *x,
                        tier_loop_report *report) {
  static const tier_objective_1 api = {
      .struct_size = (uint32_t)sizeof api, .size = size, .gradient = evaluate, .value = value_at};
  struct instance *i = NULL;
  o->face.api = &api;
  int32_t status = check_create(arguments(c), 2, &i);
  const tier_loop_1 *loop = status == TIER_OK ? instance_get(i, "tier.loop/1") : NULL;
  tier_vector *at = vector_new(2);
  V->write(at, 0, 2, x);
  if (status == TIER_OK && loop == NULL) {
    status = fail(TIER_E_REFUSED, "it is no loop");
  } else if (status == TIER_OK) {
    status = loop->run(i->object, &o->face, i->state, 500, 1e-10, at, report);
  }
  V->read(at, 0, 2, x);
  vector_free(at);
  check_instance_free(i);
  return status;
}

static void minimum(struct check *c, int rosenbrock) {
  struct objective o = {.rosenbrock = rosenbrock};
  tier_loop_report report = {.struct_size = (uint32_t)sizeof report};
  const double exact[2] = {1, 1};
  double x[2] = {-1.2, 1};
  if (!check_ok(c, run_loop(c, &o, x, &report), "run")) {
    return;
  }
  if (!(matrix_error(2, x, exact) <= 1e-8)) {
    check_fail(c, "it ends at (%.10g, %.10g), not at (1, 1), after %lld iterations (stop: %s)",
               x[0], x[1], (long long)report.iterations, report.stop);
  }
  if (report.stop == NULL || strcmp(report.stop, "tolerance") != 0) {
    check_fail(c, "at the minimum it stops for \"%s\", not for \"tolerance\"",
               report.stop != NULL ? report.stop : "");
  }
  if (!(report.gradient_norm <= 1e-10)) {
    check_fail(c, "it reports a gradient of %g below a tolerance of 1e-10", report.gradient_norm);
  }
  check_note(c, "%lld iterations, %lld evaluations", (long long)report.iterations,
             (long long)o.calls);
}

static const struct check_test tests[] = {
    {"vjp-against-differences", step_differences, 0},
    {"jvp-against-vjp", step_adjoint, 0},
    {"states", step_states, 0},
    {"zero-gradient", step_rest, 0},
    {"minimum-of-quadratic", minimum, 0},
    {"minimum-of-rosenbrock", minimum, 1},
};
const struct check_group check_optimizers = {tests, CHECK_COUNT(tests)};

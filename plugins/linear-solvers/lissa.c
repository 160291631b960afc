/* LiSSA (Agarwal, Bullins, Hazan 2017, algorithm 1, as used for influence functions by Koh, Liang
 * 2017, section 3): the Neumann series with a fresh minibatch in every term,
 *
 *   h_0 = b, h_j = b + h_{j-1} - A_j h_{j-1} / scale, x = the average of h_depth / scale,
 *
 * over `repeats` runs of depth products each. With A_j = A it is neumann with step 1 / scale and
 * depth + 1 terms; with unbiased A_j that sum is its expectation. It needs scale above the largest
 * eigenvalue of the A_j (above half of it, to be bounded), and depth >> scale / the smallest one:
 * what is missing decays as exp(-depth curvature / scale), which below 3 leaves more than 5 %. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>
#include <tier/log.h>
#include <tier/params.h>

#include "../declared_cost.h"
#include "../host_interface.h"

#define ENOUGH 3.0 /* of depth x curvature / scale */

struct lissa {
  const tier_host *host;
  const tier_vector_1 *v;
  const tier_log_1 *log;
  int64_t depth, repeats;
  double scale;
  double curvature; /* the smallest; 0: not given */
  int32_t warned;
};

static const tier_slot slots[] = {
    {.name = "scale",
     .doc = "what the matrix is divided by: above the largest curvature of any minibatch",
     .fallback = "10",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "depth",
     .doc = "products in one run, each on a fresh minibatch",
     .fallback = "1000",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e12},
    {.name = "repeats",
     .doc = "runs that are averaged",
     .fallback = "1",
     .unit = "",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 1e9},
    {.name = "curvature",
     .doc = "the smallest curvature, such as an l2 coefficient, by which the depth is judged; "
            "default: that along the solution, which is never smaller",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e300}};

/* One solve. */
struct series {
  struct lissa *l;
  const tier_linear_system *system;
  const tier_vector *b;
  tier_vector *h, *ah;
  double longest;     /* the largest |h| at the end of a run */
  double rayleigh;    /* sum of <h, A h> over the second halves of the runs */
  double rayleigh_of; /* sum of <h, h> there */
};

static int32_t run(struct series *s) {
  const struct lissa *l = s->l;
  const tier_vector_1 *v = l->v;
  v->copy(s->b, s->h);
  for (int64_t j = 0; j < l->depth; j++) {
    if (s->system->redraw != NULL) {
      TIER_TRY(s->system->redraw(s->system->context));
    }
    TIER_TRY(s->system->apply(s->system->context, s->h, s->ah));
    if (2 * j >= l->depth) {
      s->rayleigh += v->dot(s->h, s->ah);
      s->rayleigh_of += v->dot(s->h, s->h);
    }
    v->axpy(-1.0 / l->scale, s->ah, s->h);
    v->axpy(1.0, s->b, s->h);
  }
  s->longest = fmax(s->longest, v->norm(s->h));
  if (!v->finite(s->h)) {
    return tier_failf(l->host, TIER_E_NONFINITE,
                      "lissa diverges: \"scale\" %g is below half the largest curvature of a "
                      "minibatch, or a product is not finite",
                      l->scale);
  }
  return TIER_OK;
}

/* The message to the log, the first time. */
static void tell(struct lissa *l, const char *text) {
  if (!l->warned) {
    l->warned = 1;
    l->log->message(TIER_LOG_WARNING, text);
  }
}

/* The smallest curvature as far as it is known: an upper bound of it where it is not given. */
static double smallest_curvature(const struct series *s) {
  return s->l->curvature > 0.0  ? s->l->curvature + tier_system_damping(s->system)
         : s->rayleigh_of > 0.0 ? s->rayleigh / s->rayleigh_of
                                : 0.0;
}

/* Were the runs long enough, and did they contract? Then |h_depth| <= (depth + 1) |b|. */
static const char *judge(const struct series *s) {
  struct lissa *l = s->l;
  char text[512];
  double depth = (double)l->depth;
  double curvature = smallest_curvature(s);
  if (s->longest > (1.0 + 1e-6) * (depth + 1.0) * l->v->norm(s->b)) {
    (void)snprintf(text, sizeof text,
                   "lissa diverges: \"scale\" %.4g is too small for the curvature of a minibatch, "
                   "or there is negative curvature (said once)",
                   l->scale);
    tell(l, text);
    return "depth, diverging";
  }
  if (!(depth * curvature / l->scale >= ENOUGH)) {
    (void)snprintf(
        text, sizeof text,
        "lissa has not converged: depth x curvature / scale is %.3g, and should be above "
        "%g; the smallest curvature is %s %.4g, so \"depth\" should be at least %.0f "
        "(said once)",
        depth * curvature / l->scale, ENOUGH, l->curvature > 0.0 ? "" : "at most", curvature,
        ceil(ENOUGH * l->scale / fmax(curvature, 1e-300)));
    tell(l, text);
    return "depth too small";
  }
  return "depth";
}

static int32_t average(struct series *s, tier_vector *x, tier_linear_report *report) {
  const struct lissa *l = s->l;
  if (s->h == NULL || s->ah == NULL) {
    return tier_failf(l->host, TIER_E_MEMORY, "no memory for 2 vectors of %lld numbers",
                      (long long)s->system->size);
  }
  l->v->fill(x, 0.0);
  for (int64_t i = 0; i < l->repeats; i++) {
    TIER_TRY(run(s));
    l->v->axpy(1.0 / ((double)l->repeats * l->scale), s->h, x);
  }
  report->iterations = l->depth * l->repeats;
  report->residual = NAN; /* of the whole matrix, which it never sees */
  report->stop = judge(s);
  return TIER_OK;
}

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  struct lissa *l = self;
  struct series s = {.l = l, .system = system, .b = b};
  (void)state;
  report->iterations = 0;
  report->residual = 0.0;
  report->stop = "zero";
  if (l->v->max_abs(b) == 0.0) {
    l->v->fill(x, 0.0);
    return TIER_OK;
  }
  s.h = l->v->create(system->size);
  s.ah = l->v->create(system->size);
  int32_t status = average(&s, x, report);
  l->v->destroy(s.h);
  l->v->destroy(s.ah);
  return status;
}

static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof solver, .solve = solve};

/* On all rows every draw is the same. */
static int32_t cost(void *self, const tier_cost_problem *problem, tier_cost *out) {
  const struct lissa *l = self;
  out->hvps = l->depth * l->repeats;
  out->reals = 2 * problem->n;
  out->flags = TIER_COST_BIASED | (problem->stochastic ? TIER_COST_RANDOM : 0);
  out->right = "nearly, curvatures c < scale with depth c / scale > 3";
  return TIER_OK;
}

static const tier_cost_1 costs = {.struct_size = (uint32_t)sizeof costs, .cost = cost};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct lissa *l = calloc(1, sizeof *l);
  if (l == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  l->host = host;
  l->v = host_interface(host, "tier.vector/1");
  l->log = host_interface(host, "tier.log/1");
  l->depth = tier_integer(params, "depth");
  l->repeats = tier_integer(params, "repeats");
  l->scale = tier_number(params, "scale");
  l->curvature = tier_given(params, "curvature") ? tier_number(params, "curvature") : 0.0;
  if (l->v == NULL || l->log == NULL) {
    free(l);
    return TIER_E_PLUGIN;
  }
  *object = l;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.linear_solver/1") == 0 ? (const void *)&solver
         : strcmp(interface_id, "tier.cost/1") == 0        ? (const void *)&costs
                                                           : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_NO_PRECONDITIONER,
     .kind = "linear-solver",
     .id = "lissa",
     .summary = "the Neumann series with a fresh minibatch in every term, averaged over runs",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("lissa", "1.0", "MIT", components);

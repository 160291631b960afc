#include "quadratic_problem.h"

#include <stdlib.h>

#include "base/memory.h"
#include "support.h"

#define V (&vector_interface)
#define MOST QUADRATIC_MOST

struct tier_edge {
  struct quadratic_problem q; /* the same object: see quadratic_edge */
};
struct tier_oracle {
  struct quadratic_problem *q;
  tier_vector *w;
};

tier_edge *quadratic_edge(struct quadratic_problem *q) {
  return (tier_edge *)(void *)q;
}
static struct quadratic_problem *of(tier_edge *e) {
  return (struct quadratic_problem *)(void *)e;
}

void record_clear(tier_record *r) {
  vector_free(r->solution);
  free(r->tape);
  *r = (tier_record){0};
}

double record_number(const tier_record *r, const char *name) {
  for (int i = 0; i < r->number_count; i++) {
    if (strcmp(r->names[i], name) == 0) {
      return r->numbers[i];
    }
  }
  fail_test("no number \"%s\" was reported", name);
  return 0.0;
}

static int64_t size(const tier_edge *e) {
  return e->q.n;
}
static int64_t input_size(const tier_edge *e) {
  return e->q.p;
}
static int64_t steps(const tier_edge *e) {
  return e->q.steps;
}
static int32_t has_step(const tier_edge *e) {
  return !e->q.procedural;
}
static int32_t step_size(tier_edge *e, const tier_instance *step, double *lr) {
  if (step == NULL && e->q.procedural) {
    return fail(TIER_E_REFUSED, "the level's optimizer has no step size");
  }
  *lr = step != NULL ? e->q.extension_lr : e->q.lr;
  return TIER_OK;
}

/* g <- A w - B theta */
static void gradient_of(const struct quadratic_problem *q, const double *w, double *g) {
  double pull[MOST];
  multiply(q->n, q->n, q->a, 0, w, g);
  multiply(q->n, q->p, q->b, 0, q->theta, pull);
  for (int64_t i = 0; i < q->n; i++) {
    g[i] -= pull[i];
  }
}

/* Puts (w, s) on the tape. */
static void put(const struct quadratic_problem *q, tier_record *r, const double *w,
                const double *s) {
  if (r->tape_length == r->tape_capacity) {
    r->tape_capacity = 2 * r->tape_capacity + 8;
    r->tape = memory_resize(r->tape, (size_t)(r->tape_capacity * 2 * q->n), sizeof(double));
  }
  double *to = r->tape + r->tape_length++ * 2 * q->n;
  memcpy(to, w, (size_t)q->n * sizeof(double));
  memcpy(to + q->n, s, (size_t)q->n * sizeof(double));
}

static void take_steps(struct quadratic_problem *q, tier_record *r, double lr, double beta,
                       int64_t count, double *w, int keep) {
  double s[MOST] = {0};
  double g[MOST];
  for (int64_t t = 0; t < count; t++) {
    if (keep) {
      put(q, r, w, s);
    }
    gradient_of(q, w, g);
    for (int64_t i = 0; i < q->n; i++) {
      s[i] = beta * s[i] - lr * g[i];
      w[i] += s[i];
    }
  }
  r->tape_lr = lr;
}

static int32_t run(tier_edge *e, tier_record *r, uint32_t flags) {
  struct quadratic_problem *q = of(e);
  double w[MOST];
  for (int64_t i = 0; i < q->n; i++) {
    w[i] = q->start[i] + (q->start_is_input ? q->theta[0] : 0.0);
  }
  q->runs++;
  if (q->procedural) {
    double pull[MOST];
    multiply(q->n, q->p, q->b, 0, q->theta, pull);
    solve_exactly(q->n, q->a, pull, w);
  } else {
    double lr = q->rate_is_input ? q->theta[q->p - 1] : q->lr;
    take_steps(q, r, lr, q->beta, q->steps, w, (flags & TIER_KEEP_TAPE) != 0);
  }
  r->solution = vector_of(w, q->n);
  return TIER_OK;
}

static int32_t extend(tier_edge *e, tier_record *r, const tier_instance *step, int64_t count) {
  struct quadratic_problem *q = of(e);
  double w[MOST];
  (void)step;
  V->read(r->solution, 0, q->n, w);
  take_steps(q, r, q->extension_lr, 0.0, count, w, 1);
  V->write(r->solution, 0, q->n, w);
  return TIER_OK;
}

static int32_t fixed_point(const tier_edge *e, const tier_instance *step) {
  return step != NULL || !e->q.procedural;
}

static int32_t pin(tier_edge *e, tier_record *r, const tier_instance *step) {
  struct quadratic_problem *q = of(e);
  double w[MOST];
  double s[MOST] = {0};
  V->read(r->solution, 0, q->n, w);
  r->tape_length = 0;
  put(q, r, w, s);
  r->tape_lr = step != NULL ? q->extension_lr : q->lr;
  return TIER_OK;
}

static const tier_vector *solution(const tier_record *r) {
  return r->solution;
}
static int64_t tape_length(const tier_record *r) {
  return r->tape_length;
}
static int64_t state_size(const tier_record *r) {
  return r->solution->size;
}

static int32_t keep(tier_edge *e, tier_record *r, const tier_tape *tape) {
  (void)r;
  of(e)->kept = *tape;
  return TIER_OK;
}
static int64_t tape_bytes(const tier_record *r) {
  return r->tape_length * 2 * r->solution->size * (int64_t)sizeof(double);
}

/* ---- oracles ---- */

static int32_t oracle_at(struct quadratic_problem *q, const double *w, tier_oracle **o) {
  *o = memory_alloc(1, sizeof **o);
  **o = (tier_oracle){.q = q, .w = vector_of(w, q->n)};
  q->oracles_open++;
  return TIER_OK;
}

static int32_t at_solution(tier_edge *e, tier_record *r, int64_t draw, int64_t batch,
                           tier_oracle **o) {
  double w[MOST];
  of(e)->last_draw = draw;
  of(e)->last_batch = batch;
  V->read(r->solution, 0, of(e)->n, w);
  return oracle_at(of(e), w, o);
}

static int32_t at_step(tier_edge *e, tier_record *r, int64_t t, tier_oracle **o) {
  assert_true(t >= 0 && t < r->tape_length);
  return oracle_at(of(e), r->tape + t * 2 * of(e)->n, o);
}

static void release(tier_oracle *o) {
  o->q->oracles_open--;
  vector_free(o->w);
  free(o);
}

static const tier_vector *point(const tier_oracle *o) {
  return o->w;
}

static int32_t gradient_at(tier_oracle *o, const tier_vector *w, double *value,
                           tier_vector *gradient) {
  double in[MOST];
  double g[MOST];
  V->read(w, 0, o->q->n, in);
  gradient_of(o->q, in, g);
  V->write(gradient, 0, o->q->n, g);
  *value = 0.0;
  o->q->gradients++;
  return TIER_OK;
}

static int32_t gradient(tier_oracle *o, double *value, tier_vector *out) {
  return gradient_at(o, o->w, value, out);
}

static int32_t hvp(tier_oracle *o, const tier_vector *v, tier_vector *out) {
  double in[MOST];
  double product[MOST];
  V->read(v, 0, o->q->n, in);
  multiply(o->q->n, o->q->n, o->q->a, 0, in, product);
  V->write(out, 0, o->q->n, product);
  o->q->hvps++;
  return TIER_OK;
}

static int32_t hvp_block(tier_oracle *o, int64_t k, const tier_vector *const *vs,
                         tier_vector *const *outs) {
  for (int64_t i = 0; i < k; i++) {
    TIER_TRY(hvp(o, vs[i], outs[i]));
  }
  return TIER_OK;
}

/* inputs += scale * m' v, for m (n, p). */
static void add_transposed(const struct quadratic_problem *q, const double *m, const tier_vector *v,
                           double scale, tier_vector *inputs) {
  double in[MOST];
  double product[MOST];
  double sum[MOST];
  V->read(v, 0, q->n, in);
  multiply(q->n, q->p, m, 1, in, product);
  V->read(inputs, 0, q->p, sum);
  for (int64_t i = 0; i < q->p; i++) {
    sum[i] += scale * product[i];
  }
  V->write(inputs, 0, q->p, sum);
}

static int32_t cross(tier_oracle *o, const tier_vector *v, double scale, tier_vector *inputs) {
  add_transposed(o->q, o->q->b, v, -scale, inputs);
  o->q->crosses++;
  return TIER_OK;
}

static int32_t products(tier_oracle *o, const tier_vector *v, tier_vector *out, double scale,
                        tier_vector *inputs) {
  TIER_TRY(hvp(o, v, out));
  return cross(o, v, scale, inputs);
}

static int32_t cross_forward(tier_oracle *o, const tier_vector *tangent, tier_vector *out) {
  double in[MOST];
  double product[MOST];
  V->read(tangent, 0, o->q->p, in);
  multiply(o->q->n, o->q->p, o->q->b, 0, in, product);
  for (int64_t i = 0; i < o->q->n; i++) {
    product[i] = -product[i];
  }
  V->write(out, 0, o->q->n, product);
  o->q->crosses++;
  return TIER_OK;
}

/* dF/dtheta = -B'w + theta */
static int32_t input_gradient_at(tier_oracle *o, const tier_vector *w, double scale,
                                 tier_vector *inputs) {
  add_transposed(o->q, o->q->b, w, -scale, inputs);
  tier_vector *theta = vector_of(o->q->theta, o->q->p);
  V->axpy(scale, theta, inputs);
  vector_free(theta);
  o->q->input_gradients++;
  return TIER_OK;
}

/* ---- the step: s' = beta s - lr g, w' = w + s' ---- */

static int32_t step_vjp(tier_edge *e, tier_record *r, int64_t t, const tier_vector *u_w,
                        const tier_vector *u_s, tier_vector *v_w, tier_vector *v_s,
                        tier_vector *v_g, tier_vector *inputs) {
  struct quadratic_problem *q = of(e);
  double w_part[MOST];
  double s_part[MOST];
  double g[MOST];
  double rate = 0.0;
  V->read(u_w, 0, q->n, w_part);
  V->read(u_s, 0, q->n, s_part);
  gradient_of(q, r->tape + t * 2 * q->n, g);
  V->copy(u_w, v_w);
  for (int64_t i = 0; i < q->n; i++) {
    double both = w_part[i] + s_part[i]; /* the cotangent of s' */
    double v = q->beta * both;
    double to_g = -r->tape_lr * both;
    rate -= g[i] * both;
    V->write(v_s, i, 1, &v);
    V->write(v_g, i, 1, &to_g);
  }
  if (q->rate_is_input) {
    double old = element(inputs, q->p - 1) + rate;
    V->write(inputs, q->p - 1, 1, &old);
  }
  q->vjps++;
  return TIER_OK;
}

static int32_t step_jvp(tier_edge *e, tier_record *r, int64_t t, const tier_vector *t_w,
                        const tier_vector *t_s, const tier_vector *t_g, const tier_vector *inputs,
                        tier_vector *out_w, tier_vector *out_s) {
  struct quadratic_problem *q = of(e);
  double g[MOST];
  gradient_of(q, r->tape + t * 2 * q->n, g);
  for (int64_t i = 0; i < q->n; i++) {
    double rate = q->rate_is_input ? element(inputs, q->p - 1) : 0.0;
    double s = q->beta * element(t_s, i) - r->tape_lr * element(t_g, i) - rate * g[i];
    double w = element(t_w, i) + s;
    V->write(out_s, i, 1, &s);
    V->write(out_w, i, 1, &w);
  }
  q->jvps++;
  return TIER_OK;
}

static int32_t start_vjp(tier_edge *e, tier_record *r, const tier_vector *u_w,
                         tier_vector *inputs) {
  (void)r;
  double sum = element(inputs, 0);
  for (int64_t i = 0; of(e)->start_is_input && i < of(e)->n; i++) {
    sum += element(u_w, i);
  }
  V->write(inputs, 0, 1, &sum);
  return TIER_OK;
}

static int32_t report_number(tier_record *r, const char *name, double value) {
  assert_true(r->number_count < 8);
  (void)snprintf(r->names[r->number_count], sizeof r->names[0], "%s", name);
  r->numbers[r->number_count++] = value;
  return TIER_OK;
}

static int32_t report_text(tier_record *r, const char *name, const char *text) {
  assert_string_equal(name, "stop");
  (void)snprintf(r->stop, sizeof r->stop, "%s", text);
  return TIER_OK;
}

const tier_problem_1 quadratic_interface = {
    .struct_size = (uint32_t)sizeof quadratic_interface,
    .size = size,
    .input_size = input_size,
    .steps = steps,
    .has_step = has_step,
    .step_size = step_size,
    .run = run,
    .extend = extend,
    .solution = solution,
    .tape_length = tape_length,
    .state_size = state_size,
    .at_solution = at_solution,
    .at_step = at_step,
    .release = release,
    .gradient = gradient,
    .gradient_at = gradient_at,
    .hvp = hvp,
    .hvp_block = hvp_block,
    .cross = cross,
    .products = products,
    .cross_forward = cross_forward,
    .input_gradient_at = input_gradient_at,
    .step_vjp = step_vjp,
    .step_jvp = step_jvp,
    .start_vjp = start_vjp,
    .report_number = report_number,
    .report_text = report_text,
    .point = point,
    .keep = keep,
    .tape_bytes = tape_bytes,
    .fixed_point = fixed_point,
    .pin = pin,
};

#include "problem/profiled.h"

#include "base/profile.h"
#include "plugin/profiled.h"
#include "problem/internal.h"

extern const tier_problem_1 problem_interface;

static struct profile *profile;

/* ---- tier.problem/1: what costs more than a look at a member ---- */

static int32_t run(tier_edge *e, tier_record *r, uint32_t flags) {
  profile_begin(profile, "iterate", e->lower->declared->name);
  int32_t status = problem_interface.run(e, r, flags);
  profile_end(profile);
  return status;
}

static int32_t extend(tier_edge *e, tier_record *r, const tier_instance *step, int64_t count) {
  profile_begin(profile, "extend", e->lower->declared->name);
  int32_t status = problem_interface.extend(e, r, step, count);
  profile_end(profile);
  return status;
}

static int32_t gradient(tier_oracle *o, double *value, tier_vector *out) {
  profile_begin(profile, "gradient", NULL);
  int32_t status = problem_interface.gradient(o, value, out);
  profile_end(profile);
  return status;
}

static int32_t gradient_at(tier_oracle *o, const tier_vector *w, double *value, tier_vector *out) {
  profile_begin(profile, "gradient", NULL);
  int32_t status = problem_interface.gradient_at(o, w, value, out);
  profile_end(profile);
  return status;
}

static int32_t hvp(tier_oracle *o, const tier_vector *v, tier_vector *out) {
  profile_begin(profile, "hvp", NULL);
  int32_t status = problem_interface.hvp(o, v, out);
  profile_end(profile);
  return status;
}

static int32_t hvp_block(tier_oracle *o, int64_t k, const tier_vector *const *vs,
                         tier_vector *const *outs) {
  profile_begin(profile, "hvp block", NULL);
  int32_t status = problem_interface.hvp_block(o, k, vs, outs);
  profile_end(profile);
  return status;
}

static int32_t cross(tier_oracle *o, const tier_vector *v, double scale, tier_vector *inputs) {
  profile_begin(profile, "cross", NULL);
  int32_t status = problem_interface.cross(o, v, scale, inputs);
  profile_end(profile);
  return status;
}

static int32_t products(tier_oracle *o, const tier_vector *v, tier_vector *out, double scale,
                        tier_vector *inputs) {
  profile_begin(profile, "hvp and cross", NULL);
  int32_t status = problem_interface.products(o, v, out, scale, inputs);
  profile_end(profile);
  return status;
}

static int32_t cross_forward(tier_oracle *o, const tier_vector *tangent, tier_vector *out) {
  profile_begin(profile, "cross forward", NULL);
  int32_t status = problem_interface.cross_forward(o, tangent, out);
  profile_end(profile);
  return status;
}

static int32_t input_gradient_at(tier_oracle *o, const tier_vector *w, double scale,
                                 tier_vector *inputs) {
  profile_begin(profile, "input gradient", NULL);
  int32_t status = problem_interface.input_gradient_at(o, w, scale, inputs);
  profile_end(profile);
  return status;
}

static int32_t step_vjp(tier_edge *e, tier_record *r, int64_t t, const tier_vector *u_w,
                        const tier_vector *u_s, tier_vector *v_w, tier_vector *v_s,
                        tier_vector *v_g, tier_vector *inputs) {
  profile_begin(profile, "step vjp", NULL);
  int32_t status = problem_interface.step_vjp(e, r, t, u_w, u_s, v_w, v_s, v_g, inputs);
  profile_end(profile);
  return status;
}

static int32_t step_jvp(tier_edge *e, tier_record *r, int64_t t, const tier_vector *t_w,
                        const tier_vector *t_s, const tier_vector *t_g, const tier_vector *inputs,
                        tier_vector *out_w, tier_vector *out_s) {
  profile_begin(profile, "step jvp", NULL);
  int32_t status = problem_interface.step_jvp(e, r, t, t_w, t_s, t_g, inputs, out_w, out_s);
  profile_end(profile);
  return status;
}

static int32_t at_step(tier_edge *e, tier_record *r, int64_t t, tier_oracle **o) {
  profile_begin(profile, "at step", NULL);
  int32_t status = problem_interface.at_step(e, r, t, o);
  profile_end(profile);
  return status;
}

/* Members that are not timed pass through. */
static const tier_problem_1 *problem_table(void) {
  static tier_problem_1 table;
  table = problem_interface;
  table.run = run;
  table.extend = extend;
  table.at_step = at_step;
  table.gradient = gradient;
  table.gradient_at = gradient_at;
  table.hvp = hvp;
  table.hvp_block = hvp_block;
  table.cross = cross;
  table.products = products;
  table.cross_forward = cross_forward;
  table.input_gradient_at = input_gradient_at;
  table.step_vjp = step_vjp;
  table.step_jvp = step_jvp;
  return &table;
}

/* ---- tier.vector/1 ---- */

static void vectors_begin(void) {
  profile_begin(profile, "vectors", NULL);
}
static void vectors_end(void) {
  profile_end(profile);
}

static void copy(const tier_vector *x, tier_vector *y) {
  vectors_begin();
  vector_interface.copy(x, y);
  vectors_end();
}

static void fill(tier_vector *x, double value) {
  vectors_begin();
  vector_interface.fill(x, value);
  vectors_end();
}

static void scale(double a, tier_vector *x) {
  vectors_begin();
  vector_interface.scale(a, x);
  vectors_end();
}

static void axpy(double a, const tier_vector *x, tier_vector *y) {
  vectors_begin();
  vector_interface.axpy(a, x, y);
  vectors_end();
}

static void axpby(double a, const tier_vector *x, double b, tier_vector *y) {
  vectors_begin();
  vector_interface.axpby(a, x, b, y);
  vectors_end();
}

static double dot(const tier_vector *x, const tier_vector *y) {
  vectors_begin();
  double result = vector_interface.dot(x, y);
  vectors_end();
  return result;
}

static double norm(const tier_vector *x) {
  vectors_begin();
  double result = vector_interface.norm(x);
  vectors_end();
  return result;
}

static double max_abs(const tier_vector *x) {
  vectors_begin();
  double result = vector_interface.max_abs(x);
  vectors_end();
  return result;
}

static int32_t finite(const tier_vector *x) {
  vectors_begin();
  int32_t result = vector_interface.finite(x);
  vectors_end();
  return result;
}

static double axpby_dot(double a, const tier_vector *x, double b, tier_vector *y,
                        const tier_vector *z) {
  vectors_begin();
  double result = vector_interface.axpby_dot(a, x, b, y, z);
  vectors_end();
  return result;
}

static double axpy_pair(double a, const tier_vector *p, tier_vector *x, double b,
                        const tier_vector *q, tier_vector *r) {
  vectors_begin();
  double result = vector_interface.axpy_pair(a, p, x, b, q, r);
  vectors_end();
  return result;
}

static void axpy_chain(double a, const tier_vector *x, tier_vector *y, double b, tier_vector *z) {
  vectors_begin();
  vector_interface.axpy_chain(a, x, y, b, z);
  vectors_end();
}

static void normal(tier_vector *x, uint64_t stream, uint64_t draw) {
  vectors_begin();
  vector_interface.normal(x, stream, draw);
  vectors_end();
}

static void signs(tier_vector *x, uint64_t stream, uint64_t draw) {
  vectors_begin();
  vector_interface.signs(x, stream, draw);
  vectors_end();
}

static const tier_vector_1 *vector_table(void) {
  static tier_vector_1 table;
  table = vector_interface;
  table.copy = copy;
  table.fill = fill;
  table.scale = scale;
  table.axpy = axpy;
  table.axpby = axpby;
  table.dot = dot;
  table.norm = norm;
  table.max_abs = max_abs;
  table.finite = finite;
  table.axpby_dot = axpby_dot;
  table.axpy_pair = axpy_pair;
  table.axpy_chain = axpy_chain;
  table.normal = normal;
  table.signs = signs;
  return &table;
}

void profiled_offer(struct profile *p) {
  profile = p;
  profiled_instances(p);
  if (p != NULL) {
    host_offer("tier.problem/1", problem_table());
    host_offer("tier.vector/1", vector_table());
  }
}

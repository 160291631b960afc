#include "problem/totals.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/edges.h"
#include "problem/products.h"
#include "problem/snapshots.h"
#include "problem/variables.h"

struct total {
  struct snapshot outer;  /* what stood before the total was entered */
  struct snapshot solved; /* at the oracle's point, with the levels below solved and pulled back */
  int known;              /* `solved` is there */
  int exact;
  uint64_t *made;         /* of each edge's record, when `solved` was made */
  double tolerance;       /* to which the levels below are solved, and their systems */
  tier_vector *m, *g[2];  /* (n): a displaced point; gradients there */
  tier_vector *inputs[2]; /* narrow: of the inputs */
  tier_vector *moved;     /* narrow: the inputs as they were */
  tier_vector *response;  /* of the levels below: the tangent of their solutions */
};

int edge_is_total(const tier_edge *e) {
  return e->lower->edge_count > 0;
}

void total_free(struct total *t) {
  if (t != NULL) {
    snapshot_free(&t->outer);
    snapshot_free(&t->solved);
    free(t->made);
    vector_free(t->m);
    vector_free(t->moved);
    vector_free(t->response);
    for (int i = 0; i < 2; i++) {
      vector_free(t->g[i]);
      vector_free(t->inputs[i]);
    }
    free(t);
  }
}

static int32_t prepare(tier_oracle *o) {
  const tier_edge *e = o->e;
  if (o->total != NULL) {
    return TIER_OK;
  }
  struct total *t = o->total = memory_alloc(1, sizeof *t);
  t->made = memory_alloc(e->lower->edge_count, sizeof *t->made);
  t->m = vector_new(e->lower->over.size);
  t->moved = vector_new(e->inputs.size);
  t->response = vector_new(e->lower->responding.size);
  int complete = t->m != NULL && t->moved != NULL && t->response != NULL;
  for (int i = 0; i < 2; i++) {
    t->g[i] = vector_new(e->lower->over.size);
    t->inputs[i] = vector_new(e->inputs.size);
    complete = complete && t->g[i] != NULL && t->inputs[i] != NULL;
  }
  return complete
             ? TIER_OK
             : fail(TIER_E_MEMORY, "no memory for products with the total gradient of level \"%s\"",
                    e->lower->declared->name);
}

/* ---- entering and leaving ---- */

/* Is it moved by a level that the total goes through, or by one below that? */
static int is_solved_within(const tier_edge *e, int owner) {
  for (size_t i = 0; i < e->lower->edge_count; i++) {
    if (level_is_within(e->p, owner, e->lower->edges[i]->lower->index)) {
      return 1;
    }
  }
  return 0;
}

/* What other levels moved stands as the oracle's row read it. */
static void put_held(const tier_oracle *o) {
  const tier_edge *e = o->e;
  struct held held = records_held(o->record, o->row);
  for (size_t i = 0; i < e->kept.count && held.values != NULL; i++) {
    const struct variable *v = &e->p->variables[e->kept.variables[i]];
    if (!is_solved_within(e, v->owner)) {
      memcpy(v->value->data, elements_at(e->p, held.values, e->kept.offsets[i]),
             (size_t)v->size * dtype_size(e->p->dtype));
    }
  }
}

/* Levels below are solved for this level alone while it is entered, not for those above it. */
static void enter(tier_oracle *o, const struct snapshot *at) {
  snapshot_save(o->e, &o->total->outer);
  snapshot_load(o->e, at);
  o->e->lower->above = NULL;
  o->e->p->solve_depth++;
}

static void leave(tier_oracle *o) {
  snapshot_load(o->e, &o->total->outer);
  o->e->p->solve_depth--;
}

static int32_t enter_start(tier_oracle *o) {
  const struct snapshot *start = records_start(o->record, o->row);
  if (start == NULL) {
    return fail(TIER_E_PLUGIN,
                "level \"%s\" has a response of its own: its oracles can be asked only after it is "
                "solved",
                o->e->lower->declared->name);
  }
  enter(o, start);
  put_held(o);
  return TIER_OK;
}

/* ---- the total gradient ---- */

/* The direct terms: the level's gradient and cotangents, and dF/dtheta in `inputs`. */
static int32_t direct(tier_oracle *o, const tier_vector *m, double *value, tier_vector *inputs) {
  tier_edge *e = o->e;
  struct level *l = e->lower;
  struct kernel *k = NULL;
  TIER_TRY(oracle_activate(o));
  TIER_TRY(products_input_gradient(o->products, e, &k));
  struct point at = {.binding = o->binding, .level = l, .w = m->data, .serial = o->serial};
  TIER_TRY(suite_gradient(o->products->suite, &at, value, NULL, l->gradient, l->cotangent));
  placed_addresses(l, o->level_step, e->placed, e->placed_count, inputs->data, k->taken);
  placed_clear(l, k, 0, e->placed, e->placed_count, inputs->data);
  return kernel_run(k, e->p, &at, NULL, k->taken);
}

/* Of the entered level, at m: its gradient is then in l->gradient, that in the inputs in `inputs`.
 */
static int32_t entered_gradient(tier_oracle *o, const tier_vector *m, double *value,
                                tier_vector *inputs) {
  struct level *l = o->e->lower;
  const struct beyond beyond = {&o->e->inputs, inputs};
  vector_interface.copy(m, l->w);
  TIER_TRY(level_solve_through(l));
  TIER_TRY(direct(o, m, value, inputs));
  return level_pull(l, &beyond);
}

static int32_t gradient_at(tier_oracle *o, const tier_vector *m, double *value, tier_vector *g,
                           tier_vector *inputs) {
  TIER_TRY(enter_start(o));
  int32_t status = entered_gradient(o, m, value, inputs);
  vector_interface.copy(o->e->lower->gradient, g);
  leave(o);
  return status;
}

int32_t total_gradient(tier_oracle *o, const tier_vector *w, double *value, tier_vector *gradient) {
  double ignored = 0;
  TIER_TRY(prepare(o));
  return gradient_at(o, w, value != NULL ? value : &ignored, gradient, o->total->inputs[0]);
}

int32_t total_input_gradient(tier_oracle *o, const tier_vector *w, double scale,
                             tier_vector *inputs) {
  double ignored = 0;
  TIER_TRY(prepare(o));
  TIER_TRY(gradient_at(o, w, &ignored, o->total->g[0], o->total->inputs[0]));
  inputs_add(o->e, o->row, scale, o->total->inputs[0], inputs);
  return TIER_OK;
}

int32_t total_norm(tier_edge *e) {
  struct level *l = e->lower;
  struct snapshot now = {0};
  snapshot_save(e, &now);
  l->above = NULL;
  int32_t status = level_solve_through(l);
  if (status == TIER_OK) {
    status = level_gradient(l);
  }
  double value = l->value;
  double norm = l->gradient_norm;
  snapshot_load(e, &now);
  snapshot_free(&now);
  l->value = value;
  l->gradient_norm = norm;
  return status;
}

/* ---- the base: at the oracle's point itself ---- */

static double reported(const tier_record *r, const char *name) {
  const struct report_entry *found = record_report(r, name);
  return found != NULL && isfinite(found->number) ? found->number : 0;
}

/* To what the levels below are solved, where their estimators take them as solved. */
static double tolerance_below(const struct level *l) {
  double tolerance = l->p->dtype == DTYPE_F32 ? FLT_EPSILON : DBL_EPSILON;
  for (size_t i = 0; i < l->edge_count; i++) {
    const tier_edge *e = l->edges[i];
    if (e->estimator->component->c.flags & TIER_IMPLICIT) {
      tolerance = fmax(tolerance, reported(&e->record, "gradient_norm"));
      tolerance = fmax(tolerance, reported(&e->record, "residual"));
    }
  }
  return tolerance;
}

/* Does the estimator ask for differences ("products")? */
static int wants_differences(const tier_edge *e) {
  const struct argument *a = application_argument(e->declared->estimator, "products");
  return a != NULL && a->text_count > 0 && strcmp(a->texts[0], "difference") == 0;
}

/* Exact products need, of each level below, the one adjoint of its pullback, and its pushforward.
 */
static int can_be_exact(const struct level *l) {
  for (size_t i = 0; i < l->edge_count; i++) {
    const tier_edge *e = l->edges[i];
    if (!(e->estimator->component->c.flags & TIER_IMPLICIT) || e->api->pushforward == NULL ||
        edge_is_total(e) || e->count != 1 || e->slots > 0 || e->record.adjoints > 1) {
      return 0;
    }
  }
  return 1;
}

static int32_t capture(const struct level *l, int on) {
  for (size_t i = 0; i < l->edge_count; i++) {
    tier_edge *e = l->edges[i];
    if (e->adjoint == NULL) {
      e->adjoint = vector_new(e->lower->over.size);
    }
    if (e->adjoint == NULL) {
      return fail(TIER_E_MEMORY, "no memory for the adjoint of level \"%s\"",
                  e->lower->declared->name);
    }
    e->captures = on;
  }
  return TIER_OK;
}

static int32_t find_base(tier_oracle *o) {
  struct total *t = o->total;
  const struct level *l = o->e->lower;
  double ignored = 0;
  TIER_TRY(capture(l, 1));
  int32_t status = enter_start(o);
  if (status == TIER_OK) {
    status = entered_gradient(o, o->w, &ignored, t->inputs[0]);
    snapshot_save(o->e, &t->solved);
    t->tolerance = tolerance_below(l);
    t->exact = can_be_exact(l) && !wants_differences(o->e);
    t->known = status == TIER_OK;
    for (size_t i = 0; i < l->edge_count; i++) {
      t->made[i] = l->edges[i]->record.made;
    }
    leave(o);
  }
  TIER_TRY(capture(l, 0));
  return status;
}

/* The records below and their adjoints may meanwhile be another oracle's. */
static int is_current(const tier_oracle *o) {
  const struct total *t = o->total;
  for (size_t i = 0; i < o->e->lower->edge_count; i++) {
    if (!t->known || o->e->lower->edges[i]->record.made != t->made[i]) {
      return 0;
    }
  }
  return 1;
}

static int32_t need_base(tier_oracle *o) {
  TIER_TRY(prepare(o));
  return is_current(o) || (o->total->known && !o->total->exact) ? TIER_OK : find_base(o);
}

/* ---- products by differences ---- */

/* Central differences of a function known to `tolerance` are wrong by about r^2 + tolerance / r,
 * which is least near the cube root. */
static double radius_of(const tier_oracle *o) {
  return cbrt(o->total->tolerance) * fmax(1.0, vector_interface.norm(o->w));
}

static int32_t report_products(tier_oracle *o) {
  const struct total *t = o->total;
  tier_record *r = o->record;
  TIER_TRY(problem_interface.report_text(r, "products", t->exact ? "exact" : "difference"));
  if (t->exact) {
    return TIER_OK;
  }
  double radius = radius_of(o);
  TIER_TRY(problem_interface.report_number(r, "products_radius", radius));
  return problem_interface.report_number(r, "products_error",
                                         radius * radius + t->tolerance / radius);
}

/* (x[0] - x[1]) / (2 a), in x[0]. */
static void difference(tier_vector *const *x, double a) {
  vector_interface.axpby(-0.5 / a, x[1], 0.5 / a, x[0]);
}

/* Leaves the two products in g[0] and inputs[0]. */
static int32_t differences(tier_oracle *o, const tier_vector *v) {
  struct total *t = o->total;
  double ignored = 0;
  double a = radius_of(o) / vector_interface.norm(v);
  for (int side = 0; side < 2; side++) {
    vector_interface.copy(o->w, t->m);
    vector_interface.axpy(side == 0 ? a : -a, v, t->m);
    TIER_TRY(gradient_at(o, t->m, &ignored, t->g[side], t->inputs[side]));
  }
  difference(t->g, a);
  difference(t->inputs, a);
  return TIER_OK;
}

/* ---- the inputs' own values ---- */

static void each_input(const tier_edge *e, tier_vector *flat, double scale, int reading) {
  for (size_t i = 0; i < e->inputs.count; i++) {
    tier_vector *value = e->p->variables[e->inputs.variables[i]].value;
    tier_vector part = {
        .size = value->size,
        .dtype = value->dtype,
        .data = (char *)flat->data + (size_t)e->inputs.offsets[i] * dtype_size(value->dtype)};
    if (reading) {
      vector_interface.copy(value, &part);
    } else if (scale == 0) {
      vector_interface.copy(&part, value);
    } else {
      vector_interface.axpy(scale, &part, value);
    }
  }
}

/* As differences(), with the inputs displaced along the tangent (narrow). */
static int32_t differences_forward(tier_oracle *o, tier_vector *tangent) {
  struct total *t = o->total;
  double ignored = 0;
  double a = radius_of(o) / vector_interface.norm(tangent);
  for (int side = 0; side < 2; side++) {
    TIER_TRY(enter_start(o));
    each_input(o->e, t->moved, 0, 1);
    each_input(o->e, tangent, side == 0 ? a : -a, 0);
    int32_t status = entered_gradient(o, o->w, &ignored, t->inputs[side]);
    vector_interface.copy(o->e->lower->gradient, t->g[side]);
    each_input(o->e, t->moved, 0, 0);
    leave(o);
    TIER_TRY(status);
  }
  difference(t->g, a);
  return TIER_OK;
}

/* ---- exact products ----
 *
 * Of Phi(m, theta), along a direction d in (m, theta). Let q_i be the adjoint of the pullback
 * through level i, (G_i,ww) q_i = dF/dw_i + ..., and w' the tangents of all solutions along d. Then
 * the derivative of (dPhi/dm, dPhi/dtheta) along d is the total gradient, by the same pullbacks, of
 *
 *   R(m, theta, w) = D_(d, w') F - sum over i of D_(d, w') <q_i, dG_i/dw_i>
 *
 * with d, w' and q_i constant. */

/* The part of input `variable` of an edge below in the tangents: of the level's own variables in v,
 * of other solutions in the response, of the inputs in `theta`. NULL: none, it does not move. */
static int tangent_part(const tier_oracle *o, const tier_edge *below, int variable,
                        const tier_vector *v, const tier_vector *theta, tier_vector *part) {
  const struct level *l = o->e->lower;
  const struct problem *p = o->e->p;
  const tier_vector *from = v;
  int64_t offset = span_offset(&l->over, variable);
  if (offset < 0) {
    from = theta;
    offset = span_offset(&o->e->inputs, variable);
  }
  for (size_t k = 0; k < l->edge_count && offset < 0; k++) {
    if (l->edges[k]->lower->index == p->variables[variable].owner &&
        records_seen(&below->record, ROW_SOLUTION, k) == l->edges[k]->count - 1) {
      from = o->total->response;
      offset = span_offset(&l->responding, variable);
    }
  }
  if (offset < 0 || from == NULL) {
    return 0;
  }
  *part = (tier_vector){.size = p->variables[variable].size,
                        .dtype = p->dtype,
                        .data = (char *)from->data + (size_t)offset * dtype_size(p->dtype)};
  return 1;
}

/* What the level below reads of all tangents, flat over its edge's inputs. */
static void gather(const tier_oracle *o, const tier_edge *below, const tier_vector *v,
                   const tier_vector *theta, tier_vector *out) {
  vector_interface.fill(out, 0);
  for (size_t i = 0; i < below->inputs.count; i++) {
    tier_vector from;
    tier_vector to = {
        .size = o->e->p->variables[below->inputs.variables[i]].size,
        .dtype = out->dtype,
        .data = (char *)out->data + (size_t)below->inputs.offsets[i] * dtype_size(out->dtype)};
    if (tangent_part(o, below, below->inputs.variables[i], v, theta, &from)) {
      vector_interface.copy(&from, &to);
    }
  }
}

static tier_vector response_of(const tier_oracle *o, const tier_edge *below) {
  const struct level *l = o->e->lower;
  int64_t offset = span_offset(&l->responding, below->lower->over.variables[0]);
  return (tier_vector){
      .size = below->lower->over.size,
      .dtype = o->e->p->dtype,
      .data = (char *)o->total->response->data + (size_t)offset * dtype_size(o->e->p->dtype)};
}

/* The edges below in the order in which they were solved: the next one after `made`. */
static tier_edge *next_below(const struct level *l, uint64_t made) {
  tier_edge *next = NULL;
  for (size_t i = 0; i < l->edge_count; i++) {
    tier_edge *e = l->edges[i];
    if (e->record.made > made && (next == NULL || e->record.made < next->record.made)) {
      next = e;
    }
  }
  return next;
}

/* The response: tangents of the solutions below, each along what it read. */
static int32_t push_all(tier_oracle *o, const tier_vector *v, const tier_vector *theta) {
  const struct level *l = o->e->lower;
  vector_interface.fill(o->total->response, 0);
  for (tier_edge *e = next_below(l, 0); e != NULL; e = next_below(l, e->record.made)) {
    gather(o, e, v, theta, e->pulled);
    if (vector_interface.max_abs(e->pulled) == 0) {
      continue;
    }
    tier_vector to = response_of(o, e);
    TIER_TRY(e->api->pushforward(e->estimator->object, e, e->estimator->state, &e->record,
                                 e->pulled, &to));
  }
  return TIER_OK;
}

/* The derivatives of D_(d, w') F: direct terms of R's total gradient. */
static int32_t direct_of_direction(tier_oracle *o, const tier_vector *v, const tier_vector *theta,
                                   tier_vector *inputs) {
  tier_edge *e = o->e;
  struct level *l = e->lower;
  struct kernel *k = NULL;
  size_t n = l->placed_count;
  size_t m = l->responding_count;
  TIER_TRY(oracle_activate(o));
  TIER_TRY(products_along(o->products, e, theta != NULL, &k));
  struct point at = {.binding = o->binding, .level = l, .w = o->w->data, .serial = o->serial};
  placed_addresses(l, o->level_step, l->placed, n, v->data, k->given);
  placed_addresses(l, o->level_step, l->responding_placed, m, o->total->response->data,
                   k->given + n);
  if (theta != NULL) {
    placed_addresses(l, o->level_step, e->placed, e->placed_count, theta->data, k->given + n + m);
  }
  placed_addresses(l, o->level_step, l->placed, n, l->gradient->data, k->taken);
  placed_clear(l, k, 0, l->placed, n, l->gradient->data);
  placed_addresses(l, o->level_step, l->responding_placed, m, l->cotangent->data, k->taken + n);
  placed_clear(l, k, n, l->responding_placed, m, l->cotangent->data);
  placed_addresses(l, o->level_step, e->placed, e->placed_count, inputs->data, k->taken + n + m);
  placed_clear(l, k, n + m, e->placed, e->placed_count, inputs->data);
  l->ledger.hvps++;
  l->ledger.cross++;
  l->ledger.samples += o->products->suite->sample_rows;
  return kernel_run(k, e->p, &at, (const void *const *)k->given, k->taken);
}

/* scratch_w, pulled <- the derivatives of D_(d, w') <q, dG/dw> of the level below; `tangent` is
 * what it reads of d and w', `response` its own part of w'. */
static int32_t third_order(tier_edge *e, tier_oracle *o, const tier_vector *tangent,
                           const tier_vector *response) {
  struct level *l = e->lower;
  struct kernel *k = NULL;
  size_t n = l->placed_count;
  TIER_TRY(oracle_activate(o));
  TIER_TRY(products_third(o->products, e, &k));
  struct point at = {.binding = o->binding,
                     .level = l,
                     .w = o->w->data,
                     .serial = o->serial,
                     .held = records_held(o->record, o->row)};
  placed_addresses(l, o->level_step, l->placed, n, e->adjoint->data, k->given);
  placed_addresses(l, o->level_step, l->placed, n, response->data, k->given + n);
  placed_addresses(l, o->level_step, e->placed, e->placed_count, tangent->data, k->given + 2 * n);
  placed_addresses(l, o->level_step, l->placed, n, e->scratch_w->data, k->taken);
  placed_clear(l, k, 0, l->placed, n, e->scratch_w->data);
  placed_addresses(l, o->level_step, e->placed, e->placed_count, e->pulled->data, k->taken + n);
  placed_clear(l, k, n, e->placed, e->placed_count, e->pulled->data);
  l->ledger.hvps++;
  l->ledger.cross++;
  l->ledger.samples += o->products->suite->sample_rows;
  return kernel_run(k, e->p, &at, (const void *const *)k->given, k->taken);
}

/* Subtracts that from the cotangents, the level's gradient and the inputs. */
static int32_t subtract_third(tier_oracle *o, tier_edge *below, const tier_vector *v,
                              const tier_vector *theta, const struct beyond *beyond) {
  struct level *l = o->e->lower;
  tier_oracle *at = NULL;
  tier_vector response = response_of(o, below);
  if (below->record.adjoints == 0) {
    return TIER_OK; /* its cotangent was zero */
  }
  TIER_TRY(problem_interface.at_solution(below, &below->record, 0, below->adjoint_batch, &at));
  gather(o, below, v, theta, below->scratch_inputs);
  int32_t status = third_order(below, at, below->scratch_inputs, &response);
  problem_interface.release(at);
  TIER_TRY(status);
  int64_t offset = span_offset(&l->responding, below->lower->over.variables[0]);
  tier_vector cotangent = {
      .size = response.size,
      .dtype = response.dtype,
      .data = (char *)l->cotangent->data + (size_t)offset * dtype_size(response.dtype)};
  vector_interface.axpy(-1.0, below->scratch_w, &cotangent);
  vector_interface.scale(-1.0, below->pulled);
  return level_distribute(l, below, &below->record, beyond);
}

/* Leaves the derivatives of (dPhi/dm, dPhi/dtheta) along (v, theta) in g[0] and inputs[0]. */
static int32_t exact_inside(tier_oracle *o, const tier_vector *v, const tier_vector *theta) {
  struct total *t = o->total;
  struct level *l = o->e->lower;
  const struct beyond beyond = {&o->e->inputs, t->inputs[0]};
  for (size_t i = 0; i < l->edge_count; i++) {
    l->edges[i]->pullbacks--; /* the rows of the pullback that left the adjoints */
  }
  TIER_TRY(push_all(o, v, theta));
  TIER_TRY(direct_of_direction(o, v, theta, t->inputs[0]));
  for (size_t i = 0; i < l->edge_count; i++) {
    TIER_TRY(subtract_third(o, l->edges[i], v, theta, &beyond));
  }
  TIER_TRY(level_pull(l, &beyond));
  vector_interface.copy(l->gradient, t->g[0]);
  return TIER_OK;
}

static int32_t exact(tier_oracle *o, const tier_vector *v, const tier_vector *theta) {
  enter(o, &o->total->solved);
  int32_t status = exact_inside(o, v, theta);
  leave(o);
  return status;
}

/* ---- products ---- */

int32_t total_products(tier_oracle *o, const tier_vector *v, tier_vector *out, double scale,
                       tier_vector *inputs) {
  TIER_TRY(need_base(o));
  TIER_TRY(report_products(o));
  if (vector_interface.norm(v) == 0) {
    if (out != NULL) {
      vector_interface.fill(out, 0);
    }
    return TIER_OK;
  }
  TIER_TRY(o->total->exact ? exact(o, v, NULL) : differences(o, v));
  if (out != NULL) {
    vector_interface.copy(o->total->g[0], out);
  }
  if (inputs != NULL) {
    inputs_add(o->e, o->row, scale, o->total->inputs[0], inputs);
  }
  return TIER_OK;
}

int32_t total_cross_forward(tier_oracle *o, const tier_vector *tangent, tier_vector *out) {
  TIER_TRY(need_base(o));
  TIER_TRY(report_products(o));
  tier_vector *theta = o->e->scratch_inputs;
  inputs_take(o->e, o->row, tangent, theta);
  if (vector_interface.norm(theta) == 0) {
    vector_interface.fill(out, 0);
    return TIER_OK;
  }
  vector_interface.fill(o->total->m, 0);
  TIER_TRY(o->total->exact ? exact(o, o->total->m, theta) : differences_forward(o, theta));
  vector_interface.copy(o->total->g[0], out);
  return TIER_OK;
}

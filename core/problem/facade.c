/* The facade through which estimators see a problem (tier/problem.h). */
#include "problem/edges.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "problem/blocks.h"
#include "problem/draws.h"
#include "problem/instances.h"
#include "problem/measures.h"
#include "problem/oracles.h"
#include "problem/products.h"
#include "problem/starts.h"
#include "problem/tape.h"
#include "problem/totals.h"
#include "problem/trials.h"

/* ---- sizes and settings ---- */

static int64_t size(const tier_edge *e) {
  return e->lower->over.size;
}
static int64_t input_size(const tier_edge *e) {
  return e->wide;
}
static int64_t steps(const tier_edge *e) {
  return e->lower->steps;
}
static int32_t has_step(const tier_edge *e) {
  return e->lower->stepper != NULL;
}

static int64_t optimizer_state(const tier_edge *e) {
  return e->lower->stepper != NULL ? e->lower->stepper->m : 0;
}

static int32_t step_size(tier_edge *e, const tier_instance *step, double *lr) {
  const struct application *a =
      step != NULL ? instances_application(e->p, step) : e->lower->declared->optimizer;
  if (a == NULL || !(a->component->c.flags & TIER_FIXED_POINT)) {
    return fail(TIER_E_REFUSED,
                "level \"%s\" has no step size on its gradient: its optimizer %s is none of those "
                "whose \"lr\" is one (such as sgd); give \"lr\" or a \"step\"",
                e->lower->declared->name, a != NULL ? a->component->c.id : "none");
  }
  const struct argument *argument = application_argument(a, "lr");
  if (argument != NULL && argument->expr_count > 0) {
    struct evaluated v = {0};
    TIER_TRY(measures_evaluate(e->p, argument->exprs[0], &v));
    int32_t status =
        v.size == 1 ? TIER_OK
                    : fail(TIER_E_REFUSED, "\"lr\" of %s is not one number", a->component->c.id);
    *lr = v.size > 0 ? v.reals[0] : 0;
    evaluated_free(&v);
    return status;
  }
  if (argument == NULL || argument->number_count != 1) {
    return fail(TIER_E_REFUSED, "%s has no \"lr\"", a->component->c.id);
  }
  *lr = argument->numbers[0];
  return TIER_OK;
}

static int32_t fixed_point(const tier_edge *e, const tier_instance *step) {
  const struct application *a =
      step != NULL ? instances_application(e->p, step) : e->lower->declared->optimizer;
  return a != NULL && (a->component->c.flags & TIER_FIXED_POINT) != 0;
}

/* ---- solving ---- */

static int32_t keep(tier_edge *e, tier_record *r, const tier_tape *tape) {
  (void)e;
  return tape_plan(r, tape);
}

void record_reset(tier_record *r) {
  for (size_t i = 0; i < r->report_count; i++) {
    free(r->reports[i].name);
    free(r->reports[i].text);
  }
  r->report_count = 0;
  r->tape.on = 0;
  r->tape.length = 0;
  r->tape.plan = (tier_tape){0};
}

static int32_t run(tier_edge *e, tier_record *r, uint32_t flags) {
  int keep = (flags & TIER_KEEP_TAPE) && e->lower->stepper != NULL;
  TIER_TRY(trial_look_back(r));
  return level_run(e->lower, keep ? r : NULL, (flags & TIER_KEEP_START) ? r : NULL);
}

static int32_t extra_step(tier_edge *e, tier_record *r, int64_t t) {
  struct level *l = e->lower;
  int64_t level_step = level_copy(l, t);
  TIER_TRY(level_draw(l));
  l->binding.level_step = level_step;
  if (l->edge_count > 0) {
    TIER_TRY(level_solve_children(l));
  }
  TIER_TRY(level_gradient(l));
  TIER_TRY(level_guard(l));
  TIER_TRY(tape_push(r, l, e->extra_state[0], level_step));
  TIER_TRY(records_step(r));
  struct point at = level_point(l);
  at.stepper = e->extra;
  at.step_w = l->w->data;
  at.step_g = l->gradient->data;
  at.step_state = e->extra_state[0]->data;
  TIER_TRY(stepper_run(e->extra, &at, l->w_next, e->extra_state[1]));
  vector_interface.copy(l->w_next, l->w);
  l->moved = ++e->p->clock;
  vector_interface.copy(e->extra_state[1], e->extra_state[0]);
  return vector_interface.finite(l->w)
             ? TIER_OK
             : fail(TIER_E_NONFINITE,
                    "level \"%s\": step %lld of the estimator's \"step\" is not "
                    "finite; a smaller learning rate may help",
                    l->declared->name, (long long)t);
}

static int32_t extend(tier_edge *e, tier_record *r, const tier_instance *step, int64_t count) {
  TIER_TRY(edge_extra_stepper(e, step));
  TIER_TRY(tape_begin(r, e->extra, count));
  vector_interface.fill(e->extra_state[0], 0);
  r->tape.restarted = 0; /* it begins at the solution found, a constant */
  int32_t status = TIER_OK;
  for (int64_t t = 0; t < count && status == TIER_OK; t++) {
    status = extra_step(e, r, t);
  }
  tape_end(r, e->lower->w, e->extra_state[0]);
  return status;
}

static const tier_vector *solution(const tier_record *r) {
  return r->made != 0 && r->solution != NULL ? r->solution : r->edge->lower->w;
}

/* The last step that the level took before the solution. */
static int64_t last_step(const tier_record *r) {
  const struct level *l = r->edge->lower;
  return level_copy(l, (r->made != 0 ? r->taken : l->taken) - 1);
}

static int32_t pin(tier_edge *e, tier_record *r, const tier_instance *step) {
  if (step != NULL) {
    TIER_TRY(edge_extra_stepper(e, step));
  } else if (e->lower->stepper == NULL) {
    return fail(TIER_E_REFUSED,
                "the optimizer of level \"%s\" is not a differentiable step: name one, \"step\"",
                e->lower->declared->name);
  }
  return tape_pin(r, step != NULL ? e->extra : e->lower->stepper, solution(r), last_step(r));
}

static int64_t tape_length(const tier_record *r) {
  return r->tape.on ? r->tape.length : 0;
}
static int64_t state_size(const tier_record *r) {
  return r->tape.stepper != NULL ? r->tape.stepper->m : 0;
}

/* ---- oracles ---- */

/* Draws of one hypergradient are this far apart from those of the next. */
#define DRAWS_APART 1048576

int32_t edge_prepare(tier_edge *e, int64_t batch) {
  struct suite *suite = NULL;
  int k = batch > 0;
  if (k && e->products[k] != NULL && e->products[k]->suite->batch != batch) {
    return fail(TIER_E_UNSUPPORTED, "an estimator may use one batch size of its own");
  }
  if (e->products[k] == NULL) {
    TIER_TRY(suites_get(e->lower, batch, &suite));
    e->products[k] = products_new(suite);
    TIER_TRY(binding_prepare(e->p, &e->bindings[k], &suite->context, &suite->builder));
  }
  return TIER_OK;
}

static int32_t oracle_new(tier_edge *e, int64_t batch, tier_oracle **out) {
  int k = batch > 0;
  TIER_TRY(edge_prepare(e, batch));
  tier_oracle *o = memory_alloc(1, sizeof *o);
  *o = (tier_oracle){.e = e, .products = e->products[k], .binding = &e->bindings[k]};
  *out = o;
  return TIER_OK;
}

int32_t oracle_activate(tier_oracle *o) {
  if (o->serial == 0 || o->binding->serial != o->serial) {
    TIER_TRY(binding_draw(o->e->p, o->binding, o->stream, o->draw));
    o->serial = o->binding->serial;
  }
  o->binding->level_step = o->level_step;
  return TIER_OK;
}

static int32_t at_solution(tier_edge *e, tier_record *r, int64_t draw, int64_t batch,
                           tier_oracle **out) {
  TIER_TRY(oracle_new(e, batch, out));
  tier_oracle *o = *out;
  o->record = r;
  o->row = ROW_SOLUTION;
  o->w = vector_view(solution(r)->data, e->lower->over.size);
  o->stream = e->stream;
  o->draw = e->pullbacks * DRAWS_APART + draw;
  o->level_step = last_step(r);
  return TIER_OK;
}

static int32_t at_step(tier_edge *e, tier_record *r, int64_t t, tier_oracle **out) {
  struct frame f;
  TIER_TRY(tape_step(r, t, &f));
  TIER_TRY(oracle_new(e, 0, out));
  tier_oracle *o = *out;
  o->record = r;
  o->row = t;
  o->w = vector_view(f.w, e->lower->over.size);
  o->stream = e->lower->stream;
  o->draw = tape_draw(r, t);
  o->level_step = tape_level_step(r, t);
  return TIER_OK;
}

static void release(tier_oracle *o) {
  if (o != NULL) {
    vector_free(o->w);
    total_free(o->total);
    free(o);
  }
}

static const tier_vector *point(const tier_oracle *o) {
  return o->w;
}

static struct point point_of(const tier_oracle *o, const tier_vector *w) {
  return (struct point){.binding = o->binding,
                        .level = o->e->lower,
                        .w = w->data,
                        .serial = o->serial,
                        .held = records_held(o->record, o->row)};
}

static int32_t gradient_at(tier_oracle *o, const tier_vector *w, double *value,
                           tier_vector *gradient) {
  if (edge_is_total(o->e)) {
    return total_gradient(o, w, value, gradient);
  }
  TIER_TRY(oracle_activate(o));
  struct point at = point_of(o, w);
  double ignored = 0;
  return suite_gradient(o->products->suite, &at, value != NULL ? value : &ignored, NULL, gradient,
                        NULL);
}

static int32_t gradient(tier_oracle *o, double *value, tier_vector *out) {
  return gradient_at(o, o->w, value, out);
}

/* Runs a kernel along flat vectors: `v` over the tensors `vs`, outputs over w and the inputs. */
static int32_t check_apart(const tier_vector *v, const tier_vector *out) {
  return v != NULL && v == out
             ? fail(TIER_E_PLUGIN, "a product's result needs a vector other than the one it is of")
             : TIER_OK;
}

static int32_t run_kernel(tier_oracle *o, struct kernel *k, const tier_vector *w,
                          const struct placed *vs, size_t v_count, const tier_vector *v,
                          tier_vector *out, tier_vector *inputs) {
  tier_edge *e = o->e;
  const struct level *l = e->lower;
  TIER_TRY(check_apart(v, out));
  size_t n = out != NULL ? l->placed_count : 0;
  size_t p = inputs != NULL ? e->placed_count : 0;
  if (v != NULL) {
    placed_addresses(l, o->level_step, vs, v_count, v->data, k->given);
  }
  if (out != NULL) {
    placed_addresses(l, o->level_step, l->placed, n, out->data, k->taken);
    placed_clear(l, k, 0, l->placed, n, out->data);
  }
  if (inputs != NULL) {
    placed_addresses(l, o->level_step, e->placed, p, inputs->data, k->taken + n);
    placed_clear(l, k, n, e->placed, p, inputs->data);
  }
  struct point at = point_of(o, w);
  return kernel_run(k, e->p, &at, (const void *const *)k->given, k->taken);
}

/* One sweep along one vector, whatever it yields: the rows count once. */
static void count_products(const tier_oracle *o, int64_t hvps, int64_t crosses) {
  struct ledger *ledger = &o->e->lower->ledger;
  ledger->hvps += hvps;
  ledger->cross += crosses;
  ledger->samples += o->products->suite->sample_rows;
}

static int32_t hvp(tier_oracle *o, const tier_vector *v, tier_vector *out) {
  if (edge_is_total(o->e)) {
    TIER_TRY(check_apart(v, out));
    return total_products(o, v, out, 0, NULL);
  }
  struct kernel *k = NULL;
  const struct level *l = o->e->lower;
  TIER_TRY(oracle_activate(o));
  TIER_TRY(products_hvp(o->products, o->e, &k));
  count_products(o, 1, 0);
  return run_kernel(o, k, o->w, l->placed, l->placed_count, v, out, NULL);
}

static int32_t hvp_block(tier_oracle *o, int64_t count, const tier_vector *const *vs,
                         tier_vector *const *outs) {
  for (int64_t j = 0; j < count && edge_is_total(o->e); j++) {
    TIER_TRY(hvp(o, vs[j], outs[j]));
  }
  if (edge_is_total(o->e)) {
    return TIER_OK;
  }
  struct kernel *k = NULL;
  const struct level *l = o->e->lower;
  size_t n = l->placed_count;
  TIER_TRY(oracle_activate(o));
  TIER_TRY(products_hvp(o->products, o->e, &k));
  void **vectors = memory_alloc((size_t)count * n, sizeof *vectors);
  void **outputs = memory_alloc((size_t)count * n, sizeof *outputs);
  int32_t status = TIER_OK;
  for (size_t j = 0; j < (size_t)count; j++) {
    status = check_apart(vs[j], outs[j]);
    if (status < 0) {
      break;
    }
    placed_addresses(l, o->level_step, l->placed, n, vs[j]->data, vectors + j * n);
    placed_addresses(l, o->level_step, l->placed, n, outs[j]->data, outputs + j * n);
    placed_clear(l, k, 0, l->placed, n, outs[j]->data);
    count_products(o, 1, 0);
  }
  if (status == TIER_OK) {
    struct point at = point_of(o, o->w);
    status = kernel_run_block(k, o->e->p, &at, count, (const void *const *)vectors, outputs);
  }
  free(vectors);
  free(outputs);
  return status;
}

/* Keeps what a pullback's cross product is along: minus the adjoint, for totals.c. */
static void capture(tier_oracle *o, const tier_vector *v, double scale) {
  tier_edge *e = o->e;
  if (e->captures && o->row == ROW_SOLUTION) {
    vector_interface.axpby(-scale, v, 0.0, e->adjoint);
    e->adjoint_batch = o->products->suite->batch;
    o->record->adjoints++;
  }
}

/* A pullback that uses anything else has no such adjoint. */
static void forbid_capture(const tier_edge *e, tier_record *r) {
  r->adjoints += e->captures ? 2 : 0;
}

static int32_t cross(tier_oracle *o, const tier_vector *v, double scale, tier_vector *inputs) {
  if (edge_is_total(o->e)) {
    return total_products(o, v, NULL, scale, inputs);
  }
  struct kernel *k = NULL;
  const struct level *l = o->e->lower;
  TIER_TRY(oracle_activate(o));
  capture(o, v, scale);
  TIER_TRY(products_cross(o->products, o->e, &k));
  count_products(o, 0, 1);
  TIER_TRY(run_kernel(o, k, o->w, l->placed, l->placed_count, v, NULL, o->e->scratch_inputs));
  inputs_add(o->e, o->row, scale, o->e->scratch_inputs, inputs);
  return TIER_OK;
}

static int32_t products(tier_oracle *o, const tier_vector *v, tier_vector *out, double scale,
                        tier_vector *inputs) {
  if (edge_is_total(o->e)) {
    TIER_TRY(check_apart(v, out));
    return total_products(o, v, out, scale, inputs);
  }
  struct kernel *k = NULL;
  const struct level *l = o->e->lower;
  TIER_TRY(oracle_activate(o));
  capture(o, v, scale);
  TIER_TRY(products_both(o->products, o->e, &k));
  count_products(o, 1, 1);
  TIER_TRY(run_kernel(o, k, o->w, l->placed, l->placed_count, v, out, o->e->scratch_inputs));
  inputs_add(o->e, o->row, scale, o->e->scratch_inputs, inputs);
  return TIER_OK;
}

static int32_t cross_forward(tier_oracle *o, const tier_vector *tangent, tier_vector *out) {
  if (edge_is_total(o->e)) {
    return total_cross_forward(o, tangent, out);
  }
  struct kernel *k = NULL;
  TIER_TRY(oracle_activate(o));
  TIER_TRY(products_cross_forward(o->products, o->e, &k));
  count_products(o, 0, 1);
  inputs_take(o->e, o->row, tangent, o->e->scratch_inputs);
  return run_kernel(o, k, o->w, o->e->placed, o->e->placed_count, o->e->scratch_inputs, out, NULL);
}

static int32_t input_gradient_at(tier_oracle *o, const tier_vector *w, double scale,
                                 tier_vector *inputs) {
  if (edge_is_total(o->e)) {
    return total_input_gradient(o, w, scale, inputs);
  }
  struct kernel *k = NULL;
  forbid_capture(o->e, o->record);
  TIER_TRY(oracle_activate(o));
  TIER_TRY(products_input_gradient(o->products, o->e, &k));
  o->e->lower->ledger.gradients++;
  o->e->lower->ledger.samples += o->products->suite->sample_rows;
  TIER_TRY(run_kernel(o, k, w, NULL, 0, NULL, NULL, o->e->scratch_inputs));
  inputs_add(o->e, o->row, scale, o->e->scratch_inputs, inputs);
  return TIER_OK;
}

/* ---- the step map ---- */

static void *state_part(const struct stepper *s, const tier_vector *state, size_t i) {
  return (char *)state->data + (size_t)s->states[i].offset * dtype_size(s->p->dtype);
}

static int32_t prepare_scratch(tier_edge *e, const struct stepper *s) {
  if (e->scratch_s == NULL || e->scratch_s->size != s->m) {
    vector_free(e->scratch_s);
    e->scratch_s = vector_new(s->m);
  }
  return e->scratch_s != NULL ? TIER_OK : fail(TIER_E_MEMORY, "no memory for a step's cotangents");
}

/* Where a step's product may be written: outputs must not overlap its vectors a and b. */
static tier_vector *apart(tier_vector *out, const tier_vector *a, const tier_vector *b,
                          tier_vector *scratch) {
  return out == a || out == b ? scratch : out;
}

/* Addresses of the parts of a state among a step's outputs, from output `first` on; those that the
 * kernel does not write are set to 0. */
static void take_states(const struct stepper *s, struct kernel *k, size_t first, tier_vector *out) {
  for (size_t i = 0; i < s->state_count; i++) {
    k->taken[first + i] = state_part(s, out, i);
    if (!k->written[first + i]) {
      memset(k->taken[first + i], 0, (size_t)s->states[i].size * dtype_size(s->p->dtype));
    }
  }
}

static void take_flat(struct kernel *k, size_t index, tier_vector *out) {
  k->taken[index] = out->data;
  if (!k->written[index]) {
    vector_interface.fill(out, 0);
  }
}

static int32_t step_vjp(tier_edge *e, tier_record *r, int64_t t, const tier_vector *u_w,
                        const tier_vector *u_s, tier_vector *v_w, tier_vector *v_s,
                        tier_vector *v_g, tier_vector *inputs) {
  struct stepper *s = r->tape.stepper;
  forbid_capture(e, r);
  struct frame f;
  TIER_TRY(tape_step(r, t, &f));
  if (e->step_vjp_of != s) {
    kernel_free(&e->step_vjp);
    TIER_TRY(stepper_make_vjp(s, e->placed, e->placed_count, &e->step_vjp));
    e->step_vjp_of = s;
  }
  TIER_TRY(prepare_scratch(e, s));
  struct binding binding;
  struct point at = tape_point(r, t, &f, &binding);
  struct kernel *k = &e->step_vjp;
  int in_place = v_w == u_w && k->passed[0] == 1; /* w + (what does not depend on w) */
  tier_vector *to_w = in_place ? v_w : apart(v_w, u_w, u_s, e->scratch_w);
  tier_vector *to_g = apart(v_g, u_w, u_s, e->scratch_g);
  tier_vector *to_s = apart(v_s, u_w, u_s, e->scratch_s);
  size_t first = 2 + s->state_count; /* of the inputs */
  k->given[0] = u_w->data;
  for (size_t i = 0; i < s->state_count; i++) {
    k->given[1 + i] = state_part(s, u_s, i);
  }
  take_flat(k, 0, to_w);
  take_flat(k, 1, to_g);
  take_states(s, k, 2, to_s);
  placed_addresses(e->lower, binding.level_step, e->placed, e->placed_count,
                   e->scratch_inputs->data, k->taken + first);
  placed_clear(e->lower, k, first, e->placed, e->placed_count, e->scratch_inputs->data);
  TIER_TRY(kernel_run(k, e->p, &at, (const void *const *)k->given, k->taken));
  vector_interface.copy(to_w, v_w);
  vector_interface.copy(to_g, v_g);
  vector_interface.copy(to_s, v_s);
  if (kernel_writes(k, first, e->placed_count)) {
    inputs_add(e, t, 1.0, e->scratch_inputs, inputs);
  }
  return TIER_OK;
}

static int32_t step_jvp(tier_edge *e, tier_record *r, int64_t t, const tier_vector *t_w,
                        const tier_vector *t_s, const tier_vector *t_g, const tier_vector *inputs,
                        tier_vector *out_w, tier_vector *out_s) {
  struct stepper *s = r->tape.stepper;
  struct frame f;
  TIER_TRY(tape_step(r, t, &f));
  if (e->step_jvp_of != s) {
    kernel_free(&e->step_jvp);
    TIER_TRY(stepper_make_jvp(s, e->placed, e->placed_count, &e->step_jvp));
    e->step_jvp_of = s;
  }
  TIER_TRY(prepare_scratch(e, s));
  struct binding binding;
  struct point at = tape_point(r, t, &f, &binding);
  struct kernel *k = &e->step_jvp;
  tier_vector *to_w = out_w == t_g ? e->scratch_w : apart(out_w, t_w, t_s, e->scratch_w);
  tier_vector *to_s = out_s == t_g ? e->scratch_s : apart(out_s, t_w, t_s, e->scratch_s);
  k->given[0] = t_w->data;
  k->given[1] = t_g->data;
  for (size_t i = 0; i < s->state_count; i++) {
    k->given[2 + i] = state_part(s, t_s, i);
  }
  inputs_take(e, t, inputs, e->scratch_inputs);
  placed_addresses(e->lower, binding.level_step, e->placed, e->placed_count,
                   e->scratch_inputs->data, k->given + 2 + s->state_count);
  take_flat(k, 0, to_w);
  take_states(s, k, 1, to_s);
  TIER_TRY(kernel_run(k, e->p, &at, (const void *const *)k->given, k->taken));
  vector_interface.copy(to_w, out_w);
  vector_interface.copy(to_s, out_s);
  return TIER_OK;
}

static int32_t start_vjp(tier_edge *e, tier_record *r, const tier_vector *u_w,
                         tier_vector *inputs) {
  return r->tape.restarted ? start_pull(e, r, u_w, inputs) : TIER_OK;
}

/* ---- reports ---- */

const struct report_entry *record_report(const tier_record *r, const char *name) {
  for (size_t i = 0; i < r->report_count; i++) {
    if (strcmp(r->reports[i].name, name) == 0) {
      return &r->reports[i];
    }
  }
  return NULL;
}

static struct report_entry *report(tier_record *r, const char *name) {
  const struct report_entry *found = record_report(r, name);
  if (found != NULL) {
    return &r->reports[found - r->reports];
  }
  struct report_entry entry = {.name = memory_copy_text(name)};
  array_push(r->reports, r->report_count, r->report_capacity, entry);
  return &r->reports[r->report_count - 1];
}

static int32_t report_number(tier_record *r, const char *name, double value) {
  report(r, name)->number = value;
  return TIER_OK;
}

static int32_t report_text(tier_record *r, const char *name, const char *text) {
  struct report_entry *entry = report(r, name);
  free(entry->text);
  entry->text = memory_copy_text(text);
  return TIER_OK;
}

const tier_problem_1 problem_interface = {
    .struct_size = (uint32_t)sizeof(tier_problem_1),
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
    .rest = response_rest,
    .look_ahead = trial_look_ahead,
    .trial = trial_run,
    .optimizer_state = optimizer_state,
    .upper_value = trial_upper_value,
};

#include "problem/steppers.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "diff/diff.h"
#include "problem/builder.h"
#include "problem/draws.h"
#include "problem/instances.h"
#include "problem/reversible.h"
#include "problem/variables.h"

/* ---- declaring the state ---- */

struct state_declaration {
  tier_step_states face;
  struct stepper *s;
};

static int32_t declare(tier_step_states *face, const char *name, int32_t shape) {
  struct stepper *s = ((struct state_declaration *)(void *)face)->s;
  if (shape != TIER_STATE_LIKE_W && shape != TIER_STATE_SCALAR) {
    return fail(TIER_E_PLUGIN, "state \"%s\" has an unknown shape %d", name, shape);
  }
  struct step_state state = {.name = arena_text(s->p->arena, name),
                             .shape = shape,
                             .offset = s->m,
                             .size = shape == TIER_STATE_LIKE_W ? s->n : 1};
  s->m += state.size;
  array_push(s->states, s->state_count, s->state_capacity, state);
  return TIER_OK;
}

static const tier_step_states_1 states_interface = {
    .struct_size = (uint32_t)sizeof(tier_step_states_1), .declare = declare};

/* ---- building ---- */

struct step_build {
  tier_step_build face;
  struct stepper *s;
  int32_t status;
};

static struct stepper *stepper_of(tier_step_build *face) {
  return ((struct step_build *)(void *)face)->s;
}

static tier_value get_w(tier_step_build *face) {
  return stepper_of(face)->w;
}
static tier_value get_gradient(tier_step_build *face) {
  return stepper_of(face)->g;
}

static struct step_state *find_state(struct stepper *s, const char *name) {
  for (size_t i = 0; i < s->state_count; i++) {
    if (strcmp(s->states[i].name, name) == 0) {
      return &s->states[i];
    }
  }
  return NULL;
}

static tier_value get_state(tier_step_build *face, const char *name) {
  struct step_state *state = find_state(stepper_of(face), name);
  return state != NULL ? state->input
                       : face->graph->api->fail(face->graph, "a state that was not declared");
}

/* The value at a slot: an expression without rows, or a number; of any shape. */
static tier_value slot_value(tier_step_build *face, const char *slot) {
  struct stepper *s = stepper_of(face);
  const struct argument *a = application_argument(s->application, slot);
  if (a != NULL && a->expr_count > 0) {
    struct meaning m;
    int32_t status = builder_value(&s->builder, a->exprs[0], &m);
    if (status == TIER_OK && m.rows >= 0) {
      status = fail(TIER_E_INVALID, "%s: slot \"%s\" has rows of data; it must be one value",
                    s->application->component->c.id, slot);
      status = fail_at(&a->place, status);
    }
    ((struct step_build *)(void *)face)->status = status;
    return status == TIER_OK ? m.value : 0;
  }
  if (a == NULL || a->number_count == 0) {
    return face->graph->api->fail(face->graph, "a slot without a number was read");
  }
  return tier_scalar(face->graph, a->numbers[0]);
}

static tier_value hyper_scalar(tier_step_build *face, const char *slot) {
  tier_value v = slot_value(face, slot);
  if (v != 0 && value_size(graph_value(stepper_of(face)->builder.g, v)) != 1) {
    return face->graph->api->fail(face->graph, "this hyperparameter must be a scalar");
  }
  return v != 0 ? tier_reshape(face->graph, v, NULL, 0) : 0;
}

static tier_value hyper(tier_step_build *face, const char *slot) {
  struct stepper *s = stepper_of(face);
  tier_value v = slot_value(face, slot);
  if (v == 0) {
    return 0;
  }
  int64_t size = value_size(graph_value(s->builder.g, v));
  if (size != 1 && size != s->n) {
    return face->graph->api->fail(face->graph,
                                  "a hyperparameter must be one number, or one for each weight");
  }
  v = tier_reshape(face->graph, v, &size, 1);
  return size == s->n ? v : tier_broadcast(face->graph, v, &s->n, 1);
}

static int32_t set_w(tier_step_build *face, tier_value v) {
  stepper_of(face)->w_next = v;
  return TIER_OK;
}

static int32_t set_state(tier_step_build *face, const char *name, tier_value v) {
  struct step_state *state = find_state(stepper_of(face), name);
  if (state == NULL) {
    return fail(TIER_E_PLUGIN, "state \"%s\" was not declared", name);
  }
  state->output = v;
  return TIER_OK;
}

static const tier_step_build_1 build_interface = {
    .struct_size = (uint32_t)sizeof(tier_step_build_1),
    .w = get_w,
    .gradient = get_gradient,
    .state = get_state,
    .hyper = hyper,
    .hyper_scalar = hyper_scalar,
    .set_w = set_w,
    .set_state = set_state,
};

static int32_t check_output(const struct stepper *s, tier_value v, int64_t size, const char *what) {
  if (v == 0 || value_size(graph_value(s->builder.g, v)) != size) {
    return fail(TIER_E_PLUGIN, "%s did not set %s, or to a wrong shape",
                s->application->component->c.id, what);
  }
  return TIER_OK;
}

/* A step is run without rows at hand, and its derivatives by w are those through w and g alone. */
static int32_t check_reads(const struct stepper *s) {
  for (size_t i = 0; i < s->builder.input_count; i++) {
    const struct input *in = &s->builder.inputs[i];
    if (in->kind == INPUT_FIELD || in->kind == INPUT_ROWS || in->kind == INPUT_KEY) {
      return fail(TIER_E_UNSUPPORTED,
                  "a hyperparameter of %s, or a set, that reads data or random numbers is not "
                  "supported yet",
                  s->application->component->c.id);
    }
    if (in->kind == INPUT_TENSOR && s->p->variables[in->index].owner == s->level->index) {
      return fail(TIER_E_UNSUPPORTED,
                  "a hyperparameter of %s that reads \"%s\", which it steps, is not supported yet",
                  s->application->component->c.id, s->p->variables[in->index].declared->name);
    }
  }
  return builder_check_copies(&s->builder);
}

/* ---- sets: what the step moves is projected within it, so that its derivatives are right ---- */

/* The variable's part of the flat vector, as its sets see it: a model flat, an array in its shape,
 * copies as rows. */
static tier_value part_of(struct stepper *s, const struct variable *v) {
  tier_graph *g = &s->builder.g->face;
  int64_t dims[TIER_MAX_RANK];
  tier_value part = tier_slice_axis(g, s->w_next, 0, v->offset, v->offset + v->size);
  if (v->model != NULL && v->copies == 1) {
    return part;
  }
  int32_t rank = tensor_shape(v, &v->tensors[0], dims);
  if (v->copies > 1 && v->declared->per_data < 0) {
    memmove(dims + 1, dims, (size_t)rank * sizeof *dims);
    dims[0] = v->copies;
    rank++;
  }
  return tier_reshape(g, part, dims, rank);
}

static int32_t project_variable(struct stepper *s, const struct variable *v, tier_value *out) {
  tier_graph *g = &s->builder.g->face;
  struct meaning x = {.value = part_of(s, v), .rows = v->declared->per_data};
  for (size_t i = 0; i < v->declared->set_count; i++) {
    TIER_TRY(builder_project(&s->builder, v->declared->sets[i], &x, &x.value));
  }
  *out = tier_reshape(g, x.value, &v->size, 1);
  return TIER_OK;
}

int level_has_sets(const struct level *l) {
  for (size_t i = 0; i < l->over.count; i++) {
    if (l->p->variables[l->over.variables[i]].declared->set_count > 0) {
      return 1;
    }
  }
  return 0;
}

static int32_t project(struct stepper *s) {
  const struct level *l = s->level;
  tier_graph *g = &s->builder.g->face;
  if (!level_has_sets(l)) {
    return TIER_OK;
  }
  if (s->reversible != NULL) {
    return fail(TIER_E_UNSUPPORTED, "%s runs backwards, which a projection (\"within\") does not",
                s->application->component->c.id);
  }
  tier_value *parts = memory_alloc(l->over.count, sizeof *parts);
  int32_t status = TIER_OK;
  for (size_t i = 0; i < l->over.count && status == TIER_OK; i++) {
    const struct variable *v = &s->p->variables[l->over.variables[i]];
    parts[i] = tier_slice_axis(g, s->w_next, 0, v->offset, v->offset + v->size);
    if (v->declared->set_count > 0) {
      status = project_variable(s, v, &parts[i]);
    }
  }
  if (status == TIER_OK) {
    s->w_next = tier_concat(g, parts, (uint32_t)l->over.count, 0);
    status = graph_status(s->builder.g);
  }
  free(parts);
  return status;
}

static int32_t build(struct stepper *s) {
  struct builder *b = &s->builder;
  struct step_build face = {.face = {&build_interface, &b->g->face}, .s = s};
  s->w = builder_input(b, INPUT_W, 0, 0, TIER_REAL, &s->n, 1);
  s->g = builder_input(b, INPUT_G, 0, 0, TIER_REAL, &s->n, 1);
  for (size_t i = 0; i < s->state_count; i++) {
    int32_t rank = s->states[i].shape == TIER_STATE_LIKE_W;
    s->states[i].input = builder_input(b, INPUT_STATE, 0, (int)i, TIER_REAL, &s->n, rank);
    s->states[i].output = s->states[i].input; /* what is not set stays as it is */
  }
  const char *place = arena_format(s->p->arena, "%s:%d:%d", s->application->place.file,
                                   s->application->place.line, s->application->place.column);
  uint32_t before = graph_origin(
      b->g,
      (struct origin){.plugin = s->application->component->c.id, .entry = "step", .place = place});
  int32_t status = s->api->build(s->instance->object, &face.face);
  status = status < 0 ? status : reversible_find(s, &face.face);
  graph_restore_origin(b->g, before);
  TIER_TRY(face.status);
  TIER_TRY(status);
  TIER_TRY(graph_status(b->g));
  TIER_TRY(check_output(s, s->w_next, s->n, "w"));
  TIER_TRY(project(s));
  TIER_TRY(check_reads(s));
  for (size_t i = 0; i < s->state_count; i++) {
    TIER_TRY(check_output(s, s->states[i].output, s->states[i].size, s->states[i].name));
  }
  return TIER_OK;
}

int32_t stepper_new(struct level *l, const struct instance *i, const struct application *a,
                    struct stepper **out) {
  struct stepper *s = memory_alloc(1, sizeof *s);
  *out = s;
  *s = (struct stepper){.p = l->p,
                        .level = l,
                        .instance = i,
                        .application = a,
                        .api = instance_get(i, "tier.step/1"),
                        .n = l->over.size};
  if (s->api == NULL) {
    return fail(TIER_E_INVALID, "optimizer %s is procedural: it has no differentiable step",
                a->component->c.id);
  }
  if (s->api->states != NULL) {
    struct state_declaration d = {.face = {&states_interface}, .s = s};
    TIER_TRY(s->api->states(i->object, &d.face));
  }
  context_all(l->p, l->p->arena, &s->context);
  TIER_TRY(builder_new(l->p, &s->context, &s->builder));
  s->builder.owner = l->declared->name;
  int32_t status = build(s);
  return status < 0 ? fail_at(&a->place, status) : TIER_OK;
}

void stepper_free(struct stepper *s) {
  if (s != NULL) {
    kernel_free(&s->forward);
    reversible_free(s);
    builder_free(&s->builder);
    free(s->states);
    free(s);
  }
}

static void *state_address(const struct stepper *s, const tier_vector *state, size_t index) {
  return (char *)state->data + (size_t)s->states[index].offset * dtype_size(s->p->dtype);
}

static int32_t make_forward(struct stepper *s) {
  tier_value *values = memory_alloc(1 + s->state_count, sizeof *values);
  values[0] = s->w_next;
  for (size_t i = 0; i < s->state_count; i++) {
    values[1 + i] = s->states[i].output;
  }
  int32_t status = kernel_make(&s->forward, "step", &s->builder, FAST_TENSORS, NULL, 0, values,
                               1 + (uint32_t)s->state_count);
  free(values);
  return status;
}

int32_t stepper_run(struct stepper *s, const struct point *at, tier_vector *w_next,
                    tier_vector *state_next) {
  if (s->reversible != NULL) {
    return reversible_run(s, at, w_next->data, state_next->data);
  }
  struct kernel *k = &s->forward;
  if (k->program == NULL) {
    TIER_TRY(make_forward(s));
  }
  k->taken[0] = w_next->data;
  for (size_t i = 0; i < s->state_count; i++) {
    k->taken[1 + i] = state_address(s, state_next, i);
  }
  return kernel_run(k, s->p, at, NULL, k->taken);
}

/* ---- derivatives ---- */

/* The inputs of the step's graph that stand for the placed tensors: 0 where it does not read them.
 */
static void find_placed(const struct stepper *s, const struct placed *placed, size_t count,
                        tier_value *out) {
  for (size_t i = 0; i < count; i++) {
    out[i] = builder_find(&s->builder, INPUT_TENSOR, placed[i].variable, placed[i].tensor);
  }
}

static tier_value like(struct stepper *s, tier_value v, const char *name) {
  const struct value *value = graph_value(s->builder.g, v);
  int64_t dims[TIER_MAX_RANK];
  memcpy(dims, value->dims, sizeof dims);
  return graph_input(s->builder.g, TIER_REAL, dims, value->rank, name);
}

/* Sums the vjps of every output of the step (w, states) by every input x. */
static int32_t pull(struct stepper *s, const tier_value *cotangents, const tier_value *xs,
                    size_t count, tier_value *sums) {
  tier_value *parts = memory_alloc(count, sizeof *parts);
  tier_value *present = memory_alloc(count, sizeof *present);
  int32_t status = TIER_OK;
  uint32_t live = 0;
  for (size_t i = 0; i < count; i++) {
    sums[i] = 0;
    if (xs[i] != 0) {
      present[live++] = xs[i];
    }
  }
  for (size_t o = 0; o <= s->state_count && status == TIER_OK; o++) {
    tier_value y = o == 0 ? s->w_next : s->states[o - 1].output;
    status = diff_gradient(s->builder.g, y, cotangents[o], present, live, parts);
    for (size_t i = 0, k = 0; i < count && status == TIER_OK; i++) {
      if (xs[i] != 0) {
        sums[i] = graph_add(s->builder.g, sums[i], parts[k++]);
      }
    }
  }
  free(parts);
  free(present);
  return status;
}

int32_t stepper_make_vjp(struct stepper *s, const struct placed *placed, size_t count,
                         struct kernel *k) {
  size_t total = 2 + s->state_count + count;
  tier_value *xs = memory_alloc(total, sizeof *xs);
  tier_value *outputs = memory_alloc(total, sizeof *outputs);
  tier_value *vectors = memory_alloc(1 + s->state_count, sizeof *vectors);
  xs[0] = s->w;
  xs[1] = s->g;
  vectors[0] = like(s, s->w_next, "u_w");
  for (size_t i = 0; i < s->state_count; i++) {
    xs[2 + i] = s->states[i].input;
    vectors[1 + i] = like(s, s->states[i].output, "u_s");
  }
  find_placed(s, placed, count, xs + 2 + s->state_count);
  int32_t status = pull(s, vectors, xs, total, outputs);
  if (status == TIER_OK) {
    status = kernel_make(k, "step vjp", &s->builder, FAST_TENSORS, vectors,
                         1 + (uint32_t)s->state_count, outputs, (uint32_t)total);
  }
  free(xs);
  free(outputs);
  free(vectors);
  return status;
}

int32_t stepper_make_jvp(struct stepper *s, const struct placed *placed, size_t count,
                         struct kernel *k) {
  size_t total = 2 + s->state_count + count;
  tier_value *xs = memory_alloc(total, sizeof *xs);
  tier_value *vectors = memory_alloc(total, sizeof *vectors);
  tier_value *tangents = memory_alloc(total, sizeof *tangents);
  tier_value *ys = memory_alloc(1 + s->state_count, sizeof *ys);
  tier_value *outputs = memory_alloc(1 + s->state_count, sizeof *outputs);
  xs[0] = s->w;
  xs[1] = s->g;
  ys[0] = s->w_next;
  for (size_t i = 0; i < s->state_count; i++) {
    xs[2 + i] = s->states[i].input;
    ys[1 + i] = s->states[i].output;
  }
  for (size_t i = 0; i < 2 + s->state_count; i++) {
    vectors[i] = like(s, xs[i], "t");
  }
  find_placed(s, placed, count, xs + 2 + s->state_count);
  placed_inputs(&s->builder, placed, count, "t", vectors + 2 + s->state_count);
  uint32_t live = 0;
  for (size_t i = 0; i < total; i++) {
    if (xs[i] != 0) {
      xs[live] = xs[i];
      tangents[live++] = vectors[i];
    }
  }
  int32_t status =
      diff_jvp(s->builder.g, ys, 1 + (uint32_t)s->state_count, xs, tangents, live, outputs);
  if (status == TIER_OK) {
    status = kernel_make(k, "step jvp", &s->builder, FAST_TENSORS, vectors, (uint32_t)total,
                         outputs, 1 + (uint32_t)s->state_count);
  }
  free(xs);
  free(vectors);
  free(tangents);
  free(ys);
  free(outputs);
  return status;
}

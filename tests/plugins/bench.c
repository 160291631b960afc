#include "bench.h"

#include <stdlib.h>

#include "backend/backend.h"
#include "compile/program.h"

/* The faces through which plugins see a bench; the bench is found behind them. */
struct build_face {
  tier_build face; /* first */
  struct bench *b;
};
struct variables_face {
  tier_variables face; /* first */
  struct bench *b;
};
struct states_face {
  tier_step_states face; /* first */
  struct bench *b;
};
struct step_face {
  tier_step_build face; /* first */
  struct bench *b;
};

void bench_open(struct bench *b, struct instance *i) {
  *b = (struct bench){.g = graph_new(), .instance = i};
}

void bench_close(struct bench *b) {
  graph_free(b->g);
  free_instance(b->instance);
}

static struct bench_value *add(struct bench_value *list, int *count, char role, const char *name,
                               tier_value v) {
  assert_true(*count < BENCH_MOST);
  struct bench_value *e = &list[(*count)++];
  *e = (struct bench_value){.role = role, .value = v};
  (void)snprintf(e->name, sizeof e->name, "%s", name);
  return e;
}

static const struct bench_value *find(const struct bench_value *list, int count, char role,
                                      const char *name) {
  for (int i = 0; i < count; i++) {
    if ((role == 0 || list[i].role == role) && strcmp(list[i].name, name) == 0) {
      return &list[i];
    }
  }
  return NULL;
}

tier_value bench_input(struct bench *b, char role, const char *name, const int64_t *dims,
                       int32_t rank, const double *data) {
  tier_value v = graph_input(b->g, TIER_REAL, dims, rank, name);
  add(b->inputs, &b->input_count, role, name, v)->data = data;
  return v;
}

tier_value bench_labels(struct bench *b, const char *name, int64_t n, const int32_t *data) {
  tier_value v = graph_input(b->g, TIER_I32, &n, 1, name);
  add(b->inputs, &b->input_count, 'i', name, v)->data = data;
  return v;
}

tier_value bench_key(struct bench *b, const int32_t *data) {
  const int64_t four = 4;
  tier_value v = graph_input(b->g, TIER_I32, &four, 1, "key");
  add(b->inputs, &b->input_count, 'k', "key", v)->data = data;
  return v;
}

void bench_alias(struct bench *b, const char *name, tier_value v) {
  add(b->aliases, &b->alias_count, 'i', name, v);
}

void bench_operand(struct bench *b, tier_value v) {
  b->list[b->list_count++] = v;
}

/* ---- tier.function/1 ---- */

static struct bench *of_build(tier_build *face) {
  return ((struct build_face *)(void *)face)->b;
}

static tier_value input(tier_build *face, const char *slot) {
  struct bench *b = of_build(face);
  const struct bench_value *v = find(b->inputs, b->input_count, 'i', slot);
  v = v != NULL ? v : find(b->aliases, b->alias_count, 'i', slot);
  return v != NULL ? v->value : 0;
}

static int64_t count(tier_build *face, const char *slot) {
  (void)slot;
  return of_build(face)->list_count;
}

static tier_value input_at(tier_build *face, const char *slot, int64_t index) {
  (void)slot;
  return of_build(face)->list[index];
}

static tier_value variable(tier_build *face, const char *name) {
  struct bench *b = of_build(face);
  const struct bench_value *v = find(b->inputs, b->input_count, 'v', name);
  if (v == NULL) {
    fail_test("the plugin asks for the variable \"%s\", which was not declared", name);
  }
  return v->value;
}

static tier_value key(tier_build *face) {
  struct bench *b = of_build(face);
  const struct bench_value *v = find(b->inputs, b->input_count, 'k', "key");
  return v != NULL ? v->value : 0;
}

static int32_t output(tier_build *face, const char *name, tier_value v) {
  struct bench *b = of_build(face);
  add(b->outputs, &b->output_count, 'o', name != NULL ? name : "", v);
  return TIER_OK;
}

static const tier_build_1 build_api = {.struct_size = (uint32_t)sizeof build_api,
                                       .input = input,
                                       .count = count,
                                       .input_at = input_at,
                                       .variable = variable,
                                       .key = key,
                                       .output = output};

int32_t bench_build(struct bench *b, const char *entry) {
  const tier_function_1 *function = instance_get(b->instance, "tier.function/1");
  struct build_face face = {.face = {.api = &build_api, .graph = &b->g->face}, .b = b};
  int32_t status = function->build(b->instance->object, entry, &face.face);
  return graph_status(b->g) < 0 ? graph_status(b->g) : status;
}

static int32_t declare_variable(tier_variables *face, const char *name, const int64_t *dims,
                                int32_t rank, int32_t initializer, double a, double c) {
  struct bench *b = ((struct variables_face *)(void *)face)->b;
  struct bench_value *v = add(b->declared, &b->declared_count, 'v', name, 0);
  memcpy(v->dims, dims, (size_t)rank * sizeof(int64_t));
  v->rank = rank;
  v->initializer = initializer;
  v->a = a;
  v->b = c;
  return TIER_OK;
}

void bench_variables(struct bench *b) {
  static const tier_variables_1 api = {.struct_size = (uint32_t)sizeof api,
                                       .declare = declare_variable};
  const tier_function_1 *function = instance_get(b->instance, "tier.function/1");
  struct variables_face face = {.face = {&api}, .b = b};
  assert_ok(function->variables(b->instance->object, &face.face));
}

/* ---- tier.step/1 ---- */

static struct bench *of_step(tier_step_build *face) {
  return ((struct step_face *)(void *)face)->b;
}

static int32_t declare_state(tier_step_states *face, const char *name, int32_t shape) {
  static const double zeros[1000];
  struct bench *b = ((struct states_face *)(void *)face)->b;
  if (find(b->inputs, b->input_count, 's', name) == NULL) {
    (void)bench_input(b, 's', name, &b->n, shape == TIER_STATE_LIKE_W ? 1 : 0, zeros);
  }
  return TIER_OK;
}

static tier_value need(tier_step_build *face, char role, const char *name) {
  struct bench *b = of_step(face);
  const struct bench_value *v = find(b->inputs, b->input_count, role, name);
  if (v == NULL) {
    fail_test("the step asks for \"%s\", which is not there", name);
  }
  return v->value;
}

static tier_value step_w(tier_step_build *face) {
  return need(face, 'i', "w");
}
static tier_value step_gradient(tier_step_build *face) {
  return need(face, 'i', "gradient");
}
static tier_value step_state(tier_step_build *face, const char *name) {
  return need(face, 's', name);
}
static tier_value hyper_scalar(tier_step_build *face, const char *slot) {
  return need(face, 'h', slot);
}
static tier_value hyper(tier_step_build *face, const char *slot) {
  tier_graph *g = face->graph;
  const int64_t one = 1;
  tier_value v = tier_reshape(g, need(face, 'h', slot), &one, 1);
  return tier_broadcast(g, v, &of_step(face)->n, 1);
}

static int32_t set_w(tier_step_build *face, tier_value w) {
  struct bench *b = of_step(face);
  add(b->outputs, &b->output_count, 'o', "w", w);
  return TIER_OK;
}
static int32_t set_state(tier_step_build *face, const char *name, tier_value v) {
  struct bench *b = of_step(face);
  add(b->outputs, &b->output_count, 'S', name, v);
  return TIER_OK;
}

void bench_step(struct bench *b, int64_t n, const double *w, const double *g) {
  static const tier_step_states_1 states_api = {.struct_size = (uint32_t)sizeof states_api,
                                                .declare = declare_state};
  static const tier_step_build_1 api = {.struct_size = (uint32_t)sizeof api,
                                        .w = step_w,
                                        .gradient = step_gradient,
                                        .state = step_state,
                                        .hyper = hyper,
                                        .hyper_scalar = hyper_scalar,
                                        .set_w = set_w,
                                        .set_state = set_state};
  const tier_step_1 *step = instance_get(b->instance, "tier.step/1");
  struct states_face states = {.face = {&states_api}, .b = b};
  struct step_face face = {.face = {.api = &api, .graph = &b->g->face}, .b = b};
  b->n = n;
  (void)bench_input(b, 'i', "w", &n, 1, w);
  (void)bench_input(b, 'i', "gradient", &n, 1, g);
  if (step->states != NULL) {
    assert_ok(step->states(b->instance->object, &states.face));
  }
  assert_ok(step->build(b->instance->object, &face.face));
  assert_ok(graph_status(b->g));
}

tier_value bench_output(const struct bench *b, const char *name) {
  const struct bench_value *v = find(b->outputs, b->output_count, 0, name);
  if (v == NULL) {
    fail_test("there is no output \"%s\"", name);
  }
  return v->value;
}

tier_value bench_find(const struct bench *b, const char *name) {
  const struct bench_value *v = find(b->inputs, b->input_count, 0, name);
  assert_non_null(v);
  return v->value;
}

/* ---- evaluation ---- */

int64_t bench_evaluate(const struct bench *b, tier_value v, double *out) {
  struct program_options options = {.dtype = DTYPE_F64, .backend = backend_find("reference")};
  struct program *p = NULL;
  tier_value slow[BENCH_MOST];
  const void *data[BENCH_MOST];
  void *outputs[1] = {out};
  assert_ok(graph_status(b->g));
  for (int i = 0; i < b->input_count; i++) {
    slow[i] = b->inputs[i].value;
    data[i] = b->inputs[i].data;
  }
  assert_ok(program_compile(b->g, &options, slow, (uint32_t)b->input_count, NULL, 0, &v, 1, &p));
  assert_ok(program_bind(p, data));
  assert_ok(program_apply(p, NULL, outputs));
  program_free(p);
  return value_size(graph_value(b->g, v));
}

void bench_check(const struct bench *b, tier_value v, const int64_t *dims, int32_t rank,
                 const double *expected, double tolerance) {
  double out[256];
  const struct value *shape = graph_value(b->g, v);
  assert_int_equal(shape->rank, rank);
  for (int32_t i = 0; i < rank; i++) {
    assert_int_equal(shape->dims[i], dims[i]);
  }
  int64_t size = bench_evaluate(b, v, out);
  for (int64_t i = 0; i < size; i++) {
    assert_near(out[i], expected[i], tolerance);
  }
}

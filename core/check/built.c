#include "check/built.h"

#include <stdlib.h>
#include <string.h>
#include <tier/function.h>
#include <tier/nn.h>

#include "backend/backend.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "check/instances.h"
#include "compile/program.h"
#include "diff/diff.h"
#include "manifest/json.h"

/* ---- arguments ---- */

/* What components of ours need that have no default, and what else an example should set. */
static const struct {
  const char *kind, *id, *arguments;
} examples[] = {
    {"model", "linear", "[3, 2]"},
    {"model", "autoencoder", "[3, 4, 2]"},
    {"model", "cnn",
     "{\"layers\": [2], \"image\": [4, 4, 1], \"channels\": [2], \"kernels\": [3], \"pool\": 2}"},
    {"model", "critic", "[3, 4]"},
    {"model", "denoiser", "[3, 4]"},
    {"model", "discriminator", "[3, 4]"},
    {"model", "generator", "[3, 4, 2]"},
    {"model", "random-features", "[3, 4, 2]"},
    {"model", "mlp", "{\"layers\": [3, 4, 2], \"activation\": \"tanh\"}"},
    {"model", "vae",
     "{\"layers\": [3, 4, 2], \"activation\": \"tanh\", \"decoder\": \"gaussian\", "
     "\"variance\": \"each\"}"},
};
/* Optional inputs that are given: of several of which one must be. */
static const struct {
  const char *id, *slot;
} given[] = {{"normal", "log_variance"},
             {"normal-entropy", "log_variance"},
             {"normal-likelihood", "log_variance"}};
/* Inputs of another width than BUILT_WIDTH. */
static const struct {
  const char *id, *slot;
  int64_t width;
} widths[] = {{"vae", "z", 2},
              {"autoencoder", "z", 2},
              {"cnn", "x", 16},
              {"ball", "radius", 1},
              {"ddpm-noise", "time", 1},
              {"ddpm-step", "time", 1},
              {"time-embedding", "of", 1}};

/* Is the slot an input that the tests give? */
static int is_input(const struct check *c, const tier_slot *s) {
  int expression = s->type == TIER_SLOT_EXPRESSION || s->type == TIER_SLOT_EXPRESSIONS;
  for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
    if (strcmp(given[i].id, c->component->c.id) == 0 && strcmp(given[i].slot, s->name) == 0) {
      return expression;
    }
  }
  return expression && (s->flags & TIER_SLOT_REQUIRED);
}

static void set_numbers(struct params *p, const char *slot, const struct json *j) {
  double numbers[64];
  size_t count = 0;
  for (size_t i = 0; i < (j->type == JSON_LIST ? j->count : 1) && count < 64; i++) {
    const struct json *item = j->type == JSON_LIST ? j->items[i] : j;
    numbers[count++] = item->type == JSON_BOOLEAN ? item->boolean : item->number;
  }
  params_set_numbers(p, slot, numbers, count);
}

static void set_argument(struct params *p, const char *slot, const struct json *j) {
  if (j->type == JSON_STRING) {
    params_set_texts(p, slot, &j->text, 1);
  } else {
    set_numbers(p, slot, j);
  }
}

/* The JSON text of the arguments, in the arena; NULL: defaults. */
static const struct json *arguments_of(const struct check *c, struct arena *a) {
  const char *text = c->with;
  struct json *j = NULL;
  for (size_t i = 0; i < sizeof examples / sizeof examples[0] && text == NULL; i++) {
    if (strcmp(examples[i].id, c->component->c.id) == 0 &&
        strcmp(examples[i].kind, c->component->c.kind) == 0) {
      text = examples[i].arguments;
    }
  }
  if (text == NULL || json_parse(a, "--with", text, strlen(text), &j) != TIER_OK) {
    return NULL;
  }
  struct json *inner = json_member(j, c->component->c.id);
  return j->type == JSON_OBJECT && inner != NULL ? inner : j;
}

int32_t built_instance(const struct check *c, struct instance **out) {
  struct arena *a = arena_new();
  struct params *p = check_params(c->component);
  const struct json *j = arguments_of(c, a);
  for (uint32_t i = 0; i < c->component->c.slot_count; i++) {
    if (is_input(c, &c->component->c.slots[i])) {
      params_set_given(p, c->component->c.slots[i].name);
    }
  }
  if (j != NULL && j->type == JSON_OBJECT) {
    for (size_t i = 0; i < j->count; i++) {
      set_argument(p, j->items[i]->key, j->items[i]);
    }
  } else if (j != NULL && c->component->c.slot_count > 0) {
    set_argument(p, c->component->c.slots[0].name, j);
  }
  int32_t status = instance_new(p, out);
  if (status < 0 && j == NULL) {
    error_clear();
    status = fail(TIER_E_REFUSED, "it needs arguments: write --with '{\"%s\": ...}'",
                  c->component->c.id);
  }
  arena_free(a);
  return status;
}

/* ---- what a build sees ---- */

struct face {
  tier_build face; /* first */
  struct built *b;
};
struct variables_face {
  tier_variables face; /* first */
  struct built *b;
};

static struct built *of(tier_build *face) {
  return ((struct face *)(void *)face)->b;
}

tier_value built_find(const struct built *b, const char *name) {
  for (size_t i = 0; i < b->input_count; i++) {
    if (strcmp(b->inputs[i].name, name) == 0) {
      return b->inputs[i].value;
    }
  }
  return 0;
}

static tier_value input(tier_build *face, const char *slot) {
  return built_find(of(face), slot);
}
static int64_t count_of(tier_build *face, const char *slot) {
  (void)slot;
  return of(face)->operands;
}
static tier_value input_at(tier_build *face, const char *slot, int64_t index) {
  const struct built *b = of(face);
  int64_t seen = 0;
  for (size_t i = 0; i < b->input_count; i++) {
    if (strcmp(b->inputs[i].name, slot) == 0 && seen++ == index) {
      return b->inputs[i].value;
    }
  }
  return 0;
}
static tier_value key(tier_build *face) {
  return built_find(of(face), BUILT_KEY);
}
static int32_t output(tier_build *face, const char *name, tier_value v) {
  struct built *b = of(face);
  (void)name;
  if (b->output_count == BUILT_MOST) {
    return fail(TIER_E_INVALID, "more than %d outputs", BUILT_MOST);
  }
  b->outputs[b->output_count++] = v;
  return TIER_OK;
}
static const tier_build_1 build_api = {.struct_size = (uint32_t)sizeof build_api,
                                       .input = input,
                                       .count = count_of,
                                       .input_at = input_at,
                                       .variable = input,
                                       .key = key,
                                       .output = output};

/* ---- inputs ---- */

/* Uniform in (1.1, 1.9): no kink of a relu, no pole of a logarithm is near. Labels are 0, 1, 2. */
static void fill(struct built_input *in, uint64_t stream) {
  in->x = memory_alloc((size_t)in->size, sizeof(double));
  in->v = memory_alloc((size_t)in->size, sizeof(double));
  in->w = memory_alloc((size_t)in->size, sizeof(double));
  for (int64_t i = 0; i < in->size; i++) {
    in->x[i] = 1.1 + 0.8 * random_uniform(stream, 0, (uint64_t)i);
    in->v[i] = random_normal(stream, 1, (uint64_t)i);
    in->w[i] = random_normal(stream, 2, (uint64_t)i);
  }
}

struct built_input *built_add(struct built *b, const char *name, int32_t type, const int64_t *dims,
                              int32_t rank) {
  if (b->input_count == BUILT_MOST) {
    return NULL;
  }
  struct built_input *in = &b->inputs[b->input_count++];
  *in = (struct built_input){.value = 0};
  (void)snprintf(in->name, sizeof in->name, "%s", name);
  in->value = graph_input(b->g, type, dims, rank, in->name);
  in->size = value_size(graph_value(b->g, in->value));
  if (type == TIER_I32) {
    in->integers = memory_alloc((size_t)in->size, sizeof(int32_t));
    for (int64_t i = 0; i < in->size; i++) {
      in->integers[i] = (int32_t)(i % BUILT_WIDTH);
    }
  } else {
    fill(in, random_stream(name, b->input_count));
  }
  return in;
}

static int32_t declare(tier_variables *face, const char *name, const int64_t *dims, int32_t rank,
                       int32_t initializer, double a, double z) {
  struct built *b = ((struct variables_face *)(void *)face)->b;
  (void)initializer;
  (void)a;
  (void)z;
  struct built_input *in = built_add(b, name, TIER_REAL, dims, rank);
  if (in == NULL) {
    return fail(TIER_E_UNSUPPORTED, "more than %d tensors", BUILT_MOST);
  }
  for (int64_t i = 0; i < in->size; i++) {
    in->x[i] -= 1.5; /* weights of both signs */
  }
  return TIER_OK;
}

static int64_t width_of(const struct check *c, const char *slot) {
  for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
    if (strcmp(widths[i].id, c->component->c.id) == 0 && strcmp(widths[i].slot, slot) == 0) {
      return widths[i].width;
    }
  }
  return BUILT_WIDTH;
}

static void add_slot(const struct check *c, struct built *b, const tier_slot *s,
                     const struct built_shape *shape) {
  int wrong = shape->wrong_input == (int)b->input_count;
  int64_t dims[2] = {shape->rows + wrong, width_of(c, s->name) + shape->wrong_width};
  if (s->flags & TIER_SLOT_LABELS) {
    (void)built_add(b, s->name, TIER_I32, dims, 1);
  } else if (s->type == TIER_SLOT_EXPRESSIONS) {
    for (b->operands = 0; b->operands < 2; b->operands++) {
      dims[0] = shape->rows + (shape->wrong_input == (int)b->input_count);
      (void)built_add(b, s->name, TIER_REAL, dims, 2);
    }
  } else {
    (void)built_add(b, s->name, TIER_REAL, dims, 2);
  }
}

static void add_slots(const struct check *c, struct built *b, uint32_t entry,
                      const struct built_shape *shape) {
  const tier_component *k = &c->component->c;
  const tier_slot *slots = k->entry_count > 0 ? k->entries[entry].slots : k->slots;
  uint32_t count = k->entry_count > 0 ? k->entries[entry].slot_count : k->slot_count;
  for (uint32_t i = 0; i < count; i++) {
    if (is_input(c, &slots[i])) {
      add_slot(c, b, &slots[i], shape);
    }
  }
}

/* A number as the build of a differentiable slot sees it: its fallback, one a row. */
static void add_numbers(const struct check *c, const struct instance *i, struct built *b,
                        const struct built_shape *shape) {
  const tier_component *k = &c->component->c;
  const tier_params *p = params_face(i->params);
  for (uint32_t s = 0; s < k->slot_count; s++) {
    if (k->slots[s].type == TIER_SLOT_NUMBER && (k->slots[s].flags & TIER_SLOT_DIFFERENTIABLE) &&
        tier_given(p, k->slots[s].name)) {
      (void)built_add(b, k->slots[s].name, TIER_REAL, &shape->rows, 1);
    }
  }
}

/* gradient-penalty reads the gradient of "of" by "at": let it be half the square. */
static void join_inputs(const struct check *c, struct built *b) {
  tier_value at = built_find(b, "at");
  for (size_t i = 0; i < b->input_count && strcmp(c->component->c.id, "gradient-penalty") == 0;
       i++) {
    if (strcmp(b->inputs[i].name, "of") == 0) {
      struct built_input *of_at = &b->inputs[b->input_count++];
      (void)snprintf(b->inputs[i].name, sizeof b->inputs[i].name, "unused");
      *of_at = (struct built_input){.name = "of"};
      of_at->value = tier_row_sum(&b->g->face, tier_multiply(&b->g->face, at, at));
      return;
    }
  }
}

/* ---- building ---- */

uint32_t built_entries(const struct check *c) {
  return c->component->c.entry_count > 0 ? c->component->c.entry_count : 1;
}

void built_complete(struct built *b) {
  for (size_t k = 0; k < b->output_count; k++) {
    const struct value *y = graph_value(b->g, b->outputs[k]);
    int64_t size = value_size(y);
    b->cotangents[k] = graph_input(b->g, TIER_REAL, y->dims, y->rank, "u");
    b->u[k] = memory_alloc((size_t)size, sizeof(double));
    for (int64_t i = 0; i < size; i++) {
      b->u[k][i] = random_normal(71, k, (uint64_t)i);
    }
  }
  for (size_t i = 0; i < b->input_count; i++) {
    const struct value *x = graph_value(b->g, b->inputs[i].value);
    if (b->inputs[i].x != NULL) {
      b->inputs[i].v_value = graph_input(b->g, TIER_REAL, x->dims, x->rank, "v");
    }
  }
}

int32_t built_open(const struct check *c, const struct instance *i, uint32_t entry,
                   const struct built_shape *shape, struct built *b) {
  static const tier_variables_1 variables_api = {.struct_size = (uint32_t)sizeof variables_api,
                                                 .declare = declare};
  const tier_function_1 *function = instance_get(i, "tier.function/1");
  const tier_component *k = &c->component->c;
  const int64_t key_size = 4;
  *b = (struct built){.g = graph_new()};
  if (function == NULL) {
    return fail(TIER_E_REFUSED, "it is no function");
  }
  add_slots(c, b, entry, shape);
  if (strcmp(k->kind, "set") == 0) {
    int64_t rows = shape->rows + (shape->wrong_input == (int)b->input_count);
    (void)built_add(b, "x", TIER_REAL, (const int64_t[]){rows, BUILT_WIDTH}, 2);
  }
  add_numbers(c, i, b, shape);
  if (k->flags & TIER_RANDOM) {
    (void)built_add(b, BUILT_KEY, TIER_I32, &key_size, 1);
  }
  if (function->variables != NULL) {
    struct variables_face variables = {.face = {&variables_api}, .b = b};
    TIER_TRY(function->variables(i->object, &variables.face));
  }
  join_inputs(c, b);
  struct face face = {.face = {.api = &build_api, .graph = &b->g->face}, .b = b};
  const char *name = k->entry_count > 0            ? k->entries[entry].name
                     : strcmp(k->kind, "set") == 0 ? "project"
                                                   : NULL;
  int32_t status = function->build(i->object, name, &face.face);
  TIER_TRY(graph_status(b->g) < 0 ? graph_status(b->g) : status);
  if (b->output_count == 0) {
    return fail(TIER_E_INVALID, "it sets no output");
  }
  built_complete(b);
  return graph_status(b->g);
}

void built_close(struct built *b) {
  for (size_t i = 0; i < b->input_count; i++) {
    free(b->inputs[i].integers);
    free(b->inputs[i].x);
    free(b->inputs[i].v);
    free(b->inputs[i].w);
  }
  for (size_t k = 0; k < b->output_count; k++) {
    free(b->u[k]);
  }
  graph_free(b->g);
}

/* ---- derivatives ---- */

/* out[i] += the pullback of the cotangent of y to each real input. */
static int32_t pull(struct built *b, tier_value y, tier_value cotangent, tier_value *out) {
  tier_value xs[BUILT_MOST] = {0};
  tier_value part[BUILT_MOST];
  size_t of_input[BUILT_MOST];
  uint32_t count = 0;
  for (size_t i = 0; i < b->input_count; i++) {
    if (b->inputs[i].x != NULL) {
      of_input[count] = i;
      xs[count++] = b->inputs[i].value;
    }
  }
  TIER_TRY(diff_gradient(b->g, y, cotangent, xs, count, part));
  for (uint32_t k = 0; k < count; k++) {
    out[of_input[k]] = graph_add(b->g, out[of_input[k]], part[k]);
  }
  return TIER_OK;
}

int32_t built_gradient(struct built *b, tier_value *g) {
  graph_clear(g, (uint32_t)b->input_count);
  for (size_t k = 0; k < b->output_count; k++) {
    TIER_TRY(pull(b, b->outputs[k], b->cotangents[k], g));
  }
  return TIER_OK;
}

/* The derivative of ys along v. */
static int32_t along(struct built *b, const tier_value *ys, size_t count, tier_value *out) {
  tier_value xs[BUILT_MOST] = {0};
  tier_value tangents[BUILT_MOST];
  uint32_t moving = 0;
  for (size_t i = 0; i < b->input_count; i++) {
    if (b->inputs[i].x != NULL) {
      xs[moving] = b->inputs[i].value;
      tangents[moving++] = b->inputs[i].v_value;
    }
  }
  for (size_t k = 0; k < count; k++) {
    out[k] = 0;
    if (ys[k] != 0) {
      TIER_TRY(diff_jvp(b->g, &ys[k], 1, xs, tangents, moving, &out[k]));
    }
  }
  return TIER_OK;
}

int32_t built_tangent(struct built *b, tier_value *t) {
  return along(b, b->outputs, b->output_count, t);
}

int32_t built_second(struct built *b, const tier_value *g, tier_value *forward,
                     tier_value *reverse) {
  TIER_TRY(along(b, g, b->input_count, forward));
  graph_clear(reverse, (uint32_t)b->input_count);
  for (size_t j = 0; j < b->input_count; j++) {
    if (g[j] != 0) {
      TIER_TRY(pull(b, g[j], b->inputs[j].v_value, reverse));
    }
  }
  return TIER_OK;
}

/* ---- evaluation ---- */

int64_t built_size(const struct built *b, const tier_value *values, size_t count) {
  int64_t size = 0;
  for (size_t i = 0; i < count; i++) {
    size += values[i] != 0 ? value_size(graph_value(b->g, values[i])) : 0;
  }
  return size;
}

/* All inputs of the graph, with the numbers in the program's type. */
struct feed {
  tier_value values[4 * BUILT_MOST];
  const void *data[4 * BUILT_MOST];
  void *owned[4 * BUILT_MOST];
  uint32_t count;
};

static void feed(struct feed *f, const struct built *b, int32_t dtype, tier_value v,
                 const double *x) {
  int64_t size = value_size(graph_value(b->g, v));
  f->values[f->count] = v;
  f->data[f->count] = x;
  if (dtype == DTYPE_F32) {
    float *narrow = memory_alloc((size_t)size, sizeof *narrow);
    for (int64_t i = 0; i < size; i++) {
      narrow[i] = (float)x[i];
    }
    f->owned[f->count] = narrow;
    f->data[f->count] = narrow;
  }
  f->count++;
}

static void feed_all(struct feed *f, const struct built *b, int32_t dtype) {
  for (size_t i = 0; i < b->input_count; i++) {
    const struct built_input *in = &b->inputs[i];
    if (in->integers != NULL) {
      f->values[f->count] = in->value;
      f->data[f->count++] = in->integers;
    } else if (in->x != NULL) {
      feed(f, b, dtype, in->value, in->x);
      feed(f, b, dtype, in->v_value, in->v);
    }
  }
  for (size_t k = 0; k < b->output_count; k++) {
    feed(f, b, dtype, b->cotangents[k], b->u[k]);
  }
}

static int32_t run(struct program *p, const struct feed *f, void *const *outputs) {
  TIER_TRY(program_bind(p, f->data));
  return program_apply(p, NULL, outputs);
}

/* Reads the program's outputs as doubles; integer outputs count as numbers. */
static void take(const struct built *b, int32_t dtype, tier_value v, const void *data,
                 double *out) {
  const struct value *y = graph_value(b->g, v);
  for (int64_t i = 0; i < value_size(y); i++) {
    out[i] = y->type == TIER_I32  ? (double)((const int32_t *)data)[i]
             : dtype == DTYPE_F32 ? (double)((const float *)data)[i]
                                  : ((const double *)data)[i];
  }
}

int32_t built_evaluate(const struct built *b, const char *backend, int32_t dtype,
                       const tier_value *values, size_t count, double *out) {
  const struct program_options options = {.dtype = dtype, .backend = backend_find(backend)};
  struct feed f = {.count = 0};
  struct program *p = NULL;
  tier_value asked[2 * BUILT_MOST];
  void *outputs[2 * BUILT_MOST];
  uint32_t asked_count = 0;
  for (size_t i = 0; i < count; i++) {
    if (values[i] != 0) {
      asked[asked_count] = values[i];
      outputs[asked_count++] = memory_alloc((size_t)built_size(b, &values[i], 1), sizeof(double));
    }
  }
  feed_all(&f, b, dtype);
  int32_t status =
      program_compile(b->g, &options, f.values, f.count, NULL, 0, asked, asked_count, &p);
  status = status == TIER_OK ? run(p, &f, outputs) : status;
  for (uint32_t i = 0; i < asked_count; i++) {
    if (status == TIER_OK) {
      take(b, dtype, asked[i], outputs[i], out);
      out += built_size(b, &asked[i], 1);
    }
    free(outputs[i]);
  }
  for (uint32_t i = 0; i < f.count; i++) {
    free(f.owned[i]);
  }
  program_free(p);
  return status;
}

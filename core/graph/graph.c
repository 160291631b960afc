#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* ---- failures ------------------------------------------------------------------------------ */

/* "(100, 784)", or "i32 (100)", or "null". */
static void add_shape(struct text *t, const struct graph *g, tier_value v) {
  const struct value *value = graph_value(g, v);
  if (v == 0) {
    text_add(t, "null");
    return;
  }
  text_add(t, value->type == TIER_I32 ? "i32 (" : "(");
  for (int32_t i = 0; i < value->rank; i++) {
    text_format(t, i == 0 ? "%lld" : ", %lld", (long long)value->dims[i]);
  }
  text_add(t, ")");
}

/* ", asked for by PLUGIN.ENTRY at PLACE", as far as known. */
static void add_origin(struct text *t, const struct graph *g) {
  const struct origin *o = &g->origins[g->origin];
  if (o->plugin != NULL) {
    text_format(t, ", asked for by %s", o->plugin);
    if (o->entry != NULL) {
      text_format(t, ".%s", o->entry);
    }
  }
  if (o->place != NULL) {
    text_format(t, o->plugin != NULL ? " at %s" : ", asked for at %s", o->place);
  }
}

int32_t graph_fail(struct graph *g, uint32_t op, const tier_value *inputs, uint32_t count,
                   const char *format, ...) {
  if (g->status < 0) {
    return g->status;
  }
  struct text t = {0};
  const struct operation *operation = operation_get(op);
  if (operation != NULL) {
    text_format(&t, "%s: ", operation->name);
  }
  va_list arguments;
  va_start(arguments, format);
  char reason[1024];
  (void)vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  text_add(&t, reason);
  for (uint32_t i = 0; i < count; i++) {
    text_add(&t, i == 0 ? ": " : op == TIER_OP_MATMUL ? " x " : " and ");
    add_shape(&t, g, inputs[i] < g->count ? inputs[i] : 0);
  }
  add_origin(&t, g);
  g->status = TIER_E_INVALID;
  g->failure = arena_text(g->arena, text_get(&t));
  text_free(&t);
  return g->status;
}

void graph_forget_failure(struct graph *g) {
  g->failure = NULL;
  g->status = TIER_OK;
}

int32_t graph_status(const struct graph *g) {
  return g->status < 0 ? fail(g->status, "%s", g->failure) : TIER_OK;
}

/* ---- origins ------------------------------------------------------------------------------- */

uint32_t graph_origin(struct graph *g, struct origin origin) {
  uint32_t before = g->origin;
  array_push(g->origins, g->origin_count, g->origin_capacity, origin);
  g->origin = g->origin_count - 1;
  return before;
}

void graph_restore_origin(struct graph *g, uint32_t origin) {
  g->origin = origin;
}

/* ---- values -------------------------------------------------------------------------------- */

/* More elements than any machine has memory for: sizes in bytes must not overflow. */
#define MOST_ELEMENTS (INT64_C(1) << 48)

int64_t value_size(const struct value *v) {
  int64_t size = 1;
  for (int32_t i = 0; i < v->rank; i++) {
    size *= v->dims[i];
  }
  return size;
}

/* 1 if the dims are >= 0 and so few that no product of them overflows, zeros aside. */
static int fits(const struct value *v) {
  int64_t size = 1;
  for (int32_t i = 0; i < v->rank; i++) {
    int64_t factor = v->dims[i] == 0 ? 1 : v->dims[i];
    if (factor < 0 || factor > MOST_ELEMENTS / size) {
      return 0;
    }
    size *= factor;
  }
  return 1;
}

/* Appends the value, or fails on its size. */
static tier_value append(struct graph *g, const struct value *v) {
  if (!fits(v)) {
    (void)graph_fail(g, v->op, v->inputs, v->input_count,
                     "a size is negative, or there are too many elements");
    return 0;
  }
  array_push(g->values, g->count, g->capacity, *v);
  return g->count - 1;
}

tier_value graph_input(struct graph *g, int32_t type, const int64_t *dims, int32_t rank,
                       const char *name) {
  if (g->status < 0) {
    return 0;
  }
  struct value v = {.op = OP_INPUT, .type = type, .rank = rank, .origin = g->origin};
  if (rank < 0 || rank > TIER_MAX_RANK) {
    (void)graph_fail(g, OP_INPUT, NULL, 0, "input %s: rank %d is not in 0 to %d", name, rank,
                     TIER_MAX_RANK);
    return 0;
  }
  v.name = arena_text(g->arena, name);
  for (int32_t i = 0; i < rank; i++) {
    v.dims[i] = dims[i];
  }
  return append(g, &v);
}

/* Up to the last member of version 1.0: older plugins have no more than that. */
#define ATTRIBUTES_SIZE (offsetof(tier_attributes, reals) + sizeof(const double *))

/* No operation takes more integers than slice and pad. A face of `emit` that is given a negative
 * rank comes with billions. */
#define MOST_INTS (3u * TIER_MAX_RANK)

/* What can be wrong with the call itself, whatever the operation. */
static int32_t check_call(struct graph *g, uint32_t op, const tier_value *inputs, uint32_t count,
                          const tier_attributes *a) {
  const struct operation *operation = operation_get(op);
  if (operation == NULL) {
    return graph_fail(g, OP_INPUT, NULL, 0, "there is no operation with opcode %u", op);
  }
  if (a != NULL && a->struct_size < ATTRIBUTES_SIZE) {
    return graph_fail(g, op, NULL, 0, "tier_attributes.struct_size is %u, below %zu",
                      a->struct_size, ATTRIBUTES_SIZE);
  }
  if (a != NULL &&
      ((a->int_count != 0 && a->ints == NULL) || (a->real_count != 0 && a->reals == NULL))) {
    return graph_fail(g, op, NULL, 0, "a count of attributes is given, but no numbers");
  }
  if (operation->inputs < 0 ? count == 0 : count != (uint32_t)operation->inputs) {
    return graph_fail(g, op, inputs, count, "takes %d %s, got %u", abs(operation->inputs),
                      operation->inputs < 0 ? "or more inputs" : "inputs", count);
  }
  for (uint32_t i = 0; i < count; i++) {
    if (inputs[i] == 0 || inputs[i] >= g->count) {
      return graph_fail(g, op, inputs, count, "input %u is not a value of this graph", i + 1);
    }
  }
  if (a != NULL && a->int_count > MOST_INTS) {
    return graph_fail(g, op, inputs, count, "takes no %u integer attributes", a->int_count);
  }
  if (op != TIER_OP_CONSTANT && a != NULL && a->real_count != 0) {
    return graph_fail(g, op, inputs, count, "takes no real attributes");
  }
  return TIER_OK;
}

static tier_value emit(tier_graph *face, uint32_t op, const tier_value *inputs, uint32_t count,
                       const tier_attributes *a) {
  struct graph *g = graph_of(face);
  if (g->status < 0 || check_call(g, op, inputs, count, a) < 0) {
    return 0;
  }
  struct value v = {.op = op, .input_count = count, .origin = g->origin};
  v.inputs = arena_copy(g->arena, inputs, count * sizeof *inputs);
  if (a != NULL) {
    v.int_count = a->int_count;
    v.ints = arena_copy(g->arena, a->ints, a->int_count * sizeof *a->ints);
    v.real_count = a->real_count;
    v.reals = arena_copy(g->arena, a->reals, a->real_count * sizeof *a->reals);
  }
  return operation_get(op)->shape(g, &v) < 0 ? 0 : append(g, &v);
}

/* ---- the rest of the face ------------------------------------------------------------------ */

static int32_t get_shape(tier_graph *face, tier_value v, int64_t *dims) {
  const struct graph *g = graph_of(face);
  if (v == 0 || v >= g->count) {
    return -1;
  }
  const struct value *value = graph_value(g, v);
  memcpy(dims, value->dims, (size_t)value->rank * sizeof *dims);
  return value->rank;
}

static int32_t get_type(tier_graph *face, tier_value v) {
  const struct graph *g = graph_of(face);
  return v < g->count ? graph_value(g, v)->type : 0;
}

static tier_value fail_with_text(tier_graph *face, const char *text) {
  (void)graph_fail(graph_of(face), OP_INPUT, NULL, 0, "%s", text);
  return 0;
}

static struct graph_transforms transforms;

void graph_set_transforms(struct graph_transforms t) {
  transforms = t;
}

static int32_t no_transforms(struct graph *g) {
  return graph_fail(g, OP_INPUT, NULL, 0, "this host was built without differentiation");
}

/* The face promises a constant 0 where the transform has the null value. */
static int32_t fill_zeros(struct graph *g, const tier_value *likes, uint32_t count,
                          tier_value *outputs) {
  for (uint32_t i = 0; i < count; i++) {
    if (outputs[i] == 0) {
      outputs[i] = tier_fill_like(&g->face, likes[i], 0.0);
    }
  }
  return g->status;
}

static int32_t gradient(tier_graph *face, tier_value y, tier_value cotangent, const tier_value *xs,
                        uint32_t count, tier_value *outputs) {
  struct graph *g = graph_of(face);
  graph_clear(outputs, count);
  if (transforms.gradient == NULL) {
    return no_transforms(g);
  }
  TIER_TRY(transforms.gradient(g, y, cotangent, xs, count, outputs));
  return fill_zeros(g, xs, count, outputs);
}

static int32_t jvp(tier_graph *face, const tier_value *ys, uint32_t y_count, const tier_value *xs,
                   const tier_value *tangents, uint32_t x_count, tier_value *outputs) {
  struct graph *g = graph_of(face);
  graph_clear(outputs, y_count);
  if (transforms.jvp == NULL) {
    return no_transforms(g);
  }
  TIER_TRY(transforms.jvp(g, ys, y_count, xs, tangents, x_count, outputs));
  return fill_zeros(g, ys, y_count, outputs);
}

static const tier_graph_1 face_table = {
    .struct_size = (uint32_t)sizeof(tier_graph_1),
    .emit = emit,
    .shape = get_shape,
    .type = get_type,
    .gradient = gradient,
    .jvp = jvp,
    .fail = fail_with_text,
};

struct graph *graph_new(void) {
  graph_register_operations();
  struct graph *g = memory_alloc(1, sizeof *g);
  g->face.api = &face_table;
  g->arena = arena_new();
  array_push(g->values, g->count, g->capacity, (struct value){0});
  array_push(g->origins, g->origin_count, g->origin_capacity, (struct origin){0});
  return g;
}

void graph_free(struct graph *g) {
  if (g != NULL) {
    free(g->values);
    free(g->origins);
    arena_free(g->arena);
    free(g);
  }
}

tier_value graph_add(struct graph *g, tier_value a, tier_value b) {
  if (a == 0 || b == 0) {
    return a == 0 ? b : a;
  }
  return tier_add(&g->face, a, b);
}

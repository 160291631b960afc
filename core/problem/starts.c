#include "problem/starts.h"

#include <stdlib.h>

#include "base/error.h"
#include "diff/diff.h"
#include "problem/builder.h"
#include "problem/draws.h"
#include "problem/records.h"
#include "problem/suites.h"
#include "problem/variables.h"

/* The vjp of one variable's `init` by the edge's inputs. */
struct start {
  struct variable *variable;
  struct builder builder;
  struct context context;
  struct binding binding;
  struct kernel kernel;
  int64_t size;           /* of the expression's value */
  tier_vector *cotangent; /* of it */
};

int start_reads(const struct problem *p, const struct level *l, int variable) {
  for (size_t i = 0; i < l->over.count && l->declared->warm_start == 0; i++) {
    const struct variable *v = &p->variables[l->over.variables[i]];
    for (size_t k = 0; k < v->read_count; k++) {
      if (v->reads[k] == variable) {
        return 1;
      }
    }
  }
  return 0;
}

static int32_t make_vjp(tier_edge *e, struct start *s, tier_value y) {
  struct builder *b = &s->builder;
  size_t count = e->placed_count;
  const struct value *value = graph_value(b->g, y);
  tier_value u = graph_input(b->g, TIER_REAL, value->dims, value->rank, "u");
  tier_value *xs = memory_alloc(count, sizeof *xs);
  tier_value *present = memory_alloc(count, sizeof *present);
  tier_value *found = memory_alloc(count, sizeof *found);
  tier_value *outputs = memory_alloc(count, sizeof *outputs);
  uint32_t live = 0;
  s->size = value_size(graph_value(b->g, y));
  for (size_t i = 0; i < count; i++) {
    xs[i] = builder_find(b, INPUT_TENSOR, e->placed[i].variable, e->placed[i].tensor);
    if (xs[i] != 0) {
      present[live++] = xs[i];
    }
  }
  int32_t status = diff_gradient(b->g, y, u, present, live, found);
  for (size_t i = 0, k = 0; i < count && status == TIER_OK; i++) {
    outputs[i] = xs[i] != 0 ? found[k++] : 0;
  }
  if (status == TIER_OK) {
    status = kernel_make(&s->kernel, "start vjp", b, FAST_TENSORS, &u, 1, outputs, (uint32_t)count);
  }
  free(xs);
  free(present);
  free(found);
  free(outputs);
  return status;
}

static int32_t make_start(tier_edge *e, struct start *s) {
  struct meaning m = {.rows = -1};
  struct builder *b = &s->builder;
  TIER_TRY(builder_new(e->p, &s->context, b));
  context_all(e->p, b->arena, &s->context);
  b->owner = e->lower->declared->name;
  TIER_TRY(builder_value(b, s->variable->declared->init, &m));
  TIER_TRY(builder_check_copies(b));
  TIER_TRY(make_vjp(e, s, m.value));
  TIER_TRY(binding_prepare(e->p, &s->binding, &s->context, b));
  s->cotangent = vector_new(s->size);
  return s->cotangent != NULL ? TIER_OK : fail(TIER_E_MEMORY, "no memory for a start's cotangent");
}

static int32_t make_starts(tier_edge *e) {
  const struct span *over = &e->lower->over;
  e->starts = memory_alloc(over->count, sizeof *e->starts);
  for (size_t i = 0; i < over->count; i++) {
    struct variable *v = &e->p->variables[over->variables[i]];
    if (v->read_count > 0) {
      struct start *s = &e->starts[e->start_count++];
      s->variable = v;
      TIER_TRY(make_start(e, s));
    }
  }
  return TIER_OK;
}

void starts_free(tier_edge *e) {
  for (size_t i = 0; i < e->start_count; i++) {
    struct start *s = &e->starts[i];
    kernel_free(&s->kernel);
    binding_free(e->p, &s->binding);
    builder_free(&s->builder);
    vector_free(s->cotangent);
  }
  free(e->starts);
}

/* The value of `init` is that of all copies, of one, or one number for all (variables.c): its
 * cotangent is summed over what it was spread to. */
static void gather_cotangent(const struct start *s, const tier_vector *u_w) {
  const struct variable *v = s->variable;
  size_t bytes = dtype_size(s->builder.p->dtype);
  if (s->size == 1) {
    double sum = 0;
    for (int64_t i = 0; i < v->size; i++) {
      double x = 0;
      vector_interface.read(u_w, v->offset + i, 1, &x);
      sum += x;
    }
    vector_interface.write(s->cotangent, 0, 1, &sum);
    return;
  }
  vector_interface.fill(s->cotangent, 0);
  for (int64_t first = 0; first < v->size; first += s->size) {
    char *base = (char *)u_w->data + (size_t)(v->offset + first) * bytes;
    struct tier_vector part = {.size = s->size, .dtype = u_w->dtype, .data = base};
    vector_interface.axpy(1.0, &part, s->cotangent);
  }
}

static int32_t pull_one(tier_edge *e, struct start *s, struct held held, const tier_vector *u_w,
                        void **outputs) {
  struct binding *b = &s->binding;
  TIER_TRY(binding_draw(e->p, b, "measures", e->p->done));
  gather_cotangent(s, u_w);
  struct point at = {.binding = b, .serial = b->serial, .held = held};
  const void *cotangent = s->cotangent->data;
  placed_addresses(e->lower, 0, e->placed, e->placed_count, e->scratch_inputs->data, outputs);
  vector_interface.fill(e->scratch_inputs, 0);
  return kernel_run(&s->kernel, e->p, &at, &cotangent, outputs);
}

int32_t start_pull(tier_edge *e, const tier_record *r, const tier_vector *u_w,
                   tier_vector *inputs) {
  if (e->starts == NULL) {
    TIER_TRY(make_starts(e));
  }
  void **outputs = memory_alloc(e->placed_count, sizeof *outputs);
  int64_t row = e->each && r->tape.length > 0 ? 0 : ROW_SOLUTION; /* what the first step read */
  int32_t status = TIER_OK;
  for (size_t i = 0; i < e->start_count && status == TIER_OK; i++) {
    status = pull_one(e, &e->starts[i], records_held(r, row), u_w, outputs);
    if (status == TIER_OK) {
      inputs_add(e, row, 1.0, e->scratch_inputs, inputs);
    }
  }
  free(outputs);
  return status;
}

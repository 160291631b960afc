#include "problem/variables.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "problem/instances.h"
#include "problem/measures.h"
#include "problem/sources.h"

/* ---- declaring ---- */

struct declaration {
  tier_variables face;
  struct problem *p;
  struct variable *v;
};

static int32_t too_large(const struct variable *v) {
  return fail(TIER_E_INVALID, "variable \"%s\" is too large", v->declared->name);
}

static int32_t add_tensor(struct variable *v, struct tensor t) {
  t.size = 1;
  for (int32_t i = 0; i < t.rank; i++) {
    if (__builtin_mul_overflow(t.size, t.dims[i], &t.size)) {
      return too_large(v);
    }
  }
  t.offset = v->copy_size;
  if (__builtin_add_overflow(v->copy_size, t.size, &v->copy_size)) {
    return too_large(v);
  }
  array_push(v->tensors, v->tensor_count, v->tensor_capacity, t);
  return TIER_OK;
}

static int32_t declare_tensor(tier_variables *face, const char *name, const int64_t *dims,
                              int32_t rank, int32_t initializer, double a, double b) {
  struct declaration *d = (struct declaration *)(void *)face;
  struct tensor t = {.initializer = initializer, .a = a, .b = b, .rank = rank};
  if (rank < 0 || rank > TIER_MAX_RANK) {
    return fail(TIER_E_PLUGIN, "tensor \"%s\" has rank %d", name, rank);
  }
  for (int32_t i = 0; i < rank; i++) {
    if (dims[i] < 1) {
      return fail(TIER_E_INVALID, "tensor \"%s\" has size %lld along axis %d", name,
                  (long long)dims[i], i);
    }
    t.dims[i] = dims[i];
  }
  if (initializer < TIER_INIT_CONSTANT || initializer > TIER_INIT_NORMAL) {
    return fail(TIER_E_PLUGIN, "tensor \"%s\" has an unknown initializer %d", name, initializer);
  }
  for (size_t i = 0; i < d->v->tensor_count; i++) {
    if (strcmp(d->v->tensors[i].name, name) == 0) {
      return fail(TIER_E_PLUGIN, "tensor \"%s\" is declared twice", name);
    }
  }
  t.name = arena_text(d->p->arena, name);
  return add_tensor(d->v, t);
}

static const tier_variables_1 declaration_interface = {
    .struct_size = (uint32_t)sizeof(tier_variables_1), .declare = declare_tensor};

static int32_t declare_model(struct problem *p, struct variable *v) {
  const struct application *a = v->declared->model;
  if (v->declared->per_data >= 0) {
    return fail(TIER_E_UNSUPPORTED, "a model for each row of data (\"%s\") is not supported yet",
                v->declared->name);
  }
  TIER_TRY(instances_get(p, a, NULL, &v->model));
  const tier_function_1 *api = instance_get(v->model, "tier.function/1");
  if (api == NULL || api->variables == NULL) {
    return fail(TIER_E_PLUGIN, "model %s offers no variables", a->component->c.id);
  }
  struct declaration d = {.face = {&declaration_interface}, .p = p, .v = v};
  TIER_TRY(api->variables(v->model->object, &d.face));
  return v->tensor_count > 0
             ? TIER_OK
             : fail(TIER_E_PLUGIN, "model %s declares no variable", a->component->c.id);
}

/* The shape of an array variable: written, taken from another name, or that of its initial value.
 */
static int32_t array_shape(struct problem *p, const struct manifest_variable *m,
                           const struct described *init, struct tensor *t) {
  if (m->shape_variable >= 0) {
    const struct variable *other = &p->variables[m->shape_variable];
    TIER_TRY(variables_need(p, m->shape_variable));
    if (other->declared->model != NULL) {
      t->rank = 1;
      t->dims[0] = other->copy_size;
    } else {
      t->rank = other->tensors[0].rank;
      memcpy(t->dims, other->tensors[0].dims, sizeof t->dims);
    }
    return TIER_OK;
  }
  if (m->shape_data >= 0) {
    struct held_data *held = NULL;
    TIER_TRY(sources_get(p, m->shape_data, &held));
    int field = sources_field(held, m->shape_field);
    if (field < 0) {
      return fail(TIER_E_INVALID, "data \"%s\" has no field \"%s\"", held->declared->name,
                  m->shape_field);
    }
    t->rank = held->fields[field].field->rank;
    memcpy(t->dims, held->fields[field].field->dims, sizeof t->dims);
    return TIER_OK;
  }
  if (m->has_shape) {
    if (m->shape_rank > TIER_MAX_RANK) {
      return fail(TIER_E_INVALID, "shape has more than %d sizes", TIER_MAX_RANK);
    }
    t->rank = (int32_t)m->shape_rank;
    memcpy(t->dims, m->shape, m->shape_rank * sizeof *m->shape);
    return TIER_OK;
  }
  t->rank = init->rank;
  memcpy(t->dims, init->dims, sizeof t->dims);
  return TIER_OK;
}

static int32_t wrong_init_size(const struct variable *v, int64_t size) {
  return fail(TIER_E_INVALID, "init of variable \"%s\" has %lld numbers, its shape has %lld",
              v->declared->name, (long long)size, (long long)v->copy_size);
}

static int32_t check_init(const struct variable *v, const struct problem *p,
                          const struct described *init) {
  if (init->type != TIER_REAL) {
    return fail(TIER_E_INVALID, "init of variable \"%s\" must be real values, not labels",
                v->declared->name);
  }
  if (init->rows >= 0 && init->rows != v->declared->per_data) {
    return fail(TIER_E_INVALID,
                "init of variable \"%s\" has rows of data \"%s\", which it is not \"per\"",
                v->declared->name, p->m->data[init->rows].name);
  }
  return TIER_OK;
}

/* One number, one copy's numbers, or (with no rows of its own) those of all copies. */
static int32_t check_init_size(const struct variable *v, const struct described *init) {
  int64_t size = 1;
  for (int32_t i = 0; i < init->rank; i++) {
    size *= init->dims[i];
  }
  int several = init->rows < 0 && (v->declared->per_data >= 0 || v->declared->per_level >= 0);
  if (size != 1 && size != v->copy_size && !(several && size % v->copy_size == 0)) {
    return wrong_init_size(v, size);
  }
  return TIER_OK;
}

static int32_t declare_array(struct problem *p, struct variable *v) {
  struct tensor t = {.name = ""};
  struct described init;
  if (v->declared->init == NULL) {
    return fail(TIER_E_INVALID, "variable \"%s\" needs an \"init\"", v->declared->name);
  }
  TIER_TRY(measures_describe(p, v->declared->init, &init));
  TIER_TRY(check_init(v, p, &init));
  v->reads = init.reads;
  v->read_count = init.read_count;
  TIER_TRY(array_shape(p, v->declared, &init, &t));
  int per = v->declared->per_data >= 0;
  if (t.rank + per > TIER_MAX_RANK) {
    return fail(TIER_E_INVALID, "variable \"%s\" has more than %d axes", v->declared->name,
                TIER_MAX_RANK);
  }
  TIER_TRY(add_tensor(v, t));
  return check_init_size(v, &init);
}

static int32_t count_copies(struct problem *p, struct variable *v) {
  v->copies = 1;
  if (v->declared->per_data >= 0) {
    struct held_data *held = NULL;
    TIER_TRY(sources_get(p, v->declared->per_data, &held));
    if (held->rows < 0) {
      return fail(TIER_E_INVALID, "variable \"%s\" is per \"%s\", which has no end",
                  v->declared->name, held->declared->name);
    }
    v->copies = held->rows;
  } else if (v->declared->per_level >= 0) {
    const struct manifest_level *level = &p->m->levels[v->declared->per_level];
    if (level->epochs > 0 || level->steps < 1) {
      return fail(TIER_E_INVALID, "variable \"%s\" is per \"%s\", which must have fixed \"steps\"",
                  v->declared->name, level->name);
    }
    v->copies = level->steps;
  }
  return __builtin_mul_overflow(v->copies, v->copy_size, &v->size) ? too_large(v) : TIER_OK;
}

int32_t variables_need(struct problem *p, int index) {
  struct variable *v = &p->variables[index];
  if (v->busy) {
    return fail(TIER_E_INVALID, "variable \"%s\" is defined by itself", v->declared->name);
  }
  if (v->ready || v->failed < 0) {
    return v->failed; /* in a check, a failure was reported at the first call */
  }
  v->busy = 1;
  int32_t status = v->declared->model != NULL ? declare_model(p, v) : declare_array(p, v);
  status = status < 0 ? status : count_copies(p, v);
  v->busy = 0;
  v->ready = status == TIER_OK;
  v->failed = status < 0 ? problem_diagnose(p, &v->declared->place, status) : TIER_OK;
  return v->failed;
}

int32_t variables_declare(struct problem *p) {
  int32_t first = TIER_OK;
  for (size_t i = 0; i < p->m->variable_count; i++) {
    p->variables[i].declared = &p->m->variables[i];
    p->variables[i].owner = -1;
  }
  for (size_t i = 0; i < p->m->variable_count; i++) {
    int32_t status = variables_need(p, (int)i);
    first = first < 0 ? first : status;
  }
  return first;
}

/* ---- spans ---- */

void span_add(struct problem *p, struct span *s, int index) {
  int *variables = arena_alloc(p->arena, (s->count + 1) * sizeof *variables);
  int64_t *offsets = arena_alloc(p->arena, (s->count + 1) * sizeof *offsets);
  if (s->count > 0) {
    memcpy(variables, s->variables, s->count * sizeof *variables);
    memcpy(offsets, s->offsets, s->count * sizeof *offsets);
  }
  variables[s->count] = index;
  offsets[s->count] = s->size;
  s->variables = variables;
  s->offsets = offsets;
  s->count++;
  s->size += p->variables[index].size;
}

int64_t span_offset(const struct span *s, int variable) {
  for (size_t i = 0; i < s->count; i++) {
    if (s->variables[i] == variable) {
      return s->offsets[i];
    }
  }
  return -1;
}

const char *span_first_bad(const struct problem *p, const struct span *s, const tier_vector *v) {
  for (size_t i = 0; i < s->count; i++) {
    const struct variable *variable = &p->variables[s->variables[i]];
    char *base = (char *)v->data + (size_t)s->offsets[i] * dtype_size(p->dtype);
    tier_vector *part = vector_view(base, variable->size);
    int finite = vector_interface.finite(part);
    vector_free(part);
    if (!finite) {
      return variable->declared->name;
    }
  }
  return "";
}

void span_places(struct problem *p, const struct span *s, struct placed **places, size_t *count) {
  size_t total = 0;
  for (size_t i = 0; i < s->count; i++) {
    total += p->variables[s->variables[i]].tensor_count;
  }
  *places = arena_alloc(p->arena, (total + 1) * sizeof **places);
  *count = 0;
  for (size_t i = 0; i < s->count; i++) {
    const struct variable *v = &p->variables[s->variables[i]];
    for (size_t t = 0; t < v->tensor_count; t++) {
      (*places)[(*count)++] = (struct placed){.variable = s->variables[i],
                                              .tensor = (int)t,
                                              .offset = s->offsets[i] + v->tensors[t].offset};
    }
  }
}

int64_t variable_copy(const struct problem *p, const struct variable *v, int level,
                      int64_t level_step) {
  int per = v->declared->per_level;
  return per < 0 ? 0 : per == level ? level_step : p->levels[per].binding.level_step;
}

int32_t tensor_shape(const struct variable *v, const struct tensor *t, int64_t *dims) {
  int32_t rank = 0;
  if (v->declared->per_data >= 0) {
    dims[rank++] = v->copies;
  }
  for (int32_t i = 0; i < t->rank; i++) {
    dims[rank++] = t->dims[i];
  }
  return rank;
}

int tensor_in_part(const struct tensor *t, const char *part) {
  if (part == NULL) {
    return 1;
  }
  size_t length = strlen(part);
  return strncmp(t->name, part, length) == 0 && (t->name[length] == '\0' || t->name[length] == '.');
}

/* ---- storage and initial values ---- */

int32_t variables_allocate(struct problem *p) {
  for (size_t i = 0; i < p->m->variable_count; i++) {
    struct variable *v = &p->variables[i];
    if (v->owner >= 0) {
      char *base = p->levels[v->owner].w->data;
      v->value = vector_view(base + (size_t)v->offset * dtype_size(p->dtype), v->size);
    } else {
      v->value = vector_new(v->size);
    }
    if (v->value == NULL) {
      return fail(TIER_E_MEMORY, "no memory for variable \"%s\" (%lld numbers)", v->declared->name,
                  (long long)v->size);
    }
  }
  return TIER_OK;
}

int32_t variables_room_to_keep(struct problem *p, size_t index) {
  if (p->kept[index] == NULL) {
    p->kept[index] = vector_new(p->variables[index].size);
  }
  return p->kept[index] != NULL ? TIER_OK
                                : fail(TIER_E_MEMORY, "no memory to keep variable \"%s\"",
                                       p->m->variables[index].name);
}

/* Element i of a tensor's initial value. */
static double initial_number(const struct tensor *t, uint64_t stream, uint64_t draw, uint64_t i) {
  switch (t->initializer) {
    case TIER_INIT_UNIFORM:
      return t->a + (t->b - t->a) * random_uniform(stream, draw, i);
    case TIER_INIT_NORMAL:
      return t->a + t->b * random_normal(stream, draw, i);
    default: /* TIER_INIT_CONSTANT */
      return t->a;
  }
}

#define NUMBERS_AT_ONCE 1024

/* Every copy starts the same. */
static void initialize_tensor(struct problem *p, struct variable *v, const struct tensor *t) {
  double numbers[NUMBERS_AT_ONCE];
  char *path = memory_format("variables.%s.init.%s", v->declared->name, t->name);
  uint64_t stream = random_stream(path, p->seed);
  for (int64_t first = 0; first < t->size; first += NUMBERS_AT_ONCE) {
    int64_t count = t->size - first < NUMBERS_AT_ONCE ? t->size - first : NUMBERS_AT_ONCE;
    for (int64_t i = 0; i < count; i++) {
      numbers[i] = initial_number(t, stream, (uint64_t)v->restarts, (uint64_t)(first + i));
    }
    for (int64_t c = 0; c < v->copies; c++) {
      vector_interface.write(v->value, c * v->copy_size + t->offset + first, count, numbers);
    }
  }
  free(path);
}

/* The value of `init`: for all copies at once if it has the rows of what the variable is per, else
 * the same for each copy. */
static int32_t initialize_array(struct problem *p, struct variable *v) {
  struct evaluated e = {0};
  int32_t status = measures_evaluate(p, v->declared->init, &e);
  if (status < 0) {
    return status;
  }
  if (e.size == v->size) {
    vector_interface.write(v->value, 0, v->size, e.reals);
  } else if (e.size == 1) {
    vector_interface.fill(v->value, e.reals[0]);
  } else if (e.size == v->copy_size) {
    for (int64_t c = 0; c < v->copies; c++) {
      vector_interface.write(v->value, c * v->copy_size, v->copy_size, e.reals);
    }
  } else {
    status = wrong_init_size(v, e.size);
  }
  evaluated_free(&e);
  return status;
}

int32_t variables_restart(struct problem *p, int index) {
  struct variable *v = &p->variables[index];
  if (v->declared->init != NULL) {
    TIER_TRY(initialize_array(p, v));
  } else {
    for (size_t t = 0; t < v->tensor_count; t++) {
      initialize_tensor(p, v, &v->tensors[t]);
    }
  }
  v->restarts++;
  return TIER_OK;
}

/* What a variable's `init` reads comes first (variables_need has refused cycles). */
static int32_t initialize(struct problem *p, int index, int *done) {
  struct variable *v = &p->variables[index];
  if (done[index]) {
    return TIER_OK;
  }
  done[index] = 1;
  for (size_t i = 0; i < v->read_count; i++) {
    TIER_TRY(initialize(p, v->reads[i], done));
  }
  v->restarts = 0;
  int32_t status = variables_restart(p, index);
  return status < 0 ? fail_at(&v->declared->place, status) : TIER_OK;
}

int32_t variables_initialize(struct problem *p, int except) {
  int *done = memory_alloc(p->m->variable_count, sizeof *done);
  int32_t status = TIER_OK;
  for (size_t i = 0; i < p->m->variable_count; i++) {
    done[i] = except >= 0 && p->variables[i].owner == except;
  }
  for (size_t i = 0; i < p->m->variable_count && status == TIER_OK; i++) {
    status = initialize(p, (int)i, done);
  }
  free(done);
  return status;
}

#include "problem/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu_flat.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"

static int32_t current_dtype = DTYPE_F32;
static struct threads *current_threads;

void vector_configure(int32_t dtype, struct threads *threads) {
  current_dtype = dtype;
  current_threads = threads;
}

/* ---- making them ---- */

tier_vector *vector_new(int64_t size) {
  void *data = NULL;
  size_t element = dtype_size(current_dtype);
  if (size < 0 || (uint64_t)size > SIZE_MAX / element ||
      large_alloc((size_t)size * element, "a vector", &data) < 0) {
    return NULL;
  }
  tier_vector *x = vector_view(data, size);
  x->owned = 1;
  return x;
}

tier_vector *vector_view(void *data, int64_t size) {
  tier_vector *x = memory_alloc(1, sizeof *x);
  *x = (tier_vector){.size = size, .dtype = current_dtype, .data = data};
  return x;
}

void vector_free(tier_vector *x) {
  if (x != NULL && x->owned) {
    large_free(x->data);
  }
  free(x);
}

/* ---- chunks: their bounds depend on the size only ---- */

#define CHUNK 16384    /* elements, at least */
#define MOST_CHUNKS 64 /* a greater vector has longer chunks */

/* One call on all of a vector. Kernels get the elements first .. first + count - 1. */
struct call {
  const struct flat_kernels *flat;
  const tier_vector *x, *y, *z, *w;
  double a, b;
  uint64_t stream, draw;
  int64_t length; /* of a chunk */
  void (*kernel)(const struct call *c, int64_t first, int64_t count, double *result);
  double *partial; /* one result for each chunk */
};

static struct call call_on(const tier_vector *x) {
  return (struct call){.flat = flat_get(x->dtype), .x = x};
}

static void *at(const tier_vector *x, int64_t first) {
  return (char *)x->data + first * (int64_t)dtype_size(x->dtype);
}

static void run_chunk(void *context, int64_t chunk) {
  const struct call *c = context;
  int64_t first = chunk * c->length;
  int64_t rest = c->x->size - first;
  c->kernel(c, first, rest < c->length ? rest : c->length, &c->partial[chunk]);
}

/* Runs the kernel over all chunks; returns how many there are. Each leaves its result. */
static int64_t run(struct call *c, double partial[MOST_CHUNKS]) {
  int64_t share = (c->x->size + MOST_CHUNKS - 1) / MOST_CHUNKS;
  c->length = share > CHUNK ? (share + 15) / 16 * 16 : CHUNK;
  c->partial = partial;
  int64_t chunks = (c->x->size + c->length - 1) / c->length;
  if (chunks > 1) {
    threads_run(current_threads, chunks, run_chunk, c);
  } else if (chunks == 1) {
    run_chunk(c, 0);
  }
  return chunks;
}

/* The chunks' results, added in order. */
static double run_sum(struct call *c) {
  double partial[MOST_CHUNKS];
  int64_t chunks = run(c, partial);
  double sum = 0.0;
  for (int64_t i = 0; i < chunks; i++) {
    sum += partial[i];
  }
  return sum;
}

static void run_only(struct call *c) {
  double unused[MOST_CHUNKS];
  (void)run(c, unused);
}

/* ---- the kernels: elements first .. first + count - 1 of each vector ---- */

#define KERNEL(name, body)                                                                     \
  static void run_##name(const struct call *c, int64_t first, int64_t count, double *result) { \
    body;                                                                                      \
    (void)result;                                                                              \
  }
KERNEL(fill, c->flat->fill(count, c->a, at(c->x, first)))
KERNEL(scale, c->flat->scale(count, c->a, at(c->x, first)))
KERNEL(axpy, c->flat->axpy(count, c->a, at(c->x, first), at(c->y, first)))
KERNEL(axpby, c->flat->axpby(count, c->a, at(c->x, first), c->b, at(c->y, first)))
KERNEL(dot, *result = c->flat->dot(count, at(c->x, first), at(c->y, first)))
KERNEL(squared_distance,
       *result = c->flat->squared_distance(count, at(c->x, first), at(c->y, first)))
KERNEL(scaled_square, *result = c->flat->scaled_square(count, c->a, at(c->x, first)))
KERNEL(max_abs, *result = c->flat->max_abs(count, at(c->x, first)))
KERNEL(finite, *result = c->flat->finite(count, at(c->x, first)))
KERNEL(axpby_dot, *result = c->flat->axpby_dot(count, c->a, at(c->x, first), c->b, at(c->y, first),
                                               at(c->z, first)))
KERNEL(axpy_pair, *result = c->flat->axpy_pair(count, c->a, at(c->x, first), at(c->y, first), c->b,
                                               at(c->z, first), at(c->w, first)))
KERNEL(axpy_chain,
       c->flat->axpy_chain(count, c->a, at(c->x, first), at(c->y, first), c->b, at(c->z, first)))
#undef KERNEL

static void set_element(const tier_vector *x, int64_t i, double value) {
  if (x->dtype == DTYPE_F32) {
    ((float *)x->data)[i] = (float)value;
  } else {
    ((double *)x->data)[i] = value;
  }
}

static void run_normal(const struct call *c, int64_t first, int64_t count, double *result) {
  (void)result;
  for (int64_t i = first; i < first + count; i++) {
    set_element(c->x, i, random_normal(c->stream, c->draw, (uint64_t)i));
  }
}

static void run_signs(const struct call *c, int64_t first, int64_t count, double *result) {
  (void)result;
  for (int64_t i = first; i < first + count; i++) {
    set_element(c->x, i, random_uniform(c->stream, c->draw, (uint64_t)i) < 0.5 ? -1.0 : 1.0);
  }
}

/* ---- tier.vector/1 ---- */

static int64_t size(const tier_vector *x) {
  return x->size;
}

static void copy(const tier_vector *x, tier_vector *y) {
  if (x != y && x->size > 0) {
    memcpy(y->data, x->data, (size_t)x->size * dtype_size(x->dtype));
  }
}

static void fill(tier_vector *x, double value) {
  struct call c = call_on(x);
  c.a = value;
  c.kernel = run_fill;
  run_only(&c);
}

static void scale(double a, tier_vector *x) {
  struct call c = call_on(x);
  c.a = a;
  c.kernel = run_scale;
  run_only(&c);
}

static void axpy(double a, const tier_vector *x, tier_vector *y) {
  struct call c = call_on(x);
  c.a = a;
  c.y = y;
  c.kernel = run_axpy;
  run_only(&c);
}

static void axpby(double a, const tier_vector *x, double b, tier_vector *y) {
  struct call c = call_on(x);
  c.a = a;
  c.b = b;
  c.y = y;
  c.kernel = run_axpby;
  run_only(&c);
}

static double dot(const tier_vector *x, const tier_vector *y) {
  struct call c = call_on(x);
  c.y = y;
  c.kernel = run_dot;
  return run_sum(&c);
}

double vector_distance(const tier_vector *x, const tier_vector *y) {
  struct call c = call_on(x);
  c.y = y;
  c.kernel = run_squared_distance;
  return sqrt(run_sum(&c));
}

static double axpby_dot(double a, const tier_vector *x, double b, tier_vector *y,
                        const tier_vector *z) {
  struct call c = call_on(x);
  c.a = a;
  c.b = b;
  c.y = y;
  c.z = z;
  c.kernel = run_axpby_dot;
  return run_sum(&c);
}

static double axpy_pair(double a, const tier_vector *p, tier_vector *x, double b,
                        const tier_vector *q, tier_vector *r) {
  struct call c = call_on(p);
  c.a = a;
  c.b = b;
  c.y = x;
  c.z = q;
  c.w = r;
  c.kernel = run_axpy_pair;
  return run_sum(&c);
}

static void axpy_chain(double a, const tier_vector *x, tier_vector *y, double b, tier_vector *z) {
  struct call c = call_on(x);
  c.a = a;
  c.b = b;
  c.y = y;
  c.z = z;
  c.kernel = run_axpy_chain;
  run_only(&c);
}

static double max_abs(const tier_vector *x) {
  double partial[MOST_CHUNKS];
  struct call c = call_on(x);
  c.kernel = run_max_abs;
  int64_t chunks = run(&c, partial);
  double most = 0.0;
  for (int64_t i = 0; i < chunks; i++) {
    most = partial[i] > most || isnan(partial[i]) ? partial[i] : most;
    if (isnan(most)) {
      return most;
    }
  }
  return most;
}

/* |x|, with the elements divided by the greatest where squares in f64 overflow or vanish. */
static double norm(const tier_vector *x) {
  double square = dot(x, x);
  if (isnan(square) || (square > 1e-280 && square < INFINITY)) {
    return sqrt(square);
  }
  double most = max_abs(x);
  if (most == 0.0 || !isfinite(most)) {
    return most;
  }
  struct call c = call_on(x);
  c.a = most;
  c.kernel = run_scaled_square;
  return most * sqrt(run_sum(&c));
}

static int32_t all_finite(const tier_vector *x) {
  double partial[MOST_CHUNKS];
  struct call c = call_on(x);
  c.kernel = run_finite;
  int64_t chunks = run(&c, partial);
  for (int64_t i = 0; i < chunks; i++) {
    if (partial[i] == 0.0) {
      return 0;
    }
  }
  return 1;
}

static void read_out(const tier_vector *x, int64_t first, int64_t count, double *out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = x->dtype == DTYPE_F32 ? (double)((const float *)x->data)[first + i]
                                   : ((const double *)x->data)[first + i];
  }
}

static void write_in(tier_vector *x, int64_t first, int64_t count, const double *in) {
  for (int64_t i = 0; i < count; i++) {
    set_element(x, first + i, in[i]);
  }
}

static void normal(tier_vector *x, uint64_t stream, uint64_t draw) {
  struct call c = call_on(x);
  c.stream = stream;
  c.draw = draw;
  c.kernel = run_normal;
  run_only(&c);
}

static void signs(tier_vector *x, uint64_t stream, uint64_t draw) {
  struct call c = call_on(x);
  c.stream = stream;
  c.draw = draw;
  c.kernel = run_signs;
  run_only(&c);
}

static double epsilon(void) {
  return current_dtype == DTYPE_F32 ? 0x1p-23 : 0x1p-52;
}

const tier_vector_1 vector_interface = {.struct_size = (uint32_t)sizeof vector_interface,
                                        .create = vector_new,
                                        .destroy = vector_free,
                                        .size = size,
                                        .copy = copy,
                                        .fill = fill,
                                        .scale = scale,
                                        .axpy = axpy,
                                        .axpby = axpby,
                                        .dot = dot,
                                        .norm = norm,
                                        .max_abs = max_abs,
                                        .finite = all_finite,
                                        .read = read_out,
                                        .write = write_in,
                                        .normal = normal,
                                        .signs = signs,
                                        .epsilon = epsilon,
                                        .axpby_dot = axpby_dot,
                                        .axpy_pair = axpy_pair,
                                        .axpy_chain = axpy_chain};

/* ---- named arrays: tier.state/1 ---- */

static struct state *state_of(tier_state *s) {
  return (struct state *)(void *)s;
}

static struct state_array *find(struct state *s, const char *name) {
  for (size_t i = 0; i < s->count; i++) {
    if (strcmp(s->arrays[i].name, name) == 0) {
      return &s->arrays[i];
    }
  }
  return NULL;
}

static size_t element_size(const struct state_array *a) {
  return a->type == STATE_REAL ? dtype_size(current_dtype) : 8;
}

static int32_t allocate(struct state_array *a) {
  size_t element = element_size(a);
  if ((uint64_t)a->size > SIZE_MAX / element) {
    return fail(TIER_E_MEMORY, "state array \"%s\" of %lld numbers is too large", a->name,
                (long long)a->size);
  }
  TIER_TRY(large_alloc((size_t)a->size * element, a->name, &a->data));
  a->vector = a->type == STATE_REAL ? vector_view(a->data, a->size) : NULL;
  return TIER_OK;
}

static int32_t declare(tier_state *face, const char *name, int64_t elements, int32_t type) {
  struct state *s = state_of(face);
  if (s->status < 0) {
    return s->status;
  }
  if (name == NULL || elements < 0 || find(s, name) != NULL) {
    s->status = fail(TIER_E_PLUGIN, "state array \"%s\" is declared %s", name ? name : "",
                     elements < 0 ? "with a negative size" : "twice");
    return s->status;
  }
  struct state_array a = {.name = memory_copy_text(name), .type = type, .size = elements};
  s->status = allocate(&a);
  if (s->status < 0) {
    free(a.name);
    return s->status;
  }
  array_push(s->arrays, s->count, s->capacity, a);
  return TIER_OK;
}

static int32_t declare_vector(tier_state *s, const char *name, int64_t elements) {
  return declare(s, name, elements, STATE_REAL);
}
static int32_t declare_doubles(tier_state *s, const char *name, int64_t elements) {
  return declare(s, name, elements, STATE_F64);
}
static int32_t declare_integers(tier_state *s, const char *name, int64_t elements) {
  return declare(s, name, elements, STATE_I64);
}

/* NULL, and a remembered failure, where no array has that name and type. */
static struct state_array *need(tier_state *face, const char *name, int32_t type) {
  struct state_array *a = find(state_of(face), name);
  if (a == NULL || a->type != type) {
    (void)fail(TIER_E_PLUGIN,
               "a plugin asks for the state array \"%s\", which it has not declared%s", name,
               a == NULL ? "" : " with that type");
    return NULL;
  }
  return a;
}

static tier_vector *get_vector(tier_state *s, const char *name) {
  struct state_array *a = need(s, name, STATE_REAL);
  return a != NULL ? a->vector : NULL;
}
static double *get_doubles(tier_state *s, const char *name) {
  struct state_array *a = need(s, name, STATE_F64);
  return a != NULL ? a->data : NULL;
}
static int64_t *get_integers(tier_state *s, const char *name) {
  struct state_array *a = need(s, name, STATE_I64);
  return a != NULL ? a->data : NULL;
}

static const tier_state_1_host state_face = {.struct_size = (uint32_t)sizeof state_face,
                                             .vector = declare_vector,
                                             .doubles = declare_doubles,
                                             .integers = declare_integers,
                                             .get_vector = get_vector,
                                             .get_doubles = get_doubles,
                                             .get_integers = get_integers};

struct state *state_new(void) {
  struct state *s = memory_alloc(1, sizeof *s);
  s->face.api = &state_face;
  return s;
}

void state_free(struct state *s) {
  for (size_t i = 0; s != NULL && i < s->count; i++) {
    free(s->arrays[i].name);
    vector_free(s->arrays[i].vector);
    large_free(s->arrays[i].data);
  }
  if (s != NULL) {
    free(s->arrays);
  }
  free(s);
}

void state_zero(struct state *s) {
  for (size_t i = 0; i < s->count; i++) {
    struct state_array *a = &s->arrays[i];
    if (a->size > 0) {
      memset(a->data, 0, (size_t)a->size * element_size(a));
    }
  }
}

#include "support.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

static struct registry *registry;

int open_plugins(void **state) {
  (void)state;
  struct registry_options options = {.plugin_path = NULL, .probe = 0};
  host_offer("tier.vector/1", &vector_interface);
  use_dtype(DTYPE_F64);
  return registry_open(&options, &registry);
}

int close_plugins(void **state) {
  (void)state;
  registry_close(registry);
  return 0;
}

void use_dtype(int32_t dtype) {
  vector_configure(dtype, NULL);
}

struct params *arguments(enum position position, const char *id) {
  const struct component *c = registry_find(registry, position, id);
  if (c == NULL) {
    fail_test("no %s \"%s\"", position_name(position), id);
  }
  struct params *p = params_new(c, random_stream(id, 0));
  for (uint32_t i = 0; i < c->c.slot_count; i++) {
    int32_t type = c->c.slots[i].type;
    if (type == TIER_SLOT_EXPRESSION || type == TIER_SLOT_EXPRESSIONS) {
      params_set_given(p, c->c.slots[i].name);
    }
  }
  return p;
}

void set_number(struct params *p, const char *slot, double value) {
  params_set_numbers(p, slot, &value, 1);
}

void set_text(struct params *p, const char *slot, const char *value) {
  params_set_texts(p, slot, &value, 1);
}

struct instance *make(struct params *p, int64_t n) {
  struct instance *i = NULL;
  assert_ok(instance_new(p, &i));
  const tier_state_1 *declares = instance_get(i, "tier.state/1");
  if (declares != NULL) {
    struct state *s = state_new();
    i->state = &s->face;
    assert_ok(declares->declare(i->object, n, i->state));
  }
  return i;
}

struct instance *make_plain(enum position position, const char *id, int64_t n) {
  return make(arguments(position, id), n);
}

void free_instance(struct instance *i) {
  if (i != NULL) {
    state_free((struct state *)(void *)i->state);
    i->state = NULL;
  }
  instance_free(i);
}

tier_vector *vector_of(const double *values, int64_t size) {
  tier_vector *x = vector_new(size);
  assert_non_null(x);
  vector_interface.write(x, 0, size, values);
  return x;
}

double element(const tier_vector *x, int64_t index) {
  double value = 0.0;
  vector_interface.read(x, index, 1, &value);
  return value;
}

void assert_near(double value, double expected, double tolerance) {
  if (!(fabs(value - expected) <= tolerance)) {
    fail_test("%.17g is not within %g of %.17g", value, tolerance, expected);
  }
}

void assert_vector_near(const tier_vector *x, const double *expected, double tolerance) {
  double most = 0.0;
  for (int64_t i = 0; i < x->size; i++) {
    most = fmax(most, fabs(expected[i]));
  }
  for (int64_t i = 0; i < x->size; i++) {
    if (!(fabs(element(x, i) - expected[i]) <= tolerance * most)) {
      fail_test("element %lld is %.17g, expected %.17g (+- %g)", (long long)i, element(x, i),
                expected[i], tolerance * most);
    }
  }
}

/* a <- G a G^T with G a rotation by `angle` of the plane (i, j). */
static void rotate(int64_t n, double *a, int64_t i, int64_t j, double angle) {
  double c = cos(angle);
  double s = sin(angle);
  for (int64_t k = 0; k < n; k++) {
    double u = a[i * n + k];
    double v = a[j * n + k];
    a[i * n + k] = c * u - s * v;
    a[j * n + k] = s * u + c * v;
  }
  for (int64_t k = 0; k < n; k++) {
    double u = a[k * n + i];
    double v = a[k * n + j];
    a[k * n + i] = c * u - s * v;
    a[k * n + j] = s * u + c * v;
  }
}

void random_symmetric(int64_t n, const double *eigenvalues, uint64_t seed, double *a) {
  uint64_t draw = 0;
  for (int64_t i = 0; i < n * n; i++) {
    a[i] = i % (n + 1) == 0 ? eigenvalues[i / (n + 1)] : 0.0;
  }
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = i + 1; j < n; j++) {
      rotate(n, a, i, j, 6.28 * random_uniform(seed, 0, draw++));
    }
  }
}

static void swap_rows(int64_t n, double *a, double *x, int64_t i, int64_t j) {
  for (int64_t k = 0; k < n; k++) {
    double t = a[i * n + k];
    a[i * n + k] = a[j * n + k];
    a[j * n + k] = t;
  }
  double t = x[i];
  x[i] = x[j];
  x[j] = t;
}

static void eliminate(int64_t n, double *m, double *x, int64_t i) {
  int64_t best = i;
  for (int64_t k = i + 1; k < n; k++) {
    best = fabs(m[k * n + i]) > fabs(m[best * n + i]) ? k : best;
  }
  swap_rows(n, m, x, i, best);
  for (int64_t k = i + 1; k < n; k++) {
    double factor = m[k * n + i] / m[i * n + i];
    for (int64_t j = i; j < n; j++) {
      m[k * n + j] -= factor * m[i * n + j];
    }
    x[k] -= factor * x[i];
  }
}

void solve_exactly(int64_t n, const double *a, const double *b, double *x) {
  double *m = memory_alloc((size_t)(n * n), sizeof(double));
  memcpy(m, a, (size_t)(n * n) * sizeof(double));
  memcpy(x, b, (size_t)n * sizeof(double));
  for (int64_t i = 0; i < n; i++) {
    eliminate(n, m, x, i);
  }
  for (int64_t i = n - 1; i >= 0; i--) {
    for (int64_t j = i + 1; j < n; j++) {
      x[i] -= m[i * n + j] * x[j];
    }
    x[i] /= m[i * n + i];
  }
  free(m);
}

void multiply(int64_t m, int64_t n, const double *a, int transposed, const double *x, double *y) {
  for (int64_t i = 0; i < (transposed ? n : m); i++) {
    y[i] = 0.0;
    for (int64_t k = 0; k < (transposed ? m : n); k++) {
      y[i] += (transposed ? a[k * n + i] : a[i * n + k]) * x[k];
    }
  }
}

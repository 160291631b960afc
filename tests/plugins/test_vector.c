/* tier.vector/1 and state arrays, against plain loops. */
#include <math.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "base/random.h"
#include "support.h"

#define V (&vector_interface)

static const int64_t sizes[] = {0,     1,      7,      16384,
                                16385, 100003, 1048577}; /* the last: longer chunks */
#define SIZES (int)(sizeof sizes / sizeof sizes[0])

static tier_vector *random_vector(int64_t n, uint64_t draw) {
  tier_vector *x = vector_new(n);
  assert_non_null(x);
  V->normal(x, 5, draw);
  return x;
}

/* Cheap numbers in [-1, 1) that are no round ones. */
static tier_vector *saw_tooth(int64_t n, double slope) {
  tier_vector *x = vector_new(n);
  double block[1024];
  assert_non_null(x);
  for (int64_t i = 0; i < n; i += 1024) {
    int64_t count = n - i < 1024 ? n - i : 1024;
    for (int64_t j = 0; j < count; j++) {
      double u = slope * (double)(i + j);
      block[j] = 2.0 * (u - (double)(int64_t)u) - 1.0;
    }
    V->write(x, i, count, block);
  }
  return x;
}

static void operations_equal_plain_loops(void **state) {
  (void)state;
  for (int32_t dtype = DTYPE_F32; dtype <= DTYPE_F64; dtype++) {
    double eps = dtype == DTYPE_F32 ? 0x1p-23 : 0x1p-52;
    use_dtype(dtype);
    assert_true(V->epsilon() == eps);
    for (int k = 0; k < SIZES - 2; k++) {
      int64_t n = sizes[k];
      tier_vector *x = random_vector(n, 0);
      tier_vector *y = random_vector(n, 1);
      tier_vector *z = vector_new(n);
      double sum = 0.0;
      double most = 0.0;
      assert_int_equal(V->size(x), n);
      V->copy(y, z);
      V->axpy(-0.75, x, z);
      V->axpby(2.0, x, 0.5, z); /* z = 2 x + (y - 0.75 x) / 2 */
      V->scale(-3.0, z);
      for (int64_t i = 0; i < n; i++) {
        double a = element(x, i);
        double b = element(y, i);
        double expected = -3.0 * (2.0 * a + 0.5 * (b - 0.75 * a));
        assert_near(element(z, i), expected, 8.0 * eps * (fabs(a) + fabs(b) + 1.0) * 6.0);
        assert_near(a, random_normal(5, 0, (uint64_t)i), eps * fabs(a));
        sum += a * b;
        most = fmax(most, fabs(a));
      }
      assert_near(V->dot(x, y), sum, 1e-12 * (double)(n + 1));
      assert_near(V->norm(x), sqrt(V->dot(x, x)), 0.0);
      assert_near(V->max_abs(x), most, 0.0);
      assert_int_equal(V->finite(x), 1);
      V->axpby(2.0, x, 0.0, x); /* y may be x */
      assert_near(V->max_abs(x), 2.0 * most, 0.0);
      vector_free(x);
      vector_free(y);
      vector_free(z);
    }
  }
  use_dtype(DTYPE_F64);
}

static void assert_same_bits(const tier_vector *x, const tier_vector *y) {
  if (x->size > 0) {
    assert_memory_equal(x->data, y->data, (size_t)x->size * dtype_size(x->dtype));
  }
}

/* What is done in one pass equals the calls that it joins, to the bit. */
static void joined_updates_equal_single_ones(void **state) {
  (void)state;
  for (int32_t dtype = DTYPE_F32; dtype <= DTYPE_F64; dtype++) {
    use_dtype(dtype);
    for (int k = 0; k < SIZES - 1; k++) {
      int64_t n = sizes[k];
      tier_vector *x = saw_tooth(n, 0.1);
      tier_vector *y[2] = {saw_tooth(n, 0.7), saw_tooth(n, 0.7)};
      tier_vector *z[2] = {saw_tooth(n, 0.3), saw_tooth(n, 0.3)};
      V->axpby(1.25, x, -0.3, y[0]);
      assert_true(V->axpby_dot(1.25, x, -0.3, y[1], z[1]) == V->dot(y[0], z[0]));
      assert_same_bits(y[0], y[1]);
      V->axpby(1.25, x, -0.3, y[0]);
      assert_true(V->axpby_dot(1.25, x, -0.3, y[1], y[1]) == V->dot(y[0], y[0]));
      V->axpy(0.7, x, y[0]);
      V->axpy(-0.6, x, z[0]);
      assert_true(V->axpy_pair(0.7, x, y[1], -0.6, x, z[1]) == V->dot(z[0], z[0]));
      assert_same_bits(y[0], y[1]);
      assert_same_bits(z[0], z[1]);
      V->axpy(0.9, x, y[0]);
      V->axpy(0.1, y[0], z[0]);
      V->axpy_chain(0.9, x, y[1], 0.1, z[1]);
      assert_same_bits(y[0], y[1]);
      assert_same_bits(z[0], z[1]);
      V->fill(y[1], NAN); /* not read where b = 0 */
      assert_true(V->axpby_dot(1.0, x, 0.0, y[1], y[1]) == V->dot(x, x));
      vector_free(x);
      for (int i = 0; i < 2; i++) {
        vector_free(y[i]);
        vector_free(z[i]);
      }
    }
  }
  use_dtype(DTYPE_F64);
}

/* The same bits with any number of threads. */
static void sums_do_not_depend_on_threads(void **state) {
  (void)state;
  for (int32_t dtype = DTYPE_F32; dtype <= DTYPE_F64; dtype++) {
    for (int k = 3; k < SIZES; k += 2) {
      double sums[5][5];
      for (int threads = 0; threads <= 4; threads++) { /* 0: no pool at all */
        struct threads *pool = NULL;
        if (threads > 0) {
          assert_ok(threads_new(threads, &pool));
        }
        vector_configure(dtype, pool);
        tier_vector *x = saw_tooth(sizes[k], 0.1);
        tier_vector *y = saw_tooth(sizes[k], 0.7);
        V->axpy(0.3, x, y);
        sums[threads][0] = V->dot(x, y);
        sums[threads][1] = V->norm(y);
        sums[threads][2] = element(y, sizes[k] - 1);
        sums[threads][3] = V->axpby_dot(0.4, x, 1.0, y, x);
        tier_vector *z = saw_tooth(sizes[k], 0.9);
        sums[threads][4] = V->axpy_pair(0.4, y, x, -0.2, y, z);
        vector_free(z);
        assert_memory_equal(sums[threads], sums[0], sizeof sums[0]);
        vector_free(x);
        vector_free(y);
        threads_free(pool);
      }
    }
  }
  use_dtype(DTYPE_F64);
}

static void norm_does_not_overflow(void **state) {
  (void)state;
  const double sizes_of_element[4] = {1e-200, 1e200, 1e-300, 1e300};
  for (int k = 0; k < 4; k++) {
    double values[4] = {3.0, 4.0, 0.0, 0.0};
    for (int i = 0; i < 4; i++) {
      values[i] *= sizes_of_element[k];
    }
    tier_vector *x = vector_of(values, 4);
    assert_near(V->norm(x) / sizes_of_element[k], 5.0, 1e-14);
    vector_free(x);
  }
  use_dtype(DTYPE_F32);
  const double large[2] = {3e38, 3e38}; /* squares overflow in f32 */
  tier_vector *x = vector_of(large, 2);
  assert_near(V->norm(x) / 3e38, sqrt(2.0), 1e-6);
  vector_free(x);
  use_dtype(DTYPE_F64);
}

static void what_is_not_finite_is_seen(void **state) {
  (void)state;
  const double bad[3] = {NAN, INFINITY, -INFINITY};
  for (int32_t dtype = DTYPE_F32; dtype <= DTYPE_F64; dtype++) {
    use_dtype(dtype);
    for (int k = 0; k < 3; k++) {
      tier_vector *x = random_vector(50000, 0);
      V->write(x, 49999, 1, &bad[k]);
      assert_int_equal(V->finite(x), 0);
      assert_true(k == 0 ? isnan(V->max_abs(x)) : isinf(V->max_abs(x)));
      assert_true(k == 0 ? isnan(V->norm(x)) : isinf(V->norm(x)));
      tier_vector *y = vector_new(50000);
      V->axpby(1.0, y, 0.0, x); /* b = 0 does not read what x holds */
      assert_int_equal(V->finite(x), 1);
      vector_free(x);
      vector_free(y);
    }
  }
  use_dtype(DTYPE_F64);
}

static void signs_are_plus_and_minus_one(void **state) {
  (void)state;
  const int64_t n = 100000;
  tier_vector *x = vector_new(n);
  double sum = 0.0;
  V->signs(x, 9, 0);
  for (int64_t i = 0; i < n; i++) {
    assert_true(fabs(element(x, i)) == 1.0);
    sum += element(x, i);
  }
  assert_near(sum / (double)n, 0.0, 0.02);
  vector_free(x);
}

static void a_view_borrows_its_data(void **state) {
  (void)state;
  double data[3] = {1.0, 2.0, 3.0};
  tier_vector *x = vector_view(data, 3);
  V->scale(2.0, x);
  vector_free(x);
  assert_true(data[0] == 2.0 && data[1] == 4.0 && data[2] == 6.0);
}

static void a_vector_that_is_too_large_is_null(void **state) {
  (void)state;
  assert_null(vector_new(INT64_MAX / 4));
  error_clear();
  assert_null(vector_new(-1));
  error_clear();
}

static void state_arrays_are_found_by_name(void **state) {
  (void)state;
  struct state *s = state_new();
  const tier_state_1_host *api = s->face.api;
  assert_ok(api->vector(&s->face, "pairs", 3));
  assert_ok(api->doubles(&s->face, "weights", 2));
  assert_ok(api->integers(&s->face, "counts", 1));
  assert_int_equal(api->get_vector(&s->face, "pairs")->size, 3);
  V->fill(api->get_vector(&s->face, "pairs"), 7.0);
  api->get_doubles(&s->face, "weights")[1] = 2.5;
  api->get_integers(&s->face, "counts")[0] = -4;
  assert_true(element(api->get_vector(&s->face, "pairs"), 2) == 7.0);
  state_zero(s);
  assert_true(V->max_abs(api->get_vector(&s->face, "pairs")) == 0.0);
  assert_true(api->get_doubles(&s->face, "weights")[1] == 0.0);
  assert_int_equal(api->get_integers(&s->face, "counts")[0], 0);
  assert_null(api->get_vector(&s->face, "weights")); /* another type */
  error_clear();
  assert_fails(api->doubles(&s->face, "pairs", 1), TIER_E_PLUGIN, "declared twice");
  state_free(s);
  state_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(operations_equal_plain_loops),
      cmocka_unit_test(joined_updates_equal_single_ones),
      cmocka_unit_test(sums_do_not_depend_on_threads),
      cmocka_unit_test(norm_does_not_overflow),
      cmocka_unit_test(what_is_not_finite_is_seen),
      cmocka_unit_test(signs_are_plus_and_minus_one),
      cmocka_unit_test(a_view_borrows_its_data),
      cmocka_unit_test(a_vector_that_is_too_large_is_null),
      cmocka_unit_test(state_arrays_are_found_by_name),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

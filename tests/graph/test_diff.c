/* What the two transforms promise, whatever the operations: which outputs are null, values in the
 * middle of a graph, size, failures, origins; and their faces for plugins. */
#include "diff/diff.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "support.h"
#include "unit.h"

struct scalars {
  struct graph *g;
  tier_graph *face;
  tier_value x, z; /* two scalar inputs */
};

static struct scalars scalars_new(void) {
  struct scalars s = {.g = graph_new()};
  s.face = &s.g->face;
  s.x = input_real(s.g, NULL, 0);
  s.z = input_real(s.g, NULL, 0);
  return s;
}

/* The number of v at x, z. */
static double at(const struct scalars *s, tier_value v, double x, double z) {
  const tier_value inputs[2] = {s->x, s->z};
  const double *const data[2] = {&x, &z};
  double result = NAN;
  evaluate_one(s->g, inputs, 2, data, v, &result);
  return result;
}

static void equal(double a, double b) {
  if (!(fabs(a - b) <= 1e-14 * (1 + fabs(b)))) {
    fail_msg("%.17g, expected %.17g", a, b);
  }
}

static tier_value derivative(struct scalars *s, tier_value y, tier_value x) {
  tier_value out = 0;
  assert_int_equal(diff_gradient(s->g, y, 0, &x, 1, &out), TIER_OK);
  return out;
}

/* ---- what is null ---- */

static void without_a_path_the_output_is_null(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value y = tier_exp(s.face, s.x);
  tier_value xs[2] = {s.x, s.z};
  tier_value out[2] = {9, 9};
  assert_int_equal(diff_gradient(s.g, y, 0, xs, 2, out), TIER_OK);
  assert_int_not_equal(out[0], 0);
  assert_int_equal(out[1], 0);
  tier_value t = tier_scalar(s.face, 1);
  assert_int_equal(diff_jvp(s.g, &y, 1, &s.z, &t, 1, out), TIER_OK);
  assert_int_equal(out[0], 0);
  tier_value none = 0; /* a tangent that does not move */
  assert_int_equal(diff_jvp(s.g, &y, 1, &s.x, &none, 1, out), TIER_OK);
  assert_int_equal(out[0], 0);
  graph_free(s.g);
}

static void the_face_has_a_constant_0_instead(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value y = tier_exp(s.face, s.x);
  tier_value xs[2] = {s.x, s.z};
  tier_value out[2] = {0};
  assert_int_equal(s.face->api->gradient(s.face, y, 0, xs, 2, out), TIER_OK);
  equal(at(&s, out[0], 0.5, 0), exp(0.5));
  equal(at(&s, out[1], 0.5, 0), 0);
  tier_value t = tier_scalar(s.face, 3);
  assert_int_equal(s.face->api->jvp(s.face, &y, 1, &s.z, &t, 1, out), TIER_OK);
  equal(at(&s, out[0], 0.5, 0), 0);
  assert_int_equal(s.face->api->jvp(s.face, &y, 1, &s.x, &t, 1, out), TIER_OK);
  equal(at(&s, out[0], 0.5, 0), 3 * exp(0.5));
  graph_free(s.g);
}

/* ---- values in the middle ---- */

/* y = 3 h z, h = x^2: dy/dx goes through h although h is asked for as well. */
static void xs_may_lie_on_one_path(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value h = tier_square(s.face, s.x);
  tier_value y = tier_scale(s.face, tier_multiply(s.face, h, s.z), 3);
  tier_value xs[3] = {h, s.x, y};
  tier_value out[3] = {0};
  assert_int_equal(diff_gradient(s.g, y, 0, xs, 3, out), TIER_OK);
  equal(at(&s, out[0], 2, 5), 15);
  equal(at(&s, out[1], 2, 5), 60);
  equal(at(&s, out[2], 2, 5), 1);
  /* forward, alike: h moves by 1 and, through x, by 2 x: dy = 15 (1 + 4) */
  tier_value one = tier_scalar(s.face, 1);
  tier_value t[2] = {one, one};
  tier_value moved = 0;
  assert_int_equal(diff_jvp(s.g, &y, 1, xs, t, 2, &moved), TIER_OK);
  equal(at(&s, moved, 2, 5), 75);
  graph_free(s.g);
}

static void several_ys_share_one_pass(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value h = tier_exp(s.face, s.x);
  tier_value ys[3] = {tier_multiply(s.face, h, h), s.z, h};
  tier_value t = tier_scalar(s.face, 1);
  tier_value out[3] = {0};
  assert_int_equal(diff_jvp(s.g, ys, 3, &s.x, &t, 1, out), TIER_OK);
  equal(at(&s, out[0], 0.3, 0), 2 * exp(0.6));
  assert_int_equal(out[1], 0);
  equal(at(&s, out[2], 0.3, 0), exp(0.3));
  graph_free(s.g);
}

static void cotangents_are_taken_as_given(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value y = tier_square(s.face, s.x);
  tier_value out = 0;
  assert_int_equal(diff_gradient(s.g, y, s.z, &s.x, 1, &out), TIER_OK);
  equal(at(&s, out, 3, 7), 42);
  graph_free(s.g);
}

/* f = sin(x) e^(x z): five derivatives by x against the closed form Im((z + i)^k e^((z + i) x)). */
static void derivatives_of_high_order(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value f = tier_multiply(s.face, tier_sin(s.face, s.x),
                               tier_exp(s.face, tier_multiply(s.face, s.x, s.z)));
  const double x = 0.7;
  const double z = 0.4;
  double re = exp(z * x) * cos(x);
  double im = exp(z * x) * sin(x);
  tier_value one = tier_scalar(s.face, 1);
  for (int k = 0; k < 5; k++) {
    equal(at(&s, f, x, z), im);
    double next = z * re - im;
    im = z * im + re;
    re = next;
    tier_value moved = 0;
    if (k % 2 == 0) {
      f = derivative(&s, f, s.x);
    } else { /* modes in turn */
      assert_int_equal(diff_jvp(s.g, &f, 1, &s.x, &one, 1, &moved), TIER_OK);
      f = moved;
    }
  }
  equal(at(&s, f, x, z), im);
  graph_free(s.g);
}

/* ---- size ---- */

/* x + x doubled 60 times has 2^60 paths; both transforms are linear in the values all the same. */
static void shared_values_are_visited_once(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value y = s.x;
  for (int i = 0; i < 60; i++) {
    y = tier_add(s.face, y, y);
  }
  uint32_t before = s.g->count;
  tier_value slope = derivative(&s, y, s.x);
  assert_true(s.g->count - before <= 61);
  equal(at(&s, slope, 1, 0), 0x1p60);
  before = s.g->count;
  tier_value t = tier_scalar(s.face, 1);
  tier_value moved = 0;
  assert_int_equal(diff_jvp(s.g, &y, 1, &s.x, &t, 1, &moved), TIER_OK);
  assert_true(s.g->count - before <= 61);
  equal(at(&s, moved, 1, 0), 0x1p60);
  graph_free(s.g);
}

static void only_what_takes_part_is_walked(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value aside = s.z;
  for (int i = 0; i < 100; i++) {
    aside = tier_sin(s.face, aside); /* does not depend on x */
  }
  tier_value unused = s.x;
  for (int i = 0; i < 100; i++) {
    unused = tier_sin(s.face, unused); /* y does not use it */
  }
  tier_value y = tier_add(s.face, tier_exp(s.face, s.x), aside);
  uint32_t before = s.g->count;
  (void)derivative(&s, y, s.x);
  assert_true(s.g->count - before <= 3);
  before = s.g->count;
  tier_value t = tier_scalar(s.face, 1);
  tier_value moved = 0;
  assert_int_equal(diff_jvp(s.g, &y, 1, &s.x, &t, 1, &moved), TIER_OK);
  assert_true(s.g->count - before <= 3);
  graph_free(s.g);
}

/* ---- failures and origins ---- */

static void expect_failure(struct graph *g, const char *text) {
  error_clear();
  assert_int_equal(graph_status(g), TIER_E_INVALID);
  assert_string_equal(error_text(), text);
  error_clear();
  graph_free(g);
}

static void shapes_and_types_are_checked(void **state) {
  (void)state;
  const int64_t three = 3;
  struct scalars s = scalars_new();
  tier_value v = input_real(s.g, &three, 1);
  tier_value out = 9;
  assert_int_equal(diff_gradient(s.g, v, s.x, &v, 1, &out), TIER_E_INVALID);
  assert_int_equal(out, 0);
  expect_failure(s.g, "gradient: cotangent: shapes differ: () and (3)");

  s = scalars_new();
  v = input_real(s.g, &three, 1);
  assert_int_equal(diff_jvp(s.g, &v, 1, &v, &s.x, 1, &out), TIER_E_INVALID);
  expect_failure(s.g, "jvp: tangent: shapes differ: () and (3)");

  s = scalars_new();
  v = input_i32(s.g, &three, 1);
  assert_int_equal(diff_gradient(s.g, s.x, 0, &v, 1, &out), TIER_E_INVALID);
  expect_failure(s.g, "gradient: x 1 is not a real value of this graph");

  s = scalars_new();
  assert_int_equal(s.face->api->gradient(s.face, 0, 0, &s.x, 1, &out), TIER_E_INVALID);
  assert_int_equal(out, 0);
  expect_failure(s.g, "gradient: y 1 is not a real value of this graph");

  s = scalars_new();
  v = s.g->count;
  assert_int_equal(diff_gradient(s.g, s.x, 0, &v, 1, &out), TIER_E_INVALID);
  expect_failure(s.g, "gradient: x 1 is not a real value of this graph");

  s = scalars_new();
  v = 1000;
  assert_int_equal(s.face->api->jvp(s.face, &v, 1, &s.x, &s.x, 1, &out), TIER_E_INVALID);
  expect_failure(s.g, "jvp: y 1 is not a real value of this graph");
}

static void a_failed_graph_stays_failed(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  tier_value out = 9;
  (void)s.face->api->fail(s.face, "no such thing");
  assert_int_equal(tier_exp(s.face, s.x), 0);
  assert_int_equal(diff_gradient(s.g, s.x, 0, &s.x, 1, &out), TIER_E_INVALID);
  assert_int_equal(out, 0);
  assert_int_equal(graph_input(s.g, TIER_REAL, NULL, 0, "late"), 0);
  expect_failure(s.g, "no such thing");
}

/* The derivative of a value is asked for by who asked for the value. */
static void derivatives_inherit_the_origin(void **state) {
  (void)state;
  struct scalars s = scalars_new();
  uint32_t before = graph_origin(s.g, (struct origin){"mlp", "forward", "m.json:3:5"});
  tier_value y = tier_tanh(s.face, s.x);
  uint32_t mlp = graph_value(s.g, y)->origin;
  graph_restore_origin(s.g, before);
  tier_value slope = derivative(&s, y, s.x);
  assert_int_equal(graph_value(s.g, slope)->origin, mlp);
  assert_string_equal(s.g->origins[mlp].plugin, "mlp");
  assert_int_equal(s.g->origin, before);
  graph_free(s.g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_path_the_output_is_null),
      cmocka_unit_test(the_face_has_a_constant_0_instead),
      cmocka_unit_test(xs_may_lie_on_one_path),
      cmocka_unit_test(several_ys_share_one_pass),
      cmocka_unit_test(cotangents_are_taken_as_given),
      cmocka_unit_test(derivatives_of_high_order),
      cmocka_unit_test(shared_values_are_visited_once),
      cmocka_unit_test(only_what_takes_part_is_walked),
      cmocka_unit_test(shapes_and_types_are_checked),
      cmocka_unit_test(a_failed_graph_stays_failed),
      cmocka_unit_test(derivatives_inherit_the_origin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

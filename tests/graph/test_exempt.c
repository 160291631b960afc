/* What the identities at random points cannot see: kinks and ties, operations without a derivative,
 * random numbers, and sqrt at 0. */
#include <math.h>
#include <string.h>

#include "diff/diff.h"
#include "support.h"
#include "unit.h"

/* A graph with one input x (n) and one direction t (n), and what f makes of them. */
struct line {
  struct graph *g;
  tier_value x, t;
  int64_t n;
};

static struct line line_new(int64_t n) {
  struct line l = {.g = graph_new(), .n = n};
  l.x = input_real(l.g, &n, 1);
  l.t = input_real(l.g, &n, 1);
  return l;
}

/* Frees the graph after comparing the value (a constant 0 if null) with what is expected. */
static void expect(struct line *l, tier_value v, const double *x, const double *expected) {
  double got[16] = {0};
  double ones[16];
  const double *const data[2] = {x, ones};
  const tier_value inputs[2] = {l->x, l->t};
  int64_t n = v != 0 ? size_of(l->g, v) : l->n;
  for (int i = 0; i < 16; i++) {
    ones[i] = 1;
  }
  assert_int_equal(graph_status(l->g), TIER_OK);
  if (v != 0) {
    evaluate_one(l->g, inputs, 2, data, v, got);
  }
  for (int64_t i = 0; i < n; i++) {
    if (!(got[i] == expected[i])) {
      fail_msg("element %d: %g, expected %g", (int)i, got[i], expected[i]);
    }
  }
}

static tier_value vjp_of(struct line *l, tier_value y) {
  tier_value out = 0;
  assert_int_equal(diff_gradient(l->g, y, 0, &l->x, 1, &out), TIER_OK);
  return out;
}
static tier_value jvp_of(struct line *l, tier_value y) {
  tier_value out = 0;
  assert_int_equal(diff_jvp(l->g, &y, 1, &l->x, &l->t, 1, &out), TIER_OK);
  return out;
}

/* value, vjp (cotangent ones) and jvp (tangent ones) of f at x, elementwise. */
static void check(tier_value (*f)(tier_graph *g, tier_value x), int64_t n, const double *x,
                  const double *value, const double *slope) {
  struct line l = line_new(n);
  tier_value y = f(&l.g->face, l.x);
  expect(&l, y, x, value);
  expect(&l, vjp_of(&l, y), x, slope);
  expect(&l, jvp_of(&l, y), x, slope);
  graph_free(l.g);
}

/* ---- kinks ---- */

static void relu_has_derivative_0_at_0(void **state) {
  (void)state;
  check(tier_relu, 4, (const double[]){-1, 0, -0.0, 2}, (const double[]){0, 0, 0, 2},
        (const double[]){0, 0, 0, 1});
}

static void abs_has_derivative_0_at_0(void **state) {
  (void)state;
  check(tier_abs, 3, (const double[]){-3, 0, 2}, (const double[]){3, 0, 2},
        (const double[]){-1, 0, 1});
}

/* max(x, 2 x) and max(2 x, x): at the tie x = 0 the first operand's slope. */
static tier_value max_plain_first(tier_graph *g, tier_value x) {
  return tier_maximum(g, x, tier_scale(g, x, 2));
}
static tier_value max_double_first(tier_graph *g, tier_value x) {
  return tier_maximum(g, tier_scale(g, x, 2), x);
}
static tier_value min_plain_first(tier_graph *g, tier_value x) {
  return tier_minimum(g, x, tier_scale(g, x, 2));
}
static tier_value min_double_first(tier_graph *g, tier_value x) {
  return tier_minimum(g, tier_scale(g, x, 2), x);
}
static void ties_go_to_the_first_operand(void **state) {
  (void)state;
  const double x[3] = {-1, 0, 1};
  check(max_plain_first, 3, x, (const double[]){-1, 0, 2}, (const double[]){1, 1, 2});
  check(max_double_first, 3, x, (const double[]){-1, 0, 2}, (const double[]){1, 2, 2});
  check(min_plain_first, 3, x, (const double[]){-2, 0, 1}, (const double[]){2, 1, 1});
  check(min_double_first, 3, x, (const double[]){-2, 0, 1}, (const double[]){2, 2, 1});
}

/* The maximum of (1, 3, 3, 2): the first 3 gets all of it, in both modes. */
static void ties_go_to_the_first_index(void **state) {
  (void)state;
  const double x[4] = {1, 3, 3, 2};
  struct line l = line_new(4);
  tier_value most = tier_max_axis(&l.g->face, l.x, 0);
  expect(&l, most, x, (const double[]){3});
  expect(&l, tier_argmax(&l.g->face, l.x, 0), x, (const double[]){1});
  expect(&l, vjp_of(&l, most), x, (const double[]){0, 1, 0, 0});
  /* the tangent that counts is that of the first: t = (1, 1, 1, 1) times (5, 6, 7, 8) */
  const double weights[4] = {5, 6, 7, 8};
  const int64_t dims = 4;
  tier_attributes a = {
      .struct_size = sizeof a, .int_count = 1, .ints = &dims, .real_count = 4, .reals = weights};
  tier_value w = l.g->face.api->emit(&l.g->face, TIER_OP_CONSTANT, NULL, 0, &a);
  tier_value t = tier_multiply(&l.g->face, w, l.t);
  tier_value moved = 0;
  assert_int_equal(diff_jvp(l.g, &most, 1, &l.x, &t, 1, &moved), TIER_OK);
  expect(&l, moved, x, (const double[]){6});
  graph_free(l.g);
}

/* ---- sqrt at 0 ---- */

static void safe_sqrt_has_all_derivatives_0_at_0(void **state) {
  (void)state;
  const double x[2] = {0, 4};
  struct line l = line_new(2);
  tier_value y = tier_safe_sqrt(&l.g->face, l.x);
  expect(&l, y, x, (const double[]){0, 2});
  tier_value first = vjp_of(&l, y); /* 1/2 x^-1/2 */
  expect(&l, first, x, (const double[]){0, 0.25});
  expect(&l, jvp_of(&l, y), x, (const double[]){0, 0.25});
  tier_value second = vjp_of(&l, first); /* -1/4 x^-3/2 */
  expect(&l, second, x, (const double[]){0, -1.0 / 32});
  expect(&l, jvp_of(&l, first), x, (const double[]){0, -1.0 / 32});
  tier_value third = jvp_of(&l, second); /* 3/8 x^-5/2 */
  expect(&l, third, x, (const double[]){0, 3.0 / 256});
  graph_free(l.g);
}

/* Adam's g / (sqrt(g^2) + eps) for a gradient that is always 0: slope 1 / eps, no NaN. */
static tier_value adam_direction(tier_graph *g, tier_value x) {
  tier_value root = tier_safe_sqrt(g, tier_square(g, x));
  return tier_divide(g, x, tier_shift(g, root, 0.5));
}
static void adam_at_zero_gradient_is_finite(void **state) {
  (void)state;
  const double x[1] = {0};
  struct line l = line_new(1);
  tier_value y = adam_direction(&l.g->face, l.x);
  tier_value slope = vjp_of(&l, y);
  expect(&l, slope, x, (const double[]){2});
  expect(&l, vjp_of(&l, slope), x, (const double[]){0});
  expect(&l, jvp_of(&l, slope), x, (const double[]){0});
  graph_free(l.g);
}

static void plain_sqrt_is_infinitely_steep_at_0(void **state) {
  (void)state;
  const double x[1] = {0};
  struct line l = line_new(1);
  expect(&l, vjp_of(&l, tier_sqrt(&l.g->face, l.x)), x, (const double[]){INFINITY});
  graph_free(l.g);
}

/* ---- no derivative ---- */

static void comparisons_yield_0_or_1(void **state) {
  (void)state;
  const double x[3] = {-1, 0, 1};
  struct line l = line_new(3);
  tier_graph *g = &l.g->face;
  tier_value zero = tier_fill_like(g, l.x, 0);
  tier_value less = tier_less(g, l.x, zero);
  expect(&l, less, x, (const double[]){1, 0, 0});
  expect(&l, tier_less_equal(g, l.x, zero), x, (const double[]){1, 1, 0});
  expect(&l, tier_equal(g, l.x, zero), x, (const double[]){0, 1, 0});
  tier_value i = tier_iota(g, 0, &l.n, 1);
  tier_value truncated = tier_cast(g, l.x, TIER_I32);
  expect(&l, tier_equal(g, i, truncated), x, (const double[]){0, 0, 0});
  expect(&l, tier_less(g, truncated, i), x, (const double[]){1, 1, 1});
  expect(&l, tier_less_equal(g, i, i), x, (const double[]){1, 1, 1});
  assert_int_equal(vjp_of(&l, less), 0);
  assert_int_equal(jvp_of(&l, less), 0);
  graph_free(l.g);
}

static void cast_to_i32_truncates_towards_0(void **state) {
  (void)state;
  const double x[5] = {-2.7, -0.5, 0.5, 2.7, 3};
  struct line l = line_new(5);
  tier_graph *g = &l.g->face;
  tier_value whole = tier_cast(g, l.x, TIER_I32);
  tier_value back = tier_cast(g, whole, TIER_REAL);
  expect(&l, whole, x, (const double[]){-2, 0, 0, 2, 3});
  expect(&l, back, x, (const double[]){-2, 0, 0, 2, 3});
  assert_int_equal(vjp_of(&l, back), 0);
  assert_int_equal(jvp_of(&l, back), 0);
  graph_free(l.g);
}

static void argsort_ascends_and_is_stable(void **state) {
  (void)state;
  const double x[6] = {2, 1, 2, 0, 1, 2};
  struct line l = line_new(6);
  tier_value order = tier_argsort(&l.g->face, l.x, 0);
  expect(&l, order, x, (const double[]){3, 1, 4, 0, 2, 5});
  expect(&l, tier_gather(&l.g->face, l.x, order, 0), x, (const double[]){0, 1, 1, 2, 2, 2});
  graph_free(l.g);
}

static void argmax_and_argsort_go_along_their_axis(void **state) {
  (void)state;
  const double x[6] = {1, 5, 3, 4, 2, 6};
  struct line l = line_new(6);
  tier_graph *g = &l.g->face;
  tier_value m = tier_reshape(g, l.x, (const int64_t[]){2, 3}, 2);
  expect(&l, tier_argmax(g, m, 0), x, (const double[]){1, 0, 1});
  expect(&l, tier_argmax(g, m, 1), x, (const double[]){1, 2});
  expect(&l, tier_argsort(g, m, 0), x, (const double[]){0, 1, 0, 1, 0, 1});
  expect(&l, tier_argsort(g, m, 1), x, (const double[]){0, 2, 1, 1, 0, 2});
  graph_free(l.g);
}

/* x stop(x): its derivative is x, not 2 x. */
static void stop_gradient_holds_constant(void **state) {
  (void)state;
  const double x[2] = {3, -2};
  struct line l = line_new(2);
  tier_graph *g = &l.g->face;
  tier_value held = tier_stop_gradient(g, l.x);
  tier_value y = tier_multiply(g, l.x, held);
  expect(&l, y, x, (const double[]){9, 4});
  tier_value slope = vjp_of(&l, y);
  expect(&l, slope, x, x);
  expect(&l, jvp_of(&l, y), x, x);
  assert_int_equal(vjp_of(&l, slope), 0); /* the slope is held constant, too */
  assert_int_equal(vjp_of(&l, held), 0);
  assert_int_equal(jvp_of(&l, held), 0);
  graph_free(l.g);
}

static void constants_and_iota(void **state) {
  (void)state;
  const double x[1] = {0};
  struct line l = line_new(1);
  tier_graph *g = &l.g->face;
  const int64_t dims[2] = {2, 3};
  const double numbers[6] = {1, 2, 3, 4, 5, 6};
  tier_attributes a = {
      .struct_size = sizeof a, .int_count = 2, .ints = dims, .real_count = 6, .reals = numbers};
  expect(&l, g->api->emit(g, TIER_OP_CONSTANT, NULL, 0, &a), x, numbers);
  expect(&l, tier_fill(g, 7, dims, 2), x, (const double[]){7, 7, 7, 7, 7, 7});
  expect(&l, tier_scalar(g, 2.5), x, (const double[]){2.5});
  expect(&l, tier_iota(g, 0, dims, 2), x, (const double[]){0, 0, 0, 1, 1, 1});
  expect(&l, tier_iota(g, 1, dims, 2), x, (const double[]){0, 1, 2, 0, 1, 2});
  graph_free(l.g);
}

/* Nothing gathered from nothing, and nothing added into nothing, is legal. */
static void empty_arrays_pass(void **state) {
  (void)state;
  const int64_t none = 0;
  struct graph *g = graph_new();
  tier_value x = input_real(g, &none, 1);
  tier_value index = input_i32(g, &none, 1);
  tier_value picked = tier_gather(&g->face, x, index, 0);
  tier_value added = tier_scatter_add(&g->face, picked, index, 0, 0);
  tier_value spread = tier_scatter_add(&g->face, picked, index, 0, 2);
  tier_value total = tier_sum_all(&g->face, added);
  const tier_value inputs[2] = {x, index};
  const double *const data[2] = {(const double[1]){0}, (const double[1]){0}};
  double out[2] = {9, 9};
  assert_int_equal(graph_status(g), TIER_OK);
  assert_int_equal(size_of(g, added), 0);
  evaluate_one(g, inputs, 2, data, total, out);
  assert_true(out[0] == 0);
  evaluate_one(g, inputs, 2, data, spread, out);
  assert_true(out[0] == 0 && out[1] == 0);
  tier_value slope = 0;
  assert_int_equal(diff_gradient(g, total, 0, &x, 1, &slope), TIER_OK);
  assert_int_equal(size_of(g, slope), 0);
  graph_free(g);
}

/* ---- random ---- */

#define DRAWS 20000

static void draws_of(int32_t distribution, int64_t stream, const double *key, const int64_t *dims,
                     int32_t rank, double *out) {
  struct graph *g = graph_new();
  const int64_t four = 4;
  tier_value k = input_i32(g, &four, 1);
  tier_value v = tier_random(&g->face, k, distribution, stream, dims, rank);
  evaluate_one(g, &k, 1, &key, v, out);
  graph_free(g);
}

/* Mean, variance and fourth central moment within five standard errors. */
static void check_moments(const double *x, double mean, double variance, double fourth) {
  double m = 0;
  double v = 0;
  for (int i = 0; i < DRAWS; i++) {
    m += x[i] / DRAWS;
  }
  for (int i = 0; i < DRAWS; i++) {
    v += (x[i] - m) * (x[i] - m) / DRAWS;
  }
  assert_true(fabs(m - mean) < 5 * sqrt(variance / DRAWS));
  assert_true(fabs(v - variance) < 5 * sqrt((fourth - variance * variance) / DRAWS));
}

static void random_numbers_have_their_distribution(void **state) {
  (void)state;
  const int64_t n = DRAWS;
  const double key[4] = {11, -7, 3, 0};
  double *x = calloc(DRAWS, sizeof *x);
  draws_of(TIER_UNIFORM, 1, key, &n, 1, x);
  for (int i = 0; i < DRAWS; i++) {
    assert_true(x[i] >= 0 && x[i] < 1);
  }
  check_moments(x, 0.5, 1.0 / 12, 1.0 / 80);
  draws_of(TIER_NORMAL, 1, key, &n, 1, x);
  check_moments(x, 0, 1, 3);
  free(x);
}

static void random_numbers_depend_on_key_stream_and_index_only(void **state) {
  (void)state;
  const double key[4] = {11, -7, 3, 0};
  double base[24];
  double other[24];
  draws_of(TIER_NORMAL, 1, key, (const int64_t[]){24}, 1, base);
  draws_of(TIER_NORMAL, 1, key, (const int64_t[]){2, 3, 4}, 3, other);
  assert_memory_equal(base, other, sizeof base);
  draws_of(TIER_NORMAL, 1, key, (const int64_t[]){7}, 1, other);
  assert_memory_equal(base, other, 7 * sizeof *base);
  draws_of(TIER_NORMAL, 1, key, NULL, 0, other); /* a scalar */
  assert_memory_equal(base, other, sizeof *base);
  draws_of(TIER_NORMAL, 2, key, (const int64_t[]){24}, 1, other);
  assert_true(distance(base, other, 24) > 0.1);
  for (int word = 0; word < 4; word++) {
    double changed[4];
    memcpy(changed, key, sizeof changed);
    changed[word] += 1;
    draws_of(TIER_NORMAL, 1, changed, (const int64_t[]){24}, 1, other);
    assert_true(distance(base, other, 24) > 0.1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(relu_has_derivative_0_at_0),
      cmocka_unit_test(abs_has_derivative_0_at_0),
      cmocka_unit_test(ties_go_to_the_first_operand),
      cmocka_unit_test(ties_go_to_the_first_index),
      cmocka_unit_test(safe_sqrt_has_all_derivatives_0_at_0),
      cmocka_unit_test(adam_at_zero_gradient_is_finite),
      cmocka_unit_test(plain_sqrt_is_infinitely_steep_at_0),
      cmocka_unit_test(comparisons_yield_0_or_1),
      cmocka_unit_test(cast_to_i32_truncates_towards_0),
      cmocka_unit_test(argsort_ascends_and_is_stable),
      cmocka_unit_test(argmax_and_argsort_go_along_their_axis),
      cmocka_unit_test(stop_gradient_holds_constant),
      cmocka_unit_test(constants_and_iota),
      cmocka_unit_test(empty_arrays_pass),
      cmocka_unit_test(random_numbers_have_their_distribution),
      cmocka_unit_test(random_numbers_depend_on_key_stream_and_index_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

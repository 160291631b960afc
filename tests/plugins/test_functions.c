/* Models, losses and maps: values through a built graph against numbers worked out by hand. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "bench.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})
#define NUMBERS(...) ((const double[]){__VA_ARGS__})

static struct instance *function(const char *id) {
  return make_plain(POSITION_FUNCTION, id, 0);
}

/* ---- losses ---------------------------------------------------------------------------------- */

static void cross_entropy_is_minus_log_of_the_labels_share(void **state) {
  (void)state;
  struct bench b;
  const int32_t labels[2] = {2, 0};
  bench_open(&b, function("cross-entropy"));
  (void)bench_input(&b, 'i', "logits", DIMS(2, 3), 2,
                    NUMBERS(0.0, log(2.0), log(5.0), 1000.0, 0.0, -1000.0));
  (void)bench_labels(&b, "labels", 2, labels);
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1, NUMBERS(-log(5.0 / 8.0), 0.0), 1e-14);
  bench_close(&b);
}

static void soft_cross_entropy_weighs_the_classes(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("soft-cross-entropy"));
  (void)bench_input(&b, 'i', "logits", DIMS(1, 3), 2, NUMBERS(0.0, log(2.0), log(5.0)));
  (void)bench_input(&b, 'i', "target", DIMS(1, 3), 2, NUMBERS(0.25, 0.5, 0.25));
  assert_ok(bench_build(&b, NULL));
  double expected = -0.25 * log(1.0 / 8.0) - 0.5 * log(2.0 / 8.0) - 0.25 * log(5.0 / 8.0);
  bench_check(&b, bench_output(&b, ""), DIMS(1), 1, &expected, 1e-14);
  bench_close(&b);
}

static void binary_cross_entropy_sums_over_the_row(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("binary-cross-entropy"));
  (void)bench_input(&b, 'i', "logits", DIMS(3, 2), 2,
                    NUMBERS(0.0, log(3.0), 100.0, -100.0, -1000.0, 1000.0));
  (void)bench_input(&b, 'i', "target", DIMS(3, 2), 2, NUMBERS(1.0, 0.25, 1.0, 0.0, 1.0, 0.0));
  assert_ok(bench_build(&b, NULL));
  double first = log(2.0) - 0.25 * log(0.75) - 0.75 * log(0.25);
  bench_check(&b, bench_output(&b, ""), DIMS(3), 1, NUMBERS(first, 2.0 * exp(-100.0), 2000.0),
              1e-13);
  bench_close(&b);
}

/* A target of one number a row, as a constant is, meets logits (n, 1). */
static void binary_cross_entropy_takes_one_target_a_row(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("binary-cross-entropy"));
  (void)bench_input(&b, 'i', "logits", DIMS(2, 1), 2, NUMBERS(0.0, log(3.0)));
  (void)bench_input(&b, 'i', "target", DIMS(2), 1, NUMBERS(1.0, 1.0));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1, NUMBERS(log(2.0), -log(0.75)), 1e-14);
  bench_close(&b);
}

static void mse_is_the_mean_over_the_row_without_half(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("mse"));
  (void)bench_input(&b, 'i', "of", DIMS(2, 2), 2, NUMBERS(1.0, 2.0, 3.0, 4.0));
  (void)bench_input(&b, 'i', "target", DIMS(2, 2), 2, NUMBERS(0.0, 4.0, 3.0, 1.0));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(2), 1, NUMBERS(2.5, 4.5), 0.0);
  bench_close(&b);
}

static void huber_is_a_parabola_then_a_line(void **state) {
  (void)state;
  struct bench b;
  struct params *p = arguments(POSITION_FUNCTION, "huber");
  set_number(p, "delta", 2.0);
  bench_open(&b, make(p, 0));
  (void)bench_input(&b, 'i', "of", DIMS(4), 1, NUMBERS(1.0, -2.0, 5.0, -3.0));
  (void)bench_input(&b, 'i', "target", DIMS(4), 1, NUMBERS(0.0, 0.0, 0.0, 1.0));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(4), 1, NUMBERS(0.5, 2.0, 8.0, 6.0), 1e-14);
  bench_close(&b);
}

static void l2_is_half_the_squared_norm(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, function("l2"));
  (void)bench_input(&b, 'i', "of", DIMS(1, 3), 2, NUMBERS(1.0, -2.0, 3.0));
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(1), 1, NUMBERS(7.0), 0.0);
  bench_close(&b);
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void elementwise_maps_keep_the_shape(void **state) {
  (void)state;
  const struct {
    const char *id;
    double x, y;
  } cases[] = {{"exp", 1.5, exp(1.5)},
               {"log", 2.5, log(2.5)},
               {"sigmoid", -0.75, 1.0 / (1.0 + exp(0.75))},
               {"tanh", 0.5, tanh(0.5)},
               {"softplus", -2.0, log1p(exp(-2.0))},
               {"relu", -2.0, 0.0},
               {"relu", 3.0, 3.0},
               {"square", -3.0, 9.0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const struct {
      int64_t dims[3];
      int32_t rank;
    } shapes[3] = {{{0}, 0}, {{1}, 1}, {{1, 1, 1}, 3}};
    for (int k = 0; k < 3; k++) {
      struct bench b;
      bench_open(&b, function(cases[i].id));
      assert_true((b.instance->component->c.flags & TIER_ELEMENTWISE) != 0);
      (void)bench_input(&b, 'i', "of", shapes[k].dims, shapes[k].rank, &cases[i].x);
      assert_ok(bench_build(&b, NULL));
      bench_check(&b, bench_output(&b, ""), shapes[k].dims, shapes[k].rank, &cases[i].y, 1e-15);
      bench_close(&b);
    }
  }
}

static void rowwise_maps_take_each_row(void **state) {
  (void)state;
  const double x[6] = {0.0, log(2.0), log(5.0), 1000.0, 1000.0, -1000.0};
  const double softmax[6] = {0.125, 0.25, 0.625, 0.5, 0.5, 0.0};
  const double log_softmax[6] = {-log(8.0), log(0.25), log(0.625),
                                 -log(2.0), -log(2.0), -2000.0 - log(2.0)};
  const double log_sum_exp[2] = {log(8.0), 1000.0 + log(2.0)};
  const double total[2] = {log(10.0), 1000.0};
  const struct {
    const char *id;
    int32_t rank;
    const double *expected;
  } cases[] = {{"softmax", 2, softmax},
               {"log-softmax", 2, log_softmax},
               {"log-sum-exp", 1, log_sum_exp},
               {"total", 1, total}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct bench b;
    bench_open(&b, function(cases[i].id));
    (void)bench_input(&b, 'i', "of", DIMS(2, 3), 2, x);
    assert_ok(bench_build(&b, NULL));
    bench_check(&b, bench_output(&b, ""), DIMS(2, 3), cases[i].rank, cases[i].expected, 1e-12);
    bench_close(&b);
  }
}

static void times_sum_and_minus_combine_operands(void **state) {
  (void)state;
  const char *ids[3] = {"times", "sum", "minus"};
  const double expected[3][2] = {{2.0 * 5.0, -3.0 * 0.5}, {7.0, -2.5}, {-3.0, -3.5}};
  for (int k = 0; k < 3; k++) {
    struct bench b;
    bench_open(&b, function(ids[k]));
    bench_operand(&b, bench_input(&b, 'i', "first", DIMS(2), 1, NUMBERS(2.0, -3.0)));
    bench_operand(&b, bench_input(&b, 'i', "second", DIMS(2), 1, NUMBERS(5.0, 0.5)));
    assert_ok(bench_build(&b, NULL));
    bench_check(&b, bench_output(&b, ""), DIMS(2), 1, expected[k], 0.0);
    bench_close(&b);
  }
}

static void sum_takes_any_number_of_terms_minus_two(void **state) {
  (void)state;
  struct bench b;
  const double term = 1.5;
  bench_open(&b, function("sum"));
  for (int k = 0; k < 4; k++) {
    bench_operand(&b, bench_input(&b, 'i', "term", DIMS(1), 1, &term));
  }
  assert_ok(bench_build(&b, NULL));
  bench_check(&b, bench_output(&b, ""), DIMS(1), 1, NUMBERS(6.0), 0.0);
  bench_close(&b);
  bench_open(&b, function("minus"));
  bench_operand(&b, bench_input(&b, 'i', "only", DIMS(1), 1, NUMBERS(1.5)));
  assert_fails(bench_build(&b, NULL), TIER_E_INVALID, "two operands");
  bench_close(&b);
}

/* ---- models ---------------------------------------------------------------------------------- */

static struct instance *model(const char *id, const double *layers, size_t count,
                              const char *activation, const char *init) {
  struct params *p = arguments(POSITION_MODEL, id);
  params_set_numbers(p, "layers", layers, count);
  if (activation != NULL) {
    set_text(p, "activation", activation);
  }
  if (init != NULL) {
    set_text(p, "init", init);
  }
  return make(p, 0);
}

static void linear_is_a_matrix_and_a_bias(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, model("linear", NUMBERS(2, 3), 2, NULL, NULL));
  bench_variables(&b);
  assert_int_equal(b.declared_count, 2);
  assert_string_equal(b.declared[0].name, "weight");
  assert_int_equal(b.declared[0].rank, 2);
  assert_int_equal(b.declared[0].dims[0], 2);
  assert_int_equal(b.declared[0].dims[1], 3);
  assert_string_equal(b.declared[1].name, "bias");
  assert_int_equal(b.declared[1].rank, 1);
  assert_int_equal(b.declared[1].dims[0], 3);
  (void)bench_input(&b, 'v', "weight", DIMS(2, 3), 2, NUMBERS(1, 2, 3, 4, 5, 6));
  (void)bench_input(&b, 'v', "bias", DIMS(3), 1, NUMBERS(0.5, 0.25, 0.125));
  (void)bench_input(&b, 'i', "x", DIMS(2, 2), 2, NUMBERS(1, 0, 2, -1));
  assert_ok(bench_build(&b, "forward"));
  bench_check(&b, bench_output(&b, ""), DIMS(2, 3), 2,
              NUMBERS(1.5, 2.25, 3.125, -1.5, -0.75, 0.125), 1e-15);
  bench_close(&b);
}

static void linear_flattens_its_rows_and_checks_their_size(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, model("linear", NUMBERS(4, 1), 2, NULL, NULL));
  (void)bench_input(&b, 'v', "weight", DIMS(4, 1), 2, NUMBERS(1, 10, 100, 1000));
  (void)bench_input(&b, 'v', "bias", DIMS(1), 1, NUMBERS(0));
  (void)bench_input(&b, 'i', "x", DIMS(1, 2, 2), 3, NUMBERS(1, 2, 3, 4));
  assert_ok(bench_build(&b, "forward"));
  bench_check(&b, bench_output(&b, ""), DIMS(1, 1), 2, NUMBERS(4321), 0.0);
  bench_close(&b);
  bench_open(&b, model("linear", NUMBERS(4, 1), 2, NULL, NULL));
  (void)bench_input(&b, 'v', "weight", DIMS(4, 1), 2, NUMBERS(1, 10, 100, 1000));
  (void)bench_input(&b, 'v', "bias", DIMS(1), 1, NUMBERS(0));
  (void)bench_input(&b, 'i', "x", DIMS(1, 3), 2, NUMBERS(1, 2, 3));
  assert_fails(bench_build(&b, "forward"), TIER_E_INVALID, "takes rows of 4 numbers, these have 3");
  bench_close(&b);
}

static void linear_takes_two_sizes(void **state) {
  (void)state;
  struct params *p = arguments(POSITION_MODEL, "linear");
  struct instance *i = NULL;
  params_set_numbers(p, "layers", NUMBERS(2, 3, 4), 3);
  assert_fails(instance_new(p, &i), TIER_E_INVALID, "mlp has hidden layers");
}

static double silu(double x) {
  return x / (1.0 + exp(-x));
}
static double sigmoid(double x) {
  return 1.0 / (1.0 + exp(-x));
}
static double softplus(double x) {
  return log1p(exp(x));
}
static double relu(double x) {
  return x > 0.0 ? x : 0.0;
}

static void mlp_has_an_activation_between_layers(void **state) {
  (void)state;
  const struct {
    const char *name; /* NULL: the default */
    double (*f)(double x);
  } cases[] = {{NULL, relu},         {"relu", relu},         {"tanh", tanh},
               {"sigmoid", sigmoid}, {"softplus", softplus}, {"silu", silu}};
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    struct bench b;
    bench_open(&b, model("mlp", NUMBERS(1, 2, 1), 3, cases[k].name, NULL));
    bench_variables(&b);
    assert_int_equal(b.declared_count, 4);
    assert_string_equal(b.declared[0].name, "layer1.weight");
    assert_string_equal(b.declared[1].name, "layer1.bias");
    assert_string_equal(b.declared[2].name, "head.weight");
    assert_string_equal(b.declared[3].name, "head.bias");
    (void)bench_input(&b, 'v', "layer1.weight", DIMS(1, 2), 2, NUMBERS(2, -1));
    (void)bench_input(&b, 'v', "layer1.bias", DIMS(2), 1, NUMBERS(0.5, 0.25));
    (void)bench_input(&b, 'v', "head.weight", DIMS(2, 1), 2, NUMBERS(3, 5));
    (void)bench_input(&b, 'v', "head.bias", DIMS(1), 1, NUMBERS(-7));
    (void)bench_input(&b, 'i', "x", DIMS(2), 1, NUMBERS(1.0, -2.0)); /* one number a row */
    assert_ok(bench_build(&b, "forward"));
    double first = 3 * cases[k].f(2.5) + 5 * cases[k].f(-0.75) - 7;
    double second = 3 * cases[k].f(-3.5) + 5 * cases[k].f(2.25) - 7;
    bench_check(&b, bench_output(&b, ""), DIMS(2, 1), 2, NUMBERS(first, second), 1e-14);
    bench_close(&b);
  }
}

static void models_start_as_their_init_says(void **state) {
  (void)state;
  const double bound = 1.0 / sqrt(784.0);
  const struct {
    const char *init;
    int32_t weight;
    double a, b;
    int32_t bias;
    double c, d;
  } cases[] = {{NULL, TIER_INIT_UNIFORM, -bound, bound, TIER_INIT_UNIFORM, -bound, bound},
               {"xavier", TIER_INIT_UNIFORM, -sqrt(6.0 / 794.0), sqrt(6.0 / 794.0),
                TIER_INIT_CONSTANT, 0, 0},
               {"he", TIER_INIT_NORMAL, 0, sqrt(2.0 / 784.0), TIER_INIT_CONSTANT, 0, 0},
               {"zeros", TIER_INIT_CONSTANT, 0, 0, TIER_INIT_CONSTANT, 0, 0}};
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    struct bench b;
    bench_open(&b, model("linear", NUMBERS(784, 10), 2, NULL, cases[k].init));
    bench_variables(&b);
    assert_int_equal(b.declared[0].initializer, cases[k].weight);
    assert_near(b.declared[0].a, cases[k].a, 1e-16);
    if (cases[k].weight != TIER_INIT_CONSTANT) {
      assert_near(b.declared[0].b, cases[k].b, 1e-16);
    }
    assert_int_equal(b.declared[1].initializer, cases[k].bias);
    assert_near(b.declared[1].a, cases[k].c, 1e-16);
    bench_close(&b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cross_entropy_is_minus_log_of_the_labels_share),
      cmocka_unit_test(soft_cross_entropy_weighs_the_classes),
      cmocka_unit_test(binary_cross_entropy_sums_over_the_row),
      cmocka_unit_test(binary_cross_entropy_takes_one_target_a_row),
      cmocka_unit_test(mse_is_the_mean_over_the_row_without_half),
      cmocka_unit_test(huber_is_a_parabola_then_a_line),
      cmocka_unit_test(l2_is_half_the_squared_norm),
      cmocka_unit_test(elementwise_maps_keep_the_shape),
      cmocka_unit_test(rowwise_maps_take_each_row),
      cmocka_unit_test(times_sum_and_minus_combine_operands),
      cmocka_unit_test(sum_takes_any_number_of_terms_minus_two),
      cmocka_unit_test(linear_is_a_matrix_and_a_bias),
      cmocka_unit_test(linear_flattens_its_rows_and_checks_their_size),
      cmocka_unit_test(linear_takes_two_sizes),
      cmocka_unit_test(mlp_has_an_activation_between_layers),
      cmocka_unit_test(models_start_as_their_init_says),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

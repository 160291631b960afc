/* Optimizers that are graphs: steps worked out by hand, and their derivatives. */
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "bench.h"

#define N 5

struct optimizer {
  const char *id;
  const char *hypers[4];
  double values[4];
};

static const struct optimizer optimizers[] = {
    {"sgd", {"lr"}, {0.1}},
    {"momentum", {"lr", "beta"}, {0.1, 0.9}},
    {"nesterov", {"lr", "beta"}, {0.1, 0.8}},
    {"rmsprop", {"lr", "gamma", "eps"}, {0.01, 0.9, 1e-3}},
    {"adam", {"lr", "beta1", "beta2", "eps"}, {0.02, 0.85, 0.95, 1e-3}},
};
#define OPTIMIZERS (int)(sizeof optimizers / sizeof optimizers[0])

/* The bench of one step, with its hyperparameters as scalar inputs. */
static void open_step(struct bench *b, const struct optimizer *o) {
  struct params *p = arguments(POSITION_OPTIMIZER, o->id);
  for (int i = 0; i < 4 && o->hypers[i] != NULL; i++) {
    set_number(p, o->hypers[i], o->values[i]);
  }
  bench_open(b, make(p, N));
  for (int i = 0; i < 4 && o->hypers[i] != NULL; i++) {
    (void)bench_input(b, 'h', o->hypers[i], NULL, 0, &o->values[i]);
  }
}

/* ---- steps by hand --------------------------------------------------------------------------- */

/* What three steps of each make of one number, in plain C. g: its gradients. */
static double by_hand(const char *id, const double *h, double w, const double *g, int steps) {
  double d = 0.0; /* change, mean square, or mean */
  double e = 0.0; /* Adam's mean square */
  for (int t = 1; t <= steps; t++) {
    double x = g[t - 1];
    if (strcmp(id, "sgd") == 0) {
      w -= h[0] * x;
    } else if (strcmp(id, "momentum") == 0) {
      d = h[1] * d - h[0] * x;
      w += d;
    } else if (strcmp(id, "nesterov") == 0) {
      d = h[1] * d - h[0] * x;
      w += h[1] * d - h[0] * x;
    } else if (strcmp(id, "rmsprop") == 0) {
      d = h[1] * d + (1.0 - h[1]) * x * x;
      w -= h[0] * x / sqrt(d + h[2]);
    } else {
      d = h[1] * d + (1.0 - h[1]) * x;
      e = h[2] * e + (1.0 - h[2]) * x * x;
      w -= h[0] * (d / (1.0 - pow(h[1], t))) / (sqrt(e / (1.0 - pow(h[2], t))) + h[3]);
    }
  }
  return w;
}

/* Runs three steps through the graph, carrying w and the states over. */
static void steps_equal_those_worked_out_by_hand(void **state) {
  (void)state;
  for (int k = 0; k < OPTIMIZERS; k++) {
    const struct optimizer *o = &optimizers[k];
    const double start[N] = {1.0, -2.0, 0.5, 0.0, 3.0};
    double w[N];
    double g[N];
    double carried[4][N] = {{0}};
    double gradients[N][3];
    memcpy(w, start, sizeof w);
    for (int t = 0; t < 3; t++) {
      struct bench b;
      for (int i = 0; i < N; i++) {
        g[i] = i == 3 ? 0.0 : random_normal(21, (uint64_t)t, (uint64_t)i);
        gradients[i][t] = g[i];
      }
      open_step(&b, o);
      bench_step(&b, N, w, g);
      int states = 0;
      for (int i = 0; i < b.input_count; i++) {
        if (b.inputs[i].role == 's') {
          b.inputs[i].data = carried[states++];
        }
      }
      double next[N];
      double results[4][N];
      assert_int_equal(bench_evaluate(&b, bench_output(&b, "w"), next), N);
      for (int i = 0, at = 0; i < b.input_count; i++) {
        if (b.inputs[i].role == 's') {
          (void)bench_evaluate(&b, bench_output(&b, b.inputs[i].name), results[at++]);
        }
      }
      memcpy(carried, results, (size_t)states * sizeof carried[0]);
      memcpy(w, next, sizeof w);
      bench_close(&b);
    }
    for (int i = 0; i < N; i++) {
      assert_near(w[i], by_hand(o->id, o->values, start[i], gradients[i], 3), 1e-12);
    }
  }
}

/* Kingma and Ba: without eps the first step is -lr sign(g). */
static void adams_first_step_is_the_sign(void **state) {
  (void)state;
  const struct optimizer o = {"adam", {"lr", "beta1", "beta2", "eps"}, {0.1, 0.9, 0.999, 1e-30}};
  const double w[N] = {0};
  const double g[N] = {3.0, -1e-4, 7e5, -2.0, 1e-9};
  const double expected[N] = {-0.1, 0.1, -0.1, 0.1, -0.1};
  struct bench b;
  const int64_t n = N;
  open_step(&b, &o);
  bench_step(&b, N, w, g);
  bench_check(&b, bench_output(&b, "w"), &n, 1, expected, 1e-12);
  bench_close(&b);
}

/* ---- derivatives ----------------------------------------------------------------------------- */

/* <u, w'> + <v, states'> as a scalar, u and v random constants. */
static tier_value probe(struct bench *b) {
  tier_graph *g = &b->g->face;
  tier_value sum = tier_scalar(g, 0.0);
  for (int i = 0; i < b->output_count; i++) {
    double weights[N];
    int64_t dims[1] = {N};
    int32_t rank = tier_rank(g, b->outputs[i].value);
    for (int j = 0; j < N; j++) {
      weights[j] = random_normal(22, (uint64_t)i, (uint64_t)j);
    }
    tier_attributes attributes = {.struct_size = (uint32_t)sizeof attributes,
                                  .int_count = (uint32_t)rank,
                                  .ints = dims,
                                  .real_count = rank == 1 ? N : 1,
                                  .reals = weights};
    tier_value u = g->api->emit(g, TIER_OP_CONSTANT, NULL, 0, &attributes);
    tier_value part = tier_multiply(g, u, b->outputs[i].value);
    const int64_t axis = 0;
    sum = tier_add(g, sum, rank == 1 ? tier_sum_axes(g, part, &axis, 1) : part);
  }
  return sum;
}

static void randomize(struct bench *b, double (*data)[N]) {
  for (int i = 0; i < b->input_count; i++) {
    for (int j = 0; j < N; j++) {
      double x = random_normal(23, (uint64_t)i, (uint64_t)j);
      data[i][j] = b->inputs[i].role == 's' ? 0.5 + x * x : x; /* mean squares are positive */
    }
    if (b->inputs[i].role == 'h') {
      data[i][0] = *(const double *)b->inputs[i].data;
    }
    b->inputs[i].data = data[i];
  }
}

/* The vjp of every input against central differences, and the jvp against the vjp. */
static void derivatives_equal_differences(void **state) {
  (void)state;
  for (int k = 0; k < OPTIMIZERS; k++) {
    struct bench b;
    double data[BENCH_MOST][N];
    double gradient[N];
    const double h = 1e-6;
    open_step(&b, &optimizers[k]);
    bench_step(&b, N, NULL, NULL);
    randomize(&b, data);
    tier_value y = probe(&b);
    tier_value xs[BENCH_MOST];
    tier_value pulled[BENCH_MOST];
    for (int i = 0; i < b.input_count; i++) {
      xs[i] = b.inputs[i].value;
    }
    assert_true(diff_gradient(b.g, y, 0, xs, (uint32_t)b.input_count, pulled) >= 0);
    for (int i = 0; i < b.input_count; i++) {
      tier_value pushed = 0;
      tier_value ones = tier_fill_like(&b.g->face, xs[i], 1.0);
      assert_true(pulled[i] != 0);
      int64_t size = bench_evaluate(&b, pulled[i], gradient);
      double sum = 0.0;
      for (int64_t j = 0; j < size; j++) {
        double kept = data[i][j];
        double sides[2];
        data[i][j] = kept + h;
        (void)bench_evaluate(&b, y, &sides[0]);
        data[i][j] = kept - h;
        (void)bench_evaluate(&b, y, &sides[1]);
        data[i][j] = kept;
        assert_near(gradient[j], (sides[0] - sides[1]) / (2.0 * h), 1e-6 * (1 + fabs(gradient[j])));
        sum += gradient[j];
      }
      assert_true(diff_jvp(b.g, &y, 1, &xs[i], &ones, 1, &pushed) >= 0);
      double tangent = 0.0;
      (void)bench_evaluate(&b, pushed, &tangent);
      assert_near(tangent, sum, 1e-12 * (1.0 + fabs(sum)));
    }
    bench_close(&b);
  }
}

/* Where a gradient has always been zero (a dark pixel), first and second derivatives are finite. */
static void derivatives_at_zero_gradients_are_finite(void **state) {
  (void)state;
  for (int k = 0; k < OPTIMIZERS; k++) {
    struct bench b;
    const double w[N] = {1.0, 2.0, 3.0, 4.0, 5.0};
    const double g[N] = {0.0, 0.5, 0.0, -1.0, 0.0};
    open_step(&b, &optimizers[k]);
    bench_step(&b, N, w, g); /* states are zero */
    tier_graph *graph = &b.g->face;
    tier_value y = probe(&b);
    tier_value x[2] = {bench_find(&b, "gradient"), bench_find(&b, "lr")};
    tier_value first[2];
    tier_value second[2];
    double out[N];
    assert_true(diff_gradient(b.g, y, 0, x, 2, first) >= 0);
    const int64_t axis = 0;
    tier_value squared = tier_sum_axes(graph, tier_multiply(graph, first[0], first[0]), &axis, 1);
    assert_true(diff_gradient(b.g, squared, 0, x, 2, second) >= 0);
    const tier_value all[4] = {first[0], first[1], second[0], second[1]};
    for (int i = 0; i < 4; i++) {
      int64_t size = all[i] != 0 ? bench_evaluate(&b, all[i], out) : 0;
      for (int64_t j = 0; j < size; j++) {
        assert_true(isfinite(out[j]));
      }
    }
    bench_close(&b);
  }
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Those flagged have a slot "lr", and a zero gradient leaves w where it is. */
static void fixed_points_are_flagged(void **state) {
  (void)state;
  for (int k = 0; k < OPTIMIZERS; k++) {
    struct bench b;
    const double w[N] = {1.0, 2.0, 3.0, 4.0, 5.0};
    const double zero[N] = {0};
    const int64_t n = N;
    open_step(&b, &optimizers[k]);
    uint32_t flags = b.instance->component->c.flags;
    assert_int_equal((flags & TIER_FIXED_POINT) != 0, k < 3);
    bench_step(&b, N, w, zero);
    bench_check(&b, bench_output(&b, "w"), &n, 1, w, 0.0);
    bench_close(&b);
  }
}

static void sgd_needs_a_rate(void **state) {
  (void)state;
  struct instance *i = NULL;
  assert_fails(instance_new(arguments(POSITION_OPTIMIZER, "sgd"), &i), TIER_E_INVALID, "lr");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_equal_those_worked_out_by_hand),
      cmocka_unit_test(adams_first_step_is_the_sign),
      cmocka_unit_test(derivatives_equal_differences),
      cmocka_unit_test(derivatives_at_zero_gradients_are_finite),
      cmocka_unit_test(fixed_points_are_flagged),
      cmocka_unit_test(sgd_needs_a_rate),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

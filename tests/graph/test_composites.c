/* The composites of tier/nn.h: values against plain formulas, the identities of their derivatives,
 * and stability for large arguments. */
#include <math.h>
#include <string.h>

#include "diff/diff.h"
#include "identities.h"
#include "unit.h"

/* ---- the identities ---------------------------------------------------------------------- */

static tier_value relu(tier_graph *g, const tier_value *in) {
  return tier_relu(g, in[0]);
}
static tier_value silu(tier_graph *g, const tier_value *in) {
  return tier_silu(g, in[0]);
}
static tier_value leaky_relu(tier_graph *g, const tier_value *in) {
  return tier_leaky_relu(g, in[0], 0.25);
}
static tier_value absolute(tier_graph *g, const tier_value *in) {
  return tier_abs(g, in[0]);
}
static tier_value square(tier_graph *g, const tier_value *in) {
  return tier_square(g, in[0]);
}
static tier_value affine(tier_graph *g, const tier_value *in) {
  return tier_complement(g, tier_shift(g, tier_scale(g, in[0], 3), 0.5));
}
static tier_value clamp(tier_graph *g, const tier_value *in) {
  return tier_clamp(g, in[0], tier_fill_like(g, in[0], -1), tier_fill_like(g, in[0], 0.5));
}
static tier_value mean_axis(tier_graph *g, const tier_value *in) {
  return tier_mean_axis(g, in[0], -2);
}
static tier_value mean_all(tier_graph *g, const tier_value *in) {
  return tier_mean_all(g, in[0]);
}
static tier_value row_mean(tier_graph *g, const tier_value *in) {
  return tier_row_mean(g, in[0]);
}
static tier_value match_scalar(tier_graph *g, const tier_value *in) {
  return tier_multiply(g, in[0], tier_match(g, in[1], in[0]));
}
static tier_value linear(tier_graph *g, const tier_value *in) {
  return tier_linear(g, in[0], in[1], in[2]);
}
static tier_value softmax(tier_graph *g, const tier_value *in) {
  return tier_softmax(g, in[0], -1);
}
static tier_value softmax_first(tier_graph *g, const tier_value *in) {
  return tier_softmax(g, in[0], 0);
}
static tier_value log_softmax(tier_graph *g, const tier_value *in) {
  return tier_log_softmax(g, in[0], 1);
}
static tier_value log_sum_exp(tier_graph *g, const tier_value *in) {
  return tier_log_sum_exp(g, in[0], -1);
}
static tier_value cross_entropy(tier_graph *g, const tier_value *in) {
  return tier_cross_entropy(g, in[0], in[1]);
}
static tier_value soft_cross_entropy(tier_graph *g, const tier_value *in) {
  return tier_soft_cross_entropy(g, in[0], in[1]);
}
static tier_value binary_cross_entropy(tier_graph *g, const tier_value *in) {
  return tier_binary_cross_entropy(g, in[0], in[1]);
}
static tier_value mse(tier_graph *g, const tier_value *in) {
  return tier_mse(g, in[0], in[1]);
}
static tier_value huber(tier_graph *g, const tier_value *in) {
  return tier_huber(g, in[0], in[1], tier_scalar(g, 0.8));
}
static tier_value huber_of_delta(tier_graph *g, const tier_value *in) {
  return tier_huber(g, in[0], in[1], tier_shift(g, tier_square(g, in[2]), 0.1));
}
static tier_value l2(tier_graph *g, const tier_value *in) {
  return tier_l2(g, in[0]);
}

/* Windows: odd and oblong with a stride and an uneven border; and one of 2 x 2, step 2. */
static const int64_t uneven[8] = {3, 2, 2, 1, 1, 0, 0, 1};
static const int64_t halving[8] = {2, 2, 2, 2, 0, 0, 0, 0};
static const int64_t bordered[8] = {3, 3, 2, 2, 1, 1, 1, 1};
static tier_value convolution(tier_graph *g, const tier_value *in) {
  return tier_convolution(g, in[0], in[1], uneven);
}
static tier_value convolution_squared(tier_graph *g, const tier_value *in) {
  return tier_convolution(g, tier_square(g, in[0]), in[1], halving);
}
static tier_value transposed_convolution(tier_graph *g, const tier_value *in) {
  return tier_transposed_convolution(g, in[0], in[1], 5, 4, uneven);
}
static tier_value max_pool(tier_graph *g, const tier_value *in) {
  return tier_max_pool(g, in[0], halving);
}
static tier_value max_pool_bordered(tier_graph *g, const tier_value *in) {
  return tier_max_pool(g, in[0], bordered);
}
static tier_value average_pool(tier_graph *g, const tier_value *in) {
  return tier_average_pool(g, in[0], uneven);
}

#define ROW(text, function, kinds, ...)                                                 \
  {                                                                                     \
    .name = text, .build = function, .inputs = kinds, .low = -2, .high = 2, .axis = -1, \
    __VA_ARGS__                                                                         \
  }
#define S(...)                                            \
  {                                                       \
    sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), { \
      __VA_ARGS__                                         \
    }                                                     \
  }

static const struct example examples[] = {
    ROW("relu", relu, "r", .shapes = {S(3, 4)}),
    ROW("leaky_relu", leaky_relu, "r", .shapes = {S(3, 4)}),
    ROW("silu", silu, "r", .shapes = {S(3, 4)}),
    ROW("abs", absolute, "r", .shapes = {S(3, 4)}),
    ROW("square", square, "r", .shapes = {S(3, 4)}),
    ROW("scale, shift, complement", affine, "r", .shapes = {S(3, 4)}),
    ROW("clamp", clamp, "r", .shapes = {S(3, 4)}),
    ROW("mean_axis", mean_axis, "r", .shapes = {S(2, 3, 4)}),
    ROW("mean_all", mean_all, "r", .shapes = {S(3, 4)}),
    ROW("row_mean", row_mean, "r", .shapes = {S(2, 3, 4)}),
    ROW("match, a scalar", match_scalar, "rr", .shapes = {S(3, 4), {0, {0}}}),
    ROW("match, one a row", match_scalar, "rr", .shapes = {S(3, 4), S(3)}),
    ROW("linear", linear, "rrr", .shapes = {S(3, 4), S(4, 2), S(2)}),
    ROW("softmax", softmax, "n", .shapes = {S(3, 4)}),
    ROW("softmax, first axis", softmax_first, "n", .shapes = {S(3, 4)}),
    ROW("log_softmax", log_softmax, "n", .shapes = {S(3, 4)}),
    ROW("log_sum_exp", log_sum_exp, "n", .shapes = {S(2, 3, 4)}),
    ROW("cross_entropy", cross_entropy, "ni", .shapes = {S(4, 3), S(4)}, .indices = 3),
    ROW("soft_cross_entropy", soft_cross_entropy, "nr", .shapes = {S(4, 3), S(4, 3)}),
    ROW("binary_cross_entropy", binary_cross_entropy, "rr", .shapes = {S(4, 3), S(4, 3)}),
    ROW("mse", mse, "rr", .shapes = {S(4, 3), S(4, 3)}),
    ROW("mse, one a row", mse, "rr", .shapes = {S(4, 1), S(4)}),
    ROW("huber", huber, "rr", .shapes = {S(4, 3), S(4, 3)}),
    ROW("huber, delta too", huber_of_delta, "rrr", .shapes = {S(4, 3), S(4, 3), {0, {0}}}),
    ROW("l2", l2, "r", .shapes = {S(4, 3)}),
    ROW("convolution", convolution, "rr", .shapes = {S(2, 5, 4, 2), S(12, 3)}),
    ROW("convolution of squares", convolution_squared, "rr", .shapes = {S(2, 4, 5, 2), S(8, 3)}),
    ROW("transposed_convolution", transposed_convolution, "rr",
        .shapes = {S(2, 2, 4, 3), S(12, 3)}),
    ROW("max_pool", max_pool, "n", .shapes = {S(2, 5, 4, 2)}),
    ROW("max_pool with a border", max_pool_bordered, "n", .shapes = {S(2, 4, 5, 2)}),
    ROW("average_pool", average_pool, "r", .shapes = {S(2, 5, 4, 2)}),
};

static void identities_hold(void **state) {
  (void)state;
  int broken = 0;
  for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
    struct identity_report r = identities_measure(&examples[i], 0);
    const char *name = identities_broken(&r);
    if (name != NULL) {
      print_error("%s: broken: %s\n", examples[i].name, name);
      broken++;
    }
  }
  assert_int_equal(broken, 0);
}

/* ---- values ------------------------------------------------------------------------------ */

/* Three arguments at most, with their numbers. */
struct call {
  struct graph *g;
  tier_graph *face;
  tier_value in[3];
  const double *data[3];
  uint32_t count;
};

static struct call call_new(void) {
  struct call c = {.g = graph_new()};
  c.face = &c.g->face;
  return c;
}

#define REAL(c, numbers, ...)                                    \
  add((c), TIER_REAL, (numbers), (const int64_t[]){__VA_ARGS__}, \
      (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
#define INDEX(c, numbers, ...)                                  \
  add((c), TIER_I32, (numbers), (const int64_t[]){__VA_ARGS__}, \
      (int32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
static tier_value add(struct call *c, int32_t type, const double *numbers, const int64_t *dims,
                      int32_t rank) {
  c->data[c->count] = numbers;
  c->in[c->count] = graph_input(c->g, type, dims, rank, "x");
  return c->in[c->count++];
}

/* The numbers of v are those expected, each to a relative error of `tolerance`. */
static void expect_near(const struct call *c, tier_value v, const double *expected,
                        double tolerance) {
  double got[256] = {0};
  assert_int_equal(graph_status(c->g), TIER_OK);
  assert_true(size_of(c->g, v) <= 256);
  evaluate_one(c->g, c->in, c->count, c->data, v, got);
  for (int64_t i = 0; i < size_of(c->g, v); i++) {
    if (!(fabs(got[i] - expected[i]) <= tolerance * fabs(expected[i]))) {
      fail_msg("element %d: %.17g, expected %.17g", (int)i, got[i], expected[i]);
    }
  }
}
static void expect(const struct call *c, tier_value v, const double *expected) {
  expect_near(c, v, expected, 1e-13);
}

static tier_value slope(struct call *c, tier_value y) {
  tier_value out = 0;
  assert_int_equal(diff_gradient(c->g, y, 0, &c->in[0], 1, &out), TIER_OK);
  return out;
}

static const double six[6] = {0.3, -1.2, 2.0, -0.7, 0.1, 1.5}; /* as (2, 3) */

static void elementwise_values(void **state) {
  (void)state;
  double out[5][6];
  for (int i = 0; i < 6; i++) {
    out[0][i] = fmax(six[i], 0);
    out[1][i] = six[i] / (1 + exp(-six[i]));
    out[2][i] = fabs(six[i]);
    out[3][i] = six[i] > 0 ? 1 : -1;
    out[4][i] = fmin(fmax(six[i], -1), 1);
  }
  struct call c = call_new();
  tier_value x = REAL(&c, six, 2, 3);
  expect(&c, tier_relu(c.face, x), out[0]);
  expect(&c, tier_silu(c.face, x), out[1]);
  expect(&c, tier_leaky_relu(c.face, x, 0.25), (const double[]){0.3, -0.3, 2, -0.175, 0.1, 1.5});
  expect(&c, tier_abs(c.face, x), out[2]);
  expect(&c, tier_sign(c.face, x), out[3]);
  expect(&c, clamp(c.face, &x), (const double[]){0.3, -1, 0.5, -0.7, 0.1, 0.5});
  expect(&c, tier_clamp(c.face, x, tier_fill_like(c.face, x, -1), tier_fill_like(c.face, x, 1)),
         out[4]);
  expect(&c, tier_scale(c.face, x, 2), (const double[]){0.6, -2.4, 4, -1.4, 0.2, 3});
  expect(&c, tier_shift(c.face, x, 2), (const double[]){2.3, 0.8, 4, 1.3, 2.1, 3.5});
  expect(&c, tier_complement(c.face, x), (const double[]){0.7, 2.2, -1, 1.7, 0.9, -0.5});
  graph_free(c.g);
}

static void sums_and_means(void **state) {
  (void)state;
  struct call c = call_new();
  tier_value x = REAL(&c, six, 2, 3);
  tier_value cube = tier_reshape(c.face, x, (const int64_t[]){2, 1, 3}, 3);
  expect(&c, tier_sum_all(c.face, x), (const double[]){2.0});
  expect(&c, tier_mean_all(c.face, x), (const double[]){1.0 / 3});
  expect(&c, tier_mean_axis(c.face, x, 0), (const double[]){-0.2, -0.55, 1.75});
  expect(&c, tier_mean_axis(c.face, x, -1), (const double[]){1.1 / 3, 0.3});
  expect(&c, tier_row_sum(c.face, cube), (const double[]){1.1, 0.9});
  expect(&c, tier_row_mean(c.face, cube), (const double[]){1.1 / 3, 0.3});
  assert_int_equal(tier_size(c.face, x), 6);
  graph_free(c.g);
}

static void matching_goes_by_rows(void **state) {
  (void)state;
  const double two[2] = {5, 7};
  const double three[3] = {1, 2, 3};
  const double by_row[6] = {5, 5, 5, 7, 7, 7};
  struct call c = call_new();
  tier_value like = REAL(&c, six, 2, 3);
  tier_value rows = REAL(&c, two, 2);
  tier_value columns = REAL(&c, three, 1, 3);
  expect(&c, tier_match(c.face, rows, like), by_row);
  expect(&c, tier_match(c.face, tier_reshape(c.face, rows, (const int64_t[]){2, 1}, 2), like),
         by_row);
  expect(&c, tier_match(c.face, columns, like), (const double[]){1, 2, 3, 1, 2, 3});
  expect(&c, tier_match(c.face, tier_scalar(c.face, 4), like), (const double[]){4, 4, 4, 4, 4, 4});
  expect(&c, tier_match(c.face, like, like), six);
  /* axes of size 1 too many at the end */
  expect(&c, tier_match(c.face, tier_reshape(c.face, rows, (const int64_t[]){2, 1, 1}, 3), like),
         by_row);
  expect(&c, tier_match(c.face, tier_reshape(c.face, rows, (const int64_t[]){2, 1}, 2), rows), two);
  expect(&c, tier_add_bias(c.face, like, tier_reshape(c.face, columns, (const int64_t[]){3}, 1)),
         (const double[]){1.3, 0.8, 5, 0.3, 2.1, 4.5});
  expect(&c, tier_expand(c.face, rows, 1, like), by_row);
  expect(&c, tier_expand(c.face, tier_reshape(c.face, columns, (const int64_t[]){3}, 1), -2, like),
         (const double[]){1, 2, 3, 1, 2, 3});
  graph_free(c.g);
}

static void rows_that_differ_do_not_match(void **state) {
  (void)state;
  const int64_t dims[2] = {2, 3};
  struct graph *g = graph_new();
  tier_value like = input_real(g, dims, 2);
  tier_value columns = input_real(g, dims + 1, 1); /* (3): taken for rows */
  assert_int_equal(tier_match(&g->face, columns, like), 0);
  assert_string_equal(g->failure, "broadcast: axis 0: size 3 cannot become 2: (3, 1)");
  graph_free(g);
}

static void one_hot_values(void **state) {
  (void)state;
  const double labels[3] = {2, 0, 1};
  struct call c = call_new();
  tier_value index = INDEX(&c, labels, 3);
  expect(&c, tier_one_hot(c.face, index, 3), (const double[]){0, 0, 1, 1, 0, 0, 0, 1, 0});
  graph_free(c.g);
}

/* x W + b by hand. */
static void linear_values(void **state) {
  (void)state;
  const double w[6] = {1, 2, 3, 4, 5, 6};
  const double b[2] = {10, 20};
  struct call c = call_new();
  tier_value x = REAL(&c, six, 2, 3);
  tier_value weight = REAL(&c, w, 3, 2);
  tier_value bias = REAL(&c, b, 2);
  expect(&c, tier_linear(c.face, x, weight, bias),
         (const double[]){10 + 0.3 - 3.6 + 10, 20 + 0.6 - 4.8 + 12, 10 - 0.7 + 0.3 + 7.5,
                          20 - 1.4 + 0.4 + 9});
  graph_free(c.g);
}

static void softmax_values(void **state) {
  (void)state;
  double p[6];
  double log_p[6];
  double lse[2];
  for (int i = 0; i < 2; i++) {
    const double *z = six + 3 * i;
    lse[i] = log(exp(z[0]) + exp(z[1]) + exp(z[2]));
    for (int j = 0; j < 3; j++) {
      log_p[3 * i + j] = z[j] - lse[i];
      p[3 * i + j] = exp(z[j] - lse[i]);
    }
  }
  struct call c = call_new();
  tier_value x = REAL(&c, six, 2, 3);
  expect(&c, tier_softmax(c.face, x, 1), p);
  expect(&c, tier_log_softmax(c.face, x, -1), log_p);
  expect(&c, tier_log_sum_exp(c.face, x, 1), lse);
  expect(&c, slope(&c, tier_log_sum_exp(c.face, x, 1)), p);
  graph_free(c.g);
}

static void cross_entropy_values(void **state) {
  (void)state;
  const double labels[2] = {2, 1};
  const double target[6] = {0.2, 0.3, 0.5, 0, 1, 0};
  double hard[2];
  double soft[2] = {0, 0};
  for (int i = 0; i < 2; i++) {
    const double *z = six + 3 * i;
    double lse = log(exp(z[0]) + exp(z[1]) + exp(z[2]));
    hard[i] = lse - z[(int)labels[i]];
    for (int j = 0; j < 3; j++) {
      soft[i] += target[3 * i + j] * (lse - z[j]);
    }
  }
  struct call c = call_new();
  tier_value x = REAL(&c, six, 2, 3);
  tier_value t = REAL(&c, target, 2, 3);
  tier_value index = INDEX(&c, labels, 2);
  tier_value column = tier_reshape(c.face, index, (const int64_t[]){2, 1}, 2);
  expect(&c, tier_cross_entropy(c.face, x, index), hard);
  expect(&c, tier_cross_entropy(c.face, x, column), hard);
  expect(&c, tier_soft_cross_entropy(c.face, x, t), soft);
  expect(&c, tier_soft_cross_entropy(c.face, x, tier_one_hot(c.face, index, 3)), hard);
  graph_free(c.g);
}

static void losses_of_differences(void **state) {
  (void)state;
  const double b[6] = {0.3, 0.8, -1.0, -0.7, 0.6, 1.4}; /* six - b: 0 -2 3, 0 -0.5 0.1 */
  const double t[6] = {0, 1, 0.5, 1, 0, 0.25};
  double bce[2] = {0, 0};
  for (int i = 0; i < 6; i++) {
    double s = 1 / (1 + exp(-six[i]));
    bce[i / 3] += -t[i] * log(s) - (1 - t[i]) * log(1 - s);
  }
  struct call c = call_new();
  tier_value x = REAL(&c, six, 2, 3);
  tier_value y = REAL(&c, b, 2, 3);
  tier_value target = REAL(&c, t, 2, 3);
  tier_value one = tier_scalar(c.face, 1);
  expect(&c, tier_mse(c.face, x, y), (const double[]){13.0 / 3, 0.26 / 3});
  expect(&c, tier_huber(c.face, x, y, one), (const double[]){4.0 / 3, 0.13 / 3});
  expect(&c, tier_huber(c.face, x, y, tier_scalar(c.face, 1e9)),
         (const double[]){6.5 / 3, 0.13 / 3}); /* half the square */
  expect(&c, tier_l2(c.face, x), (const double[]){(0.09 + 1.44 + 4) / 2, (0.49 + 0.01 + 2.25) / 2});
  expect(&c, slope(&c, tier_l2(c.face, x)), six);
  expect(&c, tier_binary_cross_entropy(c.face, x, target), bce);
  graph_free(c.g);
}

/* Value and slope of Huber's function meet at |r| = delta, from both sides. */
static void huber_is_smooth_at_delta(void **state) {
  (void)state;
  const double r[4] = {1 - 1e-9, 1, 1 + 1e-9, -1};
  struct call c = call_new();
  tier_value x = REAL(&c, r, 4);
  tier_value y = tier_huber(c.face, x, tier_fill_like(c.face, x, 0), tier_scalar(c.face, 1));
  expect_near(&c, y, (const double[]){0.5, 0.5, 0.5, 0.5}, 3e-9);
  expect_near(&c, slope(&c, y), (const double[]){1, 1, 1, -1}, 3e-9);
  graph_free(c.g);
}

/* ---- images ------------------------------------------------------------------------------- */

/* A layer of images by its definition, with loops over places and window elements. */
struct layer {
  int64_t n, h, w, in, out; /* the image's size, and channels of both sides */
  const int64_t *k;         /* a window */
  int64_t oh, ow;
};
static struct layer layer_of(int64_t n, int64_t h, int64_t w, int64_t in, int64_t out,
                             const int64_t *k) {
  struct layer l = {.n = n, .h = h, .w = w, .in = in, .out = out, .k = k};
  l.oh = (h + k[4] + k[5] - k[0]) / k[2] + 1;
  l.ow = (w + k[6] + k[7] - k[1]) / k[3] + 1;
  return l;
}

/* Calls `each` for all places (r, p, q), window elements (i, j) and pixels (y, x) inside. */
struct visit {
  const struct layer *l;
  const double *x, *weight;
  double *out;
  int64_t place, element, pixel; /* (r oh + p) ow + q; i kw + j; (r h + y) w + x */
};
static void visit_all(struct visit *v, void (*each)(const struct visit *v)) {
  const struct layer *l = v->l;
  for (v->place = 0; v->place < l->n * l->oh * l->ow; v->place++) {
    for (v->element = 0; v->element < l->k[0] * l->k[1]; v->element++) {
      int64_t y = v->place / l->ow % l->oh * l->k[2] + v->element / l->k[1] - l->k[4];
      int64_t x = v->place % l->ow * l->k[3] + v->element % l->k[1] - l->k[6];
      v->pixel = (v->place / l->ow / l->oh * l->h + y) * l->w + x;
      if (y >= 0 && y < l->h && x >= 0 && x < l->w) {
        each(v);
      }
    }
  }
}
static void convolve(const struct visit *v) {
  for (int64_t c = 0; c < v->l->in; c++) {
    for (int64_t o = 0; o < v->l->out; o++) {
      v->out[v->place * v->l->out + o] +=
          v->x[v->pixel * v->l->in + c] * v->weight[(v->element * v->l->in + c) * v->l->out + o];
    }
  }
}
/* Each number of x (at the places) is spread over its window, times the weight. */
static void spread(const struct visit *v) {
  for (int64_t c = 0; c < v->l->in; c++) {
    for (int64_t o = 0; o < v->l->out; o++) {
      v->out[v->pixel * v->l->out + o] +=
          v->x[v->place * v->l->in + c] * v->weight[(v->element * v->l->out + o) * v->l->in + c];
    }
  }
}
static void add_share(const struct visit *v) {
  for (int64_t c = 0; c < v->l->in; c++) {
    v->out[v->place * v->l->in + c] +=
        v->x[v->pixel * v->l->in + c] / (double)(v->l->k[0] * v->l->k[1]);
  }
}
static void keep_greatest(const struct visit *v) {
  for (int64_t c = 0; c < v->l->in; c++) {
    double *out = &v->out[v->place * v->l->in + c];
    *out = fmax(*out, v->x[v->pixel * v->l->in + c]);
  }
}

#define PIXELS 80 /* (2, 5, 4, 2) */
static void draw_all(double *x, int n, double low, double high) {
  struct generator r = {.state = 0x9e3779b97f4a7c15u};
  for (int i = 0; i < n; i++) {
    x[i] = draw(&r, low, high);
  }
}

static void convolutions_by_their_definition(void **state) {
  (void)state;
  const int64_t unit[8] = {1, 1, 1, 1, 0, 0, 0, 0};
  const int64_t wide[8] = {2, 3, 1, 3, 1, 2, 2, 1};
  const int64_t *windows[5] = {uneven, halving, bordered, unit, wide};
  double x[PIXELS];
  double w[9 * 2 * 3];
  draw_all(x, PIXELS, -1, 1);
  draw_all(w, 54, -1, 1);
  for (int i = 0; i < 5; i++) {
    double expected[256] = {0};
    struct layer l = layer_of(2, 5, 4, 2, 3, windows[i]);
    struct visit v = {.l = &l, .x = x, .weight = w, .out = expected};
    visit_all(&v, convolve);
    struct call c = call_new();
    tier_value image = REAL(&c, x, 2, 5, 4, 2);
    tier_value weight = REAL(&c, w, windows[i][0] * windows[i][1] * 2, 3);
    tier_value y = tier_convolution(c.face, image, weight, windows[i]);
    assert_int_equal(tier_dim(c.face, y, 1), l.oh);
    assert_int_equal(tier_dim(c.face, y, 2), l.ow);
    assert_int_equal(tier_dim(c.face, y, 3), 3);
    expect_near(&c, y, expected, 1e-12);
    graph_free(c.g);
  }
}

static void transposed_convolutions_by_their_definition(void **state) {
  (void)state;
  const int64_t *windows[3] = {uneven, halving, bordered};
  double x[PIXELS];
  double w[9 * 2 * 3];
  draw_all(x, PIXELS, -1, 1);
  draw_all(w, 54, -1, 1);
  for (int i = 0; i < 3; i++) {
    double expected[256] = {0};
    struct layer l = layer_of(2, 5, 4, 3, 2, windows[i]);
    struct visit v = {.l = &l, .x = x, .weight = w, .out = expected};
    visit_all(&v, spread);
    struct call c = call_new();
    tier_value y = REAL(&c, x, 2, l.oh, l.ow, 3);
    tier_value weight = REAL(&c, w, windows[i][0] * windows[i][1] * 2, 3);
    tier_value image = tier_transposed_convolution(c.face, y, weight, 5, 4, windows[i]);
    assert_int_equal(tier_size(c.face, image), PIXELS);
    expect_near(&c, image, expected, 1e-12);
    graph_free(c.g);
  }
}

/* All numbers are negative: a border that counted as zeros would win. */
static void pools_by_their_definition(void **state) {
  (void)state;
  const int64_t *windows[3] = {uneven, halving, bordered};
  double x[PIXELS];
  draw_all(x, PIXELS, -2, -1);
  for (int i = 0; i < 3; i++) {
    double mean[256] = {0};
    double most[256];
    struct layer l = layer_of(2, 5, 4, 2, 2, windows[i]);
    struct visit v = {.l = &l, .x = x, .out = mean};
    visit_all(&v, add_share);
    for (int k = 0; k < 256; k++) {
      most[k] = -INFINITY;
    }
    v.out = most;
    visit_all(&v, keep_greatest);
    struct call c = call_new();
    tier_value image = REAL(&c, x, 2, 5, 4, 2);
    expect(&c, tier_average_pool(c.face, image, windows[i]), mean);
    expect(&c, tier_max_pool(c.face, image, windows[i]), most);
    graph_free(c.g);
  }
}

/* Of equal ones the first takes the whole derivative. */
static void max_pool_ties(void **state) {
  (void)state;
  const double x[4] = {1, 2, 2, 2};
  struct call c = call_new();
  tier_value image = REAL(&c, x, 1, 2, 2, 1);
  expect(&c, slope(&c, tier_max_pool(c.face, image, halving)), (const double[]){0, 1, 0, 0});
  graph_free(c.g);
}

static void windows_that_do_not_fit_are_refused(void **state) {
  (void)state;
  int64_t window[8];
  struct graph *g = graph_new();
  tier_value image = input_real(g, (const int64_t[]){1, 3, 3, 1}, 4);
  tier_window(2, 1, 2, window);
  assert_int_equal(tier_max_pool(&g->face, image, window), 0);
  assert_string_equal(g->failure, "max_pool: the border must be narrower than the window");
  graph_free(g);
  g = graph_new();
  image = input_real(g, (const int64_t[]){1, 3, 3, 1}, 4);
  tier_window(4, 1, 0, window);
  assert_int_equal(tier_average_pool(&g->face, image, window), 0);
  assert_non_null(strstr(g->failure, "a window of 4 x 4 does not fit"));
  graph_free(g);
}

/* ---- stability --------------------------------------------------------------------------- */

#define FAR 10
static const double far[FAR] = {-1000, -100, -30, -1, 0, 0, 1, 30, 100, 1000};

/* 1 / (1 + e^-z), exactly to the last digits also where it is tiny. */
static double logistic(double z) {
  return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

/* Value, first and second derivative by z, for the target t. */
static void check_binary(double t) {
  double value[FAR];
  double first[FAR];
  double second[FAR];
  double target[FAR];
  for (int i = 0; i < FAR; i++) {
    double z = far[i];
    double tail = log1p(exp(-fabs(z)));
    target[i] = t;
    value[i] = t * (fmax(-z, 0) + tail) + (1 - t) * (fmax(z, 0) + tail);
    first[i] = -t * logistic(-z) + (1 - t) * logistic(z);
    second[i] = logistic(z) * logistic(-z);
  }
  struct call c = call_new();
  tier_value z = REAL(&c, far, FAR);
  tier_value y = tier_binary_cross_entropy(c.face, z, REAL(&c, target, FAR));
  tier_value gradient = slope(&c, y);
  expect(&c, y, value);
  expect(&c, gradient, first);
  expect(&c, slope(&c, gradient), second);
  graph_free(c.g);
}

static void binary_cross_entropy_is_exact_far_out(void **state) {
  (void)state;
  check_binary(0);
  check_binary(1);
  check_binary(0.25);
}

static void sigmoid_and_softplus_are_exact_far_out(void **state) {
  (void)state;
  double sigmoid[FAR];
  double softplus[FAR];
  double slope_of_sigmoid[FAR];
  for (int i = 0; i < FAR; i++) {
    sigmoid[i] = logistic(far[i]);
    softplus[i] = fmax(far[i], 0) + log1p(exp(-fabs(far[i])));
    slope_of_sigmoid[i] = logistic(far[i]) * logistic(-far[i]);
  }
  struct call c = call_new();
  tier_value z = REAL(&c, far, FAR);
  expect(&c, tier_sigmoid(c.face, z), sigmoid);
  expect(&c, tier_softplus(c.face, z), softplus);
  expect(&c, slope(&c, tier_softplus(c.face, z)), sigmoid);
  expect(&c, slope(&c, tier_sigmoid(c.face, z)), slope_of_sigmoid);
  graph_free(c.g);
}

/* Logits (s, 0, -s) with each label: loss, gradient and curvature along (1, 0, 0), for s = 100 and
 * 1000, in f64 and f32. The probabilities are (1, e^-s, e^-2s) to the last digit. */
static void check_cross_entropy(double s, int32_t dtype) {
  const double logits[9] = {s, 0, -s, s, 0, -s, s, 0, -s};
  const double labels[3] = {0, 1, 2};
  const double loss[3] = {0, s, 2 * s};
  const double gradient[9] = {0, 0, 0, 1, -1, 0, 1, 0, -1};
  double got[3][9] = {{0}};
  double *const results[3] = {got[0], got[1], got[2]};
  struct call c = call_new();
  tier_value x = REAL(&c, logits, 3, 3);
  tier_value y = tier_cross_entropy(c.face, x, INDEX(&c, labels, 3));
  tier_value outputs[3] = {y, slope(&c, y), 0};
  outputs[2] = slope(&c, tier_square(c.face, outputs[1])); /* 2 H g: zero, and no NaN */
  evaluate(c.g, dtype, c.in, c.count, c.data, outputs, 3, results);
  assert_true(distance(got[0], loss, 3) < 1e-15);
  assert_true(distance(got[1], gradient, 9) < 1e-40 + exp(-s));
  assert_true(distance(got[2], (const double[9]){0}, 9) < 1e-40 + 4 * exp(-s));
  graph_free(c.g);
}

static void cross_entropy_is_stable_far_out(void **state) {
  (void)state;
  check_cross_entropy(100, DTYPE_F64);
  check_cross_entropy(1000, DTYPE_F64);
  check_cross_entropy(100, DTYPE_F32);
  check_cross_entropy(1000, DTYPE_F32);
}

/* A shift of all logits by 1000 changes nothing but log-sum-exp, by just that. */
static void softmax_does_not_feel_a_shift(void **state) {
  (void)state;
  double shifted[6];
  double lse[2];
  double p[6];
  for (int i = 0; i < 2; i++) {
    const double *z = six + 3 * i;
    double sum = exp(z[0]) + exp(z[1]) + exp(z[2]);
    lse[i] = 1000 + log(sum);
    for (int j = 0; j < 3; j++) {
      shifted[3 * i + j] = 1000 + z[j];
      p[3 * i + j] = exp(z[j]) / sum;
    }
  }
  struct call c = call_new();
  tier_value x = REAL(&c, shifted, 2, 3);
  expect_near(&c, tier_log_sum_exp(c.face, x, 1), lse, 1e-12);
  expect_near(&c, tier_softmax(c.face, x, 1), p, 1e-12);
  graph_free(c.g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(identities_hold),
      cmocka_unit_test(elementwise_values),
      cmocka_unit_test(sums_and_means),
      cmocka_unit_test(matching_goes_by_rows),
      cmocka_unit_test(rows_that_differ_do_not_match),
      cmocka_unit_test(one_hot_values),
      cmocka_unit_test(linear_values),
      cmocka_unit_test(softmax_values),
      cmocka_unit_test(cross_entropy_values),
      cmocka_unit_test(losses_of_differences),
      cmocka_unit_test(huber_is_smooth_at_delta),
      cmocka_unit_test(convolutions_by_their_definition),
      cmocka_unit_test(transposed_convolutions_by_their_definition),
      cmocka_unit_test(pools_by_their_definition),
      cmocka_unit_test(max_pool_ties),
      cmocka_unit_test(windows_that_do_not_fit_are_refused),
      cmocka_unit_test(binary_cross_entropy_is_exact_far_out),
      cmocka_unit_test(sigmoid_and_softplus_are_exact_far_out),
      cmocka_unit_test(cross_entropy_is_stable_far_out),
      cmocka_unit_test(softmax_does_not_feel_a_shift),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

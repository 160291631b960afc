/* Models with several entries: values and gradients against plain C in f64, shapes and messages for
 * wrong inputs, and random draws that follow from their key. The variables of a model are drawn
 * once; the plain code below reads the same numbers. */
#include <math.h>
#include <stdlib.h>
#include <tier/nn.h>

#include "base/memory.h"
#include "base/random.h"
#include "bench.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})

/* A model with its variables filled with numbers from N(0, 0.3^2). */
struct trial {
  struct bench b;
  double *data[BENCH_MOST];
  int count;
};

static int64_t elements(const struct bench_value *v) {
  int64_t n = 1;
  for (int32_t i = 0; i < v->rank; i++) {
    n *= v->dims[i];
  }
  return n;
}

static void trial_open(struct trial *t, struct params *p) {
  bench_open(&t->b, make(p, 0));
  bench_variables(&t->b);
  t->count = t->b.declared_count;
  for (int i = 0; i < t->count; i++) {
    const struct bench_value *v = &t->b.declared[i];
    int64_t n = elements(v);
    t->data[i] = memory_alloc((size_t)n + 1, sizeof(double));
    for (int64_t k = 0; k < n; k++) {
      t->data[i][k] = 0.3 * random_normal(random_stream(v->name, 7), 0, (uint64_t)k);
    }
    (void)bench_input(&t->b, 'v', v->name, v->dims, v->rank, t->data[i]);
  }
}

static void trial_close(struct trial *t) {
  bench_close(&t->b);
  for (int i = 0; i < t->count; i++) {
    free(t->data[i]);
  }
}

static int index_of(const struct trial *t, const char *name) {
  for (int i = 0; i < t->count; i++) {
    if (strcmp(t->b.declared[i].name, name) == 0) {
      return i;
    }
  }
  fail_test("the model has no variable \"%s\"", name);
  return -1;
}

static struct params *with_layers(const char *id, const double *layers, size_t count) {
  struct params *p = arguments(POSITION_MODEL, id);
  params_set_numbers(p, "layers", layers, count);
  return p;
}

static tier_value gradient_of(struct bench *b, tier_value y, tier_value x) {
  tier_value out = 0;
  assert_ok(diff_gradient(b->g, y, 0, &x, 1, &out));
  return out;
}

static void expect_all(const double *got, const double *expected, int64_t n, double tolerance) {
  for (int64_t i = 0; i < n; i++) {
    if (!(fabs(got[i] - expected[i]) <= tolerance * (1 + fabs(expected[i])))) {
      fail_test("element %d: %.17g, expected %.17g", (int)i, got[i], expected[i]);
    }
  }
}

/* ---- plain layers ---------------------------------------------------------------------------- */

static double relu(double x) {
  return x > 0 ? x : 0;
}
static double sigmoid(double x) {
  return 1 / (1 + exp(-x));
}
static double silu(double x) {
  return x * sigmoid(x);
}
static double itself(double x) {
  return x;
}

/* out (n, m) = f(x (n, k) W + b) with the variables PART.weight (k, m) and PART.bias (m). */
static void layer(const struct trial *t, const char *part, double (*f)(double), const double *x,
                  int64_t n, double *out) {
  char name[64];
  (void)snprintf(name, sizeof name, "%s.weight", part);
  int at = index_of(t, name);
  (void)snprintf(name, sizeof name, "%s.bias", part);
  const double *w = t->data[at];
  const double *b = t->data[index_of(t, name)];
  int64_t k = t->b.declared[at].dims[0];
  int64_t m = t->b.declared[at].dims[1];
  for (int64_t r = 0; r < n; r++) {
    for (int64_t j = 0; j < m; j++) {
      double s = b[j];
      for (int64_t i = 0; i < k; i++) {
        s += x[r * k + i] * w[i * m + j];
      }
      out[r * m + j] = f(s);
    }
  }
}

/* ---- vae ------------------------------------------------------------------------------------- */

/* 5 numbers, 4 hidden, a code of 2; 3 rows. */
#define ROWS 3
#define SIZE 5
#define HIDDEN 4
#define LATENT 2
static const double pictures[ROWS * SIZE] = {0.1, 0.9, 0.4, 0.0, 1.0, 0.7,  0.2, 0.5,
                                             0.3, 0.8, 0.6, 0.0, 1.0, 0.25, 0.75};
static const double noise[ROWS * LATENT] = {0.3, -1.2, 0.8, 0.1, -0.5, 1.7};
static const int32_t some_key[4] = {1, 2, 3, 4};
static const int32_t other_key[4] = {1, 2, 3, 5};

static struct params *vae(void) {
  return with_layers("vae", (const double[]){SIZE, HIDDEN, LATENT}, 3);
}

struct plain_code {
  double mean[ROWS * LATENT], log_variance[ROWS * LATENT];
};
static struct plain_code plain_encode(const struct trial *t) {
  struct plain_code c;
  double h[ROWS * HIDDEN];
  layer(t, "encoder1", relu, pictures, ROWS, h);
  layer(t, "mean", itself, h, ROWS, c.mean);
  layer(t, "log_variance", itself, h, ROWS, c.log_variance);
  return c;
}
static void plain_decode(const struct trial *t, const char *head, const double *z, double *out) {
  double h[ROWS * HIDDEN];
  layer(t, "decoder1", relu, z, ROWS, h);
  layer(t, head, itself, h, ROWS, out);
}

/* -ELBO of each row with z = mean + deviation * noise (Kingma, Welling 2014, equation 10). */
static void plain_elbo(const struct trial *t, double *out) {
  struct plain_code c = plain_encode(t);
  double z[ROWS * LATENT];
  double logits[ROWS * SIZE];
  for (int i = 0; i < ROWS * LATENT; i++) {
    z[i] = c.mean[i] + exp(c.log_variance[i] / 2) * noise[i];
  }
  plain_decode(t, "output", z, logits);
  for (int r = 0; r < ROWS; r++) {
    out[r] = 0;
    for (int i = r * SIZE; i < (r + 1) * SIZE; i++) {
      double p = sigmoid(logits[i]);
      out[r] -= pictures[i] * log(p) + (1 - pictures[i]) * log(1 - p);
    }
    for (int i = r * LATENT; i < (r + 1) * LATENT; i++) {
      double s2 = exp(c.log_variance[i]);
      out[r] += (c.mean[i] * c.mean[i] + s2 - 1 - log(s2)) / 2;
    }
  }
}

/* The same as a graph: the entries, and the losses' own formulas from tier/nn.h. */
static tier_value graph_elbo(struct trial *t) {
  struct bench *b = &t->b;
  tier_graph *g = &b->g->face;
  tier_value x = bench_input(b, 'i', "x", DIMS(ROWS, SIZE), 2, pictures);
  tier_value e = bench_input(b, 'i', "noise", DIMS(ROWS, LATENT), 2, noise);
  assert_ok(bench_build(b, "encode"));
  tier_value mean = bench_output(b, "mean");
  tier_value log_variance = bench_output(b, "log_variance");
  tier_value deviation = tier_exp(g, tier_scale(g, log_variance, 0.5));
  bench_alias(b, "z", tier_add(g, mean, tier_multiply(g, deviation, e)));
  assert_ok(bench_build(b, "decode"));
  tier_value kl = tier_subtract(g, tier_add(g, tier_square(g, mean), tier_exp(g, log_variance)),
                                tier_shift(g, log_variance, 1));
  return tier_add(g, tier_binary_cross_entropy(g, bench_output(b, ""), x),
                  tier_scale(g, tier_row_sum(g, kl), 0.5));
}

static void vae_elbo_is_that_of_plain_c(void **state) {
  (void)state;
  struct trial t;
  double expected[ROWS];
  double got[ROWS];
  trial_open(&t, vae());
  assert_int_equal(t.count, 10);
  plain_elbo(&t, expected);
  assert_int_equal(bench_evaluate(&t.b, graph_elbo(&t), got), ROWS);
  expect_all(got, expected, ROWS, 1e-13);
  trial_close(&t);
}

/* Central differences of the plain -ELBO in each number of each variable. */
static void vae_elbo_gradient_is_that_of_plain_c(void **state) {
  (void)state;
  struct trial t;
  const double h = 1e-4;
  trial_open(&t, vae());
  tier_value total = tier_sum_all(&t.b.g->face, graph_elbo(&t));
  for (int v = 0; v < t.count; v++) {
    double got[64];
    const struct bench_value *d = &t.b.declared[v];
    int64_t n = bench_evaluate(&t.b, gradient_of(&t.b, total, bench_find(&t.b, d->name)), got);
    for (int64_t i = 0; i < n; i++) {
      double sums[4] = {0};
      const double steps[4] = {2 * h, h, -h, -2 * h};
      double start = t.data[v][i];
      for (int k = 0; k < 4; k++) {
        double rows[ROWS];
        t.data[v][i] = start + steps[k];
        plain_elbo(&t, rows);
        sums[k] = rows[0] + rows[1] + rows[2];
      }
      t.data[v][i] = start;
      double slope = (-sums[0] + 8 * sums[1] - 8 * sums[2] + sums[3]) / (12 * h);
      expect_all(&got[i], &slope, 1, 1e-10);
    }
  }
  trial_close(&t);
}

static void vae_reconstructs_the_mean_code(void **state) {
  (void)state;
  struct trial t;
  double expected[ROWS * SIZE];
  double got[ROWS * SIZE];
  trial_open(&t, vae());
  (void)bench_input(&t.b, 'i', "x", DIMS(ROWS, 1, SIZE), 3, pictures); /* any shape of a row */
  assert_ok(bench_build(&t.b, "reconstruct"));
  struct plain_code c = plain_encode(&t);
  plain_decode(&t, "output", c.mean, expected);
  for (int i = 0; i < ROWS * SIZE; i++) {
    expected[i] = sigmoid(expected[i]);
  }
  assert_int_equal(bench_evaluate(&t.b, bench_output(&t.b, ""), got), ROWS * SIZE);
  expect_all(got, expected, ROWS * SIZE, 1e-14);
  trial_close(&t);
}

/* decode_log_variance where the variance is fixed, shared and each element's own. */
static void vae_variances_of_a_gaussian_decoder(void **state) {
  (void)state;
  const char *kinds[3] = {"fixed", "shared", "each"};
  for (int k = 0; k < 3; k++) {
    struct trial t;
    double expected[ROWS * SIZE];
    double got[ROWS * SIZE];
    struct params *p = vae();
    set_text(p, "decoder", "gaussian");
    set_text(p, "variance", kinds[k]);
    set_number(p, "deviation", 0.5);
    trial_open(&t, p);
    (void)bench_input(&t.b, 'i', "z", DIMS(ROWS, LATENT), 2, noise);
    assert_ok(bench_build(&t.b, "decode_log_variance"));
    if (k == 2) {
      plain_decode(&t, "spread", noise, expected);
    } else {
      int shared = k == 1 ? index_of(&t, "spread.log_variance") : 0;
      for (int i = 0; i < ROWS * SIZE; i++) {
        expected[i] = k == 0 ? 2 * log(0.5) : t.data[shared][0];
      }
      assert_true(k == 0 || fabs(t.b.declared[shared].a - 2 * log(0.5)) < 1e-15);
    }
    assert_int_equal(bench_evaluate(&t.b, bench_output(&t.b, ""), got), ROWS * SIZE);
    expect_all(got, expected, ROWS * SIZE, 1e-13);
    trial_close(&t);
  }
}

/* Evaluates a random entry under a key. */
static void draw(struct params *p, const char *entry, const int32_t *key, int64_t rows,
                 double *out) {
  struct trial t;
  double *zeros = memory_alloc((size_t)rows, sizeof *zeros);
  trial_open(&t, p);
  (void)bench_input(&t.b, 'i', "rows", &rows, 1, zeros);
  (void)bench_key(&t.b, key);
  assert_ok(bench_build(&t.b, entry));
  assert_int_equal(bench_evaluate(&t.b, bench_output(&t.b, ""), out), rows * SIZE);
  trial_close(&t);
  free(zeros);
}

static void vae_samples_follow_from_the_key(void **state) {
  (void)state;
  double first[4 * SIZE];
  double again[4 * SIZE];
  double other[4 * SIZE];
  draw(vae(), "generate", some_key, 4, first);
  draw(vae(), "generate", some_key, 4, again);
  draw(vae(), "generate", other_key, 4, other);
  assert_memory_equal(first, again, sizeof first);
  assert_memory_not_equal(first, other, sizeof first);
  assert_memory_not_equal(first, first + SIZE, SIZE * sizeof *first); /* rows differ */
}

/* Ancestral draws are 0 or 1, and where z is the same, their mean over many draws is generate's:
 * within 5 standard errors. */
static void vae_samples_pixels_by_their_mean(void **state) {
  (void)state;
  enum { N = 4000 };
  double *means = memory_alloc(N * SIZE, sizeof *means);
  double *pixels = memory_alloc(N * SIZE, sizeof *pixels);
  double difference[SIZE] = {0};
  draw(vae(), "generate", some_key, N, means);
  draw(vae(), "sample", some_key, N, pixels);
  for (int i = 0; i < N * SIZE; i++) {
    assert_true(pixels[i] == 0 || pixels[i] == 1);
    difference[i % SIZE] += (pixels[i] - means[i]) / N;
  }
  for (int i = 0; i < SIZE; i++) {
    assert_near(difference[i], 0, 5 * 0.5 / sqrt(N));
  }
  free(means);
  free(pixels);
}

/* x = mean + deviation e: with the same z, x - mean has variance deviation^2, within 5 standard
 * errors of a variance, sqrt(2 / n). */
static void gaussian_vae_samples_have_its_variance(void **state) {
  (void)state;
  enum { N = 1000 };
  double *means = memory_alloc(N * SIZE, sizeof *means);
  double *samples = memory_alloc(N * SIZE, sizeof *samples);
  double variance = 0;
  for (int k = 0; k < 2; k++) {
    struct params *p = vae();
    set_text(p, "decoder", "gaussian");
    set_number(p, "deviation", 0.5);
    draw(p, k == 0 ? "generate" : "sample", some_key, N, k == 0 ? means : samples);
  }
  for (int i = 0; i < N * SIZE; i++) {
    variance += (samples[i] - means[i]) * (samples[i] - means[i]) / (N * SIZE);
  }
  assert_near(variance, 0.25, 0.25 * 5 * sqrt(2.0 / (N * SIZE)));
  free(means);
  free(samples);
}

static void vae_says_what_is_wrong(void **state) {
  (void)state;
  struct trial t;
  struct instance *i = NULL;
  const struct {
    const char *entry, *slot, *text;
  } cases[] = {
      {"encode", "x", "x must be rows of 5 numbers (the first of layers), these have 3"},
      {"decode", "z", "z must be rows of 2 numbers (the code's size in layers), these have 3"},
      {"decode_log_variance", "z",
       "z must be rows of 2 numbers (the code's size in layers), these have 3"}};
  for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
    struct params *p = vae();
    set_text(p, "decoder", "gaussian");
    trial_open(&t, p);
    (void)bench_input(&t.b, 'i', cases[k].slot, DIMS(ROWS, 3), 2, pictures);
    assert_fails(bench_build(&t.b, cases[k].entry), TIER_E_INVALID, cases[k].text);
    trial_close(&t);
  }
  trial_open(&t, vae());
  (void)bench_input(&t.b, 'i', "z", DIMS(ROWS, LATENT), 2, noise);
  assert_fails(bench_build(&t.b, "decode_log_variance"), TIER_E_INVALID,
               "a bernoulli decoder has no variance");
  trial_close(&t);
  assert_fails(instance_new(with_layers("vae", (const double[]){5}, 1), &i), TIER_E_INVALID,
               "layers must be at least 2 sizes");
  struct params *p = vae();
  set_text(p, "variance", "each");
  assert_fails(instance_new(p, &i), TIER_E_INVALID, "is of a gaussian decoder");
}

/* ---- images ---------------------------------------------------------------------------------- */

/* A convolution or its adjoint between (n, h, w, c) and (n, oh, ow, k), with a square window. */
struct window {
  int64_t n, h, w, c, k, side, step, border, oh, ow;
};
static struct window window_of(int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t side,
                               int64_t step, int64_t border) {
  struct window v = {n, h, w, c, k, side, step, border, 0, 0};
  v.oh = (h + 2 * border - side) / step + 1;
  v.ow = (w + 2 * border - side) / step + 1;
  return v;
}

/* out (n, oh, ow, k) += x (n, h, w, c) * weight, or, backwards, out (n, h, w, c) += x (n, oh, ow,
 * k)
 * * weight, with the weight's rows (side, side, c) and columns k in both. */
static void correlate(const struct window *v, int backwards, const double *x, const double *weight,
                      double *out) {
  for (int64_t i = 0; i < v->n * v->oh * v->ow * v->side * v->side * v->c * v->k; i++) {
    int64_t o = i % v->k;
    int64_t row = i / v->k % (v->side * v->side * v->c);
    int64_t place = i / v->k / (v->side * v->side * v->c);
    int64_t r = place / v->ow % v->oh * v->step + row / v->c / v->side - v->border;
    int64_t q = place % v->ow * v->step + row / v->c % v->side - v->border;
    if (r < 0 || r >= v->h || q < 0 || q >= v->w) {
      continue;
    }
    int64_t pixel = ((place / v->ow / v->oh * v->h + r) * v->w + q) * v->c + row % v->c;
    if (backwards) {
      out[pixel] += x[place * v->k + o] * weight[row * v->k + o];
    } else {
      out[place * v->k + o] += x[pixel] * weight[row * v->k + o];
    }
  }
}
static void image_layer(const struct trial *t, const char *part, const struct window *v,
                        int backwards, double (*f)(double), const double *x, double *out) {
  char name[64];
  (void)snprintf(name, sizeof name, "%s.bias", part);
  const double *bias = t->data[index_of(t, name)];
  (void)snprintf(name, sizeof name, "%s.weight", part);
  int64_t channels = backwards ? v->c : v->k;
  int64_t size = v->n * (backwards ? v->h * v->w * v->c : v->oh * v->ow * v->k);
  for (int64_t i = 0; i < size; i++) {
    out[i] = bias[i % channels];
  }
  correlate(v, backwards, x, t->data[index_of(t, name)], out);
  for (int64_t i = 0; i < size; i++) {
    out[i] = f(out[i]);
  }
}

static void image_arguments(struct params *p, const double *image, double channels, double kernel,
                            double stride, double padding) {
  params_set_numbers(p, "image", image, 3);
  params_set_numbers(p, "channels", &channels, 1);
  params_set_numbers(p, "kernels", &kernel, 1);
  params_set_numbers(p, "strides", &stride, 1);
  params_set_numbers(p, "padding", &padding, 1);
}

static double *drawn(int64_t n) {
  double *x = memory_alloc((size_t)n, sizeof *x);
  for (int64_t i = 0; i < n; i++) {
    x[i] = random_uniform(random_stream("pictures", 1), 0, (uint64_t)i);
  }
  return x;
}

/* Images (6, 5, 2), a convolution to (4, 3, 3), pools to (2, 1, 3), layers 6-4-2; both pools, and
 * silu, which is not monotone. */
static void cnn_is_that_of_plain_c(void **state) {
  (void)state;
  double *x = drawn(3 * 60);
  const struct window v = window_of(3, 6, 5, 2, 3, 3, 1, 0);
  for (int kind = 0; kind < 3; kind++) { /* relu with either pool, silu with the greatest */
    int average = kind == 1;
    double (*f)(double) = kind == 2 ? silu : relu;
    struct trial t;
    double y[3 * 36];
    double pooled[3 * 6];
    double hidden[3 * 4];
    double expected[3 * 2];
    double got[3 * 2];
    struct params *p = with_layers("cnn", (const double[]){4, 2}, 2);
    image_arguments(p, (const double[]){6, 5, 2}, 3, 3, 1, 0);
    set_text(p, "pooling", average ? "average" : "max");
    set_text(p, "activation", kind == 2 ? "silu" : "relu");
    trial_open(&t, p);
    (void)bench_input(&t.b, 'i', "x", DIMS(3, 60), 2, x);
    assert_ok(bench_build(&t.b, "forward"));
    image_layer(&t, "convolution1", &v, 0, f, x, y);
    for (int i = 0; i < 3 * 6; i++) { /* (n, 2, 1, 3) */
      const double *at = &y[(i / 6 * 12 + i / 3 % 2 * 2 * 3) * 3 + i % 3];
      double mean = (at[0] + at[3] + at[9] + at[12]) / 4;
      pooled[i] = average ? mean : fmax(fmax(at[0], at[3]), fmax(at[9], at[12]));
    }
    layer(&t, "layer1", f, pooled, 3, hidden);
    layer(&t, "head", itself, hidden, 3, expected);
    assert_int_equal(bench_evaluate(&t.b, bench_output(&t.b, ""), got), 6);
    expect_all(got, expected, 6, 1e-13);
    trial_close(&t);
  }
  free(x);
}

/* With its defaults it is of LeNet's size: 28 - 24 - 12 - 8 - 4. */
static void cnn_has_the_size_of_lenet(void **state) {
  (void)state;
  struct bench b;
  bench_open(&b, make(with_layers("cnn", (const double[]){120, 84, 10}, 3), 0));
  bench_variables(&b);
  const int64_t weights[5][2] = {{25, 6}, {150, 16}, {256, 120}, {120, 84}, {84, 10}};
  assert_int_equal(b.declared_count, 10);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(b.declared[2 * i].dims[0], weights[i][0]);
    assert_int_equal(b.declared[2 * i].dims[1], weights[i][1]);
    assert_near(b.declared[2 * i].b, 1 / sqrt((double)weights[i][0]), 1e-15);
  }
  bench_close(&b);
}

/* Images (5, 4, 2), stride 2 with a border: 3 x 2 x 3 features, the row that the stride loses
 * included; no hidden layers, then codes of 2 and back. */
static void convolutional_coders_are_those_of_plain_c(void **state) {
  (void)state;
  const struct window v = window_of(3, 5, 4, 2, 3, 3, 2, 1);
  double *x = drawn(3 * 40);
  for (int kind = 0; kind < 3; kind++) { /* vae, autoencoder, generator */
    const char *ids[3] = {"vae", "autoencoder", "generator"};
    const double sizes[2] = {kind == 2 ? 2 : 40, kind == 2 ? 40 : 2};
    struct trial t;
    double y[3 * 18];
    double code[3 * 2];
    double h[3 * 18];
    double expected[3 * 40];
    double got[3 * 40];
    struct params *p = with_layers(ids[kind], sizes, 2);
    image_arguments(p, (const double[]){5, 4, 2}, 3, 3, 2, 1);
    trial_open(&t, p);
    if (kind == 2) {
      memcpy(code, noise, sizeof code);
      (void)bench_input(&t.b, 'i', "z", DIMS(3, 2), 2, code);
    } else {
      (void)bench_input(&t.b, 'i', "x", DIMS(3, 40), 2, x);
      image_layer(&t, "convolution1", &v, 0, relu, x, y);
      layer(&t, kind == 0 ? "mean" : "code", itself, y, 3, code);
    }
    assert_ok(bench_build(&t.b, kind == 2 ? "forward" : "reconstruct"));
    layer(&t, kind == 2 ? "layer1" : "decoder1", relu, code, 3, h);
    image_layer(&t, kind == 2 ? "head" : "output", &v, 1, kind == 0 ? sigmoid : itself, h,
                expected);
    assert_int_equal(bench_evaluate(&t.b, bench_output(&t.b, ""), got), 120);
    expect_all(got, expected, 120, 1e-13);
    trial_close(&t);
  }
  free(x);
}

static void models_of_images_say_what_is_wrong(void **state) {
  (void)state;
  struct instance *i = NULL;
  const double image[3] = {5, 4, 2};
  const char *ids[4] = {"vae", "autoencoder", "critic", "generator"};
  for (int k = 0; k < 4; k++) {
    struct params *p = with_layers(ids[k], (const double[]){41, 41}, 2);
    image_arguments(p, image, 3, 3, 1, 0);
    assert_fails(instance_new(p, &i), TIER_E_INVALID,
                 "layers have 41 numbers for the data, the image has 40");
  }
  struct params *p = with_layers("cnn", (const double[]){2}, 1);
  image_arguments(p, image, 3, 6, 1, 0);
  assert_fails(instance_new(p, &i), TIER_E_INVALID, "convolution 1 does not fit");
  p = with_layers("cnn", (const double[]){2}, 1);
  params_set_numbers(p, "kernels", image, 3);
  assert_fails(instance_new(p, &i), TIER_E_INVALID,
               "kernels must be one number or as many as channels, 2, not 3");
  p = with_layers("cnn", (const double[]){2}, 1);
  params_set_numbers(p, "image", image, 2);
  assert_fails(instance_new(p, &i), TIER_E_INVALID, "image must be [height, width, channels]");
}

/* ---- critic ---------------------------------------------------------------------------------- */

static double leaky(double x) {
  return x > 0 ? x : 0.2 * x;
}

/* The gradient in the critic of Wasserstein's gap, the mean of f(real) less that of f(fake), by
 * central differences of plain C, for both names of it. */
static double plain_gap(const struct trial *t, const double *fake) {
  double h[ROWS * HIDDEN];
  double f[2][ROWS];
  for (int k = 0; k < 2; k++) {
    layer(t, "layer1", leaky, k == 0 ? pictures : fake, ROWS, h);
    layer(t, "head", itself, h, ROWS, f[k]);
  }
  return (f[0][0] + f[0][1] + f[0][2] - f[1][0] - f[1][1] - f[1][2]) / ROWS;
}
static void wgan_critic_gradient_is_that_of_plain_c(void **state) {
  (void)state;
  const double h = 1e-4;
  double *fake = drawn(ROWS * SIZE);
  for (int k = 0; k < 2; k++) {
    struct trial t;
    trial_open(&t,
               with_layers(k == 0 ? "critic" : "discriminator", (const double[]){SIZE, HIDDEN}, 2));
    tier_graph *g = &t.b.g->face;
    tier_value means[2];
    const char *names[2] = {"real", "fake"};
    for (int side = 0; side < 2; side++) {
      tier_value x =
          bench_input(&t.b, 'r', names[side], DIMS(ROWS, SIZE), 2, side == 0 ? pictures : fake);
      t.b.alias_count = 0;
      t.b.output_count = 0;
      bench_alias(&t.b, "x", x);
      assert_ok(bench_build(&t.b, "forward"));
      means[side] = tier_mean_all(g, bench_output(&t.b, ""));
    }
    tier_value gap = tier_subtract(g, means[0], means[1]);
    double value = 0;
    (void)bench_evaluate(&t.b, gap, &value);
    assert_near(value, plain_gap(&t, fake), 1e-14);
    for (int v = 0; v < t.count; v++) {
      double got[64];
      tier_value w = bench_find(&t.b, t.b.declared[v].name);
      int64_t n = bench_evaluate(&t.b, gradient_of(&t.b, gap, w), got);
      for (int64_t i = 0; i < n; i++) {
        double start = t.data[v][i];
        double sums[2];
        for (int side = 0; side < 2; side++) {
          t.data[v][i] = side == 0 ? start + h : start - h;
          sums[side] = plain_gap(&t, fake);
        }
        t.data[v][i] = start;
        assert_near(got[i], (sums[0] - sums[1]) / (2 * h), 1e-10); /* f is linear in each weight */
      }
    }
    trial_close(&t);
  }
  free(fake);
}

/* ---- denoiser -------------------------------------------------------------------------------- */

/* The loss of DDPM (Ho, Jain, Abbeel 2020, equation 14): x_t = sqrt(a) x + sqrt(1 - a) e, the mean
 * of |e - e(x_t, t)|^2 over rows; at steps 3, 40 and 99 of a linear schedule. */
static void ddpm_loss_is_that_of_plain_c(void **state) {
  (void)state;
  enum { K = 3, WIDE = LATENT + 2 * K };
  struct trial t;
  const double steps[ROWS] = {3, 40, 99};
  const double x[ROWS * LATENT] = {1, -0.5, 0.2, 2, -1.5, 0.7};
  double noisy[ROWS * LATENT];
  double input[ROWS * WIDE];
  double hidden[ROWS * HIDDEN];
  double e[ROWS * LATENT];
  double expected = 0;
  double got = 0;
  struct params *p = with_layers("denoiser", (const double[]){LATENT, HIDDEN}, 2);
  set_number(p, "frequencies", K);
  trial_open(&t, p);
  for (int r = 0; r < ROWS; r++) {
    double a = 1;
    for (int s = 0; s <= (int)steps[r]; s++) {
      a *= 1 - (1e-4 + (0.1 - 1e-4) * s / 99);
    }
    for (int i = 0; i < LATENT; i++) {
      noisy[r * LATENT + i] = sqrt(a) * x[r * LATENT + i] + sqrt(1 - a) * noise[r * LATENT + i];
      input[r * WIDE + i] = noisy[r * LATENT + i];
    }
    for (int k = 0; k < K; k++) {
      double angle = steps[r] * pow(10000, -(double)k / K);
      input[r * WIDE + LATENT + k] = sin(angle);
      input[r * WIDE + LATENT + K + k] = cos(angle);
    }
  }
  layer(&t, "layer1", silu, input, ROWS, hidden);
  layer(&t, "head", itself, hidden, ROWS, e);
  for (int i = 0; i < ROWS * LATENT; i++) {
    expected += (noise[i] - e[i]) * (noise[i] - e[i]) / ROWS;
  }
  tier_graph *g = &t.b.g->face;
  (void)bench_input(&t.b, 'i', "x", DIMS(ROWS, LATENT), 2, noisy);
  (void)bench_input(&t.b, 'i', "t", DIMS(ROWS), 1, steps);
  tier_value target = bench_input(&t.b, 'r', "noise", DIMS(ROWS, LATENT), 2, noise);
  assert_ok(bench_build(&t.b, "forward"));
  tier_value error = tier_square(g, tier_subtract(g, target, bench_output(&t.b, "")));
  (void)bench_evaluate(&t.b, tier_mean_all(g, tier_row_sum(g, error)), &got);
  assert_near(got, expected, 1e-12);
  trial_close(&t);
}

/* Without t it is at 0; t with two numbers a row is refused. */
static void denoiser_takes_one_time_a_row(void **state) {
  (void)state;
  const double zeros[ROWS] = {0};
  double got[2][ROWS * LATENT];
  struct trial t;
  for (int given = 0; given < 2; given++) {
    trial_open(&t, with_layers("denoiser", (const double[]){LATENT, HIDDEN}, 2));
    (void)bench_input(&t.b, 'i', "x", DIMS(ROWS, LATENT), 2, noise);
    if (given) {
      (void)bench_input(&t.b, 'i', "t", DIMS(ROWS), 1, zeros);
    }
    assert_ok(bench_build(&t.b, "forward"));
    (void)bench_evaluate(&t.b, bench_output(&t.b, ""), got[given]);
    trial_close(&t);
  }
  assert_memory_equal(got[0], got[1], sizeof got[0]);
  trial_open(&t, with_layers("denoiser", (const double[]){LATENT, HIDDEN}, 2));
  (void)bench_input(&t.b, 'i', "x", DIMS(ROWS, LATENT), 2, noise);
  (void)bench_input(&t.b, 'i', "t", DIMS(ROWS, 2), 2, noise);
  assert_fails(bench_build(&t.b, "forward"), TIER_E_INVALID,
               "t must be rows of 1 numbers (one time a row), these have 2");
  trial_close(&t);
}

/* ---- random-features ------------------------------------------------------------------------- */

/* forward = features times the weight; the features are a half-normal's for a row of length
 * sqrt(in): their mean square is 1 / 2, within 5 standard errors sqrt(5 / 4 / n); and two instances
 * of one stream have the same ones. */
static void random_features_are_fixed_and_half_normal(void **state) {
  (void)state;
  enum { N = 2000 };
  const double x[SIZE] = {1, -1, 1, 1, -1};
  double *phi[2];
  double squares = 0;
  for (int k = 0; k < 2; k++) {
    struct trial t;
    double expected = 0;
    double got = 0;
    phi[k] = memory_alloc(N, sizeof *phi[k]);
    struct params *p = with_layers("random-features", (const double[]){SIZE, N, 1}, 3);
    trial_open(&t, p);
    (void)bench_input(&t.b, 'i', "x", DIMS(1, SIZE), 2, x);
    assert_ok(bench_build(&t.b, "features"));
    assert_int_equal(bench_evaluate(&t.b, bench_output(&t.b, ""), phi[k]), N);
    t.b.output_count = 0;
    assert_ok(bench_build(&t.b, "forward"));
    (void)bench_evaluate(&t.b, bench_output(&t.b, ""), &got);
    expected = t.data[index_of(&t, "bias")][0];
    for (int i = 0; i < N; i++) {
      expected += phi[k][i] * t.data[index_of(&t, "weight")][i];
    }
    assert_near(got, expected, 1e-11);
    trial_close(&t);
  }
  assert_memory_equal(phi[0], phi[1], N * sizeof *phi[0]);
  for (int i = 0; i < N; i++) {
    squares += phi[0][i] * phi[0][i] / N;
  }
  assert_near(squares, 0.5, 5 * sqrt(1.25 / N));
  free(phi[0]);
  free(phi[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vae_elbo_is_that_of_plain_c),
      cmocka_unit_test(vae_elbo_gradient_is_that_of_plain_c),
      cmocka_unit_test(vae_reconstructs_the_mean_code),
      cmocka_unit_test(vae_variances_of_a_gaussian_decoder),
      cmocka_unit_test(vae_samples_follow_from_the_key),
      cmocka_unit_test(vae_samples_pixels_by_their_mean),
      cmocka_unit_test(gaussian_vae_samples_have_its_variance),
      cmocka_unit_test(vae_says_what_is_wrong),
      cmocka_unit_test(cnn_is_that_of_plain_c),
      cmocka_unit_test(cnn_has_the_size_of_lenet),
      cmocka_unit_test(convolutional_coders_are_those_of_plain_c),
      cmocka_unit_test(models_of_images_say_what_is_wrong),
      cmocka_unit_test(wgan_critic_gradient_is_that_of_plain_c),
      cmocka_unit_test(ddpm_loss_is_that_of_plain_c),
      cmocka_unit_test(denoiser_takes_one_time_a_row),
      cmocka_unit_test(random_features_are_fixed_and_half_normal),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

/* Adam steps of a variational autoencoder (Kingma, Welling 2014, equation 10) with Bernoulli
 * outputs: 784-400-20-400-784, relu, batches of 128; the noise is given. The mean over the batch of
 *
 *   -log p(x | z) + KL,  KL = -1/2 sum(1 + log s^2 - mu^2 - s^2),  z = mu + s noise.
 *
 * bench/peers/training.py is the same in PyTorch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bench/training.h"
#include "problem/levels.h"

#define STEPS 20
#define BATCH 128
#define PIXELS 784
#define LATENT 20
#define HIDDEN 400
#define RATE 1e-3
#define BETA1 0.9
#define BETA2 0.999
#define EPSILON 1e-8

enum { ENCODER, MEAN, LOG_VARIANCE, DECODER, OUTPUT, LAYERS };
static const struct layer layers[LAYERS] = {[ENCODER] = {PIXELS, HIDDEN},
                                            [MEAN] = {HIDDEN, LATENT},
                                            [LOG_VARIANCE] = {HIDDEN, LATENT},
                                            [DECODER] = {LATENT, HIDDEN},
                                            [OUTPUT] = {HIDDEN, PIXELS}};

struct vae {
  struct task face; /* first */
  struct threads *threads;
  struct group group;
  float *x;     /* (STEPS, BATCH, PIXELS) */
  float *noise; /* (STEPS, BATCH, LATENT) */
};

/* data: x (BATCH, PIXELS), noise (BATCH, LATENT) */
static tier_value loss(const struct description *d) {
  tier_graph *g = &d->g->face;
  tier_value x = d->data[0];
  tier_value hidden = tier_relu(g, describe_layer(d, 0, ENCODER, x));
  tier_value mean = describe_layer(d, 0, MEAN, hidden);
  tier_value log_variance = describe_layer(d, 0, LOG_VARIANCE, hidden);
  tier_value deviation = tier_exp(g, tier_scale(g, log_variance, 0.5));
  tier_value z = tier_add(g, mean, tier_multiply(g, deviation, d->data[1]));
  tier_value decoded = tier_relu(g, describe_layer(d, 0, DECODER, z));
  tier_value logits = describe_layer(d, 0, OUTPUT, decoded);
  tier_value inside = tier_subtract(g, tier_shift(g, log_variance, 1), tier_square(g, mean));
  inside = tier_subtract(g, inside, tier_exp(g, log_variance));
  tier_value divergence = tier_scale(g, tier_row_sum(g, inside), -0.5);
  return tier_mean_all(g, tier_add(g, tier_binary_cross_entropy(g, logits, x), divergence));
}

/* Adam (Kingma, Ba 2015, algorithm 1). scalars: rate / (1 - beta1^t), 1 / sqrt(1 - beta2^t) */
static tier_value adam(tier_graph *g, tier_value w, tier_value gradient, tier_value *states,
                       const tier_value *scalars) {
  states[0] = tier_add(g, tier_scale(g, states[0], BETA1), tier_scale(g, gradient, 1 - BETA1));
  states[1] = tier_add(g, tier_scale(g, states[1], BETA2),
                       tier_scale(g, tier_square(g, gradient), 1 - BETA2));
  tier_value root = tier_multiply(g, tier_sqrt(g, states[1]), tier_match(g, scalars[1], w));
  tier_value move = tier_divide(g, states[0], tier_shift(g, root, EPSILON));
  return tier_subtract(g, w, tier_multiply(g, move, tier_match(g, scalars[0], w)));
}

static int32_t train(struct vae *v) {
  for (int t = 0; t < STEPS; t++) {
    const float *data[MAX_DATA] = {v->x + (size_t)t * BATCH * PIXELS,
                                   v->noise + (size_t)t * BATCH * LATENT};
    const float scalars[MAX_SCALARS] = {(float)(RATE / (1 - pow(BETA1, t + 1))),
                                        (float)(1 / sqrt(1 - pow(BETA2, t + 1)))};
    TIER_TRY(group_train(&v->group, NULL, data, scalars));
  }
  return TIER_OK;
}

/* ---- the task ---- */

static int32_t evaluate(struct task *t, double *seconds) {
  struct vae *v = (struct vae *)(void *)t;
  group_restart(&v->group);
  double started = now_seconds();
  int32_t status = train(v);
  *seconds = now_seconds() - started;
  return status;
}

static int32_t result(struct task *t, int64_t *count, double **values) {
  const struct vae *v = (const struct vae *)(void *)t;
  *count = v->group.size;
  *values = memory_alloc((size_t)*count, sizeof **values);
  for (int64_t i = 0; i < *count; i++) {
    (*values)[i] = (double)v->group.w[i];
  }
  return TIER_OK;
}

static void close_vae(struct task *t) {
  struct vae *v = (struct vae *)(void *)t;
  group_close(&v->group);
  large_free(v->x);
  large_free(v->noise);
  threads_free(v->threads);
  free(v);
}

int32_t vae_task(const struct options *o, struct task **out) {
  static const int64_t dims[2][2] = {{BATCH, PIXELS}, {BATCH, LATENT}};
  struct vae *v = memory_alloc(1, sizeof *v);
  v->face = (struct task){.evaluate = evaluate, .result = result, .close = close_vae};
  *out = &v->face;
  TIER_TRY(threads_new(bench_threads(o), &v->threads));
  TIER_TRY(read_numbers(o, "x", INT64_C(1) * STEPS * BATCH * PIXELS, &v->x));
  TIER_TRY(read_numbers(o, "noise", INT64_C(1) * STEPS * BATCH * LATENT, &v->noise));
  TIER_TRY(group_open(&v->group, o, "vae", layers, LAYERS));
  TIER_TRY(group_compile_gradient(&v->group, NULL, v->threads, dims, 2, loss));
  return group_compile_step(&v->group, v->threads, 2, 2, adam);
}

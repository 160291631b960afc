/* Generator steps of a Wasserstein GAN (Arjovsky, Chintala, Bottou 2017, algorithm 1): before each,
 * five steps of the critic, whose weights are clipped after each. Generator 100-256-784 with a
 * sigmoid at the end, critic 784-256-1, relu, batches of 64, RMSProp; real rows and noise are
 * given. bench/peers/training.py is the same in PyTorch. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bench/training.h"
#include "problem/levels.h"

#define STEPS 4
#define CRITIC_STEPS 5
#define BATCH 64
#define PIXELS 784
#define LATENT 100
#define HIDDEN 256
#define RATE 5e-5
#define DECAY 0.99
#define EPSILON 1e-8
#define CLIP 0.01

static const struct layer generator_layers[2] = {{LATENT, HIDDEN}, {HIDDEN, PIXELS}};
static const struct layer critic_layers[2] = {{PIXELS, HIDDEN}, {HIDDEN, 1}};

struct wgan {
  struct task face; /* first */
  struct threads *threads;
  struct group generator, critic;
  float *real;            /* (STEPS, CRITIC_STEPS, BATCH, PIXELS) */
  float *critic_noise;    /* (STEPS, CRITIC_STEPS, BATCH, LATENT) */
  float *generator_noise; /* (STEPS, BATCH, LATENT) */
};

static tier_value generate(const struct description *d, int which, tier_value noise) {
  tier_graph *g = &d->g->face;
  tier_value hidden = tier_relu(g, describe_layer(d, which, 0, noise));
  return tier_sigmoid(g, describe_layer(d, which, 1, hidden));
}

/* The mean of the critic's numbers for the rows. */
static tier_value judge(const struct description *d, int which, tier_value rows) {
  tier_graph *g = &d->g->face;
  tier_value hidden = tier_relu(g, describe_layer(d, which, 0, rows));
  return tier_mean_all(g, describe_layer(d, which, 1, hidden));
}

/* data: noise, real rows */
static tier_value critic_loss(const struct description *d) {
  tier_value fake = generate(d, 1, d->data[0]);
  return tier_subtract(&d->g->face, judge(d, 0, fake), judge(d, 0, d->data[1]));
}

/* data: noise */
static tier_value generator_loss(const struct description *d) {
  return tier_negate(&d->g->face, judge(d, 1, generate(d, 0, d->data[0])));
}

/* RMSProp (Tieleman, Hinton 2012), with epsilon outside the root. */
static tier_value rmsprop(tier_graph *g, tier_value w, tier_value gradient, tier_value *states,
                          const tier_value *scalars) {
  (void)scalars;
  states[0] = tier_add(g, tier_scale(g, states[0], DECAY),
                       tier_scale(g, tier_square(g, gradient), 1 - DECAY));
  tier_value root = tier_shift(g, tier_sqrt(g, states[0]), EPSILON);
  return tier_subtract(g, w, tier_scale(g, tier_divide(g, gradient, root), RATE));
}

static tier_value rmsprop_clipped(tier_graph *g, tier_value w, tier_value gradient,
                                  tier_value *states, const tier_value *scalars) {
  tier_value next = rmsprop(g, w, gradient, states, scalars);
  return tier_clamp(g, next, tier_fill_like(g, next, -CLIP), tier_fill_like(g, next, CLIP));
}

static int32_t train(struct wgan *w) {
  static const float none[MAX_SCALARS] = {0};
  for (size_t t = 0; t < STEPS; t++) {
    for (size_t k = t * CRITIC_STEPS; k < (t + 1) * CRITIC_STEPS; k++) {
      const float *data[MAX_DATA] = {w->critic_noise + k * BATCH * LATENT,
                                     w->real + k * BATCH * PIXELS};
      TIER_TRY(group_train(&w->critic, &w->generator, data, none));
    }
    const float *data[MAX_DATA] = {w->generator_noise + t * BATCH * LATENT};
    TIER_TRY(group_train(&w->generator, &w->critic, data, none));
  }
  return TIER_OK;
}

/* ---- the task ---- */

static int32_t evaluate(struct task *t, double *seconds) {
  struct wgan *w = (struct wgan *)(void *)t;
  group_restart(&w->generator);
  group_restart(&w->critic);
  double started = now_seconds();
  int32_t status = train(w);
  *seconds = now_seconds() - started;
  return status;
}

/* The generator's weights, then the critic's. */
static int32_t result(struct task *t, int64_t *count, double **values) {
  const struct wgan *w = (const struct wgan *)(void *)t;
  *count = w->generator.size + w->critic.size;
  *values = memory_alloc((size_t)*count, sizeof **values);
  for (int64_t i = 0; i < *count; i++) {
    int64_t k = i - w->generator.size;
    (*values)[i] = (double)(k < 0 ? w->generator.w[i] : w->critic.w[k]);
  }
  return TIER_OK;
}

static void close_wgan(struct task *t) {
  struct wgan *w = (struct wgan *)(void *)t;
  group_close(&w->generator);
  group_close(&w->critic);
  large_free(w->real);
  large_free(w->critic_noise);
  large_free(w->generator_noise);
  threads_free(w->threads);
  free(w);
}

static int32_t compile(struct wgan *w) {
  static const int64_t dims[2][2] = {{BATCH, LATENT}, {BATCH, PIXELS}};
  TIER_TRY(group_compile_gradient(&w->critic, &w->generator, w->threads, dims, 2, critic_loss));
  TIER_TRY(group_compile_gradient(&w->generator, &w->critic, w->threads, dims, 1, generator_loss));
  TIER_TRY(group_compile_step(&w->critic, w->threads, 1, 0, rmsprop_clipped));
  return group_compile_step(&w->generator, w->threads, 1, 0, rmsprop);
}

int32_t wgan_task(const struct options *o, struct task **out) {
  const int64_t batches = INT64_C(1) * STEPS * CRITIC_STEPS;
  struct wgan *w = memory_alloc(1, sizeof *w);
  w->face = (struct task){.evaluate = evaluate, .result = result, .close = close_wgan};
  *out = &w->face;
  TIER_TRY(threads_new(bench_threads(o), &w->threads));
  TIER_TRY(read_numbers(o, "real", batches * BATCH * PIXELS, &w->real));
  TIER_TRY(read_numbers(o, "critic_noise", batches * BATCH * LATENT, &w->critic_noise));
  TIER_TRY(
      read_numbers(o, "generator_noise", INT64_C(1) * STEPS * BATCH * LATENT, &w->generator_noise));
  TIER_TRY(group_open(&w->generator, o, "generator", generator_layers, 2));
  TIER_TRY(group_open(&w->critic, o, "critic", critic_layers, 2));
  return compile(w);
}

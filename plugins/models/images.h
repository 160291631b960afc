/* Convolutional layers as models have them: a pyramid of convolutions, each with an activation and
 * perhaps pooling, from an image to features; and the same backwards, by transposed convolutions.
 * Its layers are the parts PART1, PART2, ... of a model, counted from the image. */
#ifndef PLUGINS_MODELS_IMAGES_H
#define PLUGINS_MODELS_IMAGES_H

#include "trunk.h"

struct image_layer {
  int64_t h, w, c;   /* of what comes in */
  int64_t oh, ow, k; /* height, width, channels after the convolution */
  int64_t window[8];
};
struct pyramid {
  const char *part;
  struct image_layer *layers;
  int64_t count;
  int64_t h, w, c; /* of the features: after the last layer and its pooling */
  int64_t pool;    /* side of the pools after each layer; 1: none */
  int average;     /* average pools instead of max pools */
  activation f;
  const char *init;
};

#define IMAGE_SLOTS_OF(channels_doc, channels_fallback)                                           \
  {.name = "image",                                                                               \
   .doc = "[height, width, channels] of an image, whose numbers go by row, column, channel",      \
   .fallback = "[28, 28, 1]",                                                                     \
   .unit = "pixels",                                                                              \
   .type = TIER_SLOT_INTEGERS,                                                                    \
   .minimum = 1,                                                                                  \
   .maximum = 1e6},                                                                               \
      {.name = "channels",                                                                        \
       .doc = channels_doc,                                                                       \
       .fallback = channels_fallback,                                                             \
       .unit = "",                                                                                \
       .type = TIER_SLOT_INTEGERS,                                                                \
       .minimum = 1,                                                                              \
       .maximum = 1e6},                                                                           \
      {.name = "kernels",                                                                         \
       .doc = "side of each convolution's window, one for all or one for each",                   \
       .fallback = "[5]",                                                                         \
       .unit = "pixels",                                                                          \
       .type = TIER_SLOT_INTEGERS,                                                                \
       .minimum = 1,                                                                              \
       .maximum = 1e4},                                                                           \
      {.name = "strides",                                                                         \
       .doc = "step of each convolution's window, one for all or one for each",                   \
       .fallback = "[1]",                                                                         \
       .unit = "pixels",                                                                          \
       .type = TIER_SLOT_INTEGERS,                                                                \
       .minimum = 1,                                                                              \
       .maximum = 1e4},                                                                           \
  {                                                                                               \
    .name = "padding",                                                                            \
    .doc = "zeros around each convolution's image, one for all or one for each",                  \
    .fallback = "[0]", .unit = "pixels", .type = TIER_SLOT_INTEGERS, .minimum = 0, .maximum = 1e4 \
  }

/* ---- reading -------------------------------------------------------------------------------- */

/* Element `at` of a slot that has one element for all, or `count`; -1 after a report. */
static inline int64_t image_argument(const tier_host *host, const tier_params *params,
                                     const char *slot, int64_t at, int64_t count) {
  int64_t given = params->api->count(params, slot);
  if (given != 1 && given != count) {
    (void)tier_failf(host, TIER_E_INVALID,
                     "%s must be one number or as many as channels, %lld, not %lld", slot,
                     (long long)count, (long long)given);
    return -1;
  }
  return params->api->integer_at(params, slot, given == 1 ? 0 : at);
}

/* Layer `at` on an image of the size that the pyramid has so far, which it changes. */
static inline int32_t pyramid_add(struct pyramid *p, const tier_host *host,
                                  const tier_params *params, int64_t at) {
  struct image_layer *l = &p->layers[at];
  int64_t kernel = image_argument(host, params, "kernels", at, p->count);
  int64_t stride = image_argument(host, params, "strides", at, p->count);
  int64_t padding = image_argument(host, params, "padding", at, p->count);
  if (kernel < 0 || stride < 0 || padding < 0) {
    return TIER_E_INVALID;
  }
  tier_window(kernel, stride, padding, l->window);
  l->h = p->h;
  l->w = p->w;
  l->c = p->c;
  l->k = params->api->integer_at(params, "channels", at);
  l->oh = (l->h + 2 * padding - kernel) / stride + 1;
  l->ow = (l->w + 2 * padding - kernel) / stride + 1;
  int64_t narrow = l->h < l->w ? l->h : l->w;
  if (narrow + 2 * padding < kernel || l->oh < p->pool || l->ow < p->pool) {
    return tier_failf(host, TIER_E_INVALID,
                      "convolution %lld does not fit: its image is %lld x %lld, its window %lld x "
                      "%lld, its pool %lld x %lld; use fewer or smaller ones, or padding",
                      (long long)at + 1, (long long)l->h, (long long)l->w, (long long)kernel,
                      (long long)kernel, (long long)p->pool, (long long)p->pool);
  }
  p->h = l->oh / p->pool;
  p->w = l->ow / p->pool;
  p->c = l->k;
  return TIER_OK;
}

/* Reads IMAGE_SLOTS_OF; `pool` from the caller. On failure, too, pyramid_close frees it. */
static inline int32_t pyramid_open(struct pyramid *p, const tier_host *host,
                                   const tier_params *params, int64_t pool) {
  if (params->api->count(params, "image") != 3) {
    return tier_failf(host, TIER_E_INVALID, "image must be [height, width, channels]");
  }
  p->h = params->api->integer_at(params, "image", 0);
  p->w = params->api->integer_at(params, "image", 1);
  p->c = params->api->integer_at(params, "image", 2);
  p->pool = pool;
  p->count = params->api->count(params, "channels");
  p->layers = calloc((size_t)p->count + 1, sizeof *p->layers);
  if (p->layers == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  for (int64_t i = 0; i < p->count; i++) {
    TIER_TRY(pyramid_add(p, host, params, i));
  }
  return TIER_OK;
}

static inline void pyramid_close(struct pyramid *p) {
  free(p->layers);
}

/* How many features come out, and how many numbers an image has. */
static inline int64_t pyramid_features(const struct pyramid *p) {
  return p->h * p->w * p->c;
}
static inline int64_t pyramid_pixels(const struct pyramid *p) {
  return p->count > 0 ? p->layers[0].h * p->layers[0].w * p->layers[0].c : pyramid_features(p);
}

/* ---- from images to features ---------------------------------------------------------------- */

static inline struct part_name pyramid_part(const char *part, int64_t layer) {
  struct part_name n;
  (void)snprintf(n.weight, sizeof n.weight, "%s%lld.weight", part, (long long)layer + 1);
  (void)snprintf(n.bias, sizeof n.bias, "%s%lld.bias", part, (long long)layer + 1);
  return n;
}

/* Weights (kernel * kernel * in, out). */
static inline int32_t pyramid_declare(tier_variables *v, const struct pyramid *p) {
  for (int64_t i = 0; i < p->count; i++) {
    const struct image_layer *l = &p->layers[i];
    int64_t area = l->window[0] * l->window[1];
    struct part_name n = pyramid_part(p->part, i);
    struct layer_shape shape = {area * l->c, l->k, l->k, (double)(area * l->c),
                                (double)(area * l->k)};
    TIER_TRY(layer_declare_shape(v, n.weight, n.bias, &shape, p->init));
  }
  return TIER_OK;
}

/* Bias, activation and pool after a convolution. The greatest of a pool stays so under a bias and
 * an activation that never falls: there the pool comes first, and leaves less to do. */
static inline tier_value pyramid_finish(tier_graph *g, const struct pyramid *p, tier_value y,
                                        tier_value bias) {
  int64_t pool[8];
  tier_window(p->pool, p->pool, 0, pool);
  if (p->pool == 1) {
    return p->f(g, tier_add_bias(g, y, bias));
  }
  if (p->average) {
    return tier_average_pool(g, p->f(g, tier_add_bias(g, y, bias)), pool);
  }
  if (p->f == tier_silu) { /* it falls below -1.28 */
    return tier_max_pool(g, p->f(g, tier_add_bias(g, y, bias)), pool);
  }
  return p->f(g, tier_add_bias(g, tier_max_pool(g, y, pool), bias));
}

/* x (n, pixels) -> (n, features). */
static inline tier_value pyramid_build(tier_build *b, const struct pyramid *p, tier_value x) {
  tier_graph *g = b->graph;
  for (int64_t i = 0; i < p->count; i++) {
    const struct image_layer *l = &p->layers[i];
    struct part_name n = pyramid_part(p->part, i);
    int64_t dims[4] = {tier_dim(g, x, 0), l->h, l->w, l->c};
    tier_value y =
        tier_convolution(g, tier_reshape(g, x, dims, 4), tier_variable(b, n.weight), l->window);
    x = tier_flatten_rows(g, pyramid_finish(g, p, y, tier_variable(b, n.bias)));
  }
  return x;
}

/* ---- and back ------------------------------------------------------------------------------- */

/* The same backwards, without pooling: transposed convolutions with weights (kernel * kernel * out,
 * in), `out` being the channels nearer to the image, as the parts PART of the last layer to PART1;
 * `last` in place of PART1. The fan-in is kernel^2 out, as PyTorch takes it. */
static inline int32_t mirror_declare_layer(tier_variables *v, const struct pyramid *p, int64_t at,
                                           const struct part_name *n) {
  const struct image_layer *l = &p->layers[at];
  int64_t area = l->window[0] * l->window[1];
  struct layer_shape shape = {area * l->c, l->k, l->c, (double)(area * l->c),
                              (double)(area * l->k)};
  return layer_declare_shape(v, n->weight, n->bias, &shape, p->init);
}
static inline struct part_name mirror_part(const char *part, int64_t at, const char *last) {
  struct part_name n = pyramid_part(part, at);
  if (at == 0) {
    (void)snprintf(n.weight, sizeof n.weight, "%s.weight", last);
    (void)snprintf(n.bias, sizeof n.bias, "%s.bias", last);
  }
  return n;
}
/* x (n, features) -> (n, pixels); an activation after each layer but the last. */
static inline tier_value mirror_build(tier_build *b, const struct pyramid *p, const char *part,
                                      const char *last, tier_value x) {
  tier_graph *g = b->graph;
  for (int64_t i = p->count - 1; i >= 0; i--) {
    const struct image_layer *l = &p->layers[i];
    struct part_name n = mirror_part(part, i, last);
    int64_t dims[4] = {tier_dim(g, x, 0), l->oh, l->ow, l->k};
    tier_value y = tier_transposed_convolution(g, tier_reshape(g, x, dims, 4),
                                               tier_variable(b, n.weight), l->h, l->w, l->window);
    x = tier_add_bias(g, y, tier_variable(b, n.bias));
    x = tier_flatten_rows(g, i > 0 ? p->f(g, x) : x);
  }
  return x;
}

#endif

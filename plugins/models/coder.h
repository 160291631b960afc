/* The two halves that autoencoders share: an encoder, from the data over hidden layers (and, where
 * "channels" are given, over convolutions before them) to its last hidden values, on which heads
 * stand; and a decoder, the same backwards, from codes to data. */
#ifndef PLUGINS_MODELS_CODER_H
#define PLUGINS_MODELS_CODER_H

#include "images.h"

struct coder {
  int64_t size, latent;  /* of x and of a code */
  struct pyramid images; /* no layers: fully connected only */
  struct trunk encoder, decoder;
};

#define CODER_SLOTS                                                                               \
  {.name = "layers",                                                                              \
   .doc =                                                                                         \
       "sizes from the data over the encoder's hidden layers to the code, e.g. [784, 400, "       \
       "20]; the decoder has them backwards",                                                     \
   .unit = "",                                                                                    \
   .type = TIER_SLOT_INTEGERS,                                                                    \
   .flags = TIER_SLOT_REQUIRED,                                                                   \
   .minimum = 1,                                                                                  \
   .maximum = 1e9},                                                                               \
      IMAGE_SLOTS_OF(                                                                             \
          "channels after each convolution before the hidden layers; not given: no convolutions", \
          NULL)

static const tier_slot x_slots[] = {{.name = "x",
                                     .doc = "rows of as many numbers as the first of layers",
                                     .unit = "",
                                     .type = TIER_SLOT_EXPRESSION,
                                     .flags = TIER_SLOT_REQUIRED}};
static const tier_slot z_slots[] = {{.name = "z",
                                     .doc = "codes: rows of as many numbers as the last of layers",
                                     .unit = "",
                                     .type = TIER_SLOT_EXPRESSION,
                                     .flags = TIER_SLOT_REQUIRED}};

static inline void coder_close(struct coder *c) {
  pyramid_close(&c->images);
  free(c->encoder.sizes);
  free(c->decoder.sizes);
}

/* The trunks from the sizes of the data, the hidden layers and the code; with convolutions their
 * features stand in the place of the data. */
static inline int32_t coder_open_trunks(struct coder *c, const tier_host *host, int64_t *sizes,
                                        int64_t count) {
  int convolutional = c->images.count > 0;
  if (convolutional && pyramid_pixels(&c->images) != sizes[0]) {
    return tier_failf(host, TIER_E_INVALID,
                      "layers have %lld numbers for the data, the image has %lld",
                      (long long)sizes[0], (long long)pyramid_pixels(&c->images));
  }
  sizes[0] = convolutional ? pyramid_features(&c->images) : sizes[0];
  int64_t skipped = convolutional ? 0 : 1; /* the decoder's head gives the data */
  if (trunk_open(&c->encoder, sizes, count - 1, 0) < 0 ||
      trunk_open(&c->decoder, sizes + skipped, count - skipped, 1) < 0) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  return TIER_OK;
}

static inline void reverse(int64_t *sizes, int64_t count) {
  for (int64_t i = 0; i < count / 2; i++) {
    int64_t kept = sizes[i];
    sizes[i] = sizes[count - 1 - i];
    sizes[count - 1 - i] = kept;
  }
}

/* Reads CODER_SLOTS, activation and init; layers from the code to the data if `backwards`. On
 * failure, too, coder_close frees it. */
static inline int32_t coder_open(struct coder *c, const tier_host *host, const tier_params *params,
                                 int backwards) {
  int64_t count = 0;
  activation f = activation_named(tier_text(params, "activation"));
  const char *init = tier_text(params, "init");
  c->images = (struct pyramid){.part = "convolution", .f = f, .init = init};
  c->encoder = (struct trunk){.part = "encoder", .f = f, .init = init};
  c->decoder = (struct trunk){.part = "decoder", .f = f, .init = init};
  if (tier_given(params, "channels")) {
    TIER_TRY(pyramid_open(&c->images, host, params, 1));
  }
  int64_t *sizes = layers_read(host, params, 2, "of the data and of the code", &count);
  if (sizes == NULL) {
    return TIER_E_INVALID;
  }
  if (backwards) {
    reverse(sizes, count);
  }
  c->size = sizes[0];
  c->latent = sizes[count - 1];
  int32_t status = coder_open_trunks(c, host, sizes, count);
  free(sizes);
  return status;
}

/* ---- encoder -------------------------------------------------------------------------------- */

static inline int32_t coder_declare_encoder(tier_variables *v, const struct coder *c) {
  TIER_TRY(pyramid_declare(v, &c->images));
  return trunk_declare(v, &c->encoder);
}
/* A head on the encoder, the part PART: from its last hidden values to a code's size. */
static inline int32_t coder_declare_head(tier_variables *v, const struct coder *c,
                                         const char *part) {
  return head_declare(v, part, trunk_width(&c->encoder), c->latent, c->encoder.init);
}
/* x (n, size) -> (n, width): the encoder's last hidden values. */
static inline tier_value coder_hidden(const struct coder *c, tier_build *b, tier_value x) {
  tier_value rows = rows_of(b->graph, x, c->size, "x", "the first of layers");
  return trunk_build(b, &c->encoder, pyramid_build(b, &c->images, rows));
}

/* ---- decoder -------------------------------------------------------------------------------- */

static inline int32_t coder_declare_decoder(tier_variables *v, const struct coder *c) {
  TIER_TRY(trunk_declare(v, &c->decoder));
  for (int64_t i = c->images.count - 1; i > 0; i--) {
    struct part_name n = pyramid_part("deconvolution", i);
    TIER_TRY(mirror_declare_layer(v, &c->images, i, &n));
  }
  return TIER_OK;
}
/* A head on the decoder, the part PART: its last layer, which gives the data. */
static inline int32_t coder_declare_output(tier_variables *v, const struct coder *c,
                                           const char *part) {
  if (c->images.count == 0) {
    return head_declare(v, part, trunk_width(&c->decoder), c->size, c->decoder.init);
  }
  struct part_name n = mirror_part("deconvolution", 0, part);
  return mirror_declare_layer(v, &c->images, 0, &n);
}
/* z (n, latent) -> (n, size), by the head PART. */
static inline tier_value coder_decode(const struct coder *c, tier_build *b, const char *part,
                                      tier_value z) {
  tier_value rows = rows_of(b->graph, z, c->latent, "z", "the code's size in layers");
  tier_value h = trunk_build(b, &c->decoder, rows);
  return c->images.count > 0 ? mirror_build(b, &c->images, "deconvolution", part, h)
                             : head_build(b, part, h);
}

#endif

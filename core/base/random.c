#include "base/random.h"

#include <Random123/philox.h>
#include <math.h>
#include <sha256.h>
#include <string.h>

void random_block(uint64_t stream, uint64_t draw, uint64_t block, uint32_t out[4]) {
  philox4x32_key_t key = {{(uint32_t)stream, (uint32_t)(stream >> 32)}};
  philox4x32_ctr_t counter = {
      {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)draw, (uint32_t)(draw >> 32)}};
  philox4x32_ctr_t result = philox4x32_R(10, counter, key);
  memcpy(out, result.v, 4 * sizeof *out);
}

/* 53 random bits as a number in [0, 1). */
static double unit(uint32_t high, uint32_t low) {
  uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
  return (double)bits * 0x1p-53;
}

double random_uniform(uint64_t stream, uint64_t draw, uint64_t index) {
  uint32_t words[4];
  random_block(stream, draw, index / 2, words);
  return index % 2 == 0 ? unit(words[0], words[1]) : unit(words[2], words[3]);
}

/* Box and Muller (1958): one block gives two normals; 1 - u lies in (0, 1]. */
double random_normal(uint64_t stream, uint64_t draw, uint64_t index) {
  uint32_t words[4];
  random_block(stream, draw, index / 2, words);
  double radius = sqrt(-2.0 * log(1.0 - unit(words[0], words[1])));
  double angle = 6.283185307179586477 * unit(words[2], words[3]);
  return index % 2 == 0 ? radius * cos(angle) : radius * sin(angle);
}

static void uniform(uint64_t stream, uint64_t draw, int64_t first, int64_t count, double *out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = random_uniform(stream, draw, (uint64_t)(first + i));
  }
}

static void normal(uint64_t stream, uint64_t draw, int64_t first, int64_t count, double *out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = random_normal(stream, draw, (uint64_t)(first + i));
  }
}

/* Fisher and Yates, from the end; the bias of scaling 53 bits is below count * 2^-53. */
void random_permutation(uint64_t stream, uint64_t draw, int64_t count, int64_t *out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = i;
  }
  for (int64_t i = count - 1; i > 0; i--) {
    int64_t j = (int64_t)(random_uniform(stream, draw, (uint64_t)i) * (double)(i + 1));
    int64_t swapped = out[i];
    out[i] = out[j];
    out[j] = swapped;
  }
}

static uint64_t hash(const void *prefix, size_t prefix_size, const char *text) {
  SHA2_CTX context;
  uint8_t digest[SHA256_DIGEST_LENGTH];
  uint64_t key = 0;
  SHA256Init(&context);
  SHA256Update(&context, prefix, prefix_size);
  SHA256Update(&context, (const uint8_t *)text, strlen(text));
  SHA256Final(digest, &context);
  for (int i = 7; i >= 0; i--) {
    key = key << 8 | digest[i];
  }
  return key;
}

uint64_t random_derive(uint64_t stream, const char *name) {
  uint8_t prefix[8];
  for (int i = 0; i < 8; i++) {
    prefix[i] = (uint8_t)(stream >> 8 * i);
  }
  return hash(prefix, sizeof prefix, name);
}

uint64_t random_stream(const char *path, uint64_t seed) {
  return random_derive(seed, path);
}

const tier_random_1 random_interface = {
    .struct_size = (uint32_t)sizeof(tier_random_1),
    .uniform = uniform,
    .normal = normal,
    .permutation = random_permutation,
    .derive = random_derive,
};

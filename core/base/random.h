/* Counter-based random numbers; see tier/random.h for what they promise. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <tier/random.h>

/* The stream of a path ("variables.net.init", "levels.inner.batch") in a run with that seed. */
uint64_t random_stream(const char *path, uint64_t seed);
uint64_t random_derive(uint64_t stream, const char *name);
/* Philox4x32-10 block `block` of (stream, draw). */
void random_block(uint64_t stream, uint64_t draw, uint64_t block, uint32_t out[4]);
/* Number `index` of (stream, draw): uniform in [0, 1) with 53 bits; standard normal (Box-Muller).
 */
double random_uniform(uint64_t stream, uint64_t draw, uint64_t index);
double random_normal(uint64_t stream, uint64_t draw, uint64_t index);
void random_permutation(uint64_t stream, uint64_t draw, int64_t count, int64_t *out);
extern const tier_random_1 random_interface; /* "tier.random/1" */

#endif

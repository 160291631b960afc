/* tier/random.h: interface "tier.random/1": counter-based random numbers (Philox4x32-10; Salmon,
 * Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * A stream is a 64-bit key that follows from a path and the run's seed. A number depends on
 * (stream, draw, index) only: never on the order of calls or the number of threads. */
#ifndef TIER_RANDOM_H
#define TIER_RANDOM_H

#include <tier/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tier_random_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* out[i] is number first + i of (stream, draw): uniform in [0, 1), or standard normal. */
  void (*uniform)(uint64_t stream, uint64_t draw, int64_t first, int64_t count, double *out);
  void (*normal)(uint64_t stream, uint64_t draw, int64_t first, int64_t count, double *out);
  /* A uniformly drawn permutation of 0 .. count-1. */
  void (*permutation)(uint64_t stream, uint64_t draw, int64_t count, int64_t *out);
  /* A stream derived from another by a name. */
  uint64_t (*derive)(uint64_t stream, const char *name);
} tier_random_1;

#ifdef __cplusplus
}
#endif
#endif

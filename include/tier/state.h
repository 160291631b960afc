/* tier/state.h: interface "tier.state/1": arrays that the host keeps for a plugin.
 *
 * What must survive from one outer step to the next (an optimizer's moments, L-BFGS pairs, CG's
 * last solution, a solver's counters) stands in named arrays. The host allocates them zeroed,
 * checkpoints and restores them; so resuming is exact with no code in the plugin. A component that
 * has such arrays offers "tier.state/1"; the interfaces then pass the `tier_state`. */
#ifndef TIER_STATE_H
#define TIER_STATE_H

#include <tier/vector.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tier_state_1_host {
  uint32_t struct_size;
  uint32_t reserved;
  /* While declaring. `size` elements; `n` below is the dimension of the problem at hand. */
  int32_t (*vector)(tier_state *s, const char *name, int64_t size);   /* real */
  int32_t (*doubles)(tier_state *s, const char *name, int64_t size);  /* f64 */
  int32_t (*integers)(tier_state *s, const char *name, int64_t size); /* i64 */
  /* Afterwards: the array of that name; it lives as long as the state. */
  tier_vector *(*get_vector)(tier_state *s, const char *name);
  double *(*get_doubles)(tier_state *s, const char *name);
  int64_t *(*get_integers)(tier_state *s, const char *name);
} tier_state_1_host;

struct tier_state {
  const tier_state_1_host *api;
};

/* What the component offers as "tier.state/1". */
typedef struct tier_state_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* `n`: size of the vector that is optimized or solved for. Declares all arrays. */
  int32_t (*declare)(void *self, int64_t n, tier_state *s);
  /* Called in its place, where there is one, for estimators: also with the sizes of the edge's
   * `inputs` (p) and of the state (m) of the lower level's optimizer, 0 for a procedural one. */
  int32_t (*declare_edge)(void *self, int64_t n, int64_t inputs, int64_t m, tier_state *s);
} tier_state_1;

#ifdef __cplusplus
}
#endif
#endif

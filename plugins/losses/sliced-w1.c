/* sliced-w1: the sliced 1-Wasserstein distance of two samples (Rabin, Peyre, Delon, Bernot 2011):
 * the mean, over random directions, of the distance of the projections. In one dimension it is the
 * distance itself: W1 = integral over q of |F^-1(q) - G^-1(q)|, for samples of one size the mean of
 * |x_(i) - y_(i)|, both sorted (Santambrogio 2015, proposition 2.17); samples of different sizes
 * are compared at all their quantiles. Differentiable in both samples. Every row gets the distance.
 */
#include <stdlib.h>

#include "../function_plugin.h"

struct sliced {
  int64_t directions;
};

static const tier_slot slots[] = {{.name = "first",
                                   .doc = "samples (n, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "second",
                                   .doc = "samples (m, ...), rows of as many numbers",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "directions",
                                   .doc = "random directions; in one dimension none are needed",
                                   .fallback = "100",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1e6}};

/* (directions, d): random points of the unit sphere; (1, 1): 1. */
static tier_value draw_directions(tier_build *b, int64_t count, int64_t d) {
  tier_graph *g = b->graph;
  int64_t dims[2] = {d == 1 ? 1 : count, d};
  if (d == 1) {
    return tier_fill(g, 1.0, dims, 2);
  }
  tier_value v = tier_random(g, b->api->key(b), TIER_NORMAL, 0, dims, 2);
  tier_value norm = tier_sqrt(g, tier_sum_axis(g, tier_square(g, v), 1));
  return tier_divide(g, v, tier_expand(g, norm, 1, v));
}

/* x (n, d), directions (p, d) -> (p, n): the projections, each line ascending. */
static tier_value sorted_projections(tier_graph *g, tier_value x, tier_value directions) {
  tier_value y = tier_matmul_transposed(g, directions, 0, x, 1);
  return tier_gather(g, y, tier_argsort(g, y, 1), 1);
}

/* The intervals of [0, 1] between all quantiles i / n and j / m: in each, which sorted element of
 * either sample stands, and its length. Returns their number, at most n + m - 1. */
static int64_t intervals(int64_t n, int64_t m, double *i_of, double *j_of, double *length) {
  int64_t count = 0;
  int64_t at = 0; /* in units of 1 / (n m) */
  for (int64_t i = 0, j = 0; i < n && j < m; count++) {
    int64_t next = (i + 1) * m < (j + 1) * n ? (i + 1) * m : (j + 1) * n;
    i_of[count] = (double)i;
    j_of[count] = (double)j;
    length[count] = (double)(next - at) / ((double)n * (double)m);
    i += (i + 1) * m == next;
    j += (j + 1) * n == next;
    at = next;
  }
  return count;
}

static tier_value constants(tier_graph *g, const double *values, int64_t count) {
  int64_t dims[2] = {1, count};
  tier_attributes attributes = tier_make_attributes(dims, 2, values, (uint32_t)count);
  return g->api->emit(g, TIER_OP_CONSTANT, NULL, 0, &attributes);
}

/* sorted (p, n), index (1, k) -> (p, k) */
static tier_value pick(tier_graph *g, tier_value sorted, tier_value index) {
  int64_t dims[2] = {tier_dim(g, sorted, 0), tier_dim(g, index, 1)};
  tier_value whole = tier_broadcast(g, tier_cast(g, index, TIER_I32), dims, 2);
  return tier_gather(g, sorted, whole, 1);
}

/* x (p, n), y (p, m), both sorted -> (p, k): |differences| times the lengths of the intervals. */
static tier_value compare_quantiles(tier_graph *g, tier_value x, tier_value y) {
  int64_t n = tier_dim(g, x, 1);
  int64_t m = tier_dim(g, y, 1);
  double *memory = malloc((size_t)(n + m) * 3 * sizeof *memory);
  if (memory == NULL) {
    return g->api->fail(g, "no memory for the quantiles");
  }
  int64_t count = intervals(n, m, memory, memory + n + m, memory + 2 * (n + m));
  tier_value xs = pick(g, x, constants(g, memory, count));
  tier_value ys = pick(g, y, constants(g, memory + n + m, count));
  tier_value distance = tier_abs(g, tier_subtract(g, xs, ys));
  tier_value length = constants(g, memory + 2 * (n + m), count);
  free(memory);
  return tier_multiply(g, distance, tier_broadcast_like(g, length, distance));
}

#define MOST_ROWS 16777216 /* indices are exact in f32 up to here */

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct sliced *s = self;
  tier_graph *g = b->graph;
  (void)entry;
  tier_value first = tier_flatten_rows(g, tier_input(b, "first"));
  tier_value second = tier_flatten_rows(g, tier_input(b, "second"));
  int64_t n = tier_dim(g, first, 0);
  int64_t m = tier_dim(g, second, 0);
  if (first == 0 || second == 0 || n == 0 || m == 0 || n > MOST_ROWS || m > MOST_ROWS) {
    return tier_output(b, g->api->fail(g, "needs from 1 to 2^24 rows of both samples"));
  }
  tier_value directions = draw_directions(b, s->directions, tier_dim(g, first, 1));
  tier_value x = sorted_projections(g, first, directions);
  tier_value y = sorted_projections(g, second, directions);
  tier_value parts = n == m ? tier_scale(g, tier_abs(g, tier_subtract(g, x, y)), 1.0 / (double)n)
                            : compare_quantiles(g, x, y);
  tier_value distance = tier_mean_axis(g, tier_sum_axis(g, parts, 1), 0);
  int64_t one = 1;
  return tier_output(b, tier_broadcast(g, tier_reshape(g, distance, &one, 1), &n, 1));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct sliced *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->directions = tier_integer(params, "directions");
  *object = s;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_COMPARES | TIER_RANDOM,
     .kind = "loss",
     .id = "sliced-w1",
     .summary = "1-Wasserstein distance of two samples, mean over random directions; exact for "
                "rows of one number",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("sliced-w1", "1.0", "MIT", components);

/* mmd: the squared maximum mean discrepancy of two samples (Gretton et al. 2012, lemma 6 and
 * equation 5): E k(x, x') + E k(y, y') - 2 E k(x, y), for a sum of kernels of several scales.
 * Every row gets it. Memory goes with the product of the samples' sizes. */
#include <stdlib.h>

#include "../function_plugin.h"

struct mmd {
  int64_t scale_count;
  double *scales; /* scale_count */
  int32_t gaussian, unbiased;
};

static const tier_slot slots[] = {
    {.name = "first",
     .doc = "samples (n, ...)",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "second",
     .doc = "samples (m, ...), rows of as many numbers",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "kernel",
     .doc = "gaussian: exp(-r^2 / 2 s^2); inverse-multiquadratic: s^2 / (s^2 + r^2)",
     .fallback = "\"gaussian\"",
     .unit = "",
     .choices = "gaussian|inverse-multiquadratic",
     .type = TIER_SLOT_TEXT},
    {.name = "scales",
     .doc = "s; the kernels of all of them are added",
     .fallback = "[1]",
     .unit = "",
     .type = TIER_SLOT_NUMBERS,
     .flags = TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1e300},
    {.name = "estimate",
     .doc = "unbiased: without the pairs of a row with itself, may be below 0; biased: with them",
     .fallback = "\"unbiased\"",
     .unit = "",
     .choices = "unbiased|biased",
     .type = TIER_SLOT_TEXT}};

/* x (n, d), y (m, d) -> (n, m): |x_i|^2 + |y_j|^2 - 2 x_i . y_j */
static tier_value squared_distances(tier_graph *g, tier_value x, tier_value y) {
  tier_value products = tier_matmul_transposed(g, x, 0, y, 1);
  tier_value of_x = tier_expand(g, tier_row_sum(g, tier_square(g, x)), 1, products);
  tier_value of_y = tier_expand(g, tier_row_sum(g, tier_square(g, y)), 0, products);
  return tier_subtract(g, tier_add(g, of_x, of_y), tier_scale(g, products, 2.0));
}

/* Squared distances -> the sum of the kernels. */
static tier_value kernel(const struct mmd *k, tier_graph *g, tier_value r2) {
  tier_value sum = tier_fill_like(g, r2, 0.0);
  for (int64_t i = 0; i < k->scale_count; i++) {
    double s2 = k->scales[i] * k->scales[i];
    tier_value one = k->gaussian ? tier_exp(g, tier_scale(g, r2, -0.5 / s2))
                                 : tier_divide(g, tier_fill_like(g, r2, s2), tier_shift(g, r2, s2));
    sum = tier_add(g, sum, one);
  }
  return sum;
}

/* The mean of k(x_i, x_j) over all pairs, or over i != j. */
static tier_value within(const struct mmd *k, tier_graph *g, tier_value x) {
  tier_value values = kernel(k, g, squared_distances(g, x, x));
  if (!k->unbiased) {
    return tier_mean_all(g, values);
  }
  int64_t n = tier_dim(g, x, 0);
  int64_t dims[2] = {n, n};
  tier_value same = tier_equal(g, tier_iota(g, 0, dims, 2), tier_iota(g, 1, dims, 2));
  tier_value others = tier_multiply(g, tier_complement(g, same), values);
  return tier_scale(g, tier_sum_all(g, others), 1.0 / ((double)n * (double)(n - 1)));
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct mmd *k = self;
  tier_graph *g = b->graph;
  (void)entry;
  tier_value x = tier_flatten_rows(g, tier_input(b, "first"));
  tier_value y = tier_flatten_rows(g, tier_input(b, "second"));
  int64_t n = tier_dim(g, x, 0);
  int64_t least = k->unbiased ? 2 : 1;
  if (x != 0 && y != 0 && (n < least || tier_dim(g, y, 0) < least)) {
    return tier_output(b, g->api->fail(g, "needs at least two rows of both samples"));
  }
  tier_value between = tier_mean_all(g, kernel(k, g, squared_distances(g, x, y)));
  tier_value mmd2 =
      tier_subtract(g, tier_add(g, within(k, g, x), within(k, g, y)), tier_scale(g, between, 2.0));
  int64_t one = 1;
  return tier_output(b, tier_broadcast(g, tier_reshape(g, mmd2, &one, 1), &n, 1));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static void destroy(void *object) {
  struct mmd *k = object;
  free(k->scales);
  free(k);
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct mmd *k = calloc(1, sizeof *k);
  int64_t count = params->api->count(params, "scales");
  double *scales = calloc((size_t)count + 1, sizeof *scales);
  if (k == NULL || scales == NULL) {
    free(k);
    free(scales);
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  for (int64_t i = 0; i < count; i++) {
    scales[i] = params->api->number_at(params, "scales", i);
  }
  k->scale_count = count;
  k->scales = scales;
  k->gaussian = strcmp(tier_text(params, "kernel"), "gaussian") == 0;
  k->unbiased = strcmp(tier_text(params, "estimate"), "unbiased") == 0;
  *object = k;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_COMPARES,
     .kind = "loss",
     .id = "mmd",
     .summary = "squared maximum mean discrepancy of two samples",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get}};
TIER_PLUGIN("mmd", "1.0", "MIT", components);

/* ddpm-step: one step back of ancestral sampling (Ho, Jain, Abbeel 2020, algorithm 2):
 * x_{t-1} = (x_t - beta_t / sqrt(1 - abar_t) e) / sqrt(alpha_t) + sigma_t z, sigma_t =
 * sqrt(beta_t), e the predicted noise at (x_t, t) and z standard normal, but 0 at t = 1. x_T is
 * standard normal. */
#include "diffusion.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "x_t (n, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "noise",
                                   .doc = "e, the model's prediction, matches x_t",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "time",
                                   .doc = "t, from 1 to steps, one a row",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  STEPS_SLOT,
                                  FIRST_BETA_SLOT,
                                  LAST_BETA_SLOT};

/* Each (steps): what x_t, e and z are multiplied by. */
static void coefficients(const struct diffusion *d, double *of_x, double *of_e, double *of_z) {
  double log_abar = 0;
  for (int64_t t = 1; t <= d->steps; t++) {
    double beta = diffusion_beta(d, t);
    log_abar += log1p(-beta);
    of_x[t - 1] = 1.0 / sqrt(1.0 - beta);
    of_e[t - 1] = -beta / sqrt(-expm1(log_abar)) * of_x[t - 1];
    of_z[t - 1] = t > 1 ? sqrt(beta) : 0.0;
  }
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct diffusion *d = self;
  tier_graph *g = b->graph;
  int64_t dims[TIER_MAX_RANK];
  (void)entry;
  tier_value x = tier_input(b, "of");
  int32_t rank = g->api->shape(g, x, dims);
  tier_value parts[3] = {x, tier_match(g, tier_input(b, "noise"), x),
                         tier_random(g, b->api->key(b), TIER_NORMAL, 0, dims, rank)};
  tier_value times = diffusion_times(b, x);
  double *tables = malloc((size_t)d->steps * 3 * sizeof *tables);
  if (tables == NULL) {
    return tier_output(b, g->api->fail(g, "no memory for the schedule"));
  }
  coefficients(d, tables, tables + d->steps, tables + 2 * d->steps);
  for (int i = 0; i < 3; i++) {
    tier_value factor = diffusion_pick(g, times, tables + i * d->steps, d->steps);
    parts[i] = tier_multiply(g, tier_match(g, factor, x), parts[i]);
  }
  free(tables);
  return tier_output(b, tier_add(g, tier_add(g, parts[0], parts[1]), parts[2]));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "map",
     .id = "ddpm-step",
     .summary = "one step back of a diffusion's ancestral sampling, from time t to t - 1",
     TIER_SLOTS(slots),
     .create = diffusion_create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("ddpm-step", "1.0", "MIT", components);

/* ddpm-noise: x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) e, t steps of the forward process at once
 * (Ho, Jain, Abbeel 2020, equation 4). The noise e is given, since it is what the model predicts:
 * its loss is the squared error of the prediction at (x_t, t) from e. */
#include "diffusion.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "x_0 (n, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "noise",
                                   .doc = "e, standard normal, matches x_0",
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

/* signal and noise (steps) <- sqrt(abar_t) and sqrt(1 - abar_t). */
static void schedule(const struct diffusion *d, double *signal, double *noise) {
  double log_abar = 0; /* in logarithms 1 - abar_t keeps its digits where beta is small */
  for (int64_t t = 1; t <= d->steps; t++) {
    log_abar += log1p(-diffusion_beta(d, t));
    signal[t - 1] = exp(0.5 * log_abar);
    noise[t - 1] = sqrt(-expm1(log_abar));
  }
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct diffusion *d = self;
  tier_graph *g = b->graph;
  (void)entry;
  tier_value x = tier_input(b, "of");
  tier_value e = tier_match(g, tier_input(b, "noise"), x);
  tier_value times = diffusion_times(b, x);
  double *signal = malloc((size_t)d->steps * 2 * sizeof *signal);
  if (signal == NULL) {
    return tier_output(b, g->api->fail(g, "no memory for the schedule"));
  }
  double *noise = signal + d->steps;
  schedule(d, signal, noise);
  tier_value kept = tier_match(g, diffusion_pick(g, times, signal, d->steps), x);
  tier_value added = tier_match(g, diffusion_pick(g, times, noise, d->steps), x);
  free(signal);
  return tier_output(b, tier_add(g, tier_multiply(g, kept, x), tier_multiply(g, added, e)));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "map",
     .id = "ddpm-noise",
     .summary = "rows with the noise of a diffusion's time t",
     TIER_SLOTS(slots),
     .create = diffusion_create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("ddpm-noise", "1.0", "MIT", components);

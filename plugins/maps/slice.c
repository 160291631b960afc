#include <stdlib.h>

#include "../function_plugin.h"

/* Elements [at, at + count) of each row's first axis; without a count the one at `at`, and the axis
 * goes away. */
struct slice {
  int64_t at, count;
  int32_t keeps_axis;
};

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "(n, k, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "at",
                                   .doc = "the first element, from 0",
                                   .fallback = "0",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 0,
                                   .maximum = 1e9},
                                  {.name = "count",
                                   .doc = "how many; left out: one, and its axis goes away",
                                   .unit = "",
                                   .type = TIER_SLOT_INTEGER,
                                   .minimum = 1,
                                   .maximum = 1e9}};

/* (n, k, ...) -> (n, count, ...), or (n, ...). */
static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct slice *s = self;
  tier_graph *g = b->graph;
  int64_t dims[TIER_MAX_RANK];
  char text[160];
  (void)entry;
  tier_value x = tier_input(b, "of");
  int32_t rank = g->api->shape(g, x, dims);
  if (rank >= 0 && (rank < 2 || s->at + s->count > dims[1])) {
    (void)snprintf(text, sizeof text, "elements %lld to %lld of a row of %lld", (long long)s->at,
                   (long long)(s->at + s->count - 1), (long long)(rank < 2 ? 1 : dims[1]));
    return tier_output(b, g->api->fail(g, text));
  }
  tier_value part = tier_slice_axis(g, x, 1, s->at, s->at + s->count);
  if (rank >= 0 && !s->keeps_axis) {
    memmove(dims + 1, dims + 2, (size_t)(rank - 2) * sizeof *dims);
    part = tier_reshape(g, part, dims, rank - 1);
  }
  return tier_output(b, part);
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct slice *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->at = tier_integer(params, "at");
  s->keeps_axis = tier_given(params, "count");
  s->count = s->keeps_axis ? tier_integer(params, "count") : 1;
  *object = s;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "map",
     .id = "slice",
     .summary = "some elements of each row, counted along its first axis",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("slice", "1.0", "MIT", components);

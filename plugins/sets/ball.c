#include <stdlib.h>
#include <string.h>
#include <tier/function.h>
#include <tier/nn.h>

/* A ball around a center: of a variable with rows, one for each row. */
struct ball {
  int32_t infinity; /* the largest distance of any number, instead of the Euclidean one */
};

static const tier_slot slots[] = {{.name = "radius",
                                   .doc = "the largest distance from the center; one number, or "
                                          "one a row",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "center",
                                   .doc = "of the shape of the variable; default: 0",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION},
                                  {.name = "norm",
                                   .doc = "2: Euclidean; inf: the largest of all numbers",
                                   .fallback = "\"2\"",
                                   .unit = "",
                                   .choices = "2|inf",
                                   .type = TIER_SLOT_TEXT}};

/* The smallest length that is divided by: a center's own distance from it is 0. */
#define TINY 1e-30

/* d (n, k) scaled to at most `radius` (n, 1): d r / max(|d|, r). */
static tier_value shorten(tier_graph *g, tier_value d, tier_value radius) {
  tier_value squares = tier_row_sum(g, tier_square(g, d));
  tier_value norm = tier_reshape_like(g, tier_safe_sqrt(g, squares), radius);
  tier_value longest =
      tier_maximum(g, tier_maximum(g, norm, radius), tier_fill_like(g, radius, TINY));
  return tier_multiply(g, d, tier_broadcast_like(g, tier_divide(g, radius, longest), d));
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  const struct ball *s = self;
  tier_graph *g = b->graph;
  (void)entry;
  tier_value given = tier_input(b, "x");
  tier_value x = tier_flatten_rows(g, given);
  tier_value center = tier_input(b, "center");
  if (center != 0) {
    center = tier_flatten_rows(g, center);
    center = tier_dim(g, center, 1) == 1 ? tier_broadcast_like(g, center, x) : center;
  }
  tier_value radius = tier_flatten_rows(g, tier_input(b, "radius")); /* (n, 1) */
  tier_value d = center != 0 ? tier_subtract(g, x, center) : x;
  if (s->infinity) {
    tier_value r = tier_broadcast_like(g, radius, d);
    d = tier_clamp(g, d, tier_negate(g, r), r);
  } else {
    d = shorten(g, d, radius);
  }
  return tier_output(b, tier_reshape_like(g, center != 0 ? tier_add(g, center, d) : d, given));
}

static const tier_function_1 function = {.struct_size = (uint32_t)sizeof function, .build = build};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  struct ball *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->infinity = strcmp(tier_text(params, "norm"), "inf") == 0;
  *object = s;
  return TIER_OK;
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  return strcmp(interface_id, "tier.function/1") == 0 ? &function : NULL;
}

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "set",
     .id = "ball",
     .summary = "points within a distance of a center, row by row",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("ball", "1.0", "MIT", components);

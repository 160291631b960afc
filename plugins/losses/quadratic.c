/* quadratic: sum_k sum_i d_ki (w_i - c_ki)^2 / 2, a penalty with a diagonal metric and one or more
 * centers; with Fisher diagonals d and anchors c it is elastic weight consolidation (Kirkpatrick et
 * al. 2017, equation 3), whose gradient is sum_k d_k (w - c_k). */
#include "../function_plugin.h"

static const tier_slot slots[] = {{.name = "of",
                                   .doc = "w (n, ...)",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION,
                                   .flags = TIER_SLOT_REQUIRED},
                                  {.name = "center",
                                   .doc = "c: of w's shape, or several of them; left out: 0",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION},
                                  {.name = "diagonal",
                                   .doc = "d: likewise; left out: 1",
                                   .unit = "",
                                   .type = TIER_SLOT_EXPRESSION}};

/* (n, ..., size elements) -> (n, copies, size): the row is one or more rows of `size` numbers. */
static tier_value copies_of(tier_graph *g, tier_value x, int64_t size) {
  tier_value flat = tier_flatten_rows(g, x);
  int64_t width = tier_dim(g, flat, 1);
  if (flat != 0 && (size == 0 || width % size != 0)) {
    return g->api->fail(
        g, "\"center\" and \"diagonal\" must have the shape of \"of\", or be several of them");
  }
  int64_t dims[3] = {tier_dim(g, flat, 0), size > 0 ? width / size : 0, size};
  return tier_reshape(g, flat, dims, 3);
}

/* x (n, 1, size) repeated to like's (n, copies, size), if it is not so already. */
static tier_value repeat(tier_graph *g, tier_value x, tier_value like) {
  return like != 0 && tier_dim(g, x, 1) != tier_dim(g, like, 1) ? tier_broadcast_like(g, x, like)
                                                                : x;
}

static int32_t build(void *self, const char *entry, tier_build *b) {
  tier_graph *g = b->graph;
  (void)self;
  (void)entry;
  tier_value w = tier_flatten_rows(g, tier_input(b, "of"));
  int64_t size = tier_dim(g, w, 1);
  tier_value center = tier_input(b, "center");
  tier_value diagonal = tier_input(b, "diagonal");
  tier_value r = copies_of(g, w, size);
  if (center != 0) {
    tier_value c = copies_of(g, center, size);
    r = tier_subtract(g, repeat(g, r, c), c);
  }
  tier_value terms = tier_square(g, r);
  if (diagonal != 0) {
    tier_value d = copies_of(g, diagonal, size);
    int64_t copies = tier_dim(g, d, 1);
    terms = copies < tier_dim(g, terms, 1) ? tier_multiply(g, terms, repeat(g, d, terms))
                                           : tier_multiply(g, repeat(g, terms, d), d);
  }
  return tier_output(b, tier_scale(g, tier_row_sum(g, terms), 0.5));
}

FUNCTION_PLUGIN("loss", "quadratic",
                "half the sum of diagonal (of - center)^2, over each row and all centers", 0);

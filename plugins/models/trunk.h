/* A trunk: fully connected layers with an activation after each of them, on which heads stand.
 * Its layers are the parts PART1, PART2, ... of a model. */
#ifndef PLUGINS_MODELS_TRUNK_H
#define PLUGINS_MODELS_TRUNK_H

#include <stdlib.h>

#include "layer.h"

typedef tier_value (*activation)(tier_graph *g, tier_value x);

#define ACTIVATION_CHOICES "relu|leaky-relu|tanh|sigmoid|softplus|silu"
#define ACTIVATION_SLOT(standard)                                                    \
  {                                                                                  \
    .name = "activation",                                                            \
    .doc = "the function after each hidden layer; leaky-relu has slope 0.2 below 0", \
    .fallback = "\"" standard "\"", .unit = "", .choices = ACTIVATION_CHOICES,       \
    .type = TIER_SLOT_TEXT                                                           \
  }

static inline tier_value leaky_relu(tier_graph *g, tier_value x) {
  return tier_leaky_relu(g, x, 0.2);
}

/* The function of that name, one of ACTIVATION_CHOICES. */
static inline activation activation_named(const char *name) {
  return strcmp(name, "leaky-relu") == 0 ? leaky_relu
         : strcmp(name, "tanh") == 0     ? tier_tanh
         : strcmp(name, "sigmoid") == 0  ? tier_sigmoid
         : strcmp(name, "softplus") == 0 ? tier_softplus
         : strcmp(name, "silu") == 0     ? tier_silu
                                         : tier_relu;
}

struct trunk {
  const char *part;
  int64_t *sizes; /* count of them: of the input, then of each layer's output */
  int64_t count;
  activation f;
  const char *init; /* one of INIT_CHOICES */
};

#define PART_NAME 48
struct part_name {
  char weight[PART_NAME], bias[PART_NAME];
};
static inline struct part_name trunk_part(const struct trunk *t, int64_t layer) {
  struct part_name n;
  (void)snprintf(n.weight, sizeof n.weight, "%s%lld.weight", t->part, (long long)layer);
  (void)snprintf(n.bias, sizeof n.bias, "%s%lld.bias", t->part, (long long)layer);
  return n;
}

/* Copies the sizes, from the last to the first if `backwards`; 0, or TIER_E_MEMORY without text. */
static inline int32_t trunk_open(struct trunk *t, const int64_t *sizes, int64_t count,
                                 int backwards) {
  t->sizes = malloc((size_t)count * sizeof *t->sizes);
  if (t->sizes == NULL) {
    return TIER_E_MEMORY;
  }
  t->count = count;
  for (int64_t i = 0; i < count; i++) {
    t->sizes[i] = sizes[backwards ? count - 1 - i : i];
  }
  return TIER_OK;
}

/* The size of what comes out. */
static inline int64_t trunk_width(const struct trunk *t) {
  return t->sizes[t->count - 1];
}

static inline int32_t trunk_declare(tier_variables *v, const struct trunk *t) {
  for (int64_t i = 1; i < t->count; i++) {
    struct part_name n = trunk_part(t, i);
    TIER_TRY(layer_declare(v, n.weight, n.bias, t->sizes[i - 1], t->sizes[i], t->init));
  }
  return TIER_OK;
}

/* x (n, first size) -> (n, last size). */
static inline tier_value trunk_build(tier_build *b, const struct trunk *t, tier_value x) {
  for (int64_t i = 1; i < t->count; i++) {
    struct part_name n = trunk_part(t, i);
    x = t->f(b->graph,
             tier_linear(b->graph, x, tier_variable(b, n.weight), tier_variable(b, n.bias)));
  }
  return x;
}

/* One layer without activation, the part PART: x (n, in) -> (n, out). */
static inline int32_t head_declare(tier_variables *v, const char *part, int64_t in, int64_t out,
                                   const char *init) {
  struct part_name n;
  (void)snprintf(n.weight, sizeof n.weight, "%s.weight", part);
  (void)snprintf(n.bias, sizeof n.bias, "%s.bias", part);
  return layer_declare(v, n.weight, n.bias, in, out, init);
}
static inline tier_value head_build(tier_build *b, const char *part, tier_value x) {
  struct part_name n;
  (void)snprintf(n.weight, sizeof n.weight, "%s.weight", part);
  (void)snprintf(n.bias, sizeof n.bias, "%s.bias", part);
  return tier_linear(b->graph, x, tier_variable(b, n.weight), tier_variable(b, n.bias));
}

/* Rows of any shape with `size` elements in all -> (n, size). For the message: which slot's they
 * are, and which argument of the model says so. */
static inline tier_value rows_of(tier_graph *g, tier_value x, int64_t size, const char *slot,
                                 const char *source) {
  tier_value rows = tier_flatten_rows(g, x);
  char text[200];
  if (rows != 0 && tier_dim(g, rows, 1) != size) {
    (void)snprintf(text, sizeof text, "%s must be rows of %lld numbers (%s), these have %lld", slot,
                   (long long)size, source, (long long)tier_dim(g, rows, 1));
    return g->api->fail(g, text);
  }
  return rows;
}

/* The slot "layers" as an array that the caller frees; NULL: no memory, or fewer than `least`
 * sizes, which has been reported. */
static inline int64_t *layers_read(const tier_host *host, const tier_params *params, int64_t least,
                                   const char *meaning, int64_t *count) {
  *count = params->api->count(params, "layers");
  if (*count < least) {
    (void)tier_failf(host, TIER_E_INVALID, "layers must be at least %lld sizes, %s, not %lld",
                     (long long)least, meaning, (long long)*count);
    return NULL;
  }
  int64_t *sizes = malloc((size_t)*count * sizeof *sizes);
  if (sizes == NULL) {
    (void)tier_failf(host, TIER_E_MEMORY, "no memory");
    return NULL;
  }
  for (int64_t i = 0; i < *count; i++) {
    sizes[i] = params->api->integer_at(params, "layers", i);
  }
  return sizes;
}

#endif

/* Fully connected layers as models declare them: weight (in, out) and bias (out). */
#ifndef PLUGINS_MODELS_LAYER_H
#define PLUGINS_MODELS_LAYER_H

#include <math.h>
#include <string.h>
#include <tier/function.h>
#include <tier/nn.h>

#define INIT_CHOICES "fan-in|xavier|he|zeros"
#define INIT_SLOT                                                                         \
  {                                                                                       \
    .name = "init",                                                                       \
    .doc =                                                                                \
        "how weights and biases start: fan-in U(+-1/sqrt(in)), biases too; xavier "       \
        "U(+-sqrt(6/(in+out))); he N(0, 2/in); zeros",                                    \
    .fallback = "\"fan-in\"", .unit = "", .choices = INIT_CHOICES, .type = TIER_SLOT_TEXT \
  }

/* A layer's variables and the numbers that its start follows from. */
struct layer_shape {
  int64_t rows, columns, biases; /* the weight is (rows, columns) */
  double fan_in, fan_out;        /* for the initializers */
};

/* Declares WEIGHT of that shape and, unless it is NULL, BIAS. */
static inline int32_t layer_declare_shape(tier_variables *v, const char *weight, const char *bias,
                                          const struct layer_shape *shape, const char *init) {
  int64_t dims[2] = {shape->rows, shape->columns};
  int32_t kind = TIER_INIT_UNIFORM;
  double bound = 1.0 / sqrt(shape->fan_in);
  double bias_bound = bound;
  double first = -bound; /* uniform: the low end; normal: the mean; constant: the value */
  if (strcmp(init, "xavier") == 0) { /* Glorot, Bengio 2010, equation 16 */
    bound = sqrt(6.0 / (shape->fan_in + shape->fan_out));
    first = -bound;
    bias_bound = 0.0;
  } else if (strcmp(init, "he") == 0) { /* He, Zhang, Ren, Sun 2015, equation 10 */
    kind = TIER_INIT_NORMAL;
    first = 0.0;
    bound = sqrt(2.0 / shape->fan_in);
    bias_bound = 0.0;
  } else if (strcmp(init, "zeros") == 0) {
    kind = TIER_INIT_CONSTANT;
    first = 0.0;
    bias_bound = 0.0;
  }
  int32_t bias_kind = bias_bound > 0.0 ? TIER_INIT_UNIFORM : TIER_INIT_CONSTANT;
  TIER_TRY(v->api->declare(v, weight, dims, 2, kind, first, bound));
  return bias == NULL ? TIER_OK
                      : v->api->declare(v, bias, &shape->biases, 1, bias_kind,
                                        bias_bound > 0.0 ? -bias_bound : 0.0, bias_bound);
}

/* Declares WEIGHT (in, out) and, unless it is NULL, BIAS (out). */
static inline int32_t layer_declare(tier_variables *v, const char *weight, const char *bias,
                                    int64_t in, int64_t out, const char *init) {
  struct layer_shape shape = {in, out, out, (double)in, (double)out};
  return layer_declare_shape(v, weight, bias, &shape, init);
}

/* Rows of any shape with `in` elements in all -> (n, in). */
static inline tier_value layer_rows(tier_graph *g, tier_value x, int64_t in) {
  tier_value rows = tier_flatten_rows(g, x);
  char text[160];
  if (rows != 0 && tier_dim(g, rows, 1) != in) {
    (void)snprintf(text, sizeof text,
                   "the model takes rows of %lld numbers, these have %lld: change the first of "
                   "its layers",
                   (long long)in, (long long)tier_dim(g, rows, 1));
    return g->api->fail(g, text);
  }
  return rows;
}

static const tier_slot forward_slots[] = {{.name = "x",
                                           .doc = "rows of as many numbers as the first layer",
                                           .unit = "",
                                           .type = TIER_SLOT_EXPRESSION,
                                           .flags = TIER_SLOT_REQUIRED}};
static const tier_entry entries[] = {{.name = "forward",
                                      .doc = "the last layer's outputs, without activation",
                                      .outputs = NULL,
                                      TIER_SLOTS(forward_slots)}};

#endif

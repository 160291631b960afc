/* For the files that hold the operations: one file a family, and in it, side by side for each
 * operation, its shape rule, its vjp (cotangent of the output to cotangents of the inputs) and its
 * jvp (tangents of the inputs to tangent of the output). Both build values from primitives, so the
 * set is closed under differentiation. A null cotangent or tangent is a zero for which nothing is
 * built.
 *
 * The array of values moves when it grows: a rule copies the `struct value` that it reads (its
 * inputs and attributes stay where they are). */
#ifndef GRAPH_RULES_H
#define GRAPH_RULES_H

#include <tier/nn.h>

#include "graph/graph.h"

/* One line of a family's table. */
struct operation_entry {
  uint32_t op;
  struct operation operation;
};
#define OPERATIONS_ADD(table) operations_add((table), sizeof(table) / sizeof((table)[0]))
void operations_add(const struct operation_entry *entries, size_t count);

/* The families; each adds its table. */
void operations_of_sources(void);
void operations_of_elements(void);
void operations_of_shape(void);
void operations_of_reduction(void);
void operations_of_matmul(void);
void operations_of_index(void);
void operations_of_image(void);

/* ---- for shape rules: all return 0, or < 0 after graph_fail on behalf of `out` ---- */

#define RULE_FAIL(g, out, ...) \
  graph_fail(g, (out)->op, (out)->inputs, (out)->input_count, __VA_ARGS__)

static inline const struct value *rule_input(const struct graph *g, const struct value *out,
                                             uint32_t i) {
  return graph_value(g, out->inputs[i]);
}
/* All inputs are real. */
int32_t rule_all_real(struct graph *g, const struct value *out);
/* Input i is i32. */
int32_t rule_index(struct graph *g, const struct value *out, uint32_t i);
/* All inputs have the first one's shape. */
int32_t rule_same_shape(struct graph *g, const struct value *out);
/* There are `count` attribute integers. */
int32_t rule_ints(struct graph *g, const struct value *out, uint32_t count);
/* 0 <= axis < rank of input 0. */
int32_t rule_axis(struct graph *g, const struct value *out, int64_t axis);
/* Sets the dims from attribute integers. */
int32_t rule_dims(struct graph *g, struct value *out, const int64_t *dims, uint32_t count);
/* Sets type and dims. */
void rule_like(struct value *out, int32_t type, const struct value *in);
/* Sets type, and in's dims without `axis`. */
void rule_without_axis(struct value *out, int32_t type, const struct value *in, int64_t axis);

/* ---- for derivatives: t may be the null value, a zero, and so is the result then ---- */

static inline tier_value rule_times(struct graph *g, tier_value t, tier_value factor) {
  return t == 0 ? 0 : tier_multiply(&g->face, t, factor);
}
static inline tier_value rule_divide(struct graph *g, tier_value t, tier_value divisor) {
  return t == 0 ? 0 : tier_divide(&g->face, t, divisor);
}
static inline tier_value rule_negate(struct graph *g, tier_value t) {
  return t == 0 ? 0 : tier_negate(&g->face, t);
}
/* t, or zeros of like's shape. */
static inline tier_value rule_or_zero(struct graph *g, tier_value t, tier_value like) {
  return t != 0 ? t : tier_fill_like(&g->face, like, 0.0);
}
/* a where c, b elsewhere; 0 if both are. */
static inline tier_value rule_select(struct graph *g, tier_value c, tier_value a, tier_value b) {
  return a == 0 && b == 0 ? 0
                          : tier_select(&g->face, c, rule_or_zero(g, a, b), rule_or_zero(g, b, a));
}

#endif

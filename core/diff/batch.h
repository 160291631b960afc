/* For the files of vectorization: batch.c walks over the graph, batch_rules.c has one rule for each
 * operation. */
#ifndef DIFF_BATCH_H
#define DIFF_BATCH_H

#include "graph/graph.h"

/* k values at once: `v` has one axis more than the value that it stands for, of size k, at `axis`.
 * Where that axis stands is each rule's choice (a product with one operand batched is one wide or
 * tall product only if it stands beside an axis that is not summed over); an i32 value has it in
 * front. Axis BATCH_NONE: v itself, the same for all k. */
struct batched {
  tier_value v;
  int32_t axis;
};
#define BATCH_NONE (-1)

struct batching {
  struct graph *g;
  int64_t k;
};

/* y over k values: y is a copy of the value, `in` stands for its inputs, one at least of which has
 * the axis. */
typedef struct batched (*batch_rule)(const struct batching *b, const struct value *y,
                                     const struct batched *in);
/* NULL for what has no inputs, and for unknown operations. */
batch_rule batch_rule_get(uint32_t op);

/* x's value with the batch axis at `axis`: moved, or, where it has none, repeated. */
tier_value batch_place(const struct batching *b, struct batched x, int32_t axis);

#endif

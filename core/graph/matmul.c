/* matmul (a, b) {ta, tb}: y = A B with A (..., m, k) and B (..., k, n), stored as they are or,
 * where the flag is 1, transposed; the leading sizes are equal. */
#include "graph/rules.h"

static int32_t matmul_shape(struct graph *g, struct value *out) {
  const struct value *a = rule_input(g, out, 0);
  const struct value *b = rule_input(g, out, 1);
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, 2));
  int64_t ta = out->ints[0];
  int64_t tb = out->ints[1];
  if ((ta != 0 && ta != 1) || (tb != 0 && tb != 1)) {
    return RULE_FAIL(g, out, "a transpose flag must be 0 or 1");
  }
  if (a->rank < 2 || a->rank != b->rank) {
    return RULE_FAIL(g, out, "needs two operands of one rank, 2 or more");
  }
  for (int32_t i = 0; i < a->rank - 2; i++) {
    if (a->dims[i] != b->dims[i]) {
      return RULE_FAIL(g, out, "leading sizes differ");
    }
  }
  if (a->dims[a->rank - 1 - ta] != b->dims[b->rank - 2 + tb]) {
    return RULE_FAIL(g, out, "inner sizes differ%s",
                     ta && tb ? " (both transposed)"
                     : ta     ? " (the first transposed)"
                     : tb     ? " (the second transposed)"
                              : "");
  }
  rule_like(out, TIER_REAL, a);
  out->dims[a->rank - 2] = a->dims[a->rank - 2 + ta];
  out->dims[a->rank - 1] = b->dims[b->rank - 1 - tb];
  return TIER_OK;
}

/* Cotangent of A: c B^T, of B: A^T c; or their transposes, where the operand is stored so. */
static void matmul_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  int32_t ta = (int32_t)v.ints[0];
  int32_t tb = (int32_t)v.ints[1];
  tier_value a = v.inputs[0];
  tier_value b = v.inputs[1];
  out[0] = ta ? tier_matmul_transposed(&g->face, b, tb, c, 1)
              : tier_matmul_transposed(&g->face, c, 0, b, !tb);
  out[1] = tb ? tier_matmul_transposed(&g->face, c, 1, a, ta)
              : tier_matmul_transposed(&g->face, a, !ta, c, 0);
}
static tier_value matmul_jvp(struct graph *g, tier_value y, const tier_value *t) {
  struct value v = *graph_value(g, y);
  int32_t ta = (int32_t)v.ints[0];
  int32_t tb = (int32_t)v.ints[1];
  tier_value of_a = t[0] ? tier_matmul_transposed(&g->face, t[0], ta, v.inputs[1], tb) : 0;
  tier_value of_b = t[1] ? tier_matmul_transposed(&g->face, v.inputs[0], ta, t[1], tb) : 0;
  return graph_add(g, of_a, of_b);
}

static const struct operation_entry table[] = {
    {TIER_OP_MATMUL, {"matmul", 2, matmul_shape, matmul_vjp, matmul_jvp, 0}},
};

void operations_of_matmul(void) {
  OPERATIONS_ADD(table);
}

/* The table of operations, and what shape rules share. */
#include "base/error.h"
#include "graph/rules.h"

static struct operation table[TIER_OP_COUNT]; /* name NULL: no such opcode */

const struct operation *operation_get(uint32_t op) {
  return op < TIER_OP_COUNT && table[op].name != NULL ? &table[op] : NULL;
}

int32_t operation_register(uint32_t op, const struct operation *o) {
  if (op == OP_INPUT || op >= TIER_OP_COUNT) {
    return fail(TIER_E_INVALID, "operation %s: opcode %u is not in 1 to %u", o->name, op,
                TIER_OP_COUNT - 1);
  }
  if (o->shape == NULL) {
    return fail(TIER_E_INVALID, "operation %s has no shape rule", o->name);
  }
  if (!(o->flags & OPERATION_DERIVATIVE_NONE) && (o->vjp == NULL || o->jvp == NULL)) {
    return fail(TIER_E_INVALID,
                "operation %s is differentiable but has no %s rule: write it, or flag the "
                "operation OPERATION_DERIVATIVE_NONE",
                o->name, o->vjp == NULL ? "vjp" : "jvp");
  }
  table[op] = *o;
  return TIER_OK;
}

void operations_add(const struct operation_entry *entries, size_t count) {
  for (size_t i = 0; i < count; i++) {
    (void)operation_register(entries[i].op, &entries[i].operation);
  }
}

void graph_register_operations(void) {
  static int done;
  if (!done) {
    done = 1;
    operations_of_sources();
    operations_of_elements();
    operations_of_shape();
    operations_of_reduction();
    operations_of_matmul();
    operations_of_index();
    operations_of_image();
  }
}

/* ---- what shape rules share ---- */

int32_t rule_all_real(struct graph *g, const struct value *out) {
  for (uint32_t i = 0; i < out->input_count; i++) {
    if (rule_input(g, out, i)->type != TIER_REAL) {
      return RULE_FAIL(g, out, "input %u must be real, not i32", i + 1);
    }
  }
  return TIER_OK;
}

int32_t rule_index(struct graph *g, const struct value *out, uint32_t i) {
  return rule_input(g, out, i)->type == TIER_I32
             ? TIER_OK
             : RULE_FAIL(g, out, "input %u must be i32, not real", i + 1);
}

static int same_dims(const struct value *a, const struct value *b) {
  int same = a->rank == b->rank;
  for (int32_t i = 0; same && i < a->rank; i++) {
    same = a->dims[i] == b->dims[i];
  }
  return same;
}

int32_t rule_same_shape(struct graph *g, const struct value *out) {
  for (uint32_t i = 1; i < out->input_count; i++) {
    if (!same_dims(rule_input(g, out, 0), rule_input(g, out, i))) {
      return RULE_FAIL(g, out, "shapes differ");
    }
  }
  return TIER_OK;
}

int32_t rule_ints(struct graph *g, const struct value *out, uint32_t count) {
  return out->int_count == count
             ? TIER_OK
             : RULE_FAIL(g, out, "takes %u integer attributes, got %u", count, out->int_count);
}

int32_t rule_axis(struct graph *g, const struct value *out, int64_t axis) {
  int32_t rank = rule_input(g, out, 0)->rank;
  return axis >= 0 && axis < rank
             ? TIER_OK
             : RULE_FAIL(g, out, "axis %lld is not in 0 to %d", (long long)axis, rank - 1);
}

int32_t rule_dims(struct graph *g, struct value *out, const int64_t *dims, uint32_t count) {
  if (count > TIER_MAX_RANK) {
    return RULE_FAIL(g, out, "rank %u is above %d", count, TIER_MAX_RANK);
  }
  out->rank = (int32_t)count;
  for (uint32_t i = 0; i < count; i++) {
    if (dims[i] < 0) {
      return RULE_FAIL(g, out, "size %lld of axis %u is negative", (long long)dims[i], i);
    }
    out->dims[i] = dims[i];
  }
  return TIER_OK;
}

void rule_like(struct value *out, int32_t type, const struct value *in) {
  out->type = type;
  out->rank = in->rank;
  for (int32_t i = 0; i < in->rank; i++) {
    out->dims[i] = in->dims[i];
  }
}

void rule_without_axis(struct value *out, int32_t type, const struct value *in, int64_t axis) {
  out->type = type;
  out->rank = 0;
  for (int32_t i = 0; i < in->rank; i++) {
    if (i != axis) {
      out->dims[out->rank++] = in->dims[i];
    }
  }
}

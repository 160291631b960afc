/* out[i] = f(a[i], b[i], c[i]) */
#include <math.h>

#include "backend/reference.h"
#include "base/error.h"

int32_t reference_to_i32(double x) {
  if (isnan(x)) {
    return 0;
  }
  return x >= 2147483647.0 ? INT32_MAX : x <= -2147483648.0 ? INT32_MIN : (int32_t)x;
}

/* 1 / (1 + e^-x), with an exponential that cannot overflow. */
static double sigmoid(double x) {
  double e = exp(-fabs(x));
  return x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); NaN stays NaN. */
static double softplus(double x) {
  return (x > 0.0 ? x : x - x) + log1p(exp(-fabs(x)));
}

double reference_unary(uint32_t op, double x) {
  switch (op) {
    case TIER_OP_NEGATE:
      return -x;
    case TIER_OP_EXP:
      return exp(x);
    case TIER_OP_LOG:
      return log(x);
    case TIER_OP_LOG1P:
      return log1p(x);
    case TIER_OP_EXPM1:
      return expm1(x);
    case TIER_OP_TANH:
      return tanh(x);
    case TIER_OP_SIGMOID:
      return sigmoid(x);
    case TIER_OP_SOFTPLUS:
      return softplus(x);
    case TIER_OP_SQRT:
      return sqrt(x);
    case TIER_OP_SIN:
      return sin(x);
    case TIER_OP_COS:
      return cos(x);
    default: /* cast, stop_gradient */
      return x;
  }
}

double reference_binary(uint32_t op, double a, double b) {
  switch (op) {
    case TIER_OP_ADD:
      return a + b;
    case TIER_OP_SUBTRACT:
      return a - b;
    case TIER_OP_MULTIPLY:
      return a * b;
    case TIER_OP_DIVIDE:
      return a / b;
    case TIER_OP_MAXIMUM: /* a tie goes to a; a NaN stays */
      return b > a || isnan(b) ? b : a;
    case TIER_OP_MINIMUM:
      return b < a || isnan(b) ? b : a;
    case TIER_OP_LESS:
      return a < b;
    case TIER_OP_LESS_EQUAL:
      return a <= b;
    default: /* equal */
      return a == b;
  }
}

int32_t reference_elementwise(const struct instruction *i, const struct array *in,
                              const struct array *out) {
  int64_t size = view_size(&i->out);
  for (int64_t e = 0; e < size; e++) {
    double a = reference_get(&in[0], e);
    double value = 0.0;
    if (i->input_count == 1) {
      value = reference_unary(i->op, a);
    } else if (i->input_count == 2) {
      value = reference_binary(i->op, a, reference_get(&in[1], e));
    } else { /* select */
      value = a != 0.0 ? reference_get(&in[1], e) : reference_get(&in[2], e);
    }
    reference_set(out, e, value);
  }
  return TIER_OK;
}

/* Compiled once for each level of CPU, with KERNELS naming the table. */
#include "backend/cpu_kernels.h"

#include <math.h>

#include "backend/cpu_math.h"
#include "backend/cpu_math_f32.h"

/* Iterations are independent, even where out is an input: each reads before it writes. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

#define UNARY_LOOP(name, IN, OUT, expression)                                         \
  static void name(int64_t n, void *to, const void *const *in, const int64_t *step) { \
    OUT *out = to;                                                                    \
    const IN *xs = in[0];                                                             \
    if (step[0] == 0) {                                                               \
      const IN x = xs[0];                                                             \
      const OUT y = (expression);                                                     \
      for (int64_t i = 0; i < n; i++) {                                               \
        out[i] = y;                                                                   \
      }                                                                               \
      return;                                                                         \
    }                                                                                 \
    INDEPENDENT                                                                       \
    for (int64_t i = 0; i < n; i++) {                                                 \
      const IN x = xs[i];                                                             \
      out[i] = (expression);                                                          \
    }                                                                                 \
  }

#define BINARY_LOOP(name, IN, OUT, expression)                                        \
  static void name(int64_t n, void *to, const void *const *in, const int64_t *step) { \
    OUT *out = to;                                                                    \
    const IN *as = in[0];                                                             \
    const IN *bs = in[1];                                                             \
    if (step[0] != 0 && step[1] != 0) {                                               \
      INDEPENDENT                                                                     \
      for (int64_t i = 0; i < n; i++) {                                               \
        const IN a = as[i];                                                           \
        const IN b = bs[i];                                                           \
        out[i] = (expression);                                                        \
      }                                                                               \
    } else if (step[0] != 0) {                                                        \
      const IN b = bs[0];                                                             \
      INDEPENDENT                                                                     \
      for (int64_t i = 0; i < n; i++) {                                               \
        const IN a = as[i];                                                           \
        out[i] = (expression);                                                        \
      }                                                                               \
    } else {                                                                          \
      const IN a = as[0];                                                             \
      const int64_t s = step[1];                                                      \
      INDEPENDENT                                                                     \
      for (int64_t i = 0; i < n; i++) {                                               \
        const IN b = bs[s == 0 ? 0 : i];                                              \
        out[i] = (expression);                                                        \
      }                                                                               \
    }                                                                                 \
  }

#define SELECT_LOOP(name, T)                                                          \
  static void name(int64_t n, void *to, const void *const *in, const int64_t *step) { \
    T *out = to;                                                                      \
    const T *cs = in[0];                                                              \
    const T *as = in[1];                                                              \
    const T *bs = in[2];                                                              \
    if (step[0] != 0 && step[1] != 0 && step[2] != 0) {                               \
      INDEPENDENT                                                                     \
      for (int64_t i = 0; i < n; i++) {                                               \
        const T a = as[i];                                                            \
        const T b = bs[i];                                                            \
        out[i] = cs[i] != 0 ? a : b;                                                  \
      }                                                                               \
    } else if (step[0] != 0 && step[1] != 0) {                                        \
      const T b = bs[0];                                                              \
      INDEPENDENT                                                                     \
      for (int64_t i = 0; i < n; i++) {                                               \
        const T a = as[i];                                                            \
        out[i] = cs[i] != 0 ? a : b;                                                  \
      }                                                                               \
    } else if (step[0] != 0 && step[2] != 0) {                                        \
      const T a = as[0];                                                              \
      INDEPENDENT                                                                     \
      for (int64_t i = 0; i < n; i++) {                                               \
        const T b = bs[i];                                                            \
        out[i] = cs[i] != 0 ? a : b;                                                  \
      }                                                                               \
    } else {                                                                          \
      for (int64_t i = 0; i < n; i++) {                                               \
        const T a = as[i * step[1]];                                                  \
        const T b = bs[i * step[2]];                                                  \
        out[i] = cs[i * step[0]] != 0 ? a : b;                                        \
      }                                                                               \
    }                                                                                 \
  }

/* Towards 0; clamped; NaN gives 0. */
static inline int32_t to_i32(double x) {
  double low = x > -2147483648.0 ? x : -2147483648.0;
  double both = low < 2147483647.0 ? low : 2147483647.0;
  return x == x ? (int32_t)both : 0;
}

/* Sums go into 16 lanes, element i into lane i modulo 16, and the lanes are added in pairs: the
 * same order with every width of registers. */
#define LANES 16
static double add_lanes(double *lanes) {
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; j++) {
      lanes[j] += lanes[j + width];
    }
  }
  return lanes[0];
}

#define SUM_LOOPS(prefix, T)                                                                    \
  static double prefix##_sum(int64_t n, const void *data) {                                     \
    const T *x = data;                                                                          \
    double lanes[LANES] = {0};                                                                  \
    int64_t i = 0;                                                                              \
    for (; i + LANES <= n; i += LANES) {                                                        \
      for (int j = 0; j < LANES; j++) {                                                         \
        lanes[j] += (double)x[i + j];                                                           \
      }                                                                                         \
    }                                                                                           \
    for (int j = 0; i + j < n; j++) {                                                           \
      lanes[j] += (double)x[i + j];                                                             \
    }                                                                                           \
    return add_lanes(lanes);                                                                    \
  }                                                                                             \
  static double prefix##_dot(int64_t n, const void *data_a, const void *data_b) {               \
    const T *a = data_a;                                                                        \
    const T *b = data_b;                                                                        \
    double lanes[LANES] = {0};                                                                  \
    int64_t i = 0;                                                                              \
    for (; i + LANES <= n; i += LANES) {                                                        \
      for (int j = 0; j < LANES; j++) {                                                         \
        lanes[j] += (double)a[i + j] * (double)b[i + j];                                        \
      }                                                                                         \
    }                                                                                           \
    for (int j = 0; i + j < n; j++) {                                                           \
      lanes[j] += (double)a[i + j] * (double)b[i + j];                                          \
    }                                                                                           \
    return add_lanes(lanes);                                                                    \
  }                                                                                             \
  static void prefix##_accumulate(int64_t n, double *sums, const void *data) {                  \
    const T *x = data;                                                                          \
    INDEPENDENT                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                           \
      sums[i] += (double)x[i];                                                                  \
    }                                                                                           \
  }                                                                                             \
  static void prefix##_accumulate_scaled(int64_t n, double *sums, double a, const void *data) { \
    const T *x = data;                                                                          \
    INDEPENDENT                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                           \
      sums[i] += a * (double)x[i];                                                              \
    }                                                                                           \
  }                                                                                             \
  static void prefix##_round(int64_t n, void *to, const double *sums) {                         \
    T *out = to;                                                                                \
    INDEPENDENT                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                           \
      out[i] = (T)sums[i];                                                                      \
    }                                                                                           \
  }

/* MATH: the name of a function of T; sqrt, sin and cos of T: SQRT, SIN, COS. */
#define REAL_LOOPS(prefix, T, MATH, SQRT, SIN, COS)                                       \
  UNARY_LOOP(prefix##_same, T, T, x)                                                      \
  UNARY_LOOP(prefix##_negate, T, T, -x)                                                   \
  UNARY_LOOP(prefix##_exp, T, T, MATH(math_exp)(x))                                       \
  UNARY_LOOP(prefix##_log, T, T, MATH(math_log)(x))                                       \
  UNARY_LOOP(prefix##_log1p, T, T, MATH(math_log1p)(x))                                   \
  UNARY_LOOP(prefix##_expm1, T, T, MATH(math_expm1)(x))                                   \
  UNARY_LOOP(prefix##_tanh, T, T, MATH(math_tanh)(x))                                     \
  UNARY_LOOP(prefix##_sigmoid, T, T, MATH(math_sigmoid)(x))                               \
  UNARY_LOOP(prefix##_softplus, T, T, MATH(math_softplus)(x))                             \
  UNARY_LOOP(prefix##_sqrt, T, T, SQRT(x))                                                \
  UNARY_LOOP(prefix##_sin, T, T, SIN(x))                                                  \
  UNARY_LOOP(prefix##_cos, T, T, COS(x))                                                  \
  BINARY_LOOP(prefix##_add, T, T, a + b)                                                  \
  BINARY_LOOP(prefix##_subtract, T, T, a - b)                                             \
  BINARY_LOOP(prefix##_multiply, T, T, a *b)                                              \
  BINARY_LOOP(prefix##_divide, T, T, a / b)                                               \
  BINARY_LOOP(prefix##_maximum, T, T, b > a || b != b ? b : a) /* ties to a; NaN stays */ \
  BINARY_LOOP(prefix##_minimum, T, T, b < a || b != b ? b : a)                            \
  BINARY_LOOP(prefix##_less, T, T, a < b ? (T)1 : (T)0)                                   \
  BINARY_LOOP(prefix##_less_equal, T, T, a <= b ? (T)1 : (T)0)                            \
  BINARY_LOOP(prefix##_equal, T, T, a == b ? (T)1 : (T)0)                                 \
  BINARY_LOOP(prefix##_less_i32, int32_t, T, a < b ? (T)1 : (T)0)                         \
  BINARY_LOOP(prefix##_less_equal_i32, int32_t, T, a <= b ? (T)1 : (T)0)                  \
  BINARY_LOOP(prefix##_equal_i32, int32_t, T, a == b ? (T)1 : (T)0)                       \
  UNARY_LOOP(prefix##_from_i32, int32_t, T, (T)x)                                         \
  UNARY_LOOP(prefix##_to_i32, T, int32_t, to_i32((double)x))                              \
  SELECT_LOOP(prefix##_select, T)                                                         \
  SUM_LOOPS(prefix, T)

#define MATH_F32(name) name##_f32
#define MATH_F64(name) name
REAL_LOOPS(f32, float, MATH_F32, sqrtf, sinf, cosf)
REAL_LOOPS(f64, double, MATH_F64, sqrt, sin, cos)

#define REAL_TABLE(prefix)                                                                         \
  {                                                                                                \
    .elementwise =                                                                                 \
        {                                                                                          \
            [TIER_OP_CAST] = prefix##_same,                                                        \
            [TIER_OP_STOP_GRADIENT] = prefix##_same,                                               \
            [TIER_OP_NEGATE] = prefix##_negate,                                                    \
            [TIER_OP_EXP] = prefix##_exp,                                                          \
            [TIER_OP_LOG] = prefix##_log,                                                          \
            [TIER_OP_LOG1P] = prefix##_log1p,                                                      \
            [TIER_OP_EXPM1] = prefix##_expm1,                                                      \
            [TIER_OP_TANH] = prefix##_tanh,                                                        \
            [TIER_OP_SIGMOID] = prefix##_sigmoid,                                                  \
            [TIER_OP_SOFTPLUS] = prefix##_softplus,                                                \
            [TIER_OP_SQRT] = prefix##_sqrt,                                                        \
            [TIER_OP_SIN] = prefix##_sin,                                                          \
            [TIER_OP_COS] = prefix##_cos,                                                          \
            [TIER_OP_ADD] = prefix##_add,                                                          \
            [TIER_OP_SUBTRACT] = prefix##_subtract,                                                \
            [TIER_OP_MULTIPLY] = prefix##_multiply,                                                \
            [TIER_OP_DIVIDE] = prefix##_divide,                                                    \
            [TIER_OP_MAXIMUM] = prefix##_maximum,                                                  \
            [TIER_OP_MINIMUM] = prefix##_minimum,                                                  \
            [TIER_OP_LESS] = prefix##_less,                                                        \
            [TIER_OP_LESS_EQUAL] = prefix##_less_equal,                                            \
            [TIER_OP_EQUAL] = prefix##_equal,                                                      \
            [TIER_OP_SELECT] = prefix##_select,                                                    \
        },                                                                                         \
    .less_i32 = prefix##_less_i32, .less_equal_i32 = prefix##_less_equal_i32,                      \
    .equal_i32 = prefix##_equal_i32, .cast_from_i32 = prefix##_from_i32,                           \
    .cast_to_i32 = prefix##_to_i32, .sum = prefix##_sum, .accumulate = prefix##_accumulate,        \
    .accumulate_scaled = prefix##_accumulate_scaled, .dot = prefix##_dot, .round = prefix##_round, \
  }

const struct kernels KERNELS = {.f32 = REAL_TABLE(f32), .f64 = REAL_TABLE(f64)};

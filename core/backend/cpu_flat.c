/* Compiled once for each level of CPU, with FLAT naming the table. */
#include "backend/cpu_flat.h"

#include <math.h>

/* Sums go into LANES sums side by side, element i into lane i modulo LANES, and the lanes are added
 * in pairs: an order that depends on n only, the same with every width of registers. */
#define LANES 16
static double add_lanes(double *lanes) {
  for (int width = LANES / 2; width > 0; width /= 2) {
    for (int j = 0; j < width; j++) {
      lanes[j] += lanes[j + width];
    }
  }
  return lanes[0];
}

/* Iterations are independent, even where what is written is also read. */
#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

#define REAL float
#define NAME(name) name##_f32
#include "backend/cpu_flat_real.h"
#undef REAL
#undef NAME
#define REAL double
#define NAME(name) name##_f64
#include "backend/cpu_flat_real.h"

#define TABLE(type)                                                                         \
  {                                                                                         \
    .fill = fill_##type, .scale = scale_##type, .axpy = axpy_##type, .axpby = axpby_##type, \
    .dot = dot_##type, .scaled_square = scaled_square_##type, .max_abs = max_abs_##type,    \
    .finite = finite_##type, .axpby_dot = axpby_dot_##type, .axpy_pair = axpy_pair_##type,  \
    .axpy_chain = axpy_chain_##type, .squared_distance = squared_distance_##type,           \
  }

const struct flat_table FLAT = {.f32 = TABLE(f32), .f64 = TABLE(f64)};

/* Compiled once for each level of CPU, with PRODUCTS naming the table. */
#include "backend/cpu_narrow.h"

#include <string.h>

#define VECTORS 2       /* across a tile, at most */
#define NARROW 32       /* columns, at most, of what multiply_swapped turns */
#define SWAP_LEAST 32   /* steps of k from which turning the result pays */
#define TURNED 16384    /* elements of a turned block of B */
#define CACHE (1 << 18) /* bytes of a block that is walked down */

#define ALWAYS_INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* ---- vectors: load, store, the same for the first elements only, splat, add, fused: x y + z
 *      ---- */

#if defined(__AVX512F__)
#include <immintrin.h>
#define ROWS 10      /* of a tile, at most: its sums take 20 of 32 registers */
#define ROWS_ASIDE 8 /* where each row of A has an address of its own: they have 16 registers */
#define EACH_ROWS(F) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10)
#define LANES_f32 16
#define LANES_f64 8
typedef __m512 vector_f32;
typedef __m512d vector_f64;
typedef __mmask16 part_f32;
typedef __mmask8 part_f64;
static ALWAYS_INLINE part_f32 make_part_f32(int64_t count) {
  return (part_f32)((1U << count) - 1);
}
static ALWAYS_INLINE part_f64 make_part_f64(int64_t count) {
  return (part_f64)((1U << count) - 1);
}
static ALWAYS_INLINE vector_f32 load_part_f32(const float *x, part_f32 part) {
  return _mm512_maskz_loadu_ps(part, x);
}
static ALWAYS_INLINE vector_f64 load_part_f64(const double *x, part_f64 part) {
  return _mm512_maskz_loadu_pd(part, x);
}
static ALWAYS_INLINE void store_part_f32(float *x, part_f32 part, vector_f32 y) {
  _mm512_mask_storeu_ps(x, part, y);
}
static ALWAYS_INLINE void store_part_f64(double *x, part_f64 part, vector_f64 y) {
  _mm512_mask_storeu_pd(x, part, y);
}
static ALWAYS_INLINE vector_f32 load_f32(const float *x) {
  return _mm512_loadu_ps(x);
}
static ALWAYS_INLINE vector_f64 load_f64(const double *x) {
  return _mm512_loadu_pd(x);
}
static ALWAYS_INLINE void store_f32(float *x, vector_f32 y) {
  _mm512_storeu_ps(x, y);
}
static ALWAYS_INLINE void store_f64(double *x, vector_f64 y) {
  _mm512_storeu_pd(x, y);
}
static ALWAYS_INLINE vector_f32 splat_f32(float x) {
  return _mm512_set1_ps(x);
}
static ALWAYS_INLINE vector_f64 splat_f64(double x) {
  return _mm512_set1_pd(x);
}
static ALWAYS_INLINE vector_f32 add_f32(vector_f32 x, vector_f32 y) {
  return _mm512_add_ps(x, y);
}
static ALWAYS_INLINE vector_f32 fused_f32(vector_f32 x, vector_f32 y, vector_f32 z) {
  return _mm512_fmadd_ps(x, y, z);
}
static ALWAYS_INLINE vector_f64 add_f64(vector_f64 x, vector_f64 y) {
  return _mm512_add_pd(x, y);
}
static ALWAYS_INLINE vector_f64 fused_f64(vector_f64 x, vector_f64 y, vector_f64 z) {
  return _mm512_fmadd_pd(x, y, z);
}

#elif defined(__AVX2__)
#include <immintrin.h>
#define ROWS 6 /* 12 of 16 registers */
#define ROWS_ASIDE 6
#define EACH_ROWS(F) F(1) F(2) F(3) F(4) F(5) F(6)
#define LANES_f32 8
#define LANES_f64 4
typedef __m256 vector_f32;
typedef __m256d vector_f64;
typedef __m256i part_f32;
typedef __m256i part_f64;
static ALWAYS_INLINE part_f32 make_part_f32(int64_t count) {
  static const int32_t masks[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256((const void *)(masks + 8 - count));
}
static ALWAYS_INLINE part_f64 make_part_f64(int64_t count) {
  static const int64_t masks[8] = {-1, -1, -1, -1};
  return _mm256_loadu_si256((const void *)(masks + 4 - count));
}
static ALWAYS_INLINE vector_f32 load_part_f32(const float *x, part_f32 part) {
  return _mm256_maskload_ps(x, part);
}
static ALWAYS_INLINE vector_f64 load_part_f64(const double *x, part_f64 part) {
  return _mm256_maskload_pd(x, part);
}
static ALWAYS_INLINE void store_part_f32(float *x, part_f32 part, vector_f32 y) {
  _mm256_maskstore_ps(x, part, y);
}
static ALWAYS_INLINE void store_part_f64(double *x, part_f64 part, vector_f64 y) {
  _mm256_maskstore_pd(x, part, y);
}
static ALWAYS_INLINE vector_f32 load_f32(const float *x) {
  return _mm256_loadu_ps(x);
}
static ALWAYS_INLINE vector_f64 load_f64(const double *x) {
  return _mm256_loadu_pd(x);
}
static ALWAYS_INLINE void store_f32(float *x, vector_f32 y) {
  _mm256_storeu_ps(x, y);
}
static ALWAYS_INLINE void store_f64(double *x, vector_f64 y) {
  _mm256_storeu_pd(x, y);
}
static ALWAYS_INLINE vector_f32 splat_f32(float x) {
  return _mm256_set1_ps(x);
}
static ALWAYS_INLINE vector_f64 splat_f64(double x) {
  return _mm256_set1_pd(x);
}
static ALWAYS_INLINE vector_f32 add_f32(vector_f32 x, vector_f32 y) {
  return _mm256_add_ps(x, y);
}
static ALWAYS_INLINE vector_f32 fused_f32(vector_f32 x, vector_f32 y, vector_f32 z) {
  return _mm256_fmadd_ps(x, y, z);
}
static ALWAYS_INLINE vector_f64 add_f64(vector_f64 x, vector_f64 y) {
  return _mm256_add_pd(x, y);
}
static ALWAYS_INLINE vector_f64 fused_f64(vector_f64 x, vector_f64 y, vector_f64 z) {
  return _mm256_fmadd_pd(x, y, z);
}

#else          /* vectors of 16 bytes, of the compiler's own making */
#define ROWS 4 /* 8 of 16, or of 32 */
#define ROWS_ASIDE 4
#define EACH_ROWS(F) F(1) F(2) F(3) F(4)
#define LANES_f32 4
#define LANES_f64 2
typedef float vector_f32 __attribute__((vector_size(16)));
typedef double vector_f64 __attribute__((vector_size(16)));
typedef int64_t part_f32;
typedef int64_t part_f64;
#define PLAIN_VECTOR(NAME, T)                                                       \
  static ALWAYS_INLINE int64_t make_part_##NAME(int64_t count) {                    \
    return count;                                                                   \
  }                                                                                 \
  static ALWAYS_INLINE vector_##NAME load_##NAME(const T *x) {                      \
    vector_##NAME y;                                                                \
    memcpy(&y, x, sizeof y);                                                        \
    return y;                                                                       \
  }                                                                                 \
  static ALWAYS_INLINE void store_##NAME(T *x, vector_##NAME y) {                   \
    memcpy(x, &y, sizeof y);                                                        \
  }                                                                                 \
  static vector_##NAME load_part_##NAME(const T *x, int64_t part) {                 \
    vector_##NAME y = {0};                                                          \
    if (part == LANES_##NAME) {                                                     \
      return load_##NAME(x);                                                        \
    }                                                                               \
    for (int64_t i = 0; i < part; i++) {                                            \
      y[i] = x[i];                                                                  \
    }                                                                               \
    return y;                                                                       \
  }                                                                                 \
  static void store_part_##NAME(T *x, int64_t part, vector_##NAME y) {              \
    for (int64_t i = 0; i < part; i++) {                                            \
      x[i] = y[i];                                                                  \
    }                                                                               \
  }                                                                                 \
  static ALWAYS_INLINE vector_##NAME splat_##NAME(T x) {                            \
    return x - (vector_##NAME){0};                                                  \
  }                                                                                 \
  static ALWAYS_INLINE vector_##NAME add_##NAME(vector_##NAME x, vector_##NAME y) { \
    return x + y;                                                                   \
  }                                                                                 \
  static ALWAYS_INLINE vector_##NAME fused_##NAME(vector_##NAME x, vector_##NAME y, \
                                                  vector_##NAME z) {                \
    return x * y + z;                                                               \
  }
PLAIN_VECTOR(f32, float)
PLAIN_VECTOR(f64, double)
#endif

#define REAL float
#define NAME(name) name##_f32
#include "backend/cpu_narrow_real.h"
#undef REAL
#undef NAME
#define REAL double
#define NAME(name) name##_f64
#include "backend/cpu_narrow_real.h"

const struct product_kernels PRODUCTS = {.f32 = multiply_f32, .f64 = multiply_f64};

/* Which of the loops over flat vectors this CPU runs. */
#include "backend/cpu_flat.h"

#include "backend/blas.h"
#include "base/dtype.h"

const struct flat_kernels *flat_get(int32_t dtype) {
  const struct flat_table *table = &flat_plain;
#ifdef TIER_KERNELS_X86
  int level = cpu_level();
  table = level == CPU_AVX512 ? &flat_avx512 : level == CPU_AVX2 ? &flat_avx2 : table;
#endif
  return dtype == DTYPE_F32 ? &table->f32 : &table->f64;
}

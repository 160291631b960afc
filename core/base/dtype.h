/* The type that `real` stands for in one run. */
#ifndef BASE_DTYPE_H
#define BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

#define DTYPE_F32 1
#define DTYPE_F64 2
static inline size_t dtype_size(int32_t dtype) {
  return dtype == DTYPE_F32 ? 4 : 8;
}

#endif

#include "backend/instruction.h"

#include <string.h>

#include "base/error.h"
#include "base/random.h"

const struct backend *backend_find(const char *name) {
  static const struct backend *const backends[] = {&cpu_backend, &reference_backend};
  for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
    if (strcmp(name, backends[i]->name) == 0) {
      return backends[i];
    }
  }
  return NULL;
}

int64_t view_size(const struct view *v) {
  int64_t size = 1;
  for (int32_t i = 0; i < v->rank; i++) {
    size *= v->dims[i];
  }
  return size;
}

int view_is_dense(const struct view *v) {
  int64_t stride = 1;
  for (int32_t i = v->rank - 1; i >= 0; i--) {
    if (v->dims[i] == 0) {
      return 1;
    }
    if (v->dims[i] != 1 && v->strides[i] != stride) {
      return 0;
    }
    stride *= v->dims[i];
  }
  return 1;
}

void view_make_dense(struct view *v) {
  int64_t stride = 1;
  for (int32_t i = v->rank - 1; i >= 0; i--) {
    v->strides[i] = stride;
    stride *= v->dims[i];
  }
}

int32_t instruction_bad_index(const struct instruction *i, int64_t at, int32_t index,
                              int64_t size) {
  return fail(TIER_E_DATA,
              "%s: index[%lld] is %d, not in 0 to %lld (indices, and so labels, count from 0)",
              i->where, (long long)at, index, (long long)size - 1);
}

/* Splitmix64's finalizer (Steele, Lea, Flood 2014): a bijection, so streams stay apart. */
static uint64_t scramble(uint64_t x) {
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

double instruction_random(const int32_t key[4], const int64_t *ints, int64_t element,
                          int32_t dtype) {
  uint64_t words[4];
  for (int i = 0; i < 4; i++) {
    words[i] = (uint32_t)key[i];
  }
  uint64_t stream = (words[0] | words[1] << 32) ^ scramble((uint64_t)ints[1]);
  uint64_t draw = words[2] | words[3] << 32;
  if (ints[0] == TIER_NORMAL) {
    return random_normal(stream, draw, (uint64_t)element);
  }
  double u = random_uniform(stream, draw, (uint64_t)element);
  /* Rounding to f32 could give 1: its 24 bits are cut off instead. */
  return dtype == DTYPE_F32 ? (double)(int64_t)(u * 0x1p24) * 0x1p-24 : u;
}

/* tier/metric.h: interface "tier.metric/1": a number from arrays; and the arrays themselves. */
#ifndef TIER_METRIC_H
#define TIER_METRIC_H

#include <tier/params.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The evaluated expression slots of a metric or writer, row-major, valid during the call. */
typedef struct tier_arrays tier_arrays;
typedef struct tier_arrays_1 {
  uint32_t struct_size;
  uint32_t reserved;
  /* Rank and sizes (the first is rows, where has_rows); -1 if the slot was not given. */
  int32_t (*shape)(const tier_arrays *a, const char *slot, int64_t *dims);
  int32_t (*has_rows)(const tier_arrays *a, const char *slot);
  int32_t (*type)(const tier_arrays *a, const char *slot); /* TIER_REAL or TIER_I32 (graph.h) */
  const double *(*reals)(const tier_arrays *a, const char *slot);     /* NULL if it is i32 */
  const int32_t *(*integers)(const tier_arrays *a, const char *slot); /* NULL if it is real */
} tier_arrays_1;
struct tier_arrays {
  const tier_arrays_1 *api;
};

typedef struct tier_metric_1 {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t (*compute)(void *self, const tier_arrays *a, double *value);
} tier_metric_1;

#ifdef __cplusplus
}
#endif
#endif

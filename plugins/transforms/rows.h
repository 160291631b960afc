/* What the transforms that only choose or reorder rows share: row i of the result is row map(i) of
 * the wrapped data, all fields stay as they are. */
#ifndef TRANSFORMS_ROWS_H
#define TRANSFORMS_ROWS_H

#include <stdlib.h>
#include <tier/dataset.h>

/* Reads field `field` of the rows map(self, rows[i]) of `source`; out as in tier_dataset_1.read. */
static inline int32_t rows_read(const tier_host *host, tier_data *source,
                                int64_t (*map)(const void *self, int64_t row), const void *self,
                                const char *field, const int64_t *rows, int64_t count, void *out) {
  int64_t *mapped = malloc((size_t)(count > 0 ? count : 1) * sizeof *mapped);
  if (mapped == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory for %lld row numbers", (long long)count);
  }
  for (int64_t i = 0; i < count; i++) {
    mapped[i] = map(self, rows[i]);
  }
  int32_t status = source->api->read(source, field, mapped, count, out);
  free(mapped);
  return status;
}

/* For transforms that need a number of rows, in `open`: the wrapped data must end. */
static inline int32_t rows_must_end(const tier_host *host, tier_data *source, const char *what) {
  if (source->api->rows(source) == TIER_ROWS_ENDLESS) {
    return tier_failf(host, TIER_E_INVALID,
                      "data without end cannot be %s; put { \"take\": ROWS } before it", what);
  }
  return TIER_OK;
}

/* Allocates one int64_t a row, for an order or a selection of rows. */
static inline int32_t rows_allocate(const tier_host *host, int64_t count, int64_t **out) {
  *out = NULL;
  if (count >= 0 && count <= INT64_MAX / 16) {
    *out = malloc((size_t)(count > 0 ? count : 1) * sizeof **out);
  }
  return *out != NULL ? TIER_OK
                      : tier_failf(host, TIER_E_MEMORY, "no memory for the order of %lld rows",
                                   (long long)count);
}

#endif

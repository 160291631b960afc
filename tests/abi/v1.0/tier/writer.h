/* tier/writer.h: interface "tier.writer/1": a file from arrays. */
#ifndef TIER_WRITER_H
#define TIER_WRITER_H

#include <tier/metric.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tier_writer_1 {
  uint32_t struct_size;
  uint32_t reserved;
  const char *extension; /* "npy", without the dot */
  /* Writes the slots to a new file at `path` (the host renames it into place afterwards) and makes
   * sure that it has reached the disk's cache: a failed close is a failure. */
  int32_t (*write)(void *self, const tier_arrays *a, const char *path);
} tier_writer_1;

#ifdef __cplusplus
}
#endif
#endif

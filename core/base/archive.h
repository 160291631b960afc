/* A file of named arrays: the form of checkpoints and of frozen states.
 *
 *   "TIERARCH" u32 version=1 u32 count, then for each array
 *   u32 name length, name, u32 type, u32 0, u64 elements, data; at the end the SHA-256 (32 bytes)
 *   of all before it. Little-endian.
 *
 * A truncated or altered file is refused whole (TIER_E_DATA), never half read. */
#ifndef BASE_ARCHIVE_H
#define BASE_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_F32 1
#define ARCHIVE_F64 2
#define ARCHIVE_I64 3
#define ARCHIVE_TEXT 4 /* bytes */

struct archive_array {
  char *name;
  uint32_t type;
  uint64_t count;
  void *data; /* on reading: inside the archive's buffer, aligned to 1 only: use memcpy */
};
struct archive {
  struct archive_array *arrays;
  size_t count, capacity;
  char *buffer; /* of a read archive */
};

/* Bytes of one element of a type. */
size_t archive_element_size(uint32_t type);
/* Adds an array; data is copied. */
void archive_add(struct archive *a, const char *name, uint32_t type, uint64_t count,
                 const void *data);
int32_t archive_write(const struct archive *a, const char *path); /* atomically */
int32_t archive_read(const char *path, struct archive *out);
const struct archive_array *archive_find(const struct archive *a, const char *name); /* or NULL */
void archive_free(struct archive *a);

#endif

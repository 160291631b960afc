/* What is behind a struct manifest_file. */
#ifndef MANIFEST_VARIANTS_H
#define MANIFEST_VARIANTS_H

#include "manifest/reader.h"

struct manifest_file {
  struct arena *arena;
  const char *path; /* as given */
  const char *directory;
  const char *name; /* of the file, without folder and .json */
  struct json *root;
  size_t cell_count; /* of `sweep` */
};

/* The overrides of a variant (0: none), as copies in the arena; returns how many. */
size_t variant_overrides(const struct manifest_file *f, size_t variant, struct arena *a,
                         struct override **out);

#endif

/* One job of reading: which variant of which file, with what from the command line. */
#ifndef MANIFEST_JOB_H
#define MANIFEST_JOB_H

#include "manifest/variants.h"

/* Names of the base that no variant read so far has used. */
struct unused_name {
  const char *name;
  enum name_kind kind;
  struct place place;
};
struct unused {
  struct arena *arena;
  struct unused_name *items;
  size_t count, capacity;
  int started; /* the base was read: from now on names are only removed */
};

struct job {
  const struct manifest_file *file;
  size_t variant;
  const struct manifest_sets *sets;
  const char *edge; /* with an estimator: the edge to replace, or NULL: the only one */
  const char *estimator;
  struct text *skipped;  /* or NULL */
  struct unused *unused; /* or NULL */
};

int32_t bind_job(const struct job *job, const struct registry *registry, struct diagnostics *d,
                 struct manifest **out);
/* used: one flag a name of r. */
void note_unused(struct reader *r, const char *used, struct unused *unused);

#endif

/* What levels read, directly and through values and objectives. */
#ifndef MANIFEST_READS_H
#define MANIFEST_READS_H

#include "manifest/reader.h"

struct reads {
  struct reader *r;
  char *variables, *data;    /* one flag each, by index */
  char *values, *objectives; /* visited */
  int unknown;               /* something could not be read: expect anything */
};

/* By where: the level's objective, its optimizer, where it starts. A level that goes on from where
 * it was has no start to read. */
struct level_reads {
  struct reads objective, optimizer, start;
};

/* For every level of the manifest; in the arena. */
const struct level_reads *reads_of_levels(struct reader *r);

/* One problem for each member of what the parent draws. */
void check_each(struct reader *r, const struct level_reads *reads);
/* Paths from objectives to variables, and what each edge carries. */
void check_paths(struct reader *r, const struct level_reads *reads);

#endif

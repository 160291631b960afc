/* Snapshots: how a lower level, all levels below it and the variables that its record keeps stand
 * at one moment, so that its gradient can be looked at there again, elsewhere, and put back. */
#ifndef PROBLEM_SNAPSHOTS_H
#define PROBLEM_SNAPSHOTS_H

#include "problem/internal.h"

struct snapshot {
  char *bytes;
  size_t size;
};

void snapshot_save(const tier_edge *e, struct snapshot *s);
void snapshot_load(const tier_edge *e, const struct snapshot *s);
void snapshot_free(struct snapshot *s);

#endif

/* What a run writes as it goes: metrics.jsonl, timing.jsonl, log.txt. Append-only, one line a fact.
 *
 * metrics.jsonl holds no time: it is the same, byte for byte, for every number of threads. */
#ifndef RUN_RECORD_H
#define RUN_RECORD_H

#include <stdio.h>

#include "base/text.h"

struct record {
  FILE *metrics, *timing, *log;
  char *metrics_path, *timing_path, *log_path;
  const char *phase; /* borrowed: a name; "main" until another is set */
  double started;
};

int32_t record_open(const char *directory, struct record *out);
/* {"phase":PHASE,"step":STEP,"name":NAME,"value":VALUE}; a value that is not finite is null. */
void record_number(struct record *r, int64_t step, const char *name, double value);
void record_text(struct record *r, int64_t step, const char *name, const char *value);
/* Seconds since the start, in all, in lower solves and in pullbacks. */
void record_time(struct record *r, int64_t step, double solve, double pullback);
void record_log(struct record *r, const char *text); /* with the seconds since the start */
/* TIER_E_IO if anything could not be written so far, with the path. */
int32_t record_flush(struct record *r);
int32_t record_close(struct record *r); /* flushes and syncs; fine on a zeroed record */
double record_seconds(const struct record *r);

#endif

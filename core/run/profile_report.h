/* What a profile found: as JSON, which --profile prints as tables, and as a trace file. */
#ifndef RUN_PROFILE_REPORT_H
#define RUN_PROFILE_REPORT_H

#include "base/profile.h"
#include "manifest/json.h"

/* { "seconds", "program_seconds",
 *   "phases":     [ { "phase", "depth", "program", "calls", "seconds", "own_seconds", "share" } ],
 *   "operations": [ { "operation", "shapes", "source", "place", "calls", "seconds", "share",
 *                     "gflops", "gbytes" } ],
 *   "sources":    [ the same without operation and shapes ] }
 *
 * Phases in order, each before those inside it; operations (one for each shape and source, of all
 * programs) and sources by falling seconds. Shares are of "seconds", that of the outermost phases;
 * gflops and gbytes are 1e9 a second. Source and place are null where a value was made by tier
 * itself. */
struct json *profile_json(struct arena *a, const struct profile *p);

/* Writes the events to `path`, atomically, in the Trace Event Format of Chrome and Perfetto.
 * *note (free() it) says that the trace was cut, and where; NULL if it was not. */
int32_t profile_write_trace(const struct profile *p, const char *path, char **note);

#endif

/* Processes of this program that a comparison starts, one after the other: spawned anew, not
 * forked, so that no thread or BLAS state is inherited. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include "cli/options.h"
#include "manifest/json.h"

/* Runs `tier ARGUMENTS...` and waits. What it prints on stdout comes into `out` (its stderr is
 * ours). Signals that we get meanwhile are passed on. Returns its exit code, 128 + n if signal n
 * ended it; < 0 (TIER_E_) if it could not be started. */
int child_run(const struct texts *arguments, struct text *out);
void child_argument(struct texts *arguments, const char *text);
/* --plugin-path, --data and --set as they were given to us, and that we are quiet. */
void child_pass_on(struct texts *arguments, const struct options *o);
/* Its stdout as a JSON object; NULL if it is none. */
struct json *child_document(struct arena *a, const struct text *out);

#endif

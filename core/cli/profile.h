/* --profile and --trace: making a profile, printing it, and writing the trace. */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include "cli/options.h"
#include "manifest/json.h"

struct profile;

/* Refuses files that could not be written at the end: their directory must exist. */
int32_t profile_check_files(const struct options *o);
/* What the options ask for; NULL if nothing. profile_free it. */
struct profile *profile_open(const struct options *o);
/* Writes --trace FILE and --profile=FILE (`document` is what --json prints, with the profile), and
 * without --json prints the tables. NULL: nothing to do. The exit code is `code`, or that of a
 * failure to write. */
int profile_finish(const struct profile *p, const struct options *o, const struct json *profile,
                   int code);
/* The profile, as profile_json made it, as tables on stdout. */
void profile_print(const struct json *profile);

#endif

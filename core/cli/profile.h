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
/* Prints the profile (profile_json; NULL: none) as tables on stdout, unless --json prints it, and
 * writes --profile=FILE and --trace FILE. The exit code is `code`, or that of a failure to write.
 */
int profile_finish(const struct profile *p, const struct options *o, const struct json *profile,
                   int code);
/* The same for a comparison, whose rows may each have a "profile": they are printed one after the
 * other, the first of each `label` ("variant", "estimator"); the file gets all. */
int profile_finish_rows(const struct options *o, struct arena *a, const struct json *rows,
                        const char *label, int code);
/* Gives the row the profile in what a child process printed, if there is one. */
void profile_take(struct arena *a, struct json *row, const struct json *document);

#endif

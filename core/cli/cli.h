/* The verbs of the command line. Results go to stdout, messages to stderr; the exit codes are
 * part of what users may rely on (docs/cli.md). */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/options.h"

#define EXIT_USAGE 64

int verb_run(const struct options *o);
int verb_validate(const struct options *o);
int verb_compare(const struct options *o);
int verb_advise(const struct options *o);
int verb_list(const struct options *o);
int verb_inspect(const struct options *o);
int verb_doctor(const struct options *o);
int verb_check(const struct options *o);
int verb_check_one(const struct options *o); /* a process that check starts */
/* compare --estimators; and the two kinds of process that it starts. */
int compare_estimators(const struct options *o);
int verb_freeze(const struct options *o);
int verb_estimate(const struct options *o);

#endif

/* The processes of `tier check`: one a test, several at a time, each with a limit. */
#ifndef CLI_CHECK_CHILDREN_H
#define CLI_CHECK_CHILDREN_H

#include "check/check.h"
#include "cli/options.h"

/* A test to be run, and how it ended. */
struct check_task {
  const struct component *component;
  const char *test;
  enum verdict verdict;
  char *reason; /* owned */
};

struct check_limits {
  int64_t seconds; /* of processor time; six times as many of waiting */
  int64_t jobs;    /* processes at once */
};

/* Runs them all; calls `done` for each, in their order. A crash or a limit reached is a failed test
 * with the signal named. TIER_E_INTERRUPTED if asked to stop. */
int32_t check_children(const struct options *o, const struct check_limits *limits,
                       struct check_task *tasks, size_t count,
                       void (*done)(void *context, const struct check_task *task), void *context);

#endif

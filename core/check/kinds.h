/* The groups of tests; check.c says which kinds get which. */
#ifndef CHECK_KINDS_H
#define CHECK_KINDS_H

#include "check/check.h"

struct check_group {
  const struct check_test *tests;
  size_t count;
};

extern const struct check_group check_linear_solvers;
extern const struct check_group check_estimators;
extern const struct check_group check_functions;
extern const struct check_group check_optimizers;

#define CHECK_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif

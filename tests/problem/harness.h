/* Opens a manifest given as text as a problem, and takes hypergradients of it. */
#ifndef TESTS_PROBLEM_HARNESS_H
#define TESTS_PROBLEM_HARNESS_H

#include "../plugin/check.h"
#include "problem/internal.h"
#include "problem/problem.h"

struct harness {
  struct registry *registry;
  struct diagnostics diagnostics;
  struct manifest_file *file;
  struct manifest *manifest;
  struct problem *problem;
};

/* The text is a format for the arguments that follow. Fails the test on any error. */
void harness_open(struct harness *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same from a file, with `--set` overrides (NULL ends the list). */
void harness_open_file(struct harness *h, const char *path, const char *const *sets);
/* Only binds and checks; returns the status of the first thing that fails, with all diagnostics in
 * h->diagnostics. */
int32_t harness_check(struct harness *h, const char *text);
/* Makes the problem without a check before; the text is with `fail`. */
int32_t harness_try(struct harness *h, const char *text);
void harness_close(struct harness *h);

/* Solves the lower levels and pulls back. free() the hypergradient. */
struct problem_estimate harness_estimate(struct harness *h);
/* The top objective after solving the lower levels, with variable `name` shifted by `shift` at
 * element `index`; the state is put back afterwards. */
double harness_shifted_value(struct harness *h, const char *name, int64_t index, double shift);
struct variable *harness_variable(struct harness *h, const char *name);
double harness_read(struct harness *h, const char *name, int64_t index);
void harness_write(struct harness *h, const char *name, int64_t index, double value);
/* |a - b| / |b| of two arrays. */
double relative_error(const double *a, const double *b, int64_t n);
/* The folder of real data (TIER_DATA or ../shared/data), or NULL. */
const char *harness_data(void);

#endif

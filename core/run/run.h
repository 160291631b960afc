/* One run: one variant, one seed, from step 0 to its end, in its own directory. */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "manifest/manifest.h"

struct profile;

struct run_options {
  const struct registry *registry;
  const char *const *data_directories;
  size_t data_directory_count;
  const char *out; /* "runs" */
  int force;       /* replace a finished run */
  int quiet;
  int color;
  const char *const *command; /* argv, for provenance */
  const char *skipped_sets;
  struct profile *profile; /* base/profile.h; NULL: none */
};

struct run_outcome {
  int64_t seed;
  char *directory;
  const char *status; /* "finished", "failed", "interrupted", "refused" (nothing was run) */
  char *error;        /* NULL if finished */
  int exit_code;
  const struct json *state; /* as state.json says, in the caller's arena; NULL if refused */
};

/* Never fails by itself: the outcome tells. Free it with run_outcome_free. */
void run_seed(const struct manifest *m, const struct run_options *options, int64_t seed,
              struct arena *a, struct run_outcome *out);
void run_outcome_free(struct run_outcome *o);

/* Whether metric or objective points are due after `step` of `total` (-1: unknown) for a measure
 * with `every` (0: the default, 100 points a phase; where the length is unknown, the first hundred
 * steps, then every second, fourth ...). */
int run_is_due(int64_t every, int64_t step, int64_t total);

#endif

/* provenance.json: what a result came from. */
#ifndef RUN_PROVENANCE_H
#define RUN_PROVENANCE_H

#include "problem/problem.h"

struct provenance {
  const struct manifest *manifest;
  const struct problem *problem;
  int64_t seed;
  const char *const *command; /* argv, NULL-terminated */
  const char *skipped_sets;   /* those that this variant has no place for; "" if none */
  char started[32];           /* UTC, ISO 8601 */
};

void provenance_now(char out[32]);
struct json *provenance_json(struct arena *a, const struct provenance *p);
/* Whether what stands in DIRECTORY/provenance.json is still so: this program, the data files. On
 * "no", `why` says what has changed. Nothing fails: an unreadable file is a "no". */
int provenance_is_current(const char *directory, struct text *why);

#endif

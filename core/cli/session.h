/* What most verbs begin with: the plugins, a manifest, and all its variants checked. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/options.h"
#include "manifest/manifest.h"
#include "problem/problem.h"

/* One variant, bound and checked. */
struct variant {
  const char *name;
  struct manifest *manifest; /* NULL if it could not be bound */
  int32_t status;            /* TIER_OK, or TIER_E_UNSUPPORTED: skipped, `message` says why */
  char *message;
  struct text skipped_sets; /* --set items that it has no place for */
};

struct session {
  const struct options *options;
  struct manifest_sets sets;
  struct texts data; /* --data, then TIER_DATA */
  char *tier_data;
  struct registry *registry;
  struct manifest_file *file;
  struct variant *variants;
  size_t variant_count;
  struct diagnostics diagnostics; /* of all variants, each once */
};

/* Opens the plugins. Close it in any case. */
int32_t session_open(const struct options *o, struct session *out);
/* Reads the manifest and checks the base, every variant and every cell, or, with --checked, only
 * variant `only`; reads no data beyond headers. What is wrong stands in `diagnostics`; the first
 * failure's code is returned. */
int32_t session_check(struct session *s, const char *manifest, const char *only);
void session_close(struct session *s);
/* A pending failure whose reason is not among the diagnostics becomes one of them, at no line. */
void session_add_pending(const struct session *s, struct diagnostics *d);
/* All diagnostics (or, without any, the pending failure) on stderr; returns the exit code. */
int session_complain(struct session *s, int32_t status);
/* The variant of that name, or NULL after a message. */
const struct variant *session_variant(const struct session *s, const char *name);
/* The edge "UPPER.LOWER" (NULL: the only one); NULL if there is none of that name, or no only one.
 */
const struct manifest_through *session_edge(const struct manifest *m, const char *name);
/* --seeds, or the manifest's; free() it. NULL after a message. */
int64_t *session_seeds(const struct session *s, const struct manifest *m, size_t *count);
struct problem_options session_problem_options(const struct session *s, int64_t seed);

#endif

/* The directory of one run, OUT/NAME/ID-rSEED, and its state.json.
 *
 * Everything in it is appended to or replaced atomically, so a killed run leaves it readable. A
 * lock on the directory tells a run in progress from what a killed one left behind. */
#ifndef RUN_DIRECTORY_H
#define RUN_DIRECTORY_H

#include "manifest/manifest.h"

struct run_directory {
  char *path;
  int lock; /* an open file descriptor of the directory */
};

/* OUT/NAME/ID-rSEED, ID the first 12 hex digits of the identity; free() it. What could not stand
 * in a file name becomes "_". */
char *run_directory_path(const char *out, const struct manifest *m, int64_t seed);
/* Makes and locks the directory, empty but for the lock. A finished run is TIER_E_REFUSED unless
 * `force`; so is one in progress, always. What is there is removed; `note` says so
 * if that was a stopped, failed or killed run. */
int32_t run_directory_claim(const char *path, int force, struct text *note,
                            struct run_directory *out);
void run_directory_release(struct run_directory *d);
/* Replaces DIRECTORY/NAME by the JSON, atomically. */
int32_t run_directory_write(const struct run_directory *d, const char *name, const struct json *j);
/* state.json, with its members checked: TIER_E_DATA names one that is not as a run writes it. */
int32_t run_directory_state(struct arena *a, const char *directory, struct json **out);
/* 1 if a process is at work in it. */
int run_directory_is_locked(const char *path);
/* Reads DIRECTORY/NAME ("state.json") into the arena. */
int32_t run_directory_read(struct arena *a, const char *directory, const char *name,
                           struct json **out);
/* The text at `key` of an object, or "". */
const char *json_text_at(const struct json *object, const char *key);

#endif

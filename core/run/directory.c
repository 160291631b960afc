#include "run/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#define JSON_LIMIT ((size_t)16 << 20)

char *run_directory_path(const char *out, const struct manifest *m, int64_t seed) {
  char *name = memory_copy_text(m->name);
  for (char *c = name; *c != '\0'; c++) {
    int plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                *c == '-' || *c == '_' || (*c == '.' && c != name);
    *c = plain ? *c : '_';
  }
  char *path = memory_format("%s/%s/%.12s-r%lld", out, name[0] != '\0' ? name : "_", m->identity,
                             (long long)seed);
  free(name);
  return path;
}

const char *json_text_at(const struct json *object, const char *key) {
  const struct json *member = json_member(object, key);
  return member != NULL && member->type == JSON_STRING ? member->text : "";
}

int32_t run_directory_read(struct arena *a, const char *directory, const char *name,
                           struct json **out) {
  char *data = NULL;
  size_t size = 0;
  char *path = path_join(directory, name);
  int32_t status = file_read(path, JSON_LIMIT, &data, &size);
  if (status == TIER_OK) {
    status = json_parse(a, arena_text(a, path), arena_text_n(a, data, size), size, out);
    if (status == TIER_OK && (*out)->type != JSON_OBJECT) {
      status = fail(TIER_E_DATA, "not an object");
    }
    status = status == TIER_OK ? status : error_context(TIER_E_DATA, "%s", path);
    free(data);
  }
  free(path);
  return status;
}

/* ---- state.json ---- */

static int is_number(const struct json *j) {
  return j != NULL && j->type == JSON_NUMBER;
}

/* An object of numbers; a metric that was not finite is null. */
static int holds_numbers(const struct json *j) {
  if (j == NULL || j->type != JSON_OBJECT) {
    return 0;
  }
  for (size_t i = 0; i < j->count; i++) {
    if (j->items[i]->type != JSON_NUMBER && j->items[i]->type != JSON_NULL) {
      return 0;
    }
  }
  return 1;
}

/* The first member that is not as a run writes it; NULL if all are. */
static const char *wrong_member(const struct json *state) {
  static const char *const known[] = {"running", "finished", "failed", "interrupted"};
  const char *status = json_text_at(state, "status");
  size_t k = 0;
  while (k < sizeof known / sizeof known[0] && strcmp(status, known[k]) != 0) {
    k++;
  }
  if (k == sizeof known / sizeof known[0]) {
    return "status";
  }
  int begun = json_member(state, "steps") != NULL || strcmp(status, "finished") == 0;
  return !is_number(json_member(state, "seed"))                   ? "seed"
         : begun && !is_number(json_member(state, "steps"))       ? "steps"
         : begun && !is_number(json_member(state, "seconds"))     ? "seconds"
         : begun && !holds_numbers(json_member(state, "oracle"))  ? "oracle"
         : begun && !holds_numbers(json_member(state, "metrics")) ? "metrics"
                                                                  : NULL;
}

int32_t run_directory_state(struct arena *a, const char *directory, struct json **out) {
  TIER_TRY(run_directory_read(a, directory, "state.json", out));
  const char *wrong = wrong_member(*out);
  return wrong == NULL
             ? TIER_OK
             : fail(TIER_E_DATA, "%s/state.json is damaged: \"%s\" is not as a run writes it",
                    directory, wrong);
}

int run_directory_is_locked(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (fd >= 0) {
    (void)close(fd);
  }
  return locked;
}

int32_t run_directory_write(const struct run_directory *d, const char *name, const struct json *j) {
  struct text t = {0};
  char *path = path_join(d->path, name);
  json_write(j, 2, 0, &t);
  text_add(&t, "\n");
  int32_t status = file_write(path, t.data, t.length);
  free(path);
  text_free(&t);
  return status;
}

static int32_t lock(const char *path, int *out) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return fail(TIER_E_IO, "cannot open directory %s: %s", path, strerror(errno));
  }
  if (access(path, W_OK) != 0) {
    int32_t status = fail(TIER_E_IO, "cannot write to directory %s: %s", path, strerror(errno));
    (void)close(fd);
    return status;
  }
  /* A file system without locks gives other errors: go on without one. */
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    (void)close(fd);
    return fail(TIER_E_REFUSED, "%s: a run is in progress there; wait for it, or use --out DIR",
                path);
  }
  *out = fd;
  return TIER_OK;
}

static int32_t empty(const char *path) {
  int32_t status = TIER_OK;
  struct dirent *entry = NULL;
  DIR *directory = opendir(path);
  if (directory == NULL) {
    return fail(TIER_E_IO, "cannot read directory %s: %s", path, strerror(errno));
  }
  while (status == TIER_OK && (entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      char *child = path_join(path, entry->d_name);
      status = directory_remove(child);
      free(child);
    }
  }
  (void)closedir(directory);
  return status;
}

/* May what is there be replaced? Says in `note` what it was. */
static int32_t examine(const char *path, int force, struct text *note) {
  struct json *state = NULL;
  struct arena *a = arena_new();
  int32_t status = run_directory_state(a, path, &state);
  if (status == TIER_E_MISSING) {
    error_clear(); /* a new directory, or one whose run was killed before it began */
  } else if (status == TIER_E_DATA) {
    error_clear();
    text_format(note, "%s: replacing a run with a damaged state.json", path);
  } else if (status == TIER_OK) {
    const char *was = json_text_at(state, "status");
    int finished = strcmp(was, "finished") == 0;
    if (finished && !force) {
      arena_free(a);
      return fail(TIER_E_REFUSED, "%s: this run is finished; --force runs it again", path);
    }
    if (!finished) {
      text_format(note, "%s: replacing a %s run", path,
                  strcmp(was, "running") == 0 ? "killed" : was);
    }
  }
  arena_free(a);
  return status == TIER_E_IO ? status : TIER_OK;
}

int32_t run_directory_claim(const char *path, int force, struct text *note,
                            struct run_directory *out) {
  *out = (struct run_directory){.lock = -1};
  TIER_TRY(directory_make(path));
  TIER_TRY(lock(path, &out->lock));
  out->path = memory_copy_text(path);
  int32_t status = examine(path, force, note);
  status = status == TIER_OK ? empty(path) : status;
  if (status != TIER_OK) {
    run_directory_release(out);
  }
  return status;
}

void run_directory_release(struct run_directory *d) {
  if (d->lock >= 0) {
    (void)close(d->lock);
  }
  free(d->path);
  *d = (struct run_directory){.lock = -1};
}

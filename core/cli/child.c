#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "run/stop.h"

extern char **environ;

void child_argument(struct texts *arguments, const char *text) {
  array_push(arguments->items, arguments->count, arguments->capacity, text);
}

static void each(struct texts *arguments, const char *option, const struct texts *values) {
  for (size_t i = 0; i < values->count; i++) {
    child_argument(arguments, option);
    child_argument(arguments, values->items[i]);
  }
}

void child_pass_on(struct texts *arguments, const struct options *o) {
  each(arguments, "--data", &o->data);
  each(arguments, "--set", &o->sets);
  if (o->plugin_path != NULL) {
    child_argument(arguments, "--plugin-path");
    child_argument(arguments, o->plugin_path);
  }
  if (o->quiet) {
    child_argument(arguments, "--quiet");
  }
  if (o->no_color) {
    child_argument(arguments, "--no-color");
  }
}

/* In a process group of its own, so that Ctrl-C reaches it once: through us. */
static int32_t spawn(const struct texts *arguments, int output, pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  const char **argv = memory_alloc(arguments->count + 2, sizeof *argv);
  argv[0] = "tier";
  memcpy(argv + 1, arguments->items, arguments->count * sizeof *argv);
  (void)posix_spawn_file_actions_init(&actions);
  (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  (void)posix_spawnattr_init(&attributes);
  (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  int error =
      posix_spawn(pid, "/proc/self/exe", &actions, &attributes, (char *const *)argv, environ);
  (void)posix_spawnattr_destroy(&attributes);
  (void)posix_spawn_file_actions_destroy(&actions);
  free(argv);
  return error == 0 ? TIER_OK : fail(TIER_E_IO, "cannot start tier again: %s", strerror(error));
}

static void read_all(int input, struct text *out) {
  char buffer[4096];
  for (;;) {
    ssize_t n = read(input, buffer, sizeof buffer);
    if (n > 0) {
      text_add_n(out, buffer, (size_t)n);
    } else if (n == 0 || errno != EINTR) {
      return;
    }
  }
}

int child_run(const struct texts *arguments, struct text *out) {
  int ends[2];
  int state = 0;
  pid_t pid = 0;
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return fail(TIER_E_IO, "cannot make a pipe: %s", strerror(errno));
  }
  int32_t status = spawn(arguments, ends[1], &pid);
  (void)close(ends[1]);
  if (status == TIER_OK) {
    stop_pass_to(pid);
    read_all(ends[0], out);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR) {
    }
    stop_pass_to(0);
  }
  (void)close(ends[0]);
  if (status != TIER_OK) {
    return status;
  }
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

struct json *child_document(struct arena *a, const struct text *out) {
  struct json *j = NULL;
  if (json_parse(a, "tier", text_get(out), out->length, &j) != TIER_OK) {
    error_clear();
    return NULL;
  }
  return j->type == JSON_OBJECT ? j : NULL;
}

/* A file that is not ours is loaded in a child process first: one that crashes, hangs or leaves in
 * its constructors is then refused instead of taking the host down. The child's answer is the last
 * thing that it writes; a plugin that ends the process leaves none. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "plugin/loader.h"
#include "plugin/registry.h"

#define LIMIT_MS 2000
#define MOST_OUTPUT 65536
#define ACCEPTED "tier probe: ok\n"
#define REFUSED "tier probe: refused: "
#define MARK "TIER_PROBING" /* set in the child: a program without the verb must not probe, too */

extern char **environ;

/* ---- the child ------------------------------------------------------------------------------- */

/* No core files, an end with the parent, and deaths by signal that the parent can see (a sanitizer
 * would turn them into exit codes). */
static void prepare_to_die(void) {
  static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
  struct rlimit none = {0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (size_t i = 0; i < TIER_COUNT(deadly); i++) {
    (void)signal(deadly[i], SIG_DFL);
  }
}

int probe_main(const char *path) {
  struct plugin_tables tables;
  struct arena *a = arena_new();
  prepare_to_die();
  int32_t status = plugin_load(a, path, &tables);
  if (status < 0) {
    (void)printf(REFUSED "%s\n", error_text());
    error_clear();
  } else {
    (void)printf(ACCEPTED);
  }
  (void)fflush(stdout);
  arena_free(a);
  return error_exit_code(status);
}

/* ---- the parent ------------------------------------------------------------------------------ */

static int64_t now_ms(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* This process's environment and MARK; free() it. */
static char **child_environment(void) {
  static char mark[] = MARK "=1";
  size_t count = 0;
  while (environ != NULL && environ[count] != NULL) {
    count++;
  }
  char **copy = memory_alloc(count + 2, sizeof *copy);
  memcpy(copy, environ, count * sizeof *copy);
  copy[count] = mark;
  return copy;
}

/* A process group of its own, default signals, nothing on stdin and stderr, stdout to the pipe. */
static int spawn(const char *self, const char *path, int out, pid_t *pid) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t none;
  sigset_t all;
  char *const arguments[] = {(char *)(uintptr_t)self, (char *)(uintptr_t) "probe",
                             (char *)(uintptr_t)path, NULL};
  (void)sigemptyset(&none);
  (void)sigfillset(&all);
  (void)posix_spawn_file_actions_init(&files);
  (void)posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  (void)posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  (void)posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  (void)posix_spawnattr_init(&attributes);
  (void)posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  (void)posix_spawnattr_setsigmask(&attributes, &none);
  (void)posix_spawnattr_setsigdefault(&attributes, &all);
  char **environment = child_environment();
  int error = posix_spawn(pid, self, &files, &attributes, arguments, environment);
  free(environment);
  (void)posix_spawnattr_destroy(&attributes);
  (void)posix_spawn_file_actions_destroy(&files);
  return error;
}

/* Reads until the child closes its end or time is up. Keeps the end of very long output. */
static void read_answer(int in, int64_t deadline, struct text *answer) {
  char buffer[4096];
  for (;;) {
    int64_t left = deadline - now_ms();
    struct pollfd p = {.fd = in, .events = POLLIN};
    int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    ssize_t n = ready > 0 ? read(in, buffer, sizeof buffer) : 0;
    if (n <= 0) {
      return;
    }
    if (answer->length + (size_t)n > MOST_OUTPUT) {
      answer->length = 0;
    }
    text_add_n(answer, buffer, (size_t)n);
  }
}

/* Waits for the child, and kills its group when time is up: 0 if that was necessary, -1 if its
 * status cannot be had (the host ignores SIGCHLD), else 1. */
static int wait_until(pid_t pid, int64_t deadline, int *status) {
  struct timespec nap = {.tv_nsec = 200000};
  for (;;) {
    pid_t done = waitpid(pid, status, WNOHANG);
    if (done == pid) {
      return 1;
    }
    if (done < 0 && errno != EINTR) {
      return -1;
    }
    if (now_ms() >= deadline) {
      (void)kill(-pid, SIGKILL);
      while (waitpid(pid, status, 0) < 0 && errno == EINTR) {
      }
      return 0;
    }
    (void)nanosleep(&nap, NULL);
  }
}

static int ends_with(const struct text *t, const char *end) {
  size_t length = strlen(end);
  return t->length >= length && strcmp(t->data + t->length - length, end) == 0;
}

static int32_t judge(int waited, int status, const struct text *answer) {
  const char *refused = strstr(text_get(answer), REFUSED);
  if (waited == 0) {
    return fail(TIER_E_PLUGIN, "did not finish loading within %d seconds", LIMIT_MS / 1000);
  }
  if (waited > 0 && WIFSIGNALED(status)) {
    const char *name = sigabbrev_np(WTERMSIG(status));
    return fail(TIER_E_PLUGIN, "died with SIG%s while loading", name != NULL ? name : "?");
  }
  if (ends_with(answer, ACCEPTED)) {
    return TIER_OK;
  }
  if (refused != NULL) {
    const char *reason = refused + strlen(REFUSED);
    return fail(TIER_E_PLUGIN, "%.*s", (int)strcspn(reason, "\n"), reason);
  }
  return fail(TIER_E_PLUGIN, "ended the process while loading (exit status %d)",
              waited > 0 ? WEXITSTATUS(status) : -1);
}

int32_t plugin_probe(const char *path) {
  int ends[2];
  pid_t pid = 0;
  int status = 0;
  int64_t deadline = now_ms() + LIMIT_MS;
  if (getenv(MARK) != NULL) {
    return fail(TIER_E_PLUGIN, "cannot be probed from within a probe");
  }
  char *self = search_self();
  if (self == NULL || pipe2(ends, O_CLOEXEC) != 0) {
    free(self);
    return fail(TIER_E_PLUGIN, "cannot be probed: %s", strerror(errno));
  }
  int error = spawn(self, path, ends[1], &pid);
  (void)close(ends[1]);
  free(self);
  if (error != 0) {
    (void)close(ends[0]);
    return fail(TIER_E_PLUGIN, "cannot be probed: %s", strerror(error));
  }
  struct text answer = {0};
  read_answer(ends[0], deadline, &answer);
  (void)close(ends[0]);
  int waited = wait_until(pid, deadline, &status);
  int32_t verdict = judge(waited, status, &answer);
  text_free(&answer);
  return verdict;
}

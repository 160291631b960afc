#include "cli/check_children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/child.h"
#include "run/stop.h"

#define MOST_JOBS 64
#define WAITING 6 /* times the processor time */

extern char **environ;

struct child {
  struct check_task *task; /* NULL: free */
  pid_t pid;
  int input;
  double deadline;
  int late;
  struct text out;
};

struct pool {
  const struct options *o;
  const struct check_limits *limits;
  struct child children[MOST_JOBS];
  char seconds[32];
};

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- starting ---- */

static void arguments_of(const struct pool *p, const struct check_task *t, struct texts *a) {
  const char *const fixed[] = {
      "check-one", t->component->c.kind, t->component->c.id, t->test, "--limit", p->seconds};
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
    child_argument(a, fixed[i]);
  }
  const char *const given[][2] = {
      {"--plugin-path", p->o->plugin_path}, {"--as", p->o->as}, {"--with", p->o->with}};
  for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
    if (given[i][1] != NULL) {
      child_argument(a, given[i][0]);
      child_argument(a, given[i][1]);
    }
  }
}

/* In a process group of its own, so that whatever the plugin starts ends with it. */
static int spawn(const struct texts *arguments, int output, pid_t *pid) {
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
  return error;
}

static int32_t start(struct pool *p, struct child *c, struct check_task *task) {
  struct texts arguments = {0};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return fail(TIER_E_IO, "cannot make a pipe: %s", strerror(errno));
  }
  arguments_of(p, task, &arguments);
  *c = (struct child){
      .task = task, .input = ends[0], .deadline = now() + (double)(WAITING * p->limits->seconds)};
  int error = spawn(&arguments, ends[1], &c->pid);
  free(arguments.items);
  (void)close(ends[1]);
  if (error != 0) {
    (void)close(ends[0]);
    c->task = NULL;
    return fail(TIER_E_IO, "cannot start tier again: %s", strerror(error));
  }
  return TIER_OK;
}

/* ---- ending ---- */

static char *signal_reason(const struct pool *p, const struct child *c, int signal_number) {
  if (c->late) {
    return memory_format("it did not end within %lld s, and was killed (SIGKILL)",
                         (long long)(WAITING * p->limits->seconds));
  }
  if (signal_number == SIGXCPU) {
    return memory_format("it did not end within %lld s of processor time (SIGXCPU)",
                         (long long)p->limits->seconds);
  }
  return memory_format("the process was ended by SIG%s (%s)", sigabbrev_np(signal_number),
                       strsignal(signal_number));
}

/* What the process wrote: the verdict's letter, then the reason. */
static void read_verdict(const struct pool *p, struct child *c, int state) {
  static const char letters[] = {'p', 'f', 's'};
  struct check_task *t = c->task;
  const char *text = text_get(&c->out);
  t->verdict = CHECK_FAILED;
  if (WIFSIGNALED(state)) {
    t->reason = signal_reason(p, c, WTERMSIG(state));
    return;
  }
  for (int v = CHECK_PASSED; v <= CHECK_SKIPPED; v++) {
    if (text[0] == letters[v]) {
      t->verdict = (enum verdict)v;
      t->reason = memory_copy_text(text + 1);
      return;
    }
  }
  t->reason = memory_format("the process ended with exit code %d, and without a result",
                            WEXITSTATUS(state));
}

static void finish(const struct pool *p, struct child *c) {
  int state = 0;
  (void)close(c->input);
  while (waitpid(c->pid, &state, 0) < 0 && errno == EINTR) {
  }
  read_verdict(p, c, state);
  text_free(&c->out);
  c->task = NULL;
}

static void end_all(struct pool *p) {
  for (int i = 0; i < MOST_JOBS; i++) {
    if (p->children[i].task != NULL) {
      (void)kill(-p->children[i].pid, SIGKILL);
      finish(p, &p->children[i]);
    }
  }
}

/* ---- waiting ---- */

/* Reads what there is; 1 at its end. A process that has closed its output but does not end is
 * waited for until its deadline by `finish` alone, so the group is ended then, too. */
static int read_some(struct child *c) {
  char buffer[4096];
  ssize_t n = read(c->input, buffer, sizeof buffer);
  if (n > 0) {
    text_add_n(&c->out, buffer, (size_t)n);
  }
  return n == 0 || (n < 0 && errno != EINTR);
}

/* Waits for any of them for at most 100 ms, and takes in those that have ended. */
static void wait_for_some(struct pool *p) {
  struct pollfd fds[MOST_JOBS];
  struct child *of[MOST_JOBS];
  nfds_t count = 0;
  for (int i = 0; i < MOST_JOBS; i++) {
    if (p->children[i].task != NULL) {
      of[count] = &p->children[i];
      fds[count++] = (struct pollfd){.fd = p->children[i].input, .events = POLLIN};
    }
  }
  (void)poll(fds, count, 100);
  for (nfds_t i = 0; i < count; i++) {
    struct child *c = of[i];
    if (fds[i].revents != 0 && read_some(c)) {
      finish(p, c);
    } else if (!c->late && now() > c->deadline) {
      c->late = 1;
      (void)kill(-c->pid, SIGKILL);
    }
  }
}

/* Reports tasks in order as far as they have ended. */
static size_t report(struct check_task *tasks, size_t count, size_t from,
                     void (*done)(void *context, const struct check_task *task), void *context) {
  while (from < count && tasks[from].reason != NULL) {
    done(context, &tasks[from++]);
  }
  return from;
}

static int32_t start_some(struct pool *p, struct check_task *tasks, size_t count, size_t *next) {
  for (int64_t i = 0; i < p->limits->jobs && i < MOST_JOBS && *next < count; i++) {
    if (p->children[i].task == NULL) {
      TIER_TRY(start(p, &p->children[i], &tasks[*next]));
      (*next)++;
    }
  }
  return TIER_OK;
}

int32_t check_children(const struct options *o, const struct check_limits *limits,
                       struct check_task *tasks, size_t count,
                       void (*done)(void *context, const struct check_task *task), void *context) {
  struct pool p = {.o = o, .limits = limits};
  size_t next = 0;
  size_t reported = 0;
  int32_t status = TIER_OK;
  (void)snprintf(p.seconds, sizeof p.seconds, "%lld", (long long)limits->seconds);
  while (status == TIER_OK && reported < count) {
    status = start_some(&p, tasks, count, &next);
    if (status == TIER_OK) {
      wait_for_some(&p);
      reported = report(tasks, count, reported, done, context);
      status = stop_asked() ? fail(TIER_E_INTERRUPTED, "asked to stop") : TIER_OK;
    }
  }
  end_all(&p);
  return status;
}

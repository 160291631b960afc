#include "run/stop.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static volatile sig_atomic_t asked;
static volatile sig_atomic_t child_process;

static void on_signal(int number) {
  static const char text[] = "\ntier: stopping after this step (once more: at once)\n";
  if (child_process > 0) {
    (void)kill(child_process, number);
  } else if (asked) {
    _exit(128 + number);
  } else {
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written; /* nothing can be done in a signal handler */
  }
  asked = number;
}

void stop_watch(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  (void)sigemptyset(&action.sa_mask);
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
  struct sigaction now;
  if (sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler != SIG_IGN) { /* not under nohup */
    (void)sigaction(SIGHUP, &action, NULL);
  }
}

void stop_with_parent(void) {
  (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
}

void stop_pass_to(int child) {
  child_process = child;
}

int stop_asked(void) {
  return asked;
}

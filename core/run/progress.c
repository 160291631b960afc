#include "run/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "run/clock.h"

#define BAR_SECONDS 0.1
#define LINE_SECONDS 10.0
#define BAR_CELLS 20

static int is_dumb(void) {
  const char *term = getenv("TERM");
  return term == NULL || strcmp(term, "dumb") == 0;
}

int color_wanted(FILE *out, int allowed) {
  const char *no_color = getenv("NO_COLOR");
  return allowed && isatty(fileno(out)) && !is_dumb() && (no_color == NULL || no_color[0] == '\0');
}

void progress_start(struct progress *p, FILE *out, const char *label, int quiet, int color) {
  *p = (struct progress){.out = out, .label = label, .quiet = quiet, .started = clock_seconds()};
  p->terminal = isatty(fileno(out)) && !is_dumb();
  p->color = color_wanted(out, color);
  p->drawn = p->terminal ? 0 : p->started;
}

static int columns(FILE *out) {
  struct winsize size;
  int known = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

/* "1:05 left", "2:03:04 left". */
static void format_left(double seconds, char *out, size_t size) {
  long long s = (long long)(seconds + 0.5);
  if (s >= 3600) {
    (void)snprintf(out, size, "%lld:%02lld:%02lld left", s / 3600, s / 60 % 60, s % 60);
  } else {
    (void)snprintf(out, size, "%lld:%02lld left", s / 60, s % 60);
  }
}

static void format_count(const struct progress *p, int64_t done, int64_t total, char *out,
                         size_t size) {
  char left[48] = "";
  if (total < 0) {
    (void)snprintf(out, size, "%lld", (long long)done);
    return;
  }
  if (done > 0) {
    double each = (clock_seconds() - p->started) / (double)done;
    format_left(each * (double)(total - done), left, sizeof left);
  }
  (void)snprintf(out, size, "%lld/%lld %s", (long long)done, (long long)total, left);
}

static void draw_bar(struct progress *p, int64_t done, int64_t total, const char *facts) {
  char count[128];
  char cells[BAR_CELLS + 1];
  char line[512];
  format_count(p, done, total, count, sizeof count);
  int64_t full = total > 0 ? done * BAR_CELLS / total : 0;
  for (int i = 0; i < BAR_CELLS; i++) {
    cells[i] = i < full ? '#' : '.';
  }
  cells[BAR_CELLS] = '\0';
  (void)snprintf(line, sizeof line, "%s [%s] %s  %s", p->label, cells, count, facts);
  int width = columns(p->out) - 1;
  (void)fprintf(p->out, "\r\033[K%s%.*s%s", p->color ? "\033[36m" : "", width, line,
                p->color ? "\033[0m" : "");
  (void)fflush(p->out);
  p->shown = 1;
}

void progress_update(struct progress *p, int64_t done, int64_t total, const char *facts) {
  double t = clock_seconds();
  if (p->quiet || t - p->drawn < (p->terminal ? BAR_SECONDS : LINE_SECONDS)) {
    return;
  }
  p->drawn = t;
  if (p->terminal) {
    draw_bar(p, done, total, facts);
  } else {
    char count[128];
    format_count(p, done, total, count, sizeof count);
    (void)fprintf(p->out, "%s: %s  %s\n", p->label, count, facts);
  }
}

void progress_clear(struct progress *p) {
  if (p->shown) {
    (void)fprintf(p->out, "\r\033[K");
    (void)fflush(p->out);
    p->shown = 0;
  }
}

void progress_end(struct progress *p, const char *summary) {
  progress_clear(p);
  if (!p->quiet) {
    (void)fprintf(p->out, "%s: %s\n", p->label, summary);
  }
}

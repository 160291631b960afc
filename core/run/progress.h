/* How far a run is, on stderr: a bar with the time left on a terminal, at most ten times a second;
 * a line every ten seconds where it is not one; nothing with --quiet. */
#ifndef RUN_PROGRESS_H
#define RUN_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

struct progress {
  FILE *out;
  const char *label; /* borrowed: "digits base seed 0" */
  int quiet, terminal, color;
  int shown; /* a bar stands on the present line */
  double started, drawn;
};

/* `color` 0: none, whatever the terminal; else as NO_COLOR and TERM say. */
void progress_start(struct progress *p, FILE *out, const char *label, int quiet, int color);
/* `total` < 0: unknown. `facts`: the present objectives, one short text. */
void progress_update(struct progress *p, int64_t done, int64_t total, const char *facts);
/* Takes the bar away, so that something else can be written on the line. */
void progress_clear(struct progress *p);
void progress_end(struct progress *p, const char *summary);

/* Whether that stream takes colour: a terminal, no NO_COLOR, TERM not "dumb". */
int color_wanted(FILE *out, int allowed);

#endif

/* page.c: the document; chart.c: charts; axis.c: scales and ticks; image.c: images. */
#ifndef PAGE_INTERNAL_H
#define PAGE_INTERNAL_H

#include "base/memory.h"
#include "base/text.h"
#include "page/page.h"

enum page_group { GROUP_NONE, GROUP_CHARTS };

struct page {
  struct text html;
  enum page_group group; /* the open <div> */
  size_t charts;
};

/* Opens or closes the <div> that holds what comes next. */
void page_group(struct page *p, enum page_group group);
/* The text with & < > " escaped and invalid UTF-8 replaced. */
void page_escape(struct text *out, const char *text);

/* ---- axes ---- */

#define AXIS_TICKS 12

struct axis {
  int logarithmic;
  double low, high; /* of the data, widened; for a logarithmic axis as log10 */
  double from, to;  /* pixels */
  double ticks[AXIS_TICKS];
  size_t tick_count;
};

/* Can the value be drawn? */
int axis_takes(const struct axis *a, double value);
/* Widens the extent, which begins empty (low > high), by a value that it takes. */
void axis_add(struct axis *a, double value);
/* After the last value: a little room, and the ticks. */
void axis_finish(struct axis *a);
double axis_place(const struct axis *a, double value); /* in pixels */
/* The label of a tick: "0.25", "1000", "10⁻⁶". */
void axis_label(const struct axis *a, double tick, char out[32]);

#endif

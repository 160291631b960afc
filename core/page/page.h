/* A self-contained HTML page: headings, paragraphs, tables, charts as inline SVG, and images as
 * data URIs. It opens from disk, has no script, loads nothing, follows the reader's light or dark
 * scheme and fits a phone.
 *
 * Texts that are given are copied and escaped; what is not valid UTF-8 in them becomes U+FFFD. */
#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include <stddef.h>
#include <stdint.h>

struct page;

struct page *page_new(const char *title);
void page_free(struct page *p);                       /* NULL is fine */
int32_t page_write(struct page *p, const char *path); /* atomically; once, and last */

void page_heading(struct page *p, const char *text);
void page_paragraph(struct page *p, const char *text);

/* `cells`: `rows` times `columns` texts, row by row, the first row the head. A column whose cells
 * begin like numbers (or are "-" or empty) is set right, in tabular figures. A wide table scrolls
 * by itself. A row r with marked[r] (NULL: none) stands out. */
void page_table(struct page *p, const char *const *cells, size_t columns, size_t rows,
                const unsigned char *marked);

/* ---- charts ---- */

/* Points (x[i], y[i]). A point whose place is not finite, or not positive on a logarithmic axis, is
 * left out, and the caption says how many. */
struct chart_series {
  const char *name;
  size_t count;
  const double *x, *y;
  const double *low, *high;    /* each NULL or `count` numbers: the extent around y */
  const char *const *titles;   /* NULL, or what to say of each point */
  const unsigned char *ringed; /* NULL, or which points have a ring around them */
};

enum chart_form {
  CHART_MARKS = 1, /* a mark at each point, with a whisker from low to high */
  CHART_LINE = 2,  /* a line through the points in their order */
  CHART_BAND = 4   /* the area between low and high */
};

struct chart {
  const char *title, *x_label, *y_label; /* labels with their units */
  const char *caption;                   /* or NULL */
  int log_x, log_y;
  unsigned form;
  const struct chart_series *series;
  size_t count;
};

/* Charts that follow each other stand side by side where there is room. */
void page_chart(struct page *p, const struct chart *c);

/* ---- images ---- */

/* `pixels`: height rows of width pixels of `channels` bytes, 1 (grey) or 3 (red, green, blue). */
struct page_image {
  const unsigned char *pixels;
  uint32_t width, height, channels;
  const char *label; /* below it, and its text for readers who cannot see it */
};
/* A grid of images that wraps; each is enlarged by whole pixels to about `size` CSS pixels. */
void page_images(struct page *p, const struct page_image *images, size_t count, uint32_t size);

#endif

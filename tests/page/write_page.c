/* Writes a page with all that core/page offers to the file named on the command line; test_page.py
 * reads it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "page/page.h"

#define SIDE 200u /* 200 rows of 600 bytes: more than one stored block */

static void add_charts(struct page *p) {
  const double x[] = {1, 10, 100, 1000, 10};
  const double y[] = {1, 1e-3, 1e-6, 0, NAN}; /* the last two have no place */
  const double low[] = {0.5, 0, 1e-7, 0, 0};
  const double high[] = {2, 2e-3, 2e-6, 1, 1};
  const char *const titles[] = {"a <b>", "b", "c", "d", "e"};
  const unsigned char ringed[] = {1, 0, 0, 0, 0};
  struct chart_series series[9];
  for (size_t i = 0; i < 9; i++) {
    series[i] = (struct chart_series){"one", 5, x, y, low, high, titles, ringed};
  }
  page_chart(p, &(struct chart){.title = "marks",
                                .x_label = "x (s)",
                                .y_label = "y & z",
                                .log_x = 1,
                                .log_y = 1,
                                .form = CHART_MARKS | CHART_LINE,
                                .series = series,
                                .count = 9});
  page_chart(p, &(struct chart){.title = "band",
                                .x_label = "x",
                                .y_label = "y",
                                .caption = "caption",
                                .form = CHART_LINE | CHART_BAND,
                                .series = series,
                                .count = 1});
  page_chart(p, &(struct chart){.title = "empty", .x_label = "x", .y_label = "y"});
}

static void add_images(struct page *p) {
  const unsigned char grey[] = {0, 128, 255, 64, 32, 16};
  unsigned char *colour = malloc((size_t)SIDE * SIDE * 3);
  if (colour == NULL) {
    abort();
  }
  for (size_t i = 0; i < (size_t)SIDE * SIDE * 3; i++) {
    colour[i] = (unsigned char)(i * 7 % 251);
  }
  const struct page_image images[] = {{grey, 3, 2, 1, "three by two"},
                                      {colour, SIDE, SIDE, 3, "many"}};
  page_images(p, images, 2, 96);
  free(colour);
}

int main(int argc, char **argv) {
  static const char *const cells[] = {"name", "value", "<script>", "1.5", "b\xff\xc3", "-"};
  const unsigned char marked[] = {0, 0, 1};
  struct page *p = page_new("A \"page\" & <more>");
  if (argc != 2) {
    return 64;
  }
  page_paragraph(p, "é\xed\xa0\x80\xf4\x90\x80\x80 end"); /* a surrogate; beyond U+10FFFF */
  add_charts(p);
  page_heading(p, "Table");
  page_table(p, cells, 2, 3, marked);
  add_images(p);
  int32_t status = page_write(p, argv[1]);
  page_free(p);
  if (status != TIER_OK) {
    (void)fprintf(stderr, "%s\n", error_text());
  }
  return status != TIER_OK;
}

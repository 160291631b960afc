/* Charts: one SVG each, with a legend in HTML below it that wraps on a narrow screen. */
#include <math.h>

#include "page/internal.h"

/* The drawing's units; at phone width one is about 0.8 CSS pixels. */
#define WIDTH 450.0
#define HEIGHT 300.0
#define LEFT 58.0
#define RIGHT 430.0
#define TOP 26.0
#define BOTTOM 254.0

#define COLOURS 7
#define MARKERS 7

struct drawing {
  struct text *out;
  const struct chart *chart;
  struct axis x, y;
  size_t left_out;
};

/* A series beyond the seventh has the colours again, with other marks. */
static size_t colour_of(size_t series) {
  return series % COLOURS;
}
static size_t marker_of(size_t series) {
  return (series + series / COLOURS) % MARKERS;
}

/* Lines are told apart by dashes where there are no marks, and beyond the seventh. */
static const char *dash_of(const struct chart *c, size_t series) {
  static const char *const dashes[] = {"", " stroke-dasharray=\"7 4\"", " stroke-dasharray=\"2 3\"",
                                       " stroke-dasharray=\"9 3 2 3\""};
  return dashes[(c->form & CHART_MARKS ? series / COLOURS : series) % 4];
}

/* Marks about (0, 0), of about equal area: told apart by shape as well as by colour. */
static const char *marker_path(size_t series) {
  static const char *const paths[MARKERS] = {
      "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
      "M-3.6 -3.6h7.2v7.2h-7.2z",
      "M0 -4.8L4.6 3.4H-4.6z",
      "M0 -5L5 0L0 5L-5 0z",
      "M0 4.8L4.6 -3.4H-4.6z",
      "M-4.6 -1.4h3.2v-3.2h2.8v3.2h3.2v2.8h-3.2v3.2h-2.8v-3.2h-3.2z",
      "M-4.8 0L-2.2 -4.4H2.2L4.8 0L2.2 4.4H-2.2z"};
  return paths[marker_of(series)];
}

static int is_drawn(const struct drawing *d, const struct chart_series *s, size_t i) {
  return axis_takes(&d->x, s->x[i]) && axis_takes(&d->y, s->y[i]);
}

static void measure(struct drawing *d) {
  const struct chart *c = d->chart;
  d->x = (struct axis){.logarithmic = c->log_x, .low = 1, .high = 0, .from = LEFT, .to = RIGHT};
  d->y = (struct axis){.logarithmic = c->log_y, .low = 1, .high = 0, .from = BOTTOM, .to = TOP};
  for (size_t k = 0; k < c->count; k++) {
    const struct chart_series *s = &c->series[k];
    for (size_t i = 0; i < s->count; i++) {
      if (!is_drawn(d, s, i)) {
        d->left_out++;
        continue;
      }
      axis_add(&d->x, s->x[i]);
      axis_add(&d->y, s->y[i]);
      if (s->low != NULL && s->high != NULL) {
        axis_add(&d->y, s->low[i]);
        axis_add(&d->y, s->high[i]);
      }
    }
  }
  axis_finish(&d->x);
  axis_finish(&d->y);
}

static void draw_axes(struct drawing *d) {
  const struct chart *c = d->chart;
  char label[32];
  for (size_t i = 0; i < d->y.tick_count; i++) {
    double y = axis_place(&d->y, d->y.ticks[i]);
    axis_label(&d->y, d->y.ticks[i], label);
    text_format(d->out, "<path class=\"grid\" d=\"M%.0f %.1fH%.0f\"/>", LEFT, y, RIGHT);
    text_format(d->out, "<text class=\"tick end\" x=\"%.0f\" y=\"%.1f\">%s</text>\n", LEFT - 6,
                y + 4, label);
  }
  for (size_t i = 0; i < d->x.tick_count; i++) {
    double x = axis_place(&d->x, d->x.ticks[i]);
    axis_label(&d->x, d->x.ticks[i], label);
    text_format(d->out, "<path class=\"axis\" d=\"M%.1f %.0fv4\"/>", x, BOTTOM);
    text_format(d->out, "<text class=\"tick middle\" x=\"%.1f\" y=\"%.0f\">%s</text>\n", x,
                BOTTOM + 18, label);
  }
  text_format(d->out, "<path class=\"axis\" d=\"M%.0f %.0fH%.0f\"/>", LEFT, BOTTOM, RIGHT);
  text_format(d->out, "<text class=\"label end\" x=\"%.0f\" y=\"%.0f\">", RIGHT, BOTTOM + 38);
  page_escape(d->out, c->x_label);
  text_format(d->out, "</text><text class=\"label\" x=\"4\" y=\"14\">");
  page_escape(d->out, c->y_label);
  text_add(d->out, "</text>\n");
}

/* An end of an extent; one that has no place on the axis is the axis' low end. */
static double end_place(const struct drawing *d, double value) {
  return axis_takes(&d->y, value) ? axis_place(&d->y, value) : d->y.from;
}

static int has_extent(const struct chart_series *s, size_t i) {
  return s->low != NULL && s->high != NULL && isfinite(s->low[i]) && isfinite(s->high[i]);
}

static void draw_band(struct drawing *d, size_t k) {
  const struct chart_series *s = &d->chart->series[k];
  size_t drawn = 0;
  for (int back = 0; back < 2; back++) {
    for (size_t j = 0; j < s->count; j++) {
      size_t i = back ? s->count - 1 - j : j;
      if (is_drawn(d, s, i) && has_extent(s, i)) {
        text_add(d->out, drawn == 0 ? "<path class=\"band\" d=\"M" : "L");
        text_format(d->out, "%.1f %.1f", axis_place(&d->x, s->x[i]),
                    end_place(d, back ? s->low[i] : s->high[i]));
        drawn++;
      }
    }
  }
  text_add(d->out, drawn > 0 ? "z\"/>\n" : "");
}

static void draw_line(struct drawing *d, size_t k) {
  const struct chart_series *s = &d->chart->series[k];
  size_t drawn = 0;
  for (size_t i = 0; i < s->count; i++) {
    if (is_drawn(d, s, i)) {
      text_add(d->out, drawn++ == 0 ? "<path class=\"line\" d=\"M" : "L");
      text_format(d->out, "%.1f %.1f", axis_place(&d->x, s->x[i]), axis_place(&d->y, s->y[i]));
    }
  }
  if (drawn > 0) {
    text_format(d->out, "\"%s/>\n", dash_of(d->chart, k));
  }
}

static void draw_mark(struct drawing *d, size_t k, size_t i) {
  const struct chart_series *s = &d->chart->series[k];
  double x = axis_place(&d->x, s->x[i]);
  double y = axis_place(&d->y, s->y[i]);
  if (has_extent(s, i) && s->low[i] < s->high[i]) {
    text_format(d->out, "<path class=\"whisker\" d=\"M%.1f %.1fV%.1f\"/>", x,
                end_place(d, s->high[i]), end_place(d, s->low[i]));
  }
  if (s->ringed != NULL && s->ringed[i]) {
    text_format(d->out, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"8\"/>", x, y);
  }
  text_format(d->out, "<path class=\"mark\" transform=\"translate(%.1f %.1f)\" d=\"%s\">", x, y,
              marker_path(k));
  if (s->titles != NULL) {
    text_add(d->out, "<title>");
    page_escape(d->out, s->titles[i]);
    text_add(d->out, "</title>");
  }
  text_add(d->out, "</path>\n");
}

static void draw_series(struct drawing *d, size_t k) {
  const struct chart_series *s = &d->chart->series[k];
  text_format(d->out, "<g class=\"series c%zu\">", colour_of(k));
  if (d->chart->form & CHART_BAND) {
    draw_band(d, k);
  }
  if (d->chart->form & CHART_LINE) {
    draw_line(d, k);
  }
  for (size_t i = 0; i < s->count && (d->chart->form & CHART_MARKS); i++) {
    if (is_drawn(d, s, i)) {
      draw_mark(d, k, i);
    }
  }
  text_add(d->out, "</g>\n");
}

static void draw_legend(struct drawing *d) {
  text_add(d->out, "<ul class=\"legend\">");
  for (size_t k = 0; k < d->chart->count; k++) {
    text_format(d->out,
                "<li><svg class=\"c%zu\" viewBox=\"-11 -7 22 14\" width=\"22\" height=\"14\" "
                "aria-hidden=\"true\">",
                colour_of(k));
    if (d->chart->form & CHART_LINE) {
      text_format(d->out, "<path class=\"line\" d=\"M-11 0H11\"%s/>", dash_of(d->chart, k));
    }
    if (d->chart->form & CHART_MARKS) {
      text_format(d->out, "<path class=\"mark\" d=\"%s\"/>", marker_path(k));
    }
    text_add(d->out, "</svg>");
    page_escape(d->out, d->chart->series[k].name);
    text_add(d->out, "</li>");
  }
  text_add(d->out, "</ul>\n");
}

static void draw_caption(struct drawing *d) {
  if (d->chart->caption != NULL || d->left_out > 0) {
    text_add(d->out, "<p class=\"note\">");
    if (d->chart->caption != NULL) {
      page_escape(d->out, d->chart->caption);
      text_add(d->out, d->left_out > 0 ? " " : "");
    }
    if (d->left_out > 0) {
      text_format(d->out, "Left out: %zu point%s without a place on these axes.", d->left_out,
                  d->left_out == 1 ? "" : "s");
    }
    text_add(d->out, "</p>");
  }
}

void page_chart(struct page *p, const struct chart *c) {
  struct drawing d = {.out = &p->html, .chart = c};
  page_group(p, GROUP_CHARTS);
  measure(&d);
  p->charts++;
  text_format(d.out, "<figure class=\"chart\" id=\"chart-%zu\"><figcaption>", p->charts);
  page_escape(d.out, c->title);
  text_format(d.out, "</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
              WIDTH, HEIGHT);
  page_escape(d.out, c->title);
  text_add(d.out, "\">\n");
  draw_axes(&d);
  for (size_t k = 0; k < c->count; k++) {
    draw_series(&d, k);
  }
  text_add(d.out, "</svg>\n");
  draw_legend(&d);
  draw_caption(&d);
  text_add(d.out, "</figure>\n");
}

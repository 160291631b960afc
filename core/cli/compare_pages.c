/* The pages of --html: estimators' errors against their costs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/output.h"
#include "page/page.h"
#include "run/directory.h"

static const char costs[] =
    "HVP-equivalents: a product with a Hessian or a cross derivative counts 1, a gradient 1/2, a "
    "value 1/4; the pullback's, without the solve, which is the same for all; a power method for "
    "a missing step is among them. Rows are not weighed: a product on a batch counts as one.";

/* ---- series out of the summary ---- */

struct pages {
  struct arena *a;
  struct page *page;
  const struct json *summary, *rows;
};

/* What has one name in a chart. */
enum group {
  BY_SERIES,   /* an item of --estimators, in each setting: a line through its values of --vary */
  BY_ESTIMATOR /* an item with its values of --vary: a line through the settings */
};

struct names {
  const char **items;
  size_t count;
};

static const char *name_of(const struct pages *p, const struct json *s, enum group group) {
  const char *setting = json_text_at(s, "setting");
  if (group == BY_ESTIMATOR) {
    return json_text_at(s, "estimator");
  }
  return setting[0] == '\0' ? json_text_at(s, "series")
                            : arena_format(p->a, "%s, %s", json_text_at(s, "series"), setting);
}

/* In the order of first appearance. */
static struct names names_of(const struct pages *p, const struct json *objects, enum group group) {
  struct names names = {arena_alloc(p->a, (objects->count + 1) * sizeof(char *)), 0};
  for (size_t i = 0; i < objects->count; i++) {
    const char *name = name_of(p, objects->items[i], group);
    int known = 0;
    for (size_t k = 0; k < names.count && !known; k++) {
      known = strcmp(names.items[k], name) == 0;
    }
    if (!known) {
      names.items[names.count++] = name;
    }
  }
  return names;
}

struct measure {
  const char *x, *y, *low, *high; /* keys */
  double x_times, y_times;
  const char *ringed; /* a flag's key, or NULL */
};

struct points {
  double *x, *y, *low, *high;
  const char **titles;
  unsigned char *ringed;
  size_t count;
};

static struct points points_new(struct arena *a, size_t most) {
  size_t n = most + 1;
  return (struct points){arena_alloc(a, n * sizeof(double)),
                         arena_alloc(a, n * sizeof(double)),
                         arena_alloc(a, n * sizeof(double)),
                         arena_alloc(a, n * sizeof(double)),
                         arena_alloc(a, n * sizeof(char *)),
                         arena_alloc(a, n),
                         0};
}

/* Insertion by x, so that a line through the points goes from left to right. */
static void points_add(struct points *q, double x, double y, double low, double high,
                       const char *title, int ringed) {
  size_t i = q->count++;
  for (; i > 0 && q->x[i - 1] > x; i--) {
    q->x[i] = q->x[i - 1];
    q->y[i] = q->y[i - 1];
    q->low[i] = q->low[i - 1];
    q->high[i] = q->high[i - 1];
    q->titles[i] = q->titles[i - 1];
    q->ringed[i] = q->ringed[i - 1];
  }
  q->x[i] = x;
  q->y[i] = y;
  q->low[i] = low;
  q->high[i] = high;
  q->titles[i] = title;
  q->ringed[i] = (unsigned char)ringed;
}

static struct chart_series series_of(const char *name, const struct points *q) {
  return (struct chart_series){.name = name,
                               .count = q->count,
                               .x = q->x,
                               .y = q->y,
                               .low = q->low,
                               .high = q->high,
                               .titles = q->titles,
                               .ringed = q->ringed};
}

static void take_points(const struct pages *p, const struct json *objects, enum group group,
                        const char *name, const struct measure *m, struct points *q) {
  for (size_t i = 0; i < objects->count; i++) {
    const struct json *s = objects->items[i];
    const struct json *ringed = m->ringed != NULL ? json_member(s, m->ringed) : NULL;
    double x = number_at(s, m->x) * m->x_times;
    double y = number_at(s, m->y) * m->y_times;
    if (strcmp(name_of(p, s, group), name) != 0 || isnan(x) || isnan(y)) {
      continue;
    }
    const char *setting = json_text_at(s, "setting");
    const char *title = arena_format(p->a, "%s%s%s: %.4g, %.4g", json_text_at(s, "estimator"),
                                     setting[0] != '\0' ? " at " : "", setting, x, y);
    double low = m->low != NULL ? number_at(s, m->low) : y;
    double high = m->high != NULL ? number_at(s, m->high) : y;
    points_add(q, x, y, low, high, title, ringed != NULL && ringed->boolean);
  }
}

static void add_chart(const struct pages *p, const struct json *objects, enum group group,
                      const struct measure *m, struct chart *c) {
  struct names names = names_of(p, objects, group);
  struct chart_series *series = arena_alloc(p->a, (names.count + 1) * sizeof *series);
  c->count = 0;
  for (size_t k = 0; k < names.count; k++) {
    struct points q = points_new(p->a, objects->count);
    take_points(p, objects, group, names.items[k], m, &q);
    if (q.count > 0) {
      series[c->count++] = series_of(names.items[k], &q);
    }
  }
  c->series = series;
  if (c->count > 0) {
    page_chart(p->page, c);
  }
}

/* ---- the charts ---- */

/* Does the number differ by more than that factor? */
static int differs(const struct json *objects, const char *key, double factor) {
  double least = INFINITY;
  double most = 0;
  for (size_t i = 0; i < objects->count; i++) {
    least = fmin(least, number_at(objects->items[i], key));
    most = fmax(most, number_at(objects->items[i], key));
  }
  return most > factor * least;
}

static void add_memory(const struct pages *p) {
  struct measure memory = {"inner_steps", "peak_bytes", NULL, NULL, 1, 1e-6, NULL};
  int grows = differs(p->summary, "inner_steps", 1);
  struct chart c = {.title = "Memory against inner steps",
                    .x_label = "inner steps",
                    .y_label = "most resident memory (MB)",
                    .caption = grows ? "Of the whole process, during solve and pullback."
                                     : "Of the whole process, during solve and pullback. Vary the "
                                       "lower level's steps (--vary levels.NAME.steps=10,100) to "
                                       "see whether it grows.",
                    .log_x = grows,
                    .log_y = differs(p->summary, "peak_bytes", 10),
                    .form = grows ? CHART_MARKS | CHART_LINE : CHART_MARKS};
  add_chart(p, p->summary, grows ? BY_ESTIMATOR : BY_SERIES, &memory, &c);
}

static void add_charts(const struct pages *p, int many_states) {
  struct measure cost = {"cost", "relative_error", "low", "high", 1, 1, "pareto_cost"};
  struct measure seconds = {"pullback_seconds", "relative_error", "low", "high", 1, 1,
                            "pareto_seconds"};
  struct measure states = {"step", "relative_error", NULL, NULL, 1, 1, NULL};
  struct chart c = {.title = "Error against oracle calls",
                    .x_label = "cost of the pullback (HVP-equivalents)",
                    .y_label = "relative error |x − r| / |r|",
                    .caption =
                        "Ringed: the Pareto front. Left and below is better; points above "
                        "one place cost the same.",
                    .log_x = 1,
                    .log_y = 1,
                    .form = CHART_MARKS | CHART_LINE};
  add_chart(p, p->summary, BY_SERIES, &cost, &c);
  c.title = "Error against seconds";
  c.x_label = "time of the pullback (s)";
  c.caption = "Ringed: the Pareto front. Seconds of one machine, one estimate at a time.";
  c.form = CHART_MARKS;
  add_chart(p, p->summary, BY_SERIES, &seconds, &c);
  add_memory(p);
  if (many_states) {
    c = (struct chart){.title = "Error along the trajectory",
                       .x_label = "top-level step",
                       .y_label = "relative error |x − r| / |r|",
                       .caption = "An item that --vary changes has a mark for each value.",
                       .log_y = 1,
                       .form = CHART_MARKS};
    add_chart(p, p->rows, BY_SERIES, &states, &c);
  }
}

/* ---- tables ---- */

static void add_table(const struct pages *p, struct table *t, const unsigned char *marked) {
  page_table(p->page, (const char *const *)t->cells, t->columns, t->count / t->columns, marked);
  table_free(t);
}

/* The least error of the series at no more than that cost; NaN if it has none. */
static double least_error(const struct pages *p, const char *name, double budget) {
  double least = NAN;
  for (size_t i = 0; i < p->summary->count; i++) {
    const struct json *s = p->summary->items[i];
    double error = number_at(s, "relative_error");
    if (strcmp(name_of(p, s, BY_SERIES), name) == 0 && number_at(s, "cost") <= budget) {
      least = fmin(least, error);
    }
  }
  return least;
}

/* Rows: budgets 1, 2, 5, 10, ... until all items fit. */
static void add_equal_cost(const struct pages *p) {
  static const double times[] = {1, 2, 5};
  struct table t = {0};
  double least = NAN;
  double most = NAN;
  for (size_t i = 0; i < p->summary->count; i++) {
    least = fmin(least, number_at(p->summary->items[i], "cost"));
    most = fmax(most, number_at(p->summary->items[i], "cost"));
  }
  if (isnan(most)) {
    return;
  }
  struct names names = names_of(p, p->summary, BY_SERIES);
  table_text(&t, "HVP-eq. at most");
  for (size_t k = 0; k < names.count; k++) {
    table_text(&t, names.items[k]);
  }
  table_end_head(&t);
  double before = 0;
  for (size_t i = 0; before < most && i < 60; i++) {
    double budget = times[i % 3] * pow(10, (double)(i / 3));
    before = budget;
    if (budget >= least) {
      table_number(&t, budget, "%.0f");
      for (size_t k = 0; k < names.count; k++) {
        table_number(&t, least_error(p, names.items[k], budget), "%.2e");
      }
    }
  }
  page_heading(p->page, "At equal cost");
  page_paragraph(p->page,
                 "The least relative error of each item's values of --vary that cost no "
                 "more than that; - where none is so cheap.");
  add_table(p, &t, NULL);
}

static void add_summary(const struct pages *p) {
  struct table t = {0};
  unsigned char *marked = arena_alloc(p->a, p->summary->count + 2);
  for (size_t i = 0; i < p->summary->count; i++) {
    marked[i + 1] = (unsigned char)json_member(p->summary->items[i], "pareto_cost")->boolean;
  }
  summary_cells(p->summary, &t);
  page_heading(p->page, "All items");
  page_paragraph(p->page,
                 "Relative error: the geometric mean over the states, with its extent (of one "
                 "state: mean ± standard deviation over repetitions). *: the Pareto front of "
                 "relative error and HVP-equivalents.");
  add_table(p, &t, marked);
}

static void add_bias(const struct pages *p) {
  static const char *const head[] = {"estimator", "step", "setting", "repetitions", "rel. error",
                                     "deviation", "bias", "from",    "to"};
  struct table t = {0};
  for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
    table_text(&t, head[i]);
  }
  table_end_head(&t);
  for (size_t i = 0; i < p->rows->count; i++) {
    const struct json *row = p->rows->items[i];
    const struct json *bias = json_member(row, "bias");
    if (bias != NULL) {
      table_text(&t, json_text_at(row, "estimator"));
      table_number(&t, number_at(row, "step"), "%.0f");
      table_text(&t, json_text_at(row, "setting"));
      table_number(&t, number_at(row, "repetitions"), "%.0f");
      table_number(&t, number_at(row, "relative_error"), "%.2e");
      table_number(&t, number_at(row, "relative_error_deviation"), "%.1e");
      table_number(&t, number_at(bias, "estimate"), "%.2e");
      table_number(&t, number_at(bias, "low"), "%.2e");
      table_number(&t, number_at(bias, "high"), "%.2e");
    }
  }
  if (t.count > t.columns) {
    page_heading(p->page, "Stochastic estimators");
    page_paragraph(p->page,
                   "Mean and standard deviation of the relative error over the repetitions; the "
                   "bias |E x − r| / |r|, its square estimated without bias from pairs of "
                   "repetitions, with a 95 % interval by the jackknife.");
    add_table(p, &t, NULL);
  }
  table_free(&t);
}

static void add_errors(const struct pages *p) {
  for (size_t i = 0, said = 0; i < p->rows->count; i++) {
    const struct json *row = p->rows->items[i];
    const char *error = json_text_at(row, "error");
    if (error[0] != '\0') {
      if (said++ == 0) {
        page_heading(p->page, "Without a result");
      }
      page_paragraph(p->page,
                     arena_format(p->a, "%s, step %.0f: %s", json_text_at(row, "estimator"),
                                  number_at(row, "step"), error));
    }
  }
}

static void add_reference(const struct pages *p, const struct json *references) {
  double residual = 0;
  for (size_t i = 0; i < references->count; i++) {
    const char *error = json_text_at(references->items[i], "error");
    if (error[0] != '\0') {
      page_paragraph(p->page, arena_format(p->a, "No reference at step %.0f: %s",
                                           number_at(references->items[i], "step"), error));
    }
    residual = fmax(residual, number_at(references->items[i], "residual"));
  }
  page_paragraph(p->page,
                 arena_format(p->a,
                              "Each estimator solves and pulls back on the same frozen states, in "
                              "a process of its own. Reference r: %s in f64, residual at most "
                              "%.2g.",
                              json_text_at(references->items[0], "estimator"), residual));
  page_paragraph(p->page, costs);
}

void pages_estimators(struct arena *a, struct page *page, const struct json *document) {
  const struct json *references = json_member(document, "references");
  struct pages p = {.a = a,
                    .page = page,
                    .summary = json_member(document, "summary"),
                    .rows = json_member(document, "rows")};
  int many = 0;
  for (size_t i = 1; i < references->count; i++) {
    many =
        many || number_at(references->items[i], "step") != number_at(references->items[0], "step");
  }
  add_reference(&p, references);
  add_charts(&p, many);
  add_equal_cost(&p);
  add_summary(&p);
  add_bias(&p);
  add_errors(&p);
}

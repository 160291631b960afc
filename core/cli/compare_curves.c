/* The page of whole runs: the outer objective against oracle calls, seconds and steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/compare.h"
#include "cli/output.h"
#include "page/page.h"
#include "run/directory.h"

#define FILE_MOST ((size_t)1 << 30)

/* ---- what a run recorded ---- */

struct sample {
  int64_t step;
  double objective, cost, seconds; /* NaN until they are read */
};

/* The samples of one run, in order of their steps: one for each step with oracle counts. */
struct curve {
  struct sample *items;
  size_t count, capacity;
};

static struct sample *sample_at(struct curve *c, double step, int make) {
  size_t low = 0;
  size_t high = c->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if ((double)c->items[middle].step < step) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low < c->count && (double)c->items[low].step == step) {
    return &c->items[low];
  }
  if (!make || low < c->count || !(step >= 0)) { /* a run writes its steps in order */
    return NULL;
  }
  struct sample new = {(int64_t)step, NAN, 0, NAN};
  array_push(c->items, c->count, c->capacity, new);
  return &c->items[c->count - 1];
}

static void take_cost(struct curve *c, const struct json *line) {
  static const char *const names[] = {"oracle.values", "oracle.gradients", "oracle.hvps",
                                      "oracle.cross"};
  static const double weights[][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 1}};
  for (size_t i = 0; i < 4; i++) {
    if (strcmp(json_text_at(line, "name"), names[i]) == 0) {
      struct sample *s = sample_at(c, number_at(line, "step"), 1);
      double n = number_at(line, "value");
      if (s != NULL) {
        s->cost += hvp_equivalents(weights[i][0] * n, weights[i][1] * n, weights[i][2] * n);
      }
    }
  }
}

static void take_objective(struct curve *c, const char *objective, const struct json *line) {
  struct sample *s = sample_at(c, number_at(line, "step"), 0);
  if (s != NULL && strcmp(json_text_at(line, "name"), objective) == 0) {
    s->objective = number_at(line, "value");
  }
}

static void take_seconds(struct curve *c, const struct json *line) {
  struct sample *s = sample_at(c, number_at(line, "step"), 0);
  if (s != NULL) {
    s->seconds = number_at(line, "seconds");
  }
}

enum pass { PASS_COST, PASS_OBJECTIVE, PASS_SECONDS };

static void take_line(struct curve *c, enum pass pass, const char *objective, const char *text,
                      size_t size) {
  struct arena *a = arena_new();
  struct json *line = NULL;
  if (json_parse(a, "line", text, size, &line) != TIER_OK) {
    error_clear(); /* the torn last line of a killed run */
  } else if (pass == PASS_COST) {
    take_cost(c, line);
  } else if (pass == PASS_OBJECTIVE) {
    take_objective(c, objective, line);
  } else {
    take_seconds(c, line);
  }
  arena_free(a);
}

/* Each line of the file that holds `needle`. A file that cannot be read has no lines. */
static void read_lines(struct curve *c, enum pass pass, const char *directory, const char *name,
                       const char *objective, const char *needle) {
  char *path = path_join(directory, name);
  char *data = NULL;
  size_t size = 0;
  if (file_read(path, FILE_MOST, &data, &size) != TIER_OK) {
    error_clear();
  }
  for (char *at = data; at != NULL && *at != '\0';) {
    char *end = at + strcspn(at, "\n");
    int last = *end == '\0';
    *end = '\0';
    if (strstr(at, needle) != NULL) {
      take_line(c, pass, objective, at, (size_t)(end - at));
    }
    at = last ? NULL : end + 1;
  }
  free(data);
  free(path);
}

static struct curve curve_of(const char *directory, const char *objective) {
  struct curve c = {0};
  read_lines(&c, PASS_COST, directory, "metrics.jsonl", objective, "\"oracle.");
  read_lines(&c, PASS_OBJECTIVE, directory, "metrics.jsonl", objective, objective);
  read_lines(&c, PASS_SECONDS, directory, "timing.jsonl", objective, "\"seconds\"");
  return c;
}

/* ---- a variant: mean and spread over its finished seeds ---- */

struct band {
  const char *variant;
  size_t seeds, count;
  double *step, *cost, *seconds, *mean, *low, *high;
};

/* Point i of the band: the step of sample i of the first seed, if all seeds have it. */
static void add_point(struct band *b, struct curve *curves, size_t i) {
  struct statistic objective = {0};
  struct statistic cost = {0};
  struct statistic seconds = {0};
  double step = (double)curves[0].items[i].step;
  for (size_t k = 0; k < b->seeds; k++) {
    const struct sample *s = sample_at(&curves[k], step, 0);
    if (s == NULL) {
      return;
    }
    statistic_add(&objective, s->objective);
    statistic_add(&cost, s->cost);
    statistic_add(&seconds, s->seconds);
  }
  objective = statistic_finish(objective);
  double spread = isfinite(objective.deviation) ? objective.deviation : 0;
  b->step[b->count] = step;
  b->cost[b->count] = statistic_finish(cost).mean;
  b->seconds[b->count] = statistic_finish(seconds).mean;
  b->mean[b->count] = objective.mean;
  b->low[b->count] = objective.mean - spread;
  b->high[b->count] = objective.mean + spread;
  b->count++;
}

static struct band band_of(struct arena *a, const char *variant, const char *objective,
                           const struct json *rows) {
  struct band b = {.variant = variant};
  struct curve *curves = memory_alloc(rows->count + 1, sizeof *curves);
  for (size_t i = 0; i < rows->count; i++) {
    const struct json *row = rows->items[i];
    if (strcmp(json_text_at(row, "variant"), variant) == 0 &&
        strcmp(json_text_at(row, "status"), "finished") == 0) {
      curves[b.seeds++] = curve_of(json_text_at(row, "dir"), objective);
    }
  }
  double **const arrays[] = {&b.step, &b.cost, &b.seconds, &b.mean, &b.low, &b.high};
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
    *arrays[i] = arena_alloc(a, (curves[0].count + 1) * sizeof(double));
  }
  for (size_t i = 0; i < curves[0].count; i++) {
    add_point(&b, curves, i);
  }
  for (size_t k = 0; k < b.seeds; k++) {
    free(curves[k].items);
  }
  free(curves);
  return b;
}

/* ---- the page ---- */

/* Is the extent positive and wide enough for a logarithmic axis? */
static int is_wide(const struct band *bands, size_t count) {
  double least = INFINITY;
  double most = 0;
  for (size_t k = 0; k < count; k++) {
    for (size_t i = 0; i < bands[k].count; i++) {
      least = fmin(least, bands[k].low[i]);
      most = fmax(most, bands[k].high[i]);
    }
  }
  return least > 0 && most > 20 * least;
}

enum abscissa { BY_COST, BY_SECONDS, BY_STEPS };

static void add_curves(struct arena *a, struct page *p, const struct band *bands, size_t count,
                       enum abscissa by, const char *objective) {
  static const char *const titles[] = {"Outer objective against oracle calls",
                                       "Outer objective against seconds",
                                       "Outer objective against steps"};
  static const char *const labels[] = {"oracle calls (HVP-equivalents)", "time (s)",
                                       "top-level steps"};
  struct chart_series *series = arena_alloc(a, (count + 1) * sizeof *series);
  struct chart c = {.title = titles[by],
                    .x_label = labels[by],
                    .y_label = objective,
                    .caption = "Mean over the seeds; the band is ± one standard deviation.",
                    .log_y = is_wide(bands, count),
                    .form = CHART_LINE | CHART_BAND,
                    .series = series};
  for (size_t k = 0; k < count; k++) {
    const struct band *b = &bands[k];
    if (b->count > 0) {
      series[c.count++] = (struct chart_series){
          .name =
              b->seeds > 1 ? arena_format(a, "%s (%zu seeds)", b->variant, b->seeds) : b->variant,
          .count = b->count,
          .x = by == BY_COST      ? b->cost
               : by == BY_SECONDS ? b->seconds
                                  : b->step,
          .y = b->mean,
          .low = b->seeds > 1 ? b->low : NULL,
          .high = b->seeds > 1 ? b->high : NULL};
    }
  }
  page_chart(p, &c);
}

static size_t variants_of(const struct json *rows, const char **names) {
  size_t count = 0;
  for (size_t i = 0; i < rows->count; i++) {
    const char *name = json_text_at(rows->items[i], "variant");
    int known = 0;
    for (size_t k = 0; k < count && !known; k++) {
      known = strcmp(names[k], name) == 0;
    }
    if (!known) {
      names[count++] = name;
    }
  }
  return count;
}

static void add_errors(struct arena *a, struct page *p, const struct json *rows) {
  for (size_t i = 0; i < rows->count; i++) {
    const struct json *row = rows->items[i];
    if (json_text_at(row, "error")[0] != '\0') {
      page_paragraph(p, arena_format(a, "%s, %s: %s", json_text_at(row, "variant"),
                                     json_text_at(row, "status"), json_text_at(row, "error")));
    }
  }
}

void pages_runs(struct arena *a, struct page *p, const char *objective, const struct json *rows,
                const struct table *t) {
  const char **names = arena_alloc(a, (rows->count + 1) * sizeof *names);
  size_t count = variants_of(rows, names);
  struct band *bands = arena_alloc(a, (count + 1) * sizeof *bands);
  for (size_t k = 0; k < count; k++) {
    bands[k] = band_of(a, names[k], objective, rows);
  }
  page_paragraph(p,
                 "HVP-equivalents: a product with a Hessian or a cross derivative counts 1, a "
                 "gradient 1/2, a value 1/4, of all levels. Rows are not weighed: a product on "
                 "a batch counts as one.");
  add_curves(a, p, bands, count, BY_COST, objective);
  add_curves(a, p, bands, count, BY_SECONDS, objective);
  add_curves(a, p, bands, count, BY_STEPS, objective);
  page_heading(p, "At the end");
  page_paragraph(p, "Mean ± sample standard deviation over the finished seeds.");
  page_table(p, (const char *const *)t->cells, t->columns, t->count / t->columns, NULL);
  add_errors(a, p, rows);
}

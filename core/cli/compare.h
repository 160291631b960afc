/* The parts of compare: what is compared (compare_plan.c), its processes and documents
 * (compare_estimators.c), statistics (compare_statistics.c), and what is written (compare_files.c,
 * compare_pages.c). */
#ifndef CLI_COMPARE_H
#define CLI_COMPARE_H

#include "base/archive.h"
#include "cli/items.h"
#include "cli/options.h"
#include "cli/session.h"

/* ---- the plan: states, settings, items ---- */

/* Values of the manifest that --vary gives: a state is solved and referred to anew in each. */
struct setting {
  struct texts sets; /* "levels.inner.steps=10" */
  const char *label; /* the same in one text; "" if there are none */
};

/* One item, with what --vary gives to its parameters. */
struct compared {
  struct item item;
  const char *series; /* the item as it stands in --estimators */
  const char *label;  /* with what --vary changes: "neumann:terms=3" */
};

struct plan {
  int64_t *steps; /* ascending */
  size_t step_count;
  struct setting *settings; /* at least one */
  size_t setting_count;
  struct compared *items;
  size_t item_count;
  int64_t repeat; /* how often a stochastic item is estimated; at least 1 */
};

/* Reads --at-step, --at-steps, --repeat, --estimators and --vary, into the arena. `own` is the
 * manifest's own application on the edge: an item of its id starts from its parameters where --vary
 * changes it (NULL: none). TIER_E_INVALID names what cannot be read. */
int32_t plan_make(struct arena *a, const struct options *o, const struct json *own,
                  struct plan *out);

/* Its steps only. */
int32_t plan_steps(struct arena *a, const struct options *o, struct plan *out);

/* PREFIX-at-STEP, where a frozen state and what is computed on it are; free() it. */
char *compare_directory(const char *prefix, int64_t step);
#define FROZEN_STATE "frozen.state"

/* ---- statistics ---- */

struct statistic {
  size_t count;
  double mean, deviation; /* sample standard deviation, NaN for fewer than two */
};
/* Welford; begin with {0}, add (numbers that are not finite are passed over), then finish. */
void statistic_add(struct statistic *s, double x);
struct statistic statistic_finish(struct statistic s);

/* x.r / (|x| |r|) and |x - r| / |r| of arrays of n numbers, and |r|. */
void agreement(const double *x, const double *r, uint64_t n, double *cosine, double *error);

/* The bias |E x - r| / |r| of `count` (>= 3) independent estimates x[i] of r: the root of the
 * unbiased estimate of its square, 0 where that is negative, and a 95 % interval for it. */
struct bias {
  double estimate, low, high;
};
struct bias bias_of(const double *const *x, size_t count, const double *r, uint64_t n);

/* ---- costs ---- */

/* Oracle calls in HVP-equivalents: a product with a Hessian or a cross derivative counts 1, a
 * gradient 1/2, a value 1/4 (a gradient costs about two values; a product, two gradients). Rows
 * are not weighed. */
double hvp_equivalents(double values, double gradients, double products);
/* The same of an object with "values", "gradients", "hvps" and "cross"; absent ones count 0. */
double hvp_equivalents_of(const struct json *oracle);

/* ---- the summary: one object an item and setting, over the states ---- */

/* Of rows: "estimator", "series", "setting", "states" (without an error), "relative_error"
 * (geometric mean), "low" and "high" (its extent over the states; of one state, mean -+ deviation
 * over its repetitions), means of "cost", "pullback_seconds", "inner_steps", the largest
 * "peak_bytes", and "pareto_cost", "pareto_seconds": no other item of that setting is as good in
 * both and better in one. */
struct json *summary_of(struct arena *a, const struct json *rows);
/* The summary as a table with its head. */
struct table;
void summary_cells(const struct json *summary, struct table *t);

/* ---- what is written ---- */

/* --csv and --html must be writable at the end: their directories must exist. */
int32_t compare_check_files(const struct options *o);
/* Writes --csv and --html, where asked for, of a document with "rows" and "summary". */
int32_t compare_write_estimators(const struct options *o, const char *title,
                                 const struct json *document);
/* The same of whole runs: rows as --json prints them, and the table. `objective` is "LEVEL.loss" of
 * the top level. */
int32_t compare_write_runs(const struct options *o, const char *title, const char *objective,
                           const struct json *rows, const struct table *t);
struct page;
void pages_estimators(struct arena *a, struct page *p, const struct json *document);
void pages_runs(struct arena *a, struct page *p, const char *objective, const struct json *rows,
                const struct table *t);

#endif

/* A manifest as a problem that can be stepped: data, variables, levels, oracles, ledger.
 *
 * One problem at a time in a process: dtype and threads of vectors are process-wide. */
#ifndef PROBLEM_PROBLEM_H
#define PROBLEM_PROBLEM_H

#include <tier/cost.h>

#include "manifest/manifest.h"

struct problem;
struct problem_carried;
struct profile;

struct problem_options {
  const struct registry *registry;
  const char *const *data_directories; /* --data DIR ..., then TIER_DATA; the manifest's is last */
  size_t data_directory_count;
  uint64_t seed;
  /* Another number gives the estimators other draws, and nothing else; a run has 0. */
  uint64_t repetition;
  /* Describes data, declares variables, builds and shape-checks every graph, all without reading
   * data beyond headers; errors go to `diagnostics`. Nothing else can be called on the result. */
  int check_only;
  struct diagnostics *diagnostics; /* may be NULL unless check_only */
  /* From the phase before: the variables start there; the budget and the ledger go on from there.
   * NULL: this is the first. It is only read, by problem_new. */
  const struct problem_carried *carried;
  struct profile *profile; /* base/profile.h; NULL: none; it outlives the problem */
};

/* The manifest must outlive it. On failure the text is with `fail`, or in the diagnostics. */
int32_t problem_new(const struct manifest *m, const struct problem_options *options,
                    struct problem **out);
void problem_free(struct problem *p); /* NULL is fine */

/* ---- stepping ---- */

/* Top-level steps that it will take; -1 where only a budget ends it. */
int64_t problem_steps(const struct problem *p);
int64_t problem_done(const struct problem *p); /* steps taken */
/* One top-level step through the solver. On failure nothing was updated by that step's failing
 * level; the text names level, variable and step. */
int32_t problem_step(struct problem *p);
/* NULL while there is more to do; else why it ended: "steps", "budget: gradients", ... */
const char *problem_end(const struct problem *p);
int32_t problem_finish(struct problem *p); /* after the last step: the solver's finish */

/* ---- phases: a problem for each, one after the other ---- */

/* Stores what the phase's `then` says: everything is evaluated before anything is stored. */
int32_t problem_store(struct problem *p);
/* What the problem of the next phase goes on with: every variable, and what was spent. It outlives
 * the problem; problem_carried_free it. */
int32_t problem_carry(struct problem *p, struct problem_carried **out);
void problem_carried_free(struct problem_carried *c); /* NULL is fine */
/* 1 if the budget of the run, not of the phase, has ended it. */
int problem_run_is_over(const struct problem *p);

/* ---- what a step left ---- */

/* Calls with every number of the last step: "outer.loss", "outer.loss.0", "inner.loss",
 * "inner.gradient_norm", "outer.report.residual" (several edges: "outer.report.inner.residual") ...
 */
void problem_numbers(const struct problem *p,
                     void (*number)(void *context, const char *name, double value), void *context);
/* Texts of reports ("outer.report.stop"), likewise. */
void problem_texts(const struct problem *p,
                   void (*text)(void *context, const char *name, const char *value), void *context);
/* Metric `index` of the manifest, at the present state, on all rows. */
int32_t problem_metric(struct problem *p, size_t index, double *value);
/* Writes output `index` to DIRECTORY/NAME.EXTENSION, atomically; *path (free() it) tells where. */
int32_t problem_output(struct problem *p, size_t index, const char *directory, char **path);
/* Warnings that arose since the last call (stationarity ...): one line each; free() it; NULL: none.
 */
char *problem_warnings(struct problem *p);

/* ---- the ledger: oracle calls ---- */

struct ledger {
  int64_t values, gradients, hvps, cross, samples;
};
struct ledger problem_ledger(const struct problem *p); /* all levels */
struct ledger problem_level_ledger(const struct problem *p, size_t level);
/* Seconds inside lower levels' solves, and inside pullbacks, so far. */
double problem_solve_seconds(const struct problem *p);
double problem_pullback_seconds(const struct problem *p);

/* ---- state: what a checkpoint holds ---- */

/* Everything that a step reads or writes, as a file (core/base/archive.h). */
int32_t problem_save(struct problem *p, const char *path);
/* Refuses a file of another problem, naming the array that differs; the problem is of no use then.
 * With `convert`, a state saved in f32 loads into f64 (compare's reference), and the arrays of the
 * top level's estimators (which may be others) are left as they are. */
int32_t problem_load(struct problem *p, const char *path, int convert);

/* ---- one hypergradient at the present state, for comparisons ---- */

struct problem_estimate {
  int64_t size;          /* of the top level's variables */
  double *hypergradient; /* free() it */
  struct ledger solve, pullback;
  double solve_seconds, pullback_seconds;
  int64_t peak_bytes;
  double residual;      /* of the linear solve; NaN if there is none */
  double gradient_norm; /* of the lower level at its solution */
  char stop[64];
  double direct_norm, response_norm;
};
/* Solves the lower levels and pulls back, without updating the top level. */
int32_t problem_estimate(struct problem *p, struct problem_estimate *out);
/* The largest eigenvalue (in modulus) of the Hessian of lower level `level` at its present w, by
 * `iterations` steps of the power method, counted in the ledger (hvps). */
int32_t problem_curvature(struct problem *p, size_t level, int iterations, double *lambda);

/* An edge as its estimator sees it, and what that says it will cost; also of a problem that was
 * only checked. */
struct problem_edge {
  int64_t n, p;   /* sizes of the lower level's variables and of the edge's inputs */
  int64_t steps;  /* of the lower level; -1: not known before data are read, or without end */
  int64_t state;  /* of the optimizer that is followed */
  int stochastic; /* the lower level draws batches */
  int has_cost;   /* the estimator says what it costs */
  tier_cost cost;
};
int32_t problem_edge_facts(const struct problem *p, size_t upper, size_t lower,
                           struct problem_edge *out);

/* 1 if the optimizer of that level is a differentiable step, 0 if it is procedural or none. */
int problem_has_step(const struct problem *p, size_t level);

/* ---- facts for provenance ---- */

/* Calls with each data file that was read: path and SHA-256. */
void problem_files(const struct problem *p,
                   void (*file)(void *context, const char *path, const char *sha256),
                   void *context);
int problem_threads(const struct problem *p);

#endif

/* The tier side of bench/run: a process that evaluates one task again and again and says how long
 * each evaluation took. It is driven through stdin, one command a line (driver.c), so that the
 * runner can let two sides take turns. */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include "cli/options.h"

struct json;
struct arena;

/* Something that can be evaluated repeatedly from one state. */
struct task {
  /* One evaluation from the same state; *seconds of what is to be timed. */
  int32_t (*evaluate)(struct task *t, double *seconds);
  /* What the last evaluation computed: *count numbers, free() them. */
  int32_t (*result)(struct task *t, int64_t *count, double **values);
  /* Adds counts of the last evaluation (oracle calls, why it stopped) to the object; may be NULL.
   */
  void (*facts)(const struct task *t, struct arena *a, struct json *j);
  void (*close)(struct task *t);
};

int bench_threads(const struct options *o); /* --threads; 0: all */

/* On failure the text is with `fail`. A task is closed with its `close`. */

/* problem_task.c: of a manifest, all through the problem layer, as a run does. */
enum problem_measure {
  MEASURE_PULLBACK,      /* the hypergradient at a lower solution that is given */
  MEASURE_HYPERGRADIENT, /* the lower level's steps, too */
  MEASURE_GRADIENT,      /* of the lower objective */
  MEASURE_HVP,           /* a Hessian-vector product with its linearization */
  MEASURE_STAGED_HVP,    /* at a linearization that stays bound */
  MEASURE_MAKING         /* building and compiling all that a first hypergradient needs */
};
int32_t problem_task(const struct options *o, enum problem_measure measure, struct task **out);
/* training_task.c: training steps written as graphs. */
int32_t vae_task(const struct options *o, struct task **out);
int32_t wgan_task(const struct options *o, struct task **out);

/* sgemm.c: flop/s of C (m, n) = A (m, k) B (k, n) with `threads` threads that each compute such a
 * product of their own, over at least `seconds`. ta, tb: A, B are stored transposed. */
int32_t sgemm_rate(int threads, int64_t m, int64_t n, int64_t k, int ta, int tb, double seconds,
                   double *rate);

#endif

/* Where the time of a run goes: `--profile` and `--trace`.
 *
 * Two kinds of things are timed. Phases nest on the main thread ("solve inner" inside "step") and
 * make a tree. Steps of programs are leaves: each program says once what its steps are, and then
 * adds time to them, from any thread. A NULL profile means that nothing is wanted; asking costs one
 * branch. Profiling changes no result.
 *
 * With a trace, each phase also leaves an event; steps do for the first runs of their program only.
 */
#ifndef BASE_PROFILE_H
#define BASE_PROFILE_H

#include <stdint.h>
#include <time.h>

struct profile;
struct profile_program;

/* `most_events` bounds the trace; 0: no trace. To be made on the main thread. */
struct profile *profile_new(int64_t most_events);
void profile_free(struct profile *p); /* NULL is fine */

static inline int64_t profile_now(void) { /* nanoseconds */
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- phases: on the main thread, each begin with its end ---- */

void profile_enter(struct profile *p, const char *what, const char *detail);
void profile_leave(struct profile *p);
/* "solve", "inner"; `detail` may be NULL. Texts are copied. */
static inline void profile_begin(struct profile *p, const char *what, const char *detail) {
  if (p != NULL) {
    profile_enter(p, what, detail);
  }
}
static inline void profile_end(struct profile *p) {
  if (p != NULL) {
    profile_leave(p);
  }
}

/* ---- programs ---- */

/* What one step does. Texts are copied. */
struct profile_step {
  const char *op;                     /* "matmul" */
  const char *shapes;                 /* "2000x784 784x10 -> 2000x10" */
  const char *plugin, *entry, *place; /* who asked for it; NULL: unknown */
  int64_t flops;                      /* of one call; a function value counts as one */
  int64_t bytes;                      /* that one call reads and writes, each element once */
};

/* A program with its steps; it lives as long as `p`. One that is compiled again, with the same name
 * and the same steps, is the same. */
struct profile_program *profile_program(struct profile *p, const char *name,
                                        const struct profile_step *steps, uint32_t count);

/* Around a run of the program, on the main thread; `what`: "bind", "run". Steps in between. */
void profile_program_enter(struct profile_program *q, const char *what);
void profile_program_leave(struct profile_program *q);

/* Step `step` ran from `began` (profile_now()) until now, on all threads that it wanted. Returns
 * now, which is when the next one begins. */
int64_t profile_add(struct profile_program *q, uint32_t step, int64_t began);

/* Steps that run interleaved, on several threads at once: each thread adds the time of each piece
 * with profile_add_piece, at any time until, on the main thread, profile_add_region divides the
 * wall time since `began` among steps first .. first + count - 1 in proportion to what was added
 * to them, and counts one call of each. Both return now. */
int64_t profile_add_piece(struct profile_program *q, uint32_t step, int64_t began);
int64_t profile_add_region(struct profile_program *q, uint32_t first, uint32_t count,
                           int64_t began);

/* ---- what was found ---- */

struct profile_phase {
  const char *what, *detail; /* detail may be NULL */
  int depth;                 /* 0: the outermost */
  int is_program;            /* a run of a program; its steps are not phases */
  int64_t calls, nanoseconds;
  int64_t own; /* nanoseconds, without the phases inside */
};
/* Calls `visit` for each phase, before those inside it, in order of first entry. */
void profile_phases(const struct profile *p,
                    void (*visit)(void *context, const struct profile_phase *phase), void *context);

struct profile_count {
  const struct profile_step *step;
  const char *program;
  int64_t calls, nanoseconds;
};
/* Calls `visit` for each step that ran, in order of description. */
void profile_steps(const struct profile *p,
                   void (*visit)(void *context, const struct profile_count *count), void *context);

/* Events, those of each thread in order of their begin; of those that have not ended, `end` is now.
 */
struct profile_event {
  const char *what, *detail;       /* a phase; or op and shapes of a step */
  const struct profile_step *step; /* NULL: a phase */
  int thread;                      /* 0: the main thread */
  int64_t begin, end;              /* nanoseconds since the profile was made */
};
void profile_events(const struct profile *p,
                    void (*visit)(void *context, const struct profile_event *event), void *context);
/* Events for which there was no room. */
int64_t profile_lost(const struct profile *p);

#endif

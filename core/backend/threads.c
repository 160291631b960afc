/* A small pool. One job at a time: the caller opens it and works on it itself; workers that come
 * while it is open enter, and take chunks, in order, from one counter. When no chunk is left the
 * caller closes it and waits for those that are inside, not for workers that are still waking up.
 * Which thread runs a chunk is left open; what a chunk is must not depend on the number of threads.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/memory.h"

/* How often an idle worker looks for a job before it sleeps: 20 to 100 microseconds, about what
 * waking it up again costs. */
#define SPINS 2000

#define OPEN (UINT64_C(1) << 32)

struct threads {
  int count; /* the caller's included */
  pthread_t *workers;
  pthread_mutex_t mutex;
  pthread_cond_t wake;  /* a job was opened, or stop */
  pthread_cond_t done;  /* the last worker has left the closed job */
  _Atomic int sleeping; /* workers that wait for `wake` */
  _Atomic int stop;
  /* The job. `generation` grows with each; workers compare it with the last one they saw. */
  _Atomic uint64_t generation;
  void (*run)(void *context, int64_t chunk);
  void *context;
  int64_t chunks;
  _Atomic int64_t next;
  _Atomic uint64_t gate; /* how many workers are inside; + OPEN while more may enter */
  atomic_flag busy;      /* one job at a time */
};

static _Thread_local int inside_chunk;

static void take_chunks(struct threads *t) {
  inside_chunk = 1;
  for (;;) {
    int64_t chunk = atomic_fetch_add(&t->next, 1);
    if (chunk >= t->chunks) {
      break;
    }
    t->run(t->context, chunk);
  }
  inside_chunk = 0;
}

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/* Waits for a generation other than `seen`; returns it. */
static uint64_t wait_for_job(struct threads *t, uint64_t seen) {
  for (int i = 0; i < SPINS; i++) {
    uint64_t now = atomic_load(&t->generation);
    if (now != seen) {
      return now;
    }
    pause_briefly();
  }
  (void)pthread_mutex_lock(&t->mutex);
  atomic_fetch_add(&t->sleeping, 1); /* before it looks again; announce() looks after it changed */
  while (atomic_load(&t->generation) == seen) {
    (void)pthread_cond_wait(&t->wake, &t->mutex);
  }
  atomic_fetch_sub(&t->sleeping, 1);
  (void)pthread_mutex_unlock(&t->mutex);
  return atomic_load(&t->generation);
}

/* 1 if the worker is inside a job that is open. */
static int enter_job(struct threads *t) {
  uint64_t gate = atomic_load(&t->gate);
  while ((gate & OPEN) != 0) {
    if (atomic_compare_exchange_weak(&t->gate, &gate, gate + 1)) {
      return 1;
    }
  }
  return 0;
}

static void leave_job(struct threads *t) {
  if (atomic_fetch_sub(&t->gate, 1) == 1) { /* closed, and this was the last */
    (void)pthread_mutex_lock(&t->mutex);
    (void)pthread_cond_signal(&t->done);
    (void)pthread_mutex_unlock(&t->mutex);
  }
}

static void *work(void *context) {
  struct threads *t = context;
  uint64_t seen = 0;
  for (;;) {
    seen = wait_for_job(t, seen);
    if (t->stop) {
      return NULL;
    }
    if (enter_job(t)) {
      take_chunks(t);
      leave_job(t);
    }
  }
}

/* Makes workers look: those that spin by the generation alone, and up to `wanted` that sleep. */
static void announce(struct threads *t, int64_t wanted) {
  atomic_fetch_add(&t->generation, 1);
  if (atomic_load(&t->sleeping) == 0) {
    return;
  }
  (void)pthread_mutex_lock(&t->mutex);
  if (wanted >= t->count - 1) {
    (void)pthread_cond_broadcast(&t->wake);
  }
  for (int64_t i = 0; i < wanted && wanted < t->count - 1; i++) {
    (void)pthread_cond_signal(&t->wake);
  }
  (void)pthread_mutex_unlock(&t->mutex);
}

static void close_job(struct threads *t) {
  atomic_fetch_and(&t->gate, ~OPEN);
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load(&t->gate) == 0) {
      return;
    }
    pause_briefly();
  }
  (void)pthread_mutex_lock(&t->mutex);
  while (atomic_load(&t->gate) != 0) {
    (void)pthread_cond_wait(&t->done, &t->mutex);
  }
  (void)pthread_mutex_unlock(&t->mutex);
}

void threads_run(struct threads *t, int64_t chunks, void (*run)(void *context, int64_t chunk),
                 void *context) {
  /* Alone, inside a chunk, or while another thread has the pool: in order, here. */
  if (t == NULL || t->count == 1 || chunks < 2 || inside_chunk ||
      atomic_flag_test_and_set(&t->busy)) {
    for (int64_t i = 0; i < chunks; i++) {
      run(context, i);
    }
    return;
  }
  t->run = run;
  t->context = context;
  t->chunks = chunks;
  atomic_store(&t->next, 0);
  atomic_store(&t->gate, OPEN);
  announce(t, chunks - 1);
  take_chunks(t);
  close_job(t);
  atomic_flag_clear(&t->busy);
}

static int available_cpus(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > 0 ? count : 1;
}

int32_t threads_new(int count, struct threads **out) {
  struct threads *t = memory_alloc(1, sizeof *t);
  int wanted = count > 0 ? count : available_cpus();
  *out = NULL;
  t->count = 1;
  t->workers = memory_alloc((size_t)wanted, sizeof *t->workers);
  (void)pthread_mutex_init(&t->mutex, NULL);
  (void)pthread_cond_init(&t->wake, NULL);
  (void)pthread_cond_init(&t->done, NULL);
  atomic_flag_clear(&t->busy);
  for (int i = 1; i < wanted; i++) {
    if (pthread_create(&t->workers[i - 1], NULL, work, t) != 0) {
      threads_free(t);
      return fail(TIER_E_MEMORY, "cannot start thread %d of %d; ask for fewer (compute.threads)",
                  i + 1, wanted);
    }
    t->count++;
  }
  *out = t;
  return TIER_OK;
}

void threads_free(struct threads *t) {
  if (t == NULL) {
    return;
  }
  t->stop = 1;
  announce(t, t->count - 1);
  for (int i = 0; i + 1 < t->count; i++) {
    (void)pthread_join(t->workers[i], NULL);
  }
  (void)pthread_mutex_destroy(&t->mutex);
  (void)pthread_cond_destroy(&t->wake);
  (void)pthread_cond_destroy(&t->done);
  free(t->workers);
  free(t);
}

int threads_count(const struct threads *t) {
  return t == NULL ? 1 : t->count;
}

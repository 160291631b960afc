/* What the machine can do: the rate of OpenBLAS's sgemm for one shape. Each thread computes
 * products of its own, so no synchronisation and no shared matrix slows it down. */
#include <stdlib.h>

#include "backend/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "bench/driver.h"
#include "problem/levels.h"

struct shape {
  int64_t m, n, k;
  int ta, tb;
  int64_t repeats;
  float **buffers; /* A, B, C of each thread */
};

/* Row-major C = A B is column-major C' = B' A'. */
static void multiply(void *context, int64_t chunk) {
  const struct shape *s = context;
  float *const *of = s->buffers + 3 * chunk;
  const float one = 1;
  const float zero = 0;
  blas_int m = (blas_int)s->m;
  blas_int n = (blas_int)s->n;
  blas_int k = (blas_int)s->k;
  for (int64_t i = 0; i < s->repeats; i++) {
    blas_get()->sgemm(s->tb ? "T" : "N", s->ta ? "T" : "N", &n, &m, &k, &one, of[1],
                      s->tb ? &k : &n, of[0], s->ta ? &m : &k, &zero, of[2], &n);
  }
}

static double seconds_of(struct threads *t, struct shape *s) {
  double started = now_seconds();
  threads_run(t, threads_count(t), multiply, s);
  return now_seconds() - started;
}

static int32_t make_buffers(struct shape *s, int count) {
  const int64_t sizes[3] = {s->m * s->k, s->k * s->n, s->m * s->n};
  for (int i = 0; i < 3 * count; i++) {
    int64_t size = sizes[i % 3];
    void *data = NULL;
    TIER_TRY(large_alloc((size_t)size * sizeof(float), "a matrix", &data));
    s->buffers[i] = data;
    for (int64_t j = 0; j < size; j++) {
      s->buffers[i][j] = (float)(j % 1024) / 1024;
    }
  }
  return TIER_OK;
}

/* The fastest of all blocks of products that fit into `seconds`: what it can do undisturbed. */
static double best_rate(struct threads *t, struct shape *s, double seconds) {
  double flops = 2.0 * (double)s->m * (double)s->n * (double)s->k * threads_count(t);
  double best = 0;
  double total = 0;
  s->repeats = 1;
  (void)seconds_of(t, s);
  s->repeats = (int64_t)(1 + 1e-3 / (seconds_of(t, s) + 1e-9));
  while (total < seconds) {
    double once = seconds_of(t, s);
    double rate = flops * (double)s->repeats / once;
    best = rate > best ? rate : best;
    total += once;
  }
  return best;
}

int32_t sgemm_rate(int threads, int64_t m, int64_t n, int64_t k, int ta, int tb, double seconds,
                   double *rate) {
  struct shape s = {.m = m, .n = n, .k = k, .ta = ta, .tb = tb};
  struct threads *t = NULL;
  TIER_TRY(blas_load());
  if (blas_get() == NULL) {
    return fail(TIER_E_MISSING, "no OpenBLAS: apt-get install libopenblas0-pthread");
  }
  TIER_TRY(threads_new(threads, &t));
  int count = threads_count(t);
  s.buffers = memory_alloc(3 * (size_t)count, sizeof *s.buffers);
  int32_t status = make_buffers(&s, count);
  if (status == TIER_OK) {
    *rate = best_rate(t, &s, seconds);
  }
  for (int i = 0; i < 3 * count; i++) {
    large_free(s.buffers[i]);
  }
  free(s.buffers);
  threads_free(t);
  return status;
}

/* How fast is a staged Hessian-vector product? Prints, for f32 on one thread, the time of one
 * apply on a 784-256-10 tanh MLP with 5,000 rows, the time that sgemm takes for the matrix products
 * in it, and their ratio. With an argument, a listing of the program too. Run it by hand, on a
 * quiet machine. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "backend/backend.h"
#include "backend/blas.h"
#include "base/error.h"
#include "base/random.h"
#include "mlp.h"

#define ROWS 5000
#define IN 784
#define HIDDEN 256
#define CLASSES 10
#define REPEATS 15

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float *numbers(int64_t count, uint64_t stream, double scale) {
  float *x = aligned_alloc(64, ((size_t)count * sizeof *x + 63) / 64 * 64);
  for (int64_t i = 0; x != NULL && i < count; i++) {
    x[i] = (float)(scale * random_normal(stream, 0, (uint64_t)i));
  }
  return x;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return x < y ? -1 : x > y;
}
static double median(double *times) {
  qsort(times, REPEATS, sizeof *times, compare);
  return times[REPEATS / 2];
}

/* The products that an apply cannot do without, as (m, n, k): X V1, H V2, H' W2, d2' W2^T, d2 V2^T,
 * H^T d2', H'^T d2, X^T d1'. */
static const int32_t shapes[][3] = {{ROWS, HIDDEN, IN},      {ROWS, CLASSES, HIDDEN},
                                    {ROWS, CLASSES, HIDDEN}, {ROWS, HIDDEN, CLASSES},
                                    {ROWS, HIDDEN, CLASSES}, {HIDDEN, CLASSES, ROWS},
                                    {HIDDEN, CLASSES, ROWS}, {IN, HIDDEN, ROWS}};

static double time_sgemm(void) {
  double times[REPEATS];
  const float one = 1.0F;
  const float zero = 0.0F;
  float *a = numbers((int64_t)ROWS * IN, 1, 1.0);
  float *b = numbers((int64_t)ROWS * HIDDEN, 2, 1.0);
  float *c = numbers((int64_t)ROWS * HIDDEN, 3, 1.0);
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    double start = now();
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
      const int32_t *m = &shapes[i][0];
      const int32_t *n = &shapes[i][1];
      const int32_t *k = &shapes[i][2];
      /* Those with k = ROWS have a stored transposed, as they are in the program. */
      int transposed = *k == ROWS;
      blas_get()->sgemm("N", transposed ? "T" : "N", n, m, k, &one, b, n, a, transposed ? m : k,
                        &zero, c, n);
    }
    times[repeat] = now() - start;
  }
  free(a);
  free(b);
  free(c);
  return median(times);
}

static int64_t size_of(const struct mlp *m, tier_value v) {
  return value_size(graph_value(m->graph, v));
}

static int32_t time_apply(const struct mlp *m, struct program *p, double *seconds) {
  const void *slow[2 + MLP_VARIABLES];
  void *owned[2 + 3 * MLP_VARIABLES];
  const void *fast[MLP_VARIABLES];
  void *out[MLP_VARIABLES];
  double times[REPEATS];
  int32_t *labels = calloc(ROWS, sizeof *labels);
  for (int i = 0; labels != NULL && i < ROWS; i++) {
    labels[i] = i % CLASSES;
  }
  owned[0] = numbers((int64_t)ROWS * IN, 4, 1.0);
  owned[1] = labels;
  for (int i = 0; i < MLP_VARIABLES; i++) {
    int64_t size = size_of(m, m->fast[i]);
    owned[2 + i] = numbers(size, 5 + (uint64_t)i, 0.05);
    owned[6 + i] = numbers(size, 9 + (uint64_t)i, 1.0);
    owned[10 + i] = numbers(size, 13, 0.0);
    fast[i] = owned[6 + i];
    out[i] = owned[10 + i];
  }
  for (int i = 0; i < 2 + MLP_VARIABLES; i++) {
    slow[i] = owned[i];
  }
  double start = now();
  TIER_TRY(program_bind(p, slow));
  (void)printf("bind   %8.3f ms\n", 1e3 * (now() - start));
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    start = now();
    TIER_TRY(program_apply(p, fast, out));
    times[repeat] = now() - start;
  }
  for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
    free(owned[i]);
  }
  *seconds = median(times);
  return TIER_OK;
}

int main(int argc, char **argv) {
  struct mlp m = mlp_make(ROWS, IN, HIDDEN, CLASSES);
  struct program_options options = {.dtype = DTYPE_F32, .backend = backend_find("cpu")};
  struct program *p = NULL;
  struct blas_facts facts;
  double apply = 0.0;
  (void)argv;
  if (program_compile(m.graph, &options, m.slow, 2 + MLP_VARIABLES, m.fast, MLP_VARIABLES, m.hvp,
                      MLP_VARIABLES, &p) < 0 ||
      time_apply(&m, p, &apply) < 0) {
    (void)fprintf(stderr, "%s\n", error_text());
    return 1;
  }
  if (argc > 1) {
    char *listing = program_listing(p);
    (void)fputs(listing, stdout);
    free(listing);
  }
  blas_get_facts(&facts);
  if (blas_get() == NULL) {
    (void)fprintf(stderr, "%s\n", facts.config);
    return 1;
  }
  double sgemm = time_sgemm();
  (void)printf("apply  %8.3f ms\nsgemm  %8.3f ms, kernels %s\nratio  %8.3f\n", 1e3 * apply,
               1e3 * sgemm, facts.kernels, apply / sgemm);
  program_free(p);
  graph_free(m.graph);
  return 0;
}

/* Fixed small workloads, whose instructions tests/instructions/guard.py counts under callgrind:
 * only what runs inside the functions measured_NAME, and only in our own objects. Without arguments
 * all run once; with --build, prints what the counts depend on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../numeric/mlp.h"
#include "../problem/harness.h"
#include "backend/blas.h"
#include "base/random.h"

#define ROWS 64
#define IN 50
#define HIDDEN 32
#define CLASSES 10

/* A function that stays one, under this name. */
#define SEPARATE __attribute__((noinline))
/* Its call ends the measure of that name. */
#define COUNTED(name)                  \
  SEPARATE void counted_##name(void) { \
    __asm__ volatile("");              \
  }

/* ---- programs on an MLP 50-32-10 with 64 rows, f32, one thread ---- */

struct workload {
  struct mlp m;
  struct program *gradient, *hvp;
  void *arrays[2 + 3 * MLP_VARIABLES]; /* x, labels; w, v, out */
};

void measured_compile(struct workload *w);
void counted_compile(void);
void measured_gradient(struct workload *w);
void counted_gradient(void);
void measured_hvp(struct workload *w);
void counted_hvp(void);
void measured_cg20(struct harness *h);
void counted_cg20(void);
void measured_unroll20(struct harness *h);
void counted_unroll20(void);
void measured_manifest(struct harness *h, const char *text);
void counted_manifest(void);

COUNTED(compile)
COUNTED(gradient)
COUNTED(hvp)
COUNTED(cg20)
COUNTED(unroll20)
COUNTED(manifest)

static void expect(int32_t status, const char *what) {
  if (status < 0) {
    (void)fprintf(stderr, "%s: %s\n", what, error_text());
    exit(1);
  }
}

static void *numbers(int64_t count, uint64_t stream) {
  void *data = NULL;
  expect(large_alloc((size_t)count * sizeof(float), "a workload", &data), "numbers");
  for (int64_t i = 0; i < count; i++) {
    ((float *)data)[i] = (float)(0.1 * random_normal(stream, 0, (uint64_t)i));
  }
  return data;
}

static void make_arrays(struct workload *w) {
  int32_t *labels = NULL;
  w->arrays[0] = numbers((int64_t)ROWS * IN, 1);
  w->arrays[1] = labels = numbers(ROWS, 2);
  for (int i = 0; i < ROWS; i++) {
    labels[i] = i % CLASSES;
  }
  for (int i = 0; i < 3 * MLP_VARIABLES; i++) {
    const struct value *v = graph_value(w->m.graph, w->m.fast[i % MLP_VARIABLES]);
    w->arrays[2 + i] = numbers(value_size(v), 3 + (uint64_t)i);
  }
}

/* Tracing, both derivatives and both programs. */
SEPARATE void measured_compile(struct workload *w) {
  const struct program_options o = {.dtype = DTYPE_F32, .backend = backend_find("cpu")};
  w->m = mlp_make(ROWS, IN, HIDDEN, CLASSES);
  expect(program_compile(w->m.graph, &o, w->m.slow, 2, w->m.slow + 2, MLP_VARIABLES, w->m.gradient,
                         MLP_VARIABLES, &w->gradient),
         "compile");
  expect(program_compile(w->m.graph, &o, w->m.slow, 2 + MLP_VARIABLES, w->m.fast, MLP_VARIABLES,
                         w->m.hvp, MLP_VARIABLES, &w->hvp),
         "compile");
}

SEPARATE void measured_gradient(struct workload *w) {
  for (int i = 0; i < 10; i++) {
    expect(program_apply(w->gradient, (const void *const *)w->arrays + 2, w->arrays + 10), "apply");
  }
}

SEPARATE void measured_hvp(struct workload *w) {
  expect(program_bind(w->hvp, (const void *const *)w->arrays), "bind");
  for (int i = 0; i < 10; i++) {
    expect(program_apply(w->hvp, (const void *const *)w->arrays + 6, w->arrays + 10), "apply");
  }
}

static void run_programs(void) {
  struct workload w = {.gradient = NULL};
  measured_compile(&w);
  counted_compile();
  make_arrays(&w);
  expect(program_bind(w.gradient, (const void *const *)w.arrays), "bind");
  measured_gradient(&w);
  counted_gradient();
  measured_hvp(&w);
  counted_hvp();
  program_free(w.gradient);
  program_free(w.hvp);
  graph_free(w.m.graph);
  for (int i = 0; i < 2 + 3 * MLP_VARIABLES; i++) {
    large_free(w.arrays[i]);
  }
}

/* ---- problems: an MLP with a weight for each row and an l2 coefficient ---- */

static const char problem_text[] =
    "{\"tier\":1,\"name\":\"instructions\",\"compute\":{\"threads\":1},"
    "\"data\":{\"pool\":{\"linear-problem\":{\"rows\":128,\"features\":20}},"
    "\"train\":[\"pool\",{\"take\":64}],\"val\":[\"pool\",{\"skip\":64}]},"
    "\"variables\":{\"net\":{\"mlp\":[20,16,1]},\"trust\":{\"per\":\"train\",\"init\":0},"
    "\"log_l2\":0},"
    "\"objectives\":{\"training\":[{\"times\":[{\"sigmoid\":\"trust\"},{\"mse\":"
    "{\"of\":{\"net\":\"train.x\"},\"target\":\"train.y\"}}]},"
    "{\"times\":[{\"exp\":\"log_l2\"},{\"l2\":\"net\"}]}],"
    "\"validation\":{\"mse\":{\"of\":{\"net\":\"val.x\"},\"target\":\"val.y\"}}},"
    "\"levels\":[{\"name\":\"inner\",\"minimize\":\"training\",\"over\":\"net\","
    "\"optimizer\":{\"momentum\":{\"lr\":0.05}},\"steps\":%d},"
    "{\"name\":\"outer\",\"minimize\":\"validation\",\"over\":[\"trust\",\"log_l2\"],"
    "\"through\":{\"inner\":%s},\"optimizer\":{\"adam\":{\"lr\":0.1}},\"steps\":1}],"
    "\"metrics\":{\"loss\":\"validation\"}}";

/* Reading, binding, and freeing. */
SEPARATE void measured_manifest(struct harness *h, const char *text) {
  for (int i = 0; i < 10; i++) {
    struct manifest_file *file = NULL;
    struct manifest *m = NULL;
    expect(manifest_open_text("m.json", ".", text, strlen(text), &h->diagnostics, &file), "open");
    expect(manifest_bind(file, h->registry, 0, NULL, &h->diagnostics, NULL, &m), "bind");
    manifest_free(m);
    manifest_close(file);
  }
}

/* One hypergradient with that many products: fewer would be other work. */
static void estimate(struct harness *h, int64_t hvps) {
  struct problem_estimate e = harness_estimate(h);
  if (e.pullback.hvps != hvps) {
    (void)fprintf(stderr, "%lld products instead of %lld\n", (long long)e.pullback.hvps,
                  (long long)hvps);
    exit(1);
  }
  free(e.hypergradient);
}

SEPARATE void measured_cg20(struct harness *h) {
  estimate(h, 20);
}

SEPARATE void measured_unroll20(struct harness *h) {
  estimate(h, 20);
}

/* The first estimate compiles; the second is measured. */
static void run_problem(int steps, const char *estimator, void (*measured)(struct harness *h),
                        void (*counted)(void)) {
  struct harness h;
  harness_open(&h, problem_text, steps, estimator);
  estimate(&h, 20);
  measured(&h);
  counted();
  harness_close(&h);
}

static void run_manifest(void) {
  struct harness h;
  char *text = memory_format(problem_text, 1, "\"cg\"");
  harness_open(&h, problem_text, 1, "\"cg\"");
  measured_manifest(&h, text);
  counted_manifest();
  harness_close(&h);
  free(text);
}

/* ---- */

static const char *compiler(void) {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

static void print_build(void) {
  static const char *const levels[] = {"plain", "AVX2", "AVX-512"};
  struct blas_facts facts;
  expect(blas_load(), "OpenBLAS");
  blas_get_facts(&facts);
  (void)printf("%s, %s, %s kernels, %s\n", compiler(), BUILD, levels[cpu_level()],
               facts.library[0] != '\0' ? "OpenBLAS" : "no BLAS");
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--build") == 0) {
    print_build();
    return 0;
  }
  run_programs();
  run_manifest();
  run_problem(1, "{\"cg\":{\"iterations\":20,\"tolerance\":0}}", measured_cg20, counted_cg20);
  run_problem(20, "\"unroll\"", measured_unroll20, counted_unroll20);
  return 0;
}

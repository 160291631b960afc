/* tier-bench TASK [MANIFEST] --data DIR [--threads N] [--set PATH=JSON]...
 *
 * Commands on stdin, one a line; each is answered by one line on stdout:
 *
 *   run N             evaluates N times          -> the N times in seconds
 *   result FILE       the last result as f64     -> how many numbers
 *   facts             -> a JSON object: BLAS, threads, memory, oracle calls of the last evaluation
 *   sgemm M N K TA TB SECONDS                    -> flop/s, with --threads threads
 *
 * It ends with its input. A failure is one line that begins with "error:", and ends it. */
#include "bench/driver.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/output.h"
#include "run/system.h"

/* ---- answers ---- */

static int32_t answer_run(struct task *t, long long count) {
  if (t == NULL) {
    return fail(TIER_E_INVALID, "run: there is no task");
  }
  for (long long i = 0; i < count; i++) {
    double seconds = 0;
    TIER_TRY(t->evaluate(t, &seconds));
    (void)printf("%s%.9e", i > 0 ? " " : "", seconds);
  }
  (void)printf("\n");
  return TIER_OK;
}

static int32_t answer_result(struct task *t, const char *path) {
  int64_t count = 0;
  double *values = NULL;
  if (t == NULL) {
    return fail(TIER_E_INVALID, "result: there is no task");
  }
  TIER_TRY(t->result(t, &count, &values));
  FILE *file = fopen(path, "we");
  int good = file != NULL && fwrite(values, sizeof *values, (size_t)count, file) == (size_t)count;
  good = file != NULL && fclose(file) == 0 && good;
  free(values);
  if (!good) {
    return fail(TIER_E_IO, "%s: cannot be written", path);
  }
  (void)printf("%" PRId64 "\n", count);
  return TIER_OK;
}

static int32_t answer_facts(const struct task *t) {
  struct arena *a = arena_new();
  struct json *j = json_make(a, JSON_OBJECT);
  struct blas_facts blas;
  int32_t status = blas_load();
  if (status == TIER_OK) {
    blas_get_facts(&blas);
    put_text(a, j, "version", system_version());
    put_text(a, j, "compiler", system_compiler());
    put_text(a, j, "blas", blas.library);
    put_text(a, j, "kernels", blas.kernels);
    put_number(a, j, "cpus", system_cpus());
    put_number(a, j, "peak", (double)system_peak());
    if (t != NULL && t->facts != NULL) {
      t->facts(t, a, j);
    }
    struct text line = {0};
    json_write(j, 0, 0, &line);
    (void)printf("%s\n", text_get(&line));
    text_free(&line);
  }
  arena_free(a);
  return status;
}

static int32_t answer_sgemm(int threads, const char *arguments) {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  int ta = 0;
  int tb = 0;
  double seconds = 0;
  double rate = 0;
  if (sscanf(arguments, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %d %d %lf", &m, &n, &k, &ta, &tb,
             &seconds) != 6) {
    return fail(TIER_E_INVALID, "sgemm: M N K TA TB SECONDS are wanted");
  }
  TIER_TRY(sgemm_rate(threads, m, n, k, ta, tb, seconds, &rate));
  (void)printf("%.6e\n", rate);
  return TIER_OK;
}

static int32_t answer(struct task *t, int threads, char *line) {
  line[strcspn(line, "\n")] = '\0';
  if (strncmp(line, "run ", 4) == 0) {
    return answer_run(t, strtoll(line + 4, NULL, 10));
  }
  if (strncmp(line, "result ", 7) == 0) {
    return answer_result(t, line + 7);
  }
  if (strncmp(line, "sgemm ", 6) == 0) {
    return answer_sgemm(threads, line + 6);
  }
  if (strcmp(line, "facts") == 0) {
    return answer_facts(t);
  }
  return fail(TIER_E_INVALID, "unknown command \"%s\"", line);
}

static int32_t serve(struct task *t, int threads) {
  char line[4096];
  (void)printf("ready\n");
  (void)fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    TIER_TRY(answer(t, threads, line));
    (void)fflush(stdout);
  }
  return TIER_OK;
}

/* ---- tasks ---- */

static int32_t no_task(const struct options *o, struct task **out) {
  (void)o;
  *out = NULL;
  return TIER_OK;
}
#define PROBLEM_TASK(name, measure)                                 \
  static int32_t name(const struct options *o, struct task **out) { \
    return problem_task(o, measure, out);                           \
  }
PROBLEM_TASK(pullback_task, MEASURE_PULLBACK)
PROBLEM_TASK(hypergradient_task, MEASURE_HYPERGRADIENT)
PROBLEM_TASK(gradient_task, MEASURE_GRADIENT)
PROBLEM_TASK(hvp_task, MEASURE_HVP)
PROBLEM_TASK(staged_hvp_task, MEASURE_STAGED_HVP)
PROBLEM_TASK(making_task, MEASURE_MAKING)

int bench_threads(const struct options *o) {
  return o->threads != NULL && strcmp(o->threads, "all") != 0 ? (int)strtol(o->threads, NULL, 10)
                                                              : 0;
}

static int serve_with(const struct options *o,
                      int32_t (*make)(const struct options *o, struct task **out)) {
  struct task *t = NULL;
  int32_t status = make(o, &t);
  if (status == TIER_OK) {
    status = serve(t, bench_threads(o));
  }
  if (status != TIER_OK) {
    (void)printf("error: %s\n", error_text());
    error_clear();
  }
  if (t != NULL) {
    t->close(t);
  }
  return error_exit_code(status);
}
#define RUN_TASK(name, task)                 \
  static int name(const struct options *o) { \
    return serve_with(o, task);              \
  }
RUN_TASK(run_pullback, pullback_task)
RUN_TASK(run_hypergradient, hypergradient_task)
RUN_TASK(run_gradient, gradient_task)
RUN_TASK(run_hvp, hvp_task)
RUN_TASK(run_staged_hvp, staged_hvp_task)
RUN_TASK(run_making, making_task)
RUN_TASK(run_vae, vae_task)
RUN_TASK(run_wgan, wgan_task)
RUN_TASK(run_sgemm, no_task)

static const struct option table[] = {
    {"set", 0, OPTION_LIST, "PATH=JSON", "override a value of the manifest (repeatable)",
     offsetof(struct options, sets)},
    {"data", 0, OPTION_LIST, "DIR", "inputs that bench/inputs.py wrote",
     offsetof(struct options, data)},
    {"threads", 0, OPTION_TEXT, "N", "threads to compute with, or all",
     offsetof(struct options, threads)},
    {"help", 'h', OPTION_FLAG, NULL, "print this", offsetof(struct options, help)}};
#define OPTIONS table, sizeof table / sizeof table[0]

static const struct verb verbs[] = {
    {"pullback", "MANIFEST", 1, 1, "The hypergradient at a given lower solution", NULL, OPTIONS,
     run_pullback},
    {"hypergradient", "MANIFEST", 1, 1, "The lower level's steps and the hypergradient", NULL,
     OPTIONS, run_hypergradient},
    {"gradient", "MANIFEST", 1, 1, "The lower level's gradient", NULL, OPTIONS, run_gradient},
    {"hvp", "MANIFEST", 1, 1, "A Hessian-vector product with its linearization", NULL, OPTIONS,
     run_hvp},
    {"staged-hvp", "MANIFEST", 1, 1, "A Hessian-vector product at a bound linearization", NULL,
     OPTIONS, run_staged_hvp},
    {"making", "MANIFEST", 1, 1, "Building and compiling a problem", NULL, OPTIONS, run_making},
    {"vae", "", 0, 0, "Adam steps of a variational autoencoder", NULL, OPTIONS, run_vae},
    {"wgan", "", 0, 0, "Generator and critic steps of a Wasserstein GAN", NULL, OPTIONS, run_wgan},
    {"sgemm", "", 0, 0, "Only answers \"sgemm\"", NULL, OPTIONS, run_sgemm},
};

int main(int argc, char **argv) {
  for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
    if (strcmp(argv[1], verbs[i].name) == 0) {
      struct options o;
      int status = options_parse(&verbs[i], argc, argv, &o);
      status = status < 0 ? verbs[i].run(&o) : status;
      options_free(&o);
      return status;
    }
  }
  (void)fprintf(stderr, "tier-bench: a task is wanted, as bench/driver.c says\n");
  return 64;
}

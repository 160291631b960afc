/* Programs on random graphs: however they are compiled and run, the numbers are the same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "random_graph.h"

#include <cmocka.h> /* last: it defines `fail` */

#define SEEDS 400
#define OPERATIONS 30

/* Both runs agree within `tolerance`, relative to the largest element; frees both. */
static void expect_equal(const struct random_graph *r, uint64_t seed, double *const *first,
                         double *const *second, double tolerance) {
  for (uint32_t i = 0; i < r->output_count; i++) {
    double scale = 1.0;
    for (int64_t k = 0; k < random_graph_size(r, i); k++) {
      scale = fmax(scale, fabs(first[i][k]));
    }
    for (int64_t k = 0; k < random_graph_size(r, i); k++) {
      if (!(fabs(first[i][k] - second[i][k]) <= tolerance * scale)) {
        fail_msg("seed %llu, output %u, element %lld: %.17g and %.17g", (unsigned long long)seed, i,
                 (long long)k, first[i][k], second[i][k]);
      }
    }
    free(first[i]);
    free(second[i]);
  }
}

/* Both runs of one random graph agree. */
static void compare_runs(uint64_t seed, const struct program_options *a, int a_fast,
                         const struct program_options *b, int b_fast, double tolerance) {
  struct random_graph r;
  double *first[RANDOM_MOST_OUTPUTS];
  double *second[RANDOM_MOST_OUTPUTS];
  random_graph_make(&r, seed, OPERATIONS);
  random_graph_run(&r, a, seed, a_fast, first);
  random_graph_run(&r, b, seed, b_fast, second);
  expect_equal(&r, seed, first, second, tolerance);
  random_graph_free(&r);
}

static struct program_options options(const char *backend, int32_t dtype, uint32_t flags) {
  struct program_options o = {.dtype = dtype, .backend = backend_find(backend), .flags = flags};
  assert_non_null(o.backend);
  return o;
}

static void all_operations_are_covered(void **state) {
  uint64_t used = 0;
  (void)state;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    struct random_graph r;
    random_graph_make(&r, seed, OPERATIONS);
    used |= r.used;
    random_graph_free(&r);
  }
  for (uint32_t op = 1; op < TIER_OP_COUNT; op++) {
    if ((used >> op & 1) == 0) {
      fail_msg("no random graph has operation %u", op);
    }
  }
}

static void passes_keep_the_values(void **state) {
  (void)state;
  struct program_options plain = options("reference", DTYPE_F64, PROGRAM_PLAIN);
  struct program_options full = options("reference", DTYPE_F64, 0);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    compare_runs(seed, &plain, 0, &full, 0, 1e-12);
  }
}

static void staging_keeps_the_values(void **state) {
  (void)state;
  struct program_options full = options("reference", DTYPE_F64, 0);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    compare_runs(seed, &full, 0, &full, 1, 1e-12);
  }
}

static void cpu_equals_reference(void **state) {
  (void)state;
  struct program_options plain = options("reference", DTYPE_F64, PROGRAM_PLAIN);
  struct program_options cpu = options("cpu", DTYPE_F64, 0);
  struct program_options cpu_plain = options("cpu", DTYPE_F64, PROGRAM_PLAIN);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    compare_runs(seed, &plain, 0, &cpu, 0, 1e-12);
    compare_runs(seed, &plain, 0, &cpu_plain, 0, 1e-12);
  }
}

/* Cut into regions, chunks and blocks of a few rows, by several threads. */
static void blocks_of_rows_keep_the_values(void **state) {
  (void)state;
  struct program_options plain = options("reference", DTYPE_F64, PROGRAM_PLAIN);
  struct program_options cut = options("cpu", DTYPE_F64, PROGRAM_SMALL_BLOCKS);
  assert_int_equal(threads_new(3, &cut.threads), 0);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    compare_runs(seed, &plain, 0, &cut, 0, 1e-12);
    compare_runs(seed, &plain, 0, &cut, 1, 1e-12);
  }
  threads_free(cut.threads);
}

/* Likewise their gradients and Hessian-vector products: larger graphs, of other shapes. */
static void derivatives_keep_their_values(void **state) {
  (void)state;
  struct program_options plain = options("reference", DTYPE_F64, PROGRAM_PLAIN);
  struct program_options cpu = options("cpu", DTYPE_F64, 0);
  struct program_options cut = options("cpu", DTYPE_F64, PROGRAM_SMALL_BLOCKS);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    struct random_graph r;
    double *slow[RANDOM_MOST_OUTPUTS];
    double *fast[RANDOM_MOST_OUTPUTS];
    random_graph_make(&r, seed, OPERATIONS);
    random_graph_differentiate(&r);
    random_graph_run(&r, &plain, seed, 0, slow);
    random_graph_run(&r, seed % 2 == 0 ? &cpu : &cut, seed, 0, fast);
    expect_equal(&r, seed, slow, fast, 1e-10);
    random_graph_free(&r);
  }
}

static void cpu_equals_reference_in_f32(void **state) {
  (void)state;
  struct program_options plain = options("reference", DTYPE_F32, PROGRAM_PLAIN);
  struct program_options cpu = options("cpu", DTYPE_F32, 0);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    compare_runs(seed, &plain, 0, &cpu, 0, 2e-4);
  }
}

/* f32 and f64 see the same graph: the f32 kernels are not just alike in both backends. */
static void f32_is_near_f64(void **state) {
  (void)state;
  struct program_options wide = options("reference", DTYPE_F64, 0);
  struct program_options narrow = options("cpu", DTYPE_F32, 0);
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    compare_runs(seed, &wide, 0, &narrow, 0, 2e-3);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_operations_are_covered),
      cmocka_unit_test(passes_keep_the_values),
      cmocka_unit_test(staging_keeps_the_values),
      cmocka_unit_test(cpu_equals_reference),
      cmocka_unit_test(blocks_of_rows_keep_the_values),
      cmocka_unit_test(derivatives_keep_their_values),
      cmocka_unit_test(cpu_equals_reference_in_f32),
      cmocka_unit_test(f32_is_near_f64),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* `within`: what a level moves is projected after each update, and unrolling differentiates that.
 */
#include <math.h>
#include <stdlib.h>

#include "harness.h"

/* A step of sgd from x = (3, 4) with gradient x / 2 and lr 1 leads to (1.5, 2). */
#define HELD                                                                                  \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {\"d\": {\"linear-problem\": " \
  "{}}}, \"variables\": {\"x\": {\"init\": [3, 4], \"shape\": [2], \"within\": %s},"          \
  "  \"limit\": 1.75}, \"objectives\": {\"o\": {\"times\": [0.5, {\"l2\": \"x\"}]}},"         \
  "  \"levels\": [{\"name\": \"only\", \"minimize\": \"o\", \"over\": \"x\", "                \
  "    \"optimizer\": {\"sgd\": 1}, \"steps\": 1}] }"

static void check(const char *sets, double first, double second) {
  struct harness h;
  harness_open(&h, HELD, sets);
  assert_int_equal(problem_step(h.problem), TIER_OK);
  if (!(fabs(harness_read(&h, "x", 0) - first) < 1e-14) ||
      !(fabs(harness_read(&h, "x", 1) - second) < 1e-14)) {
    fail_test("%s: (%.17g, %.17g)", sets, harness_read(&h, "x", 0), harness_read(&h, "x", 1));
  }
  harness_close(&h);
}

static void updates_are_projected(void **state) {
  (void)state;
  check("{\"box\": {\"max\": 1.75}}", 1.5, 1.75);
  check("{\"box\": {\"min\": 1.8, \"max\": 1.9}}", 1.8, 1.9);
  check("{\"box\": {\"max\": [1, 5]}}", 1, 2);
  check("{\"box\": {\"max\": \"limit\"}}", 1.5, 1.75);
  check("{\"ball\": 1}", 0.6, 0.8);                                   /* 2.5 to 1 */
  check("{\"ball\": 3}", 1.5, 2);                                     /* inside */
  check("{\"ball\": {\"radius\": 0}}", 0, 0);                         /* the center itself */
  check("{\"ball\": {\"radius\": 1, \"center\": [1.5, 0]}}", 1.5, 1); /* straight down */
  check("{\"ball\": {\"radius\": 1, \"norm\": \"inf\"}}", 1, 1);      /* a square */
  check("[{\"ball\": 1}, {\"box\": {\"max\": 0.7}}]", 0.6, 0.7);      /* in turn */
  check("[{\"box\": {\"max\": 0.7}}, {\"ball\": 0.1}]", 0.1 * sqrt(0.5), 0.1 * sqrt(0.5));
}

/* Every weight of a model is held. */
static void a_model_is_clipped(void **state) {
  struct harness h;
  (void)state;
  harness_open(&h,
               "{ \"tier\": 1, \"data\": {\"d\": {\"linear-problem\": {\"features\": 3}}},"
               "  \"variables\": {\"f\": {\"model\": {\"mlp\": [3, 8, 1]}, \"within\": {\"box\": "
               "{\"min\": -0.01, \"max\": 0.01}}}},"
               "  \"objectives\": {\"o\": {\"mse\": {\"of\": {\"f\": \"d.x\"}, \"target\": "
               "\"d.y\"}}}, \"levels\": [{\"name\": \"only\", \"minimize\": \"o\", \"over\": "
               "\"f\", \"batch\": 10, \"optimizer\": {\"adam\": {\"lr\": 0.1}}, \"steps\": 5}] }");
  for (int k = 0; k < 5; k++) {
    assert_int_equal(problem_step(h.problem), TIER_OK);
    assert_true(vector_interface.max_abs(harness_variable(&h, "f")->value) <= (double)0.01F);
  }
  harness_close(&h);
}

/* The hypergradient of a learning rate, through three steps that end on the sphere or inside. */
static void unrolling_goes_through_the_projection(void **state) {
  struct harness h;
  (void)state;
  harness_open(&h,
               "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {\"d\": "
               "{\"linear-problem\": {\"features\": 3, \"rows\": 20}}}, \"variables\": {\"w\": "
               "{\"model\": {\"linear\": {\"layers\": [3, 1], \"init\": \"zeros\"}}, \"within\": "
               "[{\"ball\": 0.6}, {\"box\": "
               "{\"max\": 0.5}}]}, \"log_lr\": -1},"
               "  \"objectives\": {\"o\": {\"mse\": {\"of\": {\"w\": \"d.x\"}, \"target\": "
               "\"d.y\"}}}, \"levels\": [{\"name\": \"inner\", \"minimize\": \"o\", \"over\": "
               "\"w\", \"warm_start\": false, \"optimizer\": {\"momentum\": {\"lr\": {\"exp\": "
               "\"log_lr\"}}}, \"steps\": 3}, {\"name\": \"outer\", \"minimize\": \"o\", "
               "\"over\": \"log_lr\", \"through\": {\"inner\": \"unroll\"}, \"optimizer\": "
               "\"none\", \"steps\": 1}] }");
  struct problem_estimate e = harness_estimate(&h);
  double norm = vector_interface.norm(harness_variable(&h, "w")->value);
  assert_true(fabs(norm - 0.6) < 1e-12 || norm < 0.6); /* the sets were met */
  assert_true(norm > 0.5);
  double step = 1e-5;
  double up = harness_shifted_value(&h, "log_lr", 0, step);
  double down = harness_shifted_value(&h, "log_lr", 0, -step);
  double difference = (up - down) / (2 * step);
  if (!(fabs(e.hypergradient[0] - difference) <= 1e-6 * fabs(difference) + 1e-9)) {
    fail_test("unrolled %.12g, differences %.12g", e.hypergradient[0], difference);
  }
  free(e.hypergradient);
  harness_close(&h);
}

static void what_cannot_be_held_is_refused(void **state) {
  struct harness h;
  (void)state;
  static const char text[] =
      "{ \"tier\": 1, \"data\": {\"d\": {\"linear-problem\": {\"features\": 3}}},"
      "  \"variables\": {\"w\": {\"model\": {\"linear\": [3, 1]}, \"within\": {\"box\": {\"max\": "
      "1}}}}, \"objectives\": {\"o\": {\"mse\": {\"of\": {\"w\": \"d.x\"}, \"target\": "
      "\"d.y\"}}}, \"levels\": [{\"name\": \"only\", \"minimize\": \"o\", \"over\": \"w\", "
      "\"optimizer\": \"lbfgs\", \"steps\": 5}] }";
  assert_true(harness_check(&h, text) < 0);
  assert_non_null(strstr(h.diagnostics.items[0].message, "need an optimizer that is a step"));
  harness_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(updates_are_projected),
                                     cmocka_unit_test(a_model_is_clipped),
                                     cmocka_unit_test(unrolling_goes_through_the_projection),
                                     cmocka_unit_test(what_cannot_be_held_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

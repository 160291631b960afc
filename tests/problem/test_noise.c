/* Random draws in expressions: which ones share numbers, and for how long they are kept. */
#include <math.h>

#include "harness.h"

/* The gradients by x, y, z, u are the draws that they are multiplied with. */
#define DRAWS                                                                                      \
  "{ \"tier\": 1, \"compute\": {\"dtype\": \"f64\"}, \"data\": {\"d\": {\"linear-problem\": {}}}," \
  "  \"variables\": {\"x\": 1, \"y\": 1, \"z\": 1, \"u\": 1},"                                     \
  "  \"values\": {\"a\": {\"normal\": {\"mean\": 0, \"deviation\": 1%s}},"                         \
  "               \"b\": {\"normal\": {\"mean\": 0, \"deviation\": 1%s}}},"                        \
  "  \"objectives\": {\"o\": [{\"times\": [\"a\", \"x\"]}, {\"times\": [\"b\", \"y\"]},"           \
  "    {\"times\": [\"a\", \"z\"]},"                                                               \
  "    {\"times\": [{\"normal\": {\"mean\": 0, \"deviation\": 1}}, \"u\"]}]},"                     \
  "  \"levels\": [{\"name\": \"only\", \"minimize\": \"o\", \"over\": [\"x\", \"y\", \"z\","       \
  "    \"u\"], \"optimizer\": {\"sgd\": 0.1}, \"steps\": 3}] }"

static void draws_of_two_steps(const char *a, const char *b, double first[4], double second[4]) {
  struct harness h;
  harness_open(&h, DRAWS, a, b);
  assert_int_equal(problem_step(h.problem), TIER_OK);
  vector_interface.read(h.problem->top->gradient, 0, 4, first);
  assert_int_equal(problem_step(h.problem), TIER_OK);
  vector_interface.read(h.problem->top->gradient, 0, 4, second);
  harness_close(&h);
}

static void a_named_draw_is_one_and_others_differ(void **state) {
  double g[4];
  double next[4];
  (void)state;
  draws_of_two_steps("", "", g, next);
  assert_true(g[0] == g[2]); /* the value `a`, mentioned twice */
  assert_true(g[0] != g[1] && g[0] != g[3] && g[1] != g[3]);
  for (int i = 0; i < 4; i++) {
    assert_true(g[i] != next[i]); /* each step draws anew */
  }
}

static void a_stream_text_is_shared(void **state) {
  double g[4];
  double next[4];
  double same[4];
  (void)state;
  draws_of_two_steps(", \"stream\": \"s\"", ", \"stream\": \"s\"", g, next);
  assert_true(g[0] == g[1] && next[0] == next[1] && g[0] != next[0]);
  draws_of_two_steps("", "", same, next);
  assert_true(g[3] == same[3]); /* the others' numbers do not move */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_named_draw_is_one_and_others_differ),
                                     cmocka_unit_test(a_stream_text_is_shared)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a check finds, each with its place: one mistake a manifest. */
#include <stdlib.h>

#include "harness.h"

/* The first line of them all. */
#define DATA                                                                                      \
  "{ \"tier\": 1, \"data\": { \"d\": { \"linear-problem\": { \"rows\": 30, \"features\": 2 } }, " \
  "\"e\": { \"linear-problem\": { \"rows\": 20, \"features\": 2 } }, \"l\": { \"digits\": { "     \
  "\"rows\": 9 } } },\n"

static const struct {
  int line, column;
  enum severity severity;
  const char *message, *text;
} mistakes[] = {
    {/* a stop-gradient on the level's own variables, under an implicit estimator */
     5, 34, SEVERITY_ERROR, "through a stop-gradient",
     " \"variables\": { \"w\": 1, \"a\": 1 },\n"
     " \"objectives\": { \"f\": [{ \"l2\": \"w\" }, { \"times\": [\"a\", \"w\", { "
     "\"stop-gradient\": "
     "\"w\" }] }], \"g\": { \"l2\": \"w\" } },\n"
     " \"levels\": [{ \"name\": \"in\", \"minimize\": \"f\", \"over\": \"w\", \"optimizer\": { "
     "\"sgd\": 0.1 } "
     "},\n"
     "   { \"name\": \"out\", \"through\": { \"in\": \"cg\" }, \"minimize\": \"g\", \"over\": "
     "\"a\", "
     "\"steps\": 1, \"optimizer\": { \"sgd\": 0.1 } }] }"},
    {/* no such field */
     4, 15, SEVERITY_ERROR, "data \"d\" has no field \"labels\"",
     " \"variables\": { \"net\": { \"linear\": [2, 1] } },\n"
     " \"objectives\": { \"f\": { \"mse\": { \"of\": { \"net\": \"d.x\" },\n"
     "    \"target\": \"d.labels\" } } },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 1, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* no such part */
     3, 32, SEVERITY_ERROR, "model \"net\" has no part \"head\"",
     " \"variables\": { \"net\": { \"linear\": [2, 1] } },\n"
     " \"objectives\": { \"f\": [{ \"l2\": \"net.head\" }, { \"mse\": { \"of\": { \"net\": \"d.x\" "
     "}, \"target\": \"d.y\" } }] },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 1, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* parameters of another size */
     4, 23, SEVERITY_ERROR, "\"with\" has 2 numbers, the model has 3",
     " \"variables\": { \"net\": { \"linear\": [2, 1] }, \"w\": { \"init\": [1, 2] } },\n"
     " \"objectives\": { \"f\": [{ \"l2\": \"net\" },\n"
     "   { \"mse\": { \"of\": { \"net\": { \"x\": \"d.x\", \"with\": \"w\" } }, \"target\": "
     "\"d.y\" } }] },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": [\"net\", \"w\"], "
     "\"steps\": 1, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* labels as an initial value */
     2, 17, SEVERITY_ERROR, "init of variable \"a\" must be real values, not labels",
     " \"variables\": { \"a\": { \"per\": \"l\",\n"
     "   \"init\": \"l.y\" } },\n"
     " \"objectives\": { \"f\": { \"l2\": \"a\" } },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"a\", \"steps\": 1, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* another data's rows as an initial value */
     2, 17, SEVERITY_ERROR,
     "init of variable \"a\" has rows of data \"e\", which it is not \"per\"",
     " \"variables\": { \"a\": { \"per\": \"d\", \"shape\": [], \"init\": \"e.y\" } },\n"
     " \"objectives\": { \"f\": { \"l2\": \"a\" } },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"a\", \"steps\": 1, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* another number of numbers */
     2, 17, SEVERITY_ERROR, "init of variable \"a\" has 2 numbers, its shape has 3",
     " \"variables\": { \"a\": { \"shape\": [3], \"init\": [1, 2] } },\n"
     " \"objectives\": { \"f\": { \"l2\": \"a\" } },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"a\", \"steps\": 1, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* two that start from each other */
     2, 17, SEVERITY_ERROR, "\"a\" is defined by itself: a -> b -> a",
     " \"variables\": { \"a\": { \"init\": { \"times\": [2, \"b\"] } },\n"
     "   \"b\": { \"init\": { \"exp\": \"a\" } } },\n"
     " \"objectives\": { \"f\": [{ \"l2\": \"a\" }, { \"l2\": \"b\" }] },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": [\"a\", \"b\"], \"steps\": "
     "1, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* more numbers than can be counted */
     2, 17, SEVERITY_ERROR, "variable \"net\" is too large",
     " \"variables\": { \"net\": { \"shape\": [10000000, 10000000, 10000000], \"init\": 0 } },\n"
     " \"objectives\": { \"f\": { \"l2\": \"net\" } },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 1, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* a model a row */
     2, 17, SEVERITY_UNSUPPORTED, "a model for each row of data (\"net\") is not supported yet",
     " \"variables\": { \"net\": { \"model\": { \"linear\": [2, 1] }, \"per\": \"d\" } },\n"
     " \"objectives\": { \"f\": { \"l2\": \"net\" } },\n"
     " \"levels\": [{ \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 1, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* a batch larger than its data */
     5, 4, SEVERITY_ERROR, "batch of 31 rows from data \"d\", which has 30",
     " \"variables\": { \"net\": { \"linear\": [2, 1] } },\n"
     " \"objectives\": { \"f\": { \"mse\": { \"of\": { \"net\": \"d.x\" }, \"target\": \"d.y\" } } "
     "},\n"
     " \"levels\": [\n"
     "   { \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"batch\": 31, \"steps\": 1, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* a learning rate a row */
     6, 36, SEVERITY_ERROR, "sgd: slot \"lr\" has rows of data",
     " \"variables\": { \"net\": { \"linear\": [2, 1] } },\n"
     " \"objectives\": { \"f\": { \"mse\": { \"of\": { \"net\": \"d.x\" }, \"target\": \"d.y\" } } "
     "},\n"
     " \"levels\": [\n"
     "   { \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 2,\n"
     "     \"optimizer\": { \"sgd\": { \"lr\": { \"times\": [0.1, \"d.y\"] } } } }] }"},
    {/* a learning rate by an objective */
     6, 21, SEVERITY_UNSUPPORTED,
     "a hyperparameter of sgd, or a set, that reads data or random numbers is not supported yet",
     " \"variables\": { \"net\": { \"linear\": [2, 1] }, \"log_lr\": -1 },\n"
     " \"objectives\": { \"f\": { \"mse\": { \"of\": { \"net\": \"d.x\" }, \"target\": \"d.y\" } "
     "}, \"g\": { \"mse\": { \"of\": { \"net\": \"e.x\" }, \"target\": \"e.y\" } } },\n"
     " \"levels\": [\n"
     "   { \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 2,\n"
     "     \"optimizer\": { \"sgd\": { \"lr\": { \"times\": [{ \"exp\": \"log_lr\" }, \"g\"] } } } "
     "},\n"
     "   { \"name\": \"outer\", \"minimize\": \"g\", \"over\": \"log_lr\", \"steps\": 2, "
     "\"through\": { \"fit\": \"unroll\" }, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* a learning rate by what it steps */
     6, 21, SEVERITY_UNSUPPORTED,
     "a hyperparameter of sgd that reads \"net\", which it steps, is not supported yet",
     " \"variables\": { \"net\": { \"linear\": [2, 1] } },\n"
     " \"objectives\": { \"f\": { \"mse\": { \"of\": { \"net\": \"d.x\" }, \"target\": \"d.y\" } } "
     "},\n"
     " \"levels\": [\n"
     "   { \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 2,\n"
     "     \"optimizer\": { \"sgd\": { \"lr\": { \"exp\": { \"minus\": [0, { \"l2\": \"net\" }] } "
     "} } } }] }"},
    {/* all copies under a derivative */
     6, 4, SEVERITY_UNSUPPORTED,
     "\"log_lr.all\" where its derivative is needed is not supported yet: read it in metrics and "
     "outputs",
     " \"variables\": { \"net\": { \"linear\": [2, 1] }, \"log_lr\": { \"per\": \"fit\", \"init\": "
     "-1 } },\n"
     " \"objectives\": { \"f\": { \"mse\": { \"of\": { \"net\": \"d.x\" }, \"target\": \"d.y\" } "
     "}, \"g\": [{ \"mse\": { \"of\": { \"net\": \"e.x\" }, \"target\": \"e.y\" } }, { \"l2\": "
     "\"log_lr.all\" }] },\n"
     " \"levels\": [\n"
     "   { \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 2, \"optimizer\": "
     "{ \"sgd\": { \"lr\": { \"exp\": \"log_lr\" } } } },\n"
     "   { \"name\": \"outer\", \"minimize\": \"g\", \"over\": \"log_lr\", \"steps\": 2, "
     "\"through\": { \"fit\": \"unroll\" }, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }] }"},
    {/* a procedural optimizer over a response */
     6, 4, SEVERITY_UNSUPPORTED,
     "level \"outer\": a procedural optimizer (lbfgs) over other levels is not supported yet: use "
     "one that is a step, such as adam",
     " \"variables\": { \"net\": { \"linear\": [2, 1] }, \"log_l2\": -1 },\n"
     " \"objectives\": { \"f\": [{ \"mse\": { \"of\": { \"net\": \"d.x\" }, \"target\": \"d.y\" } "
     "}, { \"times\": [{ \"exp\": \"log_l2\" }, { \"l2\": \"net\" }] }], \"g\": { \"mse\": { "
     "\"of\": { \"net\": \"e.x\" }, \"target\": \"e.y\" } } },\n"
     " \"levels\": [\n"
     "   { \"name\": \"fit\", \"minimize\": \"f\", \"over\": \"net\", \"steps\": 2, \"optimizer\": "
     "{ \"sgd\": { \"lr\": 0.1 } } },\n"
     "   { \"name\": \"outer\", \"minimize\": \"g\", \"over\": \"log_l2\", \"steps\": 2, "
     "\"through\": { \"fit\": \"cg\" }, \"optimizer\": \"lbfgs\" }] }"},
    {/* a level between that moves what was read, with no edge of its own */
     8, 19, SEVERITY_ERROR,
     "level \"one\" reads \"u\", which level \"two\" moves step by step without an edge to it: add "
     "\"one\" to the \"through\" of level \"two\"",
     " \"variables\": { \"w\": { \"init\": [1, 1] }, \"u\": { \"init\": [1, 1] }, \"a\": 1 },\n"
     " \"objectives\": { \"f\": [{ \"l2\": { \"minus\": [\"w\", \"a\"] } }, { \"l2\": { \"minus\": "
     "[\"w\", \"u\"] } }], \"g\": { \"l2\": { \"minus\": [\"u\", \"w\"] } }, \"h\": [{ \"l2\": "
     "\"u\" }, { \"l2\": \"w\" }] },\n"
     " \"levels\": [\n"
     "   { \"name\": \"one\", \"minimize\": \"f\", \"over\": \"w\", \"steps\": 2, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } },\n"
     "   { \"name\": \"two\", \"minimize\": \"g\", \"over\": \"u\", \"steps\": 2, \"optimizer\": { "
     "\"sgd\": { \"lr\": 0.1 } } },\n"
     "   { \"name\": \"top\", \"minimize\": \"h\", \"over\": \"a\", \"steps\": 2, \"optimizer\": { "
     "\"sgd\": { \"lr\": 0.1 } },\n"
     "     \"through\": { \"one\": \"cg\", \"two\": \"cg\" } }] }"},
    {/* the same where it takes one step, from a start that reads what the top level is over */
     8, 19, SEVERITY_ERROR,
     "level \"one\" reads \"u\", which level \"two\" moves from a start that is not constant "
     "without an edge to it: add \"one\" to the \"through\" of level \"two\"",
     " \"variables\": { \"w\": { \"init\": [1, 1] }, \"u\": { \"init\": \"a\" }, \"a\": { "
     "\"init\": [1, 1] } },\n"
     " \"objectives\": { \"f\": [{ \"l2\": { \"minus\": [\"w\", \"a\"] } }, { \"l2\": { \"minus\": "
     "[\"w\", \"u\"] } }], \"g\": { \"l2\": { \"minus\": [\"u\", \"w\"] } }, \"h\": [{ \"l2\": "
     "\"u\" }, { \"l2\": \"w\" }] },\n"
     " \"levels\": [\n"
     "   { \"name\": \"one\", \"minimize\": \"f\", \"over\": \"w\", \"steps\": 2, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } },\n"
     "   { \"name\": \"two\", \"minimize\": \"g\", \"over\": \"u\", \"warm_start\": false, "
     "\"optimizer\": { "
     "\"sgd\": { \"lr\": 0.1 } } },\n"
     "   { \"name\": \"top\", \"minimize\": \"h\", \"over\": \"a\", \"steps\": 2, \"optimizer\": { "
     "\"sgd\": { \"lr\": 0.1 } },\n"
     "     \"through\": { \"one\": \"cg\", \"two\": \"cg\" } }] }"},
    {/* a start that reads what a level below moves */
     8, 36, SEVERITY_UNSUPPORTED,
     "the start of level \"two\" reads \"w\", which level \"one\" below it moves: following such a "
     "start is not supported yet",
     " \"variables\": { \"w\": { \"init\": [1, 1] }, \"u\": { \"init\": \"w\" }, \"a\": { "
     "\"init\": "
     "[1, 1] } },\n"
     " \"objectives\": { \"f\": { \"l2\": { \"minus\": [\"w\", \"a\"] } }, \"g\": { \"l2\": { "
     "\"minus\": [\"u\", \"a\"] } }, \"h\": [{ \"l2\": \"u\" }, { \"l2\": \"w\" }] },\n"
     " \"levels\": [\n"
     "   { \"name\": \"one\", \"minimize\": \"f\", \"over\": \"w\", \"optimizer\": { \"sgd\": { "
     "\"lr\": "
     "0.1 } } },\n"
     "   { \"name\": \"two\", \"minimize\": \"g\", \"over\": \"u\", \"warm_start\": false, "
     "\"optimizer\": { \"sgd\": { \"lr\": 0.1 } } },\n"
     "   { \"name\": \"top\", \"minimize\": \"h\", \"over\": \"a\", \"steps\": 2, \"optimizer\": { "
     "\"sgd\": { \"lr\": 0.1 } },\n"
     "     \"through\": { \"one\": \"unroll\", \"two\": \"unroll\" } }] }"}};

static void each_with_its_place(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
    struct harness h;
    char *text = memory_format("%s%s", DATA, mistakes[i].text);
    const struct diagnostic *found = NULL;
    assert_true(harness_check(&h, text) < 0);
    for (size_t k = 0; k < h.diagnostics.count; k++) {
      const struct diagnostic *d = &h.diagnostics.items[k];
      if (d->severity != SEVERITY_WARNING) {
        if (found != NULL) {
          fail_test("%s: also \"%s\"", mistakes[i].message, d->message);
        }
        found = d;
      }
    }
    if (found == NULL || found->line != mistakes[i].line || found->column != mistakes[i].column ||
        found->severity != mistakes[i].severity ||
        strstr(found->message, mistakes[i].message) == NULL) {
      diagnostics_print(&h.diagnostics, stderr);
      fail_test("expected %d:%d: %s", mistakes[i].line, mistakes[i].column, mistakes[i].message);
    }
    free(text);
    harness_close(&h);
  }
}

/* A run that was not checked before says the first of them just so. */
static void a_run_says_the_same(void **state) {
  (void)state;
  int tried = 0;
  for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
    struct harness h;
    char place[64];
    char *text = memory_format("%s%s", DATA, mistakes[i].text);
    int32_t status = harness_try(&h, text);
    assert_true(status < 0);
    (void)snprintf(place, sizeof place, "test.json:%d:%d: ", mistakes[i].line, mistakes[i].column);
    if (h.manifest != NULL) { /* the manifest's reader found nothing */
      tried++;
      if (strncmp(error_text(), place, strlen(place)) != 0 ||
          strstr(error_text(), mistakes[i].message) == NULL) {
        fail_test("\"%s\", expected \"%s%s\"", error_text(), place, mistakes[i].message);
      }
    }
    free(text);
    harness_close(&h);
  }
  assert_true(tried > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_with_its_place),
      cmocka_unit_test(a_run_says_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

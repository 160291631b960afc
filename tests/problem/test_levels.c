/* Graphs of levels: for each topology the hypergradient against central differences of the whole
 * nested run, by every estimator that is right there; f64. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "problem/edges.h"

/* What levels are over, and objectives that couple them nonlinearly: X pulls "w", Y pulls "v" by
 * what stands as its argument. Each is convex in its own variable, with curvature from 1 to 2. */
#define VARIABLES                                                                                  \
  "  \"variables\": { \"a\": { \"init\": [0.3, -0.4, 0.8] }, \"b\": { \"init\": [0.2, 0.1, -0.3] " \
  "},"                                                                                             \
  "    \"w\": { \"init\": [0.1, 0.2, -0.1] }, \"v\": { \"init\": [0.4, -0.2, 0.3] },"              \
  "    \"u\": { \"init\": [-0.3, 0.5, 0.2] } },"
#define HEAD "{ \"tier\": 1, \"compute\": { \"dtype\": \"f64\" }, \"data\": {},\n" VARIABLES
/* l2(x - tanh(y)) + total(softplus(x y)) / 2 */
#define PULL(x, y)                                      \
  "{ \"l2\": { \"minus\": [\"" x "\", { \"tanh\": \"" y \
  "\" }] } },"                                          \
  " { \"times\": [0.5, { \"total\": { \"softplus\": { \"times\": [\"" x "\", \"" y "\"] } } }] }"
#define NEAR(x) "{ \"l2\": { \"minus\": [\"" x "\", [0.5, 1, -0.5]] } }"
/* A level: what follows "steps". */
#define LEVEL(name, objective, over, steps)                                      \
  "{ \"name\": \"" name "\", \"minimize\": \"" objective "\", \"over\": \"" over \
  "\", \"optimizer\": { \"sgd\": "                                               \
  "{ \"lr\": 0.5 } }, \"steps\": " steps " }"
#define TOP(over, through)                                          \
  "{ \"name\": \"top\", \"minimize\": \"judging\", \"over\": " over \
  ", \"steps\": 1, \"through\": { " through " }, \"optimizer\": { \"sgd\": { \"lr\": 0.1 } } }"

/* A manifest, with $ for the estimator and # for the number of steps. */
struct topology {
  const char *name, *text;
};

#define DENSE "\"dense\""
#define CG "{ \"cg\": { \"iterations\": 50, \"tolerance\": 1e-13 } }"
#define NEUMANN "{ \"neumann\": { \"terms\": 150, \"lr\": 0.3 } }"
#define UNROLL "\"unroll\""
#define ONE_STEP "{ \"one-step\": { \"radius\": 1e-4 } }"
#define SOLVED "45"

static char *filled(const char *text, const char *estimator, const char *steps) {
  struct text out = {0};
  for (const char *c = text; *c != '\0'; c++) {
    if (*c == '$') {
      text_format(&out, "%s", estimator);
    } else if (*c == '#') {
      text_format(&out, "%s", steps);
    } else {
      text_format(&out, "%c", *c);
    }
  }
  char *copy = memory_copy_text(text_get(&out));
  text_free(&out);
  return copy;
}

/* Where element i of the top level's flat vector stands. */
static const char *place(const struct harness *h, int64_t i, int64_t *index) {
  const struct span *over = &h->problem->top->over;
  for (size_t k = over->count; k-- > 0;) {
    if (i >= over->offsets[k]) {
      *index = i - over->offsets[k];
      return h->manifest->variables[over->variables[k]].name;
    }
  }
  fail_test("no variable at %d", (int)i);
  return NULL;
}

/* The hypergradient at the start, against differences from the same start. */
static void against_differences(const char *name, const char *text, double bound) {
  struct harness h;
  char path[] = "/tmp/tier-levels-XXXXXX";
  const double step = 1e-5;
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  (void)close(fd);
  harness_open(&h, "%s", text);
  assert_ok(problem_save(h.problem, path));
  struct problem_estimate e = harness_estimate(&h);
  assert_ok(problem_load(h.problem, path, 0));
  double *differences = memory_alloc((size_t)e.size, sizeof *differences);
  double size = 0;
  for (int64_t i = 0; i < e.size; i++) {
    int64_t index = 0;
    const char *variable = place(&h, i, &index);
    double up = harness_shifted_value(&h, variable, index, step);
    double down = harness_shifted_value(&h, variable, index, -step);
    differences[i] = (up - down) / (2 * step);
    size += fabs(differences[i]);
  }
  assert_true(size > 1e-3);
  double error = relative_error(e.hypergradient, differences, e.size);
  if (!(error <= bound)) {
    fail_test("%s: %.2g away from differences: %.12g, not %.12g\n%s", name, error,
              e.hypergradient[0], differences[0], text);
  }
  (void)unlink(path);
  free(differences);
  free(e.hypergradient);
  harness_close(&h);
}

struct way {
  const char *estimator, *steps;
  double bound;
};
static const struct way solved[] = {
    {DENSE, SOLVED, 1e-8}, {CG, SOLVED, 1e-8}, {NEUMANN, SOLVED, 1e-8}, {UNROLL, SOLVED, 1e-8}};
static const struct way followed[] = {
    {UNROLL, "3", 1e-8}, {UNROLL, "1", 1e-8}, {ONE_STEP, "1", 1e-6}};

static void each_way(const struct topology *t, const struct way *ways, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char *text = filled(t->text, ways[i].estimator, ways[i].steps);
    against_differences(t->name, text, ways[i].bound);
    free(text);
  }
}

static void where_solved(const struct topology *t) {
  each_way(t, solved, sizeof solved / sizeof solved[0]);
}

static void where_followed(const struct topology *t) {
  each_way(t, followed, sizeof followed / sizeof followed[0]);
}

static void each_estimator(const struct topology *t) {
  where_solved(t);
  where_followed(t);
}

/* w follows a, v follows w. */
static const struct topology chain_of_three = {
    "chain of three", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") "], \"judging\": " NEAR("v") " },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, \"parent\": \"top\"") "," LEVEL("two", "g", "v", "#") ","
    TOP("\"a\"", "\"one\": $, \"two\": $") "] }"};

static const struct topology chain_of_four = {
    "chain of four", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") "], \"h\": [" PULL("u", "v") "],"
    "  \"judging\": " NEAR("u") " },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, \"parent\": \"top\"") ","
    LEVEL("two", "g", "v", "#, \"parent\": \"top\"") "," LEVEL("three", "h", "u", "#") ","
    TOP("\"a\"", "\"one\": $, \"two\": $, \"three\": $") "] }"};

/* w is reached through v and through u. */
static const struct topology diamond = {
    "diamond", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") "], \"h\": [" PULL("u", "w") "],"
    "  \"judging\": [" NEAR("u") ", { \"total\": { \"times\": [\"u\", \"v\"] } }] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, \"parent\": \"top\"") ","
    LEVEL("two", "g", "v", "#, \"parent\": \"top\"") "," LEVEL("three", "h", "u", "#") ","
    TOP("\"a\"", "\"one\": $, \"two\": $, \"three\": $") "] }"};

/* v reads a, b and w, which itself reads a. */
static const struct topology two_inputs = {
    "two inputs", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") ", { \"l2\": { \"minus\": [\"v\", { \"times\": [\"a\", \"b\"] }] } }],"
    "  \"judging\": " NEAR("v") " },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, \"parent\": \"top\"") ","
    LEVEL("two", "g", "v", "#") ","
    TOP("[\"a\", \"b\"]", "\"one\": $, \"two\": $") "] }"};

/* ---- levels between that take several steps: w is solved anew for each step of v ---- */

#define FRESH "\"warm_start\": false"

static const struct topology nested = {
    "several steps between", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") "], \"judging\": [" NEAR("v") "," NEAR("w") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, " FRESH) "," LEVEL("two", "g", "v", "#") ","
    TOP("\"a\"", "\"one\": $, \"two\": $") "] }"};

/* w within v within u, and u reads both. */
static const struct topology nested_twice = {
    "several steps between, twice", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") "],"
    "  \"h\": [" PULL("u", "v") "," PULL("u", "w") "], \"judging\": [" NEAR("u") "," NEAR("v") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, " FRESH) "," LEVEL("two", "g", "v", "#, " FRESH) ","
    LEVEL("three", "h", "u", "#") "," TOP("\"a\"", "\"one\": $, \"two\": $, \"three\": $") "] }"};

/* Below u: w, then v, which reads it. */
static const struct topology siblings = {
    "siblings below a level with several steps", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") "], \"h\": [" PULL("u", "v") "],"
    "  \"judging\": [" NEAR("u") "," NEAR("w") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, \"parent\": \"three\", " FRESH) ","
    LEVEL("two", "g", "v", "#, " FRESH) "," LEVEL("three", "h", "u", "#") ","
    TOP("\"a\"", "\"one\": $, \"two\": $, \"three\": $") "] }"};

/* Below u: v, then w; so v reads the w of the step before, and its own start in the first. */
static const struct topology late_sibling = {
    "a sibling read before it moves", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") "," PULL("v", "a") "], \"h\": [" PULL("u", "v") "],"
    "  \"judging\": [" NEAR("u") "," NEAR("w") "] },"
    "\"levels\": [" LEVEL("two", "g", "v", "#, \"parent\": \"three\", " FRESH) ","
    LEVEL("one", "f", "w", "#, " FRESH) "," LEVEL("three", "h", "u", "#") ","
    TOP("\"a\"", "\"one\": $, \"two\": $, \"three\": $") "] }"};

/* Two siblings, of which the first reads what the second will move: a constant. */
static const struct topology game_below = {
    "siblings that read each other", HEAD
    "\"objectives\": { \"f\": [" PULL("w", "a") "," PULL("w", "v") "], \"g\": [" PULL("v", "w") "," PULL("v", "a") "],"
    "  \"judging\": [" NEAR("v") "," NEAR("w") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, \"parent\": \"top\"") "," LEVEL("two", "g", "v", "#") ","
    TOP("\"a\"", "\"one\": $, \"two\": $") "] }"};

/* The lower ones go on from where they are, so that all are solved in the end. */
static const struct topology nested_warm = {
    "several steps between, twice, solved",
    HEAD "\"objectives\": { \"f\": [" PULL("w", "a") "], \"g\": [" PULL("v", "w") "],"
    "  \"h\": [" PULL("u", "v") "," PULL("u", "w") "], \"judging\": [" NEAR("u") "," NEAR("v") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "4") "," LEVEL("two", "g", "v", "4") ","
    LEVEL("three", "h", "u", "#") "," TOP("\"a\"", "\"one\": $, \"two\": $, \"three\": $") "] }"};

static void several_steps_between(void **state) {
  (void)state;
  where_followed(&nested);
  where_followed(&nested_twice);
  where_followed(&siblings);
  each_way(&nested_warm, solved, 3);
}

/* A sibling that nobody goes through moves what was read: what it was is what counts. */
static const struct topology moved_after = {
    "read, then moved",
    HEAD "\"objectives\": { \"f\": [" PULL("w", "a") "," PULL("w", "v") "], \"g\": " NEAR("v") ", \"judging\": " NEAR("w") " },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, \"parent\": \"top\"") "," LEVEL("two", "g", "v", "2") ","
    TOP("\"a\"", "\"one\": $") "] }"};

/* A child that nobody goes through moves while its parent's steps read it. */
static const struct topology moving_child = {
    "read while it moves",
    HEAD "\"objectives\": { \"f\": " NEAR("w") ", \"g\": [" PULL("v", "w") "," PULL("v", "a") "], \"judging\": " NEAR("v") " },"
    "\"levels\": [" LEVEL("one", "f", "w", "1") "," LEVEL("two", "g", "v", "#") "," TOP("\"a\"", "\"two\": $") "] }"};

/* ---- levels whose own gradient has a response ---- */

#define MIDDLE "{ \"l2\": { \"minus\": [\"b\", { \"tanh\": \"a\" }] } }"

/* b follows what is best for w, which follows a and b: three levels, each optimal for the next. */
static const struct topology own_response = {
    "a level with a response of its own",
    HEAD "\"objectives\": { \"f\": [" PULL("w", "a") "," PULL("w", "b") "], \"g\": [" NEAR("w") "," MIDDLE "],"
    "  \"judging\": [" NEAR("b") "," NEAR("w") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, " FRESH) ","
    LEVEL("two", "g", "b", "#, \"through\": { \"one\": $ }") "," TOP("\"a\"", "\"one\": $, \"two\": $") "] }"};

/* a reaches b through w only. */
static const struct topology through_response = {
    "an input of the response alone",
    HEAD "\"objectives\": { \"f\": [" PULL("w", "a") "," PULL("w", "b") "], \"g\": [" NEAR("w") "," NEAR("b") "],"
    "  \"judging\": [" NEAR("b") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, " FRESH) ","
    LEVEL("two", "g", "b", "#, \"through\": { \"one\": $ }") "," TOP("\"a\"", "\"two\": $") "] }"};

/* The middle level goes through w and through v, which reads w; the top through all three. */
static const struct topology two_responses = {
    "two responses in a chain",
    HEAD "\"objectives\": { \"f\": [" PULL("w", "a") "," PULL("w", "b") "], \"h\": [" PULL("v", "w") "," PULL("v", "b") "],"
    "  \"g\": [" NEAR("v") "," NEAR("w") "," MIDDLE "], \"judging\": [" NEAR("b") "," NEAR("v") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, \"parent\": \"two\", " FRESH) "," LEVEL("three", "h", "v", "#, " FRESH) ","
    LEVEL("two", "g", "b", "#, \"through\": { \"one\": $, \"three\": $ }") ","
    TOP("\"a\"", "\"one\": $, \"two\": $, \"three\": $") "] }"};

/* w answers v, which answers b with w's answer in mind, which answers a with both in mind. */
static const struct topology responses_in_responses = {
    "a response within a response",
    HEAD "\"objectives\": { \"f\": [" PULL("w", "v") "," PULL("w", "a") "], \"h\": [" PULL("v", "b") "," NEAR("w") "],"
    "  \"g\": [" NEAR("v") "," MIDDLE "], \"judging\": [" NEAR("b") "] },"
    "\"levels\": [" LEVEL("one", "f", "w", "#, " FRESH) ","
    LEVEL("three", "h", "v", "#, " FRESH ", \"through\": { \"one\": $ }") ","
    LEVEL("two", "g", "b", "#, \"through\": { \"three\": $ }") "," TOP("\"a\"", "\"two\": $") "] }"};

static void a_response_of_its_own(void **state) {
  (void)state;
  static const struct way slowly[] = {
      {DENSE, "90", 1e-8}, {CG, "90", 1e-8}, {NEUMANN, "90", 1e-8}, {UNROLL, "10", 1e-8}};
  each_way(&own_response, slowly, 4);
  where_followed(&own_response);
  each_way(&through_response, slowly, 4);
  where_followed(&through_response);
}

static void several_responses(void **state) {
  (void)state;
  static const struct way ways[] = {{DENSE, "60", 1e-8}, {UNROLL, "3", 1e-8}};
  each_way(&two_responses, ways, 2);
}

static void a_response_within_a_response(void **state) {
  (void)state;
  static const struct way ways[] = {{DENSE, "25", 1e-6}, {UNROLL, "2", 1e-6}};
  each_way(&responses_in_responses, ways, 2);
}

/* The estimator of the middle level is $; w is pulled back by dense. */
#define MIDDLE_BY \
  HEAD "\"objectives\": { \"f\": [" PULL("w", "a") "," PULL("w", "b") "], \"g\": [" NEAR("w") "," MIDDLE "],"   \
       "  \"judging\": " NEAR("b") " },"                                                           \
       "\"levels\": [" LEVEL("one", "f", "w", "60, " FRESH) ","                                    \
       LEVEL("two", "g", "b", "60, \"through\": { \"one\": \"dense\" }") "," TOP("\"a\"", "\"two\": $") "] }"

static double *reported_products(const char *estimator, const char *expected) {
  struct harness h;
  char *text = filled(MIDDLE_BY, estimator, "");
  harness_open(&h, "%s", text);
  struct problem_estimate e = harness_estimate(&h);
  const tier_record *r = &h.problem->top->edges[0]->record;
  const struct report_entry *products = record_report(r, "products");
  const struct report_entry *radius = record_report(r, "products_radius");
  const struct report_entry *error = record_report(r, "products_error");
  assert_non_null(products);
  assert_string_equal(products->text, expected);
  int differs = strcmp(expected, "difference") == 0;
  assert_true((radius != NULL) == differs && (error != NULL) == differs);
  if (differs) {
    assert_true(radius->number > 0 && error->number > 0 && error->number < 1e-6);
  }
  free(text);
  harness_close(&h);
  return e.hypergradient;
}

/* Exact products and differences agree, by every estimator of the middle level; each says which. */
static void products_both_ways(void **state) {
  (void)state;
  static const char *const ways[][2] = {
      {"\"dense\"", "{ \"implicit\": { \"solver\": \"dense\", \"products\": \"difference\" } }"},
      {"{ \"cg\": { \"tolerance\": 1e-13 } }",
       "{ \"cg\": { \"tolerance\": 1e-13, \"products\": \"difference\" } }"},
      {"\"unroll\"", "{ \"unroll\": { \"products\": \"difference\" } }"}};
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    double *exact = reported_products(ways[i][0], "exact");
    double *difference = reported_products(ways[i][1], "difference");
    double error = relative_error(difference, exact, 3);
    if (!(error <= 1e-7 && error > 0)) {
      fail_test("%s: %.3g apart", ways[i][0], error);
    }
    free(exact);
    free(difference);
  }
}

static void read_before_it_moves(void **state) {
  (void)state;
  where_followed(&late_sibling);
  where_followed(&game_below);
  each_estimator(&moved_after);
  where_followed(&moving_child);
}

static void several_inputs(void **state) {
  (void)state;
  each_estimator(&two_inputs);
}

static void chains(void **state) {
  (void)state;
  each_estimator(&chain_of_three);
  each_estimator(&chain_of_four);
}

static void a_diamond(void **state) {
  (void)state;
  each_estimator(&diamond);
}

/* ---- S1, three levels (reference.md, section 4): closed forms ---- */

/* Sums of the reference; everything that is no level's is a frozen variable, so that it can be
 * written. $ is the estimator, # the number of steps. */
#define S1(rate_w, rate_v)                                                                        \
  "{ \"tier\": 1, \"compute\": { \"dtype\": \"f64\" }, \"data\": {},"                             \
  "  \"variables\": { \"W\": 0.5, \"V\": 0, \"a\": { \"init\": [1, 0.5] },"                       \
  "    \"x\": { \"init\": [1, 2] }, \"y\": { \"init\": [1, 0] }, \"c\": 1, \"p\": 1, \"q\": 2,"   \
  "    \"lambda\": 1, \"vx\": 1, \"vy\": 1 },"                                                    \
  "  \"objectives\": {"                                                                           \
  "    \"teaching\": { \"total\": { \"times\": [0.5, \"a\","                                      \
  "      { \"square\": { \"minus\": [{ \"times\": [\"W\", \"x\"] }, \"y\"] } }] } },"             \
  "    \"learning\": ["                                                                           \
  "      { \"times\": [0.5, { \"square\": { \"minus\": [{ \"times\": [\"V\", \"c\"] }, { "        \
  "\"times\": [\"W\", \"c\"] }] } }] },"                                                          \
  "      { \"times\": [0.5, \"lambda\", { \"square\": { \"minus\": [{ \"times\": [\"V\", \"p\"] " \
  "}, \"q\"] } }] }],"                                                                            \
  "    \"judging\": { \"times\": [0.5, { \"square\": { \"minus\": [{ \"times\": [\"V\", \"vx\"] " \
  "}, \"vy\"] } }] } },"                                                                          \
  "  \"levels\": ["                                                                               \
  "    { \"name\": \"teach\", \"minimize\": \"teaching\", \"over\": \"W\", \"parent\": "          \
  "\"judge\", \"steps\": #,"                                                                      \
  "      \"optimizer\": { \"sgd\": { \"lr\": " rate_w                                             \
  " } } },"                                                                                       \
  "    { \"name\": \"learn\", \"minimize\": \"learning\", \"over\": \"V\", \"steps\": #,"         \
  "      \"optimizer\": { \"sgd\": { \"lr\": " rate_v                                             \
  " } } },"                                                                                       \
  "    { \"name\": \"judge\", \"minimize\": \"judging\", \"over\": \"a\", \"steps\": 1,"          \
  "      \"through\": { \"learn\": $, \"teach\": $ }, \"optimizer\": { \"sgd\": { \"lr\": 1 } } " \
  "}] }"

static void open_s1(struct harness *h, const char *manifest, const char *estimator,
                    const char *steps) {
  char *text = filled(manifest, estimator, steps);
  harness_open(h, "%s", text);
  free(text);
}

static void check_s1(const char *manifest, const char *estimator, const char *steps, double first,
                     double second) {
  struct harness h;
  const double expected[] = {first, second};
  open_s1(&h, manifest, estimator, steps);
  struct problem_estimate e = harness_estimate(&h);
  if (!(relative_error(e.hypergradient, expected, 2) <= 1e-9)) {
    fail_test("%s: %.12g, %.12g, not %.12g, %.12g", estimator, e.hypergradient[0],
              e.hypergradient[1], first, second);
  }
  free(e.hypergradient);
  harness_close(&h);
}

static void s1_one_step(void **state) {
  (void)state;
  const char *const ways[] = {UNROLL, "\"one-step\"", "{ \"unroll\": { \"truncate\": 1 } }"};
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    check_s1(S1("0.1", "0.1"), ways[i], "1", -0.003775, 0.0151);
  }
}

static void s1_solved(void **state) {
  (void)state;
  const char *const ways[] = {DENSE, CG, "{ \"neumann\": { \"terms\": 200, \"lr\": 0.3 } }",
                              UNROLL};
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
    check_s1(S1("0.3", "0.4"), ways[i], "60", 1.0 / 54, -1.0 / 27);
  }
}

static double draw(uint64_t *s, double from, double to) {
  *s = *s * 6364136223846793005u + 1442695040888963407u;
  return from + (to - from) * (double)(*s >> 11) * 0x1p-53;
}

static void random_instance(struct harness *h, uint64_t *s) {
  static const char *const pairs[] = {"x", "y", "a"};
  static const char *const scalars[] = {"W", "V", "c", "p", "q", "lambda", "vx", "vy"};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
    for (int64_t k = 0; k < 2; k++) {
      harness_write(h, pairs[i], k, draw(s, i == 2 ? 0.1 : -2, 2));
    }
  }
  for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
    harness_write(h, scalars[i], 0, draw(s, i == 5 ? 0 : -2, 2));
  }
}

/* One step in each level: a quadratic run, of which central differences are exact. */
static void s1_random_instances(void **state) {
  (void)state;
  const char *const ways[] = {UNROLL, "\"one-step\""};
  for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
    struct harness h;
    uint64_t s = 2024;
    open_s1(&h, S1("0.1", "0.1"), ways[w], "1");
    for (int i = 0; i < 200; i++) {
      random_instance(&h, &s);
      double differences[2];
      for (int64_t k = 0; k < 2; k++) {
        differences[k] =
            (harness_shifted_value(&h, "a", k, 1e-2) - harness_shifted_value(&h, "a", k, -1e-2)) /
            2e-2;
      }
      struct problem_estimate e = harness_estimate(&h);
      double error = relative_error(e.hypergradient, differences, 2);
      if (!(error <= 1e-7)) {
        fail_test("%s, instance %d: %.12g, %.12g, differences %.12g, %.12g", ways[w], i,
                  e.hypergradient[0], e.hypergradient[1], differences[0], differences[1]);
      }
      free(e.hypergradient);
    }
    harness_close(&h);
  }
}

/* Nothing left to judge (v = 0), or nothing that the student learns of the teacher (h = 0). */
static void s1_zero_vectors(void **state) {
  (void)state;
  const char *const ways[] = {UNROLL, "\"one-step\"", DENSE, CG, NEUMANN};
  for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
    for (int zero = 0; zero < 2; zero++) {
      struct harness h;
      open_s1(&h, S1("0.1", "0.1"), ways[w], "1");
      if (zero == 0) {
        harness_write(&h, "vx", 0, 0);
      } else {
        harness_write(&h, "c", 0, 0);
      }
      struct problem_estimate e = harness_estimate(&h);
      if (e.hypergradient[0] != 0 || e.hypergradient[1] != 0) {
        fail_test("%s: %g, %g", ways[w], e.hypergradient[0], e.hypergradient[1]);
      }
      free(e.hypergradient);
      harness_close(&h);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chains),
      cmocka_unit_test(a_diamond),
      cmocka_unit_test(several_inputs),
      cmocka_unit_test(several_steps_between),
      cmocka_unit_test(read_before_it_moves),
      cmocka_unit_test(a_response_of_its_own),
      cmocka_unit_test(several_responses),
      cmocka_unit_test(a_response_within_a_response),
      cmocka_unit_test(products_both_ways),
      cmocka_unit_test(s1_one_step),
      cmocka_unit_test(s1_solved),
      cmocka_unit_test(s1_random_instances),
      cmocka_unit_test(s1_zero_vectors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

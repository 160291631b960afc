/* compare, sweep, --set, and replacing an edge's estimator. */
#include "support.h"

static const struct json *at_path(const struct json *j, const char *path) {
  char *copy = memory_copy_text(path);
  char *rest = NULL;
  for (char *key = strtok_r(copy, "/", &rest); key != NULL && j != NULL;
       key = strtok_r(NULL, "/", &rest)) {
    j = j->type == JSON_LIST ? j->items[strtoul(key, NULL, 10)] : json_member(j, key);
  }
  free(copy);
  return j;
}

struct one {
  const char *set;
  const char *path;     /* in the resolved manifest, keys and indices joined by '/' */
  const char *expected; /* its JSON; NULL: it is absent */
};

/* On manifest 02. */
static const struct one ones[] = {
    {"levels.outer.steps=3", "levels/1/steps", "3"},
    {"levels.1.steps=3", "levels/1/steps", "3"},
    {"levels.outer.through.inner.cg.iterations=5",
     "levels/1/through/inner/implicit/solver/cg/iterations", "5"},
    {"levels.outer.through.inner.implicit.solver.cg.iterations=5",
     "levels/1/through/inner/implicit/solver/cg/iterations", "5"},
    {"levels.outer.through.inner.cg.damping=0.5", "levels/1/through/inner/implicit/damping", "0.5"},
    {"levels.outer.through.inner.cg.tolerance=0.5",
     "levels/1/through/inner/implicit/solver/cg/tolerance", "0.5"},
    {"levels.outer.through.inner=dense", "levels/1/through/inner/implicit/solver/dense/limit",
     "10000"},
    {"levels.outer.through.inner={\"unroll\": 4}", "levels/1/through/inner/unroll/truncate", "4"},
    {"data.train.label-noise.rate=0.3", "data/train/2/label-noise/rate", "0.3"},
    {"data.train.2.label-noise.rate=0.3", "data/train/2/label-noise/rate", "0.3"},
    {"data.train.label-noise={\"label-noise\": 0.3}", "data/train/2/label-noise/rate", "0.3"},
    {"data.train.label-noise=null", "data/train", "[\"pool\", {\"take\": {\"count\": 2000}}]"},
    {"data.pool.digits.rows=7000", "data/pool/digits/rows", "7000"},
    {"data.base=val", "data/base", "\"val\""},
    {"data.base=\"val\"", "data/base", "\"val\""},
    {"values.trust.sigmoid={\"times\": [2, \"belief\"]}", "values/trust/sigmoid/of/times/of/0",
     "2"},
    {"objectives.training.1.times.of.0=0.5", "objectives/training/1/times/of/0", "0.5"},
    {"objectives.baseline.0=null", "objectives/baseline",
     "[{\"times\": {\"of\": [0.001, {\"l2\": {\"of\": \"net\"}}]}}]"},
    {"objectives.validation.cross-entropy.labels=train.y",
     "objectives/validation/0/cross-entropy"
     "/labels",
     "\"train.y\""},
    {"variables.belief.init=1", "variables/belief/init", "1"},
    {"compute.dtype=f64", "compute/dtype", "\"f64\""},
    {"compute={\"dtype\": \"f64\"}", "compute/dtype", "\"f64\""},
    {"guards.stationarity=solve", "guards/stationarity", "\"solve\""},
    {"levels.inner.tolerance=null", "levels/0/tolerance", "0"},
    {"metrics.cleaning_f1=null", "metrics/cleaning_f1", NULL},
    {"metrics.loss=validation", "metrics/loss/value", "\"validation\""},
    {"metrics.test_accuracy.every=5", "metrics/test_accuracy/every", "5"},
    {"seeds=[3, 4]", "seeds", "[3, 4]"},
    {"seeds=7", "seeds", "[7]"},
    {"name=other", "name", "\"other\""},
};

/* The JSON at a path of the resolved manifest, "" if there is none; free() it. */
static char *resolved_at(const struct manifest *m, const char *path) {
  struct text out = {0};
  const struct json *j = at_path(m->resolved, path);
  text_add(&out, "");
  if (j != NULL) {
    json_write(j, 0, 0, &out);
  }
  return out.data;
}

static void sets_one(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) {
    const char *const items[] = {ones[i].set, NULL};
    struct opened o = open_worked("02-hyper-cleaning-digits.json", 0);
    struct manifest *m = bind(&o, 0, items, NULL);
    char *found = resolved_at(m, ones[i].path);
    assert_string_equal(found, ones[i].expected != NULL ? ones[i].expected : "");
    free(found);
    manifest_free(m);
    close_opened(&o);
  }
}

/* ---- order: manifest, variant, --set ---- */

/* What a --set makes of one variant of manifest 04, and whether it is skipped there. */
struct order {
  const char *set;
  const char *variant;
  const char *path, *expected;
  const char *skipped;
};

static const struct order orders[] = {
    {"levels.outer.steps=3", "base", "levels/1/steps", "3", ""},
    {"levels.outer.steps=3", "cg", "levels/1/steps", "3", ""},
    {"levels.outer.through.inner.neumann.terms=3", "base",
     "levels/1/through/inner/implicit/solver/neumann/terms", "3", ""},
    {"levels.outer.through.inner.neumann.terms=3", "cg",
     "levels/1/through/inner/implicit/solver/cg/iterations", "20",
     "levels.outer.through.inner.neumann.terms=3"},
    {"levels.outer.through.inner.neumann.terms=3", "global_grid", "levels/1/through", "{}",
     "levels.outer.through.inner.neumann.terms=3"},
    {"levels.outer.through.inner=dense", "cg", "levels/1/through/inner/implicit/solver/dense/limit",
     "10000", ""}, /* the very path of the variant: --set comes last */
    {"levels.outer.through.inner=dense", "global_grid", "levels/1/through", "{}",
     "levels.outer.through.inner=dense"},
    {"variables.log_l2.init=-1", "base", "variables/log_l2/init", "-1", ""},
    {"variables.log_l2.init=-1", "global_grid", "variables/log_l2/init", "-7",
     "variables.log_l2.init=-1"},
    {"solver={\"grid\": {\"from\": 0, \"to\": 1}}", "global_grid", "solver/grid/from", "[0]", ""},
};

static void sets_come_last(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    const struct order *x = &orders[i];
    const char *const items[] = {x->set, NULL};
    struct opened o = open_worked("04-per-weight-l2.json", 0);
    struct text skipped = {0};
    struct manifest *m = bind(&o, (size_t)manifest_variant_find(o.f, x->variant), items, &skipped);
    char *found = resolved_at(m, x->path);
    assert_string_equal(found, x->expected);
    assert_string_equal(text_get(&skipped), x->skipped);
    free(found);
    text_free(&skipped);
    manifest_free(m);
    close_opened(&o);
  }
}

static void sets_build_on_each_other(void **state) {
  (void)state;
  static const char *const items[] = {"levels.outer.optimizer=sgd",
                                      "levels.outer.optimizer.sgd.lr=2", "levels.outer.steps=3",
                                      "levels.outer.steps=4", NULL};
  struct opened o = open_worked("04-per-weight-l2.json", 0);
  for (size_t v = 0; v < manifest_variant_count(o.f); v++) {
    struct text skipped = {0};
    struct manifest *m = bind(&o, v, items, &skipped);
    char *lr = resolved_at(m, "levels/1/optimizer/sgd/lr");
    char *steps = resolved_at(m, "levels/1/steps");
    assert_string_equal(lr, "2");
    assert_string_equal(steps, "4");
    assert_string_equal(text_get(&skipped), "");
    free(lr);
    free(steps);
    text_free(&skipped);
    manifest_free(m);
  }
  close_opened(&o);
}

struct refusal {
  const char *set;
  const char *said; /* after "--set SET: " */
};

/* On manifest 02, in every variant. */
static const struct refusal refusals[] = {
    {"levels.outr.steps=3",
     "\"levels.outr.steps\" addresses nothing: levels has no element \"outr\"; did you mean "
     "\"outer\"?"},
    {"levels.7.steps=3", "\"levels.7.steps\" addresses nothing: levels has no element \"7\""},
    {"values.trus.sigmoid=3",
     "\"values.trus.sigmoid\" addresses nothing: values has no \"trus\"; did you mean \"trust\"?"},
    {"values.trust.exp.of=3",
     "\"values.trust.exp.of\" addresses nothing: values.trust is sigmoid, not exp"},
    {"levels.outer.through.inner.neumann.terms=3",
     "\"levels.outer.through.inner.neumann.terms\" addresses nothing: levels.outer.through.inner "
     "is "
     "cg, not neumann"},
    {"levels.outer.steps.a=3",
     "\"levels.outer.steps.a\" addresses nothing: levels.outer.steps is 100: there is nothing "
     "inside it"},
    {"metrics.none=null", "\"metrics.none\" addresses nothing: metrics has no \"none\""},
    {"values.trsut=3",
     "it would add a value \"trsut\", which nothing uses; did you mean \"trust\"?"},
    {"compare.noisy=null",
     "\"compare.noisy\" addresses nothing: variants are as the manifest says"},
    {"nothing",
     "\"nothing\" is no path=value; write --set path=value, such as --set "
     "levels.outer.steps=10"},
    {"=3", "\"=3\" is no path=value; write --set path=value, such as --set levels.outer.steps=10"},
    {"compute.dtpye=f64", "\"compute\" has no key \"dtpye\"; did you mean \"dtype\"?"},
    {"sees=3", "the manifest has no key \"sees\"; did you mean \"seeds\"?"},
};

static void refuses_sets(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    struct opened o = open_worked("02-hyper-cleaning-digits.json", 0);
    const char *const items[] = {refusals[i].set};
    const struct manifest_sets sets = {items, 1};
    for (size_t v = 0; v < manifest_variant_count(o.f); v++) {
      struct diagnostics d = {0};
      struct manifest *m = NULL;
      char *expected = memory_format("--set %s: %s\n", refusals[i].set, refusals[i].said);
      assert_int_equal(manifest_bind(o.f, o.r, v, &sets, &d, NULL, &m), TIER_E_INVALID);
      char *text = said(&d);
      assert_string_equal(text, expected);
      free(text);
      free(expected);
      diagnostics_free(&d);
    }
    close_opened(&o);
  }
}

/* ---- sweeps ---- */

static void sweeps_a_grid(void **state) {
  (void)state;
  static const char *const names[] = {
      "base",
      "v",
      "levels.inner.steps=1,compute.dtype=f32",
      "levels.inner.steps=1,compute.dtype=f64",
      "levels.inner.steps=2,compute.dtype=f32",
      "levels.inner.steps=2,compute.dtype=f64",
  };
  char *text = worked_text("01-ridge.json");
  size_t end = strlen(text) - 1;
  while (text[end] != '}') {
    end--;
  }
  char *swept = memory_format(
      "%.*s, \"compare\": {\"v\": {\"levels.inner.steps\": 9}}, \"sweep\": "
      "{\"levels.inner.steps\": [1, 2], \"compute.dtype\": [\"f32\", "
      "\"f64\"]}}",
      (int)end, text);
  struct opened o = open_text(swept, 0);
  assert_int_equal(manifest_variant_count(o.f), 6);
  for (size_t v = 0; v < 6; v++) {
    assert_string_equal(manifest_variant_name(o.f, v), names[v]);
    assert_int_equal(manifest_variant_find(o.f, names[v]), v);
    struct manifest *m = bind(&o, v, NULL, NULL);
    assert_string_equal(m->variant, names[v]);
    assert_int_equal(m->dtype, v == 3 || v == 5 ? 2 : 1);
    assert_int_equal(m->levels[0].steps, v == 0 ? 50 : v == 1 ? 9 : v < 4 ? 1 : 2);
    assert_null(json_member(m->resolved, "compare"));
    assert_null(json_member(m->resolved, "sweep"));
    manifest_free(m);
  }
  assert_int_equal(manifest_variant_find(o.f, "nothing"), -1);
  close_opened(&o);
  free(swept);
  free(text);
}

/* A file can be bound again and again: overrides leave no trace in it. */
static void binds_again(void **state) {
  (void)state;
  struct opened o = open_worked("04-per-weight-l2.json", 0);
  for (int round = 0; round < 2; round++) {
    for (size_t v = 3; v-- > 0;) {
      struct manifest *m = bind(&o, v, NULL, NULL);
      assert_int_equal(m->levels[1].through_count, v == 2 ? 0 : 1);
      manifest_free(m);
    }
  }
  close_opened(&o);
}

/* ---- another estimator ---- */

struct edge {
  const char *manifest, *edge, *estimator;
  const char *path, *expected;
};

static const struct edge edges[] = {
    {"02-hyper-cleaning-digits.json", NULL, "dense",
     "levels/1/through/inner/implicit/solver/dense"
     "/method",
     "\"auto\""},
    {"02-hyper-cleaning-digits.json", "outer.inner", "{\"neumann\": {\"terms\": 7, \"lr\": 0.5}}",
     "levels/1/through/inner/implicit/solver/neumann", "{\"terms\": 7, \"lr\": 0.5}"},
    /* a bare id that is the manifest's own keeps its parameters */
    {"02-hyper-cleaning-digits.json", NULL, "cg",
     "levels/1/through/inner/implicit/solver/cg/iterations", "30"},
    {"02-hyper-cleaning-digits.json", NULL, "{\"cg\": {}}",
     "levels/1/through/inner/implicit/solver/cg/iterations", "1000"},
    {"05-learning-rate.json", NULL, "one-step", "levels/1/through/inner/one-step/radius", "0.01"},
    {"06-three-levels.json", "judge.teach", "one-step", "levels/2/through/teach/one-step/radius",
     "0.01"},
};

static void replaces_an_estimator(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
    struct opened o = open_worked(edges[i].manifest, 0);
    struct manifest *m = NULL;
    assert_int_equal(
        manifest_bind_edge(o.f, o.r, 0, NULL, edges[i].edge, edges[i].estimator, &o.d, &m), 0);
    char *found = resolved_at(m, edges[i].path);
    assert_string_equal(found, edges[i].expected);
    free(found);
    manifest_free(m);
    close_opened(&o);
  }
}

static const struct {
  const char *manifest, *edge, *estimator, *said;
} bad_edges[] = {
    {"06-three-levels.json", NULL, "cg",
     "m.json: there is more than one edge; choose one with --edge outer.inner\n"},
    {"02-hyper-cleaning-digits.json", "outer.iner", "cg",
     "m.json: there is no edge \"outer.iner\" whose estimator could be replaced; it needs a level "
     "with \"through\"\n"},
    {"09-discogan.json", NULL, "cg",
     "m.json: there is no edge whose estimator could be replaced; it needs a level with "
     "\"through\"\n"},
    {"02-hyper-cleaning-digits.json", NULL, "neuman",
     "--estimators: no estimator \"neuman\"; did you mean \"neumann\"?\n"},
    {"05-learning-rate.json", NULL, "cg",
     "--estimators: \"log_lr\" reaches inner only through its optimizer, and cg is implicit: it "
     "differentiates the condition that the lower objective is at its minimum, which \"log_lr\" is "
     "not in; use an estimator that follows the steps: \"unroll\", \"one-step\", "
     "\"nested-fd\", \"reptile\"\n"},
};

static void refuses_an_estimator(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof bad_edges / sizeof *bad_edges; i++) {
    struct opened o = open_worked(bad_edges[i].manifest, 1);
    struct manifest *m = NULL;
    assert_int_equal(
        manifest_bind_edge(o.f, o.r, 0, NULL, bad_edges[i].edge, bad_edges[i].estimator, &o.d, &m),
        TIER_E_INVALID);
    char *text = said(&o.d);
    assert_string_equal(text, bad_edges[i].said);
    free(text);
    close_opened(&o);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sets_one),
      cmocka_unit_test(sets_come_last),
      cmocka_unit_test(sets_build_on_each_other),
      cmocka_unit_test(refuses_sets),
      cmocka_unit_test(sweeps_a_grid),
      cmocka_unit_test(binds_again),
      cmocka_unit_test(replaces_an_estimator),
      cmocka_unit_test(refuses_an_estimator),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Shorthand: what it is written out to, that doing it twice changes nothing, and that spelling does
 * not matter for the identity. */
#include "support.h"

#include "manifest/reader.h"

/* ---- idempotence ---- */

/* The resolved form of a manifest, as text; free() it. Works for manifests that bind or not. */
static char *written_out(const char *text) {
  struct registry *registry = fake_registry(1);
  struct diagnostics d = {0};
  struct manifest m = {.name = "m"};
  struct reader r = {.arena = arena_new(), .registry = registry, .diagnostics = &d, .m = &m};
  struct text out = {0};
  error_clear();
  assert_int_equal(json_parse(r.arena, "m.json", text, strlen(text), &r.root), 0);
  names_collect(&r);
  r.fill = 1;
  shorthand_write_out(&r);
  json_write(r.root, 2, 0, &out);
  diagnostics_free(&d);
  text_free(&r.path);
  arena_free(r.arena);
  fake_registry_free(registry);
  return out.data;
}

static void is_idempotent(void **state) {
  (void)state;
  for (size_t i = 0; i < WORKED_COUNT; i++) {
    char *text = worked_text(worked[i]);
    char *once = written_out(text);
    char *twice = written_out(once);
    assert_string_not_equal(text, once);
    assert_string_equal(once, twice);
    free(twice);
    free(once);
    free(text);
  }
}

/* The resolved manifest of a run is a manifest: binding it gives it again, with one identity. */
static void resolved_binds_to_itself(void **state) {
  (void)state;
  for (size_t i = 0; i < 6; i++) {
    struct opened o = open_worked(worked[i], 1);
    for (size_t v = 0; v < manifest_variant_count(o.f); v++) {
      struct manifest *m = bind(&o, v, NULL, NULL);
      struct text text = {0};
      json_write(m->resolved, 2, 0, &text);
      struct opened again = open_text(text_get(&text), 1);
      struct manifest *n = bind(&again, 0, NULL, NULL);
      assert_true(json_equal(m->resolved, n->resolved));
      manifest_identity(m);
      manifest_identity(n);
      assert_string_equal(m->identity, n->identity);
      manifest_free(n);
      close_opened(&again);
      text_free(&text);
      manifest_free(m);
    }
    close_opened(&o);
  }
}

/* ---- single forms ---- */

/* A manifest with holes. */
static char *with_parts(const char *data, const char *variables, const char *objective,
                        const char *estimator, const char *rest) {
  return memory_format(
      "{\"tier\": 1, \"data\": {\"pool\": %s, \"train\": \"pool\"},"
      "\"variables\": {\"net\": {\"linear\": [784, 10]}, \"lam\": %s},"
      "\"objectives\": {\"low\": [%s, {\"times\": [\"lam\", {\"l2\": \"net\"}]}],"
      "\"up\": {\"cross-entropy\": {\"logits\": {\"net\": \"pool.x\"}, \"labels\": \"pool.y\"}}},"
      "\"levels\": [{\"name\": \"in\", \"minimize\": \"low\", \"over\": \"net\", \"optimizer\": "
      "{\"sgd\": 0.1}, \"steps\": 3}, {\"name\": \"out\", \"minimize\": \"up\", \"over\": "
      "\"lam\", \"optimizer\": {\"adam\": {}}, \"steps\": 4, \"through\": {\"in\": %s}}]%s}",
      data, variables, objective, estimator, rest);
}

#define DIGITS "{\"digits\": {\"rows\": 50}}"
#define LOSS "{\"cross-entropy\": {\"logits\": {\"net\": \"train.x\"}, \"labels\": \"train.y\"}}"

struct form {
  const char *data, *variable, *objective, *estimator; /* NULL: as usual */
  const char *path;                                    /* where to look, keys joined by '/' */
  const char *expected;
};

static const struct form forms[] = {
    {"\"digits\"", NULL, NULL, NULL, "data/pool", "{\"digits\": {\"rows\": 1000}}"},
    {"{\"digits\": 7}", NULL, NULL, NULL, "data/pool", "{\"digits\": {\"rows\": 7}}"},
    {"[\"digits\"]", NULL, NULL, NULL, "data/pool", "{\"digits\": {\"rows\": 1000}}"},
    {"[{\"digits\": 7}, \"shuffle\", {\"take\": 3}]", NULL, NULL, NULL, "data/pool",
     "[{\"digits\": {\"rows\": 7}}, {\"shuffle\": {}}, {\"take\": {\"count\": 3}}]"},
    {"{\"concat\": {\"digits\": {\"rows\": 9}}}", NULL, NULL, NULL, "data/pool",
     "{\"concat\": {\"of\": [{\"digits\": {\"rows\": 9}}]}}"},
    {NULL, "0.5", NULL, NULL, "variables/lam", "{\"init\": 0.5}"},
    {NULL, "{\"init\": {\"exp\": -1}}", NULL, NULL, "variables/lam",
     "{\"init\": {\"exp\": {\"of\": -1}}}"},
    {NULL, "{\"shape\": 3, \"init\": 0}", NULL, NULL, "variables/lam",
     "{\"shape\": [3], \"init\": 0}"},
    {NULL, NULL, NULL, NULL, "variables/net",
     "{\"model\": {\"linear\": {\"layers\": [784, 10], \"init\": \"fan-in\"}}}"},
    {NULL, NULL, "{\"mse\": {\"of\": {\"net\": \"train.x\"}, \"target\": 0}}", NULL,
     "objectives/low",
     "[{\"mse\": {\"of\": {\"net\": {\"x\": \"train.x\"}}, \"target\": 0}}, "
     "{\"times\": {\"of\": [\"lam\", {\"l2\": {\"of\": \"net\"}}]}}]"},
    {NULL, NULL, "{\"sum\": {\"exp\": \"lam\"}}", NULL, "objectives/low",
     "[{\"sum\": {\"of\": [{\"exp\": {\"of\": \"lam\"}}]}}, "
     "{\"times\": {\"of\": [\"lam\", {\"l2\": {\"of\": \"net\"}}]}}]"},
    {NULL, NULL, NULL, NULL, "levels/0/optimizer", "{\"sgd\": {\"lr\": 0.1}}"},
    {NULL, NULL, NULL, NULL, "levels/0/over", "[\"net\"]"},
    {NULL, NULL, NULL, "\"dense\"", "levels/1/through/in",
     "{\"implicit\": {\"solver\": {\"dense\": {\"method\": \"auto\", \"limit\": 10000}}, "
     "\"damping\": 0, \"via\": \"objective\"}}"},
    {NULL, NULL, NULL, "{\"neumann\": 5}", "levels/1/through/in",
     "{\"implicit\": {\"solver\": {\"neumann\": {\"terms\": 5}}, \"damping\": 0, \"via\": "
     "\"objective\"}}"},
    {NULL, NULL, NULL, "{\"neumann\": {\"terms\": 5, \"damping\": 0.5, \"step\": \"adam\"}}",
     "levels/1/through/in/implicit/step",
     "{\"adam\": {\"lr\": 0.001, \"beta1\": 0.9, \"beta2\": 0.999, \"eps\": 1e-08}}"},
    {NULL, NULL, NULL, "{\"neumann\": {\"damping\": 0.5}}", "levels/1/through/in",
     "{\"implicit\": {\"damping\": 0.5, \"solver\": {\"neumann\": {\"terms\": 20}}, \"via\": "
     "\"objective\"}}"},
    {NULL, NULL, NULL, "{\"implicit\": \"neumann\"}", "levels/1/through/in",
     "{\"implicit\": {\"solver\": {\"neumann\": {\"terms\": 20}}, \"damping\": 0, \"via\": "
     "\"objective\"}}"},
    {NULL, NULL, NULL, "{\"unroll\": 4}", "levels/1/through/in",
     "{\"unroll\": {\"truncate\": 4, \"first_order\": false}}"},
    {NULL, NULL, NULL, NULL, "seeds", "[0]"},
    {NULL, NULL, NULL, NULL, "solver", "{\"nested\": {}}"},
    {NULL, NULL, NULL, NULL, "levels/0/parent", "\"out\""},
    {NULL, NULL, NULL, NULL, "guards",
     "{\"nonfinite\": \"stop\", \"divergence\": 1000000000000, \"stationarity\": \"warn\"}"},
};

static const struct json *at_path(const struct json *j, const char *path) {
  char *copy = memory_copy_text(path);
  char *rest = NULL;
  for (char *key = strtok_r(copy, "/", &rest); key != NULL; key = strtok_r(NULL, "/", &rest)) {
    j = j->type == JSON_LIST ? j->items[strtoul(key, NULL, 10)] : json_member(j, key);
    assert_non_null(j);
  }
  free(copy);
  return j;
}

static void writes_out(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const struct form *x = &forms[i];
    char *text =
        with_parts(x->data != NULL ? x->data : DIGITS, x->variable != NULL ? x->variable : "1",
                   x->objective != NULL ? x->objective : LOSS,
                   x->estimator != NULL ? x->estimator : "\"cg\"", "");
    struct opened o = open_text(text, 0);
    struct manifest *m = bind(&o, 0, NULL, NULL);
    struct text out = {0};
    json_write(at_path(m->resolved, x->path), 0, 0, &out);
    assert_string_equal(text_get(&out), x->expected);
    text_free(&out);
    manifest_free(m);
    close_opened(&o);
    free(text);
  }
}

/* Inside its own definition a data's name means the dataset of that id. */
static void own_name_is_the_dataset(void **state) {
  (void)state;
  char *text = with_parts(DIGITS, "1", LOSS, "\"cg\"", "");
  char *digits = strstr(text, "\"train\": \"pool\"");
  assert_non_null(digits);
  char *own = memory_format("%.*s\"digits\": [\"digits\", \"shuffle\"], %s", (int)(digits - text),
                            text, digits);
  struct opened o = open_text(own, 0);
  struct manifest *m = bind(&o, 0, NULL, NULL);
  assert_string_equal(m->data[1].name, "digits");
  assert_int_equal(m->data[1].source->data, -1);
  assert_string_equal(m->data[1].source->first->component->c.id, "digits");
  manifest_free(m);
  close_opened(&o);
  free(own);
  free(text);
}

/* ---- identity ---- */

static void identify(const char *text, size_t variant, char out[65]) {
  struct opened o = open_text(text, 0);
  struct manifest *m = bind(&o, variant, NULL, NULL);
  assert_string_equal(m->identity, "");
  manifest_identity(m);
  assert_int_equal(strlen(m->identity), 64);
  memcpy(out, m->identity, 65);
  manifest_free(m);
  close_opened(&o);
}

static void identity_ignores_spelling(void **state) {
  (void)state;
  static const char *const same[][5] = {
      {DIGITS, "{\"init\": 1}", LOSS, "\"cg\"", ""},
      {"[{\"digits\": 50}]", "1", LOSS, "{\"implicit\": \"cg\"}", ""},
      {DIGITS, "1", LOSS, "{\"implicit\": {\"solver\": {\"cg\": {\"start\": \"zero\"}}}}", ""},
      {DIGITS, "{\"about\": \"lambda\", \"init\": 1.0}", LOSS, "\"cg\"",
       ", \"name\": \"other\", \"about\": \"x\", \"seeds\": [4, 5], \"compute\": {\"threads\": 3}, "
       "\"metrics\": {\"a\": \"up\"}, \"outputs\": {\"b\": \"lam\"}, "
       "\"compare\": {\"c\": {\"seeds\": 1}}, \"sweep\": {\"seeds\": [1, 2]}"},
  };
  char first[65];
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    char identity[65];
    char *text = with_parts(same[i][0], same[i][1], same[i][2], same[i][3], same[i][4]);
    identify(text, 0, i == 0 ? first : identity);
    if (i > 0) {
      assert_string_equal(identity, first);
    }
    free(text);
  }
}

static void identity_sees_changes(void **state) {
  (void)state;
  static const char *const rest[] = {
      "",
      ", \"compute\": {\"dtype\": \"f64\"}",
      ", \"guards\": {\"stationarity\": \"off\"}",
      ", \"budget\": {\"hvps\": 100}",
      ", \"values\": {\"spare\": 1}",
  };
  enum { COUNT = sizeof rest / sizeof *rest };
  char identities[COUNT + 1][65];
  for (size_t i = 0; i <= COUNT; i++) {
    char *text =
        with_parts(DIGITS, i == COUNT ? "1.5" : "1", LOSS, "\"cg\"", i == COUNT ? "" : rest[i]);
    identify(text, 0, identities[i]);
    for (size_t k = 0; k < i; k++) {
      assert_string_not_equal(identities[i], identities[k]);
    }
    free(text);
  }
}

/* Another build of a plugin is another experiment; one that is only measured with is not. */
static void identity_sees_plugins(void **state) {
  (void)state;
  struct opened o = open_worked("02-hyper-cleaning-digits.json", 0);
  struct manifest *m = bind(&o, 0, NULL, NULL);
  char before[65];
  manifest_identity(m);
  memcpy(before, m->identity, sizeof before);
  struct plugin other = {.sha256 = "another"};
  struct component metric = *m->metrics[0].application->component;
  metric.plugin = &other;
  m->metrics[0].application->component = &metric;
  manifest_identity(m);
  assert_string_equal(m->identity, before);
  struct component optimizer = *m->levels[0].optimizer->component;
  optimizer.plugin = &other;
  m->levels[0].optimizer->component = &optimizer;
  manifest_identity(m);
  assert_string_not_equal(m->identity, before);
  manifest_free(m);
  close_opened(&o);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_idempotent),
      cmocka_unit_test(resolved_binds_to_itself),
      cmocka_unit_test(writes_out),
      cmocka_unit_test(own_name_is_the_dataset),
      cmocka_unit_test(identity_ignores_spelling),
      cmocka_unit_test(identity_sees_changes),
      cmocka_unit_test(identity_sees_plugins),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

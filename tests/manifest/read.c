/* What the bound structs hold, for the worked manifests. */
#include "support.h"

static const struct argument *argument_of(const struct application *a, const char *slot) {
  const struct argument *x = application_argument(a, slot);
  assert_non_null(x);
  return x;
}

static double number_of(const struct application *a, const char *slot) {
  const struct argument *x = argument_of(a, slot);
  assert_int_equal(x->number_count, 1);
  return x->numbers[0];
}

/* ---- manifest by manifest ---- */

static void reads_ridge(void **state) {
  (void)state;
  struct opened o = open_worked("01-ridge.json", 0);
  struct manifest *m = bind(&o, 0, NULL, NULL);
  assert_string_equal(m->name, "m");
  assert_string_equal(m->variant, "base");
  assert_string_equal(m->directory, "/data");
  assert_int_equal(m->data_count, 3);
  assert_int_equal(m->data[0].source->data, -1);
  assert_true(number_of(m->data[0].source->first, "rows") == 200);
  assert_true(number_of(m->data[0].source->first, "noise") == 0.5);
  assert_false(argument_of(m->data[0].source->first, "noise")->is_default);
  assert_true(argument_of(m->data[0].source->first, "outputs")->is_default);
  assert_int_equal(m->data[1].source->data, 0);
  assert_int_equal(m->data[1].source->transform_count, 1);
  assert_string_equal(m->data[1].source->transforms[0]->place.path, "data.train.take");
  assert_true(number_of(m->data[1].source->transforms[0], "count") == 100);
  assert_true(m->data[2].used);

  const struct argument *layers = argument_of(m->variables[0].model, "layers");
  assert_int_equal(layers->number_count, 2);
  assert_true(layers->numbers[0] == 20 && layers->numbers[1] == 1);
  assert_null(m->variables[1].model);
  assert_true(m->variables[1].init->numbers[0] == 0);

  assert_int_equal(m->objective_count, 2);
  assert_int_equal(m->objectives[0].term_count, 2);
  const struct expr *mse = m->objectives[0].terms[0];
  assert_int_equal(mse->kind, EXPR_APPLY);
  assert_string_equal(mse->application->component->c.id, "mse");
  assert_string_equal(mse->application->place.path, "objectives.training.0.mse");
  assert_int_equal(mse->application->place.line, 7);
  assert_int_equal(mse->application->place.column, 20);
  const struct expr *call = argument_of(mse->application, "of")->exprs[0];
  assert_int_equal(call->kind, EXPR_CALL);
  assert_int_equal(call->index, 0);
  assert_null(call->name);
  assert_string_equal(call->arguments[0].exprs[0]->name, "x");
  assert_int_equal(call->arguments[0].exprs[0]->index, 1);
  const struct argument *times = argument_of(m->objectives[0].terms[1]->application, "of");
  assert_int_equal(times->expr_count, 2);
  const struct expr *l2 = times->exprs[1];
  const struct expr *whole = argument_of(l2->application, "of")->exprs[0];
  assert_int_equal(whole->kind, EXPR_VARIABLE);
  assert_string_equal(whole->place.path, "objectives.training.1.times.of.1.l2.of");

  assert_int_equal(m->level_count, 2);
  const struct manifest_level *inner = &m->levels[0];
  const struct manifest_level *outer = &m->levels[1];
  assert_int_equal(inner->steps, 50);
  assert_int_equal(inner->parent, 1);
  assert_int_equal(inner->warm_start, 1);
  assert_int_equal(inner->batch_count, 1);
  assert_int_equal(inner->batches[0].data, -1);
  assert_int_equal(inner->batches[0].rows, BATCH_ALL);
  assert_int_equal(outer->parent, -1);
  assert_int_equal(outer->objective, 1);
  assert_int_equal(outer->over[0].variable, 1);
  assert_int_equal(outer->through_count, 1);
  const struct application *implicit = outer->through[0].estimator;
  assert_string_equal(implicit->component->c.id, "implicit");
  const struct application *cg = argument_of(implicit, "solver")->application;
  assert_string_equal(cg->component->c.id, "cg");
  assert_string_equal(cg->place.path, "levels.outer.through.inner.implicit.solver.cg");
  assert_true(number_of(cg, "iterations") == 1000);
  assert_true(number_of(outer->optimizer, "lr") == 0.1);
  assert_null(application_argument(implicit, "batch"));

  assert_string_equal(m->solver->component->c.id, "nested");
  assert_int_equal(m->seed_count, 1);
  assert_int_equal(m->seeds[0], 0);
  assert_int_equal(m->dtype, 1);
  assert_true(m->guards.divergence == 1e12);
  assert_int_equal(m->guards.stationarity, 1);
  assert_true(m->budget.seconds < 0 && m->budget.hvps < 0);
  manifest_free(m);
  close_opened(&o);
}

static void reads_hyper_cleaning(void **state) {
  (void)state;
  struct opened o = open_worked("02-hyper-cleaning-digits.json", 0);
  struct manifest *m = bind(&o, 0, NULL, NULL);
  assert_string_equal(m->data[4].name, "base");
  assert_false(m->data[4].used); /* only the variants read it */
  assert_int_equal(m->variables[1].per_data, 1);
  assert_int_equal(m->metrics[0].application->component->position, POSITION_FUNCTION);
  assert_string_equal(m->metrics[1].application->place.path, "metrics.cleaning_f1.value.f1");
  manifest_free(m);
  m = bind(&o, (size_t)manifest_variant_find(o.f, "validation_only"), NULL, NULL);
  assert_string_equal(m->variant, "validation_only");
  assert_int_equal(m->level_count, 1);
  assert_int_equal(m->levels[0].parent, -1);
  assert_string_equal(m->objectives[m->levels[0].objective].name, "baseline");
  assert_int_equal(m->metric_count, 1);
  assert_true(m->data[4].used);
  assert_int_equal(m->data[4].source->data, 2);
  manifest_free(m);
  close_opened(&o);
}

static void reads_mnist(void **state) {
  (void)state;
  struct opened o = open_worked("03-hyper-cleaning-mnist.json", 0);
  struct manifest *m =
      bind(&o, (size_t)manifest_variant_find(o.f, "noisy_and_validation"), NULL, NULL);
  assert_int_equal(m->seed_count, 5);
  assert_int_equal(m->guards.stationarity, 3);
  assert_string_equal(m->data[4].name, "base");
  const struct argument *of = argument_of(m->data[4].source->first, "of");
  assert_int_equal(of->source_count, 2);
  assert_int_equal(of->sources[1]->data, 2);
  assert_string_equal(argument_of(m->data[0].source->first, "images")->texts[0],
                      "mnist/train-images-idx3-ubyte.gz");
  assert_int_equal(m->outputs[0].expr->kind, EXPR_VALUE);
  manifest_free(m);
  m = bind(&o, (size_t)manifest_variant_find(o.f, "oracle"), NULL, NULL);
  assert_string_equal(argument_of(m->data[4].source->transforms[0], "field")->texts[0], "clean");
  manifest_free(m);
  close_opened(&o);
}

static void reads_per_weight(void **state) {
  (void)state;
  struct opened o = open_worked("04-per-weight-l2.json", 0);
  struct manifest *m = bind(&o, 0, NULL, NULL);
  assert_true(m->variables[1].has_shape);
  assert_int_equal(m->variables[1].shape_variable, 0);
  assert_string_equal(argument_of(m->variables[0].model, "activation")->texts[0], "tanh");
  manifest_free(m);
  m = bind(&o, (size_t)manifest_variant_find(o.f, "global_grid"), NULL, NULL);
  assert_false(m->variables[1].has_shape);
  assert_true(m->variables[1].init->numbers[0] == -7);
  assert_int_equal(m->levels[1].through_count, 0);
  assert_string_equal(m->solver->component->c.id, "grid");
  assert_true(number_of(m->solver, "points") == 11);
  manifest_free(m);
  m = bind(&o, (size_t)manifest_variant_find(o.f, "cg"), NULL, NULL);
  assert_true(number_of(m->levels[1].through[0].estimator, "damping") == 0.001);
  manifest_free(m);
  close_opened(&o);
}

static void reads_learning_rate(void **state) {
  (void)state;
  struct opened o = open_worked("05-learning-rate.json", 0);
  struct manifest *m = bind(&o, 0, NULL, NULL);
  assert_int_equal(m->variables[1].per_level, 0);
  assert_int_equal(m->variables[1].per_data, -1);
  assert_int_equal(m->levels[0].warm_start, 0);
  assert_int_equal(m->levels[0].batches[0].rows, 100);
  const struct argument *lr = argument_of(m->levels[0].optimizer, "lr");
  assert_int_equal(lr->number_count, 0);
  assert_int_equal(lr->exprs[0]->kind, EXPR_APPLY);
  assert_string_equal(lr->exprs[0]->place.path, "levels.inner.optimizer.sgd.lr.exp");
  manifest_free(m);
  assert_int_equal(manifest_variant_count(o.f), 4);
  assert_string_equal(manifest_variant_name(o.f, 1), "levels.outer.through.inner=unroll");
  m = bind(&o, 3, NULL, NULL);
  assert_true(number_of(m->levels[1].through[0].estimator, "truncate") == 10);
  manifest_free(m);
  close_opened(&o);
}

/* Variants of the later manifests bind, or are answered with "not supported yet", never with an
 * error. */
static void reads_all_worked(void **state) {
  (void)state;
  static const char supported[] = "111111111101001100"; /* by manifest: does the base bind? */
  for (size_t i = 0; i < WORKED_COUNT; i++) {
    struct opened o = open_worked(worked[i], 1);
    int32_t status = manifest_validate(o.f, o.r, NULL, &o.d);
    int expected = supported[i] == '1' ? TIER_OK : TIER_E_UNSUPPORTED;
    if (status != expected) {
      diagnostics_print(&o.d, stderr);
    }
    assert_int_equal(status, expected);
    close_opened(&o);
  }
}

/* The example at the head of docs/manifest.md, with nothing to say against it. */
static void reads_the_documented_example(void **state) {
  (void)state;
  char *page = NULL;
  size_t size = 0;
  char *path = path_join(DOCS, "manifest.md");
  assert_int_equal(file_read(path, 1 << 20, &page, &size), 0);
  char *start = strstr(page, "```json\n");
  assert_non_null(start);
  start += strlen("```json\n");
  char *end = strstr(start, "```");
  assert_non_null(end);
  *end = '\0';
  struct opened o = open_text(start, 0);
  assert_int_equal(manifest_validate(o.f, o.r, NULL, &o.d), 0);
  assert_int_equal(o.d.count, 0);
  assert_int_equal(manifest_variant_count(o.f), 2);
  close_opened(&o);
  free(path);
  free(page);
}

/* ---- details ---- */

#define HEAD                                                                     \
  "{\"tier\": 1, \"name\": \"small\", \"data\": {\"train\": {\"digits\": 100}, " \
  "\"val\": [\"train\", \"shuffle\", \"shuffle\"]},"
#define LEVELS                                                                                  \
  "\"levels\": [{\"name\": \"fit\", \"minimize\": \"loss\", \"over\": \"net\", \"optimizer\": " \
  "{\"sgd\": \"rate\"}, \"steps\": 3, \"batch\": {\"train\": 10, \"val\": \"all\"}, "           \
  "\"warm_start\": \"variables\", \"tolerance\": 0.5}],"

static const char details[] = HEAD LEVELS
    "\"variables\": {\"net\": {\"about\": \"a net\", \"model\": {\"mlp\": \"sizes\"}},"
    " \"w\": {\"shape\": [2, 3], \"init\": [1, 2, 3]}, \"v\": {\"shape\": \"val.x\", \"init\": 0},"
    " \"copies\": {\"per\": \"train\", \"init\": 1}},"
    "\"values\": {\"rate\": \"same\", \"same\": 0.5, \"sizes\": [784, 10], \"all_copies\": "
    "\"copies.all\", \"adapted\": {\"net\": {\"x\": \"val.x\", \"with\": \"net\"}}},"
    "\"objectives\": {\"loss\": [{\"cross-entropy\": {\"logits\": {\"net.forward\": \"train.x\"},"
    " \"labels\": \"train.y\"}}, {\"l2\": \"net.head\"}, \"extra\"], \"extra\": {\"l2\": \"w\"}},"
    "\"metrics\": {\"m\": {\"value\": \"loss\", \"on\": {\"train\": \"val\"}, \"every\": 7},"
    " \"g\": {\"total\": \"w.gradient\"}},"
    "\"outputs\": {\"o\": {\"npy\": \"v\"}, \"p\": {\"value\": {\"npy\": \"all_copies\"}}},"
    "\"budget\": {\"seconds\": 1.5, \"hvps\": 10}, \"seeds\": [3, 1],"
    "\"compute\": {\"dtype\": \"f64\", \"threads\": 2, \"backend\": \"reference\"}}";

static void reads_details(void **state) {
  (void)state;
  struct opened o = open_text(details, 0);
  struct manifest *m = bind(&o, 0, NULL, NULL);
  assert_string_equal(m->name, "small");
  assert_string_equal(m->data[1].source->transforms[0]->place.path, "data.val.shuffle");
  assert_string_equal(m->data[1].source->transforms[1]->place.path, "data.val.shuffle#2");
  const struct manifest_level *l = &m->levels[0];
  assert_true(number_of(l->optimizer, "lr") == 0.5); /* through two names */
  assert_int_equal(argument_of(l->optimizer, "lr")->expr_count, 0);
  assert_int_equal(l->warm_start, 2);
  assert_true(l->tolerance == 0.5);
  assert_int_equal(l->batch_count, 2);
  assert_int_equal(l->batches[0].data, 0);
  assert_int_equal(l->batches[0].rows, 10);
  assert_int_equal(l->batches[1].data, 1);
  assert_int_equal(l->batches[1].rows, BATCH_ALL);
  const struct argument *layers = argument_of(m->variables[0].model, "layers");
  assert_int_equal(layers->number_count, 2);
  assert_true(layers->numbers[1] == 10);
  assert_int_equal(m->variables[1].shape_rank, 2);
  assert_int_equal(m->variables[1].shape[1], 3);
  assert_int_equal(m->variables[1].init->kind, EXPR_NUMBERS);
  assert_true(m->variables[1].init->numbers[2] == 3);
  assert_int_equal(m->variables[2].shape_data, 1);
  assert_string_equal(m->variables[2].shape_field, "x");
  assert_int_equal(m->values[3].expr->kind, EXPR_ALL);
  assert_non_null(m->values[4].expr->with);
  const struct expr *logits =
      argument_of(m->objectives[0].terms[0]->application, "logits")->exprs[0];
  assert_int_equal(logits->kind, EXPR_CALL);
  assert_null(logits->name);
  assert_string_equal(logits->entry->name, "forward");
  const struct expr *head = argument_of(m->objectives[0].terms[1]->application, "of")->exprs[0];
  assert_string_equal(head->name, "head");
  assert_int_equal(m->objectives[0].terms[2]->kind, EXPR_OBJECTIVE);
  assert_int_equal(m->objectives[0].terms[2]->index, 1);
  assert_int_equal(m->metrics[0].expr->kind, EXPR_OBJECTIVE);
  assert_int_equal(m->metrics[0].every, 7);
  assert_int_equal(m->metrics[0].on_count, 1);
  assert_int_equal(m->metrics[0].on[0][0], 0);
  assert_int_equal(m->metrics[0].on[0][1], 1);
  const struct expr *gradient = argument_of(m->metrics[1].expr->application, "of")->exprs[0];
  assert_int_equal(gradient->kind, EXPR_GRADIENT);
  assert_int_equal(m->outputs[0].application->component->position, POSITION_WRITER);
  assert_int_equal(m->outputs[1].application->component->position, POSITION_WRITER);
  assert_true(m->budget.seconds == 1.5);
  assert_int_equal(m->budget.hvps, 10);
  assert_int_equal(m->budget.cross, -1);
  assert_int_equal(m->seeds[1], 1);
  assert_int_equal(m->dtype, 2);
  assert_int_equal(m->threads, 2);
  assert_string_equal(m->backend, "reference");
  manifest_free(m);
  close_opened(&o);
}

/* ---- diagnostics ---- */

static void gives_canonical_paths(void **state) {
  (void)state;
  static const char *const set[] = {"levels.outer.optimizer.adam.lr=-1", NULL};
  struct opened o = open_worked("01-ridge.json", 0);
  struct manifest_sets sets = {set, 1};
  struct manifest *m = NULL;
  assert_int_equal(manifest_bind(o.f, o.r, 0, &sets, &o.d, NULL, &m), TIER_E_INVALID);
  assert_null(m);
  assert_int_equal(o.d.count, 1);
  assert_string_equal(o.d.items[0].path, "levels.outer.optimizer.adam.lr");
  assert_int_equal(diagnostics_errors(&o.d), 1);
  close_opened(&o);
}

static void names_a_refused_plugin(void **state) {
  (void)state;
  struct opened o = open_worked("08-wgan.json", 0);
  struct manifest *m = NULL;
  fake_registry_refuse(o.r, "/plugins/ring.so", "it was built for ABI 2");
  assert_int_equal(manifest_bind(o.f, o.r, 0, NULL, &o.d, NULL, &m), TIER_E_PLUGIN);
  char *text = said(&o.d);
  assert_non_null(strstr(text,
                         "no dataset \"ring\"; /plugins/ring.so was found and refused: it was "
                         "built for ABI 2"));
  free(text);
  close_opened(&o);
}

static void reports_syntax_and_files(void **state) {
  (void)state;
  struct diagnostics d = {0};
  struct manifest_file *f = NULL;
  assert_int_equal(manifest_open_text("m.json", ".", "{\n \"tier\": 01}", 14, &d, &f),
                   TIER_E_INVALID);
  assert_null(f);
  assert_int_equal(d.items[0].line, 2);
  assert_int_equal(d.items[0].column, 10);
  assert_int_equal(manifest_open_text("m.json", ".", "[1]", 3, &d, &f), TIER_E_INVALID);
  assert_int_equal(manifest_open("/nowhere/m.json", &d, &f), TIER_E_MISSING);
  char *text = said(&d);
  assert_string_equal(text,
                      "/nowhere/m.json: cannot open /nowhere/m.json: No such file or directory\n"
                      "m.json:1:1: a manifest is a JSON object { ... }\n"
                      "m.json:2:10: a number must not start with 0\n");
  free(text);
  diagnostics_free(&d);
  char *path = path_join(WORKED, "01-ridge.json");
  assert_int_equal(manifest_open(path, &d, &f), 0);
  struct registry *r = fake_registry(0);
  struct manifest *m = NULL;
  assert_int_equal(manifest_bind(f, r, 0, NULL, &d, NULL, &m), 0);
  assert_string_equal(m->name, "01-ridge");
  assert_string_equal(m->directory, WORKED);
  manifest_free(m);
  fake_registry_free(r);
  manifest_close(f);
  free(path);
}

/* ---- damage: any value replaced by any other kind of value is answered, never a crash ---- */

static struct json *node_at(struct json *j, size_t *index) {
  if (*index == 0) {
    return j;
  }
  for (size_t i = 0; i < j->count; i++) {
    --*index;
    struct json *found = node_at(j->items[i], index);
    if (found != NULL) {
      return found;
    }
  }
  return NULL;
}

static int damage(const char *text, size_t index, const char *replacement) {
  struct arena *a = arena_new();
  struct json *j = NULL;
  struct json *new = NULL;
  struct text out = {0};
  assert_int_equal(json_parse(a, "m", text, strlen(text), &j), 0);
  assert_int_equal(json_parse(a, "m", replacement, strlen(replacement), &new), 0);
  struct json *node = node_at(j, &index);
  if (node != NULL) {
    new->key = node->key;
    *node = *new;
    json_write(j, 2, 0, &out);
    struct registry *r = fake_registry(1);
    struct diagnostics d = {0};
    struct manifest_file *f = NULL;
    if (manifest_open_text("m", ".", text_get(&out), out.length, &d, &f) == 0) {
      int32_t status = manifest_validate(f, r, NULL, &d);
      assert_int_equal(status < 0, diagnostics_status(&d) < 0);
    }
    manifest_close(f);
    diagnostics_free(&d);
    fake_registry_free(r);
  }
  text_free(&out);
  arena_free(a);
  return node != NULL;
}

static void survives_damage(void **state) {
  (void)state;
  static const char *const names[] = {"01-ridge.json", "05-learning-rate.json",
                                      "07-vae-auto-evaluator.json", "11-maml-sinusoid.json",
                                      "13-ewc.json"};
  static const char *const values[] = {
      "null", "true", "-1",    "\"train\"",        "\"net.x\"",
      "[]",   "{}",   "[[1]]", "{\"net\": \"x\"}", "{\"a\": 1, \"b\": 2}"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *text = worked_text(names[i]);
    for (size_t k = 0; damage(text, k, values[k % (sizeof values / sizeof *values)]); k++) {
    }
    for (size_t k = 0; damage(text, k, values[(k + 3) % (sizeof values / sizeof *values)]); k++) {
    }
    free(text);
  }
}

/* As long a chain as is allowed: definitions are followed by recursion. */
static void follows_long_chains(void **state) {
  (void)state;
  for (int count = 3990; count <= 4010; count += 20) {
    struct text text = {0};
    struct diagnostics d = {0};
    struct manifest_file *f = NULL;
    text_add(&text, HEAD LEVELS
             "\"variables\": {\"net\": {\"mlp\": [784, 10]}}, \"objectives\": "
             "{\"loss\": {\"times\": [{\"l2\": \"net\"}, \"v1\"]}}, "
             "\"values\": {\"rate\": 1");
    for (int i = 1; i < count; i++) {
      text_format(&text, ", \"v%d\": {\"exp\": \"v%d\"}", i, i + 1);
    }
    text_format(&text, ", \"v%d\": {\"total\": \"net\"}}}", count);
    int32_t status = manifest_open_text("m.json", ".", text_get(&text), text.length, &d, &f);
    assert_int_equal(status, count < 4000 ? TIER_OK : TIER_E_INVALID);
    if (status == TIER_OK) {
      struct registry *r = fake_registry(0);
      struct manifest *m = NULL;
      assert_int_equal(manifest_bind(f, r, 0, NULL, &d, NULL, &m), 0);
      manifest_free(m);
      fake_registry_free(r);
    }
    manifest_close(f);
    diagnostics_free(&d);
    text_free(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_ridge),
      cmocka_unit_test(reads_hyper_cleaning),
      cmocka_unit_test(reads_mnist),
      cmocka_unit_test(reads_per_weight),
      cmocka_unit_test(reads_learning_rate),
      cmocka_unit_test(reads_all_worked),
      cmocka_unit_test(reads_the_documented_example),
      cmocka_unit_test(reads_details),
      cmocka_unit_test(gives_canonical_paths),
      cmocka_unit_test(names_a_refused_plugin),
      cmocka_unit_test(reports_syntax_and_files),
      cmocka_unit_test(survives_damage),
      cmocka_unit_test(follows_long_chains),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

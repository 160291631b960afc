/* Params and instances: what is checked, and what `create` sees. */
#include "check.h"

#include <math.h>
#include <tier/dataset.h>
#include <tier/linear_solver.h>

#include "plugin/params.h"
#include "plugin/registry.h"
#include "sample.h"

static struct registry *registry;

static int open_registry(void **state) {
  (void)state;
  struct registry_options options = {.plugin_path = SAMPLE, .probe = 0};
  return registry_open(&options, &registry);
}

static int close_registry(void **state) {
  (void)state;
  registry_close(registry);
  return 0;
}

static struct params *params_for(enum position position, const char *id) {
  const struct component *c = registry_find(registry, position, id);
  assert_non_null(c);
  return params_new(c, 77);
}

/* Params of "everything" with its one required slot. */
static struct params *everything(void) {
  double rate = 0.5;
  struct params *p = params_for(POSITION_FUNCTION, "everything");
  params_set_numbers(p, "rate", &rate, 1);
  return p;
}

static const struct seen *seen_by(const struct instance *i) {
  return instance_get(i, "test.seen/1");
}

/* ---- values ---------------------------------------------------------------------------------- */

static void slots_that_are_not_set_get_their_fallback(void **state) {
  (void)state;
  struct instance *i = NULL;
  assert_ok(instance_new(everything(), &i));
  const struct seen *s = seen_by(i);
  assert_true(s->rate == 0.5 && s->rate_given == 1);
  assert_int_equal(s->count, 3);
  assert_int_equal(s->size_count, 2);
  assert_int_equal(s->sizes[0], 4);
  assert_int_equal(s->sizes[1], 5);
  assert_true(s->weight == 0.25);
  assert_int_equal(s->deep, 1);
  assert_string_equal(s->shape, "round");
  assert_int_equal(s->file_given, 0);
  assert_null(s->file);
  assert_null(s->data);
  assert_null(s->solver);
  assert_int_equal(s->name_count, 0);
  assert_int_equal(s->of_given, 0);
  assert_int_equal(s->stream, 77);
  instance_free(i);
}

static void values_that_are_set_are_copied(void **state) {
  (void)state;
  struct instance *i = NULL;
  struct params *p = everything();
  double sizes[3] = {7, 8, 9};
  double off = 0;
  char last[] = "zwei";
  const char *names[2] = {"eins", last};
  const char *shape = "square";
  tier_data source = {NULL};
  tier_data *data = &source;
  params_set_numbers(p, "sizes", sizes, 3);
  params_set_numbers(p, "deep", &off, 1);
  params_set_texts(p, "names", names, 2);
  params_set_texts(p, "shape", &shape, 1);
  params_set_data(p, "data", &data, 1);
  params_set_given(p, "of");
  sizes[2] = -1;
  last[0] = 'x';
  assert_ok(instance_new(p, &i));
  const struct seen *s = seen_by(i);
  assert_int_equal(s->size_count, 3);
  assert_int_equal(s->sizes[2], 9);
  assert_int_equal(s->deep, 0);
  assert_string_equal(s->last_name, "zwei");
  assert_string_equal(s->shape, "square");
  assert_ptr_equal(s->data, &source);
  assert_int_equal(s->of_given, 1);
  instance_free(i);
}

static void an_expression_may_stand_for_a_differentiable_number(void **state) {
  (void)state;
  struct instance *i = NULL;
  struct params *p = params_for(POSITION_FUNCTION, "everything");
  params_set_given(p, "rate");
  assert_ok(instance_new(p, &i));
  assert_int_equal(seen_by(i)->rate_given, 1);
  assert_true(isnan(seen_by(i)->rate));
  instance_free(i);
}

static void an_instance_can_be_given_to_another(void **state) {
  (void)state;
  struct instance *solver = NULL;
  struct instance *i = NULL;
  struct params *p = everything();
  assert_ok(instance_new(params_for(POSITION_ESTIMATOR, "good-solver"), &solver));
  params_set_instance(p, "solver", solver);
  assert_ok(instance_new(p, &i));
  const tier_instance *inner = seen_by(i)->solver;
  void *object = &object;
  const tier_linear_solver_1 *api = inner->api->get(inner, "tier.linear_solver/1", &object);
  assert_non_null(api);
  assert_ptr_equal(object, solver->object);
  assert_string_equal(inner->api->component(inner)->id, "good-solver");
  assert_null(inner->api->get(inner, "tier.solver/1", NULL));
  assert_null(inner->api->state(inner));
  instance_free(i);
  instance_free(solver);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static int32_t with_numbers(const char *slot, const double *values, size_t count) {
  struct instance *i = NULL;
  struct params *p = everything();
  params_set_numbers(p, slot, values, count);
  int32_t status = instance_new(p, &i);
  instance_free(i);
  return status;
}

static int32_t with_number(const char *slot, double value) {
  return with_numbers(slot, &value, 1);
}

static int32_t with_text(const char *slot, const char *text) {
  struct instance *i = NULL;
  struct params *p = everything();
  params_set_texts(p, slot, &text, 1);
  int32_t status = instance_new(p, &i);
  instance_free(i);
  return status;
}

static void ranges_are_checked(void **state) {
  (void)state;
  const char *rate = "everything: \"rate\" is 0, but must be above 0 and at most 1";
  assert_fails(with_number("rate", 0), TIER_E_INVALID, rate);
  assert_ok(with_number("rate", 1));
  assert_fails(with_number("rate", 1.5), TIER_E_INVALID, "is 1.5, but must be above 0");
  assert_fails(with_number("rate", NAN), TIER_E_INVALID, "not a finite number");
  assert_fails(with_number("rate", INFINITY), TIER_E_INVALID, "not a finite number");
  assert_fails(with_number("count", 11), TIER_E_INVALID,
               "\"count\" is 11 rows, but must be at least 1 and at most 10");
  assert_ok(with_number("count", 10));
  assert_fails(with_number("count", 2.5), TIER_E_INVALID, "must be an integer");
  assert_fails(with_number("sizes", 1e300), TIER_E_INVALID, "must be an integer");
  assert_fails(with_number("deep", 2), TIER_E_INVALID, "must be true or false");
}

static void types_are_checked(void **state) {
  (void)state;
  double two[2] = {1, 2};
  assert_fails(with_text("count", "3"), TIER_E_INVALID, "\"count\" must be an integer");
  assert_fails(with_number("shape", 3), TIER_E_INVALID, "\"shape\" must be a text");
  assert_fails(with_numbers("count", two, 2), TIER_E_INVALID, "\"count\" must be an integer");
  assert_fails(with_numbers("count", two, 0), TIER_E_INVALID, "\"count\" must be an integer");
  assert_fails(with_number("data", 3), TIER_E_INVALID, "\"data\" must be a data source");
  assert_fails(with_text("file", ""), TIER_E_INVALID, "\"file\" is empty");
  struct instance *i = NULL;
  struct params *p = everything();
  params_set_given(p, "count");
  assert_fails(instance_new(p, &i), TIER_E_INVALID, "\"count\" must be an integer");
}

static void choices_are_checked(void **state) {
  (void)state;
  assert_fails(with_text("shape", "squar"), TIER_E_INVALID, "did you mean \"square\"?");
  assert_fails(with_text("shape", "blue"), TIER_E_INVALID, "(choices: round, square)");
  assert_fails(with_text("shape", "roun"), TIER_E_INVALID, "no choice \"roun\"");
}

static void required_and_unknown_slots_are_told(void **state) {
  (void)state;
  struct instance *i = NULL;
  assert_fails(instance_new(params_for(POSITION_FUNCTION, "everything"), &i), TIER_E_INVALID,
               "everything: \"rate\" is missing, and must be a number");
  assert_null(i);
  assert_fails(with_number("cuont", 3), TIER_E_INVALID,
               "there is no slot \"cuont\"; did you mean \"count\"?");
  assert_fails(with_number("xyz", 3), TIER_E_INVALID, "there is no slot \"xyz\"");
}

static void the_kind_of_an_instance_is_checked(void **state) {
  (void)state;
  struct instance *other = NULL;
  struct instance *i = NULL;
  struct params *p = everything();
  assert_ok(instance_new(everything(), &other));
  params_set_instance(p, "solver", other);
  assert_fails(instance_new(p, &i), TIER_E_INVALID, "takes a linear-solver, not a map");
  instance_free(other);
}

static void a_transform_needs_data(void **state) {
  (void)state;
  struct instance *i = NULL;
  assert_fails(instance_new(params_for(POSITION_DATA, "wraps"), &i), TIER_E_INVALID,
               "wraps: a transform needs data");
}

/* ---- plugins that break their contract ----------------------------------------------------------
 */

static int32_t clumsy(const char *how, struct instance **i) {
  struct params *p = params_for(POSITION_FUNCTION, "clumsy");
  params_set_texts(p, "how", &how, 1);
  return instance_new(p, i);
}

static void failures_of_create_keep_their_reason(void **state) {
  (void)state;
  struct instance *i = NULL;
  assert_fails(clumsy("reason", &i), TIER_E_REFUSED, "clumsy: does not like reason");
  assert_fails(clumsy("silent", &i), TIER_E_MEMORY, "gave no reason (code -7)");
  assert_null(i);
}

static void a_failure_that_create_got_over_is_forgotten(void **state) {
  (void)state;
  struct instance *i = NULL;
  assert_ok(clumsy("recovers", &i));
  assert_string_equal(error_text(), "");
  instance_free(i);
}

static void a_getter_for_the_wrong_slot_is_a_bug_of_the_plugin(void **state) {
  (void)state;
  struct instance *i = NULL;
  assert_fails(clumsy("type", &i), TIER_E_PLUGIN,
               "it asked for a number at slot \"how\", which is a text");
  assert_fails(clumsy("name", &i), TIER_E_PLUGIN, "slot \"no_such_slot\", which its table lacks");
}

static void each_kind_must_offer_its_interface(void **state) {
  (void)state;
  struct instance *i = NULL;
  assert_fails(instance_new(params_for(POSITION_FUNCTION, "offers-nothing"), &i), TIER_E_PLUGIN,
               "a component of kind loss must offer tier.function/1");
  assert_fails(instance_new(params_for(POSITION_ESTIMATOR, "short-solver"), &i), TIER_E_PLUGIN,
               "tier.linear_solver/1 has struct_size 8");
  assert_fails(instance_new(params_for(POSITION_ESTIMATOR, "empty-solver"), &i), TIER_E_PLUGIN,
               "tier.linear_solver/1 lacks the member");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slots_that_are_not_set_get_their_fallback),
      cmocka_unit_test(values_that_are_set_are_copied),
      cmocka_unit_test(an_expression_may_stand_for_a_differentiable_number),
      cmocka_unit_test(an_instance_can_be_given_to_another),
      cmocka_unit_test(ranges_are_checked),
      cmocka_unit_test(types_are_checked),
      cmocka_unit_test(choices_are_checked),
      cmocka_unit_test(required_and_unknown_slots_are_told),
      cmocka_unit_test(the_kind_of_an_instance_is_checked),
      cmocka_unit_test(a_transform_needs_data),
      cmocka_unit_test(failures_of_create_keep_their_reason),
      cmocka_unit_test(a_failure_that_create_got_over_is_forgotten),
      cmocka_unit_test(a_getter_for_the_wrong_slot_is_a_bug_of_the_plugin),
      cmocka_unit_test(each_kind_must_offer_its_interface),
  };
  return cmocka_run_group_tests(tests, open_registry, close_registry);
}

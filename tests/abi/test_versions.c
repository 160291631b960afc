/* A plugin built for version 1.0 works in this host and in a later one, whose structs are larger;
 * one built with later headers works here if it does not need the later version. With FUTURE, this
 * file and the whole loader are compiled against the headers of that later version. */
#include "check.h"

#include <tier/metric.h>

#include "plugin/params.h"
#include "plugin/registry.h"

static struct registry *open_with(const char *path) {
  struct registry *r = NULL;
  struct registry_options options = {.plugin_path = path, .probe = 0};
  assert_ok(registry_open(&options, &r));
  return r;
}

static void check_metric(const struct registry *r) {
  struct instance *i = NULL;
  double value = 0;
  const struct component *c = registry_find(r, POSITION_FUNCTION, "sum-of-slots");
  assert_non_null(c);
  assert_int_equal(c->c.slot_count, 3);
  assert_string_equal(c->c.slots[2].name, "third");
  assert_ok(instance_new(params_new(c, 0), &i));
  const tier_metric_1 *metric = instance_get(i, "tier.metric/1");
  assert_ok(metric->compute(i->object, NULL, &value));
  assert_true(value == 3.5);
  instance_free(i);
}

static void check_model(const struct registry *r) {
  const struct component *c = registry_find(r, POSITION_MODEL, "two-entries");
  assert_non_null(c);
  assert_int_equal(c->c.entry_count, 2);
  assert_string_equal(c->c.entries[1].name, "backward");
  assert_string_equal(c->c.entries[1].slots[1].name, "y");
#ifdef FUTURE
  assert_null(c->c.homepage);
  assert_null(c->c.slots[0].hint);
  assert_null(c->c.slots[2].hint);
  assert_null(c->c.entries[1].hint);
  assert_null(c->c.entries[1].slots[0].hint);
#endif
}

static void check_loads(const char *path) {
  struct registry *r = open_with(path);
  assert_null(registry_refused(r, 0));
  check_metric(r);
  check_model(r);
  registry_close(r);
}

static void an_old_plugin_works(void **state) {
  (void)state;
  check_loads(FOLDER "/old.so");
}

static void a_newer_plugin_that_needs_nothing_new_works(void **state) {
  (void)state;
  check_loads(FOLDER "/new-modest.so");
}

static void a_newer_plugin_is_refused_by_an_older_host(void **state) {
  (void)state;
#ifdef FUTURE
  check_loads(FOLDER "/new.so");
#else
  struct registry *r = open_with(FOLDER "/new.so");
  assert_non_null(registry_refused(r, 0));
  assert_non_null(
      strstr(registry_refused(r, 0)->reason, "it needs ABI 1.1, and this tier has 1.0"));
  assert_null(registry_find(r, POSITION_FUNCTION, "sum-of-slots"));
  registry_close(r);
#endif
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_old_plugin_works),
      cmocka_unit_test(a_newer_plugin_that_needs_nothing_new_works),
      cmocka_unit_test(a_newer_plugin_is_refused_by_an_older_host),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Registry: what is found, in which order, and what is refused. */
#include "check.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "plugin/registry.h"

static struct registry *open_with(const char *path) {
  struct registry *r = NULL;
  struct registry_options options = {.plugin_path = path, .probe = 0};
  assert_ok(registry_open(&options, &r));
  return r;
}

static void finds_components_by_position_and_id(void **state) {
  (void)state;
  struct registry *r = open_with(SAMPLE);
  const struct component *c = registry_find(r, POSITION_FUNCTION, "everything");
  assert_non_null(c);
  assert_string_equal(c->c.kind, "map");
  assert_int_equal(c->position, POSITION_FUNCTION);
  assert_string_equal(c->plugin->name, "sample");
  assert_string_equal(c->plugin->path, SAMPLE);
  assert_int_equal(c->c.slot_count, 11);
  assert_string_equal(c->c.slots[10].name, "of");
  assert_null(registry_find(r, POSITION_MODEL, "everything"));
  assert_null(registry_find(r, POSITION_FUNCTION, "nothing-like-it"));
  registry_close(r);
}

static void entries_are_copied_with_their_slots(void **state) {
  (void)state;
  struct registry *r = open_with(SAMPLE);
  const struct component *c = registry_find(r, POSITION_MODEL, "two-ways");
  assert_non_null(c);
  assert_int_equal(c->c.entry_count, 2);
  assert_string_equal(c->c.entries[1].outputs, "mean log_variance");
  assert_string_equal(c->c.entries[1].slots[0].name, "x");
  registry_close(r);
}

static size_t rank(const struct component *c) {
  static const char *const kinds[] = {
      "dataset",   "transform", "model",         "loss",   "map", "metric", "evaluator",
      "optimizer", "estimator", "linear-solver", "solver", "set", "writer"};
  size_t i = 0;
  while (strcmp(kinds[i], c->c.kind) != 0) {
    i++;
  }
  return i;
}

static int order(const struct component *a, const struct component *b) {
  return rank(a) != rank(b) ? (rank(a) < rank(b) ? -1 : 1) : strcmp(a->c.id, b->c.id);
}

static void lists_in_order_of_kind_and_id(void **state) {
  (void)state;
  struct registry *r = open_with(SAMPLE);
  size_t n = 0;
  for (; registry_component(r, n) != NULL; n++) {
    if (n > 0) {
      assert_true(order(registry_component(r, n - 1), registry_component(r, n)) < 0);
    }
  }
  assert_true(n >= 8);
  registry_close(r);
}

static void names_are_for_suggestions(void **state) {
  (void)state;
  struct registry *r = open_with(SAMPLE);
  size_t count = 0;
  const char *const *names = registry_names(r, POSITION_ESTIMATOR, &count);
  int64_t i = text_nearest("good-sovler", names, count);
  assert_true(i >= 0);
  assert_string_equal(names[i], "good-solver");
  registry_close(r);
}

static void empty_entries_are_ignored_and_files_taken_once(void **state) {
  (void)state;
  struct registry *r = open_with("::" SAMPLE ":" SAMPLE ":" SAMPLE_FOLDER "/./sample.so:");
  assert_non_null(registry_find(r, POSITION_FUNCTION, "everything"));
  assert_null(registry_refused(r, 0));
  registry_close(r);
}

/* Our own folder is found from a test's place in the build folder, and its plugins are trusted by
 * whatever path they are reached. */
static void plugins_of_the_build_are_our_own(void **state) {
  (void)state;
  char *link = memory_format("/tmp/tier-test-link-%d", (int)getpid());
  (void)unlink(link);
  assert_int_equal(symlink(BUILD_PLUGINS, link), 0);
  char *path = memory_format("%s:%s", link, SAMPLE);
  struct registry *r = open_with(path);
  size_t own = 0;
  const struct component *c = NULL;
  for (size_t i = 0; (c = registry_component(r, i)) != NULL; i++) {
    assert_int_equal(c->plugin->own, strcmp(c->plugin->path, SAMPLE) != 0);
    own += c->plugin->own != 0;
  }
  registry_close(r);
  assert_int_equal(unlink(link), 0);
  free(path);
  free(link);
  if (own == 0) {
    print_message("no plugin was built yet\n");
    skip();
  }
}

static void a_missing_folder_is_told(void **state) {
  (void)state;
  struct registry *r = NULL;
  struct registry_options options = {.plugin_path = "/no/such/folder", .probe = 0};
  assert_fails(registry_open(&options, &r), TIER_E_MISSING, "/no/such/folder");
  assert_null(r);
}

static void the_environment_adds_a_path(void **state) {
  (void)state;
  assert_int_equal(setenv("TIER_PLUGIN_PATH", ":" SAMPLE, 1), 0);
  struct registry *r = open_with(NULL);
  assert_non_null(registry_find(r, POSITION_FUNCTION, "everything"));
  registry_close(r);
  assert_int_equal(unsetenv("TIER_PLUGIN_PATH"), 0);
}

static void a_copy_is_a_duplicate_that_names_both_files(void **state) {
  (void)state;
  char folder[] = "/tmp/tier-test-XXXXXX";
  char *content = NULL;
  size_t size = 0;
  assert_non_null(mkdtemp(folder));
  char *copy = path_join(folder, "copy.so");
  char *path = memory_format("%s:%s", SAMPLE, folder);
  assert_ok(file_read(SAMPLE, SIZE_MAX, &content, &size));
  assert_ok(file_write(copy, content, size));
  struct registry *r = NULL;
  struct registry_options options = {.plugin_path = path, .probe = 0};
  int32_t status = registry_open(&options, &r);
  assert_int_equal(status, TIER_E_PLUGIN);
  assert_non_null(strstr(error_text(), SAMPLE));
  assert_fails(status, TIER_E_PLUGIN, copy);
  assert_null(r);
  assert_ok(directory_remove(folder));
  free(content);
  free(path);
  free(copy);
}

static void one_file_can_be_inspected(void **state) {
  (void)state;
  struct registry *r = open_with(NULL);
  size_t first = 0;
  size_t count = 0;
  assert_ok(registry_load_file(r, SAMPLE, &first, &count));
  assert_int_equal(count, 8);
  assert_string_equal(registry_component(r, first)->c.id, "everything");
  assert_null(registry_component(r, first + count));
  assert_null(registry_find(r, POSITION_FUNCTION, "everything"));
  assert_fails(registry_load_file(r, "/no/such.so", &first, &count), TIER_E_MISSING, "/no/such.so");
  registry_close(r);
}

static void the_hash_is_that_of_the_file(void **state) {
  (void)state;
  char hex[65];
  struct registry *r = open_with(SAMPLE);
  struct plugin *p = registry_find(r, POSITION_FUNCTION, "everything")->plugin;
  assert_null(p->sha256);
  assert_ok(sha256_file(SAMPLE, hex));
  assert_string_equal(plugin_hash(p), hex);
  assert_string_equal(p->sha256, hex);
  registry_close(r);
}

static void kinds_have_positions(void **state) {
  (void)state;
  assert_int_equal(position_of_kind("transform"), POSITION_DATA);
  assert_int_equal(position_of_kind("evaluator"), POSITION_FUNCTION);
  assert_int_equal(position_of_kind("linear-solver"), POSITION_ESTIMATOR);
  assert_int_equal(position_of_kind("gadget"), POSITION_COUNT);
  assert_string_equal(position_name(POSITION_ESTIMATOR), "estimator or linear solver");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_components_by_position_and_id),
      cmocka_unit_test(entries_are_copied_with_their_slots),
      cmocka_unit_test(lists_in_order_of_kind_and_id),
      cmocka_unit_test(names_are_for_suggestions),
      cmocka_unit_test(empty_entries_are_ignored_and_files_taken_once),
      cmocka_unit_test(plugins_of_the_build_are_our_own),
      cmocka_unit_test(a_missing_folder_is_told),
      cmocka_unit_test(the_environment_adds_a_path),
      cmocka_unit_test(a_copy_is_a_duplicate_that_names_both_files),
      cmocka_unit_test(one_file_can_be_inspected),
      cmocka_unit_test(the_hash_is_that_of_the_file),
      cmocka_unit_test(kinds_have_positions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Each bad plugin is refused with its reason, and the host lives on. All are probed, as third-party
 * plugins are; those that run no code on loading are loaded without a probe, too. */
#include "check.h"

#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/memory.h"
#include "plugin/registry.h"

static const struct {
  const char *name;
  const char *reason;
  int deadly; /* must not be loaded into this process */
} cases[] = {
    {"wrong-magic", "its magic is 0x12345678, not 0x52454954", 0},
    {"struct-too-small", "its struct_size is 32, but version 1 has at least 56", 0},
    {"major-2", "it is built for ABI 2, and this tier has ABI 1", 0},
    {"minor-too-new", "it needs ABI 1.9, and this tier has 1.0", 0},
    {"null-table", "the table of components is missing", 0},
    {"no-components", "it has no components", 0},
    {"too-many-components", "1000000 components are more than the 4096 allowed", 0},
    {"short-stride", "the size of its components is 24 bytes", 0},
    {"wild-table", "died with SIGSEGV while loading", 1},
    {"bad-kind", "component \"bad\": unknown kind \"gadget\"", 0},
    {"capital-id", "component \"Bad\": its id is not [a-z][a-z0-9-]*", 0},
    {"reserved-id", "component \"shape\": this id is reserved", 0},
    {"duplicate-slot", "component \"bad\": two slots are called \"a\"", 0},
    {"no-create", "component \"bad\": it has no function \"create\"", 0},
    {"no-get", "component \"bad\": it has no function \"get\"", 0},
    {"crash", "died with SIGSEGV while loading", 1},
    {"abort", "died with SIGABRT while loading", 1},
    {"hang", "did not finish loading within 2 seconds", 1},
    {"exit", "ended the process while loading (exit status 0)", 1},
    {"missing-symbol", "undefined symbol: no_such_function", 0},
    {"no-entry", "has no symbol \"tier_plugin_entry\"", 0},
};

/* Opens a registry with that one file: the reason why it is refused, NULL if it is not; free() it.
 */
static char *refusal_of(const char *path, int probe) {
  struct registry *r = NULL;
  struct registry_options options = {.plugin_path = path, .probe = probe};
  assert_ok(registry_open(&options, &r));
  const struct registry_refusal *refusal = registry_refused(r, 0);
  char *reason = refusal != NULL ? memory_copy_text(refusal->reason) : NULL;
  if (refusal != NULL) {
    assert_string_equal(refusal->path, path);
  }
  registry_close(r);
  return reason;
}

static void check_refused(const char *path, int probe, const char *part) {
  char *reason = refusal_of(path, probe);
  if (reason == NULL || strstr(reason, part) == NULL) {
    fail_test("%s: \"%s\", expected \"...%s...\"", path, reason != NULL ? reason : "loaded", part);
  }
  free(reason);
}

static void each_is_refused_with_its_reason(void **state) {
  (void)state;
  for (size_t i = 0; i < TIER_COUNT(cases); i++) {
    char *path = memory_format("%s/bad-%s.so", FOLDER, cases[i].name);
    check_refused(path, 1, cases[i].reason);
    if (!cases[i].deadly) {
      check_refused(path, 0, cases[i].reason);
    }
    free(path);
  }
}

static void a_good_one_passes_the_probe(void **state) {
  (void)state;
  assert_null(refusal_of(SAMPLE, 1));
}

static void a_duplicate_id_names_both_files(void **state) {
  (void)state;
  struct registry *r = NULL;
  struct registry_options options = {.plugin_path = SAMPLE ":" FOLDER "/twin.so", .probe = 1};
  assert_fails(registry_open(&options, &r), TIER_E_PLUGIN,
               "two plugins have the function \"everything\": " SAMPLE " and " FOLDER "/twin.so");
}

static void what_is_no_library_is_refused(void **state) {
  (void)state;
  char folder[] = "/tmp/tier-test-XXXXXX";
  assert_non_null(mkdtemp(folder));
  char *path = path_join(folder, "text.so");
  assert_ok(file_write(path, "this is not an ELF file, whatever it is called\n", 47));
  check_refused(path, 1, "cannot be loaded");
  check_refused(path, 0, "cannot be loaded");
  assert_ok(file_write(path, "", 0));
  check_refused(path, 1, "cannot be loaded");
  free(path);
  assert_ok(directory_remove(folder));
}

/* What is cut off may be what nobody needs (the section table at the end), so a long prefix may
 * load. None may end this process, and no short one may pass. */
static void truncated_files_are_refused_or_harmless(void **state) {
  (void)state;
  char folder[] = "/tmp/tier-test-XXXXXX";
  char *content = NULL;
  size_t size = 0;
  int refused = 0;
  assert_non_null(mkdtemp(folder));
  assert_ok(file_read(SAMPLE, SIZE_MAX, &content, &size));
  for (size_t part = 0; part < 32; part++) {
    char *path = memory_format("%s/cut-%zu.so", folder, part);
    assert_ok(file_write(path, content, size * part / 32));
    char *reason = refusal_of(path, 1);
    assert_true(reason != NULL || part > 4);
    refused += reason != NULL;
    free(reason);
    free(path);
  }
  assert_true(refused > 8);
  free(content);
  assert_ok(directory_remove(folder));
}

static void a_file_can_be_inspected_without_danger(void **state) {
  (void)state;
  struct registry *r = NULL;
  struct registry_options options = {.plugin_path = NULL, .probe = 1};
  size_t first = 0;
  size_t count = 0;
  assert_ok(registry_open(&options, &r));
  assert_fails(registry_load_file(r, FOLDER "/bad-crash.so", &first, &count), TIER_E_PLUGIN,
               FOLDER "/bad-crash.so: died with SIGSEGV while loading");
  assert_int_equal(count, 0);
  registry_close(r);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "probe") == 0) {
    return probe_main(argv[2]);
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_is_refused_with_its_reason),
      cmocka_unit_test(a_good_one_passes_the_probe),
      cmocka_unit_test(a_duplicate_id_names_both_files),
      cmocka_unit_test(what_is_no_library_is_refused),
      cmocka_unit_test(truncated_files_are_refused_or_harmless),
      cmocka_unit_test(a_file_can_be_inspected_without_danger),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every manifest in bad/ is wrong (or questionable) in some way; the file beside it,
 * NAME.expect, holds what `tier validate` must say about it, all of it. After a deliberate change
 * `test-manifest-golden --write` writes those files anew; read the difference before committing it.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "fake_registry.h"
#include "manifest/manifest.h"

#include <cmocka.h> /* last: it defines a macro named fail */

static int is_json(const struct dirent *e) {
  size_t n = strlen(e->d_name);
  return n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

/* What is said about the manifest, a line each; its name is m.json. free() it. */
static char *said_about(const char *path) {
  struct registry *r = fake_registry(1);
  struct diagnostics d = {0};
  struct manifest_file *f = NULL;
  char *data = NULL;
  char *said = NULL;
  size_t size = 0;
  size_t said_size = 0;
  assert_int_equal(file_read(path, 1 << 20, &data, &size), 0);
  if (manifest_open_text("m.json", ".", data, size, &d, &f) == 0) {
    int32_t status = manifest_validate(f, r, NULL, &d);
    assert_int_equal(status, diagnostics_status(&d));
  }
  FILE *out = open_memstream(&said, &said_size);
  diagnostics_print(&d, out);
  (void)fclose(out);
  manifest_close(f);
  diagnostics_free(&d);
  fake_registry_free(r);
  free(data);
  return said;
}

static char *expect_path(const char *json) {
  return memory_format("%.*s.expect", (int)(strlen(json) - 5), json);
}

static void says_what_is_expected(void **state) {
  struct dirent **entries = NULL;
  int count = scandir(BAD, &entries, is_json, alphasort);
  int different = 0;
  assert_true(count >= 60);
  for (int i = 0; i < count; i++) {
    char *path = path_join(BAD, entries[i]->d_name);
    char *expect = expect_path(path);
    char *said = said_about(path);
    char *expected = NULL;
    size_t size = 0;
    if (*state != NULL) {
      assert_int_equal(file_write(expect, said, strlen(said)), 0);
    }
    assert_int_equal(file_read(expect, 1 << 20, &expected, &size), 0);
    if (strcmp(said, expected) != 0) {
      print_error("%s\n--- said:\n%s--- expected:\n%s", entries[i]->d_name, said, expected);
      different++;
    }
    free(expected);
    free(said);
    free(expect);
    free(path);
    free(entries[i]);
  }
  free(entries);
  assert_int_equal(different, 0);
}

int main(int argc, char **argv) {
  int rewrite = argc > 1 && strcmp(argv[1], "--write") == 0;
  const struct CMUnitTest tests[] = {
      {"says_what_is_expected", says_what_is_expected, NULL, NULL, rewrite ? argv : NULL}};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The trace file: valid JSON whatever the names are, and a note where it was cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "manifest/json.h"
#include "run/profile_report.h"

#include <cmocka.h> /* last: it defines `fail` */

/* Writes the trace and reads it back into the arena; *note as profile_write_trace gives it. */
static struct json *write_and_read(struct arena *a, const struct profile *p, char **note) {
  char path[] = "/tmp/tier-trace-XXXXXX";
  char *data = NULL;
  size_t size = 0;
  struct json *j = NULL;
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  (void)close(fd);
  assert_int_equal(profile_write_trace(p, path, note), 0);
  assert_int_equal(file_read(path, (size_t)1 << 20, &data, &size), 0);
  assert_int_equal(json_parse(a, "trace", data, size, &j), 0);
  if (*note != NULL) {
    assert_non_null(strstr(*note, path));
  }
  (void)unlink(path);
  free(data);
  return j;
}

static const struct json *event_at(const struct json *trace, size_t index) {
  const struct json *events = json_member(trace, "traceEvents");
  assert_true(index < events->count);
  return events->items[index];
}

static void names_are_escaped(void **state) {
  static const struct profile_step step = {.op = "matmul",
                                           .shapes = "2x3 3x4",
                                           .plugin = "a\"b",
                                           .entry = "forward",
                                           .place = "C:\\m\t.json:1:2"};
  (void)state;
  struct arena *a = arena_new();
  struct profile *p = profile_new(10);
  char *note = NULL;
  struct profile_program *q = profile_program(p, "in\ner \xc3\xa9", &step, 1);
  profile_program_enter(q, "run");
  (void)profile_add(q, 0, profile_now());
  profile_program_leave(q);
  const struct json *trace = write_and_read(a, p, &note);
  assert_null(note);
  assert_string_equal(json_member(event_at(trace, 0), "name")->text, "run in\ner \xc3\xa9");
  const struct json *arguments = json_member(event_at(trace, 1), "args");
  assert_string_equal(json_member(arguments, "source")->text, "a\"b.forward");
  assert_string_equal(json_member(arguments, "place")->text, "C:\\m\t.json:1:2");
  profile_free(p);
  arena_free(a);
}

static void a_cut_is_told(void **state) {
  (void)state;
  struct arena *a = arena_new();
  struct profile *p = profile_new(3);
  char *note = NULL;
  profile_begin(p, "run", NULL);
  for (int i = 0; i < 7; i++) {
    profile_begin(p, "step", NULL);
    profile_end(p);
  }
  profile_end(p);
  const struct json *trace = write_and_read(a, p, &note);
  assert_non_null(note);
  assert_non_null(strstr(note, "holds the first 3 events"));
  assert_non_null(strstr(note, "5 later ones had no room"));
  assert_string_equal(json_member(event_at(trace, 0), "name")->text, "run");
  assert_string_equal(json_member(event_at(trace, 3), "ph")->text, "M");
  assert_true(json_member(json_member(trace, "otherData"), "lost_events")->number == 5);
  free(note);
  profile_free(p);
  arena_free(a);
}

/* What still runs when the trace is written (a failure deep inside) ends now. */
static void open_phases_end_now(void **state) {
  (void)state;
  struct arena *a = arena_new();
  struct profile *p = profile_new(3);
  char *note = NULL;
  profile_begin(p, "run", NULL);
  profile_begin(p, "step", NULL);
  const struct json *trace = write_and_read(a, p, &note);
  double run = json_member(event_at(trace, 0), "dur")->number;
  double step = json_member(event_at(trace, 1), "dur")->number;
  assert_true(step >= 0 && run >= step);
  profile_free(p);
  arena_free(a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(names_are_escaped),
                                     cmocka_unit_test(a_cut_is_told),
                                     cmocka_unit_test(open_phases_end_now)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

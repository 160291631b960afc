#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "problem/top.h"

const char *harness_data(void) {
  static const char *const places[] = {"../shared/data", "../../shared/data",
                                       "../../../shared/data"};
  const char *named = getenv("TIER_DATA");
  if (named != NULL) {
    return named;
  }
  for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
    if (file_exists(places[i])) {
      return places[i];
    }
  }
  return NULL;
}

static void open_registry(struct harness *h) {
  struct registry_options options = {.probe = 0};
  *h = (struct harness){0};
  assert_ok(registry_open(&options, &h->registry));
}

static void stop_on(struct harness *h, int32_t status, const char *what) {
  if (status < 0 || diagnostics_errors(&h->diagnostics) > 0) {
    diagnostics_print(&h->diagnostics, stderr);
    fail_test("%s: %d %s", what, status, error_text());
  }
}

static void open_problem(struct harness *h, int check_only) {
  const char *directory = harness_data();
  struct problem_options options = {
      .registry = h->registry,
      .data_directories = &directory,
      .data_directory_count = directory != NULL,
      .seed = h->manifest->seed_count > 0 ? (uint64_t)h->manifest->seeds[0] : 0,
      .check_only = check_only,
      .diagnostics = &h->diagnostics};
  stop_on(h, problem_new(h->manifest, &options, &h->problem), "problem_new");
}

void harness_open(struct harness *h, const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  assert_true(length > 0);
  open_registry(h);
  stop_on(h, manifest_open_text("test.json", ".", text, (size_t)length, &h->diagnostics, &h->file),
          "manifest_open_text");
  stop_on(h, manifest_bind(h->file, h->registry, 0, NULL, &h->diagnostics, NULL, &h->manifest),
          "manifest_bind");
  free(text);
  open_problem(h, 0);
}

void harness_open_file(struct harness *h, const char *path, const char *const *sets) {
  struct manifest_sets list = {.items = sets};
  while (sets != NULL && sets[list.count] != NULL) {
    list.count++;
  }
  open_registry(h);
  stop_on(h, manifest_open(path, &h->diagnostics, &h->file), "manifest_open");
  stop_on(h, manifest_bind(h->file, h->registry, 0, &list, &h->diagnostics, NULL, &h->manifest),
          "manifest_bind");
  open_problem(h, 0);
}

static int32_t try_text(struct harness *h, const char *text, int check_only) {
  open_registry(h);
  TIER_TRY(manifest_open_text("test.json", ".", text, strlen(text), &h->diagnostics, &h->file));
  TIER_TRY(manifest_bind(h->file, h->registry, 0, NULL, &h->diagnostics, NULL, &h->manifest));
  struct problem_options options = {.registry = h->registry,
                                    .check_only = check_only,
                                    .diagnostics = check_only ? &h->diagnostics : NULL};
  return problem_new(h->manifest, &options, &h->problem);
}

int32_t harness_check(struct harness *h, const char *text) {
  return try_text(h, text, 1);
}

int32_t harness_try(struct harness *h, const char *text) {
  return try_text(h, text, 0);
}

void harness_close(struct harness *h) {
  problem_free(h->problem);
  manifest_free(h->manifest);
  manifest_close(h->file);
  diagnostics_free(&h->diagnostics);
  registry_close(h->registry);
  error_clear();
}

struct problem_estimate harness_estimate(struct harness *h) {
  struct problem_estimate e;
  assert_ok(problem_estimate(h->problem, &e));
  return e;
}

struct variable *harness_variable(struct harness *h, const char *name) {
  for (size_t i = 0; i < h->manifest->variable_count; i++) {
    if (strcmp(h->manifest->variables[i].name, name) == 0) {
      return &h->problem->variables[i];
    }
  }
  fail_test("no variable %s", name);
  return NULL;
}

double harness_read(struct harness *h, const char *name, int64_t index) {
  double value = 0;
  vector_interface.read(harness_variable(h, name)->value, index, 1, &value);
  return value;
}

void harness_write(struct harness *h, const char *name, int64_t index, double value) {
  vector_interface.write(harness_variable(h, name)->value, index, 1, &value);
}

double harness_shifted_value(struct harness *h, const char *name, int64_t index, double shift) {
  char path[] = "/tmp/tier-harness-XXXXXX";
  int fd = mkstemp(path);
  tier_levels *levels = &h->problem->facade->face;
  double value = 0;
  assert_true(fd >= 0);
  (void)close(fd);
  assert_ok(problem_save(h->problem, path));
  harness_write(h, name, index, harness_read(h, name, index) + shift);
  assert_ok(levels->api->solve_lower(levels));
  assert_ok(levels->api->value(levels, &value));
  assert_ok(problem_load(h->problem, path, 0));
  (void)unlink(path);
  return value;
}

double relative_error(const double *a, const double *b, int64_t n) {
  double difference = 0;
  double size = 0;
  for (int64_t i = 0; i < n; i++) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return sqrt(difference / size);
}

#include "run/record.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "manifest/json.h"
#include "run/clock.h"

double record_seconds(const struct record *r) {
  return clock_seconds() - r->started;
}

static int32_t open_file(const char *directory, const char *name, FILE **file, char **path) {
  *path = path_join(directory, name);
  *file = fopen(*path, "ae");
  if (*file == NULL) {
    return fail(TIER_E_IO, "cannot create %s: %s", *path, strerror(errno));
  }
  return TIER_OK;
}

int32_t record_open(const char *directory, struct record *out) {
  *out = (struct record){.phase = "main", .started = clock_seconds()};
  int32_t status = open_file(directory, "metrics.jsonl", &out->metrics, &out->metrics_path);
  if (status == TIER_OK) {
    status = open_file(directory, "timing.jsonl", &out->timing, &out->timing_path);
  }
  if (status == TIER_OK) {
    status = open_file(directory, "log.txt", &out->log, &out->log_path);
  }
  if (status != TIER_OK) {
    (void)record_close(out);
  }
  return status;
}

/* One object on one line; takes the arena and the value in it, which may be NULL for null. */
static void write_line(const struct record *r, struct arena *a, int64_t step, const char *name,
                       struct json *value) {
  struct text line = {0};
  struct json *object = json_make(a, JSON_OBJECT);
  json_set(a, object, "phase", json_make_text(a, r->phase));
  json_set(a, object, "step", json_make_number(a, (double)step));
  json_set(a, object, "name", json_make_text(a, name));
  json_set(a, object, "value", value != NULL ? value : json_make(a, JSON_NULL));
  json_write(object, 0, 0, &line);
  text_add(&line, "\n");
  (void)fwrite(line.data, 1, line.length, r->metrics);
  text_free(&line);
  arena_free(a);
}

void record_number(struct record *r, int64_t step, const char *name, double value) {
  struct arena *a = arena_new();
  write_line(r, a, step, name, isfinite(value) ? json_make_number(a, value) : NULL);
}

void record_text(struct record *r, int64_t step, const char *name, const char *value) {
  struct arena *a = arena_new();
  write_line(r, a, step, name, json_make_text(a, value));
}

void record_time(struct record *r, int64_t step, double solve, double pullback) {
  (void)fprintf(r->timing,
                "{\"phase\":\"%s\",\"step\":%lld,\"seconds\":%.6f,\"solve_seconds\":%.6f,"
                "\"pullback_seconds\":%.6f}\n",
                r->phase, (long long)step, record_seconds(r), solve, pullback);
}

void record_log(struct record *r, const char *text) {
  (void)fprintf(r->log, "%.3f %s\n", record_seconds(r), text);
}

static int32_t flush(FILE *file, const char *path) {
  if (file != NULL && (fflush(file) != 0 || ferror(file))) {
    return fail(TIER_E_IO, "cannot write %s: %s", path, strerror(errno));
  }
  return TIER_OK;
}

int32_t record_flush(struct record *r) {
  TIER_TRY(flush(r->metrics, r->metrics_path));
  TIER_TRY(flush(r->timing, r->timing_path));
  return flush(r->log, r->log_path);
}

static int32_t close_file(FILE *file, char *path) {
  int32_t status = TIER_OK;
  if (file != NULL) {
    status = flush(file, path);
    /* A pipe or device has nothing to sync: EINVAL. */
    if (status == TIER_OK && fsync(fileno(file)) != 0 && errno != EINVAL) {
      status = fail(TIER_E_IO, "cannot sync %s: %s", path, strerror(errno));
    }
    if (fclose(file) != 0 && status == TIER_OK) {
      status = fail(TIER_E_IO, "cannot close %s: %s", path, strerror(errno));
    }
  }
  free(path);
  return status;
}

int32_t record_close(struct record *r) {
  int32_t metrics = close_file(r->metrics, r->metrics_path);
  int32_t timing = close_file(r->timing, r->timing_path);
  int32_t log = close_file(r->log, r->log_path);
  double started = r->started;
  *r = (struct record){.started = started};
  return metrics != TIER_OK ? metrics : timing != TIER_OK ? timing : log;
}

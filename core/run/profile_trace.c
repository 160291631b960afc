/* The trace file: {"traceEvents": [...]}, complete events ("ph": "X") with microseconds, and
 * metadata
 * ("M") for names. The format: "Trace Event Format", Google, 2016. */
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "run/profile_report.h"

struct trace {
  struct text text;
  int pid;
  int threads; /* the greatest thread number seen, plus 1 */
  int64_t count;
  int64_t last; /* when the last event began, in nanoseconds */
};

static void add_quoted(struct text *t, const char *s) {
  text_add(t, "\"");
  for (; *s != '\0'; s++) {
    if (*s == '"' || *s == '\\') {
      text_format(t, "\\%c", *s);
    } else if ((unsigned char)*s < 0x20) {
      text_format(t, "\\u%04x", (unsigned)*s);
    } else {
      text_add_n(t, s, 1);
    }
  }
  text_add(t, "\"");
}

static void add_name(struct text *t, const struct profile_event *e) {
  char *name = memory_format("%s%s%s", e->what, e->detail != NULL ? " " : "",
                             e->detail != NULL ? e->detail : "");
  add_quoted(t, name);
  free(name);
}

static void add_source(struct text *t, const struct profile_step *s) {
  char *source = memory_format("%s%s%s", s->plugin, s->entry != NULL ? "." : "",
                               s->entry != NULL ? s->entry : "");
  text_add(t, ",\"args\":{\"source\":");
  add_quoted(t, source);
  if (s->place != NULL) {
    text_add(t, ",\"place\":");
    add_quoted(t, s->place);
  }
  text_add(t, "}");
  free(source);
}

static void on_event(void *context, const struct profile_event *e) {
  struct trace *trace = context;
  struct text *t = &trace->text;
  text_add(t, trace->count > 0 ? ",\n{\"name\":" : "\n{\"name\":");
  add_name(t, e);
  text_format(t, ",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%d,\"tid\":%d",
              e->step != NULL ? "operation" : "phase", 1e-3 * (double)e->begin,
              1e-3 * (double)(e->end - e->begin), trace->pid, e->thread);
  if (e->step != NULL && e->step->plugin != NULL) {
    add_source(t, e->step);
  }
  text_add(t, "}");
  trace->threads = e->thread >= trace->threads ? e->thread + 1 : trace->threads;
  trace->last = e->begin > trace->last ? e->begin : trace->last;
  trace->count++;
}

static void add_metadata(struct trace *trace, const char *what, int thread, const char *name) {
  text_format(&trace->text,
              "%s\n{\"name\":\"%s\",\"ph\":\"M\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":\"%s\"}}",
              trace->count > 0 ? "," : "", what, trace->pid, thread, name);
  trace->count++;
}

static void add_threads(struct trace *trace) {
  add_metadata(trace, "process_name", 0, "tier");
  for (int i = 0; i < trace->threads; i++) {
    char *name = i == 0 ? memory_copy_text("main") : memory_format("worker %d", i);
    add_metadata(trace, "thread_name", i, name);
    free(name);
  }
}

int32_t profile_write_trace(const struct profile *p, const char *path, char **note) {
  struct trace trace = {.pid = getpid()};
  *note = NULL;
  text_add(&trace.text, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
  profile_events(p, on_event, &trace);
  int64_t kept = trace.count;
  int64_t lost = profile_lost(p);
  add_threads(&trace);
  text_format(&trace.text, "\n],\"otherData\":{\"lost_events\":%lld}}\n", (long long)lost);
  int32_t status = file_write(path, text_get(&trace.text), trace.text.length);
  text_free(&trace.text);
  if (status == TIER_OK && lost > 0) {
    *note = memory_format(
        "%s holds the first %lld events and ends %.1f s after the start; %lld "
        "later ones had no room",
        path, (long long)kept, 1e-9 * (double)trace.last, (long long)lost);
  }
  return status;
}

#include "plugin/log.h"

#include <pthread.h>
#include <stdio.h>

static void to_stderr(void *context, int32_t level, const char *text) {
  (void)context;
  if (level >= TIER_LOG_WARNING) {
    (void)fprintf(stderr, "tier: warning: %s\n", text);
  }
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink current = to_stderr;
static void *current_context;

void log_set_sink(log_sink sink, void *context) {
  (void)pthread_mutex_lock(&lock);
  current = sink != NULL ? sink : to_stderr;
  current_context = context;
  (void)pthread_mutex_unlock(&lock);
}

static void pass_on(int32_t level, const char *text) {
  (void)pthread_mutex_lock(&lock);
  current(current_context, level, text);
  (void)pthread_mutex_unlock(&lock);
}

void log_message(int32_t level, const char *format, ...) {
  char text[2048];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  pass_on(level, text);
}

const tier_log_1 log_interface = {.struct_size = (uint32_t)sizeof(tier_log_1), .message = pass_on};

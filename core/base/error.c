#include "base/error.h"

#include <stdio.h>
#include <string.h>

static _Thread_local char pending[4096];

int32_t fail(int32_t code, const char *format, ...) {
  if (pending[0] == '\0') {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(pending, sizeof pending, format, arguments);
    va_end(arguments);
  }
  return code;
}

int32_t error_context(int32_t code, const char *format, ...) {
  char context[512];
  char rest[sizeof pending];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(context, sizeof context, format, arguments);
  va_end(arguments);
  memcpy(rest, pending, sizeof rest);
  (void)snprintf(pending, sizeof pending, "%.511s: %.3500s", context, rest);
  return code;
}

const char *error_text(void) {
  return pending;
}

void error_clear(void) {
  pending[0] = '\0';
}

int error_exit_code(int32_t status) {
  switch (status) {
    case TIER_OK:
      return 0;
    case TIER_E_INVALID:
    case TIER_E_DATA:
    case TIER_E_UNSUPPORTED:
      return 65;
    case TIER_E_MISSING:
      return 66;
    case TIER_E_PLUGIN:
      return 69;
    case TIER_E_INTERNAL:
      return 70;
    case TIER_E_IO:
      return 74;
    default: /* nonfinite, diverged, refused, no memory, interrupted: the run failed */
      return 1;
  }
}

/* The one way in which the host fails: a TIER_E_ code and a text (thread-local).
 *
 * The first failure's text is kept until `error_clear`: callers pass the code up (TIER_TRY), may
 * put the place in front with `error_context`, and whoever handles the failure clears it. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <tier/plugin.h>

/* Remembers the text, if none is pending, and returns `code`: return fail(TIER_E_IO, "..."). */
int32_t fail(int32_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "CONTEXT: " in front of the pending text; returns `code`. */
int32_t error_context(int32_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *error_text(void); /* "" if none is pending; valid until the next call here */
void error_clear(void);
/* The documented exit code of a status: 0, 1, 65, 66, 69, 70 or 74. */
int error_exit_code(int32_t status);

#endif

/* cmocka, and two checks of status codes that print the host's text. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#undef fail /* of cmocka; base/error.h has a function of that name */
#include "base/error.h"

#define fail_test(...)         \
  do {                         \
    print_error(__VA_ARGS__);  \
    print_error("\n");         \
    _fail(__FILE__, __LINE__); \
  } while (0)

#define assert_ok(call)                                      \
  do {                                                       \
    int32_t status_ = (call);                                \
    if (status_ != TIER_OK) {                                \
      fail_test("%s: %d, %s", #call, status_, error_text()); \
    }                                                        \
  } while (0)

/* The call returns `code`, and the text has `part` in it; clears the text. */
#define assert_fails(call, code, part)                                                     \
  do {                                                                                     \
    int32_t status_ = (call);                                                              \
    if (status_ != (code) || strstr(error_text(), part) == NULL) {                         \
      fail_test("%s: %d, \"%s\"; expected %d, \"...%s...\"", #call, status_, error_text(), \
                (int)(code), part);                                                        \
    }                                                                                      \
    error_clear();                                                                         \
  } while (0)

#endif

/* cmocka with what it needs, less its macro `fail`, for our tables have members of that name. */
#ifndef TESTS_GRAPH_UNIT_H
#define TESTS_GRAPH_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#undef fail
#undef fail_msg
#define fail_msg(...)          \
  do {                         \
    print_error(__VA_ARGS__);  \
    print_error("\n");         \
    _fail(__FILE__, __LINE__); \
  } while (0)

#endif

#include "check/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "check/instances.h"
#include "check/kinds.h"

/* A linear solver is an estimator, too: implicit differentiation with it. */
static const struct {
  const char *kind;
  const struct check_group *group;
} groups[] = {{"linear-solver", &check_linear_solvers},
              {"linear-solver", &check_estimators},
              {"estimator", &check_estimators},
              {"model", &check_functions},
              {"loss", &check_functions},
              {"map", &check_functions},
              {"evaluator", &check_functions},
              {"set", &check_functions},
              {"optimizer", &check_optimizers}};

const struct check_test *check_test_of(const struct component *c, size_t index) {
  for (size_t i = 0; i < CHECK_COUNT(groups); i++) {
    if (strcmp(groups[i].kind, c->c.kind) != 0) {
      continue;
    }
    if (index < groups[i].group->count) {
      return &groups[i].group->tests[index];
    }
    index -= groups[i].group->count;
  }
  return NULL;
}

int32_t check_run(struct check *c, const char *test) {
  const struct check_test *t = NULL;
  c->verdict = CHECK_PASSED;
  c->reason = (struct text){0};
  check_host();
  for (size_t i = 0; (t = check_test_of(c->component, i)) != NULL; i++) {
    if (strcmp(t->name, test) == 0) {
      t->run(c, t->row);
      error_clear();
      return TIER_OK;
    }
  }
  return fail(TIER_E_INVALID, "no test \"%s\" of %s %s", test, c->component->c.kind,
              c->component->c.id);
}

/* The reason of the first verdict takes the place of remarks. */
static void say(struct check *c, enum verdict verdict, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void say(struct check *c, enum verdict verdict, const char *format, va_list arguments) {
  char *text = NULL;
  if (c->verdict != CHECK_PASSED || vasprintf(&text, format, arguments) < 0) {
    return;
  }
  if (verdict != CHECK_PASSED) {
    text_free(&c->reason);
  } else if (c->reason.length > 0) {
    text_add(&c->reason, "; ");
  }
  c->verdict = verdict;
  text_add(&c->reason, text);
  free(text);
}

#define SAY(verdict)                    \
  do {                                  \
    va_list arguments;                  \
    va_start(arguments, format);        \
    say(c, verdict, format, arguments); \
    va_end(arguments);                  \
  } while (0)

void check_fail(struct check *c, const char *format, ...) {
  SAY(CHECK_FAILED);
}
void check_skip(struct check *c, const char *format, ...) {
  SAY(CHECK_SKIPPED);
}
void check_note(struct check *c, const char *format, ...) {
  SAY(CHECK_PASSED);
}

int check_ok(struct check *c, int32_t status, const char *what) {
  if (status >= 0) {
    return 1;
  }
  if (status == TIER_E_REFUSED || status == TIER_E_UNSUPPORTED) {
    check_skip(c, "refused: %s", error_text());
  } else {
    check_fail(c, "%s: %s", what,
               error_text()[0] != '\0' ? error_text() : "failed, without a word");
  }
  error_clear();
  return 0;
}

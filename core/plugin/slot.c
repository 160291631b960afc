#include "plugin/slot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

static const struct {
  const char *name;
  enum value_kind kind;
  int list;
} types[] = {
    [TIER_SLOT_EXPRESSION] = {"an expression", VALUE_GIVEN, 0},
    [TIER_SLOT_EXPRESSIONS] = {"a list of expressions", VALUE_GIVEN, 1},
    [TIER_SLOT_NUMBER] = {"a number", VALUE_NUMBERS, 0},
    [TIER_SLOT_NUMBERS] = {"a list of numbers", VALUE_NUMBERS, 1},
    [TIER_SLOT_INTEGER] = {"an integer", VALUE_NUMBERS, 0},
    [TIER_SLOT_INTEGERS] = {"a list of integers", VALUE_NUMBERS, 1},
    [TIER_SLOT_BOOLEAN] = {"true or false", VALUE_BOOLEANS, 0},
    [TIER_SLOT_TEXT] = {"a text", VALUE_TEXTS, 0},
    [TIER_SLOT_PATH] = {"the path of a file", VALUE_TEXTS, 0},
    [TIER_SLOT_DATA] = {"a data source", VALUE_DATA, 0},
    [TIER_SLOT_DATA_LIST] = {"a list of data sources", VALUE_DATA, 1},
    [TIER_SLOT_LEVEL] = {"the name of a level", VALUE_TEXTS, 0},
    [TIER_SLOT_OBJECTIVE] = {"the name of an objective", VALUE_TEXTS, 0},
    [TIER_SLOT_VARIABLE] = {"the name of a variable", VALUE_TEXTS, 0},
    [TIER_SLOT_APPLICATION] = {"an application", VALUE_INSTANCE, 0},
    [TIER_SLOT_TEXTS] = {"a list of texts", VALUE_TEXTS, 1},
};

const char *slot_type_name(int32_t type) {
  return type > 0 && type < (int32_t)TIER_COUNT(types) ? types[type].name : NULL;
}

int slot_is_numeric(int32_t type) {
  return type >= TIER_SLOT_NUMBER && type <= TIER_SLOT_INTEGERS;
}

int slot_is_expression(int32_t type) {
  return type == TIER_SLOT_EXPRESSION || type == TIER_SLOT_EXPRESSIONS;
}

/* Does a value of this kind belong in the slot at all? */
static int kind_fits(const tier_slot *s, const struct value *v) {
  enum value_kind wanted = types[s->type].kind;
  if (v->kind == wanted || (v->kind == VALUE_NONE && types[s->type].list)) {
    return 1;
  }
  if (v->kind == VALUE_GIVEN) {
    return (s->flags & TIER_SLOT_DIFFERENTIABLE) != 0;
  }
  return v->kind == VALUE_NUMBERS && wanted == VALUE_BOOLEANS;
}

/* Like text_number, but integers without an exponent: "10", not "1e+01". */
static void show(double x, char out[32]) {
  if (x == trunc(x) && fabs(x) < 1e15) {
    (void)snprintf(out, 32, "%.0f", x);
  } else {
    text_number(x, out);
  }
}

static const char *unit_of(const tier_slot *s, const char **space) {
  int has = s->unit != NULL && s->unit[0] != '\0';
  *space = has ? " " : "";
  return has ? s->unit : "";
}

static int32_t fail_range(const tier_slot *s, const char *value) {
  struct text range = {0};
  char bound[32];
  const char *space = "";
  const char *unit = unit_of(s, &space);
  if (s->minimum > -INFINITY) {
    show(s->minimum, bound);
    text_format(&range, "%s %s", s->flags & TIER_SLOT_OPEN_MINIMUM ? "above" : "at least", bound);
  }
  if (s->maximum < INFINITY) {
    show(s->maximum, bound);
    text_format(&range, "%s%s %s", range.length > 0 ? " and " : "",
                s->flags & TIER_SLOT_OPEN_MAXIMUM ? "below" : "at most", bound);
  }
  int32_t status = fail(TIER_E_INVALID, "\"%s\" is %s%s%s, but must be %s", s->name, value, space,
                        unit, text_get(&range));
  text_free(&range);
  return status;
}

static int in_range(const tier_slot *s, double x) {
  if (s->minimum == 0 && s->maximum == 0) {
    return 1;
  }
  int above = s->flags & TIER_SLOT_OPEN_MINIMUM ? x > s->minimum : x >= s->minimum;
  int below = s->flags & TIER_SLOT_OPEN_MAXIMUM ? x < s->maximum : x <= s->maximum;
  return above && below;
}

static int32_t check_number(const tier_slot *s, double x) {
  char value[32];
  int integer = s->type == TIER_SLOT_INTEGER || s->type == TIER_SLOT_INTEGERS;
  show(x, value);
  if (!isfinite(x)) {
    return fail(TIER_E_INVALID, "\"%s\" is %s, not a finite number", s->name, value);
  }
  /* Beyond 2^53 a double no longer tells integers apart. */
  if (integer && (x != trunc(x) || fabs(x) > 0x1p53)) {
    return fail(TIER_E_INVALID, "\"%s\" is %s, but must be an integer", s->name, value);
  }
  if (s->type == TIER_SLOT_BOOLEAN && x != 0 && x != 1) {
    return fail(TIER_E_INVALID, "\"%s\" is %s, but must be true or false", s->name, value);
  }
  return slot_is_numeric(s->type) && !in_range(s, x) ? fail_range(s, value) : TIER_OK;
}

/* Is `text` one of the words of "relu|tanh"? */
static int is_choice(const char *choices, const char *text) {
  size_t length = strlen(text);
  for (const char *p = choices; *p != '\0';) {
    size_t word = strcspn(p, "|");
    if (word == length && strncmp(p, text, length) == 0) {
      return 1;
    }
    p += word + (p[word] == '|');
  }
  return 0;
}

static int32_t fail_choice(const tier_slot *s, const char *text) {
  const char *words[64];
  size_t count = 0;
  char *copy = memory_copy_text(s->choices);
  char *rest = NULL;
  for (char *w = strtok_r(copy, "|", &rest); w != NULL && count < TIER_COUNT(words);
       w = strtok_r(NULL, "|", &rest)) {
    words[count++] = w;
  }
  int64_t nearest = text_nearest(text, words, count);
  struct text list = {0};
  for (size_t i = 0; i < count; i++) {
    text_format(&list, "%s%s", i > 0 ? ", " : "", words[i]);
  }
  int32_t status = TIER_E_INVALID;
  if (nearest >= 0) {
    (void)fail(status, "\"%s\" has no choice \"%s\"; did you mean \"%s\"? (choices: %s)", s->name,
               text, words[nearest], text_get(&list));
  } else {
    (void)fail(status, "\"%s\" has no choice \"%s\" (choices: %s)", s->name, text, text_get(&list));
  }
  text_free(&list);
  free(copy);
  return status;
}

static int32_t check_text(const tier_slot *s, const char *text) {
  int may_be_empty = s->type == TIER_SLOT_TEXT || s->type == TIER_SLOT_TEXTS;
  if (text[0] == '\0' && !may_be_empty) {
    return fail(TIER_E_INVALID, "\"%s\" is empty, but must be %s", s->name,
                slot_type_name(s->type));
  }
  return s->choices != NULL && !is_choice(s->choices, text) ? fail_choice(s, text) : TIER_OK;
}

static int32_t check_instance(const tier_slot *s, const struct value *v) {
  const char *kind = v->instance->api->component(v->instance)->kind;
  if (strcmp(kind, s->choices) != 0) {
    return fail(TIER_E_INVALID, "\"%s\" takes a %s, not a %s", s->name, s->choices, kind);
  }
  return TIER_OK;
}

int32_t slot_check(const tier_slot *s, const struct value *v) {
  int one = !types[s->type].list;
  if (!kind_fits(s, v) || (one && (v->list || v->count != 1))) {
    return fail(TIER_E_INVALID, "\"%s\" must be %s", s->name, slot_type_name(s->type));
  }
  for (size_t i = 0; i < v->count; i++) {
    if (v->kind == VALUE_NUMBERS || v->kind == VALUE_BOOLEANS) {
      TIER_TRY(check_number(s, v->numbers[i]));
    } else if (v->kind == VALUE_TEXTS) {
      TIER_TRY(check_text(s, v->texts[i]));
    }
  }
  return v->kind == VALUE_INSTANCE ? check_instance(s, v) : TIER_OK;
}

/* The JSON text of a slot's fallback. A reader of its own, because the manifest's reader stands in
 * a layer above; texts are plain: of the escapes only \" and \\ are known. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "plugin/slot.h"

#define MAX_DEPTH 16

struct reader {
  const char *p;
  struct arena *arena;
};

static void skip_space(struct reader *r) {
  r->p += strspn(r->p, " \t\r\n");
}

static int take(struct reader *r, char c) {
  skip_space(r);
  if (*r->p != c) {
    return 0;
  }
  r->p++;
  return 1;
}

static int take_word(struct reader *r, const char *word) {
  size_t length = strlen(word);
  if (strncmp(r->p, word, length) != 0) {
    return 0;
  }
  r->p += length;
  return 1;
}

static size_t digits(const char *p) {
  return strspn(p, "0123456789");
}

/* The length of the JSON number at p (RFC 8259, section 6), 0 if there is none. */
static size_t number_length(const char *p) {
  const char *q = p + (*p == '-');
  size_t whole = digits(q);
  if (whole == 0 || (whole > 1 && *q == '0')) {
    return 0;
  }
  q += whole;
  if (*q == '.') {
    size_t fraction = digits(q + 1);
    if (fraction == 0) {
      return 0;
    }
    q += 1 + fraction;
  }
  if (*q == 'e' || *q == 'E') {
    const char *exponent = q + 1 + (q[1] == '+' || q[1] == '-');
    size_t length = digits(exponent);
    if (length == 0) {
      return 0;
    }
    q = exponent + length;
  }
  return (size_t)(q - p);
}

static int read_number(struct reader *r, double *out) {
  size_t length = number_length(r->p);
  if (length == 0) {
    return 0;
  }
  *out = strtod(r->p, NULL);
  r->p += length;
  return 1;
}

static int read_text(struct reader *r, char **out) {
  if (*r->p != '"') {
    return 0;
  }
  const char *p = r->p + 1;
  char *text = arena_alloc(r->arena, strlen(p) + 1);
  size_t length = 0;
  for (; *p != '"'; p++) {
    if ((unsigned char)*p < 0x20 || (*p == '\\' && p[1] != '"' && p[1] != '\\')) {
      return 0;
    }
    p += *p == '\\';
    text[length++] = *p;
  }
  text[length] = '\0';
  *out = text;
  r->p = p + 1;
  return 1;
}

static int skip_value(struct reader *r, int depth);

/* The rest of a list or object, after its bracket. */
static int skip_members(struct reader *r, char close, int depth) {
  if (take(r, close)) {
    return 1;
  }
  do {
    char *key = NULL;
    skip_space(r);
    if (close == '}' && (!read_text(r, &key) || !take(r, ':'))) {
      return 0;
    }
    if (!skip_value(r, depth + 1)) {
      return 0;
    }
  } while (take(r, ','));
  return take(r, close);
}

static int skip_value(struct reader *r, int depth) {
  double number = 0;
  char *text = NULL;
  skip_space(r);
  if (depth > MAX_DEPTH) {
    return 0;
  }
  if (take(r, '[')) {
    return skip_members(r, ']', depth);
  }
  if (take(r, '{')) {
    return skip_members(r, '}', depth);
  }
  return read_number(r, &number) || read_text(r, &text) || take_word(r, "true") ||
         take_word(r, "false") || take_word(r, "null");
}

/* One element of a flat value; the kind must be that of the elements before it. */
static int read_element(struct reader *r, struct value *v) {
  enum value_kind kind = VALUE_NONE;
  double number = 0;
  char *text = NULL;
  skip_space(r);
  if (read_number(r, &number)) {
    kind = VALUE_NUMBERS;
  } else if (read_text(r, &text)) {
    kind = VALUE_TEXTS;
  } else if (take_word(r, "true")) {
    kind = VALUE_BOOLEANS;
    number = 1;
  } else if (take_word(r, "false")) {
    kind = VALUE_BOOLEANS;
  }
  if (kind == VALUE_NONE || (v->count > 0 && kind != v->kind)) {
    return 0;
  }
  v->kind = kind;
  v->numbers[v->count] = number;
  v->texts[v->count] = text;
  v->count++;
  return 1;
}

/* A bare element or a flat list of them; 0 if it is something else. */
static int read_flat(struct reader *r, struct value *v) {
  size_t most = strlen(r->p) + 1;
  v->numbers = arena_alloc(r->arena, most * sizeof *v->numbers);
  v->texts = arena_alloc(r->arena, most * sizeof *v->texts);
  v->list = take(r, '[');
  if (!v->list) {
    return read_element(r, v);
  }
  if (take(r, ']')) {
    v->kind = VALUE_NONE;
    return 1;
  }
  do {
    if (!read_element(r, v)) {
      return 0;
    }
  } while (take(r, ','));
  return take(r, ']');
}

static int at_end(struct reader *r) {
  skip_space(r);
  return *r->p == '\0';
}

int32_t slot_read_json(struct arena *a, const char *json, struct value *out) {
  struct reader r = {json, a};
  *out = (struct value){0};
  if (read_flat(&r, out) && at_end(&r)) {
    return TIER_OK;
  }
  r.p = json;
  if (!skip_value(&r, 0) || !at_end(&r)) {
    return fail(TIER_E_INVALID, "%s is not JSON (a text is written \"\\\"so\\\"\")", json);
  }
  *out = (struct value){.kind = VALUE_NESTED, .count = 1};
  return TIER_OK;
}

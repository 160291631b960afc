/* The strict reader: recursive descent over bytes, at most 32 levels deep. */
#include "manifest/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MAX_BYTES ((size_t)16 << 20)
#define MAX_DEPTH 32

struct scanner {
  struct arena *arena;
  const char *file;
  const char *p;
  const char *end;
  int line;
  const char *counted; /* up to here the characters of this line are counted */
  int column;          /* of `counted` */
  int depth;
};

/* Columns count characters, not bytes: continuation bytes of UTF-8 are left out. Counting goes on
 * from where it last stopped, so long lines cost linear time. */
static int column_of(struct scanner *s, const char *p) {
  if (p < s->counted) { /* an error's start: back on the same line */
    int back = 0;
    for (const char *q = p; q < s->counted; q++) {
      back += ((unsigned char)*q & 0xC0) != 0x80;
    }
    return s->column - back;
  }
  for (; s->counted < p; s->counted++) {
    s->column += ((unsigned char)*s->counted & 0xC0) != 0x80;
  }
  return s->column;
}

static int32_t bad(struct scanner *s, const char *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int32_t bad(struct scanner *s, const char *at, const char *format, ...) {
  char reason[256];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  return fail(TIER_E_INVALID, "%d:%d: %s", s->line, column_of(s, at), reason);
}

static void skip_space(struct scanner *s) {
  for (; s->p < s->end; s->p++) {
    if (*s->p == '\n') {
      s->line++;
      s->counted = s->p + 1;
      s->column = 1;
    } else if (*s->p != ' ' && *s->p != '\t' && *s->p != '\r') {
      return;
    }
  }
}

/* What stands at p, for messages: a character in quotes, or "the end of the text". */
static const char *shown(const struct scanner *s, char out[24]) {
  unsigned char c = s->p < s->end ? (unsigned char)*s->p : 0;
  if (s->p >= s->end) {
    return "the end of the text";
  }
  if (c >= 0x20 && c < 0x7F) {
    (void)snprintf(out, 24, "'%c'", c);
  } else {
    (void)snprintf(out, 24, "byte 0x%02X", c);
  }
  return out;
}

/* ---- UTF-8 ---- */

/* Length of the valid sequence at p, or 0 (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_length(const unsigned char *p, size_t left) {
  size_t n = p[0] < 0x80   ? 1
             : p[0] < 0xC2 ? 0
             : p[0] < 0xE0 ? 2
             : p[0] < 0xF0 ? 3
             : p[0] < 0xF5 ? 4
                           : 0;
  if (n == 0 || n > left) {
    return 0;
  }
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xC0) != 0x80) {
      return 0;
    }
  }
  int overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
  int outside = (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF4 && p[1] > 0x8F);
  return overlong || outside ? 0 : n;
}

static size_t utf8_encode(uint32_t c, char out[4]) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n - 1; i > 0; i--) {
    out[i] = (char)(0x80 | (c & 0x3F));
    c >>= 6;
  }
  out[0] = (char)(lead[n] | c);
  return n;
}

/* ---- strings ---- */

static int hex4(const struct scanner *s, const char *p, uint32_t *out) {
  *out = 0;
  if (s->end - p < 4) {
    return 0;
  }
  for (int i = 0; i < 4; i++) {
    char c = p[i];
    uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
    if (digit > 15) {
      return 0;
    }
    *out = *out * 16 + digit;
  }
  return 1;
}

/* \uXXXX, or a pair of surrogates; s->p stands on the 'u'. */
static int32_t unicode_escape(struct scanner *s, uint32_t *code) {
  const char *start = s->p - 1;
  uint32_t low = 0;
  if (!hex4(s, s->p + 1, code)) {
    return bad(s, start, "\\u needs four hexadecimal digits");
  }
  s->p += 5;
  if (*code == 0) {
    return bad(s, start, "a NUL character is not allowed in a text");
  }
  if (*code >= 0xD800 && *code <= 0xDBFF && s->end - s->p >= 6 && s->p[0] == '\\' &&
      s->p[1] == 'u' && hex4(s, s->p + 2, &low) && low >= 0xDC00 && low <= 0xDFFF) {
    *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
    s->p += 6;
  }
  if (*code >= 0xD800 && *code <= 0xDFFF) {
    return bad(s, start, "half of a surrogate pair");
  }
  return TIER_OK;
}

/* s->p stands on the backslash. */
static int32_t escape(struct scanner *s, struct text *out) {
  static const char names[] = "\"\\/bfnrt";
  static const char values[] = "\"\\/\b\f\n\r\t";
  const char *start = s->p++;
  const char *found = s->p < s->end && *s->p != '\0' ? strchr(names, *s->p) : NULL;
  if (found != NULL) {
    text_add_n(out, &values[found - names], 1);
    s->p++;
    return TIER_OK;
  }
  if (s->p < s->end && *s->p == 'u') {
    uint32_t code = 0;
    char bytes[4];
    TIER_TRY(unicode_escape(s, &code));
    text_add_n(out, bytes, utf8_encode(code, bytes));
    return TIER_OK;
  }
  return bad(s, start, "unknown escape; legal are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
}

static int32_t string_body(struct scanner *s, struct text *out) {
  const char *start = s->p++;
  while (s->p < s->end && *s->p != '"') {
    unsigned char c = (unsigned char)*s->p;
    if (c < 0x20) {
      return bad(s, s->p,
                 c == '\n' ? "a text ends before its line does: '\"' is missing"
                           : "a control character in a text: write it as an escape");
    }
    if (c == '\\') {
      TIER_TRY(escape(s, out));
      continue;
    }
    size_t n = utf8_length((const unsigned char *)s->p, (size_t)(s->end - s->p));
    if (n == 0) {
      return bad(s, s->p, "invalid UTF-8 (byte 0x%02X)", c);
    }
    text_add_n(out, s->p, n);
    s->p += n;
  }
  if (s->p >= s->end) {
    return bad(s, start, "a text that never ends: '\"' is missing");
  }
  s->p++;
  return TIER_OK;
}

static int32_t string(struct scanner *s, const char **text, size_t *length) {
  struct text body = {0};
  int32_t status = string_body(s, &body);
  *length = body.length;
  *text = arena_text_n(s->arena, text_get(&body), body.length);
  text_free(&body);
  return status;
}

/* ---- numbers ---- */

static size_t digits(struct scanner *s) {
  const char *start = s->p;
  while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
    s->p++;
  }
  return (size_t)(s->p - start);
}

static int32_t number(struct scanner *s, struct json *j) {
  const char *start = s->p;
  char c[24];
  s->p += *s->p == '-';
  const char *whole = s->p;
  size_t n = digits(s);
  if (n == 0) {
    return bad(s, start, "a number needs a digit before %s", shown(s, c));
  }
  if (n > 1 && *whole == '0') {
    return bad(s, start, "a number must not start with 0");
  }
  if (s->p < s->end && *s->p == '.') {
    s->p++;
    if (digits(s) == 0) {
      return bad(s, start, "a number needs a digit after its point");
    }
  }
  if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
    s->p++;
    s->p += s->p < s->end && (*s->p == '+' || *s->p == '-');
    if (digits(s) == 0) {
      return bad(s, start, "a number needs a digit in its exponent");
    }
  }
  j->type = JSON_NUMBER;
  j->text_length = (size_t)(s->p - start);
  j->text = arena_text_n(s->arena, start, j->text_length);
  j->number = strtod(j->text, NULL);
  return isfinite(j->number) ? TIER_OK : bad(s, start, "the number is too large for a double");
}

/* ---- lists and objects ---- */

static int32_t value(struct scanner *s, struct json **out);

/* Growing arrays of items live in the heap until their length is known. */
struct items {
  struct json **data;
  size_t count, capacity;
};

static void take_items(struct scanner *s, struct items *i, struct json *j) {
  j->items = arena_copy(s->arena, i->data, i->count * sizeof(struct json *));
  j->count = i->count;
  free(i->data);
}

/* After an element: 1 if another one follows, 0 at the closing bracket. */
static int32_t separator(struct scanner *s, char close, const char *what) {
  char c[24];
  skip_space(s);
  if (s->p < s->end && *s->p == ',') {
    s->p++;
    skip_space(s);
    if (s->p < s->end && *s->p == close) {
      return bad(s, s->p, "a comma before '%c' is not allowed", close);
    }
    return 1;
  }
  if (s->p < s->end && *s->p == close) {
    s->p++;
    return 0;
  }
  return bad(s, s->p, "expected ',' or '%c' in %s, found %s", close, what, shown(s, c));
}

static int32_t list_items(struct scanner *s, struct items *items) {
  skip_space(s);
  if (s->p < s->end && *s->p == ']') {
    s->p++;
    return TIER_OK;
  }
  for (int32_t more = 1; more != 0;) {
    struct json *item = NULL;
    TIER_TRY(value(s, &item));
    array_push(items->data, items->count, items->capacity, item);
    more = separator(s, ']', "a list");
    TIER_TRY(more);
  }
  return TIER_OK;
}

static int32_t member(struct scanner *s, struct json **out) {
  char c[24];
  skip_space(s);
  if (s->p >= s->end || *s->p != '"') {
    return bad(s, s->p, "expected a key in quotes, found %s", shown(s, c));
  }
  int line = s->line;
  int column = column_of(s, s->p);
  const char *key = NULL;
  size_t length = 0;
  TIER_TRY(string(s, &key, &length));
  skip_space(s);
  if (s->p >= s->end || *s->p != ':') {
    return bad(s, s->p, "expected ':' after the key \"%.60s\", found %s", key, shown(s, c));
  }
  s->p++;
  TIER_TRY(value(s, out));
  (*out)->key = key;
  (*out)->key_line = line;
  (*out)->key_column = column;
  return TIER_OK;
}

static int32_t object_items(struct scanner *s, struct items *items) {
  skip_space(s);
  if (s->p < s->end && *s->p == '}') {
    s->p++;
    return TIER_OK;
  }
  for (int32_t more = 1; more != 0;) {
    struct json *item = NULL;
    TIER_TRY(member(s, &item));
    array_push(items->data, items->count, items->capacity, item);
    more = separator(s, '}', "an object");
    TIER_TRY(more);
  }
  return TIER_OK;
}

static int in_file_order(const struct json *a, const struct json *b) {
  int lines = (a->key_line > b->key_line) - (a->key_line < b->key_line);
  return lines != 0 ? lines : (a->key_column > b->key_column) - (a->key_column < b->key_column);
}

static int by_key(const void *a, const void *b) {
  const struct json *x = *(struct json *const *)a;
  const struct json *y = *(struct json *const *)b;
  int order = strcmp(x->key, y->key);
  return order != 0 ? order : in_file_order(x, y);
}

/* The first key, in file order, that repeats an earlier one. Sorting keeps large objects quick. */
static int32_t refuse_duplicates(const struct json *object) {
  if (object->count < 2) {
    return TIER_OK;
  }
  struct json **sorted = memory_alloc(object->count, sizeof *sorted);
  memcpy(sorted, object->items, object->count * sizeof *sorted);
  qsort(sorted, object->count, sizeof *sorted, by_key);
  const struct json *second = NULL;
  const struct json *first = NULL;
  for (size_t i = 1; i < object->count; i++) {
    if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0 &&
        (second == NULL || in_file_order(sorted[i], second) < 0)) {
      first = sorted[i - 1];
      second = sorted[i];
    }
  }
  free(sorted);
  return second == NULL ? TIER_OK
                        : fail(TIER_E_INVALID, "%d:%d: duplicate key \"%s\" (first in line %d)",
                               second->key_line, second->key_column, second->key, first->key_line);
}

static int32_t composite(struct scanner *s, struct json *j) {
  struct items items = {0};
  j->type = *s->p == '{' ? JSON_OBJECT : JSON_LIST;
  if (s->depth == MAX_DEPTH) {
    return bad(s, s->p, "nested deeper than %d", MAX_DEPTH);
  }
  s->p++;
  s->depth++;
  int32_t status = j->type == JSON_OBJECT ? object_items(s, &items) : list_items(s, &items);
  s->depth--;
  take_items(s, &items, j);
  TIER_TRY(status);
  return j->type == JSON_OBJECT ? refuse_duplicates(j) : TIER_OK;
}

/* ---- values ---- */

static int32_t word(struct scanner *s, struct json *j) {
  static const struct {
    const char *text;
    enum json_type type;
    int boolean;
  } words[] = {{"true", JSON_BOOLEAN, 1}, {"false", JSON_BOOLEAN, 0}, {"null", JSON_NULL, 0}};
  size_t n = 0;
  char c[24];
  while ((size_t)(s->end - s->p) > n &&
         ((s->p[n] >= 'a' && s->p[n] <= 'z') || (s->p[n] >= 'A' && s->p[n] <= 'Z'))) {
    n++;
  }
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (n == strlen(words[i].text) && memcmp(s->p, words[i].text, n) == 0) {
      j->type = words[i].type;
      j->boolean = words[i].boolean;
      s->p += n;
      return TIER_OK;
    }
  }
  if (n > 0) {
    return bad(s, s->p, "%.*s is not a JSON value; a text needs quotes", n < 40 ? (int)n : 40,
               s->p);
  }
  if (s->p < s->end && (*s->p == '/' || *s->p == '#')) {
    return bad(s, s->p, "comments are not allowed");
  }
  return bad(s, s->p, "expected a value, found %s", shown(s, c));
}

static int32_t value(struct scanner *s, struct json **out) {
  skip_space(s);
  struct json *j = json_make(s->arena, JSON_NULL);
  *out = j;
  j->file = s->file;
  j->line = s->line;
  j->column = column_of(s, s->p);
  char c = s->p < s->end ? *s->p : '\0';
  if (c == '{' || c == '[') {
    return composite(s, j);
  }
  if (c == '"') {
    j->type = JSON_STRING;
    return string(s, &j->text, &j->text_length);
  }
  if (c == '-' || (c >= '0' && c <= '9')) {
    return number(s, j);
  }
  return word(s, j);
}

int32_t json_parse(struct arena *a, const char *file, const char *data, size_t size,
                   struct json **out) {
  struct scanner s = {.arena = a,
                      .file = file,
                      .p = data,
                      .end = data + size,
                      .line = 1,
                      .counted = data,
                      .column = 1};
  if (size > MAX_BYTES) {
    return bad(&s, data, "larger than 16 MiB");
  }
  if (size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
    return bad(&s, data, "a byte order mark is not allowed: save the file as plain UTF-8");
  }
  TIER_TRY(value(&s, out));
  skip_space(&s);
  if (s.p < s.end) {
    char c[24];
    return bad(&s, s.p, "text after the end of the JSON value: %s", shown(&s, c));
  }
  return TIER_OK;
}

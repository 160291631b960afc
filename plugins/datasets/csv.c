/* csv: numbers in a text file, one row a line.
 *
 * Cells are separated by one character; a cell may stand in double quotes, with "" for a quote in
 * it (RFC 4180), but not run over a line's end. Lines end in LF or CRLF; empty lines are skipped.
 * Numbers are decimal and read in the C locale. The columns of `target` are y, those of `ignore`
 * nothing, all others are x, in their order. `describe` counts rows and looks at the first line;
 * `open` reads the numbers. Errors name file:line:column, columns in bytes from 1. */
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>

#include "regular.h"

#define IGNORED (-1)
#define IS_X (-2)

struct cell {
  char *text;     /* NUL-terminated */
  int64_t column; /* of its first byte, from 1 */
};

struct csv {
  const tier_host *host;
  const char *path;
  const char *header; /* auto, yes or no */
  char separator;
  int32_t labels;
  const char **targets; /* (target_count) names of columns */
  int64_t target_count;
  const char **ignored; /* (ignored_count) names of columns */
  int64_t ignored_count;
  char **names;       /* (columns) of the header, or "1", "2" ... */
  int64_t *roles;     /* (columns): IS_X, IGNORED, or an index into y */
  int64_t columns;    /* 0 before describe */
  int64_t first_line; /* of the numbers: a header stands before it */
  int64_t rows;
  int64_t x_count;
  int64_t classes; /* of y, if it is a label; TIER_CLASSES_UNKNOWN before open */
  double *x;       /* (rows, x_count), after open */
  double *y;       /* (rows, target_count) */
};

/* ---- lines and cells ------------------------------------------------------------------------- */

struct reader {
  const struct csv *d;
  FILE *file;
  locale_t c_locale;
  char *text; /* of the present line */
  size_t text_capacity;
  int64_t line;
  struct cell *cells;
  int64_t count;
  int64_t capacity;
};

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static int32_t
bad(const struct reader *r, int64_t column, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return tier_failf(r->d->host, TIER_E_DATA, "%s:%lld:%lld: %s", r->d->path, (long long)r->line,
                    (long long)column, text);
}

static int32_t start(const struct csv *d, struct reader *r) {
  *r = (struct reader){.d = d};
  TIER_TRY(regular_file(d->host, d->path));
  r->file = fopen(d->path, "rb");
  if (r->file == NULL) {
    return tier_failf(d->host, errno == ENOENT ? TIER_E_MISSING : TIER_E_IO, "cannot open %s: %s",
                      d->path, strerror(errno));
  }
  r->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (r->c_locale == (locale_t)0) {
    (void)fclose(r->file);
    return tier_failf(d->host, TIER_E_MEMORY, "no memory");
  }
  return TIER_OK;
}

static void finish(struct reader *r) {
  (void)fclose(r->file);
  freelocale(r->c_locale);
  free(r->text);
  free(r->cells);
}

/* Without its line end, and without a byte order mark at the file's start. */
static int32_t trim(struct reader *r, size_t length) {
  if (strlen(r->text) != length) {
    return bad(r, (int64_t)strlen(r->text) + 1, "a NUL byte; this is no text file");
  }
  if (length > 0 && r->text[length - 1] == '\n') {
    r->text[--length] = '\0';
  }
  if (length > 0 && r->text[length - 1] == '\r') {
    r->text[--length] = '\0';
  }
  if (r->line == 1 && strncmp(r->text, "\xef\xbb\xbf", 3) == 0) {
    memmove(r->text, r->text + 3, length - 2);
  }
  return TIER_OK;
}

/* The next line that is not empty: 1, 0 at the end of the file, or a failure. */
static int32_t next_line(struct reader *r) {
  for (;;) {
    errno = 0;
    ssize_t length = getline(&r->text, &r->text_capacity, r->file);
    if (length < 0) {
      return feof(r->file) && !ferror(r->file)
                 ? 0
                 : tier_failf(r->d->host, TIER_E_IO, "cannot read %s: %s", r->d->path,
                              strerror(errno));
    }
    r->line++;
    TIER_TRY(trim(r, (size_t)length));
    if (r->text[strspn(r->text, " \t")] != '\0') {
      return 1;
    }
  }
}

static int32_t add_cell(struct reader *r, char *text, int64_t column) {
  if (r->count == r->capacity) {
    int64_t capacity = r->capacity ? 2 * r->capacity : 16;
    struct cell *cells = realloc(r->cells, (size_t)capacity * sizeof *cells);
    if (cells == NULL) {
      return tier_failf(r->d->host, TIER_E_MEMORY, "no memory for %lld cells", (long long)capacity);
    }
    r->cells = cells;
    r->capacity = capacity;
  }
  r->cells[r->count++] = (struct cell){text, column};
  return TIER_OK;
}

/* Removes the quotes of the cell that starts at `text`, in place; *end is what follows it. */
static int32_t unquote(struct reader *r, char *text, int64_t column, char **end) {
  char *from = text + 1;
  char *to = text;
  while (*from != '\0' && (from[0] != '"' || from[1] == '"')) {
    from += from[0] == '"';
    *to++ = *from++;
  }
  if (*from == '\0') {
    return bad(r, column, "this quote is not closed on its line");
  }
  *end = from + 1;
  if (**end != '\0' && **end != r->d->separator) {
    return bad(r, column + (*end - text), "text after a closing quote");
  }
  *to = '\0';
  return TIER_OK;
}

/* Cuts the present line into cells. */
static int32_t split(struct reader *r) {
  char *at = r->text;
  r->count = 0;
  for (;;) {
    int64_t column = at - r->text + 1;
    char *end = at + strcspn(at, (char[]){r->d->separator, '\0'});
    if (*at == '"') {
      TIER_TRY(unquote(r, at, column, &end));
    }
    TIER_TRY(add_cell(r, at, column));
    if (*end == '\0') {
      return TIER_OK;
    }
    *end = '\0';
    at = end + 1;
  }
}

/* 1 if the text is a decimal number, with spaces around it at most. */
static int parse_number(const char *text, locale_t c_locale, double *value) {
  text += strspn(text, " \t");
  size_t length = strspn(text, "+-.0123456789eE");
  char *end = NULL;
  if (length == 0 || text[length + strspn(text + length, " \t")] != '\0') {
    return 0;
  }
  *value = strtod_l(text, &end, c_locale);
  return end == text + length;
}

static int32_t number_of(const struct reader *r, const struct cell *cell, double *value) {
  if (!parse_number(cell->text, r->c_locale, value)) {
    return bad(r, cell->column, "\"%.60s\" is not a number", cell->text);
  }
  if (*value - *value != 0) {
    return bad(r, cell->column, "%.60s is too large", cell->text);
  }
  return TIER_OK;
}

/* ---- columns --------------------------------------------------------------------------------- */

static int is_header(const struct csv *d, const struct reader *r) {
  double number = 0;
  int numbers = 1;
  for (int64_t i = 0; i < r->count; i++) {
    numbers &= parse_number(r->cells[i].text, r->c_locale, &number);
  }
  return strcmp(d->header, "yes") == 0 || (strcmp(d->header, "auto") == 0 && !numbers);
}

/* Names the columns by the cells of the first line. */
static int32_t name_columns(struct csv *d, const struct reader *r, int header) {
  d->names = calloc((size_t)r->count, sizeof *d->names);
  d->roles = calloc((size_t)r->count, sizeof *d->roles);
  if (d->names == NULL || d->roles == NULL) {
    return tier_failf(d->host, TIER_E_MEMORY, "no memory");
  }
  d->columns = r->count;
  for (int64_t i = 0; i < d->columns; i++) {
    char number[24];
    (void)snprintf(number, sizeof number, "%lld", (long long)i + 1);
    d->names[i] = strdup(header ? r->cells[i].text : number);
    d->roles[i] = IS_X;
    if (d->names[i] == NULL) {
      return tier_failf(d->host, TIER_E_MEMORY, "no memory");
    }
  }
  return TIER_OK;
}

/* Gives the column of that name a role. */
static int32_t assign(struct csv *d, const char *name, int64_t role) {
  int64_t found = -1;
  for (int64_t i = 0; i < d->columns; i++) {
    if (strcmp(d->names[i], name) == 0) {
      if (found >= 0) {
        return tier_failf(d->host, TIER_E_DATA, "%s: columns %lld and %lld are both named \"%s\"",
                          d->path, (long long)found + 1, (long long)i + 1, name);
      }
      found = i;
    }
  }
  if (found < 0) {
    return tier_failf(d->host, TIER_E_INVALID,
                      "%s: no column \"%s\" among its %lld; the first is \"%.60s\", the last "
                      "\"%.60s\"",
                      d->path, name, (long long)d->columns, d->names[0], d->names[d->columns - 1]);
  }
  if (d->roles[found] != IS_X) {
    return tier_failf(d->host, TIER_E_INVALID, "column \"%s\" is named twice in target and ignore",
                      name);
  }
  d->roles[found] = role;
  return TIER_OK;
}

static int32_t assign_roles(struct csv *d) {
  for (int64_t i = 0; i < d->target_count; i++) {
    TIER_TRY(assign(d, d->targets[i], i));
  }
  for (int64_t i = 0; i < d->ignored_count; i++) {
    TIER_TRY(assign(d, d->ignored[i], IGNORED));
  }
  d->x_count = d->columns - d->target_count - d->ignored_count;
  if (d->x_count == 0) {
    return tier_failf(d->host, TIER_E_INVALID, "%s: no column is left for x", d->path);
  }
  return TIER_OK;
}

/* ---- describe: a counting scan --------------------------------------------------------------- */

static int32_t scan(struct csv *d, struct reader *r) {
  int32_t more = next_line(r);
  TIER_TRY(more);
  if (more == 0) {
    return tier_failf(d->host, TIER_E_DATA, "%s: the file is empty", d->path);
  }
  TIER_TRY(split(r));
  int header = is_header(d, r);
  TIER_TRY(name_columns(d, r, header));
  d->first_line = header ? r->line + 1 : r->line;
  d->rows = !header;
  while ((more = next_line(r)) == 1) {
    d->rows++;
  }
  TIER_TRY(more);
  if (d->rows == 0) {
    return tier_failf(d->host, TIER_E_DATA, "%s: no rows after the header", d->path);
  }
  return assign_roles(d);
}

static int32_t describe(void *self, tier_fields *f) {
  struct csv *d = self;
  if (d->columns == 0) {
    struct reader r;
    TIER_TRY(start(d, &r));
    int32_t status = scan(d, &r);
    finish(&r);
    TIER_TRY(status);
  }
  TIER_TRY(f->api->rows(f, d->rows));
  TIER_TRY(f->api->field(f, "x", TIER_REAL, &d->x_count, 1, TIER_CLASSES_NONE));
  if (d->labels) {
    return f->api->field(f, "y", TIER_I32, NULL, 0, d->classes);
  }
  return d->target_count == 0 ? TIER_OK
                              : f->api->field(f, "y", TIER_REAL, &d->target_count,
                                              d->target_count == 1 ? 0 : 1, TIER_CLASSES_NONE);
}

/* ---- open: the numbers ----------------------------------------------------------------------- */

static int32_t check_label(struct csv *d, const struct reader *r, const struct cell *cell,
                           double value) {
  if (value < 0 || value >= 2147483647 || value != (double)(int32_t)value) {
    return bad(r, cell->column, "%.60s is not a class; classes are 0, 1, 2 ...", cell->text);
  }
  d->classes = (int64_t)value >= d->classes ? (int64_t)value + 1 : d->classes;
  return TIER_OK;
}

/* Row `row` from the cells of the present line. */
static int32_t parse_row(struct csv *d, const struct reader *r, int64_t row) {
  double *x = d->x + row * d->x_count;
  if (r->count != d->columns) {
    return bad(r, 1, "%lld cells, but the first line has %lld", (long long)r->count,
               (long long)d->columns);
  }
  for (int64_t i = 0; i < d->columns; i++) {
    const struct cell *cell = &r->cells[i];
    double value = 0;
    if (d->roles[i] == IGNORED) {
      continue;
    }
    TIER_TRY(number_of(r, cell, &value));
    if (d->roles[i] == IS_X) {
      *x++ = value;
      continue;
    }
    d->y[row * d->target_count + d->roles[i]] = value;
    if (d->labels) {
      TIER_TRY(check_label(d, r, cell, value));
    }
  }
  return TIER_OK;
}

static int32_t parse(struct csv *d, struct reader *r) {
  int64_t row = 0;
  int32_t more = 0;
  while ((more = next_line(r)) == 1) {
    if (r->line < d->first_line) {
      continue;
    }
    if (row == d->rows) {
      break;
    }
    TIER_TRY(split(r));
    TIER_TRY(parse_row(d, r, row++));
  }
  TIER_TRY(more);
  if (more == 1 || row != d->rows) {
    return tier_failf(d->host, TIER_E_DATA, "%s changed while it was being read", d->path);
  }
  return TIER_OK;
}

/* (rows, columns) doubles, or NULL. */
static double *table(int64_t rows, int64_t columns) {
  int fits = columns == 0 || rows <= INT64_MAX / 16 / columns;
  return fits ? malloc((size_t)(rows * columns + 1) * sizeof(double)) : NULL;
}

static int32_t open_rows(void *self) {
  struct csv *d = self;
  struct reader r;
  d->x = table(d->rows, d->x_count);
  d->y = table(d->rows, d->target_count);
  if (d->x == NULL || d->y == NULL) {
    return tier_failf(d->host, TIER_E_MEMORY, "%s: no memory for %lld rows of %lld numbers",
                      d->path, (long long)d->rows, (long long)d->columns);
  }
  d->classes = 0;
  TIER_TRY(start(d, &r));
  int32_t status = parse(d, &r);
  finish(&r);
  return status;
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct csv *d = self;
  int is_x = strcmp(field, "x") == 0;
  int64_t size = is_x ? d->x_count : d->target_count;
  for (int64_t i = 0; i < count; i++) {
    const double *row = (is_x ? d->x : d->y) + rows[i] * size;
    if (!is_x && d->labels) {
      ((int32_t *)out)[i] = (int32_t)row[0];
    } else {
      memcpy((double *)out + i * size, row, (size_t)size * sizeof *row);
    }
  }
  return TIER_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void destroy(void *self) {
  struct csv *d = self;
  for (int64_t i = 0; d->names != NULL && i < d->columns; i++) {
    free(d->names[i]);
  }
  free(d->names);
  free(d->roles);
  free(d->targets);
  free(d->ignored);
  free(d->x);
  free(d->y);
  free(d);
}

static int32_t copy_texts(const tier_host *host, const tier_params *p, const char *slot,
                          const char ***texts, int64_t *count) {
  *count = tier_given(p, slot) ? p->api->count(p, slot) : 0;
  *texts = calloc((size_t)*count + 1, sizeof **texts);
  if (*texts == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  for (int64_t i = 0; i < *count; i++) {
    (*texts)[i] = p->api->text_at(p, slot, i);
  }
  return TIER_OK;
}

static char separator_of(const char *name) {
  return strcmp(name, "comma") == 0       ? ','
         : strcmp(name, "semicolon") == 0 ? ';'
         : strcmp(name, "tab") == 0       ? '\t'
                                          : ' ';
}

static int32_t take_arguments(struct csv *d, const tier_params *p) {
  d->path = tier_text(p, "path");
  d->header = tier_text(p, "header");
  d->separator = separator_of(tier_text(p, "separator"));
  d->labels = tier_boolean(p, "labels");
  d->classes = TIER_CLASSES_UNKNOWN;
  TIER_TRY(copy_texts(d->host, p, "target", &d->targets, &d->target_count));
  TIER_TRY(copy_texts(d->host, p, "ignore", &d->ignored, &d->ignored_count));
  if (d->labels && d->target_count != 1) {
    return tier_failf(d->host, TIER_E_INVALID,
                      "with \"labels\": true, \"target\" must name one column, not %lld",
                      (long long)d->target_count);
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct csv *d = calloc(1, sizeof *d);
  if (d == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  d->host = host;
  int32_t status = take_arguments(d, p);
  if (status < 0) {
    destroy(d);
    return status;
  }
  *object = d;
  return TIER_OK;
}

static const tier_dataset_1 dataset = {
    .struct_size = (uint32_t)sizeof(tier_dataset_1),
    .describe = describe,
    .open = open_rows,
    .read = read_rows,
};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.dataset/1") == 0 ? &dataset : NULL;
}

static const tier_slot slots[] = {
    {.name = "path",
     .doc = "the file",
     .unit = "",
     .type = TIER_SLOT_PATH,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "target",
     .doc = "columns that are y, by the header's names, or by number from \"1\" without a header",
     .unit = "",
     .type = TIER_SLOT_TEXTS},
    {.name = "labels",
     .doc = "whether the target is a class: 0, 1, 2 ...",
     .fallback = "false",
     .unit = "",
     .type = TIER_SLOT_BOOLEAN},
    {.name = "ignore",
     .doc = "columns to leave out, named as target's",
     .unit = "",
     .type = TIER_SLOT_TEXTS},
    {.name = "header",
     .doc = "whether the first line names the columns; auto: if a cell of it is no number",
     .fallback = "\"auto\"",
     .unit = "",
     .choices = "auto|yes|no",
     .type = TIER_SLOT_TEXT},
    {.name = "separator",
     .doc = "what stands between two cells",
     .fallback = "\"comma\"",
     .unit = "",
     .choices = "comma|semicolon|tab|space",
     .type = TIER_SLOT_TEXT},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "dataset",
     .id = "csv",
     .summary = "Numbers in a text file, one row a line.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get},
};

TIER_PLUGIN("datasets-csv", "1.0", "MIT", components);

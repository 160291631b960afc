/* csv: an array as text, one line for each index of the first axis, the other axes in a line.
 *
 * Reals have 17 significant digits, so they read back as the same doubles; NaN and infinities are
 * written as nan, inf and -inf. A scalar is one line of one number. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tier/graph.h>
#include <tier/writer.h>
#include <unistd.h>

struct csv {
  const tier_host *host;
  char *header; /* the first line, or NULL */
  int64_t columns;
};

/* One line of `columns` elements from element `first` on; 1 on success. */
static int put_line(FILE *file, const double *reals, const int32_t *integers, int64_t first,
                    int64_t columns) {
  int good = 1;
  for (int64_t j = 0; j < columns && good; j++) {
    const char *comma = j > 0 ? "," : "";
    good = reals != NULL ? fprintf(file, "%s%.17g", comma, reals[first + j]) > 0
                         : fprintf(file, "%s%d", comma, integers[first + j]) > 0;
  }
  return good && fputc('\n', file) != EOF;
}

/* The slot "of" as (rows, columns); 1 on success, 0 with errno. */
static int put_table(FILE *file, const tier_arrays *a, const char *header, int64_t rows,
                     int64_t columns) {
  const double *reals = a->api->reals(a, "of");
  const int32_t *integers = a->api->integers(a, "of");
  int good = header == NULL || fprintf(file, "%s\n", header) > 0;
  for (int64_t i = 0; i < rows && good; i++) {
    good = put_line(file, reals, integers, i * columns, columns);
  }
  return good;
}

static int32_t write_table(const struct csv *w, const tier_arrays *a, const char *path,
                           int64_t rows, int64_t columns) {
  FILE *file = fopen(path, "wb");
  if (file == NULL) {
    return tier_failf(w->host, TIER_E_IO, "cannot create %s: %s", path, strerror(errno));
  }
  int written =
      put_table(file, a, w->header, rows, columns) && fflush(file) == 0 && fsync(fileno(file)) == 0;
  int error = errno;
  if (fclose(file) != 0 && written) {
    written = 0;
    error = errno;
  }
  return written ? TIER_OK
                 : tier_failf(w->host, TIER_E_IO, "cannot write %s: %s", path, strerror(error));
}

static int32_t write_file(void *self, const tier_arrays *a, const char *path) {
  struct csv *w = self;
  int64_t dims[TIER_MAX_RANK] = {0};
  int32_t rank = a->api->shape(a, "of", dims);
  int64_t rows = rank > 0 ? dims[0] : 1;
  int64_t columns = 1;
  for (int32_t i = 1; i < rank; i++) {
    columns *= dims[i];
  }
  if (w->header != NULL && w->columns != columns) {
    return tier_failf(w->host, TIER_E_INVALID, "\"header\" names %lld columns, but there are %lld",
                      (long long)w->columns, (long long)columns);
  }
  locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c_locale == (locale_t)0) {
    return tier_failf(w->host, TIER_E_MEMORY, "no memory");
  }
  locale_t before = uselocale(c_locale);
  int32_t status = write_table(w, a, path, rows, columns);
  (void)uselocale(before);
  freelocale(c_locale);
  return status;
}

/* Joins the names of columns, in quotes where they need them (RFC 4180), into one line. */
static char *join(const tier_params *p, int64_t count) {
  size_t size = 1;
  for (int64_t i = 0; i < count; i++) {
    size += 2 * strlen(p->api->text_at(p, "header", i)) + 3;
  }
  char *line = malloc(size);
  char *to = line;
  for (int64_t i = 0; line != NULL && i < count; i++) {
    const char *name = p->api->text_at(p, "header", i);
    int quotes = strpbrk(name, ",\"") != NULL;
    to = i > 0 ? stpcpy(to, ",") : to;
    to = quotes ? stpcpy(to, "\"") : to;
    for (; *name; name++) {
      to = *name == '"' ? stpcpy(to, "\"\"") : (*to = *name, to + 1);
    }
    to = quotes ? stpcpy(to, "\"") : to;
  }
  if (line != NULL) {
    *to = '\0';
  }
  return line;
}

static void destroy(void *self) {
  struct csv *w = self;
  free(w->header);
  free(w);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct csv *w = calloc(1, sizeof *w);
  if (w == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  w->host = host;
  w->columns = tier_given(p, "header") ? p->api->count(p, "header") : 0;
  if (w->columns > 0 && (w->header = join(p, w->columns)) == NULL) {
    free(w);
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  *object = w;
  return TIER_OK;
}

static const tier_writer_1 writer = {
    .struct_size = (uint32_t)sizeof(tier_writer_1),
    .extension = "csv",
    .write = write_file,
};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.writer/1") == 0 ? &writer : NULL;
}

static const tier_slot slots[] = {
    {.name = "of",
     .doc = "what to write; one line for each index of its first axis",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "header",
     .doc = "names of the columns, for a first line",
     .unit = "",
     .type = TIER_SLOT_TEXTS},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "writer",
     .id = "csv",
     .summary = "An array as a text file, one row a line.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get},
};

TIER_PLUGIN("writers-csv", "1.0", "MIT", components);

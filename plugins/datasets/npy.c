/* npy: arrays in NumPy's format, one row along the first axis.
 *
 * Format: NEP 1 and numpy.lib.format, versions 1 to 3: "\x93NUMPY", major, minor, the header's
 * length (2 bytes in version 1, 4 after it), the header (a Python dictionary), the elements.
 * Read are little-endian f4, f8, u1, i4, i8, in C order. x becomes real. y stays real, or becomes
 * i32 if it holds integers: a label, if it is one number a row. Nothing is rescaled. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tier/dataset.h>

#include "regular.h"

#define LARGEST_HEADER 65536

/* One file. */
struct array {
  const tier_host *host;
  const char *path; /* NULL: not given */
  char kind;        /* f, u or i */
  int32_t size;     /* bytes of an element */
  int32_t rank;     /* of a row */
  int64_t rows;
  int64_t dims[TIER_MAX_RANK]; /* of a row */
  int64_t elements;            /* of a row */
  int64_t offset;              /* of the first element in the file */
  unsigned char *bytes;        /* (rows, elements, size), after open */
};

struct npy {
  const tier_host *host;
  struct array x;
  struct array y;
  int64_t classes; /* of y, if it is a label; TIER_CLASSES_UNKNOWN before open */
};

static int32_t bad(const struct array *a, const char *what) {
  return tier_failf(a->host, TIER_E_DATA, "%s: %s", a->path, what);
}

/* ---- the header: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), } ---------------- */

static void skip_spaces(const char **at) {
  *at += strspn(*at, " \t\r\n");
}

/* Takes `token` if it comes next. */
static int take(const char **at, const char *token) {
  size_t length = strlen(token);
  skip_spaces(at);
  if (strncmp(*at, token, length) != 0) {
    return 0;
  }
  *at += length;
  return 1;
}

/* A quoted text without escapes, of fewer than `capacity` bytes. */
static int take_text(const char **at, char *out, size_t capacity) {
  skip_spaces(at);
  char quote = **at;
  if (quote != '\'' && quote != '"') {
    return 0;
  }
  const char *end = strchr(*at + 1, quote);
  if (end == NULL || (size_t)(end - *at) > capacity) {
    return 0;
  }
  size_t length = (size_t)(end - *at) - 1;
  memcpy(out, *at + 1, length);
  out[length] = '\0';
  *at = end + 1;
  return 1;
}

static int32_t parse_type(struct array *a, const char *descr) {
  static const char *const known[] = {"<f4", "<f8", "|u1", "<i4", "<i8"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(descr, known[i]) == 0) {
      a->kind = descr[1];
      a->size = descr[2] - '0';
      return TIER_OK;
    }
  }
  return tier_failf(a->host, TIER_E_DATA,
                    "%s: elements of type %s cannot be read, only <f4 <f8 |u1 <i4 <i8; convert it "
                    "with numpy's astype",
                    a->path, descr);
}

/* One size of the shape: digits, at most 2^53. */
static int take_size(const char **at, int64_t *size) {
  skip_spaces(at);
  if (**at < '0' || **at > '9') {
    return 0;
  }
  *size = 0;
  for (; **at >= '0' && **at <= '9'; (*at)++) {
    *size = 10 * *size + (**at - '0');
    if (*size > INT64_C(9007199254740992)) {
      return 0;
    }
  }
  (void)take(at, "L"); /* written by NumPy under Python 2 */
  return 1;
}

/* "(3, 4)", "(3,)" or "()". */
static int32_t parse_shape(struct array *a, const char **at) {
  int64_t sizes[TIER_MAX_RANK] = {0};
  int32_t rank = 0;
  if (!take(at, "(")) {
    return bad(a, "its header has no shape");
  }
  while (!take(at, ")")) {
    if (rank == TIER_MAX_RANK) {
      return bad(a, "it has more than 6 axes");
    }
    if (!take_size(at, &sizes[rank++])) {
      return bad(a, "its header's shape is damaged");
    }
    if (!take(at, ",")) {
      if (!take(at, ")")) {
        return bad(a, "its header's shape is damaged");
      }
      break;
    }
  }
  if (rank == 0) {
    return bad(a, "it is one number; an array of rows is needed");
  }
  a->rows = sizes[0];
  a->rank = rank - 1;
  memcpy(a->dims, sizes + 1, (TIER_MAX_RANK - 1) * sizeof *sizes);
  return TIER_OK;
}

static int32_t parse_entry(struct array *a, const char **at, unsigned *seen) {
  char key[32];
  char descr[32];
  if (!take_text(at, key, sizeof key) || !take(at, ":")) {
    return bad(a, "its header is damaged");
  }
  if (strcmp(key, "descr") == 0 && !(*seen & 1u)) {
    *seen |= 1u;
    return take_text(at, descr, sizeof descr)
               ? parse_type(a, descr)
               : bad(a, "records cannot be read, only plain numbers");
  }
  if (strcmp(key, "fortran_order") == 0 && !(*seen & 2u)) {
    *seen |= 2u;
    if (take(at, "True")) {
      return bad(a, "it is in Fortran order; save numpy.ascontiguousarray of it");
    }
    return take(at, "False") ? TIER_OK : bad(a, "its header is damaged");
  }
  if (strcmp(key, "shape") == 0 && !(*seen & 4u)) {
    *seen |= 4u;
    return parse_shape(a, at);
  }
  return bad(a, "its header is damaged");
}

static int32_t parse_header(struct array *a, const char *at) {
  unsigned seen = 0;
  if (!take(&at, "{")) {
    return bad(a, "its header is damaged");
  }
  while (!take(&at, "}")) {
    TIER_TRY(parse_entry(a, &at, &seen));
    if (!take(&at, ",") && *at != '}') {
      return bad(a, "its header is damaged");
    }
  }
  skip_spaces(&at);
  return seen == 7u && *at == '\0' ? TIER_OK : bad(a, "its header is damaged");
}

/* Elements of a row, and rows, within reason; `left` bytes follow the header. */
static int32_t check_size(struct array *a, int64_t left) {
  a->elements = 1;
  for (int32_t i = 0; i < a->rank; i++) {
    if (a->dims[i] == 0 || a->dims[i] > INT64_C(0x7fffffff) / a->elements) {
      return bad(a, "its shape has an empty or a too large axis");
    }
    a->elements *= a->dims[i];
  }
  int64_t row = a->elements * a->size;
  if (a->rows == 0) {
    return bad(a, "it has no rows");
  }
  if (a->rows > INT64_MAX / row || a->rows * row != left) {
    return tier_failf(a->host, TIER_E_DATA,
                      "%s: %lld bytes follow its header, but its shape needs %lld rows of %lld",
                      a->path, (long long)left, (long long)a->rows, (long long)row);
  }
  return TIER_OK;
}

/* Reads the header's text into `header` (LARGEST_HEADER + 1 bytes). */
static int32_t read_text(struct array *a, FILE *file, char *header) {
  unsigned char start[12];
  if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6) != 0) {
    return bad(a, "not an npy file: it does not start as one");
  }
  if (start[6] < 1 || start[6] > 3) {
    return bad(a, "npy version not known; 1, 2 and 3 are");
  }
  size_t length = (size_t)start[8] | (size_t)start[9] << 8;
  a->offset = 10;
  if (start[6] > 1) {
    if (fread(start + 10, 1, 2, file) != 2) {
      return bad(a, "it ends within its header");
    }
    length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    a->offset = 12;
  }
  if (length > LARGEST_HEADER) {
    return bad(a, "its header is too long");
  }
  if (fread(header, 1, length, file) != length) {
    return bad(a, "it ends within its header");
  }
  header[length] = '\0';
  a->offset += (int64_t)length;
  return strlen(header) == length ? TIER_OK : bad(a, "its header is damaged");
}

static int32_t open_file(const struct array *a, FILE **file) {
  *file = NULL;
  TIER_TRY(regular_file(a->host, a->path));
  *file = fopen(a->path, "rb");
  if (*file == NULL) {
    return tier_failf(a->host, errno == ENOENT ? TIER_E_MISSING : TIER_E_IO, "cannot open %s: %s",
                      a->path, strerror(errno));
  }
  return TIER_OK;
}

static int32_t examine(struct array *a, FILE *file) {
  struct stat info;
  char *header = malloc(LARGEST_HEADER + 1);
  if (header == NULL) {
    return tier_failf(a->host, TIER_E_MEMORY, "no memory");
  }
  int32_t status = read_text(a, file, header);
  if (status >= 0) {
    status = parse_header(a, header);
  }
  free(header);
  TIER_TRY(status);
  if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
    return bad(a, "it is not a regular file");
  }
  return check_size(a, (int64_t)info.st_size - a->offset);
}

static int32_t look_at(struct array *a) {
  FILE *file = NULL;
  TIER_TRY(open_file(a, &file));
  int32_t status = examine(a, file);
  (void)fclose(file);
  return status;
}

/* ---- elements -------------------------------------------------------------------------------- */

static int32_t load(struct array *a) {
  FILE *file = NULL;
  size_t size = (size_t)(a->rows * a->elements * a->size);
  a->bytes = malloc(size);
  if (a->bytes == NULL) {
    return tier_failf(a->host, TIER_E_MEMORY, "%s: no memory for its %zu bytes", a->path, size);
  }
  TIER_TRY(open_file(a, &file));
  int whole = fseeko(file, (off_t)a->offset, SEEK_SET) == 0 &&
              fread(a->bytes, 1, size, file) == size && fgetc(file) == EOF && !ferror(file);
  (void)fclose(file);
  return whole ? TIER_OK
               : tier_failf(a->host, TIER_E_IO, "%s: it could not be read, or changed", a->path);
}

static uint64_t little_endian(const unsigned char *bytes, int32_t size) {
  uint64_t bits = 0;
  for (int32_t i = size - 1; i >= 0; i--) {
    bits = bits << 8 | bytes[i];
  }
  return bits;
}

/* Element i of a u1, i4 or i8 array. */
static int64_t integer_at(const struct array *a, int64_t i) {
  uint64_t bits = little_endian(a->bytes + i * a->size, a->size);
  if (a->size == 4) {
    return (int64_t)bits - (int64_t)((bits & 0x80000000u) << 1);
  }
  int64_t value = 0;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Element i of any array. */
static double real_at(const struct array *a, int64_t i) {
  if (a->kind != 'f') {
    return (double)integer_at(a, i);
  }
  uint64_t bits = little_endian(a->bytes + i * a->size, a->size);
  if (a->size == 4) {
    uint32_t low = (uint32_t)bits;
    float value = 0;
    memcpy(&value, &low, sizeof value);
    return (double)value;
  }
  double value = 0;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* ---- the dataset ----------------------------------------------------------------------------- */

static int32_t look_at_headers(struct npy *d) {
  TIER_TRY(look_at(&d->x));
  if (d->y.path == NULL) {
    return TIER_OK;
  }
  TIER_TRY(look_at(&d->y));
  if (d->y.rows != d->x.rows) {
    return tier_failf(d->host, TIER_E_DATA, "%s has %lld rows, but %s has %lld", d->y.path,
                      (long long)d->y.rows, d->x.path, (long long)d->x.rows);
  }
  d->classes = d->y.rank == 0 ? TIER_CLASSES_UNKNOWN : TIER_CLASSES_NONE;
  return TIER_OK;
}

static int32_t describe(void *self, tier_fields *f) {
  struct npy *d = self;
  if (d->x.bytes == NULL) {
    TIER_TRY(look_at_headers(d));
  }
  TIER_TRY(f->api->rows(f, d->x.rows));
  TIER_TRY(f->api->field(f, "x", TIER_REAL, d->x.dims, d->x.rank, TIER_CLASSES_NONE));
  if (d->y.path == NULL) {
    return TIER_OK;
  }
  int real = d->y.kind == 'f';
  return f->api->field(f, "y", real ? TIER_REAL : TIER_I32, d->y.dims, d->y.rank,
                       real ? TIER_CLASSES_NONE : d->classes);
}

/* All of an integer y must fit in i32, and be >= 0 if it is a label; counts the classes. */
static int32_t check_integers(struct npy *d) {
  int64_t n = d->y.rows * d->y.elements;
  int64_t least = d->y.rank == 0 ? 0 : INT32_MIN;
  int64_t most = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t value = integer_at(&d->y, i);
    if (value < least || value >= INT32_MAX) {
      return tier_failf(d->host, TIER_E_DATA, "%s: row %lld holds %lld; %s", d->y.path,
                        (long long)(i / d->y.elements), (long long)value,
                        d->y.rank == 0 ? "classes count from 0" : "integers have 32 bits here");
    }
    most = value > most ? value : most;
  }
  d->classes = d->y.rank == 0 ? most + 1 : TIER_CLASSES_NONE;
  return TIER_OK;
}

static int32_t open_rows(void *self) {
  struct npy *d = self;
  TIER_TRY(load(&d->x));
  if (d->y.path != NULL) {
    TIER_TRY(load(&d->y));
    if (d->y.kind != 'f') {
      return check_integers(d);
    }
  }
  return TIER_OK;
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct npy *d = self;
  int is_y = strcmp(field, "y") == 0;
  const struct array *a = is_y ? &d->y : &d->x;
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = 0; j < a->elements; j++) {
      int64_t at = rows[i] * a->elements + j;
      if (is_y && a->kind != 'f') {
        ((int32_t *)out)[i * a->elements + j] = (int32_t)integer_at(a, at);
      } else {
        ((double *)out)[i * a->elements + j] = real_at(a, at);
      }
    }
  }
  return TIER_OK;
}

static void destroy(void *self) {
  struct npy *d = self;
  free(d->x.bytes);
  free(d->y.bytes);
  free(d);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct npy *d = calloc(1, sizeof *d);
  if (d == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  d->host = d->x.host = d->y.host = host;
  d->x.path = tier_text(p, "x");
  d->y.path = tier_given(p, "y") ? tier_text(p, "y") : NULL;
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
    {.name = "x",
     .doc = "npy file of x, one row along its first axis",
     .unit = "",
     .type = TIER_SLOT_PATH,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "y",
     .doc = "npy file of y; integers, one a row, are class labels",
     .unit = "",
     .type = TIER_SLOT_PATH},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "dataset",
     .id = "npy",
     .summary = "Arrays in NumPy's npy files.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get},
};

TIER_PLUGIN("datasets-npy", "1.0", "MIT", components);

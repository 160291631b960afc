/* idx: images and labels in the IDX format of MNIST, gzipped or plain.
 *
 * An IDX file: two zero bytes, the element type, the rank, then the sizes as big-endian 32-bit
 * numbers, then the elements, row-major (LeCun, Cortes, Burges, "The MNIST database"). Images are
 * unsigned bytes of rank 3 (count, height, width); labels are unsigned bytes or big-endian 16-bit
 * integers (Omniglot) of rank 1. x is a flat row in [0, 1], byte / 255. `describe` reads headers;
 * `open` reads the files. Elements beyond those announced are an error; bytes after the end of a
 * gzip stream (padding) are ignored, as gzip does: its checksum has been verified by then. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>
#include <zlib.h>

#include "regular.h"

#define TYPE_BYTE 0x08
#define TYPE_SHORT 0x0B
#define LARGEST_FILE INT64_C(0x1000000000) /* elements: 64 GiB; more is a broken header */
#define LARGEST_IMAGE INT64_C(0x1000000)   /* pixels */

struct idx {
  const tier_host *host;
  const char *images;
  const char *labels; /* NULL: none */
  int64_t rows, height, width;
  int64_t classes;       /* TIER_CLASSES_UNKNOWN before open */
  unsigned char *pixels; /* (rows, height * width) */
  int32_t *y;            /* (rows) */
};

struct header {
  int32_t type;
  int32_t rank;
  int64_t dims[3];
};

/* ---- files ----------------------------------------------------------------------------------- */

static int32_t open_file(const tier_host *host, const char *path, gzFile *file) {
  *file = NULL;
  TIER_TRY(regular_file(host, path));
  errno = 0;
  *file = gzopen(path, "rb");
  if (*file == NULL) {
    int error = errno;
    return tier_failf(host, error == ENOENT ? TIER_E_MISSING : TIER_E_IO, "cannot open %s: %s",
                      path, error ? strerror(error) : "no memory");
  }
  (void)gzbuffer(*file, 1u << 17);
  return TIER_OK;
}

/* Reads exactly `size` bytes. */
static int32_t read_bytes(const tier_host *host, const char *path, gzFile file, void *out,
                          int64_t size) {
  int64_t done = 0;
  while (done < size) {
    int64_t left = size - done;
    int got = gzread(file, (char *)out + done, (unsigned)(left < (1 << 26) ? left : 1 << 26));
    if (got <= 0) {
      int error = Z_OK;
      const char *reason = gzerror(file, &error);
      int damaged = got < 0 && error != Z_BUF_ERROR;
      return tier_failf(host, error == Z_ERRNO ? TIER_E_IO : TIER_E_DATA,
                        "%s: %s after %lld of %lld bytes of a part of it%s%s", path,
                        damaged ? "it cannot be read on" : "the file ends too early",
                        (long long)done, (long long)size, damaged ? ": " : "",
                        damaged ? reason : "");
    }
    done += got;
  }
  return TIER_OK;
}

/* Reads `size` bytes into a new array. It grows with what is read, so that a header cannot claim
 * memory for elements that the file does not have. */
static int32_t read_elements(const tier_host *host, const char *path, gzFile file, int64_t size,
                             unsigned char **elements) {
  int64_t capacity = 0;
  while (capacity < size) {
    int64_t more = capacity == 0 ? 1 << 24 : capacity;
    int64_t larger = more < size - capacity ? capacity + more : size;
    unsigned char *grown = realloc(*elements, (size_t)larger);
    if (grown == NULL) {
      return tier_failf(host, TIER_E_MEMORY, "%s: no memory for its %lld bytes", path,
                        (long long)size);
    }
    *elements = grown;
    TIER_TRY(read_bytes(host, path, file, grown + capacity, larger - capacity));
    capacity = larger;
  }
  return TIER_OK;
}

/* The file must end here, with a correct checksum if it is gzipped. */
static int32_t read_end(const tier_host *host, const char *path, gzFile file) {
  char more = 0;
  int error = Z_OK;
  int got = gzread(file, &more, 1);
  if (got > 0) {
    return tier_failf(host, TIER_E_DATA, "%s: there is more in the file than its header announces",
                      path);
  }
  (void)gzerror(file, &error);
  if (got < 0 || (error != Z_OK && error != Z_STREAM_END)) {
    return tier_failf(host, error == Z_ERRNO ? TIER_E_IO : TIER_E_DATA,
                      "%s: the gzip file is cut off or damaged at its end", path);
  }
  return TIER_OK;
}

static int64_t big_endian(const unsigned char *bytes) {
  return (int64_t)bytes[0] << 24 | (int64_t)bytes[1] << 16 | (int64_t)bytes[2] << 8 | bytes[3];
}

/* Reads the header of a file that must have rank `rank`; short elements only if `shorts`. */
static int32_t read_header(const tier_host *host, const char *path, gzFile file, int32_t rank,
                           int32_t shorts, struct header *h) {
  unsigned char bytes[16];
  TIER_TRY(read_bytes(host, path, file, bytes, 4));
  h->type = bytes[2];
  h->rank = bytes[3];
  int type_fits = h->type == TYPE_BYTE || (shorts && h->type == TYPE_SHORT);
  if (bytes[0] != 0 || bytes[1] != 0 || !type_fits || h->rank != rank) {
    return tier_failf(host, TIER_E_DATA,
                      "%s: not an IDX file of %s: it starts with %02x %02x %02x %02x, not with "
                      "00 00 08 %02x%s",
                      path, rank == 3 ? "images" : "labels", bytes[0], bytes[1], bytes[2], bytes[3],
                      (unsigned)rank, shorts ? " or 00 00 0b 01" : "");
  }
  TIER_TRY(read_bytes(host, path, file, bytes, 4 * (int64_t)rank));
  int64_t elements = 1;
  for (int32_t i = 0; i < rank; i++) {
    h->dims[i] = big_endian(bytes + 4 * i);
    if (h->dims[i] == 0 || h->dims[i] > LARGEST_FILE / elements) {
      return tier_failf(host, TIER_E_DATA, "%s: size %d in its header is %lld", path, (int)i + 1,
                        (long long)h->dims[i]);
    }
    elements *= h->dims[i];
  }
  return TIER_OK;
}

static int32_t look_at(const tier_host *host, const char *path, int32_t rank, int32_t shorts,
                       struct header *h) {
  gzFile file = NULL;
  TIER_TRY(open_file(host, path, &file));
  int32_t status = read_header(host, path, file, rank, shorts, h);
  (void)gzclose_r(file);
  return status;
}

/* Reads header and elements into a new array, which the caller frees. */
static int32_t read_whole(const tier_host *host, const char *path, int32_t rank, int32_t shorts,
                          struct header *h, unsigned char **elements) {
  gzFile file = NULL;
  *elements = NULL;
  TIER_TRY(open_file(host, path, &file));
  int32_t status = read_header(host, path, file, rank, shorts, h);
  int64_t size = status < 0 ? 0 : h->type == TYPE_SHORT ? 2 : 1;
  for (int32_t i = 0; status >= 0 && i < rank; i++) {
    size *= h->dims[i];
  }
  if (status >= 0) {
    status = read_elements(host, path, file, size, elements);
  }
  if (status >= 0) {
    status = read_end(host, path, file);
  }
  (void)gzclose_r(file);
  if (status < 0) {
    free(*elements);
    *elements = NULL;
  }
  return status;
}

/* ---- the dataset ----------------------------------------------------------------------------- */

static int32_t look_at_headers(struct idx *d) {
  struct header h;
  TIER_TRY(look_at(d->host, d->images, 3, 0, &h));
  d->rows = h.dims[0];
  d->height = h.dims[1];
  d->width = h.dims[2];
  if (d->height * d->width > LARGEST_IMAGE) {
    return tier_failf(d->host, TIER_E_DATA,
                      "%s: its header says that images have %lld x %lld pixels", d->images,
                      (long long)d->height, (long long)d->width);
  }
  if (d->labels != NULL) {
    TIER_TRY(look_at(d->host, d->labels, 1, 1, &h));
    if (h.dims[0] != d->rows) {
      return tier_failf(d->host, TIER_E_DATA, "%s has %lld labels, but %s has %lld images",
                        d->labels, (long long)h.dims[0], d->images, (long long)d->rows);
    }
  }
  return TIER_OK;
}

static int32_t describe(void *self, tier_fields *f) {
  struct idx *d = self;
  if (d->pixels == NULL) {
    TIER_TRY(look_at_headers(d));
  }
  int64_t size = d->height * d->width;
  TIER_TRY(f->api->rows(f, d->rows));
  TIER_TRY(f->api->field(f, "x", TIER_REAL, &size, 1, TIER_CLASSES_NONE));
  TIER_TRY(f->api->image(f, "x", d->height, d->width, 1));
  return d->labels == NULL ? TIER_OK : f->api->field(f, "y", TIER_I32, NULL, 0, d->classes);
}

static int32_t changed(const struct idx *d, const char *path) {
  return tier_failf(d->host, TIER_E_DATA, "%s changed while it was being read", path);
}

static int32_t load_images(struct idx *d) {
  struct header h;
  unsigned char *pixels = NULL;
  TIER_TRY(read_whole(d->host, d->images, 3, 0, &h, &pixels));
  d->pixels = pixels;
  if (h.dims[0] != d->rows || h.dims[1] != d->height || h.dims[2] != d->width) {
    return changed(d, d->images);
  }
  return TIER_OK;
}

/* Label i of `bytes`; shorts are big-endian and signed. */
static int32_t label_at(const unsigned char *bytes, int32_t type, int64_t i) {
  if (type == TYPE_BYTE) {
    return bytes[i];
  }
  int32_t value = bytes[2 * i] << 8 | bytes[2 * i + 1];
  return value < 0x8000 ? value : value - 0x10000;
}

/* Fills y (rows) and counts the classes: the largest label plus one. */
static int32_t decode_labels(struct idx *d, int32_t type, const unsigned char *bytes) {
  d->y = malloc((size_t)d->rows * sizeof *d->y);
  if (d->y == NULL) {
    return tier_failf(d->host, TIER_E_MEMORY, "no memory for %lld labels", (long long)d->rows);
  }
  d->classes = 0;
  for (int64_t i = 0; i < d->rows; i++) {
    int32_t label = label_at(bytes, type, i);
    if (label < 0) {
      return tier_failf(d->host, TIER_E_DATA, "%s: label %lld is %d; classes count from 0",
                        d->labels, (long long)i, label);
    }
    d->y[i] = label;
    d->classes = label >= d->classes ? label + 1 : d->classes;
  }
  return TIER_OK;
}

static int32_t load_labels(struct idx *d) {
  struct header h;
  unsigned char *bytes = NULL;
  TIER_TRY(read_whole(d->host, d->labels, 1, 1, &h, &bytes));
  int32_t status = h.dims[0] == d->rows ? decode_labels(d, h.type, bytes) : changed(d, d->labels);
  free(bytes);
  return status;
}

static int32_t open_rows(void *self) {
  struct idx *d = self;
  TIER_TRY(load_images(d));
  return d->labels == NULL ? TIER_OK : load_labels(d);
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct idx *d = self;
  int64_t size = d->height * d->width;
  for (int64_t i = 0; i < count; i++) {
    if (strcmp(field, "y") == 0) {
      ((int32_t *)out)[i] = d->y[rows[i]];
      continue;
    }
    const unsigned char *pixels = d->pixels + rows[i] * size;
    double *x = (double *)out + i * size;
    for (int64_t j = 0; j < size; j++) {
      x[j] = pixels[j] / 255.0;
    }
  }
  return TIER_OK;
}

static void destroy(void *self) {
  struct idx *d = self;
  free(d->pixels);
  free(d->y);
  free(d);
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct idx *d = calloc(1, sizeof *d);
  if (d == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  d->host = host;
  d->images = tier_text(p, "images");
  d->labels = tier_given(p, "labels") ? tier_text(p, "labels") : NULL;
  d->classes = TIER_CLASSES_UNKNOWN;
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
    {.name = "images",
     .doc = "file of images: unsigned bytes, rank 3; gzipped or plain",
     .unit = "",
     .type = TIER_SLOT_PATH,
     .flags = TIER_SLOT_REQUIRED},
    {.name = "labels",
     .doc = "file of labels: unsigned bytes or 16-bit integers, rank 1; gzipped or plain",
     .unit = "",
     .type = TIER_SLOT_PATH},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "dataset",
     .id = "idx",
     .summary = "Images and labels in IDX files (MNIST), gzipped or plain.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = destroy,
     .get = get},
};

TIER_PLUGIN("datasets-idx", "1.0", "MIT", components);

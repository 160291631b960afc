/* image-grid: the first rows of an array as pictures in one PNG file, line by line, with a gap
 * between them. A row is h * w numbers of a square picture, (h, w), or (h, w, c) with 1 (grey) or 3
 * (red, green, blue) channels; 0 is black, 1 full intensity, and what lies outside is clipped. */
#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tier/graph.h>
#include <tier/writer.h>
#include <unistd.h>

struct image_grid {
  const tier_host *host;
  int64_t rows, columns, gap, height, width;
};

struct picture {
  int64_t count, height, width, channels;
};

#define MOST_PIXELS 100000000 /* of a file */
#define GAP_LEVEL 128

/* The height and width of one picture of `size` numbers in a flat row. */
static int32_t flat_size(const struct image_grid *w, int64_t size, struct picture *p) {
  p->channels = 1;
  p->height = w->height > 0 ? w->height : (int64_t)llround(sqrt((double)size));
  p->width = w->width > 0 ? w->width : p->height;
  if (p->height * p->width == size) {
    return TIER_OK;
  }
  return tier_failf(w->host, TIER_E_INVALID,
                    "%lld numbers a row are no picture of %lld x %lld: give its height and width",
                    (long long)size, (long long)p->height, (long long)p->width);
}

static int32_t measure(const struct image_grid *w, const tier_arrays *a, struct picture *p) {
  int64_t dims[TIER_MAX_RANK] = {0};
  int32_t rank = a->api->shape(a, "of", dims);
  if (rank < 2 || rank > 4 || a->api->reals(a, "of") == NULL ||
      (rank == 4 && dims[3] != 1 && dims[3] != 3)) {
    return tier_failf(w->host, TIER_E_INVALID,
                      "of must be real rows of numbers, (h, w) or (h, w, c) with c 1 or 3");
  }
  *p = (struct picture){dims[0], dims[1], dims[2], rank == 4 ? dims[3] : 1};
  if (rank == 2) {
    TIER_TRY(flat_size(w, dims[1], p));
  }
  if (p->height < 1 || p->width < 1 || p->height > MOST_PIXELS || p->width > MOST_PIXELS ||
      (double)(w->rows * (p->height + w->gap)) * (double)(w->columns * (p->width + w->gap)) >
          MOST_PIXELS) {
    return tier_failf(w->host, TIER_E_INVALID,
                      "a grid of %lld x %lld pictures of %lld x %lld has no pixels or too many",
                      (long long)w->rows, (long long)w->columns, (long long)p->height,
                      (long long)p->width);
  }
  return TIER_OK;
}

/* Copies picture x (height, width, channels) into the grid's pixels, whose lines have `stride`
 * bytes. */
static void paint(const struct picture *p, const double *x, unsigned char *at, int64_t stride) {
  for (int64_t i = 0; i < p->height; i++) {
    for (int64_t j = 0; j < p->width * p->channels; j++) {
      double level = x[i * p->width * p->channels + j];
      at[i * stride + j] = (unsigned char)lround(255.0 * (level < 0 ? 0 : level > 1 ? 1 : level));
    }
  }
}

static int32_t check_finite(const struct image_grid *w, const struct picture *p, const double *x,
                            int64_t shown) {
  int64_t size = p->height * p->width * p->channels;
  for (int64_t i = 0; i < shown * size; i++) {
    if (isnan(x[i])) {
      return tier_failf(w->host, TIER_E_NONFINITE, "number %lld of row %lld is NaN",
                        (long long)(i % size), (long long)(i / size));
    }
  }
  return TIER_OK;
}

static int32_t save(const struct image_grid *w, const struct picture *p,
                    const unsigned char *pixels, int64_t height, int64_t width, const char *path) {
  png_image image = {.version = PNG_IMAGE_VERSION,
                     .width = (png_uint_32)width,
                     .height = (png_uint_32)height,
                     .format = p->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
  FILE *file = fopen(path, "wb");
  if (file == NULL) {
    return tier_failf(w->host, TIER_E_IO, "cannot create %s: %s", path, strerror(errno));
  }
  errno = 0;
  int written = png_image_write_to_stdio(&image, file, 0, pixels, 0, NULL) && fflush(file) == 0 &&
                fsync(fileno(file)) == 0;
  int error = errno;
  if (fclose(file) != 0 && written) {
    written = 0;
    error = errno;
  }
  return written ? TIER_OK
                 : tier_failf(w->host, TIER_E_IO, "cannot write %s: %s", path,
                              error != 0 ? strerror(error) : image.message);
}

static int32_t write_file(void *self, const tier_arrays *a, const char *path) {
  const struct image_grid *w = self;
  struct picture p = {0};
  TIER_TRY(measure(w, a, &p));
  const double *x = a->api->reals(a, "of");
  int64_t shown = p.count < w->rows * w->columns ? p.count : w->rows * w->columns;
  TIER_TRY(check_finite(w, &p, x, shown));
  int64_t height = w->rows * (p.height + w->gap) - w->gap;
  int64_t width = w->columns * (p.width + w->gap) - w->gap;
  int64_t stride = width * p.channels;
  unsigned char *pixels = malloc((size_t)(height * stride));
  if (pixels == NULL) {
    return tier_failf(w->host, TIER_E_MEMORY, "no memory for %lld pixels",
                      (long long)(height * width));
  }
  memset(pixels, GAP_LEVEL, (size_t)(height * stride));
  for (int64_t k = 0; k < shown; k++) {
    int64_t line = k / w->columns * (p.height + w->gap);
    int64_t column = k % w->columns * (p.width + w->gap);
    paint(&p, x + k * p.height * p.width * p.channels, pixels + line * stride + column * p.channels,
          stride);
  }
  int32_t status = save(w, &p, pixels, height, width, path);
  free(pixels);
  return status;
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct image_grid *w = calloc(1, sizeof *w);
  if (w == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  w->host = host;
  w->rows = tier_integer(p, "rows");
  w->columns = tier_integer(p, "columns");
  w->gap = tier_integer(p, "gap");
  w->height = tier_given(p, "height") ? tier_integer(p, "height") : 0;
  w->width = tier_given(p, "width") ? tier_integer(p, "width") : 0;
  *object = w;
  return TIER_OK;
}

static const tier_writer_1 writer = {
    .struct_size = (uint32_t)sizeof(tier_writer_1), .extension = "png", .write = write_file};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.writer/1") == 0 ? &writer : NULL;
}

#define INTEGER_SLOT(slot_name, slot_doc, slot_fallback, least)                    \
  {                                                                                \
    .name = (slot_name), .doc = (slot_doc), .fallback = slot_fallback, .unit = "", \
    .type = TIER_SLOT_INTEGER, .minimum = (least), .maximum = 10000                \
  }

static const tier_slot slots[] = {
    {.name = "of",
     .doc = "pictures (n, h * w), (n, h, w) or (n, h, w, c), from 0 (black) to 1",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
    INTEGER_SLOT("rows", "lines of pictures", "8", 1),
    INTEGER_SLOT("columns", "pictures in a line", "8", 1),
    INTEGER_SLOT("gap", "pixels between pictures", "1", 0),
    INTEGER_SLOT("height", "of a picture given flat; left out: it is square", NULL, 1),
    INTEGER_SLOT("width", "of a picture given flat; left out: its height", NULL, 1)};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "writer",
     .id = "image-grid",
     .summary = "The first rows of an array as pictures in one PNG file.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get}};
TIER_PLUGIN("writers-image-grid", "1.0", "MIT", components);

/* image-grid: files read back by libpng, pixel by pixel. */
#include <math.h>
#include <png.h>
#include <stdlib.h>

#include "harness.h"

#define MOST_SLOTS 4
struct setting {
  const char *slot;
  double value;
};

static int32_t write_grid(struct fake_array item, const struct setting *settings,
                          const char *path) {
  struct params *p = measure_args(POSITION_WRITER, "image-grid");
  struct instance *i = NULL;
  struct fake_arrays arrays = arrays_of(&item, 1);
  for (int k = 0; k < MOST_SLOTS && settings[k].slot != NULL; k++) {
    set_number(p, settings[k].slot, settings[k].value);
  }
  assert_ok(instance_new(p, &i));
  const tier_writer_1 *writer = instance_get(i, "tier.writer/1");
  assert_string_equal(writer->extension, "png");
  int32_t status = writer->write(i->object, &arrays.face, path);
  instance_free(i);
  return status;
}

/* The file's pixels, malloc'ed, of this size and number of channels. */
static unsigned char *read_png(const char *path, png_uint_32 height, png_uint_32 width,
                               int channels) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_int_equal(png_image_begin_read_from_file(&image, path), 1);
  assert_int_equal(image.height, height);
  assert_int_equal(image.width, width);
  assert_int_equal(image.format, channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY);
  unsigned char *pixels = malloc(PNG_IMAGE_SIZE(image));
  assert_int_equal(png_image_finish_read(&image, NULL, pixels, 0, NULL), 1);
  return pixels;
}

/* Three flat pictures of 2 x 2 in a grid of 2 x 2: the fourth place stays grey, as the gap. */
static void flat_squares_in_a_grid(void **state) {
  (void)state;
  static const double x[12] = {0, 1, 0.2, 0.4, -3, 7, 0.6, 0.8, 1, 1, 0, 0};
  static const unsigned char expected[25] = {
      0,   255, 128, 0,   255, /* first and second picture, row 0: -3 and 7 are clipped */
      51,  102, 128, 153, 204, /* */
      128, 128, 128, 128, 128, /* the gap */
      255, 255, 128, 128, 128, /* third picture, and none */
      0,   0,   128, 128, 128};
  const struct setting settings[MOST_SLOTS] = {{"rows", 2}, {"columns", 2}};
  const char *path = temporary("grid.png");
  assert_ok(write_grid((struct fake_array){"of", TIER_REAL, 2, {3, 4}, x}, settings, path));
  unsigned char *pixels = read_png(path, 5, 5, 1);
  assert_memory_equal(pixels, expected, sizeof expected);
  free(pixels);
}

/* Rows beyond the grid are left out; a picture's size may be given; no gap. */
static void given_sizes(void **state) {
  (void)state;
  static const double x[12] = {0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1, 1};
  static const unsigned char expected[6] = {0, 51, 102, 153, 204, 255};
  const struct setting settings[MOST_SLOTS] = {
      {"rows", 1}, {"columns", 1}, {"height", 2}, {"width", 3}};
  const char *path = temporary("grid.png");
  assert_ok(write_grid((struct fake_array){"of", TIER_REAL, 2, {2, 6}, x}, settings, path));
  unsigned char *pixels = read_png(path, 2, 3, 1);
  assert_memory_equal(pixels, expected, sizeof expected);
  free(pixels);
}

static void colours(void **state) {
  (void)state;
  static const double x[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1};
  static const unsigned char expected[12] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255};
  const struct setting settings[MOST_SLOTS] = {{"rows", 1}, {"columns", 2}, {"gap", 0}};
  const char *path = temporary("grid.png");
  assert_ok(write_grid((struct fake_array){"of", TIER_REAL, 4, {2, 1, 2, 3}, x}, settings, path));
  unsigned char *pixels = read_png(path, 1, 4, 3);
  assert_memory_equal(pixels, expected, sizeof expected);
  free(pixels);
}

static void what_is_no_picture_is_refused(void **state) {
  (void)state;
  static const double x[6] = {0, 0, 0, NAN, 0, 0};
  const struct setting none[MOST_SLOTS] = {{0}};
  const struct setting huge[MOST_SLOTS] = {{"rows", 10000}, {"columns", 10000}};
  const char *path = temporary("grid.png");
  assert_fails(write_grid((struct fake_array){"of", TIER_REAL, 2, {2, 3}, x}, none, path),
               TIER_E_INVALID, "3 numbers a row are no picture of 2 x 2");
  assert_fails(write_grid((struct fake_array){"of", TIER_REAL, 1, {6}, x}, none, path),
               TIER_E_INVALID, "must be real rows");
  assert_fails(write_grid((struct fake_array){"of", TIER_REAL, 4, {1, 1, 3, 2}, x}, none, path),
               TIER_E_INVALID, "c 1 or 3");
  assert_fails(write_grid((struct fake_array){"of", TIER_REAL, 2, {6, 1}, x}, none, path),
               TIER_E_NONFINITE, "number 0 of row 3 is NaN");
  assert_fails(write_grid((struct fake_array){"of", TIER_REAL, 2, {6, 1}, x}, huge, path),
               TIER_E_INVALID, "too many");
}

static void failures_are_reported(void **state) {
  (void)state;
  static const double x[4] = {0, 1, 1, 0};
  const struct fake_array picture = {"of", TIER_REAL, 2, {1, 4}, x};
  const struct setting none[MOST_SLOTS] = {{0}};
  assert_fails(write_grid(picture, none, "/dev/full"), TIER_E_IO, "cannot write /dev/full: ");
  assert_fails(write_grid(picture, none, temporary("no/such")), TIER_E_IO, "cannot create ");
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(flat_squares_in_a_grid),        UNIT(given_sizes),           UNIT(colours),
      UNIT(what_is_no_picture_is_refused), UNIT(failures_are_reported),
  };
  return cmocka_run_group_tests_name("image-grid", tests, harness_start, harness_end);
}

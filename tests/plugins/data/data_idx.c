/* idx: plain and gzipped files, bytes and shorts, and every way to be malformed. */
#include <stdlib.h>
#include <zlib.h>

#include "base/memory.h"
#include "harness.h"

/* Three images of 2 x 2, and their labels. */
static const unsigned char images[] = {0, 0, 8, 3,  0,   0,   0,   3,   0, 0, 0, 2, 0, 0,
                                       0, 2, 0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 2};
static const unsigned char shorts[] = {0, 0, 0x0b, 1, 0, 0, 0, 3, 1, 0, 0, 0, 0, 9};

static const char *plain(const char *name, const void *bytes, size_t size) {
  const char *path = temporary(name);
  write_bytes(path, bytes, size);
  return path;
}

static const char *zipped(const char *name, const void *bytes, unsigned size) {
  const char *path = temporary(name);
  gzFile file = gzopen(path, "wb9");
  assert_non_null(file);
  assert_int_equal(gzwrite(file, bytes, size), (int)size);
  assert_int_equal(gzclose(file), Z_OK);
  return path;
}

static struct params *idx(const char *image_path, const char *label_path) {
  struct params *p = data_args("idx", 0);
  set_text(p, "images", image_path);
  if (label_path != NULL) {
    set_text(p, "labels", label_path);
  }
  return p;
}

static void check_content(struct data *d) {
  const struct data_field *x = data_find_field(d, "x");
  assert_int_equal(d->rows, 3);
  assert_int_equal(x->rank, 1);
  assert_int_equal(x->dims[0], 4);
  assert_int_equal(x->height, 2);
  assert_int_equal(x->width, 2);
  assert_int_equal(x->channels, 1);
  double *values = all_reals(d, "x");
  for (int i = 0; i < 12; i++) {
    assert_true(values[i] == images[16 + i] / 255.0);
  }
  free(values);
  check_random_access(d, "x");
}

static void plain_files(void **state) {
  (void)state;
  const char *x = plain("x", images, sizeof images);
  const char *y = plain("y", labels, sizeof labels);
  struct data *d = describe_data(idx(x, y), NULL);
  assert_int_equal(data_find_field(d, "y")->classes, TIER_CLASSES_UNKNOWN);
  assert_ok(data_open(d));
  check_content(d);
  assert_int_equal(data_find_field(d, "y")->classes, 8);
  assert_int_equal(integer_of(d, "y", 0), 7);
  assert_int_equal(integer_of(d, "y", 1), 0);
  assert_int_equal(integer_of(d, "y", 2), 2);
}

static void gzipped_files(void **state) {
  (void)state;
  const char *x = zipped("x.gz", images, sizeof images);
  const char *y = zipped("y.gz", labels, sizeof labels);
  struct data *d = open_data(idx(x, y), NULL);
  check_content(d);
  assert_int_equal(integer_of(d, "y", 0), 7);
}

static void labels_may_be_shorts(void **state) {
  (void)state;
  const char *x = plain("x", images, sizeof images);
  const char *y = plain("y", shorts, sizeof shorts);
  struct data *d = open_data(idx(x, y), NULL);
  assert_int_equal(integer_of(d, "y", 0), 256);
  assert_int_equal(integer_of(d, "y", 2), 9);
  assert_int_equal(data_find_field(d, "y")->classes, 257);
}

static void labels_are_optional(void **state) {
  (void)state;
  struct data *d = open_data(idx(plain("x", images, sizeof images), NULL), NULL);
  check_content(d);
  assert_null(data_find_field(d, "y"));
}

/* ---- malformed ------------------------------------------------------------------------------- */

static void a_missing_file_is_named(void **state) {
  (void)state;
  assert_fails(try_data(idx(temporary("none"), NULL), NULL), TIER_E_MISSING, "/none: No such file");
}

static void a_file_cut_off_anywhere_is_refused(void **state) {
  (void)state;
  const char *y = plain("y", labels, sizeof labels);
  for (size_t size = 0; size < sizeof images; size++) {
    const char *x = plain("x", images, size);
    assert_fails(try_data(idx(x, y), NULL), TIER_E_DATA, "/x: ");
  }
  const char *x = plain("x", images, sizeof images);
  for (size_t size = 0; size < sizeof labels; size++) {
    y = plain("y", labels, size);
    assert_fails(try_data(idx(x, y), NULL), TIER_E_DATA, "/y: the file ends too early");
  }
}

static void a_gzip_file_cut_off_anywhere_is_refused(void **state) {
  (void)state;
  size_t whole = 0;
  char *bytes = read_bytes(zipped("x.gz", images, sizeof images), &whole);
  for (size_t size = 0; size < whole; size++) {
    const char *x = plain("x.gz", bytes, size);
    assert_fails(try_data(idx(x, NULL), NULL), TIER_E_DATA, "/x.gz: ");
  }
  free(bytes);
}

/* Every byte of a gzip file changed: refused, or (in the parts of the header that mean nothing)
 * read as before; never another content. */
static void a_damaged_gzip_file_is_never_misread(void **state) {
  (void)state;
  size_t size = 0;
  int refused = 0;
  char *bytes = read_bytes(zipped("x.gz", images, sizeof images), &size);
  for (size_t i = 0; i < size; i++) {
    bytes[i] = (char)(bytes[i] ^ 0x10);
    struct params *p = idx(plain("x.gz", bytes, size), NULL);
    bytes[i] = (char)(bytes[i] ^ 0x10);
    struct instance *instance = NULL;
    struct data *d = NULL;
    assert_ok(instance_new(p, &instance));
    int32_t status = data_new(instance, "some", NULL, &d);
    status = status < 0 ? status : data_open(d);
    if (status < 0) {
      assert_true(status == TIER_E_DATA || status == TIER_E_IO);
      refused++;
      error_clear();
    } else {
      check_content(d);
    }
    data_free(d);
  }
  assert_true(refused > (int)size / 2);
  free(bytes);
}

static void each_wrong_byte_of_a_header_is_refused(void **state) {
  (void)state;
  unsigned char bytes[sizeof images];
  for (size_t i = 0; i < 16; i++) {
    memcpy(bytes, images, sizeof images);
    bytes[i] = (unsigned char)(bytes[i] ^ 0x81);
    assert_fails(try_data(idx(plain("x", bytes, sizeof bytes), NULL), NULL), TIER_E_DATA, "/x: ");
  }
}

static void more_than_the_header_says_is_refused(void **state) {
  (void)state;
  unsigned char bytes[sizeof images + 1] = {0};
  memcpy(bytes, images, sizeof images);
  assert_fails(try_data(idx(plain("x", bytes, sizeof bytes), NULL), NULL), TIER_E_DATA,
               "more in the file than its header announces");
  assert_fails(try_data(idx(zipped("x.gz", bytes, sizeof bytes), NULL), NULL), TIER_E_DATA,
               "more in the file than its header announces");
}

static void counts_must_match(void **state) {
  (void)state;
  static const unsigned char two[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 0};
  const char *x = plain("x", images, sizeof images);
  const char *y = plain("y", two, sizeof two);
  struct instance *i = NULL;
  struct data *d = NULL;
  assert_ok(instance_new(idx(x, y), &i)); /* found by describe, before any element is read */
  assert_fails(data_new(i, "some", NULL, &d), TIER_E_DATA, "/y has 2 labels, but ");
}

static void wrong_files_are_explained(void **state) {
  (void)state;
  static const unsigned char negative[] = {0, 0, 0x0b, 1, 0, 0, 0, 3, 0, 1, 0xff, 0xff, 0, 0};
  const char *x = plain("x", images, sizeof images);
  const char *y = plain("y", labels, sizeof labels);
  assert_fails(try_data(idx(y, NULL), NULL), TIER_E_DATA,
               "/y: not an IDX file of images: it starts with 00 00 08 01, not with 00 00 08 03");
  assert_fails(try_data(idx(x, x), NULL), TIER_E_DATA, "not an IDX file of labels");
  y = plain("y", negative, sizeof negative);
  assert_fails(try_data(idx(x, y), NULL), TIER_E_DATA, "label 1 is -1; classes count from 0");
}

/* A header may announce 64 GiB, but nothing is allocated that the file does not have. */
static void a_huge_header_is_refused(void **state) {
  (void)state;
  unsigned char bytes[sizeof images];
  memcpy(bytes, images, sizeof images);
  memset(bytes + 4, 0xff, 12);
  assert_fails(try_data(idx(plain("x", bytes, sizeof bytes), NULL), NULL), TIER_E_DATA,
               "in its header is 4294967295");
}

/* ---- real data ------------------------------------------------------------------------------- */

static void mnist(void **state) {
  (void)state;
  char *x = real_data("mnist/t10k-images-idx3-ubyte.gz");
  char *y = real_data("mnist/t10k-labels-idx1-ubyte.gz");
  if (x == NULL || y == NULL) {
    print_message("MNIST is not there (set TIER_DATA): skipped\n");
    skip();
  }
  static const int32_t first[] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9};
  struct data *d = open_data(idx(x, y), NULL);
  assert_int_equal(d->rows, 10000);
  assert_int_equal(data_find_field(d, "x")->dims[0], 784);
  assert_int_equal(data_find_field(d, "y")->classes, 10);
  for (int64_t i = 0; i < 10; i++) {
    assert_int_equal(integer_of(d, "y", i), first[i]);
  }
  free(x);
  free(y);
}

static void omniglot(void **state) {
  (void)state;
  char *x = real_data("omniglot/small-images-idx3-ubyte.gz");
  char *y = real_data("omniglot/small-characters-idx1-short.gz");
  if (x == NULL || y == NULL) {
    print_message("Omniglot is not there (set TIER_DATA): skipped\n");
    skip();
  }
  struct data *d = open_data(idx(x, y), NULL);
  assert_int_equal(d->rows, 4840);
  assert_int_equal(data_find_field(d, "y")->classes, 242);
  free(x);
  free(y);
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(plain_files),
      UNIT(gzipped_files),
      UNIT(labels_may_be_shorts),
      UNIT(labels_are_optional),
      UNIT(a_missing_file_is_named),
      UNIT(a_file_cut_off_anywhere_is_refused),
      UNIT(a_gzip_file_cut_off_anywhere_is_refused),
      UNIT(a_damaged_gzip_file_is_never_misread),
      UNIT(each_wrong_byte_of_a_header_is_refused),
      UNIT(more_than_the_header_says_is_refused),
      UNIT(counts_must_match),
      UNIT(wrong_files_are_explained),
      UNIT(a_huge_header_is_refused),
      UNIT(mnist),
      UNIT(omniglot),
  };
  return cmocka_run_group_tests_name("idx", tests, harness_start, harness_end);
}

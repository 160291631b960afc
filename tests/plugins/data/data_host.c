/* core/problem/data.c: what it refuses of a plugin, and how endless data pass through. */
#include <math.h>
#include <stdlib.h>

#include "harness.h"

/* A dataset whose behaviour each test chooses. */
struct behaviour {
  int64_t rows;
  int64_t rows_after_open;
  int64_t classes;
  int64_t classes_after_open;
  int32_t twice;   /* declares x twice */
  int32_t ignores; /* ignores that a declaration failed */
  int64_t image;   /* declares a picture of image x image */
  const char *name;
  int32_t label;  /* the label of each row */
  double value;   /* x of each row, or NaN */
  int32_t status; /* of read */
  int32_t opened;
};
static struct behaviour now;

static int32_t describe(void *self, tier_fields *f) {
  int64_t size = 2;
  (void)self;
  TIER_TRY(f->api->rows(f, now.opened ? now.rows_after_open : now.rows));
  int32_t status = f->api->field(f, now.name, TIER_REAL, &size, 1, TIER_CLASSES_NONE);
  if (status < 0) {
    return now.ignores ? TIER_OK : status;
  }
  if (now.twice) {
    TIER_TRY(f->api->field(f, now.name, TIER_REAL, &size, 1, TIER_CLASSES_NONE));
  }
  if (now.image) {
    TIER_TRY(f->api->image(f, now.name, now.image, now.image, 1));
  }
  return f->api->field(f, "y", TIER_I32, NULL, 0,
                       now.opened ? now.classes_after_open : now.classes);
}

static int32_t open_rows(void *self) {
  (void)self;
  now.opened = 1;
  return TIER_OK;
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  (void)self;
  for (int64_t i = 0; i < count; i++) {
    if (strcmp(field, "y") == 0) {
      ((int32_t *)out)[i] = now.label < 0 ? (int32_t)(rows[i] % 3) : now.label;
    } else {
      ((double *)out)[2 * i] = (double)rows[i];
      ((double *)out)[2 * i + 1] = now.value;
    }
  }
  return now.status;
}

static const tier_dataset_1 table = {.struct_size = (uint32_t)sizeof(tier_dataset_1),
                                     .describe = describe,
                                     .open = open_rows,
                                     .read = read_rows};

static const void *get(void *self, const char *id) {
  (void)self;
  return strcmp(id, "tier.dataset/1") == 0 ? &table : NULL;
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  (void)host;
  (void)p;
  *object = &now;
  return TIER_OK;
}

static struct params *fake(void) {
  static struct component c = {.c = {.struct_size = (uint32_t)sizeof(tier_component),
                                     .kind = "dataset",
                                     .id = "fake",
                                     .summary = "A dataset of the test.",
                                     .create = create,
                                     .get = get},
                               .position = POSITION_DATA};
  return params_new(&c, 0);
}

static int well_behaved(void **state) {
  (void)state;
  now = (struct behaviour){.rows = 5,
                           .rows_after_open = 5,
                           .classes = 3,
                           .classes_after_open = 3,
                           .name = "x",
                           .label = -1};
  return 0;
}

static void it_works_when_well_behaved(void **state) {
  (void)state;
  struct data *d = open_data(fake(), NULL);
  assert_int_equal(d->rows, 5);
  check_random_access(d, "x");
  check_random_access(d, "y");
}

static void broken_declarations(void **state) {
  (void)state;
  now.twice = 1;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "fake broke its contract: declared twice");
  (void)well_behaved(NULL);
  now.name = "1x";
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "letters, digits and _");
  now.ignores = 1;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "letters, digits and _");
  (void)well_behaved(NULL);
  now.rows = -3;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "not a number of rows");
  (void)well_behaved(NULL);
  now.image = 2;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "picture's size does not fit");
  (void)well_behaved(NULL);
  now.classes = -2;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "classes need");
}

static void what_open_may_change(void **state) {
  (void)state;
  now.rows = TIER_ROWS_UNKNOWN;
  now.classes = TIER_CLASSES_UNKNOWN;
  struct data *d = open_data(fake(), NULL);
  assert_int_equal(d->rows, 5);
  assert_int_equal(data_find_field(d, "y")->classes, 3);
}

static void what_open_may_not_change(void **state) {
  (void)state;
  now.rows_after_open = 6;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "changed when it was opened");
  (void)well_behaved(NULL);
  now.rows = now.rows_after_open = TIER_ROWS_UNKNOWN;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "still unknown");
  (void)well_behaved(NULL);
  now.classes_after_open = 4;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "changed when it was opened");
  (void)well_behaved(NULL);
  now.classes = now.classes_after_open = TIER_CLASSES_UNKNOWN;
  assert_fails(try_data(fake(), NULL), TIER_E_PLUGIN, "still unknown");
}

static void reading_is_checked(void **state) {
  (void)state;
  double x[4];
  int32_t y[2];
  struct data *d = describe_data(fake(), NULL);
  assert_fails(data_read(d, "x", &(int64_t){0}, 1, x), TIER_E_INTERNAL, "before it was opened");
  assert_ok(data_open(d));
  assert_fails(data_read(d, "x", &(int64_t){5}, 1, x), TIER_E_INTERNAL, "it has rows 0 to 4");
  assert_fails(data_read(d, "x", &(int64_t){-1}, 1, x), TIER_E_INTERNAL, "row -1");
  assert_fails(data_read(d, "z", &(int64_t){0}, 1, x), TIER_E_INVALID,
               "data some has no field \"z\"; did you mean \"x\"? (fields: x, y)");
  now.value = INFINITY;
  assert_fails(data_read(d, "x", (int64_t[]){3, 4}, 2, x), TIER_E_DATA, "field x, row 3: NaN");
  now.label = 3;
  assert_fails(data_read(d, "y", (int64_t[]){1, 2}, 2, y), TIER_E_DATA,
               "row 1: label 3 is not one of 3 classes");
  now.status = TIER_E_IO;
  assert_fails(data_read(d, "y", &(int64_t){0}, 1, y), TIER_E_IO,
               "data some: fake: it failed without giving a reason");
}

static void endless_data(void **state) {
  (void)state;
  now.rows = now.rows_after_open = TIER_ROWS_ENDLESS;
  struct data *endless = open_data(fake(), NULL);
  struct data *rest = one_number("skip", "count", INT32_MAX, endless);
  double x[2];
  assert_int_equal(rest->rows, TIER_ROWS_ENDLESS);
  assert_ok(data_read(rest, "x", &(int64_t){7}, 1, x));
  assert_true(x[0] == (double)INT32_MAX + 7);
  struct data *finite = one_number("take", "count", 9, rest);
  assert_int_equal(finite->rows, 9);
  assert_int_equal(open_data(data_args("shuffle", 1), finite)->rows, 9);
  assert_int_equal(one_number("label-noise", "rate", 0.5, endless)->rows, TIER_ROWS_ENDLESS);
  assert_fails(try_data(data_args("shuffle", 1), endless), TIER_E_INVALID,
               "data without end cannot be shuffled; put { \"take\": ROWS } before it");
  struct params *p = data_args("where", 0);
  set_text(p, "field", "y");
  assert_fails(try_data(p, endless), TIER_E_INVALID, "cannot be filtered");
  p = data_args("concat", 0);
  params_set_data(p, "of", (tier_data *[]){&finite->face, &endless->face}, 2);
  assert_fails(try_data(p, NULL), TIER_E_INVALID, "has no end");
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, well_behaved, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(it_works_when_well_behaved), UNIT(broken_declarations), UNIT(what_open_may_change),
      UNIT(what_open_may_not_change),   UNIT(reading_is_checked),  UNIT(endless_data),
  };
  return cmocka_run_group_tests_name("data", tests, harness_start, harness_end);
}

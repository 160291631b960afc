/* npy and csv writers: read back by our own dataset plugins, and by NumPy where it is there. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "harness.h"

static int32_t write_array(const char *id, struct fake_array item, const char *path,
                           const char *const *header, size_t header_count) {
  struct instance *i = new_instance(POSITION_WRITER, id, header, header_count);
  const tier_writer_1 *writer = instance_get(i, "tier.writer/1");
  struct fake_arrays arrays = arrays_of(&item, 1);
  assert_non_null(writer);
  assert_string_equal(writer->extension, id);
  int32_t status = writer->write(i->object, &arrays.face, path);
  instance_free(i);
  return status;
}

static const double reals[6] = {0.1, -1e-300, 3, 1e17, -0.0, 1.0 / 3};
static const int32_t integers[3] = {-1, 7, INT32_MAX};

static struct fake_array matrix(void) {
  return (struct fake_array){"of", TIER_REAL, 2, {2, 3}, reals};
}

static struct data *read_back(const char *id, const char *slot, const char *path) {
  struct params *p = data_args(id, 0);
  set_text(p, slot, path);
  return open_data(p, NULL);
}

static void npy_reals_read_back(void **state) {
  (void)state;
  const char *path = temporary("a.npy");
  assert_ok(write_array("npy", matrix(), path, NULL, 0));
  struct data *d = read_back("npy", "x", path);
  assert_int_equal(d->rows, 2);
  double *values = all_reals(d, "x");
  assert_memory_equal(values, reals, sizeof reals);
  free(values);
}

static void npy_elements_start_at_a_multiple_of_64(void **state) {
  (void)state;
  for (int32_t rank = 0; rank <= TIER_MAX_RANK; rank++) {
    const char *path = temporary("a.npy");
    struct fake_array a = {"of", TIER_REAL, rank, {1, 1, 1, 1, 1, 1}, reals};
    size_t size = 0;
    assert_ok(write_array("npy", a, path, NULL, 0));
    char *bytes = read_bytes(path, &size);
    assert_int_equal((size - 8) % 64, 0);
    assert_memory_equal(bytes, "\x93NUMPY\x01\x00", 8);
    assert_int_equal(bytes[size - 9], '\n');
    assert_memory_equal(bytes + size - 8, reals, 8);
    free(bytes);
  }
}

static void csv_reads_back(void **state) {
  (void)state;
  const char *path = temporary("a.csv");
  const char *const names[] = {"a", "b,c", "say \"d\""};
  assert_ok(write_array("csv", matrix(), path, names, 3));
  size_t size = 0;
  char *text = read_bytes(path, &size);
  assert_int_equal(strncmp(text, "a,\"b,c\",\"say \"\"d\"\"\"\n0.1", 23), 0);
  free(text);
  double *values = all_reals(read_back("csv", "path", path), "x");
  assert_memory_equal(values, reals, sizeof reals);
  free(values);
}

static void csv_shapes(void **state) {
  (void)state;
  size_t size = 0;
  const char *path = temporary("a.csv");
  assert_ok(
      write_array("csv", (struct fake_array){"of", TIER_I32, 1, {3}, integers}, path, NULL, 0));
  char *text = read_bytes(path, &size);
  assert_string_equal(text, "-1\n7\n2147483647\n");
  free(text);
  assert_ok(
      write_array("csv", (struct fake_array){"of", TIER_REAL, 0, {0}, reals + 2}, path, NULL, 0));
  text = read_bytes(path, &size);
  assert_string_equal(text, "3\n");
  free(text);
  assert_fails(write_array("csv", matrix(), path, (const char *[]){"a"}, 1), TIER_E_INVALID,
               "names 1 columns, but there are 3");
}

/* A full disk and a missing folder are failures. */
static void failures_are_reported(void **state) {
  (void)state;
  static const char *const ids[] = {"npy", "csv"};
  for (int i = 0; i < 2; i++) {
    assert_fails(write_array(ids[i], matrix(), "/dev/full", NULL, 0), TIER_E_IO,
                 "cannot write /dev/full: No space");
    assert_fails(write_array(ids[i], matrix(), temporary("no/such"), NULL, 0), TIER_E_IO,
                 "cannot create ");
  }
}

static void numpy_reads_them(void **state) {
  (void)state;
  if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
    print_message("no python3-numpy: skipped\n");
    skip();
  }
  const char *a = temporary("a.npy");
  const char *b = temporary("b.npy");
  const char *c = temporary("c.npy");
  assert_ok(write_array("npy", matrix(), a, NULL, 0));
  assert_ok(write_array("npy", (struct fake_array){"of", TIER_I32, 1, {3}, integers}, b, NULL, 0));
  assert_ok(write_array("npy", (struct fake_array){"of", TIER_REAL, 0, {0}, reals}, c, NULL, 0));
  char *command = memory_format(
      "/usr/bin/python3 -c \"import numpy as n; a,b,c=[n.load(p) for p in ('%s','%s','%s')]; "
      "assert a.dtype=='<f8' and a.shape==(2,3) and a[0,0]==.1 and a[1,2]==1/3 and a[0,1]==-1e-300;"
      "assert b.dtype=='<i4' and b.tolist()==[-1,7,2**31-1]; assert c.shape==() and c==.1\"",
      a, b, c);
  assert_int_equal(system(command), 0);
  free(command);
}

/* What NumPy writes, our npy dataset reads. */
static void numpy_writes_what_we_read(void **state) {
  (void)state;
  if (system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
    print_message("no python3-numpy: skipped\n");
    skip();
  }
  const char *x = temporary("x.npy");
  const char *y = temporary("y.npy");
  char *command = memory_format(
      "/usr/bin/python3 -c \"import numpy as n; n.save('%s',n.arange(12.).reshape(4,3)/7);"
      "n.save('%s',n.array([3,1,0,2]))\"",
      x, y);
  assert_int_equal(system(command), 0);
  free(command);
  struct params *p = data_args("npy", 0);
  set_text(p, "x", x);
  set_text(p, "y", y);
  struct data *d = open_data(p, NULL);
  double *values = all_reals(d, "x");
  for (int i = 0; i < 12; i++) {
    assert_true(values[i] == i / 7.0);
  }
  free(values);
  assert_int_equal(data_find_field(d, "y")->classes, 4);
  assert_int_equal(integer_of(d, "y", 0), 3);
}

#define UNIT(name) cmocka_unit_test_teardown(name, harness_clean)

int main(void) {
  const struct CMUnitTest tests[] = {
      UNIT(npy_reals_read_back),
      UNIT(npy_elements_start_at_a_multiple_of_64),
      UNIT(csv_reads_back),
      UNIT(csv_shapes),
      UNIT(failures_are_reported),
      UNIT(numpy_reads_them),
      UNIT(numpy_writes_what_we_read),
  };
  return cmocka_run_group_tests_name("writers", tests, harness_start, harness_end);
}

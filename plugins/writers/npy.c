/* npy: an array as a file in NumPy's format, version 1: f8 or i4, little-endian, C order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tier/graph.h>
#include <tier/writer.h>
#include <unistd.h>

struct npy {
  const tier_host *host;
};

/* The header's dictionary, padded so that the elements start at a multiple of 64 bytes. Returns
 * its length. */
static size_t make_header(char *out, const char *type, const int64_t *dims, int32_t rank) {
  int length = sprintf(out, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
  for (int32_t i = 0; i < rank; i++) {
    length += sprintf(out + length, "%lld%s", (long long)dims[i],
                      rank == 1      ? ","
                      : i + 1 < rank ? ", "
                                     : "");
  }
  length += sprintf(out + length, "), }");
  while ((10 + length + 1) % 64 != 0) {
    out[length++] = ' ';
  }
  out[length++] = '\n';
  return (size_t)length;
}

static void put_little_endian(unsigned char *out, uint64_t bits, int32_t size) {
  for (int32_t i = 0; i < size; i++) {
    out[i] = (unsigned char)(bits >> 8 * i);
  }
}

/* Writes n elements, from `reals` or, if that is NULL, from `integers`; 1 on success. */
static int put_elements(FILE *file, const double *reals, const int32_t *integers, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    unsigned char bytes[8];
    uint64_t bits = 0;
    int32_t size = reals != NULL ? 8 : 4;
    if (reals != NULL) {
      memcpy(&bits, &reals[i], sizeof bits);
    } else {
      bits = (uint32_t)integers[i];
    }
    put_little_endian(bytes, bits, size);
    if (fwrite(bytes, 1, (size_t)size, file) != (size_t)size) {
      return 0;
    }
  }
  return 1;
}

/* Writes the slot "of"; 1 on success, 0 with errno. */
static int put_array(FILE *file, const tier_arrays *a) {
  char header[512]; /* six sizes of 20 digits and the fixed text fit in 256 */
  unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  int64_t dims[TIER_MAX_RANK] = {0};
  const double *reals = a->api->reals(a, "of");
  int32_t rank = a->api->shape(a, "of", dims);
  int64_t n = 1;
  for (int32_t i = 0; i < rank; i++) {
    n *= dims[i];
  }
  size_t length = make_header(header, reals != NULL ? "<f8" : "<i4", dims, rank);
  put_little_endian(start + 8, length, 2);
  return fwrite(start, 1, 10, file) == 10 && fwrite(header, 1, length, file) == length &&
         put_elements(file, reals, a->api->integers(a, "of"), n);
}

static int32_t write_file(void *self, const tier_arrays *a, const char *path) {
  struct npy *w = self;
  FILE *file = fopen(path, "wb");
  if (file == NULL) {
    return tier_failf(w->host, TIER_E_IO, "cannot create %s: %s", path, strerror(errno));
  }
  int written = put_array(file, a) && fflush(file) == 0 && fsync(fileno(file)) == 0;
  int error = errno;
  if (fclose(file) != 0 && written) {
    written = 0;
    error = errno;
  }
  return written ? TIER_OK
                 : tier_failf(w->host, TIER_E_IO, "cannot write %s: %s", path, strerror(error));
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  struct npy *w = calloc(1, sizeof *w);
  (void)p;
  if (w == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  w->host = host;
  *object = w;
  return TIER_OK;
}

static const tier_writer_1 writer = {
    .struct_size = (uint32_t)sizeof(tier_writer_1),
    .extension = "npy",
    .write = write_file,
};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.writer/1") == 0 ? &writer : NULL;
}

static const tier_slot slots[] = {
    {.name = "of",
     .doc = "what to write",
     .unit = "",
     .type = TIER_SLOT_EXPRESSION,
     .flags = TIER_SLOT_REQUIRED},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = "writer",
     .id = "npy",
     .summary = "An array as a file that numpy.load reads.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("writers-npy", "1.0", "MIT", components);

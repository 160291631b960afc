#include "base/archive.h"

#include <sha256.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "archives are written as they lie");

#define MAGIC "TIERARCH"
#define VERSION 1u
#define LIMIT ((size_t)1 << 40)

size_t archive_element_size(uint32_t type) {
  switch (type) {
    case ARCHIVE_F32:
      return 4;
    case ARCHIVE_F64:
    case ARCHIVE_I64:
      return 8;
    case ARCHIVE_TEXT:
      return 1;
    default:
      return 0;
  }
}

void archive_add(struct archive *a, const char *name, uint32_t type, uint64_t count,
                 const void *data) {
  size_t bytes = (size_t)count * archive_element_size(type);
  struct archive_array array = {.name = memory_copy_text(name), .type = type, .count = count};
  array.data = memory_alloc(bytes, 1);
  if (bytes > 0) {
    memcpy(array.data, data, bytes);
  }
  array_push(a->arrays, a->count, a->capacity, array);
}

/* ---- writing ---- */

static void add_u32(struct text *t, uint32_t value) {
  text_add_n(t, (const char *)&value, sizeof value);
}

static void add_array(struct text *t, const struct archive_array *array) {
  size_t length = strlen(array->name);
  add_u32(t, (uint32_t)length);
  text_add_n(t, array->name, length);
  add_u32(t, array->type);
  add_u32(t, 0);
  text_add_n(t, (const char *)&array->count, sizeof array->count);
  text_add_n(t, array->data, (size_t)array->count * archive_element_size(array->type));
}

static void digest_of(const char *data, size_t size, uint8_t digest[SHA256_DIGEST_LENGTH]) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, (const uint8_t *)data, size);
  SHA256Final(digest, &context);
}

int32_t archive_write(const struct archive *a, const char *path) {
  struct text t = {0};
  uint8_t digest[SHA256_DIGEST_LENGTH];
  text_add_n(&t, MAGIC, strlen(MAGIC));
  add_u32(&t, VERSION);
  add_u32(&t, (uint32_t)a->count);
  for (size_t i = 0; i < a->count; i++) {
    add_array(&t, &a->arrays[i]);
  }
  digest_of(t.data, t.length, digest);
  text_add_n(&t, (const char *)digest, sizeof digest);
  int32_t status = file_write(path, t.data, t.length);
  text_free(&t);
  return status;
}

/* ---- reading ---- */

/* What is left of the buffer; a read past its end sets `short_of` and gives nothing. */
struct reader {
  char *at;
  size_t left;
  int short_of;
};

static char *take(struct reader *r, uint64_t bytes) {
  if (r->short_of || bytes > r->left) {
    r->short_of = 1;
    return NULL;
  }
  char *p = r->at;
  r->at += bytes;
  r->left -= (size_t)bytes;
  return p;
}

static uint32_t take_u32(struct reader *r) {
  uint32_t value = 0;
  const char *p = take(r, sizeof value);
  if (p != NULL) {
    memcpy(&value, p, sizeof value);
  }
  return value;
}

static int take_array(struct reader *r, struct archive_array *array) {
  uint32_t length = take_u32(r);
  const char *name = take(r, length);
  array->type = take_u32(r);
  (void)take_u32(r);
  const char *count = take(r, sizeof array->count);
  size_t size = archive_element_size(array->type);
  if (count == NULL || size == 0) {
    return 0;
  }
  memcpy(&array->count, count, sizeof array->count);
  array->data = array->count > r->left / size ? NULL : take(r, array->count * size);
  if (array->data == NULL) {
    return 0;
  }
  array->name = memory_format("%.*s", (int)length, name);
  return 1;
}

static int read_arrays(struct archive *a, size_t size) {
  struct reader r = {a->buffer + strlen(MAGIC), size - strlen(MAGIC), 0};
  uint32_t version = take_u32(&r);
  uint32_t count = take_u32(&r);
  if (version != VERSION) {
    return 0;
  }
  for (uint32_t i = 0; i < count; i++) {
    struct archive_array array = {0};
    if (!take_array(&r, &array)) {
      return 0;
    }
    array_push(a->arrays, a->count, a->capacity, array);
  }
  return r.left == 0;
}

int32_t archive_read(const char *path, struct archive *out) {
  size_t size = 0;
  uint8_t digest[SHA256_DIGEST_LENGTH];
  *out = (struct archive){0};
  TIER_TRY(file_read(path, LIMIT, &out->buffer, &size));
  int good =
      size >= strlen(MAGIC) + 8 + sizeof digest && memcmp(out->buffer, MAGIC, strlen(MAGIC)) == 0;
  if (good) {
    size -= sizeof digest;
    digest_of(out->buffer, size, digest);
    good = memcmp(digest, out->buffer + size, sizeof digest) == 0 && read_arrays(out, size);
  }
  if (!good) {
    archive_free(out);
    return fail(TIER_E_DATA,
                "%s is not a whole tier state file: it was cut short, altered, or made "
                "by another program; write it again",
                path);
  }
  return TIER_OK;
}

const struct archive_array *archive_find(const struct archive *a, const char *name) {
  for (size_t i = 0; i < a->count; i++) {
    if (strcmp(a->arrays[i].name, name) == 0) {
      return &a->arrays[i];
    }
  }
  return NULL;
}

void archive_free(struct archive *a) {
  for (size_t i = 0; i < a->count; i++) {
    free(a->arrays[i].name);
    if (a->buffer == NULL) {
      free(a->arrays[i].data);
    }
  }
  free(a->arrays);
  free(a->buffer);
  *a = (struct archive){0};
}

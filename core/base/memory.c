#include "base/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static void *or_die(void *p, size_t bytes) {
  if (p == NULL) {
    (void)fprintf(stderr, "tier: out of memory (%zu bytes)\n", bytes);
    exit(70);
  }
  return p;
}

void *memory_alloc(size_t count, size_t size) {
  size_t n = count ? count : 1;
  return or_die(calloc(n, size ? size : 1), n * size);
}

void *memory_resize(void *p, size_t count, size_t size) {
  size_t n = count ? count : 1;
  return or_die(reallocarray(p, n, size), n * size);
}

char *memory_copy_text(const char *text) {
  return or_die(strdup(text), strlen(text) + 1);
}

char *memory_format(const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  return or_die(length < 0 ? NULL : text, 0);
}

/* ---- large arrays: in front of each, 64 bytes hold its size, for the count of bytes held, and the
 * block that it lies in. From calloc, whose pages come zeroed and cost nothing until they are used
 * ---- */

struct large {
  void *block;
  size_t bytes;
};
#define HEADER 64
_Static_assert(sizeof(struct large) <= HEADER, "the header has room");

static _Atomic int64_t held;
static _Atomic int64_t peak;

static void count_bytes(int64_t bytes) {
  int64_t now = atomic_fetch_add(&held, bytes) + bytes;
  int64_t most = atomic_load(&peak);
  while (now > most && !atomic_compare_exchange_weak(&peak, &most, now)) {
  }
}

static struct large *large_of(void *p) {
  return (struct large *)(void *)((char *)p - HEADER);
}

int32_t large_alloc(size_t bytes, const char *what, void **out) {
  *out = NULL;
  char *block = bytes <= SIZE_MAX - 2 * HEADER ? calloc(1, bytes + 2 * HEADER) : NULL;
  if (block == NULL) {
    return fail(TIER_E_MEMORY, "no memory for %s (%zu bytes)", what, bytes);
  }
  char *data = block + 2 * HEADER - (uintptr_t)block % HEADER;
  *large_of(data) = (struct large){.block = block, .bytes = bytes};
  count_bytes((int64_t)bytes);
  *out = data;
  return TIER_OK;
}

void large_free(void *p) {
  if (p != NULL) {
    struct large l = *large_of(p);
    count_bytes(-(int64_t)l.bytes);
    free(l.block);
  }
}

int64_t large_bytes(void) {
  return atomic_load(&held);
}
int64_t large_peak(void) {
  return atomic_load(&peak);
}
void large_reset_peak(void) {
  atomic_store(&peak, atomic_load(&held));
}

/* ---- arenas: a list of blocks ---- */

struct block {
  struct block *next;
  size_t used;
  size_t size;
  _Alignas(16) char data[];
};

struct arena {
  struct block *blocks;
};

struct arena *arena_new(void) {
  return memory_alloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a) {
  if (a != NULL) {
    for (struct block *b = a->blocks; b != NULL;) {
      struct block *next = b->next;
      free(b);
      b = next;
    }
    free(a);
  }
}

void *arena_alloc(struct arena *a, size_t bytes) {
  size_t need = (bytes + 15) / 16 * 16;
  struct block *b = a->blocks;
  if (b == NULL || b->size - b->used < need) {
    size_t size = need > 16384 ? need : 16384;
    b = memory_alloc(1, sizeof *b + size);
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
  }
  void *p = b->data + b->used;
  b->used += need;
  return p;
}

char *arena_text_n(struct arena *a, const char *text, size_t length) {
  char *copy = arena_alloc(a, length + 1);
  memcpy(copy, text, length);
  return copy;
}

char *arena_text(struct arena *a, const char *text) {
  return arena_text_n(a, text, strlen(text));
}

char *arena_format(struct arena *a, const char *format, ...) {
  char *text = NULL;
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(&text, format, arguments);
  va_end(arguments);
  (void)or_die(length < 0 ? NULL : text, 0);
  char *copy = arena_text_n(a, text, (size_t)length);
  free(text);
  return copy;
}

void *arena_copy(struct arena *a, const void *p, size_t bytes) {
  return bytes == 0 ? NULL : memcpy(arena_alloc(a, bytes), p, bytes);
}

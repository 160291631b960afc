/* Memory. Small allocations cannot fail: without memory the process ends with a message and exit
 * code 70 (as git and systemd do). Large arrays, whose size the user's manifest decides, come from
 * `large_alloc`, which fails like everything else. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

void *memory_alloc(size_t count, size_t size);           /* zeroed; free() it */
void *memory_resize(void *p, size_t count, size_t size); /* like reallocarray */
char *memory_copy_text(const char *text);                /* free() it */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* 64-byte aligned and zeroed; TIER_E_MEMORY with a text that says what for. large_free it. */
int32_t large_alloc(size_t bytes, const char *what, void **out);
void large_free(void *p);
/* Bytes held by large_alloc now, and the most since the last reset (for peak_bytes). */
int64_t large_bytes(void);
int64_t large_peak(void);
void large_reset_peak(void);

/* An arena: many small objects that die together. */
struct arena;
struct arena *arena_new(void);
void arena_free(struct arena *a);                 /* NULL is fine */
void *arena_alloc(struct arena *a, size_t bytes); /* zeroed, 16-byte aligned */
char *arena_text(struct arena *a, const char *text);
char *arena_text_n(struct arena *a, const char *text, size_t length);
char *arena_format(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *arena_copy(struct arena *a, const void *p, size_t bytes); /* NULL if bytes is 0 */

/* Appends to a growing array: array_push(items, count, capacity, value). */
#define array_push(items, count, capacity, value)                            \
  do {                                                                       \
    if ((count) == (capacity)) {                                             \
      (capacity) = (capacity) ? 2 * (capacity) : 8;                          \
      (items) = memory_resize((items), (size_t)(capacity), sizeof *(items)); \
    }                                                                        \
    (items)[(count)++] = (value);                                            \
  } while (0)

#endif

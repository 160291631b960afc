/* Files: whole reads, atomic writes, hashes. Texts of failures name the path and errno. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Reads a whole file of at most `limit` bytes; *data is NUL-terminated, free() it. */
int32_t file_read(const char *path, size_t limit, char **data, size_t *size);
/* Write to path.tmp, fsync, rename, fsync the directory. */
int32_t file_write(const char *path, const void *data, size_t size);
/* Renames an already written and synced `from` to `to`, and syncs the directory. */
int32_t file_move(const char *from, const char *to);
int32_t file_sync(const char *path);
int32_t directory_make(const char *path);   /* with its parents; fine if it exists */
int32_t directory_remove(const char *path); /* with all that is in it; fine if absent */
int file_exists(const char *path);
char *path_join(const char *a, const char *b); /* free() it; b if it is absolute */

void sha256_hex(const void *data, size_t size, char out[65]);
int32_t sha256_file(const char *path, char out[65]);

#endif

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

static int32_t fail_file(const char *verb, const char *path) {
  int32_t code = errno == ENOENT ? TIER_E_MISSING : TIER_E_IO;
  return fail(code, "cannot %s %s: %s", verb, path, strerror(errno));
}

static int32_t read_all(int fd, const char *path, size_t limit, struct stat *st, char **data,
                        size_t *size) {
  size_t capacity = st->st_size > 0 ? (size_t)st->st_size + 1 : 4096;
  size_t length = 0;
  char *buffer = memory_alloc(capacity, 1);
  for (;;) {
    if (length + 1 >= capacity) {
      capacity *= 2;
      buffer = memory_resize(buffer, capacity, 1);
    }
    ssize_t n = read(fd, buffer + length, capacity - length - 1);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      free(buffer);
      return fail_file("read", path);
    }
    if (n == 0) {
      break;
    }
    length += (size_t)n;
    if (length > limit) {
      free(buffer);
      return fail(TIER_E_INVALID, "%s is larger than %zu bytes", path, limit);
    }
  }
  buffer[length] = '\0';
  *data = buffer;
  *size = length;
  return TIER_OK;
}

int32_t file_read(const char *path, size_t limit, char **data, size_t *size) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail_file("open", path);
  }
  int32_t status = TIER_OK;
  if (fstat(fd, &st) != 0) {
    status = fail_file("examine", path);
  } else if (S_ISDIR(st.st_mode)) {
    status = fail(TIER_E_IO, "%s is a directory", path);
  } else if ((uint64_t)st.st_size > limit) {
    status = fail(TIER_E_INVALID, "%s is larger than %zu bytes", path, limit);
  } else {
    status = read_all(fd, path, limit, &st, data, size);
  }
  (void)close(fd);
  return status;
}

static int32_t sync_directory_of(const char *path) {
  char *directory = memory_copy_text(path);
  char *slash = strrchr(directory, '/');
  const char *name = ".";
  if (slash == directory) {
    name = "/";
  } else if (slash != NULL) {
    *slash = '\0';
    name = directory;
  }
  int32_t status = file_sync(name);
  free(directory);
  return status;
}

int32_t file_sync(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return fail_file("open", path);
  }
  /* Some file systems cannot sync a directory and say EINVAL: nothing more can be done there. */
  int failed = fsync(fd) != 0 && errno != EINVAL;
  int32_t status = failed ? fail_file("sync", path) : TIER_OK;
  (void)close(fd);
  return status;
}

int32_t file_move(const char *from, const char *to) {
  if (rename(from, to) != 0) {
    return fail_file("rename to", to);
  }
  return sync_directory_of(to);
}

static int32_t write_all(int fd, const char *path, const char *data, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return fail(TIER_E_IO, "cannot write %s: %s", path, strerror(errno));
    }
    data += n;
    size -= (size_t)n;
  }
  return fsync(fd) == 0 ? TIER_OK : fail(TIER_E_IO, "cannot sync %s: %s", path, strerror(errno));
}

int32_t file_write(const char *path, const void *data, size_t size) {
  char *temporary = memory_format("%s.tmp", path);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  int32_t status = TIER_OK;
  if (fd < 0) {
    status = fail(TIER_E_IO, "cannot create %s: %s", temporary, strerror(errno));
  } else {
    status = write_all(fd, temporary, data, size);
    if (close(fd) != 0 && status == TIER_OK) {
      status = fail(TIER_E_IO, "cannot close %s: %s", temporary, strerror(errno));
    }
    if (status == TIER_OK) {
      status = file_move(temporary, path);
    }
    if (status != TIER_OK) {
      (void)unlink(temporary);
    }
  }
  free(temporary);
  return status;
}

int32_t directory_make(const char *path) {
  char *copy = memory_copy_text(path);
  int32_t status = TIER_OK;
  for (char *p = copy + 1; status == TIER_OK; p++) {
    if (*p == '/' || *p == '\0') {
      char end = *p;
      *p = '\0';
      if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
        status = fail(TIER_E_IO, "cannot create directory %s: %s", copy, strerror(errno));
      }
      *p = end;
      if (end == '\0') {
        break;
      }
    }
  }
  free(copy);
  return status;
}

int32_t directory_remove(const char *path) {
  struct stat st;
  if (lstat(path, &st) != 0) {
    return errno == ENOENT ? TIER_OK
                           : fail(TIER_E_IO, "cannot remove %s: %s", path, strerror(errno));
  }
  int32_t status = TIER_OK;
  if (S_ISDIR(st.st_mode)) {
    DIR *directory = opendir(path);
    struct dirent *entry = NULL;
    while (directory != NULL && status == TIER_OK && (entry = readdir(directory)) != NULL) {
      if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
        char *child = path_join(path, entry->d_name);
        status = directory_remove(child);
        free(child);
      }
    }
    if (directory != NULL) {
      (void)closedir(directory);
    }
  }
  if (status == TIER_OK && remove(path) != 0) {
    status = fail(TIER_E_IO, "cannot remove %s: %s", path, strerror(errno));
  }
  return status;
}

int file_exists(const char *path) {
  return access(path, F_OK) == 0;
}

char *path_join(const char *a, const char *b) {
  if (b[0] == '/' || a[0] == '\0') {
    return memory_copy_text(b);
  }
  return memory_format(a[strlen(a) - 1] == '/' ? "%s%s" : "%s/%s", a, b);
}

static void hex(const uint8_t digest[SHA256_DIGEST_LENGTH], char out[65]) {
  for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
    (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
  }
}

void sha256_hex(const void *data, size_t size, char out[65]) {
  SHA2_CTX context;
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256Init(&context);
  SHA256Update(&context, data, size);
  SHA256Final(digest, &context);
  hex(digest, out);
}

int32_t sha256_file(const char *path, char out[65]) {
  uint8_t buffer[65536];
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA2_CTX context;
  FILE *file = fopen(path, "rbe");
  if (file == NULL) {
    return fail_file("open", path);
  }
  SHA256Init(&context);
  size_t n = 0;
  while ((n = fread(buffer, 1, sizeof buffer, file)) > 0) {
    SHA256Update(&context, buffer, n);
  }
  int32_t status = ferror(file) ? fail_file("read", path) : TIER_OK;
  (void)fclose(file);
  SHA256Final(digest, &context);
  hex(digest, out);
  return status;
}

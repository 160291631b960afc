/* What the datasets that read files share: a file is read twice, once for its header and once for
 * its rows, so it must be a regular one. Opening a pipe would wait for a writer, and a device may
 * never end. */
#ifndef DATASETS_REGULAR_H
#define DATASETS_REGULAR_H

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <tier/plugin.h>

/* 0 if `path` names a regular file, itself or by a link; else the failure of opening it. */
static inline int32_t regular_file(const tier_host *host, const char *path) {
  struct stat info;
  if (stat(path, &info) != 0) {
    return tier_failf(host, errno == ENOENT ? TIER_E_MISSING : TIER_E_IO, "cannot open %s: %s",
                      path, strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return tier_failf(host, TIER_E_IO, "%s is a folder, a pipe or a device; it must be a file",
                      path);
  }
  return TIER_OK;
}

#endif

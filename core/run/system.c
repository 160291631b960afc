#include "run/system.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

char *system_cpu_model(void) {
  char line[256];
  char *model = NULL;
  FILE *file = fopen("/proc/cpuinfo", "re");
  while (file != NULL && model == NULL && fgets(line, sizeof line, file) != NULL) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
      colon[strcspn(colon, "\n")] = '\0';
      model = memory_copy_text(colon + 1 + strspn(colon + 1, " "));
    }
  }
  if (file != NULL) {
    (void)fclose(file);
  }
  return model != NULL ? model : memory_copy_text("unknown");
}

int system_cpus(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

const char *system_version(void) {
  return TIER_VERSION;
}

const char *system_compiler(void) {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

char *system_program(void) {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n <= 0) {
    return NULL;
  }
  path[n] = '\0';
  return memory_copy_text(path);
}

const char *system_program_hash(void) {
  static char hash[65];
  if (hash[0] == '\0' && sha256_file("/proc/self/exe", hash) != TIER_OK) {
    error_clear();
  }
  return hash;
}

void system_reset_peak(void) {
  FILE *file = fopen("/proc/self/clear_refs", "we");
  if (file != NULL) {
    (void)fputs("5", file);
    (void)fclose(file);
  }
}

int64_t system_peak(void) {
  char line[256];
  long long kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "re");
  while (file != NULL && kilobytes == 0 && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, "VmHWM:", 6) == 0) {
      kilobytes = strtoll(line + 6, NULL, 10);
    }
  }
  if (file != NULL) {
    (void)fclose(file);
  }
  return kilobytes * 1024;
}

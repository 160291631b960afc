#include "backend/blas.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* ---- what the CPU can do ------------------------------------------------------------------- */

#if defined(__x86_64__)
/* XCR0: which registers the operating system saves. */
static uint64_t saved_registers(void) {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static int has(uint32_t flags, uint32_t wanted) {
  return (flags & wanted) == wanted;
}

static int find_level(void) {
  uint32_t a = 0;
  uint32_t b = 0;
  uint32_t c = 0;
  uint32_t d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, bit_OSXSAVE | bit_AVX | bit_FMA)) {
    return CPU_PLAIN;
  }
  uint64_t saved = saved_registers();
  if ((saved & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !has(b, bit_AVX2)) {
    return CPU_PLAIN;
  }
  uint32_t avx512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL;
  return (saved & 0xe0) == 0xe0 && has(b, avx512) ? CPU_AVX512 : CPU_AVX2;
}
#else
static int find_level(void) {
  return CPU_PLAIN;
}
#endif

/* Virtual machines answer CPUID slowly: it is asked once. */
int cpu_level(void) {
  static _Atomic int known = -1;
  int level = atomic_load_explicit(&known, memory_order_relaxed);
  if (level < 0) {
    level = find_level();
    atomic_store_explicit(&known, level, memory_order_relaxed);
  }
  return level;
}

/* ---- the library --------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int tried;
static int found;
static struct blas functions;
static struct {
  char library[512];
  char config[256];
  char kernels[64];
  const char *chosen_by;
} facts = {.chosen_by = ""};

/* What each set of kernels needs. Names that are not here (older ones) run on any x86-64. */
static int needed_level(const char *core) {
  static const struct {
    const char *name;
    int level;
  } cores[] = {
      {"SkylakeX", CPU_AVX512},  {"Cooperlake", CPU_AVX512}, {"Sapphirerapids", CPU_AVX512},
      {"Haswell", CPU_AVX2},     {"Zen", CPU_AVX2},          {"Excavator", CPU_AVX2},
      {"Sandybridge", CPU_AVX2},
  };
  for (size_t i = 0; i < sizeof cores / sizeof cores[0]; i++) {
    if (strcasecmp(core, cores[i].name) == 0) {
      return cores[i].level;
    }
  }
  return CPU_PLAIN;
}

int32_t blas_check_kernels(const char *name, int level) {
  if (needed_level(name) <= level) {
    return TIER_OK;
  }
  return fail(TIER_E_REFUSED,
              "OPENBLAS_CORETYPE=%s asks for kernels that this CPU cannot run; unset it, or choose "
              "%s",
              name, level == CPU_AVX2 ? "Haswell" : "Prescott");
}

/* What the library reads from the environment when it is loaded. One thread a call: chunks are
 * ours. Debian 12's OpenBLAS does not know newer CPUs and then takes kernels of 2004. */
static int32_t choose_kernels(const char **kernels) {
  const char *wanted = getenv("OPENBLAS_CORETYPE");
  int level = cpu_level();
  *kernels = NULL;
  if (wanted != NULL) {
    TIER_TRY(blas_check_kernels(wanted, level));
    facts.chosen_by = "user";
  } else if (level == CPU_PLAIN) {
    facts.chosen_by = "library";
  } else {
    facts.chosen_by = "tier";
    *kernels = level == CPU_AVX512 ? "SkylakeX" : "Haswell";
  }
  return TIER_OK;
}

static void *open_library(void) {
  static const char *const names[] = {"libopenblas.so.0", "libopenblas.so",
                                      "libopenblasp-r0.3.21.so"};
  void *handle = NULL;
  for (size_t i = 0; handle == NULL && i < sizeof names / sizeof names[0]; i++) {
    handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  }
  return handle;
}

/* A function's address into a pointer to function, as POSIX says. */
static int find(void *handle, const char *name, void *pointer) {
  void *symbol = dlsym(handle, name);
  memcpy(pointer, &symbol, sizeof symbol);
  return symbol != NULL;
}

static void find_functions(void *handle) {
  struct blas *f = &functions;
  found = find(handle, "sgemm_", &f->sgemm) & find(handle, "dgemm_", &f->dgemm) &
          find(handle, "sgemv_", &f->sgemv) & find(handle, "dgemv_", &f->dgemv);
  int lapack = find(handle, "dpotrf_", &f->dpotrf) & find(handle, "dpotrs_", &f->dpotrs) &
               find(handle, "dgetrf_", &f->dgetrf) & find(handle, "dgetrs_", &f->dgetrs);
  if (!lapack) {
    f->dpotrf = NULL;
    f->dgetrf = NULL;
  }
}

static void ask_library(void *handle) {
  char *(*text)(void) = NULL;
  void (*set_threads)(int) = NULL;
  struct link_map *map = NULL;
  if (find(handle, "openblas_set_num_threads", &set_threads)) {
    set_threads(1);
  }
  if (find(handle, "openblas_get_config", &text)) {
    (void)snprintf(facts.config, sizeof facts.config, "%s", text());
  }
  if (find(handle, "openblas_get_corename", &text)) {
    (void)snprintf(facts.kernels, sizeof facts.kernels, "%s", text());
  }
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != NULL) {
    (void)snprintf(facts.library, sizeof facts.library, "%s", map->l_name);
  }
}

/* Loads with the environment that we want, and puts back what was there: child processes choose
 * for themselves. */
static void *open_with(const char *kernels) {
  static const char *const count = "OPENBLAS_NUM_THREADS";
  static const char *const type = "OPENBLAS_CORETYPE";
  char *before = getenv(count) != NULL ? memory_copy_text(getenv(count)) : NULL;
  (void)setenv(count, "1", 1);
  if (kernels != NULL) {
    (void)setenv(type, kernels, 1);
  }
  void *handle = open_library();
  if (kernels != NULL) {
    (void)unsetenv(type);
  }
  (void)(before != NULL ? setenv(count, before, 1) : unsetenv(count));
  free(before);
  return handle;
}

static int32_t load(void) {
  const char *kernels = NULL;
  TIER_TRY(choose_kernels(&kernels));
  tried = 1;
  void *handle = open_with(kernels);
  if (handle != NULL) {
    find_functions(handle);
  }
  if (found) {
    ask_library(handle);
  } else {
    facts.chosen_by = "tier";
    (void)snprintf(facts.kernels, sizeof facts.kernels, "plain C");
    (void)snprintf(facts.config, sizeof facts.config,
                   "no OpenBLAS found (libopenblas.so.0): wide matrix products are slower");
  }
  return TIER_OK;
}

int32_t blas_load(void) {
  (void)pthread_mutex_lock(&mutex);
  int32_t status = tried ? TIER_OK : load();
  (void)pthread_mutex_unlock(&mutex);
  return status;
}

const struct blas *blas_get(void) {
  return found ? &functions : NULL;
}

void blas_get_facts(struct blas_facts *out) {
  static const char *const names[] = {"plain", "avx2", "avx512"};
  out->library = facts.library;
  out->config = facts.config;
  out->kernels = facts.kernels;
  out->chosen_by = facts.chosen_by;
  out->own = names[cpu_level()];
}

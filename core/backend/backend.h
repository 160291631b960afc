/* What executes the instructions of programs. Two: `reference`, plain C loops, the oracle of the
 * tests; `cpu`, with OpenBLAS, vectorized loops and threads. */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include "base/dtype.h"
#include "graph/graph.h"

struct backend; /* backend/instruction.h */
struct threads;

/* The backend of that name ("cpu", "reference"), or NULL. */
const struct backend *backend_find(const char *name);

/* ---- threads: our own small pool ---- */

/* `count` threads in all, the caller's included; 0: one for each CPU of the process's affinity. */
int32_t threads_new(int count, struct threads **out);
void threads_free(struct threads *t); /* NULL is fine */
int threads_count(const struct threads *t);
/* Calls run(context, chunk) for chunk = 0 .. chunks-1, on any thread, and waits. NULL: in order. */
void threads_run(struct threads *t, int64_t chunks, void (*run)(void *context, int64_t chunk),
                 void *context);

/* ---- BLAS: OpenBLAS, loaded with dlopen at the first use ---- */

struct blas_facts {
  const char *library;   /* path, or "" if not loaded */
  const char *config;    /* what the library says of itself */
  const char *kernels;   /* "SkylakeX", "Haswell", ... as it says */
  const char *chosen_by; /* "tier", "user", "library" */
  const char *own;       /* tier's own kernels: "plain", "avx2", "avx512"; known without loading */
};
/* Loads it (once); TIER_E_REFUSED if OPENBLAS_CORETYPE asks for kernels that the CPU lacks. */
int32_t blas_load(void);
void blas_get_facts(struct blas_facts *out); /* does not load */

#endif

/* A program: a graph compiled for given inputs and outputs.
 *
 * Inputs are slow (parameters, data; given to `bind`) or fast (the vector v; given to `apply`).
 * `bind` computes once what depends on slow inputs only; `apply` runs the rest and allocates
 * nothing. Buffers given to bind are borrowed until the next bind: apply reads them. Real buffers
 * hold the program's dtype, i32 buffers int32_t; 64-byte alignment helps but is not needed.
 *
 * Results are bit-identical for any number of threads. One program is used by one thread at a time.
 */
#ifndef COMPILE_PROGRAM_H
#define COMPILE_PROGRAM_H

#include "base/dtype.h"
#include "graph/graph.h"

struct profile;
struct threads;
struct backend;
struct program;

struct program_options {
  int32_t dtype;
  const struct backend *backend; /* backend/backend.h */
  struct threads *threads;       /* NULL: the calling thread only */
  uint32_t flags;
  struct profile *profile; /* base/profile.h; NULL: none */
  const char *name;        /* for the profile: "inner hvp" */
};
/* No passes and no views: each value by its own operation into a buffer of its own (for tests). */
#define PROGRAM_PLAIN 1u
/* Blocks of few rows, however small the arrays are (for tests). */
#define PROGRAM_SMALL_BLOCKS 2u

int32_t program_compile(const struct graph *g, const struct program_options *options,
                        const tier_value *slow, uint32_t slow_count, const tier_value *fast,
                        uint32_t fast_count, const tier_value *outputs, uint32_t output_count,
                        struct program **program);
void program_free(struct program *p); /* NULL is fine */

int32_t program_bind(struct program *p, const void *const *slow);
/* Outputs are written in full; they must not overlap inputs. */
int32_t program_apply(struct program *p, const void *const *fast, void *const *outputs);

struct program_facts {
  uint32_t bind_instructions;
  uint32_t apply_instructions;
  uint32_t regions; /* that are run block of rows by block of rows */
  int64_t arena_bytes;
  int64_t bind_flops; /* of matmuls */
  int64_t apply_flops;
};
void program_facts(const struct program *p, struct program_facts *out);
/* 1 if output `index` simplified to the constant 0, else 0. */
int program_output_is_zero(const struct program *p, uint32_t index);
/* A listing of the instructions, for people: op, shapes, stage, buffer, origin. free() it. */
char *program_listing(const struct program *p);

#endif

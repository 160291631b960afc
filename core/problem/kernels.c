#include "problem/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/profile.h"
#include "base/random.h"
#include "problem/blocks.h"
#include "problem/variables.h"

static int is_data(enum input_kind kind) {
  return kind == INPUT_FIELD || kind == INPUT_ROWS || kind == INPUT_KEY;
}

/* The same rows at every point, or nothing that any point could change. */
static int is_constant(const struct builder *b, const struct input *in) {
  return in->kind == INPUT_FIELD && !b->context->data[in->index].indexed;
}

static void split_inputs(struct kernel *k, const struct builder *b, enum fast_inputs fast) {
  k->slow = memory_alloc(b->input_count, sizeof *k->slow);
  k->fast = memory_alloc(b->input_count, sizeof *k->fast);
  k->constant = 1;
  for (size_t i = 0; i < b->input_count; i++) {
    if (fast == FAST_NONE || is_data(b->inputs[i].kind)) {
      k->slow[k->slow_count++] = b->inputs[i];
      k->constant = k->constant && is_constant(b, &b->inputs[i]);
    } else {
      k->fast[k->fast_count++] = b->inputs[i];
    }
  }
}

int32_t kernel_compile(const struct kernel *k, const char *suffix, const tier_value *vectors,
                       const tier_value *outputs, struct program **program) {
  const struct builder *b = k->builder;
  struct problem *p = b->p;
  tier_value *slow = memory_alloc(k->slow_count, sizeof *slow);
  tier_value *fast = memory_alloc(k->fast_count + k->vector_count, sizeof *fast);
  char *name = memory_format("%s%s%s%s", b->owner != NULL ? b->owner : "",
                             b->owner != NULL ? " " : "", k->what, suffix);
  struct program_options options = {.dtype = p->dtype,
                                    .backend = p->backend,
                                    .threads = p->threads,
                                    .profile = p->options.profile,
                                    .name = name};
  for (uint32_t i = 0; i < k->slow_count; i++) {
    slow[i] = k->slow[i].value;
  }
  for (uint32_t i = 0; i < k->fast_count; i++) {
    fast[i] = k->fast[i].value;
  }
  for (uint32_t i = 0; i < k->vector_count; i++) {
    fast[k->fast_count + i] = vectors[i];
  }
  profile_begin(p->options.profile, "compile", name);
  int32_t status =
      program_compile(b->g, &options, slow, k->slow_count, fast, k->fast_count + k->vector_count,
                      outputs, k->output_count, program);
  profile_end(p->options.profile);
  free(name);
  free(slow);
  free(fast);
  return status;
}

/* 1 + the index of the vector that this value is; 0: none. */
static uint32_t which_vector(const struct kernel *k, tier_value v) {
  for (uint32_t i = 0; v != 0 && i < k->vector_count; i++) {
    if (k->vectors[i] == v) {
      return 1 + i;
    }
  }
  return 0;
}

int32_t kernel_make(struct kernel *k, const char *what, struct builder *b, enum fast_inputs fast,
                    const tier_value *vectors, uint32_t vector_count, const tier_value *outputs,
                    uint32_t output_count) {
  *k = (struct kernel){.builder = b, .what = what};
  TIER_TRY(graph_status(b->g));
  split_inputs(k, b, fast);
  k->vector_count = vector_count;
  k->asked = output_count;
  k->slow_pointers = memory_alloc(k->slow_count, sizeof *k->slow_pointers);
  k->fast_pointers = memory_alloc(k->fast_count + vector_count, sizeof *k->fast_pointers);
  k->output_pointers = memory_alloc(output_count, sizeof *k->output_pointers);
  k->live = memory_alloc(output_count, sizeof *k->live);
  k->written = memory_alloc(output_count, sizeof *k->written);
  k->passed = memory_alloc(output_count, sizeof *k->passed);
  k->given = memory_alloc(vector_count, sizeof *k->given);
  k->taken = memory_alloc(output_count, sizeof *k->taken);
  k->vectors = memory_alloc(vector_count, sizeof *k->vectors);
  k->outputs = memory_alloc(output_count, sizeof *k->outputs);
  for (uint32_t i = 0; i < vector_count; i++) {
    k->vectors[i] = vectors[i];
  }
  for (uint32_t i = 0; i < output_count; i++) {
    k->written[i] = outputs[i] != 0;
    k->passed[i] = which_vector(k, outputs[i]);
    if (outputs[i] != 0 && k->passed[i] == 0) {
      k->live[k->output_count] = i;
      k->outputs[k->output_count++] = outputs[i];
    }
  }
  return kernel_compile(k, "", k->vectors, k->outputs, &k->program);
}

void kernel_free(struct kernel *k) {
  program_free(k->program);
  free(k->slow);
  free(k->fast);
  free(k->slow_pointers);
  free(k->fast_pointers);
  free(k->output_pointers);
  free(k->live);
  free(k->written);
  free(k->passed);
  free(k->given);
  free(k->taken);
  free(k->vectors);
  free(k->outputs);
  block_free(k->block);
  *k = (struct kernel){0};
}

const void *kernel_input(const struct problem *p, struct input *in, const struct point *at) {
  const struct binding *b = at->binding;
  switch (in->kind) {
    case INPUT_TENSOR: {
      const struct variable *v = &p->variables[in->index];
      int level = at->level != NULL ? at->level->index : -1;
      int64_t copy = variable_copy(p, v, level, b->level_step);
      int64_t offset = v->tensors[in->part].offset + copy * v->copy_size;
      if (at->level != NULL && at->w != NULL && v->owner == at->level->index) {
        return elements_at(p, at->w, v->offset + offset);
      }
      int64_t held = at->held.values != NULL ? span_offset(at->held.span, in->index) : -1;
      if (held >= 0) {
        return elements_at(p, at->held.values, held + offset);
      }
      return elements_at(p, v->value->data, offset);
    }
    case INPUT_COPIES:
      return p->variables[in->index].value->data;
    case INPUT_FIELD:
      return b->data[in->index].fields[in->part];
    case INPUT_ROWS:
      return b->data[in->index].index;
    case INPUT_KEY: {
      uint32_t words[4];
      random_block(random_derive(b->noise, p->noise_names[in->part]), b->noise_draw, 0, words);
      memcpy(in->key, words, sizeof in->key);
      return in->key;
    }
    case INPUT_GRADIENT: {
      const struct variable *v = &p->variables[in->index];
      return elements_at(p, p->levels[v->owner].gradient->data, v->offset);
    }
    case INPUT_W:
      return at->step_w;
    case INPUT_G:
      return at->step_g;
    case INPUT_STATE:
      return elements_at(p, at->step_state, at->stepper->states[in->part].offset);
  }
  return NULL;
}

/* Fills the table of addresses; 1 if it was the same before. */
static int same_addresses(const struct kernel *k, const struct problem *p, const struct point *at,
                          const void **slow) {
  int same = 1;
  for (uint32_t i = 0; i < k->slow_count; i++) {
    const void *address = kernel_input(p, &k->slow[i], at);
    same = same && slow[i] == address;
    slow[i] = address;
  }
  return same;
}

int32_t kernel_bind(const struct kernel *k, struct problem *p, const struct point *at,
                    struct program *program, const void **slow, uint64_t *bound) {
  if (*bound != 0 && !k->constant && *bound == at->serial) {
    return TIER_OK;
  }
  if (same_addresses(k, p, at, slow) && *bound != 0 && k->constant) {
    return TIER_OK;
  }
  *bound = 0;
  TIER_TRY(program_bind(program, slow));
  *bound = k->constant ? 1 : at->serial;
  return TIER_OK;
}

void kernel_pass(const struct kernel *k, const void *const *vectors, void *const *outputs) {
  const struct graph *g = k->builder->g;
  for (uint32_t i = 0; i < k->asked; i++) {
    uint32_t from = k->passed[i];
    if (from != 0 && outputs[i] != vectors[from - 1]) {
      size_t count = (size_t)value_size(graph_value(g, k->vectors[from - 1]));
      memcpy(outputs[i], vectors[from - 1], count * dtype_size(k->builder->p->dtype));
    }
  }
}

int32_t kernel_run(struct kernel *k, struct problem *p, const struct point *at,
                   const void *const *vectors, void *const *outputs) {
  kernel_pass(k, vectors, outputs);
  if (k->output_count == 0) {
    return TIER_OK;
  }
  TIER_TRY(kernel_bind(k, p, at, k->program, k->slow_pointers, &k->bound));
  for (uint32_t i = 0; i < k->fast_count; i++) {
    k->fast_pointers[i] = kernel_input(p, &k->fast[i], at);
  }
  for (uint32_t i = 0; i < k->vector_count; i++) {
    k->fast_pointers[k->fast_count + i] = vectors[i];
  }
  for (uint32_t i = 0; i < k->output_count; i++) {
    k->output_pointers[i] = outputs[k->live[i]];
  }
  return program_apply(k->program, k->fast_pointers, k->output_pointers);
}

int kernel_writes(const struct kernel *k, size_t first, size_t count) {
  for (size_t i = first; i < first + count; i++) {
    if (k->written[i]) {
      return 1;
    }
  }
  return 0;
}

int kernel_is_zero(const struct kernel *k) {
  for (uint32_t i = 0; i < k->asked; i++) {
    if (k->passed[i] != 0) {
      return 0;
    }
  }
  for (uint32_t i = 0; i < k->output_count; i++) {
    if (!program_output_is_zero(k->program, i)) {
      return 0;
    }
  }
  return 1;
}

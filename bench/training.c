#include "bench/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "diff/diff.h"

int32_t read_numbers(const struct options *o, const char *name, int64_t count, float **out) {
  void *numbers = NULL;
  TIER_TRY(large_alloc((size_t)count * sizeof(float), name, &numbers));
  *out = numbers;
  char *path = memory_format("%s/%s.f32", o->data.items[0], name);
  FILE *file = fopen(path, "re");
  int whole = file != NULL && fread(numbers, sizeof(float), (size_t)count, file) == (size_t)count &&
              fgetc(file) == EOF;
  if (file != NULL) {
    (void)fclose(file);
  }
  int32_t status =
      whole ? TIER_OK
            : fail(TIER_E_DATA, "%s: a file of %lld float32 is wanted", path, (long long)count);
  free(path);
  return status;
}

/* ---- groups ---- */

static int32_t allocate(const struct group *group, float **out) {
  void *numbers = NULL;
  TIER_TRY(large_alloc((size_t)group->size * sizeof(float), "weights", &numbers));
  *out = numbers;
  return TIER_OK;
}

int32_t group_open(struct group *group, const struct options *o, const char *name,
                   const struct layer *layers, int count) {
  *group = (struct group){.layers = layers, .layer_count = count};
  for (int i = 0; i < count; i++) {
    group->size += (layers[i].in + 1) * layers[i].out;
  }
  char *file = memory_format("start.%s", name);
  int32_t status = read_numbers(o, file, group->size, &group->start);
  free(file);
  TIER_TRY(status);
  TIER_TRY(allocate(group, &group->w));
  TIER_TRY(allocate(group, &group->next));
  return allocate(group, &group->gradient);
}

void group_close(struct group *group) {
  program_free(group->gradient_program);
  program_free(group->step);
  large_free(group->start);
  large_free(group->w);
  large_free(group->next);
  large_free(group->gradient);
  for (int i = 0; i < MAX_STATES; i++) {
    large_free(group->states[i]);
    large_free(group->states_next[i]);
  }
}

void group_restart(struct group *group) {
  size_t bytes = (size_t)group->size * sizeof(float);
  memcpy(group->w, group->start, bytes);
  for (int i = 0; i < group->state_count; i++) {
    memset(group->states[i], 0, bytes);
  }
}

/* The addresses of weight and bias of each layer in a flat vector. */
static int addresses(const struct group *group, float *flat, void **out) {
  for (int i = 0; i < group->layer_count; i++) {
    out[2 * i] = flat;
    out[2 * i + 1] = flat + group->layers[i].in * group->layers[i].out;
    flat += (group->layers[i].in + 1) * group->layers[i].out;
  }
  return 2 * group->layer_count;
}

/* ---- describing ---- */

tier_value describe_layer(const struct description *d, int which, int index, tier_value x) {
  return tier_linear(&d->g->face, x, d->weights[which][2 * index],
                     d->weights[which][2 * index + 1]);
}

static uint32_t weight_inputs(struct graph *g, const struct group *group, tier_value *out) {
  for (int i = 0; i < group->layer_count; i++) {
    const int64_t dims[2] = {group->layers[i].in, group->layers[i].out};
    out[2 * i] = graph_input(g, TIER_REAL, dims, 2, "weight");
    out[2 * i + 1] = graph_input(g, TIER_REAL, dims + 1, 1, "bias");
  }
  return 2 * (uint32_t)group->layer_count;
}

static int32_t compile(struct graph *g, struct threads *threads, const tier_value *inputs,
                       uint32_t input_count, const tier_value *outputs, uint32_t output_count,
                       struct program **program) {
  const struct program_options options = {
      .dtype = DTYPE_F32, .backend = backend_find("cpu"), .threads = threads};
  TIER_TRY(graph_status(g));
  TIER_TRY(
      program_compile(g, &options, NULL, 0, inputs, input_count, outputs, output_count, program));
  return program_bind(*program, NULL);
}

static int32_t describe_gradient(struct group *group, const struct group *other,
                                 struct threads *threads, const int64_t (*dims)[2], int data_count,
                                 tier_value (*loss)(const struct description *d), struct graph *g) {
  struct description d = {.g = g};
  tier_value inputs[4 * MAX_LAYERS + MAX_DATA];
  tier_value gradient[2 * MAX_LAYERS];
  uint32_t own = weight_inputs(g, group, d.weights[0]);
  uint32_t others = other != NULL ? weight_inputs(g, other, d.weights[1]) : 0;
  for (int i = 0; i < data_count; i++) {
    d.data[i] = graph_input(g, TIER_REAL, dims[i], 2, "data");
  }
  memcpy(inputs, d.weights[0], own * sizeof *inputs);
  memcpy(inputs + own, d.weights[1], others * sizeof *inputs);
  memcpy(inputs + own + others, d.data, (size_t)data_count * sizeof *inputs);
  TIER_TRY(diff_gradient(g, loss(&d), 0, d.weights[0], own, gradient));
  return compile(g, threads, inputs, own + others + (uint32_t)data_count, gradient, own,
                 &group->gradient_program);
}

int32_t group_compile_gradient(struct group *group, const struct group *other,
                               struct threads *threads, const int64_t (*dims)[2], int data_count,
                               tier_value (*loss)(const struct description *d)) {
  struct graph *g = graph_new();
  int32_t status = describe_gradient(group, other, threads, dims, data_count, loss, g);
  graph_free(g);
  return status;
}

int32_t group_compile_step(struct group *group, struct threads *threads, int state_count,
                           int scalar_count, step_description step) {
  struct graph *g = graph_new();
  tier_value inputs[2 + MAX_STATES + MAX_SCALARS]; /* w, gradient, states, scalars */
  tier_value outputs[1 + MAX_STATES];              /* w, states */
  for (int i = 0; i < 2 + state_count; i++) {
    inputs[i] = graph_input(g, TIER_REAL, &group->size, 1, "flat");
  }
  for (int i = 0; i < scalar_count; i++) {
    inputs[2 + state_count + i] = graph_input(g, TIER_REAL, NULL, 0, "number");
  }
  memcpy(outputs + 1, inputs + 2, (size_t)state_count * sizeof *outputs);
  outputs[0] = step(&g->face, inputs[0], inputs[1], outputs + 1, inputs + 2 + state_count);
  int32_t status = compile(g, threads, inputs, (uint32_t)(2 + state_count + scalar_count), outputs,
                           1 + (uint32_t)state_count, &group->step);
  graph_free(g);
  group->state_count = state_count;
  for (int i = 0; i < state_count && status == TIER_OK; i++) {
    status = allocate(group, &group->states[i]);
    status = status == TIER_OK ? allocate(group, &group->states_next[i]) : status;
  }
  return status;
}

/* ---- training ---- */

static int32_t apply_gradient(struct group *group, const struct group *other,
                              const float *const *data) {
  void *inputs[4 * MAX_LAYERS + MAX_DATA];
  void *outputs[2 * MAX_LAYERS];
  int count = addresses(group, group->w, inputs);
  count += other != NULL ? addresses(other, other->w, inputs + count) : 0;
  for (int i = 0; i < MAX_DATA; i++) {
    memcpy(inputs + count + i, data + i, sizeof *inputs);
  }
  (void)addresses(group, group->gradient, outputs);
  return program_apply(group->gradient_program, (const void *const *)inputs, outputs);
}

static void swap(float **a, float **b) {
  float *keep = *a;
  *a = *b;
  *b = keep;
}

int32_t group_train(struct group *group, const struct group *other, const float *const *data,
                    const float *scalars) {
  const void *inputs[2 + MAX_STATES + MAX_SCALARS] = {group->w, group->gradient};
  void *outputs[1 + MAX_STATES] = {group->next};
  TIER_TRY(apply_gradient(group, other, data));
  for (int i = 0; i < group->state_count; i++) {
    inputs[2 + i] = group->states[i];
    outputs[1 + i] = group->states_next[i];
  }
  for (int i = 0; i < MAX_SCALARS; i++) {
    inputs[2 + group->state_count + i] = scalars + i;
  }
  TIER_TRY(program_apply(group->step, inputs, outputs));
  swap(&group->w, &group->next);
  for (int i = 0; i < group->state_count; i++) {
    swap(&group->states[i], &group->states_next[i]);
  }
  return TIER_OK;
}

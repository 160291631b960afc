#include "support.h"

#include <math.h>

#include "backend/backend.h"
#include "base/error.h"

double draw(struct generator *r, double low, double high) {
  r->state ^= r->state >> 12;
  r->state ^= r->state << 25;
  r->state ^= r->state >> 27;
  uint64_t bits = (r->state * UINT64_C(2685821657736338717)) >> 11;
  return low + (high - low) * (double)bits * 0x1p-53;
}

tier_value input_real(struct graph *g, const int64_t *dims, int32_t rank) {
  return graph_input(g, TIER_REAL, dims, rank, "x");
}
tier_value input_i32(struct graph *g, const int64_t *dims, int32_t rank) {
  return graph_input(g, TIER_I32, dims, rank, "index");
}
int64_t size_of(const struct graph *g, tier_value v) {
  return value_size(graph_value(g, v));
}

static size_t bytes_of(const struct graph *g, tier_value v, int32_t dtype) {
  int i32 = graph_value(g, v)->type == TIER_I32;
  return (size_t)size_of(g, v) * (i32 ? sizeof(int32_t) : dtype_size(dtype));
}

/* Doubles to the program's numbers and back. */
static void narrow(const struct graph *g, tier_value v, int32_t dtype, const double *from,
                   void *to) {
  int i32 = graph_value(g, v)->type == TIER_I32;
  for (int64_t k = 0; k < size_of(g, v); k++) {
    if (i32) {
      ((int32_t *)to)[k] = (int32_t)from[k];
    } else if (dtype == DTYPE_F32) {
      ((float *)to)[k] = (float)from[k];
    } else {
      ((double *)to)[k] = from[k];
    }
  }
}
static void widen(const struct graph *g, tier_value v, int32_t dtype, const void *from,
                  double *to) {
  int i32 = graph_value(g, v)->type == TIER_I32;
  for (int64_t k = 0; k < size_of(g, v); k++) {
    to[k] = i32                  ? (double)((const int32_t *)from)[k]
            : dtype == DTYPE_F32 ? (double)((const float *)from)[k]
                                 : ((const double *)from)[k];
  }
}

void evaluate(const struct graph *g, int32_t dtype, const tier_value *inputs, uint32_t input_count,
              const double *const *data, const tier_value *outputs, uint32_t output_count,
              double *const *results) {
  struct program_options options = {.dtype = dtype, .backend = backend_find("reference")};
  struct program *program = NULL;
  void **in = calloc(input_count + 1, sizeof *in);
  void **out = calloc(output_count + 1, sizeof *out);
  for (uint32_t i = 0; i < input_count; i++) {
    in[i] = malloc(bytes_of(g, inputs[i], dtype) + 1);
    narrow(g, inputs[i], dtype, data[i], in[i]);
  }
  for (uint32_t i = 0; i < output_count; i++) {
    out[i] = malloc(bytes_of(g, outputs[i], dtype) + 1);
  }
  if (graph_status(g) < 0 ||
      program_compile(g, &options, inputs, input_count, NULL, 0, outputs, output_count, &program) <
          0 ||
      program_bind(program, (const void *const *)in) < 0 || program_apply(program, NULL, out) < 0) {
    DIE("evaluate: %s", error_text());
  }
  for (uint32_t i = 0; i < output_count; i++) {
    widen(g, outputs[i], dtype, out[i], results[i]);
    free(out[i]);
  }
  for (uint32_t i = 0; i < input_count; i++) {
    free(in[i]);
  }
  program_free(program);
  free(in);
  free(out);
}

void evaluate_one(const struct graph *g, const tier_value *inputs, uint32_t input_count,
                  const double *const *data, tier_value output, double *result) {
  evaluate(g, DTYPE_F64, inputs, input_count, data, &output, 1, &result);
}

double distance(const double *a, const double *b, int64_t n) {
  double most = 0;
  double scale = 1;
  for (int64_t k = 0; k < n; k++) {
    if (!isfinite(a[k]) || !isfinite(b[k])) {
      return INFINITY;
    }
    most = fmax(most, fabs(a[k] - b[k]));
    scale = fmax(scale, 1 + fabs(b[k]));
  }
  return most / scale;
}

double dot(const double *a, const double *b, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; k++) {
    sum += a[k] * b[k];
  }
  return sum;
}

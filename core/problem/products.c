#include "problem/products.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "diff/diff.h"
#include "problem/builder.h"

struct products *products_new(struct suite *s) {
  struct products *q = memory_alloc(1, sizeof *q);
  q->suite = s;
  return q;
}

void products_free(struct products *q) {
  if (q != NULL) {
    kernel_free(&q->hvp);
    kernel_free(&q->cross);
    kernel_free(&q->both);
    kernel_free(&q->cross_forward);
    kernel_free(&q->input_gradient);
    kernel_free(&q->along[0]);
    kernel_free(&q->along[1]);
    kernel_free(&q->third);
    free(q);
  }
}

/* Inputs for a direction along placed tensors; `xs` are those tensors that the objective reads,
 * with their directions beside them, `live` of them. */
struct direction {
  tier_value *vectors; /* one for each placed tensor */
  tier_value *xs, *tangents;
  uint32_t live;
};

static struct direction direction_new(struct suite *s, const struct placed *placed, size_t count) {
  struct direction d = {.vectors = memory_alloc(count, sizeof(tier_value)),
                        .xs = memory_alloc(count, sizeof(tier_value)),
                        .tangents = memory_alloc(count, sizeof(tier_value))};
  placed_inputs(&s->builder, placed, count, "v", d.vectors);
  for (size_t i = 0; i < count; i++) {
    tier_value x = builder_find(&s->builder, INPUT_TENSOR, placed[i].variable, placed[i].tensor);
    if (x != 0) {
      d.xs[d.live] = x;
      d.tangents[d.live++] = d.vectors[i];
    }
  }
  return d;
}

static void direction_free(struct direction *d) {
  free(d->vectors);
  free(d->xs);
  free(d->tangents);
}

/* The jvp of dF/dw along a direction: one output for each tensor of w. */
static int32_t gradient_jvp(struct suite *s, const struct direction *d, tier_value *out) {
  const struct level *l = s->level;
  size_t n = l->placed_count;
  tier_value *gradient = memory_alloc(n, sizeof *gradient);
  tier_value *ys = memory_alloc(n, sizeof *ys);
  tier_value *moved = memory_alloc(n, sizeof *moved);
  uint32_t live = 0;
  int32_t status = suite_derivatives(s, s->total, l->placed, n, gradient);
  for (size_t i = 0; i < n; i++) {
    if (gradient[i] != 0) {
      ys[live++] = gradient[i];
    }
  }
  if (status == TIER_OK) {
    status = diff_jvp(s->builder.g, ys, live, d->xs, d->tangents, d->live, moved);
  }
  for (size_t i = 0, k = 0; i < n; i++) {
    out[i] = gradient[i] != 0 ? moved[k++] : 0;
  }
  free(gradient);
  free(ys);
  free(moved);
  return status;
}

/* d/dtheta of the directional derivative <dF/dw, v>: one output for each tensor of the inputs. */
static int32_t cross_of(struct suite *s, const struct direction *d, const tier_edge *e,
                        tier_value *out) {
  tier_value slope = 0;
  if (s->total == 0) {
    return TIER_OK;
  }
  TIER_TRY(diff_jvp(s->builder.g, &s->total, 1, d->xs, d->tangents, d->live, &slope));
  return suite_derivatives(s, slope, e->placed, e->placed_count, out);
}

/* hvp and cross in any combination, along one direction in w. */
static int32_t make_products(struct suite *s, const tier_edge *e, int hvp, int cross,
                             struct kernel *k) {
  static const char *const names[2][2] = {{"", "cross"}, {"hvp", "hvp and cross"}};
  const struct level *l = s->level;
  size_t n = hvp ? l->placed_count : 0;
  size_t p = cross ? e->placed_count : 0;
  struct direction d = direction_new(s, l->placed, l->placed_count);
  tier_value *outputs = memory_alloc(n + p, sizeof *outputs);
  int32_t status = hvp ? gradient_jvp(s, &d, outputs) : TIER_OK;
  if (status == TIER_OK && cross) {
    status = cross_of(s, &d, e, outputs + n);
  }
  if (status == TIER_OK) {
    status = kernel_make(k, names[hvp][cross], &s->builder, FAST_NONE, d.vectors,
                         (uint32_t)l->placed_count, outputs, (uint32_t)(n + p));
  }
  free(outputs);
  direction_free(&d);
  return status;
}

int32_t products_hvp(struct products *q, const tier_edge *e, struct kernel **k) {
  *k = &q->hvp;
  return q->hvp.program != NULL ? TIER_OK : make_products(q->suite, e, 1, 0, &q->hvp);
}

int32_t products_cross(struct products *q, const tier_edge *e, struct kernel **k) {
  *k = &q->cross;
  return q->cross.program != NULL ? TIER_OK : make_products(q->suite, e, 0, 1, &q->cross);
}

int32_t products_both(struct products *q, const tier_edge *e, struct kernel **k) {
  *k = &q->both;
  return q->both.program != NULL ? TIER_OK : make_products(q->suite, e, 1, 1, &q->both);
}

int32_t products_cross_forward(struct products *q, const tier_edge *e, struct kernel **k) {
  struct suite *s = q->suite;
  *k = &q->cross_forward;
  if (q->cross_forward.program != NULL) {
    return TIER_OK;
  }
  struct direction d = direction_new(s, e->placed, e->placed_count);
  tier_value *outputs = memory_alloc(s->level->placed_count, sizeof *outputs);
  int32_t status = gradient_jvp(s, &d, outputs);
  if (status == TIER_OK) {
    status = kernel_make(&q->cross_forward, "cross forward", &s->builder, FAST_NONE, d.vectors,
                         (uint32_t)e->placed_count, outputs, (uint32_t)s->level->placed_count);
  }
  free(outputs);
  direction_free(&d);
  return status;
}

int32_t products_input_gradient(struct products *q, const tier_edge *e, struct kernel **k) {
  struct suite *s = q->suite;
  *k = &q->input_gradient;
  if (q->input_gradient.program != NULL) {
    return TIER_OK;
  }
  tier_value *outputs = memory_alloc(e->placed_count, sizeof *outputs);
  int32_t status = suite_derivatives(s, s->total, e->placed, e->placed_count, outputs);
  if (status == TIER_OK) {
    status = kernel_make(&q->input_gradient, "input gradient", &s->builder, FAST_TENSORS, NULL, 0,
                         outputs, (uint32_t)e->placed_count);
  }
  free(outputs);
  return status;
}

/* Appends tensors to a list; returns its new length. */
static size_t append(struct placed *list, size_t length, const struct placed *more, size_t count) {
  memcpy(list + length, more, count * sizeof *list);
  return length + count;
}

/* y <- its directional derivative. */
static int32_t slope_along(struct suite *s, const struct direction *d, tier_value *y) {
  tier_value slope = 0;
  if (*y != 0) {
    TIER_TRY(diff_jvp(s->builder.g, y, 1, d->xs, d->tangents, d->live, &slope));
  }
  *y = slope;
  return TIER_OK;
}

int32_t products_along(struct products *q, const tier_edge *e, int inputs, struct kernel **k) {
  struct suite *s = q->suite;
  const struct level *l = s->level;
  *k = &q->along[inputs != 0];
  if ((*k)->program != NULL) {
    return TIER_OK;
  }
  size_t most = l->placed_count + l->responding_count + e->placed_count;
  struct placed *all = memory_alloc(most, sizeof *all);
  size_t count = append(all, 0, l->placed, l->placed_count);
  count = append(all, count, l->responding_placed, l->responding_count);
  size_t outputs_count = append(all, count, e->placed, e->placed_count);
  struct direction d = direction_new(s, all, inputs ? outputs_count : count);
  tier_value *outputs = memory_alloc(outputs_count, sizeof *outputs);
  tier_value slope = s->total;
  int32_t status = slope_along(s, &d, &slope);
  if (status == TIER_OK) {
    status = suite_derivatives(s, slope, all, outputs_count, outputs);
  }
  if (status == TIER_OK) {
    status =
        kernel_make(*k, "along", &s->builder, FAST_NONE, d.vectors,
                    (uint32_t)(inputs ? outputs_count : count), outputs, (uint32_t)outputs_count);
  }
  free(all);
  free(outputs);
  direction_free(&d);
  return status;
}

int32_t products_third(struct products *q, const tier_edge *e, struct kernel **k) {
  struct suite *s = q->suite;
  const struct level *l = s->level;
  *k = &q->third;
  if (q->third.program != NULL) {
    return TIER_OK;
  }
  size_t count = l->placed_count + e->placed_count;
  struct placed *all = memory_alloc(count, sizeof *all);
  append(all, append(all, 0, l->placed, l->placed_count), e->placed, e->placed_count);
  struct direction adjoint = direction_new(s, l->placed, l->placed_count);
  struct direction d = direction_new(s, all, count);
  tier_value *vectors = memory_alloc(l->placed_count + count, sizeof *vectors);
  tier_value *outputs = memory_alloc(count, sizeof *outputs);
  tier_value slope = s->total;
  memcpy(vectors, adjoint.vectors, l->placed_count * sizeof *vectors);
  memcpy(vectors + l->placed_count, d.vectors, count * sizeof *vectors);
  int32_t status = slope_along(s, &adjoint, &slope);
  status = status == TIER_OK ? slope_along(s, &d, &slope) : status;
  if (status == TIER_OK) {
    status = suite_derivatives(s, slope, all, count, outputs);
  }
  if (status == TIER_OK) {
    status = kernel_make(*k, "third", &s->builder, FAST_NONE, vectors,
                         (uint32_t)(l->placed_count + count), outputs, (uint32_t)count);
  }
  free(all);
  free(vectors);
  free(outputs);
  direction_free(&adjoint);
  direction_free(&d);
  return status;
}

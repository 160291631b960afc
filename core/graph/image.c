/* patches and fold, each the adjoint of the other; a convolution is patches and a matmul. */
#include "graph/rules.h"

/* kh, kw: the window; sh, sw: the step; top ... right: zeros around the image. */
struct window {
  int64_t kh, kw, sh, sw, top, bottom, left, right;
};

/* The window from 8 attribute integers, and how many places it has in an image of h x w. */
static int32_t read_window(struct graph *g, const struct value *out, const int64_t *ints, int64_t h,
                           int64_t w, int64_t *oh, int64_t *ow) {
  const struct window k = {ints[0], ints[1], ints[2], ints[3], ints[4], ints[5], ints[6], ints[7]};
  const int64_t limit = INT64_C(1) << 31;
  for (int i = 0; i < 8; i++) {
    if (ints[i] < (i < 4 ? 1 : 0) || ints[i] > limit) {
      return RULE_FAIL(g, out, "window and step must be 1 or more, the border 0 or more");
    }
  }
  int64_t high = h + k.top + k.bottom - k.kh;
  int64_t wide = w + k.left + k.right - k.kw;
  if (high < 0 || wide < 0) {
    return RULE_FAIL(g, out, "a window of %lld x %lld does not fit", (long long)k.kh,
                     (long long)k.kw);
  }
  *oh = high / k.sh + 1;
  *ow = wide / k.sw + 1;
  return TIER_OK;
}

/* ---- patches (x (n, h, w, c)) {kh, kw, sh, sw, top, bottom, left, right}
 *      -> (n, oh, ow, kh * kw * c) ---- */

static int32_t patches_shape(struct graph *g, struct value *out) {
  const struct value *x = rule_input(g, out, 0);
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, 8));
  if (x->rank != 4) {
    return RULE_FAIL(g, out, "needs images of shape (n, height, width, channels)");
  }
  rule_like(out, TIER_REAL, x);
  TIER_TRY(read_window(g, out, out->ints, x->dims[1], x->dims[2], &out->dims[1], &out->dims[2]));
  if (out->ints[0] * out->ints[1] > (INT64_C(1) << 48) / (x->dims[3] + 1)) {
    return RULE_FAIL(g, out, "the window is too large");
  }
  out->dims[3] = out->ints[0] * out->ints[1] * x->dims[3];
  return TIER_OK;
}
static void patches_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  struct value v = *graph_value(g, y);
  struct value x = *graph_value(g, v.inputs[0]);
  int64_t ints[10] = {x.dims[1], x.dims[2]};
  for (int i = 0; i < 8; i++) {
    ints[2 + i] = v.ints[i];
  }
  out[0] = tier_emit(&g->face, TIER_OP_FOLD, &c, 1, ints, 10);
}

/* ---- fold (y (n, oh, ow, kh * kw * c)) {h, w, kh, kw, sh, sw, top, bottom, left, right}
 *      -> (n, h, w, c) ---- */

static int32_t fold_shape(struct graph *g, struct value *out) {
  const struct value *y = rule_input(g, out, 0);
  int64_t oh = 0;
  int64_t ow = 0;
  TIER_TRY(rule_all_real(g, out));
  TIER_TRY(rule_ints(g, out, 10));
  if (y->rank != 4) {
    return RULE_FAIL(g, out, "needs patches of shape (n, height, width, elements)");
  }
  if (out->ints[0] < 0 || out->ints[1] < 0 || out->ints[0] > INT32_MAX ||
      out->ints[1] > INT32_MAX) {
    return RULE_FAIL(g, out, "an image cannot be %lld x %lld", (long long)out->ints[0],
                     (long long)out->ints[1]);
  }
  TIER_TRY(read_window(g, out, out->ints + 2, out->ints[0], out->ints[1], &oh, &ow));
  int64_t area = out->ints[2] * out->ints[3];
  if (y->dims[1] != oh || y->dims[2] != ow || y->dims[3] % area != 0) {
    return RULE_FAIL(g, out, "the window has %lld x %lld places of %lld elements a channel",
                     (long long)oh, (long long)ow, (long long)area);
  }
  rule_like(out, TIER_REAL, y);
  out->dims[1] = out->ints[0];
  out->dims[2] = out->ints[1];
  out->dims[3] = y->dims[3] / area;
  return TIER_OK;
}
static void fold_vjp(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  out[0] = tier_emit(&g->face, TIER_OP_PATCHES, &c, 1, graph_value(g, y)->ints + 2, 8);
}

/* Both are linear: the operation applied to the tangent. */
static tier_value window_jvp(struct graph *g, tier_value y, const tier_value *t) {
  struct value v = *graph_value(g, y);
  return t[0] == 0 ? 0 : tier_emit(&g->face, v.op, t, 1, v.ints, v.int_count);
}

static const struct operation_entry table[] = {
    {TIER_OP_PATCHES, {"patches", 1, patches_shape, patches_vjp, window_jvp, 0}},
    {TIER_OP_FOLD, {"fold", 1, fold_shape, fold_vjp, window_jvp, 0}},
};

void operations_of_image(void) {
  OPERATIONS_ADD(table);
}

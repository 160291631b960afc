/* gather and scatter_add; patches and fold; and what has no operands: iota, random. */
#include <string.h>

#include "backend/reference.h"

static int64_t product(const int64_t *dims, int64_t from, int64_t to) {
  int64_t size = 1;
  for (int64_t i = from; i < to; i++) {
    size *= dims[i];
  }
  return size;
}

/* gather: out (B, K, R) from x (B, N, R), index (B, K); scatter_add: out (B, N, R) from
 * x (B, K, R). */
int32_t reference_index(const struct instruction *i, const struct array *in,
                        const struct array *out) {
  const struct view *x = in[0].view;
  int gathers = i->op == TIER_OP_GATHER;
  int64_t batch = i->ints[0];
  int64_t k = in[1].view->dims[batch];
  int64_t n = gathers ? x->dims[batch] : i->ints[1];
  int64_t inner = product(x->dims, batch + 1, x->rank);
  int64_t rows = product(x->dims, 0, batch) * k;
  for (int64_t e = 0; !gathers && e < view_size(out->view); e++) {
    reference_set(out, e, 0.0);
  }
  for (int64_t row = 0; row < rows; row++) {
    int32_t index = (int32_t)reference_get(&in[1], row);
    if (index < 0 || index >= n) {
      return instruction_bad_index(i, row, index, n);
    }
    int64_t wide = (row / k * n + index) * inner;
    int64_t narrow = row * inner;
    for (int64_t r = 0; r < inner; r++) {
      if (gathers) {
        reference_set(out, narrow + r, reference_get(&in[0], wide + r));
      } else {
        reference_set(out, wide + r,
                      reference_get(out, wide + r) + reference_get(&in[0], narrow + r));
      }
    }
  }
  return TIER_OK;
}

/* The number in the image (h, w, c) of element (y, x, e) of the patches, or -1 in the border.
 * ints: {kh, kw, sh, sw, top, bottom, left, right}; e runs over (kh, kw, c). */
static int64_t pixel(const int64_t *ints, int64_t h, int64_t w, int64_t c, int64_t y, int64_t x,
                     int64_t e) {
  int64_t row = y * ints[2] + e / c / ints[1] - ints[4];
  int64_t column = x * ints[3] + e / c % ints[1] - ints[6];
  int inside = row >= 0 && row < h && column >= 0 && column < w;
  return inside ? (row * w + column) * c + e % c : -1;
}

/* patches (n, oh, ow, kh * kw * c) <-> images (n, h, w, c). */
int32_t reference_image(const struct instruction *i, const struct array *in,
                        const struct array *out) {
  int folds = i->op == TIER_OP_FOLD;
  const int64_t *ints = i->ints + (folds ? 2 : 0);
  const int64_t *image = folds ? out->view->dims : in->view->dims;
  const int64_t *patches = folds ? in->view->dims : out->view->dims;
  int64_t image_size = image[1] * image[2] * image[3];
  for (int64_t e = 0; folds && e < view_size(out->view); e++) {
    reference_set(out, e, 0.0);
  }
  for (int64_t e = 0; e < product(patches, 0, 4); e++) {
    int64_t place = e / patches[3];
    int64_t at = pixel(ints, image[1], image[2], image[3], place / patches[2] % patches[1],
                       place % patches[2], e % patches[3]);
    int64_t whole = place / patches[2] / patches[1] * image_size + at;
    if (!folds) {
      reference_set(out, e, at < 0 ? 0.0 : reference_get(in, whole));
    } else if (at >= 0) {
      reference_set(out, whole, reference_get(out, whole) + reference_get(in, e));
    }
  }
  return TIER_OK;
}

int32_t reference_source(const struct instruction *i, const struct array *in,
                         const struct array *out) {
  int64_t size = view_size(out->view);
  int32_t key[4] = {0};
  if (i->op == TIER_OP_RANDOM) {
    memcpy(key, in->data, sizeof key);
  }
  for (int64_t e = 0; e < size; e++) {
    if (i->op == TIER_OP_RANDOM) {
      reference_set(out, e, instruction_random(key, i->ints, e, out->dtype));
    } else {
      int64_t inner = product(out->view->dims, i->ints[0] + 1, out->view->rank);
      reference_set(out, e, (double)(e / inner % out->view->dims[i->ints[0]]));
    }
  }
  return TIER_OK;
}

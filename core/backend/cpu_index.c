/* gather and scatter_add; patches and fold; iota and random. */
#include <string.h>

#include "backend/cpu.h"

static int64_t product(const int64_t *dims, int64_t from, int64_t to) {
  int64_t size = 1;
  for (int64_t i = from; i < to; i++) {
    size *= dims[i];
  }
  return size;
}

/* to[i] += from[i] */
static void add_row(int64_t n, int32_t dtype, void *to, const void *from) {
  if (dtype == DTYPE_F32) {
    float *y = to;
    const float *x = from;
    for (int64_t i = 0; i < n; i++) {
      y[i] += x[i];
    }
  } else {
    double *y = to;
    const double *x = from;
    for (int64_t i = 0; i < n; i++) {
      y[i] += x[i];
    }
  }
}

/* ---- gather: out (B, K, R) from x (B, N, R) and index (B, K);
 *      scatter_add: out (B, N, R) from x (B, K, R) ---- */

struct indexing {
  int64_t batch, k, n;
  int64_t bytes; /* of a row of R */
  int64_t inner; /* R */
};

static struct indexing indexing_of(const struct call *c) {
  const struct instruction *i = c->code;
  const struct view *x = &i->inputs[0];
  int64_t axis = i->ints[0];
  struct indexing s = {.batch = product(x->dims, 0, axis), .k = i->inputs[1].dims[axis]};
  s.n = i->op == TIER_OP_GATHER ? x->dims[axis] : i->ints[1];
  s.inner = product(x->dims, axis + 1, x->rank);
  s.bytes = s.inner * (int64_t)view_element(x, c->dtype);
  return s;
}

int32_t cpu_check_indices(const struct call *c) {
  struct indexing s = indexing_of(c);
  const int32_t *index = call_in(c, 1);
  for (int64_t row = 0; row < s.batch * s.k; row++) {
    if (index[row] < 0 || index[row] >= s.n) {
      return instruction_bad_index(c->code, row, index[row], s.n);
    }
  }
  return TIER_OK;
}

static void gather_rows(const struct call *c, int64_t begin, int64_t end) {
  struct indexing s = indexing_of(c);
  const int32_t *index = call_in(c, 1);
  const char *x = call_in(c, 0);
  char *out = call_out(c);
  for (int64_t row = begin; row < end; row++) {
    memcpy(out + row * s.bytes, x + (row / s.k * s.n + index[row]) * s.bytes, (size_t)s.bytes);
  }
}

static void scatter_batches(const struct call *c, int64_t begin, int64_t end) {
  struct indexing s = indexing_of(c);
  const int32_t *index = call_in(c, 1);
  const char *x = call_in(c, 0);
  char *out = call_out(c);
  memset(out + begin * s.n * s.bytes, 0, (size_t)((end - begin) * s.n * s.bytes));
  for (int64_t row = begin * s.k; row < end * s.k; row++) {
    add_row(s.inner, c->dtype, out + (row / s.k * s.n + index[row]) * s.bytes, x + row * s.bytes);
  }
}

static int32_t run_index(const struct call *c, struct threads *threads) {
  struct indexing s = indexing_of(c);
  const struct cpu_plan *plan = c->code->plan;
  if (!plan->alone) { /* a region has checked them */
    TIER_TRY(cpu_check_indices(c));
  }
  if (c->code->op == TIER_OP_GATHER) {
    cpu_run_chunks(threads, c, s.batch * s.k, cpu_grain(s.inner), gather_rows);
  } else {
    cpu_run_chunks(threads, c, s.batch, cpu_grain((s.k + s.n) * s.inner), scatter_batches);
  }
  return TIER_OK;
}

int32_t cpu_prepare_index(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  (void)i, (void)dtype;
  plan->run = run_index;
  return TIER_OK;
}

/* ---- patches (n, oh, ow, kh * kw * c) <-> images (n, h, w, c) ---- */

struct window {
  int64_t images, h, w, c, oh, ow;
  int64_t kh, kw, sh, sw, top, left;
  int64_t element;
};

static struct window window_of(const struct call *call) {
  const struct instruction *i = call->code;
  int folds = i->op == TIER_OP_FOLD;
  const int64_t *ints = i->ints + (folds ? 2 : 0);
  const int64_t *image = folds ? i->out.dims : i->inputs[0].dims;
  const int64_t *patches = folds ? i->inputs[0].dims : i->out.dims;
  return (struct window){.images = image[0],
                         .h = image[1],
                         .w = image[2],
                         .c = image[3],
                         .oh = patches[1],
                         .ow = patches[2],
                         .kh = ints[0],
                         .kw = ints[1],
                         .sh = ints[2],
                         .sw = ints[3],
                         .top = ints[4],
                         .left = ints[6],
                         .element = (int64_t)dtype_size(call->dtype)};
}

/* The part of a patch's row (kw * c elements, at column x0 of the image) that lies in the image:
 * columns first .. last - 1 of the window. */
static void inside(const struct window *s, int64_t x0, int64_t *first, int64_t *last) {
  *first = x0 < 0 ? -x0 : 0;
  *last = s->w - x0 < s->kw ? s->w - x0 : s->kw;
  *first = *first < s->kw ? *first : s->kw;
  *last = *last > *first ? *last : *first;
}

/* Rows of patches (n, y) from begin to end. */
static void make_patches(const struct call *call, int64_t begin, int64_t end) {
  struct window s = window_of(call);
  const char *image = call_in(call, 0);
  int64_t row_bytes = s.kw * s.c * s.element;
  char *to = (char *)call_out(call) + begin * s.ow * s.kh * row_bytes;
  for (int64_t place = begin * s.ow; place < end * s.ow; place++) {
    int64_t y0 = place / s.ow % s.oh * s.sh - s.top;
    int64_t x0 = place % s.ow * s.sw - s.left;
    int64_t first = 0;
    int64_t last = 0;
    inside(&s, x0, &first, &last);
    for (int64_t y = y0; y < y0 + s.kh; y++, to += row_bytes) {
      memset(to, 0, (size_t)row_bytes);
      if (y >= 0 && y < s.h && last > first) {
        int64_t pixel = (place / s.ow / s.oh * s.h + y) * s.w + x0 + first;
        memcpy(to + first * s.c * s.element, image + pixel * s.c * s.element,
               (size_t)((last - first) * s.c * s.element));
      }
    }
  }
}

/* Images begin .. end. */
static void fold_patches(const struct call *call, int64_t begin, int64_t end) {
  struct window s = window_of(call);
  int64_t row_bytes = s.kw * s.c * s.element;
  int64_t image_bytes = s.h * s.w * s.c * s.element;
  char *image = call_out(call);
  const char *from = (const char *)call_in(call, 0) + begin * s.oh * s.ow * s.kh * row_bytes;
  memset(image + begin * image_bytes, 0, (size_t)((end - begin) * image_bytes));
  for (int64_t place = begin * s.oh * s.ow; place < end * s.oh * s.ow; place++) {
    int64_t y0 = place / s.ow % s.oh * s.sh - s.top;
    int64_t x0 = place % s.ow * s.sw - s.left;
    int64_t first = 0;
    int64_t last = 0;
    inside(&s, x0, &first, &last);
    for (int64_t y = y0; y < y0 + s.kh; y++, from += row_bytes) {
      if (y >= 0 && y < s.h && last > first) {
        int64_t pixel = (place / s.ow / s.oh * s.h + y) * s.w + x0 + first;
        add_row((last - first) * s.c, call->dtype, image + pixel * s.c * s.element,
                from + first * s.c * s.element);
      }
    }
  }
}

static int32_t run_image(const struct call *call, struct threads *threads) {
  struct window s = window_of(call);
  int64_t row = s.ow * s.kh * s.kw * s.c;
  if (call->code->op == TIER_OP_PATCHES) {
    cpu_run_chunks(threads, call, s.images * s.oh, cpu_grain(row), make_patches);
  } else {
    cpu_run_chunks(threads, call, s.images, cpu_grain(s.oh * row), fold_patches);
  }
  return TIER_OK;
}

int32_t cpu_prepare_image(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  (void)i, (void)dtype;
  plan->run = run_image;
  return TIER_OK;
}

/* ---- iota, random ---- */

static void fill_iota(const struct call *c, int64_t begin, int64_t end) {
  const struct view *out = &c->code->out;
  int64_t axis = c->code->ints[0];
  int64_t inner = product(out->dims, axis + 1, out->rank);
  int32_t *to = call_out(c);
  for (int64_t e = begin; e < end; e++) {
    to[e] = (int32_t)(e / inner % out->dims[axis]);
  }
}

static void fill_random(const struct call *c, int64_t begin, int64_t end) {
  int32_t key[4];
  void *to = call_out(c);
  memcpy(key, call_in(c, 0), sizeof key);
  for (int64_t e = begin; e < end; e++) {
    double x = instruction_random(key, c->code->ints, e, c->dtype);
    if (c->dtype == DTYPE_F32) {
      ((float *)to)[e] = (float)x;
    } else {
      ((double *)to)[e] = x;
    }
  }
}

static int32_t run_source(const struct call *c, struct threads *threads) {
  int random = c->code->op == TIER_OP_RANDOM;
  cpu_run_chunks(threads, c, view_size(&c->code->out), cpu_grain(random ? 32 : 4),
                 random ? fill_random : fill_iota);
  return TIER_OK;
}

int32_t cpu_prepare_source(struct instruction *i, int32_t dtype, struct cpu_plan *plan) {
  (void)i, (void)dtype;
  plan->run = run_source;
  return TIER_OK;
}

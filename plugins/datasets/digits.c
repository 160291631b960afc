/* digits: handwritten digits, drawn by rule: 28 x 28 pictures of ten classes, no file needed.
 *
 * Each digit has a few styles, each a list of strokes through control points. A row chooses class
 * and style, moves the control points a little, bends the plane by slow waves, applies a random
 * affine map, and draws the strokes with a pen of random width and pressure; then noise is added,
 * and the picture is rounded to bytes. Row i depends on the stream and i only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>
#include <tier/random.h>

#define SIDE 28
#define PIXELS (SIDE * SIDE)
#define CLASSES 10
#define STYLES 3
#define MOST_POINTS 14 /* of a stroke */
#define MOST_STROKES 3 /* of a style */
#define STEPS 6        /* straight pieces between two control points */
#define TAU 6.283185307179586477

struct point {
  double x; /* to the right, -1 .. 1 */
  double y; /* down, -1 .. 1 */
};

/* A smooth curve through `count` points; a point that stands twice is a corner. */
struct stroke {
  int32_t count;
  struct point points[MOST_POINTS];
};

struct style {
  struct stroke strokes[MOST_STROKES]; /* up to the first with no points */
};

static const struct style skeletons[CLASSES][STYLES] = {
    /* 0 */
    {{{{10,
        {{0, -.95},
         {-.45, -.7},
         {-.62, 0},
         {-.42, .72},
         {.05, .95},
         {.48, .68},
         {.62, -.02},
         {.42, -.72},
         {.02, -.95},
         {-.25, -.88}}}}},
     {{{10,
        {{.3, -.9},
         {-.2, -.82},
         {-.55, -.2},
         {-.55, .45},
         {-.2, .9},
         {.25, .8},
         {.6, .25},
         {.6, -.4},
         {.3, -.9},
         {-.05, -.95}}}}},
     {{{9,
        {{.15, -.95},
         {-.35, -.75},
         {-.5, 0},
         {-.3, .8},
         {.1, .95},
         {.4, .7},
         {.5, 0},
         {.38, -.65},
         {-.05, -.85}}}}}},
    /* 1 */
    {{{{2, {{0, -.95}, {0, .95}}}}},
     {{{4, {{-.38, -.5}, {.08, -.95}, {.08, -.95}, {.06, .95}}}}},
     {{{4, {{-.35, -.6}, {.05, -.95}, {.05, -.95}, {.05, .92}}}, {2, {{-.4, .93}, {.48, .93}}}}}},
    /* 2 */
    {{{{9,
        {{-.55, -.5},
         {-.3, -.88},
         {.15, -.93},
         {.5, -.6},
         {.35, -.1},
         {-.1, .4},
         {-.6, .9},
         {-.6, .9},
         {.65, .9}}}}},
     {{{11,
        {{-.5, -.55},
         {-.2, -.92},
         {.3, -.88},
         {.5, -.45},
         {.25, .1},
         {-.15, .6},
         {-.5, .88},
         {-.62, .65},
         {-.35, .55},
         {.1, .85},
         {.65, .8}}}}},
     {{{8,
        {{-.45, -.75},
         {.1, -.95},
         {.52, -.62},
         {.42, -.15},
         {0, .35},
         {-.55, .85},
         {-.55, .85},
         {.6, .95}}}}}},
    /* 3 */
    {{{{11,
        {{-.5, -.72},
         {-.1, -.95},
         {.4, -.78},
         {.42, -.35},
         {-.08, -.08},
         {-.08, -.08},
         {.45, .15},
         {.55, .55},
         {.2, .9},
         {-.25, .92},
         {-.6, .68}}}}},
     {{{9,
        {{-.5, -.9},
         {.5, -.9},
         {.5, -.9},
         {-.05, -.2},
         {-.05, -.2},
         {.5, .1},
         {.5, .65},
         {.05, .95},
         {-.55, .75}}}}},
     {{{9,
        {{-.45, -.85},
         {.2, -.92},
         {.45, -.5},
         {.1, -.12},
         {.05, -.08},
         {.5, .2},
         {.45, .75},
         {-.05, .95},
         {-.5, .85}}}}}},
    /* 4 */
    {{{{5, {{-.4, -.95}, {-.5, -.4}, {-.58, .1}, {-.58, .1}, {.6, .05}}},
       {2, {{.32, -.75}, {.25, .95}}}}},
     {{{4, {{.25, -.95}, {-.65, .3}, {-.65, .3}, {.65, .3}}}, {2, {{.25, -.95}, {.25, .95}}}}},
     {{{7, {{-.45, -.9}, {-.55, -.35}, {-.35, .05}, {.1, .05}, {.4, -.3}, {.5, -.9}, {.5, -.9}}},
       {3, {{.5, -.9}, {.42, .1}, {.3, .95}}}}}},
    /* 5 */
    {{{{10,
        {{.5, -.92},
         {-.4, -.92},
         {-.4, -.92},
         {-.48, -.1},
         {-.48, -.1},
         {.1, -.22},
         {.52, .2},
         {.42, .72},
         {-.05, .95},
         {-.55, .75}}}}},
     {{{7, {{-.35, -.85}, {-.42, -.1}, {.1, -.2}, {.5, .15}, {.45, .65}, {.05, .95}, {-.5, .8}}},
       {2, {{-.35, -.88}, {.55, -.95}}}}},
     {{{8,
        {{.55, -.8},
         {.1, -.92},
         {-.3, -.8},
         {-.35, -.2},
         {.2, -.1},
         {.5, .35},
         {.1, .9},
         {-.5, .85}}}}}},
    /* 6 */
    {{{{11,
        {{.4, -.92},
         {-.1, -.6},
         {-.48, 0},
         {-.5, .55},
         {-.1, .95},
         {.38, .8},
         {.5, .4},
         {.2, .05},
         {-.2, .12},
         {-.48, .45},
         {-.48, .6}}}}},
     {{{9,
        {{.1, -.95},
         {-.3, -.4},
         {-.45, .3},
         {-.3, .85},
         {.15, .92},
         {.45, .55},
         {.2, .15},
         {-.2, .25},
         {-.42, .55}}}}},
     {{{9,
        {{.5, -.8},
         {.1, -.92},
         {-.35, -.5},
         {-.5, .25},
         {-.2, .88},
         {.35, .85},
         {.45, .35},
         {.05, .08},
         {-.45, .4}}}}}},
    /* 7 */
    {{{{4, {{-.55, -.88}, {.55, -.88}, {.55, -.88}, {-.15, .95}}}}},
     {{{6, {{-.55, -.85}, {.55, -.9}, {.55, -.9}, {.25, -.3}, {.05, .3}, {-.05, .95}}},
       {2, {{-.3, .02}, {.5, -.05}}}}},
     {{{7,
        {{-.58, -.6}, {-.5, -.88}, {-.1, -.8}, {.55, -.85}, {.55, -.85}, {.1, 0}, {-.2, .95}}}}}},
    /* 8 */
    {{{{13,
        {{.4, -.75},
         {0, -.95},
         {-.42, -.7},
         {-.3, -.3},
         {.1, -.02},
         {.48, .4},
         {.3, .88},
         {-.1, .95},
         {-.5, .65},
         {-.3, .2},
         {.1, -.1},
         {.42, -.5},
         {.35, -.8}}}}},
     {{{9,
        {{0, -.95},
         {-.38, -.75},
         {-.35, -.3},
         {0, -.1},
         {.35, -.3},
         {.38, -.75},
         {0, -.95},
         {-.2, -.92},
         {-.35, -.8}}},
       {9,
        {{0, -.1},
         {-.45, .15},
         {-.45, .7},
         {0, .95},
         {.45, .7},
         {.45, .15},
         {0, -.1},
         {-.2, -.05},
         {-.4, .1}}}}},
     {{{12,
        {{.5, -.85},
         {-.1, -.92},
         {-.4, -.6},
         {0, -.15},
         {.4, .3},
         {.35, .8},
         {-.05, .95},
         {-.4, .7},
         {-.25, .25},
         {.2, -.2},
         {.5, -.6},
         {.45, -.85}}}}}},
    /* 9 */
    {{{{11,
        {{.42, -.6},
         {.1, -.95},
         {-.35, -.82},
         {-.5, -.4},
         {-.2, -.05},
         {.2, -.15},
         {.44, -.6},
         {.44, -.6},
         {.42, -.1},
         {.35, .5},
         {.28, .95}}}}},
     {{{10,
        {{.45, -.55},
         {.2, -.92},
         {-.3, -.85},
         {-.45, -.35},
         {-.05, -.05},
         {.4, -.4},
         {.46, -.6},
         {.5, .1},
         {.25, .75},
         {-.35, .9}}}}},
     {{{10,
        {{.35, -.8},
         {-.1, -.95},
         {-.48, -.55},
         {-.3, -.12},
         {.15, -.2},
         {.42, -.75},
         {.42, -.75},
         {.3, .1},
         {.1, .6},
         {-.05, .95}}}}}},
};

struct digits {
  const tier_host *host;
  const tier_random_1 *random;
  int64_t rows;
  double distortion; /* 1: as designed; 0: the bare skeletons */
  double noise;
  uint64_t class_stream;
  uint64_t shape_stream;
  uint64_t noise_stream;
};

/* ---- the random numbers of one row ----------------------------------------------------------- */

#define WAVES 2
#define SHAPE_NUMBERS 32

/* How one row is drawn: uniform numbers u, taken in order. */
struct draws {
  double u[SHAPE_NUMBERS];
  int32_t next;
};

static double uniform(struct draws *d, double low, double high) {
  return low + (high - low) * d->u[d->next++];
}

/* Symmetric around 0, at most `most`, small values likelier than large ones. */
static double around(struct draws *d, double most) {
  double first = uniform(d, -0.5, 0.5);
  return most * (first + uniform(d, -0.5, 0.5));
}

struct wave {
  double kx, ky, phase; /* of the place */
  double ax, ay;        /* how far it moves the place */
};

struct hand {
  int32_t style;
  struct wave waves[WAVES];
  double a, b, c, d; /* pixels from the plane: (a b; c d) p + (tx, ty) */
  double tx, ty;
  double width;        /* of the pen: half of it, in pixels */
  double swing, phase; /* its change along a stroke */
  double ink;          /* brightness */
};

/* The affine map: scale, then shear, then rotate, then shift. */
static void choose_map(struct hand *h, struct draws *d, double distortion) {
  double angle = around(d, 0.4 * distortion);
  double shear = around(d, 0.5 * distortion);
  double wide = 8.6 * (1 + around(d, 0.32 * distortion));
  double high = 9.2 * (1 + around(d, 0.25 * distortion));
  double c = cos(angle);
  double s = sin(angle);
  h->a = c * wide;
  h->b = -c * shear * high - s * high;
  h->c = s * wide;
  h->d = -s * shear * high + c * high;
  h->tx = 0.5 * (SIDE - 1) + around(d, 1.6 * distortion);
  h->ty = 0.5 * (SIDE - 1) + around(d, 1.6 * distortion);
}

static void choose_hand(struct hand *h, struct draws *d, double distortion) {
  h->style = (int32_t)uniform(d, 0, STYLES);
  for (int32_t i = 0; i < WAVES; i++) {
    struct wave *w = &h->waves[i];
    w->kx = uniform(d, -3, 3);
    w->ky = uniform(d, -3, 3);
    w->phase = uniform(d, 0, TAU);
    w->ax = around(d, 0.2 * distortion);
    w->ay = around(d, 0.2 * distortion);
  }
  choose_map(h, d, distortion);
  h->width = fmax(0.5, 1.25 + around(d, 0.6 * distortion));
  h->swing = uniform(d, 0, 0.25 * distortion);
  h->phase = uniform(d, 0, TAU);
  h->ink = 1 - uniform(d, 0, 0.25 * distortion);
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* Moves a place of the plane by the waves, and maps it to pixels. */
static struct point place(const struct hand *h, struct point p) {
  struct point q = p;
  for (int32_t i = 0; i < WAVES; i++) {
    const struct wave *w = &h->waves[i];
    double height = sin(w->kx * p.x + w->ky * p.y + w->phase);
    q.x += w->ax * height;
    q.y += w->ay * height;
  }
  return (struct point){h->a * q.x + h->b * q.y + h->tx, h->c * q.x + h->d * q.y + h->ty};
}

/* The curve of Catmull and Rom (1974) through p[1] and p[2], at t from 0 to 1. */
static double spline(double p0, double p1, double p2, double p3, double t) {
  return 0.5 *
         (2 * p1 +
          t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * p1 - p0 - 3 * p2 + p3))));
}

static double clamp(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}

static double distance(struct point p, struct point from, struct point to) {
  double dx = to.x - from.x;
  double dy = to.y - from.y;
  double squared = dx * dx + dy * dy;
  double t = squared > 0 ? ((p.x - from.x) * dx + (p.y - from.y) * dy) / squared : 0;
  t = clamp(t, 0, 1);
  return sqrt((p.x - from.x - t * dx) * (p.x - from.x - t * dx) +
              (p.y - from.y - t * dy) * (p.y - from.y - t * dy));
}

/* Draws a straight piece of half width `width` with a soft edge one pixel wide. x (SIDE, SIDE). */
static void draw_piece(double *x, struct point from, struct point to, double width, double ink) {
  double reach = width + 0.5;
  int32_t left = (int32_t)clamp(ceil(fmin(from.x, to.x) - reach), 0, SIDE);
  int32_t right = (int32_t)clamp(floor(fmax(from.x, to.x) + reach), -1, SIDE - 1);
  int32_t top = (int32_t)clamp(ceil(fmin(from.y, to.y) - reach), 0, SIDE);
  int32_t bottom = (int32_t)clamp(floor(fmax(from.y, to.y) + reach), -1, SIDE - 1);
  for (int32_t row = top; row <= bottom; row++) {
    for (int32_t column = left; column <= right; column++) {
      struct point p = {column, row};
      double value = ink * clamp(reach - distance(p, from, to), 0, 1);
      double *pixel = &x[row * SIDE + column];
      *pixel = value > *pixel ? value : *pixel;
    }
  }
}

static void draw_stroke(double *x, const struct hand *h, const struct point *p, int32_t count) {
  struct point from = place(h, p[0]);
  for (int32_t i = 0; i + 1 < count; i++) {
    struct point a = p[i > 0 ? i - 1 : 0];
    struct point b = p[i];
    struct point c = p[i + 1];
    struct point d = p[i + 2 < count ? i + 2 : count - 1];
    for (int32_t k = 1; k <= STEPS && (b.x != c.x || b.y != c.y); k++) {
      double t = (double)k / STEPS;
      struct point to = {spline(a.x, b.x, c.x, d.x, t), spline(a.y, b.y, c.y, d.y, t)};
      double width = h->width * (1 + h->swing * sin(h->phase + 1.3 * (i + t)));
      to = place(h, to);
      draw_piece(x, from, to, width, h->ink);
      from = to;
    }
  }
}

/* Copies the stroke's points, each moved by jitter (MOST_POINTS pairs); twins move together. */
static void jitter_points(const struct stroke *s, const double *jitter, double most,
                          struct point *out) {
  for (int32_t i = 0; i < s->count; i++) {
    const struct point *p = &s->points[i];
    int twin = i > 0 && p->x == p[-1].x && p->y == p[-1].y;
    out[i].x = p->x + most * (2 * jitter[2 * i] - 1);
    out[i].y = p->y + most * (2 * jitter[2 * i + 1] - 1);
    if (twin) {
      out[i] = out[i - 1];
    }
  }
}

static int32_t class_of(const struct digits *g, int64_t row) {
  double u = 0;
  g->random->uniform(g->class_stream, (uint64_t)row, 0, 1, &u);
  return (int32_t)(u * CLASSES);
}

/* x (PIXELS) of one row. */
static void draw_row(const struct digits *g, int64_t row, double *x) {
  struct draws draws = {.next = 0};
  struct hand hand;
  double jitter[2 * MOST_POINTS];
  struct point points[MOST_POINTS];
  double noise[PIXELS];
  g->random->uniform(g->shape_stream, (uint64_t)row, 0, SHAPE_NUMBERS, draws.u);
  choose_hand(&hand, &draws, g->distortion);
  const struct style *style = &skeletons[class_of(g, row)][hand.style];
  memset(x, 0, PIXELS * sizeof *x);
  for (int32_t i = 0; i < MOST_STROKES && style->strokes[i].count > 0; i++) {
    int64_t first = SHAPE_NUMBERS + 2 * MOST_POINTS * (int64_t)i;
    g->random->uniform(g->shape_stream, (uint64_t)row, first, 2 * MOST_POINTS, jitter);
    jitter_points(&style->strokes[i], jitter, 0.08 * g->distortion, points);
    draw_stroke(x, &hand, points, style->strokes[i].count);
  }
  g->random->uniform(g->noise_stream, (uint64_t)row, 0, PIXELS, noise);
  for (int32_t i = 0; i < PIXELS; i++) {
    double value = clamp(x[i] + g->noise * (2 * noise[i] - 1), 0, 1);
    x[i] = floor(255 * value + 0.5) / 255;
  }
}

/* ---- the dataset ----------------------------------------------------------------------------- */

static int32_t describe(void *self, tier_fields *f) {
  struct digits *g = self;
  int64_t size = PIXELS;
  TIER_TRY(f->api->rows(f, g->rows));
  TIER_TRY(f->api->field(f, "x", TIER_REAL, &size, 1, TIER_CLASSES_NONE));
  TIER_TRY(f->api->image(f, "x", SIDE, SIDE, 1));
  return f->api->field(f, "y", TIER_I32, NULL, 0, CLASSES);
}

static int32_t read_rows(void *self, const char *field, const int64_t *rows, int64_t count,
                         void *out) {
  struct digits *g = self;
  for (int64_t i = 0; i < count; i++) {
    if (strcmp(field, "y") == 0) {
      ((int32_t *)out)[i] = class_of(g, rows[i]);
    } else {
      draw_row(g, rows[i], (double *)out + i * PIXELS);
    }
  }
  return TIER_OK;
}

static int32_t create(const tier_host *host, const tier_params *p, void **object) {
  const tier_random_1 *random = host->get(host, "tier.random/1");
  if (random == NULL) {
    return tier_failf(host, TIER_E_PLUGIN, "this host has no tier.random/1");
  }
  struct digits *g = calloc(1, sizeof *g);
  if (g == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  uint64_t stream = p->api->stream(p);
  g->host = host;
  g->random = random;
  g->rows = tier_integer(p, "rows");
  g->distortion = tier_number(p, "distortion");
  g->noise = tier_number(p, "noise");
  g->class_stream = random->derive(stream, "class");
  g->shape_stream = random->derive(stream, "shape");
  g->noise_stream = random->derive(stream, "noise");
  *object = g;
  return TIER_OK;
}

static const tier_dataset_1 dataset = {
    .struct_size = (uint32_t)sizeof(tier_dataset_1),
    .describe = describe,
    .read = read_rows,
};

static const void *get(void *self, const char *interface_id) {
  (void)self;
  return strcmp(interface_id, "tier.dataset/1") == 0 ? &dataset : NULL;
}

static const tier_slot slots[] = {
    {.name = "rows",
     .doc = "number of digits",
     .fallback = "10000",
     .unit = "rows",
     .type = TIER_SLOT_INTEGER,
     .minimum = 1,
     .maximum = 9007199254740992.0},
    {.name = "distortion",
     .doc = "how much digits of one class differ: 1 is like handwriting, 0 not at all",
     .fallback = "1",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 0,
     .maximum = 2},
    {.name = "noise",
     .doc = "most that is added to or taken from a pixel, which is 0 to 1",
     .fallback = "0.1",
     .unit = "",
     .type = TIER_SLOT_NUMBER,
     .minimum = 0,
     .maximum = 1},
};

static const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .flags = TIER_RANDOM,
     .kind = "dataset",
     .id = "digits",
     .summary = "Handwritten digits drawn by rule, 28 x 28, ten classes.",
     TIER_SLOTS(slots),
     .create = create,
     .destroy = free,
     .get = get},
};

TIER_PLUGIN("datasets-digits", "1.0", "MIT", components);

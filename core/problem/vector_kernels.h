/* The kernels of vector.c, for one type REAL: included twice, so without a guard.
 *
 * Sums run in LANES sums side by side, element i in lane i mod LANES, added in order at the end: an
 * order that depends on the count only, and that compilers can vectorize as it stands. */

#define LANES 8

static void KERNEL(fill)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  REAL *x = (REAL *)c->x->data + first;
  REAL a = (REAL)c->a;
  (void)chunk;
  for (int64_t i = 0; i < count; i++) {
    x[i] = a;
  }
}

static void KERNEL(scale)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  REAL *x = (REAL *)c->x->data + first;
  REAL a = (REAL)c->a;
  (void)chunk;
  for (int64_t i = 0; i < count; i++) {
    x[i] = a * x[i];
  }
}

static void KERNEL(axpy)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  const REAL *x = (const REAL *)c->x->data + first;
  REAL *y = (REAL *)c->y->data + first;
  REAL a = (REAL)c->a;
  (void)chunk;
  for (int64_t i = 0; i < count; i++) {
    y[i] = y[i] + a * x[i];
  }
}

static void KERNEL(axpby)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  const REAL *x = (const REAL *)c->x->data + first;
  REAL *y = (REAL *)c->y->data + first;
  REAL a = (REAL)c->a;
  REAL b = (REAL)c->b;
  (void)chunk;
  if (b == (REAL)0) { /* y may hold NaN */
    for (int64_t i = 0; i < count; i++) {
      y[i] = a * x[i];
    }
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    y[i] = a * x[i] + b * y[i];
  }
}

static double KERNEL(sum_lanes)(const double *lane) {
  double sum = 0.0;
  for (int j = 0; j < LANES; j++) {
    sum += lane[j];
  }
  return sum;
}

static void KERNEL(dot)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  const REAL *x = (const REAL *)c->x->data + first;
  const REAL *y = (const REAL *)c->y->data + first;
  double lane[LANES] = {0};
  int64_t whole = count / LANES * LANES;
  for (int64_t i = 0; i < whole; i += LANES) {
    for (int j = 0; j < LANES; j++) {
      lane[j] += (double)x[i + j] * (double)y[i + j];
    }
  }
  for (int64_t i = whole; i < count; i++) {
    lane[i - whole] += (double)x[i] * (double)y[i];
  }
  c->partial[chunk] = KERNEL(sum_lanes)(lane);
}

/* The sum of (x / a)^2. */
static void KERNEL(scaled_square)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  const REAL *x = (const REAL *)c->x->data + first;
  double sum = 0.0;
  for (int64_t i = 0; i < count; i++) {
    double ratio = (double)x[i] / c->a;
    sum += ratio * ratio;
  }
  c->partial[chunk] = sum;
}

static void KERNEL(max_abs)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  const REAL *x = (const REAL *)c->x->data + first;
  REAL most = 0;
  int nan = 0;
  for (int64_t i = 0; i < count; i++) {
    REAL size = x[i] < 0 ? -x[i] : x[i];
    most = size > most ? size : most;
    nan |= x[i] != x[i];
  }
  c->partial[chunk] = nan ? (double)NAN : (double)most;
}

static void KERNEL(finite)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  const REAL *x = (const REAL *)c->x->data + first;
  int all = 1;
  for (int64_t i = 0; i < count; i++) {
    all &= x[i] - x[i] == 0; /* NaN for infinities and NaN */
  }
  c->partial[chunk] = all;
}

static void KERNEL(normal)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  REAL *x = (REAL *)c->x->data + first;
  (void)chunk;
  for (int64_t i = 0; i < count; i++) {
    x[i] = (REAL)random_normal(c->stream, c->draw, (uint64_t)(first + i));
  }
}

static void KERNEL(signs)(struct call *c, int64_t chunk, int64_t first, int64_t count) {
  REAL *x = (REAL *)c->x->data + first;
  (void)chunk;
  for (int64_t i = 0; i < count; i++) {
    x[i] = random_uniform(c->stream, c->draw, (uint64_t)(first + i)) < 0.5 ? (REAL)-1 : (REAL)1;
  }
}

#undef LANES

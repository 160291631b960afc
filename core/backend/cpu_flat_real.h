/* The loops of cpu_flat.c for one type REAL: included twice, so without a guard. */

static void NAME(fill)(int64_t n, double a, void *to) {
  REAL *x = to;
  for (int64_t i = 0; i < n; i++) {
    x[i] = (REAL)a;
  }
}

static void NAME(scale)(int64_t n, double scalar, void *to) {
  REAL *x = to;
  REAL a = (REAL)scalar;
  INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    x[i] = a * x[i];
  }
}

static void NAME(axpy)(int64_t n, double scalar, const void *from, void *to) {
  const REAL *x = from;
  REAL *y = to;
  REAL a = (REAL)scalar;
  INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    y[i] = y[i] + a * x[i];
  }
}

static void NAME(axpby)(int64_t n, double scalar_a, const void *from, double scalar_b, void *to) {
  const REAL *x = from;
  REAL *y = to;
  REAL a = (REAL)scalar_a;
  REAL b = (REAL)scalar_b;
  if (b == (REAL)0) { /* y may hold NaN */
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
      y[i] = a * x[i];
    }
    return;
  }
  INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    y[i] = a * x[i] + b * y[i];
  }
}

/* For each i: `update`, then a term into its lane. The inner loop's 16 elements are independent. */
#define SUM_LOOP(update, term)                 \
  double lanes[LANES] = {0};                   \
  int64_t first = 0;                           \
  for (; first + LANES <= n; first += LANES) { \
    INDEPENDENT                                \
    for (int j = 0; j < LANES; j++) {          \
      const int64_t i = first + j;             \
      update;                                  \
      lanes[j] += (term);                      \
    }                                          \
  }                                            \
  for (int64_t i = first; i < n; i++) {        \
    update;                                    \
    lanes[i - first] += (term);                \
  }                                            \
  return add_lanes(lanes);

static double NAME(dot)(int64_t n, const void *from_x, const void *from_y) {
  const REAL *x = from_x;
  const REAL *y = from_y;
  SUM_LOOP((void)0, (double)x[i] * (double)y[i])
}

static double NAME(squared_distance)(int64_t n, const void *from_x, const void *from_y) {
  const REAL *x = from_x;
  const REAL *y = from_y;
  SUM_LOOP(const double d = (double)x[i] - (double)y[i], d * d)
}

static double NAME(scaled_square)(int64_t n, double a, const void *from) {
  const REAL *x = from;
  SUM_LOOP(const double ratio = (double)x[i] / a, ratio * ratio)
}

static double NAME(axpby_dot)(int64_t n, double scalar_a, const void *from, double scalar_b,
                              void *to, const void *other) {
  const REAL *x = from;
  const REAL *z = other;
  REAL *y = to;
  REAL a = (REAL)scalar_a;
  REAL b = (REAL)scalar_b;
  if (b == (REAL)0) {
    SUM_LOOP(y[i] = a * x[i], (double)y[i] * (double)z[i])
  }
  SUM_LOOP(y[i] = a * x[i] + b * y[i], (double)y[i] * (double)z[i])
}

static double NAME(axpy_pair)(int64_t n, double scalar_a, const void *from_p, void *to_x,
                              double scalar_b, const void *from_q, void *to_r) {
  const REAL *p = from_p;
  const REAL *q = from_q;
  REAL *x = to_x;
  REAL *r = to_r;
  REAL a = (REAL)scalar_a;
  REAL b = (REAL)scalar_b;
  SUM_LOOP(x[i] = x[i] + a * p[i]; r[i] = r[i] + b * q[i], (double)r[i] * (double)r[i])
}
#undef SUM_LOOP

static void NAME(axpy_chain)(int64_t n, double scalar_a, const void *from, void *to_y,
                             double scalar_b, void *to_z) {
  const REAL *x = from;
  REAL *y = to_y;
  REAL *z = to_z;
  REAL a = (REAL)scalar_a;
  REAL b = (REAL)scalar_b;
  INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    REAL sum = y[i] + a * x[i];
    y[i] = sum;
    z[i] = z[i] + b * sum;
  }
}

static double NAME(max_abs)(int64_t n, const void *from) {
  const REAL *x = from;
  REAL most = 0;
  int nan = 0;
  for (int64_t i = 0; i < n; i++) {
    REAL size = x[i] < 0 ? -x[i] : x[i];
    most = size > most ? size : most;
    nan |= x[i] != x[i];
  }
  return nan ? (double)NAN : (double)most;
}

static int NAME(finite)(int64_t n, const void *from) {
  const REAL *x = from;
  int all = 1;
  for (int64_t i = 0; i < n; i++) {
    all &= x[i] - x[i] == 0; /* NaN for infinities and NaN */
  }
  return all;
}

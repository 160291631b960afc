/* Scales and ticks. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "page/internal.h"

int axis_takes(const struct axis *a, double value) {
  return isfinite(value) && (!a->logarithmic || value > 0);
}

void axis_add(struct axis *a, double value) {
  if (axis_takes(a, value)) {
    double v = a->logarithmic ? log10(value) : value;
    int empty = a->low > a->high;
    a->low = empty || v < a->low ? v : a->low;
    a->high = empty || v > a->high ? v : a->high;
  }
}

static void add_tick(struct axis *a, double value) {
  double v = a->logarithmic ? log10(value) : value;
  double slack = 1e-9 * (a->high - a->low);
  if (a->tick_count < AXIS_TICKS && v >= a->low - slack && v <= a->high + slack) {
    a->ticks[a->tick_count++] = value;
  }
}

/* At most six ticks at multiples of 1, 2 or 5 times a power of ten. */
static void linear_ticks(struct axis *a) {
  double rough = (a->high - a->low) / 5;
  double power = pow(10, floor(log10(rough)));
  double ratio = rough / power;
  double step = power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
  for (double k = ceil(a->low / step - 1e-9); k * step <= a->high * (1 + 1e-12) + step * 1e-9;
       k++) {
    add_tick(a, k * step);
    if (a->tick_count == AXIS_TICKS) {
      return;
    }
  }
}

/* Powers of ten, at most seven of them; where there are fewer than three, 2 and 5 times these too.
 */
static void logarithmic_ticks(struct axis *a) {
  double decades = floor(a->high) - ceil(a->low) + 1;
  double stride = ceil(decades / 7);
  stride = stride < 1 ? 1 : stride;
  for (double e = stride * ceil(a->low / stride); e <= a->high; e += stride) {
    add_tick(a, pow(10, e));
  }
  if (a->tick_count < 3) {
    a->tick_count = 0;
    for (double e = floor(a->low); e <= a->high; e++) {
      add_tick(a, pow(10, e));
      add_tick(a, 2 * pow(10, e));
      add_tick(a, 5 * pow(10, e));
    }
  }
}

void axis_finish(struct axis *a) {
  if (a->low > a->high) {
    a->low = 0;
    a->high = 1;
  }
  double range = a->high - a->low;
  double middle = (a->high + a->low) / 2;
  double least = a->logarithmic ? 0.5 : fmax(1e-9 * fabs(a->high), 1e-300);
  double half = 0.55 * range;
  if (range < least) {
    half = a->logarithmic ? 0.35 : fabs(middle) > 0 ? 0.5 * fabs(middle) : 0.5;
  }
  a->low = middle - half;
  a->high = middle + half;
  a->tick_count = 0;
  if (a->logarithmic) {
    logarithmic_ticks(a);
  } else {
    linear_ticks(a);
  }
}

double axis_place(const struct axis *a, double value) {
  double v = a->logarithmic ? log10(value) : value;
  return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from);
}

static void power_label(double exponent, double times, char out[32]) {
  static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  char plain[16];
  size_t used = 0;
  (void)snprintf(plain, sizeof plain, "%.0f", exponent);
  used = (size_t)snprintf(out, 32, times > 1.5 ? "%.0f·10" : "10", times);
  for (const char *c = plain; *c != '\0' && used < 24; c++) {
    const char *s = *c == '-' ? "⁻" : digits[*c - '0'];
    memcpy(out + used, s, strlen(s) + 1);
    used += strlen(s);
  }
}

void axis_label(const struct axis *a, double tick, char out[32]) {
  double exponent = tick > 0 ? floor(log10(tick) + 1e-9) : 0;
  if (a->logarithmic && (exponent < -3 || exponent > 4)) {
    power_label(exponent, tick / pow(10, exponent), out);
  } else {
    double zero = 1e-12 * (a->high - a->low);
    (void)snprintf(out, 32, "%.6g", !a->logarithmic && fabs(tick) < zero ? 0.0 : tick);
  }
}

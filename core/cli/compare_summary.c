/* What the rows of compare --estimators come to over the states. */
#include <math.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/output.h"
#include "run/directory.h"

static int is_same(const struct json *a, const struct json *b) {
  return strcmp(json_text_at(a, "estimator"), json_text_at(b, "estimator")) == 0 &&
         strcmp(json_text_at(a, "setting"), json_text_at(b, "setting")) == 0;
}

static struct json *find_in(const struct json *summary, const struct json *row) {
  for (size_t i = 0; i < summary->count; i++) {
    if (is_same(summary->items[i], row)) {
      return summary->items[i];
    }
  }
  return NULL;
}

struct extent {
  double low, high;
};

static void widen(struct extent *e, double low, double high) {
  e->low = !(low >= e->low) ? low : e->low;
  e->high = !(high <= e->high) ? high : e->high;
}

static double finite_or(double value, double otherwise) {
  return isfinite(value) ? value : otherwise;
}

static void sum_up(struct arena *a, const struct json *rows, struct json *out) {
  static const char *const means[] = {"cost", "pullback_seconds", "inner_steps"};
  struct statistic values[3] = {{0}, {0}, {0}};
  struct extent extent = {NAN, NAN};
  double logs = 0;
  double peak = NAN;
  double states = 0;
  for (size_t i = 0; i < rows->count; i++) {
    const struct json *row = rows->items[i];
    double error = number_at(row, "relative_error");
    if (is_same(row, out) && isfinite(error)) {
      double spread = finite_or(number_at(row, "relative_error_deviation"), 0);
      widen(&extent, error - spread, error + spread);
      logs += log(error);
      states++;
      peak = fmax(peak, number_at(row, "peak_bytes"));
      for (size_t k = 0; k < 3; k++) {
        statistic_add(&values[k], number_at(row, means[k]));
      }
    }
  }
  put_number(a, out, "states", states);
  put_number(a, out, "relative_error", states > 0 ? exp(logs / states) : NAN);
  put_number(a, out, "low", extent.low);
  put_number(a, out, "high", extent.high);
  for (size_t k = 0; k < 3; k++) {
    put_number(a, out, means[k], statistic_finish(values[k]).mean);
  }
  put_number(a, out, "peak_bytes", peak);
}

/* Is there one of the same setting and number of states that is as good in both and better in one?
 */
static int is_beaten(const struct json *summary, const struct json *s, const char *cost) {
  double error = number_at(s, "relative_error");
  double price = number_at(s, cost);
  for (size_t i = 0; i < summary->count; i++) {
    const struct json *o = summary->items[i];
    double e = number_at(o, "relative_error");
    double p = number_at(o, cost);
    if (strcmp(json_text_at(s, "setting"), json_text_at(o, "setting")) == 0 &&
        number_at(o, "states") >= number_at(s, "states") && e <= error && p <= price &&
        (e < error || p < price)) {
      return 1;
    }
  }
  return !isfinite(error) || !isfinite(price);
}

struct json *summary_of(struct arena *a, const struct json *rows) {
  static const char *const keys[] = {"estimator", "series", "setting"};
  struct json *summary = json_make(a, JSON_LIST);
  for (size_t i = 0; i < rows->count; i++) {
    if (find_in(summary, rows->items[i]) == NULL) {
      struct json *s = json_make(a, JSON_OBJECT);
      for (size_t k = 0; k < 3; k++) {
        put_text(a, s, keys[k], json_text_at(rows->items[i], keys[k]));
      }
      sum_up(a, rows, s);
      json_append(a, summary, s);
    }
  }
  for (size_t i = 0; i < summary->count; i++) {
    struct json *s = summary->items[i];
    put_flag(a, s, "pareto_cost", !is_beaten(summary, s, "cost"));
    put_flag(a, s, "pareto_seconds", !is_beaten(summary, s, "pullback_seconds"));
  }
  return summary;
}

static int has_settings(const struct json *summary) {
  for (size_t i = 0; i < summary->count; i++) {
    if (json_text_at(summary->items[i], "setting")[0] != '\0') {
      return 1;
    }
  }
  return 0;
}

void summary_cells(const struct json *summary, struct table *t) {
  static const char *const head[] = {"states",  "rel. error", "least",   "most",
                                     "HVP-eq.", "pullback s", "peak MB", "inner steps"};
  int settings = has_settings(summary);
  table_text(t, "");
  table_text(t, "estimator");
  if (settings) {
    table_text(t, "setting");
  }
  for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
    table_text(t, head[i]);
  }
  table_end_head(t);
  for (size_t i = 0; i < summary->count; i++) {
    const struct json *s = summary->items[i];
    table_text(t, json_member(s, "pareto_cost")->boolean ? "*" : "");
    table_text(t, json_text_at(s, "estimator"));
    if (settings) {
      table_text(t, json_text_at(s, "setting"));
    }
    table_number(t, number_at(s, "states"), "%.0f");
    table_number(t, number_at(s, "relative_error"), "%.2e");
    table_number(t, number_at(s, "low"), "%.2e");
    table_number(t, number_at(s, "high"), "%.2e");
    table_number(t, number_at(s, "cost"), "%.4g");
    table_number(t, number_at(s, "pullback_seconds"), "%.4f");
    table_number(t, number_at(s, "peak_bytes") / 1e6, "%.1f");
    table_number(t, number_at(s, "inner_steps"), "%.0f");
  }
}

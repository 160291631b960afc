/* Models, losses, maps, evaluators and sets: the identities that hold for every function. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/error.h"
#include "base/memory.h"
#include "check/built.h"
#include "check/kinds.h"
#include "check/matrix.h"

#define DIFFERENCE 1e-6
#define FIRST_BOUND 1e-7  /* of a gradient against central differences, relative */
#define EXACT_BOUND 1e-10 /* of identities that hold to rounding */
#define NARROW_BOUND 1e-4 /* of f32 against f64 */

static const struct built_shape usual = {.rows = BUILT_ROWS, .wrong_input = -1};

/* Calls `judge` with each entry that the component builds; a refusal of all of them skips. */
static void each_entry(struct check *c, void (*judge)(struct check *c, struct built *b)) {
  struct instance *i = NULL;
  struct built b;
  int built = 0;
  if (!check_ok(c, built_instance(c, &i), "create")) {
    return;
  }
  for (uint32_t e = 0; e < built_entries(c); e++) {
    int32_t status = built_open(c, i, e, &usual, &b);
    if (status == TIER_OK) {
      built = 1;
      judge(c, &b);
    } else if (e + 1 == built_entries(c) && !built) {
      (void)check_ok(c, status, "build");
    }
    error_clear();
    built_close(&b);
  }
  instance_free(i);
}

/* Fails with the place of the first element that is off. `scale`: of the largest. */
static void compare(struct check *c, const char *what, int64_t n, const double *x, const double *y,
                    double bound) {
  double error = matrix_error(n, x, y);
  if (!(error <= bound)) {
    int64_t worst = 0;
    for (int64_t i = 0; i < n; i++) {
      worst = !(fabs(x[i] - y[i]) <= fabs(x[worst] - y[worst])) ? i : worst;
    }
    check_fail(c, "%s: %.3g apart (bound %g; element %lld is %.10g instead of %.10g)", what, error,
               bound, (long long)worst, x[worst], y[worst]);
  }
}

/* ---- values ---- */

static void values_of_entry(struct check *c, struct built *b) {
  int64_t n = built_size(b, b->outputs, b->output_count);
  double *exact = memory_alloc((size_t)n, sizeof *exact);
  double *other = memory_alloc((size_t)n, sizeof *other);
  if (check_ok(c, built_evaluate(b, "reference", DTYPE_F64, b->outputs, b->output_count, exact),
               "evaluate") &&
      check_ok(c, built_evaluate(b, "cpu", DTYPE_F64, b->outputs, b->output_count, other),
               "evaluate")) {
    compare(c, "backend cpu against the reference", n, other, exact, 1e-12);
    if (check_ok(c, built_evaluate(b, "cpu", DTYPE_F32, b->outputs, b->output_count, other),
                 "evaluate")) {
      compare(c, "f32 against f64", n, other, exact, NARROW_BOUND);
    }
  }
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(exact[i])) {
      check_fail(c, "output %lld is %g at inputs between 1.1 and 1.9", (long long)i, exact[i]);
    }
  }
  free(exact);
  free(other);
}

static void values(struct check *c, int row) {
  (void)row;
  each_entry(c, values_of_entry);
}

/* ---- first derivatives ---- */

/* The real numbers in `values` (of the inputs), dotted with the directions. */
static double dotted(const struct built *b, const tier_value *values, const double *numbers,
                     int use_w) {
  double sum = 0;
  for (size_t i = 0; i < b->input_count; i++) {
    if (values[i] != 0) {
      const double *direction = use_w ? b->inputs[i].w : b->inputs[i].v;
      for (int64_t k = 0; k < b->inputs[i].size; k++) {
        sum += *numbers++ * direction[k];
      }
    }
  }
  return sum;
}

/* sum_k <u_k, y_k> at x + h v. */
static int32_t pulled(struct built *b, double h, double *out) {
  int64_t n = built_size(b, b->outputs, b->output_count);
  double *y = memory_alloc((size_t)n, sizeof *y);
  const double *at = y;
  for (int sign = 1; sign >= -1; sign -= 2) { /* moves, evaluates, moves back */
    for (size_t i = 0; i < b->input_count; i++) {
      for (int64_t k = 0; b->inputs[i].x != NULL && k < b->inputs[i].size; k++) {
        b->inputs[i].x[k] += sign * h * b->inputs[i].v[k];
      }
    }
    if (sign > 0) {
      int32_t status = built_evaluate(b, "reference", DTYPE_F64, b->outputs, b->output_count, y);
      if (status < 0) {
        free(y);
        return status;
      }
    }
  }
  *out = 0;
  for (size_t k = 0; k < b->output_count; k++) {
    for (int64_t i = 0; i < built_size(b, &b->outputs[k], 1); i++) {
      *out += *at++ * b->u[k][i];
    }
  }
  free(y);
  return TIER_OK;
}

static int32_t pullback_along_v(struct built *b, double *out) {
  tier_value g[BUILT_MOST];
  TIER_TRY(built_gradient(b, g));
  double *numbers = memory_alloc((size_t)built_size(b, g, b->input_count) + 1, sizeof *numbers);
  int32_t status = built_evaluate(b, "reference", DTYPE_F64, g, b->input_count, numbers);
  *out = dotted(b, g, numbers, 0);
  free(numbers);
  return status;
}

void check_gradient(struct check *c, struct built *b) {
  double exact = 0;
  double up = 0;
  double down = 0;
  if (check_ok(c, pullback_along_v(b, &exact), "gradient") &&
      check_ok(c, pulled(b, DIFFERENCE, &up), "value") &&
      check_ok(c, pulled(b, -DIFFERENCE, &down), "value")) {
    double difference = (up - down) / (2 * DIFFERENCE);
    double scale = fmax(fabs(exact), 1e-2 * fmax(fabs(up), 1));
    if (!(fabs(exact - difference) <= FIRST_BOUND * 10 * scale)) {
      check_fail(c, "the gradient along a direction is %.10g, and central differences give %.10g",
                 exact, difference);
    }
  }
}

static void gradients(struct check *c, int row) {
  (void)row;
  if (strcmp(c->component->c.id, "stop-gradient") == 0) {
    check_skip(c, "its derivative is zero on purpose");
    return;
  }
  each_entry(c, check_gradient);
}

/* <u, J v> = <J' u, v> */
void check_adjoint(struct check *c, struct built *b) {
  tier_value t[BUILT_MOST];
  double reverse = 0;
  double forward = 0;
  if (!check_ok(c, pullback_along_v(b, &reverse), "gradient") ||
      !check_ok(c, built_tangent(b, t), "tangent")) {
    return;
  }
  for (size_t k = 0; k < b->output_count; k++) {
    double *y = memory_alloc((size_t)built_size(b, &t[k], 1) + 1, sizeof *y);
    if (t[k] != 0 &&
        check_ok(c, built_evaluate(b, "reference", DTYPE_F64, &t[k], 1, y), "tangent")) {
      for (int64_t i = 0; i < built_size(b, &t[k], 1); i++) {
        forward += y[i] * b->u[k][i];
      }
    }
    free(y);
  }
  if (!(fabs(forward - reverse) <= EXACT_BOUND * fmax(fabs(forward), 1))) {
    check_fail(c, "<u, J v> is %.12g, but <J' u, v> is %.12g", forward, reverse);
  }
}

static void adjoints(struct check *c, int row) {
  (void)row;
  each_entry(c, check_adjoint);
}

/* ---- second derivatives ---- */

static void swap_directions(struct built *b) {
  for (size_t i = 0; i < b->input_count; i++) {
    double *kept = b->inputs[i].v;
    b->inputs[i].v = b->inputs[i].w;
    b->inputs[i].w = kept;
  }
}

/* Forward over reverse, H v, against reverse over reverse; and w'Hv = v'Hw. */
static void hessian_of_entry(struct check *c, struct built *b) {
  tier_value g[BUILT_MOST];
  tier_value forward[BUILT_MOST];
  tier_value reverse[BUILT_MOST];
  double products[2][2] = {{0, 0}, {0, 0}};
  if (!check_ok(c, built_gradient(b, g), "gradient") ||
      !check_ok(c, built_second(b, g, forward, reverse), "second derivatives")) {
    return;
  }
  for (int swapped = 0; swapped < 2; swapped++) {
    const tier_value *ways[2] = {forward, reverse};
    for (int way = 0; way < 2; way++) {
      int64_t n = built_size(b, ways[way], b->input_count);
      double *h = memory_alloc((size_t)n + 1, sizeof *h);
      (void)check_ok(c, built_evaluate(b, "reference", DTYPE_F64, ways[way], b->input_count, h),
                     "products");
      products[swapped][way] = dotted(b, ways[way], h, 1);
      free(h);
    }
    swap_directions(b);
  }
  double scale = fmax(fabs(products[0][0]), 1);
  if (!(fabs(products[0][0] - products[0][1]) <= EXACT_BOUND * scale)) {
    check_fail(c, "w'Hv is %.12g by forward over reverse, and %.12g by reverse over reverse",
               products[0][0], products[0][1]);
  }
  if (!(fabs(products[0][0] - products[1][0]) <= EXACT_BOUND * scale)) {
    check_fail(c, "the Hessian is not symmetric: w'Hv is %.12g, v'Hw is %.12g", products[0][0],
               products[1][0]);
  }
}

static void hessians(struct check *c, int row) {
  (void)row;
  each_entry(c, hessian_of_entry);
}

/* ---- rows ---- */

static int has_rows(const struct built *b, tier_value v) {
  const struct value *y = graph_value(b->g, v);
  return y->rank > 0 && y->dims[0] == BUILT_ROWS;
}

/* Moves the last row of all inputs that have rows; variables stay. */
static void move_last_row(const struct check *c, struct built *b) {
  for (size_t i = 0; i < b->input_count; i++) {
    struct built_input *in = &b->inputs[i];
    const tier_component *k = &c->component->c;
    int slot = 0;
    for (uint32_t e = 0; e < built_entries(c); e++) {
      const tier_slot *slots = k->entry_count > 0 ? k->entries[e].slots : k->slots;
      uint32_t count = k->entry_count > 0 ? k->entries[e].slot_count : k->slot_count;
      for (uint32_t s = 0; s < count; s++) {
        slot = slot || strcmp(slots[s].name, in->name) == 0;
      }
    }
    for (int64_t r = in->size * (BUILT_ROWS - 1) / BUILT_ROWS; slot && in->x && r < in->size; r++) {
      in->x[r] += 0.01 * (double)(r + 1) * (double)(i + 1); /* no difference of two inputs stays */
    }
  }
}

/* The other rows of the outputs must not notice. */
static void rows_of_entry(struct check *c, struct built *b) {
  int64_t n = built_size(b, b->outputs, b->output_count);
  double *before = memory_alloc((size_t)n, sizeof *before);
  double *after = memory_alloc((size_t)n, sizeof *after);
  const double *x = before;
  const double *y = after;
  int32_t status = built_evaluate(b, "reference", DTYPE_F64, b->outputs, b->output_count, before);
  move_last_row(c, b);
  if (status == TIER_OK) {
    status = built_evaluate(b, "reference", DTYPE_F64, b->outputs, b->output_count, after);
  }
  for (size_t k = 0; k < b->output_count && check_ok(c, status, "evaluate"); k++) {
    int64_t size = built_size(b, &b->outputs[k], 1);
    if (!has_rows(b, b->outputs[k])) {
      check_fail(c, "output %zu does not have the %d rows of the inputs", k, BUILT_ROWS);
    } else if (memcmp(x, y, (size_t)(size / BUILT_ROWS * (BUILT_ROWS - 1)) * sizeof *x) != 0) {
      check_fail(c, "another last row changes the other rows' numbers");
    }
    x += size;
    y += size;
  }
  free(before);
  free(after);
}

static void rows(struct check *c, int row) {
  const tier_component *k = &c->component->c;
  (void)row;
  if (k->flags & (TIER_COMPARES | TIER_RANDOM)) {
    check_skip(c, "its rows are not independent of each other: it compares samples, or draws");
  } else {
    each_entry(c, rows_of_entry);
  }
}

/* ---- shapes, repetition ---- */

static void shapes(struct check *c, int row) {
  struct instance *i = NULL;
  struct built b;
  const int model = strcmp(c->component->c.kind, "model") == 0;
  struct built_shape wrong = {
      .rows = BUILT_ROWS, .wrong_input = model ? -1 : 1, .wrong_width = model};
  (void)row;
  if (!check_ok(c, built_instance(c, &i), "create")) {
    return;
  }
  int32_t usual_status = built_open(c, i, 0, &usual, &b);
  int several = b.input_count > 1; /* inputs of the caller, which both have rows */
  for (size_t k = 0; k < b.input_count && k < 2; k++) {
    const struct value *x = graph_value(b.g, b.inputs[k].value);
    several = several && x->rank > 0 && x->dims[0] == BUILT_ROWS &&
              strcmp(b.inputs[k].name, "unused") != 0 && strcmp(b.inputs[k].name, BUILT_KEY) != 0;
  }
  built_close(&b);
  if (!check_ok(c, usual_status, "build") || (!model && !several) ||
      (c->component->c.flags & TIER_COMPARES)) {
    check_skip(c, "any shape will do");
  } else {
    if (built_open(c, i, 0, &wrong, &b) == TIER_OK) {
      check_fail(c,
                 model ? "it takes inputs that are one wider than its arguments say"
                       : "it takes inputs of %d and %d rows",
                 BUILT_ROWS, BUILT_ROWS + 1);
    } else {
      check_note(c, "%s", error_text());
    }
    built_close(&b);
  }
  error_clear();
  instance_free(i);
}

/* Two instances, built in turns: the same bits. */
static void interleaved(struct check *c, int row) {
  struct instance *i[2] = {NULL, NULL};
  struct built b[2] = {{0}, {0}};
  (void)row;
  if (!check_ok(c, built_instance(c, &i[0]), "create") ||
      !check_ok(c, built_instance(c, &i[1]), "create")) {
    instance_free(i[0]);
    return;
  }
  int32_t status = built_open(c, i[0], 0, &usual, &b[0]);
  if (status == TIER_OK) {
    status = built_open(c, i[1], 0, &usual, &b[1]);
  }
  if (check_ok(c, status, "build")) {
    int64_t n = built_size(&b[0], b[0].outputs, b[0].output_count);
    double *y[2];
    for (int k = 0; k < 2; k++) {
      y[k] = memory_alloc((size_t)n, sizeof(double));
      (void)check_ok(c,
                     built_evaluate(&b[k], "cpu", DTYPE_F64, b[k].outputs, b[k].output_count, y[k]),
                     "evaluate");
    }
    if (memcmp(y[0], y[1], (size_t)n * sizeof(double)) != 0) {
      check_fail(c, "two instances, built in turns, give different numbers");
    }
    free(y[0]);
    free(y[1]);
    built_close(&b[1]);
  }
  built_close(&b[0]);
  instance_free(i[0]);
  instance_free(i[1]);
}

static const struct check_test tests[] = {
    {"values", values, 0},           {"gradient", gradients, 0}, {"adjoint", adjoints, 0},
    {"hessian", hessians, 0},        {"rows", rows, 0},          {"shapes", shapes, 0},
    {"interleaved", interleaved, 0},
};
const struct check_group check_functions = {tests, CHECK_COUNT(tests)};

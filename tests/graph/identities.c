#include "identities.h"

#include <math.h>
#include <string.h>

#include "diff/diff.h"
#include "plain.h"

#define POINTS 3
#define MOST 3 /* inputs */

/* The graph of one check, all that it yields, and the numbers at the point. */
struct check {
  const struct example *e;
  struct graph *g;
  uint32_t count;              /* inputs of the operation */
  tier_value args[MOST];       /* as the operation sees them */
  tier_value x[MOST];          /* the graph's inputs behind them */
  uint32_t moving;             /* how many of them are differentiated ... */
  tier_value xs[MOST];         /* ... and which */
  tier_value u[MOST], v[MOST]; /* directions for the xs */
  tier_value y, c;             /* the output after all broadcasting; its weights */
  tier_value bare;             /* the operation's own output */
  /* all graph inputs with their numbers */
  uint32_t input_count;
  tier_value inputs[3 * MOST + 1];
  double *data[3 * MOST + 1];
};

static int differentiated(char kind) {
  return kind == 'r' || kind == 'n';
}

static tier_value add_input(struct check *k, tier_value v) {
  k->inputs[k->input_count] = v;
  k->data[k->input_count++] = calloc((size_t)size_of(k->g, v) + 1, sizeof(double));
  return v;
}

/* x with axis of size 1, repeated to the shape that the operation needs. */
static tier_value broadcast_argument(struct check *k, uint32_t i, int32_t axis) {
  struct shape s = k->e->shapes[i];
  int64_t full = s.dims[axis];
  s.dims[axis] = 1;
  k->x[i] = add_input(k, input_real(k->g, s.dims, s.rank));
  s.dims[axis] = full;
  return tier_broadcast(&k->g->face, k->x[i], s.dims, s.rank);
}

static tier_value make_argument(struct check *k, uint32_t i, int broadcasting) {
  const struct example *e = k->e;
  const struct shape *s = &e->shapes[i];
  if (broadcasting && differentiated(e->inputs[i]) && e->axis >= 0 && e->axis < s->rank) {
    return broadcast_argument(k, i, e->axis);
  }
  k->x[i] = add_input(k, e->inputs[i] == 'i' ? input_i32(k->g, s->dims, s->rank)
                                             : input_real(k->g, s->dims, s->rank));
  return k->x[i];
}

/* y (d...) -> (2, d...), both halves equal. */
static tier_value broadcast_output(struct graph *g, tier_value y) {
  struct value v = *graph_value(g, y);
  int64_t dims[TIER_MAX_RANK] = {1};
  if (v.rank == TIER_MAX_RANK) {
    return y;
  }
  memcpy(dims + 1, v.dims, (size_t)v.rank * sizeof *dims);
  tier_value one = tier_reshape(&g->face, y, dims, v.rank + 1);
  dims[0] = 2;
  return tier_broadcast(&g->face, one, dims, v.rank + 1);
}

static void build(struct check *k, int broadcasting) {
  const struct example *e = k->e;
  k->count = (uint32_t)strlen(e->inputs);
  for (uint32_t i = 0; i < k->count; i++) {
    k->args[i] = make_argument(k, i, broadcasting);
    if (differentiated(e->inputs[i])) {
      k->xs[k->moving++] = k->x[i];
    }
  }
  for (uint32_t i = 0; i < k->moving; i++) {
    const struct value x = *graph_value(k->g, k->xs[i]);
    k->u[i] = add_input(k, input_real(k->g, x.dims, x.rank));
    k->v[i] = add_input(k, input_real(k->g, x.dims, x.rank));
  }
  k->bare = e->build != NULL
                ? e->build(&k->g->face, k->args)
                : tier_emit(&k->g->face, e->op, k->args, k->count, e->ints, e->int_count);
  k->y = broadcasting ? broadcast_output(k->g, k->bare) : k->bare;
  const struct value y = *graph_value(k->g, k->y);
  k->c = add_input(k, input_real(k->g, y.dims, y.rank));
}

/* Random numbers in all inputs. */
static void fill(struct check *k, struct generator *r) {
  const struct example *e = k->e;
  for (uint32_t j = 0; j < k->input_count; j++) {
    int64_t n = size_of(k->g, k->inputs[j]);
    char kind = j < k->count ? e->inputs[j] : 'd'; /* d: a direction */
    int64_t offset = (int64_t)draw(r, 0, 101);
    for (int64_t i = 0; i < n; i++) {
      double *p = &k->data[j][i];
      switch (kind) {
        case 'i':
          *p = floor(draw(r, 0, (double)e->indices));
          break;
        case 'c':
          *p = draw(r, 0, 1) < 0.5 ? 0 : 1;
          break;
        case 'n': /* in slot 37 i + offset (mod 101) of the range: 101 is prime, all slots differ */
          *p = e->low +
               (e->high - e->low) * ((double)((37 * i + offset) % 101) + draw(r, 0, 0.3)) / 101;
          break;
        case 'r':
          *p = draw(r, e->low, e->high);
          break;
        default:
          *p = draw(r, -1, 1);
          break;
      }
    }
  }
}

static double *results_for(const struct check *k, tier_value v) {
  return calloc((size_t)size_of(k->g, v) + 1, sizeof(double));
}

static void run(const struct check *k, const tier_value *outputs, uint32_t count,
                double *const *results) {
  evaluate(k->g, DTYPE_F64, k->inputs, k->input_count, (const double *const *)k->data, outputs,
           count, results);
}

/* 1: the operation against the plain reference, on its own arguments. */
static void measure_value(const struct check *k, struct identity_report *r) {
  int64_t n = size_of(k->g, k->bare);
  double *f64 = results_for(k, k->bare);
  double *f32 = results_for(k, k->bare);
  double *plain = results_for(k, k->bare);
  const double *const *data = (const double *const *)k->data;
  evaluate(k->g, DTYPE_F64, k->inputs, k->input_count, data, &k->bare, 1, &f64);
  evaluate(k->g, DTYPE_F32, k->inputs, k->input_count, data, &k->bare, 1, &f32);
  plain_evaluate(k->g, k->inputs, k->input_count, data, &k->bare, 1, &plain);
  r->value = fmax(r->value, distance(f64, plain, n));
  r->value_f32 = fmax(r->value_f32, distance(f32, plain, n));
  free(f64);
  free(f32);
  free(plain);
}

/* Where the numbers of graph input v stand. */
static double *numbers(const struct check *k, tier_value v) {
  for (uint32_t j = 0; j < k->input_count; j++) {
    if (k->inputs[j] == v) {
      return k->data[j];
    }
  }
  DIE("no such input");
}

/* d/dx of the output by central differences, contracted with `weights`: out (of xs[i]'s size). */
static void differences(const struct check *k, tier_value output, const double *weights, uint32_t i,
                        double *out) {
  const double h = 1e-5;
  double *x = numbers(k, k->xs[i]);
  double *above = results_for(k, output);
  double *below = results_for(k, output);
  int64_t n = size_of(k->g, output);
  for (int64_t j = 0; j < size_of(k->g, k->xs[i]); j++) {
    double kept = x[j];
    x[j] = kept + h;
    run(k, &output, 1, &above);
    x[j] = kept - h;
    run(k, &output, 1, &below);
    x[j] = kept;
    out[j] = (dot(above, weights, n) - dot(below, weights, n)) / (2 * h);
  }
  free(above);
  free(below);
}

/* 2: vjp against differences, for each x. */
static void measure_vjp(struct check *k, struct identity_report *r) {
  tier_value vjp[MOST];
  (void)diff_gradient(k->g, k->y, k->c, k->xs, k->moving, vjp);
  for (uint32_t i = 0; i < k->moving; i++) {
    int64_t n = size_of(k->g, k->xs[i]);
    double *got = results_for(k, k->xs[i]);
    double *expected = results_for(k, k->xs[i]);
    if (vjp[i] != 0) { /* null: a zero */
      run(k, &vjp[i], 1, &got);
    }
    differences(k, k->y, numbers(k, k->c), i, expected);
    r->differences = fmax(r->differences, distance(got, expected, n));
    free(got);
    free(expected);
  }
}

/* The numbers of a value, zeros for the null value (of like's shape). */
static double *values_of(const struct check *k, tier_value v, tier_value like) {
  double *out = results_for(k, like);
  if (v != 0) {
    run(k, &v, 1, &out);
  }
  return out;
}

/* sum over i of <a[i], b[i]>, b graph inputs. */
static double inner(const struct check *k, const tier_value *a, const tier_value *b,
                    uint32_t count) {
  double sum = 0;
  for (uint32_t i = 0; i < count; i++) {
    double *p = values_of(k, a[i], b[i]);
    sum += dot(p, numbers(k, b[i]), size_of(k->g, b[i]));
    free(p);
  }
  return sum;
}

static double gap(double a, double b) {
  return distance(&a, &b, 1);
}

/* 3: <c, J v> = <J^T c, v> for count of the xs, from `first` on; the others stand still. */
static void measure_adjoint(struct check *k, uint32_t first, uint32_t count,
                            struct identity_report *r) {
  const tier_value *xs = k->xs + first;
  const tier_value *v = k->v + first;
  tier_value back[MOST];
  tier_value forward = 0;
  (void)diff_gradient(k->g, k->y, k->c, xs, count, back);
  (void)diff_jvp(k->g, &k->y, 1, xs, v, count, &forward);
  r->adjoint = fmax(r->adjoint, gap(inner(k, &forward, &k->c, 1), inner(k, back, v, count)));
}

/* The gradient of L(x) = sum c y + y^2 / 2: J^T (c + y). */
static void gradient_of_objective(struct check *k, tier_value *out) {
  tier_graph *g = &k->g->face;
  tier_value half_square = tier_scale(g, tier_square(g, k->y), 0.5);
  tier_value objective = tier_sum_all(g, tier_add(g, tier_multiply(g, k->c, k->y), half_square));
  (void)diff_gradient(k->g, objective, 0, k->xs, k->moving, out);
}

/* H d by reverse over reverse: the gradient of <grad L, d>. */
static void reverse_product(struct check *k, const tier_value *gradient, const tier_value *d,
                            tier_value *out) {
  tier_graph *g = &k->g->face;
  tier_value product = 0;
  for (uint32_t i = 0; i < k->moving; i++) {
    if (gradient[i] != 0) {
      product = graph_add(k->g, product, tier_sum_all(g, tier_multiply(g, gradient[i], d[i])));
    }
  }
  memset(out, 0, k->moving * sizeof *out);
  if (product != 0) {
    (void)diff_gradient(k->g, product, 0, k->xs, k->moving, out);
  }
}

/* H d by forward over reverse: the jvp of grad L. */
static void forward_product(struct check *k, const tier_value *gradient, const tier_value *d,
                            tier_value *out) {
  for (uint32_t i = 0; i < k->moving; i++) {
    out[i] = 0;
    if (gradient[i] != 0) {
      (void)diff_jvp(k->g, &gradient[i], 1, k->xs, d, k->moving, &out[i]);
    }
  }
}

/* d^T H by differences of the gradient, the part that belongs to xs[j]. */
static void hessian_differences(const struct check *k, const tier_value *gradient,
                                const tier_value *d, uint32_t j, double *out) {
  int64_t n = size_of(k->g, k->xs[j]);
  double *part = results_for(k, k->xs[j]);
  for (uint32_t i = 0; i < k->moving; i++) {
    if (gradient[i] != 0) {
      differences(k, gradient[i], numbers(k, d[i]), j, part);
      for (int64_t e = 0; e < n; e++) {
        out[e] += part[e];
      }
    }
  }
  free(part);
}

/* 4, 5, and the Hessian against differences. */
static void measure_hessian(struct check *k, struct identity_report *r) {
  tier_value gradient[MOST];
  tier_value hu[MOST];
  tier_value hv[MOST];
  tier_value reverse_hv[MOST];
  gradient_of_objective(k, gradient);
  forward_product(k, gradient, k->u, hu);
  forward_product(k, gradient, k->v, hv);
  reverse_product(k, gradient, k->v, reverse_hv);
  r->symmetry =
      fmax(r->symmetry, gap(inner(k, hv, k->u, k->moving), inner(k, hu, k->v, k->moving)));
  for (uint32_t i = 0; i < k->moving; i++) {
    int64_t n = size_of(k->g, k->xs[i]);
    double *forward = values_of(k, hv[i], k->xs[i]);
    double *reverse = values_of(k, reverse_hv[i], k->xs[i]);
    double *expected = results_for(k, k->xs[i]);
    hessian_differences(k, gradient, k->v, i, expected);
    r->modes = fmax(r->modes, distance(forward, reverse, n));
    r->hessian_differences = fmax(r->hessian_differences, distance(forward, expected, n));
    free(forward);
    free(reverse);
    free(expected);
  }
}

struct identity_report identities_measure(const struct example *e, int broadcasting) {
  struct identity_report report = {0};
  struct generator r = {UINT64_C(0x9e3779b97f4a7c15)};
  struct check k = {.e = e, .g = graph_new()};
  build(&k, broadcasting);
  for (int point = 0; point < POINTS; point++) {
    fill(&k, &r);
    measure_value(&k, &report);
    measure_vjp(&k, &report);
    measure_adjoint(&k, 0, k.moving, &report);
    for (uint32_t i = 0; i < k.moving; i++) {
      measure_adjoint(&k, i, 1, &report);
    }
    measure_hessian(&k, &report);
  }
  for (uint32_t i = 0; i < k.input_count; i++) {
    free(k.data[i]);
  }
  graph_free(k.g);
  return report;
}

const char *identities_broken(const struct identity_report *r) {
  const struct {
    const char *name;
    double error, tolerance;
  } rows[] = {
      {"value", r->value, 1e-14},
      {"value in f32", r->value_f32, 1e-6},
      {"vjp = finite differences", r->differences, 1e-7},
      {"<u, Jv> = <J'u, v>", r->adjoint, 1e-13},
      {"<u, Hv> = <Hu, v>", r->symmetry, 1e-13},
      {"forward over reverse = reverse over reverse", r->modes, 1e-13},
      {"Hessian = finite differences", r->hessian_differences, 1e-6},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (!(rows[i].error <= rows[i].tolerance)) {
      return rows[i].name;
    }
  }
  return NULL;
}

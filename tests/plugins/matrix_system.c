#include "matrix_system.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"

double a[MOST * MOST], b[MOST], x_exact[MOST];

static int32_t apply(void *context, const tier_vector *v, tier_vector *out) {
  struct matrix *m = context;
  double *in = memory_alloc((size_t)m->n, 2 * sizeof(double));
  V->read(v, 0, m->n, in);
  multiply(m->n, m->n, m->a, 0, in, in + m->n);
  V->write(out, 0, m->n, in + m->n);
  free(in);
  m->products++;
  return TIER_OK;
}

static int32_t apply_block(void *context, int64_t k, const tier_vector *const *vs,
                           tier_vector *const *outs) {
  for (int64_t i = 0; i < k; i++) {
    TIER_TRY(apply(context, vs[i], outs[i]));
  }
  return TIER_OK;
}

static int32_t precondition(void *context, const tier_vector *v, tier_vector *out) {
  struct matrix *m = context;
  for (int64_t i = 0; i < m->n; i++) {
    double value = element(v, i) * m->inverse_diagonal[i];
    V->write(out, i, 1, &value);
  }
  return TIER_OK;
}

static int32_t step_size(void *context, double *step) {
  struct matrix *m = context;
  *step = m->step;
  return m->step > 0.0 ? TIER_OK : fail(TIER_E_REFUSED, "this optimizer has no step size");
}

void matrix_init(struct matrix *m, int64_t n, const double *values, uint32_t flags) {
  *m = (struct matrix){.face = {.struct_size = (uint32_t)sizeof(tier_linear_system),
                                .flags = flags,
                                .size = n,
                                .apply = apply,
                                .apply_block = apply_block,
                                .step_size = step_size},
                       .a = values,
                       .n = n};
  m->face.context = m;
}

void matrix_precondition(struct matrix *m, const double *inverse_diagonal) {
  m->inverse_diagonal = inverse_diagonal;
  m->face.precondition = precondition;
}

int32_t matrix_solve(struct instance *i, struct matrix *m, const tier_vector *rhs, tier_vector *x,
                     tier_linear_report *report) {
  const tier_linear_solver_1 *solver = instance_get(i, "tier.linear_solver/1");
  *report = (tier_linear_report){.struct_size = (uint32_t)sizeof *report, .contraction = NAN};
  return solver->solve(i->object, &m->face, i->state, rhs, x, report);
}

double matrix_residual(struct matrix *m, const tier_vector *rhs, const tier_vector *x) {
  tier_vector *r = vector_new(m->n);
  assert_ok(apply(m, x, r));
  m->products--;
  V->axpby(1.0, rhs, -1.0, r);
  double residual = V->norm(r) / V->norm(rhs);
  vector_free(r);
  return residual;
}

struct params *solver_params(const char *id) {
  return arguments(POSITION_ESTIMATOR, id);
}

void spectral_system(int64_t n, const double *eigenvalues) {
  for (int64_t i = 0; i < n; i++) {
    b[i] = random_normal(5, 0, (uint64_t)i);
  }
  random_symmetric(n, eigenvalues, 9, a);
  solve_exactly(n, a, b, x_exact);
}

void random_system(int64_t n, double kappa) {
  double eigenvalues[MOST];
  for (int64_t i = 0; i < n; i++) {
    eigenvalues[i] = pow(kappa, (double)i / (double)(n - 1));
  }
  spectral_system(n, eigenvalues);
}

void unsymmetric_system(int64_t n, double strength) {
  for (int64_t i = 0; i < n * n; i++) {
    a[i] = strength * random_normal(6, 0, (uint64_t)i) / sqrt((double)n);
    a[i] += i % (n + 1) == 0 ? 1.0 : 0.0;
  }
  for (int64_t i = 0; i < n; i++) {
    b[i] = random_normal(5, 0, (uint64_t)i);
  }
  solve_exactly(n, a, b, x_exact);
}

tier_linear_report check_system(struct params *p, int64_t n, uint32_t flags, const double *expected,
                                double tolerance, int *products) {
  struct instance *i = make(p, n);
  struct matrix m;
  tier_linear_report report;
  tier_vector *rhs = vector_of(b, n);
  tier_vector *x = vector_new(n);
  V->fill(x, NAN); /* must not be read */
  matrix_init(&m, n, a, flags);
  assert_ok(matrix_solve(i, &m, rhs, x, &report));
  assert_vector_near(x, expected, tolerance);
  if (products != NULL) {
    *products = m.products;
  }
  vector_free(rhs);
  vector_free(x);
  free_instance(i);
  return report;
}

tier_linear_report check_solution(struct params *p, int64_t n, const double *expected,
                                  double tolerance, int *products) {
  return check_system(p, n, GOOD, expected, tolerance, products);
}

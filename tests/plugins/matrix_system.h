/* Explicit matrices as systems for linear solvers, and problems with known solutions. */
#ifndef TESTS_PLUGINS_MATRIX_SYSTEM_H
#define TESTS_PLUGINS_MATRIX_SYSTEM_H

#include <tier/linear_solver.h>

#include "support.h"

#define V (&vector_interface)
#define GOOD (TIER_SYSTEM_SYMMETRIC | TIER_SYSTEM_POSITIVE)
#define MOST 60

/* A system with an explicit matrix a (n, n), counting its products. */
struct matrix {
  tier_linear_system face;
  const double *a;
  const double *inverse_diagonal; /* of the preconditioner */
  int64_t n;
  int products;
  double step; /* what step_size says; 0: refuses */
};

void matrix_init(struct matrix *m, int64_t n, const double *values, uint32_t flags);
/* From now on it has a preconditioner with that diagonal. */
void matrix_precondition(struct matrix *m, const double *inverse_diagonal);
int32_t matrix_solve(struct instance *i, struct matrix *m, const tier_vector *rhs, tier_vector *x,
                     tier_linear_report *report);
/* |b - A x| / |b|, without counting the product. */
double matrix_residual(struct matrix *m, const tier_vector *rhs, const tier_vector *x);
struct params *solver_params(const char *id);

/* The problem at hand: a (n, n), b, and the exact solution. */
extern double a[MOST * MOST], b[MOST], x_exact[MOST];
/* Symmetric with eigenvalues from 1 to kappa, evenly in their logarithm; b random. */
void random_system(int64_t n, double kappa);
/* The same with those eigenvalues. */
void spectral_system(int64_t n, const double *eigenvalues);
/* I + strength * (random with entries of variance 1 / n): unsymmetric. */
void unsymmetric_system(int64_t n, double strength);
/* Solves a x = b with `p` and checks x, whatever it held before, to `tolerance`; returns the
 * report. flags: TIER_SYSTEM_. `products` may be NULL. */
tier_linear_report check_system(struct params *p, int64_t n, uint32_t flags, const double *expected,
                                double tolerance, int *products);
tier_linear_report check_solution(struct params *p, int64_t n, const double *expected,
                                  double tolerance, int *products);

#endif

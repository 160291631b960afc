/* Nested problems as manifests, and what their hypergradients are. */
#ifndef CHECK_NESTED_H
#define CHECK_NESTED_H

#include "base/text.h"
#include "check/check.h"
#include "problem/problem.h"

#define NESTED_N 8 /* of w, at most */
#define NESTED_P 3 /* of theta */

/* F(w, theta) = 1/2 w'Aw - w'B theta with A = sum_k v_k v_k', and G = c'w + 1/2 |theta|^2, linear
 * in w, so that the hypergradient theta + B' A^-1 c asks nothing of the solve. */
struct quadratic {
  int64_t n;
  double v[NESTED_N * NESTED_N]; /* row k: v_k */
  double a[NESTED_N * NESTED_N];
  double b[NESTED_N * NESTED_P];
  double c[NESTED_N], theta[NESTED_P];
  double largest, smallest; /* eigenvalues */
};
/* With those eigenvalues. */
void quadratic_make(struct quadratic *q, int64_t n, const double *eigenvalues);
/* What differs between the problems on it. */
struct quadratic_task {
  const char *optimizer; /* JSON */
  int64_t steps;
  const char *estimator; /* JSON */
  int at_rest;           /* theta = 0, and G = 1/2 w'Aw: at w = 0 the cotangent is zero */
  int overflowing;       /* theta = 0, and F + (1e180 w_0)^2: the Hessian is not finite at w = 0 */
};
void quadratic_manifest(const struct quadratic *q, const struct quadratic_task *task,
                        struct text *out);
/* The level's step size: 2 / (largest + smallest), the best for gradient descent. */
double quadratic_rate(const struct quadratic *q);
/* Steps after which gradient descent with that rate is within 1e-11. */
int64_t quadratic_steps(const struct quadratic *q);

/* F = sum_k phi(x_k'w) + exp(theta) 1/2 |w|^2, G = sum_k phi(z_k'w); phi(u) is 1/2 (u - 1)^2
 * (ridge) or softplus(-u) (logistic). */
struct regression {
  int logistic;
  double x[NESTED_N * NESTED_N], z[NESTED_N * NESTED_N]; /* rows; NESTED_N of each */
  double theta;
  double largest; /* a bound of the Hessian's eigenvalues */
};
void regression_make(struct regression *r, int logistic);
void regression_manifest(const struct regression *r, const char *estimator, struct text *out);
/* dG(w*(theta))/dtheta, w* by Newton's method. */
double regression_exact(const struct regression *r);

/* w1 minimizes 1/2 w'Aw - w'theta, w2 minimizes 1/2 w'Cw - w'w1, and G = c'w2: A^-1 C^-1 c. */
struct chain {
  struct quadratic first, second;
};
void chain_make(struct chain *h);
void chain_manifest(const struct chain *h, const char *estimator, struct text *out);
void chain_exact(const struct chain *h, double *out); /* (NESTED_P) */

/* One hypergradient of a manifest, with what its estimator declared. free e->hypergradient. */
int32_t nested_estimate(const struct check *c, const char *manifest, uint64_t seed,
                        struct problem_estimate *e, struct problem_edge *facts);

#endif

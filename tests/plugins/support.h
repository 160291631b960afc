/* What the tests of plugins share: the registry of this build's plugins, the host interfaces that
 * the problem layer would offer, instances with their state, and vectors from arrays. */
#ifndef TESTS_PLUGINS_SUPPORT_H
#define TESTS_PLUGINS_SUPPORT_H

#include "../plugin/check.h"
#include "plugin/params.h"
#include "problem/vector.h"

/* Group fixtures. The dtype is DTYPE_F64 to begin with; use_dtype changes it. */
int open_plugins(void **state);
int close_plugins(void **state);
void use_dtype(int32_t dtype);

/* Arguments to be filled in; slots that take expressions count as given. */
struct params *arguments(enum position position, const char *id);
void set_number(struct params *p, const char *slot, double value);
void set_text(struct params *p, const char *slot, const char *value);

/* Creates it (the test fails if that fails), with zeroed state for a problem of size n where it has
 * any. free_instance frees both. */
struct instance *make(struct params *p, int64_t n);
struct instance *make_plain(enum position position, const char *id, int64_t n);
void free_instance(struct instance *i);

tier_vector *vector_of(const double *values, int64_t size);
double element(const tier_vector *x, int64_t index);
void assert_near(double value, double expected, double tolerance);
/* Every element within tolerance * max |expected|. */
void assert_vector_near(const tier_vector *x, const double *expected, double tolerance);

/* a (n, n) <- Q diag(eigenvalues) Q^T with a random rotation Q, all in f64. */
void random_symmetric(int64_t n, const double *eigenvalues, uint64_t seed, double *a);
/* x <- a^-1 b, by Gaussian elimination with pivoting; a and b are kept. */
void solve_exactly(int64_t n, const double *a, const double *b, double *x);
/* y <- a x, or a^T x. a (m, n). */
void multiply(int64_t m, int64_t n, const double *a, int transposed, const double *x, double *y);

#endif

/* Loads the plugins of docs/plugins.md from the folder given, as third-party plugins are, and
 * solves a small system with the linear solver, on vectors of plain doubles. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tier/linear_solver.h>

#include "base/error.h"
#include "plugin/params.h"
#include "plugin/registry.h"

/* ---- vectors -------------------------------------------------------------------------------- */

struct tier_vector {
  int64_t size;
  double x[3];
};

static tier_vector *create(int64_t size) {
  tier_vector *v = size <= 3 ? calloc(1, sizeof *v) : NULL;
  if (v != NULL) {
    v->size = size;
  }
  return v;
}

static void destroy(tier_vector *v) {
  free(v);
}

static void copy(const tier_vector *x, tier_vector *y) {
  *y = *x;
}

static void fill(tier_vector *x, double value) {
  for (int64_t i = 0; i < x->size; i++) {
    x->x[i] = value;
  }
}

static void axpy(double a, const tier_vector *x, tier_vector *y) {
  for (int64_t i = 0; i < x->size; i++) {
    y->x[i] += a * x->x[i];
  }
}

static double dot(const tier_vector *x, const tier_vector *y) {
  double sum = 0;
  for (int64_t i = 0; i < x->size; i++) {
    sum += x->x[i] * y->x[i];
  }
  return sum;
}

static double norm(const tier_vector *x) {
  return sqrt(dot(x, x));
}

static const tier_vector_1 vectors = {
    .struct_size = (uint32_t)sizeof(tier_vector_1),
    .create = create,
    .destroy = destroy,
    .copy = copy,
    .fill = fill,
    .axpy = axpy,
    .dot = dot,
    .norm = norm,
};

/* ---- the system: A = [4 1 0; 1 3 1; 0 1 2] times `scale`
 * ----------------------------------------- */

static int32_t apply(void *context, const tier_vector *v, tier_vector *out) {
  const double *scale = context;
  out->x[0] = *scale * (4 * v->x[0] + v->x[1]);
  out->x[1] = *scale * (v->x[0] + 3 * v->x[1] + v->x[2]);
  out->x[2] = *scale * (v->x[1] + 2 * v->x[2]);
  return TIER_OK;
}

static int32_t solve(const struct instance *i, double scale, tier_vector *x,
                     tier_linear_report *report) {
  tier_vector b = {3, {6 * scale, 10 * scale, 8 * scale}}; /* of the solution 1, 2, 3 */
  tier_linear_system system = {.struct_size = (uint32_t)sizeof system,
                               .flags = TIER_SYSTEM_SYMMETRIC | TIER_SYSTEM_POSITIVE,
                               .size = 3,
                               .context = &scale,
                               .apply = apply};
  const tier_linear_solver_1 *api = instance_get(i, "tier.linear_solver/1");
  return api->solve(i->object, &system, NULL, &b, x, report);
}

static int check_solutions(const struct instance *i) {
  tier_vector x = {3, {9, 9, 9}};
  tier_linear_report report = {.struct_size = (uint32_t)sizeof report};
  int32_t status = solve(i, 1, &x, &report);
  double error = fabs(x.x[0] - 1) + fabs(x.x[1] - 2) + fabs(x.x[2] - 3);
  (void)printf("steepest-descent: status %d, error %g after %d iterations, stop %s\n", status,
               error, (int)report.iterations, report.stop);
  if (status != TIER_OK || !(error < 1e-9) || strcmp(report.stop, "tolerance") != 0) {
    return 0;
  }
  status = solve(i, -1, &x, &report);
  (void)printf("a negative system: %d, %s\n", status, error_text());
  int refused = status == TIER_E_REFUSED && strstr(error_text(), "not positive definite") != NULL;
  error_clear();
  return refused;
}

static int check_plugins(const struct registry *r) {
  const struct component *c = registry_find(r, POSITION_ESTIMATOR, "steepest-descent");
  const struct component *loss = registry_find(r, POSITION_FUNCTION, "log-cosh");
  struct instance *i = NULL;
  double tolerance = 1e-11;
  if (c == NULL || loss == NULL) {
    (void)printf("the page's components were not found\n");
    return 0;
  }
  if (instance_new(params_new(loss, 0), &i) != TIER_E_INVALID) {
    (void)printf("log-cosh did not miss its inputs\n");
    return 0;
  }
  error_clear();
  struct params *p = params_new(c, 0);
  params_set_numbers(p, "tolerance", &tolerance, 1);
  if (instance_new(p, &i) < 0) {
    (void)printf("%s\n", error_text());
    return 0;
  }
  int good = check_solutions(i);
  instance_free(i);
  return good;
}

int main(int argc, char **argv) {
  struct registry *r = NULL;
  if (argc == 3 && strcmp(argv[1], "probe") == 0) {
    return probe_main(argv[2]);
  }
  if (argc != 2) {
    return 64;
  }
  struct registry_options options = {.plugin_path = argv[1], .probe = 1};
  host_offer("tier.vector/1", &vectors);
  if (registry_open(&options, &r) < 0) {
    (void)printf("%s\n", error_text());
    return 1;
  }
  for (size_t i = 0; registry_refused(r, i) != NULL; i++) {
    (void)printf("%s: %s\n", registry_refused(r, i)->path, registry_refused(r, i)->reason);
  }
  int good = check_plugins(r);
  registry_close(r);
  return good ? 0 : 1;
}

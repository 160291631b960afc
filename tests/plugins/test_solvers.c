/* Solvers on a fake level graph: which calls they make, and which point they keep. */
#include <math.h>
#include <stdlib.h>
#include <tier/solver.h>

#include "base/random.h"
#include "support.h"

#define V (&vector_interface)

/* The top objective is |x - target|^2; the calls are written down as letters. */
struct levels {
  tier_levels face; /* first */
  tier_vector *x, *kept;
  double target[3];
  double value_offset; /* NAN: every value is */
  char calls[4096];
  int count;
};

static struct levels *of(tier_levels *l) {
  return (struct levels *)(void *)l;
}
static void note(tier_levels *l, char call) {
  struct levels *f = of(l);
  assert_true(f->count < (int)sizeof f->calls - 1);
  f->calls[f->count++] = call;
}

static int64_t size(const tier_levels *l) {
  return ((const struct levels *)(const void *)l)->x->size;
}
static int64_t level_steps(const tier_levels *l) {
  (void)l;
  return 7;
}
static tier_vector *variables(tier_levels *l) {
  return of(l)->x;
}
static uint64_t stream(const tier_levels *l) {
  (void)l;
  return random_stream("solver", 3);
}
static int32_t solve_lower(tier_levels *l) {
  note(l, 's');
  return TIER_OK;
}
static int32_t value(tier_levels *l, double *out) {
  struct levels *f = of(l);
  note(l, 'v');
  *out = f->value_offset;
  for (int64_t i = 0; i < f->x->size; i++) {
    double d = element(f->x, i) - f->target[i];
    *out += d * d;
  }
  return TIER_OK;
}
static int32_t hypergradient(tier_levels *l, double *out) {
  note(l, 'h');
  *out = 0.0;
  return TIER_OK;
}
static int32_t update(tier_levels *l) {
  note(l, 'u');
  return TIER_OK;
}
static int32_t restart(tier_levels *l) {
  note(l, 'r');
  return TIER_OK;
}
static int32_t keep(tier_levels *l) {
  note(l, 'k');
  V->copy(of(l)->x, of(l)->kept);
  return TIER_OK;
}
static int32_t go_back(tier_levels *l) {
  note(l, 'b');
  V->copy(of(l)->kept, of(l)->x);
  return TIER_OK;
}

static const tier_levels_1 levels_api = {.struct_size = (uint32_t)sizeof levels_api,
                                         .size = size,
                                         .steps = level_steps,
                                         .variables = variables,
                                         .stream = stream,
                                         .solve_lower = solve_lower,
                                         .value = value,
                                         .hypergradient = hypergradient,
                                         .update = update,
                                         .restart = restart,
                                         .keep = keep,
                                         .go_back = go_back};

static void levels_open(struct levels *l, int64_t n) {
  *l = (struct levels){.face = {&levels_api}, .target = {0.31, -0.6, 0.9}};
  l->x = vector_new(n);
  l->kept = vector_new(n);
}
static void levels_close(struct levels *l) {
  vector_free(l->x);
  vector_free(l->kept);
}

/* All steps, then finish. */
static int32_t run(struct instance *i, struct levels *l) {
  const tier_solver_1 *solver = instance_get(i, "tier.solver/1");
  int64_t steps = solver->steps(i->object, &l->face);
  for (int64_t k = 0; k < steps; k++) {
    TIER_TRY(solver->step(i->object, &l->face, i->state, k));
  }
  return solver->finish(i->object, &l->face, i->state);
}

static struct params *search(const char *id, const double *from, const double *to, size_t count,
                             double points) {
  struct params *p = arguments(POSITION_SOLVER, id);
  params_set_numbers(p, "from", from, count);
  params_set_numbers(p, "to", to, count);
  set_number(p, "points", points);
  return p;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void nested_solves_differentiates_and_updates(void **state) {
  (void)state;
  struct levels l;
  struct instance *i = make_plain(POSITION_SOLVER, "nested", 2);
  const tier_solver_1 *solver = instance_get(i, "tier.solver/1");
  levels_open(&l, 2);
  assert_int_equal(solver->steps(i->object, &l.face), -1);
  assert_null(solver->finish);
  assert_ok(solver->step(i->object, &l.face, NULL, 0));
  assert_ok(solver->step(i->object, &l.face, NULL, 1));
  assert_string_equal(l.calls, "shushu");
  levels_close(&l);
  free_instance(i);
}

static void grid_tries_every_point_and_keeps_the_best(void **state) {
  (void)state;
  struct levels l;
  const double from = -1.0;
  const double to = 1.0;
  struct instance *i = make(search("grid", &from, &to, 1, 5), 1);
  levels_open(&l, 1); /* points -1, -0.5, 0, 0.5, 1; the target is 0.31 */
  assert_ok(run(i, &l));
  assert_near(element(l.x, 0), 0.5, 0.0);
  assert_string_equal(l.calls, "rsvkrsvkrsvkrsvkrsvbv");
  assert_near(i->state->api->get_doubles(i->state, "best")[0], 0.19 * 0.19, 1e-15);
  levels_close(&l);
  free_instance(i);
}

static void grid_has_all_combinations(void **state) {
  (void)state;
  struct levels l;
  const double from[3] = {-1.0, -0.8, 0.0};
  const double to[3] = {1.0, 0.0, 0.9};
  struct instance *i = make(search("grid", from, to, 3, 5), 3);
  const tier_solver_1 *solver = instance_get(i, "tier.solver/1");
  const double expected[3] = {0.5, -0.6, 0.9};
  levels_open(&l, 3);
  assert_int_equal(solver->steps(i->object, &l.face), 125);
  assert_ok(run(i, &l));
  assert_vector_near(l.x, expected, 1e-15);
  levels_close(&l);
  free_instance(i);
}

static void grid_of_one_point_is_where_it_starts(void **state) {
  (void)state;
  struct levels l;
  const double from = -4.0;
  const double to = 1.0;
  struct instance *i = make(search("grid", &from, &to, 1, 1), 2);
  const double expected[2] = {-4.0, -4.0};
  levels_open(&l, 2);
  assert_ok(run(i, &l));
  assert_vector_near(l.x, expected, 0.0);
  levels_close(&l);
  free_instance(i);
}

static void grid_refuses_too_many_points(void **state) {
  (void)state;
  struct levels l;
  const double from = -1.0;
  const double to = 1.0;
  struct instance *i = make(search("grid", &from, &to, 1, 101), 1);
  levels_open(&l, 1);
  vector_free(l.x);
  l.x = vector_new(100000);
  assert_fails(run(i, &l), TIER_E_INVALID, "use random-search");
  assert_int_equal(l.count, 0);
  levels_close(&l);
  free_instance(i);
}

static void boxes_must_fit(void **state) {
  (void)state;
  const char *ids[2] = {"grid", "random-search"};
  for (int k = 0; k < 2; k++) {
    struct levels l;
    const double from[2] = {-1.0, -1.0};
    const double to[2] = {1.0, 1.0};
    struct instance *i = NULL;
    assert_fails(instance_new(search(ids[k], to, from, 2, 5), &i), TIER_E_INVALID, "above");
    struct params *p = search(ids[k], from, to, 2, 5);
    params_set_numbers(p, "to", to, 1);
    assert_fails(instance_new(p, &i), TIER_E_INVALID, "has 2 numbers");
    i = make(search(ids[k], from, to, 2, 5), 3);
    levels_open(&l, 3);
    assert_fails(run(i, &l), TIER_E_INVALID, "one number for all or one for each");
    levels_close(&l);
    free_instance(i);
  }
}

static void random_search_draws_from_the_box(void **state) {
  (void)state;
  double results[2][3];
  for (int k = 0; k < 2; k++) { /* twice the same */
    struct levels l;
    const double from[3] = {0.0, -1.0, 0.5};
    const double to[3] = {1.0, 0.0, 1.5};
    struct instance *i = make(search("random-search", from, to, 3, 200), 3);
    const tier_solver_1 *solver = instance_get(i, "tier.solver/1");
    double mean = 0.0;
    levels_open(&l, 3);
    for (int64_t s = 0; s < 200; s++) {
      assert_ok(solver->step(i->object, &l.face, i->state, s));
      for (int64_t j = 0; j < 3; j++) {
        assert_true(element(l.x, j) >= from[j] && element(l.x, j) < to[j]);
      }
      mean += element(l.x, 0) / 200.0;
    }
    assert_near(mean, 0.5, 0.1);
    assert_ok(solver->finish(i->object, &l.face, i->state));
    for (int64_t j = 0; j < 3; j++) {
      assert_near(element(l.x, j), l.target[j], 0.25);
    }
    V->read(l.x, 0, 3, results[k]);
    levels_close(&l);
    free_instance(i);
  }
  assert_memory_equal(results[0], results[1], sizeof results[0]);
}

static void values_that_are_not_finite_never_win(void **state) {
  (void)state;
  struct levels l;
  const double from = -1.0;
  const double to = 1.0;
  struct instance *i = make(search("grid", &from, &to, 1, 3), 1);
  levels_open(&l, 1);
  l.value_offset = NAN;
  assert_fails(run(i, &l), TIER_E_NONFINITE, "at any of the points");
  assert_null(strchr(l.calls, 'k'));
  levels_close(&l);
  free_instance(i);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nested_solves_differentiates_and_updates),
      cmocka_unit_test(grid_tries_every_point_and_keeps_the_best),
      cmocka_unit_test(grid_has_all_combinations),
      cmocka_unit_test(grid_of_one_point_is_where_it_starts),
      cmocka_unit_test(grid_refuses_too_many_points),
      cmocka_unit_test(boxes_must_fit),
      cmocka_unit_test(random_search_draws_from_the_box),
      cmocka_unit_test(values_that_are_not_finite_never_win),
  };
  return cmocka_run_group_tests(tests, open_plugins, close_plugins);
}

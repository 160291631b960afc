/* Profiles: phases add up, steps of programs are what they are said to be, regions are divided in
 * proportion, traces are bounded, and results do not change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/profile.h"
#include "compile/program.h"

#include <cmocka.h> /* last: it defines `fail` */

/* Busy for at least that many nanoseconds. */
static void spend(int64_t nanoseconds) {
  int64_t end = profile_now() + nanoseconds;
  while (profile_now() < end) {
  }
}

/* ---- phases ---- */

struct phases {
  struct profile_phase items[16];
  int count;
};

static void take_phase(void *context, const struct profile_phase *phase) {
  struct phases *all = context;
  all->items[all->count++] = *phase;
}

static void phases_nest_and_add_up(void **state) {
  (void)state;
  struct profile *p = profile_new(0);
  struct phases all = {.count = 0};
  for (int i = 0; i < 3; i++) {
    profile_begin(p, "step", NULL);
    profile_begin(p, "solve", "inner");
    spend(200000);
    profile_end(p);
    profile_begin(p, "solve", "other");
    profile_end(p);
    spend(100000);
    profile_end(p);
  }
  profile_phases(p, take_phase, &all);
  assert_int_equal(all.count, 3);
  const struct profile_phase *step = &all.items[0];
  const struct profile_phase *inner = &all.items[1];
  const struct profile_phase *other = &all.items[2];
  assert_string_equal(step->what, "step");
  assert_null(step->detail);
  assert_string_equal(inner->detail, "inner");
  assert_string_equal(other->detail, "other");
  assert_int_equal(step->depth, 0);
  assert_int_equal(inner->depth, 1);
  assert_int_equal(step->calls, 3);
  assert_true(inner->nanoseconds >= 3 * 200000);
  assert_true(step->own >= 3 * 100000);
  assert_int_equal(step->own, step->nanoseconds - inner->nanoseconds - other->nanoseconds);
  assert_int_equal(inner->own, inner->nanoseconds);
  profile_free(p);
}

/* ---- steps ---- */

struct counts {
  struct profile_count items[32];
  int count;
};

static void take_count(void *context, const struct profile_count *count) {
  struct counts *all = context;
  assert_true(all->count < 32);
  all->items[all->count++] = *count;
}

static const struct profile_step two_steps[] = {
    {.op = "matmul", .shapes = "2x3 3x4", .flops = 48, .bytes = 100},
    {.op = "exp", .shapes = "2x4", .plugin = "mlp", .entry = "forward", .place = "m.json:1:2"}};

struct pieces {
  struct profile_program *q;
};

/* Pieces that are said to have begun long ago, so that it does not matter how long they take. */
static void run_piece(void *context, int64_t chunk) {
  const struct pieces *w = context;
  uint32_t step = chunk % 4 == 0; /* three quarters of the pieces are of step 0 */
  (void)profile_add_piece(w->q, step, profile_now() - INT64_C(1000000000000));
}

/* Pieces from several threads: the wall time is divided, whatever the threads' times add up to. */
static void regions_divide_the_wall_time(void **state) {
  (void)state;
  struct profile *p = profile_new(0);
  struct counts all = {.count = 0};
  struct threads *threads = NULL;
  struct pieces w = {.q = profile_program(p, "inner hvp", two_steps, 2)};
  assert_int_equal(threads_new(2, &threads), 0);
  profile_program_enter(w.q, "run");
  int64_t began = profile_now();
  threads_run(threads, 400, run_piece, &w);
  spend(1000000);
  int64_t wall = profile_add_region(w.q, 0, 2, began) - began;
  profile_program_leave(w.q);
  profile_steps(p, take_count, &all);
  assert_int_equal(all.count, 2);
  int64_t first = all.items[0].nanoseconds;
  int64_t second = all.items[1].nanoseconds;
  assert_int_equal(all.items[0].calls, 1);
  assert_int_equal(all.items[1].calls, 1);
  assert_string_equal(all.items[1].step->plugin, "mlp");
  assert_string_equal(all.items[1].program, "inner hvp");
  assert_true(first + second <= wall && first + second >= wall - 2);
  assert_true(llabs(first - 3 * second) <= wall / 100);
  threads_free(threads);
  profile_free(p);
}

static void equal_programs_are_one(void **state) {
  (void)state;
  struct profile *p = profile_new(0);
  struct profile_step other[] = {two_steps[0], two_steps[1]};
  struct profile_program *q = profile_program(p, "a", two_steps, 2);
  assert_ptr_equal(profile_program(p, "a", two_steps, 2), q);
  assert_ptr_not_equal(profile_program(p, "b", two_steps, 2), q);
  assert_ptr_not_equal(profile_program(p, "a", two_steps, 1), q);
  other[1].place = "m.json:1:3";
  assert_ptr_not_equal(profile_program(p, "a", other, 2), q);
  other[1].place = "m.json:1:2";
  assert_ptr_equal(profile_program(p, "a", other, 2), q);
  profile_free(p);
}

/* ---- events ---- */

struct events {
  int64_t count, begin, end;
  int steps;
};

/* On one thread events come in order of their begin and lie within the first, which is "run". */
static void take_event(void *context, const struct profile_event *event) {
  struct events *all = context;
  if (all->count == 0) {
    assert_string_equal(event->what, "run");
    all->end = event->end;
  }
  assert_true(event->begin >= all->begin && event->end >= event->begin && event->end <= all->end);
  assert_int_equal(event->thread, 0);
  all->begin = event->begin;
  all->steps += event->step != NULL;
  all->count++;
}

static void fill_with_events(struct profile *p, int count) {
  profile_begin(p, "run", NULL);
  for (int i = 0; i < count; i++) {
    profile_begin(p, "step", NULL);
    profile_end(p);
  }
  profile_end(p);
}

/* The enclosing event, which ends last, is never the one that is lost. */
static void traces_are_bounded(void **state) {
  (void)state;
  struct profile *p = profile_new(10);
  struct events all = {.count = 0};
  fill_with_events(p, 25);
  profile_events(p, take_event, &all);
  assert_int_equal(all.count, 10);
  assert_int_equal(profile_lost(p), 26 - 10);
  profile_free(p);
  p = profile_new(100);
  all = (struct events){.count = 0};
  fill_with_events(p, 25);
  profile_events(p, take_event, &all);
  assert_int_equal(all.count, 26);
  assert_int_equal(profile_lost(p), 0);
  profile_free(p);
}

/* ---- programs ---- */

#define ROWS 200
#define IN 30
#define OUT 4

struct example {
  struct graph *g;
  tier_value x, v, out;
};

/* out (OUT) = sum over rows of tanh(x (ROWS, IN) v (IN, OUT)) */
static void make_example(struct example *e) {
  static const struct origin origin = {"mlp", "forward", "m.json:14:20"};
  e->g = graph_new();
  tier_graph *face = &e->g->face;
  e->x = graph_input(e->g, TIER_REAL, (const int64_t[]){ROWS, IN}, 2, "x");
  e->v = graph_input(e->g, TIER_REAL, (const int64_t[]){IN, OUT}, 2, "v");
  uint32_t before = graph_origin(e->g, origin);
  tier_value h = tier_tanh(face, tier_matmul(face, e->x, e->v));
  graph_restore_origin(e->g, before);
  e->out = tier_sum_axis(face, h, 0);
  assert_int_equal(graph_status(e->g), 0);
}

static void run_example(struct profile *p, int threads, int runs, double out[OUT]) {
  struct example e;
  struct program *program = NULL;
  double *x = malloc(sizeof *x * ROWS * IN);
  double v[IN * OUT];
  struct program_options options = {
      .dtype = DTYPE_F64, .backend = backend_find("cpu"), .profile = p, .name = "example"};
  for (int i = 0; i < ROWS * IN; i++) {
    x[i] = (i * 7 % 13 - 6) / 20.0;
  }
  for (int i = 0; i < IN * OUT; i++) {
    v[i] = (i * 5 % 11 - 5) / 10.0;
  }
  make_example(&e);
  assert_int_equal(threads_new(threads, &options.threads), 0);
  assert_int_equal(program_compile(e.g, &options, &e.x, 1, &e.v, 1, &e.out, 1, &program), 0);
  assert_int_equal(program_bind(program, (const void *const[]){x}), 0);
  for (int i = 0; i < runs; i++) {
    assert_int_equal(program_apply(program, (const void *const[]){v}, (void *const[]){out}), 0);
  }
  program_free(program);
  threads_free(options.threads);
  graph_free(e.g);
  free(x);
}

static void programs_tell_their_steps(void **state) {
  (void)state;
  struct profile *p = profile_new(1000);
  struct counts all = {.count = 0};
  struct phases phases = {.count = 0};
  double out[OUT];
  double plain[OUT];
  run_example(p, 2, 5, out);
  run_example(NULL, 1, 1, plain);
  assert_memory_equal(out, plain, sizeof out);
  profile_steps(p, take_count, &all);
  profile_phases(p, take_phase, &phases);
  int64_t sum = 0;
  int products = 0;
  for (int i = 0; i < all.count; i++) {
    const struct profile_step *s = all.items[i].step;
    assert_int_equal(all.items[i].calls, 5);
    assert_string_equal(all.items[i].program, "example");
    sum += all.items[i].nanoseconds;
    if (strcmp(s->op, "matmul") == 0) {
      products++;
      assert_string_equal(s->shapes, "200x30 30x4");
      assert_string_equal(s->plugin, "mlp");
      assert_string_equal(s->entry, "forward");
      assert_string_equal(s->place, "m.json:14:20");
      assert_int_equal(s->flops, 2 * ROWS * IN * OUT);
      assert_int_equal(s->bytes, 8 * (ROWS * IN + IN * OUT + ROWS * OUT));
    }
  }
  assert_int_equal(products, 1);
  assert_int_equal(phases.count, 1);
  assert_true(phases.items[0].is_program);
  assert_string_equal(phases.items[0].detail, "example");
  assert_int_equal(phases.items[0].calls, 5);
  assert_true(sum > 0 && sum <= phases.items[0].nanoseconds);
  profile_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(phases_nest_and_add_up), cmocka_unit_test(regions_divide_the_wall_time),
      cmocka_unit_test(equal_programs_are_one), cmocka_unit_test(traces_are_bounded),
      cmocka_unit_test(programs_tell_their_steps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

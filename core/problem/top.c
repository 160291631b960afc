#include "problem/top.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "problem/variables.h"

static struct problem *problem_of(const tier_levels *l) {
  return ((const struct top *)(const void *)l)->p;
}

static int64_t size(const tier_levels *l) {
  return problem_of(l)->top->over.size;
}
static int64_t steps(const tier_levels *l) {
  return problem_of(l)->top->steps;
}
static tier_vector *variables(tier_levels *l) {
  return problem_of(l)->top->w;
}

static uint64_t stream(const tier_levels *l) {
  return random_stream("solver", problem_of(l)->seed);
}

static int32_t solve_lower(tier_levels *l) {
  struct level *top = problem_of(l)->top;
  top->taken = problem_of(l)->done;
  TIER_TRY(level_draw(top));
  return level_solve_children(top);
}

static int32_t value(tier_levels *l, double *out) {
  struct level *top = problem_of(l)->top;
  struct point at = level_point(top);
  TIER_TRY(suite_value(top->suites[0], &at, &top->value, top->term_values));
  *out = top->value;
  return TIER_OK;
}

/* A procedural optimizer computes the gradients that it needs itself. */
static int32_t hypergradient(tier_levels *l, double *out) {
  struct problem *p = problem_of(l);
  struct level *top = p->top;
  if (top->loop != NULL && top->edge_count == 0) {
    *out = top->value;
    return TIER_OK;
  }
  TIER_TRY(level_gradient(top));
  *out = top->value;
  return level_guard(top);
}

static int32_t update(tier_levels *l) {
  struct problem *p = problem_of(l);
  struct level *top = p->top;
  if (top->loop == NULL && top->gradient_norm < top->declared->tolerance) {
    (void)snprintf(p->end, sizeof p->end, "tolerance");
    return TIER_OK;
  }
  TIER_TRY(level_update(top));
  if (top->loop != NULL && strcmp(top->stop, "steps") != 0) {
    (void)snprintf(p->end, sizeof p->end, "%s", top->stop);
  }
  return TIER_OK;
}

static int32_t restart(tier_levels *l) {
  struct problem *p = problem_of(l);
  TIER_TRY(variables_initialize(p, p->top->index));
  for (size_t i = 0; i < p->m->level_count; i++) {
    level_reset(&p->levels[i]);
    if (&p->levels[i] != p->top) {
      p->levels[i].draws = 0;
      p->levels[i].runs = 0;
    }
  }
  return TIER_OK;
}

static int32_t keep(tier_levels *l) {
  struct problem *p = problem_of(l);
  for (size_t i = 0; i < p->m->variable_count; i++) {
    TIER_TRY(variables_room_to_keep(p, i));
    vector_interface.copy(p->variables[i].value, p->kept[i]);
  }
  p->has_kept = 1;
  return TIER_OK;
}

static int32_t go_back(tier_levels *l) {
  struct problem *p = problem_of(l);
  for (size_t i = 0; i < p->m->variable_count && p->has_kept; i++) {
    vector_interface.copy(p->kept[i], p->variables[i].value);
  }
  return p->has_kept ? TIER_OK : fail(TIER_E_PLUGIN, "nothing was kept to go back to");
}

static const tier_levels_1 levels_interface = {
    .struct_size = (uint32_t)sizeof(tier_levels_1),
    .size = size,
    .steps = steps,
    .variables = variables,
    .stream = stream,
    .solve_lower = solve_lower,
    .value = value,
    .hypergradient = hypergradient,
    .update = update,
    .restart = restart,
    .keep = keep,
    .go_back = go_back,
    .edge = single_loop_edge,
    .draw = single_loop_draw,
    .lower_variables = single_loop_lower,
    .lower_oracle = single_loop_oracle,
    .partial_gradients = single_loop_gradients,
    .add_inputs = single_loop_add_inputs,
    .move_lower = single_loop_move_lower,
    .set_hypergradient = single_loop_set_hypergradient,
};

int32_t top_new(struct problem *p, struct top **out) {
  *out = arena_alloc(p->arena, sizeof **out);
  (*out)->face.api = &levels_interface;
  (*out)->p = p;
  return TIER_OK;
}

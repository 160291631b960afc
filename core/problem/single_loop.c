/* What "tier.levels/1" offers to solvers that move both levels themselves (tier/solver.h). */
#include <string.h>

#include "base/error.h"
#include "problem/edges.h"
#include "problem/top.h"
#include "problem/variables.h"

static struct problem *problem_of(const tier_levels *l) {
  return ((const struct top *)(const void *)l)->p;
}

int32_t single_loop_check(const struct problem *p) {
  const char *solver = p->m->solver->component->c.id;
  if (p->top->edge_count != 1) {
    return fail(TIER_E_REFUSED,
                "%s moves two levels at once: the top level \"%s\" needs exactly one level in "
                "\"through\", and has %zu",
                solver, p->top->declared->name, p->top->edge_count);
  }
  const tier_edge *e = p->top->edges[0];
  if (p->m->level_count != 2 || e->lower->child_count > 0) {
    return fail(TIER_E_REFUSED, "%s moves two levels at once, and the manifest has %zu", solver,
                p->m->level_count);
  }
  if (level_has_sets(e->lower)) {
    return fail(TIER_E_UNSUPPORTED,
                "%s does not project the variables of level \"%s\" (\"within\")", solver,
                e->lower->declared->name);
  }
  return TIER_OK;
}

tier_edge *single_loop_edge(tier_levels *l) {
  return problem_of(l)->top->edges[0];
}

int32_t single_loop_draw(tier_levels *l) {
  struct level *top = problem_of(l)->top;
  top->taken = problem_of(l)->done;
  return level_draw(top);
}

tier_vector *single_loop_lower(tier_levels *l) {
  return single_loop_edge(l)->lower->w;
}

int32_t single_loop_oracle(tier_levels *l, int64_t draw, tier_oracle **o) {
  tier_edge *e = single_loop_edge(l);
  return problem_interface.at_solution(e, &e->record, draw, 0, o);
}

int32_t single_loop_gradients(tier_levels *l, double *value, tier_vector *in_x, tier_vector *in_w) {
  struct level *top = problem_of(l)->top;
  const struct level *lower = single_loop_edge(l)->lower;
  struct point at = level_point(top);
  TIER_TRY(suite_gradient(top->suites[0], &at, &top->value, top->term_values, top->gradient,
                          top->cotangent));
  *value = top->value;
  top->gradient_norm = top->direct_norm = vector_interface.norm(top->gradient);
  TIER_TRY(level_guard(top));
  vector_interface.copy(top->gradient, top->update);
  vector_interface.copy(top->gradient, in_x);
  int64_t offset = span_offset(&top->responding, lower->over.variables[0]);
  char *base = (char *)top->cotangent->data + (size_t)offset * dtype_size(top->p->dtype);
  tier_vector *cotangent = vector_view(base, lower->over.size);
  vector_interface.copy(cotangent, in_w);
  vector_free(cotangent);
  return TIER_OK;
}

int32_t single_loop_add_inputs(tier_levels *l, double scale, const tier_vector *inputs,
                               tier_vector *x) {
  const struct level *top = problem_of(l)->top;
  const tier_edge *e = single_loop_edge(l);
  size_t bytes = dtype_size(top->p->dtype);
  for (size_t i = 0; i < e->inputs.count; i++) {
    int variable = e->inputs.variables[i];
    int64_t at = span_offset(&top->over, variable);
    int64_t size = top->p->variables[variable].size;
    tier_vector *from =
        vector_view((char *)inputs->data + (size_t)e->inputs.offsets[i] * bytes, size);
    tier_vector *to = vector_view((char *)x->data + (size_t)at * bytes, size);
    vector_interface.axpy(scale, from, to);
    vector_free(from);
    vector_free(to);
  }
  return TIER_OK;
}

int32_t single_loop_move_lower(tier_levels *l, double value, const tier_vector *gradient,
                               const tier_vector *update) {
  struct level *lower = single_loop_edge(l)->lower;
  lower->value = value;
  lower->gradient_norm = vector_interface.norm(gradient);
  lower->stop = "steps";
  vector_interface.copy(gradient, lower->gradient);
  TIER_TRY(level_guard(lower));
  vector_interface.copy(lower->w, lower->w_next);
  vector_interface.axpy(1.0, update, lower->w_next);
  TIER_TRY(level_guard_update(lower, lower->w, lower->w_next));
  vector_interface.copy(lower->w_next, lower->w);
  lower->taken++;
  return TIER_OK;
}

int32_t single_loop_set_hypergradient(tier_levels *l, const tier_vector *gradient) {
  struct level *top = problem_of(l)->top;
  vector_interface.copy(gradient, top->gradient);
  top->gradient_norm = vector_interface.norm(gradient);
  vector_interface.axpby(1.0, gradient, -1.0, top->update);
  top->response_norm = vector_interface.norm(top->update);
  return level_guard(top);
}

#include "compile/draft.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

tier_value draft_copy(struct graph *to, const struct value *v, const tier_value *inputs) {
  tier_attributes a = {.struct_size = (uint32_t)sizeof a,
                       .int_count = v->int_count,
                       .ints = v->ints,
                       .real_count = v->real_count,
                       .reals = v->reals};
  return to->face.api->emit(&to->face, v->op, inputs, v->input_count, &a);
}

/* Values of `from` that the outputs need. Inputs have smaller numbers than what reads them. */
static unsigned char *live_values(const struct graph *from, const tier_value *outputs,
                                  uint32_t output_count) {
  unsigned char *live = memory_alloc(from->count, 1);
  for (uint32_t i = 0; i < output_count; i++) {
    live[outputs[i]] = 1;
  }
  for (tier_value v = from->count; v-- > 1;) {
    const struct value *value = graph_value(from, v);
    for (uint32_t j = 0; live[v] && j < value->input_count; j++) {
      live[value->inputs[j]] = 1;
    }
  }
  return live;
}

unsigned char *draft_stages(const struct draft *d) {
  unsigned char *stages = memory_alloc(d->graph->count, 1);
  for (uint32_t i = 0; i < d->input_count; i++) {
    stages[d->inputs[i]] = i < d->slow_count ? STAGE_BIND : STAGE_APPLY;
  }
  for (tier_value v = 1; v < d->graph->count; v++) {
    const struct value *value = graph_value(d->graph, v);
    for (uint32_t j = 0; j < value->input_count; j++) {
      unsigned char needed = stages[value->inputs[j]];
      stages[v] = needed > stages[v] ? needed : stages[v];
    }
  }
  return stages;
}

uint32_t *draft_uses(const struct draft *d) {
  uint32_t *uses = memory_alloc(d->graph->count, sizeof *uses);
  for (tier_value v = 1; v < d->graph->count; v++) {
    const struct value *x = graph_value(d->graph, v);
    for (uint32_t j = 0; j < x->input_count; j++) {
      uses[x->inputs[j]]++;
    }
  }
  for (uint32_t i = 0; i < d->output_count; i++) {
    uses[d->outputs[i]] += 2;
  }
  return uses;
}

/* Copies the origins, so that origin numbers mean the same in both. */
static void copy_origins(struct graph *to, const struct graph *from) {
  for (uint32_t i = to->origin_count; i < from->origin_count; i++) {
    (void)graph_origin(to, from->origins[i]);
  }
}

/* Rewrites from -> to; map[old] = new. `map` holds the inputs already. */
static int32_t rewrite(const struct graph *from, struct graph *to, const unsigned char *live,
                       tier_value *map, draft_rule rule, void *context) {
  tier_value *inputs = NULL;
  uint32_t capacity = 0;
  for (tier_value v = 1; v < from->count && to->status >= 0; v++) {
    const struct value *value = graph_value(from, v);
    if (!live[v] || map[v] != 0) {
      continue;
    }
    if (value->input_count > capacity) {
      capacity = 2 * value->input_count;
      inputs = memory_resize(inputs, capacity, sizeof *inputs);
    }
    for (uint32_t j = 0; j < value->input_count; j++) {
      inputs[j] = map[value->inputs[j]];
    }
    if (value->op == OP_INPUT) {
      free(inputs);
      return fail(TIER_E_INTERNAL, "compile: the graph reads input %s, which is not given",
                  value->name != NULL ? value->name : "?");
    }
    graph_restore_origin(to, value->origin);
    map[v] = rule(context, to, value, v, inputs);
  }
  free(inputs);
  return graph_status(to);
}

static int32_t copy_inputs(struct draft *d, const struct graph *from, struct graph *to,
                           tier_value *map) {
  for (uint32_t i = 0; i < d->input_count; i++) {
    const struct value *v = graph_value(from, d->inputs[i]);
    if (v->op != OP_INPUT || map[d->inputs[i]] != 0) {
      return fail(TIER_E_INTERNAL, "compile: input %u is %s", i + 1,
                  v->op != OP_INPUT ? "not an input of the graph" : "given twice");
    }
    graph_restore_origin(to, v->origin);
    map[d->inputs[i]] = graph_input(to, v->type, v->dims, v->rank, v->name ? v->name : "");
  }
  return graph_status(to);
}

/* The common part of draft_new and draft_rewrite: from -> a new graph in d. */
static int32_t derive(struct draft *d, const struct graph *from, const tier_graph_1 *face,
                      draft_rule rule, void *context) {
  struct graph *to = graph_new();
  const tier_graph_1 *own = to->face.api;
  unsigned char *live = live_values(from, d->outputs, d->output_count);
  tier_value *map = memory_alloc(from->count, sizeof *map);
  copy_origins(to, from);
  to->face.api = face != NULL ? face : own;
  int32_t status = copy_inputs(d, from, to, map);
  if (status >= 0) {
    status = rewrite(from, to, live, map, rule, context);
  }
  to->face.api = own;
  for (uint32_t i = 0; status >= 0 && i < d->input_count; i++) {
    d->inputs[i] = map[d->inputs[i]];
  }
  for (uint32_t i = 0; status >= 0 && i < d->output_count; i++) {
    d->outputs[i] = map[d->outputs[i]];
  }
  free(map);
  free(live);
  if (status < 0) {
    graph_free(to);
    return error_context(status, "compile");
  }
  d->graph = to;
  return TIER_OK;
}

int32_t draft_rewrite(struct draft *d, const tier_graph_1 *face, draft_rule rule, void *context) {
  struct graph *old = d->graph;
  TIER_TRY(derive(d, old, face, rule, context));
  graph_free(old);
  return TIER_OK;
}

static tier_value copy_rule(void *context, struct graph *to, const struct value *v, tier_value old,
                            const tier_value *inputs) {
  (void)context, (void)old;
  return draft_copy(to, v, inputs);
}

static int32_t check_values(const struct graph *g, const tier_value *values, uint32_t count,
                            const char *what) {
  for (uint32_t i = 0; i < count; i++) {
    if (values[i] == 0 || values[i] >= g->count) {
      return fail(TIER_E_INTERNAL, "compile: %s %u is not a value of the graph", what, i + 1);
    }
  }
  return TIER_OK;
}

int32_t draft_new(struct draft *d, const struct graph *g, const tier_value *slow,
                  uint32_t slow_count, const tier_value *fast, uint32_t fast_count,
                  const tier_value *outputs, uint32_t output_count) {
  *d = (struct draft){0};
  TIER_TRY(graph_status(g));
  TIER_TRY(check_values(g, slow, slow_count, "slow input"));
  TIER_TRY(check_values(g, fast, fast_count, "fast input"));
  TIER_TRY(check_values(g, outputs, output_count, "output"));
  d->slow_count = slow_count;
  d->input_count = slow_count + fast_count;
  d->output_count = output_count;
  d->inputs = memory_alloc(d->input_count, sizeof *d->inputs);
  d->outputs = memory_alloc(output_count, sizeof *d->outputs);
  for (uint32_t i = 0; i < d->input_count; i++) {
    d->inputs[i] = i < slow_count ? slow[i] : fast[i - slow_count];
  }
  for (uint32_t i = 0; i < output_count; i++) {
    d->outputs[i] = outputs[i];
  }
  return derive(d, g, NULL, copy_rule, NULL);
}

void draft_free(struct draft *d) {
  graph_free(d->graph);
  free(d->inputs);
  free(d->outputs);
  *d = (struct draft){0};
}

int32_t pass_dead(struct draft *d) {
  return draft_rewrite(d, NULL, copy_rule, NULL);
}

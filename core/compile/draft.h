/* A draft: the graph that the passes work on, with what goes in and what comes out. A pass reads
 * the graph and puts a better one in its place. */
#ifndef COMPILE_DRAFT_H
#define COMPILE_DRAFT_H

#include "compile/program.h"

/* When a value is computed. */
#define STAGE_ONCE 0  /* depends on no input */
#define STAGE_BIND 1  /* depends on slow inputs */
#define STAGE_APPLY 2 /* depends on fast inputs */
#define STAGE_COUNT 3

struct draft {
  struct graph *graph;
  tier_value *inputs; /* slow ones, then fast ones */
  uint32_t slow_count;
  uint32_t input_count;
  tier_value *outputs;
  uint32_t output_count;
};

/* Copies what the outputs need, and all inputs. */
int32_t draft_new(struct draft *d, const struct graph *g, const tier_value *slow,
                  uint32_t slow_count, const tier_value *fast, uint32_t fast_count,
                  const tier_value *outputs, uint32_t output_count);
void draft_free(struct draft *d);

/* The one way in which passes rewrite: visits the values in order and asks `rule` for the value in
 * the new graph `to` that stands for each; its inputs are given as values of `to`. `face`, if not
 * NULL, stands in for the new graph's own table, so that an emit can simplify. */
typedef tier_value (*draft_rule)(void *context, struct graph *to, const struct value *v,
                                 tier_value old, const tier_value *inputs);
int32_t draft_rewrite(struct draft *d, const tier_graph_1 *face, draft_rule rule, void *context);
/* The plain rule: the same operation again. */
tier_value draft_copy(struct graph *to, const struct value *v, const tier_value *inputs);

/* uses[v]: how often value v is read; an output counts twice, so that it is never a part of
 * something else only. free() it. */
uint32_t *draft_uses(const struct draft *d);
/* stages[v] = STAGE_ of value v; free() it. */
unsigned char *draft_stages(const struct draft *d);

/* ---- the passes, in their order in program.c's table ---- */

int32_t pass_simplify(struct draft *d); /* algebra: see simplify.c */
int32_t pass_common(struct draft *d);   /* equal values become one */
int32_t pass_dead(struct draft *d);     /* what no output needs goes away */
int32_t pass_stage(struct draft *d);    /* products regrouped, so that more is done in bind */

#endif

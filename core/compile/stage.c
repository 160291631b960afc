/* Regroups products for staging: in (f s1) s2, where f depends on fast inputs and s1, s2 do not,
 * f (s1 s2) leaves one multiplication to apply, and bind does the other. Signs go to the slow
 * factor as well. */
#include <stdlib.h>

#include <tier/nn.h>

#include "base/memory.h"
#include "compile/draft.h"

#define MOST_FACTORS 16

/* What is known of the values of the new graph. */
struct known {
  unsigned char *stage;
  uint32_t *uses; /* how often the value it stands for is read */
  uint32_t capacity;
};

struct regrouping {
  unsigned char *old_stage;
  uint32_t *old_uses;
  struct known new;
};

static void note(struct regrouping *r, tier_value v, unsigned char stage, uint32_t uses) {
  if (v >= r->new.capacity) {
    uint32_t capacity = 2 * v + 64;
    r->new.stage = memory_resize(r->new.stage, capacity, 1);
    r->new.uses = memory_resize(r->new.uses, capacity, sizeof *r->new.uses);
    for (uint32_t i = r->new.capacity; i < capacity; i++) {
      r->new.stage[i] = STAGE_ONCE;
      r->new.uses[i] = 0;
    }
    r->new.capacity = capacity;
  }
  r->new.stage[v] = stage > r->new.stage[v] ? stage : r->new.stage[v];
  r->new.uses[v] = uses > r->new.uses[v] ? uses : r->new.uses[v];
}

/* The factors of a product, as far as its parts are read by nobody else. */
struct factors {
  tier_value fast[MOST_FACTORS];
  tier_value slow[MOST_FACTORS];
  int fast_count, slow_count;
  int products; /* taken apart: one factor less than there will be */
  int negative;
};

static void collect(const struct regrouping *r, const struct graph *g, tier_value v, int is_top,
                    struct factors *f) {
  const struct value *x = graph_value(g, v);
  int open = r->new.stage[v] == STAGE_APPLY && (is_top || r->new.uses[v] == 1) &&
             f->products < MOST_FACTORS - 1;
  if (open && x->op == TIER_OP_NEGATE) {
    f->negative = !f->negative;
    collect(r, g, x->inputs[0], 0, f);
  } else if (open && x->op == TIER_OP_MULTIPLY) {
    f->products++;
    collect(r, g, x->inputs[0], 0, f);
    collect(r, g, x->inputs[1], 0, f);
  } else if (r->new.stage[v] == STAGE_APPLY) {
    f->fast[f->fast_count++] = v;
  } else {
    f->slow[f->slow_count++] = v;
  }
}

static tier_value product(struct regrouping *r, struct graph *g, const tier_value *factors,
                          int count, unsigned char stage) {
  tier_value v = factors[0];
  for (int i = 1; i < count; i++) {
    v = tier_multiply(&g->face, v, factors[i]);
    note(r, v, stage, 1);
  }
  return v;
}

static tier_value rule(void *context, struct graph *to, const struct value *v, tier_value old,
                       const tier_value *inputs) {
  struct regrouping *r = context;
  struct factors f = {0};
  tier_value new = draft_copy(to, v, inputs);
  if (new == 0) {
    return 0;
  }
  note(r, new, r->old_stage[old], r->old_uses[old]);
  if (r->old_stage[old] != STAGE_APPLY || (v->op != TIER_OP_MULTIPLY && v->op != TIER_OP_NEGATE)) {
    return new;
  }
  collect(r, to, new, 1, &f);
  if (f.slow_count == 0 || (f.slow_count < 2 && !f.negative)) {
    return new;
  }
  tier_value pair[2] = {product(r, to, f.fast, f.fast_count, STAGE_APPLY),
                        product(r, to, f.slow, f.slow_count, STAGE_BIND)};
  if (f.negative) {
    pair[1] = tier_negate(&to->face, pair[1]);
    note(r, pair[1], STAGE_BIND, 1);
  }
  new = product(r, to, pair, 2, STAGE_APPLY);
  note(r, new, STAGE_APPLY, r->old_uses[old]);
  return new;
}

int32_t pass_stage(struct draft *d) {
  struct regrouping r = {.old_stage = draft_stages(d), .old_uses = draft_uses(d)};
  note(&r, d->graph->count, STAGE_ONCE, 0);
  /* Inputs are the first values of the new graph, in the same order. */
  for (uint32_t i = 0; i < d->input_count; i++) {
    note(&r, i + 1, i < d->slow_count ? STAGE_BIND : STAGE_APPLY, 2);
  }
  int32_t status = draft_rewrite(d, NULL, rule, &r);
  free(r.old_stage);
  free(r.old_uses);
  free(r.new.stage);
  free(r.new.uses);
  return status;
}

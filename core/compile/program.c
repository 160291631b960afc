#include "compile/program.h"

#include <stdlib.h>
#include <string.h>

#include "backend/instruction.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/profile.h"
#include "base/text.h"
#include "compile/describe.h"
#include "compile/draft.h"
#include "compile/lower.h"
#include "compile/regions.h"

struct program {
  const struct backend *backend;
  struct threads *threads;
  struct lowered code;
  uint32_t slow_count, fast_count, output_count;
  unsigned char *zero; /* of each output */
  char *memory;        /* the arena */
  size_t bytes;
  char **bases; /* of each buffer; those of inputs and outputs change with each call */
  /* Which buffers are whose: buffer numbers by kind and index. */
  uint32_t *slow, *fast, *outputs;
  struct profile_program *profile; /* NULL: none */
  int ready;                       /* STAGE_ONCE has run */
  int bound;
};

/* The pipeline: graph passes, the first ones repeated until the number of values stays; then
 * lowering (views, order of the steps), regions (which steps run together, block of rows by block
 * of rows) and the memory plan. */
struct pass {
  const char *name;
  int32_t (*run)(struct draft *d);
};
static const struct pass repeated[] = {
    {"simplify", pass_simplify}, /* algebra on the graph, transposes into matmul */
    {"common", pass_common},     /* equal values become one */
    {"dead", pass_dead},         /* what no output needs goes away */
};
static const struct pass last[] = {
    {"stage", pass_stage}, /* products are regrouped, so that more is done in bind */
    {"common", pass_common},
    {"dead", pass_dead},
};

/* More rounds than this have not been seen to help; each is correct by itself. */
#define MOST_ROUNDS 6

static int32_t run_passes(struct draft *d, const struct pass *passes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    int32_t status = passes[i].run(d);
    if (status < 0) {
      return error_context(status, "%s", passes[i].name);
    }
  }
  return TIER_OK;
}

static int32_t run_all_passes(struct draft *d) {
  uint32_t before = 0;
  for (int round = 0; round < MOST_ROUNDS && d->graph->count != before; round++) {
    before = d->graph->count;
    TIER_TRY(run_passes(d, repeated, sizeof repeated / sizeof repeated[0]));
  }
  return run_passes(d, last, sizeof last / sizeof last[0]);
}

/* ---- compiling ----------------------------------------------------------------------------- */

static void find_zero_outputs(struct program *p, const struct draft *d) {
  p->zero = memory_alloc(d->output_count, 1);
  for (uint32_t i = 0; i < d->output_count; i++) {
    const struct value *v = graph_value(d->graph, d->outputs[i]);
    int zero = v->op == TIER_OP_CONSTANT;
    for (uint32_t j = 0; zero && j < v->real_count; j++) {
      zero = v->reals[j] == 0.0;
    }
    p->zero[i] = (unsigned char)zero;
  }
}

static void fill_constant(const struct program *p, const struct buffer *b, char *data) {
  for (int64_t i = 0; i < b->size; i++) {
    double value = b->reals[b->real_count == 1 ? 0 : i];
    if (p->code.dtype == DTYPE_F32) {
      ((float *)(void *)data)[i] = (float)value;
    } else {
      ((double *)(void *)data)[i] = value;
    }
  }
}

/* Places buffers, fills constants, and notes which buffers are the caller's. */
static int32_t place_memory(struct program *p) {
  struct lowered *l = &p->code;
  void *memory = NULL;
  plan_memory(l, &p->bytes);
  TIER_TRY(large_alloc(p->bytes, "the arrays of a program", &memory));
  p->memory = memory;
  p->bases = memory_alloc(l->buffer_count, sizeof *p->bases);
  p->slow = memory_alloc(p->slow_count, sizeof *p->slow);
  p->fast = memory_alloc(p->fast_count, sizeof *p->fast);
  p->outputs = memory_alloc(p->output_count, sizeof *p->outputs);
  for (uint32_t i = 0; i < l->buffer_count; i++) {
    const struct buffer *b = &l->buffers[i];
    uint32_t *table = b->kind == BUFFER_SLOW   ? p->slow
                      : b->kind == BUFFER_FAST ? p->fast
                                               : p->outputs;
    if (b->kind > BUFFER_CONSTANT) {
      table[b->index] = i;
    } else {
      p->bases[i] = p->memory + b->offset;
    }
    if (b->kind == BUFFER_CONSTANT && b->first >= 0) {
      fill_constant(p, b, p->bases[i]);
    }
  }
  return TIER_OK;
}

static int32_t prepare_steps(struct program *p) {
  for (uint32_t i = 0; p->backend->prepare != NULL && i < p->code.step_count; i++) {
    if (p->code.steps[i].region == NO_REGION) {
      TIER_TRY(p->backend->prepare(&p->code.steps[i].code, p->code.dtype));
    }
  }
  for (uint32_t i = 0; i < p->code.region_count; i++) {
    TIER_TRY(p->backend->prepare_region(&p->code.regions[i], p->code.dtype));
  }
  return TIER_OK;
}

static int32_t compile(struct program *p, struct draft *d, const struct program_options *options) {
  int plain = (options->flags & PROGRAM_PLAIN) != 0;
  if (!plain) {
    TIER_TRY(run_all_passes(d));
  }
  find_zero_outputs(p, d);
  TIER_TRY(lowered_new(d, plain, options->dtype, &p->code));
  resolve_views(&p->code);
  if (!plain && p->backend->run_region != NULL) {
    int small = (options->flags & PROGRAM_SMALL_BLOCKS) != 0;
    regions_form(&p->code, threads_count(p->threads), small ? &small_limits : &usual_limits);
  }
  p->profile = describe_program(options->profile, options->name, &p->code, d->graph);
  TIER_TRY(place_memory(p));
  return prepare_steps(p);
}

int32_t program_compile(const struct graph *g, const struct program_options *options,
                        const tier_value *slow, uint32_t slow_count, const tier_value *fast,
                        uint32_t fast_count, const tier_value *outputs, uint32_t output_count,
                        struct program **program) {
  struct draft d = {0};
  struct program *p = memory_alloc(1, sizeof *p);
  *program = NULL;
  p->backend = options->backend;
  p->threads = options->threads;
  p->slow_count = slow_count;
  p->fast_count = fast_count;
  p->output_count = output_count;
  int32_t status = draft_new(&d, g, slow, slow_count, fast, fast_count, outputs, output_count);
  if (status >= 0) {
    status = compile(p, &d, options);
  }
  draft_free(&d);
  if (status < 0) {
    program_free(p);
    return status;
  }
  *program = p;
  return TIER_OK;
}

void program_free(struct program *p) {
  if (p == NULL) {
    return;
  }
  for (uint32_t i = 0; p->backend->release != NULL && i < p->code.step_count; i++) {
    p->backend->release(&p->code.steps[i].code);
  }
  for (uint32_t i = 0; i < p->code.region_count; i++) {
    p->backend->release_region(&p->code.regions[i]);
  }
  lowered_free(&p->code);
  large_free(p->memory);
  free(p->bases);
  free(p->slow);
  free(p->fast);
  free(p->outputs);
  free(p->zero);
  free(p);
}

/* ---- running ------------------------------------------------------------------------------- */

/* Runs step *i, or the region that it begins, and moves *i behind. */
static int32_t run_next(struct program *p, uint32_t *i) {
  const struct lowered *l = &p->code;
  const struct step *s = &l->steps[*i];
  if (s->region == NO_REGION) {
    *i += 1;
    return p->backend->run(&s->code, l->dtype, p->bases, p->threads);
  }
  const struct region *r = &l->regions[s->region];
  *i += r->count;
  return p->backend->run_region(r, l->dtype, p->bases, p->threads, p->profile);
}

static int32_t run_profiled(struct program *p, uint32_t begin, uint32_t end, int stage) {
  int32_t status = TIER_OK;
  if (begin == end) {
    return TIER_OK;
  }
  profile_program_enter(p->profile, stage == STAGE_APPLY ? "run" : "bind");
  int64_t now = profile_now();
  for (uint32_t i = begin; i < end && status == TIER_OK;) {
    uint32_t first = i;
    int region = p->code.steps[i].region != NO_REGION;
    status = run_next(p, &i);
    now = region ? profile_add_region(p->profile, first, i - first, now)
                 : profile_add(p->profile, first, now);
  }
  profile_program_leave(p->profile);
  return status;
}

static int32_t run_stage(struct program *p, int stage) {
  uint32_t begin = stage == 0 ? 0 : p->code.stage_end[stage - 1];
  uint32_t end = p->code.stage_end[stage];
  if (p->profile != NULL) {
    return run_profiled(p, begin, end, stage);
  }
  for (uint32_t i = begin; i < end;) {
    TIER_TRY(run_next(p, &i));
  }
  return TIER_OK;
}

/* Inputs are never written through these. */
static char *without_const(const void *data) {
  union {
    const void *from;
    char *to;
  } pointer = {.from = data};
  return pointer.to;
}

int32_t program_bind(struct program *p, const void *const *slow) {
  p->bound = 0;
  for (uint32_t i = 0; i < p->slow_count; i++) {
    p->bases[p->slow[i]] = without_const(slow[i]);
  }
  if (!p->ready) {
    TIER_TRY(run_stage(p, STAGE_ONCE));
    p->ready = 1;
  }
  TIER_TRY(run_stage(p, STAGE_BIND));
  p->bound = 1;
  return TIER_OK;
}

int32_t program_apply(struct program *p, const void *const *fast, void *const *outputs) {
  if (!p->bound) {
    if (p->slow_count > 0) {
      return fail(TIER_E_INTERNAL, "program_apply: not bound");
    }
    TIER_TRY(program_bind(p, NULL));
  }
  for (uint32_t i = 0; i < p->fast_count; i++) {
    p->bases[p->fast[i]] = without_const(fast[i]);
  }
  for (uint32_t i = 0; i < p->output_count; i++) {
    p->bases[p->outputs[i]] = outputs[i];
  }
  return run_stage(p, STAGE_APPLY);
}

/* ---- facts --------------------------------------------------------------------------------- */

/* Multiplications and additions of a matmul; 0 for others. */
static int64_t flops(const struct instruction *i) {
  return i->op == TIER_OP_MATMUL ? step_flops(i) : 0;
}

void program_facts(const struct program *p, struct program_facts *out) {
  const struct lowered *l = &p->code;
  *out = (struct program_facts){.arena_bytes = (int64_t)p->bytes, .regions = l->region_count};
  for (uint32_t i = 0; i < l->step_count; i++) {
    if (l->steps[i].stage == STAGE_APPLY) {
      out->apply_instructions++;
      out->apply_flops += flops(&l->steps[i].code);
    } else {
      out->bind_instructions++;
      out->bind_flops += flops(&l->steps[i].code);
    }
  }
}

int program_output_is_zero(const struct program *p, uint32_t index) {
  return p->zero[index];
}

static void list_view(struct text *t, const struct program *p, const struct view *v) {
  static const char *const kinds[] = {"arena", "constant", "slow", "fast", "output"};
  const struct buffer *b = &p->code.buffers[v->buffer];
  text_add(t, b->scratch ? "scratch" : kinds[b->kind]);
  if (b->kind > BUFFER_CONSTANT) {
    text_format(t, " %u", b->index);
  } else {
    text_format(t, "+%zu", b->offset);
  }
  if (v->offset != 0) {
    text_format(t, "[%lld]", (long long)v->offset);
  }
  text_add(t, v->type == TIER_I32 ? " i32 (" : " (");
  for (int32_t i = 0; i < v->rank; i++) {
    text_format(t, i == 0 ? "%lld" : ", %lld", (long long)v->dims[i]);
  }
  text_add(t, ")");
  if (!view_is_dense(v)) {
    text_add(t, " by");
    for (int32_t i = 0; i < v->rank; i++) {
      text_format(t, " %lld", (long long)v->strides[i]);
    }
  }
}

static const char *name_of(const struct instruction *i) {
  return i->op == OP_COPY ? "copy" : operation_get(i->op)->name;
}

/* Before the first step of a region: its sizes. */
static void list_region(struct text *t, const struct program *p, uint32_t step) {
  uint32_t number = p->code.steps[step].region;
  const struct region *r = number != NO_REGION ? &p->code.regions[number] : NULL;
  if (r != NULL && r->first == step) {
    text_format(t,
                "region of %u steps: %lld rows, in chunks of %lld, in blocks of %lld; %zu bytes of "
                "scratch a thread, %zu of partial results a chunk\n",
                r->count, (long long)r->units, (long long)r->chunk, (long long)r->block, r->scratch,
                r->partial);
  }
}

char *program_listing(const struct program *p) {
  static const char *const stages[] = {"once", "bind", "apply"};
  struct text t = {0};
  text_format(&t, "%u instructions, %zu bytes\n", p->code.step_count, p->bytes);
  for (uint32_t i = 0; i < p->code.step_count; i++) {
    const struct step *s = &p->code.steps[i];
    list_region(&t, p, i);
    text_format(&t, "%s%-5s %s", s->region != NO_REGION ? "  " : "", stages[s->stage],
                name_of(&s->code));
    if (s->code.op == TIER_OP_MATMUL) {
      text_format(&t, "%s%s", s->code.ints[0] ? " ta" : "", s->code.ints[1] ? " tb" : "");
    }
    text_add(&t, ": ");
    list_view(&t, p, &s->code.out);
    for (uint32_t j = 0; j < s->code.input_count; j++) {
      text_add(&t, j == 0 ? " <- " : ", ");
      list_view(&t, p, &s->code.inputs[j]);
    }
    if (strstr(s->code.where, ", ") != NULL) {
      text_format(&t, "  # %s", strstr(s->code.where, ", ") + 2);
    }
    text_add(&t, "\n");
  }
  char *listing = memory_copy_text(text_get(&t));
  text_free(&t);
  return listing;
}

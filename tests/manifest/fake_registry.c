#include "fake_registry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A line each: kind, id, +flags, then slots: NAME:TYPE with TYPE one of
 *   E expression  L expressions  n number  d differentiable number  N numbers  i integer
 *   I integers  b boolean  t text  T texts  p path  S source  M sources  l level  o objective
 *   v variable  a application
 * then ! (required), =DEFAULT, (choices), [minimum or ]minimum (open). Entries of models follow
 * as @NAME>OUTPUTS, then their slots. */
static const char *const now[] = {
    "dataset idx images:p! labels:p",
    "dataset npy x:p! y:p",
    "dataset csv path:p! target:T labels:b=false ignore:T header:t=\"auto\"(auto|yes|no)",
    "dataset digits rows:i=1000[1",
    "dataset linear-problem rows:i=1000[1 features:i=10[1 noise:n=0.1[0 outputs:i=1[1",
    "dataset concat of:M!",
    "transform take count:i![0",
    "transform skip count:i![0",
    "transform shuffle",
    "transform scale factor:n=1 add:n=0 field:t=\"x\"",
    "transform where field:t!",
    "transform label-noise rate:n![0",
    "model linear layers:I![1 init:t=\"fan-in\"(fan-in|zeros) @forward x:E!",
    "model mlp layers:I![1 activation:t=\"relu\"(relu|tanh|sigmoid|softplus|silu) "
    "init:t=\"fan-in\"(fan-in|zeros) @forward x:E!",
    "loss cross-entropy logits:E! labels:E!",
    "loss soft-cross-entropy logits:E! target:E!",
    "loss binary-cross-entropy logits:E! target:E!",
    "loss mse of:E! target:E!",
    "loss huber of:E! target:E! delta:n=1]0",
    "loss l2 of:E!",
    "map times of:L!",
    "map sum of:L!",
    "map minus of:L!",
    "map exp of:E!",
    "map log of:E!",
    "map sigmoid of:E!",
    "map tanh of:E!",
    "map softplus of:E!",
    "map softmax of:E!",
    "map square of:E!",
    "map total of:E!",
    "metric accuracy logits:E! labels:E!",
    "metric f1 score:E! truth:E!",
    "metric auc score:E! truth:E!",
    "optimizer sgd +fixed lr:d!]0",
    "optimizer momentum +fixed lr:d!]0 beta:d=0.9[0",
    "optimizer nesterov +fixed lr:d!]0 beta:d=0.9[0",
    "optimizer rmsprop lr:d=0.001]0 gamma:d=0.9[0 eps:n=1e-8]0",
    "optimizer adam lr:d=0.001]0 beta1:d=0.9[0 beta2:d=0.999[0 eps:n=1e-8]0",
    "optimizer lbfgs memory:i=10[1",
    "linear-solver cg +symmetric iterations:i=1000[1 tolerance:n=1e-12[0 "
    "start:t=\"zero\"(zero|previous)",
    "linear-solver dense method:t=\"auto\"(auto|cholesky|lu) limit:i=10000[1",
    "linear-solver neumann terms:i=20[1 lr:n]0",
    "estimator implicit +implicit solver:a!(linear-solver) damping:n=0[0 batch:i[1 "
    "step:a(optimizer) preconditioner:a(linear-solver) via:t=\"objective\"(objective|step)",
    "estimator unroll +step truncate:i[1 first_order:b=false lookahead:i[1 step:a(optimizer)",
    "estimator one-step +step step:a(optimizer) radius:n=0.01]0",
    "solver nested",
    "solver grid +nogradient from:N! to:N! points:i=10[2",
    "solver random-search +nogradient from:N! to:N! points:i=20[1",
    "writer npy of:E!",
    "writer csv of:E! header:T",
    NULL,
};

static const char *const later[] = {
    "dataset ring modes:i=8[1 radius:n=2]0 deviation:n=0.1[0",
    "dataset gaussian size:i![1",
    "dataset sinusoids +collection shots:i=10[1",
    "transform permute-pixels +collection tasks:i![1",
    "transform earlier",
    "transform classes of:I!",
    "transform rows of:I!",
    "model vae layers:I![1 @encode>mean,log_variance x:E! @decode z:E!",
    "model mlp layers:I![1 activation:t=\"relu\"(relu|tanh|sigmoid|softplus|silu) "
    "init:t=\"fan-in\"(fan-in|zeros) @forward x:E! dropout:E",
    "model row-gated for:v! inputs:i![1 @forward x:E!",
    "map slice of:E! at:i=0[0 count:i=1[1",
    "map concat of:L!",
    "map normal mean:E! deviation:E log_variance:E",
    "map jitter of:E! by:d!",
    "loss normal-kl mean:E! log_variance:E!",
    "loss normal-entropy deviation:E!",
    "loss quadratic of:E! center:E! diagonal:E!",
    "loss log-power base:E! exponent:E!",
    "evaluator auto-evaluator scores:E!",
    "evaluator fisher-diagonal logits:E! of:v!",
    "metric sliced-w1 first:E! second:E!",
    "metric ring-modes of:E! modes:i=8[1 radius:n=2]0",
    "metric preference first:E! second:E!",
    "metric backward-transfer logits:E! labels:E!",
    "metric leave-one-out level:l! of:v! effect:o! rows:i=100[1",
    "optimizer sign lr:d!]0",
    "optimizer normalized lr:d![0",
    "estimator nested-fd +step radius:n=0.01]0",
    "estimator reptile +step",
    "linear-solver lissa depth:i=100[1 scale:n=1]0 repeats:i=1[1",
    "set box min:d! max:d!",
    "set ball center:E! radius:d! norm:t=\"2\"(1|2|inf)",
    "writer image-grid of:E! rows:i=8[1 columns:i=8[1",
    NULL,
};

struct registry {
  struct arena *arena;
  struct component *components[128];
  size_t count;
  const char *names[POSITION_COUNT][128];
  size_t name_counts[POSITION_COUNT];
  struct registry_refusal refusals[4];
  size_t refusal_count;
  struct plugin plugin;
};

/* ---- reading the lines ---- */

static int32_t slot_type(char letter) {
  static const char letters[] = "ELndNiIbtTpSMlova";
  static const int32_t types[] = {TIER_SLOT_EXPRESSION, TIER_SLOT_EXPRESSIONS, TIER_SLOT_NUMBER,
                                  TIER_SLOT_NUMBER,     TIER_SLOT_NUMBERS,     TIER_SLOT_INTEGER,
                                  TIER_SLOT_INTEGERS,   TIER_SLOT_BOOLEAN,     TIER_SLOT_TEXT,
                                  TIER_SLOT_TEXTS,      TIER_SLOT_PATH,        TIER_SLOT_DATA,
                                  TIER_SLOT_DATA_LIST,  TIER_SLOT_LEVEL,       TIER_SLOT_OBJECTIVE,
                                  TIER_SLOT_VARIABLE,   TIER_SLOT_APPLICATION};
  return types[strchr(letters, letter) - letters];
}

/* "lr:d!]0": the word up to the next space. */
static tier_slot read_slot(struct arena *a, const char *word) {
  const char *colon = strchr(word, ':');
  const char *p = colon + 2;
  tier_slot s = {.name = arena_text_n(a, word, (size_t)(colon - word)),
                 .unit = "",
                 .type = slot_type(colon[1]),
                 .flags = colon[1] == 'd' ? TIER_SLOT_DIFFERENTIABLE : 0};
  s.doc = arena_format(a, "the %s", s.name);
  if (*p == '!') {
    s.flags |= TIER_SLOT_REQUIRED;
    p++;
  }
  if (*p == '=') {
    size_t n = strcspn(++p, "([] ");
    s.fallback = arena_text_n(a, p, n);
    p += n;
  }
  if (*p == '(') {
    size_t n = strcspn(++p, ")");
    s.choices = arena_text_n(a, p, n);
    p += n + 1;
  }
  if (*p == '[' || *p == ']') {
    s.flags |= *p == ']' ? TIER_SLOT_OPEN_MINIMUM : 0;
    s.minimum = strtod(p + 1, NULL);
    s.maximum = HUGE_VAL;
  }
  return s;
}

static const char *next_word(const char *p) {
  p += strcspn(p, " ");
  return p + (*p == ' ');
}

/* Slots from p on, up to the end or an entry. */
static const char *read_slots(struct arena *a, const char *p, const tier_slot **out,
                              uint32_t *count) {
  tier_slot *slots = arena_alloc(a, 8 * sizeof *slots);
  *count = 0;
  for (; *p != '\0' && *p != '@'; p = next_word(p)) {
    slots[(*count)++] = read_slot(a, p);
  }
  *out = slots;
  return p;
}

static uint32_t read_flag(const char *p) {
  static const struct {
    const char *name;
    uint32_t flag;
  } flags[] = {{"+fixed", TIER_FIXED_POINT},      {"+symmetric", TIER_SYMMETRIC},
               {"+implicit", TIER_IMPLICIT},      {"+step", TIER_NEEDS_STEP},
               {"+nogradient", TIER_NO_GRADIENT}, {"+collection", TIER_COLLECTION}};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    if (strncmp(p, flags[i].name, strlen(flags[i].name)) == 0) {
      return flags[i].flag;
    }
  }
  return 0;
}

static void read_entries(struct arena *a, const char *p, tier_component *c) {
  tier_entry *entries = arena_alloc(a, 4 * sizeof *entries);
  while (*p == '@') {
    tier_entry *e = &entries[c->entry_count++];
    size_t n = strcspn(++p, "> ");
    e->name = arena_text_n(a, p, n);
    e->doc = "an entry";
    if (p[n] == '>') {
      char *outputs = arena_text_n(a, p + n + 1, strcspn(p + n + 1, " "));
      for (char *q = outputs; *q != '\0'; q++) {
        *q = *q == ',' ? ' ' : *q;
      }
      e->outputs = outputs;
    }
    p = read_slots(a, next_word(p), &e->slots, &e->slot_count);
  }
  c->entries = entries;
}

static void add_line(struct registry *r, const char *line) {
  struct component *x = arena_alloc(r->arena, sizeof *x);
  const char *p = next_word(line);
  x->c.struct_size = (uint32_t)sizeof x->c;
  x->c.kind = arena_text_n(r->arena, line, strcspn(line, " "));
  x->c.id = arena_text_n(r->arena, p, strcspn(p, " "));
  x->c.summary = "of the test";
  for (p = next_word(p); *p == '+'; p = next_word(p)) {
    x->c.flags |= read_flag(p);
  }
  p = read_slots(r->arena, p, &x->c.slots, &x->c.slot_count);
  read_entries(r->arena, p, &x->c);
  x->position = position_of_kind(x->c.kind);
  for (size_t i = 0; i < r->count; i++) { /* a later version replaces an earlier one */
    if (r->components[i]->position == x->position && strcmp(r->components[i]->c.id, x->c.id) == 0) {
      r->components[i]->c = x->c;
      return;
    }
  }
  x->plugin = &r->plugin;
  r->components[r->count++] = x;
  r->names[x->position][r->name_counts[x->position]++] = x->c.id;
}

struct registry *fake_registry(int with_later) {
  struct arena *a = arena_new();
  struct registry *r = arena_alloc(a, sizeof *r);
  r->arena = a;
  r->plugin = (struct plugin){.path = "fake.so", .sha256 = "0123456789abcdef", .name = "fake"};
  for (size_t i = 0; now[i] != NULL; i++) {
    add_line(r, now[i]);
  }
  for (size_t i = 0; with_later && later[i] != NULL; i++) {
    add_line(r, later[i]);
  }
  return r;
}

void fake_registry_free(struct registry *r) {
  arena_free(r->arena);
}

void fake_registry_refuse(struct registry *r, const char *path, const char *reason) {
  r->refusals[r->refusal_count++] = (struct registry_refusal){path, reason};
}

/* ---- the registry's functions ---- */

const struct component *registry_find(const struct registry *r, enum position position,
                                      const char *id) {
  for (size_t i = 0; i < r->count; i++) {
    if (r->components[i]->position == position && strcmp(r->components[i]->c.id, id) == 0) {
      return r->components[i];
    }
  }
  return NULL;
}

const struct registry_refusal *registry_refused(const struct registry *r, size_t index) {
  return index < r->refusal_count ? &r->refusals[index] : NULL;
}

const char *const *registry_names(const struct registry *r, enum position position, size_t *count) {
  *count = r->name_counts[position];
  return r->names[position];
}

const char *plugin_hash(struct plugin *p) {
  return p->sha256;
}

enum position position_of_kind(const char *kind) {
  static const struct {
    const char *kind;
    enum position position;
  } kinds[] = {{"dataset", POSITION_DATA},        {"transform", POSITION_DATA},
               {"model", POSITION_MODEL},         {"loss", POSITION_FUNCTION},
               {"map", POSITION_FUNCTION},        {"metric", POSITION_FUNCTION},
               {"evaluator", POSITION_FUNCTION},  {"optimizer", POSITION_OPTIMIZER},
               {"estimator", POSITION_ESTIMATOR}, {"linear-solver", POSITION_ESTIMATOR},
               {"solver", POSITION_SOLVER},       {"set", POSITION_SET},
               {"writer", POSITION_WRITER}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].kind, kind) == 0) {
      return kinds[i].position;
    }
  }
  return POSITION_COUNT;
}

const char *position_name(enum position p) {
  static const char *const names[] = {"dataset or transform",
                                      "model",
                                      "function",
                                      "optimizer",
                                      "estimator",
                                      "solver",
                                      "set",
                                      "writer"};
  return names[p];
}

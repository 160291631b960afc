#include "plugin/params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "plugin/arguments.h"
#include "plugin/slot.h"

struct params {
  tier_params face; /* first */
  const struct component *component;
  struct arena *arena;
  struct value *values; /* one for each slot */
  tier_data *source;
  uint64_t stream;
  struct notes *notes;
};

/* What went wrong so far, behind a pointer because plugins hold the params as const. */
struct notes {
  const char *unusable; /* a setter was called with something that no slot takes */
  const char *bug;      /* a getter was called for a slot of another type */
};

/* ---- slots by name --------------------------------------------------------------------------- */

static int64_t find(const struct params *p, const char *slot) {
  for (uint32_t i = 0; i < p->component->c.slot_count; i++) {
    if (strcmp(p->component->c.slots[i].name, slot) == 0) {
      return i;
    }
  }
  return -1;
}

static void note_unknown(struct params *p, const char *slot) {
  const tier_component *c = &p->component->c;
  const char **names = memory_alloc(c->slot_count, sizeof *names);
  for (uint32_t i = 0; i < c->slot_count; i++) {
    names[i] = c->slots[i].name;
  }
  int64_t nearest = text_nearest(slot, names, c->slot_count);
  if (p->notes->unusable == NULL) {
    p->notes->unusable =
        nearest < 0 ? arena_format(p->arena, "there is no slot \"%s\"", slot)
                    : arena_format(p->arena, "there is no slot \"%s\"; did you mean \"%s\"?", slot,
                                   names[nearest]);
  }
  free(names);
}

static void set(struct params *p, const char *slot, struct value v) {
  int64_t i = find(p, slot);
  if (i < 0) {
    note_unknown(p, slot);
  } else {
    p->values[i] = v;
  }
}

/* ---- filling --------------------------------------------------------------------------------- */

void params_set_numbers(struct params *p, const char *slot, const double *values, size_t count) {
  struct value v = {.kind = VALUE_NUMBERS, .count = count};
  v.numbers = arena_copy(p->arena, values, count * sizeof *values);
  set(p, slot, v);
}

void params_set_texts(struct params *p, const char *slot, const char *const *texts, size_t count) {
  struct value v = {.kind = VALUE_TEXTS, .count = count};
  v.texts = arena_alloc(p->arena, count * sizeof *v.texts);
  for (size_t i = 0; i < count; i++) {
    v.texts[i] = arena_text(p->arena, texts[i]);
  }
  set(p, slot, v);
}

void params_set_data(struct params *p, const char *slot, tier_data *const *data, size_t count) {
  struct value v = {.kind = VALUE_DATA, .count = count};
  v.data = arena_copy(p->arena, data, count * sizeof(tier_data *));
  set(p, slot, v);
}

void params_set_source(struct params *p, tier_data *source) {
  p->source = source;
}

void params_set_instance(struct params *p, const char *slot, const struct instance *i) {
  set(p, slot, (struct value){.kind = VALUE_INSTANCE, .count = 1, .instance = &i->face});
}

void params_set_given(struct params *p, const char *slot) {
  set(p, slot, (struct value){.kind = VALUE_GIVEN, .count = 1});
}

/* ---- checking -------------------------------------------------------------------------------- */

/* Fallbacks of expressions, applications and data are the manifest layer's to bind: left unset. */
static int has_plain_fallback(const tier_slot *s) {
  return s->fallback != NULL && !slot_is_expression(s->type) && s->type != TIER_SLOT_APPLICATION &&
         s->type != TIER_SLOT_DATA && s->type != TIER_SLOT_DATA_LIST;
}

static int32_t complete(struct params *p, const tier_slot *s, struct value *v) {
  if (v->kind != VALUE_NONE) {
    /* An expression's operands are bound elsewhere; here it is only said to be there. */
    return slot_is_expression(s->type) && v->kind == VALUE_GIVEN ? TIER_OK : slot_check(s, v);
  }
  if ((s->flags & TIER_SLOT_REQUIRED) != 0) {
    return fail(TIER_E_INVALID, "\"%s\" is missing, and must be %s", s->name,
                slot_type_name(s->type));
  }
  return has_plain_fallback(s) ? slot_read_json(p->arena, s->fallback, v) : TIER_OK;
}

/* A transform wraps a source, unless it takes its data through slots (concat). */
static int needs_source(const tier_component *c) {
  int takes_data = 0;
  for (uint32_t i = 0; i < c->slot_count; i++) {
    takes_data |= c->slots[i].type == TIER_SLOT_DATA || c->slots[i].type == TIER_SLOT_DATA_LIST;
  }
  return strcmp(c->kind, "transform") == 0 && !takes_data;
}

int32_t params_complete(struct params *p) {
  const tier_component *c = &p->component->c;
  if (p->notes->unusable != NULL) {
    return fail(TIER_E_INVALID, "%s", p->notes->unusable);
  }
  for (uint32_t i = 0; i < c->slot_count; i++) {
    TIER_TRY(complete(p, &c->slots[i], &p->values[i]));
  }
  if (needs_source(c) && p->source == NULL) {
    return fail(TIER_E_INVALID,
                "a transform needs data to work on: put it after a dataset in a "
                "list");
  }
  return TIER_OK;
}

const char *params_bug(const struct params *p) {
  return p->notes->bug;
}

/* ---- what `create` sees ---------------------------------------------------------------------- */

static const struct params *params_of(const tier_params *p) {
  return (const struct params *)p;
}

static void note_bug(const struct params *p, const char *slot, const char *wanted) {
  if (p->notes->bug == NULL) {
    int64_t i = find(p, slot);
    p->notes->bug =
        i < 0 ? arena_format(p->arena, "it asked for a slot \"%s\", which its table lacks", slot)
              : arena_format(p->arena, "it asked for %s at slot \"%s\", which is %s", wanted, slot,
                             slot_type_name(p->component->c.slots[i].type));
  }
}

#define BIT(type) (1u << (type))
#define TEXT_TYPES                                                                               \
  (BIT(TIER_SLOT_TEXT) | BIT(TIER_SLOT_PATH) | BIT(TIER_SLOT_LEVEL) | BIT(TIER_SLOT_OBJECTIVE) | \
   BIT(TIER_SLOT_VARIABLE))

/* Element `index` of a slot of one of the `types`: its value if it has that many, else NULL. An
 * optional slot without a value has no elements; asking for its first is no bug. */
static const struct value *element(const tier_params *face, const char *slot, uint32_t types,
                                   int64_t index, const char *wanted) {
  const struct params *p = params_of(face);
  int64_t i = find(p, slot);
  if (i < 0 || (BIT(p->component->c.slots[i].type) & types) == 0) {
    note_bug(p, slot, wanted);
    return NULL;
  }
  const struct value *v = &p->values[i];
  if (index < 0 || (size_t)index >= v->count) {
    if (index != 0) {
      note_bug(p, slot, "an element beyond the end");
    }
    return NULL;
  }
  return v;
}

static int32_t given(const tier_params *face, const char *slot) {
  const struct params *p = params_of(face);
  int64_t i = find(p, slot);
  if (i < 0) {
    note_bug(p, slot, "");
    return 0;
  }
  const struct value *v = &p->values[i];
  return v->kind != VALUE_NONE || v->list;
}

static double number_of(const tier_params *face, const char *slot, uint32_t types, int64_t index,
                        const char *wanted) {
  const struct value *v = element(face, slot, types, index, wanted);
  if (v == NULL) {
    return 0;
  }
  return v->kind == VALUE_GIVEN ? (double)NAN : v->numbers[index];
}

static double number(const tier_params *p, const char *slot) {
  return number_of(p, slot, BIT(TIER_SLOT_NUMBER), 0, "a number");
}

static double number_at(const tier_params *p, const char *slot, int64_t index) {
  return number_of(p, slot, BIT(TIER_SLOT_NUMBER) | BIT(TIER_SLOT_NUMBERS), index,
                   "a list of numbers");
}

static int64_t integer(const tier_params *p, const char *slot) {
  return (int64_t)number_of(p, slot, BIT(TIER_SLOT_INTEGER), 0, "an integer");
}

static int64_t integer_at(const tier_params *p, const char *slot, int64_t index) {
  return (int64_t)number_of(p, slot, BIT(TIER_SLOT_INTEGER) | BIT(TIER_SLOT_INTEGERS), index,
                            "a list of integers");
}

static int32_t boolean(const tier_params *p, const char *slot) {
  return number_of(p, slot, BIT(TIER_SLOT_BOOLEAN), 0, "true or false") != 0;
}

static const char *text_of(const tier_params *face, const char *slot, uint32_t types, int64_t index,
                           const char *wanted) {
  const struct value *v = element(face, slot, types, index, wanted);
  return v != NULL ? v->texts[index] : NULL;
}

static const char *text(const tier_params *p, const char *slot) {
  return text_of(p, slot, TEXT_TYPES, 0, "a text");
}

static const char *text_at(const tier_params *p, const char *slot, int64_t index) {
  return text_of(p, slot, TEXT_TYPES | BIT(TIER_SLOT_TEXTS), index, "a list of texts");
}

static int64_t count(const tier_params *face, const char *slot) {
  const struct params *p = params_of(face);
  int64_t i = find(p, slot);
  if (i < 0) {
    note_bug(p, slot, "");
    return 0;
  }
  return (int64_t)p->values[i].count;
}

static tier_data *data_at(const tier_params *p, const char *slot, int64_t index) {
  const struct value *v =
      element(p, slot, BIT(TIER_SLOT_DATA) | BIT(TIER_SLOT_DATA_LIST), index, "a data source");
  return v != NULL ? v->data[index] : NULL;
}

static tier_data *source(const tier_params *p) {
  return params_of(p)->source;
}

static const tier_instance *instance(const tier_params *p, const char *slot) {
  const struct value *v = element(p, slot, BIT(TIER_SLOT_APPLICATION), 0, "an application");
  return v != NULL ? v->instance : NULL;
}

static uint64_t stream(const tier_params *p) {
  return params_of(p)->stream;
}

static const tier_params_1 interface = {
    .struct_size = (uint32_t)sizeof(tier_params_1),
    .given = given,
    .number = number,
    .integer = integer,
    .boolean = boolean,
    .text = text,
    .count = count,
    .number_at = number_at,
    .integer_at = integer_at,
    .text_at = text_at,
    .data_at = data_at,
    .source = source,
    .instance = instance,
    .stream = stream,
};

/* ---- life ------------------------------------------------------------------------------------ */

struct params *params_new(const struct component *c, uint64_t key) {
  struct arena *a = arena_new();
  struct params *p = arena_alloc(a, sizeof *p);
  *p = (struct params){.face = {&interface}, .component = c, .arena = a, .stream = key};
  p->values = arena_alloc(a, c->c.slot_count * sizeof *p->values);
  p->notes = arena_alloc(a, sizeof *p->notes);
  memset(p->values, 0, c->c.slot_count * sizeof *p->values);
  *p->notes = (struct notes){0};
  return p;
}

void params_free(struct params *p) {
  if (p != NULL) {
    arena_free(p->arena);
  }
}

const struct component *params_component(const struct params *p) {
  return p->component;
}

const tier_params *params_face(const struct params *p) {
  return &p->face;
}

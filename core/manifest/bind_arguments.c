/* Applications and their arguments, slot by slot. */
#include <math.h>
#include <string.h>

#include "manifest/reader.h"

/* ---- numbers ---- */

static int numbers_of(struct reader *r, const struct json *j, const double **numbers,
                      size_t *count) {
  size_t n = j->type == JSON_LIST ? j->count : 1;
  double *out = arena_alloc(r->arena, (n + 1) * sizeof *out);
  for (size_t i = 0; i < n; i++) {
    const struct json *item = j->type == JSON_LIST ? j->items[i] : j;
    if (item->type != JSON_NUMBER) {
      return 0;
    }
    out[i] = item->number;
  }
  *numbers = out;
  *count = n;
  return 1;
}

int constant_value(struct reader *r, const char *name, const double **numbers, size_t *count) {
  for (int hops = 0; hops < 32; hops++) {
    const struct name *n = names_find_kind(r, name, NAME_VALUE);
    if (n == NULL) {
      return 0;
    }
    if (n->definition->type != JSON_STRING) {
      return numbers_of(r, n->definition, numbers, count);
    }
    name = n->definition->text;
  }
  return 0;
}

static void check_range(struct reader *r, const struct callee *c, const tier_slot *s,
                        struct json *j, double value) {
  const char *kind =
      s->type == TIER_SLOT_INTEGER || s->type == TIER_SLOT_INTEGERS ? "a whole number" : "a number";
  if (kind[2] == 'w' && (value != floor(value) || fabs(value) > 9007199254740992.0)) {
    wrong(r, j, "", "%s: %s must be a whole number, not %s", c->id, s->name, written(r, j));
    return;
  }
  if (s->minimum == 0 && s->maximum == 0) {
    return;
  }
  int open_low = (s->flags & TIER_SLOT_OPEN_MINIMUM) != 0;
  int open_high = (s->flags & TIER_SLOT_OPEN_MAXIMUM) != 0;
  if (open_low ? value <= s->minimum : value < s->minimum) {
    wrong(r, j, "", "%s: %s must be %s %.15g, not %.15g", c->id, s->name,
          open_low ? "above" : "at least", s->minimum, value);
  } else if (open_high ? value >= s->maximum : value > s->maximum) {
    wrong(r, j, "", "%s: %s must be %s %.15g, not %.15g", c->id, s->name,
          open_high ? "below" : "at most", s->maximum, value);
  }
}

static const char *numeric_type(const tier_slot *s) {
  switch (s->type) {
    case TIER_SLOT_INTEGER:
      return "a whole number";
    case TIER_SLOT_INTEGERS:
      return "a list of whole numbers";
    case TIER_SLOT_NUMBERS:
      return "a list of numbers";
    default:
      return "a number";
  }
}

/* One number, or the name of a constant; appends what it is. */
static void bind_number(struct reader *r, const struct callee *c, const tier_slot *s,
                        struct json *j, struct argument *a) {
  const double *numbers = j->type == JSON_NUMBER ? &j->number : NULL;
  size_t count = 1;
  int list = s->type == TIER_SLOT_NUMBERS || s->type == TIER_SLOT_INTEGERS;
  int constant = j->type == JSON_STRING && constant_value(r, j->text, &numbers, &count);
  if (j->type == JSON_STRING && !constant) {
    const struct name *n = names_find(r, j->text, NULL);
    wrong(
        r, j, n == NULL ? names_suggest(r, j->text) : "",
        "%s: %s must be %s or the name of a constant in values; \"%s\" is %s", c->id, s->name,
        numeric_type(s), j->text,
        n == NULL ? "no name" : arena_format(r->arena, "%s, but no constant", kind_text(n->kind)));
    return;
  }
  if (numbers == NULL) {
    wrong(r, j, "", "%s: %s must be %s, not %s", c->id, s->name, numeric_type(s), written(r, j));
    return;
  }
  if (!list && count != 1) {
    wrong(r, j, "", "%s: %s must be one number; \"%s\" is %zu numbers", c->id, s->name, j->text,
          count);
    return;
  }
  double *all = arena_alloc(r->arena, (a->number_count + count) * sizeof *all);
  if (a->number_count > 0) {
    memcpy(all, a->numbers, a->number_count * sizeof *all);
  }
  for (size_t i = 0; i < count; i++) {
    check_range(r, c, s, j, numbers[i]);
    all[a->number_count++] = numbers[i];
  }
  a->numbers = all;
}

static void bind_numbers(struct reader *r, const struct callee *c, const tier_slot *s,
                         struct json *j, struct argument *a) {
  if (j->type != JSON_LIST) {
    bind_number(r, c, s, j, a);
    return;
  }
  if (s->type == TIER_SLOT_NUMBER || s->type == TIER_SLOT_INTEGER) {
    wrong(r, j, "", "%s: %s must be one number, not a list", c->id, s->name);
    return;
  }
  for (size_t i = 0; i < j->count; i++) {
    bind_number(r, c, s, j->items[i], a);
  }
}

/* ---- texts ---- */

static int is_choice(const char *choices, const char *text) {
  size_t n = strlen(text);
  for (const char *p = choices; p != NULL; p = strchr(p, '|')) {
    p += *p == '|';
    if (strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == '\0') && n > 0) {
      return 1;
    }
  }
  return 0;
}

/* Splits "a|b|c" for suggestions. */
static const char *choice_hint(struct reader *r, const char *choices, const char *text) {
  const char *names[64];
  size_t count = 0;
  for (const char *p = choices; *p != '\0' && count < 64;) {
    size_t n = strcspn(p, "|");
    names[count++] = arena_text_n(r->arena, p, n);
    p += n + (p[n] == '|');
  }
  return did_you_mean(r, text, names, count);
}

static void bind_texts(struct reader *r, const struct callee *c, const tier_slot *s, struct json *j,
                       struct argument *a) {
  size_t count = j->type == JSON_LIST ? j->count : 1;
  a->texts = arena_alloc(r->arena, (count + 1) * sizeof *a->texts);
  for (size_t i = 0; i < count; i++) {
    struct json *item = j->type == JSON_LIST ? j->items[i] : j;
    if (item->type != JSON_STRING) {
      wrong(r, item, "", "%s: %s must be a text in quotes, not %s", c->id, s->name,
            written(r, item));
    } else if (s->choices != NULL && !is_choice(s->choices, item->text)) {
      wrong(r, item, choice_hint(r, s->choices, item->text), "%s: %s must be one of %s, not \"%s\"",
            c->id, s->name, s->choices, item->text);
    } else if (s->type == TIER_SLOT_PATH && item->text[0] == '\0') {
      wrong(r, item, "", "%s: %s is an empty path", c->id, s->name);
    } else {
      a->texts[a->text_count++] = item->text;
    }
  }
}

static void bind_boolean(struct reader *r, const struct callee *c, const tier_slot *s,
                         struct json *j, struct argument *a) {
  if (j->type != JSON_BOOLEAN) {
    wrong(r, j, "", "%s: %s must be true or false, not %s", c->id, s->name, written(r, j));
    return;
  }
  a->numbers = arena_alloc(r->arena, sizeof(double));
  a->numbers[0] = j->boolean;
  a->number_count = 1;
}

/* ---- expressions, data, applications ---- */

static void bind_exprs(struct reader *r, struct json *j, struct argument *a) {
  size_t count = j->type == JSON_LIST ? j->count : 1;
  a->exprs = arena_alloc(r->arena, (count + 1) * sizeof(struct expr *));
  a->expr_count = count;
  for (size_t i = 0; i < count; i++) {
    size_t mark = path_push_index(r, i);
    a->exprs[i] = bind_expr(r, j->type == JSON_LIST ? j->items[i] : j);
    path_pop(r, mark);
  }
}

static void bind_one_expr(struct reader *r, struct json *j, struct argument *a) {
  a->exprs = arena_alloc(r->arena, sizeof(struct expr *));
  a->exprs[0] = bind_expr(r, j);
  a->expr_count = 1;
}

/* A number that may be learned: a plain number or constant, or any expression. */
static void bind_differentiable(struct reader *r, const struct callee *c, const tier_slot *s,
                                struct json *j, struct argument *a) {
  const double *numbers = NULL;
  size_t count = 0;
  int constant = j->type == JSON_STRING && constant_value(r, j->text, &numbers, &count);
  if (j->type == JSON_NUMBER || (constant && count == 1)) {
    bind_number(r, c, s, j, a);
  } else if (j->type == JSON_BOOLEAN || j->type == JSON_NULL || (j->type == JSON_LIST)) {
    wrong(r, j, "", "%s: %s must be a number or an expression, not %s", c->id, s->name,
          written(r, j));
  } else {
    bind_one_expr(r, j, a);
  }
}

static void bind_sources(struct reader *r, struct json *j, int list, struct argument *a) {
  size_t count = list && j->type == JSON_LIST ? j->count : 1;
  a->sources = arena_alloc(r->arena, (count + 1) * sizeof(struct source *));
  a->source_count = count;
  for (size_t i = 0; i < count; i++) {
    size_t mark = list ? path_push_index(r, i) : r->path.length;
    a->sources[i] = bind_source(r, list && j->type == JSON_LIST ? j->items[i] : j);
    path_pop(r, mark);
  }
}

static void bind_argument(struct reader *r, const struct callee *c, const tier_slot *s,
                          struct json *j, struct argument *a) {
  switch (s->type) {
    case TIER_SLOT_EXPRESSION:
      bind_one_expr(r, j, a);
      break;
    case TIER_SLOT_EXPRESSIONS:
      bind_exprs(r, j, a);
      break;
    case TIER_SLOT_NUMBER:
      if ((s->flags & TIER_SLOT_DIFFERENTIABLE) != 0) {
        bind_differentiable(r, c, s, j, a);
        break;
      }
      bind_numbers(r, c, s, j, a);
      break;
    case TIER_SLOT_NUMBERS:
    case TIER_SLOT_INTEGER:
    case TIER_SLOT_INTEGERS:
      bind_numbers(r, c, s, j, a);
      break;
    case TIER_SLOT_BOOLEAN:
      bind_boolean(r, c, s, j, a);
      break;
    case TIER_SLOT_TEXT:
    case TIER_SLOT_TEXTS:
    case TIER_SLOT_PATH:
      bind_texts(r, c, s, j, a);
      break;
    case TIER_SLOT_DATA:
    case TIER_SLOT_DATA_LIST:
      bind_sources(r, j, s->type == TIER_SLOT_DATA_LIST, a);
      break;
    case TIER_SLOT_LEVEL:
      a->index = name_index(r, j, NAME_LEVEL);
      break;
    case TIER_SLOT_OBJECTIVE:
      a->index = name_index(r, j, NAME_OBJECTIVE);
      break;
    case TIER_SLOT_VARIABLE:
      a->index = name_index(r, j, NAME_VARIABLE);
      break;
    case TIER_SLOT_APPLICATION:
      a->application = bind_application(r, j, position_of_kind(s->choices), NULL);
      break;
    default:
      wrong(r, j, "", "%s: slot %s has a type that this host does not know", c->id, s->name);
  }
}

/* ---- missing slots ---- */

/* net(train.x), as one says it; for messages. */
static void spoken(const struct json *j, struct text *out) {
  if (j->type == JSON_STRING) {
    text_add(out, j->text);
  } else if (j->type == JSON_OBJECT && j->count == 1) {
    const struct json *inner = j->items[0];
    text_format(out, "%s(", inner->key);
    for (size_t i = 0; inner->type == JSON_OBJECT && inner->count > 1 && i < inner->count; i++) {
      text_format(out, "%s%s = ", i > 0 ? ", " : "", inner->items[i]->key);
      spoken(inner->items[i], out);
    }
    if (inner->type != JSON_OBJECT || inner->count == 1) {
      spoken(inner, out);
    }
    text_add(out, ")");
  } else {
    json_write(j, 0, 0, out);
  }
}

/* The argument object as it should be written: what there is, and "slot": ... */
static const char *completed(struct reader *r, const struct json *arguments, const char *missing) {
  struct text out = {0};
  text_add(&out, "{ ");
  for (size_t i = 0; i < arguments->count; i++) {
    const struct json *item = arguments->items[i];
    if (item->line > 0) {
      const struct json *shown =
          arguments->origin != NULL && arguments->count >= 1 && i == 0 ? arguments->origin : item;
      text_format(&out, "\"%s\": %s, ", item->key, written(r, shown));
    }
  }
  text_format(&out, "\"%s\": ... }", missing);
  const char *text = arena_text(r->arena, text_get(&out));
  text_free(&out);
  return text;
}

static void report_missing(struct reader *r, const struct callee *c, struct json *arguments,
                           const tier_slot *s) {
  if (arguments->origin != NULL) {
    struct text reading = {0};
    spoken(arguments->origin, &reading);
    wrong_key(r, arguments, arena_format(r->arena, "write %s", completed(r, arguments, s->name)),
              "%s: read as %s = %s; slot \"%s\" is missing", c->id, arguments->items[0]->key,
              text_get(&reading), s->name);
    text_free(&reading);
  } else {
    wrong_key(r, arguments, arena_format(r->arena, "%s: %s", s->name, s->doc),
              "%s: slot \"%s\" is missing", c->id, s->name);
  }
}

/* A slot that does not exist was written: it may be the one that is missing. */
static int has_unknown_slot(const struct callee *c, const struct json *arguments) {
  for (size_t i = 0; i < arguments->count; i++) {
    const struct json *item = arguments->items[i];
    if (arguments->type == JSON_OBJECT && item->broken && callee_slot(c, item->key) == NULL) {
      return 1;
    }
  }
  return 0;
}

void bind_arguments(struct reader *r, const struct callee *c, struct json *arguments,
                    struct argument **out, size_t *count) {
  *out = arena_alloc(r->arena, (c->slot_count + 1) * sizeof **out);
  *count = 0;
  for (uint32_t i = 0; i < c->slot_count; i++) {
    const tier_slot *s = &c->slots[i];
    struct json *j = json_member(arguments, s->name);
    if (j == NULL) {
      if ((s->flags & TIER_SLOT_REQUIRED) != 0 && !has_unknown_slot(c, arguments)) {
        report_missing(r, c, arguments, s);
      }
      continue;
    }
    struct argument *a = &(*out)[(*count)++];
    size_t mark = path_push(r, s->name);
    *a = (struct argument){
        .slot = s, .place = place_of(r, j), .is_default = j->line == 0, .index = -1};
    if (j->broken) {
      bind_one_expr(r, j, a);
    } else {
      bind_argument(r, c, s, j, a);
    }
    path_pop(r, mark);
  }
}

/* ---- applications ---- */

static struct application *unknown_application(struct reader *r, struct json *node) {
  struct application *a = arena_alloc(r->arena, sizeof *a);
  a->place = place_of(r, node);
  a->arguments = arena_alloc(r->arena, sizeof *a->arguments);
  a->argument_count = 1;
  a->arguments[0] = (struct argument){.place = a->place, .index = -1};
  a->arguments[0].exprs = arena_alloc(r->arena, sizeof(struct expr *));
  /* not the key: it names a component, which may have a variable's name */
  a->arguments[0].exprs[0] =
      bind_mentions(r, node->type == JSON_OBJECT && node->count == 1 ? node->items[0] : node);
  a->arguments[0].expr_count = 1;
  return a;
}

static const char *stream_of(struct reader *r, struct json *arguments) {
  struct json *j = json_member(arguments, "stream");
  return j != NULL && is_text(r, j, "stream") ? j->text : NULL;
}

struct application *bind_application(struct reader *r, struct json *node, enum position position,
                                     const char *label) {
  int shaped = node->type == JSON_OBJECT && node->count == 1;
  const struct component *c =
      shaped ? registry_find(r->registry, position, node->items[0]->key) : NULL;
  if (c == NULL || node->broken || node->items[0]->broken) {
    return unknown_application(r, node);
  }
  struct json *arguments = node->items[0];
  struct application *a = arena_alloc(r->arena, sizeof *a);
  struct callee callee;
  callee_of_component(c, &callee);
  size_t mark = path_push(r, label != NULL ? label : arguments->key);
  a->component = c;
  a->place = place_of_key(r, arguments);
  a->stream = stream_of(r, arguments);
  bind_arguments(r, &callee, arguments, &a->arguments, &a->argument_count);
  path_pop(r, mark);
  return a;
}

const struct argument *application_argument(const struct application *a, const char *slot) {
  for (size_t i = 0; i < a->argument_count; i++) {
    if (a->arguments[i].slot != NULL && strcmp(a->arguments[i].slot->name, slot) == 0) {
      return &a->arguments[i];
    }
  }
  return NULL;
}
